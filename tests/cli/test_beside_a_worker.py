"""What a real worker decided is what the commands say: stock, orders, the stream and the file agree."""

from __future__ import annotations

import json

import msgspec

from streams.reader import last_offsets
from tables import records as r


def test_stock_orders_tail_and_export_agree_on_what_was_decided(shop):
    shop.publish("warehouse", "BJ-1", r.Received(id="in-1", sku="BJ-1", location="W1", quantity=5, lot="L1"))
    for order_id, units in (("o-1", 2), ("o-2", 9), ("o-3", 3)):
        placed = r.OrderPlaced(
            id=order_id, order_id=order_id, channel="shop", lines=[r.Line("BJ-1", units)], locations=["W1"],
            payment="paid", occurred_at="2026-02-28T12:00:00Z",
        )  # fmt: skip
        shop.publish("orders", order_id, placed)
    with (shop.settings.home / "worker.log").open("wb") as log:
        shop.start("worker", stdout=log, stderr=log)
        out = shop.settings.home / "decisions.jsonl"
        streamed = shop.run("tail", "reservations", "--from-beginning", "--json", "--limit", "3")
    by_order = {x["value"]["order_id"]: x for x in map(json.loads, streamed.stdout.splitlines())}
    assert {name: x["value"]["status"] for name, x in by_order.items()} == {
        "o-1": "confirmed", "o-2": "rejected", "o-3": "confirmed",
    }  # fmt: skip
    assert all("ce_id" in x["headers"] for x in by_order.values())

    shop.run("export", "decisions", "--format", "jsonl", "--out", str(out))
    rows = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert {(x["order_id"], x["topic"], x["partition"], x["offset"]) for x in rows} == {
        (name, "reservations", x["partition"], x["offset"]) for name, x in by_order.items()
    }
    assert all(x["time"] == "2026-02-28T12:00:00Z" for x in rows)

    def settled():
        levels = shop.levels("BJ-1")
        return levels if levels and levels["locations"][0]["allocated"] == 5 else None

    [at] = shop.wait_for(settled)["locations"]
    assert (at["on_hand"], at["available"], at["reserved"]) == (5, 0, 0)
    assert [(lot["lot"], lot["on_hand"]) for lot in at["lots"]] == [("L1", 5)]

    def told():
        document = json.loads(shop.run("orders", "get", "o-2", "--json").stdout)
        return document if document["order"] and document["order"]["status"] != "pending" else None

    document = shop.wait_for(told)
    assert (document["order"]["status"], document["decision"]["status"]) == ("rejected", "rejected")
    assert document["decision"]["lines"][0]["reason"] == "insufficient"
    assert document["decision"]["partition"] == shop.partition("o-2")


def test_what_is_accepted_is_incoming_once_however_often_it_is_said(shop):
    shop.publish("warehouse", "BJ-1", r.Received(id="in-1", sku="BJ-1", location="W2", quantity=50, lot="L1"))
    bought = r.Reorder(
        id="1", sku="BJ-1", location="W1", run="2026-03-01.001", quantity=60, order_by="2026-03-02", reorder_point=20,
        order_up_to=80, position=20, lead_days=7, reason="Buy.", supplier="ACME", expected="2026-03-09",
    )  # fmt: skip
    brought = msgspec.structs.replace(
        bought, id="2", run="2026-03-02.001", quantity=8, kind="transfer", from_location="W2", supplier="",
        expected="2026-03-04",
    )  # fmt: skip
    with (shop.settings.home / "worker.log").open("wb") as log:
        shop.start("worker", stdout=log, stderr=log)
        for reorder in (bought, brought):
            shop.publish("reorders", "BJ-1|W1", reorder, partition=shop.partition("BJ-1"))
            shop.run("reorders", "accept", "BJ-1", "W1")
            shop.send("planning", None, key=f"decision|BJ-1|W1|{reorder.run}".encode())  # as if it had never arrived
            shop.run("reorders", "accept", "BJ-1", "W1")

        def there():
            levels = shop.levels("BJ-1")
            at = {x["location"]: x for x in levels["locations"]} if levels else {}
            return at if len(at.get("W1", {}).get("incoming", ())) == 2 else None

        at = shop.wait_for(there)
        shop.publish("warehouse", "BJ-1", r.Received(id="in-2", sku="BJ-1", location="W2", quantity=1, lot="L1"))
        shop.wait_for(lambda: (x := there()) and x["W2"]["on_hand"] == 43 and x)
    assert sorted((x["kind"], x["quantity"], x["expected"]) for x in at["W1"]["incoming"]) == [
        ("purchase", 60, "2026-03-09"), ("transfer", 8, "2026-03-04"),
    ]  # fmt: skip
    assert sum(last_offsets(shop.settings, "dead-letters").values()) == 0, "the same words, not others under one id"
