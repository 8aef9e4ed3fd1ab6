"""What is asked most, one SKU's stock and one order, answered before the framework has looked at the request.

Reads: the view. Writes: nothing. Guarantees: the same body as the endpoint of the same path (`stock.stock_of_one`,
`orders.order`), which also answers whatever is not found here: other requests, names that are not known, a view that
has not caught up. Without the view's lock: freshness is read first, so what is shown is never older than it says.
Does not belong here: problems, documents, anything with parameters.
"""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.types import ASGIApp, Receive, Scope, Send

from api.asking import as_of, asks_for_explanation, bare
from api.feed import Feed
from tables import records as r

PREFIX = "/v1/"
_document = msgspec.json.Decoder(r.OrderStatus).decode
_encode = msgspec.json.Encoder().encode


class Quick:
    """In front of the application. A GET without parameters whose answer stands in the view is answered at once."""

    def __init__(self, app: ASGIApp, feed: Feed) -> None:
        self._app, self._feed = app, feed
        self._known = {"stock": self._stock, "orders": self._order}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = None
        if scope["type"] == "http" and scope["method"] == "GET" and scope["path"].startswith(PREFIX):
            framed = scope["query_string"] or asks_for_explanation(scope)
            found = None if framed else self._found(scope["path"])
        if found is None:
            await self._app(scope, receive, send)
            return
        body = _encode(found)
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _found(self, path: str) -> dict[str, Any] | None:
        kind, _, name = path[len(PREFIX) :].partition("/")
        ask = self._known.get(kind)
        return None if ask is None or not name or not self._feed.progress.reached else ask(name)

    def _stock(self, sku: str) -> dict[str, Any] | None:
        fresh = as_of(self._feed, "stock-levels", sku)
        record = self._feed.view.stock.get(sku)
        return None if record is None else {"stock": bare(record.value), "as_of": fresh}

    def _order(self, order_id: str) -> dict[str, Any] | None:
        fresh = as_of(self._feed, "order-status", order_id)
        entry = self._feed.view.orders.get(order_id)
        return None if entry is None else {"order": bare(_document(entry.head.raw)), "as_of": fresh}
