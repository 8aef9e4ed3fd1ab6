"""Which partitions are ours and open, and the batches that wait for an agent: the event loop's side of the transport.

Reads what the poll thread reports; writes batches for Faust and calls the owner. Guarantees: a partition's records
reach an agent only between the end of its `open` and the begin of its `close`; a batch that no agent has begun is
extended by what arrives, so batch size follows the load; `close` is called when every batch that holds records of the
partition was handled to its end.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from typing import Any, Protocol

from confluent_kafka import OFFSET_BEGINNING, Message
from faust.types import TP
from faust.types.tuples import ConsumerMessage

from streams.transport.counters import Counters
from streams.transport.failstop import AGENT_ERROR, CONSUMER_DEAD, RECOVERY_READ, die
from streams.transport.orphans import Orphans
from streams.transport.poller import Poller, Records, weight_of

REVOKE_SECONDS = 40.0  # handling what was begun and closing it, inside a rebalance: below MAX_POLL_SECONDS
HANDLED_POLL_SECONDS = 0.01
BATCH_WEIGHT = 4_000  # about a quarter of a second of work
LEAVE_SECONDS = 4.5  # the last commit and leaving the group: above JOIN_SECONDS of the poller

BEGINNING = OFFSET_BEGINNING  # `open` may return it: the first offset the log holds

log = logging.getLogger(__name__)


class PartitionHalted(Exception):
    """Raised by `Owner.open`: the partition stays ours and paused until `Partitions.reopen`."""


class Owner(Protocol):
    """What a partition means to the application. Every method is called in the event loop."""

    async def open(self, tp: TP, committed: int | None) -> int:
        """Recover the partition's state; return the offset to read from (or BEGINNING).

        Runs beside other partitions and newer rebalances. Cancelled when the partition is revoked meanwhile; it has
        ended before `close` and before the next `open`. An exception other than PartitionHalted ends the process.
        """

    async def close(self, tps: set[TP], *, lost: bool) -> dict[TP, int]:
        """Give the partitions up, whether open, halted or never opened; return the offsets to commit.

        Not lost: everything handled is acknowledged first; the whole group waits meanwhile. Lost: others own them
        already, so drop them without waiting; nothing is committed.
        """

    def regressed(self, tp: TP, expected: int, why: str) -> None:
        """The log does not hold `expected`, the offset that comes next. The partition is halted."""


class Batch(ConsumerMessage):
    """One Faust message: what has arrived of a topic. Its value is {partition: [records in offset order]}."""

    __slots__ = ("weight",)

    @property
    def begun(self) -> bool:
        return self.tracked  # set by the stream in the same step of the loop in which it hands the event to the agent


class Partitions:
    """The seam of the transport: given to whoever commits, halts and reopens partitions."""

    def __init__(
        self, owner: Owner, config: dict[str, Any], orphans: Orphans | None = None, compacted: Collection[str] = ()
    ) -> None:
        self.counters = Counters()
        self.arrivals: asyncio.Queue[Batch] = asyncio.Queue()  # bounded: by the room in flight
        self.begun: set[Batch] = set()
        self.on_assigned: Callable[[set[TP]], Awaitable[None]]
        self._owner = owner
        self._config = config
        self._orphans = orphans
        self._compacted = compacted
        self._epochs: dict[TP, int] = {}  # what is ours
        self._open: set[TP] = set()
        self._opening: dict[TP, asyncio.Task[None]] = {}
        self._waiting: dict[str, deque[Batch]] = {}  # topic -> batches that no agent has begun, oldest first
        self._rebalance = asyncio.Lock()
        self._left: dict[TP, int] | None = None
        self._poller: Poller | None = None

    # ---- for the application, in the event loop

    def assignment(self) -> set[TP]:
        """Every partition that is ours: opening, open or halted."""
        return set(self._epochs)

    def opened(self) -> set[TP]:
        """The partitions whose records are being handled."""
        return set(self._open)

    def commit(self, offsets: dict[TP, int]) -> None:
        """Commit soon, from any thread. Refused ones are tried again until the partition is revoked."""
        if self._poller is not None:
            self._poller.commit(offsets)

    def pause(self, tp: TP) -> None:
        """Halt: queued records of the partition are dropped, nothing more is fetched, the partition stays ours."""
        self._open.discard(tp)
        self._strip({tp})
        if self._poller is not None:
            self._poller.halt(tp)

    def reopen(self, tp: TP) -> None:
        """Retry a halted partition: `open` again, from the committed offset."""
        if tp in self._epochs and tp not in self._open and tp not in self._opening:
            self._opening[tp] = asyncio.create_task(self._run_open(tp, self._epochs[tp], again=True), name=f"open {tp}")

    async def watermarks(self, tp: TP) -> tuple[int, int]:
        """(first offset, end) of a log partition, asked from the broker."""
        assert self._poller is not None, "not subscribed yet"
        return await asyncio.wrap_future(self._poller.watermarks(tp))

    async def ends(self) -> dict[TP, int]:
        """Per log partition of ours its end as the last fetch named it; of one that stands still, an old one."""
        return await asyncio.wrap_future(self._poller.ends()) if self._poller is not None else {}

    # ---- for the Faust driver

    @property
    def poller_beat(self) -> float:
        return self._poller.beat if self._poller is not None else time.monotonic()

    def subscribe(self, topics: list[str]) -> None:
        if self._poller is None:  # the agents of a process are fixed
            self._loop = asyncio.get_running_loop()
            self._poller = Poller(self._config, topics, self, self.counters, self._orphans, self._compacted)
            self._poller.start()

    def handled(self, batch: Batch) -> None:
        """The agent is done with the batch: room for as many records again."""
        self.begun.discard(batch)
        self._release(batch.weight)
        batch.weight = 0

    async def until_handled(self, tps: set[TP] | None = None) -> None:
        """Until no agent is inside a batch (that holds one of `tps`)."""
        deadline = time.monotonic() + REVOKE_SECONDS
        while any(tps is None or any(TP(b.topic, p) in tps for p in b.value) for b in self.begun if b.weight):
            if time.monotonic() > deadline:
                die(CONSUMER_DEAD, f"an agent is inside a batch for more than {REVOKE_SECONDS:.0f} s")
            await asyncio.sleep(HANDLED_POLL_SECONDS)

    async def leave(self) -> None:
        """Close every partition, commit, leave the group."""
        if self._poller is None or self._left is not None:
            return
        async with self._rebalance:
            self._left = await self._close(set(self._epochs), lost=False)
        try:
            await asyncio.wait_for(asyncio.wrap_future(self._poller.leave(dict(self._left))), LEAVE_SECONDS)
        except TimeoutError:
            die(CONSUMER_DEAD, f"the last commit was not answered within {LEAVE_SECONDS:.0f} s; it is read again")

    # ---- from the poll thread

    def assigned(self, partitions: dict[TP, tuple[int, int | None]]) -> None:
        asyncio.run_coroutine_threadsafe(self._assigned(partitions), self._loop).add_done_callback(_raise)

    def revoked(self, tps: set[TP], *, lost: bool) -> dict[TP, int]:
        future = asyncio.run_coroutine_threadsafe(self._revoked(tps, lost), self._loop)
        try:
            return future.result(REVOKE_SECONDS)
        except TimeoutError:
            die(CONSUMER_DEAD, f"partitions were not closed within {REVOKE_SECONDS:.0f} s of their revocation")

    def arrived(self, records: Records) -> None:
        self._loop.call_soon_threadsafe(self._arrived, records)

    def regressed(self, tp: TP, expected: int, why: str) -> None:
        self._loop.call_soon_threadsafe(self._regressed, tp, expected, why)

    # ---- in the event loop

    async def _assigned(self, partitions: dict[TP, tuple[int, int | None]]) -> None:
        async with self._rebalance:
            if self._left is not None:
                return
            self._epochs |= {tp: epoch for tp, (epoch, _) in partitions.items()}
            await self.on_assigned(self.assignment())
            for tp, (epoch, committed) in partitions.items():
                self._opening[tp] = asyncio.create_task(self._run_open(tp, epoch, committed), name=f"open {tp}")

    async def _revoked(self, tps: set[TP], lost: bool) -> dict[TP, int]:
        async with self._rebalance:
            if self._left is not None:  # closed while stopping, not committed yet
                return {tp: offset for tp, offset in self._left.items() if tp in tps and not lost}
            return await self._close(tps, lost=lost)

    async def _run_open(self, tp: TP, epoch: int, committed: int | None = None, *, again: bool = False) -> None:
        assert self._poller is not None
        try:
            if again:
                committed = (await asyncio.wrap_future(self._poller.committed(tp)))[tp]
            offset = await self._owner.open(tp, committed)
        except PartitionHalted as halted:
            log.warning("%s[%d] is halted: %s", tp.topic, tp.partition, halted)
        except Exception as error:
            log.exception("open %s", tp)
            die(RECOVERY_READ, f"{tp.topic}[{tp.partition}] cannot be opened: {error!r}")
        else:
            self._open.add(tp)
            self._poller.start_partition(tp, epoch, offset)
        finally:
            self._opening.pop(tp, None)

    async def _close(self, tps: set[TP], *, lost: bool) -> dict[TP, int]:
        self._open -= tps
        self._strip(tps)
        for tp in tps:
            self._epochs.pop(tp, None)
            if (task := self._opening.get(tp)) is not None:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
        if not lost:
            await self.until_handled(tps)
        if not tps:
            return {}
        try:
            async with asyncio.timeout(REVOKE_SECONDS):
                offsets = await self._owner.close(tps, lost=lost)
        except Exception as error:
            log.exception("close %s", sorted(tps))
            die(AGENT_ERROR, f"{len(tps)} partitions cannot be closed: {error!r}")
        return {} if lost else {tp: offset for tp, offset in offsets.items() if tp in tps}

    def _arrived(self, records: Records) -> None:
        for topic, of_topic in records.items():
            ours: dict[int, list[Message]] = {}
            for partition, of_partition in of_topic.items():
                if TP(topic, partition) in self._open:
                    ours[partition] = of_partition
                else:
                    self._drop(of_partition)
            for partition, of_partition in ours.items():
                start = weight = 0
                for end, record in enumerate(of_partition, start=1):
                    weight += weight_of(record)
                    if weight >= BATCH_WEIGHT or end == len(of_partition):
                        self._wait(topic, partition, of_partition[start:end], weight)
                        start, weight = end, 0

    def _wait(self, topic: str, partition: int, records: list[Message], weight: int) -> None:
        """They wait for the agent: in the last batch of the topic, unless it was begun or holds enough. A batch is
        handled in one step of the loop, and the loop must not stand still for long."""
        waiting = self._waiting.setdefault(topic, deque())
        while waiting and waiting[0].begun:
            waiting.popleft()
        if not waiting or waiting[-1].weight >= BATCH_WEIGHT:
            batch = _new_batch(TP(topic, partition), records[0].offset())
            waiting.append(batch)
            self.counters.batches += 1
            self.arrivals.put_nowait(batch)
        batch = waiting[-1]
        batch.value.setdefault(partition, []).extend(records)
        batch.weight += weight

    def _regressed(self, tp: TP, expected: int, why: str) -> None:
        if tp in self._epochs:
            self._open.discard(tp)
            self._strip({tp})
            self._owner.regressed(tp, expected, why)

    def _strip(self, tps: set[TP]) -> None:
        """Take the partitions out of the batches that no agent has begun."""
        for topic, waiting in self._waiting.items():
            for batch in waiting:
                if batch.begun:
                    continue
                for partition in [p for p in batch.value if TP(topic, p) in tps]:
                    dropped: list[Message] = batch.value.pop(partition)
                    batch.weight -= self._drop(dropped)

    def _drop(self, records: list[Message]) -> int:
        """Gives back the room they took, and says how much that was."""
        weight = sum(map(weight_of, records))
        self.counters.records_dropped += len(records)
        self._release(weight)
        return weight

    def _release(self, weight: int) -> None:
        if self._poller is not None and weight:
            self._poller.release(weight)


def _new_batch(tp: TP, offset: int) -> Batch:
    batch = Batch(tp.topic, tp.partition, offset, time.time(), 0, None, None, {}, None, 0, 0, tp, generation_id=0)  # type: ignore[arg-type]
    batch.weight = 0
    return batch


def _raise(future: Any) -> None:
    """A failed assignment would leave partitions that nobody opens."""
    if not future.cancelled() and (error := future.exception()) is not None:
        die(AGENT_ERROR, f"assignment failed: {error!r}")
