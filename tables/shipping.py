"""What leaves with an order or over a counter, and what comes back: picked, shipped, returned. Decides; of what it
counts, only the parts of a reservation.

Reads the lot rows of the SKU at the location, and the order's reservation. Guarantees: a shipment is never refused; it
takes along what its order was allocated, as far as it goes; each trace says how its lot is known. Does not belong here:
what an order may do (`orders`), promises (`reservations`).
"""

from __future__ import annotations

from msgspec.structs import replace

from tables import records as r
from tables.codec import utc_day
from tables.lots import UNKNOWN_LOT, shippable_on
from tables.movements import Decision, Movements
from tables.outcome import At, InvariantBroken, View
from tables.pruning import forget_at
from tables.rows import DemandEffect, Floor, PartitionRow, ReservationRow, ReservedLine, ShipEffect, reservation_key


def picked(view: View, fact: r.Picked, at: At, log: PartitionRow) -> Decision:
    """Which lot an order gets is bound here; its units stay on hand until they ship. Those that were not found leave
    the books."""
    row = _reservation(view, fact.order_id, fact.attempt)
    m = Movements(view, at, log, order_id=fact.order_id, channel=row.channel if row else "")
    floor = _floor(row, fact.sku)
    if fact.lot:
        if fact.quantity:
            m.trace(m.lot(fact.sku, fact.location, fact.lot), fact.quantity, "picked", known="reported")
    else:
        taken, m.missing = m.choose(fact.sku, fact.location, fact.quantity, None, floor)
        for lot, units in taken:
            m.trace(lot, units, "picked", known="presumed")
    if fact.short and fact.lot:
        lot = m.lot(fact.sku, fact.location, fact.lot)
        gone = min(fact.short, lot.on_hand)
        if gone:
            m.move(lot, -gone, "adjusted", reference="short pick")
        m.missing += fact.short - gone
    elif fact.short:
        m.leave(fact.sku, fact.location, fact.short, None, "adjusted", reference="short pick", floor=floor)
    return m.decision()


def shipped(view: View, fact: r.Shipped, at: At, log: PartitionRow) -> Decision:
    row = _reservation(view, fact.order_id or "", fact.attempt)
    m = Movements(
        view, at, log, occurred_at=fact.occurred_at, order_id=fact.order_id,
        channel=fact.channel or (row.channel if row else ""),
    )  # fmt: skip
    floor = _floor(row, fact.sku)
    m.leave(fact.sku, fact.location, fact.quantity, fact.lot, "shipped", known=fact.known, floor=floor)
    m.add(DemandEffect(fact.sku, fact.location, utc_day(fact.occurred_at, at.ms), shipped=fact.quantity))
    if row is None or row.state != "allocated":
        return m.decision()
    left = fact.quantity
    for part, line in _parts(row, fact.sku, fact.location):
        units = min(line.open, left)
        if not units:
            break
        left -= units
        m.add(ShipEffect(row.order_id, row.attempt, part, units))
        floors = (Floor(line.floor, -units),) if line.floor else ()
        m.stock(line.sku, line.location, allocated=-units, floors=floors)
    return m.decision()


def _reservation(view: View, order_id: str, attempt: int) -> ReservationRow | None:
    row: ReservationRow | None = view.get(reservation_key(order_id, attempt)) if order_id and attempt else None
    return row


def _parts(row: ReservationRow, sku: str, location: str) -> list[tuple[int, ReservedLine]]:
    """The reservation's parts of a SKU that have units, with their numbers: those at the location first."""
    parts = [(n, x) for n, x in enumerate(row.lines) if x.sku == sku and x.open and not x.back]
    return sorted(parts, key=lambda part: part[1].location != location)  # stable: in order among the others


def _floor(row: ReservationRow | None, sku: str) -> str:
    """The best-before that a confirmed order's lots must have, where nobody names them; "": any."""
    lines = row.lines if row and row.state == "allocated" else ()
    return max(("", *(x.floor for x in lines if x.sku == sku and x.open and not x.back)))


def counted(row: ReservationRow, effect: ShipEffect, at: At, log: PartitionRow) -> ReservationRow:
    """The reservation without the units that left. One that holds nothing any more is forgotten in time."""
    lines = list(row.lines)
    line = lines[effect.part]
    left = line.open - effect.quantity
    if left < 0:
        raise InvariantBroken(f"{effect.order_id}: more of {line.sku} shipped than was reserved")
    lines[effect.part] = replace(line, open=left)
    closed = not any(x.open for x in lines)
    forget_ms = forget_at(log, log.limits.reservation_keep_seconds, row.order_ms) if closed else 0
    return replace(row, at=at.place, lines=tuple(lines), forget_ms=forget_ms)


_TRACED = {"scrap": "scrapped", "to_supplier": "to_supplier"}  # dispositions that leave the stock as it is


def returned(view: View, fact: r.Returned, at: At, log: PartitionRow) -> Decision:
    """Only what may be sold today is sold again; the rest is set apart, or never becomes stock."""
    m = Movements(view, at, log, occurred_at=fact.occurred_at, order_id=fact.order_id)
    m.add(DemandEffect(fact.sku, fact.location, utc_day(fact.occurred_at, at.ms), returned=fact.quantity))
    lot = m.lot(fact.sku, fact.location, fact.lot or UNKNOWN_LOT)
    if fact.disposition in _TRACED:
        m.trace(lot, fact.quantity, _TRACED[fact.disposition])
        return m.decision()
    fit = fact.disposition == "restock" and shippable_on(lot, m.day)
    m.move(lot, fact.quantity, "returned", blocked=0 if fit else fact.quantity, reference=fact.disposition)
    return m.decision()
