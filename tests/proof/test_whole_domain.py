"""A day of the whole domain is audited clean; and each lie about it is found under the name of the rule it breaks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from tables import records as r
from tables.murmur2 import partition_of, partition_of_sku

MSGPACK = msgspec.msgpack
FRESH = "2024-03-01"


def order(order_id: str, *lines: tuple[str, int], **more: Any) -> r.OrderPlaced:
    fields: dict[str, Any] = {"locations": ["W1", "W2"], "payment": "paid", "channel": "shop"} | more
    return r.OrderPlaced(id=order_id, order_id=order_id, lines=[r.Line(*line) for line in lines], **fields)


def stock(belt: Any, sku: str, location: str, units: int, lot: str = "L", best_before: str = FRESH) -> None:
    belt.place(r.Received(id=f"in-{sku}-{location}-{lot}", sku=sku, location=location, lot=lot, quantity=units,
                          best_before=best_before))  # fmt: skip


def elsewhere(belt: Any, sku: str) -> str:
    """A SKU that lives in another partition."""
    home = partition_of_sku(sku, belt.partitions)
    return next(x for x in (f"P{n}" for n in range(99)) if partition_of_sku(x, belt.partitions) != home)


@pytest.fixture
def lived(belt: Any) -> Any:
    """Channels with rules, kits, backorders, a move, an edit, a recall, a transfer, a parcel and a return."""
    belt.tick()
    belt.place(r.ChannelSet(id="web", channel="web", minimum_life_days=30))
    belt.place(r.KitSet(id="box", kit="BOX", parts=[r.KitPart("A", 2), r.KitPart("B", 1)]))
    belt.place(r.PolicySet(id="limit", sku="D", location="W1", backorder_limit=6))
    belt.place(r.ChannelStockSet(id="fence", sku="A", location="W1", channel="web", ring_fence=3, buffer=0))
    far = elsewhere(belt, "A")
    for sku, location, units in (("A", "W1", 20), ("A", "W2", 20), (far, "W2", 20), ("B", "W1", 20), ("E", "W1", 8)):
        stock(belt, sku, location, units)
    stock(belt, "A", "W1", 5, lot="OLD", best_before="2023-11-20")
    stock(belt, "R", "W1", 9, lot="BAD")
    belt.place(r.TransferredOut(id="out", sku="E", location="W1", to="W2", quantity=3, reference="T1"))
    belt.place(r.TransferredIn(id="into", sku="E", location="W2", quantity=3, reference="T1"))
    belt.place(r.KitAssembled(id="built", sku="KIT", location="W1", quantity=2, lot="K", best_before=FRESH,
                              parts=[r.KitPartUsed("B", 4)]))  # fmt: skip
    belt.turn()
    belt.place(r.RecallOpened(id="recall", lot="BAD"))
    belt.turn()
    belt.place(order("kit", ("BOX", 2)))
    belt.place(order("moved", ("A", 2), (far, 2)))
    belt.place(order("web", ("A", 2), channel="web"))
    belt.place(order("recalled", ("R", 2)))
    belt.place(order("old", ("D", 4), policy="backorder"))
    belt.turn()
    belt.place(order("young", ("D", 2), policy="backorder"))
    belt.turn()
    stock(belt, "D", "W1", 5)
    belt.place(r.OrderEdited(id="more", order_id="web", lines=[r.EditLine("A", 3), r.EditLine("E", 1)]))
    belt.place(r.OrderShipped(id="parcel", order_id="kit", tracking="1Z9"))
    belt.turn()
    belt.place(r.TrackingUpdated(id="there", order_id="kit", tracking="1Z9", status="delivered"))
    belt.place(r.ReturnInspected(id="looked", order_id="kit", return_id="RMA1", lines=[
        r.InspectedLine("A", 3, "restock", lot="L"), r.InspectedLine("B", 9)]))  # fmt: skip
    belt.turn()
    return belt


def found(belt: Any, rule: str) -> Any:
    """The audit fails, and names this rule."""
    report = belt.audit()
    assert report["ok"] is False
    by_rule = {finding.rule: finding for finding in reversed(report["findings"])}
    assert rule in by_rule, report["findings"]
    return by_rule[rule]


def stock_row(belt: Any, sku: str, location: str) -> Any:
    table = belt.agents["warehouse", partition_of_sku(sku, belt.partitions)].table
    return table.get(f"stock|{sku}|{location}")


def items(belt: Any, topic: str) -> Iterator[tuple[Any, int, dict[str, Any], list[dict[str, Any]]]]:
    for seen in [x for x in belt.source(topic) if x.value]:
        value = msgspec.json.decode(seen.value)
        packed = value["items"] if value["type"] == "packed" else [value]
        for index, item in enumerate(packed):
            yield seen, index, item, packed


def lie(belt: Any, topic: str, good: Callable[[dict[str, Any]], bool], **what: Any) -> dict[str, Any]:
    """The first item that is `good`, changed where it stands; returns it as it was."""
    for seen, index, item, packed in items(belt, topic):
        if good(item):
            packed[index] = item | what
            value = packed[0] if len(packed) == 1 else {"type": "packed", "items": packed}
            belt.replace(seen, msgspec.json.encode(value))
            return item
    raise AssertionError("no such item")


def of(kind: str, **fields: Any) -> Callable[[dict[str, Any]], bool]:
    return lambda x: x["type"] == kind and all(x.get(name) == value for name, value in fields.items())


TICK = {"type": "tick", "id": "nothing", "now_ms": 0}


def test_the_day_is_audited_clean_and_every_rule_was_looked_at(lived: Any) -> None:
    report = lived.audit()

    assert report["findings"] == []
    assert lived.decided() == {
        "kit": "confirmed", "moved": "confirmed", "web": "confirmed", "recalled": "rejected", "old": "confirmed",
        "young": "confirmed",
    }  # fmt: skip
    for rule in ("answer", "backorder_limit", "edit", "fill", "floor", "kit", "line_equation", "move", "oldest_first",
                 "order_status", "promise", "promised_by_day", "returned_once", "ring_fence",
                 "shipped_once"):  # fmt: skip
        assert report["checked"][rule] > 0, rule


def test_a_recalled_lot_that_was_promised(lived: Any) -> None:
    lie(lived, "orders", of("reserve_answered", order_id="recalled"), refused=[],
        parts=[{"sku": "R", "quantity": 2, "location": "W1"}])  # fmt: skip

    finding = found(lived, "frozen")

    assert (finding.subject, finding.location) == ("R", "W1")


def test_a_promise_of_goods_that_are_not_fresh_enough(lived: Any) -> None:
    """There are units enough, but not of lots that this channel's customers would still have a month of."""
    shelf = stock_row(lived, "A", "W1")
    wanted = shelf.on_hand - shelf.allocated - shelf.shares[0].ring_fence
    answer = r.ReserveAnswered(id="late:1:0", order_id="late", attempt=1, partition=partition_of_sku("A", 3),
                               parts=[r.Part("A", wanted, "W1")])  # fmt: skip
    lived.put("warehouse", partition_of_sku("A", 3), r.Reserve(
        id="late:1:0", order_id="late", attempt=1, order_partition=partition_of("late", 3),
        lines=[r.Line("A", wanted)], locations=["W1"], channel="web",
    ))  # fmt: skip
    lived.put("orders", partition_of("late", 3), answer)

    assert found(lived, "floor").subject == "A"


