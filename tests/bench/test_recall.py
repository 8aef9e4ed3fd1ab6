"""The bench of a recall: one small run. No figure is asserted: a busy machine is no fault."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.timeout(280)
def test_a_small_history_is_recalled_and_reported_in_every_format() -> None:
    """It checks by itself that exactly the orders of the lot are listed and that everything left is frozen."""
    command = [sys.executable, "-m", "bench.recall", "--orders", "400", "--lot-orders", "40", "--rounds", "1"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=270, check=False)
    assert "400 orders, 40 of the lot" in run.stdout, run.stderr
    told = [line.partition("  ")[0] for line in run.stdout.splitlines()]
    assert {"report as JSON, whole command", "report as PDF, whole command"} <= set(told)
    assert run.returncode == (1 if "TOO SLOW" in run.stdout else 0)
