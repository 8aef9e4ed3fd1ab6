"""Shows: orders that take what there is, orders that wait for stock, preorders of a flavor that is not there yet, and
orders that are changed after they were placed.

Pure. Does not belong here: other baskets (`customers`), the limits of backorders (`channels`).
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from connectors.demo.action import Action, for_order
from connectors.demo.catalogue import NEW_FLAVOR, SHOP
from connectors.demo.world import Demo
from tables import records as r

EVERY = 15  # customers
PREORDERS = 3  # the third of them wants the new flavor, and waits for it
TAKES_WHAT_THERE_IS = 7  # wants it too, beside something else, and takes what there is
PATIENT = 0.15  # of the shop's other orders wait for what is out of stock
EDITED = 11  # of every fifteen: changed soon after
EDITED_AFTER_SECONDS = (1.0, 3.0)


def basket(number: int, favourite: str) -> tuple[dict[str, int], r.Policy] | None:
    """Units by SKU and the order's policy, or None: this customer wants something else."""
    if number % EVERY == PREORDERS:
        return {NEW_FLAVOR.sku: 1}, "backorder"
    if number % EVERY == TAKES_WHAT_THERE_IS:
        return {favourite: 1, NEW_FLAVOR.sku: 1}, "ship_available"
    return None


def policy(dice: random.Random, channel: str) -> r.Policy | None:
    """None: the channel's own."""
    return "backorder" if channel == SHOP and dice.random() < PATIENT else None


def edits(dice: random.Random, demo: Demo, number: int, order: r.OrderPlaced, placed: float) -> Iterator[Action]:
    """One more of something; or, of several things, one less."""
    if number % EVERY != EDITED:
        return
    first, last = order.lines[0], order.lines[-1]
    lines = [r.EditLine(first.sku, first.quantity + 1)]
    if last is not first:
        lines.append(r.EditLine(last.sku, 0))
    yield for_order(placed + demo.soon(dice.uniform(*EDITED_AFTER_SECONDS)), r.OrderEdited(
        id=f"{order.order_id}:edit", order_id=order.order_id, lines=lines, reason="wrote again",
    ))  # fmt: skip
