"""What the locations do for an order: picked, packed, tracked, delivered; and stock that came for those who waited.

Pure steps on the order's row. These are facts, never refused: stock hears of every unit that was picked, the order of
its own. Does not belong here: parcels that leave (`order_shipping`), how far the order is (`order_progress`).
"""

from __future__ import annotations

from msgspec.structs import replace

from tables import records as r
from tables.murmur2 import partition_of_sku
from tables.order_progress import (
    SENT,
    STEPS,
    advance,
    at_location,
    held,
    held_at,
    in_hands,
    owed_lines,
    with_fulfilment,
)
from tables.order_states import LOST, NOWHERE, OWED, TOO_MANY, add, in_parts, late
from tables.outcome import At
from tables.rows import Entry, EntryLine, OrderRow, PartitionRow

LINE_COMMANDS = ("cancel", "trim", "back")  # entries that tell stock about single lines
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
        places = [x for x in dict.fromkeys(line.location for line in sent) if x in here]
    else:
        places = [x for x in here if record.location in (None, x) and at_location(row, x).state == "confirmed"]
        sent = _not_picked(row, places)
    before = row
    if sent:
        row = add(row, Entry(at.place, "pick", at.ms, row.attempt, lines=tuple(sent)))
    for place in places:
        done = at_location(row, place)
        if done.state in ("confirmed", *SENT):
            row = with_fulfilment(row, replace(done, state="picked"))
    if not any(at_location(before, x).state != "packed" for x in places):
        return late(row, "pick")
    return advance(row)


def _not_picked(row: OrderRow, places: list[str]) -> list[EntryLine]:
    """What is held at these places, without what is in hands: a place begins anew when stock comes for units that
    waited, and stock hears of no unit twice."""
    hands = in_hands(row)
    sent: list[EntryLine] = []
    for _, line in owed_lines(row):
        if line.location in places:
            place = line.sku, line.location
            done = min(hands[place], held(line))
            hands[place] -= done
            if done < held(line):
                sent.append(EntryLine(line.sku, held(line) - done, line.location, attempt=line.attempt))
    return sent


def _picked_lines(row: OrderRow, record: r.OrderPicked) -> list[EntryLine] | str:
    sent: list[EntryLine] = []
    for line in record.lines:
        for sku, quantity in in_parts(row, line.sku, line.quantity):
            short = sum(n for part, n in in_parts(row, line.sku, line.short) if part == sku)
            if max(quantity, short) > r.QUANTITY_MAX:
                return TOO_MANY
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
    """Stock came: units that waited lie there for the order now, to be picked.

    What waits is what stock says that waited, and what the order has told it since. A fill that was overtaken by a
    later one tells nothing new.
    """
    if row.state == "unplaced":
        return "unknown_order: stock for an order that was never placed here"
    if row.state in LOST:  # told before stock heard that nothing is owed: nothing of it waits, or ever will
        return row
    key = record.sku, record.attempt, record.location
    mine = [n for n, x in enumerate(row.lines) if (x.sku, x.attempt, x.location) == key]
    if not mine or record.place <= max(row.lines[n].heard for n in mine):
        return row
    left = _still_waiting(row, record, log)
    lines = list(row.lines)
    for again in (False, True):  # lines that waited before come first
        for n in mine:
            line = lines[n]
            before = line.back if again else 0
            units = min(left, line.open - before if again else row.lines[n].back)
            lines[n] = replace(line, back=before + units, heard=record.place)
            left -= units
    came = sum(row.lines[n].back - lines[n].back for n in mine)
    row = replace(row, lines=tuple(lines))
    done = at_location(row, record.location)
    if came > 0 and done.state in (*STEPS[1:], *SENT):
        row = with_fulfilment(row, replace(done, state="confirmed"))
    return advance(row)


def _still_waiting(row: OrderRow, record: r.BackorderFilled, log: PartitionRow) -> int:
    """Units that wait, once stock has read all that this order told it: it gives back those that wait first."""
    waiting, commands = record.waiting, 0
    for entry in row.entries:
        mine = [x for x in entry.lines if x.attempt == record.attempt] if entry.kind in LINE_COMMANDS else ()
        mine = [x for x in mine if partition_of_sku(x.sku, log.partitions) == record.partition]
        if not mine:
            continue
        commands += 1
        if commands > record.heard:
            for x in mine:
                if x.sku == record.sku and x.location in ("", record.location):
                    waiting = waiting + x.quantity if entry.kind == "back" else max(waiting - x.quantity, 0)
    return waiting
