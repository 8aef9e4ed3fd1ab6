"""Policies, kits and places: what an order makes of stock's answers before it is decided.

`order_log` is the partition of one order, `o1`, of 2 A and 1 B, which live in stock partitions of their own.
"""

from __future__ import annotations

from typing import Any

import pytest

from tables import records as r
from tables.murmur2 import partition_of_sku
from tables.outcome import ORDERS, RESERVATIONS, WAREHOUSE, Outcome

A, B = "A", "B"
OF_A, OF_B = partition_of_sku(A, 4), partition_of_sku(B, 4)


def part(sku: str, quantity: int, location: str = "W1", **more: Any) -> r.Part:
    return r.Part(sku, quantity, location, **more)


def short(sku: str, quantity: int, reason: str = "insufficient", available: int = 0) -> r.Refusal:
    return r.Refusal(sku, quantity, reason, available)


def said(outcome: Outcome) -> list[tuple[str, int | None]]:
    """(command, warehouse partition)."""
    return sorted((type(x.record).__name__, x.partition) for x in outcome.sends if x.topic == WAREHOUSE)


def tell_channel(log: Any, **more: Any) -> None:
    log.append(r.ChannelSet(id=f"channel-{log.end}", channel="web", **more))


def tell_kit(log: Any, kit: str, *parts: tuple[str, int]) -> None:
    log.append(r.KitSet(id=f"kit-{log.end}", kit=kit, parts=[r.KitPart(sku, n) for sku, n in parts]))


# -- what the channel says ---------------------------------------------------------------------------------------------


def test_an_order_that_names_no_policy_and_no_locations_takes_its_channels(order_log: Any) -> None:
    tell_channel(order_log, locations=["W7", "W8"], policy="ship_available")
    for command in order_log.sent_to(order_log.place(locations=[]), WAREHOUSE):
        assert (command.policy, command.locations) == ("ship_available", ["W7", "W8"])


def test_what_the_order_itself_says_goes_before_its_channels_rules(order_log: Any) -> None:
    tell_channel(order_log, locations=["W7"], policy="ship_available")
    for command in order_log.sent_to(order_log.place(policy="backorder"), WAREHOUSE):
        assert (command.policy, command.locations) == ("backorder", ["W1", "W2"])


def test_without_any_rule_it_is_all_or_nothing_and_stock_may_refuse_the_missing_locations(order_log: Any) -> None:
    for command in order_log.sent_to(order_log.place(locations=[]), WAREHOUSE):
        assert (command.policy, command.locations, command.demand) == ("all_or_nothing", [], True)


def test_a_rule_told_after_the_order_does_not_change_it(order_log: Any) -> None:
    placed = order_log.place(locations=[])
    offset = order_log.end
    tell_channel(order_log, locations=["W7"], policy="backorder")
    assert order_log.deliver(offset) == placed
    assert (order_log.order().policy, order_log.order().locations) == ("all_or_nothing", ())


def test_the_last_rule_told_holds_and_one_delivered_again_does_not_bring_the_old_back(order_log: Any) -> None:
    tell_channel(order_log, locations=["W7"])
    first = order_log.end
    tell_channel(order_log, locations=["W8"])
    rows = order_log.rows()
    order_log.deliver(first)
    assert order_log.rows() == rows
    assert order_log.sent_to(order_log.place(locations=[]), WAREHOUSE)[0].locations == ["W8"]


# -- parts -------------------------------------------------------------------------------------------------------------


def test_each_part_is_a_line_where_its_sku_was(order_log: Any) -> None:
    order_log.place(("A", 2), ("B", 4))
    order_log.answer(part(B, 3, "W2"), part(B, 1, "W1"))
    order_log.answer(part(A, 2, "W2"))
    assert order_log.lines() == [(A, 2, "W2"), (B, 3, "W2"), (B, 1, "W1")]
    assert {x.attempt for x in order_log.order().lines} == {1}


def test_the_order_asked_for_the_same_whatever_parts_it_has_by_now(order_log: Any) -> None:
    asked = order_log.place(("A", 2), ("B", 4))
    offset = order_log.end
    order_log.answer(part(B, 3, "W2"), part(B, 1, "W1"))
    assert order_log.deliver(offset).sends == asked.sends
    order_log.answer(part(A, 2, "W2"))
    assert order_log.deliver(offset).sends == asked.sends


