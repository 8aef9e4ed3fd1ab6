"""Machines with wrong clocks: the time of day of a worker decides nothing, wherever it jumps.

The clock is set by a library that is loaded before the worker (`preload/clock.c`): libfaketime 0.9.10 leaves out
`cnd_timedwait`, with which librdkafka waits. The monotonic clock stays right, as on a machine whose date is set.
"""

from __future__ import annotations

import signal
import struct
import time
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from tables import records as r
from tables.codec import ORDER_LOG, STOCK_LOG
from tables.log import TICK_MS_MAX
from tables.murmur2 import partition_of

PARTITIONS, SKUS, UNITS = 4, 20, 1_000
DAY_MS, HOUR_MS = 86_400_000, 3_600_000
AHEAD, BEHIND = 400 * DAY_MS, -HOUR_MS
STEPS = ((AHEAD, BEHIND), (BEHIND, AHEAD), (-AHEAD, 0), (BEHIND, BEHIND), (AHEAD, -AHEAD), (0, BEHIND))
ORDERS_A_STEP, STEP_SECONDS = 200, 4.0
PAYMENT_SECONDS = 3_000
STANDSTILL_MS = 15 * 60_000
NAMES = ("one", "two")


class Clock:
    """The offset of one worker's clock, in milliseconds."""

    def __init__(self, path, library, ms):
        self.path, self.ms, self.steps = path, ms, 0
        self.env = {"LD_PRELOAD": library, "FAULT_CLOCK": str(path)}
        path.write_bytes(struct.pack("q", ms * 1_000_000))

    def step(self, ms):
        self.steps += ms != self.ms
        self.ms = ms
        with self.path.open("r+b") as file:  # in place: the worker has it mapped
            file.write(struct.pack("q", ms * 1_000_000))


@pytest.mark.timeout(240)
def test_workers_400_days_apart_whose_clocks_step_expire_nothing_and_decide_as_ever(kafka_system, preloaded):
    """Apache Kafka stamps what it appends: no worker's clock gets past it, and none is refused for its stamps."""
    system = kafka_system
    system.apply()
    clocks = [Clock(system.settings.home / f"{n}.clock", preloaded("clock"), ms)
              for n, ms in zip(NAMES, STEPS[0], strict=True)]  # fmt: skip
    for name, clock in zip(NAMES, clocks, strict=True):
        system.start(name, **clock.env)
    system.until_ready()
    lasts = (datetime.now(UTC) + timedelta(days=200)).date().isoformat()
    for n in range(SKUS):
        fact = r.Received(id=f"in-{n}", sku=f"SKU-{n}", location="W1", quantity=UNITS, lot="L1", best_before=lasts)
        system.send("warehouse", fact.sku, fact)
    unpaid = [f"unpaid-{n}" for n in range(16)]
    assert {partition_of(x, PARTITIONS) for x in unpaid} == set(range(PARTITIONS))
    for n, order in enumerate(unpaid):
        system.place(order, {f"SKU-{n}": 1}, payment="pending", payment_seconds=PAYMENT_SECONDS)
    placed = 0
    for offsets in STEPS:
        for clock, ms in zip(clocks, offsets, strict=True):
            clock.step(ms)
        placed += _orders(system, placed)
        time.sleep(STEP_SECONDS)
        assert all(system.workers[name].poll() is None for name in NAMES), [system.log(name) for name in NAMES]
    assert system.until_decided(placed) == {"confirmed": placed}, "none was too late, no lot too old"

    _, wrong = _ticks(system)
    print(f"injected: {sum(c.steps for c in clocks)} steps of two clocks, ticks {dict(wrong)}; {placed} orders")
    assert min(wrong["400 days ahead"], wrong["an hour behind"], wrong["400 days behind"]) >= PARTITIONS
    assert all(state_ms <= time.time() * 1000 for state_ms in _checked_state_times(system).values())
    assert not set(unpaid) & set(system.decisions()), "an hour is not over"
    for order in unpaid:
        paid = r.PaymentAuthorized(id=f"paid-{order}", order_id=order)
        system.send("orders", order, paid)
    system.flush()
    assert system.until_decided(placed + len(unpaid)) == {"confirmed": placed + len(unpaid)}
    assert not [a for a in system.read("alerts", r.Alert) if a.kind == "expiring"]
    assert system.audit()["ok"]


