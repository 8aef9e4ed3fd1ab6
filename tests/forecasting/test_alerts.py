"""What is going to go wrong is told when it can be foreseen, once, and taken back at a lower mark."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting.model import SeriesForecast, fit
from forecasting.policy import Stock
from forecasting.policy.alerts import EXPIRING, KINDS, OVERSTOCK, STOCKOUT, Concern, concerns
from forecasting.series import Series
from forecasting.watching import Watching
from forecasting.words import alert_record

DAY = date(2026, 3, 2).toordinal()
RECEIPT = DAY + 7
KEY = ("A", "MAIN")


def forecast(units: list[int]) -> SeriesForecast:
    series = Series("SKU", "MAIN", DAY - 1, list(units))
    return fit([series]).forecast(series)


TEN = forecast([10] * 60)


def found(stock: Stock, *raised: str, shelf_life_days: int = 0, outlook: SeriesForecast = TEN) -> dict[str, Concern]:
    return {one.kind: one for one in concerns(outlook, stock, RECEIPT, shelf_life_days, raised)}


def test_stock_that_will_not_last_until_goods_can_be_there_is_told_with_the_day_it_is_gone():
    one = found(Stock(available=35))[STOCKOUT]
    assert (one.day, one.until, one.units) == ("2026-03-05", "2026-03-09", 35)
    assert one.probability > 0.9
    assert "35 there or coming before 2026-03-09, 70.0 expected" in one.note
    assert found(Stock(available=TEN.total_quantile(7, 0.5))) == {}


def test_what_comes_in_time_counts_and_what_comes_later_does_not():
    assert found(Stock(available=35, incoming=200, arrivals=((DAY + 3, 200),))) == {}
    assert STOCKOUT in found(Stock(available=35, incoming=200, arrivals=((RECEIPT, 200),)))
    assert found(Stock(available=35, incoming=200)) == {}, "without a day it was still ordered before"


def test_stock_that_is_gone_before_the_goods_come_is_told_although_all_together_would_do():
    one = found(Stock(available=5, incoming=200, arrivals=((DAY + 6, 200),)))[STOCKOUT]
    assert (one.day, one.until, one.stock) == ("2026-03-02", "2026-03-08", 5)


def test_goods_that_could_be_there_today_do_not_serve_today():
    stock = Stock(available=3, incoming=100, arrivals=((DAY + 5, 100),))
    [one] = concerns(TEN, stock, DAY, 0, ())
    assert (one.kind, one.day, one.until) == (STOCKOUT, "2026-03-02", "2026-03-03")
    assert concerns(TEN, Stock(available=60), DAY, 0, ()) == []


def test_what_is_owed_is_not_there():
    assert STOCKOUT in found(Stock(available=100, backordered=80))


def test_a_mark_is_left_lower_than_it_was_reached():
    between = next(units for units in range(200) if TEN.total_quantile(7, 0.5) <= units < TEN.total_quantile(7, 0.7))
    assert found(Stock(available=between)) == {}
    assert found(Stock(available=between), STOCKOUT).keys() == {STOCKOUT}
    assert found(Stock(available=TEN.total_quantile(7, 0.7)), STOCKOUT) == {}


@settings(max_examples=150, deadline=None)
@given(st.lists(st.integers(0, 40), min_size=20, max_size=100), st.integers(0, 3000), st.integers(0, 60))
def test_what_stood_raised_and_would_be_raised_anew_stays_raised(units: list[int], available: int, shelf_days: int):
    outlook = forecast(units)
    stock = Stock(available, lots=((DAY + 5, available // 2), (DAY + 40, available - available // 2)))
    new = found(stock, shelf_life_days=shelf_days, outlook=outlook)
    kept = found(stock, *KINDS, shelf_life_days=shelf_days, outlook=outlook)
    assert new.keys() <= kept.keys()


def test_more_than_sells_within_shelf_life_is_overstock():
    limit = TEN.total_quantile(30, 0.9)
    one = found(Stock(available=limit + 40), shelf_life_days=30)[OVERSTOCK]
    assert (one.units, one.until) == (40, "2026-04-01")
    assert OVERSTOCK not in found(Stock(available=limit), shelf_life_days=30)
    assert OVERSTOCK not in found(Stock(available=limit + 40)), "without a shelf life 120 days count"
    assert OVERSTOCK in found(Stock(available=limit - 10), OVERSTOCK, shelf_life_days=30)


def test_stock_of_what_nobody_buys_is_overstock():
    assert found(Stock(available=3), outlook=replace(forecast([0] * 60), status="ok")).keys() == {OVERSTOCK}


def test_lots_that_will_not_sell_by_their_date_are_told_with_what_is_left_over():
    one = found(Stock(available=400, lots=((DAY + 9, 150), (DAY + 200, 250))))[EXPIRING]
    assert (one.units, one.day, one.stock) == (50, "2026-03-11", 150)
    assert EXPIRING not in found(Stock(available=400, lots=((DAY + 9, 90), (DAY + 200, 310))))


def test_later_lots_wait_for_the_earlier_ones_and_claimed_units_leave_first():
    lots = ((DAY + 9, 90), (DAY + 10, 90))
    assert found(Stock(available=180, lots=lots))[EXPIRING].units == 70
    assert EXPIRING not in found(Stock(available=100, lots=lots, committed=80))


def test_too_little_history_raises_nothing():
    assert concerns(forecast([9]), Stock(available=0), RECEIPT, 0, ()) == []


# ---- over time


def test_a_concern_is_told_once_again_when_its_days_change_and_once_when_it_is_over():
    watching = Watching()
    first = found(Stock(available=35))[STOCKOUT]
    assert list(watching.renew(KEY, [first])) == [(first, True)]
    assert list(watching.renew(KEY, [replace(first, probability=0.93)])) == []
    later = replace(first, day="2026-03-06")
    assert list(watching.renew(KEY, [later])) == [(later, True)]
    assert list(watching.renew(KEY, [])) == [(later, False)]
    assert list(watching.renew(KEY, [])) == []


@pytest.mark.parametrize("raised", [True, False])
def test_after_a_restart_nothing_is_said_twice(raised: bool):
    watching = Watching()
    one = found(Stock(available=35))[STOCKOUT]
    watching.take(alert_record(KEY, one, True, "2026-03-01.001", ""))
    if not raised:
        watching.take(alert_record(KEY, one, False, "2026-03-01.002", ""))
    assert watching.raised(KEY) == (frozenset({STOCKOUT}) if raised else frozenset())
    assert list(watching.renew(KEY, [one] if raised else [])) == []


def test_what_comes_back_of_our_own_words_changes_nothing_that_was_said_since():
    watching = Watching()
    one = found(Stock(available=35))[STOCKOUT]
    list(watching.renew(KEY, [one]))
    list(watching.renew(KEY, []))
    watching.take(alert_record(KEY, one, True, "2026-03-01.001", ""))
    assert watching.raised(KEY) == frozenset()
