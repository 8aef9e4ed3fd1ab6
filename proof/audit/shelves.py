"""The auditor's own books of physical stock: facts are summed per SKU, location and lot, and never refused.

Reads stock facts, in order; keeps shelves (SKU at a location), lots and promises (what an attempt of an order holds).
Guarantees: what a fact takes beyond the books is missing, never negative. Does not belong here: commands
(`stock_book`), comparing (`check_stock`).
"""

from __future__ import annotations

from collections import deque
from typing import Any

from proof.audit.intake import LogState
from proof.audit.seen import INDEX_BITS
from tables import records as r

MOVES_KEPT = 1_000  # a count as of a position older than these changes nothing: it asks for a recount
NO_LOT = "UNKNOWN"
LAST = "9999"  # a lot without a best-before goes out last


class Lot:
    """`on_hand` = received + adjusted + counted - shipped, each as it was applied."""

    __slots__ = ("adjusted", "at", "best_before", "code", "counted", "first", "moves", "received", "shipped")

    def __init__(self, code: str, best_before: str, first: int) -> None:
        self.code, self.best_before, self.first, self.at = code, best_before, first, first
        self.received = self.adjusted = self.counted = self.shipped = 0
        self.moves: deque[tuple[int, int]] = deque(maxlen=MOVES_KEPT)

    @property
    def on_hand(self) -> int:
        return self.received + self.adjusted + self.counted - self.shipped


class Shelf:
    """One SKU at one location. `at`: place of the last record that changed it."""

    __slots__ = (
        "allocated", "at", "claimed", "held", "hysteresis", "location", "lots", "on_hand", "reorder_point", "safety",
        "sku",
    )  # fmt: skip

    def __init__(self, sku: str, location: str, policy: tuple[int, int, int]) -> None:
        self.sku, self.location, self.at = sku, location, 0
        self.on_hand = self.claimed = self.held = self.allocated = 0
        self.reorder_point, self.hysteresis, self.safety = policy
        self.lots: dict[str, Lot] = {}

    @property
    def free(self) -> int:
        """Units that can be promised; negative if more is owed than is there."""
        return self.on_hand - self.claimed - self.held - self.allocated - self.safety

    def seen_as(self) -> dict[str, int]:
        """The quantities of the identity: what is there covers allocations first, then reservations, then safety."""
        left = self.on_hand
        allocated = min(self.allocated, left)
        left -= allocated
        reserved = min(self.claimed + self.held, left)
        left -= reserved
        safety = min(self.safety, left)
        return {
            "on_hand": self.on_hand, "available": left - safety, "reserved": reserved, "allocated": allocated,
            "safety_stock": safety, "unavailable": 0,
            "shortage": self.allocated + self.claimed + self.held - allocated - reserved,
        }  # fmt: skip


class Master:
    """What is known of a SKU: whether it is still sold, and the policy for locations to come."""

    __slots__ = ("at", "discontinued", "policy", "shelves")

    def __init__(self) -> None:
        self.at = 0
        self.discontinued = False
        self.policy = (0, 0, 0)
        self.shelves: dict[str, Shelf] = {}


class Part:
    """One line of a promise. quantity = open + released + shipped + foreign, once it was granted."""

    __slots__ = ("foreign", "location", "open", "quantity", "released", "shipped", "sku")

    def __init__(self, sku: str, quantity: int, location: str) -> None:
        self.sku, self.quantity, self.location = sku, quantity, location
        self.open = quantity if location else 0
        self.released = self.shipped = self.foreign = 0


class Promise:
    """What one attempt of an order holds here. `asked`: place of its reserve command, 0 before it came. `order_ms`:
    state time of the order when it asked. `forget_ms`: from then on it counts as never made; 0 while it is open."""

    __slots__ = ("asked", "at", "deleted", "forget_ms", "order_ms", "parts", "released_by", "state")

    def __init__(self, at: int, asked: int, state: str) -> None:
        self.at, self.asked, self.state = at, asked, state
        self.deleted, self.forget_ms, self.order_ms = False, 0, 0
        self.parts: list[Part] = []
        self.released_by: set[str] = set()


class Room:
    """One partition's shelves and promises."""

    def __init__(self) -> None:
        self.skus: dict[str, Master] = {}
        self.promises: dict[tuple[str, int], Promise] = {}
        self.facts: dict[str, tuple[bytes, int]] = {}  # id -> (content, place)
        self.forgotten: set[tuple[str, int]] = set()  # promises that are past their time

    def shelf(self, sku: str, location: str) -> Shelf | None:
        master = self.skus.get(sku)
        return master.shelves.get(location) if master else None


def close(promise: Promise, log: LogState) -> None:
    """Note from when on a promise that holds nothing any more is forgotten."""
    if promise.state in ("refused", "released") or (
        promise.state == "allocated" and not any(part.open for part in promise.parts)
    ):
        promise.forget_ms = log.from_now(log.limits.reservation_keep_seconds, promise.order_ms)


