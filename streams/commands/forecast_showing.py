"""`smokehouse forecast show`: the newest forecast of a SKU with its past, drawn in the terminal or as PNG.

Reads `demand` and `forecasts`: of each, the one partition that holds the SKU. Writes the file asked for. Exit codes: 1
there is no forecast, 2 the file cannot be written, 3 a topic cannot be read. Does not belong here: drawing.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter

from forecasting.series import BadDemand, DemandHistory
from forecasting.terminal_plot import drawn
from streams.commands.output import fail, put_json, put_line, say
from streams.commands.published import read_partition
from streams.commands.session import EXIT_ARGUMENTS, connected, reading
from streams.reader import partitions_of
from streams.settings import Settings
from streams.topics import DEMAND, FORECASTS, Topic
from tables.murmur2 import partition_of_sku
from tables.records import Demand, Forecast

PAST_DAYS = 56


def show(
    sku: str,
    /,
    *,
    location: str = "",
    png: Path | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Show the newest forecast of a SKU: 56 days of demand, then 28 days expected, and their 95 % bounds.

    Parameters
    ----------
    sku
        What to look up.
    location
        Only this location. Default: every one that has a forecast.
    png
        Also draw it into this file, with bands up to the 90 % and 99 % quantiles; --location chooses which.
    json
        The records as JSON on stdout, with the past.
    """
    settings = connected()
    with reading():
        forecasts = _newest(settings, sku, location)
        history = _history(settings, sku)
    if not forecasts:
        where = f" at {location}" if location else ""
        fail(f"there is no forecast of {sku}{where}: `smokehouse forecast` makes forecasts, `up` runs one")
    if png is not None and len(forecasts) > 1:
        fail(f"--png draws one location: give --location, one of {', '.join(sorted(forecasts))}", EXIT_ARGUMENTS)
    pasts = {at: _past(history, forecast) for at, forecast in forecasts.items()}
    if json:
        put_json([msgspec.to_builtins(forecasts[at]) | {"past": pasts[at]} for at in sorted(forecasts)])
    else:
        for at in sorted(forecasts):
            _draw(forecasts[at], pasts[at])
    if png is not None:
        [(at, forecast)] = forecasts.items()
        _plot(forecast, pasts[at], png)


def _newest(settings: Settings, sku: str, location: str) -> dict[str, Forecast]:
    """Per location the forecast of the greatest run."""
    found: dict[str, Forecast] = {}
    for *_, record in read_partition(settings, FORECASTS, Forecast, _partition(settings, FORECASTS, sku)):
        if record is None or record.sku != sku or location not in ("", record.location):
            continue
        if record.location not in found or _age(record.run) >= _age(found[record.location].run):
            found[record.location] = record
    return found


def _age(run: str) -> tuple[str, int, str]:
    """By day, then by number: the thousandth run of a day is one digit longer."""
    day, _, number = run.partition(".")
    return day, len(number), number


def _history(settings: Settings, sku: str) -> DemandHistory:
    history = DemandHistory()
    for *_, record in read_partition(settings, DEMAND, Demand, _partition(settings, DEMAND, sku)):
        if record is not None and record.sku == sku:
            try:
                history.add(record)
            except BadDemand as error:
                say(f"left out: {error}")
    return history


def _partition(settings: Settings, topic: Topic, sku: str) -> int:
    return partition_of_sku(sku, len(partitions_of(settings, topic.name)))


def _past(history: DemandHistory, forecast: Forecast) -> list[int | None]:
    """The closed days before the first one that is forecast; `None` where nothing is known."""
    open_day = date.fromisoformat(forecast.days[0]).toordinal()
    series = history.series((forecast.sku, forecast.location), open_day)
    return [] if series is None or series.open_only else series.units[-PAST_DAYS:]


def _draw(forecast: Forecast, past: list[int | None]) -> None:
    total, days = sum(forecast.mean), len(forecast.mean)
    weeks = ", ".join(f"{sum(forecast.mean[start : start + 7]):.1f}" for start in range(0, days, 7))
    put_line(f"{forecast.sku} at {forecast.location}: run {forecast.run}, {forecast.model}, {forecast.status}")
    for line in drawn(past, forecast.mean, forecast.q95, first=_first_day(forecast, past), last=forecast.days[-1]):
        put_line(line)
    put_line("█ asked for   ● expected   ░ up to the 95 % bound of each day   ? unknown (out of stock)")
    put_line(f"expected: {total:.1f} in {days} days; by week {weeks}")


def _plot(forecast: Forecast, past: list[int | None], file: Path) -> None:
    try:
        from forecasting.plot import Curves, plot  # of the extra `forecast`
    except ImportError as error:
        fail(f'{error}. Install the extra: .venv/bin/pip install -e ".[forecast]"', EXIT_ARGUMENTS)
    turn = date.fromisoformat(forecast.days[0])
    curves = Curves(turn=turn, past=past, mean=forecast.mean, narrow=forecast.q90, wide=forecast.q99)
    try:
        plot(f"{forecast.sku} at {forecast.location}, run {forecast.run} ({forecast.model})", curves, file)
    except (OSError, ValueError) as error:
        fail(f"{file}: {error}", EXIT_ARGUMENTS)
    say(f"drawn into {file}")


def _first_day(forecast: Forecast, past: list[int | None]) -> str:
    return date.fromordinal(date.fromisoformat(forecast.days[0]).toordinal() - len(past)).isoformat()
