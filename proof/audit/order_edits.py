"""Edits of an order that nothing was picked of: what is more is asked for first, what is less is given back then.

All of an edit's lines, or nothing. Does not belong here: cancellations (`order_facts`).
"""

from __future__ import annotations

from collections import Counter

from proof.audit.intake import LogState
from proof.audit.order import OPEN, Decision, Edit, Kits, Line, Order, Told, cancel, give_back, settle, spoke
from tables import records as r

ATTEMPTS_MAX = 100


def edited(order: Order, record: r.OrderEdited, place: int, ms: int, log: LogState) -> bool:
    wanted = {line.sku: line.quantity for line in record.lines}
    if order.state in OPEN or order.edit is not None:
        order.edits.append((record.id, wanted))
    else:
        _begin(order, record.id, wanted, place, ms, log)
    return True


def next_edit(order: Order, place: int, ms: int, log: LogState) -> None:
    """Edits, and cancellations behind one, are taken one after the other, as far as they wait for nothing."""
    while order.edits and order.edit is None:
        edit_id, wanted = order.edits.pop(0)
        if edit_id:
            _begin(order, edit_id, wanted, place, ms, log)
        elif order.was_confirmed:  # units of it that were cancelled behind an edit
            give_back(order, wanted.reason, order.units(wanted.lines), place, ms)
            order.fewer_kits(wanted.lines)


def _begin(order: Order, edit_id: str, wanted: dict[str, int], place: int, ms: int, log: LogState) -> None:
    """Nothing, unless it is confirmed, nobody began to work on it, and its kits hold what they should."""
    if order.state != "confirmed" or order.fulfilments:
        return
    alone = _alone(order)
    change: Counter[str] = Counter()
    kits: Kits = {}
    for name, total in wanted.items():
        now = {name: 1}
        parts = dict(order.kits[name][1]) if name in order.kits else log.kits.get(name, {})
        count = total - alone[name]
        if parts:
            now, count = parts, total - order.whole[name]
            kits[name] = (count, tuple(parts.items()))
        if any(alone[sku] < 0 for sku in now):
            return
        for sku, units in now.items():
            change[sku] += units * count
    kits = {name: kit for name, kit in kits.items() if kit[0]}
    more = {sku: min(units, r.WANTED_MAX) for sku, units in change.items() if units > 0}
    less = {sku: -units for sku, units in change.items() if units < 0}
    if max(len(more), len(order.kits.keys() | kits)) > r.LINES_MAX:
        return
    if more and order.attempt < ATTEMPTS_MAX:
        order.attempt += 1
        order.edit = Edit(edit_id, order.attempt, more, less, kits)
        order.awaited = order.partitions(more, log)
        order.deadline = log.deadline(log.limits.undecided_seconds, ms)
    elif (less or kits) and not more:
        _take_away(order, less, kits)
        _tell(order, place, ms)


def _alone(order: Order) -> Counter[str]:
    """Open units per SKU that belong to no kit; fewer than none: single parts were taken out of one."""
    units: Counter[str] = Counter()
    for line in order.lines:
        units[line.sku] += line.open
    for name, (_, parts) in order.kits.items():
        for sku, n in parts:
            units[sku] -= n * order.whole[name]
    return units


def edit_answered(order: Order, record: r.ReserveAnswered, place: int, ms: int, log: LogState) -> bool | str:
    edit = order.edit
    if edit is None:
        return False
    order.awaited -= {record.partition}
    edit.parts += [Line(x.sku, x.quantity, x.location, attempt=edit.attempt) for x in record.parts]
    if record.refused:  # one is enough: whatever was granted of it is given back
        end_edit(order)
    elif order.awaited:
        return True
    else:
        order.edit, order.deadline = None, 0
        skus = list(edit.more)
        order.lines += sorted(edit.parts, key=lambda x: skus.index(x.sku))
        _take_away(order, edit.less, edit.kits)
        _tell(order, place, ms)
    next_edit(order, place, ms, log)
    return True


def end_edit(order: Order) -> None:
    """The edit that waits for stock comes to nothing; what its late answers grant is given back."""
    if order.edit is not None:
        order.edit, order.deadline = None, 0


def _take_away(order: Order, less: dict[str, int], kits: Kits) -> None:
    for name, (count, parts) in kits.items():
        asked = order.kits[name][0] if name in order.kits else 0
        order.kits[name] = (asked + max(count, 0), parts)
        order.whole[name] = max(0, order.whole[name] + count)
    for sku, units in less.items():
        cancel(order, order.of(sku), units, [])
    spoke(order)
    settle(order)


def _tell(order: Order, place: int, ms: int) -> None:
    """The order as it is now."""
    lines = tuple(Told(x.sku, x.open, x.location, "", None, x.back) for x in order.lines if x.open > 0)
    order.later.append(Decision("edited", "edited", place, ms, order.attempt, lines))
