"""What makes units unavailable where they lie: the status of their batch, a recall, the day they expire.

Each function changes a room. A step of the agents looks at `LOTS_MAX` lots and goes on with the rest by a note to
itself; so does this. Does not belong here: units that move (`stock_facts`).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from heapq import heappop
from typing import Any

from proof.audit.room import Room
from proof.audit.shelves import Batch, Lot, Recall, Shelf
from tables import records as r

LOTS_MAX = 40  # lot rows one record may change


def lot_defined(room: Room, fact: r.LotDefined, place: int) -> None:
    batch = room.skus[fact.sku].batches.setdefault(fact.lot, Batch("", "approved"))
    if fact.best_before is not None:
        batch.best_before = fact.best_before
    _bring_in_line(room, fact.lot, [fact.sku], place)


def lot_status_set(room: Room, fact: r.LotStatusSet, place: int) -> None:
    batches = room.skus[fact.sku].batches
    batches.setdefault(fact.lot, Batch("", fact.status)).status = fact.status
    _bring_in_line(room, fact.lot, [fact.sku], place)


def recall_opened(room: Room, fact: r.RecallOpened, place: int) -> None:
    known = room.recalls.get(fact.lot)
    skus = list(fact.skus)
    if known is not None and known.open and not known.mock:
        if fact.mock:
            return  # a drill changes nothing of the real one
        skus = [*known.skus, *skus] if known.skus and skus else []
    room.recalls[fact.lot] = Recall(skus, fact.mock)
    _bring_in_line(room, fact.lot, fact.skus, place, dates=False)


def recall_closed(room: Room, fact: r.RecallClosed, place: int) -> None:
    room.recalls.setdefault(fact.lot, Recall((), mock=False)).open = False
    _bring_in_line(room, fact.lot, [], place, dates=False)


def lots_continued(room: Room, fact: r.LotsContinued, place: int) -> None:
    _bring_in_line(room, fact.lot, fact.skus, place)


def _bring_in_line(room: Room, code: str, skus: list[str], place: int, *, dates: bool = True) -> None:
    """Lots of this code become what their recall and their batch say; without `dates` only what a recall changes."""
    changed = 0
    for _, lot in sorted(room.lots_of.get(code, {}).items()):
        if skus and lot.shelf.sku not in skus:
            continue
        batch = room.batch(lot.shelf.sku, code)
        status = room.status(lot.shelf.sku, code)
        new_date = batch.best_before if dates and batch and batch.best_before else lot.best_before
        if (lot.status, lot.best_before) == (status, new_date):
            continue
        if not dates and "recalled" not in (lot.status, status):
            continue
        changed += 1
        if changed > LOTS_MAX:
            return
        dated = room.dated(new_date) if new_date != lot.best_before else {}
        lot.shelf.alter(lot, place, status=status, **dated)


def expire(room: Room, place: int) -> None:
    """What the calendar does to lots on the day the room has now, those that wait longest first."""
    if not room.today:
        return
    today = date.fromisoformat(room.today).toordinal()
    due: list[Lot] = []
    while room.calendar and room.calendar[0][0] <= today and len(due) < LOTS_MAX:
        day, key = heappop(room.calendar)
        lot = room.lots_of[key.rpartition("|")[2]][key]
        if lot.due == day and lot not in due[-1:]:
            due.append(lot)
    for lot in due:
        what = next((what for day, what in lot.ahead() if day <= today), "")
        if what:
            lot.shelf.alter(lot, place, **{what: True})
        else:  # its policy is another by now, and only today is that noticed
            lot.shelf.note_day(lot)


def new_days(shelves: Iterable[Shelf]) -> None:
    """Another number of days to warn before expiry: the first lots are noted anew, the others go on by a note."""
    left = LOTS_MAX
    for shelf in sorted(shelves, key=lambda x: x.location):
        for _, lot in sorted(shelf.lots.items()):
            if not left and lot.next_day != lot.due:
                break
            left -= shelf.note_day(lot)


FREEZING: dict[type, Any] = {
    r.RecallOpened: recall_opened, r.RecallClosed: recall_closed, r.LotsContinued: lots_continued,
}  # fmt: skip
