"""Where the lines of an order come from, at the edges.

Each of these was once broken in a copy of the code, and no test failed.
"""

from __future__ import annotations

from typing import Any

from tables import records as r
from tables.murmur2 import partition_of_sku
from tables.outcome import Outcome


def test_of_two_lines_that_were_to_move_the_one_that_could_not_is_named(order_log: Any) -> None:
    order_log.place(locations=["W1", "W2", "W3"])
    order_log.answer(r.Part("A", 2, "W1"), could=[0b100])
    order_log.answer(r.Part("B", 1, "W2"), could=[0b100])
    for sku, quantity, location, moved in (("A", 2, "W3", True), ("B", 1, "W2", False)):
        partition = partition_of_sku(sku, 4)
        order_log.append(r.MoveAnswered(
            id=f"o1:1:{partition}:move", order_id="o1", attempt=1, partition=partition, moved=moved,
            parts=[r.Part(sku, quantity, location)],
        ))  # fmt: skip
    assert order_log.document().sourcing == "2 shipments: W3, W2: W3 could not take B any more"


def test_of_lines_that_all_moved_the_reason_for_two_shipments_is_that_no_place_has_all(order_log: Any) -> None:
    """Three lines at three places; two of them can share one."""
    order_log.place(("A", 1), ("B", 1), ("D", 1), locations=["W1", "W2", "W3", "W4"])
    skus = {sku: partition_of_sku(sku, 4) for sku in ("A", "B", "D")}
    assert len(set(skus.values())) == 3
    order_log.answer(r.Part("A", 1, "W1"), could=[0b1001])
    order_log.answer(r.Part("B", 1, "W2"), could=[0b1010])
    order_log.answer(r.Part("D", 1, "W3"), could=[0b0100])
    for sku in ("A", "B"):
        order_log.append(r.MoveAnswered(
            id=f"o1:1:{skus[sku]}:move", order_id="o1", attempt=1, partition=skus[sku], moved=True,
            parts=[r.Part(sku, 1, "W4")],
        ))  # fmt: skip
    assert order_log.document().sourcing == "2 shipments: W4, W3: no single location covers every line"


def test_of_an_order_that_takes_what_there_is_from_two_places_it_is_said_why(order_log: Any) -> None:
    order_log.place(policy="ship_available")
    order_log.answer(r.Part("A", 1, "W1"), refused=[r.Refusal("A", 1, "insufficient", 1)])
    order_log.answer(r.Part("B", 1, "W2"))
    assert order_log.order().state == "confirmed"
    assert order_log.document().sourcing == "2 shipments: W1, W2: no single location covers every line"


def test_a_word_on_where_the_lines_of_an_order_lie_that_nobody_placed_is_a_dead_letter(order_log: Any) -> None:
    partition = partition_of_sku("A", 4)
    outcome = order_log.append(r.MoveAnswered(
        id=f"o1:1:{partition}:move", order_id="o1", attempt=1, partition=partition, moved=True,
        parts=[r.Part("A", 2, "W1")],
    ))  # fmt: skip
    assert outcome.dead == "unknown_order: an answer to an order that was never placed here"
    assert order_log.rows() == {}


def test_an_order_that_is_cancelled_while_its_lines_move_awaits_no_move_any_more(order_log: Any) -> None:
    order_log.place(locations=["W1", "W2", "W3"])
    order_log.answer(r.Part("A", 2, "W1"), could=[0b100])
    order_log.answer(r.Part("B", 1, "W2"), could=[0b100])
    assert order_log.order().moving == tuple(sorted({partition_of_sku(sku, 4) for sku in "AB"}))
    order_log.tell(r.CancelRequested)
    assert (order_log.order().state, order_log.order().moving) == ("rejected", ())


def test_where_a_line_lies_is_heard_once_from_each_partition_and_of_this_attempt(order_log: Any) -> None:
    order_log.place(locations=["W1", "W2", "W3"])
    order_log.answer(r.Part("A", 2, "W1"), could=[0b100])
    order_log.answer(r.Part("B", 1, "W2"), could=[0b100])

    def answer(attempt: int, location: str) -> Outcome:
        partition = partition_of_sku("A", 4)
        return order_log.append(r.MoveAnswered(
            id=f"o1:{attempt}:{partition}:move", order_id="o1", attempt=attempt, partition=partition, moved=True,
            parts=[r.Part("A", 2, location)],
        ))  # fmt: skip

    for attempt, location, lies in ((2, "W2", "W1"), (1, "W3", "W3"), (1, "W2", "W3")):
        assert answer(attempt, location).dead == ""
        assert order_log.lines() == [("A", 2, lies), ("B", 1, "W2")]
        assert order_log.order().state == "pending"


def test_a_cancellation_ends_the_moves_that_stock_was_asked_for(order_log: Any) -> None:
    order_log.place(locations=["W1", "W2"])
    order_log.answer(r.Part("A", 2, "W1"), could=[0b10])
    order_log.answer(r.Part("B", 1, "W2"), could=[0b10])
    assert order_log.order().moving == (partition_of_sku("A", 4),)
    order_log.tell(r.CancelRequested)
    assert (order_log.order().state, order_log.order().moving) == ("rejected", ())


def test_an_order_that_waits_for_its_money_does_not_remember_where_else_it_could_lie(order_log: Any) -> None:
    order_log.place(payment="pending")
    order_log.answer(r.Part("A", 2, "W1"), could=[0b01])
    order_log.answer(r.Part("B", 1, "W2"), could=[0b10])
    assert order_log.document().sourcing == "2 shipments: W1, W2: no single location covers every line"
    assert (order_log.order().state, order_log.order().could) == ("on_hold", ())


def test_a_line_at_a_place_that_the_order_did_not_name_stays_there_and_draws_no_other(order_log: Any) -> None:
    order_log.place(locations=["W1", "W2"])
    order_log.answer(r.Part("A", 2, "W9"))
    outcome = order_log.answer(r.Part("B", 1, "W1"), could=[0b11])
    assert order_log.sent(outcome, r.Move) == []
    assert order_log.lines() == [("A", 2, "W9"), ("B", 1, "W1")]
    assert order_log.document().sourcing == "2 shipments: W9, W1: no single location covers every line"
