"""Never oversold: many buyers, few units; with all workers well, and while they die and sleep in turn."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections import Counter

import pytest

from streams.transport.failstop import SUSPENDED
from tables import records as r
from tables.murmur2 import partition_of

BUYERS, UNITS = 10_000, 100
PARTITIONS = 4
DROP = "DROP"
# Whether it falls on whoever has the units; else on the other.
FAULTS = (("kill", True), ("sleep", True), ("sleep", False), ("kill", False))
BUYERS_A_SECOND = 100.0
LAST_BUYERS = 1_000  # come when the last fault is over
ASLEEP_SECONDS = 8.5  # past the session of 6 s: all it has is given to others


@pytest.mark.timeout(240)
def test_ten_thousand_buyers_for_a_hundred_units_get_exactly_a_hundred(system):
    system.apply()
    system.start("one")
    system.start("two")
    system.receive(DROP, UNITS)
    system.flush()  # whoever comes before is told that there is no such SKU
    for n in range(BUYERS):
        system.place(f"buyer-{n}", {DROP: 1})
    system.flush()
    _a_hundred_have_it(system)


@pytest.mark.timeout(300)
def test_exactly_a_hundred_also_while_both_workers_die_and_sleep_in_turn(system):
    """The units come in parts, one just before each fault: every part is fought for while a worker goes."""
    system.apply()
    for name in ("one", "two"):
        system.start(name)
    system.until_holding("one", "two", seconds=60)
    system.send("warehouse", DROP, r.SkuDefined(id="drop", sku=DROP))  # known before its first buyer
    system.flush()
    with _Crowd(system) as crowd:
        done = _all_faults(system, random.Random(5))
        placed = crowd.placed
    print(f"injected: {dict(done)}; {placed} of {BUYERS} buyers came meanwhile")
    assert all(done[f"{kind} {name}"] == 1 for kind in ("kill", "sleep") for name in ("one", "two"))
    assert min(done["kill of who had the units"], done["sleep of who had the units"]) >= 1
    assert placed > BUYERS // 4
    _a_hundred_have_it(system)


class _Crowd:
    """Buyers, so many a second while it is open; the rest of them at its end."""

    def __init__(self, system):
        self.placed, self._system, self._closed = 0, system, threading.Event()
        self._thread = threading.Thread(target=self._come)

    def _come(self):
        began = time.monotonic()
        while not self._closed.wait(0.02):
            due = min(int((time.monotonic() - began) * BUYERS_A_SECOND), BUYERS - LAST_BUYERS)
            self._place(due)
            self._system.flush()

    def _place(self, until):
        for n in range(self.placed, until):
            self._system.place(f"buyer-{n}", {DROP: 1})
        self.placed = until

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, kind, error, trace):
        self._closed.set()
        self._thread.join()
        if kind is None:
            self._place(BUYERS)
            self._system.flush()


def _all_faults(system, dice):
    """Both kinds fall on both workers: first on whoever has the units just then, then on the other one.

    Each with partitions in hand and both workers there: more than that the embedded broker's group does not survive.
    """
    done, first = Counter(), {}
    home = partition_of(DROP, PARTITIONS)
    for n, (kind, on_holder) in enumerate(FAULTS):
        system.until_holding("one", "two", seconds=60)
        holder = system.wait(lambda: next((w for w in ("one", "two") if system.holds(w, "warehouse", home)), None))
        name = first.setdefault(kind, holder) if on_holder else {"one": "two", "two": "one"}[first[kind]]
        fact = r.Received(id=f"in-{n}", sku=DROP, location="W1", quantity=UNITS // len(FAULTS), lot="L1")
        system.send("warehouse", DROP, fact)
        system.flush()
        time.sleep(dice.uniform(0, 0.3))
        _harm(system, kind, name)
        done[f"{kind} {name}"] += 1
        done[f"{kind} of who had the units"] += name == holder
        system.start(name)
    system.until_holding("one", "two", seconds=60)
    return done


def _harm(system, kind, name):
    worker = system.workers[name]
    if kind == "kill":
        system.signal(name, signal.SIGKILL)
        assert worker.wait(10) == -signal.SIGKILL
    else:
        system.signal(name, signal.SIGSTOP)
        time.sleep(ASLEEP_SECONDS)
        system.signal(name, signal.SIGCONT)
        assert worker.wait(20) == SUSPENDED, system.log(name)


def _a_hundred_have_it(system):
    statuses = system.until_decided(BUYERS)
    assert statuses == {"confirmed": UNITS, "rejected": BUYERS - UNITS}
    reasons = {d.reason for d in system.decisions().values() if d.status == "rejected"}
    assert reasons <= {"insufficient", "contended"}
    assert system.audit()["ok"]
