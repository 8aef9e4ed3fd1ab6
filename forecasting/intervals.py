"""From means to quantiles of counts: a negative binomial whose dispersion is learnt from many series together.

Reads means, what came true and the spread of each series' own past; writes nothing.
The dispersion of a cell (how unsteady the past was x how much is expected) is the one that loses least by the pinball
measure; between the cells' means it is interpolated, so that a little more expected never jumps. Quantiles never cross.
Does not belong here: where means come from.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from forecasting.panel import Floats, Ints
from forecasting.spread import PROBABILITIES

# Those under 0.02 (a deviation of 14 %) are for hundreds a day and more, which are steadier than that.
DISPERSIONS = np.concatenate([np.geomspace(0.0005, 0.01, 6), np.geomspace(0.02, 30.0, 14)])
MEAN_BOUNDS = np.array([0.1, 0.3, 1.0, 3.0, 10.0, 30.0])
MEAN_CENTRES = np.log(np.array([0.05, 0.17, 0.55, 1.7, 5.5, 17.0, 60.0]))
UNSTEADY_BOUNDS = np.array([1.3, 2.5, 6.0, 20.0])  # variance over mean of the last 112 days
DISPERSION_UNSEEN = 0.6  # where nothing has been seen at all
PRIOR_ROWS = 100.0  # a cell's evidence counts fully when it has many more rows than this
LOG_STEP = 0.02  # means are told apart to 2 %
MEAN_MIN = 1e-4  # under it the .99 quantile is 0 whatever the dispersion
MEAN_MAX = 1e9
_STEP_MIN, _STEP_MAX = (round(float(np.log(mean)) / LOG_STEP) for mean in (MEAN_MIN, MEAN_MAX))


@dataclass(frozen=True, slots=True)
class Spread:
    """`table` is (unsteadiness, step of the mean, probability): counts, read off instead of computed."""

    table: Floats

    def quantiles(self, means: Floats, unsteady: Ints) -> Floats:
        """Counts as (..., probabilities) for means (...) and the unsteadiness class of each."""
        return self.table[unsteady, _steps(means) - _STEP_MIN]


def spread_of(probabilities: tuple[float, ...], dispersions: Floats) -> Spread:
    """Make the table: dispersions interpolated between the classes' means, and a larger mean never below a smaller.

    `dispersions` is (unsteadiness, mean class): variance = mean + dispersion * mean^2.
    """
    steps = np.arange(_STEP_MIN, _STEP_MAX + 1)
    log_means = steps * LOG_STEP
    table = np.empty((len(dispersions), len(steps), len(probabilities)))
    for row, values in enumerate(dispersions):
        smooth = np.exp(np.interp(log_means, MEAN_CENTRES, np.log(values)))
        table[row] = counts(np.exp(log_means), smooth, probabilities)
    return Spread(np.maximum.accumulate(table, axis=1))


def counts(means: Floats, dispersions: Floats, probabilities: tuple[float, ...]) -> Floats:
    """Negative-binomial quantiles, (means, probabilities)."""
    from scipy.stats import nbinom

    size = 1 / np.maximum(dispersions[:, None], 1e-6)
    found = nbinom.ppf(np.asarray(probabilities)[None, :], size, size / (size + means[:, None]))
    found[means <= MEAN_MIN] = 0.0
    return np.maximum.accumulate(np.nan_to_num(found), axis=1)


def unsteadiness(mean: Floats, variance: Floats) -> Ints:
    """The class of a series' past, by its variance over its mean."""
    return np.searchsorted(UNSTEADY_BOUNDS, (variance + 0.05) / (mean + 0.05))


def pooled_spread(
    means: Floats, came: Floats, unsteady: Ints, weights: Floats, probabilities: tuple[float, ...] = PROBABILITIES,
    *, widened: float = 1.0,
) -> Spread:  # fmt: skip
    """Learn a spread from what was expected and what came; `weights` is one over the scale of the series. Dispersions
    are `widened` times what was best there."""
    dispersions = widened * pooled_dispersions(means, came, unsteady, weights, probabilities)
    return spread_of(probabilities, np.minimum(dispersions, DISPERSIONS[-1]))


def pooled_dispersions(
    means: Floats, came: Floats, unsteady: Ints, weights: Floats, probabilities: tuple[float, ...],
    *, classes_by: Floats | None = None,
) -> Floats:  # fmt: skip
    """(unsteadiness, mean class): the dispersion of each cell that loses least. `classes_by`: by default the means."""
    groups, classes = len(UNSTEADY_BOUNDS) + 1, len(MEAN_CENTRES)
    cells = groups * classes
    cell = unsteady * classes + np.searchsorted(MEAN_BOUNDS, means if classes_by is None else classes_by)
    keys, back = np.unique(_steps(means), return_inverse=True)
    losses = np.empty((len(DISPERSIONS), groups, classes))
    for n, dispersion in enumerate(DISPERSIONS):
        bounds = counts(np.exp(keys * LOG_STEP), np.full(len(keys), dispersion), probabilities)[back]
        loss = pinball(came, bounds, probabilities).mean(axis=1) * weights
        losses[n] = np.bincount(cell, loss, cells).reshape(groups, classes)
    rows = np.bincount(cell, minlength=cells).reshape(groups, classes)
    of_class = losses.sum(axis=1, keepdims=True) / np.maximum(rows.sum(axis=0), 1)
    everything = losses.sum(axis=(1, 2), keepdims=True) / max(1, rows.sum())
    unseen = np.abs(np.log(DISPERSIONS / DISPERSION_UNSEEN))[:, None, None]
    shrunk = losses + PRIOR_ROWS * of_class + 1e-3 * everything + 1e-12 * unseen
    return DISPERSIONS[shrunk.argmin(axis=0)]


def pinball(came: Floats, bounds: Floats, probabilities: tuple[float, ...]) -> Floats:
    """Loss of each bound, shaped as `bounds` (..., probabilities)."""
    over = came[..., None] - bounds
    p = np.asarray(probabilities)
    return np.maximum(p * over, (p - 1) * over)


def _steps(means: Floats) -> Ints:
    return np.round(np.log(np.clip(means, MEAN_MIN, MEAN_MAX)) / LOG_STEP).astype(np.int64)
