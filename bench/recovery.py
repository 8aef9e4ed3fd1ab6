"""`python -m bench recovery`: how long a worker that starts needs until its first decision.

A log is filled by stock and real orders until its changelogs hold so many rows, about as many of each. The worker is
stopped cleanly and started three times: with nothing to recover (before that), with the local store it left, and with
that store wiped; an order waits for it each time. Guarantees: a row counts only if the worker says that it did so (kept
every store, or recovered each of the rows that we counted in the changelogs); every order is decided. Does not belong
here: crashes (`proof.nemesis`).
"""

from __future__ import annotations

import contextlib
import re
import shutil
import sys
import time
from collections.abc import Callable
from typing import Annotated

from confluent_kafka import KafkaException
from msgspec import Struct
from msgspec.structs import replace
from rich.console import Console

from bench.brokers import BrokerName, started
from bench.children import BenchError, Child
from bench.options import DEFAULT, Options
from bench.peers.smokehouse import SmokehousePeer
from bench.report import figure
from bench.round import Run, opened
from bench.telling import Meanwhile, Told, check_cell, tell
from bench.workload import Shape, Workload
from streams.brokers.process import BrokerError, RunningBroker
from streams.commands.options import Seed, between
from streams.ends import Place, ReadError
from streams.reader import follow
from streams.settings import PARTITIONS_DEFAULT, Settings
from streams.topics import CHANGELOG_OF, LOGS
from tables.store import split_changelog_key

ROWS, QUICK_ROWS = 1_000_000, 100_000
ROWS_PER_ORDER_MIN = 2  # itself and a reservation
ROWS_PER_SKU = 7
CHUNK, QUICK_CHUNK = 20_000, 5_000
FIRST_SECONDS, STOP_SECONDS = 600.0, 300.0
STORES = PARTITIONS_DEFAULT * len(LOGS)
HEADINGS = (
    "broker", "started with", "rows", "changelog records", "first decision s", "all partitions s", "records/s", "check"
)  # fmt: skip


class Row(Struct, frozen=True, kw_only=True):
    """`first_s`: from the start of the process to the first decision readable; `ready_s`: to all partitions open;
    `records_s`: of the changelogs, to the first decision."""

    broker: str
    start: str
    rows: int
    records: int
    first_s: float
    ready_s: float
    records_s: float | None  # None: there was nothing to read
    check: str


def recovery(
    *,
    rows: Annotated[int, between(1)] | None = None,
    broker: BrokerName | None = None,
    seed: Seed = 1,
    options: Options = DEFAULT,
) -> None:
    """Start of a worker to its first decision: with a wiped store, from its changelogs, and with the store it left.

    With --quick a tenth of the rows.

    Parameters
    ----------
    rows
        In the changelogs (default: 1,000,000; with --quick 100,000).
    broker
        Default: kafka (Apache Kafka); with --quick embedded.
    seed
        Of the orders.
    """
    kind: BrokerName = broker or ("embedded" if options.quick else "kafka")
    wanted, chunk = rows or (QUICK_ROWS if options.quick else ROWS), QUICK_CHUNK if options.quick else CHUNK
    say = Console(stderr=True, highlight=False).print
    meanwhile = Meanwhile()
    try:
        with started(kind) as running:
            found = measure(running, wanted, chunk, seed, say)
    except (BenchError, BrokerError, ReadError, KafkaException) as error:
        print(error, file=sys.stderr)
        sys.exit(1)
    title = "Start of a worker to its first decision"
    sys.exit(0 if tell(Told("recovery", title, HEADINGS, 2, found, _cells), meanwhile, options) else 1)


