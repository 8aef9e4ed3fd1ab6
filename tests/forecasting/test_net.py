"""A net's quantiles follow what a row says, are never below zero, and are the same for the same seed."""

from __future__ import annotations

import pickle
from functools import cache

import numpy as np
import pytest

from forecasting.net import QuantileNet, _first, _slopes, fit_net

ROWS = 20_000
PROBABILITIES = (0.5, 0.9, 0.99)
ONES = np.ones(ROWS)


@cache
def rows() -> tuple[np.ndarray, np.ndarray]:
    """Exponential times, ten times as long where the second number is above 0; the first number says nothing."""
    chance = np.random.default_rng(4)
    given = chance.standard_normal((ROWS, 2)).astype(np.float32)
    return given, chance.exponential(np.where(given[:, 1] > 0, 10.0, 1.0))


@cache
def fitted() -> QuantileNet:
    return fit_net(*rows(), ONES, PROBABILITIES, seed=0)


def test_quantiles_are_those_of_rows_like_this_one():
    said = fitted().predict(np.array([[0.0, -1.0], [0.0, 1.0]], dtype=np.float32))
    assert said[0] == pytest.approx(-np.log(1 - np.array(PROBABILITIES)), rel=0.2)
    assert said[1] == pytest.approx(-10 * np.log(1 - np.array(PROBABILITIES)), rel=0.2)


def test_as_many_rows_lie_under_a_quantile_as_it_promises():
    given, target = rows()
    assert (target[:, None] <= fitted().predict(given)).mean(axis=0) == pytest.approx(PROBABILITIES, abs=0.02)


def test_a_median_of_0_on_most_rows_is_found_where_it_is_not_0():
    given, long = rows()
    target = np.where(given[:, 0] > 1, long + 3, 0.0)
    assert np.median(target) == 0
    said = fit_net(given, target, ONES, PROBABILITIES, seed=0).predict(np.array([[-1, -1], [2, -1]], dtype=np.float32))
    assert said[0, 0] == pytest.approx(0, abs=0.05)
    assert said[1, 0] == pytest.approx(3 + np.log(2), rel=0.15)


def test_rows_that_weigh_nothing_have_no_say():
    given, target = rows()
    weight = (target < 5).astype(float)
    said = fit_net(given, target, weight, PROBABILITIES, seed=0).predict(given)
    assert np.median(said[:, 2]) < 5


def test_slopes_are_those_of_the_loss():
    given, target = (part[:64].astype(np.float64) for part in rows())
    net = _first(2, np.ones(3), np.random.default_rng(1))
    net = QuantileNet(
        [part.astype(np.float64) for part in net.weights], [part.astype(np.float64) for part in net.biases]
    )
    p = np.array(PROBABILITIES)

    def loss() -> float:
        over = target[:, None] - net.predict(given)
        return float(np.maximum(p * over, (p - 1) * over).sum(axis=1).mean())

    slopes = _slopes(net, given, target[:, None], np.ones((64, 1)), p)
    for part, slope in zip([*net.weights, *net.biases], slopes, strict=True):
        place = np.unravel_index(np.abs(slope).argmax(), slope.shape)
        before = loss()
        part[place] += 1e-6
        assert (loss() - before) / 1e-6 == pytest.approx(slope[place], rel=0.05)
        part[place] -= 1e-6


def test_the_same_seed_makes_the_same_net_and_another_seed_another():
    given, target = (part[:2000] for part in rows())
    one, same, other = (
        fit_net(given, target, ONES[:2000], PROBABILITIES, seed=seed, epochs=2).predict(given) for seed in (7, 7, 8)
    )
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_what_is_far_outside_is_answered_and_never_below_zero():
    said = fitted().predict(np.array([[1e6, -1e6], [-1e6, 1e6], [0.0, 0.0]], dtype=np.float32))
    assert np.isfinite(said).all()
    assert (said >= 0).all()
    assert fitted().predict(np.zeros((0, 2), dtype=np.float32)).shape == (0, 3)


def test_a_net_that_was_kept_says_the_same():
    given = rows()[0]
    assert np.array_equal(pickle.loads(pickle.dumps(fitted())).predict(given), fitted().predict(given))
