"""How far the sum over any number of days may lie from its mean: dispersions learnt for days and for fortnights.

Reads a panel and what was trained on it; writes nothing. Variance of a sum with mean M = M (1 + slow M + fast level),
as in the simple method (model.py): `slow` does not average out over days, `fast` does. One formula serves every number
of days, so a longer lead never has a lower quantile. The evidence is honest: each half of the series is judged by the
model that was fitted to the other half. Does not belong here: means, quantiles.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from forecasting.boosted import Trained, honest_means, unsteady_at
from forecasting.features import scale_at
from forecasting.intervals import MEAN_CENTRES, pooled_dispersions
from forecasting.leadtime import PROBABILITIES, rows_with_sums
from forecasting.panel import Floats, Ints, Panel

LONG_DAYS = 14
ROWS_MAX = 12_000
ROWS_PER_SERIES = 24
LEVEL_MIN = 1e-4


@dataclass(frozen=True, slots=True)
class Totals:
    """(unsteadiness, volume class of a day) each."""

    slow: Floats
    fast: Floats

    def at(self, level: Floats, unsteady: Ints) -> tuple[Floats, Floats]:
        """(slow, fast) per series, by its mean units a day; between the classes' centres interpolated."""
        logs = np.log(np.maximum(level, LEVEL_MIN))
        found = [np.empty(len(logs)), np.empty(len(logs))]
        for row in range(len(self.slow)):
            mine = unsteady == row
            for values, table in zip(found, (self.slow, self.fast), strict=True):
                values[mine] = np.interp(logs[mine], MEAN_CENTRES, table[row])
        return found[0], found[1]


def learn_totals(panel: Panel, trained: Trained, *, seed: int = 0) -> Totals:
    """A few seconds of CPU for `ROWS_MAX` rows."""
    past = trained.past(panel)
    count = min(ROWS_MAX, ROWS_PER_SERIES * len(panel.ids))
    by_days: dict[int, Floats] = {}
    for days in (1, LONG_DAYS):
        series, origin = rows_with_sums(past, np.random.default_rng(seed), days, count)
        came = past.sums[series, origin + 1 + days] - past.sums[series, origin + 1]
        mean = honest_means(trained, panel, past, series, origin, days)
        by_days[days] = pooled_dispersions(
            mean, came, unsteady_at(past, series, origin), 1 / scale_at(past, series, origin), PROBABILITIES,
            classes_by=mean / days,  # a class of slow series is the same one for a day and for a fortnight
        )  # fmt: skip
    day, long = by_days[1], by_days[LONG_DAYS]
    slow = np.clip((LONG_DAYS * long - day) / (LONG_DAYS - 1), 0.0, long)
    return Totals(slow, np.maximum(day - slow, 0.0))
