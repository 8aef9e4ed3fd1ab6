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
    "cpu_s_per_1000", "broker_cpu_s_per_1000", "clients_cpu_s_per_1000", "all_cpu_s_per_1000", "orders_s", "p50_ms", "p99_ms", "steady_cpu_s_per_1000", "settled_s",
    "confirmed", "confirmed_one_at_a_time", "load_1m", "busy_cores", "steal_cores", "others_cores",
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


def show(rows: Sequence[Row], console: Console) -> None:
    """The table, and under it the others as multiples of Smokehouse."""
    rate = f"at {rows[0].steady_rate:.0f}/s" if rows else ""
    table = Table(title="placed -> decided, medians of the rounds")
    table.add_column("workload")
    table.add_column("broker")
    table.add_column("peer")
    for name in ("orders/s", "CPU-s per 1,000", "broker", "clients", "all", f"p50 ms {rate}", f"p99 ms {rate}", "confirmed",
                 "one at a time", "load", "others' cores", "steal"):  # fmt: skip
        table.add_column(name, justify="right")
    table.add_column("check")
    for x in rows:
        table.add_row(
            x.workload, x.broker, x.peer, _figure(x.orders_s, 0), _figure(x.cpu_s_per_1000, 3),
            _figure(x.broker_cpu_s_per_1000, 3), _figure(x.clients_cpu_s_per_1000, 3), _figure(x.all_cpu_s_per_1000, 3),
            _figure(x.p50_ms, 1), _figure(x.p99_ms, 1), _figure(x.confirmed, 0),
            _figure(x.confirmed_one_at_a_time, 0), _figure(x.load_1m, 1), _figure(x.others_cores, 2),
            _figure(x.steal_cores, 2), x.check,
        )  # fmt: skip
    console.print(table)
    for line in ratios(rows):
        console.print(line)


def ratios(rows: Sequence[Row]) -> list[str]:
    """Each other peer beside Smokehouse on the same workload and broker."""
    ours = {(x.workload, x.broker): x for x in rows if x.peer == "smokehouse"}
    lines = []
    for x in rows:
        base = ours.get((x.workload, x.broker))
        if base is None or x is base or not (x.cpu_s_per_1000 and base.cpu_s_per_1000 and x.orders_s and base.orders_s):
            continue
        lines.append(
            f"{x.workload} on {x.broker}: {x.peer} takes {x.cpu_s_per_1000 / base.cpu_s_per_1000:.1f} x the CPU of "
            f"smokehouse per order; smokehouse decides {base.orders_s / x.orders_s:.1f} x as many orders a second"
        )
    return lines


def _median(values: list[float | None]) -> float | None:
    there = [x for x in values if x is not None]
    return round(median(there), 4) if there else None


def _figure(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"
