"""Quantiles follow what a row's features say of its spread, stay whole and ordered, and need enough rows."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

pytest.importorskip("scipy", reason="no scipy (extra forecast)")

from forecasting.bounds import BLOCK_ROWS, ROWS_MIN, SHARE, Bounds, Evidence, train_bounds

SERIES = 500
ROWS = 2 * ROWS_MIN
NAMES = ("packs",)
FITTED = np.arange(ROWS) % 2 == 0


@cache
def rows(pack: int) -> Evidence:
    """Means of 6: in packs of `pack` where the feature is 1, else Poisson. Levels are Poisson's."""
    chance = np.random.default_rng(5)
    packs = chance.integers(0, 2, ROWS)
    came = np.where(packs == 1, pack * chance.poisson(6 / pack, ROWS), chance.poisson(6, ROWS))
    levels = np.tile([6.0, 9.0, 10.0, 12.0], (ROWS, 1))
    ones = np.ones(ROWS)
    return Evidence(packs[:, None].astype(np.float32), levels, 6 * ones, came.astype(np.float64), ones, ones)


def learnt(pack: int, series: int = SERIES) -> Bounds | None:
    return train_bounds(rows(pack), NAMES, FITTED, series=series, seed=0, rounds=8)


@cache
def of_packs() -> Bounds:
    bounds = learnt(24)
    assert bounds is not None
    return bounds


def test_what_comes_in_packs_is_bounded_by_a_pack_and_the_rest_by_its_own_spread():
    levels = np.array([[6.0, 9.0, 10.0, 12.0]] * 2)
    found = of_packs().mixed(levels, np.array([[1.0], [0.0]]), np.full(2, 6.0), np.ones(2))
    assert found[0, 1] == pytest.approx(SHARE * 24 + (1 - SHARE) * 9, abs=1.5)
    assert found[0, 0] == pytest.approx((1 - SHARE) * 6, abs=1)  # on most days no pack comes
    assert found[1] == pytest.approx(levels[1], abs=1)


def test_quantiles_are_whole_units_that_never_cross():
    levels = np.array([[7.0, 7.0, 7.0, 7.0], [0.0, 1.0, 500.0, 501.0]])
    found = of_packs().mixed(levels, np.array([[0.0], [1.0]]), np.array([6.0, 0.2]), np.array([1.0, 0.1]))
    assert (np.diff(found, axis=1) >= 0).all()
    assert np.array_equal(found, np.round(found))
    assert found.min() >= 0


def test_more_rows_than_one_block_are_said_as_each_alone():
    usual = rows(24).chosen(np.arange(BLOCK_ROWS + 9))
    found = of_packs().mixed(usual.levels, usual.features, usual.mean, usual.scale)
    some = usual.chosen(np.array([3, BLOCK_ROWS + 3]))
    assert (
        found[[3, BLOCK_ROWS + 3]].tolist()
        == of_packs().mixed(some.levels, some.features, some.mean, some.scale).tolist()
    )


def test_what_the_features_do_not_tell_is_answered():
    levels = np.tile([0.0, 1.0, 2.0, 3.0], (3, 1))
    wild = np.array([[np.nan], [np.inf], [-1e30]])
    found = of_packs().mixed(levels, wild, np.array([0.0, 1e9, 1.0]), np.array([1e-9, 1.0, 1e9]))
    assert np.isfinite(found).all()


def test_nets_that_do_not_lose_are_fitted_again_on_the_series_they_were_judged_on():
    usual = rows(24)
    other = ~FITTED & (np.arange(ROWS) % 4 == 1)
    came = np.where(other, 48.0 * (np.arange(ROWS) % 8 == 1), usual.came)
    features = np.where(other[:, None], 2.0, usual.features)
    bounds = train_bounds(replace(usual, came=came, features=features), NAMES, FITTED, series=SERIES, seed=0, rounds=8)
    assert bounds is not None
    found = bounds.mixed(usual.levels[:1], np.array([[2.0]]), np.full(1, 6.0), np.ones(1))
    assert found[0, 1] == pytest.approx(SHARE * 48 + (1 - SHARE) * 9, abs=3)


def test_nets_that_lose_because_the_levels_know_more_are_left_out():
    usual = rows(24)
    levels = np.repeat(usual.came[:, None], 4, axis=1)
    bounds = train_bounds(replace(usual, levels=levels), NAMES, FITTED, series=SERIES, seed=0, rounds=8)
    assert bounds is None


def test_with_too_few_rows_nothing_is_learnt():
    assert learnt(24, series=SERIES - 1) is None
    few = FITTED & (np.arange(ROWS) > 1)
    assert train_bounds(rows(24), NAMES, few, series=9999, seed=0, rounds=2) is None
