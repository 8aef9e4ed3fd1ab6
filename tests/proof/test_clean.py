"""An audit of what the agents really do finds nothing, and says how much it checked."""

from __future__ import annotations

from random import Random
from typing import Any

import msgspec
import pytest

from tables import records as r
from tables.murmur2 import partition_of


def stocked(belt: Any, skus: int = 6, units: int = 5) -> None:
    for n in range(skus):
        for location in ("W1", "W2"):
            belt.place(r.Received(id=f"r{n}{location}", sku=f"S{n}", location=location, lot=f"L{n}", quantity=units,
                                  best_before="2027-01-01"))  # fmt: skip


def newest(belt: Any, sku: str) -> dict[str, Any]:
    """Its published level."""
    said = [msgspec.json.decode(x.value) for x in belt.source("stock-levels")]
    return [x for x in said if x["sku"] == sku][-1]


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


def test_a_parcel_of_an_order_that_was_refused_is_told_to_stock_whole_or_not_at_all(belt: Any) -> None:
    """Of one of its SKUs stock had said where it lay, of the other nobody knows: a parcel that names no place is a dead
    letter."""
    there, nowhere = "S0", next(s for s in ("S1", "S2", "S3", "S4") if home(belt, s) != home(belt, "S0"))
    belt.place(r.Received(id="r1", sku=there, location="W1", lot="L", quantity=2))
    for partition in range(belt.partitions):  # the orders' side hears of the channel's locations later
        belt.put("warehouse", partition, r.ChannelSet(id="c1", channel="shop", locations=["W1"]))
    belt.place(order(1, there, nowhere, locations=[]))
    belt.turn()
    belt.place(r.OrderShipped(id="s1", order_id="o1", location="W1"))
    belt.place(r.OrderShipped(id="s2", order_id="o1"))
    belt.turn()

    report = belt.audit()

    assert report["findings"] == []
    assert (belt.decided(), report["checked"]["dead_letter"]) == ({"o1": "rejected"}, 1)


def test_parcels_told_before_their_orders_and_before_any_decision(belt: Any) -> None:
    stocked(belt)
    for n in range(4):
        belt.place(r.TrackingUpdated(id=f"t{n}", order_id=f"o{n}", tracking="1Z", status="in_transit"))
        belt.place(r.OrderShipped(id=f"s{n}", order_id=f"o{n}", tracking="1Z", lines=[r.ShippedLine("S1", 2, "W1")]))
    belt.turn()
    belt.place(order(0, "S1"))
    belt.place(order(1, "S1", "S2", payment="pending"))
    belt.place(order(2, "S1", "NONE"))
    belt.turn()
    for _ in range(12):
        belt.tick(60)
        belt.turn()

    report = belt.audit()

    assert report["findings"] == []
    assert belt.decided() == {"o0": "confirmed", "o1": "confirmed", "o2": "rejected"}
    assert report["checked"]["shipped_once"] == 4
    assert newest(belt, "S1")["locations"][0]["on_hand"] == 0, "8 units left, there were 5"


@pytest.mark.parametrize("seed", range(10))
def test_orders_with_kits_that_are_edited_and_cancelled_in_any_order(belt: Any, seed: int) -> None:
    """The audit counts an order's kits on its own: whole ones, cancelled ones, and those that edits add or take."""
    chance = Random(seed)
    stocked(belt, units=60)
    for n in range(2):
        belt.place(r.KitSet(id=f"k{n}", kit=f"BOX{n}", parts=[r.KitPart("S1", n + 1), r.KitPart(f"S{n + 2}", 1)]))
    belt.place(r.Received(id="few", sku="S9", location="W1", lot="L9", quantity=3, best_before="2027-01-01"))
    belt.place(r.KitSet(id="k9", kit="BOX9", parts=[r.KitPart("S9", 1), r.KitPart("S5", 2)]))
    names = ("BOX0", "BOX1", "BOX9", "S1", "S2", "S5")
    for n in range(20):
        policy = chance.choice(("all_or_nothing", "ship_available", "backorder"))
        belt.place(order(n, *chance.sample(names, 2), policy=policy))
    for n in range(60):
        order_id = f"o{chance.randrange(20)}"
        lines = [(name, chance.randrange(4)) for name in chance.sample(names, 2)]
        if chance.random() < 0.3:
            cancelled = [r.CancelLine(name, count) for name, count in lines if count]
            belt.place(r.CancelRequested(id=f"c{n}", order_id=order_id, lines=cancelled[:1] or [r.CancelLine("S1", 1)]))
        else:
            belt.place(r.OrderEdited(id=f"e{n}", order_id=order_id, lines=[r.EditLine(*line) for line in lines]))
        if chance.random() < 0.5:
            belt.turn()
        if n == 30:
            belt.place(r.KitSet(id="other", kit="BOX0", parts=[r.KitPart("S4", 3)]))
    belt.turn()

    report = belt.audit()

    assert report["findings"] == []
    assert report["checked"]["edit"] > 3


def test_more_lots_than_one_record_may_change_expire_those_first_whose_day_came_first(belt: Any) -> None:
    """By day, then by key: 42 lots that are all over by one tick, the last by name for the longest time."""
    places = [f"N{n:02}" for n in range(42)]
    for n, location in enumerate(places):
        lot, day = ("B", "2023-11-12") if n == 41 else ("A", "2023-11-13")
        belt.place(r.Received(id=location, sku="S1", location=location, lot=lot, quantity=1, best_before=day))
    belt.turn()
    belt.tick()
    belt.turn()
    levels = {x["location"]: x["available"] for x in newest(belt, "S1")["locations"]}
    assert levels == dict.fromkeys(places, 0)
    assert belt.audit()["findings"] == []


def test_an_alert_window_comes_to_every_lot_of_a_sku_at_all_of_its_locations(belt: Any) -> None:
    """90 lots at 45 places: two more records go on where the policy ended, and everybody is told of every lot."""
    places = [f"N{n:02}" for n in range(45)]
    for location in places:
        for lot in ("A", "B"):
            belt.place(r.Received(id=f"{location}{lot}", sku="S1", location=location, lot=lot, quantity=1,
                                  best_before="2023-12-24"))  # fmt: skip
    belt.tick()
    belt.turn()
    belt.place(r.PolicySet(id="p", sku="S1", expiring_days=60))
    belt.turn()
    belt.tick(60)
    belt.turn()
    told = [msgspec.json.decode(x.value) for x in belt.source("alerts")]
    assert sorted((x["location"], x["lot"]) for x in told if x["kind"] == "expiring") == [
        (location, lot) for location in places for lot in ("A", "B")
    ]
    assert sum(b'"window_continued"' in x.value for x in belt.source("warehouse")) == 2
    assert belt.audit()["findings"] == []
