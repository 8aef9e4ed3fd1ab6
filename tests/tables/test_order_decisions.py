"""Placing, answers, second attempts, deadlines: how an order comes to its one decision.

`order_log` is the partition of one order, `o1`, of 2 A and 1 B, which live in stock partitions of their own.
"""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from tables import orders
from tables import records as r
from tables.murmur2 import partition_of_sku
from tables.outcome import ORDERS, RESERVATIONS, WAREHOUSE, Outcome

A, B = "A", "B"
OF_A, OF_B = partition_of_sku(A, 4), partition_of_sku(B, 4)
TWO_A, ONE_B = r.Part(A, 2, "W1"), r.Part(B, 1, "W1")
EVERYWHERE = sorted([OF_A, OF_B])
RELEASED = [("Release", p) for p in EVERYWHERE]


# -- placing -----------------------------------------------------------------------------------------------------------


def test_a_placed_order_asks_each_stock_partition_for_its_own_lines(order_log: Any) -> None:
    outcome = order_log.place(occurred_at="2026-03-02T10:00:00+02:00")
    assert sorted(send.partition for send in outcome.sends) == EVERYWHERE
    assert {send.partition: send.record.lines for send in outcome.sends} == {
        OF_A: [r.Line(A, 2)], OF_B: [r.Line(B, 1)],
    }  # fmt: skip
    for command in order_log.sent_to(outcome, WAREHOUSE):
        assert (command.attempt, command.order_partition, command.locations) == (1, 0, ["W1", "W2"])
        assert (command.asked_ms, command.occurred_at) == (order_log.start_ms, "2026-03-02T08:00:00Z")
    assert order_log.order().state == "pending"


def test_the_same_sku_twice_is_summed_before_it_is_asked(order_log: Any) -> None:
    (command,) = order_log.sent_to(order_log.place((A, 2), (A, 3)), WAREHOUSE)
    assert command.lines == [r.Line(A, 5)]


@pytest.mark.parametrize("occurred_at", ["2026-02-31T10:00:00+02:00", "2026-03-02T99:15:00Z", "0000-00-00T00:00:00Z"])
def test_a_time_that_no_calendar_has_does_not_stop_the_order(order_log: Any, occurred_at: str) -> None:
    order_log.place(occurred_at=occurred_at)
    assert (order_log.order().state, order_log.order().occurred_at) == ("pending", "")


# -- answers -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("first", "second"), [(TWO_A, ONE_B), (ONE_B, TWO_A)])
def test_the_answer_that_completes_them_decides_in_whatever_order_they_come(
    order_log: Any, first: r.Part, second: r.Part
) -> None:
    order_log.place()
    assert order_log.answer(replace(first, location="W2")).sends == []
    outcome = order_log.answer(second)
    decision = order_log.decision(outcome)
    assert decision.status == "confirmed"
    assert {line.sku: line.location for line in decision.lines} == {first.sku: "W2", second.sku: "W1"}
    assert sorted(order_log.commands(outcome)) == [("Allocate", p) for p in EVERYWHERE]
    assert (decision.partition, decision.offset, decision.index) == (0, order_log.end, 0)


def test_an_answer_to_an_order_nobody_placed_is_a_dead_letter(order_log: Any) -> None:
    assert order_log.answer(TWO_A, attempt=1).dead.startswith("unknown_order")
    assert order_log.rows() == {}


def test_an_answer_for_another_number_of_units_is_a_dead_letter_and_nothing_moves(order_log: Any) -> None:
    order_log.place()
    before = order_log.rows()
    assert order_log.answer(r.Part(A, 3, "W1")).dead
    assert order_log.rows() == before


@pytest.mark.parametrize("reason", ["insufficient", "unknown_sku", "too_old"])
@pytest.mark.parametrize("refusal_first", [True, False])
def test_one_refused_line_rejects_the_order_and_gives_the_others_back(
    order_log: Any, reason: str, refusal_first: bool
) -> None:
    order_log.place()
    if refusal_first:
        order_log.refuse(A, reason)
        outcome = order_log.answer(ONE_B)
    else:
        order_log.answer(ONE_B)
        outcome = order_log.refuse(A, reason)
    decision = order_log.decision(outcome)
    assert (decision.status, decision.reason) == ("rejected", reason)
    assert {line.sku: line.reason for line in decision.lines} == {A: reason, B: ""}
    assert order_log.commands(outcome) == [("Release", OF_B)]


# -- contended: asked again --------------------------------------------------------------------------------------------


def wait_and_ask_again(log: Any, outcome: Outcome) -> Outcome:
    """The order's own note goes round as often as it says."""
    turns = 0
    while notes := log.sent_to(outcome, ORDERS):
        outcome = log.append(notes[0])
        turns += 1
        assert turns <= 1 + (1 << orders.HOPS_BITS_MAX)
    return outcome


