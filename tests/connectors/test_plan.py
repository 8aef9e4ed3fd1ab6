"""What an order file comes to: orders, cancellations, receipts and their ids; CSV and parquet alike."""

from __future__ import annotations

import math
import os
from fractions import Fraction
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.file_order import with_row
from connectors.files import speech
from connectors.files.presets import FileRefused
from connectors.sequential import file_order, replay
from tables import records as r
from tables.codec import ORDER_LOG, STOCK_LOG, Unreadable, encode

# -- orders, ids, order of things --------------------------------------------------------------------------------------


def test_an_order_is_paid_keeps_its_time_and_is_named_by_preset_and_invoice(
    written: Any, sale: Any, planned: Any, orders: Any
) -> None:
    for path in written([sale("536365", "85123A", 6)]):
        (order,) = orders(planned(path))
        assert order == r.OrderPlaced(
            id="online-retail:536365", order_id="online-retail:536365", channel="online-retail",
            lines=[r.Line("85123A", 6)], locations=["MAIN"], payment="paid", occurred_at="2011-01-03T12:00:00.000Z",
        )  # fmt: skip


def test_an_order_whose_rows_are_spread_stands_at_its_first_row_with_all_its_lines(
    written: Any, sale: Any, planned: Any, orders: Any
) -> None:
    for path in written([sale("1", "85123A", 1), sale("2", "85123A", 1), sale("1", "71053", 1)]):
        found = orders(planned(path))
        assert [(x.order_id, len(x.lines)) for x in found] == [("online-retail:1", 2), ("online-retail:2", 1)]


def test_an_order_of_more_lines_than_a_record_may_carry_is_a_dead_letter(
    written: Any, sale: Any, planned: Any, orders: Any
) -> None:
    rows = [sale("1", f"{10_000 + n}", 1) for n in range(r.LINES_MAX + 1)] + [sale("2", "10000", 1)]
    for path in written(rows):
        plan = planned(path)
        assert [x.order_id for x in orders(plan)] == ["online-retail:2"]
        assert plan.invoices == ["2"]
        assert plan.dead[0].reason.startswith("too_many_lines")


def test_every_record_of_an_import_can_be_read_by_its_log(written: Any, sale: Any, planned: Any) -> None:
    for path in written([sale("1", "85123A", 6), sale("C2", "85123A", -6)]):
        plan = planned(path)
        read = [x for record in speech.receipts(plan) for x in STOCK_LOG.items(encode(record))]
        read += [x for event in speech.events(plan) for x in ORDER_LOG.items(encode(event.record))]
        assert not [x for x in read if isinstance(x, Unreadable)]
        assert [x.type if isinstance(x, dict) else type(x).__name__ for x in read] == [
            "SkuDefined", "Received", "OrderPlaced", "CancelRequested",
        ]  # fmt: skip


# -- cancellations -----------------------------------------------------------------------------------------------------


def test_a_cancellation_gives_back_to_the_latest_earlier_order_that_still_has_that_many(
    written: Any, sale: Any, planned: Any, cancels: Any
) -> None:
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


def test_74_215_pieces_are_cancelled_16_minutes_later(written: Any, sale: Any, planned: Any, cancels: Any) -> None:
    rows = [sale("541431", "23166", 74_215, customer=12346), sale("C541433", "23166", -74_215, customer=12346)]
    for path in written(rows):
        (cancel,) = cancels(planned(path))
        assert cancel == r.CancelRequested(
            id="online-retail:C541433:23166:74215:1", order_id="online-retail:541431", reason="returned",
            lines=[r.CancelLine("23166", 74_215)], occurred_at="2011-01-03T12:00:00.000Z",
        )  # fmt: skip


def test_a_cancellation_without_customer_or_without_units_is_unmatched(
    written: Any, sale: Any, planned: Any, cancels: Any
) -> None:
    rows = [sale("1", "85123A", 5), sale("2", "85123A", 5, customer=None), sale("C3", "85123A", -5, customer=None),
            sale("C4", "85123A", 0)]  # fmt: skip
    for path in written(rows):
        assert (cancels(planned(path)), planned(path).unmatched) == ([], 2)


def test_equal_rows_of_a_cancelling_invoice_are_told_apart_by_their_number(
    written: Any, sale: Any, planned: Any, cancels: Any
) -> None:
    rows = [sale("1", "85123A", 5), sale("C3", "POST", -1), sale("C3", "85123A", -1), sale("C3", "85123A", -2),
            sale("C3", "85123A", -1)]  # fmt: skip
    for path in written(rows):
        assert [x.id for x in cancels(planned(path))] == [
            "online-retail:C3:85123A:1:1", "online-retail:C3:85123A:2:1", "online-retail:C3:85123A:1:2",
        ]  # fmt: skip


LATER = [
    ("8", "85123A", 4, 1), ("9", "85123A", 0, 1), ("C10", "85123A", -1, 1), ("11", "85123A", -3, 1),
    ("9", "85123A", 0, 1), ("C10", "85123A", -1, 1), ("8", "71053", 1, 1),
]  # fmt: skip
EARLIER = [("1", "85123A", 7), ("2", "71053", 0), ("C3", "85123A", -2), ("4", "71053", 2)]


