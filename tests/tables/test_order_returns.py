"""Returns: each shipped unit is inspected at most once, and stock hears what becomes of it.

`order_log` is the partition of one order, `o1`, of 2 A and 1 B, which live in stock partitions of their own.
"""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from tables import records as r
from tables.murmur2 import partition_of_sku
from tables.outcome import WAREHOUSE, Outcome

A, B = "A", "B"


def shipped(log: Any) -> None:
    log.confirm()
    log.tell(r.OrderShipped)


def inspect(log: Any, *lines: r.InspectedLine, return_id: str = "R1") -> Outcome:
    return log.tell(r.ReturnInspected, return_id=return_id, lines=list(lines))


def to_stock(outcome: Outcome) -> list[tuple[str, int, str, str, str | None]]:
    """(SKU, units, location, disposition, lot) that stock hears of."""
    assert all(x.topic == WAREHOUSE and x.partition == partition_of_sku(x.record.sku, 4) for x in outcome.sends)
    told = [x.record for x in outcome.sends]
    return [(x.sku, x.quantity, x.location, x.disposition, x.lot) for x in told]


def returns(log: Any) -> list[tuple[str, str, int]]:
    return [(x.return_id, x.state, x.units) for x in log.document().returns]


def returned(log: Any) -> list[tuple[str, int]]:
    return [(x.sku, x.returned) for x in log.order().lines]


def test_a_return_is_allowed_received_and_inspected(order_log: Any) -> None:
    shipped(order_log)
    lines = order_log.order().lines
    order_log.tell(r.ReturnAuthorized, return_id="R1", lines=[r.CancelLine(A, 2)])
    assert returns(order_log) == [("R1", "authorized", 2)]
    order_log.tell(r.ReturnReceived, return_id="R1", lines=[r.CancelLine(A, 1)])
    assert returns(order_log) == [("R1", "received", 1)]
    assert order_log.order().lines == lines, "nobody has looked at them yet"
    outcome = inspect(order_log, r.InspectedLine(A, 1))
    assert to_stock(outcome) == [(A, 1, "W1", "scrap", None)]
    assert outcome.sends[0].record.id == "o1:return:3:0"
    assert (returns(order_log), returned(order_log)) == ([("R1", "inspected", 1)], [(A, 1), (B, 0)])
    assert order_log.order().state == "shipped"


def test_what_becomes_of_each_unit_is_said_with_its_place_and_lot(order_log: Any) -> None:
    shipped(order_log)
    outcome = inspect(
        order_log, r.InspectedLine(A, 1, "restock", "W2", "L1"), r.InspectedLine(A, 1, "quarantine"),
        r.InspectedLine(B, 1, "to_supplier"),
    )  # fmt: skip
    assert to_stock(outcome) == [
        (A, 1, "W2", "restock", "L1"), (A, 1, "W1", "quarantine", None), (B, 1, "W1", "to_supplier", None),
    ]  # fmt: skip


@pytest.mark.parametrize(("rules", "where"), [(4, "W1"), (5, "W2")])
def test_units_go_back_to_where_they_left_from_though_they_were_promised_elsewhere(
    order_log: Any, rules: int, where: str
) -> None:
    order_log.state = replace(order_log.state, logic_version=rules)
    order_log.confirm()
    order_log.tell(r.OrderShipped, location="W2", lines=[r.ShippedLine(A, 2), r.ShippedLine(B, 1)])
    assert to_stock(inspect(order_log, r.InspectedLine(A, 1))) == [(A, 1, where, "scrap", None)]
    assert to_stock(inspect(order_log, r.InspectedLine(A, 1, location="W3"), return_id="R2"))[0][2] == "W3"


def test_a_lot_goes_back_to_where_it_left_from(order_log: Any) -> None:
    order_log.confirm()
    for lot, location in (("L1", "W2"), ("L2", "W3")):
        parcel = r.ShippedLine(A, 1, location=location, lot=lot)
        order_log.tell(r.OrderShipped, f"parcel-{lot}", lines=[parcel])
    outcome = inspect(order_log, r.InspectedLine(A, 2, "restock"))
    assert to_stock(outcome) == [(A, 1, "W3", "restock", "L2"), (A, 1, "W2", "restock", "L1")]


@pytest.mark.parametrize(("rules", "accepted"), [(4, 2), (5, 5)])
def test_units_that_left_beyond_the_order_come_back_once(order_log: Any, rules: int, accepted: int) -> None:
    order_log.state = replace(order_log.state, logic_version=rules)
    order_log.confirm()
    order_log.tell(r.OrderShipped, lines=[r.ShippedLine(A, 5), r.ShippedLine(B, 1)])
    told = to_stock(inspect(order_log, r.InspectedLine(A, 9, "restock")))
    assert sum(units for _, units, *_ in told) == accepted
    assert (returned(order_log), returns(order_log)) == ([(A, 2), (B, 0)], [("R1", "inspected", accepted)])
    assert to_stock(inspect(order_log, r.InspectedLine(A, 1), return_id="R2")) == []


