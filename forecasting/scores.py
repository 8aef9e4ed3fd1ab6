"""How good forecasts were: errors and bounds against what came true, over all series and per segment.

Reads matrices of one origin; writes nothing. A day whose truth is unknown counts nowhere. RMSSE divides by the squared
one-step naive error of the training part, SPL (mean of the four quantiles' pinball) by the absolute one; series without
a change in training have no scale and are left out of these two. WAPE and bias are sums over sums, NaN where nothing
came. c95 and c99 are the shares of days at or under the bound; with bounds of whole units they lie above .95 and .99
when the bounds are right. Does not belong here: making forecasts.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan, nan

import numpy as np

from forecasting.intervals import pinball
from forecasting.panel import Floats, Ints
from forecasting.segments import SEGMENTS
from forecasting.spread import PROBABILITIES


def scores(train: Floats, came: Floats, mean: Floats, quantiles: Floats) -> dict[str, float]:
    """`train` (series, days before), `came` and `mean` (series, days), `quantiles` (series, days, 4)."""
    with np.errstate(invalid="ignore", divide="ignore"):
        known = ~np.isnan(came)
        days = known.sum(axis=1)
        came = came.astype(np.float64)
        error = np.where(known, came - mean, 0.0)
        units = _units(came)
        steps = np.diff(train.astype(np.float64), axis=1)
        counted = np.maximum((~np.isnan(steps)).sum(axis=1), 1)
        squared = np.nansum(steps**2, axis=1) / counted
        absolute = np.nansum(np.abs(steps), axis=1) / counted
        scaled = (squared > 0) & (days > 0)
        rmsse = np.sqrt((error**2).sum(axis=1) / days / squared)[scaled]
        losses = np.where(known[..., None], pinball(came, quantiles, PROBABILITIES), 0.0).mean(axis=2).sum(axis=1)
        spl = (losses / days / absolute)[scaled]
        all_days = max(int(known.sum()), 1)
        return {
            "rmsse": float(rmsse.mean()) if rmsse.size else 0.0,
            "wape": wape(came, mean),
            "wape_total": float(np.abs(error.sum(axis=1)).sum() / units),
            "bias": float(-error.sum() / units),
            "spl": float(spl.mean()) if spl.size else 0.0,
            "c95": float((came <= quantiles[..., 2]).sum() / all_days),
            "c99": float((came <= quantiles[..., 3]).sum() / all_days),
        }


def wape(came: Floats, said: Floats) -> float:
    """Absolute errors over units, of any shape; what is unknown counts nowhere."""
    return float(np.nansum(np.abs(came - said), dtype=np.float64)) / _units(came)


def _units(came: Floats) -> float:
    return float(np.nansum(came, dtype=np.float64)) or nan


def by_segment(
    kind: Ints, train: Floats, came: Floats, mean: Floats, quantiles: Floats, plain: Floats
) -> dict[str, dict[str, float]]:
    """The same per segment, beside the WAPE of the plain 28-day mean."""
    found: dict[str, dict[str, float]] = {}
    for n, name in enumerate(SEGMENTS):
        rows = kind == n
        if rows.any():
            one = scores(train[rows], came[rows], mean[rows], quantiles[rows])
            found[name] = one | {"wape_28_day_mean": wape(came[rows], plain[rows]), "series": int(rows.sum())}
    return found


def averaged(results: Sequence[dict[str, float]]) -> dict[str, float | None]:
    """The mean over the origins with a figure, four digits; `None` where none has."""
    return {name: figure([one[name] for one in results]) for name in results[0]}


def figure(values: Sequence[float]) -> float | None:
    """Their mean but for NaN, four digits."""
    known = [value for value in values if not isnan(value)]
    return round(sum(known) / len(known), 4) if known else None
