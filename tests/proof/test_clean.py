"""An audit of what the agents really do finds nothing, and says how much it checked."""

from __future__ import annotations

from typing import Any

from tables import records as r
from tables.murmur2 import partition_of


def stocked(belt: Any, skus: int = 6, units: int = 5) -> None:
    for n in range(skus):
        for location in ("W1", "W2"):
            belt.place(r.Received(id=f"r{n}{location}", sku=f"S{n}", location=location, lot=f"L{n}", quantity=units,
                                  best_before="2027-01-01"))  # fmt: skip


def order(n: int, *skus: str, **more: Any) -> r.OrderPlaced:
    fields: dict[str, Any] = {"locations": ["W1", "W2"], "payment": "paid", "channel": "shop"} | more
    return r.OrderPlaced(id=f"o{n}", order_id=f"o{n}", lines=[r.Line(sku, 2) for sku in skus], **fields)


def test_orders_that_compete_for_stock(belt: Any) -> None:
    stocked(belt)
    for n in range(60):
        belt.place(order(n, f"S{n % 6}", f"S{(n + 1) % 6}"))
    belt.turn()

    report = belt.audit()

    assert report["findings"] == []
    assert report["ok"] is True
    assert report["orders"]["placed"] == 60
    assert report["orders"]["confirmed"] + report["orders"]["rejected"] == 60
    assert report["orders"]["confirmed"] > 5
    for rule in ("promise", "answer", "one_answer", "decision", "one_decision", "all_or_nothing", "level", "identity",
                 "conservation", "changelog", "leak", "items"):  # fmt: skip
        assert report["checked"][rule] > 0, rule
    for counts in report["logs"].values():
        parts = (counts.applied, counts.duplicates, counts.forwarded, counts.dead_letters, counts.ticks)
        assert sum(parts) == counts.items


def test_a_life_with_everything(belt: Any) -> None:
    stocked(belt, units=40)
    belt.turn()
    belt.tick()
    belt.place(order(1, "S1", "S2"))
    belt.place(order(2, "S3", payment="pending"))
    belt.place(order(3, "S4", payment="pending", payment_seconds=60))
    belt.place(r.CancelRequested(id="c4", order_id="o4"))
    belt.place(order(4, "S4"))
    belt.place(order(5, "S5", checks=["fraud"]))
    belt.turn()
    belt.place(r.PaymentCaptured(id="p2", order_id="o2"))
    belt.place(r.CancelRequested(id="c1", order_id="o1", lines=[r.CancelLine("S1", 1)]))
    belt.place(r.OrderShipped(id="s1", order_id="o1"))
    belt.place(r.CheckFailed(id="f5", order_id="o5", check="fraud"))
    belt.place(r.Counted(id="k1", sku="S1", location="W1", lot="L1", quantity=30, as_of_offset=3))
    belt.place(r.Adjusted(id="a1", sku="S2", location="W1", quantity=-500, reason="damaged"))
    belt.place(r.PolicySet(id="y1", sku="S3", reorder_point=5, safety_stock=3))
    belt.place(r.Shipped(id="h1", sku="S5", location="W2", quantity=3))
    for _ in range(3):
        belt.tick(60)
        belt.turn()

    report = belt.audit()

    assert report["findings"] == []
    assert belt.decided() == {
        "o1": "confirmed", "o2": "confirmed", "o3": "expired", "o4": "rejected", "o5": "rejected"
    }  # fmt: skip
    assert report["checked"]["cancellation"] >= 2


def test_duplicates_dead_letters_and_misrouted_records(belt: Any) -> None:
    stocked(belt)
    belt.place(order(1, "S1"))
    belt.turn()
    for log in list(belt.topics.items()):
        if log[0][0] in ("orders", "warehouse"):
            for seen in list(log[1]):
                belt.append(*log[0], seen.value)
    belt.place(order(1, "S2"))  # the same id, other content
    belt.append("orders", 0, b"{not json")
    belt.append("warehouse", 1, b'{"type":"packed","items":[{"type":"received"},{"type":"tick","id":"x","now_ms":1}]}')
    wrong = order(9, "S1")
    for partition in range(3):
        belt.put("orders", partition, wrong)
    belt.turn()

    report = belt.audit()

    assert report["findings"] == []
    assert report["checked"]["dead_letter"] == 3
    assert report["logs"]["orders"].forwarded == 2
    assert report["logs"]["warehouse"].duplicates > 5


def test_a_shipment_told_while_a_contended_order_waits_its_turn(belt: Any) -> None:
    """What is told of an order meanwhile must not make it forget that it wants to ask again."""
    first, second = "S0", next(s for s in ("S1", "S2", "S3", "S4") if home(belt, s) != home(belt, "S0"))
    belt.place(r.Received(id="r1", sku=first, location="W1", lot="L", quantity=2))
    belt.turn()
    belt.place(order(1, first, second))
    belt.place(order(2, first))
    for partition in range(belt.partitions):
        belt.step("orders", partition, 100)
    belt.step("warehouse", home(belt, first), 100)  # order 1 has the units, but is not decided
    belt.place(r.OrderShipped(id="s2", order_id="o2", lines=[r.ShippedLine(second, 1, location="W1")]))

    belt.turn()

    assert belt.decided() == {"o1": "rejected", "o2": "confirmed"}
    assert belt.audit()["findings"] == []


def home(belt: Any, sku: str) -> int:
    return partition_of(sku, belt.partitions)
