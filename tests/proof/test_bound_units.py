"""What a recall says of units in boxes, beside what the order's document says: the same units."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tables import records as r
from tables.lot_account import account
from tables.lot_sections import LotAccount, LotPartition
from tables.rows import LotRow, TraceRow


def bound(belt: Any) -> int:
    """Units of the lot in boxes, as a recall of it tells."""
    return traced(belt).totals.bound


def traced(belt: Any, code: str = "L1") -> LotAccount:
    def ask(lot: str) -> list[LotPartition]:
        found = []
        for (topic, number), agent in belt.agents.items():
            rows = [row for _, row in agent.table.rows()] if topic == "warehouse" else []
            found.append(LotPartition(
                partition=number, partitions=belt.partitions, log_id=7, offset=0, state_ms=0, recall=None, batches=[],
                incoming=[], whole=True, lots=[x for x in rows if isinstance(x, LotRow) and x.lot == lot],
                traces=[x for x in rows if isinstance(x, TraceRow) and x.lot == lot],
            ))  # fmt: skip
        return found

    return account(code, ask)


def picked(belt: Any) -> int:
    """Units of the order in hands, as its document tells."""
    said = [seen.value for seen in belt.source("order-status") if seen.key == b"o1"]
    return sum(x.picked for x in msgspec.json.decode(said[-1], type=r.OrderStatus).lines)


def receive(belt: Any, fact_id: str, units: int) -> None:
    belt.place(r.Received(id=fact_id, sku="A", location="W1", lot="L1", quantity=units))
    belt.turn()


def tell(belt: Any, kind: type, fact_id: str, **more: Any) -> None:
    belt.place(kind(id=fact_id, order_id="o1", **more))
    belt.turn()


@pytest.fixture
def waiting(belt: Any) -> Any:
    """An order of 4, of which 2 are there."""
    belt.place(r.PolicySet(id="limit", sku="A", backorder_limit=9))
    receive(belt, "in1", 2)
    belt.place(r.OrderPlaced(id="o1", order_id="o1", channel="shop", lines=[r.Line("A", 4)], locations=["W1"],
                             payment="paid", policy="backorder"))  # fmt: skip
    belt.turn()
    return belt


def test_units_that_left_unpicked_let_none_that_comes_later_be_bound_twice_or_not_at_all(waiting: Any) -> None:
    tell(waiting, r.OrderShipped, "first")
    told = []
    for n in (2, 3):
        receive(waiting, f"in{n}", 1)
        tell(waiting, r.OrderPicked, f"pick{n}")
        told.append((picked(waiting), bound(waiting)))
    tell(waiting, r.OrderShipped, "last")
    told.append((picked(waiting), bound(waiting)))

    assert told == [(1, 1), (2, 2), (0, 0)]
    report = waiting.audit()
    assert report["findings"] == []
    assert report["checked"]["picked_once"] > 0


def test_units_that_a_final_parcel_left_behind_are_bound_anew_when_they_are_picked_anew(waiting: Any) -> None:
    """What nobody found in the first box stays listed with them: nothing tells where it is."""
    tell(waiting, r.OrderPicked, "pick1")
    tell(waiting, r.OrderShipped, "short", lines=[r.ShippedLine("A", 1)], final=True)
    receive(waiting, "in2", 2)
    tell(waiting, r.OrderPicked, "pick2")

    assert (picked(waiting), bound(waiting)) == (3, 1 + 3)
    assert waiting.audit()["findings"] == []


def test_units_of_the_lot_that_was_picked_left_with_a_parcel_that_names_none_though_another_expires_first(
    belt: Any,
) -> None:
    for lot, best_before in (("L1", "2027-09-30"), ("L0", "2027-06-30")):
        belt.place(r.Received(id=lot, sku="A", location="W1", lot=lot, quantity=5, best_before=best_before))
    belt.place(r.OrderPlaced(id="o1", order_id="o1", channel="shop", lines=[r.Line("A", 2)], locations=["W1"],
                             payment="paid"))  # fmt: skip
    belt.turn()
    tell(belt, r.OrderPicked, "pick", lines=[r.PickedLine("A", 2, "L1")])
    assert (bound(belt), traced(belt).shipped) == (2, ())

    tell(belt, r.OrderShipped, "parcel")
    assert [(x.order_id, x.units, x.known) for x in traced(belt).shipped] == [("o1", 2, "reported")]
    assert (bound(belt), traced(belt, "L0").shipped) == (0, ())

    tell(belt, r.ReturnInspected, "back", return_id="R1", lines=[r.InspectedLine("A", 1, "restock")])
    assert [(x.lot, x.units) for x in traced(belt).on_hand] == [("L1", 4)]
    assert belt.audit()["findings"] == []


def test_a_channel_that_wants_more_life_gets_lots_that_have_it_though_nobody_names_them(belt: Any) -> None:
    belt.tick()  # it is 14 November 2023
    belt.place(r.ChannelSet(id="strict", channel="strict", minimum_life_days=30))
    for lot, best_before in (("L0", "2023-12-01"), ("L1", "2024-09-30")):
        belt.place(r.Received(id=lot, sku="A", location="W1", lot=lot, quantity=5, best_before=best_before))
    belt.turn()
    belt.place(r.OrderPlaced(id="o1", order_id="o1", channel="strict", lines=[r.Line("A", 4)], locations=["W1"],
                             payment="paid"))  # fmt: skip
    belt.turn()
    tell(belt, r.OrderPicked, "pick", lines=[r.PickedLine("A", 3, short=1)])
    assert bound(belt) == 3
    tell(belt, r.OrderShipped, "parcel", lines=[r.ShippedLine("A", 3)])
    assert ([x.units for x in traced(belt).shipped], bound(belt)) == ([3], 0)
    assert [x.units for x in traced(belt).on_hand] == [1]
    assert traced(belt, "L0").shipped == ()
    assert belt.audit()["findings"] == []
