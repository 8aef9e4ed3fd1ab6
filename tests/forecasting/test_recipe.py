"""The analyst's recipes of docs/forecasting.md and its notebook run as they stand there."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest

DOCS = Path(__file__).parents[2] / "docs"
RECIPE = DOCS / "forecasting.md"


@pytest.fixture(autouse=True)
def exported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two series in the folder we stand in; B was not scored in the second run."""
    rows = [
        {
            "unique_id": sku, "ds": f"2026-03-{day:02d}", "mean": mean, "q50": mean, "q90": 2 * mean, "q95": 3 * mean,
            "q99": 4 * mean, "model": "seasonal-mean-nb-1", "run": run,
        }
        for sku in ("A|MAIN", "B|MAIN")
        for run, mean in (("2026-03-01.001", 1.0), ("2026-03-01.002", 2.0))
        for day in range(2, 30)
        if (sku, run) != ("B|MAIN", "2026-03-01.002")
    ]  # fmt: skip
    pyarrow.parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "forecasts.parquet")
    monkeypatch.chdir(tmp_path)


def block(language: str) -> str:
    [code] = re.findall(rf"```{language}\n(.*?)```", RECIPE.read_text(encoding="utf-8"), re.DOTALL)
    return str(code)


def test_the_pandas_recipe_reads_the_newest_forecast_of_each_series(capsys: pytest.CaptureFixture[str]):
    found: dict[str, Any] = {}
    exec(compile(block("python"), str(RECIPE), "exec"), found)
    assert found["next_week"].to_dict() == {"A|MAIN": 14.0, "B|MAIN": 7.0}
    assert "A|MAIN" in capsys.readouterr().out


def test_the_duckdb_recipe_says_the_same():
    duckdb = pytest.importorskip("duckdb", reason="no duckdb")
    assert duckdb.sql(block("sql")).fetchall() == [("A|MAIN", 14.0), ("B|MAIN", 7.0)]


@pytest.mark.timeout(400)  # with the training that the card is of
def test_the_notebook_runs_from_its_first_cell_to_its_last(
    models: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("SMOKEHOUSE_HOME", str(models.parent))
    notebook = json.loads((DOCS / "forecasts.ipynb").read_text(encoding="utf-8"))
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    found: dict[str, Any] = {}
    for cell in cells:
        assert not cell["outputs"], "what one shop's figures were is no part of it"
        exec(compile("".join(cell["source"]), cell["id"], "exec"), found)
    assert found["by_week"].loc["A|MAIN"].tolist() == [14.0] * 4
    assert found["by_week"].loc["B|MAIN"].tolist() == [7.0] * 4
    assert found["changes"].to_dict() == {"A|MAIN": 1.0}, "twice as much as the run before said"
    assert set(found["uncertain"]) == {3.0}
    assert {"challenger", "simple"} <= set(found["methods"].index)
    assert "28-day mean" in found["by_segment"].columns
    assert "champion - SPL" in capsys.readouterr().out
