"""Editing a confirmed order: more is asked for before less is given back, all of it or nothing.

`order_log` is the partition of one order, `o1`, of 2 A and 1 B, which live in stock partitions of their own.
"""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from tables import records as r
from tables.murmur2 import partition_of_sku
from tables.outcome import RESERVATIONS, WAREHOUSE, Outcome

A, B, C = "A", "B", "D"
OF_A, OF_B, OF_C = (partition_of_sku(sku, 4) for sku in (A, B, C))


def said(outcome: Outcome) -> list[tuple[str, int | None, int]]:
    """(command, warehouse partition, attempt), in the order they were said."""
    return [(type(x.record).__name__, x.partition, x.record.attempt) for x in outcome.sends if x.topic == WAREHOUSE]


def edit(log: Any, *lines: tuple[str, int], fact_id: str = "e1") -> Outcome:
    return log.tell(r.OrderEdited, fact_id, lines=[r.EditLine(sku, quantity) for sku, quantity in lines])


def open_units(log: Any) -> dict[str, int]:
    units: dict[str, int] = {}
    for line in log.order().lines:
        units[line.sku] = units.get(line.sku, 0) + line.open
    return units


def test_skus_of_this_file_live_in_partitions_of_their_own() -> None:
    assert len({OF_A, OF_B, OF_C}) == 3


def test_more_is_asked_for_as_an_attempt_of_its_own_all_or_nothing_and_as_demand(order_log: Any) -> None:
    order_log.confirm(policy="backorder")
    outcome = edit(order_log, (A, 5), (C, 1))
    commands = {x.lines[0].sku: x for x in order_log.sent_to(outcome, WAREHOUSE)}
    assert {sku: (x.lines[0].quantity, x.attempt, x.policy, x.demand) for sku, x in commands.items()} == {
        A: (3, 2, "all_or_nothing", True), C: (1, 2, "all_or_nothing", True),
    }  # fmt: skip
    assert open_units(order_log) == {A: 2, B: 1}


def test_once_all_of_it_is_granted_the_edit_holds_and_is_told_more_before_less(order_log: Any) -> None:
    order_log.confirm()
    outcome = order_log.grant(edit(order_log, (A, 5), (B, 0)), "W2")
    (told,) = order_log.sent_to(outcome, RESERVATIONS)
    assert (told.id, told.status, told.attempt) == ("o1:edited:3", "edited", 2)
    assert told.lines == [r.DecidedLine(A, 2, "W1"), r.DecidedLine(A, 3, "W2")]
    assert said(outcome) == [("Allocate", OF_A, 2), ("Release", OF_B, 1)]
    assert [(x.sku, x.quantity, x.open, x.attempt) for x in order_log.order().lines] == [
        (A, 2, 2, 1), (B, 1, 0, 1), (A, 3, 3, 2),
    ]  # fmt: skip
    assert (order_log.order().state, order_log.order().deadline_ms) == ("confirmed", 0)


def test_less_alone_is_given_back_at_once(order_log: Any) -> None:
    order_log.confirm()
    outcome = edit(order_log, (A, 1))
    (told,) = order_log.sent_to(outcome, RESERVATIONS)
    assert told.lines == [r.DecidedLine(A, 1, "W1"), r.DecidedLine(B, 1, "W1")]
    (release,) = order_log.sent_to(outcome, WAREHOUSE)
    assert (release.lines, release.attempt) == ([r.ReleaseLine(A, 1, "W1")], 1)
    assert open_units(order_log) == {A: 1, B: 1}


def test_an_edit_to_nothing_cancels_the_order(order_log: Any) -> None:
    order_log.confirm()
    edit(order_log, (A, 0), (B, 0))
    assert (order_log.order().state, open_units(order_log)) == ("cancelled", {A: 0, B: 0})


def test_an_edit_to_what_is_owed_already_says_nothing(order_log: Any) -> None:
    order_log.confirm()
    lines = order_log.order().lines
    assert edit(order_log, (A, 2)).sends == []
    assert (order_log.order().lines, order_log.order().late) == (lines, ())


