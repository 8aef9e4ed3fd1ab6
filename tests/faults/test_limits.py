"""Limits of descriptors and memory: a worker works within them or ends and says which; what it said stands."""

from __future__ import annotations

import resource
import time

import pytest

ORDERS, UNITS = 40, 1_000
MIB = 1 << 20


def _limited(kind, number):
    return lambda: resource.setrlimit(kind, (number, number))


@pytest.mark.parametrize("descriptors", [48, 80, 112, 160])
def test_a_worker_with_few_descriptors_ends_and_says_so_or_works(embedded_system, descriptors):
    system = embedded_system
    system.apply()
    _place(system, "early")
    t = time.time()
    system.start("one", before=_limited(resource.RLIMIT_NOFILE, descriptors))
    ended = _ends_or_decides(system, ORDERS)
    print(descriptors, ended, time.time() - t, system.log("one")[-600:])
    system.start("two")
    _place(system, "late")
    assert system.until_decided(2 * ORDERS) == {"confirmed": 2 * ORDERS}
    assert system.audit()["ok"]


@pytest.mark.parametrize("mib", [300, 500, 700, 1200])
def test_a_worker_with_little_memory(embedded_system, mib):
    system = embedded_system
    system.apply()
    _place(system, "early")
    t = time.time()
    system.start("one", before=_limited(resource.RLIMIT_AS, mib * MIB))
    ended = _ends_or_decides(system, ORDERS)
    print(mib, ended, time.time() - t, system.log("one")[-600:])
    system.start("two")
    _place(system, "late")
    assert system.until_decided(2 * ORDERS) == {"confirmed": 2 * ORDERS}
    assert system.audit()["ok"]


def test_memory_that_is_taken_away_from_a_worker_at_work(embedded_system):
    system = embedded_system
    system.apply()
    system.start("one")
    _place(system, "early")
    system.until_decided(ORDERS)
    pid = system.workers["one"].pid
    size = int(open(f"/proc/{pid}/statm").read().split()[0]) * 4096
    resource.prlimit(pid, resource.RLIMIT_AS, (size + MIB, size + MIB))
    for n in range(20_000):
        system.place(f"more-{n}", {"JERKY": 1, f"S{n}": 1})
    system.flush()
    ended = _ends_or_decides(system, ORDERS + 20_000)
    print(size // MIB, ended, system.log("one")[-900:])
    system.start("two")
    _place(system, "late")
    system.until_decided(2 * ORDERS + 20_000)
    assert system.audit()["ok"]


def _ends_or_decides(system, orders):
    def what():
        code = system.workers["one"].poll()
        if code is not None:
            return code
        return "decided" if len(system.decisions()) >= orders else None

    return system.wait(what, 60)


def _place(system, name):
    if name == "early":
        system.receive("JERKY", UNITS)
    for n in range(ORDERS):
        system.place(f"{name}-{n}", {"JERKY": 1})
    system.flush()
