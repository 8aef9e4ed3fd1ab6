"""`shortages` names what is owed and not there, and who waits for it, as the topics say last."""

from __future__ import annotations

import json

V1, V2 = (1, 5, 0), (1, 9, 0)


def short(shop, sku, units, allocated, version=V1, location="W1"):
    return shop.stock(sku, version, shop.at(location, {"L1": allocated}, version, allocated=allocated, shortage=units))


def test_a_shortage_lists_the_oldest_promise_first_and_who_goes_without(shop):
    short(shop, "BJ-1", 3, allocated=4)
    for order_id, hour, units in (("late", "12", 3), ("early", "08", 2), ("between", "10", 2)):
        shop.order(order_id, "confirmed", V1, shop.line("BJ-1", units), decided_at=f"2026-03-01T{hour}:00:00.000Z")
    [item] = json.loads(shop.run("shortages", "--json").stdout)
    assert (item["sku"], item["location"], item["owner"], item["shortage"], item["owed"]) == ("BJ-1", "W1", "W1", 3, 7)
    assert [(o["order_id"], o["units"], o["uncovered"]) for o in item["orders"]] == [
        ("early", 2, 0), ("between", 2, 0), ("late", 3, 3),
    ]  # fmt: skip
    shown = shop.run("shortages").stdout
    assert shown.index("early") < shown.index("between") < shown.index("late")


def test_an_order_that_was_shipped_waits_no_more_even_if_an_older_copy_stands_behind(shop):
    short(shop, "BJ-1", 2, allocated=0)
    shop.order("gone", "shipped", V2, shop.line("BJ-1", 2, shipped=2))
    shop.order("gone", "confirmed", V1, shop.line("BJ-1", 2))
    shop.order("elsewhere", "confirmed", V1, shop.line("BJ-1", 2, "W2"), shop.line("BJ-2", 1))
    [item] = json.loads(shop.run("shortages", "--json").stdout)
    assert item["orders"] == []
    assert "no confirmed order" in shop.run("shortages").stdout


def test_an_item_closes_when_the_level_says_so(shop):
    short(shop, "BJ-1", 2, allocated=0)
    short(shop, "BJ-1", 0, allocated=2, version=V2)
    assert json.loads(shop.run("shortages", "--json").stdout) == []
    told = shop.run("shortages")
    assert told.stdout == ""
    assert "nothing is short" in told.stderr


def test_one_location_sees_its_own_work_alone(shop):
    short(shop, "BJ-1", 2, allocated=0)
    short(shop, "BJ-2", 1, allocated=0, location="W2")
    items = json.loads(shop.run("shortages", "--location", "W2", "--json").stdout)
    assert [(x["sku"], x["owner"]) for x in items] == [("BJ-2", "W2")]
