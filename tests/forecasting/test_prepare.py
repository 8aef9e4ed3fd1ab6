"""A file of order lines becomes daily units: a cancellation takes its own order away, and nothing else goes unsaid."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

from forecasting.panel import UnreadableFileError
from forecasting.prepare import Columns, Prepared, main, prepare

COLUMNS = Columns("order", "sku", "time", "quantity", "customer", "price")


def prepared(*lines: tuple[object, ...], columns: Columns = COLUMNS, **options: object) -> Prepared:
    """Lines of (order, sku, day of May with its time, quantity, customer, price)."""
    names = ["order", "sku", "time", "quantity", "customer", "price", "line_id"]
    rows = [(*line, *(None,) * (len(names) - len(line))) for line in lines]
    table = pa.table(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)))
    return prepare(table, columns, **options)  # type: ignore[arg-type]


def daily(found: Prepared) -> list[tuple[str, str, float]]:
    return [(row["unique_id"], str(row["ds"])[-2:], row["y"]) for row in found.daily.to_pylist()]


def line(order: str, day: str, quantity: int, customer: str | None = "K", sku: str = "A") -> tuple[object, ...]:
    return (order, sku, f"2026-05-{day}", quantity, customer, 1.0)


def test_lines_of_a_day_add_up_per_sku():
    found = prepared(line("1", "04 09:00", 2), line("2", "04 23:59", 3), line("3", "05 00:00", 4, sku="B"))
    assert daily(found) == [("A", "04", 5.0), ("B", "05", 4.0)]
    assert found.report() == {
        "lines": 3, "repeats": 0, "not_products": 0, "unusable": 0, "at_no_price": 0, "cancelled": 0, "returned": 0,
        "ordered": 3, "series": 2, "days": 2,
    }  # fmt: skip


def test_a_great_order_cancelled_minutes_later_is_gone_from_its_day():
    found = prepared(line("1", "04 10:00", 74215), line("2", "04 10:05", 1, "L"), line("C3", "04 10:16", -74215))
    assert daily(found) == [("A", "04", 1.0)]
    assert (found.cancelled, found.returned) == (1, 0)


def test_a_cancellation_weeks_later_takes_the_day_of_the_order_when_the_quantity_is_the_same():
    found = prepared(line("1", "04 10:00", 6), line("2", "06 10:00", 7), line("C3", "29 10:00", -6))
    assert daily(found) == [("A", "06", 7.0)]


@pytest.mark.parametrize(("day", "left"), [("06 10:00", 4.0), ("07 09:59", 4.0), ("07 10:00", 6.0)])
def test_a_part_is_cancelled_within_three_days_and_returned_afterwards(day: str, left: float):
    found = prepared(line("1", "04 10:00", 6), line("C2", day, -2))
    assert daily(found) == [("A", "04", left)]
    assert (found.cancelled, found.returned) == ((1, 0) if left == 4.0 else (0, 1))


def test_a_cancellation_under_the_orders_own_id_needs_no_customer():
    found = prepared(line("1", "04 10:00", 6, None), line("2", "05 10:00", 6, None), line("1", "20 10:00", -2, None))
    assert daily(found) == [("A", "04", 4.0), ("A", "05", 6.0)]


@pytest.mark.parametrize(
    "cancellation",
    [
        line("C2", "04 09:59", -6),  # before the order
        line("C2", "04 11:00", -6, "L"),  # another customer's
        line("C2", "04 11:00", -6, None),  # nobody's
        line("C2", "04 11:00", -7),  # more than was ordered
        line("C2", "04 11:00", -6, sku="B"),
    ],
)
def test_what_has_no_order_of_its_own_is_a_return_and_moves_no_demand(cancellation: tuple[object, ...]):
    found = prepared(line("1", "04 10:00", 6), cancellation)
    assert daily(found) == [("A", "04", 6.0)]
    assert (found.cancelled, found.returned) == (0, 1)


def test_an_empty_customer_is_nobody():
    found = prepared(line("1", "04 10:00", 6, ""), line("C2", "04 11:00", -6, ""))
    assert daily(found) == [("A", "04", 6.0)]


def test_one_order_is_cancelled_once():
    found = prepared(line("1", "04 10:00", 6), line("C2", "04 11:00", -6), line("C3", "04 12:00", -6))
    assert daily(found) == []
    assert (found.cancelled, found.returned) == (1, 1)


def test_lines_that_look_the_same_are_two_and_a_line_id_seen_before_is_one():
    twice = [(*line("1", "04 10:00", 6), f"e{n}") for n in (1, 2)]
    assert daily(prepared(*twice)) == [("A", "04", 12.0)]
    again = prepared(*twice, twice[0], columns=Columns("order", "sku", "time", "quantity", line_id="line_id"))
    assert daily(again) == [("A", "04", 12.0)]
    assert again.repeats == 1


def test_lines_that_are_no_demand_are_left_out_and_counted():
    found = prepared(
        ("1", " 85123a", "2026-05-04 10:00", 2, "K", 1.0),
        ("1", "85123A", "2026-05-04 10:00", 1, "K", 1.0),
        ("1", "POST", "2026-05-04 10:00", 1, "K", 1.0),
        ("1", "85123A1", "2026-05-04 10:00", 1, "K", 1.0),
        ("1", None, "2026-05-04 10:00", 1, "K", 1.0),
        ("1", "85123A", "2026-05-04 10:00", 50, "K", 0.0),
        ("1", "85123A", "2026-05-04 10:00", 50, "K", None),
        ("1", "85123A", None, 50, "K", 1.0),
        ("1", "85123A", "2026-05-04 10:00", None, "K", 1.0),
        products=r"\d{5}[A-Z]*",
        fold_case=True,
    )
    assert daily(found) == [("85123A", "04", 3.0)]
    assert (found.not_products, found.at_no_price, found.unusable, found.ordered) == (3, 2, 2, 2)


@pytest.mark.parametrize(("column", "word"), [("time", "no time"), ("quantity", "no number")])
def test_a_column_of_something_else_is_refused_by_name(column: str, word: str):
    table = {"order": ["1"], "sku": ["A"], "time": ["2026-05-04"], "quantity": ["2"]} | {column: ["soon"]}
    with pytest.raises(UnreadableFileError, match=f"{column} holds something that is {word}"):
        prepare(pa.table(table), Columns("order", "sku", "time", "quantity"))


def test_the_command_writes_a_daily_file_and_says_what_became_of_the_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    file, out = tmp_path / "lines.csv", tmp_path / "daily.parquet"
    file.write_text(
        "o,s,t,q,c\n1,007,2026-05-04T10:00:00,5,K\n2,007,2026-05-04T11:00:00,-2,K\n3,7,2026-05-05T00:00:00,1,\n"
    )
    flags = ["--order", "o", "--sku", "s", "--time", "t", "--quantity", "q", "--customer", "c"]
    assert main([str(file), "--out", str(out), *flags]) == 0
    assert pyarrow.parquet.read_table(out).column("unique_id").to_pylist() == ["007", "7"]
    assert pyarrow.parquet.read_table(out).column("y").to_pylist() == [3.0, 1.0]
    assert json.loads(capsys.readouterr().out)["cancelled"] == 1


@pytest.mark.parametrize("flags", [["--quantity", "missing"], ["--quantity", "q", "--products", "X"]])
def test_the_command_refuses_in_one_line_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: list[str]
):
    file, out = tmp_path / "lines.csv", tmp_path / "daily.parquet"
    file.write_text("o,s,t,q\n1,A,2026-05-04T10:00:00,5\n")
    assert main([str(file), "--out", str(out), "--order", "o", "--sku", "s", "--time", "t", *flags]) == 2
    assert capsys.readouterr().err.startswith(f"error: {file}: no ")
    assert not out.exists()
