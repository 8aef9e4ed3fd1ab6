"""A storm of rebalances: every two seconds a worker comes and another goes, while orders flow."""

from __future__ import annotations

import random
import signal
import time
from collections import Counter

import pytest

from streams.transport.failstop import CONSUMER_DEAD

SKUS, UNITS = 40, 120
LEAVES, ROUND_SECONDS = 60, 2.0
LEAVES_MIN, STORM_SECONDS = 20, 130.0  # a busy machine starts workers more slowly: the storm is smaller, or longer
GUESTS = 4  # beside the one that stays, on their way in or there
KILLED = 4  # every fourth: for its session of 6 s a dead member keeps the others from agreeing
ORDERS_A_ROUND = 40
LEFT_SECONDS = 30.0
# It may be asked to leave while it starts, or while the group, which is never at rest, keeps its last commit waiting.
CLEAN_ENDS = {0, -signal.SIGTERM, CONSUMER_DEAD}


@pytest.mark.timeout(600)
def test_up_to_sixty_workers_join_and_leave_two_seconds_apart(kafka_system):
    """Nobody leaves before it had partitions; at each leave the next one starts."""
    system = kafka_system
    system.apply()
    system.start("stays")
    for n in range(SKUS):
        system.receive(f"SKU-{n}", UNITS)
    system.until_holding("stays")
    left, started, placed, began = _storm(system, random.Random(4))
    took = time.monotonic() - began
    for guest in set(started) - left.keys():
        system.signal(guest, signal.SIGTERM)
    statuses = system.until_decided(placed, 90)
    ends = Counter(system.workers[guest].wait(LEFT_SECONDS) for guest in started)
    rebalances = system.wait(lambda: system.told_by("stays"))["counters"]["rebalances"]
    print(f"injected: {len(left)} leaves of workers with partitions ({dict(Counter(left.values()))}), "
          f"{len(started)} joins in {took:.0f} s; ends {dict(ends)}; {rebalances} rebalances of the one that stays; "
          f"{placed} orders {dict(statuses)}")  # fmt: skip
    assert LEAVES_MIN <= len(left) <= LEAVES
    assert ends.keys() <= {-signal.SIGKILL} | CLEAN_ENDS
    assert ends[-signal.SIGKILL] == list(left.values()).count("killed") >= LEAVES_MIN // KILLED
    assert rebalances >= LEAVES_MIN
    assert system.workers["stays"].poll() is None
    assert system.audit()["ok"]


def _storm(system, dice):
    """How each guest left, all guests, how many orders, when it began."""
    left, started, placed = {}, [], 0
    began = time.monotonic()
    while len(left) < LEAVES_MIN or (len(left) < LEAVES and time.monotonic() - began < STORM_SECONDS):
        round_ends = time.monotonic() + ROUND_SECONDS
        there = [guest for guest in started if guest not in left]
        if len(there) < GUESTS:
            guest = f"guest-{len(started)}"
            started.append(guest)
            system.start(guest)
        placed += _orders(system, dice, placed)
        if (guest := next((g for g in there if "opened at offset" in system.said(g)), None)) is not None:
            left[guest] = "killed" if len(left) % KILLED == KILLED - 1 else "asked to leave"
            system.signal(guest, signal.SIGKILL if left[guest] == "killed" else signal.SIGTERM)
        time.sleep(max(round_ends - time.monotonic(), 0.0))
    return left, started, placed, began


def _orders(system, dice, first):
    for n in range(first, first + ORDERS_A_ROUND):
        lines = {f"SKU-{dice.randrange(SKUS)}": dice.randint(1, 2) for _ in range(dice.randint(1, 3))}
        system.place(f"order-{n}", lines)
    system.flush()
    return ORDERS_A_ROUND
