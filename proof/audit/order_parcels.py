"""What locations do for an order: pick, pack, ship, deliver; what is missing at the end; stock that came for it.

Facts are never refused: what the order does not know goes to stock all the same. Does not belong here: what comes back
(`order_returns`).
"""

from __future__ import annotations

from typing import Any

from proof.audit.intake import LogState
from proof.audit.order import OWED, Decision, Fulfilment, Order, Told, add_fulfilment, settle
from tables import records as r


def picked(order: Order, record: r.OrderPicked, place: int, ms: int, log: LogState) -> bool:
    if order.state not in OWED:
        return True
    lines = [(x.sku, x.quantity + x.short) for x in record.lines]
    if not lines:
        lines = [(x.sku, x.allocated) for x in _held(order, record.location)]
    for sku, units in lines:
        order.said["pick", sku] += units
    for fulfilment in _at(order, record.location):
        if fulfilment.state == "confirmed":
            fulfilment.state = "picked"
    settle(order)
    return True


def packed(order: Order, record: r.OrderPacked, place: int, ms: int, log: LogState) -> bool:
    if order.state in OWED:
        for fulfilment in _at(order, record.location):
            if fulfilment.state in ("confirmed", "picked"):
                fulfilment.state = "packed"
            fulfilment.cartons += [x for x in record.cartons if x not in fulfilment.cartons]
        settle(order)
    return True


def shipped(order: Order, record: r.OrderShipped, place: int, ms: int, log: LogState) -> bool | str:
    for said in record.lines:
        own = [x.location for x in order.lines if x.sku == said.sku and x.location]
        if not (said.location or record.location or own or order.locations):
            return "unknown_location"
    sent = [(x.sku, x.quantity, x.location or record.location or "") for x in record.lines]
    if not sent:
        held = [x for x in order.lines if x.open > x.back and record.location in (None, x.location)]
        sent = [(x.sku, x.allocated, x.location) for x in held]
    for sku, units, _ in sent:
        order.said["shipment", sku] += units
    if order.state not in OWED:
        return True
    left_from: set[str] = set()
    for sku, units, location in sent:
        for line in order.of(sku, first=location):
            count = min(units, line.allocated)
            if count > 0:
                line.shipped += count
                units -= count
                left_from.add(line.location)
    for fulfilment in _at(order, record.location) if record.location else _named(order, left_from):
        if record.tracking:
            fulfilment.tracking.setdefault(record.tracking, "pre_transit")
    if record.final:
        _give_up(order, record.location, place, ms)
    for fulfilment in order.fulfilments.values():
        _close(order, fulfilment)
    settle(order)
    return True


def _close(order: Order, fulfilment: Fulfilment) -> None:
    own = [x for x in order.lines if x.location == fulfilment.location]
    if fulfilment.state != "delivered" and any(x.shipped for x in own) and not any(x.allocated > 0 for x in own):
        fulfilment.state = "shipped"


def _give_up(order: Order, location: str | None, place: int, ms: int) -> None:
    """Nothing more comes from there: it waits for stock, or is cancelled, as the order's policy says."""
    given: list[Told] = []
    for line in _held(order, location):
        if order.policy == "backorder":
            line.back += line.allocated
            line.due = ""
        else:
            given.append(Told(line.sku, line.allocated, line.location, "", None, 0))
            line.cancelled += line.allocated
    if given:
        order.later.append(Decision("cancelled", "short", place, ms, order.attempt, tuple(given)))


def filled(order: Order, record: r.BackorderFilled, place: int, ms: int, log: LogState) -> bool | str:
    if order.state == "unplaced":
        return "unknown_order"
    left = record.quantity
    for line in order.lines:
        if (line.sku, line.location, line.attempt) == (record.sku, record.location, record.attempt):
            count = min(line.back, left)
            line.back -= count
            left -= count
            if count:
                _work_again(order, line.location)
                add_fulfilment(order, line)
    settle(order)
    return True


def _work_again(order: Order, location: str) -> None:
    fulfilment = order.fulfilments.get(location)
    if fulfilment is not None and fulfilment.state in ("shipped", "delivered"):
        fulfilment.state = "confirmed"


def tracked(order: Order, record: r.TrackingUpdated, place: int, ms: int, log: LogState) -> bool:
    for fulfilment in order.fulfilments.values():
        if record.tracking in fulfilment.tracking:
            fulfilment.tracking[record.tracking] = record.status
            arrived = all(x == "delivered" for x in fulfilment.tracking.values())
            if arrived and fulfilment.state == "shipped":
                fulfilment.state = "delivered"
    settle(order)
    return True


def delivered(order: Order, record: r.OrderDelivered, place: int, ms: int, log: LogState) -> bool:
    for fulfilment in order.fulfilments.values():
        if fulfilment.state == "shipped":
            fulfilment.state = "delivered"
    settle(order)
    return True


def _at(order: Order, location: str | None) -> list[Fulfilment]:
    return [x for x in order.fulfilments.values() if location in (None, x.location)]


def _named(order: Order, locations: set[str]) -> list[Fulfilment]:
    return [x for x in order.fulfilments.values() if x.location in locations]


def _held(order: Order, location: str | None) -> list[Any]:
    return [x for x in order.lines if x.allocated > 0 and location in (None, x.location)]
