"""The backtest sees only the past, and on real grocery days the bounds hold what they promise."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

from forecasting.backtest import Daily, backtest, forecasts_at, read_daily

LAST_DAY = 739_600


def noise(series: int, days: int) -> Daily:
    chance = random.Random(3)
    return Daily(LAST_DAY, {f"S{n}": [int(chance.expovariate(0.4)) for _ in range(days)] for n in range(series)})


def test_the_bound_holds_on_days_like_the_past():
    found = backtest(noise(60, 200))
    assert 0.93 <= found["c95"] <= 0.995
    assert found["wape"] == pytest.approx(found["wape_28_day_mean"], rel=0.05)


def test_days_after_the_origin_change_no_forecast():
    daily = noise(10, 150)
    changed = Daily(LAST_DAY, {name: [*units[:-28], *([999] * 28)] for name, units in daily.units.items()})
    assert forecasts_at(daily, 28) == forecasts_at(changed, 28)
    assert forecasts_at(daily, 27) != forecasts_at(changed, 27)


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_absent_days_are_zero_from_the_first_day_to_the_files_last(tmp_path: Path, suffix: str):
    table = pa.table(
        {"unique_id": ["A", "A", "B"], "ds": pa.array(["2026-03-01", "2026-03-04", "2026-03-02"]), "y": [2, 3, 1]}
    )
    file = tmp_path / f"daily{suffix}"
    (pyarrow.csv.write_csv if suffix == ".csv" else pyarrow.parquet.write_table)(table, file)
    assert read_daily(file).units == {"A": [2, 0, 0, 3], "B": [1, 0, 0]}


def test_on_real_grocery_days_95_percent_bounds_hold_and_the_mean_is_no_worse_than_the_28_day_mean(
    capsys: pytest.CaptureFixture[str],
):
    folder = os.environ.get("SMOKEHOUSE_TEST_DATA", "")
    file = Path(folder) / "cj_daily_dev.parquet"
    if not folder or not file.exists():
        pytest.skip("no real data: SMOKEHOUSE_TEST_DATA names no folder with cj_daily_dev.parquet")
    found = backtest(read_daily(file, id_column="product_id", series_max=600))
    with capsys.disabled():
        print(f"\nbacktest on a sample of cj_daily_dev: {found}")
    assert 0.90 <= found["c95"] <= 0.99
    assert found["wape"] <= 1.01 * found["wape_28_day_mean"]
