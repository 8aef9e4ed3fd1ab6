"""What the method would have said: rolling origins over a file of daily units, against what came true.

Reads parquet or CSV with columns `unique_id, ds, y` (absent days after a series' first are zero); writes nothing but
what its caller prints. Guarantees: a forecast sees only days before its origin.
Metrics, means over the origins: RMSSE (scaled by the one-step naive error of the training part), WAPE of days and of
28-day totals, SPL (pinball of .5 .9 .95 .99, scaled by the training part's absolute naive error), c95 and c99 (share
of days at or under the bound), c95_8_days (the same for totals of the first 8 days); beside them the plain 28-day
mean's WAPE. Does not belong here: choosing a model.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise
from pathlib import Path

from forecasting.model import LEVEL_DAYS, PROBABILITIES, SeriesForecast, fit
from forecasting.series import HISTORY_DAYS_MAX, Series

ORIGINS = 3
HORIZON_DAYS = 28
TOTAL_DAYS = 8  # lead time 7 + review 1: what a purchase must last


@dataclass(frozen=True, slots=True)
class Daily:
    """Daily units per series, each from its own first day to the file's last."""

    last_day: int
    units: Mapping[str, list[int]]


def read_daily(path: Path, *, id_column: str = "unique_id", series_max: int | None = None) -> Daily:
    """Read a file; with `series_max`, every n-th series in order of its id, so that a sample is the same each time."""
    import pyarrow.csv
    import pyarrow.parquet

    read = pyarrow.csv.read_csv if path.suffix == ".csv" else pyarrow.parquet.read_table
    table = read(path).select([id_column, "ds", "y"]).to_pydict()
    by_series: dict[str, dict[int, int]] = {}
    for unique_id, when, units in zip(table[id_column], table["ds"], table["y"], strict=True):
        days = by_series.setdefault(str(unique_id), {})
        day = _ordinal(when)
        days[day] = days.get(day, 0) + int(units)
    last_day = max(max(days) for days in by_series.values())
    names = sorted(by_series)
    if series_max is not None and len(names) > series_max:
        names = names[:: len(names) // series_max][:series_max]
    units_of = {
        name: [max(0, by_series[name].get(day, 0)) for day in range(min(by_series[name]), last_day + 1)]
        for name in names
    }
    return Daily(last_day, units_of)


def backtest(daily: Daily, *, origins: int = ORIGINS, horizon_days: int = HORIZON_DAYS) -> dict[str, float]:
    """Score the method at `origins` cuts, the last one `horizon_days` before the end of the data."""
    results = [_at(daily, horizon_days * (origins - origin), horizon_days) for origin in range(origins)]
    mean = {name: sum(result[name] for result in results) / origins for name in results[0]}
    return {name: round(value, 4) for name, value in mean.items()}


def forecasts_at(daily: Daily, held_back_days: int) -> dict[str, SeriesForecast]:
    """What the method says with the last `held_back_days` unseen; series that begin in them are left out."""
    cut_day = daily.last_day - held_back_days
    series = {
        name: Series(name, "", cut_day, list(units[:-held_back_days][-HISTORY_DAYS_MAX:]))
        for name, units in daily.units.items()
        if len(units) > held_back_days
    }
    fitted = fit(series.values())
    return {name: fitted.forecast(one) for name, one in series.items()}


def _at(daily: Daily, held_back_days: int, horizon_days: int) -> dict[str, float]:
    started = time.process_time()
    forecasts = forecasts_at(daily, held_back_days)
    bounds = {name: forecast.daily_quantiles(horizon_days) for name, forecast in forecasts.items()}
    cpu_seconds = time.process_time() - started
    sums = _Sums()
    for name, forecast in forecasts.items():
        units, cut = daily.units[name], len(daily.units[name]) - held_back_days
        sums.add(units[:cut], units[cut : cut + horizon_days], forecast, bounds[name])
    return sums.metrics() | {"series": len(forecasts), "cpu_s_per_1000": 1000 * cpu_seconds / max(1, len(forecasts))}


class _Sums:
    def __init__(self) -> None:
        self.error = self.total_error = self.plain_error = self.units = 0.0
        self.days = self.under_95 = self.under_99 = self.totals = self.totals_under_95 = 0
        self.rmsse: list[float] = []
        self.spl: list[float] = []

    def add(self, train: list[int], came: list[int], forecast: SeriesForecast, bounds: list[list[int]]) -> None:
        said = forecast.mean(len(came))
        recent = train[-LEVEL_DAYS:]
        plain = sum(recent) / len(recent)
        self.error += sum(abs(a - b) for a, b in zip(came, said, strict=True))
        self.plain_error += sum(abs(a - plain) for a in came)
        self.total_error += abs(sum(came) - sum(said))
        self.units += sum(came)
        self.days += len(came)
        self.under_95 += sum(a <= b for a, b in zip(came, bounds[2], strict=True))
        self.under_99 += sum(a <= b for a, b in zip(came, bounds[3], strict=True))
        self.totals += 1
        self.totals_under_95 += sum(came[:TOTAL_DAYS]) <= forecast.total_quantile(TOTAL_DAYS, 0.95)
        steps = [b - a for a, b in pairwise(train)]
        if not any(steps):
            return  # without a change in training there is no scale to measure by
        squared_scale = sum(step * step for step in steps) / len(steps)
        absolute_scale = sum(abs(step) for step in steps) / len(steps)
        squared = sum((a - b) ** 2 for a, b in zip(came, said, strict=True)) / len(came)
        self.rmsse.append((squared / squared_scale) ** 0.5)
        losses = [
            max(p * (a - b), (p - 1) * (a - b))
            for p, row in zip(PROBABILITIES, bounds, strict=True)
            for a, b in zip(came, row, strict=True)
        ]
        self.spl.append(sum(losses) / len(losses) / absolute_scale)

    def metrics(self) -> dict[str, float]:
        units = self.units or 1.0
        return {
            "rmsse": sum(self.rmsse) / max(1, len(self.rmsse)),
            "wape": self.error / units,
            "wape_28_day_mean": self.plain_error / units,
            "wape_totals": self.total_error / units,
            "spl": sum(self.spl) / max(1, len(self.spl)),
            "c95": self.under_95 / max(1, self.days),
            "c95_8_days": self.totals_under_95 / max(1, self.totals),
            "c99": self.under_99 / max(1, self.days),
        }


def _ordinal(when: object) -> int:
    if isinstance(when, datetime | date):
        return when.toordinal()
    return date.fromisoformat(str(when)[:10]).toordinal()


def main() -> None:
    parser = argparse.ArgumentParser(description="Score the simple method on a file of daily units; JSON on stdout.")
    parser.add_argument("file", type=Path)
    parser.add_argument("--id-column", default="unique_id")
    parser.add_argument("--series-max", type=int, default=None)
    arguments = parser.parse_args()
    daily = read_daily(arguments.file, id_column=arguments.id_column, series_max=arguments.series_max)
    print(json.dumps(backtest(daily), indent=2))


if __name__ == "__main__":
    main()
