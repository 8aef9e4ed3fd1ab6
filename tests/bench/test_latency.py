"""`python -m bench latency`: one small run. No figure is asserted: a busy machine is no fault."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.timeout(280)
def test_a_rate_and_a_burst_are_measured_and_every_order_is_decided_once(tmp_path: Path) -> None:
    """It checks by itself that no order is lost, decided twice or oversold."""
    found = tmp_path / "found.json"
    command = [sys.executable, "-m", "bench", "latency", "--quick", "--rates", "100", "--seconds", "2"]
    command += ["--burst", "300", "--json", str(found)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=270, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    rate, burst = json.loads(found.read_text())["rows"]
    assert (rate["broker"], rate["load"], rate["orders"], rate["check"]) == ("embedded", "100/s", 200, "ok")
    assert (burst["load"], burst["orders"], burst["check"]) == ("300 in 1 s", 300, "ok")
    for row in (rate, burst):
        assert 0 < row["p50_ms"] <= row["p99_ms"]
        assert row["cpu_s_per_1000"] > 0
        assert 0.9 * (row["orders"] - 1) / row["rate"] < row["placed_s"]  # not faster than it was told to
        assert row["drained_s"] > 0
