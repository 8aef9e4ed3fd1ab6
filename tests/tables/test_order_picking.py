"""Picking at the edges.

Each of these was once broken in a copy of the code, and no test failed.
"""

from __future__ import annotations

from typing import Any

import pytest

from tables import records as r
from tables.outcome import Outcome


def test_a_pick_that_names_no_lines_is_of_all_that_is_held_by_whoever_holds_it(order_log: Any) -> None:
    """Two by the first attempt, one by the edit that asked for more."""
    order_log.confirm(("A", 2))
    order_log.tell(r.OrderEdited, lines=[r.Line("A", 3)])
    order_log.answer(r.Part("A", 1, "W1"), attempt=2)
    outcome = order_log.tell(r.OrderPicked)
    assert [(x.sku, x.quantity, x.location, x.attempt) for x in order_log.sent(outcome, r.Picked)] == [
        ("A", 2, "W1", 1), ("A", 1, "W1", 2)
    ]  # fmt: skip


@pytest.mark.parametrize("waiting", ["A", "B"])
def test_an_order_is_not_picked_while_a_unit_of_it_waits_at_the_same_place(order_log: Any, waiting: str) -> None:
    order_log.place(("A", 1), ("B", 1), policy="backorder")
    for sku in ("A", "B"):
        order_log.answer(r.Part(sku, 1, "W1", sku == waiting))
    order_log.tell(r.OrderPicked)
    assert (order_log.order().state, order_log.order().fulfilments[0].state) == ("confirmed", "picked")


def test_what_a_pick_did_not_find_is_missing_where_it_was_still_to_be_picked(order_log: Any) -> None:
    """One of two was found, at the first of two places: the other one is missing at the second."""
    order_log.place(("A", 2))
    order_log.answer(r.Part("A", 1, "W1"), r.Part("A", 1, "W2"))
    outcome = order_log.tell(r.OrderPicked, lines=[r.PickedLine("A", 1, short=1)])
    assert [(x.location, x.quantity, x.short, x.lot) for x in order_log.sent(outcome, r.Picked)] == [
        ("W1", 1, 0, None), ("W2", 0, 1, None)
    ]  # fmt: skip


def test_a_pick_of_what_is_packed_already_is_late_and_stock_hears_of_it(order_log: Any) -> None:
    order_log.confirm(("A", 2))
    order_log.tell(r.OrderPacked)
    before = order_log.order()
    outcome = order_log.tell(r.OrderPicked, lines=[r.PickedLine("A", 1, "L1")])
    assert [(x.quantity, x.lot) for x in order_log.sent(outcome, r.Picked)] == [(1, "L1")]
    after = order_log.order()
    assert after.late == ("pick while packed",)
    assert (after.state, after.lines, after.fulfilments) == (before.state, before.lines, before.fulfilments)


@pytest.mark.parametrize("reached", [r.OrderPicked, r.OrderPacked])
def test_a_place_that_was_done_picks_again_once_stock_came_for_units_that_waited_there(
    order_log: Any, reached: type
) -> None:
    order_log.hold_and_wait(held=2, waiting=1)
    order_log.tell(reached)
    assert order_log.order().fulfilments[0].state == reached.__name__.removeprefix("Order").lower()
    order_log.fill(waiting=0, place=9)
    assert [(x.open, x.back) for x in order_log.order().lines] == [(2, 0), (1, 0)]
    assert [(x.location, x.state) for x in order_log.order().fulfilments] == [("W1", "confirmed")]


def picks(log: Any, outcome: Outcome) -> list[tuple[str, int]]:
    """Location and units of each pick that stock is told of."""
    return [(x.location, x.quantity) for x in log.sent(outcome, r.Picked)]


@pytest.mark.parametrize("gone", [0, 1, 2])
def test_once_stock_came_only_units_that_were_not_picked_there_before_are_picked(order_log: Any, gone: int) -> None:
    order_log.hold_and_wait(held=2, waiting=1)
    assert picks(order_log, order_log.tell(r.OrderPicked)) == [("W1", 2)]
    if gone:
        order_log.tell(r.OrderShipped, lines=[r.ShippedLine("A", gone)])
    order_log.fill(waiting=0, place=9)
    assert picks(order_log, order_log.tell(r.OrderPicked)) == [("W1", 1)]
    assert order_log.order().fulfilments[0].state == "picked"
    assert picks(order_log, order_log.tell(r.OrderPicked)) == []


