"""The command scores any file, writes the forecasts it scored, and refuses what it cannot use in one line."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

pytest.importorskip("sklearn.ensemble", reason="no scikit-learn (extra forecast)")

from forecasting.baselines import missing
from forecasting.evaluate import main
from forecasting.scores import scores


def daily(folder: Path, series: int = 12, days: int = 130, name: str = "daily.parquet") -> Path:
    chance = np.random.default_rng(7)
    when = np.datetime64("2026-01-01") + np.arange(days)
    table = pa.table({
        "unique_id": np.repeat([f"S{n}" for n in range(series)], days),
        "ds": np.tile(when, series),
        "y": chance.poisson(1.5, series * days),
    })  # fmt: skip
    file = folder / name
    pyarrow.parquet.write_table(table, file)
    return file


def test_the_forecasts_written_are_those_scored(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    file, out = daily(tmp_path), tmp_path / "out.parquet"
    assert main([str(file), "--origins", "2", "--horizon", "14", "--json", "--out", str(out)]) == 0
    found = json.loads(capsys.readouterr().out)
    rows = pyarrow.parquet.read_table(out).to_pydict()
    assert list(rows) == ["unique_id", "cutoff", "ds", "mean", "q50", "q90", "q95", "q99"]
    assert len(rows["ds"]) == 2 * 12 * 14
    truth = pyarrow.parquet.read_table(file).to_pydict()
    came = dict(zip(zip(truth["unique_id"], truth["ds"], strict=True), truth["y"], strict=True))
    by_cutoff: dict[object, list[float]] = {}
    for name, cutoff, day, mean in zip(rows["unique_id"], rows["cutoff"], rows["ds"], rows["mean"], strict=True):
        assert cutoff < day
        errors = by_cutoff.setdefault(cutoff, [0.0, 0.0])
        errors[0] += abs(came[name, day] - mean)
        errors[1] += came[name, day]
    wape = np.mean([error / units for error, units in by_cutoff.values()])
    assert found["smokehouse"]["wape"] == pytest.approx(wape, abs=2e-4)
    assert found["series"] == 12
    assert {"rmsse", "wape", "spl", "c95", "c99", "cpu_s_per_1000"} <= set(found["smokehouse"])


def test_a_higher_learnt_level_fills_more_with_more_stock(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main([str(daily(tmp_path)), "--origins", "2", "--horizon", "14", "--json", "--replay"]) == 0
    found = json.loads(capsys.readouterr().out)["levels_as_learnt"]
    assert list(found) == ["0.8", "0.9", "0.95", "0.99"]
    for measure in ("fill", "stock_days"):
        rising = [level[measure] for level in found.values()]
        assert rising == sorted(rising)
        assert rising[0] < rising[-1]


@pytest.mark.parametrize(
    ("days", "horizon", "why"),
    [
        (11, 3, "8 days before the first origin; 9 are needed"),
        (40, 14, "14 days after the first origin; 15 are needed"),
    ],
)
def test_where_stock_cannot_be_played_the_rest_is_scored_and_it_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], days: int, horizon: int, why: str
):
    file = daily(tmp_path, days=days)
    assert main([str(file), "--origins", "1", "--horizon", str(horizon), "--json", "--replay"]) == 0
    told = capsys.readouterr()
    assert f"note: stock is not played: {why}" in told.err
    found = json.loads(told.out)
    assert "wape" in found["smokehouse"]
    assert "levels_as_learnt" not in found


def test_a_sample_in_which_nothing_had_begun_by_the_first_origin_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    file = tmp_path / "daily.csv"
    days = [str(date(2026, 1, 1) + timedelta(day)) for day in range(30)]
    file.write_text("unique_id,ds,y\n" + "".join(f"A,{day},1\n" for day in days[25:]) + f"B,{days[0]},1\n")
    assert main([str(file), "--origins", "2", "--horizon", "7", "--sample", "1"]) == 2
    assert "no series begins before 2026-01-17, the first of 2 origins of 7 days" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"sku": ["A"], "ds": ["2026-03-01"], "y": [1]}, "no column unique_id"),
        ({"unique_id": ["A"], "ds": ["2026-03-01"], "y": [1]}, "1 days of data are too few for 3 origins of 28 days"),
    ],
)
def test_a_file_that_cannot_be_scored_is_one_line_and_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], columns: dict[str, object], message: str
):
    file = tmp_path / "daily.csv"
    pyarrow.csv.write_csv(pa.table(columns), file)
    assert main([str(file)]) == 2
    told = capsys.readouterr()
    assert message in told.err
    assert told.out == ""


def test_scores_are_told_although_the_forecasts_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "absent" / "out.parquet"
    assert main([str(daily(tmp_path, days=40)), "--origins", "1", "--horizon", "14", "--json", "--out", str(out)]) == 2
    told = capsys.readouterr()
    assert "wape" in json.loads(told.out)["smokehouse"]
    assert str(out) in told.err.splitlines()[-1]


def test_without_the_extra_the_command_is_one_line_and_exit_code_2():
    code = (
        "import sys; sys.modules['numpy'] = None; from forecasting.evaluate import main; sys.exit(main(['daily.csv']))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert told.returncode == 2
    assert told.stderr == 'error: not installed: numpy. Install the extra: .venv/bin/pip install -e ".[forecast]"\n'


def test_dirt_is_scored_and_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    clean = pyarrow.parquet.read_table(daily(tmp_path))
    dirt = pa.table({
        "unique_id": ["once", "zeros", "zeros", "huge", "S0", "S0"],
        "ds": pa.array(["2026-03-05", "2026-01-01", "2026-05-01", "2026-02-01", "2026-04-01", "2026-04-02"]).cast(
            pa.date32()
        ),
        "y": pa.array([3.0, 0.0, 0.0, 5e8, -9.0, None]),
    })  # fmt: skip
    clean = clean.set_column(2, "y", clean["y"].cast(pa.float64()))
    file = tmp_path / "dirty.parquet"
    pyarrow.parquet.write_table(pa.concat_tables([dirt, clean.cast(dirt.schema)]), file)
    assert main([str(file), "--origins", "1", "--horizon", "14", "--json"]) == 0
    told = capsys.readouterr()
    found = json.loads(told.out)
    assert found["series"] == 15
    assert all(np.isfinite(value) for value in found["smokehouse"].values())
    assert "returns" in told.err


def test_an_origin_after_which_nothing_came_has_no_error_over_units(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    days = np.datetime64("2026-01-01") + np.arange(120)
    often = np.full(120, 4)
    stops = np.where(np.arange(120) < 70, np.arange(120) % 3 * 5, 0)  # lumpy, silent at the later origin
    file = tmp_path / "daily.parquet"
    columns = {"unique_id": np.repeat(["often", "stops"], 120), "ds": np.tile(days, 2), "y": np.r_[often, stops]}
    pyarrow.parquet.write_table(pa.table(columns), file)
    for origins in ("1", "2"):
        assert main([str(file), "--origins", origins, "--horizon", "28", "--json"]) == 0
        silent = json.loads(capsys.readouterr().out)["segments"]["intermittent"]
        assert (silent["wape"] is None) == (silent["wape_28_day_mean"] is None) == (origins == "1")
        assert silent["bias"] is None or abs(silent["bias"]) < 10
        assert silent["c95"] > 0.9


def test_absent_packages_of_the_baselines_are_named_and_ours_is_scored_all_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    absent = missing()
    if not absent:
        pytest.skip("the packages of the baselines are installed")
    assert main([str(daily(tmp_path)), "--origins", "1", "--baselines", "--json"]) == 0
    told = capsys.readouterr()
    assert f"not installed: {', '.join(absent)}" in told.err
    assert json.loads(told.out)["baselines"] == {}


def test_scores_of_a_perfect_and_of_a_wrong_forecast_are_what_a_hand_computes():
    train = np.array([[0.0, 2.0, 0.0, 2.0]])
    came = np.array([[1.0, 3.0, np.nan]])
    sure = np.repeat(np.nan_to_num(came)[..., None], 4, axis=2)
    perfect = scores(train, came, np.nan_to_num(came), sure)
    assert (perfect["rmsse"], perfect["wape"], perfect["spl"], perfect["c95"]) == (0, 0, 0, 1)
    wrong = scores(train, came, np.zeros((1, 3)), np.zeros((1, 3, 4)))
    assert wrong["wape"] == 1
    assert wrong["bias"] == -1
    assert wrong["rmsse"] == pytest.approx((5 / 4) ** 0.5)  # squared errors 1 and 9 by a squared scale of 4
    assert wrong["spl"] == pytest.approx(2 * (0.5 + 0.9 + 0.95 + 0.99) / 4 / 2)
    assert wrong["c95"] == 0


@pytest.mark.parametrize("option", ["--skip-last=-5", "--seed=-1", "--origins=0", "--skip-last=x"])
def test_a_number_that_is_none_is_refused_in_words(tmp_path: Path, option: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as refused:
        main([str(daily(tmp_path)), option])
    assert refused.value.code == 2
    assert "give a whole number, at least " in capsys.readouterr().err
