"""The forecaster's Faust agent: `demand` of the partitions that the group gives us, handed to the thread that works.

Reads `demand` through the batch transport; writes nothing. Guarantees: with the group, every partition has one
forecaster as long as one lives; the event loop, which has heartbeats and the watchdog, only hands on: a run takes
seconds, in a thread of its own. While that thread has enough the agent waits, the transport's room in flight is used
up, and nothing more is fetched. `run` returns when the thread has ended and the group is left, and raises what ended
the thread.
Does not belong here: which intake a record goes to (`owner`), what is done with it (`shift`), the other topics.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from threading import Event, Thread
from typing import Any

from faust.types import TP

from forecasting.intake import Intake
from forecasting.owner import DemandOwner
from forecasting.pulse import Pulse
from streams.reader import is_contiguous
from streams.settings import Settings
from streams.topics import DEMAND
from streams.transport import BatchApp, die
from streams.transport.failstop import AGENT_ERROR

GROUP = "smokehouse-forecast"
LOOK_SECONDS = 0.05  # between two looks whether to stop
LEAVE_SECONDS = 3.0  # leaving the group on the way out of an error: its reason must be told, whatever the broker does

Turn = Callable[[], Intake | None]  # the intake of now; `None` while no partition is ours

log = logging.getLogger(__name__)


def build(settings: Settings, owner: DemandOwner) -> BatchApp:
    """The Faust app: one agent, on `demand`."""
    topic = settings.prefix + DEMAND.name
    # Gaps are right where the broker compacts. The embedded one never does, and can show offset n + 1 before n: there a
    # gap is a record that is not visible yet, and whoever went on would lose it.
    compacted = () if is_contiguous(settings, DEMAND.name) else (topic,)
    app = BatchApp(settings.prefix + GROUP, settings=settings, owner=owner, compacted=compacted)
    owner.seam = app.partitions

    async def agent(stream: Any) -> None:
        async for event in stream.events():
            intake = owner.intake  # now: after an await it may be another, that has nothing to do with this batch
            try:
                for partition, messages in event.value.items():
                    await owner.hand_on(TP(topic, partition), messages, intake)
            except Exception as error:
                log.exception("agent")
                die(AGENT_ERROR, repr(error))
            event.ack()

    app.agent(app.batches(topic), name=f"{topic}-agent")(agent)
    return app


def run(stop: Event, settings: Settings, work: Callable[[Turn], None], pulse: Pulse) -> None:
    """Until `stop` is set: the app in this thread, `work` in another, which ends when `stop` is set."""
    asyncio.run(_serve(stop, settings, work, pulse))


async def _serve(stop: Event, settings: Settings, work: Callable[[Turn], None], pulse: Pulse) -> None:
    owner = DemandOwner()
    app = build(settings, owner)
    pulse.has_joined = lambda: app.partitions.counters.rebalances > 0
    ended: Future[None] = Future()

    def working() -> None:
        try:
            work(lambda: owner.intake)
        except BaseException as error:  # noqa: BLE001 - raised again below, where the process ends
            ended.set_exception(error)
        else:
            ended.set_result(None)

    Thread(target=working, name="forecaster", daemon=True).start()
    starting = asyncio.create_task(app.start(), name="start")
    # `stop` is set by a signal, what else ends it by other threads: nothing of it can be awaited.
    while not (  # noqa: ASYNC110
        stop.is_set() or ended.done() or owner.failure or app.crashed or _failure_of(starting)
    ):  # fmt: skip
        await asyncio.sleep(LOOK_SECONDS)
    is_asked = stop.is_set()
    stop.set()
    owner.end()
    with suppress(TimeoutError):
        await asyncio.wait_for(app.stop(), None if is_asked else LEAVE_SECONDS)
    await asyncio.wrap_future(ended)
    if not is_asked:
        raise owner.failure or app.crash_reason or _failure_of(starting) or RuntimeError("the app has ended by itself")
    starting.cancel()


def _failure_of(starting: asyncio.Task[None]) -> BaseException | None:
    return starting.exception() if starting.done() and not starting.cancelled() else None
