"""How much stock each way of ordering needs for the same fill rate, on the last days of a panel.

Reads a panel and what was trained at each origin; writes nothing. Levels are renewed at each day's end with what
had come by then; each method's dial is turned and stock is read off where units filled reach the target, so methods are
compared at the same service. Reading the target off the replayed weeks is a comparison, not a setting: a dial for use
must be chosen on earlier weeks. Does not belong here: the play itself (replay.py), the levels (leadtime.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from forecasting.boosted import Trained
from forecasting.leadtime import PROBABILITIES, train_duration
from forecasting.panel import Floats, Panel
from forecasting.replay import LEAD_DAYS, REVIEW_DAYS, WARM_UP_DAYS, Outcome, replay, stock_at_fill
from forecasting.simple import recent_mean, ses

COVER_DAYS = LEAD_DAYS + REVIEW_DAYS
SERIES_MAX = 1_500  # played, evenly spread over the ids; trained is on all
FILL = 0.95
# A level between two learnt quantiles, or beyond them, is reached by stretching: the dial of the learnt levels.
DIALS = tuple((n, factor) for n in range(len(PROBABILITIES)) for factor in (0.85, 1.0, 1.15))
DEVIATIONS = (0.5, 1.0, 1.28, 1.64, 2.05, 2.33, 2.8, 3.5)
SUPPLY = (1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0)
SHARES = (0.7, 0.8, 0.9, 0.95, 0.97, 0.99, 0.999)


def too_short(panel: Panel, trained: Mapping[int, Trained]) -> str:
    """Why stock cannot be played from the first of these origins on; empty where it can."""
    first = min(trained)
    if first <= COVER_DAYS:
        return f"{first} days before the first origin; {COVER_DAYS + 1} are needed"
    if panel.days - first <= WARM_UP_DAYS:
        return f"{panel.days - first} days after the first origin; {WARM_UP_DAYS + 1} are needed"
    return ""


def inventory(
    panel: Panel, trained: Mapping[int, Trained], *, horizon_days: int, seed: int = 0, say: Callable[[str], None]
) -> dict[str, dict[str, Any]]:
    """Per method stock in days of demand that `FILL` costs (`None` where its dial does not reach it), and per learnt
    level its fill and its stock in days when ordered up to as it is.

    `trained` is by the days known at each origin; the origins lie `horizon_days` apart. Not where it is `too_short`.
    """
    first = min(trained)
    begun = panel.begun(first)
    played = panel.chosen(begun[:: -(-len(begun) // SERIES_MAX)])
    learnt: list[Floats] = []
    plain: dict[str, list[Floats]] = {}
    for cut, model in trained.items():
        say(f"{panel.first_day + cut - 1}: levels")
        duration = train_duration(panel.until(cut), model, COVER_DAYS, seed=seed)
        for known_days in range(cut, cut + horizon_days):
            past = played.until(known_days)
            learnt.append(duration.levels(past, model))
            for name, levels in _plain_levels(past.units).items():
                plain.setdefault(name, []).append(levels)
    # The level of the last day known is ordered up to at that day's end: the first is what there is at the start.
    demand = played.units[:, first - 1 :][:, :-1]
    outcomes = {"smokehouse": [_play(demand, [factor * day[:, n] for day in learnt]) for n, factor in DIALS]}
    for name, by_day in plain.items():
        outcomes[name] = [_play(demand, [day[:, n] for day in by_day]) for n in range(by_day[0].shape[1])]
    as_learnt = [one for one, (_, factor) in zip(outcomes["smokehouse"], DIALS, strict=True) if factor == 1]
    outcomes["smokehouse"] = _frontier(outcomes["smokehouse"])
    return {
        "stock_days_at_fill_95": {name: _rounded(stock_at_fill(found, FILL)) for name, found in outcomes.items()},
        "levels_as_learnt": {
            str(p): {"fill": round(one.fill, 4), "stock_days": round(one.stock_days, 2)}
            for p, one in zip(PROBABILITIES, as_learnt, strict=True)
        },
    }


def _play(demand: Floats, levels: list[Floats]) -> Outcome:
    played = np.nan_to_num(demand)
    played[:, 0] = 0  # the day before the play: its end is the first review
    return replay(played, np.stack(levels, axis=1))


def _frontier(outcomes: list[Outcome]) -> list[Outcome]:
    """Outcomes that no other beats in both fill and stock."""
    return [
        one
        for one in outcomes
        if not any(other.fill >= one.fill and other.stock_days < one.stock_days for other in outcomes)
    ]


def _plain_levels(units: Floats) -> dict[str, Floats]:
    """(series, dials) per simple rule."""
    mean = recent_mean(units)
    long = units[:, -112:].astype(np.float64)
    count = np.maximum((~np.isnan(long)).sum(axis=1), 1)
    long_mean = np.nansum(long, axis=1) / count
    deviation = np.sqrt(np.nansum((long - long_mean[:, None]) ** 2, axis=1) / count)
    level = ses(units)
    filled = np.cumsum(np.nan_to_num(long), axis=1)
    totals = filled[:, COVER_DAYS:] - filled[:, :-COVER_DAYS]
    wide = np.sqrt(COVER_DAYS) * deviation[:, None] * np.asarray(DEVIATIONS)
    return {
        "mean + deviations": COVER_DAYS * mean[:, None] + wide,
        "smoothing + deviations": COVER_DAYS * level[:, None] + wide,
        "days of supply": COVER_DAYS * mean[:, None] * np.asarray(SUPPLY),
        "own past totals": np.quantile(totals, SHARES, axis=1).T,
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
