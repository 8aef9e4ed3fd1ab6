"""Totals of new series: each is asked for at its age, of the newest model that was trained before that day."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from forecasting.newcomers import newcomers
from forecasting.panel import Panel

DAYS, BEGUN, ORIGINS = 120, 64, (60, 72)
DAY = np.datetime64("2026-01-01")


class Told:
    """A model that says two units a day, and notes how many days each of its questions knew."""

    def __init__(self) -> None:
        self.known: list[int] = []

    def forecast(self, past: Panel, days: int) -> SimpleNamespace:
        self.known.append(past.days)
        return SimpleNamespace(mean=np.full((len(past.ids), days), 2.0))


def panel() -> Panel:
    units = np.ones((2, DAYS), np.float32)  # one a day
    units[1, :BEGUN] = np.nan
    return Panel(["OLD", "NEW"], DAY, units)


def test_each_day_is_foretold_by_the_newest_model_that_was_trained_before_it():
    early, late = (Told() for _ in ORIGINS)
    newcomers(panel(), dict(zip(ORIGINS, (early, late), strict=True)))
    assert early.known == [BEGUN + 7]
    assert late.known == [BEGUN + 14, BEGUN + 28]


def test_what_is_said_is_judged_beside_the_own_mean_and_old_series_are_not_asked_for():
    found = newcomers(panel(), {ORIGINS[0]: Told()})
    assert list(found) == ["7", "14", "28"]
    for scores in found.values():
        assert scores == {"series": 1, "wape": 1.0, "bias": 1.0, "wape_own_mean": 0.0, "bias_own_mean": 0.0}