def test_another_sku_than_was_ordered_comes_back_from_where_it_was_sent_with_its_lot(order_log: Any) -> None:
    order_log.confirm()
    order_log.tell(r.OrderShipped, lines=[r.ShippedLine("C", 3, location="W2", lot="L7")])
    lines = order_log.order().lines
    assert to_stock(inspect(order_log, r.InspectedLine("C", 4, "restock"))) == [("C", 3, "W2", "restock", "L7")]
    assert order_log.order().lines == lines
    assert order_log.order().late[-1:] == ("return of 1 C beyond what was shipped",)


def test_the_parcel_of_an_order_that_was_refused_comes_back(order_log: Any) -> None:
    order_log.place((A, 2))
    order_log.refuse(A)
    assert order_log.order().state == "rejected"
    order_log.tell(r.OrderShipped, lines=[r.ShippedLine(A, 1, location="W2", lot="L7")])
    assert to_stock(inspect(order_log, r.InspectedLine(A, 2))) == [(A, 1, "W2", "scrap", "L7")]
    assert order_log.order().state == "rejected"


@pytest.mark.parametrize("reached", [None, r.OrderDelivered])
def test_an_order_of_which_everything_came_back_is_returned(order_log: Any, reached: type | None) -> None:
    shipped(order_log)
    if reached:
        order_log.tell(reached)
    inspect(order_log, r.InspectedLine(A, 2))
    assert order_log.order().state == ("delivered" if reached else "shipped")
    inspect(order_log, r.InspectedLine(B, 1), return_id="R2")
    assert order_log.order().state == "returned"


def test_an_order_that_still_owes_units_is_not_returned(order_log: Any) -> None:
    order_log.confirm()
    order_log.tell(r.OrderShipped, lines=[r.ShippedLine(A, 2)])
    inspect(order_log, r.InspectedLine(A, 2))
    assert (order_log.order().state, returned(order_log)) == ("confirmed", [(A, 2), (B, 0)])


@pytest.mark.parametrize("sku", [A, "C"])
def test_units_beyond_what_was_shipped_are_noted_and_stock_does_not_hear_of_them(order_log: Any, sku: str) -> None:
    order_log.confirm()
    order_log.tell(r.OrderShipped, lines=[r.ShippedLine(A, 1)])
    inspect(order_log, r.InspectedLine(A, 1))
    before = order_log.order()
    assert inspect(order_log, r.InspectedLine(sku, 3), return_id="R2").sends == []
    after = order_log.order()
    assert after.late == (f"return of 3 {sku} beyond what was shipped",)
    assert (after.lines, after.returns, after.state) == (before.lines, before.returns, before.state)


def test_of_a_return_that_names_too_many_the_shipped_ones_are_taken(order_log: Any) -> None:
    shipped(order_log)
    assert to_stock(inspect(order_log, r.InspectedLine(A, 3), r.InspectedLine(A, 1, "restock"))) == [
        (A, 2, "W1", "scrap", None)
    ]
    assert order_log.order().late == (
        "return of 1 A beyond what was shipped", "return of 1 A beyond what was shipped",
    )  # fmt: skip


def test_units_come_back_to_the_parts_in_their_order(order_log: Any) -> None:
    order_log.place()
    order_log.answer(r.Part(A, 1, "W1"), r.Part(A, 1, "W2"))
    order_log.answer(r.Part(B, 1, "W1"))
    order_log.tell(r.OrderShipped)
    outcome = inspect(order_log, r.InspectedLine(A, 2))
    assert to_stock(outcome) == [(A, 1, "W1", "scrap", None), (A, 1, "W2", "scrap", None)]


def test_one_unit_of_a_named_lot_comes_back_to_one_part_alone(order_log: Any) -> None:
    order_log.place()
    order_log.answer(r.Part(A, 1, "W1"), r.Part(A, 1, "W2"))
    order_log.answer(r.Part(B, 1, "W1"))
    order_log.tell(r.OrderShipped)
    assert to_stock(inspect(order_log, r.InspectedLine(A, 1, lot="L9"))) == [(A, 1, "W1", "scrap", "L9")]


def test_a_kit_that_comes_back_is_its_parts(order_log: Any) -> None:
    order_log.append(r.KitSet(id="k", kit="BOX", parts=[r.KitPart(A, 2), r.KitPart(B, 1)]))
    order_log.confirm(("BOX", 2))
    order_log.tell(r.OrderShipped)
    order_log.tell(r.ReturnAuthorized, return_id="R1", lines=[r.CancelLine("BOX", 1)])
    assert returns(order_log) == [("R1", "authorized", 3)]
    order_log.tell(r.ReturnReceived, return_id="R1", lines=[r.CancelLine("BOX", 1)])
    assert returns(order_log) == [("R1", "received", 3)]
    inspect(order_log, r.InspectedLine("BOX", 1))
    assert returned(order_log) == [(A, 2), (B, 1)]


