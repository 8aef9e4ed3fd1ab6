"""Simple exponential smoothing, TSB, the shrunk mean of a new series and factors of a season, for many series at once.

Reads matrices of units (series, days), NaN where unknown; writes nothing. They are what a series gets when there is no
trained model, and what a trained model is blended with. Does not belong here: choosing among them.
"""

from __future__ import annotations

import numpy as np

from forecasting.features import usual_level, weighted_mean
from forecasting.panel import Floats, Panel
from forecasting.segments import DEAD, INTERMITTENT, LUMPY, NEW, segments_of

SES_WEIGHT = 0.1
TSB_SIZE_WEIGHT, TSB_CHANCE_WEIGHT = 0.2, 0.1
RECENT_DAYS = 28
SEASONS = 8  # whose days say how the places of a season differ
PRIOR_DAYS = 3.0  # a new series' own mean counts as if this many days at the usual level had come before


def ses(units: Floats, weight: float = SES_WEIGHT) -> Floats:
    """Level a day after the last day, per series; 0 for a series without a known day."""
    known = ~np.isnan(units)
    if not units.shape[1]:
        return np.zeros(len(units))
    return weighted_mean(np.nan_to_num(units).astype(np.float64), known, weight)[:, -1].astype(np.float64)


def tsb(units: Floats, size_weight: float = TSB_SIZE_WEIGHT, chance_weight: float = TSB_CHANCE_WEIGHT) -> Floats:
    """Teunter, Syntetos, Babai: smoothed chance of a sale times smoothed units of a day with one."""
    known = ~np.isnan(units)
    filled = np.nan_to_num(units).astype(np.float64)
    sold = filled > 0
    chance = weighted_mean(sold.astype(np.float64), known, chance_weight)[:, -1]
    size = weighted_mean(filled, sold, size_weight)[:, -1]
    return chance.astype(np.float64) * size


def recent_mean(units: Floats) -> Floats:
    """Mean of the known days of the last 28; 0 where there are none."""
    recent = units[:, -RECENT_DAYS:]
    return np.nansum(recent, axis=1, dtype=np.float64) / np.maximum((~np.isnan(recent)).sum(axis=1), 1)


def shrunk_mean(units: Floats, usual_units: Floats | float) -> Floats:
    """Own mean of the last 28 days, drawn to `usual_units` by the weight of `PRIOR_DAYS`."""
    recent = units[:, -RECENT_DAYS:]
    return (np.nansum(recent, axis=1) + usual_units * PRIOR_DAYS) / ((~np.isnan(recent)).sum(axis=1) + PRIOR_DAYS)


def simple_levels(panel: Panel, season_days: int = 1) -> Floats:
    """Per series the level that needs no training: shrunk mean (new), 0 (dead), TSB (intermittent, lumpy), SES.

    Smoothing leans on the days it ends with: what it would make of the season alone is divided out.
    """
    kind = segments_of(panel)
    place = np.arange(-panel.days, 0) % season_days
    by_kind = np.where(np.isin(kind, (INTERMITTENT, LUMPY)), tsb(panel.units), ses(panel.units))
    by_kind /= ses(season_factors(panel.units, season_days)[:, place])
    by_kind[kind == DEAD] = 0.0
    return np.where(kind == NEW, shrunk_mean(panel.units, usual_level(panel)), by_kind)


def season_factors(units: Floats, season_days: int) -> Floats:
    """(series, season_days), from the day after the last on: a place's mean of the last seasons over that of all days.

    Places differ by chance too: kept is the share of their variance beyond twice what days of one place explain (with
    once, series without a season lost by theirs). 1 for series that do not know every place twice.
    """
    seasons = min(SEASONS, units.shape[1] // season_days)
    if season_days < 2 or seasons < 2:
        return np.ones((len(units), season_days))
    recent = units[:, -seasons * season_days :].reshape(len(units), seasons, season_days).astype(np.float64)
    known = (~np.isnan(recent)).sum(axis=1)
    means = np.nansum(recent, axis=1) / np.maximum(known, 1)
    squares = np.nansum((recent - means[:, None]) ** 2, axis=(1, 2)) / np.maximum((known - 1).sum(axis=1), 1)
    chance, variance = squares / np.maximum(known.mean(axis=1), 1), means.var(axis=1, ddof=1)
    kept = (known > 1).all(axis=1) & (variance > 2 * chance)
    share = np.where(kept, 1 - 2 * chance / np.where(kept, variance, 1.0), 0.0)[:, None]
    return 1 + share * (means / np.where(kept, means.mean(axis=1), 1.0)[:, None] - 1)
