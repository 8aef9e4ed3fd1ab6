"""The auditor's reading of stock facts: what came, went, was counted, or is known of a batch. Never refused.

Each function changes a room by one fact that was not counted before. What a fact takes beyond the books is missing,
never negative. Does not belong here: transfers, purchases, kits (`transit`), recalls and expiry (`freezing`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from proof.audit.freezing import lot_defined, lot_status_set, new_days
from proof.audit.promise import count
from proof.audit.receipts import know_batch, receive
from proof.audit.room import Room
from proof.audit.seen import INDEX_BITS
from proof.audit.shelves import LAST, MOVES_KEPT, NO_LOT, Incoming, Policy, Share
from proof.audit.transit import TRANSIT
from tables import records as r


def apply_fact(room: Room, fact: Any, place: int) -> None:
    """Count a fact that was not counted before."""
    master = room.master(fact.sku, place)
    _DO[type(fact)](room, fact, place)
    if type(fact) is r.SkuDefined or (type(fact) is r.PolicySet and not fact.location):
        master.at = place


def _received(room: Room, fact: r.Received, place: int) -> None:
    know_batch(room, fact.sku, fact.lot, fact.best_before, fact.status)
    shelf = room.shelf_of(fact.sku, fact.location, place)
    receive(room, shelf, fact.lot, fact.quantity, "received", place)
    incoming = shelf.incoming.get(fact.reference)
    if incoming is None and fact.reference and room.rules >= 6:
        incoming = shelf.incoming[fact.reference] = Incoming("purchase")
        incoming.state = "unannounced"
    if incoming is None or incoming.kind != "purchase" or incoming.state == "closed":
        return
    incoming.received += fact.quantity
    if incoming.state == "open":
        incoming.close_if_whole()


def _condition_changed(room: Room, fact: r.ConditionChanged, place: int) -> None:
    shelf = room.shelf(fact.sku, fact.location)
    lot = shelf.lots.get(fact.lot) if shelf else None
    if shelf is None or lot is None:
        return
    if fact.condition == "good":
        units = -min(fact.quantity, lot.blocked)
    else:
        units = min(fact.quantity, lot.on_hand - lot.blocked)
    if units:
        shelf.change(lot, place, "condition", 0, units)


def _adjusted(room: Room, fact: r.Adjusted, place: int) -> None:
    if not fact.quantity:
        return
    shelf = room.shelf_of(fact.sku, fact.location, place)
    if fact.quantity < 0:
        room.leave(shelf, -fact.quantity, fact.lot, "adjusted", place, reason=fact.reason)
        return
    oldest = sorted((x.best_before or LAST, x.first, x.code) for x in shelf.lots.values() if x.on_hand > 0)
    code = fact.lot or (oldest[0][2] if oldest else NO_LOT)
    shelf.change(room.lot_of(shelf, code, place), place, "adjusted", fact.quantity)


def _counted(room: Room, fact: r.Counted, place: int) -> None:
    """counted - expected as of the position it was taken at; too far off: only a recount tells."""
    known = room.shelf(fact.sku, fact.location)
    lot = known.lots.get(fact.lot) if known else None
    since = 0
    if lot is not None and fact.as_of_offset is not None:
        as_of = fact.as_of_offset << INDEX_BITS | fact.as_of_index
        if len(lot.moves) == MOVES_KEPT and lot.moves[0][0] > as_of:
            return
        since = sum(units for moved, units in lot.moves if moved > as_of)
    there = lot.on_hand if lot else 0
    off = fact.quantity - (there - since)
    shelf = room.shelf_of(fact.sku, fact.location, place)
    counts, exact, units, errors = shelf.count
    shelf.count = (counts + 1, exact + (off == 0), units + max(there - since, fact.quantity), errors + abs(off))
    tolerance = shelf.policy.count_tolerance
    if 0 < tolerance < abs(off) and not fact.recount:
        return
    shelf.change(room.lot_of(shelf, fact.lot, place), place, "counted", max(off, -there))


def _picked(room: Room, fact: r.Picked, place: int) -> None:
    """Which lot is bound changes no units; what is not there to be picked leaves the books."""
    _hear(room, fact, "pick", fact.quantity + fact.short)
    if fact.short and fact.lot is None:
        shelf = room.shelf_of(fact.sku, fact.location, place)
        room.leave(shelf, fact.short, None, "adjusted", place, _freshness(room, fact))
        return
    known = room.shelf(fact.sku, fact.location)
    lot = known.lots.get(fact.lot or "") if known else None
    if fact.short and known and lot and lot.on_hand:
        known.change(lot, place, "adjusted", -min(fact.short, lot.on_hand))


def _shipped(room: Room, fact: r.Shipped, place: int) -> None:
    own = _hear(room, fact, "shipment", fact.quantity)
    shelf = room.shelf_of(fact.sku, fact.location, place)
    room.leave(shelf, fact.quantity, fact.lot, "shipped", place, _freshness(room, fact))
    promise = room.promises.get((fact.order_id or "", fact.attempt))
    if promise is None or promise.state != "allocated":
        return
    left = fact.quantity
    parts = [x for x in promise.parts if x.sku == fact.sku and not x.back and x.open]
    for part in sorted(parts, key=lambda x: x.location != fact.location):  # stable: the others in their order
        owed = min(part.open, left)
        if owed:
            left -= owed
            part.open -= owed
            part.shipped, part.foreign = part.shipped + owed * own, part.foreign + owed * (not own)
            count(room.skus[part.sku].shelves[part.location], part, "allocated", -owed, place)
            promise.at = place


def _freshness(room: Room, fact: r.Picked | r.Shipped) -> str:
    """The earliest best-before that its order was promised of this SKU, if it is owed any; "": any."""
    promise = room.promises.get((fact.order_id or "", fact.attempt))
    parts = promise.parts if promise is not None and promise.state == "allocated" else []
    return max((x.floor for x in parts if x.sku == fact.sku and x.open and not x.back), default="")


def _returned(room: Room, fact: r.Returned, place: int) -> None:
    _hear(room, fact, "return", fact.quantity)
    if fact.disposition not in ("restock", "quarantine"):
        return
    shelf = room.shelf_of(fact.sku, fact.location, place)
    lot = room.lot_of(shelf, fact.lot or NO_LOT, place)
    apart = fact.disposition == "quarantine" or not lot.ships_on(room.today)
    shelf.change(lot, place, "returned", fact.quantity, fact.quantity if apart else 0)


def _hear(room: Room, fact: Any, what: str, units: int) -> bool:
    """Whether it was the order's own fact: those are told once per unit."""
    own = bool(fact.order_id) and fact.id.startswith(f"{fact.order_id}:{what}:")
    if own:
        room.heard.setdefault(fact.order_id, Counter())[what, fact.sku] += units
    return own


