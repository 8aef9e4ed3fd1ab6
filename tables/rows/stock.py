"""Rows of stock: SKUs, quantities, lots, batches, recalls, movements, what is expected, demand; and the rules of
channels and kits."""

from __future__ import annotations

from msgspec import Struct

from tables.rows.base import Row


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
    lots: tuple[tuple[str, int], ...]  # of a transfer: what is under way, by lot; closed: what never came
    state: str  # open, closed; early: received, and nobody has said that it was to come


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
    """`demand|SKU|LOCATION|DAY`: units asked for, first attempts only. `hours`: bit h = ran out in UTC hour h.

    `cancelled`: units of that day's orders that were given back here after they were promised, whenever that was.
    `shipped` and `returned`: units that left and came back on that day.
    """

    sku: str
    location: str
    day: str
    ordered: int = 0
    orders: int = 0
    refused: int = 0
    hours: int = 0
    cancelled: int = 0
    shipped: int = 0
    returned: int = 0
