"""Which rows the trees are fitted on: (series, origin, days ahead) drawn from a panel's past.

Reads what `features.summed` made of a panel; writes nothing. Guarantees: the day asked about is known and lies inside
the panel; the same generator draws the same rows. Does not belong here: features of a row, fitting.
"""

from __future__ import annotations

import numpy as np

from forecasting.features import Past
from forecasting.panel import Ints

HORIZON_DAYS = 28
YOUNG_SHARE = 0.15  # of the rows are taken from a series' first weeks, or new series would hardly be seen
YOUNG_DAYS = 35
WINDOW_DAYS = 140  # what rows ask about: older days tell of another assortment
LAST_YEAR_REACH_DAYS = 42


def training_rows(past: Past, chance: np.random.Generator, count: int) -> tuple[Ints, Ints, Ints]:
    """Series, origin and days ahead of rows whose day asked about is known; most from the newest days."""
    last = past.days - 1
    young = int(count * YOUNG_SHARE)
    tries = 3 * count
    series = chance.integers(0, len(past.units), tries)
    ahead = chance.integers(1, HORIZON_DAYS + 1, tries)
    target = chance.integers(max(1, last + 1 - WINDOW_DAYS), last + 1, tries) if last else np.zeros(tries, dtype=int)
    if last > 364 + LAST_YEAR_REACH_DAYS:  # a third from the same season of last year
        then = chance.integers(last - 364 - LAST_YEAR_REACH_DAYS, last - 364 + LAST_YEAR_REACH_DAYS, tries)
        target = np.where(chance.random(tries) < 1 / 3, then, target)
    origin = target - ahead
    origin[:young] = past.starts[series[:young]] + chance.integers(0, YOUNG_DAYS, young)
    target = origin + ahead
    good = (origin >= past.starts[series]) & (origin >= 0) & (target <= last)
    good[good] = past.known[series[good], target[good] + 1] > past.known[series[good], target[good]]
    picked = np.flatnonzero(good)[:count]
    return series[picked], origin[picked], ahead[picked]
