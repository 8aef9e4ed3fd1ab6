"""A disk that gives errors, or is slow, under a worker's local store: a store is a copy, and its loss costs time alone.

The errors come from a library that is loaded before the worker (`preload/files.c`): EIO of write, read, fsync and
fdatasync for files below its stores, and for no socket; libfiu's cannot tell files apart, and knows no slowness.
A worker writes to its disk when it opens a store, when a store outgrows memory (32 MiB), and when it leaves.
"""

from __future__ import annotations

import signal

import pytest

from streams.transport.failstop import AGENT_ERROR, RECOVERY_READ, SUSPENDED

ORDERS, UNITS = 40, 1_000
STORES = 8


class Disk:
    """What the disk under one worker's stores does; how often it has done it."""

    def __init__(self, system, library, plan="none 0"):
        self.plan = system.settings.home / "disk.plan"
        self.done = system.settings.home / "disk.done"
        self.env = {
            "LD_PRELOAD": library, "FAULT_FILES": str(system.settings.home / "stores"), "FAULT_PLAN": str(self.plan),
            "FAULT_DONE": str(self.done),
        }  # fmt: skip
        self.does(plan)

    def does(self, plan):
        self.plan.write_text(plan)

    @property
    def injected(self):
        return self.done.stat().st_size if self.done.exists() else 0


@pytest.mark.parametrize("plan", ["write 40", "sync 1"])
def test_a_worker_whose_disk_fails_while_it_opens_ends_and_its_orders_are_decided_later(
    embedded_system, preloaded, plan
):
    system = embedded_system
    system.apply()
    _place(system, "early")
    disk = Disk(system, preloaded("files"), plan)
    system.start("one", **disk.env)
    assert system.workers["one"].wait(40) == RECOVERY_READ, system.log("one")
    assert "cannot be opened" in system.said("one")
    print(f"injected: {disk.injected} errors ({plan})")
    assert disk.injected
    assert system.decisions() == {}
    system.start("one")
    assert system.until_decided(ORDERS) == {"confirmed": ORDERS}
    assert system.audit()["ok"]


@pytest.mark.parametrize("plan", ["write 1", "sync 1"])
def test_a_worker_that_cannot_close_its_stores_says_so_and_they_are_never_used_again(embedded_system, preloaded, plan):
    """It leaves, and the disk fails just then: everything it had said is in the logs."""
    system = embedded_system
    system.apply()
    disk = Disk(system, preloaded("files"))
    system.start("one", **disk.env)
    _place(system, "early")
    assert system.until_decided(ORDERS) == {"confirmed": ORDERS}
    disk.does(plan)
    system.signal("one", signal.SIGTERM)
    assert system.workers["one"].wait(60) == AGENT_ERROR, system.log("one")
    assert "cannot be closed" in system.said("one")
    print(f"injected: {disk.injected} errors ({plan})")
    assert disk.injected
    system.start("two")
    _place(system, "late")
    assert system.until_decided(2 * ORDERS) == {"confirmed": 2 * ORDERS}
    assert system.audit()["ok"]


def test_a_store_that_cannot_be_read_again_is_not_used(embedded_system, preloaded):
    system = embedded_system
    system.apply()
    disk = Disk(system, preloaded("files"))
    system.start("one", **disk.env)
    _place(system, "early")
    assert system.until_decided(ORDERS) == {"confirmed": ORDERS}
    system.signal("one", signal.SIGTERM)
    assert system.workers["one"].wait(60) == 0, system.log("one")
    assert len(list((system.settings.home / "stores" / "one").glob("*.closed"))) == STORES
    disk.does("read 1")
    system.start("one", **disk.env)
    system.until_holding("one", seconds=60)
    print(f"injected: {disk.injected} errors (read 1)")
    assert disk.injected
    assert "local store kept" not in system.said("one")
    _place(system, "late")
    assert system.until_decided(2 * ORDERS) == {"confirmed": 2 * ORDERS}
    assert system.audit()["ok"]


@pytest.mark.parametrize("ms", [200, 1_000])
def test_a_disk_that_is_slow_to_sync_makes_opening_slow_or_ends_the_worker_and_costs_nothing(
    embedded_system, preloaded, ms
):
    """Nothing of Python runs while RocksDB opens: whoever stands still for longer than its session ends itself."""
    system = embedded_system
    system.apply()
    disk = Disk(system, preloaded("files"), f"slow {ms}")
    system.start("one", **disk.env)
    _place(system, "early")
    ended = system.wait(lambda: system.workers["one"].poll() or len(system.decisions()) >= ORDERS, 90)
    print(f"injected: {disk.injected} syncs of {ms} ms; {'it worked' if ended is True else f'it ended with {ended}'}")
    assert disk.injected >= STORES
    assert ended is True or (ms >= 1_000 and ended == SUSPENDED), system.log("one")
    disk.does("none 0")
    if ended is True:
        system.signal("one", signal.SIGTERM)
        assert system.workers["one"].wait(60) == 0
    system.start("one")
    _place(system, "late")
    assert system.until_decided(2 * ORDERS) == {"confirmed": 2 * ORDERS}
    assert system.audit()["ok"]


def _place(system, name):
    if name == "early":
        system.receive("JERKY", UNITS)
    for n in range(ORDERS):
        system.place(f"{name}-{n}", {"JERKY": 1})
    system.flush()
