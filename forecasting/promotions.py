"""Promotions known ahead: which series sells at what reduction on which days, past and to come.

Takes plans one by one; writes nothing; no clock. Where plans overlap, the greatest depth counts. Pure Python: the live
forecaster keeps them without numpy. Does not belong here: the records they come from, what they do to demand.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

COLUMN = "promotion"  # the name of the column known ahead
PLAN_DAYS_MAX = 1_500  # a longer plan is no promotion but a price, or a mistake


class BadPromotion(ValueError):
    """A plan that cannot be one. The message says why."""


class Promotions:
    """Plans by SKU. The same promotion, SKU, location and days again: the newer depth counts; depth 0 takes it back.

    Two promotions may have the same days: each comes, moves and ends by itself.
    """

    def __init__(self) -> None:
        self._plans: dict[str, dict[tuple[str, str, int, int], float]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._plans.values()))

    def take(self, sku: str, location: str, first_day: date, last_day: date, depth: float, promotion: str = "") -> bool:
        """Whether it changed anything. `location` "" is all of them; `depth` is a share of the price, 0 to 1."""
        first, last = first_day.toordinal(), last_day.toordinal()
        if not sku:
            raise BadPromotion("a promotion needs a SKU")
        if not 0 <= last - first < PLAN_DAYS_MAX:
            raise BadPromotion(f"{first_day} to {last_day}: give 1 to {PLAN_DAYS_MAX} days, the first one first")
        if not 0 <= depth <= 1:
            raise BadPromotion(f"depth {depth}: give the share of the price taken off, from 0 to 1")
        plans, key = self._plans.setdefault(sku, {}), (promotion, location, first, last)
        before = plans.get(key, 0.0)
        if depth:
            plans[key] = depth
        else:
            plans.pop(key, None)
        if not plans:
            del self._plans[sku]
        return before != depth

    def of(self, sku: str, location: str) -> Iterator[tuple[int, int, float]]:
        """(first day, last day, depth) of the plans that hold for a series; shallow ones first."""
        found = self._plans.get(sku, {}).items()
        ours = [(first, last, depth) for (_, at, first, last), depth in found if at in ("", location)]
        yield from sorted(ours, key=lambda plan: plan[2])
