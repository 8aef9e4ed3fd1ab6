"""A defect in a step stops one partition, and says so; everything else goes on."""

from __future__ import annotations

import signal
from pathlib import Path

from streams.transport.failstop import AGENT_ERROR
from tables import records as r
from tables.murmur2 import partition_of

POISONED = [str(Path(__file__).with_name("poisoned.py"))]
HALTED = partition_of("POISON", 4)
HERE = next(f"SKU-{n}" for n in range(100) if partition_of(f"SKU-{n}", 4) == HALTED)
ELSEWHERE = next(f"SKU-{n}" for n in range(100) if partition_of(f"SKU-{n}", 4) != HALTED)


def test_one_partition_halts_its_orders_expire_and_hold_nothing(system):
    system.apply(undecided_seconds=8)
    system.start("poisoned", POISONED)
    system.until_ready()
    system.receive(HERE, 10)
    system.receive(ELSEWHERE, 10)
    system.place("before", {HERE: 1, ELSEWHERE: 1})
    system.until_decided(1)
    system.receive("POISON", 1)
    system.flush()
    halted = system.wait(lambda: [p for p in system.status()["partitions"] if p["state"] == "halted"])
    assert [(p["topic"], p["partition"]) for p in halted] == [("warehouse", HALTED)]
    assert "a defect in a step" in halted[0]["reason"]
    assert "smokehouse partition retry" in halted[0]["remedy"]

    system.place("waits", {HERE: 1, ELSEWHERE: 1})
    system.place("passes", {ELSEWHERE: 1})
    system.flush()
    system.until_decided(3, 60)
    decisions = system.decisions()
    assert decisions["passes"].status == "confirmed"
    assert (decisions["waits"].status, decisions["waits"].reason) == ("expired", "no_answer")
    level = system.wait(lambda: _level_at(system, ELSEWHERE, allocated=2))
    assert (level.reserved, level.available) == (0, 8)

    system.signal("poisoned", signal.SIGTERM)
    assert system.workers["poisoned"].wait(30) == 0
    system.start("mended")
    system.until_ready()
    level = system.wait(lambda: _level_at(system, HERE, allocated=1))
    assert (level.reserved, level.available) == (0, 9)
    assert system.audit()["ok"]


def test_a_step_that_gets_no_memory_ends_the_worker_and_the_next_one_handles_its_record(embedded_system):
    system = embedded_system
    system.apply()
    system.start("short", POISONED)
    system.receive("HUGE", 10)
    system.flush()
    assert system.workers["short"].wait(40) == AGENT_ERROR, system.log("short")
    assert "MemoryError" in system.said("short")
    system.start("next")
    system.place("order", {"HUGE": 1})
    system.flush()
    assert system.until_decided(1) == {"confirmed": 1}
    assert system.audit()["ok"]


def test_a_retry_resumes_a_partition_whose_cause_is_gone(system):
    system.apply()
    system.start("one")
    system.until_ready()
    system.send_raw("warehouse", None, b'{"type":"logic_version_set","id":"v9","version":9}', partition=2)
    system.flush()
    halted = system.wait(lambda: [p for p in system.status()["partitions"] if p["state"] == "halted"])
    assert "start a newer worker" in halted[0]["reason"]
    assert system.command("partition", "retry", "warehouse", "2").returncode == 0
    again = system.wait(lambda: [p for p in system.status()["partitions"] if p["state"] == "halted"])
    assert again[0]["offset"] == halted[0]["offset"], "it stands at the same record, nothing was skipped"
    assert system.command("partition", "retry", "orders", "1").returncode == 1, "that one does not stand still"


def _level_at(system, sku, *, allocated):
    levels = [x for x in system.read("stock-levels", r.StockLevels) if x.sku == sku]
    newest = max(levels, key=lambda x: x.version, default=None)
    if newest and newest.locations[0].allocated == allocated and newest.locations[0].reserved == 0:
        return newest.locations[0]
    return None
