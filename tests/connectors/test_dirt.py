"""The rules for dirt, one by one: which class a row of an order file is of, and what a dead letter says of it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as csv
import pytest

from connectors.files import plan as plan_module
from connectors.files import speech
from connectors.files.presets import FileRefused
from tables.codec import ORDER_LOG, Unreadable, encode

NOON = datetime(2011, 1, 3, 12)


@pytest.mark.parametrize("code", ["POST", "M", "C2", "BANK CHARGES", "gift_0001_40", "8512", "851234", "85123ABC", ""])
def test_a_code_that_is_not_five_digits_and_up_to_two_letters_is_not_a_product(
    written: Any, code: str, sale: Any, planned: Any, orders: Any
) -> None:
    for path in written([sale("536365", "85123A", 6), sale("536365", code, 6)]):
        plan = planned(path)
        assert plan.classes == {"line": 1, "not_a_product": 1, "cancellation": 0, "impossible_quantity": 0}
        assert [line.sku for line in orders(plan)[0].lines] == ["85123A"]


@pytest.mark.parametrize("code", ["85123a", " 85123A ", "85123A\t"])
def test_codes_are_trimmed_and_upper_cased_before_anything_is_decided(
    written: Any, code: str, sale: Any, planned: Any, orders: Any
) -> None:
    for path in written([sale("536365", code, 6), sale("536366", "85123A", 4)]):
        assert [x.lines[0].sku for x in orders(planned(path))] == ["85123A", "85123A"]


def test_what_is_no_product_comes_before_what_is_a_cancellation(written: Any, sale: Any, planned: Any) -> None:
    for path in written([sale("C536379", "D", -1), sale("536365", "85123A", 1)]):
        assert planned(path).classes["not_a_product"] == 1
        assert planned(path).classes["cancellation"] == 0


def test_a_cancellation_comes_before_an_impossible_quantity(written: Any, sale: Any, planned: Any) -> None:
    for path in written([sale("536365", "85123A", 6), sale("C536379", "85123A", -6)]):
        plan = planned(path)
        assert (plan.classes["cancellation"], plan.classes["impossible_quantity"], plan.dead) == (1, 0, [])


@pytest.mark.parametrize("quantity", [0, -1, -9600])
def test_a_quantity_of_nothing_or_less_is_a_dead_letter_with_its_reason(
    written: Any, quantity: int, sale: Any, planned: Any
) -> None:
    for path in written([sale("536365", "85123A", 6), sale("536366", "85123A", quantity, UnitPrice=0.0)]):
        plan = planned(path)
        key, value, headers = speech.dead_letter(plan, plan.dead[0])
        named = {name: text.decode() for name, text in headers}
        assert plan.classes["impossible_quantity"] == 1
        assert named["__connect.errors.topic"] == f"file:{path.name}"
        assert named["__connect.errors.offset"] == "1"
        assert named["__connect.errors.exception.message"].startswith("impossible_quantity")
        assert (key, b'"sku":"85123A"' in value) == (b"online-retail:536366", True)


def test_the_price_has_no_say(written: Any, sale: Any, planned: Any) -> None:
    for path in written([sale("A563185", "85123A", 1, UnitPrice=-11062.06), sale("2", "71053", 1, UnitPrice=0.0)]):
        assert planned(path).classes["line"] == 2


def test_a_line_without_an_invoice_is_unreadable_and_counted(written: Any, sale: Any, planned: Any) -> None:
    for path in written([sale("", "85123A", 1), sale("536365", "85123A", 1)]):
        plan = planned(path)
        assert plan.classes == {
            "line": 1, "not_a_product": 0, "cancellation": 0, "impossible_quantity": 0, "unreadable": 1,
        }  # fmt: skip
        assert [dead.row for dead in plan.dead] == [0]


def test_a_cancellation_whose_invoice_no_record_may_carry_is_unreadable_and_counted(
    written: Any, sale: Any, planned: Any, cancels: Any
) -> None:
    """Its id would be too long: the log would not take it, and the import wait for units that nobody gives back."""
    names = "C" + "2" * 64, "C" + "2" * 63
    for path in written([sale("1", "85123A", 9), *(sale(name, "85123A", -4) for name in names)]):
        plan = planned(path)
        assert plan.classes == {
            "line": 1, "not_a_product": 0, "cancellation": 1, "impossible_quantity": 0, "unreadable": 1,
        }  # fmt: skip
        assert [dead.row for dead in plan.dead] == [1]
        assert [x.id for x in cancels(plan)] == [f"online-retail:{names[1]}:85123A:4:1"]
        read = [x for event in speech.events(plan) for x in ORDER_LOG.items(encode(event.record))]
        assert not [x for x in read if isinstance(x, Unreadable)]


@pytest.mark.parametrize(("invoice", "quantity"), [("2", 0), ("2" * 65, 1)])
def test_a_dead_letter_does_not_say_who_the_customer_is(
    written: Any, invoice: str, quantity: int, sale: Any, planned: Any
) -> None:
    """A column of e-mail addresses tells customers apart as well as one of numbers."""
    ann = "ann@example.org"
    for path in written([sale("1", "85123A", 1, CustomerID=ann), sale(invoice, "85123A", quantity, CustomerID=ann)]):
        plan = planned(path)
        key, value, headers = speech.dead_letter(plan, plan.dead[0])
        assert b"example.org" not in b"".join((key, value, *(text for _, text in headers))).lower()
        assert b'"sku":"85123A"' in value


@pytest.mark.parametrize("quantity", [0, 1])
def test_a_dead_letter_is_no_larger_than_a_record_whatever_stands_in_its_row(
    written: Any, quantity: int, sale: Any, planned: Any
) -> None:
    """A stray quotation mark makes one cell of all that follows."""
    long = "x" * 2_000_000
    rows = [sale("1", "85123A", 1, CustomerID="1"), sale(long, "85123A", quantity, Description=long, CustomerID=long)]
    for path in written(rows):
        plan = planned(path)
        key, value, headers = speech.dead_letter(plan, plan.dead[0])
        assert len(key) + len(value) + sum(len(text) for _, text in headers) < 4_000
        assert key == b"online-retail:" + b"X" * 64


def test_equal_rows_are_lines_like_any_other_and_one_order_sums_them(
    written: Any, sale: Any, planned: Any, orders: Any
) -> None:
    rows = [sale("1", "85123A", 6), sale("1", "71053", 2), sale("1", "85123A", 6), sale("1", "85123a", 1)]
    for path in written(rows):
        (order,) = orders(planned(path))
        assert [(line.sku, line.quantity) for line in order.lines] == [("85123A", 13), ("71053", 2)]


def test_a_basket_is_an_order_and_quantity_nothing_is_impossible(written: Any, planned: Any, orders: Any) -> None:
    row = {"household_id": 1085, "basket_id": 31198437603, "product_id": 819978, "transaction_timestamp": NOON}
    for path in written([row | {"quantity": 2}, row | {"quantity": 0}, row | {"product_id": 5, "quantity": 1}]):
        plan = planned(path, "complete-journey")
        (order,) = orders(plan)
        assert order.order_id == "complete-journey:31198437603"
        assert [(line.sku, line.quantity) for line in order.lines] == [("819978", 2), ("5", 1)]
        assert plan.classes == {"line": 2, "not_a_product": 0, "cancellation": 0, "impossible_quantity": 1}


def test_a_cancellation_of_no_number_of_units_is_a_dead_letter_as_any_other_row(
    written: Any, sale: Any, planned: Any
) -> None:
    for path in written([sale("1", "85123A", "9"), sale("C2", "85123A", "-2,5"), sale("C3", "85123A", "0")]):
        plan = planned(path)
        assert (plan.classes["cancellation"], plan.classes["impossible_quantity"], plan.unmatched) == (1, 1, 1)
        assert "row 2, column Quantity: '-2,5' stands where" in plan.dead[0].reason


@pytest.mark.parametrize("invoice", ["3.11984E+10", "3.1e+10", "4E+15"])
def test_an_invoice_that_a_spreadsheet_rounded_is_no_order_of_many_others_rows(
    written: Any, invoice: str, sale: Any, planned: Any
) -> None:
    for path in written([sale("1", "85123A", 6), sale(invoice, "85123A", 6), sale(invoice, "71053", 6)]):
        plan = planned(path)
        assert (plan.invoices, plan.classes["unreadable"]) == (["1"], 2)
        assert f"row 2, column InvoiceNo: {invoice!r} stands where an invoice number" in plan.dead[0].reason


@pytest.mark.parametrize("invoice", ["1\n2", "1\t2", "1\x1b[2J", "1\x7f"])
def test_an_invoice_with_characters_that_nobody_sees_is_no_order(
    written: Any, invoice: str, sale: Any, planned: Any
) -> None:
    for path in written([sale("1", "85123A", 6), sale(invoice, "85123A", 6)]):
        plan = planned(path)
        assert (plan.invoices, plan.classes["unreadable"]) == (["1"], 1)
        assert "1 to 64 printable characters was expected" in plan.dead[0].reason


@pytest.mark.parametrize("nobody", ["", "NA", "nan", "NULL"])
def test_what_tools_write_into_an_empty_cell_is_neither_a_customer_nor_an_order(
    written: Any, nobody: str, sale: Any, planned: Any
) -> None:
    """All of them were one customer: what one gave back came back to another's order."""
    rows = [sale("1", "85123A", 5, customer=nobody), sale("C2", "85123A", -5, customer=nobody),
            sale(nobody, "85123A", 1, customer=nobody)]  # fmt: skip
    for path in written(rows):
        plan = planned(path)
        assert (plan.unmatched, plan.invoices, plan.classes["unreadable"]) == (1, ["1"], 1)


