"""Records of the published topics: decisions, documents, levels, alerts, demand, forecasts, reorders.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from tables.records.types import Record


class DecidedLine(Struct, frozen=True, gc=False, omit_defaults=True):
    sku: str
    quantity: int
    location: str = ""
    reason: str = ""  # of a refused line
    available: int | None = None
    backordered: int = 0  # of `quantity`: promised without stock


class OrderDecided(Record, tag="order_decided"):
    """`reservations`: one decision per order, and later what cancellations gave back.

    `status`: confirmed, rejected or expired (one per order), or later cancelled (`lines`: the units given back) or
    edited (`lines`: the order as it is now). `offset`, `index`: the record of the order log that decided.
    """

    order_id: str
    channel: str
    status: Literal["confirmed", "rejected", "expired", "cancelled", "edited"]
    reason: str
    lines: list[DecidedLine]
    occurred_at: str
    decided_at: str
    attempt: int
    partition: int
    offset: int
    index: int


class StatusLine(Struct, frozen=True, gc=False):
    """Units of a SKU at one location: quantity = open + allocated + shipped + cancelled, always.

    `open`: undecided or backordered. `picked`: of the allocated ones, in somebody's hands. `returned`: of the shipped
    ones, inspected after they came back.
    """

    sku: str
    quantity: int
    location: str
    open: int
    allocated: int
    shipped: int
    cancelled: int
    returned: int
    due: str
    picked: int = 0


class FulfilmentStatus(Struct, frozen=True, gc=False):
    """What one location does for the order."""

    location: str
    state: str  # confirmed, picked, packed, shipped, delivered
    cartons: list[str]
    tracking: list[str]
    tracking_status: str


class ReturnStatus(Struct, frozen=True, gc=False):
    return_id: str
    state: str  # authorized, received, inspected
    units: int


class OrderStatus(Record, tag="order_status"):
    """`order-status`: the order as it stands. `version`: [log id, offset, index]; readers keep the highest.

    `payment`: none, pending, authorized, captured, failed, partially_refunded, refunded, voided. `payment_wanted`:
    capture, refund or void; what whoever talks to the bank has to do now. `sourcing`: why these locations.
    """

    order_id: str
    channel: str
    status: str
    reason: str
    payment: str
    payment_wanted: str
    policy: str
    sourcing: str
    checks: list[str]
    lines: list[StatusLine]
    fulfilments: list[FulfilmentStatus]
    returns: list[ReturnStatus]
    kits: dict[str, int]
    exchange_of: str
    attempt: int
    occurred_at: str
    decided_at: str
    late: list[str]
    version: tuple[int, int, int]


class LotLevel(Struct, frozen=True, gc=False):
    """`status`: approved, inspection, on_hold, recalled or expired. `blocked`: of `on_hand`, damaged or quarantined."""

    lot: str
    best_before: str
    on_hand: int
    status: str = "approved"
    blocked: int = 0


class ChannelLevel(Struct, frozen=True, gc=False):
    """What a channel with stock of its own, or a buffer, may take. `ring_fence`: what is left of its own."""

    channel: str
    available: int
    ring_fence: int
    buffer: int


class IncomingLevel(Struct, frozen=True, gc=False):
    reference: str
    kind: str  # purchase or transfer
    quantity: int  # still to come
    expected: str
    confirmed: bool


class Promise(Struct, frozen=True, gc=False):
    """Units that can be promised for this day (ATP); `day` "": now."""

    day: str
    quantity: int


class Accuracy(Struct, frozen=True, gc=False):
    """How good the books were when they were counted: counts, of them exact; units counted, of them off."""

    counts: int
    exact: int
    units: int
    off: int


class LocationLevel(Struct, frozen=True, gc=False):
    """on_hand = available + reserved + allocated + safety_stock + unavailable; `shortage`: owed and not coverable."""

    location: str
    on_hand: int
    available: int
    reserved: int
    allocated: int
    safety_stock: int
    unavailable: int
    shortage: int
    reorder_point: int
    lots: list[LotLevel]
    version: tuple[int, int, int]
    backordered: int = 0
    open_to_all: int = 0  # of `available`: what a channel without stock of its own may take
    channels: list[ChannelLevel] = []
    incoming: list[IncomingLevel] = []
    promise: list[Promise] = []
    accuracy: Accuracy | None = None
    out_since: str = ""  # since when it is out of stock


class StockLevels(Record, tag="stock_levels"):
    """`stock-levels`: a SKU over its locations. `available` is their sum; readers keep the highest `version`."""

    sku: str
    available: int
    on_hand: int
    flavor: str
    packaging: str
    size: str
    gtin: str
    discontinued: bool
    locations: list[LocationLevel]
    version: tuple[int, int, int]
    case_units: int = 0  # units a case holds


class Alert(Record, tag="alert"):
    """`alerts`: low, out, restored (with hysteresis); shortage and covered; recount (a count too old, or too far off);
    expiring (a lot inside its alert window); discrepancy (a transfer or a purchase); recalled (units frozen);
    paid_unallocated (money for an order that holds nothing)."""

    sku: str
    location: str
    kind: Literal[
        "low", "out", "restored", "shortage", "covered", "recount", "expiring", "discrepancy", "recalled",
        "paid_unallocated",
    ]  # fmt: skip
    available: int
    shortage: int
    reorder_point: int
    version: tuple[int, int, int]
    lot: str = ""
    order_id: str = ""
    units: int = 0  # the kind's own: expiring, frozen, missing
    note: str = ""


class Demand(Record, tag="demand"):
    """`demand`: units asked for on one day (first attempts only), and the UTC hours of it in which there was no stock:
    those in which an order met none, and those of stock-outs that are over (an open one: `stock-levels`, `out_since`).

    `cancelled`: units ordered on this day that were promised and given back, on whatever day, at the location that gave
    them back: an order may have been moved there after it was counted as `ordered` elsewhere, so net them over a SKU's
    locations. `shipped` and `returned`: units that left and came back on this day. Days are those on which it happened,
    told late or not.
    """

    sku: str
    location: str
    day: str
    ordered: int
    orders: int
    refused: int
    stockout_hours: list[int]
    version: tuple[int, int, int]
    cancelled: int = 0
    shipped: int = 0
    returned: int = 0


class Forecast(Record, tag="forecast"):
    """`forecasts`: one run's quantile forecasts of a SKU at a location, a list entry per day."""

    sku: str
    location: str
    run: str
    model: str
    status: str  # ok, or insufficient_data
    days: list[str]
    mean: list[float]
    q50: list[float]
    q90: list[float]
    q95: list[float]
    q99: list[float]


