"""Shows: orders held for a check of fraud, of the address, or because somebody wants to see them.

Pure. Does not belong here: payments (`bank`).
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from connectors.demo.action import Action, for_order
from connectors.demo.world import Demo
from tables import records as r

FRAUD, ADDRESS = 0.03, 0.02  # of the orders
MANUAL_EVERY, MANUAL = 40, 17  # customers, and which of them
FAILED = {"fraud": 0.15, "address": 0.05, "manual": 0.0}
WHY = {"fraud": "stolen card", "address": "no such street", "manual": ""}
MANUAL_AFTER_SECONDS = 0.3
CHECKED_AFTER_SECONDS = (4.0, 20.0)


def asked(dice: random.Random) -> list[str]:
    """The checks an order comes with."""
    return [check for check, share in (("fraud", FRAUD), ("address", ADDRESS)) if dice.random() < share]


def story(dice: random.Random, demo: Demo, number: int, order: r.OrderPlaced, placed: float) -> Iterator[Action]:
    """What comes of its checks; one more is opened by hand."""
    name = order.order_id
    checks = list(order.checks)
    if number % MANUAL_EVERY == MANUAL:
        opened = placed + demo.soon(MANUAL_AFTER_SECONDS)
        yield for_order(opened, r.CheckOpened(id=f"{name}:manual:opened", order_id=name, check="manual"))
        checks.append("manual")
    for check in checks:
        due = placed + demo.soon(dice.uniform(*CHECKED_AFTER_SECONDS))
        if dice.random() < FAILED[check]:
            yield for_order(due, r.CheckFailed(id=f"{name}:{check}", order_id=name, check=check, reason=WHY[check]))
        else:
            yield for_order(due, r.CheckPassed(id=f"{name}:{check}", order_id=name, check=check))
