"""The rows of each export: which topic they come from, their columns in order, and what each row says.

Reads one partition of a published topic at a time. Guarantees: the same topics give the same rows in the same order,
partition by partition; a decision delivered again counts once; per SKU the newest levels. Memory: of one partition, the
ids of its decisions, or its newest records as published. Does not belong here: files and formats.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from streams.commands.published import Published, version_text
from streams.topics import FORECASTS, RESERVATIONS, STOCK_LEVELS, Topic
from tables.records import Forecast, OrderDecided, Record, StockLevels

Column = Literal["text", "whole", "real", "lines"]  # lines: a list of {sku, quantity}
Row = dict[str, Any]
QUANTITIES = ("on_hand", "available", "reserved", "allocated", "safety_stock", "unavailable")
FIGURES = ("mean", "q50", "q90", "q95", "q99")


@dataclass(frozen=True, slots=True)
class Export:
    """`rows` turns the records of one partition, in log order, into rows with exactly `columns`."""

    topic: Topic
    kind: type[Record]
    columns: dict[str, Column]
    rows: Callable[[Iterable[Published]], Iterator[Row]]


def decision_rows(found: Iterable[Published]) -> Iterator[Row]:
    """One row per decision (confirmed, rejected, expired) and per cancellation (with the units given back).

    `topic`, `partition`, `offset`: where the decision itself stands. `time`: when their order happened, by their clock
    and with their offset from UTC; `decided_at`, ours, where they gave none. `quantity`: whole units.
    """
    seen: set[str] = set()
    for partition, offset, _, decided in found:
        if decided is None or decided.id in seen:
            continue
        seen.add(decided.id)
        units: dict[str, int] = {}
        for line in decided.lines:
            units[line.sku] = units.get(line.sku, 0) + line.quantity
        yield {
            "order_id": decided.order_id, "channel": decided.channel, "status": decided.status,
            "reason": decided.reason, "lines": [{"sku": sku, "quantity": n} for sku, n in units.items()],
            "time": decided.occurred_at or decided.decided_at, "decided_at": decided.decided_at,
            "topic": RESERVATIONS.name, "partition": partition, "offset": offset,
        }  # fmt: skip


def level_rows(found: Iterable[Published]) -> Iterator[Row]:
    """One row per SKU and location, by SKU; a SKU that never had stock has one with an empty location and zeros."""
    newest: dict[bytes, StockLevels] = {}
    for _, _, key, levels in found:
        if levels is None:
            newest.pop(key, None)
        elif key not in newest or levels.version >= newest[key].version:
            newest[key] = levels
    for levels in sorted(newest.values(), key=lambda x: x.sku):
        for at in levels.locations:
            quantities = {name: getattr(at, name) for name in QUANTITIES}
            yield {"sku": levels.sku, "location": at.location, **quantities, "version": version_text(at.version)}
        if not levels.locations:
            yield {
                "sku": levels.sku, "location": "", **dict.fromkeys(QUANTITIES, 0),
                "version": version_text(levels.version),
            }  # fmt: skip


def forecast_rows(found: Iterable[Published], *, all_runs: bool) -> Iterator[Row]:
    """One row per day of the newest run (or of every run) of a SKU and location; quantiles and mean in units.

    `unique_id` (SKU|LOCATION) and `ds` (the day) are the names that forecasting libraries expect.
    """
    kept: dict[tuple[str, ...], Forecast] = {}
    for *_, forecast in found:
        if forecast is None:
            continue
        series = (forecast.sku, forecast.location, *((forecast.run,) if all_runs else ()))
        if series not in kept or _age(forecast.run) >= _age(kept[series].run):
            kept[series] = forecast
    for forecast in sorted(kept.values(), key=lambda x: (x.sku, x.location, _age(x.run))):
        series = f"{forecast.sku}|{forecast.location}"
        tail = {
            "model": forecast.model, "run": forecast.run, "sku": forecast.sku, "location": forecast.location,
            "status": forecast.status,
        }  # fmt: skip
        figures = (getattr(forecast, name) for name in FIGURES)
        for day, *values in zip(forecast.days, *figures, strict=False):
            yield {"unique_id": series, "ds": day, **dict(zip(FIGURES, values, strict=True)), **tail}


def _age(run: str) -> tuple[str, int, str]:
    """Run names sort by day, then by number: the thousandth of a day is one digit longer."""
    day, _, number = run.partition(".")
    return day, len(number), number


def _columns(text: str, **others: Column) -> dict[str, Column]:
    return {name: others.get(name, "text") for name in text.split()}


def export_named(name: str, *, all_runs: bool = False) -> Export:
    """decisions, levels or forecasts."""
    if name == "decisions":
        columns = _columns(
            "order_id channel status reason lines time decided_at topic partition offset",
            lines="lines", partition="whole", offset="whole",
        )  # fmt: skip
        return Export(RESERVATIONS, OrderDecided, columns, decision_rows)
    if name == "levels":
        columns = {"sku": "text", "location": "text", **dict.fromkeys(QUANTITIES, "whole"), "version": "text"}
        return Export(STOCK_LEVELS, StockLevels, columns, level_rows)
    columns = {
        **_columns("unique_id ds"), **dict.fromkeys(FIGURES, "real"), **_columns("model run sku location status")
    }  # fmt: skip
    return Export(FORECASTS, Forecast, columns, lambda found: forecast_rows(found, all_runs=all_runs))
