"""What becomes of the rows of an order file: the rules for dirt, ids, receipts; CSV and parquet alike."""

from __future__ import annotations

import math
import os
import zipfile
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.file_order import with_row
from connectors.files import canonical, speech
from connectors.files import plan as plan_module
from connectors.files.plan import Plan, plan_import
from connectors.files.presets import PRESETS, FileRefused
from connectors.files.reading import CSV_BLOCK_BYTES, open_file
from connectors.sequential import file_order, replay
from tables import records as r
from tables.codec import ORDER_LOG, STOCK_LOG, Unreadable, encode

NOON = datetime(2011, 1, 3, 12)


def sale(invoice: str, code: str, quantity: Any, customer: Any = 17850, **more: Any) -> dict[str, Any]:
    """A row of an online-retail file."""
    row = {
        "InvoiceNo": invoice, "StockCode": code, "Description": "JERKY", "Quantity": quantity,
        "InvoiceDate": NOON, "UnitPrice": 2.55, "CustomerID": customer, "Country": "United Kingdom",
    }  # fmt: skip
    return row | more


def planned(path: Path, preset: str = "online-retail", share: Fraction = Fraction(4, 5), mapped: Any = ()) -> Plan:
    return plan_import(open_file(path), PRESETS[preset], mapped, share)


def said(plan: Plan) -> list[bytes]:
    """Every record of the import, as it goes over the wire."""
    records = [*speech.receipts(plan), *(event.record for event in speech.events(plan))]
    return [encode(record) for record in records]


def orders(plan: Plan) -> list[r.OrderPlaced]:
    return [e.record for e in speech.events(plan) if isinstance(e.record, r.OrderPlaced)]


def cancels(plan: Plan) -> list[r.CancelRequested]:
    return [e.record for e in speech.events(plan) if isinstance(e.record, r.CancelRequested)]


# -- the rules for dirt, one by one ------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["POST", "M", "C2", "BANK CHARGES", "gift_0001_40", "8512", "851234", "85123ABC", ""])
def test_a_code_that_is_not_five_digits_and_up_to_two_letters_is_not_a_product(written: Any, code: str) -> None:
    for path in written([sale("536365", "85123A", 6), sale("536365", code, 6)]):
        plan = planned(path)
        assert plan.classes == {"line": 1, "not_a_product": 1, "cancellation": 0, "impossible_quantity": 0}
        assert [line.sku for line in orders(plan)[0].lines] == ["85123A"]


@pytest.mark.parametrize("code", ["85123a", " 85123A ", "85123A\t"])
def test_codes_are_trimmed_and_upper_cased_before_anything_is_decided(written: Any, code: str) -> None:
    for path in written([sale("536365", code, 6), sale("536366", "85123A", 4)]):
        assert [x.lines[0].sku for x in orders(planned(path))] == ["85123A", "85123A"]


def test_what_is_no_product_comes_before_what_is_a_cancellation(written: Any) -> None:
    for path in written([sale("C536379", "D", -1), sale("536365", "85123A", 1)]):
        assert planned(path).classes["not_a_product"] == 1
        assert planned(path).classes["cancellation"] == 0


def test_a_cancellation_comes_before_an_impossible_quantity(written: Any) -> None:
    for path in written([sale("536365", "85123A", 6), sale("C536379", "85123A", -6)]):
        plan = planned(path)
        assert (plan.classes["cancellation"], plan.classes["impossible_quantity"], plan.dead) == (1, 0, [])


@pytest.mark.parametrize("quantity", [0, -1, -9600])
def test_a_quantity_of_nothing_or_less_is_a_dead_letter_with_its_reason(written: Any, quantity: int) -> None:
    for path in written([sale("536365", "85123A", 6), sale("536366", "85123A", quantity, UnitPrice=0.0)]):
        plan = planned(path)
        key, value, headers = speech.dead_letter(plan, plan.dead[0])
        named = {name: text.decode() for name, text in headers}
        assert plan.classes["impossible_quantity"] == 1
        assert named["__connect.errors.topic"] == f"file:{path.name}"
        assert named["__connect.errors.offset"] == "1"
        assert named["__connect.errors.exception.message"].startswith("impossible_quantity")
        assert (key, b'"sku":"85123A"' in value) == (b"online-retail:536366", True)


def test_the_price_has_no_say(written: Any) -> None:
    for path in written([sale("A563185", "85123A", 1, UnitPrice=-11062.06), sale("2", "71053", 1, UnitPrice=0.0)]):
        assert planned(path).classes["line"] == 2


