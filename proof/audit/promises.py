"""Commands about what an attempt of an order holds: hold, allocate, release, move, wait for stock, be filled.

Each function changes a room by one command, once. Does not belong here: whether an order may be promised units
(`decide`), facts.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from proof.audit.decide import fits, floor_of
from proof.audit.demand import cancel
from proof.audit.intake import LogState
from proof.audit.promise import OPEN, Part, Promise, Wait, close, count, fence, unfence
from proof.audit.room import Room
from proof.audit.shelves import Shelf
from tables import records as r

FILLS_MAX = 40  # queue rows one note may fill


class Filled(NamedTuple):
    """A part that waited and has units now: what the order must hear."""

    order_id: str
    attempt: int
    sku: str
    location: str
    units: int
    waiting: int  # units of the promise that wait there still
    heard: int  # commands about single lines that it had seen


def is_forgotten(room: Room, log: LogState, command: Any) -> bool:
    """Whether its promise is past its time: it counts as never made."""
    promise = room.promises.get((command.order_id, command.attempt))
    if promise is None or not (promise.deleted or log.is_past(promise.forget_ms)):
        return False
    room.forgotten.add(command.order_id)
    return True


def prune(room: Room, log: LogState, record: r.Prune, place: int) -> None:
    for item in record.items:
        promise = room.promises.get((item.order_id, item.attempt))
        if promise is not None and not promise.deleted and log.is_past(promise.forget_ms):
            promise.deleted, promise.at, promise.state = True, place, "deleted"
            room.forgotten.add(item.order_id)
            room.touched.add(item.order_id)


def grant(room: Room, promise: Promise, parts: list[Part], place: int, attempt: int) -> None:
    """Count the parts of a new promise on their shelves."""
    for part in parts:
        _add(room, promise, part, place, attempt)


def _add(room: Room, promise: Promise, part: Part, place: int, attempt: int) -> None:
    promise.parts.append(part)
    shelf = room.shelf(part.sku, part.location)
    if shelf is None or not part.open:
        return
    fence(shelf, promise, part, part.open)
    count(shelf, part, promise.state, part.open, place)
    if part.back:
        shelf.queue.append(Wait(place, attempt, promise, part))


def promote(room: Room, log: LogState, command: Any, place: int, after: str, allowed: tuple[str, ...]) -> None:
    """Everything the attempt holds moves to another counter."""
    promise = room.promises.get((command.order_id, command.attempt))
    if promise is None or promise.state not in allowed:
        return
    for part in promise.parts:
        shelf = room.shelf(part.sku, part.location)
        if not part.open or shelf is None:
            continue
        if after == "released":
            _give_back(room, shelf, promise, part, part.open, place)
        elif not part.back:
            setattr(shelf, promise.state, getattr(shelf, promise.state) - part.open)
            setattr(shelf, after, getattr(shelf, after) + part.open)
            shelf.at = place
    promise.state, promise.at = after, place
    close(promise, log)


def release(room: Room, log: LogState, command: r.Release, place: int) -> None:
    promise = room.promises.get((command.order_id, command.attempt))
    if promise is None:  # released before it was asked: whatever comes later takes nothing
        promise = Promise(command.order_id, place, 0, "released")
        room.promise((command.order_id, command.attempt), promise)
        return close(promise, log)
    if not command.lines:
        return promote(room, log, command, place, "released", OPEN)
    if command.id in promise.seen or promise.state not in OPEN:
        return None
    promise.seen.add(command.id)
    promise.at = place
    for line in command.lines:
        left = line.quantity
        for part in sorted(promise.parts, key=lambda x: not x.back):  # stable: those that only wait go first
            shelf = room.shelf(part.sku, part.location)
            if part.sku == line.sku and line.location in ("", part.location) and shelf is not None:
                units = min(part.open, left)
                if units:
                    _give_back(room, shelf, promise, part, units, place)
                    left -= units
    if not promise.is_open:
        promise.state = "released"
        close(promise, log)
    return None


def _give_back(room: Room, shelf: Shelf, promise: Promise, part: Part, units: int, place: int) -> None:
    part.open -= units
    part.released += units
    cancel(room, promise, part, units, place)
    unfence(shelf, promise, part, units)
    count(shelf, part, promise.state, -units, place)


# -- move --------------------------------------------------------------------------------------------------------------


def can_move(room: Room, promise: Promise, command: r.Move) -> bool:
    """Whether every line has what it holds elsewhere free at its new location."""
    for line in command.lines:
        if not any(x.open for x in promise.parts if x.sku == line.sku and not x.back):
            return False
        parts = _elsewhere(promise, line)
        needed = sum(x.open for x in parts)
        floor = max((x.floor for x in parts), default="")
        if needed and fits(room.shelf(line.sku, line.location), promise.channel, floor) < needed:
            return False
    return True


def move(room: Room, promise: Promise, command: r.Move, place: int, attempt: int) -> None:
    for line in command.lines:
        parts = _elsewhere(promise, line)
        needed = sum(x.open for x in parts)
        if not needed:
            continue
        for part in parts:
            units, part.open = part.open, 0
            part.moved += units
            if (shelf := room.shelf(part.sku, part.location)) is not None:
                unfence(shelf, promise, part, units)
                count(shelf, part, promise.state, -units, place)
        floor = max(x.floor for x in parts)
        _add(room, promise, Part(line.sku, needed, line.location, floor=floor), place, attempt)


def _elsewhere(promise: Promise, line: r.MoveLine) -> list[Part]:
    return [x for x in promise.parts if x.sku == line.sku and not x.back and x.open and x.location != line.location]


# -- waiting for stock -------------------------------------------------------------------------------------------------


def backorder(room: Room, log: LogState, command: r.Backorder, place: int) -> None:
    """Units that were not there to ship wait, at the end of the queue: a command's units of a shelf together."""
    promise = room.promises.get((command.order_id, command.attempt))
    if promise is None or promise.state != "allocated" or command.id in promise.seen:
        return
    promise.seen.add(command.id)
    promise.at = place
    parts = list(promise.parts)
    lost = [0] * len(parts)
    for line in command.lines:
        left = line.quantity
        for n, part in enumerate(parts):
            if part.sku == line.sku and not part.back and line.location in ("", part.location):
                units = min(part.open - lost[n], left)
                lost[n] += units
                left -= units
    waiting: dict[tuple[str, str], Part] = {}
    for part, units in zip(parts, lost, strict=True):
        shelf = room.shelf(part.sku, part.location)
        if not units or shelf is None:
            continue
        part.open -= units
        part.moved += units
        count(shelf, part, promise.state, -units, place)
        known = waiting.get((part.sku, part.location))
        units += known.quantity if known else 0
        floor = max(part.floor, known.floor if known else "")
        waiting[part.sku, part.location] = Part(part.sku, units, part.location, back=True, floor=floor)
    for part in waiting.values():
        _add(room, promise, part, place, command.attempt)


