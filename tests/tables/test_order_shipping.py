"""Parcels: what leaves the stock, and what of it was the order's.

`order_log` is the partition of one order, `o1`, of 2 A and 1 B, which live in stock partitions of their own.
"""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from tables import records as r
from tables.murmur2 import partition_of_sku
from tables.outcome import WAREHOUSE

A, B = "A", "B"


def test_shipped_in_part_the_order_stays_and_shows_it(order_log: Any) -> None:
    order_log.confirm()
    outcome = order_log.tell(r.OrderShipped, lines=[r.ShippedLine(A, 1, lot="L1")])
    (told,) = order_log.sent_to(outcome, WAREHOUSE)
    assert (told.sku, told.quantity, told.location, told.lot, told.attempt) == (A, 1, "W1", "L1", 1)
    assert order_log.order().state == "confirmed"
    assert order_log.document().status == "partially_shipped"
    rest = order_log.tell(r.OrderShipped, "rest")
    assert [(x.sku, x.quantity) for x in order_log.sent_to(rest, WAREHOUSE)] == [(A, 1), (B, 1)]
    assert order_log.document().status == "shipped"


def test_shipped_beyond_the_order_stock_hears_of_every_unit_and_the_order_of_its_own(order_log: Any) -> None:
    order_log.confirm()
    outcome = order_log.tell(r.OrderShipped, lines=[r.ShippedLine(A, 5), r.ShippedLine("C", 1, "W9")])
    left = order_log.sent_to(outcome, WAREHOUSE)
    assert [(x.sku, x.quantity, x.location) for x in left] == [(A, 5, "W1"), ("C", 1, "W9")]
    assert [line.shipped for line in order_log.order().lines] == [2, 0]


def test_a_truck_that_left_for_a_rejected_order_is_gone_all_the_same(order_log: Any) -> None:
    order_log.place()
    order_log.tell(r.CancelRequested)
    outcome = order_log.tell(r.OrderShipped)
    assert [(x.sku, x.quantity, x.attempt) for x in order_log.sent_to(outcome, WAREHOUSE)] == [(A, 2, 0), (B, 1, 0)]
    assert (order_log.order().state, order_log.order().late) == ("rejected", ("ship while rejected",))
    assert [line.shipped for line in order_log.order().lines] == [0, 0]


def test_a_shipment_from_nowhere_is_a_dead_letter_and_nothing_moves(order_log: Any) -> None:
    order_log.place((A, 1), locations=[])
    order_log.refuse(A)
    before = order_log.rows()
    outcome = order_log.tell(r.OrderShipped, lines=[r.ShippedLine(A, 1)])
    assert outcome.dead.startswith("unknown_location")
    assert order_log.rows() == before


# -- units that a pick looked for in vain ------------------------------------------------------------------------------


def missed(log: Any, units: int, short: int, fact_id: str = "missed") -> None:
    log.tell(r.OrderPicked, fact_id, lines=[r.PickedLine(A, units, short=short)])


def shipped(log: Any, fact_id: str, **more: Any) -> dict[str, int]:
    """Units per SKU that stock hears of."""
    outcome = log.tell(r.OrderShipped, fact_id, **more)
    return {x.sku: x.quantity for x in log.sent(outcome, r.Shipped)}


@pytest.mark.parametrize(("rules", "units"), [(5, 4), (6, 3)], ids=["rules 5", "rules 6"])
def test_a_parcel_of_everything_has_nothing_in_it_that_a_pick_did_not_find(
    order_log: Any, rules: int, units: int
) -> None:
    order_log.state = replace(order_log.state, logic_version=rules)
    order_log.confirm((A, 4), (B, 1))
    missed(order_log, 2, short=1)
    assert shipped(order_log, "all") == {A: units, B: 1}
    assert [line.open for line in order_log.order().lines] == [4 - units, 0]


def test_a_unit_that_a_later_pick_found_leaves_with_the_others(order_log: Any) -> None:
    order_log.confirm()
    missed(order_log, 1, short=1)
    pick(order_log, (A, 1, None), fact_id="found")
    assert shipped(order_log, "all") == {A: 2, B: 1}


