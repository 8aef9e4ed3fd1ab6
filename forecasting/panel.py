"""Daily units of many series as one matrix, read from a file of `unique_id, ds, y`, with what is known ahead.

Reads parquet or CSV; writes nothing. Guarantees, whatever the dirt of the file:
- one row per series, in order of its id (ids are text: 007 and 7 are two series); one column per day up to the last
  day on which any series has units, but for a wrong date (`newest_day`); at most `DAYS_MAX` days, the newest;
- a day without a row after a series' first is 0; a null, NaN or infinite `y` is unknown (NaN); days before are NaN;
- several rows of one day add up; a sum below 0 (more returned than asked for) counts as 0;
- columns known ahead: a day without a row inside the file's dates is 0 (no promotion), outside them unknown; a file
  whose dates all fall on one weekday speaks of weeks; a file without `unique_id` speaks of every series.
What was mended or ignored is told in `notes`. Does not belong here: features, forecasts, scores.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from forecasting.series import newest_day

DAYS_MAX = 1_120  # three years and a horizon: what lies further back has never helped, and memory is bounded
UNITS_MAX = 1e9  # a larger number is a mistake of its writer; sums of its square would lose every other digit
HEADER_BYTES_MAX = 65_536
WEEK_DAYS = 7
DAYS_AHEAD = 120  # of what is known ahead, kept beyond the last day of units

Floats = np.ndarray
Ints = np.ndarray


class UnreadableFileError(ValueError):
    """The file cannot be read as daily units; the message says which column is missing or wrong."""


@dataclass(frozen=True, slots=True)
class Panel:
    """`units` is (series, days), float32, NaN where unknown; `known_ahead` is (series, days and more) per column."""

    ids: Sequence[str]
    first_day: np.datetime64
    units: Floats
    known_ahead: Mapping[str, Floats] = field(default_factory=dict)
    notes: Sequence[str] = ()

    @property
    def days(self) -> int:
        return int(self.units.shape[1])

    @property
    def starts(self) -> Ints:
        """Per series the column of its first row (`days` if it has none)."""
        begun = ~np.isnan(self.units)
        return np.where(begun.any(axis=1), begun.argmax(axis=1), self.days)

    def begun(self, days: int) -> Ints:
        """Rows of the series with a known day in the first `days` columns."""
        return np.flatnonzero(~np.isnan(self.units[:, :days]).all(axis=1))

    def until(self, days: int) -> Panel:
        """The past as it was known after `days` columns: series that had not begun are left out; plans stay."""
        past = self.chosen(self.begun(days))
        return replace(past, units=past.units[:, :days])

    def sampled(self, series_max: int | None) -> Panel:
        """Every n-th series in order of its id, so that a sample is the same each time; `None` is all of them."""
        count = len(self.ids)
        if series_max is None or count <= series_max:
            return self
        return self.chosen(np.arange(count)[:: count // series_max][:series_max])

    def chosen(self, rows: Ints) -> Panel:
        """The series of these rows alone."""
        return replace(
            self,
            ids=[self.ids[row] for row in rows],
            units=self.units[rows],
            known_ahead={name: values[rows] for name, values in self.known_ahead.items()},
        )


def read_panel(
    file: Path,
    *,
    known_ahead_file: Path | None = None,
    known_ahead_columns: Sequence[str] = (),
    id_column: str = "unique_id",
) -> Panel:
    """Read units and what is known ahead: `known_ahead_columns` of `file`, every column of `known_ahead_file`."""
    table = read_table(file, {id_column, "ds"})
    missing = [name for name in (id_column, "ds", "y", *known_ahead_columns) if name not in table.column_names]
    if missing:
        raise UnreadableFileError(f"{file}: no column {', '.join(missing)}; there are {', '.join(table.column_names)}")
    if "y" in known_ahead_columns:
        raise UnreadableFileError("y is what is to be foretold: not a column known ahead")
    notes: list[str] = []
    extra = [name for name in table.column_names if name not in {id_column, "ds", "y", *known_ahead_columns}]
    if extra:
        notes.append(f"columns ignored: {', '.join(extra)}")
    ids, rows = _ids(table, id_column, file)
    days = _days(table, file)
    units = numbers(table, "y", f"{file}: ")
    usable = np.isfinite(units) & (np.abs(units) <= UNITS_MAX)
    wild = int((np.abs(units) > UNITS_MAX).sum())
    if wild:
        notes.append(f"{wild} values of y above {UNITS_MAX:g} or infinite: taken as unknown")
    if not usable.any():
        raise UnreadableFileError(f"{file}: no row has a number in y")
    last_day = _last_day(rows[usable], days[usable])
    wrong = int((days[usable] > last_day).sum())
    if wrong:
        notes.append(f"{wrong} rows after {last_day} ignored: next to no series goes on so far past all others")
    first_day = max(days.min(), last_day - np.timedelta64(DAYS_MAX - 1, "D"))
    if days.min() < first_day:
        notes.append(f"days before {first_day} ignored: {DAYS_MAX} days are kept")
    matrix, more = _units_matrix(rows, days, np.where(usable, units, np.nan), len(ids), first_day, last_day)
    notes += more
    known: dict[str, Floats] = {}
    if known_ahead_columns:
        kept = days >= first_day
        known |= _known(table, known_ahead_columns, rows, days, kept, ids, first_day, last_day, file, weekly=False)
    if known_ahead_file is not None:
        known |= _read_known(known_ahead_file, ids, first_day, last_day, id_column, notes)
    return Panel(ids, first_day, matrix, known, notes)


def read_table(file: Path, as_text: set[str]) -> pa.Table:
    """Parquet, or CSV by its suffix, with commas, semicolons or tabs (`as_text` columns stay text); an
    `UnreadableFileError` when it is neither."""
    if not file.exists():
        raise UnreadableFileError(f"{file}: no such file")
    try:
        if file.suffix.lower() not in {".csv", ".tsv", ".txt", ".gz"}:
            return pyarrow.parquet.read_table(file)
        parse = pyarrow.csv.ParseOptions(delimiter=_delimiter(file))
        options = pyarrow.csv.ConvertOptions(column_types=dict.fromkeys(as_text, pa.string()))
        return pyarrow.csv.read_csv(file, parse_options=parse, convert_options=options)
    except (pa.ArrowInvalid, OSError) as error:
        raise UnreadableFileError(f"{file}: neither parquet nor CSV that can be read: {error}") from error


def _delimiter(file: Path) -> str:
    """Of a CSV's first line."""
    with pa.input_stream(file) as stream:
        first_line = stream.read(HEADER_BYTES_MAX).partition(b"\n")[0].decode(errors="replace")
    return max(",;\t", key=first_line.count)


