"""Lines follow levels and bends, are calm outside what they have seen, and take what is unknown for ordinary."""

from __future__ import annotations

import pickle
from functools import cache

import numpy as np
import pytest

pytest.importorskip("sklearn.linear_model", reason="no scikit-learn (extra forecast)")

from forecasting.linear import BLOCK_ROWS, LogLinear, fit_linear
from forecasting.means import fit_mean

NAMES = ("mean_28", "season_place", "promo", "gap")
ROWS = 20_000


@cache
def rows() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features, what they come to on average, and what came: in proportion to the level, a bend at a gap of 30, a
    season of seven places; a tenth of the gaps is unknown."""
    chance = np.random.default_rng(3)
    level, place = chance.gamma(2.0, 0.5, ROWS), chance.integers(0, 7, ROWS)
    promo, gap = chance.integers(0, 2, ROWS), chance.integers(0, 60, ROWS).astype(float)
    mean = level * np.where(place >= 5, 2.0, 0.6) * (1 + promo) * np.exp(-np.maximum(gap - 30, 0) / 20)
    features = np.column_stack([level, place, promo, np.where(chance.random(ROWS) < 0.1, np.nan, gap)])
    return features.astype(np.float32), mean, chance.poisson(mean).astype(float)


@cache
def fitted() -> LogLinear:
    features, _, came = rows()
    return fit_linear(features, NAMES, came, np.ones(ROWS))


def test_the_season_a_promotion_and_a_bend_are_found():
    one = np.array([[1.0, 5, 0, 10], [1.0, 0, 0, 10], [1.0, 5, 1, 10], [1.0, 5, 0, 55], [1.0, 5, 0, 25]])
    weekend, weekday, promoted, long_ago, lately = fitted().predict(one)
    assert weekend == pytest.approx(2.0, rel=0.15)
    assert weekend / weekday == pytest.approx(2 / 0.6, rel=0.15)
    assert promoted / weekend == pytest.approx(2, rel=0.15)
    assert long_ago / weekend == pytest.approx(np.exp(-25 / 20), rel=0.3)
    assert lately / weekend == pytest.approx(1, rel=0.2)


def test_what_is_said_adds_up_to_what_came():
    features, _, came = rows()
    assert fitted().predict(features).sum() == pytest.approx(came.sum(), rel=0.01)


def test_nothing_outside_what_was_seen_leads_beyond_the_greatest_target():
    wild = np.array([[1e30, 5, 1, 0], [0, 99, -1e30, 1e30], [np.nan] * 4, [np.inf, -np.inf, np.inf, np.nan]])
    said = fitted().predict(wild)
    assert np.isfinite(said).all()
    assert said.min() >= 0
    assert said.max() <= rows()[2].max()


def test_more_rows_than_one_block_are_said_as_each_alone():
    features = np.tile(rows()[0], (2, 1))
    assert len(features) > 2 * BLOCK_ROWS
    said = fitted().predict(features)
    assert said[:ROWS] == pytest.approx(said[ROWS:])
    assert said[[7, BLOCK_ROWS + 7]] == pytest.approx(fitted().predict(features[[7, BLOCK_ROWS + 7]]))


def test_trees_and_lines_together_are_nearer_than_either_and_can_be_kept():
    features, mean, came = rows()
    mixed = fit_mean(features, NAMES, came, np.ones(ROWS), seed=0, rounds=60)
    error = [np.abs(model.predict(features) - mean).mean() for model in (mixed, mixed.trees, mixed.lines)]
    assert error[0] < min(error[1:])
    again = pickle.loads(pickle.dumps(mixed))
    assert np.array_equal(again.predict(features), mixed.predict(features))