@pytest.mark.parametrize(
    "text",
    ["soon", "13:00 PM", "1/3/2011 13:00 PM", "1/3/2011 0:30 AM", "1/3/11 9:00", "2011-01-03 12:00 EST", "2011-02-30",
     "2/30/2011", "1294056000", "1294051213000", "1/3/2011 24:00", "32/13/2011", "2011-01-03T12:00:00+99:00"],
)  # fmt: skip
def test_what_could_be_another_time_or_none_is_a_dead_letter_that_says_where_and_what_was_expected(
    tmp_path: Path, text: str, sale: Any, planned: Any, orders: Any
) -> None:
    rows = [sale("1", "85123A", 6, InvoiceDate="1/3/2011 9:00")]
    rows += [sale(name, "85123A", units, InvoiceDate=text) for name, units in (("1", 4), ("C2", -6))]
    csv.write_csv(pa.Table.from_pylist(rows), tmp_path / "a.csv")
    plan = planned(tmp_path / "a.csv")
    assert plan.classes == {
        "line": 1, "not_a_product": 0, "cancellation": 0, "impossible_quantity": 0, "unreadable_time": 2,
    }  # fmt: skip
    assert [(dead.row, dead.content["time"]) for dead in plan.dead] == [(1, text), (2, text)]
    assert plan.dead[0].reason.startswith(f"unreadable_time: row 2, column InvoiceDate: {text!r} stands where a time")
    assert sum(line.quantity for order in orders(plan) for line in order.lines) == 6
    assert plan.receipts == {"85123A": 5}