class Reorder(Record, tag="reorder"):
    """`reorders`: what to buy or move, when, and why, in words with its figures.

    `kind` transfer: bring `quantity` units from `from_location`. `cost_cents`: of `quantity`; 0: not known.
    `needed`: units up to `order_up_to`, before packs, minimum, shelf life, budget and what the centre has.
    """

    sku: str
    location: str
    run: str
    quantity: int
    order_by: str
    reorder_point: int
    order_up_to: int
    position: int
    lead_days: int
    reason: str
    kind: Literal["purchase", "transfer"] = "purchase"
    supplier: str = ""
    from_location: str = ""
    needed: int = 0
    cost_cents: int = 0
    expected: str = ""  # the day it would be there


class ForecastAlert(Record, tag="forecast_alert"):
    """`forecast-alerts`: what is going to be wrong with the stock of a SKU at a location, as it stands.

    stockout_predicted: `probability` that stock does not last until the next possible receipt (`until`); `day`: when it
    is expected to be gone. overstock: `units` more than would sell within shelf life, or the days the forecaster
    allows. expiring_before_sold: `units` of lots up to best-before `until` that are not expected to sell until then.
    """

    sku: str
    location: str
    kind: Literal["stockout_predicted", "overstock", "expiring_before_sold"]
    state: Literal["raised", "cleared"]
    run: str
    probability: float = 0.0
    units: int = 0
    stock: int = 0
    day: str = ""
    until: str = ""
    note: str = ""
