"""Poisson regression on the logarithms of the trees' features, whose straight lines may bend at the quartiles.

Reads rows of features and of targets; writes nothing. Trees say the same of everything in a leaf, and nothing of what
lies beyond their last cut; lines are calm where rows are few. Guarantees: nothing said is below zero or above the
greatest target fitted; an unknown feature counts as an ordinary one, and where that is often so it has a term of its
own. Does not belong here: features, trees, and how the two are averaged (means.py).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from forecasting.panel import Floats, Ints

PLAIN = {"log_scale", "ahead", "day_of_month", "day_of_year"}  # other columns enter as logarithms, if never negative
PLACE = "season_place"  # a name rather than a number: each has its own term
PLACES_MAX = 31
LOG_FLOOR = 0.1  # of a scale: a mean of 0 is not endlessly far from one of 0.01
DEVIATIONS_MAX = 5.0  # one row far outside must not turn a line, nor be sent far by one
UNKNOWN_SHARE_MIN = 0.001
QUARTILES = (0.25, 0.5, 0.75)
BENT_VALUES_MIN = 20  # a column of fewer different values is no line to bend
PROBED_ROWS = 2_000
WIDTH_MIN = 1e-9
RIDGE = 0.01
STEPS_MAX = 50
BLOCK_ROWS = 4_096  # terms are five times as wide as features: so many rows of them stay near the processor


@dataclass(frozen=True, slots=True)
class Terms:
    """How a row of features becomes a row of terms."""

    logs: np.ndarray  # per column, whether its logarithm is taken
    centre: Floats
    width: Floats
    gaps: Ints  # columns whose being unknown is a term
    place: int  # the column of the place in the season, -1 for none
    places: Floats
    bent: Ints  # column of each bend
    bends: Floats  # where it lies, in deviations

    def of(self, features: Floats) -> Floats:
        """(rows, terms) float64."""
        usual = self._in_deviations(features)
        parts = [usual, ~np.isfinite(features[:, self.gaps]), np.maximum(usual[:, self.bent] - self.bends, 0.0)]
        if len(self.places):  # scaled so that the ridge holds them as it holds the rest
            parts.append((features[:, [self.place]] == self.places) * np.sqrt(len(self.places)))
        return np.concatenate(parts, axis=1)

    def _in_deviations(self, features: Floats) -> Floats:
        values = (_logged(features, self.logs) - self.centre) / self.width
        return np.nan_to_num(np.clip(values, -DEVIATIONS_MAX, DEVIATIONS_MAX), nan=0.0)


@dataclass(frozen=True, slots=True)
class LogLinear:
    terms: Terms
    weights: Floats
    start: float
    most: float

    def predict(self, features: Floats) -> Floats:
        """Per row what is expected, in the unit of the targets."""
        found = np.empty(len(features))
        for first in range(0, len(features), BLOCK_ROWS):
            block = slice(first, first + BLOCK_ROWS)
            found[block] = self.terms.of(features[block]) @ self.weights + self.start
        return np.minimum(np.exp(np.minimum(found, np.log(self.most))), self.most)


def fit_linear(features: Floats, names: Sequence[str], target: Floats, weight: Floats) -> LogLinear:
    """`features` are of useful columns (columns.py), `target` is never below zero and not zero throughout."""
    from sklearn.linear_model import PoissonRegressor

    terms = _terms(features, names)
    model = PoissonRegressor(alpha=RIDGE, solver="newton-cholesky", max_iter=STEPS_MAX)
    with warnings.catch_warnings():  # a step short of the end is as good
        warnings.simplefilter("ignore")
        model.fit(terms.of(features), target, sample_weight=weight)
    return LogLinear(terms, model.coef_, float(model.intercept_), float(target.max()))


def straight_terms(features: Floats, names: Sequence[str]) -> Terms:
    """Terms without bends: deviations, what is unknown, the place in the season."""
    with np.errstate(invalid="ignore"):
        logs = np.array([name not in {*PLAIN, PLACE} for name in names]) & (np.nanmin(features, axis=0) >= 0)
    values = _logged(features, logs)
    width = np.nanstd(values, axis=0)
    place = list(names).index(PLACE) if PLACE in names else -1
    places = np.unique(features[:, place]) if place >= 0 else np.zeros(0)
    width = np.where(width > WIDTH_MIN, width, 1.0)
    gaps = np.flatnonzero((~np.isfinite(features)).mean(axis=0) > UNKNOWN_SHARE_MIN)
    places = places if len(places) <= PLACES_MAX else np.zeros(0)
    return Terms(logs, np.nanmean(values, axis=0), width, gaps, place, places, np.zeros(0, dtype=int), np.zeros(0))


def _terms(features: Floats, names: Sequence[str]) -> Terms:
    straight = straight_terms(features, names)
    usual = straight._in_deviations(features)
    probed = usual[:: max(1, len(usual) // PROBED_ROWS)]
    found = [
        (column, bend)
        for column in range(usual.shape[1])
        if len(np.unique(probed[:, column])) > BENT_VALUES_MIN
        for bend in np.unique(np.quantile(usual[:, column], QUARTILES))
    ]
    bent, bends = zip(*found, strict=True) if found else ((), ())
    return replace(straight, bent=np.array(bent, dtype=int), bends=np.array(bends))


def _logged(features: Floats, logs: np.ndarray) -> Floats:
    values = features.astype(np.float64)
    values[:, logs] = np.log(np.maximum(values[:, logs], 0.0) + LOG_FLOOR)
    return values
