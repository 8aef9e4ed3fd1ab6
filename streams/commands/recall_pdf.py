"""A lot's account as a PDF to print and to send: A4, a header and a page number on every page, totals first.

Writes one file. Guarantees: every row of every section is in it, its text wrapped and never cut; the same account and
time give the same bytes. Rows are set in a fixed-width font, a line of a table as one piece of text: 20,000 shipments
take a second, not a minute. Does not belong here: what the sections are (`recall_report`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from textwrap import wrap

from fpdf import FPDF

from streams.commands.recall_report import Section, sections, summary
from tables.lot_sections import LotAccount

MARGIN_MM = 12.0
LINE_MM = 3.4
POINTS = 7.5
LINE_CHARS = 171  # so many of this font at this size fill the width of a landscape page
GAP = "  "  # between columns
NAMES_CHARS = 26  # of the summary's first column

Columns = tuple[tuple[int, ...], tuple[str, ...], tuple[bool, ...]]  # widths in characters, names, which are numbers


def write_pdf(account: LotAccount, path: Path, now: str) -> int:
    """Write the report, dated `now` (RFC 3339), to `path`; returns its pages. `OSError` if it cannot be written."""
    paper = _Paper(account, now)
    paper.heading(f"Lot {account.lot}: recall report" if account.recall else f"Lot {account.lot}: trace report")
    for what, value in summary(account):
        paper.row((NAMES_CHARS, LINE_CHARS - NAMES_CHARS - len(GAP)), (what, str(value)), (False, False))
    for note in account.notes:
        paper.row((LINE_CHARS,), (note,), (False,))
    for section in sections(account):
        paper.section(section)
    path.write_bytes(bytes(paper.output()))
    return paper.pages_count


class _Paper(FPDF):
    def __init__(self, account: LotAccount, now: str) -> None:
        super().__init__(orientation="landscape", format="A4")
        partial = "   PARTIAL: partitions are missing" if account.missing else ""
        self._head = _printable(f"Smokehouse, lot {account.lot}{partial}")
        self._now = now
        self._columns: Columns | None = None  # of the table that a new page goes on with
        self.set_creation_date(datetime.fromisoformat(now))
        self.set_title(f"Lot {account.lot}")
        self.set_margins(MARGIN_MM, MARGIN_MM, MARGIN_MM)
        self.set_auto_page_break(False)
        self.add_page()

    def header(self) -> None:
        self.set_font("Helvetica", "", POINTS)
        self.text(MARGIN_MM, MARGIN_MM, self._head)
        right = f"made {self._now}"
        self.text(self.w - MARGIN_MM - self.get_string_width(right), MARGIN_MM, right)
        self._rule(MARGIN_MM + 1.5)
        self.set_y(MARGIN_MM + 3.0)
        if self._columns is not None:
            self._names(self._columns)
        self.set_font("Courier", "", POINTS)

    def footer(self) -> None:
        self.set_font("Helvetica", "", POINTS)
        self.set_y(-MARGIN_MM)
        self.cell(0, LINE_MM, f"page {self.page_no()} of {{nb}}", align="R")

    def heading(self, text: str) -> None:
        if self.get_y() + 6 * LINE_MM > self._bottom:  # not alone at the foot of a page
            self.add_page()
        self.set_font("Helvetica", "B", 11)
        self.text(MARGIN_MM, self.get_y() + 2 * LINE_MM, _printable(text))
        self.set_y(self.get_y() + 2.8 * LINE_MM)
        self.set_font("Courier", "", POINTS)

    def section(self, section: Section) -> None:
        """Its title with how much it holds, and its rows."""
        count = len(section.rows)
        said = "none" if not count else "1 row" if count == 1 else f"{count} rows"
        if "units" in section.columns and len({row[section.columns.index("sku")] for row in section.rows}) == 1:
            units = section.columns.index("units")  # units of several SKUs make no sum
            said += f", {sum(row[units] for row in section.rows)} units"
        self.heading(f"{section.title}: {said}")
        if not count:
            return
        cells = [tuple(str(cell) for cell in row) for row in section.rows]
        numeric = tuple(isinstance(cell, int) for cell in section.rows[0])
        widths = _widths(section.columns, cells)
        self._columns = (widths, section.columns, numeric)
        self._names(self._columns)
        for row in cells:
            self.row(widths, row, numeric)
        self._columns = None

    def row(self, widths: Sequence[int], cells: Sequence[str], numeric: Sequence[bool]) -> None:
        """Cells side by side, on as many lines as the longest needs; never across two pages, unless it fills one."""
        lines = _lines(widths, cells, numeric)
        if self.get_y() + len(lines) * LINE_MM > self._bottom:
            self.add_page()
        for line in lines:
            if self.get_y() + LINE_MM > self._bottom:
                self.add_page()
            self.text(MARGIN_MM, self.get_y() + 0.75 * LINE_MM, line)
            self.set_y(self.get_y() + LINE_MM)

    @property
    def _bottom(self) -> float:
        return self.h - MARGIN_MM - LINE_MM

    def _names(self, columns: Columns) -> None:
        widths, names, numeric = columns
        self.set_font("Courier", "B", POINTS)
        for line in _lines(widths, names, numeric):
            self.text(MARGIN_MM, self.get_y() + 0.75 * LINE_MM, line)
            self.set_y(self.get_y() + LINE_MM)
        self._rule(self.get_y())
        self.set_y(self.get_y() + 0.2 * LINE_MM)
        self.set_font("Courier", "", POINTS)

    def _rule(self, y: float) -> None:
        self.line(MARGIN_MM, y, self.w - MARGIN_MM, y)


def _lines(widths: Sequence[int], cells: Sequence[str], numeric: Sequence[bool]) -> list[str]:
    wrapped = [
        [text] if len(text := _printable(cell)) <= width else wrap(text, width)
        for cell, width in zip(cells, widths, strict=True)
    ]
    return [
        GAP.join(
            (of[number] if number < len(of) else "").rjust(width) if right
            else (of[number] if number < len(of) else "").ljust(width)
            for of, width, right in zip(wrapped, widths, numeric, strict=True)
        ).rstrip()
        for number in range(max(len(of) for of in wrapped))
    ]  # fmt: skip


def _widths(names: Sequence[str], rows: Sequence[Sequence[str]]) -> tuple[int, ...]:
    """Characters per column: what its longest cell needs; where that is too much for a line, the widest give way."""
    widths = [
        max(len(name), max(len(_printable(row[place])) for row in rows)) for place, name in enumerate(names)
    ]  # fmt: skip
    room = LINE_CHARS - len(GAP) * (len(names) - 1)
    while sum(widths) > room:
        widths[widths.index(max(widths))] -= 1
    return tuple(widths)


def _printable(text: str) -> str:
    r"""The text in the letters the built-in fonts have; others as `\uXXXX`, so that nothing is lost."""
    return text if text.isascii() else text.encode("latin-1", "backslashreplace").decode("latin-1")
