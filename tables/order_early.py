"""What was told of an order's goods before the order was decided: it waits in the order's row for its turn.

Pure functions on the order's row. Any order of arrival is accepted: a parcel, a pick, a carrier's word may overtake the
order, stock's answers or the payment. Told at once, stock would hear of units that are the order's and the order would
go on to owe them. So the fact waits as it was told, and is applied by the record that decides the order; of an order
that nobody has placed, when its deadline comes. Does not belong here: what a fact does (`orders` names who knows).
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import replace

from tables import records as r
from tables.codec import encode
from tables.order_states import add, deadline
from tables.outcome import At
from tables.rows import Entry, OrderRow, PartitionRow

EARLY = "early"  # the kind of the entry that keeps it: the record in `reason` until it is applied, its name in `status`
_decode = msgspec.json.Decoder(
    r.OrderPicked | r.OrderPacked | r.OrderShipped | r.TrackingUpdated | r.OrderDelivered | r.OrderReturned
    | r.ReturnAuthorized | r.ReturnReceived | r.ReturnInspected
).decode  # fmt: skip


def kept(row: OrderRow, record: Any, at: At, log: PartitionRow) -> OrderRow:
    """`row` with this fact waiting: for an order that nobody has placed as long as one waits for stock's answers."""
    named = len(getattr(record, "lines", ())) + len(getattr(record, "cartons", ()))
    told, name = encode(record).decode(), record.__struct_config__.tag
    entry = Entry(at.place, EARLY, at.ms, 0, status=name, reason=told, hops=max(named, 1))
    ends = row.deadline_ms or deadline(log, log.limits.undecided_seconds, at)
    return add(replace(row, deadline_ms=ends), entry)


def has_left(row: OrderRow) -> bool:
    """Whether a parcel waits: then somebody let the order go, and the word that does is under way."""
    return any([x.kind == EARLY and x.status == "order_shipped" and x.reason != "" for x in row.entries])


def lines_waiting(row: OrderRow) -> int:
    """Lines and numbers that facts which wait name."""
    return sum(x.hops for x in row.entries if x.kind == EARLY)


def taken(row: OrderRow) -> tuple[OrderRow, list[tuple[Any, int]]]:
    """`row` with nothing waiting, and (fact, when it was told) of each that did, in the order they came."""
    facts = [(_decode(x.reason), x.ms) for x in row.entries if x.kind == EARLY and x.reason]
    if not facts:
        return row, facts
    entries = tuple(replace(x, reason="", hops=0) if x.kind == EARLY else x for x in row.entries)
    return replace(row, entries=entries), facts
