"""The simple method: a 28-day level, a weekday shape, a negative-binomial spread pooled over series of like volume.

Reads series; writes nothing; no clock, no chance: the same series give the same forecast.
Mean: the mean of the last 28 known days times a weekday factor from the last 8 weeks, shrunk towards 1.
Spread: variance of the units over any run of days with mean M is M (1 + excess), with
    excess = slow * M + fast * level
where `slow` is the part of the dispersion that does not average out over days (the level itself drifts) and `fast` the
part that does. Both are measured on what the same method would have said in the last 8 weeks, pooled by volume class.
One formula serves a day and the sum over lead time, so longer is never less.
Does not belong here: stock, purchases, topics, the learnt model (champion.py), which answers as `SeriesForecast` does.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from math import exp, log

from forecasting.series import Series
from forecasting.spread import PROBABILITIES, quantiles

MODEL = "seasonal-mean-nb-1"
HORIZON_DAYS = 28

LEVEL_DAYS = 28
SEASON_DAYS = 56
WEEK_DAYS = 7
JUDGED_DAYS = 56  # the method is judged on what it would have said on these days
JUDGED_KNOWN_DAYS_MIN = 14  # of the 28 before a judged day
ENOUGH_DAYS = 14
ENOUGH_UNITS = 5
# A weekday's own mean counts fully only when it rests on many more units than this.
SEASON_SHRINK_UNITS = 60.0
# A short history counts as if this many days at the usual level of a series had come before it.
PRIOR_DAYS = 3.0
PRIOR_UNITS_FLOOR = 0.01  # keeps the logarithm of a level of zero finite
CLASS_BOUNDS_UNITS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)  # daily means that part the volume classes
# What a class is believed to be before it has shown anything, and how many days of evidence that is worth.
DISPERSION_PRIOR = 0.6
DISPERSION_PRIOR_DAYS = 56.0
DISPERSION_MAX = 50.0


@dataclass(frozen=True, slots=True)
class SeriesForecast:
    """Units per day from `first_day` on, and the distribution of their sum over any number of days."""

    status: str  # ok, or insufficient_data
    first_day: int
    level: float
    weekday_means: tuple[float, ...]  # Monday first
    slow: float
    fast: float
    model: str = MODEL

    def mean(self, days: int) -> list[float]:
        """Expected units of each of the next `days` days."""
        return [self.weekday_means[(self.first_day + ahead - 1) % WEEK_DAYS] for ahead in range(days)]

    def total_mean(self, days: int) -> float:
        weeks, rest = divmod(days, WEEK_DAYS)
        return weeks * sum(self.weekday_means) + sum(self.mean(rest))

    def total_quantile(self, days: int, probability: float) -> int:
        """Units that the sum over the next `days` days stays at or under with this probability."""
        return self._quantiles(self.total_mean(days), (probability,))[0]

    def daily_quantiles(self, days: int) -> list[list[int]]:
        """Per probability of `PROBABILITIES`, a value for each of the next `days` days."""
        by_weekday = [self._quantiles(mean, PROBABILITIES) for mean in self.weekday_means]
        columns = [by_weekday[(self.first_day + ahead - 1) % WEEK_DAYS] for ahead in range(days)]
        return [list(row) for row in zip(*columns, strict=True)]

    def _quantiles(self, mean: float, probabilities: Sequence[float]) -> list[int]:
        return quantiles(mean, self.slow * mean + self.fast * self.level, probabilities)


@dataclass(frozen=True, slots=True)
class Fitted:
    """What all series together say: the dispersion of each volume class and the usual level of a series."""

    dispersions: tuple[tuple[float, float], ...]  # (slow, fast) per volume class
    usual_units: float | None  # geometric mean of the daily levels; None before any series is three days old

    def forecast(self, series: Series) -> SeriesForecast:
        shape = _shape(series.units, series.last_day)
        level = shape.level
        if shape.known_days < LEVEL_DAYS and self.usual_units is not None:
            level = (level * shape.known_days + self.usual_units * PRIOR_DAYS) / (shape.known_days + PRIOR_DAYS)
        enough = not series.open_only and shape.days >= ENOUGH_DAYS and shape.units >= ENOUGH_UNITS
        slow, fast = self.dispersions[bisect_right(CLASS_BOUNDS_UNITS, level)]
        return SeriesForecast(
            status="ok" if enough else "insufficient_data",
            first_day=series.last_day + (0 if series.open_only else 1),
            level=level,
            weekday_means=tuple(level * factor for factor in shape.factors),
            slow=slow,
            fast=fast,
        )


def fit(all_series: Iterable[Series]) -> Fitted:
    """Pool the evidence of all series. One pass, a few microseconds per day of history."""
    classes = [_Evidence() for _ in range(len(CLASS_BOUNDS_UNITS) + 1)]
    logs: list[float] = []
    young_logs: list[float] = []
    for series in all_series:
        shape = _shape(series.units, series.last_day)
        _judge_series(classes, series, shape)
        if shape.days >= ENOUGH_DAYS and shape.units >= ENOUGH_UNITS:
            logs.append(log(shape.level + PRIOR_UNITS_FLOOR))
        elif shape.known_days >= PRIOR_DAYS:
            young_logs.append(log(shape.level + PRIOR_UNITS_FLOOR))
    # Where all are young, those count that have shown as many days as their mean is to count for others.
    logs = logs or young_logs
    usual = exp(sum(logs) / len(logs)) - PRIOR_UNITS_FLOOR if logs else None
    return Fitted(tuple(evidence.dispersions() for evidence in classes), None if usual is None else max(usual, 0.0))


@dataclass(frozen=True, slots=True)
class _Shape:
    level: float
    factors: tuple[float, ...]
    days: int
    known_days: int  # of the last LEVEL_DAYS
    units: int


def _shape(units: Sequence[int | None], last_day: int) -> _Shape:
    known = [value for value in units if value is not None]
    recent = [value for value in units[-LEVEL_DAYS:] if value is not None]
    if not recent:  # out of stock for all of it: the last known days say more than nothing
        recent = known[-LEVEL_DAYS:]
    level = sum(recent) / len(recent) if recent else 0.0
    return _Shape(level, _weekday_factors(units, last_day), len(units), len(recent), sum(known))


def _weekday_factors(units: Sequence[int | None], last_day: int) -> tuple[float, ...]:
    """Each weekday's mean over the overall mean of the last 8 weeks, shrunk to 1, seven of them adding up to 7."""
    sums, counts = [0.0] * WEEK_DAYS, [0] * WEEK_DAYS
    season = units[-SEASON_DAYS:]
    weekday = (last_day - len(season)) % WEEK_DAYS  # ordinal 1 was a Monday
    for value in season:
        if value is not None:
            sums[weekday] += value
            counts[weekday] += 1
        weekday = (weekday + 1) % WEEK_DAYS
    total, days = sum(sums), sum(counts)
    if total <= 0:
        return (1.0,) * WEEK_DAYS
    overall = total / days
    raw = [
        (unit_sum + SEASON_SHRINK_UNITS) / (count * overall + SEASON_SHRINK_UNITS)
        for unit_sum, count in zip(sums, counts, strict=True)
    ]
    scale = WEEK_DAYS / sum(raw)
    return tuple(factor * scale for factor in raw)


