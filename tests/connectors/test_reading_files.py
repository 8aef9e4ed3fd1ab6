"""How an order file is opened: what parts its cells, and what is no order file at all."""

from __future__ import annotations

import gzip
import os
import zipfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from connectors.files import reading, speech
from connectors.files.presets import FileRefused
from connectors.files.reading import CSV_BLOCK_BYTES, OrderFile, open_file


def rows(file: OrderFile) -> list[dict[str, str]]:
    return [row for batch in file.batches(file.columns) for row in batch.to_pylist()]


@pytest.mark.parametrize("first", ["sep=;", "SEP=;", '"sep=;"'])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_first_line_that_says_what_parts_the_cells_is_none_of_them(
    tmp_path: Path, first: str, encoding: str, end: str
) -> None:
    """Excel reads it so, and whoever exports for Excel writes it. The heads have more commas than semicolons."""
    lines = [first, "Invoice, or order, or basket;StockCode", "1;CAFÉ", "2;71053", ""]
    (tmp_path / "a.csv").write_text(end.join(lines), encoding=encoding, newline="")
    assert rows(open_file(tmp_path / "a.csv")) == [
        {"Invoice, or order, or basket": "1", "StockCode": "CAFÉ"},
        {"Invoice, or order, or basket": "2", "StockCode": "71053"},
    ]


