"""Everything at once, by seed, on real processes and brokers: afterwards the books are sound, and nobody repaired.

The two runs take some nine minutes of both cores; a night (SMOKEHOUSE_NIGHTLY=1) has 16 of them on Apache Kafka, some
2,000 faults in two hours, each judged by itself. What plans, counts and tells them is tested first. Figures of runs
stand in docs/reliability.md.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from proof.nemesis.figures import Outage, Silence, percentile, silences, summaries
from proof.nemesis.plan import BROKER, SIZES, plan
from proof.nemesis.report import page
from proof.nemesis.table import FAULTS
from streams.brokers.kafka import missing_for_kafka
from streams.faultpoints import parse

ROOT = Path(__file__).resolve().parents[2]
NIGHTLY = os.environ.get("SMOKEHOUSE_NIGHTLY") == "1"
SEEDS = range(1, 17) if NIGHTLY else range(1, 2)


# ---- the plan


@pytest.mark.parametrize("size", SIZES)
def test_a_seed_and_a_size_always_give_the_same_steps(size):
    assert plan(7, SIZES[size], 6.0) == plan(7, SIZES[size], 6.0)
    assert plan(7, SIZES[size], 6.0) != plan(8, SIZES[size], 6.0)


@pytest.mark.parametrize("size", SIZES)
def test_a_plan_holds_what_its_size_asks_for(size):
    asked = SIZES[size]
    steps = plan(1, asked, 6.0)
    kinds = [step.kind for lane in steps.workers for step in lane]
    assert (kinds.count("kill"), kinds.count("pause")) == (asked.kills // 2 + asked.alone, asked.pauses)
    assert (kinds.count("damage"), kinds.count("disk_full")) == (asked.damages, asked.disks)
    assert (len(steps.broker), len(steps.logs)) == (asked.broker, asked.noises)
    for lane in steps.workers:
        for step in lane:
            if step.kind == "kill":
                assert parse(step.detail) or asked.alone, "a point that exists"
            if step.kind == "pause":
                assert step.amount > 6.0, "longer than the session"
                assert not step.detail or parse(step.detail)


def test_the_embedded_broker_is_never_restarted_because_it_forgets():
    assert SIZES["embedded"].broker == SIZES["embedded"].network == 0


# ---- figures


def test_silence_lasts_from_a_kill_to_the_next_decision_and_to_the_last_partitions_first():
    assert silences([10.0], {0: [9.0, 10.5], 1: [10.0, 13.0]}) == [Silence(10.0, 0.5, 3.0)]


def test_a_kill_after_which_a_partition_had_nothing_to_decide_is_not_counted():
    assert silences([10.0], {0: [10.5], 1: [9.0]}) == []


def test_a_kill_is_felt_apart_when_no_outage_falls_into_its_silence():
    felt = [Silence(10.0, 0.5, 3.0), Silence(30.0, 2.0, 4.0)]
    told = summaries(felt, [Outage("broker_kill", 12.0, 14.0), Outage("stall_up", 40.0, 41.0)])
    assert told["anywhere"] == {"kills": 2, "p50_seconds": 0.5, "p99_seconds": 2.0}
    assert told["every_partition"] == {"kills": 1, "p50_seconds": 4.0, "p99_seconds": 4.0}
    assert summaries(felt)["every_partition"]["kills"] == 2


@pytest.mark.parametrize(("values", "share", "expected"), [
    ([], 0.5, None), ([3.0], 0.99, 3.0), ([4.0, 1.0, 3.0, 2.0], 0.5, 2.0), (list(range(1, 101)), 0.99, 99),
    (list(range(1, 61)), 0.99, 60),
])  # fmt: skip
def test_a_percentile_is_a_value_that_was_measured(values, share, expected):
    assert percentile(values, share) == expected


# ---- the page


def test_every_test_that_the_fault_table_names_exists():
    for fault in FAULTS:
        for test in fault.tests:
            assert (ROOT / "tests" / test).is_file(), f"{fault.name}: {test}"


def test_every_kind_of_fault_that_runs_count_has_its_row():
    shown = {kind for fault in FAULTS for kind in fault.kinds}
    steps = plan(1, SIZES["kafka"], 6.0)
    for step in (step for lane in (*steps.workers, steps.broker, steps.logs) for step in lane):
        if step.kind == "kill":
            assert "kill_at_point" in shown
        kind = {"damage": f"store_{step.detail}", "disk_full": "disk_full (tmpfs)"}.get(step.kind, step.kind)
        assert kind in shown


def _account(*, green: bool) -> dict:
    silence = {"kills": 3, "p50_seconds": 1.25, "p99_seconds": 7.5}
    return {
        "seed": 41, "date": "2026-02-03", "broker": "kafka", "faults_total": 5, "faults": {"kill": 3, "pause": 2},
        "exits": {"SIGKILL": 3, "71": 4},
        "orders": 1234, "decisions": 1234, "audit": {"checked": {"items": 99}, "findings": []}, "not_done": {},
        "converged_seconds": 4.5, "size": {"alone": 0}, "green": green,
        "after_a_kill": {"anywhere": silence, "every_partition": silence},
        "after_a_kill_apart": {"anywhere": silence | {"kills": 2}, "every_partition": silence | {"kills": 2}},
    }  # fmt: skip


def test_the_page_tells_what_the_files_tell():
    text = page([_account(green=True)])
    assert "| 2026-02-03 | 41 | kafka | 5 | 3 | 1,234 | 1,234 | 99 | 0 | 4.5 s | green |" in text
    row = next(line for line in text.splitlines() if line.startswith("| F2 |"))
    assert "| 2 |  | nothing lost;" in row
    row = next(line for line in text.splitlines() if line.startswith("| F7 |"))
    assert "| 4 |  | nothing lost;" in row, "counted by how workers ended"


def test_a_run_that_was_not_green_is_shown_as_such():
    text = page([_account(green=False) | {"undecided": 3, "decisions": 1231}])
    assert "**not green**: 3 decisions" in text
    assert "nothing lost" not in text


def test_a_run_without_a_judgement_is_shown_too():
    lost = {
        "seed": 5,
        "broker": "kafka",
        "date": "2026-02-03",
        "green": False,
        "did_not_end": "NotConverged: late\nlog",
    }
    text = page([_account(green=True), lost])
    assert "**Not green**: seed 5 on kafka, 2026-02-03, came to no judgement: NotConverged: late\n" in text


def test_a_file_of_another_kind_is_refused():
    with pytest.raises(ValueError, match="no account of a run"):
        page([{"hello": 1}])


# ---- the runs


def _run(size: str, seed: int, home: Path, seconds: float) -> dict:
    account = home / "account.json"
    command = [sys.executable, "-m", "proof.nemesis.run", "--size", size, "--seed", str(seed)]
    command += ["--home", str(home / "run"), "--json", str(account)]
    told = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, timeout=seconds, check=False)
    assert account.exists(), told.stderr[-4000:]
    found = json.loads(account.read_text())
    assert found["green"], json.dumps(found, indent=1)[:8000]
    assert found["audit"]["findings"] == []
    assert found["decisions"] == found["orders"] >= SIZES[size].orders
    assert _killed(found) >= SIZES[size].kills
    return found


def _killed(account: dict) -> int:
    return account["faults"].get("kill", 0) + account["faults"].get("kill_at_point", 0)


def _paused(account: dict) -> int:
    return account["faults"].get("pause", 0) + account["faults"].get("pause_at_point", 0)


def _say(capsys: pytest.CaptureFixture[str], told: dict) -> None:
    brokers = sum(told["faults"].get(kind, 0) for kind in BROKER)
    with capsys.disabled():
        print(
            f"\nunder fire on {told['broker']}, seed {told['seed']}: {told['faults_total']} faults, {_killed(told)} "
            f"kill -9, {_paused(told)} SIGSTOP, {brokers} of the broker; {told['orders']:,} orders, audit green over "
            f"{sum(told['audit']['checked'].values()):,} checks; {told['seconds']:.0f} s"
        )
        for name, words in (("after_a_kill", "all"), ("after_a_kill_apart", "with a broker to reach")):
            first, last = told[name]["anywhere"], told[name]["every_partition"]
            print(
                f"from a kill -9 ({words}: {first['kills']}) to the first new decision p50 {first['p50_seconds']} s, "
                f"p99 {first['p99_seconds']} s; until every partition decides p50 {last['p50_seconds']} s, "
                f"p99 {last['p99_seconds']} s ({last['kills']})"
            )


@pytest.mark.timeout(420)
def test_workers_under_fire_on_the_embedded_broker_lose_nothing(tmp_path, capsys):
    _say(capsys, _run("embedded" if NIGHTLY else "tiny", 1, tmp_path, 400))


@pytest.mark.kafka
@pytest.mark.timeout(1_200)
@pytest.mark.parametrize("seed", SEEDS)
def test_workers_and_broker_under_fire_lose_nothing(tmp_path, capsys, seed):
    if missing := missing_for_kafka():
        pytest.skip(f"no Apache Kafka: {missing}")
    found = _run("kafka", seed, tmp_path, 1_180)
    _say(capsys, found)
    assert _paused(found) >= SIZES["kafka"].pauses
    assert sum(found["faults"].get(kind, 0) for kind in BROKER) == SIZES["kafka"].broker
