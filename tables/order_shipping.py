"""A parcel left: whose units it took, what stock hears of it, and what becomes of units that were not in it.

Pure steps on the order's row. A shipment is a fact, never refused: stock hears of every unit, the order of its own.
Units are taken from the parts at the location that was named first, and from those that lie there before those that
wait for stock; their lots are those that were picked for the order, where the parcel names none. Does not belong here:
how far the order is (`order_progress`), the parcel's way (`order_fulfilment`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from msgspec.structs import replace

from tables import records as r
from tables.order_cancels import taken_back
from tables.order_progress import (
    advance,
    at_location,
    held,
    lots_in_hands,
    not_found,
    owed_lines,
    take_lots,
    with_fulfilment,
)
from tables.order_states import NOWHERE, OWED, TOO_MANY, add, in_parts, late
from tables.outcome import At
from tables.rows import Entry, EntryLine, OrderLine, OrderRow, PartitionRow

_is_sku = re.compile(r.SKU_PATTERN).fullmatch  # an order that was refused may name what stock cannot hear of
Told = tuple[list[EntryLine], dict[int, int]]  # lines for stock; units per number of the order's lines


def shipped(row: OrderRow, record: r.OrderShipped, at: At, log: PartitionRow) -> OrderRow | str:
    """A parcel left. Of an order that holds nothing it is gone all the same: stock hears of it, no reservation does."""
    owed = row.state in OWED
    if record.lines:
        told = _shipped_lines(row, record, owed)
    else:
        told = _all_that_is_held(row, record, owed, not_found(row) if owed and log.logic_version >= 6 else Counter())
    if isinstance(told, str):
        return told
    sent, counts = told
    sent = _with_lots(row, sent)
    if sent:
        row = add(row, Entry(at.place, "ship", at.ms, row.attempt, status=row.channel, lines=tuple(sent)))
    elif not (owed and record.final and log.logic_version >= 6):  # that none of it was found is a last word, too
        return late(row, "ship")
    if not owed:
        return late(row, "ship")
    lines = list(row.lines)
    for n, units in counts.items():
        line = lines[n]
        left = line.open - units
        lines[n] = replace(line, shipped=line.shipped + units, back=min(line.back, left))
    row = _parcels(replace(row, lines=tuple(lines)), record, sent)
    return advance(_nothing_more(row, record, at) if record.final else row)


def _all_that_is_held(
    row: OrderRow, record: r.OrderShipped, owed: bool, lacking: Counter[tuple[str, str]]
) -> Told | str:
    """Everything but `lacking`, which is taken from the order's last lines."""
    sent: list[EntryLine] = []
    counts: dict[int, int] = {}
    there: Counter[tuple[str, str]] = Counter()
    for _, line in owed_lines(row):
        there[line.sku, line.location] += held(line)
    there.subtract(lacking)
    for n, line in owed_lines(row):
        units = min(held(line), there[line.sku, line.location])
        there[line.sku, line.location] -= units
        if not 0 < units <= r.QUANTITY_MAX or (owed and record.location not in (None, line.location)):
            continue
        if not owed and not _is_sku(line.sku):
            continue
        where = (line.location if owed else record.location or line.location) or (*row.locations, "")[0]
        if not where:
            return NOWHERE.format(line.sku)
        sent.append(EntryLine(line.sku, units, where, attempt=line.attempt if owed else 0))
        counts[n] = units
    return sent, counts


def _shipped_lines(row: OrderRow, record: r.OrderShipped, owed: bool) -> Told | str:
    mine: dict[str, list[tuple[int, OrderLine]]] = {}
    for n, line in owed_lines(row):
        mine.setdefault(line.sku, []).append((n, line))
    sent: list[EntryLine] = []
    counts: dict[int, int] = {}
    for wanted in record.lines:
        named = wanted.location or record.location or ""
        for sku, quantity in in_parts(row, wanted.sku, wanted.quantity):
            if quantity > r.QUANTITY_MAX:
                return TOO_MANY
            parts = mine.get(sku, [])
            first = parts[0][1] if parts else None
            where = named or (first.location if first else "") or (*row.locations, "")[0]
            if not where:
                return NOWHERE.format(sku)
            told: dict[tuple[str, int], int] = {}  # (location, attempt) -> units
            for n, line, units in _own(parts, named, quantity, counts) if owed else ():
                counts[n] = counts.get(n, 0) + units
                key = named or line.location, line.attempt
                told[key] = told.get(key, 0) + units
                quantity -= units
            if quantity:
                key = next(reversed(told), (where, first.attempt if owed and first else 0))
                told[key] = told.get(key, 0) + quantity
            known = wanted.known if wanted.lot else ""
            sent += [
                EntryLine(sku, units, place, wanted.lot or "", known, attempt=attempt)
                for (place, attempt), units in told.items()
            ]
    return sent, counts


