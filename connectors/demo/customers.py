"""One customer's order and what becomes of it by the customer's doing: second thoughts, beside payment and checks.

Pure and seeded per order: the same seed, run and number give the same order and the same story, whatever happens to
others. Does not belong here: when customers come (`traffic`), what the warehouse does (`fulfilment`).
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Literal

from connectors.demo import bank, checks, policies, sourcing
from connectors.demo.action import Action, for_order
from connectors.demo.catalogue import (
    CASE_UNITS,
    CHANNELS,
    COUNTER,
    GIFT_BOX,
    GROCER,
    NEW_FLAVOR,
    POS,
    SHOP,
    VARIETY_PACK,
    WAREHOUSES,
    Channel,
    Product,
)
from connectors.demo.world import Demo
from tables import records as r

CANCELLED, PARTLY_CANCELLED = 0.03, 0.02
CANCELLED_AFTER_SECONDS = (0.2, 40.0)
VARIETY, GIFTS, NEW = 0.06, 0.03, 0.02  # of the shop's orders hold one of these
Payment = Literal["paid", "authorized", "pending"]
_SHOP = next(channel for channel in CHANNELS if channel.name == SHOP)


def place(
    dice: random.Random, demo: Demo, number: int, now: float, items: Sequence[Product], drop: Product | None
) -> r.OrderPlaced:
    """An order; in a drop most customers want the one thing."""
    channel = dice.choices(CHANNELS, [x.share for x in CHANNELS])[0]
    own: r.Policy | None = None
    locations = _nearest(dice, channel)
    special, sourced = policies.basket(number, items[0].sku), sourcing.basket(dice, number, items)
    if drop is not None:
        wanted = {drop.sku: dice.randint(1, 2)}
        own = policies.policy(dice, channel.name)
    elif special is not None:
        channel, (wanted, own), locations = _SHOP, special, sourcing.LOCATIONS
    elif sourced is not None:
        channel, wanted, locations = _SHOP, sourced, sourcing.LOCATIONS
    else:
        wanted = _basket(dice, channel, items)
        own = policies.policy(dice, channel.name)
    payment = _payment(dice, channel)
    if bank.is_late(number):
        payment = "pending"
    name = demo.order_id(number)
    return r.OrderPlaced(
        id=name, order_id=name, channel=channel.name, lines=[r.Line(sku, units) for sku, units in wanted.items()],
        locations=locations, policy=own, payment=payment,
        payment_seconds=bank.deadline_seconds(dice, demo, number) if payment == "pending" else None,
        checks=checks.asked(dice), occurred_at=demo.calendar.stamp(now),
    )  # fmt: skip


def story(dice: random.Random, demo: Demo, number: int, order: r.OrderPlaced, placed: float) -> Iterator[Action]:
    """What the customer, the bank and those who check do next."""
    yield from bank.story(dice, demo, number, order, placed)
    yield from checks.story(dice, demo, number, order, placed)
    yield from policies.edits(dice, demo, number, order, placed)
    name = order.order_id
    second_thought = dice.random()
    due = placed + demo.soon(dice.uniform(*CANCELLED_AFTER_SECONDS))
    if second_thought < CANCELLED:
        yield for_order(due, r.CancelRequested(id=f"{name}:cancel", order_id=name, reason="changed my mind"))
    elif second_thought < CANCELLED + PARTLY_CANCELLED:
        lines = [r.CancelLine(order.lines[0].sku, 1)]
        yield for_order(due, r.CancelRequested(id=f"{name}:cancel", order_id=name, reason="one too many", lines=lines))


def _basket(dice: random.Random, channel: Channel, items: Sequence[Product]) -> dict[str, int]:
    chosen = dice.choices(items, [x.weight for x in items], k=dice.randint(1, channel.lines_max))
    if channel.name == GROCER:
        return {item.sku: CASE_UNITS * dice.randint(1, 2) for item in chosen}
    wanted = {item.sku: dice.choices((1, 2, 3, CASE_UNITS), (60, 25, 13, 2))[0] for item in chosen}
    if channel.name == SHOP:
        for sku, share in ((VARIETY_PACK, VARIETY), (GIFT_BOX.sku, GIFTS), (NEW_FLAVOR.sku, NEW)):
            if dice.random() < share:
                wanted[sku] = 1
    return wanted


def _payment(dice: random.Random, channel: Channel) -> Payment:
    fate = dice.random()
    if fate < channel.prepaid:
        return "paid"
    return "authorized" if fate < channel.prepaid + channel.authorized else "pending"


def _nearest(dice: random.Random, channel: Channel) -> list[str]:
    """Where the order may be served from, nearest first; what is collected at the counter lies there. Marketplaces and
    the grocer leave it to their channel's ranking."""
    if channel.name == POS:
        return [COUNTER]
    if channel.name != SHOP:
        return []
    first = dice.choices(WAREHOUSES, [x.share for x in WAREHOUSES])[0]
    return [first.code, *(x.code for x in WAREHOUSES if x is not first)]
