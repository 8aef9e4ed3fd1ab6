"""What the champion says: honest about the future, in the form that purchases are computed from."""

from __future__ import annotations

from dataclasses import replace as replace_of
from datetime import date, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

pytest.importorskip("sklearn.ensemble", reason="no scikit-learn (extra forecast)")

from forecasting.boosted import MODEL
from forecasting.champion import Champion, LearntForecast
from forecasting.model import MODEL as SIMPLE
from forecasting.model import SeriesForecast
from forecasting.model_files import champion_in
from forecasting.policy import Stock, Terms, advise
from forecasting.runs import Forecaster
from forecasting.segments import SEGMENTS, segments_of
from forecasting.series import SeriesKey
from forecasting.words import forecast_record

pytestmark = pytest.mark.timeout(400)  # a training takes 5 s of CPU; on a busy machine that is long
FOREVER = date(2200, 1, 1).toordinal()


@pytest.fixture(scope="session")
def champion(trained_once: Path) -> Champion:
    found, _ = champion_in(trained_once, FOREVER)
    assert found is not None
    return found


def watch() -> None:
    """Nobody breaks these runs off."""


def said(forecaster: Forecaster, champion: Champion | None) -> dict[SeriesKey, SeriesForecast]:
    forecaster.take_champion(champion)
    return dict(forecaster.score(watch))


@pytest.fixture(scope="session")
def forecasts(shop, champion: Champion) -> dict[SeriesKey, SeriesForecast]:
    return said(shop.forecaster(), champion)


def test_every_series_it_knows_is_forecast_by_the_champion(shop, forecasts: dict[SeriesKey, SeriesForecast]):
    assert {one.model for one in forecasts.values()} == {MODEL}
    record = forecast_record(("S44", "MAIN"), forecasts["S44", "MAIN"], "run", "")
    assert (record.model, record.status, len(record.mean)) == (MODEL, "ok", 28)
    assert record.days[0] == (shop.first + timedelta(days=shop.days - 1)).isoformat()


def test_quantiles_never_cross_and_more_days_never_have_a_lower_one(forecasts: dict[SeriesKey, SeriesForecast]):
    for forecast in forecasts.values():
        rows = forecast.daily_quantiles(28)
        for day in zip(*rows, strict=True):
            assert list(day) == sorted(day)
        for p in (0.5, 0.95, 0.99):
            totals = [forecast.total_quantile(days, p) for days in range(1, 61)]
            assert totals == sorted(totals)
        of_week = [forecast.total_quantile(7, p) for p in (0.5, 0.8, 0.95, 0.99)]
        assert of_week == sorted(of_week)


def test_the_quantile_of_a_sum_is_below_the_sum_of_quantiles(forecasts: dict[SeriesKey, SeriesForecast]):
    forecast = forecasts["S44", "MAIN"]
    assert forecast.total_mean(7) < forecast.total_quantile(7, 0.95) < sum(forecast.daily_quantiles(7)[2])
    assert forecast.total_mean(28) == pytest.approx(sum(forecast.mean(28)))


def test_totals_stay_under_their_bound_about_as_often_as_they_should(shop, champion: Champion):
    """A model that had not seen the days, over all series and both fortnights."""
    cut = min(champion.twins)
    twin = Champion("twin", cut, champion.twins[cut], champion.totals, {})
    known = cut - shop.first.toordinal() + 1
    units = shop.units()
    found = said(shop.forecaster(known + 1), twin)
    held = [
        units[n, known : known + 14].sum() <= found[sku, "MAIN"].total_quantile(14, 0.95)
        for n, sku in enumerate(shop.skus)
    ]
    assert 0.8 <= sum(held) / len(held) <= 1.0


def test_beyond_the_horizon_the_last_week_repeats(forecasts: dict[SeriesKey, SeriesForecast]):
    means = forecasts["S40", "MAIN"].mean(42)
    assert means[28:35] == means[35:42] == means[21:28]