@dataclass(slots=True)
class _Evidence:
    """Sums over a volume class: squared errors beyond Poisson, squared means, how many; for days and for weeks."""

    day: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    week: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])

    def dispersions(self) -> tuple[float, float]:
        """(slow, fast): a week's dispersion is slow + fast / 7, a day's slow + fast."""
        day = _ratio(self.day, DISPERSION_PRIOR, DISPERSION_PRIOR_DAYS)
        week = _ratio(self.week, day / 2, DISPERSION_PRIOR_DAYS / WEEK_DAYS)
        slow = min(day, max(0.0, (WEEK_DAYS * week - day) / (WEEK_DAYS - 1)))
        return slow, day - slow


def _judge_series(classes: Sequence[_Evidence], series: Series, shape: _Shape) -> None:
    """What the method would have said on each of the last days, against what came.

    The class is that of the level said then, not of today's: a series that has faded since would otherwise make its
    past surprises the evidence of the slowest class.
    """
    units = series.units
    sums = [0, *accumulate(value or 0 for value in units)]
    counts = [0, *accumulate(value is not None for value in units)]
    offset = series.last_day - len(units)  # weekday of place i: (offset + i) % 7
    for place in range(max(JUDGED_KNOWN_DAYS_MIN, len(units) - JUDGED_DAYS), len(units)):
        value, start = units[place], max(0, place - LEVEL_DAYS)
        known_days = counts[place] - counts[start]
        if known_days < JUDGED_KNOWN_DAYS_MIN:
            continue
        said = (sums[place] - sums[start]) / known_days
        evidence = classes[bisect_right(CLASS_BOUNDS_UNITS, said)]
        if value is not None:
            _judge(evidence.day, value, said * shape.factors[(offset + place) % WEEK_DAYS])
        whole_week = (len(units) - place) % WEEK_DAYS == 0
        if whole_week and counts[place + WEEK_DAYS] - counts[place] == WEEK_DAYS:
            _judge(evidence.week, sums[place + WEEK_DAYS] - sums[place], said * WEEK_DAYS)


def _judge(sums: list[float], came: float, said: float) -> None:
    sums[0] += (came - said) ** 2 - said
    sums[1] += said * said
    sums[2] += 1


def _ratio(sums: list[float], prior: float, prior_count: float) -> float:
    excess, squares, count = sums
    if count == 0 or squares <= 0:
        return prior
    prior_squares = prior_count * squares / count
    ratio = (excess + prior * prior_squares) / (squares + prior_squares)
    return min(DISPERSION_MAX, max(0.0, ratio))
