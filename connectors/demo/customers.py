"""One customer's order and what becomes of it by the customer's doing: payment, checks, second thoughts.

Pure and seeded per order: the same seed, run and number give the same order and the same story, whatever happens to
others. Does not belong here: when customers come (`traffic`), what the warehouse does (`fulfilment`).
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from connectors.demo.action import Action, for_order
from connectors.demo.catalogue import CHANNELS, COUNTER, WAREHOUSES, Channel, Product
from tables import records as r

PAYMENT_SECONDS = (60, 120)  # real ones: an order that is never paid expires while one watches
PAID_AFTER_SECONDS = (2.0, 25.0)
NEVER_PAID, PAYMENT_FAILED = 0.05, 0.03
CHECKED, CHECK_FAILED = 0.03, 0.15
CHECKED_AFTER_SECONDS = (4.0, 20.0)
CANCELLED, PARTLY_CANCELLED = 0.03, 0.02
CANCELLED_AFTER_SECONDS = (0.2, 40.0)
CASE_UNITS = 12


def place(
    dice: random.Random, name: str, occurred_at: str, items: Sequence[Product], drop: Product | None
) -> r.OrderPlaced:
    """An order; in a drop most customers want the one thing."""
    channel = dice.choices(CHANNELS, [x.share for x in CHANNELS])[0]
    if drop is not None:
        wanted = {drop.sku: dice.randint(1, 2)}
    else:
        count = dice.randint(1, channel.lines_max)
        chosen = dice.choices(items, [x.weight for x in items], k=count)
        wanted = {item.sku: dice.choices((1, 2, 3, CASE_UNITS), (60, 25, 13, 2))[0] for item in chosen}
    prepaid = dice.random() < channel.prepaid
    return r.OrderPlaced(
        id=name, order_id=name, channel=channel.name, lines=[r.Line(sku, units) for sku, units in wanted.items()],
        locations=_nearest(dice, channel), payment="paid" if prepaid else "pending",
        payment_seconds=None if prepaid else dice.randint(*PAYMENT_SECONDS),
        checks=["fraud"] if dice.random() < CHECKED else [], occurred_at=occurred_at,
    )  # fmt: skip


def story(dice: random.Random, order: r.OrderPlaced, placed: float) -> Iterator[Action]:
    """What the customer, the bank and the fraud desk do next."""
    name = order.order_id
    if order.payment == "pending" and dice.random() >= NEVER_PAID:
        due = placed + dice.uniform(*PAID_AFTER_SECONDS)
        if dice.random() < PAYMENT_FAILED:
            yield for_order(due, r.PaymentFailed(id=f"{name}:payment", order_id=name, reason="card declined"))
        else:
            yield for_order(due, r.PaymentCaptured(id=f"{name}:payment", order_id=name))
    for check in order.checks:
        due = placed + dice.uniform(*CHECKED_AFTER_SECONDS)
        if dice.random() < CHECK_FAILED:
            yield for_order(due, r.CheckFailed(id=f"{name}:{check}", order_id=name, check=check, reason="stolen card"))
        else:
            yield for_order(due, r.CheckPassed(id=f"{name}:{check}", order_id=name, check=check))
    second_thought = dice.random()
    due = placed + dice.uniform(*CANCELLED_AFTER_SECONDS)
    if second_thought < CANCELLED:
        yield for_order(due, r.CancelRequested(id=f"{name}:cancel", order_id=name, reason="changed my mind"))
    elif second_thought < CANCELLED + PARTLY_CANCELLED:
        lines = [r.CancelLine(order.lines[0].sku, 1)]
        yield for_order(due, r.CancelRequested(id=f"{name}:cancel", order_id=name, reason="one too many", lines=lines))


def _nearest(dice: random.Random, channel: Channel) -> list[str]:
    """Where the order may be served from, nearest first; what is collected at the counter lies there."""
    if channel.name == "pos":
        return [COUNTER]
    first = dice.choices(WAREHOUSES, [x.share for x in WAREHOUSES])[0]
    return [first.code, *(x.code for x in WAREHOUSES if x is not first)]
