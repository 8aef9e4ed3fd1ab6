"""How much stock is enough, and how demand of several places adds up.

    reorder point = the `service` quantile of demand until an order placed one chance later is there
    order up to   = the same over `cover_days` more (what one purchase is meant to last)
    safety stock  = reorder point - expected demand over the same days
Pure. Guarantees: more days or more service lower no level, of one place or of several.
Does not belong here: what is there, what is ordered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, sqrt

from forecasting.policy.terms import Outlook

LOST_STEPS = 16  # probabilities that the expected lost sales are taken over


@dataclass(frozen=True, slots=True)
class Levels:
    exposed_days: int
    expected: float  # over these days
    reorder_point: int
    order_up_to: int
    safety_stock: int


def levels(outlook: Outlook, exposed_days: int, cover_days: int, service: float) -> Levels:
    expected = outlook.total_mean(exposed_days)
    point = outlook.total_quantile(exposed_days, service)
    up_to = max(point, outlook.total_quantile(exposed_days + cover_days, service))
    # A few days of a rarely sold SKU have a quantile under their mean: the safety stock is then none, never negative.
    return Levels(exposed_days, expected, point, up_to, max(0, point - ceil(expected)))


@dataclass(frozen=True, slots=True)
class Pooled:
    """Demand of several places at once: what each needs beyond its mean adds up as for independent demand.

    Longer or surer is never less: a part's margin shrinks by no more than its mean grows.
    """

    parts: Sequence[Outlook]

    @property
    def status(self) -> str:
        return "ok" if any(part.status == "ok" for part in self.parts) else "insufficient_data"

    @property
    def first_day(self) -> int:
        return self.parts[0].first_day

    @property
    def level(self) -> float:
        return sum(part.level for part in self.parts)

    def mean(self, days: int) -> list[float]:
        return [sum(means) for means in zip(*(part.mean(days) for part in self.parts), strict=True)]

    def total_mean(self, days: int) -> float:
        return sum(part.total_mean(days) for part in self.parts)

    def total_quantile(self, days: int, probability: float) -> int:
        if len(self.parts) == 1:
            return self.parts[0].total_quantile(days, probability)
        margins = [max(0.0, x.total_quantile(days, probability) - x.total_mean(days)) for x in self.parts]
        return ceil(self.total_mean(days) + sqrt(sum(margin**2 for margin in margins)) - 1e-9)


def lost_sales(outlook: Outlook, days: int) -> list[int]:
    """Equally likely totals of demand over these days; `mean_lost` reads off what stock would miss of them."""
    return [outlook.total_quantile(days, (step + 0.5) / LOST_STEPS) for step in range(LOST_STEPS)]


def mean_lost(totals: Sequence[int], stock: int) -> float:
    """Units expected to be asked for beyond `stock`; under 0 that is owed, and missed as well."""
    return sum(max(0, total - stock) for total in totals) / len(totals)


def exceedance(outlook: Outlook, days: int, stock: int) -> float:
    """Probability, to a hundredth, that demand over these days is more than `stock`."""
    if days <= 0:
        return 0.0
    if stock < 0:
        return 1.0
    low, high = 0, 100  # of a hundred: the quantile at `low` is at or under the stock
    while high - low > 1:
        middle = (low + high) // 2
        if outlook.total_quantile(days, middle / 100) <= stock:
            low = middle
        else:
            high = middle
    return 1 - low / 100
