"""The brokers of the bench: by name, on a free loopback port, with a folder of their own.

Guarantees: gone at the end of the `with`, folder included. Does not belong here: which of them a bench takes.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from streams.brokers.embedded import start_embedded
from streams.brokers.kafka import missing_for_kafka, start_kafka
from streams.brokers.process import RunningBroker, free_port

BrokerName = Literal["embedded", "kafka"]
BROKERS: tuple[BrokerName, ...] = ("kafka", "embedded")


@contextlib.contextmanager
def started(kind: BrokerName) -> Iterator[RunningBroker]:
    """A fresh one. `BrokerError` if it cannot be started."""
    start = start_kafka if kind == "kafka" else start_embedded
    with (
        tempfile.TemporaryDirectory(prefix="smokehouse-bench-broker-") as home,
        start(f"127.0.0.1:{free_port()}", Path(home)) as running,
    ):
        yield running


def choose(told: Literal["kafka", "embedded", "both"]) -> tuple[list[BrokerName], list[str]]:
    """The brokers asked for that can be started here; and a line for one that cannot."""
    wanted = [kind for kind in BROKERS if told in (kind, "both")]
    if "kafka" in wanted and (missing := missing_for_kafka()):
        wanted.remove("kafka")
        return wanted, [f"Apache Kafka: {missing}"]
    return wanted, []
