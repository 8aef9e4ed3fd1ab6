"""Picked, packed, shipped, on the way, backordered: what the locations do, and how far that brings the order.

`order_log` is the partition of one order, `o1`, of 2 A and 1 B, which live in stock partitions of their own.
"""

from __future__ import annotations

from typing import Any

import pytest

from tables import records as r
from tables.murmur2 import partition_of_sku
from tables.outcome import RESERVATIONS, WAREHOUSE, Outcome

A, B = "A", "B"
OF_A, OF_B = partition_of_sku(A, 4), partition_of_sku(B, 4)


def facts(outcome: Outcome, kind: type) -> list[tuple[str, int, str]]:
    """(SKU, units, location) that stock hears of."""
    told = [x.record for x in outcome.sends if x.topic == WAREHOUSE and isinstance(x.record, kind)]
    return [(x.sku, x.quantity, x.location) for x in told]


def at_two_places(log: Any, **more: Any) -> None:
    """2 A at W1, 1 B at W2."""
    log.place(**more)
    log.answer(r.Part(A, 2, "W1"))
    log.answer(r.Part(B, 1, "W2"))


def places(log: Any) -> dict[str, str]:
    return {x.location: x.state for x in log.document().fulfilments}


def units(log: Any) -> list[tuple[str, int, int, int, int]]:
    """(SKU, open, back, shipped, cancelled) of each line."""
    return [(x.sku, x.open, x.back, x.shipped, x.cancelled) for x in log.order().lines]


# -- picked ------------------------------------------------------------------------------------------------------------


def test_everything_is_picked_at_once_and_stock_hears_which_units(order_log: Any) -> None:
    at_two_places(order_log)
    outcome = order_log.tell(r.OrderPicked)
    assert facts(outcome, r.Picked) == [(A, 2, "W1"), (B, 1, "W2")]
    assert [x.id for x in order_log.sent_to(outcome, WAREHOUSE)] == ["o1:pick:2:0", "o1:pick:2:1"]
    assert [x.partition for x in outcome.sends] == [OF_A, OF_B]
    assert order_log.order().state == "picked"


def test_an_order_is_as_far_as_the_last_of_its_places(order_log: Any) -> None:
    at_two_places(order_log)
    assert facts(order_log.tell(r.OrderPicked, location="W1"), r.Picked) == [(A, 2, "W1")]
    assert (order_log.order().state, order_log.document().status) == ("confirmed", "partially_picked")
    assert places(order_log) == {"W1": "picked", "W2": "confirmed"}
    order_log.tell(r.OrderPacked, location="W1")
    assert order_log.document().status == "partially_packed"
    order_log.tell(r.OrderPicked)
    assert (order_log.order().state, order_log.document().status) == ("picked", "partially_packed")
    order_log.tell(r.OrderPacked)
    assert (order_log.order().state, order_log.document().status) == ("packed", "packed")


def test_picked_lines_name_their_lots_and_what_was_not_there(order_log: Any) -> None:
    order_log.confirm(("A", 5))
    outcome = order_log.tell(r.OrderPicked, lines=[r.PickedLine(A, 2, "L1"), r.PickedLine(A, 1, "L2", short=2)])
    assert [(x.quantity, x.lot, x.short, x.attempt) for x in order_log.sent_to(outcome, WAREHOUSE)] == [
        (2, "L1", 0, 1), (1, "L2", 2, 1),
    ]  # fmt: skip
    assert units(order_log) == [(A, 5, 0, 0, 0)], "what is missing counts once a shipment is final"
    assert order_log.order().state == "picked"


def test_a_second_pick_of_named_lines_is_no_late_fact(order_log: Any) -> None:
    order_log.confirm()
    order_log.tell(r.OrderPicked, lines=[r.PickedLine(A, 2)])
    outcome = order_log.tell(r.OrderPicked, lines=[r.PickedLine(B, 1)])
    assert (facts(outcome, r.Picked), order_log.order().late) == ([(B, 1, "W1")], ())


def test_picked_units_go_to_the_parts_in_order_and_those_beyond_to_the_last(order_log: Any) -> None:
    order_log.place()
    order_log.answer(r.Part(A, 1, "W1"), r.Part(A, 1, "W2"))
    order_log.answer(r.Part(B, 1, "W2"))
    outcome = order_log.tell(r.OrderPicked, lines=[r.PickedLine(A, 5), r.PickedLine("C", 1)])
    assert facts(outcome, r.Picked) == [(A, 1, "W1"), (A, 4, "W2"), ("C", 1, "W1")]


