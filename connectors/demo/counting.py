"""Counting a lot while selling goes on: what the books show, give or take a packet.

Pure: a published stock level in, a count out, as of the version that was looked at. Does not belong here: when.
"""

from __future__ import annotations

import random

from tables import records as r

COUNT_EVERY_SECONDS = 20.0
EXACT = 0.7  # of the counts; the others find a few units more or less


def count_of(dice: random.Random, name: str, level: r.StockLevels, occurred_at: str) -> r.Counted | None:
    """A count of one lot of this SKU, or None: there is no lot to count."""
    lots = [(place, lot) for place in level.locations for lot in place.lots if lot.on_hand > 0]
    if not lots:
        return None
    place, lot = dice.choice(lots)
    found = lot.on_hand if dice.random() < EXACT else max(0, lot.on_hand + dice.choice((-2, -1, 1)))
    return r.Counted(
        id=name, sku=level.sku, location=place.location, lot=lot.lot, quantity=found,
        as_of_offset=place.version[1], as_of_index=place.version[2], occurred_at=occurred_at,
    )  # fmt: skip
