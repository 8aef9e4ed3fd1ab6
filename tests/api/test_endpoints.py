"""Every endpoint answers what was published, as its OpenAPI description says, and says how fresh the answer is."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from msgspec import structs

ASKED = {
    "/v1/stock": "/v1/stock?sku=JRK-ORIG-50&sku=NO-SUCH",
    "/v1/stock/{sku}": "/v1/stock/JRK-ORIG-50",
    "/v1/stock/{sku}/promise": "/v1/stock/COMES/promise?quantity=5",
    "/v1/skus": "/v1/skus",
    "/v1/locations": "/v1/locations",
    "/v1/locations/{location}/stock": "/v1/locations/W2/stock",
    "/v1/orders": "/v1/orders",
    "/v1/orders/{order_id}": "/v1/orders/sent",
    "/v1/decisions": "/v1/decisions",
    "/v1/alerts": "/v1/alerts",
    "/v1/shortages": "/v1/shortages",
    "/v1/forecasts": "/v1/forecasts",
    "/v1/reorders": "/v1/reorders",
    "/v1/forecast-alerts": "/v1/forecast-alerts",
    "/v1/demand/{sku}": "/v1/demand/JRK-ORIG-50",
    "/livez": "/livez",
    "/readyz": "/readyz",
    "/status": "/status",
}
ELSEWHERE = {  # they have tests of their own
    "/v1/live", "/v1/stock/query", "/v1/stock/{sku}/past", "/v1/orders/{order_id}/explanation", "/v1/recalls",
    "/v1/lots/{lot}/trace", "/metrics",
}  # fmt: skip


def test_no_documented_endpoint_is_left_out_here(shelf):
    assert set(shelf.answer("/openapi.json")["paths"]) == ASKED.keys() | ELSEWHERE


@pytest.mark.parametrize("path", ASKED)
def test_an_answer_is_as_documented(shelf, path):
    response = shelf.get(ASKED[path])
    assert response.status_code == 200
    shelf.check_documented(path, response)


@pytest.mark.parametrize("path", ["/v1/stock/NO-SUCH", "/v1/orders/no-such", "/v1/locations/NO-SUCH/stock"])
def test_what_is_unknown_is_a_documented_404(shelf, path):
    response = shelf.get(path)
    assert response.status_code == 404
    template = path.replace("NO-SUCH/stock", "{location}/stock").replace("NO-SUCH", "{sku}")
    shelf.check_documented(template.replace("no-such", "{order_id}"), response)


@pytest.mark.parametrize("path", [path for path in ASKED if path.startswith("/v1/")])
def test_every_answer_says_how_fresh_it_is(shelf, path):
    def known():  # null while the ends of partitions have not been heard of for some seconds
        fresh = shelf.answer(ASKED[path])["as_of"]
        return None if any(one["lag"] is None for one in fresh) else fresh

    for one in shelf.wait(known):
        assert one["lag"] == 0
        assert (one["offset"] is None) == (one["time"] is None)
        assert one["time"] is None or datetime.fromisoformat(one["time"]).tzinfo


def test_the_stock_of_one_sku_names_places_lots_and_its_own_partition(shelf):
    said = shelf.answer("/v1/stock/JRK-ORIG-50")
    assert (said["stock"]["available"], said["stock"]["flavor"]) == (5, "Original")
    assert said["stock"]["locations"][0]["lots"] == [
        {"lot": "L1", "best_before": "2027-01-31", "on_hand": 5, "status": "approved", "blocked": 0}
    ]
    assert [one["topic"] for one in said["as_of"]] == ["stock-levels"]
    assert said["as_of"][0]["offset"] is not None


def test_on_hand_is_the_sum_of_its_parts_everywhere(shelf):
    parts = ("available", "reserved", "allocated", "safety_stock", "unavailable")
    for sku in shelf.answer("/v1/skus?limit=500&q=SKU-")["items"]:
        assert sku["on_hand"] == sum(place["on_hand"] for place in sku["locations"])
        assert all(place["on_hand"] == sum(place[part] for part in parts) for place in sku["locations"])


@pytest.mark.parametrize("ask", [
    lambda api, skus: api.get("/v1/stock", params={"sku": skus}),
    lambda api, skus: api.http.post("/v1/stock/query", json={"skus": skus}),
])  # fmt: skip
def test_many_skus_come_at_once_and_the_unknown_are_named(shelf, ask):
    response = ask(shelf, ["SKU-003", "NO-SUCH", "SKU-001", "SKU-003"])
    assert response.status_code == 200
    said = response.json()
    assert [one["sku"] for one in said["items"]] == ["SKU-003", "SKU-001"]
    assert said["unknown"] == ["NO-SUCH"]


def test_the_query_by_body_is_as_documented(shelf):
    shelf.check_documented("/v1/stock/query", shelf.http.post("/v1/stock/query", json={"skus": ["A"]}), "post")


def test_a_location_lists_what_stands_there(shelf):
    assert shelf.answer("/v1/locations")["items"] == [{"location": "W1", "skus": 28}, {"location": "W2", "skus": 2}]
    there = shelf.answer("/v1/locations/W2/stock")
    assert [(one["sku"], one["available"]) for one in there["items"]] == [("COMES", 6), ("ONLY-W2", 9)]


def test_a_level_tells_lots_channels_what_comes_and_how_good_the_books_are(shelf):
    here, elsewhere = shelf.answer("/v1/stock/COMES")["stock"]["locations"]
    assert [(lot["lot"], lot["status"], lot["blocked"]) for lot in here["lots"]] == [
        ("L1", "approved", 1), ("L2", "recalled", 0),
    ]  # fmt: skip
    assert here["channels"] == [{"channel": "web", "available": 6, "ring_fence": 5, "buffer": 0}]
    assert (here["backordered"], here["open_to_all"], here["incoming"][0]["quantity"]) == (2, 1, 20)
    assert (here["accuracy"]["exact"], elsewhere["accuracy"]) == (2, None)


NOW, FEBRUARY, MARCH = "now", "2099-02-01", "2099-03-01"


@pytest.mark.parametrize(("asked", "day", "alone"), [
    ("quantity=4", NOW, {"W1": NOW, "W2": FEBRUARY}),
    ("quantity=6", NOW, {"W1": MARCH, "W2": None}),
    ("quantity=7", NOW, {"W1": MARCH, "W2": None}),  # W2 expected one long ago: it may come any day
    ("quantity=8", FEBRUARY, {"W1": MARCH, "W2": None}),
    ("quantity=28", MARCH, {"W1": None, "W2": None}),
    ("quantity=29", None, {"W1": None, "W2": None}),
    ("quantity=4&location=W2", FEBRUARY, {"W2": FEBRUARY}),
    ("quantity=5&location=W2", None, {"W2": None}),
])  # fmt: skip
def test_a_promise_is_the_first_day_on_which_so_many_are_there(shelf, asked, day, alone):
    first = datetime.now(UTC).date().isoformat()
    said = shelf.answer(f"/v1/stock/COMES/promise?{asked}")
    today = {first: NOW, datetime.now(UTC).date().isoformat(): NOW}  # midnight may fall between the two
    assert today.get(said["day"], said["day"]) == day
    assert {one["location"]: today.get(one["day"], one["day"]) for one in said["locations"]} == alone


def test_nothing_is_promised_for_what_is_not_there(shelf):
    for path, template in (("/v1/stock/NO-SUCH/promise?quantity=1", 404), ("/v1/stock/COMES/promise?quantity=0", 422),
                           ("/v1/stock/COMES/promise?quantity=1&location=W9", 404)):  # fmt: skip
        response = shelf.get(path)
        assert response.status_code == template
        shelf.check_documented("/v1/stock/{sku}/promise", response)


def test_a_shortage_names_who_waits_and_whose_units_are_not_there(shelf):
    [item] = shelf.answer("/v1/shortages")["items"]
    assert (item["sku"], item["location"], item["owner"]) == ("SHORT", "W1", "W1")
    assert (item["shortage"], item["owed"], item["orders_total"]) == (4, 9, 3)
    assert [(o["order_id"], o["units"], o["uncovered"]) for o in item["orders"]] == [
        ("first", 3, 0), ("between", 2, 0), ("later", 4, 4),
    ]  # fmt: skip
    assert shelf.answer("/v1/shortages?location=W2")["items"] == shelf.answer("/v1/shortages?sku=COMES")["items"] == []


def test_shortages_end_when_the_level_says_so(api):
    def short(sku, units, at=1):
        return api.make.level(sku, 0, at, at_location={"allocated": 0, "shortage": units})

    def listed():
        return [one["sku"] for one in api.answer("/v1/shortages?limit=1")["items"]]

    api.publish("stock-levels", short("A", 2), short("B", 3))
    api.wait(lambda: api.applied("stock-levels") == 2)
    page = api.answer("/v1/shortages?limit=1")
    assert [one["sku"] for one in page["items"]] == ["A"]
    [following] = api.get("/v1/shortages", params={"after": page["next"]}).json()["items"]
    assert following["sku"] == "B"
    api.publish("stock-levels", short("A", 0, at=2))
    api.wait(lambda: api.applied("stock-levels") == 3)
    assert listed() == ["B"]


def test_an_order_tells_what_each_location_does_and_what_comes_back(shelf):
    sent = shelf.answer("/v1/orders/sent")["order"]
    assert sent["fulfilments"] == [{"location": "W1", "state": "shipped", "cartons": ["C-1"], "tracking": ["T-1"],
                                    "tracking_status": "in_transit"}]  # fmt: skip
    assert sent["returns"] == [{"return_id": "RMA-1", "state": "authorized", "units": 1}]
    assert (sent["payment_wanted"], sent["kits"], sent["exchange_of"]) == ("capture", {"TRIO": 1}, "order-0")
    [line] = sent["lines"]
    assert line["quantity"] == line["open"] + line["allocated"] + line["shipped"] + line["cancelled"]


def test_a_list_of_orders_shows_where_each_one_is(shelf):
    [sent] = shelf.answer("/v1/orders?status=shipped")["items"]
    assert (sent["units"], sent["payment"], sent["payment_wanted"]) == (2, "authorized", "capture")
    assert sent["fulfilments"][0]["tracking"] == ["T-1"]
    assert sent["returns"][0]["return_id"] == "RMA-1"


def test_an_order_is_found_whatever_its_id_holds(shelf):
    assert shelf.answer("/v1/orders/order-1")["order"]["status"] == "confirmed"
    for path in ("/v1/orders/order/2", "/v1/orders/order%2F2"):
        assert shelf.answer(path)["order"]["order_id"] == "order/2"


def test_orders_are_filtered_by_status_and_channel(shelf):
    assert [o["order_id"] for o in shelf.answer("/v1/orders?status=on_hold")["items"]] == ["held"]
    assert [o["order_id"] for o in shelf.answer("/v1/orders?channel=market")["items"]] == ["held"]
    assert shelf.answer("/v1/orders?status=on_hold&channel=shop")["items"] == []


def test_decisions_say_why(shelf):
    rejected = shelf.answer("/v1/decisions?status=rejected")["items"]
    assert [(d["order_id"], d["reason"]) for d in rejected] == [("order-2", "insufficient")]
    assert len(shelf.answer("/v1/decisions?limit=1")["items"]) == 1


def test_alerts_are_filtered_and_one_without_a_time_is_listed(shelf):
    assert [(a["sku"], a["kind"]) for a in shelf.answer("/v1/alerts?kind=out")["items"]] == [("SKU-000", "out")]
    asked = [a["kind"] for a in shelf.answer("/v1/alerts?kind=recount&kind=recalled")["items"]]
    assert sorted(asked) == ["recalled", "recount"]
    assert [a["time"] for a in shelf.answer("/v1/alerts?sku=JRK-ORIG-50")["items"]] == [""]


@pytest.mark.parametrize(("kind", "told"), [
    ("expiring", {"lot": "L1", "units": 7}), ("recalled", {"lot": "L2", "units": 3}),
    ("discrepancy", {"units": -2, "note": "TR-4"}), ("recount", {"units": -9}),
    ("paid_unallocated", {"order_id": "late-payer", "units": 2}),
])  # fmt: skip
def test_alerts_of_every_kind_say_what_to_look_at(shelf, kind, told):
    response = shelf.get(f"/v1/alerts?kind={kind}")
    shelf.check_documented("/v1/alerts", response)
    [one] = response.json()["items"]
    assert {"lot": "", "order_id": "", "units": 0, "note": ""} | told == {
        name: one[name] for name in ("lot", "order_id", "units", "note")
    }


def test_plans_are_filtered_by_sku_and_location(shelf):
    for path in ("/v1/forecasts", "/v1/reorders", "/v1/forecast-alerts"):
        assert [p["sku"] for p in shelf.answer(f"{path}?sku=SKU-002")["items"]] == ["SKU-002"]
        assert len(shelf.answer(f"{path}?location=W1")["items"]) == 8
        assert shelf.answer(f"{path}?location=W9")["items"] == []


def test_a_reorder_says_what_was_decided_about_it(api):
    make = api.make
    api.publish("reorders", make.reorder("A"), make.reorder("B"))
    api.publish("planning", make.decided("accepted", 12, "A", by="mia", reference="PO-1", time="2026-11-24T08:00:00Z"))
    api.wait(lambda: api.applied("planning") and api.applied("reorders") == 2)
    response = api.get("/v1/reorders")
    api.check_documented("/v1/reorders", response)
    taken, open_ = response.json()["items"]
    assert open_["decision"] is None
    assert taken["decision"] == {
        "decision": "accepted", "quantity": 12, "recommended": 11, "reference": "PO-1", "by": "mia", "reason": "",
        "decided_at": "2026-11-24T08:00:00Z",
    }  # fmt: skip


def test_demand_comes_newest_day_first(shelf):
    days = shelf.answer("/v1/demand/JRK-ORIG-50")["items"]
    assert [day["day"] for day in days] == ["2026-11-23", "2026-11-22"]
    assert shelf.answer("/v1/demand/NO-SUCH")["items"] == []


def test_demand_comes_in_pages_over_days_and_locations(api):
    days = [api.make.demand(day=f"2026-11-{day}", at=day) for day in (20, 21, 22)]
    there = [structs.replace(one, id=one.id.replace("W1", "W2"), location="W2") for one in days]
    api.publish("demand", *days, *there)
    api.wait(lambda: api.applied("demand") == 6)
    seen, after = [], {}
    while after is not None:
        response = api.get("/v1/demand/JRK-ORIG-50", params={"limit": 4} | after)
        api.check_documented("/v1/demand/{sku}", response)
        page = response.json()
        seen += [(one["day"], one["location"]) for one in page["items"]]
        after = {"after": page["next"]} if page["next"] else None
    assert seen == [(f"2026-11-{day}", place) for day in (22, 21, 20) for place in ("W2", "W1")]
    assert api.answer("/v1/demand/JRK-ORIG-50")["next"] is None


@pytest.mark.parametrize(("path", "name", "by", "count"), [
    ("/v1/skus", "sku", "after", 29),
    ("/v1/skus?q=original", "sku", "after", 28),
    ("/v1/locations/W1/stock", "sku", "after", 28),
    ("/v1/orders", "order_id", "before", 36),
    ("/v1/orders?status=pending", "order_id", "before", 30),
    ("/v1/forecasts", "sku", "after", 8),
    ("/v1/reorders", "sku", "after", 8),
    ("/v1/forecast-alerts", "sku", "after", 8),
])  # fmt: skip
@pytest.mark.parametrize("limit", [1, 7, 500])
def test_pages_walk_all_items_once(shelf, path, name, by, count, limit):
    seen, following, pages = [], None, 0
    while pages == 0 or following is not None:
        more = {by: following} if following is not None else {}
        page = shelf.get(path, params={"limit": limit} | more | _query(path)).json()
        assert len(page["items"]) <= limit
        seen += [item[name] for item in page["items"]]
        following, pages = page["next"], pages + 1
        assert pages <= count
    assert len(seen) == len(set(seen)) == count


def _query(path):
    return dict([pair.split("=")]) if (pair := path.partition("?")[2]) else {}


def test_with_a_worker_an_order_moves_what_the_api_says(street):
    before = street.answer("/v1/stock/JRK-SMOK-200")["stock"]
    street.place("api-1", {"JRK-SMOK-200": 3}, locations=["BERLIN"])
    street.place("api-2", {"JRK-SMOK-200": 2}, locations=["BERLIN"], payment="pending")
    street.place("api-3", {"JRK-SMOK-200": 5_000})
    states = {"api-1": "confirmed", "api-2": "on_hold", "api-3": "rejected"}
    for order_id, state in states.items():
        summary = (order_id, state)
        street.wait(lambda wanted=summary: wanted in [
            (one["order_id"], one["status"]) for one in street.answer("/v1/orders")["items"]
        ])  # fmt: skip

    def settled():
        now = street.answer("/v1/stock/JRK-SMOK-200")["stock"]
        there = next(place for place in now["locations"] if place["location"] == "BERLIN")
        return now if (there["allocated"], there["reserved"], there["safety_stock"]) == (3, 2, 2) else None

    after = street.wait(settled)
    assert after["available"] == before["available"] - 5
    assert after["on_hand"] == before["on_hand"]
    street.wait(lambda: {"api-1", "api-3"} <= {d["order_id"] for d in street.answer("/v1/decisions")["items"]})
    for path in ("/v1/stock/{sku}", "/v1/orders/{order_id}", "/v1/decisions", "/v1/demand/{sku}", "/status", "/readyz"):
        asked = path.replace("{sku}", "JRK-SMOK-200").replace("{order_id}", "api-1")
        street.check_documented(path, street.get(asked))
    # A worker that is busy for a second counts as one that does not answer, until it is asked again.
    said = street.wait(lambda: told if (told := street.answer("/status"))["ready"] else None)
    assert len(said["workers"][0]["partitions"]) == 8  # four of each log


def test_counters_and_status_add_up(shelf):
    said = shelf.answer("/status")
    counters = said["counters"]
    assert (counters["confirmed"], counters["rejected"], counters["on_hold"]) == (1, 1, 1)
    assert (counters["pending"], counters["skus"]) == (30, 29)
    assert said["view_ready"]
    assert not said["ready"]  # there is no worker
    assert {one["topic"] for one in said["as_of"]} == {
        "stock-levels", "order-status", "reservations", "alerts", "demand", "forecasts", "reorders",
        "forecast-alerts", "planning",
    }  # fmt: skip


def test_unreadable_records_are_counted_and_the_others_shown(api):
    from confluent_kafka import Producer

    from streams.settings import producer_config

    producer = Producer(producer_config(api.settings))
    for key, value in ((b"A", b"{"), (b"A", b'{"type":"tick"}'), (b"\xff", b"{}"), (None, b"[]"), (b"A", b"")):
        producer.produce(api.settings.prefix + "stock-levels", value, key)
    assert producer.flush(30) == 0
    api.publish("stock-levels", api.make.level("A", 4))
    api.wait(lambda: api.applied("stock-levels") == 6 or api.get("/v1/stock/A").status_code == 200)
    assert api.answer("/v1/stock/A")["stock"]["available"] == 4
    api.wait(lambda: api.answer("/status")["unreadable"] == 5)
    assert api.is_ready()


def test_the_page_and_its_parts_are_there_with_safe_headers(shelf):
    for path in ("/", "/static/board.js", "/static/board.css", "/static/icon.svg"):
        response = shelf.get(path)
        assert response.status_code == 200
        assert "default-src 'none'" in response.headers["content-security-policy"]
        assert response.headers["x-content-type-options"] == "nosniff"
    assert shelf.get("/static/../app.py").status_code == 404
