"""`python -m bench latency`: placed -> decision readable with one worker, at steady rates; and a burst in one second.

Each row has a log of its own, so that the same share of its orders finds nothing left. The clock of the burst's drain
runs from its last order to its last decision. Guarantees: every order is decided, and its decision said once; levels
are what was received less what was confirmed. Does not belong here: how a round is measured (`round`).
"""

from __future__ import annotations

import sys
from typing import Annotated, Literal

from confluent_kafka import KafkaException
from msgspec import Struct
from rich.console import Console

from bench.brokers import BrokerName, choose, started
from bench.children import BenchError
from bench.measured import p50_and_p99
from bench.options import DEFAULT, RATE_MAX, RATE_MIN, Held, Options
from bench.peers.smokehouse import SmokehousePeer
from bench.report import figure
from bench.round import opened
from bench.telling import Meanwhile, Told, check_cell, tell
from streams.brokers.process import BrokerError, RunningBroker
from streams.commands.options import Seed, between
from streams.ends import ReadError

BURST = 20_000  # orders, in one second
SECONDS, WARM_UP = 60.0, 3_000
WARM_UP_RATE = 500.0  # for some seconds, in which a new log's index files get their first pages (`growth`)
QUICK_BURST, QUICK_SECONDS, QUICK_WARM_UP = 10_000, 8.0, 500
HEADINGS = (
    "broker", "load", "orders", "placed in s", "p50 ms", "p99 ms", "CPU-s per 1,000", "drained after s", "check"
)  # fmt: skip


class Row(Struct, frozen=True, kw_only=True):
    """`drained_s`: from the last order placed to the last decision readable. CPU is the worker's."""

    broker: str
    load: str
    rate: float
    orders: int
    placed_s: float | None = None
    p50_ms: float | None = None
    p99_ms: float | None = None
    cpu_s_per_1000: float | None = None
    drained_s: float | None = None
    check: str


def latency(
    *,
    rates: str = "500,2000",
    broker: Literal["kafka", "embedded", "both"] | None = None,
    seconds: Held | None = None,
    burst: Annotated[int, between(0)] | None = None,
    seed: Seed = 1,
    options: Options = DEFAULT,
) -> None:
    """Placed -> decision readable with one worker: p50, p99 and CPU at steady rates, and a burst in one second.

    With --quick each rate for 8 s instead of 60, half the burst.

    Parameters
    ----------
    rates
        Orders a second, separated by commas.
    broker
        Default: both, Apache Kafka where it can be started; with --quick the embedded one.
    seconds
        For which each rate is held.
    burst
        Orders placed in one second (default: 20,000); 0: no burst.
    seed
        Of the orders.
    """
    talk = Console(stderr=True, highlight=False)
    held = seconds or (QUICK_SECONDS if options.quick else SECONDS)
    try:
        wanted = [float(rate) for rate in rates.split(",")]
    except ValueError:
        wanted = [0.0]
    if not all(RATE_MIN <= rate <= RATE_MAX for rate in wanted):
        print(f"--rates {rates!r}: give orders a second, for example 500,2000", file=sys.stderr)
        sys.exit(2)
    loads = [(f"{rate:,.0f}/s", rate, max(1, int(rate * held))) for rate in wanted]
    if burst is None:
        burst = QUICK_BURST if options.quick else BURST
    if burst:
        loads.append((f"{burst:,} in 1 s", float(burst), burst))
    warm_up = QUICK_WARM_UP if options.quick else WARM_UP
    brokers, skipped = choose(broker or ("embedded" if options.quick else "both"))
    meanwhile = Meanwhile()
    rows: list[Row] = []
    for kind in brokers:
        with started(kind) as running:
            if kind == "kafka":
                talk.print("kafka: warming up")
                _measure(kind, running, "", WARM_UP_RATE, 1_000, WARM_UP, seed)
            for load, rate, count in loads:
                talk.print(f"{kind}: {load}, {count:,} orders")
                rows.append(_measure(kind, running, load, rate, count, warm_up, seed))
    title = "Placed to decided with one worker, spread"
    told = Told("latency", title, HEADINGS, 2, rows, _cells, [f"Skipped: {x}" for x in skipped])
    sys.exit(0 if tell(told, meanwhile, options) else 1)


def _measure(
    kind: BrokerName, running: RunningBroker, load: str, rate: float, count: int, warm_up: int, seed: int
) -> Row:
    try:
        with opened(SmokehousePeer(), "spread", running, warm_up + count, seed) as run:
            run.receive()
            run.place(0, warm_up, WARM_UP_RATE)
            run.settle()
            before = run.cpu()[0]
            times = run.place(warm_up, count, rate)
            spent = run.cpu()[0] - before
            late = run.late_ms(warm_up, times)
            run.settle()
            check = run.check()
            if check == "ok" and run.decisions.repeated:
                check = f"{run.decisions.repeated} decisions were said more than once"
    except (BenchError, BrokerError, ReadError, KafkaException) as error:
        return Row(broker=kind, load=load, rate=rate, orders=count, check=str(error))
    p50_ms, p99_ms = p50_and_p99(late)
    seen = [t + x * 1e6 for t, x in zip(times, late, strict=True)]
    return Row(
        broker=kind, load=load, rate=rate, orders=count, placed_s=(times[-1] - times[0]) / 1e9, p50_ms=p50_ms,
        p99_ms=p99_ms, cpu_s_per_1000=spent * 1000 / count, drained_s=(max(seen) - times[-1]) / 1e9, check=check,
    )  # fmt: skip


def _cells(x: Row) -> list[str]:
    return [
        x.broker, x.load, f"{x.orders:,}", figure(x.placed_s, 1), figure(x.p50_ms, 1), figure(x.p99_ms, 1),
        figure(x.cpu_s_per_1000, 3), figure(x.drained_s, 2), check_cell(x.check),
    ]  # fmt: skip
