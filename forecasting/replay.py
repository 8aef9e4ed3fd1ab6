"""What levels would have cost: every day's demand against stock ordered up to a level, lost sales, fixed lead time.

Reads demand and levels as matrices (series, days); writes nothing. A day: what is due arrives, demand takes what there
is and the rest is lost, then, every `review_days`, the position (stock + on order) is ordered up to the day's level
(with `points`: only where it is at or under the day's reorder point); it arrives `lead_days` days later, before that
day's demand of the next morning. Fractions of a unit are not ordered. Stock-out alerts are judged beside it, as they
are raised: without a lead time by what is there before the day's own goods. Does not belong here: how levels are found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from forecasting.panel import Floats

Bools = NDArray[np.bool_]

LEAD_DAYS = 7
REVIEW_DAYS = 1
WARM_UP_DAYS = 14  # until then what was there at the start is felt


@dataclass(frozen=True, slots=True)
class Outcome:
    """`fill` is units sold over units `asked` for; `stock_days` the mean stock at day's end in days of mean demand."""

    fill: float
    stock_days: float
    asked: float


def together(outcomes: Sequence[Outcome]) -> Outcome:
    """Of plays of different series over the same days, one at least."""
    asked = sum(one.asked for one in outcomes)
    fill, stock_days = (
        sum(getattr(one, name) * one.asked for one in outcomes) / asked for name in ("fill", "stock_days")
    )
    return Outcome(fill, stock_days, asked)


def alert_days(lead_days: int) -> int:
    """That an alert looks ahead: today is served from what is there, so goods help tomorrow at the soonest."""
    return max(1, lead_days)


@dataclass(frozen=True, slots=True)
class Risk:
    """Demand of the next 1, 2, ... days, up to `alert_days`, stays at or under `raised` and `cleared` but for the
    chance that raises an alert, and the lower one that clears it: (days ahead, series, days)."""

    raised: Floats
    cleared: Floats


@dataclass(slots=True)
class Judged:
    """Stock-out alerts of a play. `alerts`: raised; `right`: sales were lost before the next possible receipt;
    `lead_days`: from the alert to the first lost sale, summed over the right ones; `outs`: stock-outs, `told`: that an
    alert stood for at the end of the day before."""

    alerts: int = 0
    right: int = 0
    lead_days: int = 0
    outs: int = 0
    told: int = 0

    def figures(self) -> dict[str, float | int | None]:
        return {
            "alerts": self.alerts,
            "precision": round(self.right / self.alerts, 3) if self.alerts else None,
            "lead_days": round(self.lead_days / self.right, 1) if self.right else None,
            "stockouts": self.outs,
            "told_before": round(self.told / self.outs, 3) if self.outs else None,
        }


def replay(
    demand: Floats, levels: Floats, lead_days: int = LEAD_DAYS, warm_up_days: int = WARM_UP_DAYS, *,
    points: Floats | None = None, review_days: int = REVIEW_DAYS,
    risk: Risk | None = None, judged: Judged | None = None,
) -> Outcome:  # fmt: skip
    """Play all days; every series starts with its first level on hand. Unknown demand counts as none.

    With `risk`, alerts are raised at each day's end and counted into `judged`.
    """
    ahead = alert_days(lead_days)
    watch = None if risk is None or judged is None else _Watch(risk, judged, len(demand), ahead, warm_up_days)
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
        if watch is not None:
            lost = demand[:, day] - taken > 0 if lead_days else demand[:, day] > stock + taken - arriving[:, day]
            watch.day(day, lost, stock, arriving[:, day + 1 : day + 1 + ahead])
        ordered = np.zeros(count)
        if day % review_days == 0:
            ordered = np.maximum(levels[:, day] - stock - on_order, 0.0)
            if points is not None:
                ordered[stock + on_order > points[:, day]] = 0.0
        arriving[:, day + lead_days + 1] += ordered
        on_order += ordered
        if day >= warm_up_days:
            sold += float(taken.sum())
            held += float(stock.sum())
    asked = max(float(demand[:, warm_up_days:].sum()), 1e-9)
    return Outcome(sold / asked, held / asked, asked)


class _Watch:
    """Alerts of a play, all series at once."""

    def __init__(self, risk: Risk, judged: Judged, count: int, ahead: int, warm_up_days: int) -> None:
        self._risk, self._judged, self._ahead, self._warm_up = risk, judged, ahead, warm_up_days
        self._standing = np.zeros(count, dtype=bool)
        self._since = np.full(count, -1)  # the day of an alert that is not judged yet
        self._out = np.zeros(count, dtype=bool)

    def day(self, day: int, lost: Bools, stock: Floats, arriving: Floats) -> None:
        """`lost`: sales were lost today; `stock`: at the day's end; `arriving`: (series, days ahead)."""
        judged = self._judged
        waiting = self._since >= 0
        hit = waiting & lost
        judged.right += int(hit.sum())
        judged.lead_days += int((day - self._since[hit]).sum())
        self._since[hit | (waiting & (day - self._since >= self._ahead))] = -1
        begun = lost & ~self._out
        if day >= self._warm_up:
            judged.outs += int(begun.sum())
            judged.told += int((begun & self._standing).sum())
        self._out = lost
        there = stock + np.cumsum(arriving, axis=1).T  # (days ahead, series)
        raised = ~self._standing & (there < self._risk.raised[:, :, day]).any(axis=0)
        self._standing = np.where(self._standing, (there < self._risk.cleared[:, :, day]).any(axis=0), raised)
        if day >= self._warm_up:
            judged.alerts += int(raised.sum())
            self._since[raised] = day


def stock_at_fill(outcomes: Sequence[Outcome], fill: float) -> float | None:
    """Stock in days that reaches `fill`, between the two outcomes round it; `None` where none lie round it."""
    ordered = sorted(outcomes, key=lambda outcome: outcome.fill)
    for below, above in pairwise(ordered):
        if below.fill <= fill <= above.fill and above.fill > below.fill:
            part = (fill - below.fill) / (above.fill - below.fill)
            return below.stock_days + part * (above.stock_days - below.stock_days)
    return None
