"""The orders every peer gets: seeded, the same for all, with the stock that is there before the first of them.

Pure. Guarantees: the same seed, the same orders, however many of them are asked for. Does not belong here: how a peer
wants them on the wire.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterator
from itertools import accumulate, islice
from typing import Literal, NamedTuple, get_args

WorkloadName = Literal["spread", "drop"]
WORKLOADS: tuple[WorkloadName, ...] = get_args(WorkloadName)
SKUS = 1_000
ZIPF = 1.1
LINES = (1, 2, 3, 4)  # equally often: 2.5 lines an order
UNITS = (1, 1, 1, 2, 3)
DROP_SHARE = 0.9  # of the lines of `drop` ask for one SKU
STOCK_SHARE = 0.9  # received, of the units ordered per SKU: most orders are confirmed, every SKU sells out
LOCATION = "main"


class Order(NamedTuple):
    order_id: str
    lines: tuple[tuple[str, int], ...]  # (SKU, units); in `drop` the same SKU may come twice


class Shape(NamedTuple):
    """What else makes a workload: how many SKUs, in how many lots the stock of each comes, and how much of it."""

    skus: int = SKUS
    lots: int = 1
    share: float = STOCK_SHARE  # received, of the units ordered


SHAPE = Shape()


class Workload(NamedTuple):
    """`orders` in the order they are placed, `received` units per SKU."""

    orders: list[Order]
    received: dict[str, int]


def make(name: WorkloadName, count: int, seed: int, shape: Shape = SHAPE) -> Workload:
    """The first `count` orders of a workload, and stock for most of them; each lot of a SKU has as many units."""
    orders = list(islice(_orders(name, seed, shape.skus), count))
    ordered: Counter[str] = Counter()
    for order in orders:
        for sku, units in order.lines:
            ordered[sku] += units
    per_lot = {sku: math.ceil(max(1, math.ceil(shape.share * ordered[sku])) / shape.lots) for sku in skus(shape.skus)}
    return Workload(orders, {sku: units * shape.lots for sku, units in per_lot.items()})


def skus(count: int = SKUS) -> list[str]:
    return [f"SKU-{n:04d}" for n in range(count)]


def summed(order: Order) -> dict[str, int]:
    """Units per SKU."""
    units: dict[str, int] = {}
    for sku, count in order.lines:
        units[sku] = units.get(sku, 0) + count
    return units


class Reference:
    """A shop without any hurry: each order is decided, all or nothing, before the next is looked at."""

    def __init__(self, received: dict[str, int]) -> None:
        self.left = dict(received)

    def decide(self, order: Order) -> bool:
        units, left = summed(order), self.left
        if any(left[sku] < count for sku, count in units.items()):
            return False
        for sku, count in units.items():
            left[sku] -= count
        return True


def one_at_a_time(workload: Workload) -> set[str]:
    """The orders that the reference confirms."""
    shop = Reference(workload.received)
    return {order.order_id for order in workload.orders if shop.decide(order)}


def _orders(name: WorkloadName, seed: int, count: int) -> Iterator[Order]:
    chance = random.Random(f"{name}:{seed}")
    names = skus(count)
    weights = list(accumulate(1 / rank**ZIPF for rank in range(1, count + 1)))
    number = 0
    while True:
        lines: list[tuple[str, int]] = []
        wanted = chance.choice(LINES)
        while len(lines) < wanted:
            hot = name == "drop" and chance.random() < DROP_SHARE
            sku = names[0] if hot else chance.choices(names, cum_weights=weights)[0]
            if hot or all(sku != other for other, _ in lines):
                lines.append((sku, chance.choice(UNITS)))
        yield Order(f"{name}-{seed}-{number:07d}", tuple(lines))
        number += 1