def apply_fact(room: Room, log: LogState, fact: Any, place: int) -> None:
    """Count a fact that was not counted before."""
    new = fact.sku not in room.skus
    master = room.skus.setdefault(fact.sku, Master())
    _DO[type(fact)](room, master, fact, place)
    promise = room.promises.get((fact.order_id or "", fact.attempt)) if type(fact) is r.Shipped else None
    if promise is not None and promise.at == place:
        close(promise, log)
    if new or type(fact) is r.SkuDefined or (type(fact) is r.PolicySet and not fact.location):
        master.at = place


def _shelf(master: Master, fact: Any, place: int) -> Shelf:
    shelf = master.shelves.get(fact.location)
    if shelf is None:
        shelf = master.shelves[fact.location] = Shelf(fact.sku, fact.location, master.policy)
    shelf.at = place
    return shelf


def _move(shelf: Shelf, lot: Lot, units: int, counter: str, place: int) -> None:
    setattr(lot, counter, getattr(lot, counter) + (-units if counter == "shipped" else units))
    lot.at = place
    lot.moves.append((place, units))
    shelf.on_hand += units


def _lot(shelf: Shelf, code: str, place: int) -> Lot:
    lot = shelf.lots.get(code)
    if lot is None:
        lot = shelf.lots[code] = Lot(code, "", place)
    return lot


def _fefo(shelf: Shelf) -> list[Lot]:
    lots = [x for x in shelf.lots.values() if x.on_hand > 0]
    return sorted(lots, key=lambda x: (x.best_before or LAST, x.first, x.code))


def _take(shelf: Shelf, units: int, code: str | None, counter: str, place: int) -> None:
    """From the lot named first, then first expired first; what no lot has is missing from the books."""
    lots = _fefo(shelf)
    for lot in [x for x in lots if x.code == code] + [x for x in lots if x.code != code]:
        gone = min(lot.on_hand, units)
        if gone:
            _move(shelf, lot, -gone, counter, place)
            units -= gone


def _received(room: Room, master: Master, fact: r.Received, place: int) -> None:
    shelf = _shelf(master, fact, place)
    lot = _lot(shelf, fact.lot, place)
    lot.best_before = lot.best_before or fact.best_before or ""
    _move(shelf, lot, fact.quantity, "received", place)


def _adjusted(room: Room, master: Master, fact: r.Adjusted, place: int) -> None:
    shelf = _shelf(master, fact, place)
    if fact.quantity < 0:
        return _take(shelf, -fact.quantity, fact.lot, "adjusted", place)
    code = fact.lot or next((x.code for x in _fefo(shelf)), NO_LOT)
    return _move(shelf, _lot(shelf, code, place), fact.quantity, "adjusted", place)


def _counted(room: Room, master: Master, fact: r.Counted, place: int) -> None:
    known = master.shelves.get(fact.location)
    lot = known.lots.get(fact.lot) if known else None
    since = 0
    if lot is not None and fact.as_of_offset is not None:
        as_of = fact.as_of_offset << INDEX_BITS | fact.as_of_index
        if len(lot.moves) == MOVES_KEPT and lot.moves[0][0] > as_of:
            return
        since = sum(units for moved, units in lot.moves if moved > as_of)
    there = lot.on_hand if lot else 0
    difference = max(fact.quantity - (there - since), -there)
    shelf = _shelf(master, fact, place)
    _move(shelf, _lot(shelf, fact.lot, place), difference, "counted", place)


def _shipped(room: Room, master: Master, fact: r.Shipped, place: int) -> None:
    shelf = _shelf(master, fact, place)
    _take(shelf, fact.quantity, fact.lot, "shipped", place)
    promise = room.promises.get((fact.order_id or "", fact.attempt))
    if promise is None or promise.state != "allocated":
        return
    for part in promise.parts:
        if part.sku == fact.sku:
            owed = min(part.open, fact.quantity)
            if owed:
                part.open -= owed
                if fact.id.startswith(f"{fact.order_id}:shipment:"):
                    part.shipped += owed
                else:
                    part.foreign += owed
                promise.at = place
                source = master.shelves[part.location]
                source.allocated -= owed
                source.at = place
            return


def _policy_set(room: Room, master: Master, fact: r.PolicySet, place: int) -> None:
    policy = (fact.reorder_point, fact.hysteresis, fact.safety_stock)
    if fact.location:
        shelves = [_shelf(master, fact, place)]
    else:
        master.policy, shelves = policy, list(master.shelves.values())
    for shelf in shelves:
        shelf.reorder_point, shelf.hysteresis, shelf.safety = policy
        shelf.at = place


def _sku_defined(room: Room, master: Master, fact: r.SkuDefined, place: int) -> None:
    master.discontinued = fact.discontinued


_DO = {
    r.Received: _received, r.Adjusted: _adjusted, r.Counted: _counted, r.Shipped: _shipped, r.PolicySet: _policy_set,
    r.SkuDefined: _sku_defined,
}  # fmt: skip