def measure(broker: RunningBroker, wanted: int, chunk: int, seed: int, say: Callable[[str], None]) -> list[Row]:
    """A row per start; the last one's check is that of all orders, too."""
    peer = SmokehousePeer(loglevel="info")
    count = wanted // ROWS_PER_ORDER_MIN + chunk
    shape = Shape(skus=max(100, wanted // (2 * ROWS_PER_SKU)))
    with opened(peer, "spread", broker, count, seed, shape) as run, contextlib.ExitStack() as more:
        changelogs = Changelogs(run.settings)
        more.callback(changelogs.close)
        starts = _Starts(peer, run, broker.kind, changelogs, more)
        empty = replace(starts.wiped("nothing to recover"), records_s=None)
        run.receive(FIRST_SECONDS)
        placed = starts.placed
        while changelogs.read() < wanted and placed < count - 2:
            more_orders = min(chunk, count - 2 - placed)
            run.place(placed, more_orders, 0)
            run.settle()
            placed += more_orders
            say(f"{changelogs.read():,} of {wanted:,} rows after {placed:,} orders")
        starts.placed = placed
        say("stop, and start with the local store")
        warm = starts.warm()
        say("stop, wipe the local store, start")
        wiped = starts.wiped("wiped")
        run.workload = Workload(run.workload.orders[: starts.placed], run.workload.received)
        check = run.check()
    if wiped.check == "ok":
        wiped = replace(wiped, check=check if wiped.rows >= wanted else f"{wiped.rows} rows, {wanted} were wanted")
    return [empty, warm, wiped]


class Changelogs:
    """What stands in the changelogs, counted by a reader of our own."""

    def __init__(self, settings: Settings) -> None:
        self.records = 0
        self._rows: set[tuple[Place, bytes]] = set()
        self._follower = follow(settings, [topic.name for topic in CHANGELOG_OF.values()])

    def read(self) -> int:
        """To the ends as of now; the rows there are: a key with several writers is one."""
        ends = self._follower.ends()
        while any(self._follower.positions()[place] < end for place, end in ends.items()):
            for message in self._follower.poll(0.1):
                self.records += 1
                if message.value() is not None:
                    key, _ = split_changelog_key(message.key())
                    self._rows.add(((message.topic(), message.partition()), key))
        return len(self._rows)

    def close(self) -> None:
        self._follower.close()


class _Starts:
    """Stops the worker, starts another, and waits for an order that was placed in between."""

    def __init__(
        self, peer: SmokehousePeer, run: Run, kind: str, changelogs: Changelogs, more: contextlib.ExitStack
    ) -> None:
        self.placed = 0  # orders
        self._peer, self._run, self._kind, self._changelogs, self._more = peer, run, kind, changelogs, more

    def warm(self) -> Row:
        self._stop()
        marks = len(list(self._run.settings.home.glob("stores/*/*.closed")))
        row, said = self._start("local store kept")
        kept = said.count("local store kept")
        return replace(
            row, records_s=None, check="ok" if marks == kept == STORES else f"{kept} of {STORES} local stores were kept"
        )

    def wiped(self, name: str) -> Row:
        self._stop()
        shutil.rmtree(self._run.settings.home / "stores")
        row, said = self._start(name)
        recovered = sum(int(x) for x in re.findall(r"(\d+) rows recovered", said))
        return replace(
            row, check="ok" if recovered == row.rows else f"{recovered} rows recovered, {row.rows} are there"
        )

    def _stop(self) -> None:
        worker = self._run.workers[0]
        worker.stop_seconds = STOP_SECONDS  # it looks over what it leaves
        worker.stop()
        if worker.process.returncode:
            raise BenchError(f"the worker ended with {worker.process.returncode} instead of a clean stop")

    def _start(self, name: str) -> tuple[Row, str]:
        """What it took, and what the worker said."""
        run = self._run
        rows, records = self._changelogs.read(), self._changelogs.records
        run.tell(self.placed, 1, 0)
        began, began_ns = time.monotonic(), time.time_ns()
        worker: Child = self._more.enter_context(self._peer.launch(run.settings, run.settings.home))
        log_from = worker.log.stat().st_size
        run.workers = [worker]
        [placed_ns] = run.decided(self.placed + 1, FIRST_SECONDS)
        first_s = (run.late_ms(self.placed, [placed_ns])[0] * 1e6 + placed_ns - began_ns) / 1e9
        self._peer.wait_until_ready(run.settings, [worker], FIRST_SECONDS)
        ready_s = time.monotonic() - began
        self.placed += 1
        run.settle()
        said = worker.log.read_bytes()[log_from:].decode(errors="replace")
        return Row(
            broker=self._kind, start=name, rows=rows, records=records, first_s=first_s, ready_s=ready_s,
            records_s=records / first_s, check="",
        ), said  # fmt: skip


def _cells(x: Row) -> list[str]:
    return [
        x.broker, x.start, f"{x.rows:,}", f"{x.records:,}", figure(x.first_s, 1), figure(x.ready_s, 1),
        figure(x.records_s, 0), check_cell(x.check),
    ]  # fmt: skip
