"""Demand records -> daily series per SKU x location, and the day it is.

Reads records handed to it; writes nothing. Units: days are proleptic ordinals (`*_day`), quantities whole units.
Guarantees: per SKU, location and day the record with the highest version counts, in whatever order records arrive.
Rules for a day's value, in this order:
  1. stock was out in every hour of it (`UNKNOWN_OUT_HOURS`), or has been out since before it and still is: unknown
     (`None`), never zero;
  2. otherwise the units asked for, refused ones included (with hours out they are a lower bound, and are kept);
  3. a day without a record between the first day and the last closed day: zero.
Does not belong here: forecasting, topics, the wall clock (today is the latest day that demand speaks of).
"""

from __future__ import annotations

from collections.abc import Iterator
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
# One wrong date must not move everybody's today: see `today`.
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
    wanted: int  # ordered, and not cancelled
    out_hours: int


class DemandHistory:
    """Every day's demand of the series this process looks after."""

    def __init__(self) -> None:
        self._days: dict[SeriesKey, dict[int, _Day]] = {}
        self._latest: dict[SeriesKey, int] = {}
        self._out_since: dict[SeriesKey, int] = {}  # the day on which a stock-out began that is not over

    def __len__(self) -> int:
        return len(self._days)

    def keys(self) -> Iterator[SeriesKey]:
        return iter(self._days)

    def add(self, record: Demand) -> int | None:
        """Take a record in; the day it changed, or `None` when it is older than what is known or says the same."""
        day = _checked_day(record)
        out_hours = len({hour for hour in record.stockout_hours if 0 <= hour < HOURS_PER_DAY})
        key = (record.sku, record.location)
        days = self._days.get(key, {})
        known = days.get(day)
        if known is not None and record.version <= known.version:
            return None
        moved = record.shipped or record.returned
        # Orders carry the channel's date; stock-outs and shipments that of the log, which replays leave far behind.
        if (record.ordered or not (out_hours or moved)) and day > self._latest.get(key, 0):
            self._latest[key] = day
        if known is None and moved and not record.ordered and not out_hours:
            return None  # it tells of shipments or returns alone: no series begins with them
        wanted = max(record.ordered - record.cancelled, 0)
        self._days.setdefault(key, days)[day] = _Day(record.version, wanted, out_hours)
        if known is not None and (known.wanted, known.out_hours) == (wanted, out_hours):
            return None
        return day

    def is_out(self, key: SeriesKey, since: str) -> None:
        """Stock has been out since this time (RFC 3339); "": it is not out. Demand tells of it once it is over."""
        try:
            self._out_since[key] = date.fromisoformat(since[:10]).toordinal()
        except ValueError:
            self._out_since.pop(key, None)

    def today(self) -> int | None:
        """The latest day demand speaks of: the open day. `None` before the first record.

        With `CLOCK_SERIES_MIN` series or more, a day that at most two series have reached and that lies more than
        four weeks past all others is a wrong date, not time passing: it is left out until others follow.
        """
        latest = sorted(self._latest.values(), reverse=True)
        if not latest:
            return None
        if len(latest) >= CLOCK_SERIES_MIN:
            for place in range(CLOCK_DOUBTED_SERIES_MAX, 0, -1):
                if latest[place - 1] - latest[place] > CLOCK_GAP_DAYS:
                    return latest[place]
        return latest[0]

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
        units = [None if day > out_since else _value(days.get(day)) for day in range(start, last_day + 1)]
        return Series(key[0], key[1], last_day, units, open_only)

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
            units=[nan if x.out_hours >= UNKNOWN_OUT_HOURS else float(x.wanted) for _, x in kept],
            unknown_from=self._out_since.get(key, today - 1) + 1,
        )  # fmt: skip


def _value(day: _Day | None) -> int | None:
    if day is None:
        return 0
    return None if day.out_hours >= UNKNOWN_OUT_HOURS else day.wanted


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
