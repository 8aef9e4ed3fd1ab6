"""The auditor's own ledger of demand: per SKU, location and day what was asked for, cancelled, shipped and returned.

Each function counts one record in a room, once. Days are those on which it happened, by their own clock, else by the
broker's. Does not belong here: hours of stock-outs that no order met, comparing with `demand` (`check_demand`).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from proof.audit.decide import allowed_places
from proof.audit.promise import Part, Promise
from proof.audit.room import Room
from proof.audit.shelves import day_of
from tables import records as r

# Why a line was refused that says nothing about what people want here.
_NOT_WANTED = ("unknown_sku", "released", "channel_not_allowed", "location_not_allowed")


def ask(
    room: Room, command: r.Reserve, promise: Promise, granted: list[Part], refused: list[r.Refusal], place: int, ms: int
) -> None:
    """Count what a command asks for, before its parts are counted on their shelves; parts and refusals as answered.

    A line of an order of which nothing is taken is wanted where the order may first be served from.
    """
    told = command.occurred_at or _instant(ms)
    promise.day = told[:10]
    if not command.demand:
        return
    first = (*allowed_places(room, command), *command.locations, "")[0]
    for line in command.lines:
        if not 1 <= line.quantity <= r.QUANTITY_MAX:
            continue
        parts = [x for x in granted if x.sku == line.sku]
        lacking = [x for x in refused if x.sku == line.sku]
        pieces = [(x.location, x.quantity, 0, _takes_all(room, command.channel, x)) for x in parts]
        for x in lacking:
            gone = x.reason == "insufficient"
            if x.reason not in _NOT_WANTED:
                pieces.append((first, x.quantity, x.quantity * gone, gone))
        if not parts and not lacking:
            pieces = [(first, line.quantity, 0, False)]
        orders = 1
        for location, units, short, out in pieces:
            if location:
                day = room.day(line.sku, location, promise.day, place)
                day.ordered += units
                day.orders += orders
                day.refused += short
                day.hours |= {int(told[11:13])} if out else set()
                orders = 0


def _takes_all(room: Room, channel: str, part: Part) -> bool:
    """Whether nothing is left for the channel once this part is taken, or nothing was there to begin with."""
    shelf = room.shelf(part.sku, part.location)
    return part.back or shelf is None or part.quantity == max(shelf.free_to(channel), 0)


def cancel(room: Room, promise: Promise, part: Part, units: int, place: int) -> None:
    """Units that were promised, and are given back: of the day on which they were asked for."""
    if promise.state != "claimed" and promise.day:
        room.day(part.sku, part.location, promise.day, place).cancelled += units


def leave_or_return(room: Room, fact: Any, place: int, ms: int) -> None:
    """A shipment or a return, on its own day."""
    day = room.day(fact.sku, fact.location, _day(fact.occurred_at, ms), place)
    if type(fact) is r.Shipped:
        day.shipped += fact.quantity
    else:
        day.returned += fact.quantity


def _day(told: str | None, ms: int) -> str:
    try:
        return datetime.fromisoformat(told or "").astimezone(UTC).date().isoformat()
    except (ValueError, OverflowError):
        return day_of(ms)


def _instant(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat()
