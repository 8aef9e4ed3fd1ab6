"""What a run did, counted while several threads do it, and when nobody could reach the broker.

Guarantees: what was planned and could not be done is told as such. Does not belong here: what to do (`plan`), what
came of it (`run`).
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

from proof.nemesis.figures import Outage


class Tally:
    """Used by every thread of a run."""

    def __init__(self) -> None:
        self.faults: Counter[str] = Counter()
        self.not_done: Counter[str] = Counter()
        self.points: Counter[str] = Counter()
        self.noise_records = 0
        self.errors: list[str] = []
        self.outages: list[Outage] = []
        self._lock = threading.Lock()

    def count(self, kind: str, *, done: bool = True) -> None:
        with self._lock:
            (self.faults if done else self.not_done)[kind] += 1

    @contextlib.contextmanager
    def outage(self, kind: str) -> Iterator[None]:
        """While this lasts, somebody has no broker, or a bad way to it."""
        began = time.time()
        try:
            yield
        finally:
            self.outages.append(Outage(kind, began, time.time()))

    def told(self) -> dict[str, Any]:
        return {
            "faults": dict(sorted(self.faults.items())), "faults_total": sum(self.faults.values()),
            "not_done": dict(self.not_done), "points": dict(sorted(self.points.items())),
            "noise_records": self.noise_records, "errors": self.errors,
            "outages": [[x.kind, round(x.began, 1), round(x.ended, 1)] for x in self.outages],
        }  # fmt: skip
