"""The bench: its workloads, its judge, and one small run of it. No figure is asserted: a busy machine is no fault."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.decided import Answers, judge
from bench.machine import busy_between, cpu_seconds, look, seconds_to_end
from bench.peers.called import agreed
from bench.peers.peer import Decision
from bench.workload import SKUS, Order, Workload, make, one_at_a_time, summed

ROOT = Path(__file__).resolve().parents[2]
FIELDS = {"peer", "workload", "broker", "cpu_s_per_1000", "orders_s", "p50_ms", "p99_ms", "check"}


@pytest.mark.timeout(280)
def test_a_small_run_decides_every_order_and_writes_its_rows(tmp_path: Path) -> None:
    """One peer on the embedded broker: both workloads pass their checks, and the rows have what readers rely on."""
    rows_file = tmp_path / "rows.json"
    command = [sys.executable, "-m", "bench", "--quick", "--only", "smokehouse", "--broker", "embedded"]
    command += ["--orders", "500", "--rate", "200", "--json", str(rows_file)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=270, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    rows = json.loads(rows_file.read_text())
    assert [(x["peer"], x["workload"], x["broker"], x["check"]) for x in rows] == [
        ("smokehouse", "spread", "embedded", "ok"),
        ("smokehouse", "drop", "embedded", "ok"),
    ]
    for row in rows:
        assert row.keys() >= FIELDS
        assert all(row[name] > 0 for name in FIELDS - {"peer", "workload", "broker", "check"})
        assert len(row["rounds"]) == 1


def test_an_unknown_peer_is_refused() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "bench", "--only", "nobody"], cwd=ROOT, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert run.returncode == 2
    assert "nobody" in run.stderr


def test_the_same_seed_makes_the_same_orders_however_many() -> None:
    assert make("spread", 50, 7).orders == make("spread", 200, 7).orders[:50]
    assert make("spread", 50, 7).orders != make("spread", 50, 8).orders


def test_spread_has_two_and_a_half_lines_over_many_skus() -> None:
    lines = [sku for order in make("spread", 4_000, 1).orders for sku, _ in order.lines]
    assert 2.4 < len(lines) / 4_000 < 2.6
    assert len(set(lines)) > SKUS // 2


def test_nine_of_ten_lines_of_drop_ask_for_one_sku() -> None:
    lines = [sku for order in make("drop", 4_000, 1).orders for sku, _ in order.lines]
    assert 0.88 < lines.count("SKU-0000") / len(lines) < 0.92


def test_stock_is_there_for_most_orders() -> None:
    workload = make("spread", 2_000, 1)
    assert 0.6 < len(one_at_a_time(workload)) / 2_000 < 1


def test_cpu_of_a_process_grows_with_its_work_and_the_machine_is_watched() -> None:
    before = look()
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as busy:
        while (used := cpu_seconds(busy.pid)) < 0.1:
            assert busy.poll() is None
        busy.kill()
    seen = busy_between(before, look(), used)
    assert 0 <= seen.others_cores < seen.busy_cores
    assert cpu_seconds(busy.pid) == 0.0


def test_an_end_that_was_slept_through_counts_and_one_that_waited_for_a_turn_does_not() -> None:
    asleep = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(0.7)"])
    assert seconds_to_end(asleep, 60) > 0.5
    one_core = "import os, time; os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])"
    work = one_core + "\nwhile time.process_time() < {}: pass"
    others = [subprocess.Popen([sys.executable, "-c", work.format(60)]) for _ in range(3)]
    try:
        began = time.monotonic()
        told = seconds_to_end(subprocess.Popen([sys.executable, "-c", work.format(1)]), 60)
        took = time.monotonic() - began
    finally:
        for other in others:
            other.kill()
            other.wait()
    assert 0.8 < told < took - 1, f"{told:.2f} of {took:.2f} s"


def test_an_end_that_does_not_come_is_said() -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as still:
        with pytest.raises(subprocess.TimeoutExpired):
            seconds_to_end(still, 0.1)
        still.kill()


# -- the judge ---------------------------------------------------------------------------------------------------------

WORKLOAD = Workload([Order("a", (("S", 2), ("S", 1))), Order("b", (("S", 2),))], {"S": 4})


def decided(*said: Decision, sequence: str | None = None) -> Answers:
    return Answers({x.order_id: x for x in said}, [], None if sequence is None else list(sequence))


GOOD = (Decision("a", True, {"S": 3}), Decision("b", False, {}))


def test_a_right_result_is_ok() -> None:
    assert judge(WORKLOAD, decided(*GOOD), {"S": 1}) == "ok"
    assert judge(WORKLOAD, decided(*GOOD, sequence="ab"), {"S": 1}) == "ok"
    assert summed(WORKLOAD.orders[0]) == {"S": 3}


def test_an_order_without_a_decision_is_named() -> None:
    assert judge(WORKLOAD, decided(GOOD[0]), {"S": 1}) == "order b is not decided"


def test_more_units_than_there_were_are_named() -> None:
    both = decided(GOOD[0], Decision("b", True, {"S": 2}))
    assert judge(WORKLOAD, both, {"S": -1}) == "S: 5 units confirmed, 4 received"


def test_a_part_of_an_order_is_named() -> None:
    part = decided(Decision("a", True, {"S": 2}), GOOD[1])
    assert judge(WORKLOAD, part, {"S": 2}).startswith("order a was confirmed")


def test_units_that_are_neither_sold_nor_there_are_named() -> None:
    assert judge(WORKLOAD, decided(*GOOD), {"S": 0}) == "S: 0 units left, 4 received and 3 confirmed"


def test_two_decisions_on_one_order_are_named() -> None:
    answers = decided(*GOOD)
    answers.twice = ["b"]
    assert judge(WORKLOAD, answers, {"S": 1}).startswith("1 orders with two decisions")


def test_an_order_refused_although_its_units_were_there_is_named() -> None:
    """Only a peer that shows its sequence can be held to it: b came first, and 2 of 4 units were there."""
    assert judge(WORKLOAD, decided(*GOOD, sequence="ba"), {"S": 1}).startswith("order b was rejected, one at a time")


def test_a_sequence_that_leaves_out_an_order_is_named() -> None:
    assert judge(WORKLOAD, decided(*GOOD, sequence="a"), {"S": 1}) == "a sequence of 1 decisions for 2 orders"


def test_a_caller_told_otherwise_than_the_ledger_says_is_named() -> None:
    answers = agreed(["a", "b"], [True, True], list(GOOD))
    assert judge(WORKLOAD, answers, {"S": 1}).startswith("1 orders with two decisions, the first is b")
