"""Stock: of one SKU, of many, of a location.

Reads: the view. Guarantees: one answer shows one state of the view. Does not belong here: orders, plans.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.asking import After, Asked, Limit, PlacePath, SkuPath, answered, as_of, bare, plain, unknown
from api.models import stock as m
from api.problems import Problem, responses
from api.view import SKUS_MAX
from tables import records as r
from tables.records import QUANTITY_MAX, SKU_PATTERN

router = APIRouter(prefix="/v1", tags=["stock"])


@router.get("/stock", response_model=m.StockOfMany, responses=responses(422, 503))
def stock_of_many(
    feed: Asked, sku: Annotated[list[m.OneSku], Query(min_length=1, max_length=m.MANY_MAX, description="Repeat it")]
) -> Response:
    """Stock of several SKUs."""
    return _many(feed, sku)


@router.post("/stock/query", response_model=m.StockOfMany, responses=responses(400, 413, 422, 503))
def query_stock(feed: Asked, query: m.StockQuery) -> Response:
    """Stock of up to 500 SKUs, for lists that do not fit a URL."""
    return _many(feed, query.skus)


@router.get("/stock/{sku}", response_model=m.StockOfOne, responses=responses(404, 422, 503))
def stock_of_one(feed: Asked, sku: SkuPath) -> dict:
    """Stock of one SKU: per location, per lot."""
    found, fresh = _levels(feed, sku)
    return {"stock": plain(found), "as_of": fresh}


@router.get("/stock/{sku}/promise", response_model=m.PromiseAnswer, responses=responses(404, 422, 503))
def promise(
    feed: Asked, sku: SkuPath, quantity: Annotated[int, Query(ge=1, le=QUANTITY_MAX, description="Units")],
    location: Annotated[str | None, Query(pattern=SKU_PATTERN, description="Only there")] = None,
) -> dict:  # fmt: skip
    """The earliest day on which so many units can be promised: from what is available, and confirmed incoming."""
    found, fresh = _levels(feed, sku)
    levels = [level for level in found.locations if location in (None, level.location)]
    if location is not None and not levels:
        raise unknown(feed, "unknown-location", f"SKU {sku!r} has no stock at location {location!r}.")
    today = datetime.now(UTC).date().isoformat()
    alone = [{"location": level.location, "day": first_day([level], quantity, today)} for level in levels]
    together = first_day(levels, quantity, today)
    return {"sku": sku, "quantity": quantity, "day": together, "locations": alone, "as_of": fresh}


def first_day(levels: Sequence[r.LocationLevel], quantity: int, today: str) -> str | None:
    """The first day, `today` or later, on which these locations together can promise so many units; None: never."""
    for day in sorted({promise.day for level in levels for promise in level.promise}):
        if sum(_by(day, level.promise) for level in levels) >= quantity:
            return max(day, today)
    return None


def _by(day: str, promises: Sequence[r.Promise]) -> int:
    return max((x.quantity for x in promises if x.day <= day), default=0)


def _folded(text: str) -> str:
    """`text` as it is looked for: without case and accents, so that jalapeno finds Jalapeño. So does the page."""
    if text.isascii():
        return text.lower()
    bare = "".join(x for x in unicodedata.normalize("NFKD", text) if unicodedata.category(x) != "Mn")
    return bare.upper().lower()  # ß is SS, and then ss


@router.get("/skus", response_model=m.StockPage, responses=responses(422, 503))
def skus(
    feed: Asked, limit: Limit = 100, after: After = None,
    q: Annotated[str, Query(
        max_length=64, description="Part of SKU, flavor, packaging or size; case and accents do not count",
    )] = "",
) -> dict:  # fmt: skip
    """All SKUs with their stock, in the order of their names."""
    view, wanted = feed.view, _folded(q)
    with view.lock:
        start = bisect_right(view.skus, after) if after is not None else 0
        found = []
        for sku in view.skus[start:]:
            level = view.stock[sku].value
            if not wanted or wanted in _folded(f"{sku} {level.flavor} {level.packaging} {level.size}"):
                found.append(level)
                if len(found) > limit:
                    break
        total, fresh = len(view.skus), as_of(feed, "stock-levels")
    page = found[:limit]
    following = page[-1].sku if len(found) > limit else None
    return {"items": [plain(level) for level in page], "next": following, "total": total, "as_of": fresh}


@router.get("/locations", response_model=m.Locations, responses=responses(422, 503))
def locations(feed: Asked) -> dict:
    """Locations that hold, or ever held, a SKU."""
    with feed.view.lock:
        found = sorted((name, count) for name, count in feed.view.locations.items() if count > 0)
        fresh = as_of(feed, "stock-levels")
    return {"items": [{"location": name, "skus": count} for name, count in found], "as_of": fresh}


@router.get("/locations/{location}/stock", response_model=m.LocationPage, responses=responses(404, 422, 503))
def stock_of_location(feed: Asked, location: PlacePath, limit: Limit = 100, after: After = None) -> dict:
    """What stands at one location, SKU by SKU."""
    view = feed.view
    with view.lock:
        known = view.locations.get(location, 0) > 0
        start = bisect_right(view.skus, after) if after is not None else 0
        found = []
        for sku in view.skus[start:]:
            found += [(sku, level) for level in view.stock[sku].value.locations if level.location == location]
            if len(found) > limit:
                break
        fresh = as_of(feed, "stock-levels")
    if not known:
        raise _not_here(feed, "unknown-location", f"No SKU has stock at location {location!r}.")
    page = found[:limit]
    following = page[-1][0] if len(found) > limit else None
    items = [plain(level) | {"sku": sku} for sku, level in page]
    return {"location": location, "items": items, "next": following, "as_of": fresh}


def _not_here(feed: Asked, kind: str, detail: str) -> Problem:
    """`unknown`, unless it may be of a SKU that the view left out."""
    if not feed.view.left_out:
        return unknown(feed, kind, detail)
    kept = f"This API keeps {SKUS_MAX:,} SKUs and there are more; `smokehouse stock get SKU` reads the topic."
    return Problem(503, "view-full", kept)


def _levels(feed: Asked, sku: str) -> tuple[r.StockLevels, list[dict]]:
    with feed.view.lock:
        record = feed.view.stock.get(sku)
        fresh = as_of(feed, "stock-levels", sku)
    if record is None:
        raise _not_here(feed, "unknown-sku", f"No stock level of SKU {sku!r} was ever published.")
    return record.value, fresh


def _many(feed: Asked, wanted: list[str]) -> Response:
    with feed.view.lock:
        found = {sku: feed.view.stock.get(sku) for sku in wanted}
        fresh = as_of(feed, "stock-levels")
    if feed.view.left_out and not all(found.values()):  # who reads `unknown` takes it for: there is none
        raise _not_here(feed, "unknown-sku", "")
    partitions = {record.partition for record in found.values() if record is not None}
    return answered({
        "items": [bare(record.value) for record in found.values() if record is not None],
        "unknown": [sku for sku, record in found.items() if record is None],
        "as_of": [one for one in fresh if one["partition"] in partitions] if all(found.values()) else fresh,
    })  # fmt: skip
