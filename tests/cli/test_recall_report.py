"""The report of a lot: text, CSV and PDF show the same rows; what does not fit is wrapped, paged or counted."""

from __future__ import annotations

import csv
import io
import re
import zlib

import msgspec
import pytest

from streams.commands import recall_report
from streams.commands.recall_pdf import write_pdf
from tables.lot_account import account
from tables.lot_sections import LotPartition
from tables.rows import BatchRow, LotRow, RecallRow, TraceRow

NOW = "2026-03-01T10:00:00.000Z"
MS = 1_764_000_000_000


def lot_account(orders=3, **batch):
    """A lot of which so many orders got a unit each, and two more units are there."""
    said = {"supplier": "Ranch & Co", "documents": ("coa.pdf",), "reason": ""} | batch
    traces = [
        TraceRow(1, "L1", "JRK-1", "W1", "received", orders + 2, MS, "", "", "", "", "PO-1"),
        *(
            TraceRow(n + 2, "L1", "JRK-1", "W1", "shipped", -1, MS + n, "", f"order-{n:05d}", "shop", "scanned", "")
            for n in range(orders)
        ),
    ]
    part = LotPartition(
        partition=1, partitions=4, log_id=7, offset=99, state_ms=MS,
        recall=RecallRow(1, "L1", "recall-1", (), "metal found", False, "open", MS, 0),
        batches=[BatchRow(1, "JRK-1", "L1", "2027-01-31", "", said["supplier"], said["documents"], "approved",
                          said["reason"])],
        lots=[LotRow(1, "JRK-1", "W1", "L1", "2027-01-31", 1, 2, 0, "recalled", False, False, 0, ())],
        incoming=[], traces=traces, whole=True,
    )  # fmt: skip
    return account("L1", lambda code: [part])


def csv_of(said):
    out = io.StringIO()
    recall_report.put_csv(said, out)
    return list(csv.DictReader(io.StringIO(out.getvalue())))


def pages_of(path):
    """The text of each page, one string per piece of text, read from the file itself."""
    streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", path.read_bytes(), re.DOTALL)
    unpacked = []
    for stream in streams:
        try:
            unpacked.append(zlib.decompress(stream).decode("latin-1"))
        except zlib.error:
            continue  # a font, not a page
    return [re.findall(r"\((.*?)(?<!\\)\) Tj", text) for text in unpacked if " Tj" in text]


def test_csv_has_every_row_of_every_section(tmp_path):
    said = lot_account(100)
    rows = csv_of(said)
    assert [row["order"] for row in rows if row["section"] == "Shipped to"] == [f"order-{n:05d}" for n in range(100)]
    assert {row["section"] for row in rows} == {
        section.title for section in recall_report.sections(said) if section.rows
    }
    [came] = [row for row in rows if row["section"] == "Received from"]
    assert (came["units"], came["supplier"], came["reference"]) == ("102", "Ranch & Co", "PO-1")


def test_csv_lets_no_text_of_others_compute_in_a_spreadsheet():
    [batch] = [row for row in csv_of(lot_account(supplier='=HYPERLINK("x")')) if row["section"] == "Batches"]
    assert batch["supplier"] == '\'=HYPERLINK("x")'


def test_text_says_how_many_rows_it_leaves_out(capsys):
    recall_report.put_text(lot_account(recall_report.TEXT_ROWS_MAX + 7))
    out, err = capsys.readouterr()
    assert "order-00000" in out
    assert f"order-{recall_report.TEXT_ROWS_MAX:05d}" not in out
    assert "Shipped to: 7 more of 47" in err


def test_every_section_without_rows_is_left_out_of_the_text(capsys):
    recall_report.put_text(lot_account(1))
    out, _ = capsys.readouterr()
    assert "Shipped to" in out
    assert "In transit" not in out


def test_the_pdf_has_every_shipment_with_a_header_and_its_number_on_every_page(tmp_path):
    count = write_pdf(lot_account(300), tmp_path / "l1.pdf", NOW)
    pages = pages_of(tmp_path / "l1.pdf")
    assert len(pages) == count > 5
    assert re.findall(r"order-\d+", " ".join(text for page in pages for text in page)) == [
        f"order-{n:05d}" for n in range(300)
    ]
    for number, page in enumerate(pages, 1):
        assert "Smokehouse, lot L1" in page
        assert "".join(page[-2:]) == f"page {number} of {count}"
    assert all(page[2].split()[-1] == "known" for page in pages[2:])  # the names of the columns, again on every page
    assert any(text.split() == ["units", "frozen", "2"] for text in pages[0])


def test_the_pdf_wraps_what_is_long_and_writes_out_what_its_letters_lack(tmp_path):
    reason = " ".join(f"word{n}" for n in range(80)) + " " + "x" * 300
    write_pdf(lot_account(1, reason=reason, supplier="Łukasz"), tmp_path / "l1.pdf", NOW)
    texts = [text for page in pages_of(tmp_path / "l1.pdf") for text in page]
    joined = " ".join(texts)
    assert all(f"word{n} " in joined for n in range(80))
    assert len(re.findall("x", joined)) - joined.count("expected") >= 300
    assert r" \\u0141ukasz " in joined  # a backslash stands escaped in a PDF


def test_the_same_account_and_time_give_the_same_pdf(tmp_path):
    for name in ("a.pdf", "b.pdf"):
        write_pdf(lot_account(), tmp_path / name, NOW)
    assert (tmp_path / "a.pdf").read_bytes() == (tmp_path / "b.pdf").read_bytes()


def test_a_partial_report_says_so_on_every_page(tmp_path):
    said = msgspec.structs.replace(lot_account(100), missing=(2, 3))
    write_pdf(said, tmp_path / "l1.pdf", NOW)
    pages = pages_of(tmp_path / "l1.pdf")
    assert all(any("PARTIAL" in text for text in page) for page in pages)
    assert ("partitions missing", "2, 3") in recall_report.summary(said)


@pytest.mark.parametrize("title", ["Mass balance", "On hand", "Shipped to"])
def test_sections_have_a_cell_for_every_column(title):
    [section] = [x for x in recall_report.sections(lot_account()) if x.title == title]
    assert section.rows
    assert {len(row) for row in section.rows} == {len(section.columns)}