@pytest.mark.parametrize(
    "parts", [[part(A, 1)], [part(A, 3)], [part(A, 2), part("C", 1)], [part(A, 1), part(A, 2, "W2")]]
)
def test_an_answer_for_other_units_than_were_asked_is_a_dead_letter_and_nothing_moves(
    order_log: Any, parts: list[r.Part]
) -> None:
    order_log.place()
    before = order_log.rows()
    assert order_log.answer(*parts).dead == "an answer for other units than were asked"
    assert order_log.rows() == before


# -- ship_available ----------------------------------------------------------------------------------------------------


def test_ship_available_goes_on_with_what_there_is_and_gives_the_rest_up(order_log: Any) -> None:
    order_log.place(policy="ship_available")
    order_log.answer(part(A, 1), refused=[short(A, 1, available=1)])
    outcome = order_log.answer(part(B, 1))
    told = order_log.decision(outcome)
    assert told.status == "confirmed"
    assert told.lines == [
        r.DecidedLine(A, 1, "W1"), r.DecidedLine(A, 1, reason="insufficient", available=1), r.DecidedLine(B, 1, "W1"),
    ]  # fmt: skip
    assert said(outcome) == sorted([("Allocate", OF_A), ("Allocate", OF_B)])
    assert [(x.quantity, x.location, x.cancelled) for x in order_log.order().lines] == [
        (1, "W1", 0), (1, "", 1), (1, "W1", 0),
    ]  # fmt: skip


def test_ship_available_with_a_line_that_stock_does_not_know_ships_the_others(order_log: Any) -> None:
    order_log.place(policy="ship_available")
    order_log.answer(refused=[short(A, 2, "unknown_sku")])
    outcome = order_log.answer(part(B, 1))
    assert (order_log.decision(outcome).status, said(outcome)) == ("confirmed", [("Allocate", OF_B)])
    assert [(x.sku, x.open) for x in order_log.order().lines] == [(A, 0), (B, 1)]


def test_ship_available_that_gets_nothing_is_rejected_with_the_first_hard_reason(order_log: Any) -> None:
    order_log.place(policy="ship_available")
    order_log.answer(refused=[short(A, 2, "contended")])
    outcome = order_log.answer(refused=[short(B, 1, "shelf_life")])
    assert (order_log.decision(outcome).status, order_log.decision(outcome).reason) == ("rejected", "shelf_life")
    assert said(outcome) == []


def test_ship_available_that_gets_nothing_because_of_others_asks_again(order_log: Any) -> None:
    order_log.place(policy="ship_available")
    order_log.answer(refused=[short(A, 2, "contended")])
    outcome = order_log.answer(refused=[short(B, 1, "contended")])
    assert (order_log.order().state, len(order_log.sent_to(outcome, ORDERS))) == ("pending", 1)
    assert order_log.lines() == [(A, 2, ""), (B, 1, "")]


def test_units_that_wait_for_payment_are_not_given_up_before_it_is_decided(order_log: Any) -> None:
    order_log.place(policy="ship_available", payment="pending")
    order_log.answer(part(A, 1), refused=[short(A, 1)])
    order_log.answer(part(B, 1))
    assert [x.cancelled for x in order_log.order().lines] == [0, 0, 0]
    assert order_log.decision(order_log.tell(r.PaymentCaptured)).status == "confirmed"
    assert [x.cancelled for x in order_log.order().lines] == [0, 1, 0]


def test_a_malformed_line_of_an_order_that_takes_what_there_is_counts_as_nothing(order_log: Any) -> None:
    asked = order_log.place(("A", -5), ("B", 1), policy="ship_available")
    offset = order_log.end
    order_log.answer(refused=[short(A, -5, "malformed_quantity")])
    told = order_log.decision(order_log.answer(part(B, 1)))
    assert told.lines[0] == r.DecidedLine(A, -5, reason="malformed_quantity", available=0)
    assert [(x.quantity, x.cancelled) for x in order_log.order().lines] == [(0, 0), (1, 0)]
    assert order_log.deliver(offset).sends == asked.sends, "it asks for what it asked for"
    order_log.tell(r.OrderShipped)
    assert order_log.order().state == "shipped"