@pytest.mark.parametrize(
    "longer", [EARLIER + LATER, LATER + EARLIER, EARLIER[:2] + LATER[:4] + EARLIER[2:] + LATER[4:]]
)
def test_what_a_row_says_it_says_in_a_longer_export_too(
    written: Any, longer: list[tuple[Any, ...]], sale: Any, planned: Any
) -> None:
    """By its row an order placed again was another record, and units came back once more."""

    def ids(rows: list[tuple[Any, ...]]) -> tuple[set[bytes], set[str]]:
        plan = planned(written([sale(*row) for row in rows])[1])
        return {encode(e.record) for e in speech.events(plan)}, {speech.dead_letter_id(plan, x) for x in plan.dead}

    for part in (EARLIER, LATER):
        (said_first, dead_first), (said_then, dead_then) = ids(part), ids(longer)
        assert said_first <= said_then
        assert dead_first <= dead_then
    assert (len(ids(longer)[0]), len(ids(longer)[1])) == (3 + 3, 4)


# -- stock first -------------------------------------------------------------------------------------------------------


def test_receipts_are_the_share_of_the_units_ordered_rounded_up_cancellations_not_netted(
    written: Any, sale: Any, planned: Any
) -> None:
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


def test_csv_and_parquet_of_the_same_rows_say_the_same_bytes(written: Any, sale: Any, planned: Any, said: Any) -> None:
    rows = [
        sale("536365", "85123a ", 6), sale("536366", "71053", 1, customer=None, Description=None),
        sale("536367", "71053", 3, Description='  "TIN", OF\nJERKY é'), sale("C536379", "85123A", -2),
    ]  # fmt: skip
    as_csv, as_parquet = (planned(path) for path in written(rows))
    assert said(as_csv) == said(as_parquet)
    assert said(as_csv) == said(as_csv)
    assert len(said(as_csv)) == 8


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_of_two_columns_of_one_name_none_is_taken(tmp_path: Path, ending: str, planned: Any) -> None:
    cells = [pa.array(["1"]), pa.array(["85123A"]), pa.array(["1"]), pa.array(["2"])]
    table = pa.Table.from_arrays(cells, names=["InvoiceNo", "StockCode", "Quantity", "Quantity"])
    path = tmp_path / f"a.{ending}"
    (csv.write_csv if ending == "csv" else parquet.write_table)(table, path)
    with pytest.raises(FileRefused, match="more than one column Quantity"):
        planned(path)


def test_how_the_file_was_cut_into_batches_does_not_show(tmp_path: Path, sale: Any, planned: Any, said: Any) -> None:
    rows = pa.Table.from_pylist([sale(str(n // 3), f"{10_000 + n % 7}", 1 + n % 5) for n in range(1_000)])
    parquet.write_table(rows, tmp_path / "one.parquet")
    parquet.write_table(rows, tmp_path / "many.parquet", row_group_size=7)
    assert said(planned(tmp_path / "one.parquet")) == said(planned(tmp_path / "many.parquet"))


def test_a_missing_column_is_named_with_the_columns_there_are_and_the_way_to_map_them(
    tmp_path: Path, planned: Any
) -> None:
    path = tmp_path / "orders.csv"
    path.write_text("Invoice,StockCode,Quantity\n1,85123A,1\n")
    with pytest.raises(FileRefused, match=r"InvoiceNo \(invoice\); it has: Invoice, StockCode, Quantity\. .*--map"):
        planned(path)
    assert planned(path, mapped=["Invoice=invoice"]).invoices == ["1"]


@pytest.mark.parametrize("pair", ["Invoice", "Invoice=basket", "Nothing=invoice"])
def test_a_wrong_map_says_what_it_may_hold(tmp_path: Path, pair: str, planned: Any) -> None:
    path = tmp_path / "orders.csv"
    path.write_text("Invoice,StockCode,Quantity\n1,85123A,1\n")
    with pytest.raises(FileRefused, match=r"FIELD is one of invoice, sku|it has: Invoice"):
        planned(path, mapped=[pair])


def test_two_columns_for_one_field_are_refused_and_one_named_twice_is_not(tmp_path: Path, planned: Any) -> None:
    """The last one named was taken, without a word."""
    path = tmp_path / "orders.csv"
    path.write_text("Invoice,Basket,StockCode,Quantity\n1,2,85123A,1\n")
    with pytest.raises(FileRefused, match="names two columns for invoice, 'Invoice' and 'Basket': leave one out"):
        planned(path, mapped=["Invoice=invoice", "Basket=invoice"])
    assert planned(path, mapped=["Invoice=invoice", "Invoice=invoice"]).invoices == ["1"]


# -- the real files ----------------------------------------------------------------------------------------------------

REAL = (
    ("online_retail_dev.parquet", "online-retail", 345_274,
     {"line": 336_424, "not_a_product": 2_106, "cancellation": 5_785, "impossible_quantity": 959}, 11_184),
    ("cj_orders_dev.parquet", "complete-journey", 981_843,
     {"line": 979_427, "not_a_product": 0, "cancellation": 0, "impossible_quantity": 2_416}, 84_902),
)  # fmt: skip


@pytest.mark.parametrize(("name", "preset", "rows", "classes", "confirmed"), REAL)
def test_on_real_orders_the_classes_add_up_and_one_at_a_time_confirms_a_known_number(
    name: str, preset: str, rows: int, classes: dict[str, int], confirmed: int, planned: Any
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
