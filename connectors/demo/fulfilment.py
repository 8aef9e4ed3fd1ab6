"""What the warehouse does with a confirmed order: pick, pack, ship, and the carrier delivers it.

Pure and seeded per order. Does not belong here: whether the order was confirmed.
"""

from __future__ import annotations

from collections.abc import Iterator

from connectors.demo.action import Action, chance, for_order
from tables import records as r

# Real seconds from one step to the next: short, so that one sees an order travel.
STEPS = (("picked", 3.0, 15.0), ("packed", 2.0, 8.0), ("shipped", 3.0, 20.0), ("delivered", 20.0, 60.0))
_FACT = {
    "picked": r.OrderPicked,
    "packed": r.OrderPacked,
    "shipped": r.OrderShipped,
    "delivered": r.OrderDelivered,
}


def journey(seed: int, order_id: str, confirmed: float) -> Iterator[Action]:
    """The order's way to its customer."""
    dice = chance(seed, "journey", order_id)
    now = confirmed
    for step, least, most in STEPS:
        now += dice.uniform(least, most)
        yield for_order(now, _FACT[step](id=f"{order_id}:{step}", order_id=order_id))
