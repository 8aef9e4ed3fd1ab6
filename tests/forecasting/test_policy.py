"""What to buy: the position against the quantile over lead time + review, and the reason in words."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting.model import SeriesForecast, fit
from forecasting.policy import Advice, Stock, Terms, advise
from forecasting.series import Series

TODAY = date(2026, 3, 2)
histories = st.lists(st.integers(0, 40), min_size=1, max_size=100)


def forecast(units: list[int]) -> SeriesForecast:
    series = Series("SKU", "MAIN", TODAY.toordinal() - 1, list(units))
    return fit([series]).forecast(series)


def test_stock_above_the_reorder_point_waits_and_says_until_when():
    advice = advise(forecast([10] * 60), Stock(available=300), Terms())
    assert advice.quantity == 0
    days = -(-(300 - advice.reorder_point) // 10)
    assert advice.order_by == (TODAY + timedelta(days=days)).isoformat()
    assert advice.reason.startswith(f"No purchase yet, expected in {days} days: position 300 = 300 available;")


def test_stock_at_the_reorder_point_is_filled_up_today():
    demand = forecast([10] * 60)
    point = advise(demand, Stock(), Terms()).reorder_point
    advice = advise(demand, Stock(available=point), Terms())
    assert advice.quantity == advice.order_up_to - point > 0
    assert advice.order_by == TODAY.isoformat()
    assert advise(demand, Stock(available=point + 1), Terms()).quantity == 0


def test_what_is_owed_lowers_the_position_and_what_is_coming_raises_it():
    advice = advise(forecast([1] * 60), Stock(available=2, shortage=5, incoming=9, backordered=3), Terms())
    assert advice.position == 3
    assert "position 3 = 2 available + 9 incoming - 8 owed" in advice.reason


def test_the_reason_carries_its_figures():
    advice = advise(forecast([10] * 60), Stock(available=20), Terms(lead_days=5, review_days=2))
    for figure in (f"Buy {advice.quantity} today", f"reorder point {advice.reorder_point}", "95% quantile",
                   "5 days lead time + 2 review", "70.0 expected", f"{advice.safety_stock} safety"):  # fmt: skip
        assert figure in advice.reason


def test_a_discontinued_sku_is_never_bought():
    advice = advise(forecast([10] * 60), Stock(discontinued=True), Terms())
    assert (advice.quantity, advice.order_by) == (0, "")
    assert "discontinued" in advice.reason


def test_too_little_history_is_said():
    assert "Too little history" in advise(forecast([3]), Stock(), Terms()).reason


def test_nothing_sold_asks_for_nothing():
    assert advise(forecast([0] * 60), Stock(), Terms()).quantity == 0


@settings(max_examples=150, deadline=None)
@given(histories, st.integers(0, 60))
def test_more_lead_time_never_lowers_reorder_point_or_order_up_to(units: list[int], lead_days: int):
    demand = forecast(units)
    shorter = advise(demand, Stock(), Terms(lead_days=lead_days))
    longer = advise(demand, Stock(), Terms(lead_days=lead_days + 1))
    assert shorter.reorder_point <= longer.reorder_point
    assert shorter.order_up_to <= longer.order_up_to


@settings(max_examples=150, deadline=None)
@given(histories, st.integers(0, 500), st.integers(0, 50))
def test_a_purchase_is_proposed_exactly_at_or_under_the_reorder_point(units: list[int], available: int, shortage: int):
    advice = advise(forecast(units), Stock(available, shortage), Terms())
    assert advice.reorder_point <= advice.order_up_to
    assert advice.safety_stock >= 0
    if advice.position > advice.reorder_point:
        assert advice.quantity == 0
    else:
        assert advice.position + advice.quantity == advice.order_up_to


@settings(max_examples=100, deadline=None)
@given(histories, st.sampled_from([0.5, 0.8, 0.9, 0.95]))
def test_more_service_never_asks_for_less(units: list[int], service: float):
    demand = forecast(units)
    less, more = advise(demand, Stock(), Terms(service=service)), advise(demand, Stock(), Terms(service=0.99))
    assert less.reorder_point <= more.reorder_point


def test_only_a_change_a_buyer_would_act_on_is_news():
    demand = forecast([10] * 60)

    def with_stock(units: int) -> Advice:
        return advise(demand, Stock(available=units), Terms())

    first = with_stock(20)
    assert first.is_news_after(None)
    assert not with_stock(19).is_news_after(first), "one unit more of two hundred"
    assert with_stock(1000).is_news_after(first)
    assert replace(first, supplier="ACME").is_news_after(first)
    assert replace(first, cost_cents=100).is_news_after(first)
    assert replace(first, expected="2026-03-20").is_news_after(first)


@pytest.mark.parametrize("wrong", [{"lead_days": -1}, {"review_days": 0}, {"service": 1.0}, {"service": 0.2}])
def test_terms_that_mean_nothing_are_refused(wrong: dict[str, float]):
    with pytest.raises(ValueError, match=r"give|must"):
        Terms(**wrong)
