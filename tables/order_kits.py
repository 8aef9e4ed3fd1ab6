"""Kits of an order: how many of them it has, and that an order that takes what there is gets only whole ones.

Pure functions on the order's row. Guarantees: an order's lines hold the parts of its `whole` kits, unless somebody
cancelled single parts of one. Does not belong here: taking kits apart (`order_placing`), kits with stock of their own.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from tables.order_states import add
from tables.outcome import At
from tables.rows import Entry, EntryLine, KitLine, OrderLine, OrderRow, RefusedLine


def more_kits(known: KitLine | None, kit: str, quantity: int, parts: tuple[tuple[str, int], ...]) -> KitLine:
    """This kit of an order with so many more, or (negative) fewer: as many as before were ordered, fewer are there."""
    known = known or KitLine(kit, 0, parts, 0)
    return replace(known, quantity=known.quantity + max(quantity, 0), whole=max(known.whole + quantity, 0))


def without_kits(row: OrderRow, named: Iterable[tuple[str, int]]) -> OrderRow:
    """`row` with so many fewer of the kits that are named; its lines are the caller's."""
    if not row.kits:
        return row
    fewer = dict(named)
    kits = [more_kits(x, x.kit, -fewer[x.kit], x.parts) if x.kit in fewer else x for x in row.kits]
    return replace(row, kits=tuple(kits))


def whole_kits(row: OrderRow, at: At) -> OrderRow:
    """`row` with as many kits, in their order, as are whole after the standalone lines have theirs."""
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
    whole: list[KitLine] = []
    for kit in row.kits:
        kits = max(min(kit.quantity, *(left.get(sku, 0) // units for sku, units in kit.parts)), 0)
        whole.append(replace(kit, whole=kits))
        for sku, units in kit.parts:
            left[sku] = left.get(sku, 0) - kits * units
            surplus[sku] = left[sku]
    row = replace(row, kits=tuple(whole))
    surplus = {sku: units for sku, units in surplus.items() if units > 0}
    return _trimmed(row, surplus, at) if surplus else row


def _trimmed(row: OrderRow, surplus: dict[str, int], at: At) -> OrderRow:
    """`row` without these units, the last parts first; they join what stock refused of their SKUs."""
    left = dict(surplus)
    lines: list[OrderLine] = []
    given: list[EntryLine] = []
    resting = {x.sku for x in row.lines if not x.location}
    for line in reversed(row.lines):
        if line.sku in surplus and line.sku not in resting:  # where its units stood: the order of SKUs is asked again
            resting.add(line.sku)
            lines.append(OrderLine(line.sku, 0, "", 0, 0, 0, 0, "", row.attempt))
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
    row = replace(row, lines=tuple(lines), refused=row.refused + refused)
    return add(row, Entry(at.place, "trim", at.ms, row.attempt, lines=tuple(given)))
