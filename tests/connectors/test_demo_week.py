"""A week of the demo on a real broker and a real worker: everything that happens in a food brand is seen to happen, and
afterwards everything adds up."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.children import end
from connectors.demo.showing import SHOWN
from streams import logs, reader
from streams.settings import Settings
from tables import records as r
from tables.codec import ORDER_LOG

ROOT = Path(__file__).resolve().parents[2]
READY_SECONDS = 90.0
WEEK_SECONDS = 240.0


@pytest.fixture
def system(embedded_settings: Settings) -> Iterator[Settings]:
    """Open logs, and a worker that is ready."""
    settings = embedded_settings
    logs.apply(settings, 4)
    with (settings.home / "worker.log").open("ab") as out:
        worker = subprocess.Popen(
            [sys.executable, "-m", "streams.cli", "worker", "--name", "w1"], stdout=out, stderr=out, cwd=ROOT,
            env=environment(settings),
        )  # fmt: skip
    try:
        until = time.monotonic() + READY_SECONDS
        while command(settings, "status", "--no-api").returncode:
            assert time.monotonic() < until, (settings.home / "worker.log").read_text()[-3000:]
        yield settings
    finally:
        end(worker)


def environment(settings: Settings) -> dict[str, str]:
    return os.environ | {
        "SMOKEHOUSE_HOME": str(settings.home), "SMOKEHOUSE_BOOTSTRAP": settings.bootstrap,
        "SMOKEHOUSE_PREFIX": settings.prefix, "SMOKEHOUSE_API": settings.api, "SMOKEHOUSE_SESSION_SECONDS": "6",
        "PYTHONPATH": str(ROOT),
    }  # fmt: skip


def command(settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "streams.cli", *arguments], env=environment(settings), cwd=ROOT, text=True,
        capture_output=True, timeout=WEEK_SECONDS, check=False,
    )  # fmt: skip


def records_of(settings: Settings, topic: str) -> list[Any]:
    batches = reader.read_to_end(settings, topic, contiguous=True)
    return [x for batch in batches for m in batch for x in ORDER_LOG.items(m.value())]


@pytest.mark.timeout(420)
def test_in_a_week_everything_happens_that_happens_in_a_food_brand_and_it_adds_up(system: Settings) -> None:
    week = command(system, "demo", "--week", "--run", "week", "--json")
    account = json.loads(week.stdout)
    missing = {what for about, names in SHOWN.items() for what in names if not account["shown"][about][what]}
    assert (missing, week.returncode) == (set(), 0), week.stderr
    assert account["undecided"] == 0
    assert account["decided"]["confirmed"] > account["decided"]["rejected"]
    moves = [x for x in records_of(system, "orders") if isinstance(x, r.MoveAnswered)]
    assert any(x.moved for x in moves)
    assert sum(reader.last_offsets(system, "dead-letters").values()) == 0
    audit = command(system, "audit", "--json", "--settle", "30")
    report = json.loads(audit.stdout)
    assert (report["findings"], audit.returncode) == ([], 0), audit.stderr
