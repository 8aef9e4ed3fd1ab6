"""What one day's demand of one series can be guessed from, as numbers: the past at an origin, and the day asked about.

Reads a `Panel`; writes nothing. A row is (series, origin, ahead): the last day known, and how many days later the day
asked about lies. Guarantees: nothing of a row comes from units after its origin, but for the usual level of a series
(one number of the whole panel); what is known ahead may be read up to the day asked about and a week beyond. Units are
divided by the series' own scale at the origin, so a tree sees shapes, not sizes; unknown is NaN.
Does not belong here: fitting, and which rows to fit on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from forecasting.panel import Floats, Ints, Panel

WINDOWS_DAYS = (7, 14, 28, 56, 112, 224)
SEASONS_BACK = (4, 8, 16)
SCALE_DAYS = 56
# A series' scale is its mean as if this many days at the usual level of a series had come before.
SCALE_PRIOR_DAYS = 2.0
FAST, SLOW = 0.1, 0.03  # weights of the newest day in the exponentially weighted means
YEAR_DAYS = 364  # whole weeks, so that a weekday meets its own
LIKE_PRIOR_DAYS = 7.0  # how many days of the overall mean a mean of days like this one is shrunk by
LIKE_DAYS = 182


@dataclass(frozen=True, slots=True)
class Plan:
    """Sums along the days of one column known ahead, and of the units sold while it was on and off."""

    values: Floats
    usual: float  # above it the column is on: half its greatest ordinary value
    sums: Floats
    on_units: Floats
    on_days: Floats
    off_units: Floats
    off_days: Floats


@dataclass(frozen=True, slots=True)
class Past:
    """Running sums over a panel, so that any window of any row costs two look-ups. Index 0 is before the first day."""

    units: Floats  # 0 where unknown
    sums: Floats
    known: Floats
    squares: Floats
    roots: Floats  # of the square roots of units: one great order weighs little in it
    sales: Floats  # days with a sale
    season_sums: Floats  # along days of the same place in the season
    season_known: Floats
    fast: Floats
    slow: Floats
    last_sale: Ints
    starts: Ints
    usual_units: float
    season_days: int
    first_day: int  # since 1970
    plans: dict[str, Plan]

    @property
    def days(self) -> int:
        return int(self.units.shape[1])


def summed(
    panel: Panel,
    *,
    season_days: int = 7,
    usual_units: float | None = None,
    plan_bounds: Mapping[str, float] | None = None,
) -> Past:
    """Prepare a panel. `usual_units` is the level of an ordinary series; by default the panel's own.

    `plan_bounds`: the columns known ahead that a model was trained with, and the value above which each is on; by
    default every column that says something, by its own values. A part of a panel must not judge them anew.
    """
    known_days = ~np.isnan(panel.units)
    units = np.nan_to_num(panel.units).astype(np.float64)
    sums, known = _running(units), _running(known_days)
    if usual_units is None:
        usual_units = usual_level(panel)
    positions = np.arange(1, panel.days + 1, dtype=np.int32)
    last_sale = np.maximum.accumulate(np.where(units > 0, positions, 0), axis=1)
    return Past(
        units=units.astype(np.float32),
        sums=sums,
        known=known,
        squares=_running(units**2),
        roots=_running(np.sqrt(units)),
        sales=_running(units > 0),
        season_sums=_season_running(units, season_days),
        season_known=_season_running(known_days, season_days),
        fast=weighted_mean(units, known_days, FAST),
        slow=weighted_mean(units, known_days, SLOW),
        last_sale=last_sale.astype(np.int32),
        starts=panel.starts,
        usual_units=usual_units,
        season_days=season_days,
        first_day=int(panel.first_day.astype("datetime64[D]").astype(np.int64)),
        plans={
            name: _plan(values, bound, units, known_days)
            for name, values in panel.known_ahead.items()
            if (bound := _on_above(values) if plan_bounds is None else plan_bounds.get(name)) is not None
        },
    )


def usual_level(panel: Panel) -> float:
    """Geometric mean of the daily means of all series that sold anything; 1 where none did."""
    known = (~np.isnan(panel.units)).sum(axis=1)
    means = np.nansum(panel.units, axis=1, dtype=np.float64) / np.maximum(known, 1)
    sold = means > 0
    return float(np.exp(np.log(means[sold]).mean())) if sold.any() else 1.0


def weighted_mean(units: Floats, known: np.ndarray, weight: float) -> Floats:
    """Exponentially weighted mean at each day's end; the first known day starts it, unknown days change nothing."""
    level = np.zeros(len(units))
    begun = np.zeros(len(units), dtype=bool)
    levels = np.empty(units.shape, dtype=np.float32)
    for day in range(units.shape[1]):
        now = known[:, day]
        step = np.where(begun, weight, 1.0) * now
        level = level + step * (units[:, day] - level)
        begun |= now
        levels[:, day] = level
    return levels


