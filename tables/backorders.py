"""Backorders: who waits for stock is served before anybody new, the oldest first.

Reads the queue of a SKU at a location, the reservations in it and the stock; the recorded decision stands first.
Guarantees: nothing that was promised with stock loses it; a part whose lots must live long takes only from such lots,
and does not keep others waiting. Does not belong here: who may be promised units without stock (`deciding`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec.structs import replace

from tables import ledger
from tables import records as r
from tables.availability import floor_of, for_backorders
from tables.lots import room
from tables.movements import Decision
from tables.outcome import ORDERS, WAREHOUSE, At, InvariantBroken, Send, View
from tables.rows import (
    Change,
    ChannelRow,
    FactRow,
    FillEffect,
    FreshFillEffect,
    LotRow,
    PartitionRow,
    QueueRow,
    RaisedAlert,
    ReservationRow,
    ReservedLine,
    StockRow,
    channel_key,
    reservation_key,
    stock_key,
)

FILLS_MAX = 40  # queue rows one record may change: each has a reservation row too
_OPEN = ("claimed", "held", "allocated")


def fill_notes(rows: dict[str, Any], at: At, log: PartitionRow) -> list[Send]:
    """The stock agent's notes to itself, one per stock row where units are free and somebody waits for them. Said from
    the rows as they stand: one too many changes nothing."""
    return [
        _note(row.sku, row.location, at, log)
        for key, row in rows.items()
        if key[0] == "s" and key[1] == "t" and row.backordered and for_backorders(row)
    ]


def _note(sku: str, location: str, at: At, log: PartitionRow) -> Send:
    note = r.FillBackorders(id=f"fill:{sku}:{location}:{at.place}", sku=sku, location=location)
    return Send(WAREHOUSE, log.partition, None, note)


# -- deciding ----------------------------------------------------------------------------------------------------------


def fill_backorders(view: View, fact: r.FillBackorders, at: At, log: PartitionRow) -> Decision:
    """Who gets the free units: the oldest first, each as far as they go."""
    stock: StockRow | None = view.get(stock_key(fact.sku, fact.location))
    free = for_backorders(stock) if stock else 0
    effects: list[FillEffect] = []
    filled: dict[str, int] = {}  # units per reservation
    if stock is None or not free:
        return Decision(())
    lots: list[LotRow] = [view.get(key) for key in view.below(f"lot|{fact.sku}|{fact.location}|")]
    floors = stock.floors
    for key in view.below(f"queue|{fact.sku}|{fact.location}|"):
        if not free:
            break
        queued: QueueRow = view.get(key)
        row: ReservationRow | None = view.get(reservation_key(queued.order_id, queued.attempt))
        number, part = _part(row, queued, key)
        units = min(part.open, queued.units, free) if part else 0
        floor = _floor(view, row, part, log) if row and part else ""
        if floor:
            units = max(min(units, room(lots, floors, floor)), 0)
        if part and not units:
            continue  # no lot lives long enough for it: the next may have the units
        if len(effects) == FILLS_MAX:
            return Decision(tuple(effects), more=True)
        name = f"{queued.order_id}|{queued.attempt}"
        filled[name] = filled.get(name, 0) + units
        waiting = _waiting(row, fact) - filled[name] if row and units else 0
        heard = len(row.seen) if row else 0
        told = queued.order_id, queued.attempt, number, units, key, waiting, heard
        later = part is not None and floor != part.floor
        effects.append(FreshFillEffect(*told, floor) if later else FillEffect(*told))
        free -= units
        floors = ledger.with_floor(floors, floor, units)
    return Decision(tuple(effects))


def _waiting(row: ReservationRow, fact: r.FillBackorders) -> int:
    return sum(x.open for x in row.lines if x.back and (x.sku, x.location) == (fact.sku, fact.location))


def _floor(view: View, row: ReservationRow, part: ReservedLine, log: PartitionRow) -> str:
    """The earliest best-before of lots that are good for the part: as it was promised, or later: its units leave after
    they came, not after they were promised."""
    rules: ChannelRow | None = view.get(channel_key(row.channel)) if row.channel else None
    return max(part.floor, floor_of(rules, log))


def _part(row: ReservationRow | None, queued: QueueRow, key: str) -> tuple[int, ReservedLine | None]:
    """The part that waits here, with its number; none if its reservation holds nothing any more."""
    place = int(key.rpartition("|")[2], 16)
    if row is not None and row.state in _OPEN:
        for n, line in enumerate(row.lines):
            waits_here = line.back and line.open and (line.sku, line.location) == (queued.sku, queued.location)
            if waits_here and next(x.at for x in row.changes if n < len(x.amounts)) == place:
                return n, line
    return 0, None


# -- counting ----------------------------------------------------------------------------------------------------------


def filled(row: ReservationRow, effect: FillEffect, at: At) -> ReservationRow:
    """The reservation with `effect.quantity` units of a backordered part held as a new part. All fills of one record
    are one change."""
    part = row.lines[effect.part]
    if part.open < effect.quantity:
        raise InvariantBroken(f"{effect.order_id}: more of {part.sku} filled than waits")
    lines = list(row.lines)
    lines[effect.part] = replace(part, open=part.open - effect.quantity)
    floor = _floor_of(effect, row)
    new = ReservedLine(
        part.sku, effect.quantity, part.location, "", part.available, False, effect.quantity, False, floor, 0, ""
    )
    changes = row.changes
    amounts = [0] * len(lines)
    if changes[-1].at == at.place:
        amounts[: len(changes[-1].amounts)] = changes[-1].amounts
        changes = changes[:-1]
    amounts[effect.part] += effect.quantity
    change = Change(at.place, "back", row.state, (*amounts, effect.quantity), (), ())
    return replace(row, at=at.place, lines=(*lines, new), changes=(*changes, change))


def _floor_of(effect: FillEffect, row: ReservationRow) -> str:
    return effect.floor if isinstance(effect, FreshFillEffect) else row.lines[effect.part].floor


def unqueued(row: QueueRow, effect: FillEffect, at: At) -> QueueRow:
    """The queue row without what was filled; one that nobody stands in any more is empty."""
    units = row.units - effect.quantity if effect.quantity else 0
    if units < 0:
        raise InvariantBroken(f"{effect.queue} would wait for {units} units")
    return replace(row, at=at.place, units=units)


def taken(
    stock: StockRow, effects: Iterable[FillEffect], rows: dict[str, Any], at: At, log: PartitionRow,
    alerts: list[RaisedAlert],
) -> StockRow:  # fmt: skip
    """The stock row with all units of these fills promised. Which counter they belong to stands in each reservation's
    change at this place, whatever became of it since."""
    units = dict.fromkeys(_OPEN, 0)
    floors = stock.floors
    for effect in effects:
        if not effect.quantity:
            continue
        row: ReservationRow = rows[reservation_key(effect.order_id, effect.attempt)]
        state = next(x.after for x in row.changes if x.at == at.place)
        units[state] += effect.quantity
        floors = ledger.with_floor(floors, _floor_of(effect, row), effect.quantity)
    return ledger.move(
        stock, at.place, log.state_ms, alerts, backordered=-sum(units.values()), floors=floors, **units
    )  # fmt: skip


# -- saying ------------------------------------------------------------------------------------------------------------


def said(fact: r.FillBackorders, row: FactRow, rows: dict[str, Any], at: At, log: PartitionRow) -> list[Send]:
    """What the orders hear, each once; and the note that goes on with the queue."""
    told: dict[str, r.BackorderFilled] = {}
    for x in row.effects:
        if not isinstance(x, FillEffect) or not x.quantity:
            continue
        key = reservation_key(x.order_id, x.attempt)
        before = told.get(key)
        told[key] = r.BackorderFilled(
            id=f"{x.order_id}:{x.attempt}:{log.partition}:{at.place}", order_id=x.order_id, attempt=x.attempt,
            partition=log.partition, sku=fact.sku, location=fact.location,
            quantity=x.quantity + (before.quantity if before else 0), waiting=x.waiting, heard=x.heard, place=at.place,
        )  # fmt: skip
    sends = [Send(ORDERS, rows[key].order_partition, None, record) for key, record in told.items()]
    return [*sends, _note(fact.sku, fact.location, at, log)] if row.more else sends
