"""A forecaster's agent with a thread that writes down what it is handed, and forecasts nothing.

Run as a program with one argument, a JSON object (`Plan`). Reads `demand` as a member of the group; writes one JSON
line per event to `Plan.journal`, which several workers share (one write each, so its order is that of the events).
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from threading import Event
from typing import Any

import msgspec
from confluent_kafka import Message

from forecasting import agent
from forecasting.pulse import Pulse
from streams.settings import Settings


class Plan(msgspec.Struct):
    """What the worker shall do."""

    name: str
    journal: str
    bootstrap: str
    embedded: bool
    prefix: str
    busy_seconds: float = 0.0  # how long the thread looks away after each time it was handed something
    fail_after: int = -1  # the thread fails when it was handed so many records


class Thread:
    """What the working thread does."""

    def __init__(self, plan: Plan, stop: Event) -> None:
        self._plan, self._stop = plan, stop
        self._file = os.open(plan.journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self._handed = 0

    def write(self, event: str, **more: Any) -> None:
        os.write(self._file, json.dumps({"event": event, "worker": self._plan.name, **more}).encode() + b"\n")

    def work(self, turn: agent.Turn) -> None:
        while not self._stop.is_set():
            intake = turn()
            if intake is None or not intake.begin():
                time.sleep(0.02)
                continue
            owned = sorted(intake.owned)
            self.write("begin", owned=owned)
            try:
                while not self._stop.is_set() and not intake.is_over:
                    for partition, first, last, records in runs(intake.poll(0.1)):
                        self.write("handed", partition=partition, first=first, last=last, records=records)
                        self._handed += records
                    if 0 <= self._plan.fail_after <= self._handed:
                        raise RuntimeError("the test says so")
                    time.sleep(self._plan.busy_seconds)
            finally:
                self.write("leave", owned=owned)
                intake.leave()


def runs(messages: list[Message]) -> Iterator[tuple[int, int, int, int]]:
    """(partition, first offset, last offset, records) of neighbours."""
    for partition, of_partition in groupby(messages, key=lambda message: message.partition()):
        offsets = [message.offset() for message in of_partition]
        yield partition, offsets[0], offsets[-1], len(offsets)


def main(plan: Plan) -> None:
    settings = Settings(
        home=Path(plan.journal).parent, bootstrap=plan.bootstrap, api="127.0.0.1:1", demo=False,
        embedded=plan.embedded, prefix=plan.prefix, session_seconds=6.0,
    )  # fmt: skip
    stop = Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    agent.run(stop, settings, Thread(plan, stop).work, Pulse())


if __name__ == "__main__":
    main(msgspec.json.decode(sys.argv[1], type=Plan))
