"""What is learnt about new series comes from series when they were new, by age."""

from __future__ import annotations

import numpy as np
import pytest

from forecasting.blending import beginnings, kind_at, lift_at_age, young_lift
from forecasting.features import summed
from forecasting.panel import Panel
from forecasting.segments import LUMPY, NEW

FIRST_DAY = np.datetime64("2026-01-01")
DAYS = 140


SERIES = 40


def shop() -> Panel:
    """The last two series begin on days 60 and 120."""
    units = np.ones((SERIES, DAYS), dtype=np.float32)
    units[-2, :60] = np.nan
    units[-1, :120] = np.nan
    return Panel([f"S{n:02d}" for n in range(SERIES)], FIRST_DAY, units)


def test_a_row_speaks_of_new_series_when_its_own_was_new_but_not_when_the_file_was():
    past = summed(shop())
    now = np.full(SERIES, LUMPY)
    series, origin = np.array([0, 38, 38, 39]), np.array([5, 70, 125, 125])
    assert kind_at(past, now, series, origin).tolist() == [LUMPY, NEW, LUMPY, NEW]


def test_only_beginnings_within_the_file_whose_totals_are_over_teach_about_new_series():
    past = summed(shop())
    assert beginnings(past, 14, 28).tolist() == [38]
    assert beginnings(past, 14, 6).tolist() == [38, 39]


def test_totals_of_new_series_that_came_short_lower_what_is_expected_of_the_next():
    expected = np.full(100, 10.0)
    assert young_lift(expected, np.full(100, 8.0)) == pytest.approx(0.8)
    assert young_lift(expected, np.full(100, 80.0)) == 1.5
    assert young_lift(expected[:29], np.full(29, 8.0)) == 1.0


def test_one_great_beginning_is_no_rule():
    came = np.full(100, 10.0)
    came[0] = 1e6
    assert young_lift(np.full(100, 10.0), came) == pytest.approx(1.09)


def test_a_lift_by_age_reaches_new_series_alone():
    lifts = lift_at_age(np.array([NEW, NEW, NEW, LUMPY]), np.array([7, 21, 50, 7]), (1.4, 1.2, 1.0))
    assert lifts == pytest.approx([1.4, 1.1, 1.0, 1.0])
