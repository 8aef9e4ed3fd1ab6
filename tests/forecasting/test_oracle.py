"""SES and TSB, a policy's levels and what stock would miss equal the public libraries', where these are installed."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest

from forecasting.model import SeriesForecast
from forecasting.policy.levels import levels, lost_sales, mean_lost
from forecasting.simple import ses, tsb

DEMAND = np.random.default_rng(3).poisson(0.7, (6, 90)).astype(np.float64)


@pytest.fixture
def models() -> ModuleType:
    return pytest.importorskip("statsforecast.models", reason="no statsforecast (extra bench-forecast)")


@pytest.mark.parametrize("weight", [0.05, 0.1, 0.4])
def test_ses_equals_statsforecast(models: ModuleType, weight: float):
    said = [models.SimpleExponentialSmoothing(alpha=weight).forecast(row, h=1)["mean"][0] for row in DEMAND]
    assert ses(DEMAND, weight) == pytest.approx(said, rel=1e-6)


def test_tsb_equals_statsforecast(models: ModuleType):
    said = [models.TSB(alpha_d=0.2, alpha_p=0.1).forecast(row, h=1)["mean"][0] for row in DEMAND]
    assert tsb(DEMAND, 0.2, 0.1) == pytest.approx(said, rel=1e-6)


def outlook(mean: float, slow: float, fast: float) -> SeriesForecast:
    return SeriesForecast("ok", 739_000, mean, (mean,) * 7, slow, fast)


@pytest.mark.parametrize(("mean", "slow", "fast"), [(0.3, 0.4, 0.8), (2.0, 0.1, 0.5), (11.0, 0.02, 0.3)])
@pytest.mark.parametrize("stockout_cost", [3, 19, 49])
def test_levels_are_the_newsvendors_of_demand_until_the_next_chance(
    mean: float, slow: float, fast: float, stockout_cost: int
):
    """The dial is the critical ratio: reorder point over 8 days, order up to over 22."""
    newsvendor = pytest.importorskip("stockpyl.newsvendor", reason="no stockpyl")
    from scipy.stats import nbinom

    found = levels(outlook(mean, slow, fast), 8, 14, stockout_cost / (1 + stockout_cost))
    for days, level in ((8, found.reorder_point), (22, found.order_up_to)):
        total = mean * days
        excess = slow * total + fast * mean
        demand = nbinom(total / excess, 1 / (1 + excess))
        said, _ = newsvendor.newsvendor_discrete(1, stockout_cost, demand_distrib=demand)
        assert level == said


@pytest.mark.parametrize("stock", [0, 5, 14, 20])
def test_sales_expected_to_be_lost_come_close_to_the_loss_function(stock: int):
    losses = pytest.importorskip("stockpyl.loss_functions", reason="no stockpyl")
    missed, _ = losses.poisson_loss(stock, 14.0)
    assert mean_lost(lost_sales(outlook(2.0, 0.0, 0.0), 7), stock) == pytest.approx(missed, abs=0.15)