@pytest.mark.parametrize("granted_first", [True, False])
def test_one_refusal_ends_the_edit_and_what_was_granted_is_given_back(order_log: Any, granted_first: bool) -> None:
    order_log.confirm()
    lines = order_log.order().lines
    edit(order_log, (A, 5), (B, 0), (C, 1))
    granted = [r.Part(A, 3, "W1")]
    if granted_first:
        assert order_log.answer(*granted).sends == []
    outcome = order_log.refuse(C, "contended")
    assert said(outcome) == [("Release", OF_A, 2)]
    if not granted_first:
        assert said(order_log.answer(*granted)) == [("Release", OF_A, 2)], "the late grant is given back"
    row = order_log.order()
    assert (row.lines, row.state, row.late) == (lines, "confirmed", ("edit e1 refused: contended",))
    assert (row.edit, row.deadline_ms) == (None, 0)


def test_an_edit_that_stock_does_not_answer_ends_as_refused(order_log: Any) -> None:
    order_log.confirm()
    lines = order_log.order().lines
    edit(order_log, (A, 5))
    outcome = order_log.tell(r.DeadlineReached, deadline_ms=order_log.order().deadline_ms)
    assert said(outcome) == [("Release", OF_A, 2)]
    assert (order_log.order().lines, order_log.order().late) == (lines, ("edit e1 refused: no_answer",))


def test_an_edit_answered_with_other_units_is_a_dead_letter_and_nothing_moves(order_log: Any) -> None:
    order_log.confirm()
    edit(order_log, (A, 5))
    before = order_log.rows()
    assert order_log.answer(r.Part(A, 2, "W1")).dead == "an answer for other units than were asked"
    assert order_log.rows() == before


def test_an_edit_of_an_order_that_is_undecided_waits_until_it_is_confirmed(order_log: Any) -> None:
    asked = order_log.place()
    assert edit(order_log, (A, 1)).sends == []
    outcome = order_log.grant(asked)
    assert [x.status for x in order_log.sent_to(outcome, RESERVATIONS)] == ["confirmed", "edited"]
    assert open_units(order_log) == {A: 1, B: 1}


def test_an_edit_of_an_order_that_is_rejected_is_refused_with_it(order_log: Any) -> None:
    order_log.place(("A", 2))
    edit(order_log, (A, 1))
    order_log.refuse(A)
    assert order_log.order().late == ("edit e1 refused: rejected",)
    assert open_units(order_log) == {A: 2}, "as it was asked for"


def test_edits_come_one_after_the_other(order_log: Any) -> None:
    order_log.confirm()
    first = edit(order_log, (A, 5))
    assert edit(order_log, (A, 6), fact_id="e2").sends == []
    second = order_log.grant(first)
    assert [(x.attempt, x.lines) for x in order_log.sent(second, r.Reserve)] == [(3, [r.Line(A, 1)])]
    order_log.grant(second)
    assert open_units(order_log) == {A: 6, B: 1}


@pytest.mark.parametrize(
    ("kind", "more", "why"),
    [
        (r.OrderPicked, {}, "picked"), (r.OrderPacked, {}, "packed"), (r.OrderShipped, {}, "shipped"),
        (r.CancelRequested, {}, "cancelled"),
        (r.OrderPicked, {"lines": [r.PickedLine(A, 1)], "location": "W1"}, "picked"),
    ],
)  # fmt: skip
def test_an_edit_comes_too_late_once_something_was_done_for_the_order(
    order_log: Any, kind: type, more: dict[str, Any], why: str
) -> None:
    order_log.confirm()
    order_log.tell(kind, **more)
    lines = order_log.order().lines
    assert edit(order_log, (A, 5)).sends == []
    assert (order_log.order().lines, order_log.order().late) == (lines, (f"edit e1 refused: {why}",))


def test_an_edit_comes_too_late_when_one_of_two_places_has_picked(order_log: Any) -> None:
    order_log.place()
    order_log.answer(r.Part(A, 2, "W1"))
    order_log.answer(r.Part(B, 1, "W2"))
    order_log.tell(r.OrderPicked, location="W1")
    lines = order_log.order().lines
    edit(order_log, (B, 0))
    assert order_log.order().state == "confirmed"
    assert (order_log.order().lines, order_log.order().late) == (lines, ("edit e1 refused: picked",))