def test_a_pick_for_an_order_that_holds_nothing_is_noted_and_stock_hears_of_it(order_log: Any) -> None:
    order_log.confirm()
    order_log.tell(r.CancelRequested)
    before = order_log.order().lines
    outcome = order_log.tell(r.OrderPicked, lines=[r.PickedLine(A, 1)])
    assert facts(outcome, r.Picked) == [(A, 1, "W1")]
    assert (order_log.order().late, order_log.order().lines) == (("pick while cancelled",), before)


def test_a_pick_from_nowhere_is_a_dead_letter_and_nothing_moves(order_log: Any) -> None:
    order_log.place((A, 1), locations=[])
    order_log.refuse(A)
    before = order_log.rows()
    assert order_log.tell(r.OrderPicked, lines=[r.PickedLine(A, 1)]).dead.startswith("unknown_location")
    assert order_log.rows() == before


@pytest.mark.parametrize("location", ["W9", None])
def test_a_pick_where_nothing_more_is_to_be_picked_is_late(order_log: Any, location: str | None) -> None:
    order_log.confirm()
    order_log.tell(r.OrderPacked)
    before = order_log.order()
    assert order_log.tell(r.OrderPicked, location=location).sends == []
    after = order_log.order()
    assert (after.late, after.lines, after.fulfilments) == (("pick while packed",), before.lines, before.fulfilments)


def test_cartons_are_shown_where_they_were_packed(order_log: Any) -> None:
    at_two_places(order_log)
    order_log.tell(r.OrderPacked, location="W1", cartons=["C1"])
    order_log.tell(r.OrderPacked, location="W1", cartons=["C1", "C2"])
    assert [(x.location, x.cartons) for x in order_log.document().fulfilments] == [("W1", ["C1", "C2"]), ("W2", [])]
    assert order_log.order().late == ()


# -- shipped -----------------------------------------------------------------------------------------------------------


def test_a_shipment_of_one_place_leaves_the_other_and_shows_it(order_log: Any) -> None:
    at_two_places(order_log)
    outcome = order_log.tell(r.OrderShipped, location="W1")
    assert facts(outcome, r.Shipped) == [(A, 2, "W1")]
    assert (order_log.order().state, order_log.document().status) == ("confirmed", "partially_shipped")
    assert places(order_log) == {"W1": "shipped", "W2": "confirmed"}
    order_log.tell(r.OrderShipped)
    assert order_log.order().state == "shipped"


def test_stock_hears_the_lot_how_it_is_known_and_the_channel(order_log: Any) -> None:
    order_log.confirm()
    lines = [r.ShippedLine(A, 1, lot="L1", known="reported"), r.ShippedLine(B, 1, known="reported")]
    told = order_log.sent_to(order_log.tell(r.OrderShipped, lines=lines), WAREHOUSE)
    assert [(x.lot, x.known, x.channel) for x in told] == [("L1", "reported", "web"), (None, "scanned", "web")]


def test_units_come_from_the_place_that_was_named_first_then_from_the_other_parts(order_log: Any) -> None:
    order_log.place()
    order_log.answer(r.Part(A, 1, "W1"), r.Part(A, 1, "W2"))
    order_log.answer(r.Part(B, 1, "W2"))
    order_log.tell(r.OrderShipped, lines=[r.ShippedLine(A, 1, "W2")])
    assert units(order_log) == [(A, 1, 0, 0, 0), (A, 0, 0, 1, 0), (B, 1, 0, 0, 0)]
    outcome = order_log.tell(r.OrderShipped, lines=[r.ShippedLine(A, 1, "W2")])
    assert facts(outcome, r.Shipped) == [(A, 1, "W2")]
    assert units(order_log) == [(A, 0, 0, 1, 0), (A, 0, 0, 1, 0), (B, 1, 0, 0, 0)]