def test_a_contended_order_gives_back_waits_its_turns_and_asks_again(order_log: Any) -> None:
    order_log.place()
    order_log.answer(TWO_A)
    outcome = order_log.refuse(B, "contended")
    assert order_log.sent_to(outcome, RESERVATIONS) == []
    assert order_log.commands(outcome) == [("Release", OF_A)]
    asked = wait_and_ask_again(order_log, outcome)
    assert sorted(order_log.commands(asked)) == [("Reserve", p) for p in EVERYWHERE]
    assert {command.attempt for command in order_log.sent_to(asked, WAREHOUSE)} == {2}
    order_log.answer(TWO_A, attempt=1)  # too late
    assert order_log.order().state == "pending"
    order_log.grant(asked)
    assert order_log.decisions() == ["confirmed"]


def test_a_contended_order_asks_up_to_the_limit_and_is_then_rejected(order_log: Any) -> None:
    order_log.place()
    for attempt in (1, 2, 3):
        order_log.answer(TWO_A, attempt=attempt)
        outcome = order_log.refuse(B, "contended", attempt)
        if attempt < 3:
            wait_and_ask_again(order_log, outcome)
    decision = order_log.decision(outcome)
    assert (decision.status, decision.reason, decision.attempt) == ("rejected", "contended", 3)
    assert order_log.commands(outcome) == [("Release", OF_A)]


def test_a_line_that_is_gone_outweighs_one_that_is_contended(order_log: Any) -> None:
    order_log.place()
    order_log.refuse(A, "contended")
    order_log.refuse(B, "insufficient")
    assert (order_log.order().state, order_log.order().reason) == ("rejected", "insufficient")


def test_a_shipment_told_meanwhile_does_not_stop_a_contended_order_from_asking_again(order_log: Any) -> None:
    order_log.place((A, 1))
    outcome = order_log.refuse(A, "contended")
    order_log.tell(r.OrderShipped)
    assert order_log.commands(wait_and_ask_again(order_log, outcome)) == [("Reserve", OF_A)]


def test_a_note_that_was_read_before_is_not_a_second_attempt(order_log: Any) -> None:
    order_log.place((A, 1))
    outcome = order_log.refuse(A, "contended")
    note = order_log.sent_to(outcome, ORDERS)[0]
    wait_and_ask_again(order_log, outcome)
    before = order_log.rows()
    assert order_log.append(note) == Outcome()
    assert order_log.rows() == before


# -- deadlines ---------------------------------------------------------------------------------------------------------


def test_an_order_without_an_answer_expires_and_is_released_everywhere(order_log: Any) -> None:
    order_log.place()
    order_log.answer(TWO_A)
    assert order_log.pass_time(599 - 60) == []
    (outcome,) = order_log.pass_time(120)
    decision = order_log.decision(outcome)
    assert (decision.status, decision.reason) == ("expired", "no_answer")
    assert order_log.commands(outcome) == RELEASED
    late = order_log.answer(ONE_B)
    assert (order_log.commands(late), order_log.sent_to(late, RESERVATIONS)) == ([("Release", OF_B)], [])
    assert order_log.decisions() == ["expired"]


def test_an_order_that_is_not_paid_in_time_expires(order_log: Any) -> None:
    outcome = order_log.confirm(payment="pending", payment_seconds=120)
    assert sorted(order_log.commands(outcome)) == [("Hold", p) for p in EVERYWHERE]
    assert order_log.pass_time(60) == []
    (outcome,) = order_log.pass_time(120)
    decision = order_log.decision(outcome)
    assert (decision.status, decision.reason) == ("expired", "payment_deadline")
    assert sorted(order_log.commands(outcome)) == RELEASED


def test_a_paid_order_waits_for_its_check_as_long_as_the_limits_say(order_log: Any) -> None:
    order_log.confirm(checks=["fraud"])
    row = order_log.order()
    answered_ms = order_log.records[-1][1]
    assert (row.state, row.deadline_ms) == ("on_hold", answered_ms + order_log.state.limits.check_seconds * 1000)


def test_an_order_that_is_paid_while_its_check_is_open_waits_for_the_check_only(order_log: Any) -> None:
    order_log.confirm(payment="pending", checks=["fraud"], payment_seconds=120)
    order_log.tell(r.PaymentCaptured)
    order_log.pass_time(600)
    order_log.tell(r.CheckPassed, check="fraud")
    assert order_log.decisions() == ["confirmed"]


def test_a_note_of_a_deadline_that_is_no_longer_the_orders_changes_nothing(order_log: Any) -> None:
    """However late it is read: after a crash state time may be later than it was."""
    order_log.place()
    order_log.pass_time(300)
    before = order_log.rows()
    assert order_log.tell(r.DeadlineReached, deadline_ms=order_log.order().deadline_ms - 1) == Outcome()
    assert order_log.rows() == before
