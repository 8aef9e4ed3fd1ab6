"""What rows are expected to come to: boosted trees and a log-linear model with bends, averaged.

Reads rows of features and of targets; writes nothing. The two err in different places: trees find what only some rows
share, lines are calm where rows are few. Guarantees: nothing said is below zero. Does not belong here: which rows and
features, scales, lifts and blends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from forecasting.linear import LogLinear, fit_linear
from forecasting.panel import Floats

TREES = {
    "learning_rate": 0.06, "max_leaf_nodes": 15, "min_samples_leaf": 100, "max_bins": 127,
    "early_stopping": False,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class MixedMean:
    trees: Any
    lines: LogLinear

    def predict(self, features: Floats) -> Floats:
        return (self.trees.predict(features) + self.lines.predict(features)) / 2


def fit_mean(
    features: Floats, names: Sequence[str], target: Floats, weight: Floats, *, seed: int, rounds: int
) -> MixedMean:
    """A `ValueError` for targets of zeros alone, or numbers that the trees cannot bin."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    trees = HistGradientBoostingRegressor(loss="poisson", max_iter=rounds, random_state=seed, **TREES)
    trees.fit(features, target, sample_weight=weight)
    return MixedMean(trees, fit_linear(features, names, target, weight))
