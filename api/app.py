"""Builds the query API: endpoints, problems, the page, and what runs beside them.

Reads: the published topics (through the feed), the workers' status. Writes: nothing. Guarantees: importing this opens
nothing; everything starts and stops with the server. Does not belong here: any endpoint.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import explanations, health, live, metrics, orders, planning, problems, recalls, stock
from api.explanations import Explainer, Look
from api.feed import Feed
from api.live import Live
from api.quick import Quick
from api.workers import Workers
from streams.settings import Settings

log = logging.getLogger(__name__)
STATIC = Path(__file__).parent / "static"
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def build_app(settings: Settings, explain: Look | None = None, past: Look | None = None) -> FastAPI:
    """`explain`, `past`: how an order is explained and past stock found, if this process can read the logs itself."""
    feed = Feed(settings)
    workers = Workers(settings)
    hub = Live(feed, workers)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        feed.start()
        beside = [asyncio.create_task(hub.run()), asyncio.create_task(workers.watch())]
        for task in beside:
            task.add_done_callback(partial(_ended, feed))
        try:
            yield
        finally:
            hub.close()
            for task in beside:
                task.cancel()
                with suppress(Exception, asyncio.CancelledError):
                    await task
            await asyncio.to_thread(feed.stop)

    app = FastAPI(
        title="Smokehouse", version="1", summary="Stock and orders, as of now.", lifespan=lifespan,
        docs_url=None, redoc_url=None,  # both load their pages from elsewhere; /openapi.json is here
        redirect_slashes=False,
    )  # fmt: skip
    app.state.feed, app.state.live, app.state.workers, app.state.settings = feed, hub, workers, settings
    app.state.explainer, app.state.past = Explainer(explain), Explainer(past)
    problems.install(app)
    for router in (
        stock.router, explanations.router, orders.router, planning.router, recalls.router, live.router, health.router,
        metrics.router,
    ):  # fmt: skip
        app.include_router(router)
    app.add_api_route("/", page, include_in_schema=False)
    app.mount("/static", Files(directory=STATIC), name="static")
    app.add_middleware(problems.BodyLimit)
    app.add_middleware(Quick, feed=feed)
    app.add_middleware(Heads)
    app.add_middleware(SafeHeaders)
    return app


def _ended(feed: Feed, task: asyncio.Task[None]) -> None:
    if not task.cancelled():  # both run for ever: an end is an error nobody foresaw
        log.error("%s ended", task.get_coro(), exc_info=task.exception())
        feed.failed = True


async def page() -> FileResponse:
    return Page(STATIC / "board.html")


def _whole(scope: Scope) -> Scope:
    """The request without a wish for a range: the framework refuses a wrong one in plain text, and files are small."""
    return scope | {"headers": [header for header in scope["headers"] if header[0] != b"range"]}


class Page(FileResponse):
    """A file as it is, always whole."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await super().__call__(_whole(scope), receive, send)


class Files(StaticFiles):
    """The files of a folder, always whole."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await super().__call__(_whole(scope), receive, send)


class Heads:
    """A HEAD is its GET without a body. A stream ends with its first event: the server says that nobody listens."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        ended = False

        async def bare(message: Message) -> None:
            nonlocal ended
            if message["type"] == "http.response.start":
                await send(message)
            elif not ended:
                ended = True
                await send({"type": "http.response.body"})

        await self._app(scope | {"method": "GET"}, receive, bare)


class SafeHeaders:
    """The same few headers on every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, with_headers if scope["type"] == "http" else send)