@pytest.mark.parametrize("text", ["40546", "40546.5", " 40546,354166667 "])
def test_a_count_of_days_is_a_dead_letter_that_says_what_to_do_in_the_spreadsheet(
    tmp_path: Path, text: str, sale: Any, planned: Any
) -> None:
    """Two of them are in use, four years apart: nobody knows which day it is."""
    csv.write_csv(pa.Table.from_pylist([sale("1", "85123A", 6, InvoiceDate=text)]), tmp_path / "a.csv")
    (dead,) = planned(tmp_path / "a.csv").dead
    assert dead.reason.endswith("give its column a date format there, and save it again")


@pytest.mark.parametrize("text", ["", " ", "NaT", "NULL", "n/a", "0000-00-00 00:00:00"])
def test_what_tools_write_for_no_time_is_none(tmp_path: Path, text: str, sale: Any, planned: Any, orders: Any) -> None:
    csv.write_csv(pa.Table.from_pylist([sale("1", "85123A", 6, InvoiceDate=text)]), tmp_path / "a.csv")
    plan = planned(tmp_path / "a.csv")
    assert (plan.dead, [order.occurred_at for order in orders(plan)]) == ([], [None])


def test_a_file_whose_days_come_first_is_refused_because_half_of_them_would_be_other_days(
    tmp_path: Path, sale: Any, planned: Any
) -> None:
    rows = [sale(str(n), "85123A", 6, InvoiceDate=f"{n}/1/2011 9:00") for n in (3, 13)]
    csv.write_csv(pa.Table.from_pylist(rows), tmp_path / "a.csv")
    with pytest.raises(FileRefused, match=r"row 2, column InvoiceDate: '13/1/2011 9:00' .*: write 2011-01-31"):
        planned(tmp_path / "a.csv")


def test_a_file_that_is_not_understood_is_refused_before_each_row_is_a_dead_letter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sale: Any, planned: Any
) -> None:
    monkeypatch.setattr(plan_module, "DEAD_ROWS_MAX", 3)
    rows = [sale(str(n), "85123A", 6, InvoiceDate="Monday" if n else "") for n in range(5)]
    csv.write_csv(pa.Table.from_pylist(rows[:4]), tmp_path / "a.csv")
    assert len(planned(tmp_path / "a.csv").dead) == 3
    csv.write_csv(pa.Table.from_pylist(rows), tmp_path / "a.csv")
    with pytest.raises(FileRefused, match=r"more than 3 rows cannot be read, the first: unreadable_time: row 2, "):
        planned(tmp_path / "a.csv")
