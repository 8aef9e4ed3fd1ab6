"""Hears every record of an agent that reaches the broker, by whichever owner, and holds them against each other.

Guarantees (I3, I7): whatever is said twice under one name is the same, `time` (when it was written) apart. Notes and
ticks that an owner writes to itself are no promises and are not compared. Does not belong here: what ought to be said.
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from proof.simulator.sending import Gone
from proof.simulator.worker import Violation
from tables import records as r

NOT_COMPARED = (
    r.Tick, r.TickContinued, r.DeadlineReached, r.Prune, r.ReservationOverdue, r.FillBackorders,
)  # fmt: skip
VIEWS = (r.StockLevels, r.OrderStatus, r.Demand)
Name = tuple[str, type, str]


class Ear:
    """`forgets`: whether attempts are forgotten in this run.

    `said`: topic, type and id -> record. `views`: topic and key -> what was published, in order (None: taken back).
    `confirmed`: orders, as it was said of them.
    """

    def __init__(self, forgets: bool) -> None:
        self.forgets = forgets
        self.said: dict[Name, Any] = {}
        self.views: dict[tuple[str, str], list[Any]] = {}
        self.confirmed: list[str] = []

    def hear(self, topic: str, record: Any) -> None:
        kind = type(record)
        if kind in NOT_COMPARED:
            return
        if kind is Gone:
            self.views.setdefault((topic, record.key), []).append(None)
            return
        if kind in VIEWS:
            self.views.setdefault((topic, view_key(record)), []).append(record)
            return
        name = (topic, kind, record.id)
        known = self.said.setdefault(name, record)
        if known is record:
            if kind is r.OrderDecided and record.status == "confirmed":
                _is_explained(record)
                self.confirmed.append(record.order_id)
        elif self.differ(known, record):
            rule = "I3" if kind is r.OrderDecided else "I7"
            raise Violation(rule, f"said twice, and not the same:\n{known}\n{record}")

    def differ(self, first: Any, again: Any) -> bool:
        """Whether two records of one name say different things. An attempt that was forgotten is refused anew."""
        if first == again or replace(first, time="") == replace(again, time=""):
            return False
        if self.forgets and type(again) is r.MoveAnswered:
            return again.moved or bool(again.parts)
        return not (self.forgets and type(again) is r.ReserveAnswered and again.refused)


def view_key(record: Any) -> str:
    """What a published document is about."""
    if type(record) is r.StockLevels:
        return record.sku
    if type(record) is r.OrderStatus:
        return record.order_id
    return f"{record.sku}|{record.location}|{record.day}"


def _is_explained(decision: r.OrderDecided) -> None:
    """A confirmed line has a location, or says why it has none."""
    if not all(line.reason or (line.location and line.quantity > 0) for line in decision.lines):
        raise Violation("I4", f"confirmed in part, and nobody says why: {decision}")
