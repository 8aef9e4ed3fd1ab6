"""Stock's answers: the one that completes them settles the order. It is granted, waits, is asked again, or is rejected.

Pure steps on the order's row. Lines become the parts that stock holds for them; what comes from several locations is
asked to move to fewer, kits are trimmed to whole ones where the order takes what there is.
Does not belong here: edits' answers (`order_edits`), payments and checks (`order_payments`).
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from tables import order_edits
from tables import records as r
from tables.murmur2 import partition_of_sku
from tables.order_cancels import give_back, named_units
from tables.order_placing import ask_later
from tables.order_states import add, deadline, decide, move, shipments
from tables.outcome import At
from tables.rows import Cover, Entry, EntryLine, OrderLine, OrderRow, PartitionRow, RefusedLine
from tables.sourcing import best, fewest

UNKNOWN_ORDER = "unknown_order: an answer to an order that was never placed here"
OTHER_UNITS = "an answer for other units than were asked"
NO_COMMON_PLACE = "no single location covers every line"
UNPAID = {"failed": "payment_failed", "voided": "payment_voided", "refunded": "payment_refunded"}
PAID = ("captured", "authorized", "partially_refunded")  # good enough to confirm


def answered(row: OrderRow, record: r.ReserveAnswered, at: At, log: PartitionRow) -> OrderRow | str:
    """One partition's answer to the present attempt, or to an edit's."""
    if row.state == "unplaced":
        return UNKNOWN_ORDER
    if record.attempt != row.attempt or record.partition not in row.awaited:
        return row  # known already, or of another attempt
    if row.edit is not None and row.edit.attempt == record.attempt:
        return order_edits.answered(row, record, at, log)
    awaited = tuple([p for p in row.awaited if p != record.partition])
    if row.state != "pending":  # it was decided without this answer: what it granted is given back once more
        row = replace(row, awaited=awaited)
        again = Entry(at.place, "give_back", at.ms, record.attempt, (record.partition,))
        return add(row, again) if record.parts else row
    found = _with_parts(row, record, log)
    if isinstance(found, str):
        return found
    lines, could = found
    granted, refused = row.granted, row.refused
    if record.parts:
        granted = (*granted, record.partition)
    if record.refused:
        refused += tuple(RefusedLine(x.sku, x.quantity, x.reason, x.available) for x in record.refused)
    row = replace(row, awaited=awaited, lines=lines, granted=granted, refused=refused, could=could)
    return row if awaited else _settle(row, at, log)


def _with_parts(
    row: OrderRow, record: r.ReserveAnswered, log: PartitionRow
) -> tuple[tuple[OrderLine, ...], tuple[Cover, ...]] | str:
    """The order's lines with this partition's as its answer has them, and what covers them whole."""
    parts, n, asked = record.parts, 0, 0
    could = list(row.could)
    lines: list[OrderLine] = []
    for line in row.lines:
        if partition_of_sku(line.sku, log.partitions) != record.partition:
            lines.append(line)
            continue
        if record.could and asked < len(record.could):
            could.append(Cover(line.sku, record.could[asked]))
        asked += 1
        left = line.quantity
        while n < len(parts) and parts[n].sku == line.sku:
            lines.append(_part(parts[n], record.attempt))
            left -= parts[n].quantity
            n += 1
        if left or not line.quantity:
            if not record.refused or (left < 0 and left != line.quantity):
                return OTHER_UNITS
            lines.append(OrderLine(line.sku, left, "", 0, 0, 0, 0, "", record.attempt))
    return (tuple(lines), tuple(could)) if n == len(parts) else OTHER_UNITS


def _part(part: r.Part, attempt: int) -> OrderLine:
    back = part.quantity if part.backordered else 0
    return OrderLine(part.sku, part.quantity, part.location, 0, 0, 0, back, part.due, attempt)


def _settle(row: OrderRow, at: At, log: PartitionRow) -> OrderRow:
    """All answers are here: decide, move, wait, or give back and ask again."""
    if row.refused:
        some = _whole_kits(row, at) if row.policy == "ship_available" else row
        if row.policy == "ship_available" and any(x.location for x in some.lines):
            return grant_or_wait(replace(some, sourcing=shipments(some.lines, NO_COMMON_PLACE), could=()), at, log)
        hard = [x.reason for x in row.refused if x.reason != "contended"]
        if hard or row.attempt >= log.limits.attempts:
            return decide(row, "refuse", hard[0] if hard else "contended", row.granted, at)
        return ask_later(row, at)
    first = row.lines[0].location
    if all([x.location == first for x in row.lines]):
        return grant_or_wait(replace(row, sourcing=f"one location: {first}", could=()), at, log)
    return _source(row, at, log)


def grant_or_wait(row: OrderRow, at: At, log: PartitionRow) -> OrderRow:
    """Everything is reserved: confirmed, unless a payment or a check is missing."""
    if row.check_failed or row.payment in UNPAID:
        return decide(row, "refuse", UNPAID.get(row.payment, "check_failed"), row.granted, at)
    if row.payment in PAID and not row.checks:
        waiting = row.waiting
        row = decide(row, "grant", "", row.granted, at)
        if waiting:
            row = replace(row, waiting=())
            for cancel in waiting:
                row = give_back(row, cancel.reason, named_units(row, cancel.lines), at)
        return row
    if row.state == "on_hold":
        return row
    seconds = row.payment_seconds if row.payment == "pending" else log.limits.check_seconds
    row = add(move(row, "wait"), Entry(at.place, "hold", at.ms, row.attempt, row.granted))
    return replace(row, deadline_ms=deadline(log, seconds))


# -- fewer shipments ---------------------------------------------------------------------------------------------------


def _source(row: OrderRow, at: At, log: PartitionRow) -> OrderRow:
    """Parts at several locations: ask stock to hold them at fewer, if fewer would do."""
    ranks = {location: n for n, location in reversed(list(enumerate(row.locations)))}
    bits = {cover.sku: cover.bits for cover in row.could if cover.bits}
    now: set[str] = set()
    given = 0
    for line in row.lines:
        now.add(line.location)
        if line.sku not in bits:
            if line.location not in ranks:
                return grant_or_wait(_as_it_is(row), at, log)
            given |= 1 << ranks[line.location]
    chosen = fewest(list(bits.values()), given)
    if chosen.bit_count() >= len(now):
        return grant_or_wait(_as_it_is(row), at, log)
    targets = {sku: row.locations[best(cover, chosen)] for sku, cover in bits.items()}
    wanted = tuple(
        EntryLine(x.sku, x.quantity, targets[x.sku]) for x in row.lines if targets.get(x.sku, x.location) != x.location
    )
    partitions = tuple(sorted({partition_of_sku(x.sku, log.partitions) for x in wanted}))
    row = add(row, Entry(at.place, "move", at.ms, row.attempt, partitions, lines=wanted))
    return replace(row, moving=partitions, could=())


def _as_it_is(row: OrderRow) -> OrderRow:
    return replace(row, sourcing=shipments(row.lines, NO_COMMON_PLACE), could=())


def moved(row: OrderRow, record: r.MoveAnswered, at: At, log: PartitionRow) -> OrderRow | str:
    """A partition says where it holds the lines now; the last of them settles the order."""
    if row.state == "unplaced":
        return UNKNOWN_ORDER
    if row.state != "pending" or record.attempt != row.attempt or record.partition not in row.moving:
        return row
    lines = _as_told(row.lines, record.parts)
    if lines is None:
        return OTHER_UNITS
    moving = tuple(p for p in row.moving if p != record.partition)
    row = replace(row, lines=lines, moving=moving)
    if moving:
        return row
    return grant_or_wait(replace(row, sourcing=_after_moves(row)), at, log)


def _as_told(lines: tuple[OrderLine, ...], parts: Sequence[r.Part]) -> tuple[OrderLine, ...] | None:
    """Lines with the parts told of their SKUs, each SKU where it was; None if those are other units."""
    told: dict[str, list[r.Part]] = {}
    for part in parts:
        told.setdefault(part.sku, []).append(part)
    units = dict.fromkeys(told, 0)
    after: list[OrderLine] = []
    for line in lines:
        if line.sku not in told:
            after.append(line)
            continue
        if not units[line.sku]:
            after += [_part(x, line.attempt) for x in told[line.sku]]
        units[line.sku] += line.quantity
    same = all(units[sku] == sum(x.quantity for x in mine) for sku, mine in told.items())
    return tuple(after) if same else None


def _after_moves(row: OrderRow) -> str:
    wanted = next(entry for entry in reversed(row.entries) if entry.kind == "move")
    for move_line in wanted.lines:
        if any(x.sku == move_line.sku and x.location != move_line.location for x in row.lines):
            return shipments(row.lines, f"{move_line.location} could not take {move_line.sku} any more")
    return shipments(row.lines, NO_COMMON_PLACE)


# -- what there is -----------------------------------------------------------------------------------------------------


def _whole_kits(row: OrderRow, at: At) -> OrderRow:
    """The order takes what there is, but of kits only whole ones: what is left of their parts is given back."""
    if not row.kits:
        return row
    left: dict[str, int] = {}  # units that stock granted, beyond those of standalone lines
    spare: dict[str, int] = {}  # units that standalone lines ask for
    for line in row.lines:
        spare[line.sku] = spare.get(line.sku, 0) + line.quantity
        if line.location:
            left[line.sku] = left.get(line.sku, 0) + line.quantity
    for kit in row.kits:
        for sku, units in kit.parts:
            spare[sku] -= units * kit.quantity
    left = {sku: max(units - max(spare[sku], 0), 0) for sku, units in left.items()}
    surplus: dict[str, int] = {}
    for kit in row.kits:
        kits = max(min(kit.quantity, *(left.get(sku, 0) // units for sku, units in kit.parts)), 0)
        for sku, units in kit.parts:
            left[sku] = left.get(sku, 0) - kits * units
            surplus[sku] = left[sku]
    surplus = {sku: units for sku, units in surplus.items() if units > 0}
    return _trimmed(row, surplus, at) if surplus else row


def _trimmed(row: OrderRow, surplus: dict[str, int], at: At) -> OrderRow:
    """`row` without these units, the last parts first; they join what stock refused of their SKUs."""
    left = dict(surplus)
    lines: list[OrderLine] = []
    given: list[EntryLine] = []
    for line in reversed(row.lines):
        units = min(left.get(line.sku, 0), line.quantity) if line.location else 0
        if units:
            left[line.sku] -= units
            given.append(EntryLine(line.sku, units, line.location, attempt=line.attempt))
        if units < line.quantity or not line.location:
            lines.append(replace(line, quantity=line.quantity - units) if units else line)
    lines.reverse()
    known = {x.sku for x in row.refused}
    refused = tuple(RefusedLine(sku, units, "kit", units) for sku, units in surplus.items() if sku not in known)
    rests = {n: x.sku for n, x in enumerate(lines) if not x.location and x.sku in surplus}
    for n, sku in rests.items():
        lines[n] = replace(lines[n], quantity=lines[n].quantity + surplus[sku])
    lines += [
        OrderLine(sku, units, "", 0, 0, 0, 0, "", row.attempt)
        for sku, units in surplus.items() if sku not in rests.values()
    ]  # fmt: skip
    row = replace(row, lines=tuple(lines), refused=row.refused + refused)
    return add(row, Entry(at.place, "trim", at.ms, row.attempt, lines=tuple(given)))