# -- backorder ---------------------------------------------------------------------------------------------------------


def test_backordered_units_are_promised_with_their_day(order_log: Any) -> None:
    order_log.place(policy="backorder")
    order_log.answer(part(A, 1), part(A, 1, "W2", backordered=True, due="2026-04-01"))
    told = order_log.decision(order_log.answer(part(B, 1)))
    assert told.lines == [
        r.DecidedLine(A, 1, "W1"), r.DecidedLine(A, 1, "W2", backordered=1), r.DecidedLine(B, 1, "W1"),
    ]  # fmt: skip
    waits = order_log.document().lines[1]
    assert (waits.open, waits.allocated, waits.due) == (1, 0, "2026-04-01")


def test_the_decision_tells_what_waited_then_whatever_came_since(order_log: Any) -> None:
    order_log.place(policy="backorder")
    order_log.answer(part(A, 2, backordered=True))
    told = order_log.answer(part(B, 1))
    offset = order_log.end
    order_log.tell(r.BackorderFilled, attempt=1, partition=OF_A, sku=A, location="W1", quantity=2, place=7)
    assert order_log.order().lines[0].back == 0
    assert order_log.deliver(offset).sends == told.sends


def test_backorder_with_a_refusal_takes_nothing(order_log: Any) -> None:
    order_log.place(policy="backorder")
    order_log.answer(part(A, 2, backordered=True))
    outcome = order_log.answer(refused=[short(B, 1)])
    assert (order_log.decision(outcome).status, said(outcome)) == ("rejected", [("Release", OF_A)])
    assert [(x.quantity, x.back) for x in order_log.order().lines] == [(2, 0), (1, 0)]


# -- kits --------------------------------------------------------------------------------------------------------------


def test_a_kit_is_taken_apart_and_summed_with_the_other_lines(order_log: Any) -> None:
    tell_kit(order_log, "BOX", (A, 2), (B, 1))
    outcome = order_log.place(("A", 1), ("BOX", 3))
    assert {line.sku: line.quantity for x in order_log.sent_to(outcome, WAREHOUSE) for line in x.lines} == {A: 7, B: 3}
    assert order_log.document().kits == {"BOX": 3}


def test_a_kit_set_without_parts_is_a_product_of_its_own(order_log: Any) -> None:
    tell_kit(order_log, "BOX", (A, 2))
    tell_kit(order_log, "BOX")
    (command,) = order_log.sent_to(order_log.place(("BOX", 3)), WAREHOUSE)
    assert command.lines == [r.Line("BOX", 3)]


def test_an_order_keeps_the_kit_it_was_placed_with(order_log: Any) -> None:
    tell_kit(order_log, "BOX", (A, 2))
    order_log.confirm(("BOX", 2))
    tell_kit(order_log, "BOX", (A, 5))
    order_log.tell(r.CancelRequested, lines=[r.CancelLine("BOX", 1)])
    assert [(x.sku, x.quantity, x.cancelled) for x in order_log.order().lines] == [(A, 4, 2)]


def test_kits_that_take_what_there_is_are_trimmed_to_whole_ones(order_log: Any) -> None:
    """5 A of 7 are there: 1 stands alone, 4 make 2 kits; the third B is of no use."""
    tell_kit(order_log, "BOX", (A, 2), (B, 1))
    order_log.place(("A", 1), ("BOX", 3), policy="ship_available")
    order_log.answer(part(A, 5), refused=[short(A, 2, available=5)])
    outcome = order_log.answer(part(B, 2, "W1"), part(B, 1, "W2"))
    (trim,) = [x for x in order_log.sent_to(outcome, WAREHOUSE) if isinstance(x, r.Release)]
    assert (trim.lines, trim.attempt) == ([r.ReleaseLine(B, 1, "W2")], 1)
    assert trim.id == f"o1:1:{OF_B}:1"
    assert [(x.sku, x.quantity, x.reason) for x in order_log.decision(outcome).lines] == [
        (A, 5, ""), (A, 2, "insufficient"), (B, 2, ""), (B, 1, "kit"),
    ]  # fmt: skip
    assert [(x.sku, x.open, x.cancelled) for x in order_log.order().lines] == [
        (A, 5, 0), (A, 0, 2), (B, 2, 0), (B, 0, 1),
    ]  # fmt: skip


