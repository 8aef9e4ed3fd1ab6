"""The live stream: server-sent events of what just changed, one pace for all clients.

Reads: what the view drained, what workers say. Writes: `tick` events `{counters, lag, waiting, halted, unserved, plans,
skus, decisions, alerts, orders}`, four a second at most.
Guarantees: an event is encoded once, however many clients; a client that reads too slowly loses events and is told
(`reload`), and never holds up another; so is everybody told when the view begins anew; queues and clients are bounded;
closing ends every stream at once. Does not belong here: history (ask the other endpoints, then listen).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from api.feed import Feed
from api.health import counters, unserved
from api.orders import summary
from api.problems import Problem, responses
from api.workers import Workers

TICK_SECONDS = 0.25
QUIET_SECONDS = 1.0  # counters go out at least so often
QUEUE_EVENTS = 8  # per client
CLIENTS_MAX = 200

router = APIRouter(tags=["live"])
RELOAD = b"event: reload\ndata: {}\n\n"


class Live:
    """`run()` beside the server; `close()` ends every stream."""

    def __init__(self, feed: Feed, workers: Workers) -> None:
        self._feed, self._workers = feed, workers
        self._queues: set[asyncio.Queue[bytes | None]] = set()
        self._closing = False
        self._number = 0

    @property
    def clients(self) -> int:
        return len(self._queues)

    def close(self) -> None:
        self._closing = True
        for queue in self._queues:
            while not queue.empty():
                queue.get_nowait()
            queue.put_nowait(None)

    async def run(self) -> None:
        quiet, followed = 0.0, None
        while True:
            await asyncio.sleep(TICK_SECONDS)
            quiet += TICK_SECONDS
            view = self._feed.view
            changed, before, followed = view.drain(), followed, (view, view.log_id)
            if followed != before:
                self._send(RELOAD)
            if self._queues and (any(changed) or quiet >= QUIET_SECONDS):
                quiet = 0.0
                self._number += 1
                self._send(self._event(changed))

    def _event(self, changed: tuple) -> bytes:
        data = {
            "counters": counters(self._feed).model_dump(),
            "lag": _lag(self._feed),
            "waiting": self._workers.waiting,
            "halted": len(self._workers.halted),
            "unserved": unserved(self._feed, self._workers),
            "plans": self._feed.view.plans,
            "skus": changed[0],
            "decisions": [record.value for record in changed[1]],
            "alerts": [record.value for record in changed[2]],
            "orders": [summary(document) for document in changed[3]],
        }
        return b"id: %d\nevent: tick\ndata: %s\n\n" % (self._number, msgspec.json.encode(data))

    def _send(self, event: bytes) -> None:
        for queue in self._queues:
            if queue.full():
                while not queue.empty():
                    queue.get_nowait()
                queue.put_nowait(RELOAD)
            queue.put_nowait(event)

    async def stream(self) -> AsyncIterator[bytes]:
        queue: asyncio.Queue[bytes | None] = asyncio.Queue(QUEUE_EVENTS + 1)
        self._queues.add(queue)
        try:
            yield b"retry: 1000\n\n"
            while not self._closing and (event := await queue.get()) is not None:
                yield event
        finally:
            self._queues.discard(queue)


@router.get(
    "/v1/live", response_class=StreamingResponse,
    responses=responses(503) | {200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
)  # fmt: skip
async def live(request: Request) -> StreamingResponse:
    """Changes as they happen: `tick` events; after `reload`, ask the other endpoints again."""
    hub: Live = request.app.state.live
    if hub.clients >= CLIENTS_MAX:
        raise Problem(503, "too-many-listeners", f"{CLIENTS_MAX} clients listen already.", {"Retry-After": "5"})
    return StreamingResponse(hub.stream(), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


def _lag(feed: Feed) -> int | None:
    progress = feed.progress
    lags = [progress.lag(topic, partition) for topic, partition in progress.positions]
    return None if not lags or None in lags else sum(lags)  # type: ignore[arg-type]
