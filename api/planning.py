"""Alerts, shortages, demand, forecasts, reorders: what somebody should do, and what it rests on.

Reads: the view. Guarantees: per SKU and location the newest run. Does not belong here: models and policies.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import StringConstraints

from api.asking import After, Asked, Limit, SkuFilter, SkuPath, as_of, plain
from api.models import planning as m
from api.owed import shortage_at
from api.problems import responses
from api.view import ALERTS_MAX
from tables import records as r

router = APIRouter(prefix="/v1", tags=["planning"])
DEMAND_DAYS_MAX = 1_000  # a page: of one SKU, days at a location
ORDERS_SHOWN_MAX = 100  # of one shortage
LocationFilter = Annotated[str | None, Query(max_length=64)]


@router.get("/alerts", response_model=m.Alerts, responses=responses(422, 503))
def alerts(
    feed: Asked, limit: Annotated[int, Query(ge=1, le=2 * ALERTS_MAX)] = 50, sku: SkuFilter = None,
    kind: Annotated[
        list[Annotated[str, StringConstraints(max_length=32)]] | None,
        Query(max_length=len(m.ALERT_KINDS), description=f"Repeat it for several. Of: {', '.join(m.ALERT_KINDS)}"),
    ] = None,
) -> dict:  # fmt: skip
    """The latest alerts, newest first."""
    with feed.view.lock:
        matching = (
            a for a in feed.view.recent_alerts() if sku in (None, a.value.sku) and (not kind or a.value.kind in kind)
        )
        found = list(islice(matching, limit))
        fresh = as_of(feed, "alerts", sku)
    return {"items": [plain(record.value) for record in found], "as_of": fresh}


@router.get("/shortages", response_model=m.Shortages, responses=responses(422, 503))
def shortages(
    feed: Asked, limit: Limit = 100, after: After = None, sku: SkuFilter = None, location: LocationFilter = None
) -> dict:
    """What is owed and not there, by SKU and location, with the orders that wait for it."""
    begin = tuple(after.split("|", 1)) if after else ()
    view = feed.view
    with view.lock:
        short = sorted(
            ((name, level.location), level)
            for name in view.short if sku in (None, name)
            for level in view.stock[name].value.locations
            if level.shortage > 0 and location in (None, level.location) and (name, level.location) > begin
        )  # fmt: skip
        found = [shortage_at(name, level, view.owed.at(name, level.location)) for (name, _), level in short[:limit]]
        fresh = as_of(feed, "stock-levels") + as_of(feed, "order-status")
    following = "|".join(short[limit - 1][0]) if len(short) > limit else None
    items = [
        item._asdict() | {
            "orders": [order._asdict() for order in item.orders[:ORDERS_SHOWN_MAX]],
            "orders_total": len(item.orders),
        }
        for item in found
    ]  # fmt: skip
    return {"items": items, "next": following, "as_of": fresh}


@router.get("/forecasts", response_model=m.Forecasts, responses=responses(422, 503))
def forecasts(
    feed: Asked, limit: Limit = 100, after: After = None, sku: SkuFilter = None, location: LocationFilter = None
) -> dict:
    """The newest forecast of every SKU and location, in the order of their names."""
    return _plans(feed, "forecasts", feed.view.forecasts, limit, after, sku, location)


@router.get("/reorders", response_model=m.Reorders, responses=responses(422, 503))
def reorders(
    feed: Asked, limit: Limit = 100, after: After = None, sku: SkuFilter = None, location: LocationFilter = None
) -> dict:
    """What to buy, when, and why, and what was decided about it, in the order of SKU and location."""
    page = _plans(feed, "reorders", feed.view.reorders, limit, after, sku, location)
    decisions = feed.view.reorder_decisions
    for item in page["items"]:
        if (record := decisions.get((item["sku"], item["location"], item["run"]))) is not None:
            decision: r.ReorderDecision = record.value
            item["decision"] = plain(decision) | {"decided_at": decision.decided_at or decision.time}
    return page | {"as_of": page["as_of"] + as_of(feed, "planning")}


@router.get("/forecast-alerts", response_model=m.ForecastAlerts, responses=responses(422, 503))
def forecast_alerts(
    feed: Asked, limit: Limit = 100, after: After = None, sku: SkuFilter = None, location: LocationFilter = None
) -> dict:
    """Stock-outs, overstock and expiry to come that stand raised, in the order of SKU, location and kind."""
    return _plans(feed, "forecast-alerts", feed.view.forecast_alerts, limit, after, sku, location)


@router.get("/demand/{sku}", response_model=m.DemandOfSku, responses=responses(422, 503))
def demand(
    feed: Asked, sku: SkuPath, after: After = None,
    limit: Annotated[int, Query(ge=1, le=DEMAND_DAYS_MAX, description="Items a page")] = DEMAND_DAYS_MAX,
) -> dict:  # fmt: skip
    """Daily demand of one SKU per location, newest day first."""
    begin = tuple(after.split("|", 1)) if after else None
    with feed.view.lock:
        found = {(x.value.day, x.value.location): x.value for x in feed.view.demand.values() if x.value.sku == sku}
        fresh = as_of(feed, "demand", sku)
    keys = sorted((key for key in found if begin is None or key < begin), reverse=True)
    following = "|".join(keys[limit - 1]) if len(keys) > limit else None
    return {"items": [plain(found[key]) for key in keys[:limit]], "next": following, "as_of": fresh}


def _plans(
    feed: Asked, topic: str, held: Mapping[tuple[str, ...], Any], limit: int, after: str | None,
    sku: str | None, location: str | None,
) -> dict:  # fmt: skip
    # A page begins after `SKU|LOCATION`, or these and a kind: none may hold a bar.
    begin = tuple(after.split("|")) if after else ()
    with feed.view.lock:
        keys = sorted(
            key for key in held if key > begin and sku in (None, key[0]) and location in (None, key[1])
        )  # fmt: skip
        found = [held[key].value for key in keys[:limit]]
        fresh = as_of(feed, topic, sku)
    following = "|".join(keys[limit - 1]) if len(keys) > limit else None
    return {"items": [plain(plan) for plan in found], "next": following, "as_of": fresh}
