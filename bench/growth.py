"""`python -m bench growth`: what an order costs, takes and needs as one thing grows and everything else stays.

Each point is a log of its own, filled by real traffic: stock is received, and orders are placed until so many
reservations are open (confirmed, not shipped); then, once the log is no longer new, a steady rate gives p99, a burst
the CPU. Memory is what the worker has resident when it is filled. Points that several dimensions share are measured
once. Guarantees: a point is filled within `--fill-seconds` or told as not measured; every order is confirmed, so the
reservations are open. Does not belong here: how a round is measured (`round`), what the picture looks like (`lines`).
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from confluent_kafka import KafkaException
from msgspec import Struct
from rich.console import Console

from bench import lines
from bench.brokers import BrokerName, started
from bench.children import BenchError, TooLate
from bench.machine import resident_bytes
from bench.options import DEFAULT, Held, Options
from bench.peers.smokehouse import SmokehousePeer
from bench.report import figure
from bench.round import Run, opened
from bench.telling import Meanwhile, Told, check_cell, tell
from bench.workload import Shape
from streams.brokers.process import BrokerError
from streams.commands.options import Seed
from streams.ends import ReadError

DIMENSIONS: dict[str, tuple[int, ...]] = {  # the second of the partitions is what a log has by default
    "reservations": (1_000, 10_000, 100_000, 1_000_000),
    "skus": (1_000, 10_000, 100_000, 1_000_000),
    "lots": (1, 10, 100, 1_000),
    "partitions": (1, 4, 12, 48),
    "workers": (1, 2),
}
NAMES = {
    "reservations": "open reservations", "skus": "SKUs", "lots": "lots per SKU", "partitions": "partitions",
    "workers": "workers",
}  # fmt: skip
QUICK_POINTS = 2
CHUNK = 20_000  # orders on their way at once: more would wait behind each other until they expire
HEADINGS = (
    "what grows", "to", "CPU-s per 1,000", "orders/s", "memory MB", "p50 ms", "p99 ms", "filled in s", "check"
)  # fmt: skip
MB = 1e6


class Point(NamedTuple):
    reservations: int = 1_000
    skus: int = 1_000
    lots: int = 1
    partitions: int = 4
    workers: int = 1


class Probe(NamedTuple):
    """How a filled log is measured, and for how long it may be filled. `young`: orders placed at the same rate before
    anything is measured. In the first seconds of a topic Kafka writes the first page of two index files of each of its
    partitions, up to 10 ms each, and keeps everybody waiting meanwhile."""

    rate: float
    young: int
    steady: int
    burst: int
    fill_seconds: float


FULL = Probe(rate=200.0, young=1_600, steady=2_000, burst=5_000, fill_seconds=900.0)
QUICK = Probe(rate=100.0, young=100, steady=100, burst=500, fill_seconds=30.0)


class Found(Struct, frozen=True, kw_only=True):
    """One point. Memory and CPU are those of all workers together."""

    cpu_s_per_1000: float | None = None
    orders_s: float | None = None
    memory_bytes: int | None = None
    p50_ms: float | None = None
    p99_ms: float | None = None
    filled_s: float | None = None
    check: str


class Row(Struct, frozen=True, kw_only=True):
    dimension: str
    value: int
    found: Found

    @property
    def check(self) -> str:
        return self.found.check


def growth(
    *,
    only: str = "",
    broker: BrokerName = "embedded",
    fill_seconds: Held | None = None,
    seed: Seed = 1,
    options: Options = DEFAULT,
) -> None:
    """CPU, memory and p99 as reservations, SKUs, lots per SKU, partitions and workers grow, one after the other.

    With --quick the two smaller points of each, with short measurements.

    Parameters
    ----------
    only
        What grows, separated by commas (reservations, skus, lots, partitions, workers); default: each.
    broker
        embedded or kafka.
    fill_seconds
        How long a point may be filled (default: 900, with --quick 30); one that takes longer is not measured.
    seed
        Of the orders.
    """
    names = [x.strip() for x in only.split(",") if x.strip()] or list(DIMENSIONS)
    if unknown := [x for x in names if x not in DIMENSIONS]:
        print(f"unknown: {', '.join(unknown)}; there are: {', '.join(DIMENSIONS)}", file=sys.stderr)
        sys.exit(2)
    probe = QUICK if options.quick else FULL
    probe = probe._replace(fill_seconds=fill_seconds or probe.fill_seconds)
    wanted = [(name, value) for name in names for value in DIMENSIONS[name][: QUICK_POINTS if options.quick else None]]
    meanwhile = Meanwhile()
    rows, missed = measure(wanted, probe, broker, seed, Console(stderr=True, highlight=False).print)
    told = Told(
        "growth", f"What an order costs as one thing grows, one worker, spread, {broker} broker", HEADINGS, 1, rows,
        _cells, [*missed, *slopes(rows)], {"bench-growth.svg": _draw(rows, names)},
    )  # fmt: skip
    sys.exit(0 if tell(told, meanwhile, options) else 1)


def measure(
    wanted: Sequence[tuple[str, int]], probe: Probe, broker: BrokerName, seed: int, say: Callable[[str], None]
) -> tuple[list[Row], list[str]]:
    """A row per point that could be filled in time, and a line for each that could not."""
    known: dict[Point, Found | TooLate] = {}
    rows: list[Row] = []
    missed: list[str] = []
    for name, value in wanted:
        point = Point()._replace(**{name: value})
        if point not in known:
            say(f"{value:,} {NAMES[name]}")
            known[point] = _point(point, probe, broker, seed)
        found = known[point]
        if isinstance(found, TooLate):
            missed.append(f"Not measured: {value:,} {NAMES[name]}: {found}")
            say(missed[-1])
        else:
            rows.append(Row(dimension=name, value=value, found=found))
    return rows, missed


def slopes(rows: Sequence[Row]) -> list[str]:
    """Bytes of memory for each open reservation (with its order) and each SKU, between the first and the last point."""
    said = []
    for name, one in (("reservations", "open reservation, with its order,"), ("skus", "SKU")):
        there = [(x.value, x.found.memory_bytes) for x in rows if x.dimension == name and x.found.memory_bytes]
        if len(there) > 1:
            (first, least), (last, most) = there[0], there[-1]
            each = (most - least) / (last - first)
            said.append(f"Each {one} takes {each:,.0f} bytes of memory ({first:,} to {last:,}).")
    return said


def _point(point: Point, probe: Probe, broker: BrokerName, seed: int) -> Found | TooLate:
    peer = SmokehousePeer(partitions=point.partitions)
    count = point.reservations + probe.young + probe.steady + probe.burst
    shape = Shape(point.skus, point.lots, share=1.0)
    try:
        with (
            started(broker) as running,
            opened(peer, "spread", running, count, seed, shape) as run,
            contextlib.ExitStack() as more,
        ):
            for number in range(2, point.workers + 1):
                worker = peer.launch(run.settings, run.settings.home, f"worker-{number}")
                run.workers.append(more.enter_context(worker))
            peer.wait_until_ready(run.settings, run.workers)
            began = time.monotonic()
            try:
                _fill(run, point.reservations, began + probe.fill_seconds)
            except TooLate as error:
                return error
            return _found(run, point.reservations, probe, time.monotonic() - began, count)
    except (BenchError, BrokerError, ReadError, KafkaException) as error:
        return Found(check=str(error))


def _fill(run: Run, reservations: int, until: float) -> None:
    """Stock, then orders; `TooLate` after `until` (monotonic seconds)."""
    run.receive(until - time.monotonic())
    for first in range(0, reservations, CHUNK):
        if time.monotonic() > until:
            raise TooLate(f"{first:,} orders were placed when its time was over")
        count = min(CHUNK, reservations - first)
        run.tell(first, count, 0)
        run.decided(first + count, until - time.monotonic())
    run.settle(max(until - time.monotonic(), 10.0))


def _found(run: Run, first: int, probe: Probe, filled_s: float, count: int) -> Found:
    memory = sum(resident_bytes(worker.pid) for worker in run.workers)
    run.place(first, probe.young, probe.rate)
    first += probe.young
    steady = run.steady(first, probe.steady, probe.rate)
    before = run.cpu()[0]
    seconds = run.burst(first + probe.steady, probe.burst)
    run.settle()
    spent = run.cpu()[0] - before
    check = run.check()
    if check == "ok" and run.confirmed != count:
        check = f"{count - run.confirmed} of {count} orders were not confirmed"
    return Found(
        cpu_s_per_1000=spent * 1000 / probe.burst, orders_s=probe.burst / seconds, memory_bytes=memory,
        p50_ms=steady.p50_ms, p99_ms=steady.p99_ms, filled_s=filled_s, check=check,
    )  # fmt: skip


def _cells(x: Row) -> list[str]:
    y = x.found
    memory = None if y.memory_bytes is None else y.memory_bytes / MB
    return [
        NAMES[x.dimension], f"{x.value:,}", figure(y.cpu_s_per_1000, 3), figure(y.orders_s, 0), figure(memory, 0),
        figure(y.p50_ms, 1), figure(y.p99_ms, 1), figure(y.filled_s, 0), check_cell(y.check),
    ]  # fmt: skip


def _draw(rows: Sequence[Row], names: Sequence[str]) -> str:
    figures: list[tuple[str, Callable[[Found], float | None], int]] = [
        ("CPU-s per 1,000 orders", lambda x: x.cpu_s_per_1000, 2),
        ("memory, MB", lambda x: x.memory_bytes and x.memory_bytes / MB, 0),
        ("p99, ms", lambda x: x.p99_ms, 0),
    ]

    def line(name: str, value: Callable[[Found], float | None], digits: int) -> list[lines.Point]:
        there = [(x.value, value(x.found)) for x in rows if x.dimension == name]
        return [lines.Point(x, y, figure(y, digits), _short(x)) for x, y in there if y is not None]

    panels = [(NAMES[name], [line(name, value, digits) for _, value, digits in figures]) for name in names]
    return lines.draw("What an order costs as one thing grows", [name for name, _, _ in figures], panels)


def _short(value: int) -> str:
    """1000 -> 1k."""
    for size, unit in ((1_000_000, "M"), (1_000, "k")):
        if value >= size:
            return f"{value // size}{unit}"
    return str(value)
