"""Demand records -> daily series per SKU x location, and the day it is.

Reads records handed to it; writes nothing. Units: days are proleptic ordinals (`*_day`), quantities whole units.
Guarantees: per SKU, location and day the record with the highest version counts, in whatever order records arrive.
Rules for a day's value, in this order:
  1. stock was out in every hour of it (`UNKNOWN_OUT_HOURS`), or has been out since before it and still is: unknown
     (`None`), never zero;
  2. otherwise the units asked for, refused ones included (with hours out they are a lower bound, and are kept), less
     those that were cancelled: also where an order was moved, or asked again, and its units were given back at another
     location than the one that counted them;
  3. a day without a record between the first day and the last closed day: zero.
Does not belong here: forecasting, topics, the wall clock (today is the latest day that demand speaks of).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from math import nan

from tables.records import Demand

HOURS_PER_DAY = 24
# Only a day without an hour in stock says nothing: what is asked for and refused counts as asked, so a shorter
# stock-out still shows demand (less of it, where a channel stops offering what is out).
UNKNOWN_OUT_HOURS = HOURS_PER_DAY
# Longest history handed out: the model looks back 8 weeks and judges itself on 8 more.
HISTORY_DAYS_MAX = 112
# One wrong date must not move everybody's today: see `newest_day`.
CLOCK_GAP_DAYS = 28
CLOCK_DOUBTED_SERIES_MAX = 2
CLOCK_SERIES_MIN = 10

SeriesKey = tuple[str, str]  # (sku, location)


class BadDemand(ValueError):
    """A demand record that decodes but cannot be a day's demand. The message says why."""


@dataclass(frozen=True, slots=True)
class Series:
    """Daily units up to the last closed day, oldest first; `None` is a day we know nothing about."""

    sku: str
    location: str
    last_day: int
    units: list[int | None]
    open_only: bool = False  # nothing but the open day is known: a first look, not a history


@dataclass(frozen=True, slots=True)
class ClosedDays:
    """The whole closed past of one series, days without a record left out: `units[n]` is of `days[n]`, NaN if unknown.

    From `unknown_from` on every day is unknown (a stock-out that is not over).
    """

    sku: str
    location: str
    first_day: int
    last_day: int
    days: list[int]
    units: list[float]
    unknown_from: int


@dataclass(slots=True)
class _Day:
    version: tuple[int, int, int]
    left: int  # ordered, and not cancelled here
    out_hours: int