@pytest.mark.timeout(120)
def test_who_orders_right_after_a_standstill_has_the_whole_time_to_pay(kafka_system, preloaded):
    """State time is a quarter of an hour old when the order comes, and goes on by a minute a second."""
    system = kafka_system
    system.apply()
    clock = Clock(system.settings.home / "clock", preloaded("clock"), -STANDSTILL_MS)
    system.start("before", **clock.env)
    system.until_ready()
    system.receive("SKU-0", UNITS)
    system.wait(lambda: len(_state_times(system)) == 2 * PARTITIONS and all(_state_times(system).values()))
    assert max(_state_times(system).values()) < time.time() * 1000 - STANDSTILL_MS + 60_000
    system.signal("before", signal.SIGTERM)
    system.workers["before"].wait(30)
    placed = [f"unpaid-{n}" for n in range(16)]
    for order in placed:
        system.place(order, {"SKU-0": 1}, payment="pending", payment_seconds=300)
    system.flush()
    system.start("after")
    system.until_ready()
    system.wait(lambda: min(_state_times(system).values()) > (time.time() - 90) * 1000)
    assert system.decisions() == {}, "nobody's time is over"
    for order in placed:
        system.send("orders", order, r.PaymentAuthorized(id=f"paid-{order}", order_id=order))
    system.flush()
    assert system.until_decided(len(placed)) == {"confirmed": len(placed)}
    assert system.audit()["ok"]


def test_where_nobody_stamps_a_wrong_clock_moves_time_on_by_a_minute_a_tick_at_most(embedded_system, preloaded):
    """The embedded broker keeps the producer's stamp: there the bound of a tick is all that holds."""
    system = embedded_system
    system.apply()
    clock = Clock(system.settings.home / "clock", preloaded("clock"), 0)
    system.start("one", **clock.env)
    system.until_holding("one")
    system.receive("SKU-0", UNITS)
    system.place("unpaid", {"SKU-0": 1}, payment="pending", payment_seconds=PAYMENT_SECONDS)
    system.flush()
    system.wait(lambda: len(_state_times(system)) == 2 * PARTITIONS and all(_state_times(system).values()))
    clock.step(AHEAD)
    system.wait(lambda: _ticks(system)[1]["400 days ahead"] >= 2 * PARTITIONS * 5)
    clock.step(BEHIND)
    placed = 50
    for n in range(placed):
        system.place(f"order-{n}", {"SKU-0": 1})
    system.flush()
    assert system.until_decided(placed) == {"confirmed": placed}
    _, wrong = _ticks(system)
    print(f"injected: {clock.steps} steps, ticks {dict(wrong)}")
    assert max(_checked_state_times(system).values()) < (time.time() + 3_600) * 1000, "not 400 days"
    assert system.audit()["ok"]


def _orders(system, first):
    for n in range(first, first + ORDERS_A_STEP):
        system.place(f"order-{n}", {f"SKU-{n % SKUS}": 1, f"SKU-{(n + 7) % SKUS}": 1})
    system.flush()
    return ORDERS_A_STEP


def _ticks(system):
    """(topic, partition) -> (clock, stamp) of each tick in its order; how many ticks were how wrong."""
    told, wrong = {}, Counter()
    for topic, codec in (("orders", ORDER_LOG), ("warehouse", STOCK_LOG)):
        for message in system.read(topic):
            for record in codec.items(message.value()):
                if isinstance(record, r.Tick):
                    stamp = message.timestamp()[1]
                    told.setdefault((topic, message.partition()), []).append((record.now_ms, stamp))
                    wrong[_how_wrong(record.now_ms - time.time() * 1000)] += 1
    return told, wrong


def _how_wrong(ms):
    if abs(ms) > DAY_MS:
        return "400 days ahead" if ms > 0 else "400 days behind"
    return "right" if abs(ms) < HOUR_MS / 2 else "an hour behind"


def _state_times(system):
    """(topic, partition) -> state time in ms, as the workers tell it."""
    return {(p["topic"], p["partition"]): p.get("state_time_ms", 0) for p in system.status()["partitions"]}


def _checked_state_times(system):
    """Each is one that the rule gives: never back, never past the stamp, a minute a tick."""
    found = system.wait(lambda: times if len(times := _state_times(system)) == 2 * PARTITIONS else None)
    told, _ = _ticks(system)
    for place, state_ms in found.items():
        state, passed = 0, set()
        for now_ms, stamp_ms in told[place]:
            said = min(now_ms, stamp_ms)
            state = max(state, min(said, state + TICK_MS_MAX)) if state else said
            passed.add(state)
        assert state_ms in passed, f"{place}: {state_ms} by none of {len(passed)} ticks"
    return found
