"""Cancellations, money and checks of an order. Each function changes an order by one fact that it had not seen.

A fact that comes too late changes nothing but is no error. Does not belong here: parcels (`order_parcels`).
"""

from __future__ import annotations

from typing import Any

from proof.audit.intake import LogState
from proof.audit.order import GOOD, OPEN, Order, decide, give_back
from proof.audit.order_answers import grant
from tables import records as r


def cancelled(order: Order, record: r.CancelRequested, place: int, ms: int, log: LogState) -> bool:
    if record.lines:
        units: dict[str, int] = {}
        for line in record.lines:
            units[line.sku] = units.get(line.sku, 0) + line.quantity
        if order.state in OPEN:
            order.waiting.append((record.reason, units))
        else:
            give_back(order, record.reason, units, place, ms)
    elif order.state == "unplaced":
        order.cancelled_early = True
    elif order.state in OPEN:
        decide(order, "rejected", "cancelled", place, ms)
    else:
        if order.edit is not None:
            order.edit, order.deadline = None, 0
        order.edits = []
        skus = dict.fromkeys(x.sku for x in order.lines)
        give_back(order, record.reason, {x: sum(line.open for line in order.of(x)) for x in skus}, place, ms)
    return True


def paid(order: Order, record: Any, place: int, ms: int, log: LogState) -> bool:
    """Captured, or authorized: both are enough to confirm."""
    payment = "captured" if type(record) is r.PaymentCaptured else "authorized"
    if order.payment == payment or (payment == "authorized" and order.payment not in ("none", "pending", "failed")):
        return True
    before, order.payment = order.payment, payment
    if order.state == "expired":
        order.state = "paid_unallocated"
    elif order.state == "on_hold" and before not in GOOD:
        grant(order, place, ms, log)
        if order.state == "on_hold":  # it waits for its checks alone now
            order.deadline = log.from_now(log.limits.check_seconds)
    return True


def not_paid(order: Order, record: r.PaymentFailed, place: int, ms: int, log: LogState) -> bool:
    if order.payment != "captured" and order.state in OPEN:
        order.payment = "failed"
        if order.state == "on_hold":
            grant(order, place, ms, log)
    return True


def paid_back(order: Order, record: Any, place: int, ms: int, log: LogState) -> bool:
    if type(record) is r.PaymentVoided:
        if order.payment == "authorized":
            order.payment = "voided"
    elif order.payment in ("captured", "partially_refunded"):
        order.payment = "partially_refunded" if record.partial else "refunded"
    return True


def wanted_payment(order: Order) -> str:
    """What whoever talks to the bank has to do now."""
    ended = order.state in ("rejected", "expired", "cancelled")
    if order.payment == "authorized":
        if order.state in ("confirmed", "picked", "packed", "shipped", "delivered"):
            return "capture"
        return "void" if ended else ""
    if order.payment in ("captured", "partially_refunded"):
        return "refund" if ended or order.state in ("returned", "paid_unallocated") else ""
    return ""


def checked(order: Order, record: Any, place: int, ms: int, log: LogState) -> bool:
    kind = type(record)
    if kind is r.CheckOpened:
        if order.state in OPEN and record.check not in order.checks:
            order.checks.append(record.check)
    elif kind is r.CheckPassed:
        if record.check in order.checks:
            order.checks.remove(record.check)
            if order.state == "on_hold":
                grant(order, place, ms, log)
    elif order.state in OPEN:
        order.check_failed = True
        if order.state == "on_hold":
            grant(order, place, ms, log)
    return True