def test_kits_in_order_get_what_is_left(order_log: Any) -> None:
    """3 A: the first kit takes 2, the second needs 2 and gets none."""
    tell_kit(order_log, "BOX", (A, 2))
    tell_kit(order_log, "BAG", (A, 2), (B, 1))
    order_log.place(("BOX", 1), ("BAG", 1), policy="ship_available")
    order_log.answer(part(A, 3), refused=[short(A, 1, available=3)])
    order_log.answer(part(B, 1))
    assert [(x.sku, x.open, x.cancelled) for x in order_log.order().lines] == [(A, 2, 0), (A, 0, 2), (B, 0, 1)]


def test_an_order_of_kits_of_which_none_is_whole_is_rejected_and_gives_everything_back(order_log: Any) -> None:
    tell_kit(order_log, "BOX", (A, 2), (B, 1))
    order_log.place(("BOX", 1), policy="ship_available")
    order_log.answer(part(A, 1), refused=[short(A, 1)])
    outcome = order_log.answer(part(B, 1))
    assert (order_log.decision(outcome).status, order_log.decision(outcome).reason) == ("rejected", "insufficient")
    assert said(outcome) == sorted([("Release", OF_A), ("Release", OF_B)])


def test_an_order_of_more_skus_than_a_command_may_name_is_rejected_and_asks_for_nothing(order_log: Any) -> None:
    for n in range(41):
        tell_kit(order_log, f"K{n}", *((f"S{n}-{m}", 1) for m in range(50)))
    outcome = order_log.place(*((f"K{n}", 1) for n in range(41)))
    assert (order_log.decision(outcome).reason, said(outcome)) == ("too_many_lines", [])


# -- fewer shipments ---------------------------------------------------------------------------------------------------

W1, W2, W3 = 1, 2, 4


def test_an_order_served_from_one_place_says_so_and_moves_nothing(order_log: Any) -> None:
    assert said(order_log.confirm(location="W2")) == sorted([("Allocate", OF_A), ("Allocate", OF_B)])
    assert order_log.document().sourcing == "one location: W2"


def split(log: Any, could_a: int, could_b: int, locations: tuple[str, ...] = ("W1", "W2", "W3")) -> Outcome:
    """A lies at W1, B at W2; what else would do is said by bits."""
    log.place(locations=list(locations))
    log.answer(part(A, 2, "W1"), could=[could_a])
    return log.answer(part(B, 1, "W2"), could=[could_b])


def move_answer(sku: str, location: str, *, moved: bool = True) -> r.MoveAnswered:
    quantity = {A: 2, B: 1}[sku]
    partition = partition_of_sku(sku, 4)
    return r.MoveAnswered(
        id=f"o1:1:{partition}:move", order_id="o1", attempt=1, partition=partition, moved=moved,
        parts=[part(sku, quantity, location)],
    )  # fmt: skip


def test_the_best_ranked_place_that_covers_every_line_is_asked_for_those_that_lie_elsewhere(order_log: Any) -> None:
    outcome = split(order_log, W1 | W2 | W3, W2 | W3)
    (command,) = order_log.sent_to(outcome, WAREHOUSE)
    assert (type(command), command.lines, command.id) == (r.Move, [r.MoveLine(A, "W2")], f"o1:1:{OF_A}")
    assert (order_log.sent_to(outcome, RESERVATIONS), order_log.order().state) == ([], "pending")
    outcome = order_log.append(move_answer(A, "W2"))
    assert [(x.sku, x.location) for x in order_log.decision(outcome).lines] == [(A, "W2"), (B, "W2")]
    assert order_log.document().sourcing == "one location: W2"


def test_an_order_is_decided_by_the_last_of_its_moves(order_log: Any) -> None:
    outcome = split(order_log, W3, W3)
    assert said(outcome) == sorted([("Move", OF_A), ("Move", OF_B)])
    assert order_log.append(move_answer(B, "W3")).sends == []
    assert order_log.decision(order_log.append(move_answer(A, "W3"))).status == "confirmed"
    assert order_log.lines() == [(A, 2, "W3"), (B, 1, "W3")]