def test_without_a_place_each_part_leaves_from_its_own(order_log: Any) -> None:
    order_log.place()
    order_log.answer(r.Part(A, 1, "W1"), r.Part(A, 1, "W2"))
    order_log.answer(r.Part(B, 1, "W2"))
    outcome = order_log.tell(r.OrderShipped, lines=[r.ShippedLine(A, 3)])
    assert facts(outcome, r.Shipped) == [(A, 1, "W1"), (A, 2, "W2")]


def test_units_of_several_attempts_are_told_to_the_reservations_that_hold_them(order_log: Any) -> None:
    order_log.confirm()
    order_log.grant(order_log.tell(r.OrderEdited, lines=[r.EditLine(A, 5)]))
    told = order_log.sent_to(order_log.tell(r.OrderShipped, lines=[r.ShippedLine(A, 6, "W1")]), WAREHOUSE)
    assert [(x.quantity, x.attempt, x.id) for x in told] == [(2, 1, "o1:shipment:4:0"), (4, 2, "o1:shipment:4:1")]
    assert units(order_log) == [(A, 0, 0, 2, 0), (B, 1, 0, 0, 0), (A, 0, 0, 3, 0)]


def test_kits_that_were_shipped_are_the_units_they_were_taken_apart_into(order_log: Any) -> None:
    order_log.append(r.KitSet(id="k", kit="BOX", parts=[r.KitPart(A, 2), r.KitPart(B, 1)]))
    order_log.confirm(("BOX", 2))
    outcome = order_log.tell(r.OrderShipped, lines=[r.ShippedLine("BOX", 1)])
    assert facts(outcome, r.Shipped) == [(A, 2, "W1"), (B, 1, "W1")]
    assert [x[1] for x in units(order_log)] == [2, 1]


# -- final shipments ---------------------------------------------------------------------------------------------------


def test_what_a_final_shipment_lacks_is_given_up_and_told(order_log: Any) -> None:
    order_log.confirm()
    outcome = order_log.tell(r.OrderShipped, lines=[r.ShippedLine(A, 1)], final=True)
    (told,) = order_log.sent_to(outcome, RESERVATIONS)
    assert (told.status, told.reason) == ("cancelled", "short")
    assert told.lines == [r.DecidedLine(A, 1, "W1"), r.DecidedLine(B, 1, "W1")]
    assert [x.lines for x in order_log.sent_to(outcome, WAREHOUSE) if isinstance(x, r.Release)] == [
        [r.ReleaseLine(A, 1, "W1")], [r.ReleaseLine(B, 1, "W1")],
    ]  # fmt: skip
    assert units(order_log) == [(A, 0, 0, 1, 1), (B, 0, 0, 0, 1)]
    assert order_log.order().state == "shipped"


def test_a_final_shipment_of_one_place_leaves_the_other_alone(order_log: Any) -> None:
    at_two_places(order_log)
    order_log.tell(r.OrderShipped, lines=[r.ShippedLine(A, 1)], location="W1", final=True)
    assert units(order_log) == [(A, 0, 0, 1, 1), (B, 1, 0, 0, 0)]
    assert (order_log.order().state, places(order_log)) == ("confirmed", {"W1": "shipped", "W2": "confirmed"})


@pytest.mark.parametrize("reached", [None, r.OrderPicked, r.OrderPacked])
def test_where_the_policy_says_so_what_is_missing_waits_for_stock(order_log: Any, reached: type | None) -> None:
    order_log.confirm(policy="backorder")
    if reached:
        order_log.tell(reached)
    outcome = order_log.tell(r.OrderShipped, lines=[r.ShippedLine(A, 1), r.ShippedLine(B, 1)], final=True)
    (command,) = [x for x in order_log.sent_to(outcome, WAREHOUSE) if isinstance(x, r.Backorder)]
    assert (command.lines, command.attempt) == ([r.ReleaseLine(A, 1, "W1")], 1)
    number = [x.kind for x in order_log.order().entries].index("back")
    assert command.id == f"o1:1:{OF_A}:{number}"
    assert order_log.sent_to(outcome, RESERVATIONS) == []
    assert units(order_log) == [(A, 1, 1, 1, 0), (B, 0, 0, 1, 0)]
    assert (order_log.order().state, order_log.document().status) == ("confirmed", "partially_shipped")
    assert order_log.document().lines[0].open == 1


# -- backorders --------------------------------------------------------------------------------------------------------


