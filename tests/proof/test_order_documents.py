"""Right order documents that the audit once took for wrong ones: what happens to few orders, it told otherwise."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tables import records as r
from tables.murmur2 import partition_of

SKUS = [f"S{n}" for n in range(9)]


def order(order_id: str, *lines: tuple[str, int], **more: Any) -> r.OrderPlaced:
    fields: dict[str, Any] = {"locations": ["W1", "W2"], "payment": "paid", "channel": "shop"} | more
    return r.OrderPlaced(id=order_id, order_id=order_id, lines=[r.Line(*line) for line in lines], **fields)


def stock(belt: Any, sku: str, units: int, location: str = "W1") -> None:
    belt.place(r.Received(id=f"in-{sku}-{location}", sku=sku, location=location, lot="L", quantity=units))


def tell(belt: Any, kind: type, fact_id: str, **more: Any) -> None:
    belt.place(kind(id=fact_id, order_id="o1", **more))


def shown(belt: Any) -> r.OrderStatus:
    """The last document of the order."""
    said = [seen.value for seen in belt.source("order-status") if seen.key == b"o1"]
    return msgspec.json.decode(said[-1], type=r.OrderStatus)


def home(belt: Any, sku: str) -> int:
    return partition_of(sku, belt.partitions)


def test_a_parcel_that_names_no_place_of_a_sku_that_was_short_left_from_where_some_of_it_was(belt: Any) -> None:
    """The rest that was refused is at no place, and says nothing of where the others were."""
    stock(belt, "A", 3, "W2")
    stock(belt, "B", 1, "W2")
    belt.place(order("o1", ("A", 5), ("B", 1), policy="ship_available"))
    belt.turn()
    tell(belt, r.OrderShipped, "all", lines=[r.ShippedLine("A", 3)])
    tell(belt, r.OrderShipped, "more", lines=[r.ShippedLine("A", 1)], tracking="T1")
    belt.turn()

    assert [(x.location, x.tracking) for x in shown(belt).fulfilments] == [("W2", ["T1"])]
    assert belt.audit()["findings"] == []


def test_an_order_of_which_all_that_left_came_back_is_returned_once_the_rest_is_cancelled(belt: Any) -> None:
    """An inspection that finds nothing of it before then ends no order, one afterwards changes nothing."""
    stock(belt, "A", 2)
    belt.place(order("o1", ("A", 2), payment="authorized"))
    belt.turn()
    tell(belt, r.OrderShipped, "one", lines=[r.ShippedLine("A", 1)])
    tell(belt, r.ReturnInspected, "back", return_id="R", lines=[r.InspectedLine("A", 1)])
    tell(belt, r.ReturnInspected, "too early", return_id="R", lines=[r.InspectedLine("A", 1)])
    belt.turn()
    assert (shown(belt).status, shown(belt).payment_wanted) == ("partially_shipped", "capture")

    tell(belt, r.CancelRequested, "rest")
    belt.turn()
    assert (shown(belt).status, shown(belt).payment_wanted) == ("returned", "void")

    tell(belt, r.ReturnInspected, "nothing", return_id="R", lines=[r.InspectedLine("A", 1)])
    belt.turn()
    assert (shown(belt).status, shown(belt).payment_wanted) == ("returned", "void")
    assert belt.audit()["findings"] == []


@pytest.mark.parametrize(
    ("policy", "location"), [("backorder", None), ("all_or_nothing", "W2")], ids=["all waits", "of another place"]
)
def test_a_last_parcel_with_nothing_of_the_order_leaves_it_its_edit(
    belt: Any, policy: str, location: str | None
) -> None:
    """Nobody worked on the order, and it is confirmed."""
    stock(belt, "A", 5)
    stock(belt, "B", 1)
    belt.place(order("o1", ("A", 2), policy=policy))
    belt.turn()
    tell(belt, r.OrderEdited, "edit", lines=[r.EditLine("A", 3)])
    tell(belt, r.OrderShipped, "other", lines=[r.ShippedLine("B", 1, "W1")], location=location, final=True)
    belt.turn()

    assert sum(x.quantity for x in shown(belt).lines) == 3
    assert belt.audit()["findings"] == []


def test_a_last_parcel_that_leaves_nothing_of_an_order_ends_every_edit_that_waits(belt: Any) -> None:
    stock(belt, "A", 5)
    stock(belt, "B", 1)
    belt.place(order("o1", ("A", 2)))
    belt.turn()
    for units in (3, 4):
        tell(belt, r.OrderEdited, f"edit{units}", lines=[r.EditLine("A", units)])
    tell(belt, r.OrderShipped, "other", lines=[r.ShippedLine("B", 1, "W1")], final=True)
    belt.turn()

    assert shown(belt).status == "cancelled"
    assert belt.audit()["findings"] == []


def test_kits_that_one_attempt_did_not_get_whole_are_counted_anew_by_the_next(belt: Any) -> None:
    """A part of the box is claimed by another order for a moment; asked again, the order gets its box whole."""
    other, part = [x for x in SKUS if home(belt, x) != home(belt, "S0")][:2]
    belt.place(r.KitSet(id="box", kit="BOX", parts=[r.KitPart("S0", 1), r.KitPart(part, 1)]))
    stock(belt, "S0", 1)
    stock(belt, part, 5)
    belt.turn()
    belt.place(order("o2", ("S0", 1), (other, 1)))
    for where in belt.agents:
        if where != ("warehouse", home(belt, other)):  # it says later that there is none of it
            belt.step(*where, 100)
    belt.place(order("o1", ("BOX", 1), policy="ship_available"))
    belt.step("orders", home(belt, "o1"), 100)
    belt.step("warehouse", home(belt, "S0"), 100)
    belt.turn()
    assert belt.decided() == {"o1": "confirmed", "o2": "rejected"}
    assert shown(belt).attempt == 2
    tell(belt, r.OrderEdited, "edit", lines=[r.EditLine(part, 1)])
    belt.turn()

    assert [(x.sku, x.quantity) for x in shown(belt).lines] == [("S0", 1), (part, 1), (part, 1)]
    assert belt.audit()["findings"] == []
