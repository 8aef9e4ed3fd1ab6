"""`python -m bench import`: one small file. No figure is asserted: a busy machine is no fault."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.importing import _check

ROOT = Path(__file__).resolve().parents[2]
ORDERS = {"placed": 3, "confirmed": 2, "rejected": 1, "expired": 0}


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bench", "import", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=270, check=False)


@pytest.mark.timeout(280)
def test_every_order_of_a_file_is_decided_and_the_audit_finds_nothing(tmp_path: Path) -> None:
    file, found = tmp_path / "orders.csv", tmp_path / "found.json"
    lines = [f"B{n // 3},P{n % 7},{1 + n % 2},2017-01-01 10:{n:02d}:00,C{n // 3}" for n in range(60)]
    file.write_text("basket_id,product_id,quantity,transaction_timestamp,household_id\n" + "\n".join(lines) + "\n")
    run = bench(str(file), "--quick", "--json", str(found))
    assert run.returncode == 0, run.stdout + run.stderr
    [row] = json.loads(found.read_text())["rows"]
    assert (row["broker"], row["lines"], row["orders"], row["check"]) == ("embedded", 60, 20, "ok")
    assert row["file"] == "orders.csv, first 20,000 lines"
    assert 0 < row["confirmed"] <= 20
    assert row["seconds"] > 0
    assert row["audit_s"] > 0
    assert row["cpu_s_per_1000"] > 0


def test_a_file_of_no_known_kind_is_refused_with_what_helps(tmp_path: Path) -> None:
    file = tmp_path / "other.csv"
    file.write_text("a,b\n1,2\n")
    run = bench(str(file))
    assert run.returncode == 2
    assert "--preset online-retail or complete-journey" in run.stderr


def test_an_order_without_a_decision_and_a_finding_are_told() -> None:
    assert _check(ORDERS, 0, b'{"ok": true}', "") == "ok"
    assert _check(ORDERS | {"rejected": 0}, 0, b'{"ok": true}', "") == "2 of 3 orders are decided"
    assert _check(ORDERS, 1, b'{"ok": false}', "") == "the audit found something"
    assert _check(ORDERS, 3, b"", "no broker") == "the audit ended with 3: no broker"