def test_more_backordered_than_the_limit_allows(lived: Any) -> None:
    lie(lived, "orders", of("reserve_answered", order_id="young"),
        parts=[{"sku": "D", "quantity": 2, "location": "W2", "backordered": True}])  # fmt: skip

    assert found(lived, "backorder_limit").subject == "D"


def test_a_younger_backorder_filled_before_the_oldest(lived: Any) -> None:
    fill = lie(lived, "orders", of("backorder_filled", order_id="old"), order_id="young", id="young:1:0:1:0")

    finding = found(lived, "oldest_first")

    assert finding.subject == fill["order_id"]


def test_a_backorder_filled_with_other_units(lived: Any) -> None:
    fill = lie(lived, "orders", of("backorder_filled", order_id="old"), quantity=3)

    assert found(lived, "fill").subject == fill["order_id"]


def test_a_move_that_is_told_otherwise(lived: Any) -> None:
    answer = next(item for _, _, item, _ in items(lived, "orders") if item["type"] == "move_answered")
    lie(lived, "orders", of("move_answered"), parts=[x | {"quantity": 1} for x in answer["parts"]])

    assert found(lived, "move").subject == "moved"


def test_an_edit_that_is_told_otherwise(lived: Any) -> None:
    lie(lived, "reservations", of("order_decided", status="edited"), lines=[])

    assert found(lived, "edit").subject == "web"


def test_parts_that_never_left_for_their_kit(lived: Any) -> None:
    lie(lived, "warehouse", of("kit_part_moved"), **TICK)

    assert found(lived, "kit").subject == "B"


def test_a_parcel_that_left_twice(lived: Any) -> None:
    lived.place(r.Shipped(id="kit:shipment:99:0", sku="A", location="W1", quantity=1, order_id="kit", attempt=1))
    lived.turn()

    assert found(lived, "shipped_once").subject == "kit"


