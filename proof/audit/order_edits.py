"""Edits of an order that nothing was picked of: what is more is asked for first, what is less is given back then.

All of an edit's lines, or nothing. Does not belong here: cancellations (`order_facts`).
"""

from __future__ import annotations

from proof.audit.intake import LogState
from proof.audit.order import OPEN, Decision, Edit, Line, Order, Told, cancel, settle
from tables import records as r

ATTEMPTS_MAX = 100


def edited(order: Order, record: r.OrderEdited, place: int, ms: int, log: LogState) -> bool:
    wanted = {line.sku: line.quantity for line in record.lines}
    if order.state in OPEN or order.edit is not None:
        order.edits.append((record.id, wanted))
    elif _can_edit(order, wanted):
        _begin(order, record.id, wanted, place, ms, log)
    return True


def _can_edit(order: Order, wanted: dict[str, int]) -> bool:
    """Confirmed, and nobody began to work on it; what is in a kit stays what it is."""
    kits = {*order.kits, *(sku for _, parts in order.kits.values() for sku, _ in parts)}
    return order.state == "confirmed" and not order.fulfilments and not kits & wanted.keys()


def next_edit(order: Order, place: int, ms: int, log: LogState) -> None:
    """Edits that waited are taken one after the other, as far as they wait for nothing."""
    while order.edits and order.edit is None:
        edit_id, wanted = order.edits.pop(0)
        if _can_edit(order, wanted):
            _begin(order, edit_id, wanted, place, ms, log)


def _begin(order: Order, edit_id: str, wanted: dict[str, int], place: int, ms: int, log: LogState) -> None:
    owed = {sku: sum(x.open for x in order.of(sku)) for sku in wanted}
    more = {sku: units - owed[sku] for sku, units in wanted.items() if units > owed[sku]}
    less = {sku: owed[sku] - units for sku, units in wanted.items() if units < owed[sku]}
    if more and order.attempt < ATTEMPTS_MAX:
        order.attempt += 1
        order.edit = Edit(edit_id, order.attempt, more, less)
        order.awaited = order.partitions(more, log)
        order.deadline = log.from_now(log.limits.undecided_seconds)
    elif less and not more:
        _take_away(order, less)
        _tell(order, place, ms)


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
        _take_away(order, edit.less)
        _tell(order, place, ms)
    next_edit(order, place, ms, log)
    return True


def end_edit(order: Order) -> None:
    """The edit that waits for stock comes to nothing; what its late answers grant is given back."""
    if order.edit is not None:
        order.edit, order.deadline = None, 0


def _take_away(order: Order, less: dict[str, int]) -> None:
    for sku, units in less.items():
        cancel(order, order.of(sku), units, [])
    settle(order)


def _tell(order: Order, place: int, ms: int) -> None:
    """The order as it is now."""
    lines = tuple(Told(x.sku, x.open, x.location, "", None, x.back) for x in order.lines if x.open > 0)
    order.later.append(Decision("edited", "edited", place, ms, order.attempt, lines))
