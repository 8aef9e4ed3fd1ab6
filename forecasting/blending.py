"""What a mean of the trees is corrected and mixed with: a lift, and a share of a simple smoothed level, per segment.

Reads rows with what was expected and what came; writes nothing. Guarantees: lifts stay within bounds. Does not belong
here: the trees, the spread.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from forecasting.features import Past, window
from forecasting.panel import Floats, Ints
from forecasting.segments import DEAD, NEW, SEGMENTS
from forecasting.simple import PRIOR_DAYS

# Bounds of what a segment's means are lifted by, for what that cut loses: beyond them it is drift, not the cut.
LIFT_MIN, LIFT_MAX = 0.9, 1.5
ROWS_MIN = 500  # fewer of a class say nothing about it
# Share of the trees in the blend with the fast or slow smoothed level; the first wins a tie.
BLENDS = (
    ("fast", 1.0),
    ("fast", 0.75),
    ("slow", 0.75),
    ("fast", 0.5),
    ("slow", 0.5),
    ("recent", 0.5),
    ("recent", 0.75),
)

# What has not sold for a quarter is expected to stay so; a little is left, so that its quantiles are not all 0.
DEAD_BLEND = ("recent", 0.1)


def levels_at(past: Past, series: Ints, origin: Ints) -> dict[str, Floats]:
    """Simple levels at the origin; for series of under 28 days, shrunk to the usual level."""
    known = window(past.known, series, origin, 28)
    age = origin - past.starts[series] + 1
    recent = window(past.sums, series, origin, 28)
    shrunk = (recent + past.usual_units * PRIOR_DAYS) / (known + PRIOR_DAYS)
    young = age <= 28
    plain = recent / np.maximum(known, 1)
    return {
        "fast": np.where(young, shrunk, past.fast[series, origin]),
        "slow": np.where(young, shrunk, past.slow[series, origin]),
        "recent": np.where(young, shrunk, plain),
    }


def blended(trees: Floats, levels: dict[str, Floats], kind: Ints, blends: Sequence[tuple[str, float]]) -> Floats:
    share = np.array([share for _, share in blends])[kind]
    place = np.array([list(levels).index(name) for name, _ in blends])
    other = np.choose(place[kind], list(levels.values()))
    return share * trees + (1 - share) * other


def naive_scale(units: Floats) -> Floats:
    """Mean absolute step from day to day, per series: what a loss is divided by; never 0."""
    steps = np.abs(np.diff(units, axis=1))
    known = ~np.isnan(steps)
    mean = np.where(known, steps, 0.0).sum(axis=1, dtype=np.float64) / np.maximum(known.sum(axis=1), 1)
    floor = mean[mean > 0].min() if (mean > 0).any() else 1.0
    return np.where(mean > 0, mean, floor)


def chosen_lifts(honest: Floats, came: Floats, kind: Ints) -> list[float]:
    """Part of what came beyond what was expected, per segment, because the greatest orders were cut before training."""
    found = []
    for segment in range(len(SEGMENTS)):
        rows = kind == segment
        ratio = float(came[rows].sum() / max(honest[rows].sum(), 1e-9)) if rows.sum() >= ROWS_MIN else 1.0
        found.append(min(max(ratio, LIFT_MIN), LIFT_MAX))
    return found


def chosen_blends(
    honest: Floats, levels: dict[str, Floats], kind: Ints, came: Floats, steps: Floats
) -> list[tuple[str, float]]:
    """Per segment the blend with the least squared error in steps; one of few rows takes everybody's.

    But for new series: everybody's rows are of old ones, so few of their own, or the trees alone, say more.
    """
    found: list[tuple[str, float]] = []
    losses = {blend: ((came - blend[1] * honest - (1 - blend[1]) * levels[blend[0]]) / steps) ** 2 for blend in BLENDS}
    for segment in range(len(SEGMENTS)):
        if segment == DEAD:
            found.append(DEAD_BLEND)
            continue
        rows = kind == segment
        if rows.sum() < ROWS_MIN:
            rows = np.ones(len(kind), dtype=bool) if segment != NEW else rows
        found.append(min(BLENDS, key=lambda blend: losses[blend][rows].mean() if rows.any() else 0.0))
    return found
