"""`python -m bench`: Smokehouse and its peers, the same orders, round by round in one run on one machine.

Its commands (`latency` and further ones, a file each) measure Smokehouse alone. Figures on stdout, talk on stderr.
Guarantees: exits with 1 if any check failed or any peer did not get through. Does not belong here: what is measured
(`round`).
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from confluent_kafka import KafkaException
from cyclopts import App
from rich.console import Console

from bench import machine
from bench.brokers import BROKERS, BrokerName, started
from bench.children import BenchError
from bench.measured import Measured, Size
from bench.options import DEFAULT, Options, Rate
from bench.page import write as write_page
from bench.peers.registry import ALONE, ON_LOG, PEERS
from bench.report import Row, row, show
from bench.round import measure
from bench.workload import WORKLOADS, WorkloadName
from streams.brokers.kafka import missing_for_kafka
from streams.brokers.process import BrokerError, RunningBroker
from streams.commands.options import Seconds, Seed, between
from streams.ends import ReadError

NO_BROKER: Literal["none"] = "none"
Place = Literal["embedded", "kafka", "none"]
Cell = tuple[str, WorkloadName, Place]
WARM_UP_SHARE = 4  # a quarter of the orders, at most:
WARM_UP_MAX = 3_000
WARM_UP = Size(warm_up=1_000, steady=0, rate=0.0, burst=5_000)  # of a fresh JVM, by the floor
FULL = (20_000, 5, 5.0)  # orders, rounds, seconds of steady rate
QUICK = (1_000, 1, 1.0)
WIDTH = 160

app = App(name="bench", help="Smokehouse beside what users would take instead, and alone.", version_flags=[])
for _name in ("latency", "growth", "recovery", "api"):
    app.command(f"bench.{_name}:{_name}", name=_name)
app.command("bench.importing:import_orders", name="import")


@app.default
def bench(
    *,
    only: str = "",
    broker: str = "",
    workload: str = "",
    orders: Annotated[int, between(1)] | None = None,
    rounds: Annotated[int, between(1)] | None = None,
    rate: Rate = 500.0,
    steady_seconds: Seconds | None = None,
    seed: Seed = 1,
    options: Options = DEFAULT,
) -> None:
    """Measure, side by side in interleaved rounds.

    With --quick one round of few orders, the second broker with one workload: under three minutes on an idle machine.

    Parameters
    ----------
    only
        Peers, separated by commas (smokehouse, floor, quix, faust, redis, redis_pipelined, postgres, postgres_batch,
        memory); default: all.
    broker
        kafka, embedded or both with a comma; default: both, Apache Kafka where it can be started. Redis, PostgreSQL
        and memory run once, without one.
    workload
        spread, drop or both with a comma; default: both.
    orders
        Of each burst.
    rounds
        Of each peer; the figures are their medians.
    rate
        Orders a second while latency is measured.
    steady_seconds
        How long that rate is held; 0 leaves it out.
    seed
        Of the workloads.
    """
    talk = Console(stderr=True)
    count, times, steady = QUICK if options.quick else FULL
    count, times = orders or count, rounds or times
    steady = steady if steady_seconds is None else steady_seconds
    size = Size(min(count // WARM_UP_SHARE, WARM_UP_MAX), int(rate * steady), rate, count)
    brokers: list[BrokerName] = [b for b in BROKERS if b in _names(broker, BROKERS)]
    skipped: list[str] = []
    if "kafka" in brokers and (missing := missing_for_kafka()):
        skipped.append(f"Apache Kafka: {missing}")
        brokers.remove("kafka")
    workloads: list[WorkloadName] = [w for w in WORKLOADS if w in _names(workload, WORKLOADS)]
    peers = []
    for name in _names(only, tuple(PEERS)):
        if missing := PEERS[name]().missing():
            skipped.append(f"{name}: {missing}")
        else:
            peers.append(name)
    cells: list[Cell] = [
        (p, w, b)
        for b in brokers
        for w in (workloads[:1] if options.quick and b != brokers[0] else workloads)
        for p in peers if p in ON_LOG
    ]  # fmt: skip
    cells += [(p, w, NO_BROKER) for w in workloads for p in peers if p in ALONE]
    rows: list[Row] = []
    for measured, failed in _run(cells, times, size, seed, talk):
        rows = [row(p, w, b, size.burst, rate, measured[p, w, b], failed[p, w, b]) for p, w, b in cells]
        if options.json is not None:  # after each round: what is broken off leaves what it had
            options.json.write_bytes(msgspec.json.format(msgspec.json.encode(rows)) + b"\n")
    out = Console()
    if not out.is_terminal:
        out = Console(width=WIDTH)  # a pipe knows no width: whole words rather than a folded table
    show(rows, out)
    for line in skipped:
        out.print(f"skipped: {line}", markup=False)
    out.print(f"{machine.describe()}; {times} round(s) of {size.burst} orders, seed {seed}")
    if options.write:
        write_page(rows, skipped, machine.describe(), times)
    sys.exit(0 if all(x.check == "ok" for x in rows) else 1)


def _run(
    cells: list[Cell], times: int, size: Size, seed: int, talk: Console
) -> Iterator[tuple[dict[Cell, list[Measured]], dict[Cell, list[str]]]]:
    """After each round: everything measured so far, and what failed."""
    measured: dict[Cell, list[Measured]] = {cell: [] for cell in cells}
    failed: dict[Cell, list[str]] = {cell: [] for cell in cells}
    with contextlib.ExitStack() as stack:
        kafka: RunningBroker | None = None  # one for all rounds: a cold JVM is slower than any setting makes it
        if any(b == "kafka" for _, _, b in cells):
            kafka = stack.enter_context(started("kafka"))
            talk.print("warming up Apache Kafka")
            try:
                measure(ON_LOG["floor"](), "spread", kafka, WARM_UP, seed, lambda _: None)
            except (BenchError, ReadError, KafkaException) as error:
                talk.print(f"the warm-up failed: {error}", markup=False, soft_wrap=True)
        for number in range(times):
            for cell in cells if number % 2 == 0 else reversed(cells):  # nobody is always first
                peer, workload, broker = cell
                title = f"round {number + 1} of {times}, {peer}, {workload}, {broker}"
                began = time.monotonic()
                say = lambda phase, title=title: talk.print(f"{title}: {phase}", soft_wrap=True)  # noqa: E731
                try:
                    found = _round(cell, kafka, size, seed, say)
                except (BenchError, BrokerError, ReadError, KafkaException) as error:
                    failed[cell].append(str(error))
                    talk.print(f"{title}: FAILED: {error}", markup=False, soft_wrap=True)
                    continue
                measured[cell].append(found)
                took = f"{time.monotonic() - began:.0f} s"
                talk.print(f"{title}: {found.orders_s:,.0f} orders/s, {found.cpu_s_per_1000:.3f} CPU-s per 1,000, "
                           f"check {found.check} ({took})", highlight=False, soft_wrap=True)  # fmt: skip
            yield measured, failed


def _round(cell: Cell, kafka: RunningBroker | None, size: Size, seed: int, say: Callable[[str], None]) -> Measured:
    peer, workload, broker = cell
    if broker == NO_BROKER:
        with tempfile.TemporaryDirectory(prefix="smokehouse-bench-") as folder:
            return ALONE[peer]().run(workload, size, seed, Path(folder), say)
    there = contextlib.nullcontext(kafka) if broker == "kafka" and kafka is not None else started("embedded")
    with there as running:
        return measure(ON_LOG[peer](), workload, running, size, seed, say)


def _names(given: str, known: tuple[str, ...]) -> list[str]:
    """The names asked for; all, if none is."""
    names = [x.strip() for x in given.split(",") if x.strip()] or list(known)
    if unknown := [x for x in names if x not in known]:
        print(f"unknown: {', '.join(unknown)}; there are: {', '.join(known)}", file=sys.stderr)
        sys.exit(2)
    return names


if __name__ == "__main__":
    try:
        app()
    except BrokerError as error:
        print(error, file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
