"""What levels would have cost: every day's demand against stock ordered up to a level, lost sales, fixed lead time.

Reads demand and levels as matrices (series, days); writes nothing. A day: what is due arrives, demand takes what there
is and the rest is lost, then the position (stock + on order) is ordered up to the day's level; it arrives `lead_days`
days later, before that day's demand of the next morning. Fractions of a unit are not ordered.
Does not belong here: where levels come from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from forecasting.panel import Floats

LEAD_DAYS = 7
REVIEW_DAYS = 1
WARM_UP_DAYS = 14  # until then what was there at the start is felt


@dataclass(frozen=True, slots=True)
class Outcome:
    """`fill` is units sold over units asked for; `stock_days` the mean stock at day's end in days of mean demand."""

    fill: float
    stock_days: float


def replay(demand: Floats, levels: Floats, lead_days: int = LEAD_DAYS, warm_up_days: int = WARM_UP_DAYS) -> Outcome:
    """Play all days; every series starts with its first level on hand. Unknown demand counts as none."""
    demand = np.nan_to_num(demand).astype(np.float64)
    levels = np.ceil(levels - 1e-9)
    count, days = demand.shape
    stock = levels[:, 0].copy()
    arriving = np.zeros((count, days + lead_days + 2))
    on_order = np.zeros(count)
    sold = held = 0.0
    for day in range(days):
        stock += arriving[:, day]
        on_order -= arriving[:, day]
        taken = np.minimum(stock, demand[:, day])
        stock -= taken
        ordered = np.maximum(levels[:, day] - stock - on_order, 0.0)
        arriving[:, day + lead_days + 1] += ordered
        on_order += ordered
        if day >= warm_up_days:
            sold += float(taken.sum())
            held += float(stock.sum())
    asked = max(float(demand[:, warm_up_days:].sum()), 1e-9)
    return Outcome(sold / asked, held / asked)


def stock_at_fill(outcomes: Sequence[Outcome], fill: float) -> float | None:
    """Stock in days that reaches `fill`, between the two outcomes round it; `None` where none lie round it."""
    ordered = sorted(outcomes, key=lambda outcome: outcome.fill)
    for below, above in pairwise(ordered):
        if below.fill <= fill <= above.fill and above.fill > below.fill:
            part = (fill - below.fill) / (above.fill - below.fill)
            return below.stock_days + part * (above.stock_days - below.stock_days)
    return None