def only_column(table: pa.Table, name: str) -> pa.Array:
    """The column of that name; several are an `UnreadableFileError`: nobody knows which is meant."""
    if (count := table.column_names.count(name)) > 1:
        raise UnreadableFileError(f"{count} columns are called {name}")
    return table.column(name).combine_chunks()


def _ids(table: pa.Table, column: str, file: Path) -> tuple[list[str], Ints]:
    """Names in order, and per row the position of its name."""
    values = only_column(table, column)
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if not pa.types.is_string(values.type):
        values = pc.cast(values, pa.string())
    absent = values.null_count + (pc.sum(pc.equal(values, "")).as_py() or 0)  # an empty cell of a CSV is no null
    if absent:
        raise UnreadableFileError(f"{file}: {absent} rows without {column}")
    encoded = values.dictionary_encode()
    names = encoded.dictionary.to_pylist()
    order = sorted(range(len(names)), key=names.__getitem__)
    place = np.empty(len(names), dtype=np.int64)
    place[order] = np.arange(len(names))
    return [names[n] for n in order], place[encoded.indices.to_numpy(zero_copy_only=False)]


def _days(table: pa.Table, file: Path) -> np.ndarray:
    values = only_column(table, "ds")
    kind = values.type
    try:
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            values = pc.cast(pc.utf8_slice_codeunits(values, 0, 10), pa.date32())
        elif pa.types.is_timestamp(kind) or pa.types.is_date(kind):
            values = pc.cast(values, pa.date32(), safe=False)
        else:
            raise UnreadableFileError(f"{file}: ds holds {kind}, not dates")
    except pa.ArrowInvalid as error:
        raise UnreadableFileError(f"{file}: ds holds something that is no date: {error}") from error
    if values.null_count:
        raise UnreadableFileError(f"{file}: {values.null_count} rows without ds")
    return values.to_numpy(zero_copy_only=False).astype("datetime64[D]")


