"""The learnt model in service: what it says of a batch of series, in the form that purchase advice is computed from.

Reads closed days and promotions handed to it; writes nothing; no clock. A series is known to the champion when it had
begun by the last day of the training; of others it says nothing, nor of one without a known day, nor of the segments
that it has lost (`left`). Days and their quantiles are the boosted model's; the sum over any number of days is a
negative binomial whose spread was learnt for sums (totals.py). Guarantees: quantiles never cross; the quantile of more
days is never below that of fewer.
Does not belong here: training, files, which model is champion.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from forecasting.boosted import Trained, unsteady_now
from forecasting.live_panel import panel_of
from forecasting.model import ENOUGH_DAYS, ENOUGH_UNITS, HORIZON_DAYS, WEEK_DAYS, SeriesForecast
from forecasting.promotions import COLUMN, Promotions
from forecasting.segments import SEGMENTS, segments_of
from forecasting.series import HISTORY_DAYS_MAX, ClosedDays, SeriesKey
from forecasting.simple import recent_mean
from forecasting.spread import quantiles
from forecasting.totals import Totals


@dataclass(frozen=True, slots=True, kw_only=True)
class LearntForecast(SeriesForecast):
    """As the simple method's, with a mean and quantiles of each day of their own. Beyond them the last week repeats."""

    means: tuple[float, ...]
    bounds: tuple[tuple[int, ...], ...]  # per probability, per day

    def mean(self, days: int) -> list[float]:
        return [self.means[_place(ahead)] for ahead in range(days)]

    def total_mean(self, days: int) -> float:
        return sum(self.mean(days))

    def daily_quantiles(self, days: int) -> list[list[int]]:
        return [[row[_place(ahead)] for ahead in range(days)] for row in self.bounds]

    def _quantiles(self, mean: float, probabilities: Sequence[float]) -> list[int]:
        expected = sum(self.means) / len(self.means)  # of these days, where `level` is of the last ones
        return quantiles(mean, self.slow * mean + self.fast * expected, probabilities)


@dataclass(frozen=True, slots=True)
class Champion:
    """`twins` were trained as `trained` was, but on fewer days: what they say of the days after is honest."""

    name: str
    last_day: int  # the last day that the training saw
    trained: Trained
    totals: Totals
    twins: Mapping[int, Trained]  # by the last day they saw
    left: frozenset[str] = frozenset()  # segments that it leaves to the simple method

    @property
    def uses_promotions(self) -> bool:
        return COLUMN in self.trained.plan_bounds

    def honest_on(self, last_day: int) -> Trained | None:
        """The newest of its models that has seen no day after `last_day`."""
        seen = {**self.twins, self.last_day: self.trained}
        newest = max((day for day in seen if day <= last_day), default=None)
        return None if newest is None else seen[newest]

    def forecasts(
        self, rows: Sequence[ClosedDays], promotions: Promotions, first_day: int
    ) -> dict[SeriesKey, SeriesForecast]:
        """What it says of the series it knows. `first_day` is the first of all series, not of these alone."""
        rows = [row for row in rows if row.first_day <= self.last_day]
        if not rows:
            return {}
        panel = panel_of(rows, promotions, first_day=first_day, with_promotions=self.uses_promotions)
        past, kind = self.trained.past(panel), segments_of(panel)
        mean, bounds = self.trained.daily(panel, past, kind, HORIZON_DAYS)
        slow, fast = self.totals.at(mean.mean(axis=1), unsteady_now(past))
        level = recent_mean(panel.units)
        units = np.nansum(panel.units[:, -HISTORY_DAYS_MAX:], axis=1)
        usable = np.isfinite(mean).all(axis=1) & (panel.starts < panel.days)
        usable &= ~np.isin(kind, [SEGMENTS.index(name) for name in self.left])
        open_day = rows[0].last_day + 1
        found: dict[SeriesKey, SeriesForecast] = {}
        for n in np.flatnonzero(usable).tolist():
            row = rows[n]
            enough = row.last_day - row.first_day + 1 >= ENOUGH_DAYS and units[n] >= ENOUGH_UNITS
            found[row.sku, row.location] = LearntForecast(
                status="ok" if enough else "insufficient_data", first_day=open_day, level=float(level[n]),
                weekday_means=_by_weekday(mean[n], open_day), slow=float(slow[n]), fast=float(fast[n]),
                model=self.trained.model, means=tuple(mean[n].tolist()),
                bounds=tuple(map(tuple, bounds[n].T.astype(int).tolist())),
            )  # fmt: skip
        return found


def _place(ahead: int) -> int:
    return ahead if ahead < HORIZON_DAYS else HORIZON_DAYS - WEEK_DAYS + (ahead - HORIZON_DAYS) % WEEK_DAYS


def _by_weekday(mean: np.ndarray, first_day: int) -> tuple[float, ...]:
    """Means of Mondays to Sundays; the horizon is whole weeks."""
    of_week = mean.reshape(-1, WEEK_DAYS).mean(axis=0)
    return tuple(np.roll(of_week, (first_day - 1) % WEEK_DAYS).tolist())
