"""The order document and its lines at the edges.

Each of these was once broken in a copy of the code, and no test failed.
"""

from __future__ import annotations

from typing import Any

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