def test_a_unit_that_was_not_found_and_cancelled_since_is_not_lacking_twice(order_log: Any) -> None:
    order_log.confirm((A, 3), (B, 1))
    missed(order_log, 1, short=1)
    order_log.tell(r.CancelRequested, lines=[r.CancelLine(A, 2)])
    assert shipped(order_log, "all") == {A: 1, B: 1}


def test_who_says_that_everything_left_after_all_that_was_found_had_left_is_believed(order_log: Any) -> None:
    order_log.confirm((A, 3))
    missed(order_log, 2, short=1)
    assert shipped(order_log, "some", lines=[r.ShippedLine(A, 1)]) == {A: 1}
    assert shipped(order_log, "the rest of what was found") == {A: 1}
    assert shipped(order_log, "found after all") == {A: 1}
    assert order_log.order().state == "shipped"


@pytest.mark.parametrize(
    ("rules", "left", "state"), [(5, {A: 2}, "shipped"), (6, {}, "cancelled")], ids=["rules 5", "rules 6"]
)
def test_a_last_parcel_of_an_order_of_which_nothing_was_found_gives_it_up(
    order_log: Any, rules: int, left: dict[str, int], state: str
) -> None:
    order_log.state = replace(order_log.state, logic_version=rules)
    order_log.confirm((A, 2))
    missed(order_log, 0, short=2)
    assert shipped(order_log, "nothing", final=True) == left
    assert (order_log.order().state, order_log.order().late) == (state, ())


def test_a_parcel_of_an_order_of_which_nothing_was_found_is_noted_if_it_is_not_the_last(order_log: Any) -> None:
    order_log.confirm((A, 2))
    missed(order_log, 0, short=2)
    assert shipped(order_log, "nothing") == {}
    assert (order_log.order().state, order_log.order().late) == ("picked", ("ship while picked",))


def test_what_a_last_parcel_lacks_of_a_backorder_waits_and_can_leave_once_it_came(order_log: Any) -> None:
    order_log.confirm((A, 3), policy="backorder")
    missed(order_log, 2, short=1)
    assert shipped(order_log, "first", final=True) == {A: 2}
    assert [line.back for line in order_log.order().lines] == [1]


# -- which lots left: a parcel often names none, its pick did ----------------------------------------------------------


def pick(log: Any, *lines: tuple[str, int, str | None], fact_id: str = "pick") -> None:
    log.tell(r.OrderPicked, fact_id, lines=[r.PickedLine(sku, units, lot) for sku, units, lot in lines])


def left(log: Any, fact_id: str, *lines: r.ShippedLine, **more: Any) -> list[tuple[str, int, str | None, str]]:
    """(SKU, units, lot, how it is known) that stock hears of a parcel."""
    outcome = log.tell(r.OrderShipped, fact_id, lines=list(lines), **more)
    return [(x.sku, x.quantity, x.lot, x.known) for x in log.sent(outcome, r.Shipped)]


def test_a_parcel_that_names_no_lots_left_from_those_that_were_picked_for_it(order_log: Any) -> None:
    order_log.confirm()
    pick(order_log, (A, 2, "L2"), (B, 1, "L7"))
    assert left(order_log, "all") == [(A, 2, "L2", "reported"), (B, 1, "L7", "reported")]


def test_units_of_several_lots_that_all_leave_are_of_these_lots(order_log: Any) -> None:
    order_log.confirm()
    pick(order_log, (A, 1, "L2"), (A, 1, "L3"))
    assert left(order_log, "all", r.ShippedLine(A, 2)) == [(A, 1, "L3", "reported"), (A, 1, "L2", "reported")]


def test_of_several_lots_in_hands_that_of_the_last_pick_is_presumed_to_leave_and_the_one_left_over_is_sure(
    order_log: Any,
) -> None:
    order_log.confirm()
    pick(order_log, (A, 1, "L3"), (A, 1, "L2"))
    assert left(order_log, "one", r.ShippedLine(A, 1)) == [(A, 1, "L2", "presumed")]
    assert left(order_log, "two", r.ShippedLine(A, 1)) == [(A, 1, "L3", "reported")]


