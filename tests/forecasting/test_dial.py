"""The dial is the smallest nominal level whose play of the own past fills what is wanted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from forecasting.dial import NOMINAL, TooLittle, as_json, choose
from forecasting.policy import Terms
from forecasting.series import Series

DAY = 739_000
CHANCE = np.random.default_rng(5)
PAST = [
    Series(f"S{n}", "MAIN", DAY, [int(x) for x in CHANCE.negative_binomial(1.0, 1 / (1 + mean), 200)])
    for n, mean in enumerate(np.geomspace(0.3, 12, 12))
]
TERMS = Terms(lead_days=7, cover_days=0)


def same(_):
    return TERMS


def test_the_smallest_level_that_fills_is_chosen():
    dial = choose(PAST, same, 0.9, weeks=10)
    assert dial.service is not None
    fills = [outcome.fill for outcome in dial.outcomes.values()]
    assert fills == sorted(fills)
    assert dial.outcomes[dial.service].fill >= 0.9
    below = [nominal for nominal in NOMINAL if nominal < dial.service]
    assert below
    assert all(dial.outcomes[nominal].fill < 0.9 for nominal in below)


def test_more_is_wanted_more_is_dialled_and_what_no_level_fills_is_told_as_none():
    low, high = (choose(PAST, same, fill, weeks=10).service for fill in (0.8, 0.95))
    assert low is not None
    assert high is not None
    assert low < high
    never = choose(PAST, same, 0.99999, weeks=10)
    assert never.service is None
    assert as_json(never)["alerts"]["alerts"] is not None, "judged at the highest level"


def test_longer_cover_fills_more_at_the_same_level():
    covers = (TERMS, replace(TERMS, cover_days=14))
    short, long = (choose(PAST, lambda _, terms=terms: terms, 0.9, weeks=10) for terms in covers)
    assert all(short.outcomes[nominal].fill < long.outcomes[nominal].fill for nominal in (0.5, 0.7))


def test_each_series_is_played_with_the_days_of_its_own_supplier():
    slow = replace(TERMS, lead_days=21, review_days=7)
    all_fast, all_slow = (choose(PAST, lambda _, terms=terms: terms, 0.9, weeks=10) for terms in (TERMS, slow))
    half = choose(PAST, lambda one: slow if one.sku in ("S0", "S11") else TERMS, 0.9, weeks=10)
    for nominal in NOMINAL:
        fast, mixed, late = (dial.outcomes[nominal] for dial in (all_fast, half, all_slow))
        assert fast.stock_days < mixed.stock_days < late.stock_days
        assert mixed.asked == pytest.approx(fast.asked)
    assert half.series == len(PAST)


def test_alerts_of_goods_without_a_lead_time_are_judged_too():
    """As they are raised: today is served from what is there."""
    at_once = replace(TERMS, lead_days=0)
    alerts = choose(PAST, lambda _: at_once, 0.9, weeks=10).alerts
    assert alerts["alerts"] > 0
    assert alerts["precision"] > 0.5
    assert alerts["lead_days"] == 1


def test_no_day_is_known_before_it_is_over():
    """What comes in the last week changes no level that was played before it."""
    other = [replace(one, units=[*one.units[:-7], *[50] * 7]) for one in PAST]
    weeks = 9
    before, after = (choose([replace(x, units=x.units[:-7], last_day=DAY - 7) for x in past], same, 0.9, weeks=weeks)
                     for past in (PAST, other))  # fmt: skip
    assert before == after
    assert choose(PAST, same, 0.9, weeks=weeks) != choose(other, same, 0.9, weeks=weeks)


def test_a_series_that_began_in_between_is_played_from_its_first_day():
    young = replace(PAST[3], sku="NEW", units=PAST[3].units[-40:])
    assert choose([*PAST, young], same, 0.9, weeks=10).series == 13


def test_a_past_that_is_too_short_is_refused_with_its_length():
    with pytest.raises(TooLittle, match="40 days of demand are known; 70 are needed"):
        choose([replace(one, units=one.units[-40:]) for one in PAST], same, 0.9)
    with pytest.raises(TooLittle, match="0 days"):
        choose([], same, 0.9)
