"""The backtest sees only the past, and on real grocery days the bounds hold what they promise."""

from __future__ import annotations

import os
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from forecasting.backtest import backtest, forecasts_of
from forecasting.panel import Panel, read_panel


def noise(series: int, days: int) -> Panel:
    chance = random.Random(3)
    units = [[int(chance.expovariate(0.4)) for _ in range(days)] for _ in range(series)]
    return Panel([f"S{n:02d}" for n in range(series)], np.datetime64("2025-12-16"), np.array(units, dtype=np.float32))


def test_the_bound_holds_on_days_like_the_past():
    found = backtest(noise(60, 200))
    assert 0.93 <= found["c95"] <= 0.995
    assert found["wape"] == pytest.approx(found["wape_28_day_mean"], rel=0.05)


def test_days_after_the_origin_change_no_forecast():
    daily = noise(10, 150)
    units = daily.units.copy()
    units[:, -28:] = 999
    changed = replace(daily, units=units)
    assert forecasts_of(daily.until(122)) == forecasts_of(changed.until(122))
    assert forecasts_of(daily.until(123)) != forecasts_of(changed.until(123))


def test_on_real_grocery_days_95_percent_bounds_hold_and_the_mean_is_no_worse_than_the_28_day_mean(
    capsys: pytest.CaptureFixture[str],
):
    folder = os.environ.get("SMOKEHOUSE_TEST_DATA", "")
    file = Path(folder) / "cj_daily_dev.parquet"
    if not folder or not file.exists():
        pytest.skip("no real data: SMOKEHOUSE_TEST_DATA names no folder with cj_daily_dev.parquet")
    found = backtest(read_panel(file, id_column="product_id").sampled(600))
    with capsys.disabled():
        print(f"\nbacktest on a sample of cj_daily_dev: {found}")
    assert 0.90 <= found["c95"] <= 0.99
    assert found["wape"] <= 1.01 * found["wape_28_day_mean"]
