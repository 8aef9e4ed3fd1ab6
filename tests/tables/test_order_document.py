"""The order document and its lines at the edges.

Each of these was once broken in a copy of the code, and no test failed.
"""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from tables import records as r
from tables.order_states import check_lines
from tables.outcome import ALERTS, InvariantBroken
from tables.rows import OrderLine


def test_a_document_is_of_the_time_at_which_the_last_thing_happened_to_its_order(order_log: Any) -> None:
    order_log.confirm()
    order_log.append(r.OrderShipped(id="s", order_id="o1"), ms=order_log.start_ms + 60_000)
    assert order_log.document().time == "2023-11-14T22:14:20.000Z"


def test_a_document_of_an_order_that_is_not_placed_yet_is_of_no_time(order_log: Any) -> None:
    """Its money was told before it came."""
    order_log.tell(r.PaymentCaptured)
    document = order_log.document()
    assert (document.status, document.time, document.decided_at) == ("unplaced", "", "")


def test_an_order_that_nobody_decided_was_decided_at_no_time_and_its_money_is_not_wanted_yet(order_log: Any) -> None:
    order_log.place(payment="authorized", checks=["fraud"])
    assert (order_log.document().decided_at, order_log.document().payment_wanted) == ("", "")
    for sku, quantity in (("A", 2), ("B", 1)):
        order_log.answer(r.Part(sku, quantity, "W1"))
    assert order_log.order().state == "on_hold"
    assert (order_log.document().decided_at, order_log.document().payment_wanted) == ("", "")
    order_log.tell(r.CheckPassed, check="fraud")
    assert order_log.document().decided_at == "2023-11-14T22:13:20.004Z"
    assert order_log.document().payment_wanted == "capture"


def line(quantity: int, *, shipped: int = 0, cancelled: int = 0, returned: int = 0, back: int = 0) -> OrderLine:
    return OrderLine("A", quantity, "W1", shipped, cancelled, returned, back, "", 1)


@pytest.mark.parametrize(
    "kept",
    [
        line(5, back=5), line(5, shipped=2, cancelled=1, returned=2, back=2), line(5, shipped=5, returned=5),
        line(5, cancelled=5), line(0), line(-3),
    ],
    ids=str,
)  # fmt: skip
def test_a_line_that_adds_up_is_kept(order_log: Any, kept: OrderLine) -> None:
    order_log.confirm()
    check_lines(replace(order_log.order(), lines=(kept, kept)))


@pytest.mark.parametrize(
    "broken",
    [
        line(5, back=6), line(5, back=-1), line(5, shipped=2, back=4), line(5, cancelled=2, back=4),
        line(5, shipped=6), line(5, cancelled=6), line(5, cancelled=-1), line(5, shipped=1, returned=2),
        line(5, returned=-1), line(-3, shipped=1), line(-3, cancelled=1), line(-3, back=1), line(0, shipped=1),
        line(1, returned=1),
    ],
    ids=str,
)  # fmt: skip
def test_a_line_that_does_not_add_up_halts_its_partition(order_log: Any, broken: OrderLine) -> None:
    order_log.confirm()
    with pytest.raises(InvariantBroken, match=r"^order o1: a line does not add up: OrderLine"):
        check_lines(replace(order_log.order(), lines=(line(5), line(-3), broken)))


def test_an_order_that_was_paid_too_late_and_leaves_all_the_same_is_told_to_stock(order_log: Any) -> None:
    """Its alert is not said again, and does not stand in the way of what is said now."""
    order_log.place(payment="pending")
    order_log.append(r.DeadlineReached(id="d", order_id="o1", deadline_ms=order_log.order().deadline_ms))
    order_log.tell(r.PaymentCaptured)
    assert order_log.order().state == "paid_unallocated"
    outcome = order_log.tell(r.OrderShipped)
    assert [(x.sku, x.quantity) for x in order_log.sent(outcome, r.Shipped)] == [("A", 2), ("B", 1)]
    assert [x for x in outcome.sends if x.topic == ALERTS] == []


def test_a_part_that_makes_no_whole_kit_is_given_up_and_promised_for_no_day(order_log: Any) -> None:
    order_log.append(r.KitSet(id="k", kit="BOX", parts=[r.KitPart("A", 1), r.KitPart("B", 1)]))
    order_log.place(("BOX", 2), policy="ship_available")
    order_log.answer(r.Part("A", 2, "W1"))
    order_log.answer(r.Part("B", 1, "W1"), refused=[r.Refusal("B", 1, "insufficient", 1)])
    assert [(x.sku, x.location, x.allocated, x.cancelled, x.due) for x in order_log.document().lines] == [
        ("A", "W1", 1, 0, ""), ("A", "", 0, 1, ""), ("B", "W1", 1, 0, ""), ("B", "", 0, 1, "")
    ]  # fmt: skip


