"""How an order file is opened: what parts its cells, and what is no order file at all."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from connectors.files.presets import FileRefused
from connectors.files.reading import OrderFile, open_file


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
