"""What a fact does to other rows, as its own row records it."""

from __future__ import annotations

from msgspec import Struct

from tables.rows.base import Row
from tables.rows.promises import RaisedAlert
from tables.rows.stock import Floor, Policy, Share


class StockEffect(Struct, frozen=True, gc=False, array_like=True, tag="s"):
    """Signed units added to the counters of `stock|SKU|LOCATION`."""

    sku: str
    location: str
    on_hand: int = 0
    unavailable: int = 0
    allocated: int = 0
    backordered: int = 0
    floors: tuple[Floor, ...] = ()  # signed units per day


class LotEffect(Struct, frozen=True, gc=False, array_like=True, tag="l"):
    """Signed units of a lot; and what it is from now on, as far as it changes (None: as it was)."""

    sku: str
    location: str
    lot: str
    on_hand: int = 0
    blocked: int = 0  # signed
    best_before: str | None = None
    status: str | None = None
    expired: bool | None = None
    warned: bool | None = None
    due: int | None = None


class ShipEffect(Struct, frozen=True, gc=False, array_like=True, tag="r"):
    """`quantity` units of a reservation's part (its number) left it, because they were shipped."""

    order_id: str
    attempt: int
    part: int
    quantity: int


class FillEffect(Struct, frozen=True, gc=False, array_like=True, tag="f"):
    """`quantity` units of a backordered part (its number) are reserved now, as a new part of its reservation."""

    order_id: str
    attempt: int
    part: int
    quantity: int
    queue: str  # key of its queue row
    waiting: int = 0  # units of the reservation that wait here after it
    heard: int = 0  # commands about single lines that the reservation had seen


class FreshFillEffect(FillEffect, frozen=True, gc=False, array_like=True, tag="g"):
    """A fill whose lots must live longer than those that were promised: the units leave later."""

    floor: str = ""


class PolicyEffect(Struct, frozen=True, gc=False, array_like=True, tag="p"):
    sku: str
    location: str
    policy: Policy


class ShareEffect(Struct, frozen=True, gc=False, array_like=True, tag="c"):
    sku: str
    location: str
    share: Share


class BatchEffect(Struct, frozen=True, gc=False, array_like=True, tag="b"):
    """What a batch is from now on, whole."""

    sku: str
    lot: str
    best_before: str
    produced: str
    supplier: str
    documents: tuple[str, ...]
    status: str
    reason: str


class IncomingEffect(Struct, frozen=True, gc=False, array_like=True, tag="i"):
    """What is expected from now on, whole."""

    sku: str
    location: str
    reference: str
    kind: str
    source: str
    ordered: int
    confirmed: int
    notified: int
    received: int
    expected: str
    lots: tuple[tuple[str, int], ...]
    state: str


class CountEffect(Struct, frozen=True, gc=False, array_like=True, tag="k"):
    """A count: units counted, and how many they were off."""

    sku: str
    location: str
    units: int
    off: int


class DemandEffect(Struct, frozen=True, gc=False, array_like=True, tag="d"):
    """Units that left, or came back, on one day."""

    sku: str
    location: str
    day: str
    shipped: int = 0
    returned: int = 0


class TraceEffect(Struct, frozen=True, gc=False, array_like=True, tag="t"):
    """A movement to remember (`trace|LOT|PLACE.N`, N: the effect's place among its record's)."""

    lot: str
    sku: str
    location: str
    kind: str
    units: int
    occurred_at: str = ""
    order_id: str = ""
    channel: str = ""
    known: str = ""
    reference: str = ""


Effect = (
    StockEffect | LotEffect | ShipEffect | FillEffect | FreshFillEffect | PolicyEffect | ShareEffect | BatchEffect
    | IncomingEffect | CountEffect | DemandEffect | TraceEffect
)  # fmt: skip


class FactRow(Row):
    """`fact|ID`: a fact applied once; `expiry|PLACE`: what a tick made expire. `missing`: units it took that the books
    did not have. `more`: it found more than one step may change, and asks for the rest."""

    digest: bytes
    effects: tuple[Effect, ...]
    alerts: tuple[RaisedAlert, ...]
    missing: int
    more: bool
