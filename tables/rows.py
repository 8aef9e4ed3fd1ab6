"""Rows: what a partition remembers. Their keys, fields and bytes.

Every row starts with `at`, the place in the log of the last record that changed it. An outcome row (a reservation, a
fact, an order) also lists what else its records changed, and is written before those rows.
Guarantees: frozen, canonical bytes (MessagePack arrays in field order; no dicts, no floats). Units: whole units, `*_ms`
state time in milliseconds. Does not belong here: rules, versions on the wire, writers.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from tables.records import Limits

PARTITION_KEY = "partition"


class Row(Struct, frozen=True, gc=False, array_like=True):
    at: int


class PartitionRow(Row):
    """`partition`: how far the log was applied, and the state that belongs to the log itself."""

    log_id: int
    partition: int
    partitions: int
    logic_version: int
    limits: Limits
    state_ms: int  # state time; 0 until the first tick
    first_ms: int  # state time of the first tick: deadlines of orders that came before it count from there


# -- stock -------------------------------------------------------------------------------------------------------------


class SkuRow(Row):
    """`sku|SKU`: the master, and the policy for locations to come."""

    sku: str
    flavor: str
    packaging: str
    size: str
    gtin: str
    discontinued: bool
    reorder_point: int
    hysteresis: int
    safety_stock: int


class StockRow(Row):
    """`stock|SKU|LOCATION`: counters of which everything else is derived (`ledger.quantities`)."""

    sku: str
    location: str
    on_hand: int
    unavailable: int
    claimed: int  # by orders that are undecided
    held: int  # by orders that wait for payment or a check
    allocated: int  # owed to confirmed orders
    safety_stock: int  # as the policy asks; what is withheld is derived
    reorder_point: int
    hysteresis: int
    level: str  # ok, low or out: what was last alerted
    short: bool  # a shortage alert is open


class LotRow(Row):
    """`lot|SKU|LOCATION|LOT`: units of one batch, and its last movements as (place, units)."""

    sku: str
    location: str
    lot: str
    best_before: str  # "" if unknown: goes out last
    received: int  # place of its first receipt
    on_hand: int
    moves: tuple[tuple[int, int], ...]


class DemandRow(Row):
    """`demand|SKU|LOCATION|DAY`: units asked for, first attempts only. `hours`: bit h = ran out in UTC hour h."""

    sku: str
    location: str
    day: str
    ordered: int
    orders: int
    refused: int
    hours: int


class RaisedAlert(Struct, frozen=True, gc=False, array_like=True):
    sku: str
    location: str
    kind: str
    available: int
    shortage: int
    reorder_point: int


class ReservedLine(Struct, frozen=True, gc=False, array_like=True):
    sku: str
    quantity: int
    location: str  # where it was taken; "" if refused
    reason: str  # why it was refused; "" if not
    available: int  # what there was when it was decided
    out: bool  # it ran out here, by this line or before it
    open: int  # units still held by this reservation


class Change(Struct, frozen=True, gc=False, array_like=True):
    """One change of a reservation: `amounts` units per line moved from the `before` counter to the `after` one."""

    at: int
    before: str
    after: str
    amounts: tuple[int, ...]
    alerts: tuple[RaisedAlert, ...]


class ReservationRow(Row):
    """`res|ORDER|ATTEMPT`: the recorded decision, and each change with its place."""

    order_id: str
    attempt: int
    order_partition: int
    state: str  # claimed, held, allocated, released, refused, deleted; `released`, asked 0: before it was asked
    asked: int  # place of the reserve command; 0: none yet
    asked_ms: int  # broker time of it
    first_location: str
    day: str
    hour: int
    lines: tuple[ReservedLine, ...]
    changes: tuple[Change, ...]
    seen: tuple[str, ...]  # ids of partial releases applied
    order_ms: int  # state time of the order partition when it asked
    forget_ms: int  # state time from which it counts as never there; 0: open; negative: from the first tick


class StockEffect(Struct, frozen=True, gc=False, array_like=True, tag="s"):
    """Signed units added to the counters of `stock|SKU|LOCATION`."""

    sku: str
    location: str
    on_hand: int
    allocated: int


class LotEffect(Struct, frozen=True, gc=False, array_like=True, tag="l"):
    sku: str
    location: str
    lot: str
    best_before: str
    on_hand: int


class ShipEffect(Struct, frozen=True, gc=False, array_like=True, tag="r"):
    """`quantity` units of a line left the reservation, because they were shipped."""

    order_id: str
    attempt: int
    sku: str
    quantity: int


class PolicyEffect(Struct, frozen=True, gc=False, array_like=True, tag="p"):
    sku: str
    location: str
    reorder_point: int
    hysteresis: int
    safety_stock: int


Effect = StockEffect | LotEffect | ShipEffect | PolicyEffect


class FactRow(Row):
    """`fact|ID`: a fact applied once. `missing`: units it took that the books did not have."""

    digest: bytes
    effects: tuple[Effect, ...]
    alerts: tuple[RaisedAlert, ...]
    missing: int


# -- orders ------------------------------------------------------------------------------------------------------------


class OrderLine(Struct, frozen=True, gc=False, array_like=True):
    sku: str
    quantity: int
    location: str
    shipped: int
    cancelled: int

    @property
    def open(self) -> int:
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
    lot: str


class Entry(Struct, frozen=True, gc=False, array_like=True):
    """What the record at `at` made the order agent say: enough to say the same again, word for word."""

    at: int
    kind: str  # ask, give_back, later, hold, decide, cancel, ship
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


class OrderRow(Row):
    """`order|ORDER_ID`: the order and all it has said. Deadlines: 0 none; negative: from the first tick."""

    order_id: str
    state: str
    channel: str
    payment: str  # none, pending, captured, failed
    payment_seconds: int
    checks: tuple[str, ...]
    check_failed: bool
    occurred_at: str
    digest: bytes
    deadline_ms: int
    attempt: int
    locations: tuple[str, ...]
    lines: tuple[OrderLine, ...]
    awaited: tuple[int, ...]  # warehouse partitions whose answer to this attempt is missing
    granted: tuple[int, ...]
    refused: tuple[RefusedLine, ...]
    reason: str
    decided_ms: int
    entries: tuple[Entry, ...]
    seen: tuple[SeenFact, ...]
    waiting: tuple[WaitingCancel, ...]
    late: tuple[str, ...]
    forget_ms: int  # as a reservation's


TYPES: dict[str, type[Row]] = {
    "partition": PartitionRow,
    "sku": SkuRow,
    "stock": StockRow,
    "lot": LotRow,
    "demand": DemandRow,
    "res": ReservationRow,
    "fact": FactRow,
    "order": OrderRow,
}
_WRITTEN_FIRST = "fro"  # facts, then reservations (a shipment counts in one) and orders; then what they count in


def in_writing_order(rows: dict[str, Any]) -> list[tuple[str, Any]]:
    """Changed rows as a checkpoint writes them: outcome rows before the rows that count them; the partition row, which
    says that all before it are there, is for the caller to write last."""
    kinds: dict[str, list[tuple[str, Any]]] = {kind: [] for kind in _WRITTEN_FIRST}
    others: list[tuple[str, Any]] = []
    for key, row in rows.items():
        kinds.get(key[0], others).append((key, row))
    return [*(item for kind in _WRITTEN_FIRST for item in kinds[kind]), *others]

encode = msgspec.msgpack.Encoder().encode
_decoders = {kind: msgspec.msgpack.Decoder(row) for kind, row in TYPES.items()}


def decode(key: str, payload: bytes) -> Any:
    """The row that these bytes hold; which type says the key."""
    return _decoders[key.partition("|")[0]].decode(payload)


def sku_key(sku: str) -> str:
    return f"sku|{sku}"


def stock_key(sku: str, location: str) -> str:
    return f"stock|{sku}|{location}"


def lot_key(sku: str, location: str, lot: str) -> str:
    return f"lot|{sku}|{location}|{lot}"


def demand_key(sku: str, location: str, day: str) -> str:
    return f"demand|{sku}|{location}|{day}"


def reservation_key(order_id: str, attempt: int) -> str:
    return f"res|{order_id}|{attempt}"


def fact_key(fact_id: str) -> str:
    return f"fact|{fact_id}"


def order_key(order_id: str) -> str:
    return f"order|{order_id}"