def scale_at(past: Past, series: Ints, origin: Ints) -> Floats:
    """Units a day by which everything of the row is divided; above 0."""
    units = window(past.sums, series, origin, SCALE_DAYS)
    days = window(past.known, series, origin, SCALE_DAYS)
    return (units + past.usual_units * SCALE_PRIOR_DAYS) / (days + SCALE_PRIOR_DAYS)


def window(sums: Floats, series: Ints, origin: Ints, days: int) -> Floats:
    """Sum of the `days` days up to the origin, both ends clipped to the panel."""
    return sums[series, origin + 1] - sums[series, np.maximum(origin + 1 - days, 0)]


def rows_of(past: Past, series: Ints, origin: Ints, ahead: Ints) -> tuple[Floats, list[str]]:
    """Features of these rows as (rows, columns) float32, and their names. `origin` is a column of the panel."""
    scale = scale_at(past, series, origin)
    columns: dict[str, Floats] = {"log_scale": np.log(scale)}
    long_mean: Floats = np.zeros(0)
    for days in WINDOWS_DAYS:
        known = window(past.known, series, origin, days)
        long_mean = _ratio(window(past.sums, series, origin, days), known)
        if past.days > days // 2:
            columns[f"mean_{days}"] = long_mean / scale
    known = window(past.known, series, origin, 28)
    columns["zero_share_28"] = 1 - _ratio(window(past.sales, series, origin, 28), known)
    columns["calm_mean_28"] = _ratio(window(past.roots, series, origin, 28), known) ** 2 / scale
    known = window(past.known, series, origin, 112)
    columns["zero_share_112"] = 1 - _ratio(window(past.sales, series, origin, 112), known)
    mean_112 = _ratio(window(past.sums, series, origin, 112), known)
    variance = _ratio(window(past.squares, series, origin, 112), known) - mean_112**2
    columns["calm_mean_112"] = _ratio(window(past.roots, series, origin, 112), known) ** 2 / scale
    columns["spread_112"] = np.sqrt(np.maximum(variance, 0)) / scale
    columns["fast"] = past.fast[series, origin] / scale
    columns["slow"] = past.slow[series, origin] / scale
    columns["last"] = past.units[series, origin] / scale
    columns["gap"] = np.minimum(origin + 1 - past.last_sale[series, origin], 365)
    columns["age"] = np.minimum(origin - past.starts[series], 365)
    columns["ahead"] = ahead
    target = origin + ahead
    columns["season_place"] = (past.first_day + target) % past.season_days
    columns["day_of_month"] = _day_of_month(past, target)
    same = _last_same_place(past, origin, target)
    for back in SEASONS_BACK:
        units, days = _season_window(past, series, same, back)
        columns[f"season_mean_{back}"] = _ratio(units, days) / scale
    if past.days > YEAR_DAYS + 56:
        columns |= _last_year(past, series, origin, target, long_mean)
    for name, plan in past.plans.items():
        columns |= _planned(past, f"plan {name}", plan, series, origin, target, scale)  # never one of ours by its name
    return np.stack([np.asarray(values, dtype=np.float32) for values in columns.values()], axis=1), list(columns)


def _running(values: np.ndarray) -> Floats:
    sums = np.zeros((values.shape[0], values.shape[1] + 1))
    np.cumsum(values, axis=1, out=sums[:, 1:])
    return sums


def _season_running(values: np.ndarray, season_days: int) -> Floats:
    sums = np.zeros((values.shape[0], values.shape[1] + season_days))
    sums[:, season_days:] = values
    for start in range(season_days):
        np.cumsum(sums[:, start::season_days], axis=1, out=sums[:, start::season_days])
    return sums


