"""Cells of an order file in one form: codes, quantities and times, whatever types and writers made of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.files import canonical, speech
from connectors.files.presets import FileRefused
from tables.codec import ORDER_LOG, Unreadable, encode

# -- times that no record can say --------------------------------------------------------------------------------------

NO_TIMES = ["0001-01-01 00:00:00", "1/1/0010 8:26", "0999-12-31T23:59:59Z", "0001-01-01T00:00:00+01:00",
            "9999-12-31T23:59:59-01:00"]  # fmt: skip
ZONES = st.integers(-23, 23).map(lambda hours: timezone(timedelta(hours=hours)))
ANY_TIME = st.datetimes(timezones=st.none() | st.just(UTC) | ZONES)
TIME_CELLS = ANY_TIME.map(str) | ANY_TIME.map(lambda at: at.isoformat()) | st.text(max_size=20) | st.sampled_from([
    *NO_TIMES, "1000-01-01", "9999-12-31T23:59:59.999999Z", "12/1/2010 8:26", "1/1/0010", "",
])  # fmt: skip


@pytest.mark.parametrize("time", NO_TIMES)
def test_a_time_of_no_year_that_a_record_can_say_is_left_out(
    tmp_path: Path, time: str, sale: Any, planned: Any
) -> None:
    rows = [sale(name, "85123A", n, InvoiceDate=time) for name, n in (("1", 6), ("C2", -6), ("3", 1))]
    rows.append(sale("3", "71053", 1, InvoiceDate="2011-01-03 12:00:00"))
    csv.write_csv(pa.Table.from_pylist(rows), tmp_path / "a.csv")
    found = [event.record.occurred_at for event in speech.events(planned(tmp_path / "a.csv"))]
    assert found == [None, None, "2011-01-03T12:00:00.000Z"], "an order has the first time of its lines"


@pytest.mark.parametrize("unit", ["s", "ms", "us"])
def test_the_same_holds_for_times_of_parquet_and_the_edges_are_times(
    tmp_path: Path, unit: str, sale: Any, planned: Any, orders: Any
) -> None:
    cells = [datetime(1, 1, 1), datetime(999, 12, 31, 23, 59, 59), datetime(1000, 1, 1), datetime(9999, 12, 31, 23, 59)]
    table = pa.Table.from_pylist([sale(str(n), "85123A", 1) for n in range(4)])
    table = table.set_column(4, "InvoiceDate", pa.array(cells, pa.timestamp(unit)))
    parquet.write_table(table, tmp_path / "a.parquet")
    assert [order.occurred_at for order in orders(planned(tmp_path / "a.parquet"))] == [
        None, None, "1000-01-01T00:00:00.000Z", "9999-12-31T23:59:00.000Z",
    ]  # fmt: skip


def test_a_file_with_such_times_keeps_its_id(tmp_path: Path, planned: Any) -> None:
    """What an import that never ended had received under this id is not received again."""
    text = "InvoiceNo,StockCode,Quantity,InvoiceDate\n1,85123A,1,0001-01-01 00:00:00\n"
    (tmp_path / "a.csv").write_text(text)
    assert planned(tmp_path / "a.csv").import_id == "16f704d02ae6"


@settings(max_examples=50, deadline=None)
@given(st.lists(TIME_CELLS, min_size=1, max_size=20), st.lists(st.integers(-(1 << 63), (1 << 63) - 1), max_size=20))
def test_every_time_that_a_row_may_have_gives_records_that_can_be_read(
    planned: Any, texts: list[str], moments: list[int]
) -> None:
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


def test_types_of_cells_do_not_matter(tmp_path: Path, sale: Any, planned: Any, said: Any) -> None:
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


@pytest.mark.parametrize("invoice", ["00123", "112-1 2", "#1001", "DE 0042/1"])
def test_ids_keep_their_leading_noughts_and_inner_spaces(written: Any, invoice: str, sale: Any, planned: Any) -> None:
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
def test_halves_of_days_fractions_and_offsets_are_kept(
    tmp_path: Path, text: str, expected: str, sale: Any, planned: Any, orders: Any
) -> None:
    csv.write_csv(pa.Table.from_pylist([sale("1", "85123A", 1, InvoiceDate=text)]), tmp_path / "a.csv")
    assert [order.occurred_at for order in orders(planned(tmp_path / "a.csv"))] == [expected]


@pytest.mark.parametrize("cells", [[["1"], ["2"]], [{"name": "1"}, {"name": "2"}], [b"\xff", b"\xfe"]])
def test_a_column_that_holds_no_text_and_no_numbers_is_refused(tmp_path: Path, cells: list[Any], planned: Any) -> None:
    path = tmp_path / "orders.parquet"
    parquet.write_table(pa.table({"InvoiceNo": cells, "StockCode": ["85123A"] * 2, "Quantity": [1, 2]}), path)
    with pytest.raises(FileRefused, match=r"orders\.parquet: "):
        planned(path)
