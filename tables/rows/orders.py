"""The order and all it has said."""

from __future__ import annotations

from msgspec import Struct

from tables.rows.base import Row


class OrderLine(Struct, frozen=True, gc=False, array_like=True):
    """A part of an order's line: units at one location ("" until it is granted), held by one attempt's reservation.

    quantity = waiting + allocated + shipped + cancelled, always; `waiting` are undecided or backordered units.
    """

    sku: str
    quantity: int
    location: str
    shipped: int
    cancelled: int
    returned: int  # of the shipped ones, inspected
    back: int  # backordered
    due: str
    attempt: int  # whose reservation holds it; 0: nobody asked yet
    heard: int = 0  # place (of the stock log) of the last fill that it heard of

    @property
    def open(self) -> int:
        """Units that are still owed."""
        return self.quantity - self.shipped - self.cancelled


class RefusedLine(Struct, frozen=True, gc=False, array_like=True):
    sku: str
    quantity: int
    reason: str
    available: int


class EntryLine(Struct, frozen=True, gc=False, array_like=True):
    sku: str
    quantity: int
    location: str
    lot: str = ""
    note: str = ""  # how the lot is known, a disposition
    short: int = 0
    attempt: int = 0
    back: int = 0


class Entry(Struct, frozen=True, gc=False, array_like=True):
    """What the record at `at` made the order agent say: enough to say the same again, word for word."""

    at: int
    kind: str  # ask, give_back, later, hold, decide, cancel, ship, move, pick, trim, edit, back, return, early
    ms: int  # broker time of that record
    attempt: int
    partitions: tuple[int, ...] = ()
    status: str = ""
    reason: str = ""
    state_ms: int = 0
    hops: int = 0
    lines: tuple[EntryLine, ...] = ()


class WaitingCancel(Struct, frozen=True, gc=False, array_like=True):
    reason: str
    lines: tuple[tuple[str, int], ...]


class SeenFact(Struct, frozen=True, gc=False, array_like=True):
    id: str
    digest: bytes
    at: int  # place where it was taken: before that it was a dead letter, or never there


class KitLine(Struct, frozen=True, gc=False, array_like=True):
    """Kits of an order, and what each was exploded into when it was asked for. In an edit: how many more, or fewer."""

    kit: str
    quantity: int
    parts: tuple[tuple[str, int], ...]  # (SKU, units in one kit)
    whole: int  # of them, those that were granted whole and that nobody cancelled or edited away since


class Cover(Struct, frozen=True, gc=False, array_like=True):
    """Locations that cover this SKU's line whole, as bits over the order's locations."""

    sku: str
    bits: int


class Fulfilment(Struct, frozen=True, gc=False, array_like=True):
    """What one location does for an order."""

    location: str
    state: str  # confirmed, picked, packed, shipped, delivered
    cartons: tuple[str, ...]
    tracking: tuple[tuple[str, str], ...]  # (number, status)


class Return(Struct, frozen=True, gc=False, array_like=True):
    return_id: str
    state: str  # authorized, received, inspected
    lines: tuple[tuple[str, int], ...]  # units per SKU: allowed, then received, then inspected


class Edit(Struct, frozen=True, gc=False, array_like=True):
    """An edit that waits for stock's answers: units to add (asked for by `attempt`) and to take away, per SKU."""

    id: str
    attempt: int
    more: tuple[tuple[str, int], ...]
    less: tuple[tuple[str, int], ...]
    kits: tuple[KitLine, ...]  # what that is in kits


class WaitingEdit(Struct, frozen=True, gc=False, array_like=True):
    """An edit of an order that is not decided yet."""

    id: str
    lines: tuple[tuple[str, int], ...]


class OrderRow(Row):
    """`order|ORDER_ID`: the order and all it has said. Deadlines: 0 none; negative: from the first tick."""

    order_id: str
    state: str
    channel: str
    payment: str  # none, pending, authorized, captured, failed, partially_refunded, refunded, voided
    payment_seconds: int
    checks: tuple[str, ...]  # open ones; then, behind "", those that were passed before they were opened
    check_failed: bool
    occurred_at: str
    digest: bytes
    deadline_ms: int
    attempt: int  # the one that was asked for last
    policy: str
    locations: tuple[str, ...]
    kits: tuple[KitLine, ...]
    lines: tuple[OrderLine, ...]
    awaited: tuple[int, ...]  # warehouse partitions whose answer to this attempt is missing
    moving: tuple[int, ...]  # warehouse partitions whose answer to a move is missing
    granted: tuple[int, ...]
    refused: tuple[RefusedLine, ...]
    could: tuple[Cover, ...]
    sourcing: str
    reason: str
    decided_ms: int
    entries: tuple[Entry, ...]
    seen: tuple[SeenFact, ...]
    waiting: tuple[WaitingCancel, ...]
    edits: tuple[WaitingEdit, ...]
    edit: Edit | None
    fulfilments: tuple[Fulfilment, ...]
    returns: tuple[Return, ...]
    exchange_of: str
    late: tuple[str, ...]
    alerts: tuple[tuple[int, str], ...]  # (place, kind) of alerts it raised
    forget_ms: int  # as a reservation's
