"""The audit as a command, beside a real worker on a real broker: green on what happened, red on what did not."""

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
from confluent_kafka import Message, Producer

from bench.children import end
from streams import logs
from streams.reader import read_to_end
from streams.settings import Settings, producer_config
from tables import records as r
from tables.codec import encode

ROOT = Path(__file__).resolve().parents[2]
ORDERS = 60
DECIDED_SECONDS = 60.0


@pytest.fixture
def env(settings: Settings) -> dict[str, str]:
    return os.environ | {
        "SMOKEHOUSE_HOME": str(settings.home), "SMOKEHOUSE_BOOTSTRAP": settings.bootstrap, "PYTHONPATH": str(ROOT),
        "SMOKEHOUSE_PREFIX": settings.prefix, "SMOKEHOUSE_API": settings.api,
    }  # fmt: skip


@pytest.fixture
def worker(settings: Settings, env: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A worker on open logs."""
    logs.apply(settings, 4)
    with (settings.home / "worker.log").open("wb") as out:
        process = subprocess.Popen([sys.executable, "-m", "streams.cli", "worker"], env=env, stdout=out, stderr=out)
    yield process
    end(process)


def run_audit(env: dict[str, str], *more: str) -> tuple[int, dict[str, Any]]:
    command = [sys.executable, "-m", "streams.cli", "audit", "--json", *more]
    told = subprocess.run(command, env=env, cwd=ROOT, text=True, capture_output=True, timeout=90, check=False)
    assert told.stdout, told.stderr[-2000:]
    return told.returncode, json.loads(told.stdout)


def decisions(settings: Settings) -> list[Message]:
    return [m for batch in read_to_end(settings, "reservations", contiguous=False) for m in batch]


def test_the_command_is_green_then_names_a_second_decision(
    settings: Settings, env: dict[str, str], worker: subprocess.Popen[bytes]
) -> None:
    producer = Producer(producer_config(settings))
    for sku in ("A", "B"):
        fact = r.Received(id=f"in-{sku}", sku=sku, location="W1", lot="L1", quantity=40)
        producer.produce(settings.prefix + "warehouse", encode(fact), sku)
    assert producer.flush(20) == 0
    for n in range(ORDERS):
        order = r.OrderPlaced(id=f"o{n}", order_id=f"o{n}", channel="shop", lines=[r.Line("A", 1), r.Line("B", 1)],
                              locations=["W1"], payment="paid")  # fmt: skip
        producer.produce(settings.prefix + "orders", encode(order), order.order_id)
    producer.produce(settings.prefix + "orders", b"not json", "x")
    assert producer.flush(20) == 0
    run_audit(env)  # while it works; whatever is in flight then, it must not fail to end
    until = time.monotonic() + DECIDED_SECONDS
    while len(decisions(settings)) < ORDERS:
        assert time.monotonic() < until, (settings.home / "worker.log").read_text()[-3000:]
        time.sleep(0.2)

    code, report = run_audit(env, "--sequential", "--settle", "20")

    assert (code, report["findings"], report["ok"]) == (0, [], True)
    assert report["orders"]["placed"] == ORDERS
    assert report["orders"]["confirmed"] == 40
    assert report["checked"]["dead_letter"] == 1
    assert report["sequential"]["placed"] == 0  # nothing here came from a file

    first = decisions(settings)[0]
    said = json.loads(first.value()) | {"status": "expired", "reason": "no_answer"}
    producer.produce(first.topic(), json.dumps(said).encode(), first.key(), first.partition())
    assert producer.flush(20) == 0

    code, report = run_audit(env, "--settle", "20")

    assert code == 1
    assert [(x["rule"], x["subject"]) for x in report["findings"]] == [("one_decision", said["order_id"])]
