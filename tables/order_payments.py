"""Money and checks: what is known of them, and when they decide an order that waits.

Pure steps on the order's row. Facts may come in any order: one that was overtaken changes nothing. Money for an order
that expired makes it `paid_unallocated`, with an alert: somebody must give it back or sell again.
Does not belong here: taking or returning money (`payment_wanted` in the order's document says what is to be done).
"""

from __future__ import annotations

from msgspec.structs import replace

from tables import records as r
from tables.order_answers import grant_or_wait
from tables.order_states import TRANSITIONS, UNDECIDED, check_closed, checks_opened, deadline, late, move, open_checks
from tables.outcome import At
from tables.rows import OrderRow, PartitionRow

PAID_UNALLOCATED = "paid_unallocated"
_TAKEN = ("captured", "partially_refunded", "refunded")
_LIVE = ("confirmed", "picked", "packed", "shipped", "delivered")


def authorized(row: OrderRow, record: r.PaymentAuthorized, at: At, log: PartitionRow) -> OrderRow:
    if row.payment not in ("none", "pending", "failed"):
        return row  # overtaken
    return _paid(row, "authorized", at, log)


def captured(row: OrderRow, record: r.PaymentCaptured, at: At, log: PartitionRow) -> OrderRow:
    if row.payment in _TAKEN:
        return row
    return _paid(row, "captured", at, log)


def _paid(row: OrderRow, payment: str, at: At, log: PartitionRow) -> OrderRow:
    event = f"payment_{payment}"
    row = replace(row, payment=payment)
    if row.state == "on_hold":
        row = grant_or_wait(row, at, log)
        if row.state != "on_hold":
            return row
        # It waits for its checks alone now.
        return replace(row, deadline_ms=deadline(log, log.limits.check_seconds, at))
    if row.state in (*UNDECIDED, *_LIVE):
        return row
    row = late(row, event)
    if (row.state, "late_payment") in TRANSITIONS:
        row = replace(move(row, "late_payment"), alerts=(*row.alerts, (at.place, PAID_UNALLOCATED)))
    return row


def failed(row: OrderRow, record: r.PaymentFailed, at: At, log: PartitionRow) -> OrderRow:
    if row.payment in _TAKEN or row.state not in UNDECIDED:
        return late(replace(row, payment="failed") if row.payment == "authorized" else row, "payment_failed")
    return _looked_at(replace(row, payment="failed"), at, log)


def voided(row: OrderRow, record: r.PaymentVoided, at: At, log: PartitionRow) -> OrderRow:
    if row.payment in _TAKEN:
        return late(row, "payment_voided")
    return _looked_at(replace(row, payment="voided"), at, log)


def refunded(row: OrderRow, record: r.PaymentRefunded, at: At, log: PartitionRow) -> OrderRow:
    if record.partial:
        if row.payment not in _TAKEN and log.logic_version >= 2:  # it was taken, then: the word of that is under way
            row = _paid(row, "captured", at, log)
        return row if row.payment == "refunded" else replace(row, payment="partially_refunded")
    return _looked_at(replace(row, payment="refunded"), at, log)


def check_opened(row: OrderRow, record: r.CheckOpened, at: At, log: PartitionRow) -> OrderRow:
    if row.state not in UNDECIDED:
        return late(row, f"check_opened {record.check}")
    return replace(row, checks=checks_opened(row, [record.check]))


def check_passed(row: OrderRow, record: r.CheckPassed, at: At, log: PartitionRow) -> OrderRow:
    # Where it is not open yet, the word that opens it may still be under way.
    awaits_it = row.state in UNDECIDED and log.logic_version >= 3
    if record.check not in open_checks(row) and not awaits_it:
        return late(row, f"check_passed {record.check}")
    return _looked_at(replace(row, checks=check_closed(row, record.check)), at, log)


def check_failed(row: OrderRow, record: r.CheckFailed, at: At, log: PartitionRow) -> OrderRow:
    if row.state not in UNDECIDED:
        return late(row, f"check_failed {record.check}")
    return _looked_at(replace(row, check_failed=True), at, log)


def _looked_at(row: OrderRow, at: At, log: PartitionRow) -> OrderRow:
    """An order that only waits for payment or checks is decided by what it waited for."""
    return grant_or_wait(row, at, log) if row.state == "on_hold" else row