def _policy_set(room: Room, fact: r.PolicySet, place: int) -> None:
    master = room.skus[fact.sku]
    policy = Policy(
        fact.reorder_point, fact.hysteresis, fact.safety_stock, fact.expiring_days, fact.count_tolerance,
        fact.backorder_limit, fact.backorder_due or "",
    )  # fmt: skip
    if fact.location:
        shelves = [room.shelf_of(fact.sku, fact.location, place)]
    else:
        master.policy, shelves = policy, list(master.shelves.values())
    changed = [x for x in shelves if x.policy.expiring_days != policy.expiring_days]
    for shelf in shelves:
        shelf.policy, shelf.at = policy, place
    new_days(changed)


def _window_continued(room: Room, fact: r.WindowContinued, place: int) -> None:
    new_days(room.skus[fact.sku].shelves.values())


def _channel_stock_set(room: Room, fact: r.ChannelStockSet, place: int) -> None:
    shelf = room.shelf_of(fact.sku, fact.location, place)
    if fact.ring_fence or fact.buffer:
        shelf.shares[fact.channel] = Share(fact.ring_fence, fact.buffer)
    else:
        shelf.shares.pop(fact.channel, None)


def _sku_defined(room: Room, fact: r.SkuDefined, place: int) -> None:
    master = room.skus[fact.sku]
    master.discontinued, master.channels = fact.discontinued, fact.channels


_DO: dict[type, Callable[[Room, Any, int], None]] = {
    r.Received: _received, r.ConditionChanged: _condition_changed, r.Adjusted: _adjusted, r.Counted: _counted,
    r.Picked: _picked, r.Shipped: _shipped, r.Returned: _returned, r.PolicySet: _policy_set,
    r.WindowContinued: _window_continued,
    r.ChannelStockSet: _channel_stock_set, r.SkuDefined: _sku_defined, r.LotDefined: lot_defined,
    r.LotStatusSet: lot_status_set, **TRANSIT,
}  # fmt: skip