def test_of_a_place_of_which_a_part_was_picked_by_name_the_rest_is_picked_once_stock_came(order_log: Any) -> None:
    order_log.hold_and_wait(held=4, waiting=1)
    for _ in range(2):
        order_log.tell(r.OrderPicked, lines=[r.PickedLine("A", 1)])
    order_log.fill(waiting=0, place=9)
    assert picks(order_log, order_log.tell(r.OrderPicked)) == [("W1", 2), ("W1", 1)]


def test_a_unit_that_was_picked_before_its_stock_came_is_not_picked_again_and_its_place_is_done(order_log: Any) -> None:
    """People took three where the books had two."""
    order_log.hold_and_wait(held=2, waiting=1)
    order_log.tell(r.OrderPicked, lines=[r.PickedLine("A", 3)])
    order_log.fill(waiting=0, place=9)
    assert order_log.order().fulfilments[0].state == "confirmed"
    assert picks(order_log, order_log.tell(r.OrderPicked)) == []
    assert (order_log.order().fulfilments[0].state, order_log.order().late) == ("picked", ())


def test_what_was_picked_at_one_place_says_nothing_of_the_same_sku_at_another(order_log: Any) -> None:
    order_log.place(("A", 4), policy="backorder")
    order_log.answer(r.Part("A", 1, "W1"), r.Part("A", 1, "W1", True), r.Part("A", 2, "W2"))
    assert picks(order_log, order_log.tell(r.OrderPicked, location="W1")) == [("W1", 1)]
    order_log.fill(waiting=0, place=9)
    assert picks(order_log, order_log.tell(r.OrderPicked)) == [("W1", 1), ("W2", 2)]


def test_units_that_left_without_a_pick_do_not_count_as_picked(order_log: Any) -> None:
    order_log.hold_and_wait(held=2, waiting=2)
    order_log.tell(r.OrderShipped, lines=[r.ShippedLine("A", 2)])
    order_log.fill(waiting=1, place=9)
    assert picks(order_log, order_log.tell(r.OrderPicked)) == [("W1", 1)]


def test_stock_that_came_for_a_unit_that_had_left_without_it_gives_its_place_nothing_to_pick(order_log: Any) -> None:
    """Three A wait, and B is picked; one A leaves all the same, before the order hears that one had come."""
    order_log.place(("A", 3), ("B", 1), policy="backorder")
    order_log.answer(r.Part("A", 3, "W1", True))
    order_log.answer(r.Part("B", 1, "W1"))
    order_log.tell(r.OrderPicked)
    order_log.tell(r.OrderShipped, lines=[r.ShippedLine("A", 1)])
    order_log.fill(waiting=2, place=9)
    assert [(x.sku, x.open, x.back) for x in order_log.order().lines] == [("A", 2, 2), ("B", 1, 0)]
    assert [(x.location, x.state) for x in order_log.order().fulfilments] == [("W1", "picked")]


def test_units_that_left_without_a_pick_let_none_of_a_later_pick_be_told_twice(order_log: Any) -> None:
    """Two leave unpicked; then stock comes one by one, and each unit is picked as it comes."""
    order_log.hold_and_wait(held=2, waiting=2)
    order_log.tell(r.OrderShipped, lines=[r.ShippedLine("A", 2)])
    for waiting in (1, 0):
        order_log.fill(waiting=waiting, place=9 - waiting)
        assert picks(order_log, order_log.tell(r.OrderPicked)) == [("W1", 1)]


def test_what_was_picked_and_stayed_out_of_a_final_parcel_is_picked_anew_once_stock_came(order_log: Any) -> None:
    """The document says so, and the pick list: what the pick takes then, stock hears."""
    order_log.place(("A", 5), policy="backorder")
    order_log.answer(r.Part("A", 5, "W1"))
    order_log.tell(r.OrderPicked)
    order_log.tell(r.OrderShipped, lines=[r.ShippedLine("A", 3)], final=True)
    order_log.fill(waiting=0, place=9, heard=1)
    assert picks(order_log, order_log.tell(r.OrderPicked)) == [("W1", 2)]
    assert [(x.allocated, x.picked) for x in order_log.document().lines] == [(2, 2)]


def test_a_parcel_that_is_said_to_have_left_from_elsewhere_leaves_what_was_picked_in_hands(order_log: Any) -> None:
    order_log.hold_and_wait(held=2, waiting=1)
    order_log.tell(r.OrderPicked)
    order_log.tell(r.OrderShipped, location="W2", lines=[r.ShippedLine("A", 1)])
    order_log.fill(waiting=0, place=9)
    assert [(x.allocated, x.picked) for x in order_log.document().lines] == [(1, 1), (1, 1)]
    assert picks(order_log, order_log.tell(r.OrderPicked)) == []
