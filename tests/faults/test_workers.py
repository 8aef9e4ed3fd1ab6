"""Workers die, sleep past their session, leave and join: no order is lost, nothing is sold twice, nothing leaks."""

from __future__ import annotations

import random
import signal
import time

import pytest

pytestmark = pytest.mark.timeout(400)  # above the waits together: five guests, each of whom has to join
ORDERS, SKUS, UNITS = 6_000, 60, 180  # about 2.5 lines of 1-2 units: more than the stock holds


def _traffic(system, seed, first, last):
    rng = random.Random(seed)
    for n in range(first, last):
        lines = {f"SKU-{rng.randrange(SKUS)}": rng.randint(1, 2) for _ in range(rng.randint(1, 4))}
        system.place(f"order-{n}", lines)
        if n % 9 == 0 and n:
            system.send("orders", f"order-{n - 1}", _cancel(n - 1))
    system.flush()


def _cancel(n):
    from tables import records as r

    return r.CancelRequested(id=f"cancel-{n}", order_id=f"order-{n}", reason="changed my mind")


def test_a_kill_a_long_sleep_and_a_newcomer_lose_nothing(system):
    system.apply()
    system.start("one")
    system.start("two")
    system.until_ready()
    for n in range(SKUS):
        system.receive(f"SKU-{n}", UNITS)
    _traffic(system, 1, 0, ORDERS // 3)
    system.signal("one", signal.SIGKILL)
    _traffic(system, 2, ORDERS // 3, 2 * ORDERS // 3)
    system.start("three")
    time.sleep(2)
    system.signal("two", signal.SIGSTOP)
    _traffic(system, 3, 2 * ORDERS // 3, ORDERS)
    time.sleep(9)  # longer than the session of 6 s: its partitions are given to others
    system.signal("two", signal.SIGCONT)
    system.start("four")
    system.until_decided(ORDERS, 120)
    told = system.audit()
    assert told["ok"]


def test_workers_join_and_leave_again_and_again(system):
    system.apply()
    system.start("stays")
    for n in range(SKUS):
        system.receive(f"SKU-{n}", UNITS)
    sent = 0
    for n in range(5):
        system.start(f"guest-{n}")
        _traffic(system, n, sent, sent + 200)
        # Not before: who dies while it joins can keep the embedded broker's group from ever sharing out again.
        system.until_holding(f"guest-{n}")
        _traffic(system, n, sent + 200, sent + 400)
        sent += 400
        system.signal(f"guest-{n}", signal.SIGKILL if n % 2 else signal.SIGTERM)
    system.until_decided(sent, 120)
    assert system.audit()["ok"]
