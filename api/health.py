"""Is it alive, is it ready, how far is it: for supervisors, for `smokehouse status`, for people.

Reads: the feed's progress, what the workers say. Guarantees: `readyz` is about this view alone (a partition halted in
a worker is named, and does not take the view out of service); `status` is about all of it. Does not belong here: stock
and orders.
"""

from __future__ import annotations

import time

from fastapi import APIRouter, Request, Response

from api import models as m
from api.asking import Asked, as_of
from api.feed import TOPICS, Feed
from api.problems import responses

router = APIRouter(tags=["health"])


@router.get("/livez", responses=responses(503))
def livez(feed: Asked, response: Response) -> m.Live:
    """503: this process cannot go on; restart it."""
    response.status_code = 503 if feed.failed else 200
    return m.Live(alive=not feed.failed)


@router.get("/readyz", responses={503: {"model": m.Ready, "description": "Not ready: see `trouble`"}})
def readyz(feed: Asked, request: Request, response: Response) -> m.Ready:
    """200: the view has reached the ends of its topics as of its start, and is not far behind now."""
    ready = feed.progress.ready
    response.status_code = 200 if ready else 503
    return m.Ready(ready=ready, trouble=trouble(feed), halted=request.app.state.workers.halted)


@router.get("/status")
def status(feed: Asked, request: Request) -> m.Status:
    """The lag of every topic, counts, and what each worker says of its partitions."""
    workers = request.app.state.workers
    with feed.view.lock:
        fresh = [one for topic in TOPICS for one in as_of(feed, topic)]
    return m.Status(
        ready=feed.progress.ready and workers.ready, view_ready=feed.progress.ready, trouble=trouble(feed),
        workers=workers.seen, counters=counters(feed), unreadable=feed.unreadable,
        live_clients=request.app.state.live.clients, as_of=fresh,
    )  # fmt: skip


def trouble(feed: Feed) -> str:
    progress = feed.progress
    if progress.trouble or progress.ready:
        return progress.trouble
    return "the view is catching up" if progress.ends else "the broker does not answer"


def counters(feed: Feed) -> m.Counters:
    view = feed.view
    with view.lock:
        decided, states = view.decided, view.order_states
        return m.Counters(
            orders_per_second=round(view.per_second(int(time.time())), 1),
            confirmed=decided["confirmed"], rejected=decided["rejected"], expired=decided["expired"],
            cancelled=decided["cancelled"], on_hold=states["on_hold"], pending=states["pending"], skus=len(view.stock),
        )  # fmt: skip