def test_a_line_without_an_invoice_is_unreadable_and_counted(written: Any) -> None:
    for path in written([sale("", "85123A", 1), sale("536365", "85123A", 1)]):
        plan = planned(path)
        assert plan.classes == {
            "line": 1, "not_a_product": 0, "cancellation": 0, "impossible_quantity": 0, "unreadable": 1,
        }  # fmt: skip
        assert [dead.row for dead in plan.dead] == [0]


def test_a_cancellation_whose_invoice_no_record_may_carry_is_unreadable_and_counted(written: Any) -> None:
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
def test_a_dead_letter_does_not_say_who_the_customer_is(written: Any, invoice: str, quantity: int) -> None:
    """A column of e-mail addresses tells customers apart as well as one of numbers."""
    ann = "ann@example.org"
    for path in written([sale("1", "85123A", 1, CustomerID=ann), sale(invoice, "85123A", quantity, CustomerID=ann)]):
        plan = planned(path)
        key, value, headers = speech.dead_letter(plan, plan.dead[0])
        assert b"example.org" not in b"".join((key, value, *(text for _, text in headers))).lower()
        assert b'"sku":"85123A"' in value


@pytest.mark.parametrize("quantity", [0, 1])
def test_a_dead_letter_is_no_larger_than_a_record_whatever_stands_in_its_row(written: Any, quantity: int) -> None:
    """A stray quotation mark makes one cell of all that follows."""
    long = "x" * 2_000_000
    rows = [sale("1", "85123A", 1, CustomerID="1"), sale(long, "85123A", quantity, Description=long, CustomerID=long)]
    for path in written(rows):
        plan = planned(path)
        key, value, headers = speech.dead_letter(plan, plan.dead[0])
        assert len(key) + len(value) + sum(len(text) for _, text in headers) < 4_000
        assert key == b"online-retail:" + b"X" * 64


def test_equal_rows_are_lines_like_any_other_and_one_order_sums_them(written: Any) -> None:
    rows = [sale("1", "85123A", 6), sale("1", "71053", 2), sale("1", "85123A", 6), sale("1", "85123a", 1)]
    for path in written(rows):
        (order,) = orders(planned(path))
        assert [(line.sku, line.quantity) for line in order.lines] == [("85123A", 13), ("71053", 2)]


def test_a_basket_is_an_order_and_quantity_nothing_is_impossible(written: Any) -> None:
    row = {"household_id": 1085, "basket_id": 31198437603, "product_id": 819978, "transaction_timestamp": NOON}
    for path in written([row | {"quantity": 2}, row | {"quantity": 0}, row | {"product_id": 5, "quantity": 1}]):
        plan = planned(path, "complete-journey")
        (order,) = orders(plan)
        assert order.order_id == "complete-journey:31198437603"
        assert [(line.sku, line.quantity) for line in order.lines] == [("819978", 2), ("5", 1)]
        assert plan.classes == {"line": 2, "not_a_product": 0, "cancellation": 0, "impossible_quantity": 1}


# -- orders, ids, order of things --------------------------------------------------------------------------------------


def test_an_order_is_paid_keeps_its_time_and_is_named_by_preset_and_invoice(written: Any) -> None:
    for path in written([sale("536365", "85123A", 6)]):
        (order,) = orders(planned(path))
        assert order == r.OrderPlaced(
            id="online-retail:536365", order_id="online-retail:536365", channel="online-retail",
            lines=[r.Line("85123A", 6)], locations=["MAIN"], payment="paid", occurred_at="2011-01-03T12:00:00.000Z",
        )  # fmt: skip


def test_an_order_whose_rows_are_spread_stands_at_its_first_row_with_all_its_lines(written: Any) -> None:
    for path in written([sale("1", "85123A", 1), sale("2", "85123A", 1), sale("1", "71053", 1)]):
        found = orders(planned(path))
        assert [(x.order_id, len(x.lines)) for x in found] == [("online-retail:1", 2), ("online-retail:2", 1)]


def test_an_order_of_more_lines_than_a_record_may_carry_is_a_dead_letter(written: Any) -> None:
    rows = [sale("1", f"{10_000 + n}", 1) for n in range(r.LINES_MAX + 1)] + [sale("2", "10000", 1)]
    for path in written(rows):
        plan = planned(path)
        assert [x.order_id for x in orders(plan)] == ["online-retail:2"]
        assert plan.invoices == ["2"]
        assert plan.dead[0].reason.startswith("too_many_lines")