def test_units_that_were_picked_again_from_another_lot_are_presumed_to_be_in_the_parcel(order_log: Any) -> None:
    """A recall had them taken out of the box."""
    order_log.confirm()
    for lot in ("L2", "L3"):
        pick(order_log, (A, 2, lot), fact_id=lot)
    assert left(order_log, "all", r.ShippedLine(A, 2)) == [(A, 2, "L3", "presumed")]


def test_what_a_parcel_names_is_none_of_what_is_left_for_its_other_lines(order_log: Any) -> None:
    order_log.confirm()
    pick(order_log, (A, 1, "L2"), (A, 1, "L3"))
    lines = r.ShippedLine(A, 1), r.ShippedLine(A, 1, lot="L2")
    assert left(order_log, "both", *lines) == [(A, 1, "L3", "reported"), (A, 1, "L2", "scanned")]


def test_a_lot_that_a_parcel_named_is_in_hands_no_more(order_log: Any) -> None:
    order_log.confirm()
    pick(order_log, (A, 1, "L3"), (A, 1, "L2"))
    assert left(order_log, "one", r.ShippedLine(A, 1, lot="L3")) == [(A, 1, "L3", "scanned")]
    assert left(order_log, "two", r.ShippedLine(A, 1)) == [(A, 1, "L2", "reported")]


def test_lines_of_a_parcel_that_together_are_all_that_is_in_hands_are_sure(order_log: Any) -> None:
    order_log.confirm()
    pick(order_log, (A, 1, "L3"), (A, 1, "L2"))
    lines = r.ShippedLine(A, 1), r.ShippedLine(A, 1)
    told = left(order_log, "both", *lines)
    assert sorted(told) == [(A, 1, "L2", "reported"), (A, 1, "L3", "reported")]


def test_of_two_lots_of_one_and_two_units_one_unit_is_presumed_and_what_is_of_one_lot_then_is_sure(
    order_log: Any,
) -> None:
    """Three were picked of the two that were ordered."""
    order_log.confirm()
    pick(order_log, (A, 2, "L3"), (A, 1, "L2"))
    assert left(order_log, "one", r.ShippedLine(A, 1)) == [(A, 1, "L2", "presumed")]
    assert left(order_log, "two", r.ShippedLine(A, 1)) == [(A, 1, "L3", "reported")]


def test_a_lot_of_what_nobody_picked_is_believed_beside_one_that_was_picked(order_log: Any) -> None:
    order_log.confirm()
    pick(order_log, (B, 1, "L7"))
    told = left(order_log, "all", r.ShippedLine(A, 2, lot="L9"), r.ShippedLine(B, 1))
    assert told == [(A, 2, "L9", "scanned"), (B, 1, "L7", "reported")]


def test_a_lot_that_another_was_taken_for_at_the_door_left_as_it_was_scanned(order_log: Any) -> None:
    order_log.confirm()
    pick(order_log, (A, 2, "L2"))
    assert left(order_log, "all", r.ShippedLine(A, 2, lot="L9")) == [(A, 2, "L9", "scanned")]


def test_units_whose_pick_named_no_lot_leave_without_one_and_after_those_whose_did(order_log: Any) -> None:
    order_log.confirm()
    pick(order_log, (A, 1, None), (A, 1, "L2"))
    assert left(order_log, "one", r.ShippedLine(A, 1)) == [(A, 1, "L2", "presumed")]
    assert left(order_log, "two", r.ShippedLine(A, 1)) == [(A, 1, None, "scanned")]


def test_units_beyond_those_that_were_picked_leave_without_a_lot(order_log: Any) -> None:
    order_log.confirm()
    pick(order_log, (A, 1, "L2"))
    assert left(order_log, "all", r.ShippedLine(A, 2)) == [(A, 1, "L2", "reported"), (A, 1, None, "scanned")]
    assert [line.shipped for line in order_log.order().lines] == [2, 0]


