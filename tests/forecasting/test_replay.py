"""The stock play counts what it should: lead time, lost sales, and stock at equal fill."""

from __future__ import annotations

import numpy as np
import pytest

from forecasting.replay import Judged, Outcome, Risk, replay, stock_at_fill


def test_stock_for_lead_time_and_review_never_runs_out_of_steady_demand_and_one_unit_less_does():
    demand = np.full((1, 60), 2.0)
    assert replay(demand, np.full((1, 60), 16.0)).fill == 1
    assert replay(demand, np.full((1, 60), 14.0)).fill < 1


def test_an_order_arrives_before_the_demand_of_the_day_after_its_lead_time():
    demand = np.zeros((1, 12))
    demand[0, 0], demand[0, 7], demand[0, 8] = 5, 5, 5
    # Day 0 sells all and orders 5, which is there on day 8: day 7 is lost.
    assert replay(demand, np.full((1, 12), 5.0), lead_days=7, warm_up_days=0).fill == pytest.approx(2 / 3)


def test_lost_sales_are_not_caught_up():
    demand = np.array([[9.0, 0, 0, 0]])
    found = replay(demand, np.full((1, 4), 3.0), lead_days=1, warm_up_days=0)
    assert found.fill == pytest.approx(3 / 9)


def test_a_higher_level_never_fills_less():
    demand = np.random.default_rng(4).poisson(1.3, (20, 120)).astype(float)
    fills = [replay(demand, np.full(demand.shape, level)).fill for level in (5.0, 10.0, 15.0, 20.0)]
    assert fills == sorted(fills)
    assert fills[0] < fills[-1]


def test_stock_at_a_fill_lies_between_the_outcomes_round_it_or_is_unknown():
    outcomes = [Outcome(0.9, 10.0, 1.0), Outcome(1.0, 20.0, 1.0)]
    assert stock_at_fill(outcomes, 0.95) == pytest.approx(15.0)
    assert stock_at_fill(outcomes, 0.8) is None


def test_with_a_reorder_point_nothing_is_ordered_above_it():
    demand = np.full((1, 60), 2.0)
    level, point = np.full((1, 60), 40.0), np.full((1, 60), 16.0)
    without, with_point = replay(demand, level), replay(demand, level, points=point)
    assert (without.fill, with_point.fill) == (1, 1)
    assert with_point.stock_days < without.stock_days
    assert replay(demand, level, points=np.full((1, 60), 12.0)).fill < 1


def test_a_longer_review_needs_a_higher_level():
    demand = np.full((1, 90), 2.0)
    assert replay(demand, np.full((1, 90), 16.0), review_days=7).fill < 1
    assert replay(demand, np.full((1, 90), 28.0), review_days=7).fill == 1


def judged_on(demand: list[float], stock: float, mark: float, lead_days: int = 7) -> Judged:
    """Alerts of one series that starts with `stock`, with the same mark for every day ahead."""
    days = len(demand)
    judged, flat = Judged(), np.full((max(1, lead_days), 1, days), mark)
    levels = np.full((1, days), stock)
    replay(np.array([demand]), levels, lead_days, warm_up_days=0, risk=Risk(flat, flat), judged=judged)
    return judged


def test_an_alert_is_right_when_sales_are_lost_before_goods_could_be_there():
    demand = [8.0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0]
    judged = judged_on(demand, stock=10, mark=3)
    assert (judged.alerts, judged.right, judged.lead_days, judged.outs, judged.told) == (1, 1, 3, 1, 1)
    assert judged.figures()["precision"] == 1


def test_an_alert_is_wrong_when_nothing_is_lost_and_a_stock_out_without_one_was_not_told():
    assert judged_on([8.0] + [0.0] * 11, stock=10, mark=3).figures() == {
        "alerts": 1, "precision": 0, "lead_days": None, "stockouts": 0, "told_before": None,
    }  # fmt: skip
    assert judged_on([0.0, 0, 12] + [0.0] * 9, stock=10, mark=3).figures()["told_before"] == 0


def test_without_a_lead_time_the_days_own_goods_serve_it_and_the_alert_of_that_day_is_judged_without_them():
    demand = [8.0, 5, 0, 0]
    assert replay(np.array([demand]), np.full((1, 4), 10.0), lead_days=0, warm_up_days=0).fill == 1
    judged = judged_on(demand, stock=10, mark=5, lead_days=0)
    assert (judged.alerts, judged.right, judged.lead_days, judged.outs, judged.told) == (1, 1, 1, 1, 1)
    assert judged_on([8.0, 2, 0, 0], stock=10, mark=5, lead_days=0).right == 0