class DemandHistory:
    """Every day's demand of the series this process looks after."""

    def __init__(self) -> None:
        self._days: dict[SeriesKey, dict[int, _Day]] = {}
        self._locations: dict[str, list[str]] = {}  # of the series of a SKU
        # (SKU, day) -> per location the version that says so, and units cancelled there that were ordered elsewhere.
        self._elsewhere: dict[tuple[str, int], dict[str, tuple[tuple[int, int, int], int]]] = {}
        self._latest: dict[SeriesKey, int] = {}
        self._out_since: dict[SeriesKey, int] = {}  # the day on which a stock-out began that is not over

    def __len__(self) -> int:
        return len(self._days)

    def keys(self) -> Iterator[SeriesKey]:
        return iter(self._days)

    def add(self, record: Demand) -> tuple[int, list[SeriesKey]]:
        """Take a record in; its day, and the series that it changed: none when it is old, or says nothing new."""
        day = _checked_day(record)
        out_hours = len({hour for hour in record.stockout_hours if 0 <= hour < HOURS_PER_DAY})
        key = (record.sku, record.location)
        days = self._days.get(key, {})
        known = days.get(day)
        elsewhere = self._elsewhere.get((record.sku, day), {})
        told = known.version if known is not None else elsewhere.get(record.location, (None, 0))[0]
        if told is not None and record.version <= told:
            return day, []
        beside = record.shipped or record.returned or record.cancelled
        # Orders carry the channel's date; stock-outs and shipments that of the log, which replays leave far behind.
        if (record.ordered or not (out_hours or beside)) and day > self._latest.get(key, 0):
            self._latest[key] = day
        left, more = record.ordered - record.cancelled, elsewhere.get(record.location, (None, 0))[1]
        if left < 0 or more:
            self._elsewhere.setdefault((record.sku, day), elsewhere)[record.location] = record.version, max(-left, 0)
        changed: list[SeriesKey] = []
        if more != max(-left, 0):
            changed += [(record.sku, place) for place in self._locations.get(record.sku, ())]
        if known is None and beside and not record.ordered and not out_hours:
            return day, changed  # it tells of what left, came back or was cancelled alone: no series begins with them
        if key not in self._days:
            self._locations.setdefault(record.sku, []).append(record.location)
        self._days.setdefault(key, days)[day] = _Day(record.version, max(left, 0), out_hours)
        if known is None or (known.left, known.out_hours) != (max(left, 0), out_hours):
            changed.append(key)
        return day, changed

    def _wanted(self, key: SeriesKey, number: int, day: _Day) -> int:
        """Units of a day that were ordered and not cancelled; those cancelled elsewhere go off its SKU's locations in
        the order of their names."""
        sku, location = key
        elsewhere = sum(units for _, units in self._elsewhere.get((sku, number), {}).values())
        if not elsewhere or not day.left:
            return day.left
        others = [self._days[sku, x].get(number) for x in self._locations[sku] if x < location]
        elsewhere -= sum(x.left for x in others if x is not None)
        return max(day.left - max(elsewhere, 0), 0)

    def is_out(self, key: SeriesKey, since: str) -> None:
        """Stock has been out since this time (RFC 3339); "": it is not out. Demand tells of it once it is over."""
        try:
            self._out_since[key] = date.fromisoformat(since[:10]).toordinal()
        except ValueError:
            self._out_since.pop(key, None)

    def today(self) -> int | None:
        """The latest day demand speaks of: the open day. `None` before the first record."""
        return newest_day(self._latest.values())

    def series(self, key: SeriesKey, today: int, days_max: int = HISTORY_DAYS_MAX) -> Series | None:
        """The closed days of one series; its open day alone when that is all there is; `None` without either."""
        days = self._days.get(key)
        first_day = min((day for day in days if day <= today), default=None) if days else None
        if days is None or first_day is None:
            return None
        open_only = first_day == today
        last_day = today if open_only else today - 1
        start = max(first_day, last_day - days_max + 1)
        out_since = self._out_since.get(key, last_day)
        units = [None if day > out_since else self._value(key, day) for day in range(start, last_day + 1)]
        return Series(key[0], key[1], last_day, units, open_only)

    def _value(self, key: SeriesKey, number: int) -> int | None:
        day = self._days[key].get(number)
        if day is None:
            return 0
        return None if day.out_hours >= UNKNOWN_OUT_HOURS else self._wanted(key, number, day)

    def first_day(self) -> int | None:
        """The first day that demand speaks of; `None` before the first record."""
        return min((min(days) for days in self._days.values() if days), default=None)

    def closed_days(self, key: SeriesKey, today: int, days_max: int) -> ClosedDays | None:
        """All closed days of a series, the newest `days_max`; `None` when it has none."""
        kept = [(day, x) for day, x in self._days.get(key, {}).items() if today - days_max <= day < today]
        if not kept:
            return None
        return ClosedDays(
            key[0], key[1], first_day=min(day for day, _ in kept), last_day=today - 1, days=[day for day, _ in kept],
            units=[nan if x.out_hours >= UNKNOWN_OUT_HOURS else float(self._wanted(key, day, x)) for day, x in kept],
            unknown_from=self._out_since.get(key, today - 1) + 1,
        )  # fmt: skip


def newest_day(latest: Iterable[int]) -> int | None:
    """The newest of the latest days (ordinals) of several series; `None` without any.

    With `CLOCK_SERIES_MIN` series or more, a day that at most two series have reached and that lies more than
    four weeks past all others is a wrong date, not time passing: it is left out until others follow.
    """
    days = sorted(latest, reverse=True)
    if len(days) >= CLOCK_SERIES_MIN:
        for place in range(CLOCK_DOUBTED_SERIES_MAX, 0, -1):
            if days[place - 1] - days[place] > CLOCK_GAP_DAYS:
                return days[place]
    return days[0] if days else None


def _checked_day(record: Demand) -> int:
    try:
        day = date.fromisoformat(record.day).toordinal()
    except ValueError as error:
        raise BadDemand(f"day: {error}") from error
    if record.ordered < 0:
        raise BadDemand(f"ordered is {record.ordered}: units asked for cannot be negative")
    if not record.sku or not record.location:
        raise BadDemand("sku and location must not be empty")
    return day
