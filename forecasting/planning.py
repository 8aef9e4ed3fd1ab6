"""The topic `planning`: bytes <-> what people planned and decided, and the key of each.

Guarantees: what cannot be read, or makes no sense (a day that is not in the calendar, a last day before the first),
raises `Unreadable` with a reason that names the field and quotes nothing. Does not belong here: what plans lead to.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from forecasting.promotions import PLAN_DAYS_MAX
from tables import records as r
from tables.codec import LogCodec, Unreadable


def key_of(record: r.PlanningRecord) -> str:
    """The key in the topic: the newest record of a key holds."""
    match record:
        case r.SupplierTerms():
            return f"supplier|{record.supplier}"
        case r.Supply():
            return f"supply|{record.sku}"
        case r.PromotionPlanned():
            return f"promotion|{record.promotion}"
        case r.ReorderDecision():
            return decision_key(record.sku, record.location, record.run)
        case r.ServiceSet():
            return "service|"


def decision_key(sku: str, location: str, run: str) -> str:
    return f"decision|{sku}|{location}|{run}"


class PlanningCodec(LogCodec):
    """As a log's codec: one value in, its record or `Unreadable` out."""

    def __init__(self) -> None:
        super().__init__(r.PlanningRecord)

    def items(self, value: bytes | None) -> list[r.PlanningRecord | Unreadable]:
        """A list of one: nothing in this topic is packed."""
        [found, *others] = super().items(value) or [Unreadable("an empty packed record")]
        if others:
            return [Unreadable("a packed record; this topic holds none")]
        if isinstance(found, Unreadable):
            return [found]
        wrong = "; ".join(_senseless(found))
        return [Unreadable(wrong)] if wrong else [found]

    def read(self, value: bytes | None) -> r.PlanningRecord:
        [found] = self.items(value)
        if isinstance(found, Unreadable):
            raise found
        return found


PLANNING = PlanningCodec()


def _senseless(record: r.PlanningRecord) -> Iterator[str]:
    """What the types allow and nobody can mean."""
    if isinstance(record, r.PromotionPlanned):
        if not (_is_day(record.first_day) and _is_day(record.last_day)):
            yield "first_day, last_day: not both days of the calendar"
        elif record.last_day < record.first_day:
            yield "last_day: before first_day"
        elif (date.fromisoformat(record.last_day) - date.fromisoformat(record.first_day)).days >= PLAN_DAYS_MAX:
            yield f"last_day: more than {PLAN_DAYS_MAX} days with first_day"
    elif isinstance(record, r.SupplierTerms) and not all(map(_is_day, record.closed)):
        yield "closed: not all of them are days of the calendar"
    elif isinstance(record, r.ReorderDecision):
        if not _is_day(record.run[:10]):
            yield "run: begins with no day of the calendar"
        if record.order_by is not None and not _is_day(record.order_by):
            yield "order_by: not a day of the calendar"
        if record.decision == "accepted" and not record.quantity:
            yield "quantity: nothing is accepted"
        if (record.kind == "transfer") != (record.from_location is not None):
            yield "from_location: of a transfer, and of nothing else"


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
