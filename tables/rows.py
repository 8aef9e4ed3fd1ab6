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


class Policy(Struct, frozen=True, gc=False, array_like=True):
    """Stock policy of a SKU at a location, as `policy_set` tells it."""

    reorder_point: int = 0
    hysteresis: int = 0
    safety_stock: int = 0  # as asked; what is withheld is derived
    expiring_days: int = 0
    count_tolerance: int = 0
    backorder_limit: int = 0
    backorder_due: str = ""


class SkuRow(Row):
    """`sku|SKU`: the master, and the policy for locations to come."""

    sku: str
    flavor: str
    packaging: str
    size: str
    gtin: str
    discontinued: bool
    case_units: int
    channels: tuple[str, ...]  # that may sell it; empty: all
    policy: Policy


class Floor(Struct, frozen=True, gc=False, array_like=True):
    """Claimed units that need a lot with a best-before on this day or later (`day` is never "")."""

    day: str
    units: int


class Share(Struct, frozen=True, gc=False, array_like=True):
    """A channel's own stock: units only it may take (what is left of them), and units it may not take."""

    channel: str
    ring_fence: int
    buffer: int


class StockRow(Row):
    """`stock|SKU|LOCATION`: counters of which everything else is derived (`ledger.quantities`)."""

    sku: str
    location: str
    on_hand: int
    unavailable: int  # of on_hand: the sum over its lots (`lots.unavailable`)
    claimed: int  # by orders that are undecided
    held: int  # by orders that wait for payment or a check
    allocated: int  # owed to confirmed orders
    backordered: int  # promised without stock; part of nothing above
    policy: Policy
    level: str  # ok, low or out: what was last alerted
    short: bool  # a shortage alert is open
    floors: tuple[Floor, ...]  # of claimed, held and allocated, by day
    shares: tuple[Share, ...]  # by channel
    out_since_ms: int  # state time at which `level` became out; 0: it is not (or state time had not begun)
    outs: tuple[tuple[int, int], ...]  # the last 20 closed stock-out windows, state time in ms
    outs_at: int  # place of the record that closed the last of them


class LotRow(Row):
    """`lot|SKU|LOCATION|LOT`: units of one batch, and its last movements as (place, units)."""

    sku: str
    location: str
    lot: str
    best_before: str  # "" if unknown: goes out last
    received: int  # place of its first receipt
    on_hand: int
    blocked: int  # damaged or quarantined units, at most on_hand
    status: str  # approved, inspection, on_hold, recalled
    expired: bool
    warned: bool  # its `expiring` alert was told
    due: int  # ordinal of the day (date.toordinal) on which it expires or is to be warned of; 0: never
    moves: tuple[tuple[int, int], ...]


class BatchRow(Row):
    """`batch|SKU|LOT`: what is known of a production batch, wherever it is."""

    sku: str
    lot: str
    best_before: str
    produced: str
    supplier: str
    documents: tuple[str, ...]
    status: str  # approved, inspection or on_hold; a recall stands in its own row
    reason: str


class RecallRow(Row):
    """`recall|LOT`: the last recall of a lot in this partition."""

    lot: str
    id: str
    skus: tuple[str, ...]  # empty: every SKU
    reason: str
    mock: bool
    state: str  # open, closed
    opened_ms: int  # broker time
    closed_ms: int


class TraceRow(Row):
    """`trace|LOT|PLACE.N`: one movement of a lot, for good."""

    lot: str
    sku: str
    location: str
    kind: str  # received, adjusted, counted, picked, shipped, returned, transferred_out, transferred_in, made_into, ...
    units: int  # signed: of on_hand; picked and scrapped returns change none and tell the units all the same
    ms: int  # broker time
    occurred_at: str
    order_id: str
    channel: str
    known: str  # of shipped and picked: scanned, reported, presumed
    reference: str  # a document, a kit's "SKU lot", the other location