def fill(room: Room, shelf: Shelf, place: int) -> list[Filled]:
    """Those who wait get what is free, the oldest first; who needs fresher lots than there are goes on waiting."""
    filled: dict[tuple[str, int], Filled] = {}
    looked = 0
    shelf.queue = [x for x in shelf.queue if x.part.open]
    for wait in list(shelf.queue):
        free = shelf.free
        if free <= 0 or looked >= FILLS_MAX:
            break
        looked += 1
        promise, part = wait.promise, wait.part
        floor = max(part.floor, floor_of(room, promise.channel))  # they leave later than those that were promised
        room_for = shelf.room(floor) if floor else free
        units = min(part.open, free, room_for)
        if promise.state not in OPEN or units <= 0:
            continue
        part.open -= units
        part.moved += units
        count(shelf, part, promise.state, -units, place)
        stocked = Part(part.sku, units, part.location, floor=floor)
        promise.parts.append(stocked)
        count(shelf, stocked, promise.state, units, place)
        promise.at = place
        key = promise.order_id, wait.attempt
        before = filled[key].units if key in filled else 0
        waiting = sum(x.open for x in promise.parts if x.back and (x.sku, x.location) == (part.sku, part.location))
        filled[key] = Filled(*key, part.sku, part.location, before + units, waiting, len(promise.seen))
    return list(filled.values())