def test_a_parcel_from_elsewhere_has_none_of_the_lots_that_were_picked_here(order_log: Any) -> None:
    order_log.confirm()
    pick(order_log, (A, 2, "L2"))
    assert left(order_log, "far", r.ShippedLine(A, 2, "W9")) == [(A, 2, None, "scanned")]


def test_lots_that_a_final_parcel_left_behind_are_not_those_of_a_later_one(order_log: Any) -> None:
    order_log.hold_and_wait(held=2, waiting=3)
    pick(order_log, ("A", 2, "L2"))
    assert left(order_log, "last", r.ShippedLine("A", 1), final=True) == [("A", 1, "L2", "reported")]
    assert left(order_log, "later", r.ShippedLine("A", 4)) == [("A", 4, None, "scanned")]


def test_a_truck_that_left_with_a_cancelled_order_had_the_lots_that_were_picked_for_it(order_log: Any) -> None:
    order_log.confirm()
    pick(order_log, (A, 2, "L2"))
    order_log.tell(r.CancelRequested)
    assert left(order_log, "gone", r.ShippedLine(A, 2)) == [(A, 2, "L2", "presumed")]
    assert [line.shipped for line in order_log.order().lines] == [0, 0]


# -- at the edges: each of these was once broken in a copy of the code, and no test failed -----------------------------


@pytest.mark.parametrize("lines", [[(4,), (3,)], [(3,), (4,)], [(7,)]], ids=str)
def test_units_in_a_parcel_beyond_what_was_ordered_leave_the_stock_and_not_the_order(
    order_log: Any, lines: list[tuple[int]]
) -> None:
    """Five were ordered, of which three wait; seven are said to have left."""
    order_log.hold_and_wait(held=2, waiting=3)
    outcome = order_log.tell(r.OrderShipped, lines=[r.ShippedLine("A", n) for (n,) in lines])
    assert sum(x.quantity for x in order_log.sent(outcome, r.Shipped)) == 7
    assert sum(x.shipped for x in order_log.order().lines) == 5
    assert order_log.order().state == "shipped"


def test_a_parcel_takes_what_lies_there_and_then_what_waits_of_one_and_the_same_line(order_log: Any) -> None:
    """Three waited, one of them came since."""
    order_log.hold_and_wait(held=0, waiting=3)
    order_log.tell(
        r.BackorderFilled, attempt=1, partition=partition_of_sku("A", 4), sku="A", location="W1", quantity=1, waiting=2,
        heard=0, place=9,
    )  # fmt: skip
    assert [(x.open, x.back) for x in order_log.order().lines] == [(3, 2)]
    order_log.tell(r.OrderShipped, lines=[r.ShippedLine("A", 3)])
    assert [(x.open, x.back, x.shipped) for x in order_log.order().lines] == [(0, 0, 3)]
    assert order_log.order().state == "shipped"


def test_a_parcel_of_all_that_lies_there_may_be_as_large_as_a_fact_may_be(order_log: Any) -> None:
    order_log.confirm(("A", r.QUANTITY_MAX))
    outcome = order_log.tell(r.OrderShipped)
    assert [x.quantity for x in order_log.sent(outcome, r.Shipped)] == [r.QUANTITY_MAX]
    assert order_log.order().state == "shipped"


def test_a_parcel_of_named_lines_may_be_as_large_as_a_fact_may_be(order_log: Any) -> None:
    order_log.confirm(("A", r.QUANTITY_MAX))
    outcome = order_log.tell(r.OrderShipped, lines=[r.ShippedLine("A", r.QUANTITY_MAX)])
    assert outcome.dead == ""
    assert [x.quantity for x in order_log.sent(outcome, r.Shipped)] == [r.QUANTITY_MAX]
    assert order_log.order().state == "shipped"


