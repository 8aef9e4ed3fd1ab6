"""Units on their way: transfers between locations, purchases, and units that go into kits and come out again.

Each function changes a room by one fact. Guarantees: what is under way is part of no shelf. Does not belong here: units
on shelves (`shelves`), what can be promised by date.
"""

from __future__ import annotations

from typing import Any

from proof.audit.receipts import know_batch, receive
from proof.audit.room import Room
from proof.audit.shelves import NO_LOT, Incoming
from tables import records as r


def _incoming(room: Room, fact: Any, kind: str, location: str, place: int) -> Incoming:
    shelf = room.shelf_of(fact.sku, location, place)  # what comes is shown with its location, stocked or not
    known = shelf.incoming.get(fact.reference)
    if known is not None and known.state == "unannounced":  # units came under this number, of a purchase if of any
        known.state = "open"
        known = known if kind == "purchase" else None
    if known is None:
        known = shelf.incoming[fact.reference] = Incoming(kind)
    return known


def _transferred_out(room: Room, fact: r.TransferredOut, place: int) -> None:
    shelf = room.shelf_of(fact.sku, fact.location, place)
    went = [(lot.code, units) for lot, units in room.leave(shelf, fact.quantity, fact.lot, "transferred_out", place)]
    incoming = _incoming(room, fact, "transfer", fact.to, place)
    incoming.expected = fact.expected or incoming.expected
    incoming.kind, incoming.notified = "transfer", 0
    incoming.ordered += fact.quantity
    incoming.confirmed = incoming.ordered
    if incoming.state == "closed":  # what did not come then is lost
        incoming.lots = {}
    if fact.lot and room.rules >= 5:  # they saw which lot it was, whatever the books took
        went = [(fact.lot, fact.quantity)]
    for code, units in went:
        incoming.lots[code] = incoming.lots.get(code, 0) + units
    incoming.state = "open"
    if incoming.received >= incoming.ordered:  # it came before anybody said that it left
        _close(room, incoming)


def _transferred_in(room: Room, fact: r.TransferredIn, place: int) -> None:
    shelf = room.shelf_of(fact.sku, fact.location, place)
    incoming = _incoming(room, fact, "transfer", fact.location, place)
    left, last = fact.quantity, fact.lot or NO_LOT
    came: dict[str, int] = {}
    for code in sorted(incoming.lots, key=lambda x: x != fact.lot):
        units = min(incoming.lots[code], left)
        incoming.lots[code] -= units
        left -= units
        last = fact.lot or code
        if units:
            came[last] = came.get(last, 0) + units
    under_way = {code: units for code, units in incoming.lots.items() if units}
    if not under_way and incoming.lots and room.rules >= 5:  # what comes beyond is of the lot that was sent last
        under_way = {list(incoming.lots)[-1]: 0}
    incoming.lots = under_way
    incoming.received += fact.quantity
    if fact.final or incoming.received >= incoming.ordered:
        _close(room, incoming)
    if left:
        came[last] = came.get(last, 0) + left
    for code, units in came.items():
        know_batch(room, fact.sku, code, None, "approved")
        receive(room, shelf, code, units, "transferred_in", place)


def _close(room: Room, incoming: Incoming) -> None:
    """Nothing more is expected. By rules 5 it is known still which lots were sent, should more come."""
    incoming.state = "closed"
    if room.rules < 5:
        incoming.lots = {}


def _purchase(room: Room, fact: Any, place: int) -> None:
    kind = type(fact)
    incoming = _incoming(room, fact, "purchase", fact.location, place)
    if incoming.kind != "purchase":
        return
    if kind is r.PurchaseClosed:
        incoming.state = "closed"
        return
    if kind is r.PurchaseOrdered:
        incoming.ordered = fact.quantity
    elif kind is r.PurchaseConfirmed:
        incoming.confirmed = fact.quantity
    else:
        incoming.notified = fact.quantity
    incoming.expected = fact.expected or incoming.expected
    incoming.close_if_whole()


def _kit_assembled(room: Room, fact: r.KitAssembled, place: int) -> None:
    know_batch(room, fact.sku, fact.lot, fact.best_before, "approved")
    shelf = room.shelf_of(fact.sku, fact.location, place)
    receive(room, shelf, fact.lot, fact.quantity, "assembled", place)
    _expect_parts(room, fact, place, -1)


def _kit_disassembled(room: Room, fact: r.KitDisassembled, place: int) -> None:
    shelf = room.shelf_of(fact.sku, fact.location, place)
    room.leave(shelf, fact.quantity, fact.lot, "disassembled", place)
    _expect_parts(room, fact, place, 1)


def _expect_parts(room: Room, fact: Any, place: int, sign: int) -> None:
    for n, part in enumerate(fact.parts):
        room.kits[f"{fact.id}:part:{n}"] = (part.sku, sign * part.quantity, place)


def _kit_part_moved(room: Room, fact: r.KitPartMoved, place: int) -> None:
    shelf = room.shelf_of(fact.sku, fact.location, place)
    if fact.quantity < 0:
        room.leave(shelf, -fact.quantity, fact.lot, "made_into", place)
    else:
        shelf.change(room.lot_of(shelf, fact.lot or NO_LOT, place), place, "made_from", fact.quantity)
    room.told_kits.add(fact.id)


TRANSIT: dict[type, Any] = {
    r.TransferredOut: _transferred_out, r.TransferredIn: _transferred_in, r.PurchaseOrdered: _purchase,
    r.PurchaseConfirmed: _purchase, r.PurchaseNotified: _purchase, r.PurchaseClosed: _purchase,
    r.KitAssembled: _kit_assembled, r.KitDisassembled: _kit_disassembled, r.KitPartMoved: _kit_part_moved,
}  # fmt: skip
