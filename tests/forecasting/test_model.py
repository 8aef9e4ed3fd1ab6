"""The simple method: what it must say of easy series, and what must hold for every series."""

from __future__ import annotations

import random
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting.model import HORIZON_DAYS, SeriesForecast, fit
from forecasting.series import Series
from forecasting.spread import PROBABILITIES

SUNDAY = date(2026, 3, 1).toordinal()
histories = st.lists(st.one_of(st.none(), st.integers(0, 60)), min_size=1, max_size=112)


def series(units: list[int | None], name: str = "SKU", last_day: int = SUNDAY) -> Series:
    return Series(name, "MAIN", last_day, units)


def forecast(units: list[int | None]) -> SeriesForecast:
    return fit([series(units)]).forecast(series(units))


def test_a_steady_series_is_continued():
    assert forecast([4] * 60).mean(3) == pytest.approx([4, 4, 4])


def test_the_level_follows_the_last_28_days():
    assert sum(forecast([1] * 60 + [6] * 28).mean(7)) == pytest.approx(42)


def test_weekdays_keep_their_shape():
    week = [0, 10, 10, 10, 10, 60, 40]  # Monday first; the series ends on a Sunday
    found = forecast(week * 12).mean(14)
    assert sum(found) == pytest.approx(2 * sum(week))
    assert found[5] > 2 * found[1] > found[0], "Saturdays stand out, Mondays are low"
    assert found[:7] == found[7:]


def test_unknown_days_are_left_out_of_the_mean():
    assert forecast([4, None] * 40).level == pytest.approx(4)


@pytest.mark.parametrize(
    ("units", "status"),
    [([3] * 13, "insufficient_data"), ([0] * 40 + [4], "insufficient_data"), ([3] * 14, "ok"), ([0] * 40 + [5], "ok")],
)
def test_too_few_days_or_units_are_flagged(units: list[int | None], status: str):
    assert forecast(units).status == status


def test_a_short_history_leans_on_the_usual_level_of_the_others():
    others = [series([2] * 60, f"SKU-{n}") for n in range(5)]
    newcomer = series([8] * 3, "NEW")
    found = fit([*others, newcomer]).forecast(newcomer)
    assert found.status == "insufficient_data"
    assert found.level == pytest.approx((8 * 3 + 2 * 3) / 6, rel=0.01)


def test_in_a_young_log_those_of_three_days_and_more_are_the_others():
    """Its big seller was bought for as if its first days were all that is ever known of what sells."""
    log = [series([1] * 5, f"SKU-{n}") for n in range(9)] + [series([50], "TODAY")]
    big = series([40] * 5, "BIG")
    usual = 40 ** (1 / 10)
    assert fit([*log, big]).forecast(big).level == pytest.approx((40 * 5 + usual * 3) / 8, rel=0.01)
    assert fit([series([9] * 2), series([1] * 2, "B")]).forecast(series([9] * 2)).level == 9, "too young all of them"


def test_the_spread_of_noisy_series_is_learned_by_those_of_like_volume():
    chance = random.Random(7)
    noisy = [series([chance.choice([0, 0, 0, 20]) for _ in range(112)], f"N{n}") for n in range(20)]
    steady = [series([chance.choice([4, 5, 6]) for _ in range(112)], f"S{n}") for n in range(20)]
    wide, narrow = fit(noisy).forecast(noisy[0]), fit(steady).forecast(steady[0])
    assert wide.daily_quantiles(1)[2][0] > 1.5 * narrow.daily_quantiles(1)[2][0]


@settings(max_examples=150, deadline=None)
@given(histories)
def test_quantiles_never_cross_and_never_go_below_zero(units: list[int | None]):
    rows = forecast(units).daily_quantiles(HORIZON_DAYS)
    assert len(rows) == len(PROBABILITIES)
    for day in zip(*rows, strict=True):
        assert 0 <= day[0] <= day[1] <= day[2] <= day[3]


@settings(max_examples=150, deadline=None)
@given(histories, st.integers(1, 40))
def test_the_quantile_of_a_longer_sum_is_never_lower(units: list[int | None], days: int):
    found = forecast(units)
    assert found.total_quantile(days, 0.95) <= found.total_quantile(days + 1, 0.95)
    assert found.total_mean(days) == pytest.approx(sum(found.mean(days)))


@settings(derandomize=True, deadline=None)
@given(st.lists(st.integers(0, 30), min_size=28, max_size=90), st.integers(2, 10))
def test_scaling_demand_scales_the_level(units: list[int], times: int):
    scaled = [value * times for value in units]
    assert forecast(scaled).level == pytest.approx(times * forecast(units).level)


@given(st.lists(histories, min_size=1, max_size=6))
@settings(max_examples=50, deadline=None)
def test_the_order_of_series_changes_nothing_that_is_published(many: list[list[int | None]]):
    named = [series(units, f"S{n}") for n, units in enumerate(many)]
    one, other = fit(named).forecast(named[0]), fit(reversed(named)).forecast(named[0])
    assert one.level == pytest.approx(other.level)
    assert one.slow == pytest.approx(other.slow)
    assert one.fast == pytest.approx(other.fast)