def test_a_parcel_that_one_place_can_fill_is_told_of_that_place_alone(order_log: Any) -> None:
    order_log.place(("A", 5))
    order_log.answer(r.Part("A", 2, "W1"), r.Part("A", 3, "W2"))
    outcome = order_log.tell(r.OrderShipped, lines=[r.ShippedLine("A", 2)])
    assert [(x.quantity, x.location) for x in order_log.sent(outcome, r.Shipped)] == [(2, "W1")]
    assert [(x.location, x.shipped) for x in order_log.order().lines] == [("W1", 2), ("W2", 0)]
    assert [x.location for x in order_log.order().fulfilments] == ["W1"]


@pytest.mark.parametrize("others", [0, 1])
def test_a_unit_more_than_was_ordered_leaves_from_where_the_others_of_its_sku_lay(order_log: Any, others: int) -> None:
    """With and without a line that the order owes still."""
    order_log.confirm(("A", 1), *[("B", 1)] * others, location="W2")
    order_log.tell(r.OrderShipped, lines=[r.ShippedLine("A", 1)])
    state, held_by = ("confirmed", 1) if others else ("shipped", 0)
    assert order_log.order().state == state
    before = order_log.order().lines
    outcome = order_log.tell(r.OrderShipped, lines=[r.ShippedLine("A", 1)])
    assert [(x.quantity, x.location, x.attempt) for x in order_log.sent(outcome, r.Shipped)] == [(1, "W2", held_by)]
    assert order_log.order().lines == before


def test_what_a_last_parcel_lacks_waits_for_a_day_that_nobody_has_promised(order_log: Any) -> None:
    """Two waited for a day in April and came; one of them was not in the parcel."""
    order_log.place(("A", 2), policy="backorder")
    order_log.answer(r.Part("A", 2, "W1", True, "2024-04-01"))
    assert [(x.open, x.due) for x in order_log.document().lines] == [(2, "2024-04-01")]
    order_log.tell(
        r.BackorderFilled, attempt=1, partition=partition_of_sku("A", 4), sku="A", location="W1", quantity=2, waiting=0,
        heard=0, place=9,
    )  # fmt: skip
    assert [(x.open, x.allocated, x.due) for x in order_log.document().lines] == [(0, 2, "")], "nothing waits for a day"
    order_log.tell(r.OrderShipped, lines=[r.ShippedLine("A", 1)], final=True)
    assert [(x.open, x.allocated, x.shipped, x.due) for x in order_log.document().lines] == [(1, 0, 1, "")]


def test_what_a_last_parcel_lacks_is_given_up_under_the_attempt_that_the_order_was_decided_by(order_log: Any) -> None:
    order_log.confirm(("A", 2))
    outcome = order_log.tell(r.OrderShipped, lines=[r.ShippedLine("A", 1)], final=True)
    assert [(x.attempt, x.reason) for x in order_log.sent(outcome, r.OrderDecided)] == [(1, "short")]
    assert [(x.attempt, [y.quantity for y in x.lines]) for x in order_log.sent(outcome, r.Release)] == [(1, [1])]
    assert order_log.is_kept_as_it_is()


def test_an_order_of_which_units_came_back_is_kept_as_it_is(order_log: Any) -> None:
    order_log.confirm()
    order_log.tell(r.OrderShipped)
    returned = [r.InspectedLine("A", 1, "restock")]
    assert len(order_log.sent(order_log.tell(r.ReturnInspected, return_id="r1", lines=returned), r.Returned)) == 1
    assert [x.returned for x in order_log.order().lines] == [1, 0]
    assert order_log.is_kept_as_it_is()


@pytest.mark.parametrize("record", ["quantity", "short"])
def test_as_many_units_may_be_picked_or_missed_as_a_fact_may_hold(order_log: Any, record: str) -> None:
    order_log.confirm(("A", r.QUANTITY_MAX))
    line = r.PickedLine("A", 0, short=r.QUANTITY_MAX) if record == "short" else r.PickedLine("A", r.QUANTITY_MAX)
    outcome = order_log.tell(r.OrderPicked, lines=[line])
    assert outcome.dead == ""
    assert [getattr(x, record) for x in order_log.sent(outcome, r.Picked)] == [r.QUANTITY_MAX]


