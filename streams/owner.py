"""Opens, checkpoints and closes the partitions of a worker: the order in which things become durable.

Reads changelogs (through `recovery`) and the first record of each log (through `fit`); writes rows, views and committed
offsets.
Guarantees (one checkpoint, at most a second or `CHECKPOINT_RECORDS` apart): 1. the rows changed so far are produced,
outcome rows before the rows that count them, the partition row last; 2. what is published about them too; 3. the broker
has acknowledged all of it, and every answer sent before; 4. only then is the input offset committed. A log that does
not fit the rows halts its partition. Does not belong here: what a record does (`partition`).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import msgspec
from faust.types import TP

from streams.fit import misfit
from streams.outbox import Outbox
from streams.partition import REMEDY, Halt, Partition, Role
from streams.reader import ReadError, bounds
from streams.recovery import Recovered, TwoStates, recover
from streams.settings import CHECKPOINT_RECORDS, CHECKPOINT_SECONDS, Settings
from streams.topics import CHANGELOG_OF
from streams.transport import BEGINNING, PartitionHalted, Partitions, die
from streams.transport.failstop import AGENT_ERROR
from tables import records as r
from tables import rows as row_types
from tables.outcome import INDEX_BITS, Send
from tables.rows import PARTITION_KEY
from tables.store import RowStore, changelog_key, version_bytes
from tables.table import Table

VIEW_SECONDS = 0.1  # levels and decided orders are published at most so late; the rest at the next checkpoint
REST = 3  # times as long as the rows of a partition took, before those of the next
TICK_SECONDS = 1.0
SLOW_TICK_MS = 60_000  # a log without open deadlines is told the time once a minute
UNACKNOWLEDGED_MAX = 400_000  # records in the outbox: agents wait beyond it
SWEEP_SECONDS = 86_400.0  # every view is published again once a day
SWEEP_ROWS = 50  # at a time: orders go on meanwhile
ENDS_SECONDS = 0.4  # a look at what the poll thread knows; who asks for a status waits a second at most
OPENING_MAX = 8  # partitions at once: they wait for the broker most of the time; what is read is in memory meanwhile

log = logging.getLogger(__name__)


class Owned(msgspec.Struct, eq=False):
    """A partition, what keeps its rows, and how far it is committed."""

    partition: Partition
    store: RowStore
    writer: str
    path: Path
    committed: int
    newest: int = -1  # highest place of the rows that were recovered
    tick_ms: int = 0
    swept: float = 0.0
    sweep: Iterator[None] | None = None
    changelog_from: int = 0  # its end when we took over: what comes later is ours
    round_began: float = float("-inf")  # of housekeeping, monotonic
    looked_to: str = ""  # key up to which it has looked, in this round
    asks: bool = False  # whether it asks about overdue reservations in this round
    asked: float = float("-inf")


class PartitionOwner:
    """The application's side of the transport (`transport.Owner`)."""

    def __init__(self, settings: Settings, roles: Mapping[str, Role], outbox: Outbox, name: str) -> None:
        self.outbox = outbox
        self.seam: Partitions  # set by the wiring, once the app exists
        self.settings = settings
        self._roles = {settings.prefix + topic: role for topic, role in roles.items()}
        self._folder = settings.home / "stores" / name
        self._owned: dict[TP, Owned] = {}
        self._halted: dict[TP, Halt] = {}
        self._checkpointing = asyncio.Lock()
        self._since = 0  # records handled since the last checkpoint
        self._wake = asyncio.Event()
        self._executor = ThreadPoolExecutor(OPENING_MAX, thread_name_prefix="recovery")
        self.foreign_rows = 0  # found in changelogs of ours by housekeeping

    # ---- called by the transport

    async def open(self, tp: TP, committed: int | None) -> int:
        await self._drop(tp)
        role = self._roles[tp.topic]
        writer = uuid4().hex
        path = self._folder / f"{role.topic}-{tp.partition}"
        changelog = CHANGELOG_OF[role.topic].name
        loop = asyncio.get_running_loop()
        job = loop.run_in_executor(self._executor, self._recover, changelog, tp.partition, path, writer)
        try:
            recovered, table = await asyncio.shield(job)
        except asyncio.CancelledError:  # the thread goes on: its files must be closed before the next open
            recovered, _ = await job
            recovered.store.close()
            raise
        except TwoStates as error:
            raise self._halts(tp, committed or 0, str(error)) from error
        try:
            low, why = await loop.run_in_executor(
                self._executor, misfit, self.settings, role, tp.partition, table.get(PARTITION_KEY), committed
            )
        except BaseException:  # cancelled too: its files must be closed before the next open
            recovered.store.close()
            raise
        if why:
            recovered.store.close()
            if recovered.kept:  # it may be another log's, of the same name and length: the changelog knows
                return await self.open(tp, committed)
            raise self._halts(tp, committed or 0, why)
        partition = Partition(role, tp.partition, table, self.outbox, committed or low)
        self._owned[tp] = Owned(
            partition, recovered.store, writer, path, committed or low, recovered.newest,
            changelog_from=recovered.end, swept=time.monotonic(),
            sweep=partition.views.taken_over(table, recovered.store, SWEEP_ROWS),
        )  # fmt: skip
        self._halted.pop(tp, None)
        for key in recovered.ended:
            self.outbox.row(changelog, tp.partition, key, None)
        kept = "local store kept" if recovered.kept else f"{recovered.rows} rows recovered"
        log.info("%s[%d] opened at offset %s, %s", role.topic, tp.partition, committed or low, kept)
        self._tick(self._owned[tp])
        self.outbox.leave()
        return BEGINNING if committed is None else committed

    async def close(self, tps: set[TP], *, lost: bool) -> dict[TP, int]:
        if not lost:
            self._wake.set()  # a checkpoint that is under way rests no more
            await self.checkpoint()
        offsets: dict[TP, int] = {}
        for tp in tps:
            self._halted.pop(tp, None)
            owned = self._owned.pop(tp, None)
            if owned is None:
                continue
            clean = not lost and owned.partition.halt is None
            if clean:
                offsets[tp] = owned.committed
            await asyncio.get_running_loop().run_in_executor(self._executor, self._close_store, owned, clean)
        return offsets

    def regressed(self, tp: TP, expected: int, why: str) -> None:
        self._halts(tp, expected, f"the log regressed: {why}")
        if tp in self._owned:
            self._owned[tp].partition.halt = self._halted[tp]  # it writes and commits nothing more

    # ---- called by the agents' loop

    def handle(self, tp: TP, messages: list) -> None:
        """Apply records of one partition; a halted one stops alone."""
        owned = self._owned.get(tp)
        if owned is None or owned.partition.halt is not None:
            return
        owned.partition.handle(messages)
        self._since += len(messages)
        if owned.partition.halt is not None:
            self._halted[tp] = owned.partition.halt
            self.seam.pause(tp)

    async def room(self) -> None:
        """Wait while more is unacknowledged than memory should hold; start a checkpoint early when much was done."""
        if self._since >= CHECKPOINT_RECORDS:
            self._wake.set()
        while self.outbox.waiting > UNACKNOWLEDGED_MAX:
            self._wake.set()
            await asyncio.sleep(0.01)

    # ---- timers

    async def run_checkpoints(self) -> None:
        """For ever: each begins a second after the last one did, or sooner when there is much to write."""
        began = time.monotonic()
        while True:
            await self._rest(began + CHECKPOINT_SECONDS - time.monotonic())
            self._wake.clear()
            began = time.monotonic()
            try:
                await self.checkpoint(unhurried=True)
            except Exception as error:
                log.exception("checkpoint")
                die(AGENT_ERROR, f"checkpoint failed: {error!r}")

    async def run_views(self) -> None:
        """For ever: what has changed is published, at most `VIEW_SECONDS` late."""
        while True:
            async for owned in self.each_live(VIEW_SECONDS):
                self._publish(owned, whole=False)
                self._sweep(owned)
                self.outbox.leave()

    async def run_ticks(self) -> None:
        """For ever: tell the time to the logs that wait for it."""
        while True:
            await asyncio.sleep(TICK_SECONDS)
            for owned in self.live():
                state = owned.partition.state
                now_ms = time.time_ns() // 1_000_000
                late = state is None or now_ms - state.state_ms > SLOW_TICK_MS + 2_000
                if late or owned.partition.table.next_deadline or abs(now_ms - owned.tick_ms) >= SLOW_TICK_MS:
                    self._tick(owned)
            self.outbox.leave()

    async def checkpoint(self, *, unhurried: bool = False) -> None:
        """Make everything handled so far durable, in order, and commit it. The numbers are those of the module."""
        async with self._checkpointing:
            self._since = 0
            done: list[tuple[TP, Owned, int, list[bytes]]] = []
            for tp, owned in list(self._owned.items()):
                began, partition = time.monotonic(), owned.partition
                if partition.halt is not None or self._owned.get(tp) is not owned:
                    continue
                if partition.next_offset > owned.committed or partition.table.dirty:
                    replaced = self._write(owned)  # 1
                    done.append((tp, owned, partition.next_offset, replaced))
                self._publish(owned)  # 2
                # orders go on between two partitions: what they change is the next checkpoint's
                await self._rest(REST * (time.monotonic() - began) if unhurried else 0)
            if not done:
                return
            await self.outbox.barrier()  # 3
            offsets = {}
            for tp, owned, offset, replaced in done:
                if self._owned.get(tp) is not owned:
                    continue  # lost meanwhile: its new owner commits
                owned.committed = offsets[tp] = offset
                changelog = CHANGELOG_OF[owned.partition.role.topic].name
                for key in replaced:  # our copy is acknowledged: the older writers' may go
                    self.outbox.row(changelog, tp.partition, key, None)
            self.seam.commit(offsets)  # 4

    async def _rest(self, seconds: float) -> None:
        """So long, unless there is much to write; at least until everybody else had a turn."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), seconds)

    def live(self) -> list[Owned]:
        """The partitions that are ours and move."""
        opened = self.seam.opened()
        return [o for tp, o in self._owned.items() if o.partition.halt is None and tp in opened]

    def is_live(self, owned: Owned) -> bool:
        """Whether it is among the partitions that are ours and move: it may be lost at any `await`."""
        return any(one is owned for one in self.live())

    async def each_live(self, seconds: float) -> AsyncIterator[Owned]:
        """Each partition that is ours and moves, spread over so many seconds: orders go on between two of them."""
        live = self.live()
        for owned in live:
            await asyncio.sleep(seconds / len(live))
            if self.is_live(owned):
                yield owned
        if not live:
            await asyncio.sleep(seconds)

    # ---- what others may know

    def status(self, ends: Mapping[tuple[str, int], int] | None = None) -> list[dict[str, object]]:
        """Each partition that is ours: its state, position and, if it stands still, why and what helps; with the `ends`
        of their logs, how many records of one that moves wait."""
        found: list[dict[str, object]] = []
        opened = self.seam.opened()
        for tp in sorted(self.seam.assignment() | set(self._halted)):
            topic = self._roles[tp.topic].topic
            halt, owned = self._halted.get(tp), self._owned.get(tp)
            entry: dict[str, object] = {
                "topic": topic, "partition": tp.partition,
                "state": "halted" if halt else "ready" if tp in opened else "recovering",
                "offset": halt.offset if halt else owned.partition.next_offset if owned else None,
                "committed": owned.committed if owned else None,
            }  # fmt: skip
            end = (ends or {}).get((topic, tp.partition))
            if entry["state"] == "ready" and owned and end is not None:
                entry["waiting"] = max(end - owned.partition.next_offset, 0)
            if owned and owned.partition.state:
                entry["state_time_ms"] = owned.partition.state.state_ms
            if halt:
                entry |= {"index": halt.index, "reason": halt.reason,
                          "remedy": REMEDY.format(topic=topic, partition=tp.partition)}  # fmt: skip
            found.append(entry)
        return found

    def counters(self) -> dict[str, int]:
        """What this worker has done since it started."""
        seen = self.seam.counters
        return {
            "records_read": seen.records_read, "records_dropped": seen.records_dropped, "batches": seen.batches,
            "rebalances": seen.rebalances, "unacknowledged": self.outbox.waiting, "foreign_rows": self.foreign_rows,
            "dead_letters": self.outbox.dead_letters,
        }  # fmt: skip

    async def ends(self) -> dict[tuple[str, int], int]:
        """(topic, partition) -> the offset after the last record, as last heard; without those not heard of yet."""
        try:
            async with asyncio.timeout(ENDS_SECONDS):
                ends = await self.seam.ends()
        except TimeoutError:  # the thread that knows is in a rebalance, or has left
            return {}
        return {(self._roles[tp.topic].topic, tp.partition): end for tp, end in ends.items() if end >= 0}

    def retry(self, topic: str, partition: int) -> bool:
        """Resume a halted partition from its committed offset; False if it does not stand still here."""
        tp = TP(self.settings.prefix + topic, partition)
        if tp not in self._halted:
            return False
        self.seam.reopen(tp)
        return True

    # ---- parts of the above

    def _recover(self, changelog: str, partition: int, path: Path, writer: str) -> tuple[Recovered, Table]:
        recovered = recover(self.settings, changelog, partition, path, writer)
        return recovered, Table(recovered.store, recovered.index)

    def _halts(self, tp: TP, offset: int, why: str) -> PartitionHalted:
        self._halted[tp] = Halt(offset, 0, why)
        log.error("%s[%d] halts at offset %d: %s", tp.topic, tp.partition, offset, why)
        return PartitionHalted(why)

    async def _drop(self, tp: TP) -> None:
        """A partition opened again (retry) starts from what is durable."""
        owned = self._owned.pop(tp, None)
        if owned is not None:
            await asyncio.get_running_loop().run_in_executor(self._executor, self._close_store, owned, False)

    def _close_store(self, owned: Owned, clean: bool) -> None:
        end = None
        if clean:
            changelog = CHANGELOG_OF[owned.partition.role.topic].name
            try:
                end = bounds(self.settings, changelog, [owned.partition.number])[owned.partition.number][1]
            except ReadError:
                log.warning("no end of %s: the local store will not be kept", changelog)
        owned.store.close(end, owned.partition.table.index)

    def _publish(self, owned: Owned, *, whole: bool = True) -> None:
        partition = owned.partition
        # Of what was recovered some rows may be ahead of others, until the log is read as far as the newest of them.
        settled = partition.views.of_one_row or (partition.next_offset << INDEX_BITS) > owned.newest
        if partition.state is not None and settled:
            partition.views.publish(partition.table, partition.state, self.outbox, whole=whole)

    def _tick(self, owned: Owned) -> None:
        owned.tick_ms = time.time_ns() // 1_000_000
        record = r.Tick(id=f"{owned.writer[:12]}:{owned.tick_ms}", now_ms=owned.tick_ms)
        self.outbox.send(Send(owned.partition.role.topic, owned.partition.number, None, record))

    def _sweep(self, owned: Owned) -> None:
        """A zombie's late, older view must not stay the last word in a compacted topic."""
        if owned.sweep is None and time.monotonic() - owned.swept > SWEEP_SECONDS:
            owned.sweep = owned.partition.views.sweep(owned.partition.table, owned.store, SWEEP_ROWS)
        if owned.sweep is not None and next(owned.sweep, self) is self:
            owned.sweep, owned.swept = None, time.monotonic()

    def _write(self, owned: Owned) -> list[bytes]:
        """Rows to the changelog and the local store; returns older writers' copies that they replace."""
        partition, table = owned.partition, owned.partition.table
        state = partition.position_row()
        if state is None:
            return []
        dirty = table.take_dirty()
        dirty.pop(PARTITION_KEY, None)
        changed = row_types.in_writing_order(dirty)
        changelog = CHANGELOG_OF[partition.role.topic].name
        written: list[tuple[bytes, bytes]] = []
        suffix = f"|{owned.writer}".encode()
        for key, row in (*changed, (PARTITION_KEY, state)):
            value = version_bytes(state.log_id, row.at) + row_types.encode(row)
            raw = key.encode()
            self.outbox.row(changelog, partition.number, raw + suffix, value)
            written.append((raw, value))
        owned.store.write(written)
        foreign = owned.store.foreign
        if not foreign:
            return []
        # Taken away in the reverse order: a partition row must not speak for rows that are gone.
        backwards = (PARTITION_KEY, *(key for key, _ in reversed(changed)))
        return [changelog_key(key, w) for key in backwards for w in foreign.pop(key, ())]
