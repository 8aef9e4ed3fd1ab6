"""What one attempt of an order holds in one partition, and the way its units are counted on their shelves.

Guarantees: a promise's parts sum to what their shelves count: claimed, held, allocated or backordered. Does not belong
here: which command does what (`promises`), whether units may be promised (`decide`).
"""

from __future__ import annotations

from typing import Any, NamedTuple

from proof.audit.intake import LogState
from proof.audit.shelves import Shelf

OPEN = ("claimed", "held", "allocated")


class Part:
    """Units of a command's line at one location. `floor`: the earliest best-before its lots may have; "": any.
    `fenced`: units from the channel's own stock, given back first. quantity = open + released + shipped + foreign +
    moved."""

    __slots__ = (
        "back", "due", "fenced", "floor", "foreign", "location", "moved", "open", "quantity", "released", "shipped",
        "sku",
    )  # fmt: skip

    def __init__(self, sku: str, quantity: int, location: str, *, back: bool = False, floor: str = "",
                 due: str = "") -> None:  # fmt: skip
        self.sku, self.quantity, self.location, self.back, self.floor, self.due = (
            sku, quantity, location, back, floor, due
        )  # fmt: skip
        self.open = quantity if location else 0
        self.released = self.shipped = self.foreign = self.moved = self.fenced = 0


class Promise:
    """`asked`: place of its reserve command, 0 before it came. `order_ms`: state time of the order when it asked.
    `forget_ms`: from then on it counts as never made; 0 while it is open. `moved`: place of its move command."""

    __slots__ = (
        "asked", "at", "channel", "could", "day", "deleted", "forget_ms", "moved", "moved_ok", "order_id", "order_ms",
        "parts", "seen", "state", "wanted",
    )  # fmt: skip

    def __init__(self, order_id: str, at: int, asked: int, state: str) -> None:
        self.order_id, self.at, self.asked, self.state = order_id, at, asked, state
        self.channel = self.day = ""  # the day on which it was asked for
        self.deleted, self.forget_ms, self.order_ms = False, 0, 0
        self.moved, self.moved_ok = 0, False
        self.wanted: list[tuple[str, int]] = []
        self.could: list[int] = []
        self.parts: list[Part] = []
        self.seen: set[str] = set()

    @property
    def is_open(self) -> bool:
        return any(part.open for part in self.parts)


class Wait(NamedTuple):
    """A backordered part in its shelf's queue."""

    place: int
    attempt: int
    promise: Promise
    part: Part


def count(shelf: Shelf, part: Part, state: str, units: int, place: int) -> None:
    """Signed units of a part, on its shelf."""
    if part.back:
        shelf.backordered += units
    else:
        setattr(shelf, state, getattr(shelf, state) + units)
        if part.floor:
            shelf.floors[part.floor] += units
    shelf.at = place


def fence(shelf: Shelf, promise: Promise, part: Part, units: int) -> None:
    """Units the part takes come from its channel's own stock, as far as that has them."""
    share = shelf.shares.get(promise.channel)
    if share is not None and not part.back:
        part.fenced = min(units, share.ring_fence)
        share.ring_fence -= part.fenced


def unfence(shelf: Shelf, promise: Promise, part: Part, units: int) -> None:
    """Units the part gives back are its channel's own first."""
    given = min(units, part.fenced)
    if given:
        part.fenced -= given
        if (share := shelf.shares.get(promise.channel)) is not None:
            share.ring_fence += given


def close(promise: Promise, log: LogState) -> None:
    """Note from when on a promise that holds nothing any more is forgotten."""
    if promise.state in ("refused", "released") or (promise.state == "allocated" and not promise.is_open):
        promise.forget_ms = log.from_now(log.limits.reservation_keep_seconds, promise.order_ms)


def standing(promise: Promise) -> dict[Any, int]:
    """Open units by (SKU, location, backordered)."""
    units: dict[Any, int] = {}
    for part in promise.parts:
        if part.open:
            key = (part.sku, part.location, part.back)
            units[key] = units.get(key, 0) + part.open
    return units
