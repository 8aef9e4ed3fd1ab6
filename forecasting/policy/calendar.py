"""When a supplier can be ordered from, and when the goods are there.

Pure. Days are ordinals; ordinal 1 is a Monday. Guarantees: more lead time never makes goods come earlier; a search ends
(a supplier that never opens is taken to open after `SEARCH_DAYS_MAX`). Does not belong here: quantities.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from forecasting.policy.terms import Terms
from tables.records import SupplierTerms

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
SEARCH_DAYS_MAX = 400


@dataclass(frozen=True, slots=True)
class Delivery:
    """An order at the next chance, `order_day`, is there on `arrival_day`; one chance later on `next_arrival_day`.

    Stock has to last until that: whatever is not ordered at this chance is there no sooner.
    """

    order_day: int
    arrival_day: int
    next_arrival_day: int


def delivery(today: int, terms: Terms, supplier: SupplierTerms | None = None) -> Delivery:
    """The next chance to order from today on: at once where no supplier is known."""
    if supplier is None:
        arrival = today + terms.lead_days
        return Delivery(today, arrival, arrival + terms.review_days)
    closed = {date.fromisoformat(day).toordinal() for day in supplier.closed}
    order_on, arrive_on = _numbers(supplier.order_weekdays), _numbers(supplier.arrival_weekdays)
    order_day = _open(today, order_on, closed)
    after = _open(order_day + supplier.review_days, order_on, closed)
    arrival, next_arrival = (_open(day + supplier.lead_days, arrive_on, closed) for day in (order_day, after))
    return Delivery(order_day, arrival, max(next_arrival, arrival + 1))


def period(day: int, review_days: int) -> int:
    """The order period a day lies in; periods of a week begin on Mondays."""
    return (day - 1) // review_days


def iso(day: int) -> str:
    return date.fromordinal(day).isoformat()


def _numbers(names: Collection[str]) -> frozenset[int]:
    return frozenset(WEEKDAYS.index(name) for name in names) or frozenset(range(7))


def _open(day: int, weekdays: frozenset[int], closed: Collection[int]) -> int:
    """The first day from `day` on that is one of these weekdays and not closed."""
    for later in range(day, day + SEARCH_DAYS_MAX):
        if (later - 1) % 7 in weekdays and later not in closed:
            return later
    return day + SEARCH_DAYS_MAX
