"""Forgetting: what is closed and old counts as never there, is marked deleted by a record, and leaves the disk later.

Whether a row is forgotten follows from the row and from state time alone, so a row that is past its time, one that is
marked deleted and one that is gone are the same to every rule; when it is really removed changes nothing. The mark is
a row with a version: a zombie's older copy loses against it for the day it stays (`DELETED_KEEP_MS`).
Guarantees: pure; nothing is forgotten while anything is owed. Does not belong here: who looks for old rows (`owner`).
"""

from __future__ import annotations

from msgspec.structs import replace

from tables import records as r
from tables.outcome import At, Outcome, View
from tables.rows import OrderRow, PartitionRow, ReservationRow, order_key, reservation_key

DELETED = "deleted"
DELETED_KEEP_MS = 86_400_000


def forget_at(log: PartitionRow, keep_seconds: int, order_ms: int = 0) -> int:
    """The state time from which a row closed now is forgotten. `order_ms`: the other clock that its promises name."""
    now = max(log.state_ms, order_ms)
    return now + keep_seconds * 1000 if now else -keep_seconds * 1000


def is_past(forget_ms: int, log: PartitionRow) -> bool:
    """Whether state time has reached it."""
    if forget_ms == 0 or log.state_ms == 0:
        return False
    return log.state_ms >= (forget_ms if forget_ms > 0 else log.first_ms - forget_ms)


def is_forgotten(row: ReservationRow | OrderRow, at: At, log: PartitionRow) -> bool:
    """Whether the record at `at` finds nothing here. One that the row has seen already finds it as it is."""
    return row.at < at.place and (row.state == DELETED or is_past(row.forget_ms, log))


def prune(view: View, record: r.Prune, at: At, log: PartitionRow) -> Outcome:
    """Mark as deleted what is past its time; whatever else is named stays."""
    rows: dict[str, ReservationRow | OrderRow] = {}
    for item in record.items:
        key = reservation_key(item.order_id, item.attempt) if item.attempt else order_key(item.order_id)
        row: ReservationRow | OrderRow | None = view.get(key)
        if row is None or (row.state == DELETED and row.at < at.place):
            continue
        if row.at >= at.place:
            rows[key] = row
        elif is_past(row.forget_ms, log):
            rows[key] = _deleted(row, at, log.state_ms + DELETED_KEEP_MS)
    return Outcome(rows=rows)


def _deleted(row: ReservationRow | OrderRow, at: At, forget_ms: int) -> ReservationRow | OrderRow:
    """A row that wins against every older copy. A reservation keeps its changes: should a stock row be older than one
    of them after a crash, the record that made it is delivered again and still finds what to count."""
    if isinstance(row, ReservationRow):
        return replace(row, at=at.place, state=DELETED, forget_ms=forget_ms)
    return replace(
        row, at=at.place, state=DELETED, checks=(), digest=b"", locations=(), kits=(), lines=(), awaited=(),
        moving=(), granted=(), refused=(), could=(), sourcing="", entries=(), seen=(), waiting=(), edits=(), edit=None,
        fulfilments=(), returns=(), late=(), alerts=(), forget_ms=forget_ms,
    )  # fmt: skip