def test_a_parcel_of_an_order_that_was_refused_leaves_the_stock_all_the_same(order_log: Any) -> None:
    order_log.place()
    order_log.answer(refused=[r.Refusal("A", 2, "insufficient", 0)])
    order_log.answer(r.Part("B", 1, "W1"))
    assert order_log.order().state == "rejected"
    outcome = order_log.tell(r.OrderShipped)
    assert [(x.sku, x.quantity, x.location, x.attempt) for x in order_log.sent(outcome, r.Shipped)] == [
        ("A", 2, "W1", 0), ("B", 1, "W1", 0)
    ]  # fmt: skip
    assert order_log.order().state == "rejected"
    assert order_log.order().late == ("ship while rejected",)
    assert [x.topic for x in outcome.sends] == [WAREHOUSE, WAREHOUSE]


@pytest.mark.parametrize("lines", [[("A", 2), ("no such thing", 1)], [("no such thing", 1), ("A", 2)]], ids=str)
def test_a_parcel_of_a_refused_order_tells_stock_only_what_stock_can_hear_of(
    order_log: Any, lines: list[tuple[str, int]]
) -> None:
    order_log.place(*lines)
    for sku, why in (("A", "insufficient"), ("no such thing", "unknown_sku")):
        order_log.answer(refused=[r.Refusal(sku, 1, why, 0)])
    assert order_log.order().state == "rejected"
    outcome = order_log.tell(r.OrderShipped)
    assert [(x.sku, x.quantity) for x in order_log.sent(outcome, r.Shipped)] == [("A", 2)]


def test_a_parcel_of_an_order_without_any_location_is_a_dead_letter_that_names_the_sku(order_log: Any) -> None:
    order_log.place(("A", 2), locations=[])
    order_log.answer(refused=[r.Refusal("A", 2, "location_not_allowed", 0)])
    before = order_log.rows()
    for lines in ([], [r.ShippedLine("A", 1)]):
        assert (
            "unknown_location: where did A of this order leave from" in order_log.tell(r.OrderShipped, lines=lines).dead
        )
    assert order_log.rows() == before


def test_what_was_told_while_an_order_waits_its_turns_is_not_forgotten_when_one_passes(order_log: Any) -> None:
    order_log.place(("A", 1))
    for attempt in (1, 2):  # after the second refusal there are turns to wait
        outcome = order_log.answer(refused=[r.Refusal("A", 1, "contended", 0)], attempt=attempt)
        while order_log.order().attempt == attempt < 2:
            outcome = order_log.append(order_log.sent(outcome, r.AskAgain)[0])
    order_log.tell(r.OrderShipped)
    kinds = [x.kind for x in order_log.order().entries]
    assert kinds[-2:] == ["later", "early"]
    (note,) = order_log.sent(outcome, r.AskAgain)
    assert note.hops > 0
    (next_note,) = order_log.sent(order_log.append(note), r.AskAgain)
    assert next_note.hops == note.hops - 1
    assert [x.kind for x in order_log.order().entries] == kinds


@pytest.mark.parametrize("kind", [r.Picked, r.Shipped, r.Returned])
def test_what_stock_hears_of_units_is_of_the_time_at_which_the_order_was_told(order_log: Any, kind: type) -> None:
    order_log.confirm(("A", 1))
    facts = {
        r.Picked: r.OrderPicked(id="p", order_id="o1"),
        r.Shipped: r.OrderShipped(id="s", order_id="o1"),
        r.Returned: r.ReturnInspected(id="i", order_id="o1", return_id="R1", lines=[r.InspectedLine("A", 1)]),
    }
    for n, (heard, fact) in enumerate(facts.items()):
        outcome = order_log.append(fact, ms=order_log.start_ms + 60_000 + n)
        if heard is kind:
            assert [(x.quantity, x.time) for x in order_log.sent(outcome, kind)] == [(1, f"2023-11-14T22:14:20.00{n}Z")]
