"""The demo's days: customers by the hour, counter sales, breakages, and now and then a drop that everybody wants.

Pure and seeded: an endless sequence of actions in time order, the same for the same seed, run, rate and calendar. It
depends on nothing that the pipeline answers; customers wait for nobody, so there is no back-pressure in it.
Does not belong here: what follows from decisions (`fulfilment`, `counting`).
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

from connectors.demo import customers
from connectors.demo.action import Action, chance, for_order, for_stock
from connectors.demo.calendar import Calendar
from connectors.demo.catalogue import COUNTER, WAREHOUSES, Product, catalogue
from connectors.demo.supply import Supply
from tables import records as r

UNITS_PER_ORDER = 3.4  # on average, counter sales included: what supply expects
COUNTER_SALES = 0.1  # a counter sale per ten orders
BREAKAGES = 0.004
DROP_FIRST_SECONDS = 90.0
DROP_EVERY_SECONDS = 420.0
DROP_SECONDS = 60.0
DROP_RUSH = 3.0  # times the usual rate
DROP_SHARE = 0.8  # of the orders that want the one thing
DROP_STOCK = 0.6  # of the units that a drop's customers want: it sells out
_PLACES = {place.code: place for place in WAREHOUSES}


@dataclass(frozen=True, slots=True)
class Demo:
    """`rate`: orders per second on average, drops apart. `orders`: after so many customers stop coming."""

    seed: int
    run: str
    calendar: Calendar
    rate: float
    orders: int | None = None


def traffic(demo: Demo) -> Iterator[Action]:
    """Everything that happens by itself, in time order."""
    items = catalogue()
    by_sku = {item.sku: item for item in items}
    supply = Supply(demo.seed, demo.run, demo.calendar, demo.rate * demo.calendar.day_seconds * UNITS_PER_ORDER)
    later: list[tuple[float, int, Action]] = []
    number = count()

    def plan(actions: Iterator[Action]) -> None:
        for action in actions:
            heapq.heappush(later, (action.due_seconds, next(number), action))

    def due(now: float) -> Iterator[Action]:
        while later and later[0][0] <= now:
            yield heapq.heappop(later)[2]

    yield from supply.opening(items)
    announced = 0
    for n, now in _arrivals(demo):
        drops = _drop_number(now + DROP_SECONDS / 4)
        if drops > announced:  # its stock comes in just before it starts
            announced = drops
            wanted = demo.rate * DROP_RUSH * DROP_SHARE * DROP_SECONDS * 1.5
            item = _drop_item(demo, items, drops)
            plan(iter([supply.lot(now, item.sku, WAREHOUSES[0].code, max(1, int(wanted * DROP_STOCK)))]))
        yield from due(now)
        dice = chance(demo.seed, demo.run, "order", n)
        drop = _drop_item(demo, items, _drop_number(now)) if _in_drop(now) and dice.random() < DROP_SHARE else None
        order = customers.place(dice, f"demo-{demo.run}-{n:07d}", demo.calendar.stamp(now), items, drop)
        yield for_order(now, order)
        plan(customers.story(dice, order, now))
        if drop is None:
            for line in order.lines:
                plan(supply.asked(now, by_sku[line.sku], _PLACES[order.locations[0]], line.quantity))
        plan(_around_the_house(demo, dice, n, now, items, supply))
    while later:
        yield heapq.heappop(later)[2]


def _arrivals(demo: Demo) -> Iterator[tuple[int, float]]:
    """When customers come: at random, more of them in the evening, three times as many in a drop."""
    dice = chance(demo.seed, demo.run, "arrivals")
    now = 0.0
    for n in count(1):
        if demo.orders is not None and n > demo.orders:
            return
        rate = demo.rate * (DROP_RUSH if _in_drop(now) else demo.calendar.busy(now))
        now += dice.expovariate(rate)
        yield n, now


def _around_the_house(
    demo: Demo, dice: random.Random, n: int, now: float, items: list[Product], supply: Supply
) -> Iterator[Action]:
    """Sales over the counter, and what gets damaged: facts, whatever the books say."""
    at = demo.calendar.stamp(now)
    item = dice.choices(items, [x.weight for x in items])[0]
    if dice.random() < COUNTER_SALES:
        units = dice.randint(1, 2)
        yield for_stock(now, r.Shipped(
            id=f"{demo.run}:counter:{n}", sku=item.sku, location=COUNTER, quantity=units, occurred_at=at,
        ))  # fmt: skip
        yield from supply.asked(now, item, _PLACES[COUNTER], units)
    if dice.random() < BREAKAGES:
        where = dice.choice(WAREHOUSES).code
        reason = dice.choice(("damaged", "sample", "quality"))
        yield for_stock(now, r.Adjusted(
            id=f"{demo.run}:adjusted:{n}", sku=item.sku, location=where, quantity=-dice.randint(1, 3), reason=reason,
            occurred_at=at,
        ))  # fmt: skip


def _drop_number(now: float) -> int:
    """How many drops have begun."""
    return 0 if now < DROP_FIRST_SECONDS else int((now - DROP_FIRST_SECONDS) // DROP_EVERY_SECONDS) + 1


def _in_drop(now: float) -> bool:
    return now >= DROP_FIRST_SECONDS and (now - DROP_FIRST_SECONDS) % DROP_EVERY_SECONDS < DROP_SECONDS


def _drop_item(demo: Demo, items: list[Product], number: int) -> Product:
    return chance(demo.seed, demo.run, "drop", number).choice(items)
