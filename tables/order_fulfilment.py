"""What the locations do for an order: picked, packed, shipped, tracked, delivered; and stock that came for who waited.

Pure steps on the order's row. These are facts, never refused: stock hears of every unit, the order of its own. Units go
to the parts at the location that was named first, to units that lie there before units that wait.
Does not belong here: how far the order is (`order_progress`), returns.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from tables import records as r
from tables.order_cancels import taken_back
from tables.order_progress import SENT, STEPS, advance, at_location, held, held_at, owed_lines, with_fulfilment
from tables.order_states import OWED, add, in_parts, late
from tables.outcome import At
from tables.rows import Entry, EntryLine, OrderLine, OrderRow, PartitionRow

NOWHERE = "unknown_location: where did {} of this order leave from? name the location"
SETTLED_TRACKING = ("delivered", "return_to_sender")


# -- picked and packed -------------------------------------------------------------------------------------------------


def picked(row: OrderRow, record: r.OrderPicked, at: At, log: PartitionRow) -> OrderRow | str:
    """Units were taken from their shelves: from here on their lots are bound."""
    owed = row.state in OWED
    here = held_at(row) if owed else {}
    if record.lines:
        sent = _picked_lines(row, record)
        if isinstance(sent, str):
            return sent
    else:
        waits = [x for x in here if record.location in (None, x) and at_location(row, x).state == "confirmed"]
        sent = [
            EntryLine(x.sku, held(x), x.location, attempt=x.attempt)
            for _, x in owed_lines(row) if x.location in waits and held(x) > 0
        ]  # fmt: skip
    before = row
    if sent:
        row = add(row, Entry(at.place, "pick", at.ms, row.attempt, lines=tuple(sent)))
    places = [x for x in dict.fromkeys(line.location for line in sent) if x in here]
    for place in places:
        done = at_location(row, place)
        if done.state in ("confirmed", *SENT):
            row = with_fulfilment(row, replace(done, state="picked"))
    if not any(at_location(before, x).state != "packed" for x in places):
        return late(row, "pick")
    return advance(row)


def _picked_lines(row: OrderRow, record: r.OrderPicked) -> list[EntryLine] | str:
    sent: list[EntryLine] = []
    for line in record.lines:
        for sku, quantity in in_parts(row, line.sku, line.quantity):
            short = sum(n for part, n in in_parts(row, line.sku, line.short) if part == sku)
            mine = [x for _, x in owed_lines(row) if x.sku == sku and record.location in (None, x.location)]
            where = record.location or (mine[0].location if mine else "") or (*row.locations, "")[0]
            if not where:
                return NOWHERE.format(sku)
            told: list[EntryLine] = []
            for x in mine if row.state in OWED else ():
                own = min(held(x), quantity)
                missing = min(held(x) - own, short)
                if own or missing:
                    told.append(EntryLine(sku, own, x.location, line.lot or "", short=missing, attempt=x.attempt))
                quantity, short = quantity - own, short - missing
            if quantity or short:
                last = told.pop() if told else EntryLine(sku, 0, where, line.lot or "", attempt=max(row.attempt, 1))
                told.append(replace(last, quantity=last.quantity + quantity, short=last.short + short))
            sent += told
    return sent


def packed(row: OrderRow, record: r.OrderPacked, at: At, log: PartitionRow) -> OrderRow:
    """Units are in their cartons, at one location or at all."""
    places = [x for x in held_at(row) if record.location in (None, x)] if row.state in OWED else []
    changed = False
    for place in places:
        done = at_location(row, place)
        if done.state != "packed" or record.cartons:
            cartons = tuple(dict.fromkeys((*done.cartons, *record.cartons)))
            row = with_fulfilment(row, replace(done, state="packed", cartons=cartons))
            changed = True
    return advance(row) if changed else late(row, "pack")


# -- shipped -----------------------------------------------------------------------------------------------------------


def shipped(row: OrderRow, record: r.OrderShipped, at: At, log: PartitionRow) -> OrderRow | str:
    """A parcel left. Of an order that holds nothing it is gone all the same: stock hears of it, no reservation does."""
    owed = row.state in OWED
    told = _shipped_lines(row, record, owed) if record.lines else _all_that_is_held(row, record, owed)
    if isinstance(told, str):
        return told
    sent, counts, unfilled = told
    if not sent:
        return late(row, "ship")
    row = add(row, Entry(at.place, "ship", at.ms, row.attempt, status=row.channel, lines=tuple(sent)))
    if not owed:
        return late(row, "ship")
    lines = list(row.lines)
    for n, units in counts.items():
        line = lines[n]
        left = line.open - units
        lines[n] = replace(line, shipped=line.shipped + units, back=min(line.back, left))
    row = replace(row, lines=tuple(lines))
    if unfilled:  # they left although stock had not come: nobody waits for it any more
        row = add(row, Entry(at.place, "trim", at.ms, row.attempt, lines=tuple(unfilled)))
    row = _parcels(row, record, sent)
    return advance(_nothing_more(row, record, at) if record.final else row)


def _all_that_is_held(
    row: OrderRow, record: r.OrderShipped, owed: bool
) -> tuple[list[EntryLine], dict[int, int], list[EntryLine]] | str:
    sent: list[EntryLine] = []
    counts: dict[int, int] = {}
    for n, line in owed_lines(row):
        units = held(line)
        if not 0 < units <= r.QUANTITY_MAX or (owed and record.location not in (None, line.location)):
            continue
        where = (line.location if owed else record.location or line.location) or (*row.locations, "")[0]
        if not where:
            return NOWHERE.format(line.sku)
        sent.append(EntryLine(line.sku, units, where, attempt=line.attempt if owed else 0))
        counts[n] = units
    return sent, counts, []


def _shipped_lines(
    row: OrderRow, record: r.OrderShipped, owed: bool
) -> tuple[list[EntryLine], dict[int, int], list[EntryLine]] | str:
    """Lines for stock, units per line of the order, and units that left while they still waited for stock."""
    mine: dict[str, list[tuple[int, OrderLine]]] = {}
    for n, line in owed_lines(row):
        mine.setdefault(line.sku, []).append((n, line))
    sent: list[EntryLine] = []
    unfilled: list[EntryLine] = []
    counts: dict[int, int] = {}
    for wanted in record.lines:
        named = wanted.location or record.location or ""
        for sku, quantity in in_parts(row, wanted.sku, wanted.quantity):
            parts = mine.get(sku, [])
            first = parts[0][1] if parts else None
            where = named or (first.location if first else "") or (*row.locations, "")[0]
            if not where:
                return NOWHERE.format(sku)
            told: dict[tuple[str, int], int] = {}  # (location, attempt) -> units
            for n, line, units, waiting in _own(parts, named, quantity, counts) if owed else ():
                counts[n] = counts.get(n, 0) + units
                key = named or line.location, line.attempt
                told[key] = told.get(key, 0) + units
                quantity -= units
                if waiting:
                    unfilled.append(EntryLine(sku, units, line.location, attempt=line.attempt))
            if quantity:
                key = next(reversed(told), (where, first.attempt if owed and first else 0))
                told[key] = told.get(key, 0) + quantity
            known = wanted.known if wanted.lot else ""
            sent += [
                EntryLine(sku, units, place, wanted.lot or "", known, attempt=attempt)
                for (place, attempt), units in told.items()
            ]
    return sent, counts, unfilled


def _own(
    parts: list[tuple[int, OrderLine]], location: str, quantity: int, counts: dict[int, int]
) -> Iterator[tuple[int, OrderLine, int, bool]]:
    """(number, line, units, whether those wait) of a shipment's own units: what lies there before what waits."""
    near = [x for x in parts if not location or x[1].location == location]
    parts = [*near, *(x for x in parts if location and x[1].location != location)]
    for waiting in (False, True):
        for n, line in parts:
            gone = counts.get(n, 0)
            units = line.back - max(gone - held(line), 0) if waiting else held(line) - gone
            units = min(units, quantity)
            if units > 0:
                quantity -= units
                yield n, line, units, waiting


