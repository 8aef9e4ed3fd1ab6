"""Any file of daily units becomes one matrix; what was mended or ignored is told."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

from forecasting.panel import UnreadableFileError, read_panel


def written(folder: Path, columns: dict[str, object], name: str = "daily.parquet") -> Path:
    file = folder / name
    write = pyarrow.csv.write_csv if file.suffix == ".csv" else pyarrow.parquet.write_table
    write(pa.table(columns), file)
    return file


def days(*numbers: int) -> list[str]:
    return [f"2026-03-{number:02d}" for number in numbers]


def rows(panel: object) -> list[list[float | None]]:
    return [[None if np.isnan(v) else float(v) for v in row] for row in panel.units]  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["daily.csv", "daily.parquet"])
def test_absent_days_are_zero_after_the_first_and_unknown_before(tmp_path: Path, name: str):
    file = written(tmp_path, {"unique_id": ["B", "A", "A"], "ds": days(2, 4, 1), "y": [1, 3, 2]}, name)
    panel = read_panel(file)
    assert panel.ids == ["A", "B"]
    assert rows(panel) == [[2, 0, 0, 3], [None, 1, 0, 0]]
    assert panel.starts.tolist() == [0, 1]


def test_repeated_rows_add_up_returns_below_zero_count_as_zero_and_both_are_told(tmp_path: Path):
    file = written(tmp_path, {"unique_id": ["A"] * 4, "ds": days(1, 1, 2, 3), "y": [2, 3, -4, 1]})
    panel = read_panel(file)
    assert rows(panel) == [[5, 0, 1]]
    assert panel.notes == ["1 days with several rows: added up", "1 days below zero (returns): counted as 0"]


def test_a_null_an_infinite_and_a_wild_number_are_unknown_not_zero(tmp_path: Path):
    y = [1.0, None, float("inf"), 1e15, float("nan"), 2.0]
    panel = read_panel(written(tmp_path, {"unique_id": ["A"] * 6, "ds": days(1, 2, 3, 4, 5, 6), "y": y}))
    assert rows(panel) == [[1, None, None, None, None, 2]]
    assert any("unknown" in note for note in panel.notes)


@pytest.mark.parametrize(("series", "ends"), [(10, "2026-03-05"), (9, "2062-03-05")])
def test_one_wrong_date_does_not_move_the_end_of_all_others(tmp_path: Path, series: int, ends: str):
    ids = [f"S{n}" for n in range(series) for _ in range(5)]
    columns = {
        "unique_id": [*ids, "S0"],
        "ds": [*days(1, 2, 3, 4, 5) * series, "2062-03-05"],
        "y": [1] * (len(ids) + 1),
    }
    panel = read_panel(written(tmp_path, columns))
    assert str(panel.first_day + panel.days - 1) == ends, "of few series nobody can say which is wrong"
    if series == 10:
        assert rows(panel) == [[1] * 5] * 10
        assert panel.notes == ["1 rows after 2026-03-05 ignored: next to no series goes on so far past all others"]


@pytest.mark.parametrize("suffix", ["daily.csv", "daily.parquet"])
def test_ids_that_look_like_numbers_stay_the_text_they_are(tmp_path: Path, suffix: str):
    file = written(tmp_path, {"unique_id": ["007", "7", "1e3"], "ds": days(1, 1, 1), "y": [1, 2, 3]}, suffix)
    assert read_panel(file).ids == ["007", "1e3", "7"]


def test_numeric_ids_are_read_as_text(tmp_path: Path):
    assert read_panel(written(tmp_path, {"unique_id": [12, 5], "ds": days(1, 1), "y": [1, 1]})).ids == ["12", "5"]


@pytest.mark.parametrize(
    "when",
    [
        [date(2026, 3, 1), date(2026, 3, 3)],
        [datetime(2026, 3, 1, 23, 5), datetime(2026, 3, 3)],
        ["2026-03-01", "2026-03-03"],
        ["2026-03-01T10:00:00", "2026-03-03 00:00:00"],
    ],
)
def test_dates_may_be_dates_timestamps_or_text(tmp_path: Path, when: list[object]):
    panel = read_panel(written(tmp_path, {"unique_id": ["A", "A"], "ds": when, "y": [1, 2]}))
    assert (str(panel.first_day), rows(panel)) == ("2026-03-01", [[1, 0, 2]])


def test_extra_columns_are_ignored_and_named(tmp_path: Path):
    file = written(tmp_path, {"unique_id": ["A"], "ds": days(1), "y": [1], "rev": [3.5], "note": ["x"]})
    panel = read_panel(file)
    assert panel.notes == ["columns ignored: rev, note"]
    assert panel.known_ahead == {}


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"sku": ["A"], "ds": days(1), "y": [1]}, "no column unique_id; there are sku, ds, y"),
        ({"unique_id": ["A"], "ds": ["soon"], "y": [1]}, "ds holds something that is no date"),
        ({"unique_id": ["A"], "ds": [5], "y": [1]}, "ds holds int64, not dates"),
        ({"unique_id": ["A"], "ds": days(1), "y": ["many"]}, "y holds something that is no number"),
        ({"unique_id": [None], "ds": days(1), "y": [1]}, "1 rows without unique_id"),
        ({"unique_id": ["A", ""], "ds": days(1, 1), "y": [1, 2]}, "1 rows without unique_id"),
        ({"unique_id": ["A"], "ds": days(1), "y": pa.array([None], pa.float64())}, "no row has a number in y"),
    ],
)
def test_a_file_that_cannot_be_used_says_which_column_is_wrong(
    tmp_path: Path, columns: dict[str, object], message: str
):
    with pytest.raises(UnreadableFileError, match=message):
        read_panel(written(tmp_path, columns))


@pytest.mark.parametrize("name", ["daily.csv", "daily.tsv", "daily.csv.gz"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_csv_has_commas_semicolons_or_tabs(tmp_path: Path, name: str, delimiter: str):
    lines = [["\ufeffds", "y", "unique_id"], ["2026-03-01", "2", "A;,x"], ["2026-03-02", "3", "A;,x"]]
    text = "\n".join(delimiter.join(f'"{cell}"' if ";" in cell else cell for cell in line) for line in lines)
    with pa.output_stream(tmp_path / name) as stream:
        stream.write(text.encode())
    panel = read_panel(tmp_path / name)
    assert (panel.ids, rows(panel)) == (["A;,x"], [[2, 3]])


def test_two_columns_of_one_name_are_refused_unless_nobody_reads_them(tmp_path: Path):
    file = tmp_path / "daily.csv"
    file.write_text("unique_id,ds,y,y\nA,2026-03-01,1,2\n")
    with pytest.raises(UnreadableFileError, match="2 columns are called y"):
        read_panel(file)
    file.write_text("unique_id,ds,y,,\nA,2026-03-01,1,,\n")
    assert rows(read_panel(file)) == [[1]]


def test_a_plan_of_days_reaches_beyond_the_units_and_a_day_without_a_row_has_no_promotion(tmp_path: Path):
    file = written(tmp_path, {"unique_id": ["A", "A", "B"], "ds": days(1, 3, 1), "y": [1, 1, 1]})
    plan = written(tmp_path, {"unique_id": ["A", "A", "Z"], "ds": days(2, 5, 1), "promo": [1.0, 2.0, 9.0]}, "plan.csv")
    panel = read_panel(file, known_ahead_file=plan)
    promo = panel.known_ahead["promo"]
    assert panel.notes == ["plan.csv: 1 rows ignored: no units have their unique_id"]
    assert promo[0, :5].tolist() == [0, 1, 0, 0, 2]
    assert promo[1, :5].tolist() == [0, 0, 0, 0, 0]
    assert np.isnan(promo[:, 5:]).all()


def test_a_plan_without_rows_and_a_plan_of_what_is_foretold_are_refused(tmp_path: Path):
    file = written(tmp_path, {"unique_id": ["A"], "ds": days(1), "y": [1]})
    none = {"ds": pa.array([], pa.date32()), "promo": pa.array([], pa.float64())}
    with pytest.raises(UnreadableFileError, match="no rows"):
        read_panel(file, known_ahead_file=written(tmp_path, none, "plan.parquet"))
    with pytest.raises(UnreadableFileError, match="y is what is to be foretold"):
        read_panel(file, known_ahead_columns=["y"])


@pytest.mark.filterwarnings("error")
def test_a_plan_beyond_all_bounds_is_unknown(tmp_path: Path):
    file = written(tmp_path, {"unique_id": ["A"] * 3, "ds": days(1, 2, 3), "y": [1, 1, 1]})
    plan = written(tmp_path, {"ds": days(1, 2, 3), "promo": [1e300, -float("inf"), 2.0]}, "plan.csv")
    assert np.nan_to_num(read_panel(file, known_ahead_file=plan).known_ahead["promo"][0, :3], nan=-1).tolist() == [
        -1,
        -1,
        2,
    ]


def test_a_plan_of_other_days_is_told(tmp_path: Path):
    file = written(tmp_path, {"unique_id": ["A", "A"], "ds": days(1, 9), "y": [1, 1]})
    when = ["2026-02-28", "2026-03-01", "2026-07-07", "2026-07-08"]
    plan = written(tmp_path, {"ds": when, "promo": [1.0, 2.0, 3.0, 4.0]}, "plan.csv")
    panel = read_panel(file, known_ahead_file=plan)
    assert panel.notes == ["plan.csv: 2 rows ignored: before 2026-03-01, or 120 days past 2026-03-09"]
    assert panel.known_ahead["promo"][0, [0, -1]].tolist() == [2, 3]


def test_a_plan_whose_dates_are_one_weekday_speaks_of_weeks(tmp_path: Path):
    file = written(tmp_path, {"unique_id": ["A", "A"], "ds": days(1, 9), "y": [1, 1]})
    plan = written(tmp_path, {"unique_id": ["A", "A"], "ds": days(2, 9), "promo": [1.0, 3.0]}, "plan.parquet")
    panel = read_panel(file, known_ahead_file=plan)
    assert np.nan_to_num(panel.known_ahead["promo"][0, :16], nan=-1).tolist() == [-1] + [1] * 7 + [3] * 7 + [-1]
    assert any("seven days" in note for note in panel.notes)


@pytest.mark.parametrize("when", [[True, False], [Decimal("1.00"), Decimal("0.00")]])
def test_a_plan_without_ids_speaks_of_every_series(tmp_path: Path, when: list[object]):
    file = written(tmp_path, {"unique_id": ["A", "B"], "ds": days(1, 2), "y": [1, 1]})
    plan = written(tmp_path, {"ds": days(1, 2), "holiday": when}, "plan.parquet")
    assert read_panel(file, known_ahead_file=plan).known_ahead["holiday"][:, :2].tolist() == [[1, 0], [1, 0]]