def test_every_record_of_an_import_can_be_read_by_its_log(written: Any) -> None:
    for path in written([sale("1", "85123A", 6), sale("C2", "85123A", -6)]):
        plan = planned(path)
        read = [x for record in speech.receipts(plan) for x in STOCK_LOG.items(encode(record))]
        read += [x for event in speech.events(plan) for x in ORDER_LOG.items(encode(event.record))]
        assert not [x for x in read if isinstance(x, Unreadable)]
        assert [x.type if isinstance(x, dict) else type(x).__name__ for x in read] == [
            "SkuDefined", "Received", "OrderPlaced", "CancelRequested",
        ]  # fmt: skip


# -- times that no record can say --------------------------------------------------------------------------------------

NO_TIMES = ["0001-01-01 00:00:00", "1/1/0010 8:26", "0999-12-31T23:59:59Z", "0001-01-01T00:00:00+01:00",
            "9999-12-31T23:59:59-01:00"]  # fmt: skip
ZONES = st.integers(-23, 23).map(lambda hours: timezone(timedelta(hours=hours)))
ANY_TIME = st.datetimes(timezones=st.none() | st.just(UTC) | ZONES)
TIME_CELLS = ANY_TIME.map(str) | ANY_TIME.map(lambda at: at.isoformat()) | st.text(max_size=20) | st.sampled_from([
    *NO_TIMES, "1000-01-01", "9999-12-31T23:59:59.999999Z", "12/1/2010 8:26", "1/1/0010", "",
])  # fmt: skip


@pytest.mark.parametrize("time", NO_TIMES)
def test_a_time_of_no_year_that_a_record_can_say_is_left_out(tmp_path: Path, time: str) -> None:
    rows = [sale(name, "85123A", n, InvoiceDate=time) for name, n in (("1", 6), ("C2", -6), ("3", 1))]
    rows.append(sale("3", "71053", 1, InvoiceDate="2011-01-03 12:00:00"))
    csv.write_csv(pa.Table.from_pylist(rows), tmp_path / "a.csv")
    found = [event.record.occurred_at for event in speech.events(planned(tmp_path / "a.csv"))]
    assert found == [None, None, "2011-01-03T12:00:00.000Z"], "an order has the first time of its lines"


@pytest.mark.parametrize("unit", ["s", "ms", "us"])
def test_the_same_holds_for_times_of_parquet_and_the_edges_are_times(tmp_path: Path, unit: str) -> None:
    cells = [datetime(1, 1, 1), datetime(999, 12, 31, 23, 59, 59), datetime(1000, 1, 1), datetime(9999, 12, 31, 23, 59)]
    table = pa.Table.from_pylist([sale(str(n), "85123A", 1) for n in range(4)])
    table = table.set_column(4, "InvoiceDate", pa.array(cells, pa.timestamp(unit)))
    parquet.write_table(table, tmp_path / "a.parquet")
    assert [order.occurred_at for order in orders(planned(tmp_path / "a.parquet"))] == [
        None, None, "1000-01-01T00:00:00.000Z", "9999-12-31T23:59:00.000Z",
    ]  # fmt: skip


def test_a_file_with_such_times_keeps_its_id(tmp_path: Path) -> None:
    """What an import that never ended had received under this id is not received again."""
    text = "InvoiceNo,StockCode,Quantity,InvoiceDate\n1,85123A,1,0001-01-01 00:00:00\n"
    (tmp_path / "a.csv").write_text(text)
    assert planned(tmp_path / "a.csv").import_id == "16f704d02ae6"


