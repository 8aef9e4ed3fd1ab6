"""A lot's account as a PDF to print and to send: A4, a header and a page number on every page, totals first.

Writes one file. Guarantees: every row of every section is in it, its text wrapped and never cut; the same account and
time give the same bytes. Does not belong here: what the sections are (`recall_report`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from fpdf import FPDF

from streams.commands.recall_report import Section, sections, summary
from tables.lot_account import LotAccount

MARGIN_MM = 12.0
LINE_MM = 3.6
GAP_MM = 2.5  # between columns
FONT, POINTS = "Helvetica", 7.5
CHARS_MAX = 60  # of a cell, when columns share the page's width; longer text wraps


def write_pdf(account: LotAccount, path: Path, now: str) -> int:
    """Write the report, dated `now` (RFC 3339), to `path`; returns its pages. `OSError` if it cannot be written."""
    paper = _Paper(account, now)
    paper.heading(f"Lot {account.lot}: recall report" if account.recall else f"Lot {account.lot}: trace report")
    for what, value in summary(account):
        paper.row((60.0, paper.epw - 60.0), (what, str(value)), bold_first=True)
    for note in account.notes:
        paper.row((paper.epw,), (note,))
    for section in sections(account):
        paper.section(section)
    path.write_bytes(bytes(paper.output()))
    return paper.pages_count


class _Paper(FPDF):
    """Landscape: a shipment has eight columns. Text is placed by hand: a table of 20,000 rows takes seconds, not
    minutes."""

    def __init__(self, account: LotAccount, now: str) -> None:
        super().__init__(orientation="landscape", format="A4")
        self._head = f"Smokehouse, lot {account.lot}"
        self._now = now
        self._partial = bool(account.missing)
        self._columns: tuple[tuple[float, ...], tuple[str, ...], tuple[bool, ...]] | None = None
        self.set_creation_date(datetime.fromisoformat(now))
        self.set_title(f"Lot {account.lot}")
        self.set_margins(MARGIN_MM, MARGIN_MM, MARGIN_MM)
        self.set_auto_page_break(False)
        self.add_page()

    def header(self) -> None:
        self.set_font(FONT, "", POINTS)
        partial = "  PARTIAL: partitions are missing" if self._partial else ""
        self.text(MARGIN_MM, MARGIN_MM, _printable(self._head + partial))
        right = f"made {self._now}"
        self.text(self.w - MARGIN_MM - self.get_string_width(right), MARGIN_MM, right)
        self.line(MARGIN_MM, MARGIN_MM + 1.5, self.w - MARGIN_MM, MARGIN_MM + 1.5)
        self.set_y(MARGIN_MM + 3.0)
        if self._columns is not None:
            self._names(*self._columns)

    def footer(self) -> None:
        self.set_font(FONT, "", POINTS)
        self.set_y(-MARGIN_MM)
        self.cell(0, LINE_MM, f"page {self.page_no()} of {{nb}}", align="R")

    def heading(self, text: str) -> None:
        if self.get_y() + 5 * LINE_MM > self._bottom:
            self.add_page()
        self.set_y(self.get_y() + LINE_MM)
        self.set_font(FONT, "B", 11)
        self.text(MARGIN_MM, self.get_y() + LINE_MM, _printable(text))
        self.set_y(self.get_y() + 1.6 * LINE_MM)

    def section(self, section: Section) -> None:
        units = section.columns.index("units") if "units" in section.columns else None
        total = f", {sum(row[units] for row in section.rows)} units" if units is not None else ""
        count = len(section.rows)
        said = "none" if not count else "1 row" if count == 1 else f"{count} rows"
        self.heading(f"{section.title}: {said}{total if count else ''}")
        if not count:
            return
        cells = [tuple(str(cell) for cell in row) for row in section.rows]
        widths = self._widths(section.columns, cells)
        numeric = tuple(isinstance(cell, int) for cell in section.rows[0])
        self._columns = (widths, section.columns, numeric)  # the header of the pages to come repeats them
        self._names(*self._columns)
        for row in cells:
            self.row(widths, row, numeric=numeric)
        self._columns = None

    def row(
        self, widths: Sequence[float], cells: Sequence[str], *, numeric: Sequence[bool] = (), bold_first: bool = False
    ) -> None:
        self.set_font(FONT, "", POINTS)
        lines = [self._wrapped(cell, width) for cell, width in zip(cells, widths, strict=True)]
        height = max(len(of) for of in lines) * LINE_MM
        if self.get_y() + height > self._bottom:
            self.add_page()
            self.set_font(FONT, "", POINTS)
        left, top = MARGIN_MM, self.get_y()
        for place, (width, of) in enumerate(zip(widths, lines, strict=True)):
            if bold_first:
                self.set_font(FONT, "" if place else "B", POINTS)
            for number, text in enumerate(of):
                indent = width - GAP_MM - self.get_string_width(text) if numeric and numeric[place] else 0.0
                self.text(left + indent, top + (number + 0.75) * LINE_MM, text)
            left += width
        self.set_y(top + height)

    @property
    def _bottom(self) -> float:
        return self.h - MARGIN_MM - LINE_MM

    def _names(self, widths: Sequence[float], columns: Sequence[str], numeric: Sequence[bool]) -> None:
        self.set_font(FONT, "B", POINTS)
        left, top = MARGIN_MM, self.get_y()
        for width, name, right in zip(widths, columns, numeric, strict=True):
            indent = width - GAP_MM - self.get_string_width(name) if right else 0.0
            self.text(left + indent, top + 0.75 * LINE_MM, name)
            left += width
        self.line(MARGIN_MM, top + LINE_MM, self.w - MARGIN_MM, top + LINE_MM)
        self.set_y(top + 1.1 * LINE_MM)

    def _widths(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> tuple[float, ...]:
        """The page's width, shared by the longest text of each column (in characters; a name needs room in bold)."""
        longest = [
            min(max(len(name) + 3, *(len(row[place]) + 1 for row in rows)), CHARS_MAX)
            for place, name in enumerate(columns)
        ]
        return tuple(self.epw * n / sum(longest) for n in longest)

    def _wrapped(self, text: str, width: float) -> list[str]:
        text = _printable(text)
        if self.get_string_width(text) <= width - GAP_MM:
            return [text]
        lines = [""]
        for word in text.split(" "):
            joined = f"{lines[-1]} {word}" if lines[-1] else word
            if self.get_string_width(joined) <= width - GAP_MM:
                lines[-1] = joined
                continue
            if lines[-1]:
                lines.append("")
            for letter in word:  # a word wider than its column breaks anywhere
                if lines[-1] and self.get_string_width(lines[-1] + letter) > width - GAP_MM:
                    lines.append("")
                lines[-1] += letter
        return lines


def _printable(text: str) -> str:
    r"""The text in the letters the built-in fonts have; others as `\uXXXX`, so that nothing is lost."""
    return text.encode("latin-1", "backslashreplace").decode("latin-1")
