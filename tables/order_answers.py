"""Stock's answers: the one that completes them settles the order. It is granted, waits, is asked again, or is rejected.

Pure steps on the order's row. Lines become the parts that stock holds for them. Does not belong here: edits' answers
(`order_edits`), payments and checks (`order_payments`), choosing places (`order_sourcing`).
"""

from __future__ import annotations

from msgspec.structs import replace

from tables import order_edits
from tables import records as r
from tables.murmur2 import partition_of_sku
from tables.order_cancels import before_edits
from tables.order_early import has_left
from tables.order_kits import whole_kits
from tables.order_placing import ask_later
from tables.order_sourcing import NO_COMMON_PLACE, after_moves, as_told, fewer_shipments, shipments
from tables.order_states import add, deadline, decide, move, open_checks
from tables.outcome import At
from tables.rows import Cover, Entry, OrderLine, OrderRow, PartitionRow, RefusedLine

UNKNOWN_ORDER = "unknown_order: an answer to an order that was never placed here"
OTHER_UNITS = "an answer for other units than were asked"
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
    parts, n, attempt = record.parts, 0, record.attempt
    bits = iter(record.could)
    could = list(row.could)
    lines: list[OrderLine] = []
    for line in row.lines:
        sku, left = line.sku, line.quantity
        if partition_of_sku(sku, log.partitions) != record.partition:
            lines.append(line)
            continue
        if covers := next(bits, 0):
            could.append(Cover(sku, covers))
        while n < len(parts) and parts[n].sku == sku:
            part = parts[n]
            back = part.quantity if part.backordered else 0
            lines.append(OrderLine(sku, part.quantity, part.location, 0, 0, 0, back, part.due, attempt))
            left -= part.quantity
            n += 1
        if left or not line.quantity:
            if not record.refused or (left < 0 and left != line.quantity):
                return OTHER_UNITS
            lines.append(OrderLine(sku, left, "", 0, 0, 0, 0, "", attempt))
    return (tuple(lines), tuple(could)) if n == len(parts) else OTHER_UNITS


def _settle(row: OrderRow, at: At, log: PartitionRow) -> OrderRow:
    """All answers are here: decide, move, wait, or give back and ask again."""
    if row.refused:
        some = whole_kits(row, at) if row.policy == "ship_available" else row
        if row.policy == "ship_available" and any(x.location for x in some.lines):
            return grant_or_wait(replace(some, sourcing=shipments(some.lines, NO_COMMON_PLACE), could=()), at, log)
        hard = [x.reason for x in row.refused if x.reason != "contended"]
        if hard or row.attempt >= log.limits.attempts:
            return decide(row, "refuse", hard[0] if hard else "contended", row.granted, at)
        return ask_later(row, at)
    first = row.lines[0].location
    if all([x.location == first for x in row.lines]):
        return grant_or_wait(replace(row, sourcing=f"one location: {first}", could=()), at, log)
    row = fewer_shipments(row, at, log)
    return row if row.moving else grant_or_wait(row, at, log)


def grant_or_wait(row: OrderRow, at: At, log: PartitionRow) -> OrderRow:
    """Everything is reserved: confirmed, unless a payment or a check is missing. A parcel that left tells of both."""
    if row.check_failed or row.payment in UNPAID:
        return decide(row, "refuse", UNPAID.get(row.payment, "check_failed"), row.granted, at)
    if (row.payment in PAID and not open_checks(row)) or has_left(row):
        row = decide(row, "grant", "", row.granted, at)
        return before_edits(row, at) if row.waiting else row
    if row.state == "on_hold":
        return row
    seconds = row.payment_seconds if row.payment == "pending" else log.limits.check_seconds
    row = add(move(row, "wait"), Entry(at.place, "hold", at.ms, row.attempt, row.granted))
    return replace(row, deadline_ms=deadline(log, seconds, at))


def moved(row: OrderRow, record: r.MoveAnswered, at: At, log: PartitionRow) -> OrderRow | str:
    """A partition says where it holds the lines now; the last of them settles the order."""
    if row.state == "unplaced":
        return UNKNOWN_ORDER
    if row.state != "pending" or record.attempt != row.attempt or record.partition not in row.moving:
        return row
    lines = as_told(row.lines, record.parts)
    if lines is None:
        return OTHER_UNITS
    moving = tuple(p for p in row.moving if p != record.partition)
    row = replace(row, lines=lines, moving=moving)
    if moving:
        return row
    return grant_or_wait(replace(row, sourcing=after_moves(row)), at, log)
