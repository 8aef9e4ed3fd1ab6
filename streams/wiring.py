"""The one file that builds the Faust app: which agents a worker runs, and what they are given.

Reads settings. Guarantees: nothing is built at import time; each agent is a plain async function bound here. Does not
belong here: rules, order of durability, the transport's insides.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from typing import Any, Literal

import faust

from streams.agents import loop, order, stock
from streams.garbage import look_at_the_new_alone
from streams.health import Health
from streams.housekeeping import run_housekeeping, run_watch
from streams.outbox import Outbox
from streams.owner import PartitionOwner
from streams.partition import Role
from streams.reader import partitions_of
from streams.settings import Settings
from streams.topics import ORDERS, WAREHOUSE
from streams.transport import BatchApp
from streams.turns import take_short_turns
from streams.views import OrderViews, StockViews
from tables.codec import ORDER_LOG, STOCK_LOG

GROUP = "smokehouse"
RoleName = Literal["all", "order", "stock"]
ROLES = {
    "order": Role(ORDERS.name, ORDER_LOG, order.step, OrderViews),
    "stock": Role(WAREHOUSE.name, STOCK_LOG, stock.step, StockViews),
}


def build(settings: Settings, role: RoleName = "all", name: str = "worker") -> BatchApp:
    """A Faust app whose agents share the partitions of their logs with the other workers of the group.

    `name` names the worker's local stores; two workers on one machine need two names.
    """
    roles = [r for n, r in ROLES.items() if role in ("all", n)]
    counts = {r.topic: len(partitions_of(settings, r.topic)) for r in roles}
    outbox = Outbox(settings, max(counts.values()))
    owner = PartitionOwner(settings, {r.topic: r for r in roles}, outbox, name)
    group = settings.prefix + GROUP  # one group, whatever a worker runs: a partition has one owner
    app = BatchApp(group, settings=settings, owner=owner)
    owner.seam = app.partitions
    health = Health(settings, owner, role)

    for one in roles:
        _bind(app, settings.prefix + one.topic, owner)

    @app.task
    async def serve() -> None:
        await health.start()
        try:
            await asyncio.get_running_loop().create_future()  # until the app ends
        finally:
            await health.stop()

    @app.task
    async def checkpoints() -> None:
        await owner.run_checkpoints()

    @app.task
    async def views() -> None:
        await owner.run_views()

    @app.task
    async def ticks() -> None:
        await owner.run_ticks()

    @app.task
    async def housekeeping() -> None:
        await asyncio.gather(run_housekeeping(owner), run_watch(owner))

    return app


def _bind(app: BatchApp, topic: str, owner: PartitionOwner) -> None:
    async def agent(stream: Any) -> None:
        await loop.run(stream, owner)

    app.agent(app.batches(topic), name=f"{topic}-agent")(agent)


def run(settings: Settings, role: RoleName = "all", name: str = "worker", loglevel: str = "info") -> None:
    """Run a worker in this process until SIGTERM or SIGINT; exits with 0 after a clean stop."""
    logging.getLogger("faust").setLevel(logging.WARNING)
    if os.environ.get("SMOKEHOUSE_FAULTS"):
        from streams import faultpoints  # tests alone

        faultpoints.arm(settings, os.environ)
    take_short_turns()  # before any thread starts
    look_at_the_new_alone()
    worker = faust.Worker(build(settings, role, name), loglevel=loglevel, redirect_stdouts=False, quiet=True,
                          logfile=sys.stderr)  # fmt: skip
    worker.execute_from_commandline()
