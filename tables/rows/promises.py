"""Reservations: the recorded decision on a command, its parts, and each change of them."""

from __future__ import annotations

from msgspec import Struct

from tables.rows.base import Row


class RaisedAlert(Struct, frozen=True, gc=False, array_like=True):
    sku: str
    location: str
    kind: str
    available: int
    shortage: int
    reorder_point: int
    lot: str = ""
    order_id: str = ""
    units: int = 0
    note: str = ""


class ReservedLine(Struct, frozen=True, gc=False, array_like=True):
    """A part of a command's line: units at one location; or (`reason`) units that were refused.

    Parts are only ever added (a move, a fill): the place of a part among its row's lines names it for good.
    """

    sku: str
    quantity: int
    location: str  # where it was taken; "" if refused
    reason: str  # why it was refused; "" if not
    available: int  # what there was for this order when it was decided
    out: bool  # it ran out here, by this line or before it
    open: int  # units still held by this part
    back: bool  # backordered: promised here, without stock
    floor: str  # the earliest best-before its lots may have; "": any that is not expired
    fenced: int  # of `open`: taken from the channel's ring-fenced stock
    due: str  # the day a backordered part is promised for


class Change(Struct, frozen=True, gc=False, array_like=True):
    """One change of a reservation: `amounts` units per part moved from the `before` counter to the `after` one.

    Of a part with stock: claimed, held, allocated. Of a backordered one: backordered, entered from "" or by "back",
    left to "released" or from "back". A move adds signed amounts to `claimed` (before is "").
    `fenced`: per part, units taken from the ring fence (negative: given back); empty: none.
    """

    at: int
    before: str
    after: str
    amounts: tuple[int, ...]
    fenced: tuple[int, ...]
    alerts: tuple[RaisedAlert, ...]


class ReservationRow(Row):
    """`res|ORDER|ATTEMPT`: the recorded decision, and each change with its place."""

    order_id: str
    attempt: int
    order_partition: int
    channel: str
    state: str  # claimed, held, allocated, released, refused, deleted; `released`, asked 0: before it was asked
    asked: int  # place of the reserve command; 0: none yet
    asked_ms: int  # broker time of it
    first_location: str
    day: str
    hour: int
    demand: bool
    lines: tuple[ReservedLine, ...]
    wanted: tuple[tuple[str, int], ...]  # the command's lines
    could: tuple[int, ...]  # per wanted line: locations that covered it whole, as bits
    changes: tuple[Change, ...]
    seen: tuple[str, ...]  # ids of partial releases, backorders applied
    moved: int  # place of the move command; 0: none
    moved_ok: bool
    order_ms: int  # state time of the order partition when it asked
    forget_ms: int  # state time from which it counts as never there; 0: open; negative: from the first tick
