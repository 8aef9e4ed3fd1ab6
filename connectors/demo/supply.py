"""What comes in: opening stock, and lots that replace what was asked for, late and a little short.

Pure and seeded. It knows only what customers asked for, not what there is: so stock hovers, now and then it is low or
out, and comes back. Lots carry a best-before date. Does not belong here: customers.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from math import ceil

from connectors.demo.action import Action, chance, for_stock
from connectors.demo.calendar import Calendar
from connectors.demo.catalogue import WAREHOUSES, Product, Warehouse, definition
from tables import records as r

OPENING_DAYS = 2.0  # of expected demand
ORDER_AFTER_DAYS = 0.75  # of demand since the last delivery
LEAD_DAYS = (0.3, 1.2)
REFILL = 0.95  # of what was asked for: cancellations and expired payments bring the rest back
CASE_UNITS = 6
REORDER_DAYS = 0.6
SHELF_LIFE_DAYS = (150, 300)


class Supply:
    """Follows demand per SKU and warehouse, and sends lots after it. `units_per_day`: expected, over all SKUs."""

    def __init__(self, seed: int, run: str, calendar: Calendar, units_per_day: float) -> None:
        self._seed = seed
        self._run = run
        self._calendar = calendar
        self._units_per_day = units_per_day
        self._asked: dict[tuple[str, str], float] = {}
        self._lots = 0

    def opening(self, items: list[Product]) -> Iterator[Action]:
        """Before the first customer: the catalogue, policies, and two lots of everything everywhere."""
        for item in items:
            yield for_stock(0, definition(item))
            for place in WAREHOUSES:
                daily = self.daily(item, place)
                low = ceil(daily * REORDER_DAYS)
                yield for_stock(0, r.PolicySet(
                    id=f"{self._run}:policy:{item.sku}:{place.code}", sku=item.sku, location=place.code,
                    reorder_point=low, hysteresis=ceil(low / 2), safety_stock=min(2, low // 4),
                ))  # fmt: skip
                for _ in range(2):
                    yield self.lot(0, item.sku, place.code, ceil(daily * OPENING_DAYS / 2))

    def daily(self, item: Product, place: Warehouse) -> float:
        return self._units_per_day * item.weight * place.share

    def asked(self, now: float, item: Product, place: Warehouse, units: int) -> Iterator[Action]:
        """Customers asked for units here; a delivery follows once it is worth one."""
        key = (item.sku, place.code)
        self._asked[key] = self._asked.get(key, 0.0) + units * REFILL
        worth = max(CASE_UNITS, self.daily(item, place) * ORDER_AFTER_DAYS)
        if self._asked[key] >= worth:
            units = int(self._asked[key]) // CASE_UNITS * CASE_UNITS
            self._asked[key] -= units
            late = chance(self._seed, self._run, "lead", *key, self._lots).uniform(*LEAD_DAYS)
            yield self.lot(now + late * self._calendar.day_seconds, item.sku, place.code, units)

    def lot(self, due: float, sku: str, location: str, units: int) -> Action:
        """A production batch arrives."""
        self._lots += 1
        dice = chance(self._seed, self._run, "lot", self._lots)
        best_before = self._calendar.day(due) + timedelta(days=dice.randint(*SHELF_LIFE_DAYS))
        return for_stock(due, r.Received(
            id=f"{self._run}:received:{self._lots}", sku=sku, location=location, quantity=units,
            lot=f"L{best_before:%y%m%d}-{self._lots}", best_before=best_before.isoformat(), reference="demo",
            occurred_at=self._calendar.stamp(due),
        ))  # fmt: skip
