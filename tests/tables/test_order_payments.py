"""Money and checks: what is known of them whatever order it is told in, when they decide, what is wanted of the bank.

`order_log` is the partition of one order, `o1`, of 2 A and 1 B, which live in stock partitions of their own.
"""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from tables import records as r
from tables.log import LOGIC_VERSION
from tables.murmur2 import partition_of_sku
from tables.outcome import ALERTS, RESERVATIONS, Outcome

AUTHORIZED, CAPTURED, FAILED = r.PaymentAuthorized, r.PaymentCaptured, r.PaymentFailed
VOIDED, REFUNDED = r.PaymentVoided, r.PaymentRefunded


def decisions(outcome: Outcome) -> list[tuple[str, str]]:
    return [(x.record.status, x.record.reason) for x in outcome.sends if x.topic == RESERVATIONS]


def wanted(log: Any) -> tuple[str, str, str]:
    document = log.document()
    return document.status, document.payment, document.payment_wanted


def expire(log: Any) -> None:
    log.tell(r.DeadlineReached, deadline_ms=log.order().deadline_ms)
    assert log.order().state == "expired"


def test_an_order_is_confirmed_by_whatever_it_waited_for_last(order_log: Any) -> None:
    order_log.confirm(payment="pending", checks=["fraud", "address"])
    order_log.tell(r.CheckPassed, "c1", check="fraud")
    order_log.tell(CAPTURED)
    assert order_log.order().state == "on_hold"
    order_log.tell(r.CheckPassed, "c2", check="address")
    assert order_log.decisions() == ["confirmed"]


@pytest.mark.parametrize(
    ("failed", "reason"),
    [(r.PaymentFailed(id="f", order_id="o1"), "payment_failed"),
     (r.CheckFailed(id="f", order_id="o1", check="fraud"), "check_failed")],
)  # fmt: skip
@pytest.mark.parametrize("when", ["before it is placed", "before the answers", "on hold"])
def test_a_failed_payment_or_check_rejects_the_order_whenever_it_comes(
    order_log: Any, failed: Any, reason: str, when: str
) -> None:
    if when == "before it is placed":
        order_log.append(failed)
    asked = order_log.place(payment="pending")
    if when == "before the answers":
        order_log.append(failed)
    outcome = order_log.grant(asked)
    if when == "on hold":
        outcome = order_log.append(failed)
    assert decisions(outcome) == [("rejected", reason)]
    assert sorted(order_log.commands(outcome)) == [("Release", p) for p in sorted(partition_of_sku(x, 4) for x in "AB")]


def test_a_payment_that_failed_and_then_succeeded_is_paid(order_log: Any) -> None:
    asked = order_log.place(payment="pending")
    order_log.tell(FAILED)
    order_log.tell(CAPTURED)
    order_log.grant(asked)
    assert order_log.decisions() == ["confirmed"]


def test_a_payment_that_came_before_the_order_counts(order_log: Any) -> None:
    order_log.tell(CAPTURED)
    order_log.confirm(payment="pending")
    assert order_log.decisions() == ["confirmed"]


def test_a_check_opened_while_undecided_holds_the_order(order_log: Any) -> None:
    asked = order_log.place()
    order_log.tell(r.CheckOpened, check="fraud")
    order_log.grant(asked)
    assert order_log.order().state == "on_hold"


PASSED = r.CheckPassed(id="p", order_id="o1", check="fraud")
OPENED = r.CheckOpened(id="c", order_id="o1", check="fraud")


@pytest.mark.parametrize("told", [[PASSED, OPENED], [OPENED, PASSED]])
@pytest.mark.parametrize("when", ["before it is placed", "before the answers", "on hold"])
def test_a_check_holds_no_order_once_it_is_passed_whichever_word_comes_first(
    order_log: Any, told: list[Any], when: str
) -> None:
    if when == "before it is placed":
        for fact in told:
            order_log.append(fact)
    asked = order_log.place(payment="pending")
    if when == "before the answers":
        for fact in told:
            order_log.append(fact)
    order_log.grant(asked)
    if when == "on hold":
        for fact in told:
            order_log.append(fact)
    assert (order_log.order().state, order_log.order().checks, order_log.order().late) == ("on_hold", (), ())
    order_log.tell(CAPTURED)
    assert order_log.decisions() == ["confirmed"]


