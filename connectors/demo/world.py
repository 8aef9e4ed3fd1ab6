"""What the people in the demo know: the books as published, what time it is, and how patient they are.

Pure: published records in, the newest of each kept. Guarantees: a reaction to a published record happens once, by the
name of what it does, however often the record is published; at most `ORDERS_MAX` orders are remembered, the newest.
Does not belong here: what anybody does with it, and the broker.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from zlib import crc32

from connectors.demo.action import Action, chance
from connectors.demo.calendar import Calendar
from tables import records as r

ORDERS_MAX = 20_000  # an order lives a few minutes here: a hundred a second fit
NEWS_MAX = 10_000
ORDER_PREFIX = "demo-"


@dataclass(frozen=True, slots=True)
class Demo:
    """`rate`: orders per second on average, drops apart. `orders`, `seconds`: after so many customers, or so long, they
    stop coming. `pace`: what people take their time for is so much faster than usual."""

    seed: int
    run: str
    calendar: Calendar
    rate: float
    orders: int | None = None
    seconds: float | None = None
    pace: float = 1.0

    def soon(self, seconds: float) -> float:
        """Seconds of a usual run in seconds of this one."""
        return seconds / self.pace

    def dice(self, *name: object) -> random.Random:
        return chance(self.seed, self.run, *name)

    def lot(self, name: str) -> str:
        """A lot code that no other run uses; `name`: up to 15 characters."""
        return f"{name}-{crc32(self.run.encode()) & 0xFFFF:04X}"

    def order_id(self, number: int) -> str:
        return f"{ORDER_PREFIX}{self.run}-{number:07d}"


def number_of(order_id: str) -> int:
    """The customer's number; 0 for an order that no customer placed."""
    tail = order_id.rpartition("-")[2]
    return int(tail) if tail.isdigit() else 0


@dataclass(slots=True)
class _Known:
    status: r.OrderStatus
    planned: set[str] = field(default_factory=set)


class World:
    """`now`: seconds since the start. `closing`: nothing regular begins any more."""

    def __init__(self, demo: Demo) -> None:
        self.demo = demo
        self.now = 0.0
        self.closing = False
        self.levels: dict[str, r.StockLevels] = {}
        self._orders: dict[str, _Known] = {}
        self._news: dict[str, None] = {}

    def dice(self, *name: object) -> random.Random:
        return self.demo.dice(*name)

    def later(self, dice: random.Random, seconds: tuple[float, float]) -> float:
        """When somebody is done who takes so long, at least and at most."""
        return self.now + self.demo.soon(dice.uniform(*seconds))

    def order(self, order_id: str) -> r.OrderStatus | None:
        known = self._orders.get(order_id)
        return known.status if known else None

    def place(self, sku: str, location: str) -> r.LocationLevel | None:
        level = self.levels.get(sku)
        return next((x for x in level.locations if x.location == location), None) if level else None

    def learn_level(self, level: r.StockLevels) -> r.StockLevels | None:
        """Take it in; the level before it. The same again: itself."""
        before = self.levels.get(level.sku)
        if before is not None and before.version >= level.version:
            return level
        self.levels[level.sku] = level
        return before

    def learn_order(self, status: r.OrderStatus) -> r.OrderStatus | None:
        """Take it in; the document before it. The same again: itself."""
        known = self._orders.get(status.order_id)
        if known is None:
            if len(self._orders) >= ORDERS_MAX:
                del self._orders[next(iter(self._orders))]
            self._orders[status.order_id] = _Known(status)
            return None
        if known.status.version >= status.version:
            return status
        before, known.status = known.status, status
        return before

    def is_news(self, name: str) -> bool:
        """Whether this was not heard before, among the last `NEWS_MAX`."""
        if name in self._news:
            return False
        if len(self._news) >= NEWS_MAX:
            del self._news[next(iter(self._news))]
        self._news[name] = None
        return True

    def once(self, order_id: str, things: Iterable[Action | Errand]) -> list[Action | Errand]:
        """Those that were not planned for this order before."""
        known = self._orders.get(order_id)
        if known is None:  # forgotten: what was begun is still brought to its end
            return list(things)
        planned = known.planned
        fresh = [x for x in things if x.name not in planned]
        planned.update(x.name for x in fresh)
        return fresh


@dataclass(frozen=True, slots=True)
class Errand:
    """Something that is decided when it is due, with what is known then. `order_id`: the order it is for, if any."""

    due_seconds: float
    name: str
    do: Callable[[World], Iterable[Action | Errand]]
    order_id: str = ""