def numbers(table: pa.Table, name: str, where: str = "") -> Floats:
    """A column as float64, null as NaN. `where` begins the message of an `UnreadableFileError`."""
    values = only_column(table, name)
    try:
        values = pc.cast(values, pa.float64(), safe=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:  # pyarrow has no such cast
        raise UnreadableFileError(f"{where}{name} holds something that is no number: {error}") from error
    return values.to_numpy(zero_copy_only=False)


def _last_day(rows: Ints, days: np.ndarray) -> np.datetime64:
    """The day that data end on, by the rule of the live forecaster."""
    named, place = np.unique(rows, return_inverse=True)
    latest = np.full(len(named), np.iinfo(np.int64).min)
    np.maximum.at(latest, place, days.astype(np.int64))
    return np.datetime64(newest_day(latest.tolist()), "D")


def _units_matrix(
    rows: Ints, days: np.ndarray, units: Floats, count: int, first_day: np.datetime64, last_day: np.datetime64
) -> tuple[Floats, list[str]]:
    width = _offset(last_day, first_day) + 1
    inside = (days >= first_day) & (days <= last_day)
    cells = rows[inside] * width + _offset(days[inside], first_day)
    values = units[inside]
    known = np.isfinite(values)
    sums = np.bincount(cells[known], values[known], count * width).reshape(count, width)
    seen = np.bincount(cells, minlength=count * width).reshape(count, width)
    told = np.bincount(cells[known], minlength=count * width).reshape(count, width)
    first = np.full(count, width)
    np.minimum.at(first, rows, np.clip(_offset(days, first_day), 0, width))
    matrix = sums.astype(np.float32)
    matrix[(seen > 0) & (told == 0)] = np.nan
    matrix[np.arange(width)[None, :] < first[:, None]] = np.nan
    notes = []
    repeated, below = int((seen > 1).sum()), int((sums < 0).sum())
    if repeated:
        notes.append(f"{repeated} days with several rows: added up")
    if below:
        notes.append(f"{below} days below zero (returns): counted as 0")
    unknown = int(((seen > 0) & (told == 0)).sum())
    if unknown:
        notes.append(f"{unknown} days without a usable number: unknown")
    return np.maximum(matrix, 0.0), notes


def _read_known(
    file: Path, ids: Sequence[str], first_day: np.datetime64, last_day: np.datetime64, id_column: str, notes: list[str]
) -> dict[str, Floats]:
    table = read_table(file, {id_column, "ds"})
    if "ds" not in table.column_names:
        raise UnreadableFileError(f"{file}: no column ds; there are {', '.join(table.column_names)}")
    days = _days(table, file)
    if not len(days):
        raise UnreadableFileError(f"{file}: no rows")
    names = [name for name in table.column_names if name not in {id_column, "ds", "y"}]
    numeric = [column.name for column in table.schema if column.name in names and _is_numeric(column.type)]
    if len(numeric) < len(names):
        notes.append(f"known-ahead columns ignored, no numbers: {', '.join(sorted(set(names) - set(numeric)))}")
    if not numeric:
        raise UnreadableFileError(f"{file}: no column of numbers beside {id_column} and ds")
    weekdays = np.unique(days.astype(np.int64) % WEEK_DAYS)
    weekly = len(weekdays) == 1 and len(np.unique(days)) > 1
    if weekly:
        notes.append(f"{file.name}: every date is the same weekday: a row speaks of seven days")
    ahead = days > last_day + np.timedelta64(DAYS_AHEAD, "D")
    if outside := int((ahead | (days <= first_day - np.timedelta64(WEEK_DAYS if weekly else 1, "D"))).sum()):
        notes.append(f"{file.name}: {outside} rows ignored: before {first_day}, or {DAYS_AHEAD} days past {last_day}")
    if id_column in table.column_names:
        own, rows = _ids(table, id_column, file)
        place = {name: n for n, name in enumerate(ids)}
        rows = np.array([place.get(name, -1) for name in own])[rows]
        if unknown := int((rows < 0).sum()):
            notes.append(f"{file.name}: {unknown} rows ignored: no units have their {id_column}")
        kept = (rows >= 0) & (days > first_day - np.timedelta64(WEEK_DAYS, "D"))
        return _known(table, numeric, rows, days, kept, ids, first_day, last_day, file, weekly=weekly)
    everyone = np.ones(len(days), dtype=bool)
    rows = np.zeros(len(days), dtype=np.int64)
    one = _known(table, numeric, rows, days, everyone, [""], first_day, last_day, file, weekly=weekly)
    return {name: np.repeat(values, len(ids), axis=0) for name, values in one.items()}


def _known(
    table: pa.Table,
    columns: Sequence[str],
    rows: Ints,
    days: np.ndarray,
    kept: np.ndarray,
    ids: Sequence[str],
    first_day: np.datetime64,
    last_day: np.datetime64,
    file: Path,
    *,
    weekly: bool,
) -> dict[str, Floats]:
    """Per column (series, days + DAYS_AHEAD); the last row of a day counts."""
    width = _offset(last_day, first_day) + 1 + DAYS_AHEAD
    at = _offset(days, first_day)
    covered_from, covered_to = int(at.min()), int(at.max()) + (WEEK_DAYS if weekly else 1)
    found: dict[str, Floats] = {}
    for name in columns:
        values = numbers(table, name, f"{file}: ")
        values = np.where(np.abs(values) < np.finfo(np.float32).max, values, np.nan)
        matrix = np.full((len(ids), width), np.nan, dtype=np.float32)
        matrix[:, max(0, covered_from) : max(0, covered_to)] = 0.0
        for later in range(WEEK_DAYS if weekly else 1):
            inside = kept & (at + later >= 0) & (at + later < width)
            matrix[rows[inside], at[inside] + later] = values[inside]
        found[name] = matrix
    return found


def _is_numeric(kind: pa.DataType) -> bool:
    kinds = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_boolean)
    return any(is_of(kind) for is_of in kinds)


def _offset(day: np.ndarray | np.datetime64, first_day: np.datetime64) -> np.ndarray:
    return (day - first_day).astype(np.int64)