@pytest.mark.parametrize("granted", [0, 1])
@pytest.mark.parametrize("kind", [r.CancelRequested, r.OrderPicked, r.OrderShipped])
def test_whoever_cancels_or_ships_meanwhile_ends_the_edit_that_waits(order_log: Any, kind: type, granted: int) -> None:
    order_log.confirm()
    edit(order_log, (A, 5), (C, 1))
    if granted:
        order_log.answer(r.Part(A, 3, "W1"))
    outcome = order_log.tell(kind)
    assert {("Release", OF_A, 2), ("Release", OF_C, 2)} <= set(said(outcome))
    assert sum(x.quantity for x in order_log.sent(outcome, r.Shipped)) in (0, 3), "its own units"
    row = order_log.order()
    assert ([x.attempt for x in row.lines], row.edit) == ([1, 1], None)
    assert row.late[-1].startswith("edit e1 refused: ")
    assert said(order_log.answer(r.Part(C, 1, "W1"), attempt=2)) == [("Release", OF_C, 2)]


def test_by_rules_5_units_cancelled_while_an_edit_waits_are_not_its_own(order_log: Any) -> None:
    order_log.state = replace(order_log.state, logic_version=5)
    order_log.confirm()
    edit(order_log, (A, 5), (C, 1))
    order_log.answer(r.Part(A, 3, "W1"))
    order_log.tell(r.CancelRequested, lines=[r.CancelLine(A, 4)])
    assert [(x.sku, x.open, x.attempt) for x in order_log.order().lines] == [(A, 0, 1), (B, 1, 1), (A, 3, 2)]
    order_log.answer(r.Part(C, 1, "W1"))
    assert open_units(order_log) == {A: 3, B: 1, C: 1}


# -- cancelled behind an edit ------------------------------------------------------------------------------------------


def cancel(log: Any, *lines: tuple[str, int], fact_id: str = "c1") -> Outcome:
    named = [r.CancelLine(sku, quantity) for sku, quantity in lines]
    return log.tell(r.CancelRequested, fact_id, lines=named, reason=f"{fact_id} by the customer")


@pytest.mark.parametrize(("rules", "left"), [(5, 5), (6, 4)], ids=["rules 5", "rules 6"])
def test_what_is_cancelled_behind_an_edit_of_an_undecided_order_is_taken_from_what_the_edit_makes(
    order_log: Any, rules: int, left: int
) -> None:
    order_log.state = replace(order_log.state, logic_version=rules)
    asked = order_log.place()
    edit(order_log, (A, 5))
    cancel(order_log, (A, 1))
    order_log.grant(order_log.grant(asked))
    assert open_units(order_log) == {A: left, B: 1}


def test_cancellations_and_edits_of_an_undecided_order_come_in_the_order_they_were_told(order_log: Any) -> None:
    asked = order_log.place()
    cancel(order_log, (B, 1), fact_id="c0")
    edit(order_log, (A, 1), fact_id="e1")
    cancel(order_log, (A, 1), fact_id="c1")
    edit(order_log, (B, 1), fact_id="e2")
    outcome = order_log.grant(asked)
    told = [(x.status, [(y.sku, y.quantity) for y in x.lines]) for x in order_log.sent_to(outcome, RESERVATIONS)]
    assert told == [
        ("confirmed", [(A, 2), (B, 1)]), ("cancelled", [(B, 1)]), ("edited", [(A, 1)]), ("cancelled", [(A, 1)]),
    ]  # fmt: skip
    assert order_log.order().late == ("edit e2 refused: cancelled",), "nothing was left to be edited"


def test_what_is_cancelled_behind_an_edit_that_waits_for_stock_is_given_back_once_it_is_answered(
    order_log: Any,
) -> None:
    order_log.confirm()
    asked = edit(order_log, (A, 5))
    assert cancel(order_log, (A, 4)).sends == [], "it is of the five"
    outcome = order_log.grant(asked)
    told = [(x.status, x.reason) for x in order_log.sent_to(outcome, RESERVATIONS)]
    assert told == [("edited", "edited"), ("cancelled", "c1 by the customer")]
    assert (order_log.order().state, open_units(order_log)) == ("confirmed", {A: 1, B: 1})


def test_what_is_cancelled_behind_an_edit_that_is_refused_is_cancelled_all_the_same(order_log: Any) -> None:
    order_log.confirm()
    edit(order_log, (A, 5))
    cancel(order_log, (A, 1))
    order_log.refuse(A, "insufficient")
    assert open_units(order_log) == {A: 1, B: 1}
    assert (order_log.order().waiting, order_log.order().edits) == ((), ())


