"""A worker for the transport's tests: two agents that write down what they are handed, and nothing else.

Run as a program with one argument, a JSON object (`Plan`). Reads the topics; writes one JSON line per event to
`Plan.journal`, which several workers share (appended in one write each, so its order is the order of the events).
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import faust
import msgspec
from faust.types import TP

from streams.settings import Settings
from streams.transport import BEGINNING, BatchApp, PartitionHalted


class Plan(msgspec.Struct):
    """What the worker shall do."""

    name: str
    journal: str
    bootstrap: str
    embedded: bool
    group: str
    topics: list[str]
    instance_id: str = ""
    session_seconds: float = 6.0
    loop_blocked_seconds: float = 30.0
    batch_seconds: float = 0.0  # slept (giving way) inside every batch
    block_seconds: float = 0.0  # slept without giving way, once
    freeze_seconds: int = 0  # slept in C with the interpreter's lock, once: no thread of Python runs meanwhile
    open_seconds: float = 0.0
    open_waits: bool = False  # whether nothing is opened until the file `journal.open` exists
    halt_at: int = -1  # partition 0 of the first topic halts at this offset, until the file `journal.go` exists
    refuse_open: bool = False  # ... or when it is opened
    compacted: list[str] = []  # topics in which gaps are right
    quiet: bool = False  # no line per batch: for measuring


class JournalOwner:
    """Opens at the committed offset, and commits what was handled."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.next: dict[TP, int] = {}
        self.go = Path(plan.journal + ".go")
        self.opens = Path(plan.journal + ".open")
        self._file = os.open(plan.journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def write(self, event: str, tp: TP | None = None, **more: Any) -> None:
        place = {"topic": tp.topic, "partition": tp.partition} if tp else {}
        line = {"event": event, "worker": self.plan.name, "at": time.monotonic(), **place, **more}
        os.write(self._file, json.dumps(line).encode() + b"\n")

    def halts(self, tp: TP) -> bool:
        return tp == TP(self.plan.topics[0], 0) and not self.go.exists()

    async def open(self, tp: TP, committed: int | None) -> int:
        if self.plan.refuse_open and self.halts(tp):
            self.write("refused", tp)
            raise PartitionHalted("the test says so")
        if self.plan.open_seconds or self.plan.open_waits:
            self.write("opening", tp)
            await asyncio.sleep(self.plan.open_seconds)
        while self.plan.open_waits and not self.opens.exists():  # noqa: ASYNC110 - another process makes it
            await asyncio.sleep(0.02)
        self.write("open", tp, committed=committed)
        return BEGINNING if committed is None else committed

    async def close(self, tps: set[TP], *, lost: bool) -> dict[TP, int]:
        done = {}
        for tp in tps:
            if tp in self.next:
                done[tp] = self.next.pop(tp)
            self.write("close", tp, lost=lost, next=done.get(tp))
        return done

    def regressed(self, tp: TP, expected: int, why: str) -> None:
        self.write("regressed", tp, expected=expected, why=why)


def build(plan: Plan) -> BatchApp:
    owner = JournalOwner(plan)
    settings = Settings(
        home=Path(plan.journal).parent,
        bootstrap=plan.bootstrap,
        api="127.0.0.1:1",
        demo=False,
        embedded=plan.embedded,
        instance_id=plan.instance_id,
        session_seconds=plan.session_seconds,
    )
    app = BatchApp(
        plan.group, settings=settings, owner=owner, loop_blocked_seconds=plan.loop_blocked_seconds,
        compacted=plan.compacted,
    )  # fmt: skip

    def agent_of(topic: str) -> Any:
        async def handle(stream: Any) -> None:
            async for event in stream.events():
                batch: dict[int, list[Any]] = event.value
                done: dict[TP, int] = {}
                for partition, records in batch.items():
                    tp = TP(topic, partition)
                    if 0 <= plan.halt_at <= records[-1].offset() and owner.halts(tp):
                        records = [r for r in records if r.offset() < plan.halt_at]
                        app.partitions.pause(tp)
                        owner.write("halt", tp)
                        if not records:
                            continue
                    done[tp] = owner.next[tp] = records[-1].offset() + 1
                    if not plan.quiet:
                        offsets = [r.offset() for r in records]
                        owner.write("batch", tp, first=offsets[0], last=offsets[-1], records=len(offsets))
                        assert topic in plan.compacted or offsets == list(range(offsets[0], offsets[-1] + 1))
                if plan.batch_seconds:
                    await asyncio.sleep(plan.batch_seconds)
                    owner.write("slept")
                if plan.block_seconds:
                    owner.write("block")
                    time.sleep(plan.block_seconds)  # noqa: ASYNC251 - blocking the loop is the point
                if plan.freeze_seconds:
                    owner.write("freeze")
                    ctypes.PyDLL(None).sleep(plan.freeze_seconds)
                app.partitions.commit(done)
                event.ack()

        return handle

    for topic in plan.topics:
        app.agent(app.batches(topic), name=f"handle-{topic}")(agent_of(topic))

    @app.timer(0.2)
    async def retry() -> None:
        for tp in app.partitions.assignment() - app.partitions.opened():
            if owner.go.exists() and tp == TP(plan.topics[0], 0):
                app.partitions.reopen(tp)

    @app.timer(1.0)
    async def count() -> None:
        counters = app.partitions.counters
        owner.write(
            "counters", **{name: getattr(counters, name) for name in counters.__slots__}, cpu=time.process_time()
        )

    return app


if __name__ == "__main__":
    worker = faust.Worker(build(msgspec.json.decode(sys.argv[1], type=Plan)), loglevel="WARNING")
    worker.spinner = None  # a log is no terminal
    worker.execute_from_commandline()
