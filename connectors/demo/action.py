"""Something the demo does: a record for a log, and when. Pure."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from streams.topics import ORDERS, WAREHOUSE, Topic


@dataclass(frozen=True, slots=True)
class Action:
    """`due_seconds`: since the demo started. `key` None: the record goes to every partition of its log."""

    due_seconds: float
    topic: Topic
    key: str | None
    record: Any

    @property
    def name(self) -> str:
        return f"{self.topic.name}:{self.record.id}"


def for_order(due_seconds: float, record: Any) -> Action:
    return Action(due_seconds, ORDERS, record.order_id, record)


def for_stock(due_seconds: float, record: Any) -> Action:
    return Action(due_seconds, WAREHOUSE, record.sku, record)


def everywhere(due_seconds: float, topic: Topic, record: Any) -> Action:
    """A rule that every partition of the log has to know."""
    return Action(due_seconds, topic, None, record)


def chance(seed: int, *name: object) -> random.Random:
    """The dice of one thing: the same for the same seed and name, whatever else was thrown before."""
    return random.Random(":".join(map(str, (seed, *name))))