def backordered(log: Any) -> None:
    """1 A at W1, another one promised there; 1 B."""
    log.place(policy="backorder")
    log.answer(r.Part(A, 1, "W1"), r.Part(A, 1, "W1", backordered=True))
    log.answer(r.Part(B, 1, "W1"))


def fill(log: Any, quantity: int = 1, fact_id: str = "", *, waiting: int = 0, **more: Any) -> Outcome:
    """Stock filled so many, and so many wait still; it had heard of all that the order told it, if nothing is said."""
    row = log.order()
    heard = sum(entry.kind in ("cancel", "trim", "back") for entry in row.entries) if row else 0
    said = {
        "attempt": 1, "partition": OF_A, "sku": A, "location": "W1", "quantity": quantity, "waiting": waiting,
        "heard": heard, "place": len(log.records), **more,
    }  # fmt: skip
    return log.tell(r.BackorderFilled, fact_id, **said)


def test_units_that_wait_for_stock_are_not_shipped_with_the_rest(order_log: Any) -> None:
    backordered(order_log)
    order_log.tell(r.OrderPicked)
    outcome = order_log.tell(r.OrderShipped)
    assert facts(outcome, r.Shipped) == [(A, 1, "W1"), (B, 1, "W1")]
    assert (order_log.order().state, order_log.document().status) == ("confirmed", "partially_shipped")
    assert order_log.tell(r.OrderShipped).sends == []
    assert order_log.order().late == ("ship while confirmed",)


def test_units_whose_stock_came_are_picked_and_shipped_in_their_turn(order_log: Any) -> None:
    backordered(order_log)
    order_log.tell(r.OrderShipped)
    fill(order_log)
    assert places(order_log) == {"W1": "confirmed"}
    assert facts(order_log.tell(r.OrderPicked), r.Picked) == [(A, 1, "W1")]
    assert order_log.order().state == "picked"
    order_log.tell(r.OrderShipped)
    assert order_log.order().state == "shipped"


@pytest.mark.parametrize("elsewhere", [{"sku": B}, {"location": "W2"}, {"attempt": 2}])
def test_stock_for_another_part_changes_nothing(order_log: Any, elsewhere: dict[str, Any]) -> None:
    backordered(order_log)
    before = units(order_log)
    fill(order_log, **elsewhere)
    assert units(order_log) == before


def test_stock_that_came_is_told_once(order_log: Any) -> None:
    order_log.place(("A", 3), policy="backorder")
    order_log.answer(r.Part(A, 3, "W1", backordered=True))
    fill(order_log, fact_id="f", waiting=2, place=5)
    assert fill(order_log, fact_id="f", waiting=2, place=5) == Outcome()
    assert units(order_log) == [(A, 3, 2, 0, 0)]
    fill(order_log, quantity=9, place=50)
    assert units(order_log) == [(A, 3, 0, 0, 0)]


def test_a_fill_that_was_overtaken_by_a_later_one_tells_nothing_new(order_log: Any) -> None:
    order_log.place(("A", 3), policy="backorder")
    order_log.answer(r.Part(A, 3, "W1", backordered=True))
    fill(order_log, fact_id="second", waiting=1, place=9)
    fill(order_log, fact_id="first", waiting=2, place=8)
    assert units(order_log) == [(A, 3, 1, 0, 0)]


def test_a_fill_knows_nothing_of_what_the_order_told_stock_later(order_log: Any) -> None:
    """One unit waits, and is cancelled; stock had filled it, and gives up a filled one. A unit that was not there to
    ship waits again; only now the order hears of the fill: it is not about that unit."""
    order_log.place(("A", 2), policy="backorder")
    order_log.answer(r.Part(A, 1, "W1"), r.Part(A, 1, "W1", backordered=True))
    order_log.tell(r.CancelRequested, lines=[r.CancelLine(A, 1)])
    order_log.tell(r.OrderShipped, location="W2", lines=[r.ShippedLine(B, 1)], final=True)
    assert units(order_log) == [(A, 1, 0, 0, 0), (A, 0, 0, 0, 1)]
    order_log.tell(r.OrderShipped, location="W1", lines=[r.ShippedLine(B, 1)], final=True)
    assert units(order_log) == [(A, 1, 1, 0, 0), (A, 0, 0, 0, 1)]
    fill(order_log, waiting=0, heard=0)
    assert units(order_log) == [(A, 1, 1, 0, 0), (A, 0, 0, 0, 1)]
    fill(order_log, waiting=0)
    assert units(order_log) == [(A, 1, 0, 0, 0), (A, 0, 0, 0, 1)]