def _own(
    parts: list[tuple[int, OrderLine]], location: str, quantity: int, counts: dict[int, int]
) -> Iterator[tuple[int, OrderLine, int]]:
    """(number, line, units) of a shipment's own units: what lies there before what waits."""
    near = [x for x in parts if not location or x[1].location == location]
    parts = [*near, *(x for x in parts if location and x[1].location != location)]
    for waiting in (False, True):
        for n, line in parts:
            gone = counts.get(n, 0)
            units = line.back - max(gone - held(line), 0) if waiting else held(line) - gone
            units = min(units, quantity)
            if units > 0:
                quantity -= units
                yield n, line, units


def _with_lots(row: OrderRow, sent: list[EntryLine]) -> list[EntryLine]:
    """What a parcel did not name the lots of left from those that were picked for the order, as far as its picks named
    them. Reported: there was no other in hands, or all that was in hands left; presumed: one of several."""
    hands = lots_in_hands(row)
    if not any(lot for lots in hands.values() for lot in lots):
        return sent
    leaving: Counter[tuple[str, str]] = Counter()
    for line in sent:
        if line.lot:
            take_lots(hands.get((line.sku, line.location), {}), line.quantity, line.lot)
        else:
            leaving[line.sku, line.location] += line.quantity
    sure = {
        place for place, lots in hands.items()
        if sum(units > 0 for units in lots.values()) == 1 or sum(lots.values()) <= leaving[place]
    }  # fmt: skip
    found: list[EntryLine] = []
    for line in sent:
        place = line.sku, line.location
        left = line.quantity
        known = "reported" if place in sure and line.attempt else "presumed"
        for lot, units in () if line.lot else take_lots(hands.get(place, {}), left, None):
            left -= units
            found.append(replace(line, quantity=units, lot=lot, note=known if lot else ""))
        if left:
            found.append(line if left == line.quantity else replace(line, quantity=left))
    return found


def _parcels(row: OrderRow, record: r.OrderShipped, sent: list[EntryLine]) -> OrderRow:
    """The parcel's number at each location it left from."""
    for place in dict.fromkeys(line.location for line in sent if line.attempt):
        done = at_location(row, place)
        tracking = done.tracking
        if record.tracking and record.tracking not in dict(tracking):
            tracking = (*tracking, (record.tracking, "pre_transit"))
        row = with_fulfilment(row, replace(done, tracking=tracking))
    return row


def _nothing_more(row: OrderRow, record: r.OrderShipped, at: At) -> OrderRow:
    """A final shipment: what is missing waits for stock, or is given up, as the order's policy says."""
    place = record.location or ""
    if row.policy != "backorder":
        units = {line.sku: r.WANTED_MAX for _, line in owed_lines(row)}
        lines, given = taken_back(row, units, place)
        if not given:
            return row
        entry = Entry(at.place, "cancel", at.ms, row.attempt, status="cancelled", reason="short", lines=given)
        return add(replace(row, lines=lines), entry)
    after = list(row.lines)
    waits: list[EntryLine] = []
    for n, line in owed_lines(row):
        if held(line) > 0 and place in ("", line.location):
            after[n] = replace(line, back=line.open, due="")
            waits.append(EntryLine(line.sku, held(line), line.location, attempt=line.attempt))
    if not waits:
        return row
    return add(replace(row, lines=tuple(after)), Entry(at.place, "back", at.ms, row.attempt, lines=tuple(waits)))
