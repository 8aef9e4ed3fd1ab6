"""What the API tells whoever monitors it, as Prometheus reads it: how far the view is, what it counts, who answers.

Reads: the feed, what the workers say. Writes: nothing. Guarantees: answers while the view is behind too, for then it is
asked for most, but counts nothing until then: a counter that starts at 0 again and runs through the past would look
like a burst; a few series for each partition and none for an SKU, an order or a person. Does not belong here: what a
worker tells of itself (`streams.metrics`, on its own address).
"""

from __future__ import annotations

from collections.abc import Iterator

from fastapi import APIRouter, Request, Response
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

from api.asking import Watched
from api.feed import Feed
from api.health import unserved
from api.workers import Workers
from streams.metrics import CONTENT_TYPE, WHERE, exposition

router = APIRouter(tags=["health"])


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
def metrics(feed: Watched, request: Request) -> Response:
    """The figures of `/status` in Prometheus' text form."""
    state = request.app.state
    clients = GaugeMetricFamily("smokehouse_live_clients", "Pages and programs that follow", state.live.clients)
    told = [*of_view(feed), *of_workers(feed, state.workers), clients]
    return Response(exposition(told), media_type=CONTENT_TYPE)


def of_view(feed: Feed) -> Iterator[Metric]:
    """How far it is; once it has caught up, what it holds."""
    view, progress = feed.view, feed.progress
    yield GaugeMetricFamily("smokehouse_view_ready", "1: caught up, and not far behind", float(progress.ready))
    lags = GaugeMetricFamily(
        "smokehouse_view_lag_records", "Published records that the view has not read yet", labels=WHERE
    )
    newest = GaugeMetricFamily(
        "smokehouse_newest_record_seconds", "When the newest record the view has read was written", labels=["topic"]
    )
    times: dict[str, int] = {}
    for topic, partition in sorted(progress.positions):
        if (lag := progress.lag(topic, partition)) is not None:
            lags.add_metric([topic, str(partition)], lag)
        if (last := view.applied.get((topic, partition))) is not None:
            times[topic] = max(last.time_ms, times.get(topic, 0))
    for topic, ms in times.items():
        newest.add_metric([topic], ms / 1000)
    yield from (lags, newest)
    unreadable = "Published records that could not be read"
    yield CounterMetricFamily("smokehouse_unreadable_records", unreadable, feed.unreadable)
    if not progress.reached:
        return
    with view.lock:
        decided, states = dict(view.decided), dict(view.order_states)
        skus, short, locations = len(view.stock), len(view.short), len(view.locations)
    decisions = CounterMetricFamily(
        "smokehouse_decisions", "Decisions that the topic holds and held since this process began", labels=["status"]
    )
    for status, count in sorted(decided.items()):
        decisions.add_metric([status], count)
    orders = GaugeMetricFamily("smokehouse_orders", "Orders the view keeps, by what became of them", labels=["status"])
    for status, count in sorted(states.items()):
        orders.add_metric([status], count)
    yield from (decisions, orders)
    yield GaugeMetricFamily("smokehouse_skus", "SKUs with a stock level", skus)
    yield GaugeMetricFamily("smokehouse_short_skus", "SKUs that owe units they do not have", short)
    yield GaugeMetricFamily("smokehouse_locations", "Locations with stock", locations)


def of_workers(feed: Feed, workers: Workers) -> Iterator[Metric]:
    """Who answers, what stands still, what nobody has."""
    answers = GaugeMetricFamily("smokehouse_workers", "Workers known, by whether they answer", labels=["answers"])
    for said in (True, False):
        answers.add_metric([str(said).lower()], sum(worker.answers == said for worker in workers.seen))
    yield answers
    yield GaugeMetricFamily("smokehouse_halted_partitions", "Partitions that stand still", len(workers.halted))
    nobodys = unserved(feed, workers)
    yield GaugeMetricFamily("smokehouse_unserved_partitions", "Partitions of the logs that no worker has", nobodys)
