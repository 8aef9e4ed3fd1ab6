"""Shows: each channel's own rules, stock kept for the shop, a marketplace told of less, preorders with a date.

Pure. Does not belong here: who orders (`customers`), how much comes in (`supply`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil

from connectors.demo.action import Action, everywhere, for_stock
from connectors.demo.catalogue import COUNTER, GROCER, NEW_FLAVOR, NORTH, POS, SHOP, SOUTH, WAREHOUSES, Product
from connectors.demo.world import Demo
from streams.topics import LOGS
from tables import records as r

_EAST = ["ALBANY", "AUSTIN", "RENO"]
_WEST = ["RENO", "AUSTIN", "ALBANY"]
# name, locations by rank, days of life its goods must have left, days until they leave, what it does if stock is short
RULES: tuple[tuple[str, list[str], int, int, r.Policy], ...] = (
    (SHOP, [x.code for x in WAREHOUSES], 14, 1, "all_or_nothing"),
    (NORTH, _EAST, 30, 2, "all_or_nothing"),
    (SOUTH, _WEST, 30, 2, "all_or_nothing"),
    (GROCER, _WEST, 90, 3, "ship_available"),
    (POS, [COUNTER], 0, 0, "all_or_nothing"),
)
LIFE_DAYS = {name: life for name, _, life, *_ in RULES}
FENCED = 3  # the best sellers of which the shop keeps stock of its own
FENCE_DAYS = 0.25  # of expected demand
BUFFERED = 6  # the best sellers of which one marketplace sees less: its orders arrive late
BUFFER_UNITS = 2
BACKORDER_LIMIT = 48  # units of each product that may be promised without stock, from the factory
PREORDER_LIMIT = 500
PREORDER_DAYS = 14


def rules(demo: Demo) -> Iterator[Action]:
    """Once, before the first order."""
    for name, locations, life, promise, policy in RULES:
        record = r.ChannelSet(
            id=f"{demo.run}:channel:{name}", channel=name, locations=locations, minimum_life_days=life,
            promise_days=promise, policy=policy,
        )  # fmt: skip
        for log in LOGS:
            yield everywhere(0, log, record)


def shares(demo: Demo, now: float, day: int, items: Sequence[Product], daily: float) -> Iterator[Action]:
    """Once a day of the calendar: the shop's own stock is used up by then. `daily`: units sold a day, in all."""
    for item in items[:FENCED]:
        units = max(2, ceil(daily * item.weight * FENCE_DAYS))
        yield for_stock(now, r.ChannelStockSet(
            id=f"{demo.run}:fence:{day}:{item.sku}", sku=item.sku, location=COUNTER, channel=SHOP, ring_fence=units,
        ))  # fmt: skip
    for item in items[:BUFFERED] if day == 0 else ():
        yield for_stock(now, r.ChannelStockSet(
            id=f"{demo.run}:buffer:{item.sku}", sku=item.sku, location=COUNTER, channel=SOUTH, buffer=BUFFER_UNITS,
        ))  # fmt: skip


def backorders(demo: Demo, item: Product, location: str) -> tuple[int, str | None]:
    """Units that may be promised without stock, and the day they are promised for."""
    if item is NEW_FLAVOR:
        return PREORDER_LIMIT, demo.calendar.real_day(0, PREORDER_DAYS)
    return (BACKORDER_LIMIT if location == COUNTER else 0), None
