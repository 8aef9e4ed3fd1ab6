"""One form for every cell, whatever the file's types: the same rows as CSV and as parquet become the same columns.

Pure, by column. Codes are trimmed, upper-cased text (17850, 17850.0 and "17850.0 " are one code), quantities are whole
numbers or nothing, times are milliseconds since 1970 in UTC or nothing (a time without a zone is taken as UTC; one with
slashes as month/day/year, one with dots as day.month.year). What could mean two things is not read.
Does not belong here: which rows are orders.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone

import pyarrow as pa
import pyarrow.compute as pc

DESCRIPTION_CHARACTERS_MAX = 500
DESCRIPTION_COLUMN = "description"
COLUMNS = ("invoice", "sku", "quantity", "time", "customer", DESCRIPTION_COLUMN)
# Beyond 15 digits a float cell is not exact, and no quantity is that large. Three noughts behind a dot or a comma are
# decimals to some, thousands to others.
_WHOLE = r"^([+-]?[0-9]{1,15})(?:\.|[.,](?:0{1,2}|0{4,}))?$"
_NOBODY = ("NAN", "NULL", "NONE", "NA", "N/A")  # what tools write into an empty cell
_TIME = re.compile(
    r"(?:(?P<day>(?P<y>\d{4})[-/](?P<m>\d{1,2})[-/](?P<d>\d{1,2}))"
    r"|(?P<slashed>(?P<sm>\d{1,2})/(?P<sd>\d{1,2})/(?P<sy>\d{4}))"
    r"|(?P<dotted>(?P<dd>\d{1,2})\.(?P<dm>\d{1,2})\.(?P<dy>\d{4})))"
    r"(?:(?:T|,?\s+)(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9}))?)?"
    r"(?:\s*(?P<half>[AP])\.?M\.?)?(?:\s*(?:(?P<utc>Z|UTC|GMT)|(?P<sign>[+-])(?P<zh>\d{2}):?(?P<zm>\d{2})))?)?",
    re.IGNORECASE | re.ASCII,
)
TIME_EXPECTED = (
    "a time was expected: 2011-01-31 13:00, 2011-01-31T13:00:00.5+01:00, 1/31/2011 1:00 PM (the month first), "
    "31.1.2011 13:00, or nothing"
)
_NO_TIME = ("", "nat", "nan", "null", "none", "na", "n/a", "0000-00-00", "0000-00-00 00:00:00")  # as tools write it


def canonical(batch: pa.RecordBatch, columns: Mapping[str, str]) -> pa.RecordBatch:
    """The fields of `COLUMNS`; one that the file does not have is empty. `columns`: field -> column."""
    return pa.RecordBatch.from_arrays(
        [
            filled(codes(cells(batch, columns, "invoice"))),
            codes(cells(batch, columns, "sku")),
            quantities(cells(batch, columns, "quantity")),
            times(cells(batch, columns, "time")),
            filled(codes(cells(batch, columns, "customer"))),
            descriptions(cells(batch, columns, DESCRIPTION_COLUMN)),
        ],
        names=list(COLUMNS),
    )


def cells(batch: pa.RecordBatch, columns: Mapping[str, str], field: str) -> pa.Array:
    """A field as it stands in the file."""
    if field not in columns:
        return pa.nulls(batch.num_rows, pa.string())
    found = batch.column(columns[field])
    if pa.types.is_dictionary(found.type):
        found = found.cast(found.type.value_type)
    is_view = pa.types.is_string_view(found.type) or pa.types.is_binary_view(found.type)
    return found.cast(pa.string()) if is_view else found  # few of Arrow's functions know views


def codes(cells: pa.Array) -> pa.Array:
    """Identifiers as text, never missing: an empty cell is the empty text."""
    if pa.types.is_integer(cells.type):  # as they are: nothing to trim
        return pc.fill_null(cells.cast(pa.string()), "")
    if pa.types.is_floating(cells.type):  # integers with gaps, as some writers store them
        whole = pc.and_(pc.equal(pc.round(cells), cells), pc.less(pc.abs(cells), 1e15))
        as_integer = pc.if_else(whole, cells, None).cast(pa.int64()).cast(pa.string())
        cells = pc.coalesce(as_integer, cells.cast(pa.string()))
    text = pc.utf8_upper(pc.utf8_trim_whitespace(cells.cast(pa.string())))
    text = pc.replace_substring_regex(text, r"^([0-9]+)\.0+$", r"\1")
    return pc.fill_null(text, "")


def filled(codes: pa.Array) -> pa.Array:
    """Codes, empty where a tool wrote that there is none: those rows are not one customer's, nor one order."""
    return pc.if_else(pc.is_in(codes, value_set=pa.array(_NOBODY)), "", codes)


def quantities(cells: pa.Array) -> pa.Array:
    """Whole numbers; what is none is missing."""
    kind = cells.type
    if pa.types.is_integer(kind):
        return cells.cast(pa.int64(), safe=False)  # what 64 bits cannot hold turns negative: impossible all the same
    if pa.types.is_decimal(kind):
        cells, kind = cells.cast(pa.float64()), pa.float64()
    if pa.types.is_floating(kind):
        whole = pc.and_(pc.equal(pc.round(cells), cells), pc.less(pc.abs(cells), 1e15))
        return pc.if_else(whole, cells, None).cast(pa.int64())
    text = pc.utf8_trim_whitespace(cells.cast(pa.string()))
    whole = pc.match_substring_regex(text, _WHOLE)
    digits = pc.replace_substring_regex(text, r"^\+|[.,]0*$", "")
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


def unread_times(found: pa.Array, read: pa.Array) -> pa.Array:
    """Where something is `found` that is no time: `times` has read nothing, and not because nothing was there."""
    if read.null_count == 0:
        return pc.is_null(read)
    text = pc.utf8_lower(pc.utf8_trim_whitespace(pc.fill_null(found.cast(pa.string()), "")))
    return pc.and_(pc.is_null(read), pc.invert(pc.is_in(text, value_set=pa.array(_NO_TIME))))


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
        if len(text) <= 8 or not text.isdigit():  # a count of seconds, say, whatever ISO would make of it
            return datetime.fromisoformat(text)
    except ValueError:
        pass
    found = _TIME.fullmatch(text)
    try:
        return _composed(found) if found else None
    except ValueError:  # no such day, or no such hour
        return None


def is_day_first(text: str) -> bool:
    """Whether the day can only stand before the month: then nobody knows what 3/1/2011 means beside it."""
    found = _TIME.fullmatch(text.strip())
    return bool(found and found["slashed"] and int(found["sm"]) > 12 >= int(found["sd"]))


def _composed(found: re.Match[str]) -> datetime:
    day = ("y", "m", "d") if found["day"] else ("sy", "sm", "sd") if found["slashed"] else ("dy", "dm", "dd")
    hour = int(found["hour"] or 0)
    if found["half"]:
        if not 1 <= hour <= 12:
            raise ValueError(f"{hour} o'clock is in neither half of a day")
        hour = hour % 12 + (12 if found["half"] in "Pp" else 0)
    zone = None
    if found["sign"]:
        away = timedelta(hours=int(found["zh"]), minutes=int(found["zm"]))
        zone = timezone(-away if found["sign"] == "-" else away)
    return datetime(
        *(int(found[name]) for name in day), hour, int(found["minute"] or 0), int(found["second"] or 0),
        int((found["fraction"] or "").ljust(6, "0")[:6]), tzinfo=zone,
    )  # fmt: skip