def hands(log: Any) -> list[tuple[str, str, int, int]]:
    """(SKU, location, allocated, picked) of the document's lines that hold units."""
    return [(x.sku, x.location, x.allocated, x.picked) for x in log.document().lines if x.allocated]


def test_what_came_for_units_that_waited_is_not_in_hands_with_those_that_were_picked_before(order_log: Any) -> None:
    order_log.hold_and_wait(held=3, waiting=2)
    assert hands(order_log) == [("A", "W1", 3, 0)]
    order_log.tell(r.OrderPicked)
    assert hands(order_log) == [("A", "W1", 3, 3)]
    order_log.fill(waiting=1, place=9)
    order_log.fill(waiting=0, place=10)
    assert hands(order_log) == [("A", "W1", 3, 3), ("A", "W1", 2, 0)]
    order_log.tell(r.OrderPicked)
    assert hands(order_log) == [("A", "W1", 3, 3), ("A", "W1", 2, 2)]


def test_a_line_that_a_pick_did_not_name_is_not_in_hands(order_log: Any) -> None:
    order_log.confirm(("A", 2), ("B", 1))
    order_log.tell(r.OrderPicked, lines=[r.PickedLine("A", 2)])
    assert hands(order_log) == [("A", "W1", 2, 2), ("B", "W1", 1, 0)]
    order_log.tell(r.OrderPacked)
    assert hands(order_log) == [("A", "W1", 2, 2), ("B", "W1", 1, 1)], "what is packed is in hands, told or not"


def test_what_a_pick_did_not_find_is_not_in_hands_and_what_it_took_too_many_of_no_more_than_is_owed(
    order_log: Any,
) -> None:
    order_log.confirm(("A", 3), ("B", 1))
    order_log.tell(r.OrderPicked, lines=[r.PickedLine("A", 1, short=2), r.PickedLine("B", 4)])
    assert hands(order_log) == [("A", "W1", 3, 1), ("B", "W1", 1, 1)]


def test_what_was_picked_and_left_is_in_nobodys_hands(order_log: Any) -> None:
    order_log.confirm(("A", 4))
    order_log.tell(r.OrderPicked, lines=[r.PickedLine("A", 3)])
    order_log.tell(r.OrderShipped, lines=[r.ShippedLine("A", 2)])
    assert hands(order_log) == [("A", "W1", 2, 1)]
    order_log.tell(r.OrderShipped)
    assert [(x.shipped, x.picked) for x in order_log.document().lines] == [(4, 0)]


def test_what_left_without_a_pick_takes_nothing_from_one_that_comes_later(order_log: Any) -> None:
    order_log.hold_and_wait(held=2, waiting=2)
    order_log.tell(r.OrderShipped, lines=[r.ShippedLine("A", 2)])
    order_log.fill(waiting=1, place=9)
    assert hands(order_log) == [("A", "W1", 1, 0)]
    order_log.tell(r.OrderPicked)
    assert hands(order_log) == [("A", "W1", 1, 1)]


def test_what_a_final_parcel_left_behind_is_picked_again_once_stock_came_for_it(order_log: Any) -> None:
    """All was told as picked, and then two were not there."""
    order_log.place(("A", 5), policy="backorder")
    order_log.answer(r.Part("A", 5, "W1"))
    order_log.tell(r.OrderPicked)
    order_log.tell(r.OrderShipped, lines=[r.ShippedLine("A", 3)], final=True)
    order_log.fill(waiting=0, place=9, heard=1)
    assert hands(order_log) == [("A", "W1", 2, 0)]


def test_what_was_picked_at_one_place_is_in_nobodys_hands_at_another(order_log: Any) -> None:
    order_log.place(("A", 3))
    order_log.answer(r.Part("A", 1, "W1"), r.Part("A", 2, "W2"))
    order_log.tell(r.OrderPicked, location="W2")
    assert hands(order_log) == [("A", "W1", 1, 0), ("A", "W2", 2, 2)]


def test_a_document_that_was_written_before_picks_were_told_is_read() -> None:
    line = msgspec.json.decode(msgspec.json.encode(r.StatusLine("A", 2, "W1", 0, 2, 0, 0, 0, "", 2)))
    del line["picked"]
    assert msgspec.convert(line, r.StatusLine).picked == 0
