"""Rows that are forgotten leave the audit green, and take nothing with them that was owed."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tables import records as r
from tables.murmur2 import partition_of
from tables.rows import order_key, reservation_key

LIMITS = r.Limits(reservation_keep_seconds=120, order_keep_seconds=300)


def prune_everything(belt: Any, orders: int) -> None:
    """As the owners do it: a note per partition with whatever it may hold."""
    for topic, partition in belt.agents:
        attempts = (0,) if topic == "orders" else range(1, 5)
        items = [r.Pruned(f"o{n}", attempt) for n in range(orders) for attempt in attempts]
        belt.put(topic, partition, r.Prune(id=f"prune-{belt.ms}", items=items))


def rows(belt: Any, key: str) -> list[Any]:
    return [row for agent in belt.agents.values() if (row := agent.table.get(key)) is not None]


def test_weeks_pass_over_orders_of_every_kind(new_belt: Any) -> None:
    belt = new_belt(limits=LIMITS)
    belt.tick()
    for n in range(5):
        belt.place(r.Received(id=f"r{n}", sku=f"S{n}", location="W1", lot="L", quantity=9))
    for n in range(20):
        payment = "pending" if n % 5 == 0 else "paid"
        belt.place(r.OrderPlaced(id=f"o{n}", order_id=f"o{n}", channel="shop", locations=["W1"], payment=payment,
                                 lines=[r.Line(f"S{n % 5}", 2), r.Line(f"S{(n + 1) % 5}", 1)]))  # fmt: skip
    belt.turn()
    for n in (1, 6, 11):
        belt.place(r.OrderShipped(id=f"s{n}", order_id=f"o{n}"))
    belt.place(r.CancelRequested(id="c2", order_id="o2"))
    belt.turn()
    for _ in range(12):
        belt.tick(60)
        prune_everything(belt, 20)
        belt.turn()
        for where in belt.agents:
            belt.take_over(*where)

    report = belt.audit()

    assert report["findings"] == []
    for seed in range(6):
        looked_on = belt.audit_in_rounds(random.Random(seed))
        assert (looked_on["findings"], looked_on["orders"]) == ([], report["orders"])
    orders = {n: row for n in range(20) for row in rows(belt, order_key(f"o{n}"))}
    assert {orders[1].state, orders[2].state, orders[6].state} == {"deleted"}
    for n, order in orders.items():
        state = order.state
        held = [row.state for row in rows(belt, reservation_key(f"o{n}", order.attempt))]
        if state in ("confirmed", "on_hold"):
            assert set(held) <= {"allocated", "held"}
            assert held, "an order that is owed keeps what it holds"
        else:
            assert set(held) == {"deleted"}
    assert "confirmed" in {order.state for order in orders.values()}


def test_an_order_told_again_after_it_was_forgotten_starts_anew(new_belt: Any) -> None:
    belt = new_belt(limits=LIMITS)
    belt.tick()
    belt.place(r.Received(id="r", sku="S", location="W1", lot="L", quantity=5))
    placed = r.OrderPlaced(id="o0", order_id="o0", channel="shop", locations=["W1"], lines=[r.Line("S", 9)])
    belt.place(placed)
    belt.turn()
    for _ in range(10):
        belt.tick(60)
        prune_everything(belt, 1)
        belt.turn()
    belt.place(placed)
    belt.turn()
    [row] = rows(belt, order_key("o0"))
    assert row.state == "rejected"
    assert belt.agents["warehouse", partition_of("S", belt.partitions)].table.get("stock|S|W1").on_hand == 5


@pytest.mark.parametrize("marked", [False, True], ids=["past its time", "marked"])
def test_a_reserve_delivered_again_after_it_was_forgotten_is_answered_and_counted_by_nobody(
    new_belt: Any, marked: bool
) -> None:
    belt = new_belt(limits=LIMITS)
    belt.tick()
    belt.place(r.Received(id="r", sku="S", location="W1", lot="L", quantity=5))
    belt.place(r.OrderPlaced(id="o0", order_id="o0", channel="shop", locations=["W1"], lines=[r.Line("S", 2)]))
    belt.turn()
    belt.place(r.CancelRequested(id="c", order_id="o0"))
    belt.turn()
    stock = "warehouse", partition_of("S", belt.partitions)
    told = [seen for seen in belt.source("warehouse") if seen.partition == stock[1]]
    for _ in range(3):
        belt.tick(60)
        if marked:
            prune_everything(belt, 1)
        belt.turn()
    before = {key: belt.agents[stock].table.get(key) for key in ("stock|S|W1", reservation_key("o0", 1))}
    for seen in told:
        belt.append(*stock, seen.value, seen.key)
    belt.turn()
    for where in belt.agents:
        belt.take_over(*where)

    assert {key: belt.agents[stock].table.get(key) for key in before} == before
    report = belt.audit()
    assert report["findings"] == []
    assert belt.audit_in_rounds(random.Random(1))["findings"] == []
