"""Shows: money authorized and captured once the order is confirmed, cards declined, payments that come too late, money
given back.

Pure. The bank does what `order-status` says is wanted, once. Does not belong here: when an order expires (the
pipeline).
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from connectors.demo.action import Action, for_order
from connectors.demo.world import Demo, World
from tables import records as r

PAYMENT_SECONDS = (60, 120)  # real ones: an order that is never paid expires while one watches
PAID_AFTER_SECONDS = (2.0, 25.0)
NEVER_PAID, DECLINED, AUTHORIZED_LATER = 0.05, 0.03, 0.4  # of the orders that pay later
LATE_EVERY, LATE = 45, 9  # customers, and which of them pays when the order is expired
LATE_DEADLINE_SECONDS = 25
LATE_BY_SECONDS = 8.0
BANK_SECONDS = (1.0, 6.0)


def is_late(number: int) -> bool:
    return number % LATE_EVERY == LATE


def deadline_seconds(dice: random.Random, demo: Demo, number: int) -> int:
    """Until when an order has to be paid, real seconds."""
    seconds = LATE_DEADLINE_SECONDS if is_late(number) else dice.randint(*PAYMENT_SECONDS)
    return max(2, round(demo.soon(seconds)))


def story(dice: random.Random, demo: Demo, number: int, order: r.OrderPlaced, placed: float) -> Iterator[Action]:
    """How an order is paid that was not paid when it came."""
    if order.payment != "pending":
        return
    name = order.order_id
    captured = r.PaymentCaptured(id=f"{name}:payment", order_id=name)
    if is_late(number):
        yield for_order(placed + (order.payment_seconds or 0) + LATE_BY_SECONDS, captured)
        return
    due = placed + demo.soon(dice.uniform(*PAID_AFTER_SECONDS))
    fate = dice.random()
    if fate < NEVER_PAID:
        return
    if fate < NEVER_PAID + DECLINED:
        yield for_order(due, r.PaymentFailed(id=f"{name}:payment", order_id=name, reason="card declined"))
    elif fate < NEVER_PAID + DECLINED + AUTHORIZED_LATER:
        yield for_order(due, r.PaymentAuthorized(id=f"{name}:payment", order_id=name))
    else:
        yield for_order(due, captured)


def answer(world: World, status: r.OrderStatus) -> Iterator[Action]:
    """What the order wants of the bank, and part of the money for what came back."""
    name = status.order_id
    due = world.later(world.dice("bank", name, status.payment_wanted), BANK_SECONDS)
    if status.payment_wanted == "capture":
        yield for_order(due, r.PaymentCaptured(id=f"{name}:captured", order_id=name))
    elif status.payment_wanted == "void":
        yield for_order(due, r.PaymentVoided(id=f"{name}:voided", order_id=name))
    elif status.payment_wanted == "refund":
        yield for_order(due, r.PaymentRefunded(id=f"{name}:refunded", order_id=name))
    for back in status.returns if status.status == "delivered" else ():
        if back.state == "inspected":
            refund = r.PaymentRefunded(id=f"{name}:refund:{back.return_id}", order_id=name, partial=True)
            yield for_order(due, refund)
