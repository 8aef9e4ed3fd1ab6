"""Simple exponential smoothing, TSB and the shrunk mean of a new series, for many series at once.

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


def simple_levels(panel: Panel) -> Floats:
    """Per series the level that needs no training: shrunk mean (new), 0 (dead), TSB (intermittent, lumpy), SES."""
    kind = segments_of(panel)
    by_kind = np.where(np.isin(kind, (INTERMITTENT, LUMPY)), tsb(panel.units), ses(panel.units))
    by_kind[kind == DEAD] = 0.0
    return np.where(kind == NEW, shrunk_mean(panel.units, usual_level(panel)), by_kind)