def _parcels(row: OrderRow, record: r.OrderShipped, sent: list[EntryLine]) -> OrderRow:
    """The parcel's number at each location it left from; a location that holds nothing more has shipped."""
    here = held_at(row)
    skus = {line.sku for _, line in owed_lines(row)}
    for place in dict.fromkeys(line.location for line in sent if line.sku in skus):
        done = at_location(row, place)
        tracking = done.tracking
        if record.tracking and record.tracking not in dict(tracking):
            tracking = (*tracking, (record.tracking, "pre_transit"))
        state = done.state if place in here else "shipped"
        row = with_fulfilment(row, replace(done, tracking=tracking, state=state))
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


# -- on the way --------------------------------------------------------------------------------------------------------


def tracking_updated(row: OrderRow, record: r.TrackingUpdated, at: At, log: PartitionRow) -> OrderRow:
    """What the carrier says of a parcel; its last word stays."""
    known = [x for x in row.fulfilments if record.tracking in dict(x.tracking)]
    if not known:
        return late(row, f"tracking {record.tracking}")
    for done in known:
        before = dict(done.tracking)[record.tracking]
        if before not in SETTLED_TRACKING and record.status != "pre_transit":
            tracking = tuple((x, record.status if x == record.tracking else told) for x, told in done.tracking)
            row = with_fulfilment(row, replace(done, tracking=tracking))
    return advance(row)


def delivered(row: OrderRow, record: r.OrderDelivered, at: At, log: PartitionRow) -> OrderRow:
    """Everything that was shipped has arrived."""
    arrived = [x for x in row.fulfilments if x.state == "shipped"] if row.state in (*OWED, "shipped") else []
    if not arrived:
        return late(row, "deliver")
    for done in arrived:
        row = with_fulfilment(row, replace(done, state="delivered"))
    return advance(row)


def filled(row: OrderRow, record: r.BackorderFilled, at: At, log: PartitionRow) -> OrderRow | str:
    """Stock came: units that waited lie there for the order now, to be picked."""
    if row.state == "unplaced":
        return "unknown_order: stock for an order that was never placed here"
    lines = list(row.lines)
    left = record.quantity
    for n, line in enumerate(lines):
        if (line.sku, line.attempt, line.location) == (record.sku, record.attempt, record.location):
            units = min(line.back, left)
            left -= units
            lines[n] = replace(line, back=line.back - units)
    row = replace(row, lines=tuple(lines))
    done = at_location(row, record.location)
    if left < record.quantity and done.state in (*STEPS[1:], *SENT):
        row = with_fulfilment(row, replace(done, state="confirmed"))
    return advance(row)