class IncomingRow(Row):
    """`incoming|SKU|LOCATION|REFERENCE`: units that are expected at a location."""

    sku: str
    location: str
    reference: str
    kind: str  # purchase, transfer
    source: str  # supplier, or the location they left
    ordered: int  # sent, for a transfer
    confirmed: int  # 0: not confirmed; a transfer is from the start
    notified: int
    received: int
    expected: str
    lots: tuple[tuple[str, int], ...]  # of a transfer: what is under way, by lot
    state: str  # open, closed


class CountRow(Row):
    """`count|SKU|LOCATION`: how good the books were when they were counted."""

    sku: str
    location: str
    counts: int
    exact: int
    units: int  # counted
    off: int  # absolute differences


class QueueRow(Row):
    """`queue|SKU|LOCATION|PLACE`: a backordered part; the oldest place is filled first. Units 0: done."""

    sku: str
    location: str
    order_id: str
    attempt: int
    units: int


class ChannelRow(Row):
    """`channel|CHANNEL`: its rules, in every partition of both logs."""

    channel: str
    locations: tuple[str, ...]
    minimum_life_days: int
    promise_days: int
    policy: str
    closed: bool


class KitRow(Row):
    """`kit|SKU`: what it is made of when it is sold; no parts: a product of its own."""

    kit: str
    parts: tuple[tuple[str, int], ...]


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
    StockEffect | LotEffect | ShipEffect | FillEffect | PolicyEffect | ShareEffect | BatchEffect | IncomingEffect
    | CountEffect | TraceEffect
)  # fmt: skip


class FactRow(Row):
    """`fact|ID`: a fact applied once; `expiry|PLACE`: what a tick made expire. `missing`: units it took that the books
    did not have. `more`: it found more than one step may change, and asks for the rest."""

    digest: bytes
    effects: tuple[Effect, ...]
    alerts: tuple[RaisedAlert, ...]
    missing: int
    more: bool


# -- orders ------------------------------------------------------------------------------------------------------------


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
    kind: str  # ask, give_back, later, hold, decide, cancel, ship, move, pick, trim, edit, back, return
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
    """Kits of an order, and what each was exploded into when it was placed."""

    kit: str
    quantity: int
    parts: tuple[tuple[str, int], ...]  # (SKU, units in one kit)


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
    checks: tuple[str, ...]
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


TYPES: dict[str, type[Row]] = {
    "partition": PartitionRow,
    "sku": SkuRow,
    "stock": StockRow,
    "lot": LotRow,
    "batch": BatchRow,
    "recall": RecallRow,
    "trace": TraceRow,
    "incoming": IncomingRow,
    "count": CountRow,
    "queue": QueueRow,
    "channel": ChannelRow,
    "kit": KitRow,
    "demand": DemandRow,
    "res": ReservationRow,
    "fact": FactRow,
    "expiry": FactRow,
    "order": OrderRow,
}
# Facts and expiries, then reservations (a shipment counts in one; with them recalls) and orders; then what they count
# in. Letters: the first of a kind's name.
_WRITTEN_FIRST = "fero"


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


def batch_key(sku: str, lot: str) -> str:
    return f"batch|{sku}|{lot}"


def recall_key(lot: str) -> str:
    return f"recall|{lot}"


def trace_key(lot: str, place: int, number: int) -> str:
    return f"trace|{lot}|{place:016x}.{number:03x}"


def incoming_key(sku: str, location: str, reference: str) -> str:
    return f"incoming|{sku}|{location}|{reference}"


def count_key(sku: str, location: str) -> str:
    return f"count|{sku}|{location}"


def queue_key(sku: str, location: str, place: int) -> str:
    return f"queue|{sku}|{location}|{place:016x}"


def channel_key(channel: str) -> str:
    return f"channel|{channel}"


def kit_key(sku: str) -> str:
    return f"kit|{sku}"


def expiry_key(place: int) -> str:
    return f"expiry|{place:016x}"


def order_key(order_id: str) -> str:
    return f"order|{order_id}"
