"""Shows: purchase orders from the order to the ramp: confirmed, announced, and received whole, late, in two parts, a
case too many, or short and closed.

Pure. Does not belong here: what is bought (`supply`), what becomes of a lot at the ramp (`lots`).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from connectors.demo.action import Action, for_stock
from connectors.demo.lots import SUPPLIERS
from connectors.demo.world import Demo
from tables import records as r

CONFIRMED, ANNOUNCED = 0.2, 0.6  # of the lead time
LATE, PARTS, OVER, SHORT = 0.1, 0.1, 0.06, 0.06
EXPECTED_DAYS = (1, 6)
CASE_UNITS = 6
SECOND_PART = 1.4  # of the lead time

Arrival = Callable[[float, int, str], Iterator[Action]]  # (when, units, reference) -> what happens at the ramp


def purchase(
    dice: random.Random, demo: Demo, number: int, sku: str, location: str, units: int, now: float, lead: float,
    arrive: Arrival,
) -> Iterator[Action]:  # fmt: skip
    """A line of a purchase order, from `now` until its goods came `lead` seconds later."""
    reference = f"PO-{demo.run}-{number}"
    about = {"sku": sku, "location": location, "reference": reference}
    fate = dice.random()
    late = fate < LATE
    expected = demo.calendar.real_day(now, -1 if late else dice.randint(*EXPECTED_DAYS))
    yield for_stock(now, r.PurchaseOrdered(
        id=f"{reference}:ordered", quantity=units, expected=expected, supplier=dice.choice(SUPPLIERS), **about
    ))  # fmt: skip
    yield for_stock(now + lead * CONFIRMED, r.PurchaseConfirmed(
        id=f"{reference}:confirmed", quantity=units, expected=expected, **about
    ))  # fmt: skip
    yield for_stock(now + lead * ANNOUNCED, r.PurchaseNotified(
        id=f"{reference}:announced", quantity=units, expected=expected, **about
    ))  # fmt: skip
    arrived = now + lead * (SECOND_PART if late else 1)
    if fate < LATE + PARTS and not late:
        yield from arrive(arrived, units // 2, reference)
        yield from arrive(now + lead * SECOND_PART, units - units // 2, reference)
    elif fate < LATE + PARTS + OVER and not late:
        yield from arrive(arrived, units + CASE_UNITS, reference)
    elif fate < LATE + PARTS + OVER + SHORT and not late:
        yield from arrive(arrived, units - 1, reference)
        yield for_stock(arrived, r.PurchaseClosed(id=f"{reference}:closed", reason="the rest is not coming", **about))
    else:
        yield from arrive(arrived, units, reference)
