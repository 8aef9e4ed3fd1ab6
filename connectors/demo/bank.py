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
NOTHING_LEFT = ("rejected", "expired", "paid_unallocated", "cancelled", "returned")


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
    """What the order wants of the bank; all of the money back, or that of the units that never left or came back."""
    name, wanted = status.order_id, status.payment_wanted
    given_back = sum(line.cancelled + line.returned for line in status.lines)
    due = world.later(world.dice("bank", name, wanted, given_back), BANK_SECONDS)
    if wanted == "capture":
        yield for_order(due, r.PaymentCaptured(id=f"{name}:captured", order_id=name))
    elif wanted == "void":
        yield for_order(due, r.PaymentVoided(id=f"{name}:voided", order_id=name))
    elif wanted == "refund" and status.status in NOTHING_LEFT:
        yield for_order(due, r.PaymentRefunded(id=f"{name}:refunded", order_id=name))
    elif wanted == "refund" or (status.payment == "partially_refunded" and given_back):
        yield for_order(due, r.PaymentRefunded(id=f"{name}:refund:{given_back}", order_id=name, partial=True))