def test_a_fill_that_comes_when_the_order_is_lost_leaves_nothing_waiting(order_log: Any) -> None:
    """Two of three wait, one of them gets stock; the order is cancelled before it hears of it. Somebody ships it after
    all: stock has to hear of three units."""
    order_log.place(("A", 3), policy="backorder", payment="pending")
    order_log.answer(r.Part(A, 1, "W1"), r.Part(A, 2, "W1", backordered=True))
    order_log.tell(r.CancelRequested)
    assert order_log.order().state == "rejected"
    before = units(order_log)
    fill(order_log, waiting=1)
    assert units(order_log) == before
    assert facts(order_log.tell(r.OrderShipped), r.Shipped) == [(A, 3, "W1")]


def test_stock_for_an_order_nobody_placed_is_a_dead_letter(order_log: Any) -> None:
    assert fill(order_log).dead.startswith("unknown_order")
    assert order_log.rows() == {}


def test_an_order_hears_of_more_stock_than_it_may_carry_facts(order_log: Any) -> None:
    order_log.place(("A", 600), policy="backorder")
    order_log.answer(r.Part(A, 600, "W1", backordered=True))
    for n in range(600):
        fill(order_log, fact_id=f"f{n}", waiting=599 - n)
    assert units(order_log) == [(A, 600, 0, 0, 0)]


def test_cancelled_units_are_those_that_wait_before_those_that_lie_there(order_log: Any) -> None:
    order_log.place(("A", 4), policy="backorder")
    order_log.answer(r.Part(A, 2, "W1"), r.Part(A, 2, "W2", backordered=True))
    outcome = order_log.tell(r.CancelRequested, lines=[r.CancelLine(A, 3)])
    (release,) = order_log.sent_to(outcome, WAREHOUSE)
    assert release.lines == [r.ReleaseLine(A, 1, "W1"), r.ReleaseLine(A, 2, "W2")]
    assert units(order_log) == [(A, 1, 0, 0, 1), (A, 0, 0, 0, 2)]


def test_units_that_lie_there_are_shipped_before_those_that_wait(order_log: Any) -> None:
    order_log.place(("A", 2), policy="backorder")
    order_log.answer(r.Part(A, 1, "W1", backordered=True), r.Part(A, 1, "W1"))
    order_log.tell(r.OrderShipped, lines=[r.ShippedLine(A, 1)])
    assert units(order_log) == [(A, 1, 1, 0, 0), (A, 0, 0, 1, 0)]


def test_units_that_left_although_their_stock_had_not_come_do_not_wait_once_nothing_is_owed(order_log: Any) -> None:
    order_log.place(policy="backorder")
    order_log.answer(r.Part(A, 1, "W1"), r.Part(A, 1, "W1", backordered=True))
    order_log.answer(r.Part(B, 1, "W1"))
    outcome = order_log.tell(r.OrderShipped, lines=[r.ShippedLine(A, 2)])
    assert facts(outcome, r.Shipped) == [(A, 2, "W1")]
    (release,) = [x for x in outcome.sends if isinstance(x.record, r.Release)]
    assert (release.partition, release.record.attempt) == (OF_A, 1)
    assert release.record.lines == [r.ReleaseLine(A, 2)], "wherever they are held"
    assert units(order_log) == [(A, 0, 0, 1, 0), (A, 0, 0, 1, 0), (B, 1, 0, 0, 0)]


def test_units_that_wait_are_not_released_while_the_order_still_waits_for_others(order_log: Any) -> None:
    order_log.place(("A", 3), policy="backorder")
    order_log.answer(r.Part(A, 3, "W1", backordered=True))
    outcome = order_log.tell(r.OrderShipped, lines=[r.ShippedLine(A, 1)])
    assert [type(x) for x in order_log.sent_to(outcome, WAREHOUSE)] == [r.Shipped]
    assert units(order_log) == [(A, 2, 2, 1, 0)]


# -- on the way --------------------------------------------------------------------------------------------------------


def track(log: Any, tracking: str, status: str) -> None:
    log.tell(r.TrackingUpdated, tracking=tracking, status=status)


