"""A view that has no room for every SKU: what it does not hold it does not know, and it says so."""

from __future__ import annotations

import time

import pytest
from fastapi.testclient import TestClient

from api import view as limits
from api.app import build_app
from api.feed import Progress
from api.view import Record
from streams.settings import Settings
from tables import records as r

NO_SUCH = [
    "/v1/stock/LEFT-OUT", "/v1/stock/LEFT-OUT/promise?quantity=1", "/v1/stock?sku=FIRST&sku=LEFT-OUT",
    "/v1/locations/W9/stock",
]  # fmt: skip


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """An application in this process, its feed not started: it holds FIRST, and there is room for one SKU."""
    monkeypatch.setattr(limits, "SKUS_MAX", 1)
    app = build_app(Settings(home=tmp_path, bootstrap="127.0.0.1:1", api="127.0.0.1:1", demo=False))
    there = {("stock-levels", 0): 1}
    app.state.feed.progress = Progress(there, there, time.monotonic() + 600, reached=True)
    _publish(app, "FIRST")
    return TestClient(app)


def _publish(app, sku):
    place = r.LocationLevel("W1", 5, 5, 0, 0, 0, 0, 0, 0, [], (1, 1, 0))
    level = r.StockLevels(
        id=sku, sku=sku, available=5, on_hand=5, flavor="", packaging="", size="", gtin="", discontinued=False,
        locations=[place], version=(1, 1, 0),
    )  # fmt: skip
    app.state.feed.view.apply([Record("stock-levels", 0, 0, 0, sku, level)])


@pytest.mark.parametrize("path", NO_SUCH)
def test_what_may_have_been_left_out_is_not_said_to_be_unknown(asked, path):
    _publish(asked.app, "LEFT-OUT")
    response = asked.get(path)
    assert (response.status_code, response.json()["type"]) == (503, "urn:smokehouse:problem:view-full")
    assert "keeps 200,000 SKUs" in response.json()["detail"]
    assert "smokehouse stock get SKU" in response.json()["detail"]


@pytest.mark.parametrize("path", NO_SUCH)
def test_where_nothing_was_left_out_what_is_unknown_is_unknown(asked, path):
    response = asked.get(path)
    many = path.startswith("/v1/stock?")
    assert response.status_code == (200 if many else 404)
    assert not many or response.json()["unknown"] == ["LEFT-OUT"]


def test_what_is_held_is_answered_although_others_were_left_out(asked):
    _publish(asked.app, "LEFT-OUT")
    for path in ("/v1/stock/FIRST", "/v1/stock?sku=FIRST", "/v1/stock/FIRST/promise?quantity=1"):
        assert asked.get(path).status_code == 200
    assert asked.post("/v1/stock/query", json={"skus": ["FIRST"]}).json()["unknown"] == []
    assert asked.post("/v1/stock/query", json={"skus": ["FIRST", "LEFT-OUT"]}).status_code == 503
    assert asked.get("/v1/stock/FIRST/promise?quantity=1&location=W9").status_code == 404, "of this SKU all is known"
