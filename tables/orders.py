"""The order: each record of the order log as a pure step on one row. Which record is whose, and what holds for all.

Reads and gives the order's row; everything it says is derived from the row's entries (`order_speech`), so that a record
delivered again says the same again. Facts are never refused: one that comes too late is noted (`late`), and changes
nothing else. The rules stand by topic: `order_states` (the table), `order_placing`, `order_answers`, `order_payments`,
`order_cancels`, `order_edits`, `order_fulfilment`, `order_shipping`, `order_returns`; what comes before the decision
and waits for it in `order_early`. Does not belong here: stock, other orders, what the entries turn into.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from tables import (
    order_answers,
    order_early,
    order_edits,
    order_fulfilment,
    order_payments,
    order_placing,
    order_returns,
    order_shipping,
)
from tables import records as r
from tables.codec import digest
from tables.order_cancels import cancelled
from tables.order_placing import HOPS_BITS_MAX, PLACED_OTHERWISE, is_the_same
from tables.order_progress import closed_out
from tables.order_speech import say, settled
from tables.order_states import OWED, TRANSITIONS, UNDECIDED, asked, check_lines, decide, noted
from tables.outcome import At, Outcome, View
from tables.pruning import DELETED, forget_at, is_forgotten
from tables.rows import OrderRow, PartitionRow, SeenFact, order_key

__all__ = ["FACTS", "FACTS_MAX", "HOPS_BITS_MAX", "LINES_TOLD_MAX", "ORDER_RECORDS", "TRANSITIONS", "step"]

FACTS_MAX = 500  # facts one order may carry; more is a broken connector
LINES_TOLD_MAX = 4_000  # lines that facts of an order may name, and make it name, in all: its row is one record
ID_CONFLICT = "id_conflict: this id was used with other content before"

Handler = Callable[[OrderRow, Any, At, PartitionRow], OrderRow | str]


def step(view: View, record: Any, at: At, log: PartitionRow) -> Outcome:
    """Apply one record to its order; a record that was applied before says again what it said."""
    key = order_key(record.order_id)
    row: OrderRow | None = view.get(key)
    if row is not None and is_forgotten(row, at, log):
        row = None
    kind = type(record)
    if kind is r.ReservationOverdue:
        return Outcome(sends=settled(row, record, at, log))
    if row is None or row.at < at.place:
        before = row or replace(_UNPLACED, at=at.place, order_id=record.order_id)
        if kind is r.OrderPlaced:
            after = order_placing.placed(view, before, record, at, log)
        else:
            after = _HANDLE[kind](before, record, at, log)
        if isinstance(after, str):
            return Outcome(dead=after)
        if after is before:
            return Outcome()
        after = _followed(view, before, after, at, log)
        if before.state in UNDECIDED or after.state != before.state or after.fulfilments is not before.fulfilments:
            after = _in_turn(view, after, at, log)
        owed = after.state in ("pending", "on_hold", *OWED) or bool(after.awaited)
        row = replace(after, at=at.place, forget_ms=0 if owed else forget_at(log, log.limits.order_keep_seconds))
    elif why := _was_dead(row, record, at, log):
        return Outcome(dead=why)
    return Outcome(rows={key: row}, sends=say(row, at, log))


def _followed(view: View, before: OrderRow, after: OrderRow, at: At, log: PartitionRow) -> OrderRow:
    """`after` with what follows from one record: edits go on, what nobody is owed any more is given back."""
    if after.edits or after.edit is not None:
        after = order_edits.follow_up(view, after, at, log)
    if after.lines is not before.lines and after.state != "pending":  # until then nothing is given up or shipped
        check_lines(after)
        if before.policy == "backorder":
            after = closed_out(before, after, at)
    return after


def _in_turn(view: View, row: OrderRow, at: At, log: PartitionRow) -> OrderRow:
    """`row` with the facts applied that waited for what this record told."""
    while (found := order_early.next_in_turn(row)) is not None:
        row, record, ms = found
        then = At(at.place, ms)
        after = _GOODS[type(record)](row, record, then, log)
        why = after if isinstance(after, str) else _too_many(row, after)
        if why or isinstance(after, str):  # its record was taken; what is wrong with it shows only now
            row = noted(row, f"{record.__struct_config__.tag} {record.id}: {why}")
        else:
            row = _followed(view, row, after, then, log)
    return row


def _was_dead(row: OrderRow, record: Any, at: At, log: PartitionRow) -> str:
    """Why a record that is delivered again was a dead letter the first time; "" if it was none.

    It stands nowhere, and need not: ids and contents that a row has seen are only ever added.
    """
    if isinstance(record, r.OrderPlaced):
        return PLACED_OTHERWISE if row.digest and not is_the_same(row, record, log) else ""
    if not isinstance(record, FACTS) or row.state == DELETED:
        return ""
    taken = next((fact for fact in row.seen if fact.id == record.id), None)
    if taken is None or taken.at > at.place:
        return "not_applied: this order did not take this fact when it came first"
    return "" if taken.digest == digest(record) else ID_CONFLICT


# What is known of an order before its `order_placed` arrives: any arrival order is accepted.
_UNPLACED = OrderRow(
    0, "", "unplaced", "", "none", 0, (), False, "", b"", 0, 0, "", (), (), (), (), (), (), (), (), "", "", 0, (), (),
    (), (), None, (), (), "", (), (), 0,
)  # fmt: skip


def _deadline_reached(row: OrderRow, record: r.DeadlineReached, at: At, log: PartitionRow) -> OrderRow:
    """The note itself says that the time has come. State time is not asked again: read a second time, after a crash, it
    would be later, and a note of a deadline that no longer was could end an order that was told otherwise."""
    if row.deadline_ms != record.deadline_ms:
        return row
    if row.state == "unplaced":  # what waits for an order that never came waits no longer
        return replace(row, deadline_ms=0)
    if row.state == "pending":
        return decide(row, "expire", "no_answer", asked(row), at)
    if row.state == "on_hold":
        reason = "payment_deadline" if row.payment == "pending" else "check_deadline"
        return decide(row, "expire", reason, row.granted, at)
    return order_edits.no_answer(row, at) if row.edit is not None else row


def _once(handle: Handler, *, bounded: bool = True) -> Handler:
    """A fact counts once: the same id elsewhere changes nothing, with other content it is a conflict."""

    def once(row: OrderRow, record: Any, at: At, log: PartitionRow) -> OrderRow | str:
        content = digest(record)
        for fact in row.seen:
            if fact.id == record.id:
                return row if fact.digest == content else ID_CONFLICT
        if bounded and len(row.seen) >= FACTS_MAX:
            return f"too_many_facts: an order carries at most {FACTS_MAX}"
        after = handle(row, record, at, log)
        if isinstance(after, str):
            return after
        if bounded and after is not row and (why := _too_many(row, after)):
            return why
        return replace(after, seen=(*after.seen, SeenFact(record.id, content, at.place)))

    return once


def _too_many(before: OrderRow, after: OrderRow) -> str:
    if _lines_told(after) <= max(_lines_told(before), LINES_TOLD_MAX):
        return ""
    return f"too_many_lines: facts of an order name at most {LINES_TOLD_MAX}"


def _lines_told(row: OrderRow) -> int:
    """Lines, numbers and notes that the row remembers beside the order's own."""
    named = (*row.entries, *row.waiting, *row.edits, *row.returns)
    numbers = sum(len(x.cartons) + len(x.tracking) for x in row.fulfilments)
    return sum(len(x.lines) for x in named) + numbers + len(row.late) + order_early.lines_waiting(row)


