"""Cancellations, money and checks of an order. Each function changes an order by one fact that it had not seen.

A fact that comes too late changes nothing but is no error. Does not belong here: parcels (`order_parcels`).
"""

from __future__ import annotations

from typing import Any

from proof.audit.intake import LogState
from proof.audit.order import OPEN, Order, decide, give_back
from proof.audit.order_answers import grant
from proof.audit.order_edits import end_edit, next_edit
from tables import records as r

ENDED = ("rejected", "expired", "cancelled")
TAKEN = ("captured", "partially_refunded", "refunded")  # the money was there


def cancelled(order: Order, record: r.CancelRequested, place: int, ms: int, log: LogState) -> bool:
    if record.lines:
        if log.logic >= 6 and (order.edits or order.edit is not None):
            order.edits.append(("", record))
        elif order.state in OPEN:
            order.waiting.append((record.reason, record.lines))
        else:
            give_back(order, record.reason, order.units(record.lines), place, ms)
            order.fewer_kits(record.lines)
            if order.state == "cancelled":  # with the last of its units an edit that waits for stock is over, too
                end_edit(order)
                next_edit(order, place, ms, log)
    elif order.state == "unplaced":
        order.cancelled_early = True
    elif order.state in OPEN:
        decide(order, "rejected", "cancelled", place, ms)
    else:
        end_edit(order)
        skus = dict.fromkeys(x.sku for x in order.lines)
        give_back(order, record.reason, {x: sum(line.open for line in order.of(x)) for x in skus}, place, ms)
        next_edit(order, place, ms, log)
    return True


def paid(order: Order, record: Any, place: int, ms: int, log: LogState) -> bool:
    """Captured, or authorized: both are enough to confirm."""
    payment = "captured" if type(record) is r.PaymentCaptured else "authorized"
    if order.payment in TAKEN or (payment == "authorized" and order.payment not in ("none", "pending", "failed")):
        return True
    _have_money(order, payment, place, ms, log)
    return True


def _have_money(order: Order, payment: str, place: int, ms: int, log: LogState) -> None:
    order.payment = payment
    if order.state == "expired":
        order.state = "paid_unallocated"
    elif order.state == "on_hold":
        _go_on(order, place, ms, log, waits_anew=True)


def _go_on(order: Order, place: int, ms: int, log: LogState, *, waits_anew: bool = False) -> None:
    if order.state == "on_hold":
        grant(order, place, ms, log)
        if order.state == "on_hold" and waits_anew:  # it waits for its checks alone now
            order.deadline = log.deadline(log.limits.check_seconds, ms)


def not_paid(order: Order, record: r.PaymentFailed, place: int, ms: int, log: LogState) -> bool:
    if order.payment in TAKEN:
        return True
    if order.state in OPEN or order.payment == "authorized":
        order.payment = "failed"
        _go_on(order, place, ms, log)
    return True


def paid_back(order: Order, record: Any, place: int, ms: int, log: LogState) -> bool:
    if type(record) is r.PaymentRefunded:
        if record.partial:
            if order.payment not in TAKEN and log.logic >= 2:  # it must have been
                _have_money(order, "captured", place, ms, log)
            order.payment = "refunded" if order.payment == "refunded" else "partially_refunded"
            return True
        order.payment = "refunded"
    elif order.payment in TAKEN:
        return True
    else:
        order.payment = "voided"
    _go_on(order, place, ms, log)
    return True


def wanted_payment(order: Order) -> str:
    """What whoever talks to the bank has to do now."""
    if order.payment == "authorized":
        if order.state in ("confirmed", "picked", "packed", "shipped", "delivered"):
            return "capture"
        return "void" if order.state in (*ENDED, "returned", "paid_unallocated") else ""
    if order.payment in ("captured", "partially_refunded"):
        over = order.state in (*ENDED, "returned", "paid_unallocated")
        less = order.payment == "captured" and any(x.cancelled or x.returned for x in order.lines)
        return "refund" if over or less else ""
    return ""


def checked(order: Order, record: Any, place: int, ms: int, log: LogState) -> bool:
    kind = type(record)
    if kind is r.CheckOpened:
        if order.state in OPEN:
            order.open_check(record.check)
    elif kind is r.CheckPassed:
        if record.check in order.checks:
            order.checks.remove(record.check)
            _go_on(order, place, ms, log)
        elif order.state in OPEN and log.logic >= 3 and record.check not in order.passed:
            order.passed.append(record.check)
    elif order.state in OPEN:
        order.check_failed = True
        _go_on(order, place, ms, log)
    return True
