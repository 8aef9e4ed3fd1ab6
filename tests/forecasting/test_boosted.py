"""The boosted model sees no future, knows its size, and falls back where there is too little to learn from."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

pytest.importorskip("sklearn.ensemble", reason="no scikit-learn (extra forecast)")

from forecasting.boosted import (
    MODEL,
    PEAKS_MAX_SCALES,
    SIMPLE_MODEL,
    TARGET_MAX_SCALES,
    Forecasts,
    Trained,
    cut_of,
    train,
)
from forecasting.features import rows_of, summed
from forecasting.leadtime import rising, train_duration
from forecasting.panel import Panel

FIRST_DAY = np.datetime64("2026-01-01")
SERIES, DAYS = 60, 170
ROUNDS = 30  # enough for a shape this plain


@cache
def shop() -> Panel:
    """Weekly shape, a promotion that triples demand every fifth week, levels from 0.2 to 20."""
    chance = np.random.default_rng(11)
    levels = np.geomspace(0.2, 20, SERIES)[:, None]
    day = np.arange(DAYS + 60)
    shape = np.where(day % 7 >= 5, 2.0, 0.6)
    promo = ((day // 7 + np.arange(SERIES)[:, None]) % 5 == 0).astype(np.float32)
    mean = levels * shape * (1 + 2 * promo)
    units = chance.poisson(mean[:, :DAYS]).astype(np.float32)
    return Panel([f"S{n:03d}" for n in range(SERIES)], FIRST_DAY, units, {"promo": promo})


def learnt(panel: Panel) -> Trained:
    return train(panel, rounds=ROUNDS)


@cache
def shop_learnt() -> Trained:
    return learnt(shop())


@cache
def said() -> Forecasts:
    return shop_learnt().forecast(shop(), 28)


@pytest.mark.parametrize("name", ["age", "last", "ahead", "season_place"])
def test_what_is_known_ahead_may_be_called_as_it_likes(name: str):
    """Called like a column of ours it took its place, and the model never learnt how old a series is."""
    one = shop()
    other = Panel(one.ids, one.first_day, one.units, {name: one.known_ahead["promo"]})
    rows = np.arange(SERIES), np.full(SERIES, DAYS - 1), np.full(SERIES, 3)
    (as_promo, names), (as_ours, others) = (rows_of(summed(x), *rows) for x in (one, other))
    assert len(set(others)) == len(names)
    assert np.array_equal(as_promo, as_ours, equal_nan=True)


def test_the_weekly_shape_and_the_promotion_are_learnt():
    promo = shop().known_ahead["promo"][:, DAYS : DAYS + 28]
    mean = said().mean / np.geomspace(0.2, 20, SERIES)[:, None]
    weekend = (np.arange(DAYS, DAYS + 28) % 7 >= 5)[None, :] & np.ones((SERIES, 1), dtype=bool)
    assert mean[weekend & (promo == 0)].mean() > 1.8 * mean[~weekend & (promo == 0)].mean()
    assert mean[weekend & (promo == 1)].mean() > 1.8 * mean[weekend & (promo == 0)].mean()
    assert shop_learnt().model == MODEL


def test_quantiles_never_cross_and_no_number_is_missing_or_below_zero():
    assert (np.diff(said().quantiles, axis=2) >= 0).all()
    assert np.isfinite(said().mean).all()
    assert said().mean.min() >= 0


def test_the_same_panel_and_seed_give_the_same_forecast():
    again = learnt(shop()).forecast(shop(), 28)
    assert np.array_equal(again.mean, said().mean)
    assert np.array_equal(again.quantiles, said().quantiles)


def test_ten_times_the_demand_is_ten_times_the_mean():
    larger = replace(shop(), units=shop().units * 10)
    mean = learnt(larger).forecast(larger, 28).mean
    assert mean == pytest.approx(10 * said().mean, rel=0.02)


def test_changing_the_future_changes_no_feature_and_no_forecast():
    cut = DAYS - 28
    changed = shop().units.copy()
    changed[:, cut:] = 500
    other = replace(shop(), units=changed)
    series, origin, ahead = np.repeat(np.arange(SERIES), 3), np.full(3 * SERIES, cut - 1), np.tile([1, 9, 28], SERIES)
    before, names = rows_of(summed(shop(), usual_units=1.0), series, origin, ahead)
    after, _ = rows_of(summed(other, usual_units=1.0), series, origin, ahead)
    different = [name for n, name in enumerate(names) if not np.array_equal(before[:, n], after[:, n], equal_nan=True)]
    assert different == []
    one, two = shop().until(cut), other.until(cut)
    assert np.array_equal(learnt(one).forecast(one).quantiles, learnt(two).forecast(two).quantiles)
    assert not np.array_equal(rows_of(summed(other, usual_units=1.0), series, origin + 1, ahead)[0], before)


def test_last_years_week_is_a_known_one_however_far_ahead_the_day_asked_about_lies():
    units = np.ones((1, 1000), dtype=np.float32)
    units[:, 860:867] = 5  # a week that comes round again at 1224 to 1230, and at 1588 to 1594
    past = summed(Panel(["A"], FIRST_DAY, units))
    features, names = rows_of(past, np.zeros(3, dtype=int), np.full(3, 999), np.array([228, 592, 596]))
    found = features[:, names.index("last_year")]
    assert found[0] == found[1] > found[2] > 1


def test_a_past_sale_changes_features_of_every_later_origin():
    changed = shop().units.copy()
    changed[:, DAYS - 20] += 7
    series, origin = np.arange(SERIES), np.full(SERIES, DAYS - 10)
    before, names = rows_of(summed(shop(), usual_units=1.0), series, origin, np.ones(SERIES, dtype=int))
    other = summed(replace(shop(), units=changed), usual_units=1.0)
    after, _ = rows_of(other, series, origin, np.ones(SERIES, dtype=int))
    assert (before[:, names.index("mean_28")] != after[:, names.index("mean_28")]).all()


def test_too_little_to_learn_from_falls_back_and_says_why():
    small = shop().chosen(np.arange(3)).until(40)
    trained = learnt(small)
    assert trained.model == SIMPLE_MODEL
    assert "rows to train on" in trained.reason
    forecast = trained.forecast(small, 14)
    assert forecast.mean.shape == (3, 14)
    assert (np.diff(forecast.quantiles, axis=2) >= 0).all()


@pytest.mark.parametrize("fill", [np.nan, 0.0, 3.0])
def test_a_known_ahead_column_that_says_nothing_changes_nothing(fill: float):
    plain = replace(shop(), known_ahead={})
    silent = replace(shop(), known_ahead={"flat": np.full((SERIES, DAYS + 60), fill, dtype=np.float32)})
    assert np.array_equal(learnt(silent).forecast(silent).mean, learnt(plain).forecast(plain).mean)


def test_zeros_huge_numbers_single_days_and_unknown_days_beside_the_rest_are_forecast():
    units = shop().units.copy()
    units[0] = 0
    units[1, :] = 1e8
    units[2, :-1] = np.nan
    units[3, 60:150] = np.nan
    dirty = replace(shop(), units=units)
    forecast = learnt(dirty).forecast(dirty)
    assert np.isfinite(forecast.mean).all()
    assert np.isfinite(forecast.quantiles).all()
    assert forecast.mean[0].max() < 0.05
    assert forecast.mean[1].mean() > 1e6


def test_peaks_are_kept_where_they_are_few_units_and_cut_where_single_orders_are_most_of_them():
    scale = np.ones(1000)
    promotions, orders = np.ones(1000), np.ones(1000)
    promotions[::100] = 14
    orders[0] = 500
    assert cut_of(promotions, scale) == PEAKS_MAX_SCALES
    assert cut_of(orders, scale) == TARGET_MAX_SCALES


def test_what_has_not_sold_for_a_quarter_is_expected_to_stay_so():
    units = shop().units.copy()
    units[-1, -91:] = 0
    units[-2, -90:] = 0
    stopped = replace(shop(), units=units)
    mean = shop_learnt().forecast(stopped).mean
    assert mean[-1].max() == 0
    assert mean[-2].min() > 0


def test_all_series_of_zeros_are_forecast_as_zero():
    zeros = replace(shop(), units=np.zeros((SERIES, DAYS), dtype=np.float32))
    forecast = learnt(zeros).forecast(zeros)
    assert forecast.mean.max() < 0.01
    assert forecast.quantiles[..., 0].max() == 0


def test_more_lead_time_never_lowers_a_level_and_levels_never_cross():
    trained = shop_learnt()
    durations = [train_duration(shop(), trained, days, rounds=ROUNDS) for days in (3, 8)]
    levels = rising({duration.days: duration.levels(shop(), trained) for duration in durations})
    assert (levels[8] >= levels[3]).all()
    assert levels[8].sum() > 1.5 * levels[3].sum()
    assert (np.diff(levels[8], axis=1) >= 0).all()


def test_a_level_holds_on_the_days_that_followed():
    cut = DAYS - 8
    past = shop().until(cut)
    trained = learnt(past)
    duration = train_duration(past, trained, 8, rounds=ROUNDS)
    levels = duration.levels(past, trained)
    came = shop().units[:, cut:].sum(axis=1)
    assert 0.85 <= (came <= levels[:, 2]).mean() <= 1.0
    assert levels[:, 2].sum() < 2.5 * came.sum()
