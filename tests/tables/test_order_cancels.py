"""Cancelling, whenever it comes, and stock for those who wait.

`order_log` is the partition of one order, `o1`, of 2 A and 1 B, which live in stock partitions of their own.
"""

from __future__ import annotations

from typing import Any

import pytest

from tables import records as r
from tables.murmur2 import partition_of_sku
from tables.outcome import RESERVATIONS, WAREHOUSE

A, B = "A", "B"
OF_A, OF_B = partition_of_sku(A, 4), partition_of_sku(B, 4)
TWO_A, ONE_B = r.Part(A, 2, "W1"), r.Part(B, 1, "W1")
RELEASED = [("Release", p) for p in sorted([OF_A, OF_B])]


def test_cancelled_before_it_is_placed_it_is_rejected_at_once_and_asks_for_nothing(order_log: Any) -> None:
    order_log.tell(r.CancelRequested)
    outcome = order_log.place()
    decision = order_log.decision(outcome)
    assert (decision.status, decision.reason) == ("rejected", "cancelled")
    assert order_log.commands(outcome) == []


def test_cancelled_while_undecided_it_is_rejected_at_once_and_late_grants_are_given_back(order_log: Any) -> None:
    order_log.place()
    order_log.answer(TWO_A)
    outcome = order_log.tell(r.CancelRequested)
    decision = order_log.decision(outcome)
    assert (decision.status, decision.reason) == ("rejected", "cancelled")
    assert order_log.commands(outcome) == RELEASED
    assert order_log.commands(order_log.answer(ONE_B)) == [("Release", OF_B)]
    assert order_log.decisions() == ["rejected"]


def test_a_late_refusal_of_a_cancelled_order_gives_nothing_back(order_log: Any) -> None:
    order_log.place()
    order_log.tell(r.CancelRequested)
    assert order_log.refuse(A).sends == []


def test_units_cancelled_while_undecided_are_given_back_once_it_is_decided(order_log: Any) -> None:
    asked = order_log.place()
    assert order_log.tell(r.CancelRequested, lines=[r.CancelLine(A, 1)]).sends == []
    outcome = order_log.grant(asked)
    assert [x.status for x in order_log.sent_to(outcome, RESERVATIONS)] == ["confirmed", "cancelled"]
    assert sorted(order_log.commands(outcome)) == sorted([("Allocate", OF_A), ("Allocate", OF_B), ("Release", OF_A)])
    assert [line.open for line in order_log.order().lines] == [1, 1]


def test_cancelled_in_part_the_rest_stays_confirmed(order_log: Any) -> None:
    order_log.confirm()
    outcome = order_log.tell(r.CancelRequested, lines=[r.CancelLine(A, 1)], reason="too many")
    (told,) = order_log.sent_to(outcome, RESERVATIONS)
    assert (told.status, told.reason, told.lines) == ("cancelled", "too many", [r.DecidedLine(A, 1, "W1")])
    (release,) = order_log.sent_to(outcome, WAREHOUSE)
    assert release.lines == [r.ReleaseLine(A, 1, "W1")]
    assert order_log.order().state == "confirmed"

    rest = order_log.tell(r.CancelRequested, "rest")
    assert told.id not in [x.id for x in order_log.sent_to(rest, RESERVATIONS)]
    assert release.id not in [x.id for x in order_log.sent_to(rest, WAREHOUSE)]
    assert order_log.order().state == "cancelled"
    assert [line.cancelled for line in order_log.order().lines] == [2, 1]
    assert order_log.decisions() == ["confirmed"]


def test_what_was_cancelled_in_part_and_shipped_for_the_rest_is_shipped(order_log: Any) -> None:
    order_log.confirm()
    order_log.tell(r.OrderShipped, lines=[r.ShippedLine(A, 2)])
    order_log.tell(r.CancelRequested)
    assert order_log.order().state == "shipped"
    assert [(x.shipped, x.cancelled) for x in order_log.order().lines] == [(2, 0), (0, 1)]


# -- at the edges: each of these was once broken in a copy of the code, and no test failed -----------------------------


def test_a_cancellation_of_the_whole_order_keeps_its_reason_and_tells_it(order_log: Any) -> None:
    order_log.confirm(("A", 5))
    outcome = order_log.tell(r.CancelRequested, reason="fewer guests")
    assert [(x.status, x.reason) for x in order_log.sent(outcome, r.OrderDecided)] == [("cancelled", "fewer guests")]


def test_a_cancellation_of_kits_and_of_units_that_stand_alone_means_both(order_log: Any) -> None:
    order_log.append(r.KitSet(id="k", kit="BOX", parts=[r.KitPart("A", 2), r.KitPart("B", 1)]))
    order_log.confirm(("BOX", 2), ("A", 3))
    order_log.tell(r.CancelRequested, lines=[r.CancelLine("BOX", 1), r.CancelLine("A", 1)])
    assert [(x.sku, x.open, x.cancelled) for x in order_log.order().lines] == [("A", 4, 3), ("B", 1, 1)]