def _goods(row: OrderRow, record: Any, at: At, log: PartitionRow) -> OrderRow | str:
    """Since rules 4 what is told of goods waits for its turn. A parcel of an order on hold decides it."""
    undecided = row.state in UNDECIDED
    if log.logic_version < 4 or not (undecided or order_early.comes_early(row, record)):
        return _GOODS[type(record)](row, record, at, log)
    row = order_early.kept(row, record, at, log)
    return order_answers.grant_or_wait(row, at, log) if row.state == "on_hold" else row


_GOODS: dict[type, Handler] = {
    r.OrderPicked: order_fulfilment.picked,
    r.OrderPacked: order_fulfilment.packed,
    r.OrderShipped: order_shipping.shipped,
    r.TrackingUpdated: order_fulfilment.tracking_updated,
    r.OrderDelivered: order_fulfilment.delivered,
    r.OrderReturned: order_returns.returned,
    r.ReturnAuthorized: order_returns.authorized,
    r.ReturnReceived: order_returns.received,
    r.ReturnInspected: order_returns.inspected,
}


_FACTS: dict[type, Handler] = {
    r.CancelRequested: _once(cancelled),
    r.OrderEdited: _once(order_edits.edited),
    r.PaymentAuthorized: _once(order_payments.authorized),
    r.PaymentCaptured: _once(order_payments.captured),
    r.PaymentFailed: _once(order_payments.failed),
    r.PaymentRefunded: _once(order_payments.refunded),
    r.PaymentVoided: _once(order_payments.voided),
    r.CheckOpened: _once(order_payments.check_opened),
    r.CheckPassed: _once(order_payments.check_passed),
    r.CheckFailed: _once(order_payments.check_failed),
    **dict.fromkeys(_GOODS, _once(_goods)),
    r.BackorderFilled: _once(order_fulfilment.filled, bounded=False),  # our own word: as many as there are fills
}
_HANDLE: dict[type, Handler] = {
    **_FACTS,
    r.ReserveAnswered: order_answers.answered,
    r.MoveAnswered: order_answers.moved,
    r.AskAgain: order_placing.ask_again,
    r.DeadlineReached: _deadline_reached,
}
ORDER_RECORDS = (r.OrderPlaced, *_HANDLE, r.ReservationOverdue)
FACTS = tuple(_FACTS)
