"""What became of an order really, as it would have been by a run's own decision.

Pure functions on a record and the rows of the run. Nothing follows a refusal; picks, parcels and returns take what the
run holds for the order, from where it holds it; without a difference a record stays as it is, word for word. A fact is
never refused by the rules, so one that belongs to another decision must not come to them. Does not belong here: which
records there are (`window`), deciding (`world`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from msgspec.structs import replace

from proof.history.tally import Decided
from tables import records as r
from tables.order_progress import held_at, owed_lines
from tables.rows import OrderRow, ReservationRow

IN_FULFILMENT = (
    r.OrderPicked, r.OrderPacked, r.OrderShipped, r.TrackingUpdated, r.OrderDelivered, r.OrderReturned,
    r.ReturnAuthorized, r.ReturnReceived, r.ReturnInspected, r.Picked, r.Shipped, r.Returned,
)  # fmt: skip
Held = dict[tuple[str, str], int]  # (SKU, location) -> units


def holding(row: OrderRow | None) -> Held:
    """Units that lie somewhere for the order, in the order of its lines."""
    held: Held = {}
    for _, line in owed_lines(row) if row is not None else ():
        if line.location and line.open > line.back:
            held[line.sku, line.location] = held.get((line.sku, line.location), 0) + line.open - line.back
    return held


def mark(row: OrderRow | None) -> int:
    """A number for where an order stands: its state, and its units by place. Equal in two runs: nothing differs."""
    if row is None:
        return 0
    lines = tuple((x.sku, x.quantity, x.location, x.shipped, x.cancelled, x.returned, x.back) for x in row.lines)
    return hash((row.state, lines))


def followed(record: Any, was: Decided, row: OrderRow | None) -> Iterator[Any]:
    """What there would have been of a record of an order that this run has otherwise. `was`: the real decision.
    `row`: the order in the run, None: it is not there."""
    if row is None or row.state not in ("confirmed", "picked", "packed", "shipped", "delivered", "returned"):
        return
    if isinstance(record, r.OrderPicked | r.OrderShipped):
        yield from _taken(record, was, row)
    elif isinstance(record, r.OrderPacked):
        yield record if record.location in held_at(row) else replace(record, location=None)
    elif isinstance(record, r.ReturnInspected):
        yield replace(record, lines=[replace(x, location=None, lot=None) for x in record.lines])
    else:
        yield record


def _taken(record: Any, was: Decided, row: OrderRow) -> Iterator[Any]:
    """A pick or a parcel, of units that are held, from where they are."""
    lines, place = record.lines, record.location
    if not lines and place is None:
        yield record  # everything, whatever that is
        return
    wanted = [(x.sku, x.quantity, getattr(x, "location", None) or place) for x in lines]
    wanted = wanted or [(sku, units, at) for sku, units, at, _ in was.places if at == place]
    held = holding(row)
    if isinstance(record, r.OrderShipped):
        found = [r.ShippedLine(sku, units, at) for sku, at, units in _from(held, wanted)]
        if found:  # without lines it would be everything
            there = place if place in held_at(row) else None
            yield replace(record, lines=found, location=there, final=record.final and (place is None or there == place))
        return
    by_place: dict[str, list[r.PickedLine]] = {}
    for sku, at, units in _from(held, wanted):
        by_place.setdefault(at, []).append(r.PickedLine(sku, units))
    for number, (at, picked) in enumerate(by_place.items()):
        name = record.id if not number else f"{record.id}:{number}"
        yield replace(record, id=name, location=at, lines=picked)


def _from(held: Held, wanted: Iterable[tuple[str, int, str | None]]) -> Iterator[tuple[str, str, int]]:
    """(SKU, location, units) that are there for what is wanted: where it was taken really first."""
    left = dict(held)
    for sku, units, place in wanted:
        for key in sorted((x for x in left if x[0] == sku), key=lambda x: x[1] != place):
            some = min(left[key], units)
            if some:
                left[key] -= some
                units -= some
                yield sku, key[1], some


def from_stock(record: Any, rows: Iterable[ReservationRow]) -> Iterator[Any]:
    """A pick, a parcel or a return that the warehouse told to stock itself. `rows`: what stock holds for the order."""
    if isinstance(record, r.Returned):
        yield replace(record, lot=None)
        return
    left = record.quantity
    number = 0
    for row in rows:
        parts = [x for x in row.lines if x.sku == record.sku and x.open and not x.back]
        for part in sorted(parts, key=lambda x: x.location != record.location):
            units = min(part.open, left)
            if units:
                left -= units
                same = part.location == record.location
                name = record.id if not number else f"{record.id}:{number}"
                told = replace(
                    record, id=name, location=part.location, quantity=units, attempt=row.attempt,
                    lot=record.lot if same else None,
                )  # fmt: skip
                yield replace(told, short=0) if isinstance(told, r.Picked) else told
                number += 1
