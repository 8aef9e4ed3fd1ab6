"""Rows into a file: JSON lines, CSV or parquet, a chunk at a time.

Writes one file under a temporary name beside it, renamed when whole: what stands under the name asked for is complete,
or what was there before. Guarantees: one chunk in memory; the same rows read back from every format (in CSV, lines are
JSON text); bytes do not depend on platform or locale. Does not belong here: what the rows say.
"""

from __future__ import annotations

import csv
import io
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Literal

import msgspec

from streams.commands.export_rows import Column, Row

Format = Literal["jsonl", "csv", "parquet"]
STDOUT = "-"
CHUNK_ROWS = 20_000  # also the rows of a parquet row group


class CannotWrite(ValueError):
    """The file cannot be written there. The message says why."""


def write_rows(out: str, form: Format, columns: Mapping[str, Column], rows: Iterable[Row]) -> int:
    """Write all rows to the file `out` (`-`: stdout); returns how many. `CannotWrite`."""
    chunks = _chunks(iter(rows))
    if out == STDOUT:
        written = _WRITERS[form](sys.stdout.buffer, columns, chunks)
        sys.stdout.buffer.flush()
        return written
    with _whole(Path(out)) as file:
        return _WRITERS[form](file, columns, chunks)


def _chunks(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while chunk := list(islice(rows, CHUNK_ROWS)):
        yield chunk


@contextmanager
def _whole(path: Path) -> Iterator[BinaryIO]:
    """A file that stands under its name only if nothing went wrong."""
    try:
        target = path.resolve()  # a link goes on pointing at it
        if target.exists() and not target.is_file():
            raise CannotWrite(f"{path} is no file: give one, or - for stdout")
        part = target.with_name(f".{target.name}.{os.getpid()}.part")
        try:
            with part.open("wb") as file:
                yield file
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)  # where no file can be, this fails too
    except OSError as error:
        raise CannotWrite(f"{path}: {error.strerror or error}") from error


def _write_jsonl(file: BinaryIO, columns: Mapping[str, Column], chunks: Iterator[list[Row]]) -> int:
    encoder, count = msgspec.json.Encoder(), 0
    for chunk in chunks:
        file.write(encoder.encode_lines(chunk))
        count += len(chunk)
    return count


def _write_csv(file: BinaryIO, columns: Mapping[str, Column], chunks: Iterator[list[Row]]) -> int:
    nested = [name for name, column in columns.items() if column == "lines"]
    count = 0
    text = io.StringIO()
    writer = csv.DictWriter(text, list(columns), lineterminator="\n")
    writer.writeheader()
    for chunk in chunks:
        writer.writerows({**row, **{name: msgspec.json.encode(row[name]).decode() for name in nested}} for row in chunk)
        file.write(text.getvalue().encode())
        text.seek(0)
        text.truncate()
        count += len(chunk)
    file.write(text.getvalue().encode())  # the header, if there was no row
    return count


def _write_parquet(file: BinaryIO, columns: Mapping[str, Column], chunks: Iterator[list[Row]]) -> int:
    import pyarrow as pa  # takes a moment to load, and the other formats do without
    import pyarrow.parquet as parquet

    line = pa.struct([("sku", pa.string()), ("quantity", pa.int64())])
    types: dict[Column, Any] = {
        "text": pa.string(), "whole": pa.int64(), "real": pa.float64(), "lines": pa.list_(line),
    }  # fmt: skip
    schema = pa.schema([(name, types[column]) for name, column in columns.items()])
    count = 0
    with parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        for chunk in chunks:
            writer.write_batch(pa.RecordBatch.from_pylist(chunk, schema))
            count += len(chunk)
    return count


_WRITERS = {"jsonl": _write_jsonl, "csv": _write_csv, "parquet": _write_parquet}
