"""Upper bounds of a day's demand from trees fitted to the quantile itself, mixed with the negative binomial's.

Reads rows of features, what was expected and what came; writes nothing. A negative binomial knows one shape; orders
come in packs, promotions and first weeks in others, and trees see which. Medians stay the negative binomial's: trees
lose where most days are zero. Guarantees: bounds are whole units and never cross; too few rows teach none (`None`).
Does not belong here: means, bounds of sums over several days (leadtime.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from forecasting.columns import scored_weights
from forecasting.panel import Floats
from forecasting.spread import PROBABILITIES

FITTED = PROBABILITIES[1:]
SHARE = 0.5  # of the trees in a bound
ROWS_MAX = 60_000
ROWS_PER_SERIES = 40  # keeps a small file within the cost of a large one
ROWS_MIN = 20_000  # a leaf of 100 rows holds one day above its .99 quantile: fewer leaves than that say nothing
ROUNDS = 40
MEAN_MIN = 1e-4
TREES = {
    "learning_rate": 0.12, "max_leaf_nodes": 15, "min_samples_leaf": 100, "max_bins": 127,
    "early_stopping": False,
}  # fmt: skip


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


def train_bounds(
    features: Floats, mean: Floats, came: Floats, scale: Floats, steps: Floats, *, series: int, seed: int, rounds: int
) -> Bounds | None:
    """Fit on evenly spread rows; `mean` must come from models that had not seen a row's series.

    `steps` is the series' naive error, by which losses are divided; `series` is how many there are.
    """
    wanted = min(ROWS_MAX, ROWS_PER_SERIES * series)
    kept = np.linspace(0, len(mean) - 1, min(wanted, len(mean))).astype(np.int64)
    if len(kept) < ROWS_MIN:
        return None
    from sklearn.ensemble import HistGradientBoostingRegressor

    given, target = _with_mean(features[kept], mean[kept], scale[kept]), came[kept] / scale[kept]
    weight = scored_weights(scale[kept], steps[kept])
    return Bounds([
        HistGradientBoostingRegressor(
            loss="quantile", quantile=p, max_iter=min(rounds, ROUNDS), random_state=seed, **TREES
        ).fit(given, target, sample_weight=weight)
        for p in FITTED
    ])  # fmt: skip


def _with_mean(features: Floats, mean: Floats, scale: Floats) -> Floats:
    return np.column_stack([features, np.log(np.maximum(mean / scale, MEAN_MIN)), mean])
