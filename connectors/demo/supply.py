"""What comes in: opening stock, and purchases that replace what was asked for, late and a little short.

Pure and seeded. It knows only what customers asked for, not what there is: so stock hovers, now and then it is low or
out, and comes back. The new flavor has no stock until its first batch comes. Does not belong here: customers, what a
lot is (`lots`), how a purchase goes (`purchasing`).
"""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil

from connectors.demo import lots
from connectors.demo.action import Action, for_stock
from connectors.demo.catalogue import COUNTER, NEW_FLAVOR, Product, Warehouse, definition
from connectors.demo.channels import backorders
from connectors.demo.purchasing import CASE_UNITS, purchase
from connectors.demo.world import Demo
from tables import records as r

OPENING_DAYS = 2.0  # of expected demand
ORDER_AFTER_DAYS = 0.75  # of demand since the last delivery
LEAD_DAYS = (0.3, 1.2)
REFILL = 0.95  # of what was asked for: cancellations and expired payments bring the rest back
REORDER_DAYS = 0.6
COUNT_TOLERANCE = 6  # a count off by more is counted again
LAUNCH_SECONDS = 75.0  # until the first batch of the new flavor
LAUNCH_DAYS = 3.0  # of expected demand, beyond what is promised by then
LAUNCH_UNITS = 60


class Supply:
    """Follows demand per SKU and warehouse, and buys after it. `units_per_day`: expected, over all SKUs."""

    def __init__(self, demo: Demo, units_per_day: float) -> None:
        self._demo = demo
        self._units_per_day = units_per_day
        self._asked: dict[tuple[str, str], float] = {}
        self._lots = 0
        self._purchases = 0

    def opening(self, items: list[Product]) -> Iterator[Action]:
        """Before the first customer: the catalogue, policies, and two lots of everything everywhere."""
        for item in items:
            yield for_stock(0, definition(item))
            for place in item.places:
                yield for_stock(0, self._policy(item, place))
                for _ in range(2 if item.stocked else 0):
                    yield for_stock(0, self._lot(0, item.sku, place.code, self._opening_units(item, place), "opening"))

    def launch(self) -> Iterator[Action]:
        """The first batch of the new flavor, which customers have been promised."""
        units = LAUNCH_UNITS + ceil(self._units_per_day * NEW_FLAVOR.weight * LAUNCH_DAYS)
        yield from self._buy(0, NEW_FLAVOR.sku, COUNTER, units, self._demo.soon(LAUNCH_SECONDS), inspected=False)

    def daily(self, item: Product, place: Warehouse) -> float:
        return self._units_per_day * item.weight * (1.0 if item.only else place.share)

    def asked(self, now: float, item: Product, place: Warehouse, units: int) -> Iterator[Action]:
        """Customers asked for units here; a delivery follows once it is worth one."""
        if not item.stocked and now < self._demo.soon(LAUNCH_SECONDS):
            return
        key = (item.sku, item.only or place.code)
        self._asked[key] = self._asked.get(key, 0.0) + units * REFILL
        worth = max(CASE_UNITS, self.daily(item, place) * ORDER_AFTER_DAYS)
        if self._asked[key] >= worth:
            units = int(self._asked[key]) // CASE_UNITS * CASE_UNITS
            self._asked[key] -= units
            lead = self._demo.dice("lead", *key, self._purchases).uniform(*LEAD_DAYS)
            yield from self._buy(now, *key, units, lead * self._demo.calendar.day_seconds)

    def extra(self, due: float, sku: str, location: str, units: int) -> Action:
        """A batch beside all purchases: what a drop sells."""
        return for_stock(due, self._lot(due, sku, location, units, "drop"))

    def _opening_units(self, item: Product, place: Warehouse) -> int:
        return max(ceil(self.daily(item, place) * OPENING_DAYS / 2), CASE_UNITS if item.only else 1)

    def _buy(
        self, now: float, sku: str, location: str, units: int, lead: float, *, inspected: bool = True
    ) -> Iterator[Action]:
        self._purchases += 1
        dice = self._demo.dice("purchase", self._purchases)

        def arrive(due: float, count: int, reference: str) -> Iterator[Action]:
            fact = self._lot(due, sku, location, count, reference)
            if inspected:
                yield from lots.looked_at(self._demo.dice("fate", fact.lot), self._demo, due, fact)
            else:
                yield for_stock(due, fact)

        yield from purchase(dice, self._demo, self._purchases, sku, location, units, now, lead, arrive)

    def _lot(self, due: float, sku: str, location: str, units: int, reference: str) -> r.Received:
        self._lots += 1
        dice = self._demo.dice("lot", self._lots)
        return lots.delivered(
            dice, self._demo, due, self._lots, sku=sku, location=location, units=units, reference=reference
        )

    def _policy(self, item: Product, place: Warehouse) -> r.PolicySet:
        low = ceil(self.daily(item, place) * REORDER_DAYS)
        limit, day = backorders(self._demo, item, place.code)
        return r.PolicySet(
            id=f"{self._demo.run}:policy:{item.sku}:{place.code}", sku=item.sku, location=place.code,
            reorder_point=low, hysteresis=ceil(low / 2), safety_stock=min(2, low // 4),
            expiring_days=lots.EXPIRING_DAYS, count_tolerance=COUNT_TOLERANCE, backorder_limit=limit, backorder_due=day,
        )  # fmt: skip