def test_a_check_that_was_passed_before_the_order_came_with_it_does_not_hold_the_order(order_log: Any) -> None:
    order_log.append(PASSED)
    order_log.confirm(checks=["address", "fraud", "fraud"])
    assert (order_log.order().checks, order_log.document().checks) == (("address",), ["address"])
    order_log.tell(r.CheckPassed, "p2", check="address")
    assert order_log.decisions() == ["confirmed"]


def test_a_check_that_was_passed_early_is_not_shown_and_waits_only_for_its_own_opening(order_log: Any) -> None:
    order_log.place(payment="pending", checks=["address"])
    for n in range(2):
        order_log.tell(r.CheckPassed, f"early{n}", check="fraud")
    order_log.tell(r.CheckPassed, "vip", check="vip")
    assert order_log.document().checks == ["address"]
    order_log.tell(r.CheckOpened, "other", check="credit")
    order_log.tell(r.CheckOpened, "first", check="fraud")
    assert order_log.document().checks == ["address", "credit"]
    order_log.tell(r.CheckOpened, "again", check="fraud")
    assert order_log.document().checks == ["address", "credit", "fraud"]
    order_log.tell(r.CheckPassed, "known", check="address")
    order_log.tell(r.CheckOpened, "vips", check="vip")
    assert order_log.order().checks == ("credit", "fraud")


def test_by_rules_2_a_check_that_was_passed_before_it_was_opened_is_noted_alone(order_log: Any) -> None:
    order_log.state = replace(order_log.state, logic_version=2)
    order_log.append(PASSED)
    order_log.confirm(checks=["fraud"])
    row = order_log.order()
    assert (row.state, row.checks, row.late) == ("on_hold", ("fraud",), ("check_passed fraud while unplaced",))


def test_a_check_that_was_passed_after_the_decision_is_noted_alone(order_log: Any) -> None:
    order_log.confirm()
    order_log.append(PASSED)
    assert (order_log.order().checks, order_log.order().late) == ((), ("check_passed fraud while confirmed",))


def test_a_payment_after_the_order_expired_is_noted_raises_an_alert_and_decides_nothing(order_log: Any) -> None:
    order_log.confirm(payment="pending", payment_seconds=60)
    order_log.pass_time(120)
    lines = order_log.order().lines
    outcome = order_log.tell(CAPTURED)
    (alert,) = [send.record for send in outcome.sends]
    assert (alert.kind, alert.sku, alert.order_id, alert.units) == ("paid_unallocated", "A", "o1", 3)
    row = order_log.order()
    assert (row.state, row.payment, row.late) == ("paid_unallocated", "captured", ("payment_captured while expired",))
    assert row.lines == lines
    assert order_log.document().payment_wanted == "refund"


def test_an_authorized_order_is_confirmed_and_asks_for_its_money(order_log: Any) -> None:
    assert decisions(order_log.confirm(payment="authorized")) == [("confirmed", "")]
    assert wanted(order_log) == ("confirmed", "authorized", "capture")
    order_log.tell(CAPTURED)
    assert wanted(order_log) == ("confirmed", "captured", "")
    assert order_log.order().late == ()


def test_an_authorization_confirms_an_order_that_waited_for_it(order_log: Any) -> None:
    order_log.confirm(payment="pending")
    assert decisions(order_log.tell(AUTHORIZED)) == [("confirmed", "")]


def test_an_authorized_order_that_waits_for_a_check_has_the_checks_deadline(order_log: Any) -> None:
    order_log.confirm(payment="pending", checks=["fraud"])
    order_log.tell(AUTHORIZED)
    row = order_log.order()
    limits = order_log.state.limits
    assert (row.state, row.deadline_ms) == ("on_hold", order_log.records[-1][1] + limits.check_seconds * 1000)


