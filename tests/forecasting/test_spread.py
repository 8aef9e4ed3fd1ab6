"""Negative-binomial quantiles: equal to adding up probabilities one by one, and ordered as quantiles must be."""

from __future__ import annotations

from math import exp, lgamma, log, log1p

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting.spread import EXACT_MEAN_MAX, PROBABILITIES, quantiles

means = st.floats(0.001, 1500.0)
excesses = st.floats(0.0, 80.0)


def by_adding_up(mean: float, excess: float, probability: float) -> int:
    """Each term from the gamma function on its own: no recursion that could share an error with ours."""
    total, k = 0.0, -1
    while total < probability:
        k += 1
        if excess < 1e-5:
            total += exp(k * log(mean) - mean - lgamma(k + 1))
        else:
            size = mean / excess
            inner = lgamma(k + size) - lgamma(size) - lgamma(k + 1) - size * log1p(excess)
            total += exp(inner + k * (log(excess) - log1p(excess)))
    return k


@pytest.mark.parametrize("mean", [0.01, 0.3, 1.0, 7.5, 60.0, 400.0, 1900.0])
@pytest.mark.parametrize("excess", [0.0, 0.05, 0.7, 3.0, 25.0])
def test_quantiles_are_those_of_the_summed_probabilities(mean: float, excess: float):
    assert quantiles(mean, excess, PROBABILITIES) == [by_adding_up(mean, excess, p) for p in PROBABILITIES]


def test_known_values_of_poisson_and_geometric():
    assert quantiles(4.0, 0.0, PROBABILITIES) == [4, 7, 8, 9]
    # Size 1 is geometric: P(X > k) = q^(k+1) with q = mean / (1 + mean).
    assert quantiles(1.0, 1.0, PROBABILITIES) == [0, 3, 4, 6]


@settings(derandomize=True, deadline=None)
@given(st.floats(0.0, 1e7), excesses)
def test_quantiles_never_cross(mean: float, excess: float):
    found = quantiles(mean, excess, PROBABILITIES)
    assert found == sorted(found)
    assert found[0] >= 0


@settings(derandomize=True, deadline=None)
@given(means, excesses, st.floats(1.0, 3.0))
def test_a_larger_mean_of_the_same_excess_never_lowers_a_quantile(mean: float, excess: float, times: float):
    smaller, larger = quantiles(mean, excess, PROBABILITIES), quantiles(min(mean * times, 2000), excess, PROBABILITIES)
    assert all(a <= b for a, b in zip(smaller, larger, strict=True))


@pytest.mark.parametrize("dispersion", [0.01, 0.2, 1.0])
def test_above_the_exact_range_quantiles_grow_in_step_with_the_mean(dispersion: float):
    exact = quantiles(EXACT_MEAN_MAX, dispersion * EXACT_MEAN_MAX, PROBABILITIES)
    packed = quantiles(10 * EXACT_MEAN_MAX, dispersion * 10 * EXACT_MEAN_MAX, PROBABILITIES)
    assert packed == pytest.approx([10 * units for units in exact], rel=0.01)
    just_above = quantiles(EXACT_MEAN_MAX * 1.001, dispersion * EXACT_MEAN_MAX * 1.001, PROBABILITIES)
    assert just_above == pytest.approx(exact, rel=0.005)


def test_a_mean_of_zero_is_zero_for_sure():
    assert quantiles(0.0, 5.0, PROBABILITIES) == [0, 0, 0, 0]
