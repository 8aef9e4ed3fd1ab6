"""A storm of rebalances: every two seconds a worker comes and another goes, while orders flow."""

from __future__ import annotations

import random
import signal
import time
from collections import Counter

import pytest

from streams.transport.failstop import CONSUMER_DEAD

SKUS, UNITS = 40, 120
ROUNDS, ROUND_SECONDS = 60, 2.0
AT_ONCE = 4  # guests beside the one that stays
ORDERS_A_ROUND = 40
LEFT_SECONDS = 15.0
# It may be asked to leave before it is there, or while the group, which is never at rest, keeps its last commit waiting.
CLEAN_ENDS = (0, -signal.SIGTERM, CONSUMER_DEAD)


@pytest.mark.timeout(300)
def test_sixty_workers_join_and_leave_two_seconds_apart(kafka_system):
    system = kafka_system
    system.apply()
    system.start("stays")
    for n in range(SKUS):
        system.receive(f"SKU-{n}", UNITS)
    system.until_holding("stays")
    dice = random.Random(4)
    ends, guests, had = Counter(), [], 0
    began = time.monotonic()
    for n in range(ROUNDS):
        guests.append(f"guest-{n}")
        system.start(guests[-1])
        _orders(system, dice, n * ORDERS_A_ROUND)
        time.sleep(max(began + (n + 1) * ROUND_SECONDS - time.monotonic(), 0.0))
        if len(guests) > AT_ONCE:
            guest = guests.pop(0)
            had += "opened at offset" in system.log(guest)
            system.signal(guest, signal.SIGKILL if n % 2 else signal.SIGTERM)
            ends["killed" if n % 2 else "asked to leave"] += 1
    took = time.monotonic() - began
    for guest in guests:
        system.signal(guest, signal.SIGTERM)
        ends["asked to leave"] += 1
    placed = ROUNDS * ORDERS_A_ROUND
    statuses = system.until_decided(placed, 90)
    codes = Counter(system.workers[f"guest-{n}"].wait(LEFT_SECONDS) for n in range(ROUNDS))
    rebalances = system.told_by("stays")["counters"]["rebalances"]
    print(f"injected: {ROUNDS} joins and {sum(ends.values())} leaves ({dict(ends)}) in {took:.0f} s; ends {dict(codes)}; "
          f"{had} guests had partitions; {rebalances} rebalances of the one that stays; {placed} orders {dict(statuses)}")
    assert (sum(ends.values()), sum(codes.values())) == (ROUNDS, ROUNDS)
    assert set(codes) <= {-signal.SIGKILL, *CLEAN_ENDS}
    assert codes[-signal.SIGKILL] == ends["killed"]
    assert rebalances >= ROUNDS // 3
    assert had >= ROUNDS // 3
    assert system.workers["stays"].poll() is None
    assert system.audit()["ok"]


def _orders(system, dice, first):
    for n in range(first, first + ORDERS_A_ROUND):
        lines = {f"SKU-{dice.randrange(SKUS)}": dice.randint(1, 2) for _ in range(dice.randint(1, 3))}
        system.place(f"order-{n}", lines)
    system.flush()
