"""Faust's view of the transport: an app whose consumer hands agents one message per topic, holding all that arrived.

Reads and writes nothing itself. Guarantees: agents, streams and the order of stopping stay Faust's; a rebalance does
not stop the flow of partitions that stay. What Faust's consumer does besides (fetching, gaps, seeks, commits, its
assignor and producer) is not used: stubs raise if anything calls them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable
from typing import Any

import faust
from faust.app.base import App
from faust.tables.manager import TableManager
from faust.tables.recovery import Recovery
from faust.transport import base
from faust.transport.consumer import Consumer
from faust.types import TP, Message

from streams.settings import Settings
from streams.transport.orphans import Orphans
from streams.transport.partitions import Batch, Owner, Partitions
from streams.transport.poller import consumer_config
from streams.transport.watchdog import LOOP_BLOCKED_SECONDS, Watchdog

FAUST_COMMIT_SECONDS = 3600.0  # Faust's commit timer has nothing to do here
STREAM_BATCHES = 4


class BatchStream(faust.Stream):
    """Acked by the agent alone: otherwise Faust acks a batch whose handling failed."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **(kwargs | {"enable_acks": False}))


class BatchSchema(faust.Schema):
    """Hands the batch on as it is."""

    def loads_key(self, app: Any, message: Message, **kwargs: Any) -> None:
        return None

    def loads_value(self, app: Any, message: Message, **kwargs: Any) -> Any:
        return message.value


class BatchConsumer(Consumer):
    """Faust's consumer, with everything that touches the broker left to the poll thread."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.partitions: Partitions = self.app.partitions
        self.partitions.on_assigned = self._tell_faust
        self._unacked_messages = self.partitions.begun  # type: ignore[assignment]  # the stream adds what it hands out

    async def subscribe(self, topics: Iterable[str]) -> None:
        self.partitions.subscribe(sorted(topics))

    def assignment(self) -> set[TP]:
        return self.partitions.assignment()

    async def _tell_faust(self, assigned: set[TP]) -> None:
        self.app.on_rebalance_start()
        await self.on_partitions_assigned(assigned, self.app.consumer_generation_id)

    async def _drain_messages(self, fetcher: Any) -> None:
        try:
            while not self.should_stop:
                await self.callback(await self.partitions.arrivals.get())
        except asyncio.CancelledError:
            if not self.app.should_stop:  # stopping inside a rebalance must not count as a crash
                raise

    def ack(self, message: Message) -> bool:
        message.acked = True
        if isinstance(message, Batch):
            self.partitions.handled(message)
        return True

    async def wait_empty(self) -> None:
        await self.partitions.until_handled()

    async def on_stop(self) -> None:
        await self.partitions.leave()

    async def perform_seek(self) -> None:
        """Every partition starts at an explicit offset."""

    async def commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:
        return False  # offsets are committed through Partitions.commit

    def close(self) -> None: ...

    def _unused(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError("this transport moves batches; the poll thread owns the consumer")

    _commit = _seek = _getmany = _to_message = _new_topicpartition = seek_to_committed = seek_wait = _unused
    position = highwater = highwaters = earliest_offsets = topic_partitions = key_partition = create_topic = _unused


class BatchTransport(base.Transport):
    """Driver of a BatchApp; its producer is Faust's base class, which sends nothing and flushes at once."""

    Consumer = BatchConsumer
    default_port = 9092
    driver_version = "smokehouse"


class BatchRecovery(Recovery):
    """Starts the flow once; later assignments leave it alone, because resuming it clears all queues."""

    async def _resume_streams(self, generation_id: int = 0) -> None:
        if self.app.flow_control.is_active():
            self.app.on_rebalance_end()
        else:
            await super()._resume_streams(generation_id)


class BatchTables(TableManager):
    """No Faust tables: partitions are recovered by their owner, so nothing here waits."""

    @property
    def recovery(self) -> Recovery:
        if self._recovery is None:
            self._recovery = BatchRecovery(self.app, self, beacon=self.beacon, loop=self.loop)
        return self._recovery

    async def on_start(self) -> None:  # Faust's sleeps for a second first
        await self._update_channels()
        await self.recovery.start()


class BatchApp(App):
    """A Faust app on the batch transport. Build it in a function, never at import time."""

    def __init__(
        self,
        group: str,
        *,
        settings: Settings,
        owner: Owner,
        loop_blocked_seconds: float = LOOP_BLOCKED_SECONDS,
        compacted: Collection[str] = (),
        **options: Any,
    ) -> None:
        """`compacted`: the topics in which a missing offset is right, because the broker compacts them. In any other a
        hole that stays ends the process; so do not name a topic here whose records may become visible out of order."""
        self._session_seconds = settings.session_ms / 1000
        self._loop_blocked_seconds = loop_blocked_seconds
        self._watchdog: Watchdog | None = None
        orphans = Orphans(settings, group) if settings.instance_id else None
        self.partitions = Partitions(owner, consumer_config(settings, group), orphans, compacted)
        super().__init__(
            group,
            broker="kafka://" + settings.bootstrap.replace(",", ";"),  # for Faust's messages only
            broker_session_timeout=self._session_seconds,
            broker_heartbeat_interval=self._session_seconds / 4,
            broker_request_timeout=max(self._session_seconds, 40.0),
            broker_commit_interval=FAUST_COMMIT_SECONDS,
            stream_buffer_maxsize=STREAM_BATCHES,
            stream_wait_empty=True,
            stream_ack_exceptions=False,  # a batch that failed is not handled
            stream_ack_cancelled_tasks=False,
            Stream=BatchStream,
            TableManager=BatchTables,
            store="memory://",
            web_enabled=False,  # it would bind every interface
            autodiscover=False,
            topic_allow_declare=False,
            topic_disable_leader=True,
            worker_redirect_stdouts=False,
            **options,
        )

    def _new_transport(self) -> Any:
        return BatchTransport(self.conf.broker_consumer, self)

    _new_producer_transport = _new_transport

    def _create_directories(self) -> None:
        """Faust keeps nothing on disk here."""

    def batches(self, topic: str) -> Any:
        """The channel of an agent: `@app.agent(app.batches("orders"))`."""
        return self.topic(topic, schema=BatchSchema(), acks=True)

    async def on_start(self) -> None:
        await super().on_start()
        self._watchdog = Watchdog(
            self._session_seconds, lambda: self.partitions.poller_beat, self._loop_blocked_seconds
        )
        self._watchdog.watch(asyncio.get_running_loop())

    async def _stop_consumer(self) -> None:
        await super()._stop_consumer()  # Faust: no new batches, then wait until those begun are handled
        await self.partitions.leave()

    async def on_shutdown(self) -> None:
        await super().on_shutdown()
        if self._watchdog is not None:
            self._watchdog.stop()
