"""The demo's days: customers by the hour, counter sales, breakages, and now and then a drop that everybody wants.

Pure and seeded: an endless sequence of actions in time order, the same for the same seed, run, rate and calendar; among
them errands, which look at the books when they are due. Nothing else depends on what the pipeline answers; customers
wait for nobody, so there is no back-pressure in it.
Does not belong here: what follows from decisions and documents (`reactions`).
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterable, Iterator
from itertools import count

from connectors.demo import channels, counting, customers, kits, lots, recalls, transfers
from connectors.demo.action import Action, for_order, for_stock
from connectors.demo.catalogue import COUNTER, SPECIALS, WAREHOUSES, Product, catalogue
from connectors.demo.supply import Supply
from connectors.demo.world import Demo, Errand
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
_FIRST = {name: locations[0] for name, locations, *_ in channels.RULES}


def traffic(demo: Demo) -> Iterator[Action | Errand]:
    """Everything that happens by itself, in time order."""
    items = catalogue()
    by_sku = {item.sku: item for item in (*items, *SPECIALS)}
    daily = demo.rate * demo.calendar.day_seconds * UNITS_PER_ORDER
    supply = Supply(demo, daily)
    later: list[tuple[float, int, Action | Errand]] = []
    number = count()

    def plan(things: Iterable[Action | Errand]) -> None:
        for thing in things:
            heapq.heappush(later, (thing.due_seconds, next(number), thing))

    def due(now: float) -> Iterator[Action | Errand]:
        while later and later[0][0] <= now:
            yield heapq.heappop(later)[2]

    plan(_opening(demo, supply, items))
    announced, day = 0, 0
    for n, now in _arrivals(demo):
        drops = _drop_number(demo, now + demo.soon(DROP_SECONDS) / 4)
        if drops > announced:  # its stock comes in just before it starts
            announced = drops
            wanted = demo.rate * DROP_RUSH * DROP_SHARE * demo.soon(DROP_SECONDS) * 1.5
            item = _drop_item(demo, items, drops)
            plan([supply.extra(now, item.sku, WAREHOUSES[0].code, max(1, int(wanted * DROP_STOCK)))])
        while int(now / demo.calendar.day_seconds) >= day:
            plan(channels.shares(demo, day * demo.calendar.day_seconds, day, items, daily))
            day += 1
        yield from due(now)
        dice = demo.dice("order", n)
        in_drop = _in_drop(demo, now) and dice.random() < DROP_SHARE
        drop = _drop_item(demo, items, _drop_number(demo, now)) if in_drop else None
        order = customers.place(dice, demo, n, now, items, drop)
        yield for_order(now, order)
        plan(customers.story(dice, demo, n, order, now))
        if drop is None:
            first = _PLACES[(order.locations or [_FIRST[order.channel]])[0]]
            for wanted_item, units in kits.units_of(order.lines, by_sku):
                plan(supply.asked(now, wanted_item, first, units))
        plan(_around_the_house(demo, dice, n, now, items, supply))
    while later:
        yield heapq.heappop(later)[2]


def _opening(demo: Demo, supply: Supply, items: list[Product]) -> Iterator[Action | Errand]:
    """Before the first customer, and what begins then: rules first, since orders are judged by them."""
    yield from channels.rules(demo)
    yield from supply.opening([*items, *SPECIALS])
    yield from supply.launch()
    yield from lots.opening(demo)
    yield from kits.opening(demo)
    yield from recalls.planned(demo)
    yield counting.first(demo)
    yield transfers.first(demo)


def _arrivals(demo: Demo) -> Iterator[tuple[int, float]]:
    """When customers come: at random, more of them in the evening, three times as many in a drop."""
    dice = demo.dice("arrivals")
    now = 0.0
    for n in count(1):
        rate = demo.rate * (DROP_RUSH if _in_drop(demo, now) else demo.calendar.busy(now))
        now += dice.expovariate(rate)
        if (demo.orders is not None and n > demo.orders) or (demo.seconds is not None and now > demo.seconds):
            return
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
            id=f"{demo.run}:counter:{n}", sku=item.sku, location=COUNTER, quantity=units, channel="counter",
            occurred_at=at,
        ))  # fmt: skip
        yield from supply.asked(now, item, _PLACES[COUNTER], units)
    if dice.random() < BREAKAGES:
        where = dice.choice(WAREHOUSES).code
        reasons: tuple[r.AdjustReason, ...] = ("damaged", "sample", "quality")
        yield for_stock(now, r.Adjusted(
            id=f"{demo.run}:adjusted:{n}", sku=item.sku, location=where, quantity=-dice.randint(1, 3),
            reason=dice.choice(reasons), occurred_at=at,
        ))  # fmt: skip


def _since_drop(demo: Demo, now: float) -> float:
    """Seconds since the first drop, of a usual run."""
    return now * demo.pace - DROP_FIRST_SECONDS


def _drop_number(demo: Demo, now: float) -> int:
    """How many drops have begun."""
    since = _since_drop(demo, now)
    return 0 if since < 0 else int(since // DROP_EVERY_SECONDS) + 1


def _in_drop(demo: Demo, now: float) -> bool:
    since = _since_drop(demo, now)
    return since >= 0 and since % DROP_EVERY_SECONDS < DROP_SECONDS


def _drop_item(demo: Demo, items: list[Product], number: int) -> Product:
    return demo.dice("drop", number).choice(items)
