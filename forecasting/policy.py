"""What to buy, when, and why: from a forecast and the stock that is there.

Reads values handed to it; writes nothing; no clock. Units: days and whole units.
    position      = available + incoming - owed (shortages and backorders)
    reorder point = the `service` quantile of demand over lead time + review
    order up to   = the `service` quantile over lead time + review + cover (what one purchase is meant to last)
    safety stock  = reorder point - expected demand over lead time + review
Units withheld as safety stock by a stock policy are not in the position: they cannot be promised.
Guarantees: a longer lead time lowers neither reorder point nor order-up-to; a purchase is proposed exactly when the
position is at or under the reorder point. Does not belong here: models, topics, case packs and budgets (a later step).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from math import ceil

from forecasting.model import HORIZON_DAYS, SeriesForecast

CHANGE_WORTH_SAYING = 0.05  # of order-up-to: a smaller change is no news to a buyer


@dataclass(frozen=True, slots=True)
class Terms:
    """How purchases work; the same for every SKU until suppliers are records."""

    lead_days: int = 7
    review_days: int = 1
    cover_days: int = 14
    service: float = 0.95

    def __post_init__(self) -> None:
        if self.lead_days < 0 or self.review_days < 1 or self.cover_days < 0:
            raise ValueError("lead and cover days must not be negative, review days must be at least 1")
        if not 0.5 <= self.service < 1:
            raise ValueError(f"service level {self.service}: give a share from 0.5 to below 1")


@dataclass(frozen=True, slots=True)
class Stock:
    """What there is of a SKU at a location, as its newest stock level tells. `incoming`: ordered or under way."""

    available: int = 0
    shortage: int = 0
    incoming: int = 0
    backordered: int = 0
    discontinued: bool = False

    @property
    def owed(self) -> int:
        return self.shortage + self.backordered

    @property
    def position(self) -> int:
        return self.available + self.incoming - self.owed


@dataclass(frozen=True, slots=True)
class Advice:
    """One recommendation; `order_by` is empty when nothing is due within the horizon."""

    quantity: int
    order_by: str
    reorder_point: int
    order_up_to: int
    safety_stock: int
    position: int
    lead_days: int
    reason: str

    def is_news_after(self, before: Advice | None) -> bool:
        """Whether a buyer would act differently than on `before`."""
        if before is None or (self.quantity > 0) != (before.quantity > 0) or self.order_by != before.order_by:
            return True
        least = max(1.0, CHANGE_WORTH_SAYING * max(self.order_up_to, before.order_up_to))
        return (
            abs(self.quantity - before.quantity) >= least
            or abs(self.reorder_point - before.reorder_point) >= least
            or abs(self.order_up_to - before.order_up_to) >= least
        )


def advise(forecast: SeriesForecast, stock: Stock, terms: Terms) -> Advice:
    """The purchase to propose today, the first day of the forecast."""
    exposed_days = terms.lead_days + terms.review_days
    expected = forecast.total_mean(exposed_days)
    reorder_point = forecast.total_quantile(exposed_days, terms.service)
    # A few days of a rarely sold SKU have a quantile under their mean: the safety stock is then none, never negative.
    safety_stock = max(0, reorder_point - ceil(expected))
    up_to = max(reorder_point, forecast.total_quantile(exposed_days + terms.cover_days, terms.service))
    position, today = stock.position, forecast.first_day
    quantity, due_days = 0, None
    if not stock.discontinued:
        if position <= reorder_point and up_to > position:
            quantity, due_days = up_to - position, 0
        else:
            due_days = _days_until(forecast, position - reorder_point)
    figures = (
        f"position {position} = {stock.available} available"
        + (f" + {stock.incoming} incoming" if stock.incoming else "")
        + (f" - {stock.owed} owed" if stock.owed else "")
    )
    need = (
        f"reorder point {reorder_point} = {terms.service:.0%} quantile of demand over {terms.lead_days} days lead time"
        f" + {terms.review_days} review ({expected:.1f} expected, {safety_stock} safety)"
    )
    doubt = " Too little history: the forecast leans on other series." if forecast.status != "ok" else ""
    if stock.discontinued:
        verdict = "No purchase: the SKU is discontinued"
    elif quantity:
        verdict = f"Buy {quantity} today, up to {up_to} ({terms.cover_days} days more)"
    elif due_days is None:
        verdict = f"No purchase within {HORIZON_DAYS} days"
    else:
        verdict = f"No purchase yet, expected in {due_days} days"
    return Advice(
        quantity=quantity,
        order_by="" if due_days is None else date.fromordinal(today + due_days).isoformat(),
        reorder_point=reorder_point,
        order_up_to=up_to,
        safety_stock=safety_stock,
        position=position,
        lead_days=terms.lead_days,
        reason=f"{verdict}: {figures}; {need}; {forecast.level:.2f} a day lately.{doubt}",
    )


def _days_until(forecast: SeriesForecast, units: int) -> int | None:
    """After how many days expected demand has used up `units`; `None` beyond the horizon."""
    left = float(units)
    for ahead, mean in enumerate(forecast.mean(HORIZON_DAYS), start=1):
        left -= mean
        if left <= 0:
            return ahead
    return None
