"""Is it alive, is it ready, how far is it: for supervisors, for `smokehouse status`, for people.

Reads: the feed's progress, what the workers say. Guarantees: `readyz` is about this view alone (a partition halted in
a worker is named, and does not take the view out of service); `status` is about all of it. Does not belong here: stock
and orders.
"""

from __future__ import annotations

import time

from fastapi import APIRouter, Request

from api.asking import Watched, as_of
from api.feed import TOPICS, Feed
from api.models import health as m
from api.problems import Problem, responses
from api.workers import Workers

router = APIRouter(tags=["health"])


@router.get("/livez", responses=responses(503))
async def livez(feed: Watched) -> m.Live:
    """503: this process cannot go on; restart it."""
    if feed.failed:
        raise Problem(503, "failed", "The read view cannot go on; restart this process.")
    return m.Live(alive=True)


@router.get("/readyz", responses=responses(503, body="NotReadyBody"))
async def readyz(feed: Watched, request: Request) -> m.Ready:
    """200: the view has reached the ends of its topics as of its start, and is not far behind now."""
    told = m.Ready(ready=feed.progress.ready, trouble=trouble(feed), halted=request.app.state.workers.halted)
    if not told.ready:
        raise Problem(503, "not-ready", told.trouble, {"Retry-After": "1"}, **told.model_dump())
    return told


@router.get("/status")
def status(feed: Watched, request: Request) -> m.Status:
    """The lag of every topic, counts, and what each worker says of its partitions."""
    workers = request.app.state.workers
    with feed.view.lock:
        fresh = [one for topic in TOPICS for one in as_of(feed, topic)]
    return m.Status(
        ready=feed.progress.ready and workers.ready and not unserved(feed, workers),
        view_ready=feed.progress.ready, trouble=trouble(feed),
        workers=workers.seen, counters=counters(feed), unreadable=feed.unreadable,
        live_clients=request.app.state.live.clients, as_of=fresh,
    )  # fmt: skip


def unserved(feed: Feed, workers: Workers) -> int:
    """Partitions of the logs that no worker has; a published topic has as many as each log."""
    return workers.unserved(sum(topic == "stock-levels" for topic, _ in feed.progress.positions))


def trouble(feed: Feed) -> str:
    progress = feed.progress
    if progress.trouble or progress.ready:
        return progress.trouble
    lags = [progress.lag(topic, partition) for topic, partition in progress.positions]
    return "the broker does not answer" if None in lags else "the view is catching up"


def counters(feed: Feed) -> m.Counters:
    view = feed.view
    with view.lock:
        decided, states = view.decided, view.order_states
        return m.Counters(
            orders_per_second=round(view.per_second(int(time.time())), 1),
            confirmed=decided["confirmed"], rejected=decided["rejected"], expired=decided["expired"],
            cancelled=decided["cancelled"], on_hold=states["on_hold"], pending=states["pending"], skus=len(view.stock),
        )  # fmt: skip