def test_what_was_cancelled_behind_an_edit_of_an_order_that_is_rejected_is_forgotten_with_it(order_log: Any) -> None:
    order_log.place((A, 2))
    edit(order_log, (A, 1))
    cancel(order_log, (A, 1))
    order_log.refuse(A)
    row = order_log.order()
    assert (row.state, row.waiting, row.edits) == ("rejected", (), ())
    assert row.late == ("edit e1 refused: rejected",)


def test_a_whole_order_is_cancelled_though_units_of_it_wait_to_be(order_log: Any) -> None:
    order_log.confirm()
    edit(order_log, (A, 5))
    cancel(order_log, (A, 1))
    order_log.tell(r.CancelRequested, "all")
    assert (order_log.order().state, open_units(order_log)) == ("cancelled", {A: 0, B: 0})
    assert order_log.order().late == ("edit e1 refused: cancelled", "cancel while cancelled")


# -- kits --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def boxes(order_log: Any) -> Any:
    """`o1` with 2 BOX of 2 A and 1 B each, and 1 A by itself."""
    order_log.append(r.KitSet(id="k", kit="BOX", parts=[r.KitPart(A, 2), r.KitPart(B, 1)]))
    order_log.confirm(("BOX", 2), (A, 1))
    return order_log


def kits(log: Any) -> dict[str, tuple[int, int]]:
    """(ordered, still there) per kit."""
    return {x.kit: (x.quantity, x.whole) for x in log.order().kits}


def test_more_of_a_kit_asks_for_its_parts_and_holds_only_when_all_of_them_are_granted(boxes: Any) -> None:
    outcome = edit(boxes, ("BOX", 3))
    asked = {x.lines[0].sku: x.lines[0].quantity for x in boxes.sent_to(outcome, WAREHOUSE)}
    assert (asked, kits(boxes)) == ({A: 2, B: 1}, {"BOX": (2, 2)})
    boxes.grant(outcome)
    assert (open_units(boxes), kits(boxes)) == ({A: 7, B: 3}, {"BOX": (3, 3)})


def test_a_kit_of_which_one_part_is_missing_leaves_the_order_as_it_was(boxes: Any) -> None:
    lines = boxes.order().lines
    edit(boxes, ("BOX", 3))
    boxes.answer(r.Part(A, 2, "W1"))
    boxes.refuse(B)
    assert (boxes.order().lines, kits(boxes)) == (lines, {"BOX": (2, 2)})


def test_fewer_of_a_kit_gives_back_its_parts_and_no_unit_that_was_ordered_by_itself(boxes: Any) -> None:
    assert set(said(edit(boxes, ("BOX", 1)))) == {("Release", OF_A, 1), ("Release", OF_B, 1)}
    assert (open_units(boxes), kits(boxes)) == ({A: 3, B: 1}, {"BOX": (2, 1)})


def test_the_total_of_a_sku_is_that_of_the_units_that_are_in_no_kit(boxes: Any) -> None:
    edit(boxes, (A, 0))
    assert (open_units(boxes), kits(boxes)) == ({A: 4, B: 2}, {"BOX": (2, 2)})


def test_a_kit_can_be_added_as_it_is_made_when_the_edit_is_taken_and_stays_that_kit(order_log: Any) -> None:
    order_log.confirm()
    order_log.append(r.KitSet(id="k1", kit="BOX", parts=[r.KitPart(A, 2), r.KitPart(C, 1)]))
    order_log.grant(edit(order_log, ("BOX", 1)))
    order_log.append(r.KitSet(id="k2", kit="BOX", parts=[r.KitPart(B, 9)]))
    assert (open_units(order_log), kits(order_log)) == ({A: 4, B: 1, C: 1}, {"BOX": (1, 1)})
    edit(order_log, ("BOX", 0), fact_id="e2")
    assert (open_units(order_log), kits(order_log)) == ({A: 2, B: 1, C: 0}, {"BOX": (1, 0)})


def test_a_kit_exchanged_for_its_parts_asks_nobody_and_is_told(boxes: Any) -> None:
    outcome = edit(boxes, ("BOX", 1), (A, 3), (B, 1))
    assert said(outcome) == []
    assert [x.status for x in boxes.sent_to(outcome, RESERVATIONS)] == ["edited"]
    assert (open_units(boxes), kits(boxes)) == ({A: 5, B: 2}, {"BOX": (2, 1)})


