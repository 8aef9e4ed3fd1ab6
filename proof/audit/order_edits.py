"""Edits of an order that nothing was picked of: what is more is asked for first, what is less is given back then.

All of an edit's lines, or nothing. Does not belong here: cancellations (`order_facts`).
"""

from __future__ import annotations

from proof.audit.intake import LogState
from proof.audit.order import OPEN, Decision, Edit, Line, Order, Told, add_fulfilment, cancel, settle
from tables import records as r
from tables.murmur2 import partition_of_sku


def edited(order: Order, record: r.OrderEdited, place: int, ms: int, log: LogState) -> bool:
    wanted = {line.sku: line.quantity for line in record.lines}
    if order.state in OPEN or order.edit is not None:
        order.edits.append((record.id, wanted))
    elif _can_edit(order):
        _begin(order, record.id, wanted, place, ms, log)
    return True


def _can_edit(order: Order) -> bool:
    return (
        order.state == "confirmed" and not any(x.shipped for x in order.lines)
        and all(x.state == "confirmed" for x in order.fulfilments.values())
    )  # fmt: skip


def next_edit(order: Order, place: int, ms: int, log: LogState) -> None:
    """Edits that waited are taken one after the other, as far as they wait for nothing."""
    while order.edits and order.edit is None:
        edit_id, wanted = order.edits.pop(0)
        if _can_edit(order):
            _begin(order, edit_id, wanted, place, ms, log)


def _begin(order: Order, edit_id: str, wanted: dict[str, int], place: int, ms: int, log: LogState) -> None:
    more: dict[str, int] = {}
    less: dict[str, int] = {}
    for sku, units in wanted.items():
        owed = sum(x.open for x in order.of(sku))
        if units > owed:
            more[sku] = units - owed
        elif units < owed:
            less[sku] = owed - units
    if more:
        order.attempt += 1
        edit = order.edit = Edit(edit_id, order.attempt, more, less)
        edit.awaited = order.partitions(more, log)
        order.deadline = log.from_now(log.limits.undecided_seconds)
    elif less:
        _take_away(order, less)
        _tell(order, place, ms)


def edit_answered(order: Order, record: r.ReserveAnswered, place: int, ms: int, log: LogState) -> bool:
    edit = order.edit
    if edit is None or record.partition not in edit.awaited:
        return False
    edit.awaited.discard(record.partition)
    for part in record.parts:
        edit.parts.append(Line(part.sku, part.quantity, part.location, attempt=edit.attempt))
    if record.refused and not edit.refused:
        edit.refused = record.refused[0].reason
    if edit.awaited:
        return True
    order.edit, order.deadline = None, 0
    if not edit.refused:
        by_partition = sorted(edit.parts, key=lambda x: partition_of_sku(x.sku, log.partitions))
        order.lines += by_partition
        for line in by_partition:
            add_fulfilment(order, line)
        _take_away(order, edit.less)
        _tell(order, place, ms)
    next_edit(order, place, ms, log)
    return True


def _take_away(order: Order, less: dict[str, int]) -> None:
    for sku, units in less.items():
        cancel(order, order.of(sku), units, [])
    settle(order)


def _tell(order: Order, place: int, ms: int) -> None:
    """The order as it is now."""
    lines = tuple(Told(x.sku, x.open, x.location, "", None, x.back) for x in order.lines if x.open > 0)
    order.later.append(Decision("edited", "", place, ms, order.attempt, lines))