@settings(max_examples=50, deadline=None)
@given(st.lists(TIME_CELLS, min_size=1, max_size=20), st.lists(st.integers(-(1 << 63), (1 << 63) - 1), max_size=20))
def test_every_time_that_a_row_may_have_gives_records_that_can_be_read(texts: list[str], moments: list[int]) -> None:
    as_text = pa.array(texts, pa.string())
    as_moment = pa.array(moments, pa.int64()).cast(pa.timestamp("ms"))
    with TemporaryDirectory() as folder:
        for cells in (as_text, as_moment) if moments else (as_text,):
            names = [name for n in range(len(cells)) for name in (f"{n}", f"C{n}")]
            twice = cells.take([n // 2 for n in range(len(names))])
            table = pa.table({
                "InvoiceNo": names, "StockCode": ["85123A"] * len(names), "Quantity": [1, -1] * len(cells),
                "CustomerID": [name.strip("C") for name in names], "InvoiceDate": twice,
            })  # fmt: skip
            path = Path(folder) / "a.parquet"
            parquet.write_table(table, path)
            plan = planned(path)
            found = list(speech.events(plan))
            assert len(found) + len(plan.dead) == len(names)
            assert cells is as_text or not plan.dead
            assert not [x for e in found for x in ORDER_LOG.items(encode(e.record)) if isinstance(x, Unreadable)]


# -- cancellations -----------------------------------------------------------------------------------------------------


def test_a_cancellation_gives_back_to_the_latest_earlier_order_that_still_has_that_many(written: Any) -> None:
    rows = [
        sale("1", "85123A", 10), sale("2", "85123A", 4), sale("3", "85123A", 9, customer=1), sale("C4", "85123A", -4),
        sale("C5", "85123A", -4), sale("C6", "85123A", -7), sale("7", "85123A", 7),
    ]  # fmt: skip
    for path in written(rows):
        plan = planned(path)
        assert [(x.order_id, x.lines[0].quantity) for x in cancels(plan)] == [
            ("online-retail:2", 4), ("online-retail:1", 4),
        ]  # fmt: skip
        assert (plan.classes["cancellation"], plan.unmatched) == (3, 1)


def test_74_215_pieces_are_cancelled_16_minutes_later(written: Any) -> None:
    rows = [sale("541431", "23166", 74_215, customer=12346), sale("C541433", "23166", -74_215, customer=12346)]
    for path in written(rows):
        (cancel,) = cancels(planned(path))
        assert cancel == r.CancelRequested(
            id="online-retail:C541433:23166:74215:1", order_id="online-retail:541431", reason="returned",
            lines=[r.CancelLine("23166", 74_215)], occurred_at="2011-01-03T12:00:00.000Z",
        )  # fmt: skip


def test_a_cancellation_without_customer_or_without_units_is_unmatched(written: Any) -> None:
    rows = [sale("1", "85123A", 5), sale("2", "85123A", 5, customer=None), sale("C3", "85123A", -5, customer=None),
            sale("C4", "85123A", 0)]  # fmt: skip
    for path in written(rows):
        assert (cancels(planned(path)), planned(path).unmatched) == ([], 2)


def test_equal_rows_of_a_cancelling_invoice_are_told_apart_by_their_number(written: Any) -> None:
    rows = [sale("1", "85123A", 5), sale("C3", "POST", -1), sale("C3", "85123A", -1), sale("C3", "85123A", -2),
            sale("C3", "85123A", -1)]  # fmt: skip
    for path in written(rows):
        assert [x.id for x in cancels(planned(path))] == [
            "online-retail:C3:85123A:1:1", "online-retail:C3:85123A:2:1", "online-retail:C3:85123A:1:2",
        ]  # fmt: skip


LATER = [
    sale(invoice, sku, units, customer=1) for invoice, sku, units in (
        ("8", "85123A", 4), ("9", "85123A", 0), ("C10", "85123A", -1), ("11", "85123A", -3), ("9", "85123A", 0),
        ("C10", "85123A", -1), ("8", "71053", 1),
    )
]  # fmt: skip
EARLIER = [sale("1", "85123A", 7), sale("2", "71053", 0), sale("C3", "85123A", -2), sale("4", "71053", 2)]


@pytest.mark.parametrize(
    "longer", [EARLIER + LATER, LATER + EARLIER, EARLIER[:2] + LATER[:4] + EARLIER[2:] + LATER[4:]]
)
def test_what_a_row_says_it_says_in_a_longer_export_too(written: Any, longer: list[dict[str, Any]]) -> None:
    """By its row an order placed again was another record, and units came back once more."""

    def ids(rows: list[dict[str, Any]]) -> tuple[set[bytes], set[str]]:
        plan = planned(written(rows)[1])
        return {encode(e.record) for e in speech.events(plan)}, {speech.dead_letter_id(plan, x) for x in plan.dead}

    for part in (EARLIER, LATER):
        (said_first, dead_first), (said_then, dead_then) = ids(part), ids(longer)
        assert said_first <= said_then
        assert dead_first <= dead_then
    assert (len(ids(longer)[0]), len(ids(longer)[1])) == (3 + 3, 4)


# -- stock first -------------------------------------------------------------------------------------------------------


def test_receipts_are_the_share_of_the_units_ordered_rounded_up_cancellations_not_netted(written: Any) -> None:
    rows = [sale("1", "85123A", 10), sale("2", "71053", 1), sale("3", "85123A", 1), sale("C4", "85123A", -10)]
    for path in written(rows):
        assert planned(path).receipts == {"85123A": 9, "71053": 1}
        assert planned(path, share=Fraction(0)).receipts == {"85123A": 0, "71053": 0}


@settings(derandomize=True, deadline=None)
@given(st.integers(1, 10**8), st.integers(0, 200))
def test_the_share_is_exact(units: int, hundredths: int) -> None:
    """0.8 of 10 is 8, never 9: no binary fraction comes near the rounding."""
    share = Fraction(hundredths, 100)
    received = -(-units * share.numerator // share.denominator)
    assert received == math.ceil(units * share)
    assert received - 1 < units * share <= received


# -- the same file again -----------------------------------------------------------------------------------------------


def test_csv_and_parquet_of_the_same_rows_say_the_same_bytes(written: Any) -> None:
    rows = [
        sale("536365", "85123a ", 6), sale("536366", "71053", 1, customer=None, Description=None),
        sale("536367", "71053", 3, Description='  "TIN", OF\nJERKY é'), sale("C536379", "85123A", -2),
    ]  # fmt: skip
    as_csv, as_parquet = (planned(path) for path in written(rows))
    assert said(as_csv) == said(as_parquet)
    assert said(as_csv) == said(as_csv)
    assert len(said(as_csv)) == 8


def test_types_of_cells_do_not_matter(tmp_path: Path) -> None:
    """Integers with gaps become floats in some writers, times become text or get a zone: the records stay the same."""
    plain = pa.Table.from_pylist([sale("536365", "85123", 6), sale("536366", "85123", 1, customer=None)])
    floats = plain
    for name, kind in (("CustomerID", pa.float64()), ("Quantity", pa.float32()), ("InvoiceNo", pa.int64())):
        place = floats.schema.get_field_index(name)
        floats = floats.set_column(place, name, floats[name].cast(kind))
    place = floats.schema.get_field_index("InvoiceDate")
    zoned = floats.set_column(place, "InvoiceDate", floats["InvoiceDate"].cast(pa.timestamp("ns", "UTC")))
    texts = pa.table({name: plain[name].cast(pa.string()) for name in plain.column_names})
    views = pa.table({name: texts[name].cast(pa.string_view()) for name in texts.column_names})
    codes = views.set_column(1, "StockCode", views["StockCode"].cast(pa.binary_view()))
    paths = []
    for n, table in enumerate((plain, floats, zoned, texts, views, codes)):
        paths.append(tmp_path / f"{n}.parquet")
        parquet.write_table(table, paths[-1])
    csv.write_csv(floats, tmp_path / "floats.csv")
    american = texts.set_column(4, "InvoiceDate", pa.array(["1/3/2011 12:00"] * 2))
    csv.write_csv(american, tmp_path / "american.csv")
    plans = [planned(path) for path in (*paths, tmp_path / "floats.csv", tmp_path / "american.csv")]
    assert all(said(plan) == said(plans[0]) for plan in plans)


def test_a_csv_in_the_western_code_page_is_read_like_one_in_utf_8(tmp_path: Path) -> None:
    text = "InvoiceNo,StockCode,Description,Quantity\n1,85123A,CAFÉ,1\n"
    (tmp_path / "utf8.csv").write_text(text, encoding="utf-8")
    (tmp_path / "western.csv").write_text(text, encoding="cp1252")
    assert said(planned(tmp_path / "utf8.csv")) == said(planned(tmp_path / "western.csv"))


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_csv_of_any_spreadsheet_says_the_same(tmp_path: Path, delimiter: str, encoding: str, end: str) -> None:
    lines = ['InvoiceNo|StockCode|"Description; or, name"|Quantity', '1|85123A|"CAFÉ; big, black"|"1,0"', "2|71053||2"]
    mapped = ["Description; or, name=description"]
    (tmp_path / "plain.csv").write_text("\n".join(lines).replace("|", ","), encoding="utf-8")
    text = end.join(lines).replace("|", delimiter)
    (tmp_path / "other.csv").write_text(text, encoding=encoding, newline="")
    other = planned(tmp_path / "other.csv", mapped=mapped)
    assert said(other) == said(planned(tmp_path / "plain.csv", mapped=mapped))
    assert (len(said(other)), other.flavors) == (6, {"85123A": "CAFÉ; big, black"})


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_of_two_columns_of_one_name_none_is_taken(tmp_path: Path, ending: str) -> None:
    cells = [pa.array(["1"]), pa.array(["85123A"]), pa.array(["1"]), pa.array(["2"])]
    table = pa.Table.from_arrays(cells, names=["InvoiceNo", "StockCode", "Quantity", "Quantity"])
    path = tmp_path / f"a.{ending}"
    (csv.write_csv if ending == "csv" else parquet.write_table)(table, path)
    with pytest.raises(FileRefused, match="more than one column Quantity"):
        planned(path)


def test_how_the_file_was_cut_into_batches_does_not_show(tmp_path: Path) -> None:
    rows = pa.Table.from_pylist([sale(str(n // 3), f"{10_000 + n % 7}", 1 + n % 5) for n in range(1_000)])
    parquet.write_table(rows, tmp_path / "one.parquet")
    parquet.write_table(rows, tmp_path / "many.parquet", row_group_size=7)
    assert said(planned(tmp_path / "one.parquet")) == said(planned(tmp_path / "many.parquet"))


@settings(derandomize=True, deadline=None)
@given(st.lists(st.one_of(st.none(), st.integers(-(10**9), 10**9)), max_size=20))
def test_quantities_mean_the_same_as_integers_floats_and_text(numbers: list[int | None]) -> None:
    integers = pa.array(numbers, pa.int64())
    expected = numbers
    assert canonical.quantities(integers).to_pylist() == expected
    assert canonical.quantities(integers.cast(pa.float64())).to_pylist() == expected
    assert canonical.quantities(pa.array([None if n is None else f" {n} " for n in numbers])).to_pylist() == expected
    assert canonical.quantities(pa.array([None if n is None else f"{n}.0" for n in numbers])).to_pylist() == expected


@pytest.mark.parametrize(
    "text",
    ["", "x", "1.5", "1,5", "1e3", "99999999999999999999", "--1", "1 000", "1.000.000", "1,000,000", "1.000,0"],
)
def test_a_quantity_that_is_no_whole_number_is_none(text: str) -> None:
    assert canonical.quantities(pa.array([text])).to_pylist() == [None]


@pytest.mark.parametrize("text", ["1.000", "1,000", "-12.000"])
def test_a_quantity_that_is_one_to_some_and_a_thousand_to_others_is_none(text: str) -> None:
    assert canonical.quantities(pa.array([text])).to_pylist() == [None]


@pytest.mark.parametrize("text", ["6", "6.", "6.0", "6,0", "6,00", "6.0000", "+6,0", " 6.0 ", "6.00\u00a0"])
def test_a_whole_number_may_be_written_with_decimals_of_either_kind(text: str) -> None:
    assert canonical.quantities(pa.array([text])).to_pylist() == [6]


def test_decimals_of_a_parquet_file_have_a_scale_and_leave_no_doubt() -> None:
    cells = pa.array([Decimal("6.000"), Decimal("1000.000"), Decimal("1.500"), None], pa.decimal128(12, 3))
    assert canonical.quantities(cells).to_pylist() == [6, 1000, None, None]


def test_a_cancellation_of_no_number_of_units_is_a_dead_letter_as_any_other_row(written: Any) -> None:
    for path in written([sale("1", "85123A", "9"), sale("C2", "85123A", "-2,5"), sale("C3", "85123A", "0")]):
        plan = planned(path)
        assert (plan.classes["cancellation"], plan.classes["impossible_quantity"], plan.unmatched) == (1, 1, 1)
        assert "row 2, column Quantity: '-2,5' stands where" in plan.dead[0].reason


@pytest.mark.parametrize("invoice", ["3.11984E+10", "3.1e+10", "4E+15"])
def test_an_invoice_that_a_spreadsheet_rounded_is_no_order_of_many_others_rows(written: Any, invoice: str) -> None:
    for path in written([sale("1", "85123A", 6), sale(invoice, "85123A", 6), sale(invoice, "71053", 6)]):
        plan = planned(path)
        assert (plan.invoices, plan.classes["unreadable"]) == (["1"], 2)
        assert f"row 2, column InvoiceNo: {invoice!r} stands where an invoice number" in plan.dead[0].reason


@pytest.mark.parametrize("nobody", ["", "NA", "nan", "NULL"])
def test_what_tools_write_into_an_empty_cell_is_neither_a_customer_nor_an_order(written: Any, nobody: str) -> None:
    """All of them were one customer: what one gave back came back to another's order."""
    rows = [sale("1", "85123A", 5, customer=nobody), sale("C2", "85123A", -5, customer=nobody),
            sale(nobody, "85123A", 1, customer=nobody)]  # fmt: skip
    for path in written(rows):
        plan = planned(path)
        assert (plan.unmatched, plan.invoices, plan.classes["unreadable"]) == (1, ["1"], 1)


@pytest.mark.parametrize("invoice", ["00123", "112-1 2", "#1001", "DE 0042/1"])
def test_ids_keep_their_leading_noughts_and_inner_spaces(written: Any, invoice: str) -> None:
    for path in written([sale(f" {invoice} ", "85123A", 1)]):
        assert planned(path).invoices == [invoice]


@pytest.mark.parametrize(
    "text",
    ["2011-01-03T12:00:00Z", "2011-01-03 12:00", "2011-01-03 12:00:00.000000000", "1/3/2011 12:00",
     "2011-01-03T13:00:00+01:00", "1/3/2011 12:00 PM", "01/03/2011 12:00:00.0009 p.m.", "1/3/2011  12:00:00pm",
     "1/3/2011, 12:00:00 PM", "2011-01-03 12:00 PM", "2011/1/3 12:00", "2011-1-3 12:00:00,000", "3.1.2011 12:00",
     "2011-01-03 13:00:00 +0100", "2011-01-03 12:00:00 UTC", "1/3/2011 7:00 AM -05:00", " 1/3/2011 12:00Z "],
)  # fmt: skip
def test_times_in_every_usual_shape_are_one_time(text: str) -> None:
    assert canonical.times(pa.array([text, "soon"])).to_pylist() == [1_294_056_000_000, None]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1/3/2011 12:05 AM", "2011-01-03T00:05:00.000Z"), ("1/3/2011 1:05:07.25 PM", "2011-01-03T13:05:07.250Z"),
     ("20110103", "2011-01-03T00:00:00.000Z"), ("2011-01-03T23:00:00.5-02:00", "2011-01-04T01:00:00.500Z")],
)  # fmt: skip
def test_halves_of_days_fractions_and_offsets_are_kept(tmp_path: Path, text: str, expected: str) -> None:
    csv.write_csv(pa.Table.from_pylist([sale("1", "85123A", 1, InvoiceDate=text)]), tmp_path / "a.csv")
    assert [order.occurred_at for order in orders(planned(tmp_path / "a.csv"))] == [expected]


@pytest.mark.parametrize(
    "text",
    ["soon", "13:00 PM", "1/3/2011 13:00 PM", "1/3/2011 0:30 AM", "1/3/11 9:00", "2011-01-03 12:00 EST", "2011-02-30",
     "2/30/2011", "1294056000", "1294051213000", "1/3/2011 24:00", "32/13/2011", "2011-01-03T12:00:00+99:00"],
)  # fmt: skip
def test_what_could_be_another_time_or_none_is_a_dead_letter_that_says_where_and_what_was_expected(
    tmp_path: Path, text: str
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
def test_a_count_of_days_is_a_dead_letter_that_says_what_to_do_in_the_spreadsheet(tmp_path: Path, text: str) -> None:
    """Two of them are in use, four years apart: nobody knows which day it is."""
    csv.write_csv(pa.Table.from_pylist([sale("1", "85123A", 6, InvoiceDate=text)]), tmp_path / "a.csv")
    (dead,) = planned(tmp_path / "a.csv").dead
    assert dead.reason.endswith("give its column a date format there, and save it again")


@pytest.mark.parametrize("text", ["", " ", "NaT", "NULL", "n/a", "0000-00-00 00:00:00"])
def test_what_tools_write_for_no_time_is_none(tmp_path: Path, text: str) -> None:
    csv.write_csv(pa.Table.from_pylist([sale("1", "85123A", 6, InvoiceDate=text)]), tmp_path / "a.csv")
    plan = planned(tmp_path / "a.csv")
    assert (plan.dead, [order.occurred_at for order in orders(plan)]) == ([], [None])


def test_a_file_whose_days_come_first_is_refused_because_half_of_them_would_be_other_days(tmp_path: Path) -> None:
    rows = [sale(str(n), "85123A", 6, InvoiceDate=f"{n}/1/2011 9:00") for n in (3, 13)]
    csv.write_csv(pa.Table.from_pylist(rows), tmp_path / "a.csv")
    with pytest.raises(FileRefused, match=r"row 2, column InvoiceDate: '13/1/2011 9:00' .*: write 2011-01-31"):
        planned(tmp_path / "a.csv")


def test_a_file_that_is_not_understood_is_refused_before_each_row_is_a_dead_letter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan_module, "DEAD_ROWS_MAX", 3)
    rows = [sale(str(n), "85123A", 6, InvoiceDate="Monday" if n else "") for n in range(5)]
    csv.write_csv(pa.Table.from_pylist(rows[:4]), tmp_path / "a.csv")
    assert len(planned(tmp_path / "a.csv").dead) == 3
    csv.write_csv(pa.Table.from_pylist(rows), tmp_path / "a.csv")
    with pytest.raises(FileRefused, match=r"more than 3 rows cannot be read, the first: unreadable_time: row 2, "):
        planned(tmp_path / "a.csv")


# -- what the person at the terminal is told ---------------------------------------------------------------------------


def test_a_missing_column_is_named_with_the_columns_there_are_and_the_way_to_map_them(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text("Invoice,StockCode,Quantity\n1,85123A,1\n")
    with pytest.raises(FileRefused, match=r"InvoiceNo \(invoice\); it has: Invoice, StockCode, Quantity\. .*--map"):
        planned(path)
    assert planned(path, mapped=["Invoice=invoice"]).invoices == ["1"]


@pytest.mark.parametrize("pair", ["Invoice", "Invoice=basket", "Nothing=invoice"])
def test_a_wrong_map_says_what_it_may_hold(tmp_path: Path, pair: str) -> None:
    path = tmp_path / "orders.csv"
    path.write_text("Invoice,StockCode,Quantity\n1,85123A,1\n")
    with pytest.raises(FileRefused, match=r"FIELD is one of invoice, sku|it has: Invoice"):
        planned(path, mapped=[pair])


@pytest.mark.parametrize("content", [b"", b"PAR1 but no parquet", b"InvoiceNo,StockCode,Quantity\n"])
def test_a_file_without_rows_or_of_another_kind_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "orders.csv"
    path.write_bytes(content)
    with pytest.raises(FileRefused):
        planned(path)


def test_a_workbook_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    with zipfile.ZipFile(path, "w") as book:
        book.writestr("xl/worksheets/sheet1.xml", bytes(range(256)))
    with pytest.raises(FileRefused, match="save it, unpacked, as CSV"):
        open_file(path)


def test_a_byte_that_is_no_text_is_refused_wherever_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    line = b"1,85123A,1\n"
    path.write_bytes(b"InvoiceNo,StockCode,Quantity\n" + line * (2 * CSV_BLOCK_BYTES // len(line)) + b"2,\x81,1\n")
    with pytest.raises(FileRefused, match="save it, unpacked, as CSV"):
        planned(path)


def test_a_damaged_parquet_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "orders.parquet"
    parquet.write_table(pa.Table.from_pylist([sale(str(n), "85123A", 1) for n in range(2_000)]), path)
    content = bytearray(path.read_bytes())
    content[10:60] = bytes(byte ^ 0xFF for byte in content[10:60])
    path.write_bytes(content)
    with pytest.raises(FileRefused, match=r"orders\.parquet: "):
        planned(path)


@pytest.mark.parametrize("cells", [[["1"], ["2"]], [{"name": "1"}, {"name": "2"}], [b"\xff", b"\xfe"]])
def test_a_column_that_holds_no_text_and_no_numbers_is_refused(tmp_path: Path, cells: list[Any]) -> None:
    path = tmp_path / "orders.parquet"
    parquet.write_table(pa.table({"InvoiceNo": cells, "StockCode": ["85123A"] * 2, "Quantity": [1, 2]}), path)
    with pytest.raises(FileRefused, match=r"orders\.parquet: "):
        planned(path)


# -- the real files ----------------------------------------------------------------------------------------------------

REAL = (
    ("online_retail_dev.parquet", "online-retail", 345_274,
     {"line": 336_424, "not_a_product": 2_106, "cancellation": 5_785, "impossible_quantity": 959}, 11_184),
    ("cj_orders_dev.parquet", "complete-journey", 981_843,
     {"line": 979_427, "not_a_product": 0, "cancellation": 0, "impossible_quantity": 2_416}, 84_902),
)  # fmt: skip


@pytest.mark.parametrize(("name", "preset", "rows", "classes", "confirmed"), REAL)
def test_on_real_orders_the_classes_add_up_and_one_at_a_time_confirms_a_known_number(
    name: str, preset: str, rows: int, classes: dict[str, int], confirmed: int
) -> None:
    folder = os.environ.get("SMOKEHOUSE_TEST_DATA")
    if not folder or not (Path(folder) / name).exists():
        pytest.skip(f"no real data: SMOKEHOUSE_TEST_DATA is {folder or 'not set'}, {name} is not there")
    plan = planned(Path(folder) / name, preset)
    assert (plan.rows, plan.classes) == (rows, classes)
    assert sum(plan.classes.values()) == plan.rows
    beside = [(record, None) for record in speech.receipts(plan)]
    beside += [(event.record, with_row(event.row)) for event in speech.events(plan)]
    assert replay(record for record, _ in beside).confirmed == confirmed
    by_file = sorted(beside, key=lambda one: file_order(*one))
    assert by_file != beside  # receipts come by SKU, not by name ...
    assert replay(record for record, _ in by_file).confirmed == confirmed  # ... and that changes nothing
