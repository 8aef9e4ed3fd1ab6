"""What boosted trees are given: feature columns worth having, in the order they were fitted with, and rows' weights.

Reads and returns matrices; writes nothing. Unknown and infinite are NaN. Does not belong here: features, fitting.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from forecasting.panel import Floats

WEIGHT_MAX_MEDIANS = 5.0  # a series that hardly ever moved would count for hundreds


def useful(features: Floats, names: Sequence[str]) -> tuple[Floats, list[str]]:
    """Without columns that are unknown or the same throughout: trees cannot bin the first, nor use the second."""
    features = np.where(np.isfinite(features), features, np.nan)
    kept = [
        n
        for n in range(len(names))
        if np.isfinite(features[:, n]).any() and np.nanmin(features[:, n]) < np.nanmax(features[:, n])
    ]
    return features[:, kept], [names[n] for n in kept]


def aligned(features: Floats, names: Sequence[str], wanted: Sequence[str]) -> Floats:
    """The columns the trees know, in their order; what these features lack is unknown."""
    place = {name: n for n, name in enumerate(names)}
    found = np.full((len(features), len(wanted)), np.nan, dtype=np.float32)
    for n, name in enumerate(wanted):
        if name in place:
            found[:, n] = features[:, place[name]]
    found[~np.isfinite(found)] = np.nan
    return found


def weights(scale: Floats) -> Floats:
    """Between units (the great series alone) and series (the small ones alone)."""
    weight = np.sqrt(scale)
    return weight / weight.mean()


def scored_weights(scale: Floats, steps: Floats) -> Floats:
    """Every series as scaled errors count it: an error of one scale weighs scale over naive step, within bounds."""
    weight = scale / steps
    weight = np.minimum(weight, WEIGHT_MAX_MEDIANS * np.median(weight))
    return weight / weight.mean()
