"""How well totals of new series are foretold from their first days alone, against their own mean.

Reads a panel and what was trained at its origins; writes nothing. Every series that began after the first of them, or
shortly before, is asked for its next 28 days on the days it is 7, 14 and 28 days old. Guarantees: the model of a day is
the newest that was trained before it, as in service. Does not belong here: the model.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import nan

import numpy as np

from forecasting.boosted import Trained
from forecasting.panel import Panel
from forecasting.scores import figure, wape

AGES_DAYS = (7, 14, 28)
TOTAL_DAYS = 28


def newcomers(panel: Panel, trained: Mapping[int, Trained]) -> dict[str, dict[str, float | None]]:
    """Per age: series, WAPE and bias of the total of the next 28 days, and the own mean's; from the first origin on.

    `trained`: by how many days of the panel were known.
    """
    starts, first = panel.starts, min(trained)
    found: dict[str, dict[str, float | None]] = {}
    for age in AGES_DAYS:
        said: list[np.ndarray] = []
        own: list[np.ndarray] = []
        came: list[np.ndarray] = []
        for cut in range(first, panel.days - TOTAL_DAYS + 1):
            rows = np.flatnonzero(starts == cut - age)
            if starts.min() == cut - age or not len(rows):  # what was there on the file's first day is not new
                continue
            young = panel.chosen(rows).until(cut)
            newest = trained[max(known for known in trained if known <= cut)]
            said.append(newest.forecast(young, TOTAL_DAYS).mean.sum(axis=1))
            own.append(np.nanmean(young.units[:, -age:], axis=1) * TOTAL_DAYS)
            came.append(np.nansum(panel.units[rows, cut : cut + TOTAL_DAYS], axis=1))
        if said:
            found[str(age)] = _scores(np.concatenate(said), np.concatenate(own), np.concatenate(came))
    return found


def _scores(said: np.ndarray, own: np.ndarray, came: np.ndarray) -> dict[str, float | None]:
    units = float(came.sum()) or nan
    return {
        "series": len(came),
        "wape": figure([wape(came, said)]),
        "bias": figure([float((said - came).sum()) / units]),
        "wape_own_mean": figure([wape(came, own)]),
        "bias_own_mean": figure([float((own - came).sum()) / units]),
    }
