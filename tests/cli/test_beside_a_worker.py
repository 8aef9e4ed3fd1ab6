"""What a real worker decided is what the commands say: stock, orders, the stream and the file agree."""

from __future__ import annotations

import json

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
        [levels] = json.loads(shop.run("stock", "get", "BJ-1", "--json").stdout)
        return levels if levels["locations"][0]["allocated"] == 5 else None

    [at] = shop.wait_for(settled)["locations"]
    assert (at["on_hand"], at["available"], at["reserved"]) == (5, 0, 0)
    assert [(lot["lot"], lot["on_hand"]) for lot in at["lots"]] == [("L1", 5)]

    def told():
        document = json.loads(shop.run("orders", "get", "o-2", "--json").stdout)
        return document if document["order"] else None

    document = shop.wait_for(told)
    assert (document["order"]["status"], document["decision"]["status"]) == ("rejected", "rejected")
    assert document["decision"]["lines"][0]["reason"] == "insufficient"
    assert document["decision"]["partition"] == shop.partition("o-2")
