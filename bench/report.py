"""Rows of the bench: medians over rounds, as a table and as JSON.

Does not belong here: measuring.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from msgspec import Struct
from rich.console import Console
from rich.table import Table

from bench.measured import Measured


class Row(Struct, frozen=True, kw_only=True):
    """One peer, workload and broker: medians of its rounds. `cpu_s_per_1000` is without the broker."""

    peer: str
    workload: str
    broker: str
    orders: int
    cpu_s_per_1000: float | None
    broker_cpu_s_per_1000: float | None
    clients_cpu_s_per_1000: float | None  # placing the orders and reading the decisions
    all_cpu_s_per_1000: float | None  # the sum: client and server, whatever they are
    orders_s: float | None
    p50_ms: float | None
    p99_ms: float | None
    steady_rate: float
    steady_cpu_s_per_1000: float | None
    settled_s: float | None
    confirmed: float | None
    confirmed_one_at_a_time: float | None
    load_1m: float | None
    busy_cores: float | None
    steal_cores: float | None
    others_cores: float | None
    check: str  # "ok", or the first thing that was wrong in any round
    rounds: list[Measured]


_MEDIANS = (
    "cpu_s_per_1000", "broker_cpu_s_per_1000", "clients_cpu_s_per_1000", "all_cpu_s_per_1000", "orders_s", "p50_ms",
    "p99_ms", "steady_cpu_s_per_1000", "settled_s", "confirmed", "confirmed_one_at_a_time", "load_1m", "busy_cores",
    "steal_cores", "others_cores",
)  # fmt: skip


def row(
    peer: str, workload: str, broker: str, orders: int, rate: float, rounds: list[Measured], failures: list[str]
) -> Row:
    medians = {name: _median([getattr(x, name) for x in rounds]) for name in _MEDIANS}
    wrong = [*failures, *(x.check for x in rounds if x.check != "ok")]
    return Row(
        peer=peer, workload=workload, broker=broker, orders=orders, steady_rate=rate, rounds=rounds,
        check=wrong[0] if wrong else "ok", **medians,
    )  # fmt: skip


HEADINGS = (
    "workload", "broker", "peer", "orders/s", "CPU-s per 1,000", "broker", "clients", "all", "p50 ms", "p99 ms",
    "confirmed", "others' cores", "check",
)  # fmt: skip
FIGURES = range(3, len(HEADINGS) - 1)  # columns; the others are words
CHECK_CHARACTERS = 60


def cells(x: Row) -> list[str]:
    """A row of the table, as `HEADINGS` name it. `confirmed` is beside the orders of a one-at-a-time replay."""
    share = x.confirmed / x.confirmed_one_at_a_time if x.confirmed and x.confirmed_one_at_a_time else None
    return [
        x.workload, x.broker, x.peer, figure(x.orders_s, 0), figure(x.cpu_s_per_1000, 3),
        figure(x.broker_cpu_s_per_1000, 3), figure(x.clients_cpu_s_per_1000, 3), figure(x.all_cpu_s_per_1000, 3),
        figure(x.p50_ms, 1), figure(x.p99_ms, 1), "-" if share is None else f"{share:.1%}", figure(x.others_cores, 1),
        x.check.strip().splitlines()[-1][:CHECK_CHARACTERS],
    ]  # fmt: skip


def show(rows: Sequence[Row], console: Console) -> None:
    """The table, and under it the others as multiples of Smokehouse."""
    rate = f"; p50 and p99 at {rows[0].steady_rate:.0f} orders/s" if rows else ""
    table = Table(title=f"placed -> decided, medians of the rounds{rate}")
    for number, name in enumerate(HEADINGS):
        table.add_column(name, justify="right" if number in FIGURES else "left", no_wrap=number < FIGURES.start)
    for x in rows:
        table.add_row(*cells(x))
    console.print(table)
    for line in ratios(rows):
        console.print(line)


def ratios(rows: Sequence[Row]) -> list[str]:
    """Each other peer beside Smokehouse on the same workload: on a log without broker and clients, else with both."""
    lines = []
    for base in rows:
        if base.peer != "smokehouse" or not (base.cpu_s_per_1000 and base.all_cpu_s_per_1000 and base.orders_s):
            continue
        for x in rows:
            if x is base or x.workload != base.workload or x.broker not in (base.broker, "none"):
                continue
            if not (x.cpu_s_per_1000 and x.all_cpu_s_per_1000 and x.orders_s):
                continue
            alone = x.broker == "none"
            times = x.all_cpu_s_per_1000 / base.all_cpu_s_per_1000 if alone else x.cpu_s_per_1000 / base.cpu_s_per_1000
            lines.append(
                f"{x.workload} on {base.broker}: {x.peer} takes {times:.2f} x the CPU of smokehouse per order "
                f"({'client and server of both' if alone else 'without broker and clients'}); smokehouse decides "
                f"{base.orders_s / x.orders_s:.2f} x as many orders a second"
            )
    return lines


def _median(values: list[float | None]) -> float | None:
    there = [x for x in values if x is not None]
    return round(median(there), 4) if there else None


def figure(value: float | None, digits: int) -> str:
    """A number for people; "-" if there is none."""
    return "-" if value is None else f"{value:,.{digits}f}"
