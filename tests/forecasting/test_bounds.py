"""Bounds follow what a row's features say of its spread, stay whole and ordered, and need enough rows."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

pytest.importorskip("sklearn.ensemble", reason="no scikit-learn (extra forecast)")

from forecasting.bounds import ROWS_MIN, Bounds, train_bounds

SERIES = 500


@cache
def rows() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features, means, what came: means of 6, in packs of 24 every fourth day where the feature is 1, else Poisson."""
    chance = np.random.default_rng(5)
    packs = chance.integers(0, 2, ROWS_MIN)
    came = np.where(packs == 1, 24 * (chance.random(ROWS_MIN) < 0.25), chance.poisson(6, ROWS_MIN))
    return packs[:, None].astype(np.float32), np.full(ROWS_MIN, 6.0), came.astype(np.float64)


@cache
def learnt() -> Bounds | None:
    features, mean, came = rows()
    ones = np.ones(ROWS_MIN)
    return train_bounds(features, mean, came, ones, ones, series=SERIES, seed=0, rounds=30)


def test_what_comes_in_packs_is_bounded_by_a_pack_and_the_rest_by_its_own_spread():
    bounds = learnt()
    assert bounds is not None
    levels = np.array([[5.0, 10.0, 11.0, 13.0]] * 2)
    found = bounds.mixed(levels, np.array([[1.0], [0.0]]), np.full(2, 6.0), np.ones(2))
    assert found[0, 1] == pytest.approx(0.5 * 24 + 0.5 * 10, abs=1)
    assert found[1] == pytest.approx(levels[1], abs=1)


def test_bounds_are_whole_units_that_never_cross_and_leave_the_median_alone():
    bounds = learnt()
    assert bounds is not None
    levels = np.array([[7.0, 7.0, 7.0, 7.0], [0.0, 1.0, 500.0, 501.0]])
    found = bounds.mixed(levels, np.array([[0.0], [1.0]]), np.array([6.0, 0.2]), np.array([1.0, 0.1]))
    assert (np.diff(found, axis=1) >= 0).all()
    assert np.array_equal(found, np.round(found))
    assert found[:, 0].tolist() == [7.0, 0.0]


def test_under_the_rows_needed_nothing_is_learnt():
    features, mean, came = rows()
    ones = np.ones(ROWS_MIN)
    assert train_bounds(features, mean, came, ones, ones, series=SERIES - 1, seed=0, rounds=2) is None
    few = slice(0, ROWS_MIN - 1)
    one = ones[few]
    assert train_bounds(features[few], mean[few], came[few], one, one, series=9999, seed=0, rounds=2) is None
