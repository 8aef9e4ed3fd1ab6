"""Upper bounds of a day's demand from trees fitted to the quantile itself, mixed with the negative binomial's.

Reads rows of features, what was expected and what came; writes nothing. A negative binomial knows one shape; orders
come in packs, promotions and first weeks in others, and trees see which. Medians stay the negative binomial's: trees
lose where most days are zero. Guarantees: bounds are whole units and never cross; trees fitted to too few rows, or that
win too little on series they have not seen, are left out.
Does not belong here: means, bounds of sums over several days (leadtime.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from forecasting.columns import scored_weights
from forecasting.intervals import pinball
from forecasting.means import TREES as MEAN_TREES
from forecasting.panel import Floats, Ints
from forecasting.spread import PROBABILITIES

FITTED = PROBABILITIES[1:]
SHARE = 0.5  # of the trees in a bound
ROWS_MAX = 60_000
ROWS_PER_SERIES = 40  # keeps a small file within the cost of a large one
ROWS_MIN = 20_000  # a leaf of 100 rows holds one day above its .99 quantile: it takes many leaves
ROUNDS = 40
JUDGED_ROWS_MAX = 30_000
GAIN_MIN = 0.005  # of the loss: for less, a third more CPU at each scoring is not worth it
MEAN_MIN = 1e-4
TREES = {**MEAN_TREES, "learning_rate": 0.12}


@dataclass(frozen=True, slots=True)
class Bounds:
    """`trees` holds one model per probability of `FITTED`."""

    trees: Sequence[Any]

    def mixed(self, levels: Floats, features: Floats, mean: Floats, scale: Floats) -> Floats:
        """`levels` (rows, probabilities) with the trees' share in the upper ones; `features` as they were fitted."""
        given = _with_mean(features, mean, scale)
        found = levels.astype(np.float64)
        for n, model in enumerate(self.trees, start=len(PROBABILITIES) - len(FITTED)):
            said = np.maximum(model.predict(given), 0.0) * scale
            found[:, n] = np.round(SHARE * said + (1 - SHARE) * found[:, n])
        return np.maximum.accumulate(found, axis=1)


@dataclass(frozen=True, slots=True)
class Evidence:
    """Rows: features, the negative binomial's `levels`, the mean of models that had not seen the row's series, what
    came, the scale, and the naive error of the series by which losses are divided."""

    features: Floats
    levels: Floats
    mean: Floats
    came: Floats
    scale: Floats
    steps: Floats

    def chosen(self, rows: Ints) -> Evidence:
        return Evidence(*(getattr(self, field.name)[rows] for field in fields(self)))


def train_bounds(rows: Evidence, fitted: np.ndarray, *, series: int, seed: int, rounds: int) -> Bounds | None:
    """Fit on the rows where `fitted`, judge on the rest: series those trees have not seen. Those that win are fitted
    again on the rows of all.

    `series` is how many there are. `None` where rows are few, or where the trees do not earn their cost.
    """
    mine = np.flatnonzero(fitted)
    kept = _evenly(mine, min(ROWS_MAX, ROWS_PER_SERIES * series))
    if len(kept) < ROWS_MIN:
        return None
    bounds = _fitted(rows.chosen(kept), seed, rounds)
    judged = rows.chosen(_evenly(np.flatnonzero(~fitted), JUDGED_ROWS_MAX))
    found = bounds.mixed(judged.levels, judged.features, judged.mean, judged.scale)
    if _loss(judged, found) >= (1 - GAIN_MIN) * _loss(judged, judged.levels):
        return None
    everything = _evenly(np.arange(len(rows.came)), min(2 * ROWS_MAX, 2 * ROWS_PER_SERIES * series))
    return _fitted(rows.chosen(everything), seed, rounds)


def _fitted(rows: Evidence, seed: int, rounds: int) -> Bounds:
    from sklearn.ensemble import HistGradientBoostingRegressor

    given, target = _with_mean(rows.features, rows.mean, rows.scale), rows.came / rows.scale
    weight = scored_weights(rows.scale, rows.steps)
    return Bounds([
        HistGradientBoostingRegressor(
            loss="quantile", quantile=p, max_iter=min(rounds, ROUNDS), random_state=seed, **TREES
        ).fit(given, target, sample_weight=weight)
        for p in FITTED
    ])  # fmt: skip


def _loss(rows: Evidence, levels: Floats) -> float:
    return float((pinball(rows.came, levels, PROBABILITIES).mean(axis=1) / rows.steps).sum())


def _evenly(rows: Ints, count: int) -> Ints:
    return rows[np.linspace(0, len(rows) - 1, min(count, len(rows))).astype(np.int64)]


def _with_mean(features: Floats, mean: Floats, scale: Floats) -> Floats:
    return np.column_stack([features, np.log(np.maximum(mean / scale, MEAN_MIN)), mean])