def test_a_parcels_number_belongs_to_the_place_it_left(order_log: Any) -> None:
    at_two_places(order_log)
    order_log.tell(r.OrderShipped, location="W1", tracking="T1")
    told = {x.location: (x.tracking, x.tracking_status) for x in order_log.document().fulfilments}
    assert told == {"W1": (["T1"], "pre_transit"), "W2": ([], "")}


def test_an_order_is_delivered_with_the_last_parcel_of_the_last_place(order_log: Any) -> None:
    at_two_places(order_log)
    order_log.tell(r.OrderShipped, lines=[r.ShippedLine(A, 1)], tracking="T1")
    order_log.tell(r.OrderShipped, location="W1", tracking="T2")
    order_log.tell(r.OrderShipped, location="W2", tracking="T3")
    assert order_log.order().state == "shipped"
    track(order_log, "T1", "delivered")
    track(order_log, "T3", "delivered")
    assert (order_log.order().state, places(order_log)) == ("shipped", {"W1": "shipped", "W2": "delivered"})
    track(order_log, "T2", "delivered")
    assert order_log.order().state == "delivered"


def test_parcels_delivered_before_the_rest_is_cancelled_deliver_the_order(order_log: Any) -> None:
    order_log.confirm()
    order_log.tell(r.OrderShipped, lines=[r.ShippedLine(A, 2)], tracking="T1")
    track(order_log, "T1", "delivered")
    assert order_log.order().state == "confirmed"
    order_log.tell(r.CancelRequested)
    assert order_log.order().state == "delivered"


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        (["in_transit", "pre_transit"], "in_transit"), (["delivered", "in_transit"], "delivered"),
        (["failure", "out_for_delivery"], "out_for_delivery"), (["return_to_sender", "delivered"], "return_to_sender"),
    ],
)  # fmt: skip
def test_a_carriers_last_word_stays_whatever_is_told_after_it(order_log: Any, told: list[str], shown: str) -> None:
    order_log.confirm()
    order_log.tell(r.OrderShipped, tracking="T1")
    for status in told:
        track(order_log, "T1", status)
    assert order_log.document().fulfilments[0].tracking_status == shown


def test_the_worst_parcel_speaks_for_its_place(order_log: Any) -> None:
    order_log.confirm()
    order_log.tell(r.OrderShipped, lines=[r.ShippedLine(A, 1)], tracking="T1")
    order_log.tell(r.OrderShipped, tracking="T2")
    track(order_log, "T1", "delivered")
    track(order_log, "T2", "failure")
    assert order_log.document().fulfilments[0].tracking_status == "failure"


def test_a_number_nobody_told_is_noted_and_nothing_moves(order_log: Any) -> None:
    order_log.confirm()
    order_log.tell(r.OrderShipped, tracking="T1")
    before = order_log.order()
    track(order_log, "T9", "delivered")
    after = order_log.order()
    assert after.late == ("tracking T9 while shipped",)
    assert (after.state, after.lines, after.fulfilments) == (before.state, before.lines, before.fulfilments)


def test_a_delivery_of_what_has_not_all_left_delivers_the_places_that_shipped(order_log: Any) -> None:
    at_two_places(order_log)
    order_log.tell(r.OrderShipped, location="W1")
    order_log.tell(r.OrderDelivered)
    assert (order_log.order().state, order_log.order().late) == ("confirmed", ())
    order_log.tell(r.OrderShipped)
    assert (order_log.order().state, places(order_log)) == ("shipped", {"W1": "delivered", "W2": "shipped"})
    order_log.tell(r.OrderDelivered)
    assert order_log.order().state == "delivered"


@pytest.mark.parametrize("picked", [False, True])
def test_a_shipment_from_a_place_the_order_did_not_know_is_shown(order_log: Any, picked: bool) -> None:
    order_log.confirm()
    if picked:
        order_log.tell(r.OrderPicked)
    order_log.tell(r.OrderShipped, lines=[r.ShippedLine(A, 2, "W9"), r.ShippedLine(B, 1, "W9")], tracking="T1")
    assert order_log.order().state == "shipped"
    assert places(order_log) == ({"W1": "picked", "W9": "shipped"} if picked else {"W9": "shipped"})
    track(order_log, "T1", "delivered")
    assert order_log.order().state == "delivered"
