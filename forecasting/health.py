"""What a forecaster tells about itself: `/livez`, `/readyz`, `/metrics` where SMOKEHOUSE_FORECAST says.

Reads its pulse. Guarantees: answers in a thread of its own, while a run takes long or the broker is away too; what is
not known is left out, not 0. Does not belong here: what is noted when (`pulse`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from threading import Thread

from aiohttp import web
from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from forecasting.pulse import Pulse
from streams.answering import listen
from streams.metrics import CONTENT_TYPE, exposition
from streams.settings import split_address


def tell(address: str, pulse: Pulse) -> None:
    """Answer at `host:port` from now on, until the process ends; it ends at once if nobody can listen there."""
    Thread(target=lambda: asyncio.run(_serve(address, pulse)), name="health", daemon=True).start()


async def _serve(address: str, pulse: Pulse) -> None:
    async def livez(request: web.Request) -> web.Response:
        return web.json_response({"alive": True})

    async def readyz(request: web.Request) -> web.Response:
        ready = pulse.is_ready
        told = {"ready": ready, "partitions": sorted(pulse.owned), "unread": pulse.unread}
        return web.json_response(told, status=200 if ready else 503)

    async def metrics(request: web.Request) -> web.Response:
        return web.Response(body=exposition(of_forecaster(pulse)), headers={"Content-Type": CONTENT_TYPE})

    routes = [web.get("/livez", livez), web.get("/readyz", readyz), web.get("/metrics", metrics)]
    await listen(routes, *split_address(address), "SMOKEHOUSE_FORECAST")
    await asyncio.Event().wait()


def of_forecaster(pulse: Pulse) -> Iterator[Metric]:
    ready = "1: it has read all that was there when it was given its partitions"
    yield GaugeMetricFamily("smokehouse_forecaster_ready", ready, float(pulse.is_ready))
    yield GaugeMetricFamily("smokehouse_forecaster_partitions", "Partitions it looks after", len(pulse.owned))
    if pulse.unread is not None:
        unread = "Records that were there when it was given its partitions, and are not read yet"
        yield GaugeMetricFamily("smokehouse_forecaster_unread_records", unread, pulse.unread)
    if pulse.scored_at is not None:
        yield GaugeMetricFamily("smokehouse_forecaster_scored_seconds", "When its newest run ended", pulse.scored_at)
