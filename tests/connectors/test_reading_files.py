"""How an order file is opened: what parts its cells, and what is no order file at all."""

from __future__ import annotations

from pathlib import Path

import pytest

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
