"""Quantiles of a negative binomial count, by its mean and how much it over-disperses.

A count with mean `mean` and variance `mean * (1 + excess)`; `excess` 0 is Poisson. Pure Python, no tables.
Guarantees: quantiles never cross; they never fall when mean or excess grow with mean / excess not falling.
Up to `EXACT_MEAN_MAX` they are the exact integers; above, the count is taken in packs of mean / EXACT_MEAN_MAX units
with the same mean and variance (error below 0.5 % of the mean), so that cost stays bounded.
Does not belong here: where mean and excess come from.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, exp, lgamma, log, log1p, sqrt
from statistics import NormalDist

PROBABILITIES = (0.5, 0.9, 0.95, 0.99)  # of every forecast of a day
EXACT_MEAN_MAX = 2_000.0
POISSON_EXCESS_MAX = 1e-5  # below, the gamma function would lose more digits than the excess adds
LEFT_TAIL_DEVIATIONS = 12  # what lies further left weighs less than a float can add
_NORMAL = NormalDist()


def quantiles(mean: float, excess: float, probabilities: Sequence[float]) -> list[int]:
    """The smallest counts whose cumulated probability reaches each of `probabilities` (rising, below 1)."""
    if mean <= 0:
        return [0] * len(probabilities)
    if mean <= EXACT_MEAN_MAX:
        return [k for k, _ in _walk(mean, excess, probabilities)]
    pack = mean / EXACT_MEAN_MAX
    pack_excess = (1 + excess) / pack - 1
    if pack_excess <= 0:  # narrower than Poisson at this size: normal to four digits
        deviation = sqrt(mean * (1 + excess))
        return [max(0, ceil(mean + _NORMAL.inv_cdf(p) * deviation)) for p in probabilities]
    return [max(0, ceil((k - 1 + part) * pack)) for k, part in _walk(EXACT_MEAN_MAX, pack_excess, probabilities)]


def _walk(mean: float, excess: float, probabilities: Sequence[float]) -> list[tuple[int, float]]:
    """Add up probabilities from the left: per quantile its count, and which part of that count's step it needs."""
    k, mass = _start(mean, excess)
    poisson = excess < POISSON_EXCESS_MAX
    size = 0.0 if poisson else mean / excess
    ratio = mean if poisson else excess / (1 + excess)
    below, total = 0.0, mass
    limit = mean + 200 * sqrt(mean * (1 + excess)) + 200  # rounding may keep `total` just under a probability
    found: list[tuple[int, float]] = []
    for probability in probabilities:
        while total < probability and k < limit:
            mass *= ratio / (k + 1) if poisson else (k + size) * ratio / (k + 1)
            k += 1
            below, total = total, total + mass
        part = (probability - below) / mass if mass > 0 else 1.0
        found.append((k, min(1.0, max(0.0, part))))
    return found


def _start(mean: float, excess: float) -> tuple[int, float]:
    """The count to start from and its probability: 0, or for large means where the left tail has vanished."""
    k = max(0, int(mean - LEFT_TAIL_DEVIATIONS * sqrt(mean * (1 + excess))))
    if excess < POISSON_EXCESS_MAX:
        return k, exp(k * log(mean) - mean - lgamma(k + 1))
    size = mean / excess
    log_mass = -size * log1p(excess)
    if k:
        log_mass += lgamma(k + size) - lgamma(size) - lgamma(k + 1) + k * (log(excess) - log1p(excess))
    return k, exp(log_mass)
