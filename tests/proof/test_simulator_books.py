"""The simulator's books of promises, where somebody ships for an order without telling it."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from proof.simulator.books import check_promises
from proof.simulator.worker import Violation
from tables import records as r
from tables.rows import OrderRow


def told(belt: Any, fact: r.Record) -> None:
    belt.place(fact)
    belt.turn()


def check(belt: Any, **more_owed: int) -> None:
    """The check, with so many units more that the order is said to be owed at a location."""
    orders: dict[str, Any] = {}
    stock: dict[str, Any] = {}
    for (topic, number), agent in belt.agents.items():
        for key, row in agent.table.rows():
            if topic == "warehouse":
                stock[f"{key}@{number}"] = row
            elif isinstance(row, OrderRow):
                orders[key] = row
    (key,) = orders
    lines = [replace(x, quantity=x.quantity + more_owed.get(x.location, 0)) for x in orders[key].lines]
    orders[key] = replace(orders[key], lines=tuple(lines))
    check_promises(orders, stock)


@pytest.fixture
def split(belt: Any) -> Any:
    """An order of 3, 2 of which lie at W2 and 1 at W1."""
    for place, units in (("W1", 1), ("W2", 2)):
        belt.place(r.Received(id=place, sku="A", location=place, lot="L", quantity=units))
    told(belt, r.OrderPlaced(id="o1", order_id="o1", channel="shop", lines=[r.Line("A", 3)], locations=["W2", "W1"],
                             payment="paid"))  # fmt: skip
    return belt


def test_a_parcel_of_the_order_after_one_that_it_was_not_told_of_takes_a_unit_elsewhere(split: Any) -> None:
    told(split, r.Shipped(id="other", sku="A", location="W1", quantity=1, order_id="o1", attempt=1))
    told(split, r.OrderShipped(id="own", order_id="o1", location="W1"))

    check(split)
    with pytest.raises(Violation, match="2 too few"):
        check(split, W2=1)


def test_without_such_a_parcel_every_unit_that_is_owed_is_held(split: Any) -> None:
    told(split, r.OrderShipped(id="own", order_id="o1", location="W1"))

    check(split)
    with pytest.raises(Violation, match="1 too few"):
        check(split, W2=1)
