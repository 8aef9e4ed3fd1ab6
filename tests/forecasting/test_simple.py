"""SES, TSB, shrinkage and segments: their closed forms, and what an unknown day may not change."""

from __future__ import annotations

import numpy as np
import pytest

from forecasting.panel import Panel
from forecasting.segments import SEGMENTS, segments_of
from forecasting.simple import ses, shrunk_mean, simple_levels, tsb


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
