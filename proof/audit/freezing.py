"""What makes units unavailable where they lie: the status of their batch, a recall, the day they expire.

Each function changes a room. A step of the agents looks at `LOTS_MAX` lots and goes on with the rest by a note to
itself; so does this. Does not belong here: units that move (`stock_facts`).
"""

from __future__ import annotations

from datetime import date
from typing import Any

from proof.audit.room import Room
from proof.audit.shelves import Batch, Lot, Recall
from tables import records as r

LOTS_MAX = 40  # lot rows one record may change


def lot_defined(room: Room, fact: r.LotDefined, place: int) -> None:
    batches = room.skus[fact.sku].batches
    batch = batches.setdefault(fact.lot, Batch("", "approved"))
    if fact.best_before is None:
        return
    batch.best_before = fact.best_before
    for lot in room.lots_everywhere(fact.sku, fact.lot):
        expired = bool(room.today and fact.best_before < room.today)
        lot.shelf.alter(lot, place, best_before=fact.best_before, expired=expired)


def lot_status_set(room: Room, fact: r.LotStatusSet, place: int) -> None:
    batches = room.skus[fact.sku].batches
    batches.setdefault(fact.lot, Batch("", fact.status)).status = fact.status
    for lot in room.lots_everywhere(fact.sku, fact.lot):
        if lot.status != "recalled":
            lot.shelf.alter(lot, place, status=fact.status)


def recall_opened(room: Room, fact: r.RecallOpened, place: int) -> None:
    room.recalls[fact.lot] = Recall(fact.skus, fact.mock)
    if not fact.mock:
        _freeze(room, fact.lot, fact.skus, place)


def recall_closed(room: Room, fact: r.RecallClosed, place: int) -> None:
    recall = room.recalls.get(fact.lot)
    if recall is not None:
        recall.open = False
        _free(room, fact.lot, recall.skus, place)


def lots_continued(room: Room, fact: r.LotsContinued, place: int) -> None:
    (_freeze if fact.opens else _free)(room, fact.lot, fact.skus, place)


def _freeze(room: Room, code: str, skus: list[str], place: int) -> None:
    for lot in _lots(room, code, skus, recalled=False):
        lot.shelf.alter(lot, place, status="recalled")


def _free(room: Room, code: str, skus: list[str], place: int) -> None:
    for lot in _lots(room, code, skus, recalled=True):
        batch = room.batch(lot.shelf.sku, code)
        lot.shelf.alter(lot, place, status=batch.status if batch else "approved")


def _lots(room: Room, code: str, skus: list[str], *, recalled: bool) -> list[Lot]:
    lots = [
        lot for key, lot in sorted(room.lots_of.get(code, {}).items())
        if (lot.status == "recalled") == recalled and (not skus or lot.shelf.sku in skus)
    ]  # fmt: skip
    return lots[:LOTS_MAX]


def expire(room: Room, place: int) -> None:
    """What the calendar does to lots on the day the room has now."""
    if not room.today:
        return
    today = date.fromisoformat(room.today)
    due = [(lot.key, lot, what) for lots in room.lots_of.values() for lot in lots.values()
           if (what := _what(lot, today))]  # fmt: skip
    for _, lot, what in sorted(due, key=lambda x: x[0])[:LOTS_MAX]:
        lot.shelf.alter(lot, place, **{what: True})


def _what(lot: Lot, today: date) -> str:
    if not lot.best_before:
        return ""
    left = (_day(lot.best_before) - today).days
    if left < 0 and not lot.expired:
        return "expired"
    days = lot.shelf.policy.expiring_days
    return "warned" if days > 0 and left <= days and not lot.warned and not lot.expired and lot.on_hand else ""


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return date.max  # no day of any calendar: it never comes


FREEZING: dict[type, Any] = {
    r.RecallOpened: recall_opened, r.RecallClosed: recall_closed, r.LotsContinued: lots_continued,
}  # fmt: skip
