"""Shows: orders that one warehouse serves alone, that are moved to one place, and that have to be split.

Pure. Two flavors lie in one warehouse each: with one of them an order is best served there, with both it needs two
shipments. Does not belong here: other baskets (`customers`).
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from connectors.demo.catalogue import DESERT, FOREST, WAREHOUSES, Product

EVERY = 12  # customers
TOGETHER, APART = 4, 10  # the fourth and the tenth of them
LOCATIONS = [place.code for place in WAREHOUSES]  # all of them, the one special flavor is not in first


def basket(dice: random.Random, number: int, items: Sequence[Product]) -> dict[str, int] | None:
    """Units by SKU, or None: this customer wants something else."""
    if number % EVERY == TOGETHER:
        several = dice.sample(items[:9], 3)  # in more than one partition, so that more than one chooses
        return {DESERT.sku: 1, **{item.sku: 1 for item in several}}
    if number % EVERY == APART:
        return {DESERT.sku: 1, FOREST.sku: 1}
    return None