def test_a_kit_that_was_cancelled_is_no_kit_of_the_order_any_more(boxes: Any) -> None:
    boxes.tell(r.CancelRequested, lines=[r.CancelLine("BOX", 1)])
    assert (open_units(boxes), kits(boxes)) == ({A: 3, B: 1}, {"BOX": (2, 1)})
    edit(boxes, ("BOX", 0))
    assert (open_units(boxes), kits(boxes)) == ({A: 1, B: 0}, {"BOX": (2, 0)})


@pytest.mark.parametrize("name", ["BOX", B])
def test_a_kit_of_which_parts_were_cancelled_is_not_edited_nor_are_its_parts(boxes: Any, name: str) -> None:
    boxes.tell(r.CancelRequested, lines=[r.CancelLine(B, 1)])
    before = boxes.order()
    assert edit(boxes, (name, 5)).sends == []
    after = boxes.order()
    assert after.late == ("edit e1 refused: kit",)
    assert (after.lines, after.kits, after.attempt) == (before.lines, before.kits, before.attempt)


def test_of_kits_that_were_not_granted_whole_an_edit_counts_those_that_were(order_log: Any) -> None:
    order_log.append(r.KitSet(id="k", kit="BOX", parts=[r.KitPart(A, 2), r.KitPart(B, 1)]))
    order_log.place(("BOX", 2), policy="ship_available")
    order_log.answer(r.Part(A, 4, "W1"))
    order_log.answer(r.Part(B, 1, "W1"), refused=[r.Refusal(B, 1, "insufficient", 1)])
    assert (open_units(order_log), kits(order_log)) == ({A: 2, B: 1}, {"BOX": (2, 1)})
    edit(order_log, ("BOX", 0))
    assert kits(order_log) == {"BOX": (2, 0)}
    assert not any(open_units(order_log).values())


def test_an_edit_that_asks_for_more_lines_than_an_order_may_have_is_refused(order_log: Any) -> None:
    order_log.confirm()
    lines = order_log.order().lines
    kits_of_fifty = range(r.LINES_MAX // 50 + 1)
    for n in kits_of_fifty:
        parts = [r.KitPart(f"P{n}-{m}", 1) for m in range(50)]
        order_log.append(r.KitSet(id=f"k{n}", kit=f"BOX{n}", parts=parts))
    assert edit(order_log, *((f"BOX{n}", 1) for n in kits_of_fifty)).sends == []
    assert (order_log.order().lines, order_log.order().late) == (lines, ("edit e1 refused: too_many_lines",))


def test_an_order_that_asked_a_hundred_times_is_not_edited_any_more(order_log: Any) -> None:
    order_log.confirm()
    for n in range(2, 101):
        edit(order_log, (A, 5), fact_id=f"e{n}")
        order_log.refuse(A)
    lines = order_log.order().lines
    assert edit(order_log, (A, 5), fact_id="last").sends == []
    assert (order_log.order().lines, order_log.order().late[-1]) == (lines, "edit last refused: too_many_attempts")


def test_units_that_wait_for_an_edit_are_shown_as_open_and_lie_nowhere_yet(order_log: Any) -> None:
    order_log.confirm()
    edit(order_log, (A, 5), (C, 1))
    order_log.answer(r.Part(A, 3, "W2"))
    document = order_log.document()
    assert [(x.sku, x.open, x.allocated) for x in document.lines] == [(A, 0, 2), (B, 0, 1), (A, 3, 0)]
    assert [x.location for x in document.fulfilments] == ["W1"]


def test_a_question_about_the_edits_units_is_answered_once_it_is_decided(order_log: Any) -> None:
    order_log.confirm()
    asked = edit(order_log, (A, 5))

    def overdue(attempt: int) -> list[tuple[str, int | None, int]]:
        return said(order_log.append(r.ReservationOverdue(id="q", order_id="o1", attempt=attempt, partition=OF_A)))

    assert (overdue(1), overdue(2)) == ([("Allocate", OF_A, 1)], [])
    order_log.grant(asked)
    assert (overdue(1), overdue(2)) == ([("Allocate", OF_A, 1)], [("Allocate", OF_A, 2)])
    edit(order_log, (A, 0), fact_id="e2")
    assert (overdue(1), overdue(2)) == ([("Release", OF_A, 1)], [("Release", OF_A, 2)])