def test_a_unit_that_came_back_twice(lived: Any) -> None:
    lived.place(r.Returned(id="kit:return:99:0", sku="A", location="W1", quantity=1, order_id="kit"))
    lived.turn()

    assert found(lived, "returned_once").subject == "kit"


def last_status(belt: Any, order_id: str) -> Any:
    return [x for x in belt.source("order-status") if x.key == order_id.encode()][-1]


def change_status(belt: Any, order_id: str, change: Callable[[dict[str, Any]], Any]) -> None:
    seen = last_status(belt, order_id)
    said = msgspec.json.decode(seen.value)
    change(said)
    belt.replace(seen, msgspec.json.encode(said))


def test_a_document_that_shows_more_returned_than_shipped(lived: Any) -> None:
    change_status(lived, "kit", lambda x: x["lines"][0].update(returned=99))

    assert found(lived, "returned_once").subject == "kit"


def test_a_document_whose_lines_do_not_add_up(lived: Any) -> None:
    change_status(lived, "kit", lambda x: x["lines"][0].update(open=1))

    assert found(lived, "line_equation").subject == "kit"


@pytest.mark.parametrize(
    "what",
    [{"payment_wanted": ""}, {"fulfilments": []}, {"kits": {"BOX": 3}}, {"returns": []}, {"status": "shipped"},
     {"policy": "backorder"}, {"exchange_of": "other"}],
    ids=lambda x: next(iter(x)),
)  # fmt: skip
def test_a_document_that_says_something_else(lived: Any, what: dict[str, Any]) -> None:
    change_status(lived, "kit", lambda x: x.update(what))

    assert found(lived, "order_status").subject == "kit"


@pytest.mark.parametrize(("what", "rule"), [(0, "order_status"), (1, "order_status"), (3, "line_equation")])
def test_a_document_that_is_wrong_about_what_is_in_hands(lived: Any, what: int, rule: str) -> None:
    """Four were picked before one more came; two of the four left."""
    lived.place(order("hands", ("H", 5), policy="backorder", locations=["W1"]))
    lived.place(r.PolicySet(id="more", sku="H", location="W1", backorder_limit=6))
    stock(lived, "H", "W1", 4)
    lived.turn()
    lived.place(r.OrderPicked(id="picked", order_id="hands", lines=[r.PickedLine("H", 4)]))
    lived.place(r.OrderShipped(id="left", order_id="hands", lines=[r.ShippedLine("H", 2)]))
    lived.turn()
    stock(lived, "H", "W1", 1, lot="L2")
    lived.turn()
    assert lived.audit()["ok"]

    change_status(lived, "hands", lambda x: x["lines"][0].update(picked=what))

    assert found(lived, rule).subject == "hands"


def change_level(belt: Any, sku: str, change: Callable[[dict[str, Any]], Any]) -> None:
    seen = [x for x in belt.source("stock-levels") if x.key == sku.encode()][-1]
    said = msgspec.json.decode(seen.value)
    change(next(x for x in said["locations"] if x["location"] == "W1"))
    belt.replace(seen, msgspec.json.encode(said))


@pytest.mark.parametrize(
    ("sku", "change", "rule"),
    [
        ("R", lambda x: x["lots"][0].update(status="approved"), "conservation"),
        ("R", lambda x: x["lots"][0].update(best_before="2024-03-02"), "level"),
        ("D", lambda x: x.update(backordered=0), "level"),
        ("A", lambda x: x.update(open_to_all=0), "level"),
        ("A", lambda x: x["channels"][0].update(ring_fence=-1), "ring_fence"),
        ("A", lambda x: x["promise"][0].update(quantity=99), "promised_by_day"),
    ],
)  # fmt: skip
def test_a_level_that_says_something_else(lived: Any, sku: str, change: Any, rule: str) -> None:
    change_level(lived, sku, change)

    assert found(lived, rule).subject == sku


@pytest.mark.parametrize(
    ("key", "field"),
    [(b"stock|R|W1", 4), (b"stock|D|W1", 8), (b"lot|R|W1|BAD", 8), (b"lot|A|W1|OLD", 7), (b"stock|A|W1", 12)],
    ids=["unavailable", "backordered", "status", "blocked", "floors"],
)  # fmt: skip
def test_a_row_that_holds_something_else(lived: Any, key: bytes, field: int) -> None:
    seen = [x for x in lived.source("stock-changelog") if x.key.startswith(key + b"|")][-1]
    row = MSGPACK.decode(seen.value[20:])
    row[field] = {int: lambda n: n + 1, str: lambda _: "on_hold", list: lambda _: [["2030-01-01", 1]]}[
        type(row[field])
    ](row[field])
    lived.replace(seen, seen.value[:20] + MSGPACK.encode(row))

    assert found(lived, "changelog").offset == seen.offset