@pytest.mark.parametrize(
    "above", [["", ""], ["", "  "], [";;", ";;"], ['"";"";""'], ["sep=;", ""], ["", "sep=;"], ["sep=;", ";;"]]
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_blank_lines_above_the_heads_are_passed_over(tmp_path: Path, above: list[str], encoding: str, end: str) -> None:
    """What parts the cells was counted in the first line, blank or not."""
    lines = [*above, "InvoiceNo;StockCode;Price", "1;CAFÉ;1,50", ""]
    (tmp_path / "a.csv").write_text(end.join(lines), encoding=encoding, newline="")
    assert rows(open_file(tmp_path / "a.csv")) == [{"InvoiceNo": "1", "StockCode": "CAFÉ", "Price": "1,50"}]


@pytest.mark.parametrize("more", [1, 20_000], ids=["a few rows", "more than a cell may hold"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_a_mark_that_nothing_closes_is_refused_with_its_line_and_swallows_no_order(
    tmp_path: Path, encoding: str, more: int
) -> None:
    lines = ["", "order;what;units", '1;"two\nlines";1', '2;"open;1', *(f"{n};CAFÉ;1" for n in range(3, 3 + more)), ""]
    (tmp_path / "a.csv").write_text("\n".join(lines), encoding=encoding)
    with pytest.raises(FileRefused, match="line 5: a quotation mark opens a cell and nothing closes it"):
        open_file(tmp_path / "a.csv")


def test_a_mark_that_the_next_stray_one_closes_is_refused_with_its_line_and_swallows_no_order(tmp_path: Path) -> None:
    """Order 2 was a part of a cell of order 1: three columns, as they should be."""
    (tmp_path / "a.csv").write_text('order,what,units\n1,"stick,1\n2,stick,1\n3,"stick,1\n')
    with pytest.raises(FileRefused, match="line 2: a quotation mark opens a cell, and the next, lines below"):
        open_file(tmp_path / "a.csv")


@pytest.mark.parametrize("more", [0, 2_000_000], ids=["at its beginning", "far into it"])
@pytest.mark.parametrize(("row", "cells"), [("2,a,b,c", 4), ("2,a", 2)])
def test_a_row_of_more_or_fewer_cells_than_heads_is_refused_with_its_line(
    tmp_path: Path, row: str, cells: int, more: int
) -> None:
    lines = ["", "order,what,units", "", '1,"two\nlines",1', *(["1,b,2"] * more), row, "3,d,1", ""]
    (tmp_path / "a.csv").write_text("\n".join(lines))
    with pytest.raises(FileRefused, match=f"line {6 + more}: {cells} cells, of 3 columns"):
        rows(open_file(tmp_path / "a.csv"))


@pytest.mark.parametrize("cell", ['5" stick', '"5"" stick"', '"two\nlines"', '"five" sticks'])
def test_marks_that_open_nothing_or_are_closed_are_read(tmp_path: Path, cell: str) -> None:
    (tmp_path / "a.csv").write_text(f"order,what\n1,{cell}\n2,plain\n")
    assert [row["order"] for row in rows(open_file(tmp_path / "a.csv"))] == ["1", "2"]


@pytest.mark.parametrize("name", ["a.csv.gz", "a.csv"])
def test_a_packed_file_is_refused_whatever_it_is_called(tmp_path: Path, name: str) -> None:
    """By its name Arrow unpacked it, but code page and delimiter were guessed of packed bytes."""
    (tmp_path / name).write_bytes(gzip.compress("InvoiceNo,StockCode\nÉ1,85123A\n".encode()))
    with pytest.raises(FileRefused, match="save it, unpacked, as CSV"):
        open_file(tmp_path / name)


def test_a_file_that_is_called_packed_and_is_not_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.csv.gz").write_text("InvoiceNo;StockCode\nÉ1;85123A\n", encoding="utf-8")
    assert rows(open_file(tmp_path / "a.csv.gz")) == [{"InvoiceNo": "É1", "StockCode": "85123A"}]


def test_utf_16_that_does_not_say_so_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("InvoiceNo,StockCode\n1,85123A\n".encode("utf-16-le"))
    with pytest.raises(FileRefused, match="UTF-8 or Windows-1252; save it"):
        open_file(tmp_path / "a.csv")


def test_a_csv_in_the_western_code_page_is_read_like_one_in_utf_8(tmp_path: Path, planned: Any, said: Any) -> None:
    text = "InvoiceNo,StockCode,Description,Quantity\n1,85123A,CAFÉ,1\n"
    (tmp_path / "utf8.csv").write_text(text, encoding="utf-8")
    (tmp_path / "western.csv").write_text(text, encoding="cp1252")
    assert said(planned(tmp_path / "utf8.csv")) == said(planned(tmp_path / "western.csv"))


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_csv_of_any_spreadsheet_says_the_same(
    tmp_path: Path, delimiter: str, encoding: str, end: str, planned: Any, said: Any
) -> None:
    lines = ['InvoiceNo|StockCode|"Description; or, name"|Quantity', '1|85123A|"CAFÉ; big, black"|"1,0"', "2|71053||2"]
    mapped = ["Description; or, name=description"]
    (tmp_path / "plain.csv").write_text("\n".join(lines).replace("|", ","), encoding="utf-8")
    text = end.join(lines).replace("|", delimiter)
    (tmp_path / "other.csv").write_text(text, encoding=encoding, newline="")
    other = planned(tmp_path / "other.csv", mapped=mapped)
    assert said(other) == said(planned(tmp_path / "plain.csv", mapped=mapped))
    assert (len(said(other)), other.flavors) == (6, {"85123A": "CAFÉ; big, black"})


@pytest.mark.parametrize("content", [b"", b"PAR1 but no parquet", b"InvoiceNo,StockCode,Quantity\n"])
def test_a_file_without_rows_or_of_another_kind_is_refused(tmp_path: Path, content: bytes, planned: Any) -> None:
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


def test_a_byte_that_is_no_text_is_refused_wherever_it_stands(tmp_path: Path, planned: Any) -> None:
    path = tmp_path / "orders.csv"
    line = b"1,85123A,1\n"
    path.write_bytes(b"InvoiceNo,StockCode,Quantity\n" + line * (2 * CSV_BLOCK_BYTES // len(line)) + b"2,\x81,1\n")
    with pytest.raises(FileRefused, match="save it, unpacked, as CSV"):
        planned(path)


def test_a_damaged_parquet_file_is_refused(tmp_path: Path, sale: Any, planned: Any) -> None:
    path = tmp_path / "orders.parquet"
    parquet.write_table(pa.Table.from_pylist([sale(str(n), "85123A", 1) for n in range(2_000)]), path)
    content = bytearray(path.read_bytes())
    content[10:60] = bytes(byte ^ 0xFF for byte in content[10:60])
    path.write_bytes(content)
    with pytest.raises(FileRefused, match=r"orders\.parquet: "):
        planned(path)


@pytest.mark.parametrize("name", ["orders.csv", "orders.parquet"])
def test_a_file_whose_name_is_no_utf_8_is_read_and_named_in_text(
    written: Any, sale: Any, planned: Any, name: str
) -> None:
    """The import broke off when it named the file, after the first receipts were sent."""
    path = next(one for one in written([sale("1", "85123A", 1), sale("2", "85123A", 0)]) if one.name == name)
    path = path.rename(path.with_name(os.fsdecode(b"caf\xe9-" + name.encode())))
    plan = planned(path)
    assert (plan.invoices, plan.name) == (["1"], f"caf\ufffd-{name}")
    assert dict(speech.dead_letter(plan, plan.dead[0])[2])["__connect.errors.topic"] == f"file:{plan.name}".encode()


@pytest.mark.parametrize("kind", [0, 1], ids=["csv", "parquet"])
def test_arrow_reads_a_file_of_its_own(written: Any, sale: Any, monkeypatch: pytest.MonkeyPatch, kind: int) -> None:
    """One of Python's it reads in threads, and a command that refused the file was aborted by them as it ended."""
    path = written([sale("1", "85123A", 1)])[kind]
    given: list[Any] = []
    for module, name in ((reading.csv, "open_csv"), (reading.parquet, "read_schema"), (reading.parquet, "ParquetFile")):
        real = getattr(module, name)
        monkeypatch.setattr(module, name, lambda file, *more, real=real: given.append(file) or real(file, *more))
    assert len(rows(open_file(path))) == 1
    assert [type(file) for file in given] == [pa.OSFile] * 2