def test_what_could_not_move_stays_where_it_is_and_the_order_says_why(order_log: Any) -> None:
    split(order_log, W1 | W2, W2)
    outcome = order_log.append(move_answer(A, "W1", moved=False))
    assert [(x.sku, x.location) for x in order_log.decision(outcome).lines] == [(A, "W1"), (B, "W2")]
    assert order_log.document().sourcing == "2 shipments: W1, W2: W2 could not take A any more"


def test_without_a_place_that_covers_more_nothing_moves(order_log: Any) -> None:
    outcome = split(order_log, W1, W2 | W3)
    assert said(outcome) == sorted([("Allocate", OF_A), ("Allocate", OF_B)])
    assert order_log.document().sourcing == "2 shipments: W1, W2: no single location covers every line"


def test_a_line_that_no_place_covers_whole_stays_and_its_places_draw_the_others(order_log: Any) -> None:
    """A needs W1 and W3 whatever happens: B comes from W3 then, not from W2."""
    order_log.place(locations=["W1", "W2", "W3"])
    order_log.answer(part(A, 1, "W1"), part(A, 1, "W3"), could=[0])
    outcome = order_log.answer(part(B, 1, "W2"), could=[W2 | W3])
    (command,) = order_log.sent_to(outcome, WAREHOUSE)
    assert command.lines == [r.MoveLine(B, "W3")]
    order_log.append(move_answer(B, "W3"))
    assert order_log.lines() == [(A, 1, "W1"), (A, 1, "W3"), (B, 1, "W3")]


def test_parts_that_moved_together_become_one_line(order_log: Any) -> None:
    order_log.place(("A", 2), ("B", 1), locations=["W1", "W2"])
    order_log.answer(part(B, 1, "W2"), could=[W2])
    order_log.answer(part(A, 1, "W1"), part(A, 1, "W2"), could=[W2])
    order_log.append(move_answer(A, "W2"))
    assert order_log.lines() == [(A, 2, "W2"), (B, 1, "W2")]


@pytest.mark.parametrize("again", [move_answer(A, "W2"), move_answer(B, "W2"), move_answer(A, "W1", moved=False)])
def test_an_answer_to_a_move_that_is_known_or_was_never_asked_for_changes_nothing(
    order_log: Any, again: r.MoveAnswered
) -> None:
    split(order_log, W2, W2)
    order_log.append(move_answer(A, "W2"))
    before = order_log.rows()
    assert order_log.append(again) == Outcome()
    assert order_log.rows() == before


def test_an_answer_to_a_move_with_other_units_is_a_dead_letter_and_nothing_moves(order_log: Any) -> None:
    split(order_log, W2, W2)
    before = order_log.rows()
    wrong = r.MoveAnswered(id="m", order_id="o1", attempt=1, partition=OF_A, moved=True, parts=[part(A, 3, "W2")])
    assert order_log.append(wrong).dead == "an answer for other units than were asked"
    assert order_log.rows() == before


def test_a_cancelled_order_releases_while_it_moves_and_the_late_answer_changes_nothing(order_log: Any) -> None:
    split(order_log, W2, W2)
    outcome = order_log.tell(r.CancelRequested)
    assert order_log.decision(outcome).reason == "cancelled"
    assert said(outcome) == sorted([("Release", OF_A), ("Release", OF_B)])
    before = order_log.rows()
    assert order_log.append(move_answer(A, "W2")) == Outcome()
    assert order_log.rows() == before


def test_an_order_whose_move_is_never_answered_expires(order_log: Any) -> None:
    split(order_log, W2, W2)
    outcome = order_log.tell(r.DeadlineReached, deadline_ms=order_log.order().deadline_ms)
    assert (order_log.decision(outcome).status, order_log.decision(outcome).reason) == ("expired", "no_answer")
    assert said(outcome) == sorted([("Release", OF_A), ("Release", OF_B)])


def test_an_order_that_waits_for_payment_moves_first(order_log: Any) -> None:
    order_log.place(payment="pending")
    order_log.answer(part(A, 2, "W1"), could=[W1 | W2])
    order_log.answer(part(B, 1, "W2"), could=[W2])
    outcome = order_log.append(move_answer(A, "W2"))
    assert said(outcome) == sorted([("Hold", OF_A), ("Hold", OF_B)])
    assert (order_log.order().state, order_log.lines()[0]) == ("on_hold", (A, 2, "W2"))
