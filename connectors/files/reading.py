"""Opens an order file, CSV or parquet, and gives its columns in batches.

Reads one file; writes nothing. Guarantees: rows in file order, one batch in memory at a time; CSV cells arrive as text,
so that nothing is guessed from their look. Its cells are parted by what stands most often among its heads: commas,
semicolons or tabs; or by what a first line `sep=;` says, as Excel writes it. Blank lines may stand above the heads.
Does not belong here: what the cells mean.
"""

from __future__ import annotations

import codecs
import contextlib
import fcntl
import os
import re
from collections.abc import Callable, Iterator
from csv import Error as NotCsv
from csv import field_size_limit
from csv import reader as csv_reader
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as parquet

from connectors.files.presets import FileRefused

if TYPE_CHECKING:
    from _csv import Reader

BATCH_ROWS = 65_536
CSV_BLOCK_BYTES = 8 << 20
HEAD_CHARACTERS_MAX = 1 << 16
HEAD_BYTES = 4_096  # that tell text from what is none
_PARQUET_HEAD = b"PAR1"
_NO_TEXT = "neither parquet nor text in UTF-8 or Windows-1252; save it, unpacked, as CSV"
_MEND = "; take it away, or write it twice inside the cell"
_LEFT_OPEN = "a quotation mark opens a cell and nothing closes it" + _MEND
_CLOSED_WITHIN = "a quotation mark opens a cell, and the next, lines below, stands in the middle of one" + _MEND
_TOLD_DELIMITER = re.compile(r'\ufeff?"?sep=([,;\t|])"?\s*', re.IGNORECASE)
_BLANK = re.compile(r'\ufeff?[\s,;"]*[\r\n]')


@dataclass(frozen=True, slots=True)
class OrderFile:
    """`batches(columns)` reads those columns from the first row on."""

    path: Path
    columns: list[str]
    batches: Callable[[list[str]], Iterator[pa.RecordBatch]]


def open_file(path: Path) -> OrderFile:
    """The file, told apart by its first bytes, never by its name; `FileRefused` if it is neither."""
    with refusing(path, "neither CSV nor parquet: "):
        with path.open("rb") as file:
            is_parquet = file.read(4) == _PARQUET_HEAD
        return _parquet(path) if is_parquet else _csv(path)


@contextlib.contextmanager
def refusing(path: Path, what: str = "") -> Iterator[None]:
    """What cannot be read is `FileRefused`, in a sentence that begins with `what`."""
    try:
        yield
    except UnicodeDecodeError as error:  # of a workbook, say: bytes that stand for nothing in either code page
        raise FileRefused(f"{path}: {_NO_TEXT}") from error
    except OSError as error:
        raise FileRefused(f"{path}: {error.strerror or str(error).splitlines()[0]}") from error
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise FileRefused(f"{path}: {what}{str(error).splitlines()[0]}") from error


@contextlib.contextmanager
def held(path: Path, on_wait: Callable[[], None]) -> Iterator[None]:
    """While the block runs nobody else on this machine holds this file; `on_wait` is told if somebody does yet."""
    with refusing(path):
        file = path.open("rb")
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            on_wait()
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError:
            pass  # this file system knows no locks
        yield


def _parquet(path: Path) -> OrderFile:
    with _source(path) as file:
        columns = parquet.read_schema(file).names

    def batches(wanted: list[str]) -> Iterator[pa.RecordBatch]:
        with refusing(path), _source(path) as file, parquet.ParquetFile(file) as table:
            yield from table.iter_batches(BATCH_ROWS, columns=wanted)

    return OrderFile(path, columns, batches)


