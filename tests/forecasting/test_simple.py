"""SES, TSB, shrinkage and segments: their closed forms, and what an unknown day may not change."""

from __future__ import annotations

import numpy as np
import pytest

from forecasting.boosted import train
from forecasting.panel import Panel
from forecasting.segments import SEGMENTS, segments_of
from forecasting.simple import season_factors, ses, shrunk_mean, simple_levels, tsb


def counts(seed: int, series: int = 6, days: int = 90) -> np.ndarray:
    return np.random.default_rng(seed).poisson(0.7, (series, days)).astype(np.float32)


def test_ses_is_the_weighted_sum_of_the_past():
    units, weight = counts(1), 0.3
    age = np.arange(units.shape[1])[::-1]
    weights = weight * (1 - weight) ** age
    weights[0] = (1 - weight) ** age[0]
    assert ses(units, weight) == pytest.approx(units @ weights, rel=1e-5)


def test_an_unknown_day_changes_neither_ses_nor_tsb():
    units = counts(2)
    with_gap = np.insert(units, 40, np.nan, axis=1)
    assert ses(with_gap) == pytest.approx(ses(units), rel=1e-6)
    assert tsb(with_gap) == pytest.approx(tsb(units), rel=1e-6)


def test_a_new_series_leans_on_the_usual_level_less_with_every_day():
    units = np.full((1, 28), 9.0, dtype=np.float32)
    leaned = [shrunk_mean(units[:, :n], 1.0)[0] for n in (1, 7, 14, 28)]
    assert leaned[0] == (9 + 3) / 4
    assert leaned == sorted(leaned)
    assert leaned[-1] < 9


def test_segments_follow_age_last_sale_interval_and_size():
    days = 200
    daily = np.ones(days)
    weekly = np.where(np.arange(days) % 7 == 0, 2.0, 0.0)
    wild = np.where(np.arange(days) % 14 == 0, 60.0, 1.0)
    lumpy = np.where(np.arange(days) % 70 == 0, 40.0, weekly)
    dead = np.where(np.arange(days) < 100, 1.0, 0.0)
    new = np.where(np.arange(days) < days - 20, np.nan, 1.0)
    units = np.stack([new, dead, daily, wild, weekly, lumpy]).astype(np.float32)
    panel = Panel(list("ABCDEF"), np.datetime64("2026-01-01"), units)
    assert [SEGMENTS[n] for n in segments_of(panel)] == list(SEGMENTS)
    assert simple_levels(panel)[1] == 0


def test_a_series_without_a_known_day_has_the_usual_level_and_no_error():
    units = np.full((2, 30), np.nan, dtype=np.float32)
    units[0] = 4
    panel = Panel(["A", "B"], np.datetime64("2026-01-01"), units)
    assert simple_levels(panel)[1] == pytest.approx(4.0)


@pytest.mark.parametrize("last_day", range(7))
def test_few_series_go_by_their_season_whatever_day_they_end_on(last_day: int):
    week = np.array([5.0, 5, 10, 10, 10, 20, 10])
    units = np.tile(week, 20)[None, : 7 * 19 + last_day]
    panel = Panel(["A"], np.datetime64("2026-01-05"), units.astype(np.float32))
    said = train(panel).forecast(panel, 14).mean[0]
    assert said == pytest.approx(np.roll(np.tile(week, 2), -last_day), rel=0.02)


def test_a_season_is_what_chance_does_not_explain():
    chance = np.random.default_rng(3)
    week = np.tile([0.7, 0.7, 1.0, 1.0, 1.0, 1.6, 1.0], 10)
    flat, strong = chance.poisson(5.0, (200, 70)), chance.poisson(20 * week, (200, 70))
    assert np.abs(season_factors(flat, 7) - 1).mean() < 0.02
    assert season_factors(strong, 7).mean(axis=0) == pytest.approx(week[:7], abs=0.1)
    young = np.where(np.arange(70) < 57, np.nan, strong)
    assert (season_factors(young, 7) == 1).all(), "13 days know one place once"
    assert (season_factors(np.zeros((1, 70)), 7) == 1).all()
