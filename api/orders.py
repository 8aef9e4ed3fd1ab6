"""Orders as they stand, and the latest decisions.

Reads: the view, which keeps the orders that changed last (a limit of `api.view`). Guarantees: pages go back in time
and never show an order twice. Does not belong here: how an order is decided.
"""

from __future__ import annotations

from itertools import islice
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Path, Query

from api.asking import Asked, Limit, as_of, plain, unknown
from api.models import orders as m
from api.problems import responses
from api.view import DECISIONS_MAX, ORDERS_MAX
from tables import records as r

router = APIRouter(prefix="/v1", tags=["orders"])
StatusFilter = Annotated[str | None, Query(max_length=32, description="Only orders of this status")]
ChannelFilter = Annotated[str | None, Query(max_length=128, description="Only orders of this channel")]


@router.get("/orders", response_model=m.OrderPage, responses=responses(422, 503))
def recent_orders(
    feed: Asked, limit: Limit = 50, status: StatusFilter = None, channel: ChannelFilter = None,
    before: Annotated[int | None, Query(ge=1, le=1 << 62, description="`next` of the page before")] = None,
) -> dict:  # fmt: skip
    """Orders, the one that changed last first."""
    view = feed.view
    with view.lock:
        matching = (
            entry for entry in view.recent_orders(before)
            if status in (None, entry.head.status) and channel in (None, entry.head.channel)
        )  # fmt: skip
        found = list(islice(matching, limit + 1))
        kept, fresh = len(view.orders), as_of(feed, "order-status")
    page = found[:limit]
    items = [summary(entry.head.raw) for entry in page]
    following = page[-1].sequence if len(found) > limit else None
    return {"items": items, "next": following, "kept": kept, "as_of": fresh}


class _Line(msgspec.Struct):
    quantity: int


class _Summary(msgspec.Struct):
    order_id: str
    channel: str
    status: str
    payment: str
    payment_wanted: str
    fulfilments: list[r.FulfilmentStatus]
    returns: list[r.ReturnStatus]
    version: tuple[int, int, int]
    lines: list[_Line]
    time: str = ""


_summary = msgspec.json.Decoder(_Summary)


def summary(document: bytes) -> dict[str, Any]:
    """What a list shows of an order, out of its document."""
    order: dict[str, Any] = msgspec.to_builtins(_summary.decode(document))
    return order | {"units": sum(line["quantity"] for line in order.pop("lines"))}


@router.get("/orders/{order_id:path}", response_model=m.OrderAnswer, responses=responses(404, 422, 503))
def order(feed: Asked, order_id: Annotated[str, Path(min_length=1, max_length=128)]) -> dict:
    """One order: its lines, where they come from, and why it was decided as it was."""
    with feed.view.lock:
        entry = feed.view.orders.get(order_id)
        fresh = as_of(feed, "order-status", order_id)
    if entry is None:
        raise unknown(
            feed, "unknown-order",
            f"No order {order_id!r} among the last {ORDERS_MAX:,} that changed; `smokehouse orders get` reads all.",
        )  # fmt: skip
    return {"order": msgspec.json.decode(entry.head.raw), "as_of": fresh}


@router.get("/decisions", response_model=m.Decisions, responses=responses(422, 503))
def decisions(
    feed: Asked, limit: Annotated[int, Query(ge=1, le=DECISIONS_MAX)] = 50, status: StatusFilter = None
) -> dict:
    """The latest decisions with their reasons, newest first."""
    with feed.view.lock:
        matching = (d for d in feed.view.recent_decisions() if status in (None, d.value.status))
        found = list(islice(matching, limit))
        fresh = as_of(feed, "reservations")
    return {"items": [plain(record.value) for record in found], "as_of": fresh}
