"""Quantiles of a day's demand from nets fitted to the quantiles themselves, mixed with the negative binomial's.

Reads rows of features, what was expected and what came; writes nothing. A negative binomial knows one shape round a
mean; orders come in packs, promotions and first weeks in shapes of their own, and nets learn by the loss that quantiles
are scored by. Guarantees: quantiles are whole units and never cross; nets fitted to too few rows, or that lose on
series they have not seen, are left out.
Does not belong here: means, quantiles of sums over several days (leadtime.py), the net itself (net.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from forecasting.columns import scored_weights
from forecasting.intervals import pinball
from forecasting.linear import Terms, straight_terms
from forecasting.net import EPOCHS, QuantileNet, fit_net
from forecasting.panel import Floats, Ints
from forecasting.spread import PROBABILITIES

SHARE = 0.7  # of the nets in a quantile; alone they lose on days unlike those they have seen
NETS = 4  # averaged: each ends somewhere else
ROWS_MAX = 60_000
ROWS_PER_SERIES = 40  # keeps a small file within the cost of a large one
ROWS_MIN = 20_000  # with 200 days above their .99 quantile
JUDGED_ROWS_MAX = 30_000
# Judged are nets of half the rows, against dispersions that were chosen on the very rows they are judged on: those that
# lost 0.3 % there won 0.3 % on later weeks.
LOSS_MAX = 0.005
BLOCK_ROWS = 4_096  # what is made of so many rows stays near the processor: a fifth of the time of all at once
MEAN_MIN = 1e-3
UNIT_SCALES = 0.3  # added to the mean that quantiles are said in: a sale is endlessly many means of nearly 0


@dataclass(frozen=True, slots=True)
class Bounds:
    """`terms` makes of a row of features what the nets read."""

    terms: Terms
    nets: Sequence[QuantileNet]

    def mixed(self, levels: Floats, features: Floats, mean: Floats, scale: Floats) -> Floats:
        """`levels` (rows, probabilities) with the nets' share in them; `features` as they were fitted."""
        found = np.empty(levels.shape)
        for first in range(0, len(levels), BLOCK_ROWS):
            block = slice(first, first + BLOCK_ROWS)
            given = _given(self.terms, features[block], mean[block], scale[block])
            said = np.mean([net.predict(given) for net in self.nets], axis=0)
            found[block] = SHARE * said * _unit(mean[block], scale[block])[:, None] + (1 - SHARE) * levels[block]
        return np.maximum.accumulate(np.round(found), axis=1)


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


def train_bounds(
    rows: Evidence, names: Sequence[str], fitted: np.ndarray, *, series: int, seed: int, rounds: int
) -> Bounds | None:
    """Fit on the rows where `fitted`, judge on the rest: series those nets have not seen. Those that do not lose
    are fitted again on the rows of all.

    `names` are of the features, `series` is how many there are. `None` where rows are few, or the nets lose.
    """
    mine = np.flatnonzero(fitted)
    kept = _evenly(mine, min(ROWS_MAX, ROWS_PER_SERIES * series))
    if len(kept) < ROWS_MIN:
        return None
    bounds = _fitted(rows.chosen(kept), names, seed, rounds)
    judged = rows.chosen(_evenly(np.flatnonzero(~fitted), JUDGED_ROWS_MAX))
    found = bounds.mixed(judged.levels, judged.features, judged.mean, judged.scale)
    if _loss(judged, found) > (1 + LOSS_MAX) * _loss(judged, judged.levels):
        return None
    everything = _evenly(np.arange(len(rows.came)), min(2 * ROWS_MAX, 2 * ROWS_PER_SERIES * series))
    return _fitted(rows.chosen(everything), names, seed, rounds)


def _fitted(rows: Evidence, names: Sequence[str], seed: int, rounds: int) -> Bounds:
    terms = straight_terms(rows.features, names)
    unit = _unit(rows.mean, rows.scale)
    given, target = _given(terms, rows.features, rows.mean, rows.scale), rows.came / unit
    weight = scored_weights(unit, rows.steps)
    seeds = range(seed * NETS, (seed + 1) * NETS)
    epochs = min(rounds, EPOCHS)
    return Bounds(terms, [fit_net(given, target, weight, PROBABILITIES, seed=one, epochs=epochs) for one in seeds])


def _loss(rows: Evidence, levels: Floats) -> float:
    return float((pinball(rows.came, levels, PROBABILITIES).mean(axis=1) / rows.steps).sum())


def _evenly(rows: Ints, count: int) -> Ints:
    return rows[np.linspace(0, len(rows) - 1, min(count, len(rows))).astype(np.int64)]


def _unit(mean: Floats, scale: Floats) -> Floats:
    return mean + UNIT_SCALES * scale


def _given(terms: Terms, features: Floats, mean: Floats, scale: Floats) -> Floats:
    """Terms, and the mean in scales and in units, as logarithms."""
    means = np.log(np.maximum(np.column_stack([mean / scale, mean]), MEAN_MIN)) * (1.0, 0.5)
    return np.column_stack([terms.of(features), means]).astype(np.float32)