def _csv(path: Path) -> OrderFile:
    encoding = _encoding(path)
    delimiter, lines_above = _delimiter(path, encoding)
    if stray := _stray_mark(path, encoding, delimiter, lines_above):
        raise FileRefused(f"{path}: {stray}")
    read = csv.ReadOptions(block_size=CSV_BLOCK_BYTES, encoding=encoding, skip_rows=lines_above)
    parse = csv.ParseOptions(newlines_in_values=True, delimiter=delimiter)
    naming = partial(_naming_the_line, path, encoding, delimiter, lines_above)
    with naming(), _source(path) as file, csv.open_csv(file, read, parse) as reader:
        columns = reader.schema.names

    def batches(wanted: list[str]) -> Iterator[pa.RecordBatch]:
        convert = csv.ConvertOptions(
            include_columns=wanted, column_types=dict.fromkeys(wanted, pa.string()), strings_can_be_null=False
        )
        with refusing(path), naming(), _source(path) as file, csv.open_csv(file, read, parse, convert) as reader:
            yield from reader

    return OrderFile(path, columns, batches)


def _source(path: Path) -> pa.NativeFile:
    """By name Arrow would unpack a.csv.gz; a file of Python's its threads may still read as Python ends: an abort."""
    return pa.OSFile(os.fsencode(path))  # of text it takes UTF-8 alone


def _encoding(path: Path) -> str:
    """UTF-8, UTF-16 if it says so itself, or Windows' western code page: what spreadsheets write."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
        if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return "utf-16"
        if b"\0" in head:
            raise FileRefused(f"{path}: {_NO_TEXT}")
        file.seek(0)
        try:
            while block := file.read(CSV_BLOCK_BYTES):
                decoder.decode(block)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return "cp1252"
    return "utf-8"


def _delimiter(path: Path, encoding: str) -> tuple[str, int]:
    """What parts the cells, and how many lines stand above the heads. Of equally many, a comma."""
    with path.open(encoding=encoding, newline="") as file:
        told, above = None, 0
        line = file.readline(HEAD_CHARACTERS_MAX)
        # Of blank lines Arrow passes over empty ones alone, and a spreadsheet writes ;;; too.
        while (found := _TOLD_DELIMITER.fullmatch(line)) or _BLANK.fullmatch(line):
            told, above = told or found, above + 1
            line = file.readline(HEAD_CHARACTERS_MAX)
    heads = re.sub(r'"[^"]*"', "", line)
    return told[1] if told else max(",;\t", key=heads.count), above


def _rows(file: TextIO, delimiter: str, lines_above: int, *, strict: bool) -> Reader:
    for _ in range(lines_above):
        file.readline(HEAD_CHARACTERS_MAX)
    field_size_limit(CSV_BLOCK_BYTES)  # what is longer Arrow refuses
    return csv_reader(file, delimiter=delimiter, strict=strict)


def _stray_mark(path: Path, encoding: str, delimiter: str, lines_above: int) -> str:
    """Which quotation mark makes lines a part of its cell that are none, "" if none does: Arrow says no word."""
    with path.open(encoding=encoding, newline="") as file:
        rows = _rows(file, delimiter, lines_above, strict=True)
        began = 0
        try:
            while True:
                began = rows.line_num + 1
                next(rows)
        except StopIteration:
            return ""
        except NotCsv as error:  # other strictness is not ours: of marks within a line Arrow makes what it can
            if "end of data" in str(error) or "field limit" in str(error):
                return f"line {lines_above + began}: {_LEFT_OPEN}"
            return f"line {lines_above + began}: {_CLOSED_WITHIN}" if rows.line_num > began else ""


@contextlib.contextmanager
def _naming_the_line(path: Path, encoding: str, delimiter: str, lines_above: int) -> Iterator[None]:
    """Arrow shows a row that has more or fewer cells than there are heads, and not where it stands."""
    try:
        yield
    except pa.ArrowInvalid as error:
        with path.open(encoding=encoding, newline="") as file, contextlib.suppress(NotCsv):
            rows = _rows(file, delimiter, lines_above, strict=False)
            heads, began = len(next(rows, ())), rows.line_num + 1
            for row in rows:
                if row and len(row) != heads:  # empty lines are passed over
                    line = lines_above + began
                    raise FileRefused(f"{path}: line {line}: {len(row)} cells, of {heads} columns") from error
                began = rows.line_num + 1
        raise
