"""The analyst's recipe of docs/forecasting.md runs as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

RECIPE = Path(__file__).parents[2] / "docs" / "forecasting.md"


def test_the_pandas_recipe_reads_the_newest_forecast_of_each_series(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    [code] = re.findall(r"```python\n(.*?)```", RECIPE.read_text(encoding="utf-8"), re.DOTALL)
    rows = [
        {
            "unique_id": sku, "ds": f"2026-03-{day:02d}", "mean": mean, "q50": mean, "q90": 2 * mean, "q95": 3 * mean,
            "q99": 4 * mean, "model": "seasonal-mean-nb-1", "run": run,
        }
        for sku in ("A|MAIN", "B|MAIN")
        for run, mean in (("2026-03-01.001", 1.0), ("2026-03-01.002", 2.0))
        for day in range(2, 30)
        if (sku, run) != ("B|MAIN", "2026-03-01.002")  # not scored again
    ]  # fmt: skip
    pyarrow.parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "forecasts.parquet")
    monkeypatch.chdir(tmp_path)
    found: dict[str, object] = {}
    exec(compile(code, str(RECIPE), "exec"), found)
    assert found["next_week"].to_dict() == {"A|MAIN": 14.0, "B|MAIN": 7.0}
    assert "A|MAIN" in capsys.readouterr().out
