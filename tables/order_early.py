"""What was told of an order's goods before its turn: it waits in the order's row, and is applied when that comes.

Pure functions on the order's row. Any order of arrival is accepted: a parcel, a pick, a carrier's word may overtake the
order, stock's answers or the payment. Told at once, stock would hear of units that are the order's and the order would
go on to owe them. So the fact waits as it was told, and is applied by the record that decides the order; of an order
that nobody has placed, when its deadline comes; a carrier's word of a parcel that nobody told of, with that parcel.
Does not belong here: what a fact does (`orders` names who knows).
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import replace

from tables import records as r
from tables.codec import encode
from tables.order_progress import has_parcel
from tables.order_states import OWED, UNDECIDED, add, deadline
from tables.outcome import At
from tables.rows import Entry, OrderRow, PartitionRow

EARLY = "early"  # the kind of the entry that keeps it: the record in `reason` until it is applied, its name in `status`
_decode = msgspec.json.Decoder(r.OrderRecord).decode


def comes_early(row: OrderRow, record: Any) -> bool:
    """Whether this fact has to wait: for the decision, or for the parcel that it is about."""
    if row.state in UNDECIDED:
        return row.state != "unplaced" or row.deadline_ms != 0
    return row.state in OWED and isinstance(record, r.TrackingUpdated) and not has_parcel(row, record.tracking)


def kept(row: OrderRow, record: Any, at: At, log: PartitionRow) -> OrderRow:
    """`row` with this fact waiting: for an order that nobody has placed as long as one waits for stock's answers."""
    named = len(getattr(record, "lines", ())) + len(getattr(record, "cartons", ()))
    told, name = encode(record).decode(), record.__struct_config__.tag
    entry = Entry(at.place, EARLY, at.ms, 0, status=name, reason=told, hops=max(named, 1))
    if row.state == "unplaced" and not row.deadline_ms:
        row = replace(row, deadline_ms=deadline(log, log.limits.undecided_seconds, at))
    return add(row, entry)


def has_left(row: OrderRow) -> bool:
    """Whether a parcel waits: then somebody let the order go, and the word that does is under way."""
    return any([x.kind == EARLY and x.status == "order_shipped" and x.reason != "" for x in row.entries])


def lines_waiting(row: OrderRow) -> int:
    """Lines and numbers that facts which wait name."""
    return sum(x.hops for x in row.entries if x.kind == EARLY)


def next_in_turn(row: OrderRow) -> tuple[OrderRow, Any, int] | None:
    """The first fact whose turn has come and when it was told, with `row` without it; None: no turn has come."""
    for n, entry in enumerate(row.entries):
        if entry.kind == EARLY and entry.reason:
            record = _decode(entry.reason)
            if not comes_early(row, record):
                empty = replace(entry, reason="", hops=0)  # its number among the entries is its own for good
                return replace(row, entries=(*row.entries[:n], empty, *row.entries[n + 1 :])), record, entry.ms
    return None
