"""Recalls and traces through the API: asked of every partition, or a problem that names the missing ones."""

from __future__ import annotations

import pytest
from confluent_kafka import Producer

from streams.settings import producer_config
from tables import records as r
from tables.codec import encode

JERKY, BOX, LOT = "JRK-1", "BOX-1", "L/1"
TRACE = "/v1/lots/{lot}/trace"
PARTITIONS = 4


def everywhere(api, record, partitions=range(PARTITIONS)):
    """The record in these partitions of the stock log."""
    producer = Producer(producer_config(api.settings))
    for partition in partitions:
        producer.produce(api.settings.prefix + "warehouse", encode(record), partition=partition)
    assert producer.flush(20) == 0


@pytest.fixture
def stocked(api):
    """A worker of the stock side: a lot was received, sold and made into a kit that was sold, and is recalled."""
    api.publish(
        "warehouse",
        r.Received(id="in", sku=JERKY, location="W1", quantity=10, lot=LOT, supplier="Ranch", reference="PO-1"),
        r.Shipped(id="s1", sku=JERKY, location="W1", quantity=2, lot=LOT, order_id="order-1", channel="shop"),
        r.KitAssembled(id="kit", sku=BOX, location="W1", quantity=2, lot="K1",
                       parts=[r.KitPartUsed(sku=JERKY, quantity=4, lot=LOT)]),
        r.Shipped(id="s2", sku=BOX, location="W1", quantity=1, lot="K1", order_id="order-2", channel="shop"),
    )  # fmt: skip
    everywhere(api, r.RecallOpened(id="recall-1", lot=LOT, reason="metal"))
    api.worker = api.run("worker", "--name", "one", "--role", "stock")
    api.wait(lambda: api.get("/v1/recalls").status_code == 200)
    # The kit's shipment is last in its partition, the recall last in every one: nothing is on its way any more.
    api.wait(lambda: len(api.get("/v1/lots/L%2F1/trace").json().get("shipped", ())) == 2)  # unknown at first
    api.wait(lambda: [len(told["partitions"]) for told in api.answer("/v1/recalls")["items"]] == [PARTITIONS])
    return api


def test_a_trace_and_the_recalls_are_as_documented(stocked):
    for template, path in ((TRACE, "/v1/lots/L%2F1/trace"), ("/v1/recalls", "/v1/recalls")):
        response = stocked.get(path)
        assert response.status_code == 200
        stocked.check_documented(template, response)


def test_a_trace_follows_the_lot_through_its_kits(stocked):
    said = stocked.answer("/v1/lots/L%2F1/trace")
    assert {(x["order_id"], x["sku"], x["through"]) for x in said["shipped"]} == {
        ("order-1", JERKY, ""), ("order-2", BOX, f"{BOX} K1"),
    }  # fmt: skip
    assert [(x["sku"], x["frozen"]) for x in said["on_hand"]] == [(JERKY, 4), (BOX, 0)]
    assert {b["difference"] for b in said["balances"]} == {0}
    assert (said["missing"], [number for number, _, _ in said["as_of"]]) == ([], [0, 1, 2, 3])


def test_a_recall_is_told_with_the_partitions_that_have_it(stocked):
    [told] = stocked.answer("/v1/recalls")["items"]
    assert (told["lot"], told["state"], told["reason"], told["partitions"]) == (LOT, "open", "metal", [0, 1, 2, 3])


def test_a_lot_nobody_knows_is_a_documented_404_and_one_that_is_none_a_422(stocked):
    for path, status, kind in (
        ("/v1/lots/NO-SUCH/trace", 404, "unknown-lot"),
        ("/v1/lots/L%2F1/trace?sku=NO-SUCH", 200, ""),
        ("/v1/lots/NO%20LOT/trace", 422, "invalid-request"),
    ):
        response = stocked.get(path)
        assert response.status_code == status, path
        stocked.check_documented(TRACE, response)
        assert response.json().get("type", "").endswith(kind)


def test_partitions_that_do_not_answer_are_named(stocked):
    everywhere(stocked, r.LogicVersionSet(id="newer", version=99), [2])
    for template, path in ((TRACE, "/v1/lots/L%2F1/trace"), ("/v1/recalls", "/v1/recalls")):
        # A worker that is busy for a second gives no reason yet.
        response = stocked.wait(lambda asked=path: found if "halted" in (found := stocked.get(asked)).text else None)
        assert response.status_code == 503
        stocked.check_documented(template, response)
        assert response.json()["detail"].startswith("no answer of warehouse[2]: it is halted")
        assert response.headers["Retry-After"]


def test_without_a_worker_nothing_is_answered(api):
    for template, path in ((TRACE, "/v1/lots/L1/trace"), ("/v1/recalls", "/v1/recalls")):
        response = api.get(path)
        assert response.status_code == 503
        api.check_documented(template, response)
        assert "smokehouse worker starts one" in response.json()["detail"]
