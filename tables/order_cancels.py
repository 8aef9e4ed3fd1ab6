"""Cancelling: before the decision the whole order, after it the units that are not shipped.

Pure steps on the order's row. Units that wait for stock go first, then those that lie there, in the order of the lines;
each is named with its location, so that stock gives back the same ones. Does not belong here: edits, returns.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from tables import records as r
from tables.order_kits import without_kits
from tables.order_progress import advance, owed_lines
from tables.order_states import OWED, UNDECIDED, add, asked, decide, in_parts, late
from tables.outcome import At
from tables.rows import Entry, EntryLine, OrderLine, OrderRow, PartitionRow, WaitingCancel, WaitingEdit

A_CANCEL = WaitingEdit("", ())  # among an order's edits: the turn of the first cancellation that was told behind one


def cancelled(row: OrderRow, record: r.CancelRequested, at: At, log: PartitionRow) -> OrderRow:
    """Cancel the order, or (with lines) only those units."""
    if record.lines:
        named: dict[str, int] = {}
        for line in record.lines:
            named[line.sku] = named.get(line.sku, 0) + line.quantity
        behind_edits = log.logic_version >= 6 and (row.edits or row.edit is not None)
        if behind_edits:
            row = replace(row, edits=(*row.edits, A_CANCEL))
        if behind_edits or row.state in UNDECIDED:  # given back once it is decided what there is to give back
            return replace(row, waiting=(*row.waiting, WaitingCancel(record.reason, tuple(named.items()))))
        return give_back_named(row, record.reason, named.items(), at)
    if row.state == "unplaced":
        return replace(row, reason="cancelled")
    if row.state in UNDECIDED:
        return decide(row, "cancel", "cancelled", asked(row), at)
    return give_back(row, record.reason, {line.sku: r.WANTED_MAX for line in row.lines}, at)


def before_edits(row: OrderRow, at: At) -> OrderRow:
    """`row`, just confirmed, with the cancellations applied that were told before any edit."""
    waiting = row.waiting
    now = len(waiting) - row.edits.count(A_CANCEL)
    row = replace(row, waiting=waiting[now:])
    for cancel in waiting[:now]:
        row = give_back_named(row, cancel.reason, cancel.lines, at)
    return row


def in_turn(row: OrderRow, at: At) -> OrderRow:
    """`row` with the first cancellation applied that waited behind an edit; a rejected order has forgotten them."""
    if not row.waiting:
        return row
    first, row = row.waiting[0], replace(row, waiting=row.waiting[1:])
    return give_back_named(row, first.reason, first.lines, at)


def give_back_named(row: OrderRow, reason: str, named: Iterable[tuple[str, int]], at: At) -> OrderRow:
    """`give_back` of what was named, kits of the order taken apart."""
    named = list(named)
    units: dict[str, int] = {}
    for name, quantity in named:
        for sku, count in in_parts(row, name, quantity):
            units[sku] = units.get(sku, 0) + count
    return give_back(without_kits(row, named), reason, units, at)


def give_back(row: OrderRow, reason: str, units: dict[str, int], at: At) -> OrderRow:
    """Cancel units of a confirmed order that are not shipped; with the last of them the order is cancelled."""
    if row.state not in OWED:
        return late(row, "cancel")
    lines, given = taken_back(row, units)
    if not given:
        return late(row, "cancel")
    entry = Entry(at.place, "cancel", at.ms, row.attempt, status="cancelled", reason=reason or "cancelled", lines=given)
    return advance(add(replace(row, lines=lines), entry))


def taken_back(
    row: OrderRow, units: dict[str, int], location: str = ""
) -> tuple[tuple[OrderLine, ...], tuple[EntryLine, ...]]:
    """Lines with at most so many open units per SKU (and location, if one is named) cancelled, and those units."""
    mine: dict[str, list[tuple[int, OrderLine]]] = {}
    for n, line in owed_lines(row):
        if line.sku in units and line.open > 0 and location in ("", line.location):
            mine.setdefault(line.sku, []).append((n, line))
    counts: dict[int, int] = {}
    for sku, parts in mine.items():
        left = units[sku]
        for waiting in (True, False):
            for n, line in parts:
                count = min(line.back if waiting else line.open - line.back, left)
                if count > 0:
                    counts[n] = counts.get(n, 0) + count
                    left -= count
    lines = list(row.lines)
    given: list[EntryLine] = []
    for n in sorted(counts):
        line, count = lines[n], counts[n]
        lines[n] = replace(line, cancelled=line.cancelled + count, back=max(line.back - count, 0))
        given.append(EntryLine(line.sku, count, line.location, attempt=line.attempt))
    return tuple(lines), tuple(given)