@pytest.mark.parametrize("came", [0, 1, 2])
def test_an_order_of_which_units_wait_is_cancelled_with_each_of_them_once(order_log: Any, came: int) -> None:
    order_log.hold_and_wait(held=0, waiting=3)
    if came:
        order_log.fill(waiting=3 - came, place=9)
    outcome = order_log.tell(r.CancelRequested)
    assert [(x.open, x.back, x.cancelled) for x in order_log.order().lines] == [(0, 0, 3)]
    assert [(x.sku, x.quantity) for told in order_log.sent(outcome, r.OrderDecided) for x in told.lines] == [("A", 3)]
    assert order_log.order().state == "cancelled"


def test_a_cancellation_that_names_a_sku_twice_means_both(order_log: Any) -> None:
    order_log.confirm(("A", 5))
    order_log.tell(r.CancelRequested, lines=[r.Line("A", 1), r.Line("A", 2)])
    assert [(x.open, x.cancelled) for x in order_log.order().lines] == [(2, 3)]


def test_of_units_that_waited_and_were_cancelled_before_stock_heard_of_it_none_waits_any_more(order_log: Any) -> None:
    """Three waited, stock filled one and knows of two; by then the order had given up two."""
    order_log.hold_and_wait(held=0, waiting=3)
    order_log.tell(r.CancelRequested, lines=[r.Line("A", 2)])
    order_log.tell(
        r.BackorderFilled, attempt=1, partition=partition_of_sku("A", 4), sku="A", location="W1", quantity=1, waiting=2,
        heard=0, place=9,
    )  # fmt: skip
    assert [(x.open, x.back, x.cancelled) for x in order_log.order().lines] == [(1, 0, 2)]


def test_of_what_an_order_told_stock_only_what_stock_had_not_heard_is_taken_off(order_log: Any) -> None:
    """It gave up one, then two of six that wait; stock filled one when it had heard of the first."""
    order_log.hold_and_wait(held=0, waiting=6)
    for units in (1, 2):
        order_log.tell(r.CancelRequested, lines=[r.Line("A", units)])
    order_log.tell(
        r.BackorderFilled, attempt=1, partition=partition_of_sku("A", 4), sku="A", location="W1", quantity=1, waiting=4,
        heard=1, place=9,
    )  # fmt: skip
    assert [(x.open, x.back, x.cancelled) for x in order_log.order().lines] == [(3, 2, 3)]


def test_a_fill_of_the_same_place_in_stock_s_log_is_the_same_fill(order_log: Any) -> None:
    order_log.hold_and_wait(held=0, waiting=3)
    for waiting in (2, 0):
        order_log.tell(
            r.BackorderFilled, attempt=1, partition=partition_of_sku("A", 4), sku="A", location="W1", quantity=1,
            waiting=waiting, heard=0, place=9,
        )  # fmt: skip
        assert [(x.open, x.back) for x in order_log.order().lines] == [(3, 2)]


def test_of_what_an_order_told_stock_what_was_given_up_elsewhere_waits_on_here(order_log: Any) -> None:
    """One waits at the first place, three at the second; two are given up, one of each, before stock hears of it."""
    order_log.place(("A", 4), policy="backorder")
    order_log.answer(r.Part("A", 1, "W1", True), r.Part("A", 3, "W2", True))
    order_log.tell(r.CancelRequested, lines=[r.CancelLine("A", 2)])
    assert [(x.location, x.open, x.cancelled) for x in order_log.order().lines] == [("W1", 0, 1), ("W2", 2, 1)]
    order_log.fill(location="W2", waiting=2, place=9)
    assert [(x.location, x.open, x.back) for x in order_log.order().lines] == [("W1", 0, 0), ("W2", 2, 1)]


def test_no_more_units_wait_than_are_owed_whatever_stock_says_that_has_not_heard_of_a_parcel(order_log: Any) -> None:
    """Four waited; two of them left, while stock filled one and knows of three."""
    order_log.hold_and_wait(held=0, waiting=4)
    order_log.tell(r.OrderShipped, lines=[r.ShippedLine("A", 2)])
    order_log.fill(waiting=3, place=9)
    assert [(x.open, x.back, x.shipped) for x in order_log.order().lines] == [(2, 2, 2)]


def test_a_cancellation_told_before_the_grant_keeps_its_reason(order_log: Any) -> None:
    order_log.place(("A", 5))
    order_log.tell(r.CancelRequested, lines=[r.Line("A", 2)], reason="fewer guests")
    order_log.answer(r.Part("A", 5, "W1"))
    assert [x.reason for x in order_log.order().entries if x.kind == "cancel"] == ["fewer guests"]
    assert [(x.open, x.cancelled) for x in order_log.order().lines] == [(3, 2)]
