"""One form for every cell, whatever the file's types: the same rows as CSV and as parquet become the same columns.

Pure, by column. Codes are trimmed, upper-cased text (17850, 17850.0 and "17850.0 " are one code), quantities are whole
numbers or nothing, times are milliseconds since 1970 in UTC or nothing (a time without a zone is taken as UTC; one with
slashes as month/day/year). Does not belong here: which rows are orders.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

DESCRIPTION_CHARACTERS_MAX = 500
DESCRIPTION_COLUMN = "description"
COLUMNS = ("invoice", "sku", "quantity", "time", "customer", DESCRIPTION_COLUMN)
_WHOLE = r"^([+-]?[0-9]{1,15})(?:\.0*)?$"  # beyond 15 digits a float cell is not exact, and no quantity is that large
_SLASHED = ("%m/%d/%Y %H:%M", "%m/%d/%Y %H:%M:%S", "%m/%d/%Y")


def canonical(batch: pa.RecordBatch, columns: Mapping[str, str]) -> pa.RecordBatch:
    """The fields of `COLUMNS`; one that the file does not have is empty. `columns`: field -> column."""
    rows = batch.num_rows

    def cells(field: str) -> pa.Array:
        if field not in columns:
            return pa.nulls(rows, pa.string())
        found = batch.column(columns[field])
        return found.cast(found.type.value_type) if pa.types.is_dictionary(found.type) else found

    return pa.RecordBatch.from_arrays(
        [
            codes(cells("invoice")),
            codes(cells("sku")),
            quantities(cells("quantity")),
            times(cells("time")),
            codes(cells("customer")),
            descriptions(cells(DESCRIPTION_COLUMN)),
        ],
        names=list(COLUMNS),
    )


def codes(cells: pa.Array) -> pa.Array:
    """Identifiers as text, never missing: an empty cell is the empty text."""
    if pa.types.is_floating(cells.type):  # integers with gaps, as some writers store them
        whole = pc.and_(pc.equal(pc.round(cells), cells), pc.less(pc.abs(cells), 1e15))
        as_integer = pc.if_else(whole, cells, None).cast(pa.int64()).cast(pa.string())
        cells = pc.coalesce(as_integer, cells.cast(pa.string()))
    text = pc.utf8_upper(pc.utf8_trim_whitespace(cells.cast(pa.string())))
    text = pc.replace_substring_regex(text, r"^([0-9]+)\.0+$", r"\1")
    return pc.fill_null(text, "")


def quantities(cells: pa.Array) -> pa.Array:
    """Whole numbers; what is none is missing."""
    kind = cells.type
    if pa.types.is_integer(kind):
        return cells.cast(pa.int64(), safe=False)  # what 64 bits cannot hold turns negative: impossible all the same
    if pa.types.is_floating(kind):
        whole = pc.and_(pc.equal(pc.round(cells), cells), pc.less(pc.abs(cells), 1e15))
        return pc.if_else(whole, cells, None).cast(pa.int64())
    text = pc.utf8_trim_whitespace(cells.cast(pa.string()))
    whole = pc.match_substring_regex(text, _WHOLE)
    digits = pc.replace_substring_regex(text, r"^\+|\.0*$", "")
    return pc.if_else(whole, digits, None).cast(pa.int64())


def times(cells: pa.Array) -> pa.Array:
    """Milliseconds since 1970, UTC; what is no time is missing."""
    kind = cells.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return cells.cast(pa.timestamp("ms", kind.tz if pa.types.is_timestamp(kind) else None), safe=False).cast(
            pa.int64()
        )
    once = pc.dictionary_encode(cells.cast(pa.string()))  # times repeat over the lines of an order
    parsed = pa.array([_ms(text) for text in once.dictionary.to_pylist()], pa.int64())
    return parsed.take(once.indices)


def with_told_times(rows: pa.RecordBatch) -> pa.RecordBatch:
    """Canonical rows; a time before the year 1000 or after 9999 is missing, as is one that cannot be read.

    No record can say it, and it means that there is none: 0001-01-01 is how .NET writes that. It is taken out after the
    fingerprint: the same file keeps its id, so what an earlier import of it received is not received again.
    """
    found = rows["time"]
    told = pc.and_(pc.greater_equal(found, _TIME_MS_MIN), pc.less_equal(found, _TIME_MS_MAX))
    return rows.set_column(COLUMNS.index("time"), "time", pc.if_else(told, found, None))


def descriptions(cells: pa.Array) -> pa.Array:
    text = pc.utf8_trim_whitespace(cells.cast(pa.string()))
    return pc.fill_null(pc.utf8_slice_codeunits(text, 0, DESCRIPTION_CHARACTERS_MAX), "")


def fingerprint(rows: pa.RecordBatch) -> bytes:
    """The canonical rows as bytes; batches put end to end give the same bytes however the file was cut."""
    texts = [pc.fill_null(column.cast(pa.string()), "") for column in rows.columns]
    joined = pc.binary_join_element_wise(*texts, "\n", "\x1f")
    length = pc.sum(pc.binary_length(joined)).as_py()
    return joined.buffers()[2].slice(0, length).to_pybytes() if length else b""


def _ms(text: str) -> int | None:
    text = text.strip()
    parsed = _parsed(text)
    if parsed is None:
        return None
    parsed = parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed
    since = parsed - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIME_MS_MIN = (datetime(1000, 1, 1, tzinfo=UTC) - _EPOCH) // timedelta(milliseconds=1)
_TIME_MS_MAX = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // timedelta(milliseconds=1)


def _parsed(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        pass
    for shape in _SLASHED:
        try:
            return datetime.strptime(text, shape)
        except ValueError:
            continue
    return None
