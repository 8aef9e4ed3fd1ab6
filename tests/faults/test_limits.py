"""Limits of descriptors and memory: a worker works within them or says what it lacks; what it said stands."""

from __future__ import annotations

import resource
import signal

import pytest

ORDERS, UNITS, MANY, LINES = 40, 1_000, 3_000, 40
MIB = 1 << 20
DESCRIPTORS_LACK = ("Too many open files", "Errno 24", "os error 24")
MEMORY_LACKS = ("MemoryError", "Cannot allocate memory", "bad_alloc", "memory allocation", "can't start new thread",
                "failed to map segment", "Unable to create broker thread",
                "Timeout (")  # fmt: skip
# The last: a client of librdkafka without memory for a thread can hang and keep Python's lock; the alarm ends it.
CRASHES = tuple(f"ended with {-number}" for number in (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS))


@pytest.mark.timeout(240)
@pytest.mark.parametrize("descriptors", [48, 80, 160])
def test_a_worker_with_few_descriptors_works_or_says_what_it_lacks(embedded_system, descriptors):
    system = embedded_system
    _begin(system)
    system.start("one", before=_limit(resource.RLIMIT_NOFILE, descriptors))
    _then(system, f"{descriptors} descriptors", DESCRIPTORS_LACK, must_lack=descriptors < 60)
    _well_without_the_limit(system)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("mib", [400, 1_200])
def test_a_worker_with_little_address_space_works_or_says_what_it_lacks(embedded_system, mib):
    system = embedded_system
    _begin(system)
    system.start("one", before=_limit(resource.RLIMIT_AS, mib * MIB))
    _then(system, f"{mib} MiB", MEMORY_LACKS, must_lack=mib < 500)
    _well_without_the_limit(system)


@pytest.mark.timeout(240)
def test_a_worker_whose_memory_ends_while_it_works_ends_and_costs_nothing(embedded_system):
    system = embedded_system
    _begin(system)
    system.start("one")
    system.until_decided(ORDERS)
    pid = system.workers["one"].pid
    with open(f"/proc/{pid}/statm") as file:
        size = int(file.read().split()[0]) * resource.getpagesize()
    resource.prlimit(pid, resource.RLIMIT_AS, (size // 2, size // 2))  # it keeps what it has and gets nothing more
    for n in range(MANY):
        system.place(f"many-{n}", {"JERKY": 1} | {f"SKU-{n}-{m}": 1 for m in range(LINES)})
    system.flush()
    _then(system, f"half of {size // MIB} MiB while at work", MEMORY_LACKS, must_lack=True, orders=ORDERS + MANY)
    _well_without_the_limit(system, more=MANY)


def _limit(kind, number):
    return lambda: resource.setrlimit(kind, (number, number))


def _begin(system):
    system.apply()
    system.receive("JERKY", UNITS)
    for n in range(ORDERS):
        system.place(f"early-{n}", {"JERKY": 1})
    system.flush()


def _then(system, limit, reasons, *, must_lack, orders=ORDERS):
    """Until it has decided, or has ended with a reason in its log."""

    def found():
        code = system.workers["one"].poll()
        if code is not None:
            return f"ended with {code}"
        return "decided all" if len(system.decisions()) >= orders else None

    how = system.wait(found, 120)  # the alarm comes after 45 s
    reason = next((x for x in reasons if x in system.said("one")), "nothing")
    print(f"injected: {limit}: it {how}; it said: {reason}")
    fell = how in CRASHES  # inside a library of C that does not look at what malloc gives: the supervisor tells
    assert fell or how == "decided all" or reason != "nothing", system.log("one")
    # Who works on may have said it too: what librdkafka tries again is no end, and no read waits for it.
    assert how != "decided all" or "smokehouse: fatal" not in system.said("one"), system.log("one")
    assert not (must_lack and how == "decided all")


def _well_without_the_limit(system, more=0):
    if system.workers["one"].poll() is None:
        system.workers["one"].kill()
        system.workers["one"].wait(10)
    system.start("two")
    for n in range(ORDERS):
        system.place(f"late-{n}", {"JERKY": 1})
    system.flush()
    decided = system.until_decided(2 * ORDERS + more)
    assert decided == {"confirmed": 2 * ORDERS} | ({"rejected": more} if more else {})
    assert system.audit()["ok"]