def test_a_promotion_known_ahead_raises_the_days_it_is_planned_for(shop, champion: Champion):
    forecaster = shop.forecaster()
    before = said(forecaster, champion)["S30", "MAIN"].mean(28)
    first = shop.first + timedelta(days=shop.days - 1)
    planned = [n for n in range(28) if shop.promoted(30, shop.days - 1 + n)]
    assert planned
    assert not forecaster.has_stale_forecasts()
    for start in range(0, shop.days + 35, 7):
        if shop.promoted(30, start):
            day = shop.first + timedelta(days=start)
            if day >= first:
                forecaster.take_promotion("S30", "", day, day + timedelta(days=6), 0.0)  # taken back
    assert forecaster.has_stale_forecasts()
    run = dict(forecaster.score(watch))
    assert set(run) == {("S30", "MAIN")}, "nobody else's plans have changed"
    after = run["S30", "MAIN"].mean(28)
    assert sum(before[n] for n in planned) > 1.5 * sum(after[n] for n in planned)


def test_what_comes_later_changes_nothing_of_what_was_said_before(shop, champion: Champion):
    """The open day and the days after it are not read: not their units, not their existence."""
    plain, busy = shop.forecaster(150), shop.forecaster(150)
    for series in range(len(shop.skus)):
        busy.take(shop.demand(series, 149, 5_000, offset=2))  # the open day
    day = champion.last_day - 60
    earlier = Champion("earlier", day, champion.trained, champion.totals, {})
    one, two = said(plain, earlier), said(busy, earlier)
    assert [x.mean(28) for x in one.values()] == [x.mean(28) for x in two.values()]
    assert [x.daily_quantiles(28) for x in one.values()] == [x.daily_quantiles(28) for x in two.values()]
    for series in range(len(shop.skus)):
        busy.take(shop.demand(series, 148, 5_000, offset=2))  # a closed day does count
    assert sum(said(busy, earlier)["S10", "MAIN"].mean(28)) > sum(one["S10", "MAIN"].mean(28))


def test_a_part_of_the_series_is_forecast_as_it_is_among_all(shop, champion: Champion):
    """Batches, and series scored again alone: nothing of a series depends on who stands beside it."""
    forecaster = shop.forecaster()
    together = said(forecaster, champion)
    rows = forecaster.closed_days([("S07", "MAIN")])
    assert forecaster.first_day is not None
    alone = champion.forecasts(rows, forecaster.promotions, forecaster.first_day)
    assert alone["S07", "MAIN"] == together["S07", "MAIN"]


def test_ten_times_the_demand_is_ten_times_the_forecast(shop, champion: Champion):
    one, ten = said(shop.forecaster(), champion), said(shop.forecaster(factor=10), champion)
    for sku in shop.skus[30:]:  # those that sell well above the usual level
        assert sum(ten[sku, "MAIN"].mean(28)) == pytest.approx(10 * sum(one[sku, "MAIN"].mean(28)), rel=0.1)
        assert ten[sku, "MAIN"].total_quantile(8, 0.95) > 5 * one[sku, "MAIN"].total_quantile(8, 0.95)


def test_a_series_that_began_after_the_training_gets_the_simple_method(shop, champion: Champion):
    forecaster = shop.forecaster()
    for ahead in range(169, 172):
        forecaster.take(shop.demand(1, ahead, 3))
        forecaster.take(replace(shop.demand(0, ahead, 7), sku="NEW"))
    found = said(forecaster, champion)
    assert found["NEW", "MAIN"].model == SIMPLE
    assert found["S01", "MAIN"].model == MODEL


def test_a_segment_that_it_has_lost_gets_the_simple_method(shop, champion: Champion):
    forecaster = shop.forecaster()
    kinds = dict(zip(forecaster.closed_keys(), segments_of(shop.panel(forecaster)).tolist(), strict=True))
    lost = SEGMENTS[kinds["S20", "MAIN"]]
    found = said(forecaster, replace_of(champion, left=frozenset({lost})))
    assert {SEGMENTS[kinds[key]] for key, one in found.items() if one.model == SIMPLE} == {lost}
    assert {one.model for one in found.values()} == {SIMPLE, MODEL}


def test_advice_follows_from_the_champions_totals(forecasts: dict[SeriesKey, SeriesForecast]):
    forecast = forecasts["S40", "MAIN"]
    assert isinstance(forecast, LearntForecast)
    advice = advise(forecast, Stock(available=1), Terms())
    assert advice.reorder_point == forecast.total_quantile(8, 0.95)
    assert advice.quantity == forecast.total_quantile(22, 0.95) - 1
    shorter = advise(forecast, Stock(available=1), Terms(lead_days=3))
    assert shorter.reorder_point <= advice.reorder_point


def test_without_a_champion_the_simple_method_speaks(shop):
    assert {one.model for one in said(shop.forecaster(60), None).values()} == {SIMPLE}
