"""What the live method would have said: rolling origins over a file of daily units, against what came true.

Reads the file named; prints one JSON object. Guarantees: a forecast sees only days before its origin.
Beside the metrics of scores.py: c95_8_days (share of totals of the first 8 days at or under their bound) and the plain
28-day mean's WAPE. Needs numpy (extra `forecast`). Does not belong here: choosing a model, the boosted model.
"""

from __future__ import annotations

import argparse
import json
import time
from math import isnan
from pathlib import Path

import numpy as np

from forecasting.model import HORIZON_DAYS, SeriesForecast, fit
from forecasting.panel import Panel, read_panel
from forecasting.scores import averaged, scores, wape
from forecasting.series import HISTORY_DAYS_MAX, Series
from forecasting.simple import recent_mean

ORIGINS = 3
TOTAL_DAYS = 8  # lead time 7 + review 1: what a purchase must last


def backtest(panel: Panel, *, origins: int = ORIGINS, horizon_days: int = HORIZON_DAYS) -> dict[str, float | None]:
    """Score the method at `origins` cuts, the last one `horizon_days` before the end of the data."""
    return averaged([_at(panel, panel.days - horizon_days * (origins - n), horizon_days) for n in range(origins)])


def forecasts_of(past: Panel) -> list[SeriesForecast]:
    """What the method says at the end of this panel, in order of its series."""
    last_day = (past.first_day + past.days - 1).item().toordinal()
    series = [
        Series(name, "", last_day, [None if isnan(value) else int(value) for value in units[start:].tolist()])
        for name, units, start in zip(
            past.ids, past.units, np.maximum(past.starts, past.days - HISTORY_DAYS_MAX), strict=True
        )
    ]
    fitted = fit(series)
    return [fitted.forecast(one) for one in series]


def _at(panel: Panel, cut: int, horizon_days: int) -> dict[str, float]:
    past, came = panel.until(cut), panel.units[panel.begun(cut), cut : cut + horizon_days]
    started = time.process_time()
    forecasts = forecasts_of(past)
    bounds = np.array([forecast.daily_quantiles(horizon_days) for forecast in forecasts])
    cpu_seconds = time.process_time() - started
    mean = np.array([forecast.mean(horizon_days) for forecast in forecasts])
    total_bounds = np.array([forecast.total_quantile(TOTAL_DAYS, 0.95) for forecast in forecasts])
    return scores(past.units, came, mean, bounds.transpose(0, 2, 1)) | {
        "wape_28_day_mean": wape(came, recent_mean(past.units)[:, None]),
        "c95_8_days": float((np.nansum(came[:, :TOTAL_DAYS], axis=1) <= total_bounds).mean()),
        "series": len(forecasts),
        "cpu_s_per_1000": 1000 * cpu_seconds / max(1, len(forecasts)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Score the simple method on a file of daily units; JSON on stdout.")
    parser.add_argument("file", type=Path)
    parser.add_argument("--id-column", default="unique_id")
    parser.add_argument("--sample", type=int, help="score this many series, evenly spread over the ids")
    arguments = parser.parse_args()
    panel = read_panel(arguments.file, id_column=arguments.id_column).sampled(arguments.sample)
    print(json.dumps(backtest(panel), indent=2))


if __name__ == "__main__":
    main()
