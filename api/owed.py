"""What is owed to orders at each SKU and location, and which of it is not there: shortages as work items.

Pure: fed with orders and stock levels by whoever reads them. Guarantees: per order the highest version stands; an item
is there exactly as long as its stock level tells a shortage; the oldest promise comes first. Memory: only orders that
are owed something, of which `OWED_MAX` stay, those that changed last. Does not belong here: topics, HTTP.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from tables.records import LocationLevel, StatusLine

OWED_MAX = 500_000  # orders that are owed something: about 200 MB
Version = tuple[int, int, int]


class OwedUnits(NamedTuple):
    """Units of one order at one location, allocated and not shipped. `uncovered`: of them, not there."""

    order_id: str
    channel: str
    status: str
    decided_at: str
    units: int
    uncovered: int = 0


class Shortage(NamedTuple):
    """Owed and not coverable: a work item of `owner`, the location. `orders`: oldest promise first."""

    sku: str
    location: str
    owner: str
    shortage: int
    owed: int
    orders: list[OwedUnits]


class Owing(msgspec.Struct):
    """What has to be known of an order's document."""

    order_id: str
    channel: str
    status: str
    version: Version
    decided_at: str = ""
    lines: list[StatusLine] = []


class _Owed(NamedTuple):
    version: Version
    order: OwedUnits
    at: dict[tuple[str, str], int]


class OwedIndex:
    """Orders that are owed something, by SKU and location."""

    def __init__(self) -> None:
        self._orders: OrderedDict[str, _Owed] = OrderedDict()  # the one that changed last at the end
        self._by_place: dict[tuple[str, str], dict[str, None]] = {}

    def __len__(self) -> int:
        return len(self._orders)

    def take(self, order: Owing) -> None:
        """An order as it stands; a document older than the one that is known changes nothing."""
        held = self._orders.get(order.order_id)
        if held is not None and order.version <= held.version:
            return
        self.drop(order.order_id)
        at: dict[tuple[str, str], int] = {}
        for line in order.lines:
            if line.allocated > 0:
                place = (line.sku, line.location)
                at[place] = at.get(place, 0) + line.allocated
        if not at:
            return
        known = OwedUnits(order.order_id, order.channel, order.status, order.decided_at, 0)
        self._orders[order.order_id] = _Owed(order.version, known, at)
        for place in at:
            self._by_place.setdefault(place, {})[order.order_id] = None
        if len(self._orders) > OWED_MAX:
            self.drop(next(iter(self._orders)))

    def drop(self, order_id: str) -> None:
        held = self._orders.pop(order_id, None)
        for place in held.at if held is not None else ():
            there = self._by_place[place]
            del there[order_id]
            if not there:
                del self._by_place[place]

    def at(self, sku: str, location: str) -> list[OwedUnits]:
        """Who is owed units here, oldest promise first."""
        place = (sku, location)
        found = [self._orders[order_id] for order_id in self._by_place.get(place, ())]
        return sorted((x.order._replace(units=x.at[place]) for x in found), key=lambda x: (x.decided_at, x.order_id))


def shortage_at(sku: str, level: LocationLevel, orders: Iterable[OwedUnits]) -> Shortage:
    """The work item of a level with a shortage. `level.allocated` units are there: the oldest promises have them."""
    covered, owed, listed = level.allocated, 0, []
    for order in orders:
        there = min(order.units, covered)
        covered -= there
        owed += order.units
        listed.append(order._replace(uncovered=order.units - there))
    return Shortage(sku, level.location, level.location, level.shortage, owed, listed)