def _last_same_place(past: Past, origin: Ints, target: Ints) -> Ints:
    """The latest day up to the origin at the target's place in the season."""
    seasons_ahead = -(-(target - origin) // past.season_days)
    return target - seasons_ahead * past.season_days


def _season_window(past: Past, series: Ints, same: Ints, back: int) -> tuple[Floats, Floats]:
    end = same + past.season_days
    start = end - back * past.season_days
    start = np.where(start < 0, end % past.season_days, start)
    end = np.maximum(end, start)
    return (
        past.season_sums[series, end] - past.season_sums[series, start],
        past.season_known[series, end] - past.season_known[series, start],
    )


def _last_year(past: Past, series: Ints, origin: Ints, target: Ints, long_mean: Floats) -> dict[str, Floats]:
    """The latest whole week known round the same day of a year, against the 112 days up to this day a year ago."""
    middle = target - YEAR_DAYS * -(-(target + 3 - origin) // YEAR_DAYS)
    week = _between(past, series, middle - 3, middle + 4)
    around = _between(past, series, origin - YEAR_DAYS - 111, origin - YEAR_DAYS + 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return {"last_year": np.where(around > 0, week / around, np.nan), "day_of_year": _day_of_year(past, target)}


def _between(past: Past, series: Ints, start: Ints, end: Ints) -> Floats:
    inside = start >= 0
    start, end = np.maximum(start, 0), np.maximum(end, 0)
    units = past.sums[series, end] - past.sums[series, start]
    return np.where(inside, _ratio(units, past.known[series, end] - past.known[series, start]), np.nan)


def _on_above(values: Floats) -> float | None:
    """Half the greatest ordinary value; `None` for a column that says nothing: constant or unknown throughout."""
    finite = values[np.isfinite(values)]
    if finite.size == 0 or finite.min() == finite.max():
        return None
    top = float(np.quantile(finite[finite != finite.min()], 0.75))
    return (top + float(finite.min())) / 2


def _plan(values: Floats, usual: float, units: Floats, known: np.ndarray) -> Plan:
    past_values = values[:, : units.shape[1]]
    on = known & (past_values > usual)
    off = known & ~(past_values > usual)
    return Plan(
        values, usual, _running(np.nan_to_num(past_values)), _running(units * on), _running(on),
        _running(units * off), _running(off),
    )  # fmt: skip


def _planned(
    past: Past, name: str, plan: Plan, series: Ints, origin: Ints, target: Ints, scale: Floats
) -> dict[str, Floats]:
    last = plan.values.shape[1] - 1
    there = target <= last
    value = np.where(there, plan.values[series, np.minimum(target, last)], np.nan)
    later = np.where(target + 7 <= last, plan.values[series, np.minimum(target + 7, last)], np.nan)
    usual = window(plan.sums, series, origin, 28) / np.minimum(origin + 1, 28)
    on_days = window(plan.on_days, series, origin, LIKE_DAYS)
    off_days = window(plan.off_days, series, origin, LIKE_DAYS)
    on = window(plan.on_units, series, origin, LIKE_DAYS)
    off = window(plan.off_units, series, origin, LIKE_DAYS)
    is_on = value > plan.usual
    mean = (on + off + scale) / (on_days + off_days + 1)
    like_units, like_days = np.where(is_on, on, off), np.where(is_on, on_days, off_days)
    like = (like_units + LIKE_PRIOR_DAYS * mean) / (like_days + LIKE_PRIOR_DAYS)
    return {
        name: value,
        f"{name}_usual": usual,
        f"{name}_more": value - usual,
        f"{name}_week_before": np.where(
            there, plan.values[series, np.minimum(np.maximum(target - 7, 0), last)], np.nan
        ),
        f"{name}_week_after": later,
        f"{name}_like": like / scale,
        f"{name}_off_mean": (off + LIKE_PRIOR_DAYS * mean) / (off_days + LIKE_PRIOR_DAYS) / scale,
        f"{name}_on_days": on_days,
    }


def _dates(past: Past, target: Ints) -> np.ndarray:
    return (past.first_day + np.asarray(target)).astype("datetime64[D]")


def _day_of_month(past: Past, target: Ints) -> Ints:
    days = _dates(past, target)
    return (days - days.astype("datetime64[M]")).astype(np.int64) + 1


def _day_of_year(past: Past, target: Ints) -> Ints:
    days = _dates(past, target)
    return (days - days.astype("datetime64[Y]")).astype(np.int64) + 1


def _ratio(units: Floats, days: Floats) -> Floats:
    return np.where(days > 0, units / np.maximum(days, 1), np.nan)
