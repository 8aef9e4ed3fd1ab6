"""The stock play counts what it should: lead time, lost sales, and stock at equal fill."""

from __future__ import annotations

import numpy as np
import pytest

from forecasting.replay import Outcome, replay, stock_at_fill


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
    outcomes = [Outcome(0.9, 10.0), Outcome(1.0, 20.0)]
    assert stock_at_fill(outcomes, 0.95) == pytest.approx(15.0)
    assert stock_at_fill(outcomes, 0.8) is None
