"""What is going to go wrong with the stock of a SKU at a place, while there is time to do something about it.

    stockout_predicted    P(stock is gone before the next possible receipt) above `RAISE`, until under `CLEAR`
    overstock             more than the .9 quantile of demand over shelf life (without one: `OVERSTOCK_DAYS`)
    expiring_before_sold  lots of which more than even chances say that they do not sell by their best-before
Pure. Guarantees: hysteresis (what is raised is cleared at a lower mark only), so that stock which moves back and forth
round a mark is told once. Does not belong here: purchases; who hears of it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from forecasting.policy.calendar import iso
from forecasting.policy.levels import exceedance
from forecasting.policy.terms import Outlook, Stock

STOCKOUT, OVERSTOCK, EXPIRING = "stockout_predicted", "overstock", "expiring_before_sold"
KINDS = (STOCKOUT, OVERSTOCK, EXPIRING)
RAISE, CLEAR = 0.5, 0.3
OVERSTOCK_DAYS = 120
OVERSTOCK_PROBABILITY = 0.9
OVERSTOCK_CLEAR = 0.9  # of the mark
UNSOLD_RAISE, UNSOLD_CLEAR = 0.5, 0.3
LOTS_MAX = 50  # looked at, the earliest first


@dataclass(frozen=True, slots=True)
class Concern:
    """What is raised. `day`: when it is expected; `until`: the day it is judged by."""

    kind: str
    probability: float
    units: int
    stock: int
    day: str
    until: str
    note: str

    def is_news_after(self, before: Concern | None) -> bool:
        return before is None or (self.day, self.until) != (before.day, before.until)


def concerns(
    outlook: Outlook, stock: Stock, receipt_day: int, shelf_life_days: int, raised: Collection[str]
) -> list[Concern]:
    """What stands raised now, given what stood raised before."""
    if outlook.status != "ok":  # the forecast leans on others: too little to cry wolf on
        return []
    found = [
        _stockout(outlook, stock, receipt_day, STOCKOUT in raised),
        _overstock(outlook, stock, shelf_life_days or OVERSTOCK_DAYS, OVERSTOCK in raised),
        _expiring(outlook, stock, EXPIRING in raised),
    ]
    return [one for one in found if one is not None]


def _stockout(outlook: Outlook, stock: Stock, receipt_day: int, before: bool) -> Concern | None:
    """Also before goods that are on their way: these help only from their day on."""
    if stock.discontinued:
        return None
    mark, today = CLEAR if before else RAISE, outlook.first_day
    for day, there in _there_until(stock, today, receipt_day):
        if outlook.total_quantile(day - today, 1 - mark) <= there:
            continue
        out_day = min(_out_day(outlook, there, day - today), day)
        expected = outlook.total_mean(day - today)
        return Concern(
            STOCKOUT, round(max(mark, exceedance(outlook, day - today, there)), 2), max(0, round(expected) - there),
            there, iso(out_day), iso(day),
            f"{there} there or coming before {iso(day)}, {expected:.1f} expected to be asked for until then",
        )  # fmt: skip
    return None


def _there_until(stock: Stock, today: int, receipt_day: int) -> Iterator[tuple[int, int]]:
    """(day, units that can be sold before it) at each receipt up to the next possible one.

    What is under way without a day, or late, is taken to come in time: it was ordered before. What could be there
    today is not there yet: today is served from what is.
    """
    receipt_day = max(receipt_day, today + 1)
    later = [(day, units) for day, units in stock.arrivals if day >= receipt_day]
    coming = sorted((day, units) for day, units in stock.arrivals if today < day < receipt_day)
    all_in_time = stock.position - sum(units for _, units in later)
    for place, (day, _) in enumerate(coming):
        yield day, all_in_time - sum(units for _, units in coming[place:])
    yield receipt_day, all_in_time


def _out_day(outlook: Outlook, there: int, days: int) -> int:
    left = float(there)
    for ahead, mean in enumerate(outlook.mean(days)):
        left -= mean
        if left < 0:
            return outlook.first_day + ahead
    return outlook.first_day + days


def _overstock(outlook: Outlook, stock: Stock, days: int, before: bool) -> Concern | None:
    mean = outlook.total_mean(days)
    share = OVERSTOCK_CLEAR if before else 1.0
    if stock.available <= share * mean:  # the quantile is dear to ask for, and mostly above
        return None
    limit = max(int(mean), outlook.total_quantile(days, OVERSTOCK_PROBABILITY))
    if stock.available <= share * limit:
        return None
    until = iso(outlook.first_day + days)
    return Concern(
        OVERSTOCK, OVERSTOCK_PROBABILITY, max(0, stock.available - limit), stock.available, until, until,
        f"{stock.available} available, {limit} at most ({OVERSTOCK_PROBABILITY:.0%}) would sell in {days} days",
    )  # fmt: skip


def _expiring(outlook: Outlook, stock: Stock, before: bool) -> Concern | None:
    """Lots leave by best-before, so whatever expires no later must sell until then too."""
    mark, together = UNSOLD_CLEAR if before else UNSOLD_RAISE, -stock.committed
    worst: Concern | None = None
    for last_day, units in stock.lots[:LOTS_MAX]:
        together += units
        days = last_day - outlook.first_day + 1
        if together <= 0 or days <= 0 or outlook.total_quantile(days, mark) >= together:
            continue
        expected = outlook.total_mean(days)
        unsold = max(1, together - round(expected))
        if worst is None or unsold > worst.units:
            worst = Concern(
                EXPIRING, round(1 - exceedance(outlook, days, together - 1), 2), unsold, together, iso(last_day),
                iso(last_day), f"{together} of lots up to {iso(last_day)}, {expected:.1f} expected to sell until then",
            )  # fmt: skip
    return worst