@pytest.mark.parametrize("reached", [r.OrderPicked, r.OrderPacked, r.OrderShipped])
def test_the_money_of_an_authorized_order_is_wanted_until_it_is_taken(order_log: Any, reached: type) -> None:
    order_log.confirm(payment="authorized")
    order_log.tell(reached)
    assert wanted(order_log)[1:] == ("authorized", "capture")


@pytest.mark.parametrize(("payment", "then"), [("authorized", "void"), ("paid", "refund")])
def test_an_order_that_came_back_whole_gives_its_money_back(order_log: Any, payment: str, then: str) -> None:
    order_log.confirm(payment=payment)
    order_log.tell(r.OrderShipped)
    order_log.tell(r.OrderReturned)
    assert (order_log.order().state, order_log.document().payment_wanted) == ("returned", then)


@pytest.mark.parametrize(("payment", "then"), [("authorized", "void"), ("paid", "refund")])
def test_the_money_of_an_order_that_came_to_nothing_is_wanted_back(order_log: Any, payment: str, then: str) -> None:
    order_log.confirm(payment=payment)
    order_log.tell(r.CancelRequested)
    assert wanted(order_log)[2] == then


@pytest.mark.parametrize(("payment", "then"), [("authorized", "void"), ("paid", "refund"), ("pending", "")])
def test_the_money_of_a_rejected_or_expired_order_is_wanted_back(order_log: Any, payment: str, then: str) -> None:
    order_log.place(payment=payment)
    expire(order_log)
    assert wanted(order_log)[2] == then


def test_a_returned_order_wants_its_money_back_until_it_was_given(order_log: Any) -> None:
    order_log.confirm()
    order_log.tell(r.OrderShipped)
    order_log.tell(r.OrderReturned)
    assert wanted(order_log) == ("returned", "captured", "refund")
    order_log.tell(REFUNDED, partial=True)
    assert wanted(order_log) == ("returned", "partially_refunded", "refund")
    order_log.tell(REFUNDED)
    assert wanted(order_log) == ("returned", "refunded", "")


@pytest.mark.parametrize(
    ("kind", "payment", "then"), [(AUTHORIZED, "authorized", "void"), (CAPTURED, "captured", "refund")]
)
def test_money_for_an_expired_order_raises_one_alert_and_says_it_again(
    order_log: Any, kind: type, payment: str, then: str
) -> None:
    order_log.confirm(payment="pending")
    expire(order_log)
    lines = order_log.order().lines
    outcome = order_log.tell(kind)
    offset = order_log.end
    ((topic, key, alert),) = [(x.topic, x.key, x.record) for x in outcome.sends]
    assert (topic, key, alert.kind, alert.order_id, alert.units) == (ALERTS, "A", "paid_unallocated", "o1", 3)
    assert wanted(order_log) == ("paid_unallocated", payment, then)
    assert order_log.tell(CAPTURED).sends == []
    assert (order_log.order().state, order_log.order().lines) == ("paid_unallocated", lines)
    assert order_log.deliver(offset).sends == outcome.sends


@pytest.mark.parametrize("known", ["pending", "authorized"])
@pytest.mark.parametrize("when", ["unplaced", "pending", "on_hold"])
@pytest.mark.parametrize("rules", range(2, LOGIC_VERSION + 1))
def test_a_partial_refund_tells_of_the_payment_that_it_overtook(
    order_log: Any, rules: int, when: str, known: str
) -> None:
    order_log.state = replace(order_log.state, logic_version=rules)
    if when == "unplaced":
        order_log.tell(REFUNDED, partial=True)
    asked = order_log.place(payment=known, checks=["fraud"])
    if when == "pending":
        order_log.tell(REFUNDED, partial=True)
    order_log.grant(asked)
    if when == "on_hold":
        order_log.tell(REFUNDED, partial=True)
    begins_ms = order_log.records[-1][1]
    order_log.tell(CAPTURED)
    limits, row = order_log.state.limits, order_log.order()
    assert (row.state, row.deadline_ms) == ("on_hold", begins_ms + limits.check_seconds * 1000)
    order_log.pass_time(limits.payment_seconds)
    order_log.tell(r.CheckPassed, check="fraud")
    assert (order_log.decisions(), wanted(order_log)) == (["confirmed"], ("confirmed", "partially_refunded", ""))
    assert order_log.order().late == ()