def test_a_stage_that_was_overtaken_changes_nothing(order_log: Any) -> None:
    shipped(order_log)
    inspect(order_log, r.InspectedLine(A, 1))
    order_log.tell(r.ReturnReceived, return_id="R1", lines=[r.CancelLine(A, 2)])
    order_log.tell(r.ReturnAuthorized, return_id="R1", lines=[r.CancelLine(A, 2)])
    assert (returns(order_log), order_log.order().late) == ([("R1", "inspected", 1)], ())


def test_a_return_may_be_inspected_in_several_goes(order_log: Any) -> None:
    shipped(order_log)
    inspect(order_log, r.InspectedLine(A, 1))
    inspect(order_log, r.InspectedLine(A, 1), r.InspectedLine(B, 1))
    assert returns(order_log) == [("R1", "inspected", 3)]


def test_units_of_an_order_that_the_carrier_brought_back_are_inspected_too(order_log: Any) -> None:
    shipped(order_log)
    order_log.tell(r.OrderReturned)
    assert to_stock(inspect(order_log, r.InspectedLine(A, 2, "restock"))) == [(A, 2, "W1", "restock", None)]
    assert order_log.order().state == "returned"


def test_an_order_says_which_one_it_replaces(order_log: Any) -> None:
    order_log.place(exchange_of="o0")
    assert order_log.document().exchange_of == "o0"


# -- which lots came back: what the order got, where nobody says -------------------------------------------------------


@pytest.fixture
def two_lots(order_log: Any) -> Any:
    """Two A left: one of L2 and, after it, one of L3."""
    order_log.confirm()
    for lot in ("L2", "L3"):
        order_log.tell(r.OrderShipped, lot, lines=[r.ShippedLine(A, 1, lot=lot)])
    return order_log


def test_what_comes_back_without_a_lot_is_of_the_lot_that_was_shipped_last(two_lots: Any) -> None:
    for lot, name in (("L3", "R1"), ("L2", "R2")):
        outcome = inspect(two_lots, r.InspectedLine(A, 1, "restock"), return_id=name)
        assert to_stock(outcome) == [(A, 1, "W1", "restock", lot)]


def test_units_of_several_lots_come_back_to_each_of_them(two_lots: Any) -> None:
    outcome = inspect(two_lots, r.InspectedLine(A, 2, "restock"))
    assert to_stock(outcome) == [(A, 1, "W1", "restock", "L3"), (A, 1, "W1", "restock", "L2")]
    assert (returns(two_lots), returned(two_lots)) == ([("R1", "inspected", 2)], [(A, 2), (B, 0)])


def test_a_lot_that_is_named_comes_back_and_leaves_the_other_for_the_rest(two_lots: Any) -> None:
    lines = r.InspectedLine(A, 1, lot="L2"), r.InspectedLine(A, 1)
    assert [lot for *_, lot in to_stock(inspect(two_lots, *lines))] == ["L2", "L3"]


def test_a_lot_that_came_back_before_is_not_the_one_that_comes_back_now(two_lots: Any) -> None:
    inspect(two_lots, r.InspectedLine(A, 1, lot="L2"))
    rest = inspect(two_lots, r.InspectedLine(A, 1), return_id="R2")
    assert [lot for *_, lot in to_stock(rest)] == ["L3"]


def test_the_lots_of_a_sku_are_those_that_were_shipped_of_it(order_log: Any) -> None:
    """Another SKU left after it, and what was picked of another lot did not leave."""
    order_log.confirm()
    order_log.tell(r.OrderPicked, "pick", lines=[r.PickedLine(A, 1, "L8")])
    for sku, lot in ((A, "L2"), (B, "L7")):
        order_log.tell(r.OrderShipped, sku, lines=[r.ShippedLine(sku, 1, lot=lot)])
    assert to_stock(inspect(order_log, r.InspectedLine(A, 1))) == [(A, 1, "W1", "scrap", "L2")]


def test_a_lot_that_the_order_never_got_is_believed_and_takes_the_place_of_the_last_it_got(two_lots: Any) -> None:
    assert [lot for *_, lot in to_stock(inspect(two_lots, r.InspectedLine(A, 1, lot="L9")))] == ["L9"]
    rest = inspect(two_lots, r.InspectedLine(A, 1), return_id="R2")
    assert [lot for *_, lot in to_stock(rest)] == ["L2"]


def test_units_whose_lot_nobody_ever_named_come_back_without_one_and_after_the_others(order_log: Any) -> None:
    order_log.confirm()
    for n, lot in enumerate(("L2", None)):
        order_log.tell(r.OrderShipped, f"parcel{n}", lines=[r.ShippedLine(A, 1, lot=lot)])
    assert [lot for *_, lot in to_stock(inspect(order_log, r.InspectedLine(A, 2)))] == ["L2", None]
