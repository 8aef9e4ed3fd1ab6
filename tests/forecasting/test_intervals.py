"""Vectorised counts equal the exact pure-Python quantiles, and pooling finds a known dispersion again."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("scipy.stats", reason="no scipy (extra forecast)")

from forecasting.intervals import counts, pooled_spread
from forecasting.spread import PROBABILITIES, quantiles


@pytest.mark.parametrize("dispersion", [0.05, 0.6, 4.0])
def test_counts_are_those_of_the_exact_walk(dispersion: float):
    means = np.array([0.01, 0.2, 1.0, 7.5, 60.0, 900.0])
    found = counts(means, np.full(len(means), dispersion), PROBABILITIES)
    assert found.tolist() == [quantiles(mean, dispersion * mean, PROBABILITIES) for mean in means]


def test_pooling_finds_the_dispersion_that_made_the_days():
    chance = np.random.default_rng(5)
    true = 0.5
    means = np.exp(chance.uniform(np.log(0.5), np.log(20), 20_000))
    came = chance.negative_binomial(1 / true, 1 / (1 + true * means)).astype(float)
    spread = pooled_spread(means, came, np.zeros(len(means), dtype=int), np.ones(len(means)))
    bounds = spread.quantiles(means, np.zeros(len(means), dtype=int))
    assert 0.945 <= (came <= bounds[:, 2]).mean() <= 0.97
    assert 0.985 <= (came <= bounds[:, 3]).mean() <= 0.996


@pytest.mark.parametrize("deviation", [0.03, 0.06])
def test_thousands_a_day_that_are_steady_have_bounds_as_near(deviation: float):
    chance = np.random.default_rng(8)
    means, none = np.exp(chance.uniform(np.log(2_000), np.log(9_000), 20_000)), np.zeros(20_000, dtype=int)
    came = np.round(means * chance.normal(1, deviation, len(means)))
    bounds = pooled_spread(means, came, none, 1 / means).quantiles(means, none)
    assert 0.93 <= (came <= bounds[:, 2]).mean() <= 0.98
    assert 0.98 <= (came <= bounds[:, 3]).mean() <= 0.998


def test_a_larger_mean_never_has_a_lower_quantile_within_a_pooled_spread():
    chance = np.random.default_rng(6)
    means = np.exp(chance.uniform(np.log(0.05), np.log(80), 5_000))
    came = chance.poisson(means).astype(float)
    spread = pooled_spread(means, came, np.zeros(len(means), dtype=int), np.ones(len(means)))
    rising = np.geomspace(0.01, 500, 400)
    assert (np.diff(spread.quantiles(rising, np.zeros(400, dtype=int)), axis=0) >= 0).all()


def test_a_widened_spread_holds_more_of_what_comes():
    chance = np.random.default_rng(7)
    means, none = np.full(20_000, 40.0), np.zeros(20_000, dtype=int)
    came = chance.negative_binomial(2, 2 / (2 + means)).astype(float)
    plain, wide = (
        pooled_spread(means, came, none, np.ones(len(means)), widened=widened).quantiles(means[0], none[0])
        for widened in (1.0, 1.3)
    )
    assert (wide[1:] > plain[1:]).all()
    assert wide[0] <= plain[0]


def test_the_newsvendor_level_of_poisson_demand_equals_stockpyl():
    newsvendor = pytest.importorskip("stockpyl.newsvendor", reason="no stockpyl")
    for mean in (3.0, 12.0, 55.0):
        level, _ = newsvendor.newsvendor_poisson(holding_cost=1, stockout_cost=19, demand_mean=mean)
        assert counts(np.array([mean]), np.array([1e-6]), (0.95,))[0, 0] == level