def test_a_partial_refund_does_not_begin_the_deadline_of_a_check_anew(order_log: Any) -> None:
    order_log.confirm(checks=["fraud"])
    before = order_log.order().deadline_ms
    order_log.pass_time(60)
    order_log.tell(REFUNDED, partial=True)
    assert order_log.order().deadline_ms == before


def test_a_partial_refund_of_an_order_that_expired_unpaid_tells_of_its_money(order_log: Any) -> None:
    books = []
    for told in ([CAPTURED, REFUNDED], [REFUNDED, CAPTURED]):
        log = order_log.__class__(order_log.step, 4, order_log.state.limits)
        log.confirm(payment="pending")
        expire(log)
        sent = [x.record.kind for kind in told for x in log.tell(
            kind, **({"partial": True} if kind is REFUNDED else {})).sends]  # fmt: skip
        books.append((sent, wanted(log), log.order().late))
    late = ("payment_captured while expired",)
    assert books == [(["paid_unallocated"], ("paid_unallocated", "partially_refunded", "refund"), late)] * 2


@pytest.mark.parametrize(
    ("told", "known"),
    [
        ([CAPTURED, AUTHORIZED], "captured"), ([FAILED, AUTHORIZED], "authorized"), ([AUTHORIZED, FAILED], "failed"),
        ([CAPTURED, FAILED], "captured"), ([CAPTURED, VOIDED], "captured"), ([AUTHORIZED, VOIDED], "voided"),
        ([VOIDED, AUTHORIZED], "voided"), ([REFUNDED, CAPTURED], "refunded"), ([CAPTURED, REFUNDED], "refunded"),
    ],
)  # fmt: skip
def test_what_is_known_of_the_money_is_the_furthest_that_was_told(order_log: Any, told: list[type], known: str) -> None:
    for kind in told:
        order_log.tell(kind)
    assert order_log.order().payment == known


@pytest.mark.parametrize(
    ("kind", "reason"), [(FAILED, "payment_failed"), (VOIDED, "payment_voided"), (REFUNDED, "payment_refunded")]
)
@pytest.mark.parametrize("first", [True, False])
def test_money_that_is_gone_rejects_an_order_that_waits(order_log: Any, kind: type, reason: str, first: bool) -> None:
    if first:
        order_log.tell(kind)
        outcome = order_log.confirm(payment="authorized")
    else:
        order_log.confirm(payment="authorized", checks=["fraud"])
        outcome = order_log.tell(kind)
    assert decisions(outcome) == [("rejected", reason)]


def test_a_capture_that_fails_after_the_order_was_confirmed_is_noted_and_shown(order_log: Any) -> None:
    order_log.confirm(payment="authorized")
    lines = order_log.order().lines
    assert order_log.tell(FAILED).sends == []
    assert wanted(order_log) == ("confirmed", "failed", "")
    assert (order_log.order().late, order_log.order().lines) == (("payment_failed while confirmed",), lines)


@pytest.mark.parametrize("kind", [FAILED, VOIDED])
def test_captured_money_does_not_fail_any_more(order_log: Any, kind: type) -> None:
    order_log.confirm()
    before = order_log.order()
    assert order_log.tell(kind).sends == []
    after = order_log.order()
    assert (after.state, after.payment, after.lines) == (before.state, "captured", before.lines)
    assert len(after.late) == 1


def test_by_older_rules_a_partial_refund_that_overtook_its_payment_is_noted_alone(order_log: Any) -> None:
    order_log.state = replace(order_log.state, logic_version=1)
    order_log.confirm(payment="pending")
    order_log.tell(REFUNDED, partial=True)
    assert (order_log.order().state, order_log.order().payment) == ("on_hold", "partially_refunded")


@pytest.mark.parametrize(("partial", "known"), [(True, "partially_refunded"), (False, "refunded")])
def test_a_refund_told_before_the_order_is_a_later_word_than_the_order_s_that_it_is_paid(
    order_log: Any, partial: bool, known: str
) -> None:
    order_log.tell(REFUNDED, partial=partial)
    order_log.place(payment="paid")
    assert order_log.order().payment == known
