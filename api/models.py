"""What the API answers, as types: OpenAPI is made of them.

Does not belong here: where the answers come from. The records of the topics stand in `tables.records`; these say what
of them a client may count on.
"""

from __future__ import annotations

from typing import Annotated, get_args, get_type_hints

from pydantic import BaseModel, Field, StringConstraints

from tables import records as r
from tables.records import SKU_PATTERN

MANY_MAX = 500  # SKUs asked for at once
ALERT_KINDS = get_args(get_type_hints(r.Alert)["kind"])
Version = tuple[int, int, int]
OneSku = Annotated[str, StringConstraints(pattern=SKU_PATTERN)]


class AsOf(BaseModel):
    """How fresh an answer is: the last record of a partition that it takes into account."""

    topic: str
    partition: int
    offset: int | None = Field(description="Of the last record applied; null: none yet")
    time: str | None = Field(description="When that record was written (RFC 3339)")
    lag: int | None = Field(description="Records written and not applied yet; null: the broker does not answer")


class Lot(BaseModel):
    lot: str
    best_before: str = Field(description="Empty: none given")
    on_hand: int
    status: str = Field(examples=["approved", "inspection", "on_hold", "recalled", "expired"])
    blocked: int = Field(description="Of on_hand: damaged or quarantined")


class ChannelStock(BaseModel):
    """What a channel with stock of its own, or a buffer, may take."""

    channel: str
    available: int = Field(description="What this channel may take now, its own units included")
    ring_fence: int = Field(description="Units only this channel may take: what is left of them")
    buffer: int = Field(description="Units this channel may not take")


class Incoming(BaseModel):
    reference: str
    kind: str = Field(examples=["purchase", "transfer"])
    quantity: int = Field(description="Still to come; part of no on_hand")
    expected: str = Field(description="The day; empty: nobody said")
    confirmed: bool = Field(description="Only confirmed units count in what can be promised by date")


class DayPromise(BaseModel):
    """Units that can be promised for this day: what is available, and confirmed incoming up to then."""

    day: str = Field(description="Empty: now")
    quantity: int


class CountAccuracy(BaseModel):
    """How good the books were when they were counted."""

    counts: int
    exact: int = Field(description="Of the counts: those that found what the books said")
    units: int = Field(description="Units counted, or on the books where that was more")
    off: int = Field(description="Units by which the books were wrong, up or down")


class LocationStock(BaseModel):
    """on_hand = available + reserved + allocated + safety_stock + unavailable."""

    location: str
    on_hand: int
    available: int
    reserved: int = Field(description="Claimed by orders that are not settled yet")
    allocated: int = Field(description="Owed to confirmed orders, not shipped")
    safety_stock: int
    unavailable: int = Field(description="Damaged, in inspection, on hold, expired, recalled")
    shortage: int = Field(description="Owed and not coverable; part of none of the others")
    backordered: int = Field(description="Promised without stock; part of none of the others")
    open_to_all: int = Field(description="Of available: what a channel without stock of its own may take")
    reorder_point: int
    lots: list[Lot]
    channels: list[ChannelStock] = Field(description="Only channels with stock of their own, or a buffer")
    incoming: list[Incoming]
    promise: list[DayPromise] = Field(description="What can be promised by date, first day first; never falling")
    accuracy: CountAccuracy | None = Field(description="null: never counted")
    out_since: str = Field(description="Since when it is out of stock; empty: it is not")
    version: Version


class SkuStock(BaseModel):
    sku: str
    available: int
    on_hand: int
    flavor: str
    packaging: str
    size: str
    gtin: str
    discontinued: bool
    locations: list[LocationStock]
    case_units: int = Field(0, description="Units a case holds; 0: not told")
    version: Version = Field(description="Log id, offset, index of the last change")


class StockOfOne(BaseModel):
    stock: SkuStock
    as_of: list[AsOf]


class LocationPromise(BaseModel):
    location: str
    day: str | None = Field(description="The first day on which this location alone can promise it; null: none known")


class PromiseAnswer(BaseModel):
    """Not a reservation: only an order that is decided holds units."""

    sku: str
    quantity: int
    day: str | None = Field(
        description="The first day on which the locations together can promise it; null: none known"
    )
    locations: list[LocationPromise]
    as_of: list[AsOf]


class StockOfMany(BaseModel):
    items: list[SkuStock]
    unknown: list[str] = Field(description="SKUs asked for that have no stock level")
    as_of: list[AsOf]


class StockPage(BaseModel):
    items: list[SkuStock]
    next: str | None = Field(description="Give it as `after` for the next page; null: this was the last")
    total: int
    as_of: list[AsOf]


class StockQuery(BaseModel):
    skus: list[OneSku] = Field(min_length=1, max_length=MANY_MAX, examples=[["JRK-ORIG-50"]])


class LocationSummary(BaseModel):
    location: str
    skus: int


class Locations(BaseModel):
    items: list[LocationSummary]
    as_of: list[AsOf]


class StockAtLocation(LocationStock):
    sku: str


class LocationPage(BaseModel):
    location: str
    items: list[StockAtLocation]
    next: str | None
    as_of: list[AsOf]


class OrderLine(BaseModel):
    """Units of a SKU at one location: quantity = open + allocated + shipped + cancelled, always."""

    sku: str
    quantity: int
    location: str = Field(description="Empty: not granted")
    open: int = Field(description="Undecided, waiting for payment or a check, or backordered")
    allocated: int = Field(description="Owed, not shipped")
    shipped: int
    cancelled: int = Field(description="Given back, or never granted")
    returned: int = Field(description="Of the shipped ones: inspected after they came back")
    due: str = Field(description="The day backordered units are promised for; empty: none")


class Fulfilment(BaseModel):
    """What one location does for the order."""

    location: str
    state: str = Field(examples=["confirmed", "picked", "packed", "shipped", "delivered"])
    cartons: list[str]
    tracking: list[str] = Field(description="Numbers of its parcels")
    tracking_status: str = Field(
        description="Empty: no parcel yet",
        examples=["pre_transit", "in_transit", "out_for_delivery", "delivered", "return_to_sender", "failure"],
    )


class Return(BaseModel):
    return_id: str
    state: str = Field(examples=["authorized", "received", "inspected"])
    units: int


class Order(BaseModel):
    order_id: str
    channel: str
    status: str = Field(examples=[
        "pending", "on_hold", "confirmed", "partially_picked", "picked", "partially_packed", "packed",
        "partially_shipped", "shipped", "delivered", "rejected", "expired", "cancelled", "returned",
        "paid_unallocated",
    ])  # fmt: skip
    reason: str
    payment: str = Field(examples=[
        "none", "pending", "authorized", "captured", "failed", "partially_refunded", "refunded", "voided",
    ])  # fmt: skip
    payment_wanted: str = Field(
        description="What has to be done about the money now; empty: nothing", examples=["capture", "refund", "void"]
    )
    policy: str = Field(
        description="What happens when not all of it is there",
        examples=["all_or_nothing", "ship_available", "backorder"],
    )
    sourcing: str = Field(description="Which locations serve it, and why these", examples=["one location: AUSTIN"])
    checks: list[str] = Field(description="Checks that are open")
    lines: list[OrderLine]
    fulfilments: list[Fulfilment]
    returns: list[Return]
    kits: dict[str, int] = Field(description="Kits that were ordered; the lines hold their parts")
    exchange_of: str = Field(description="The order whose return this one replaces; empty: none")
    attempt: int
    occurred_at: str
    decided_at: str = Field(description="Empty: not decided yet")
    late: list[str] = Field(description="Facts that came too late to change anything")
    version: Version


class OrderAnswer(BaseModel):
    order: Order
    as_of: list[AsOf]


class OrderSummary(BaseModel):
    order_id: str
    channel: str
    status: str
    payment: str
    payment_wanted: str
    units: int = Field(description="Of all its lines")
    fulfilments: list[Fulfilment]
    returns: list[Return]
    time: str = Field(description="When it last asked, decided or said something")
    version: Version


class OrderPage(BaseModel):
    items: list[OrderSummary]
    next: int | None = Field(description="Give it as `before` for the next page; null: this was the last")
    kept: int = Field(description="Orders this view keeps, by last change")
    as_of: list[AsOf]


class DecidedLine(BaseModel):
    sku: str
    quantity: int
    location: str = ""
    reason: str = Field(default="", description="Of a refused line")
    available: int | None = Field(default=None, description="Of a refused line: units there were for this order")
    backordered: int = Field(default=0, description="Of quantity: promised without stock")


class Decision(BaseModel):
    order_id: str
    channel: str
    status: str = Field(
        description="One of the first three per order; cancelled and edited say what changed after that",
        examples=["confirmed", "rejected", "expired", "cancelled", "edited"],
    )
    reason: str
    lines: list[DecidedLine]
    occurred_at: str
    decided_at: str
    attempt: int


class Decisions(BaseModel):
    items: list[Decision]
    as_of: list[AsOf]


class Alert(BaseModel):
    id: str
    time: str = Field(default="", description="Empty: before the first tick")
    sku: str
    location: str
    kind: str = Field(examples=list(ALERT_KINDS))
    available: int
    shortage: int
    reorder_point: int
    lot: str = Field(default="", description="Of expiring and recalled")
    order_id: str = Field(default="", description="Of paid_unallocated")
    units: int = Field(default=0, description="The kind's own: expiring, frozen, missing, off, paid for")
    note: str = ""


class Alerts(BaseModel):
    items: list[Alert]
    as_of: list[AsOf]


class OwedOrder(BaseModel):
    order_id: str
    channel: str
    status: str
    decided_at: str = Field(description="When the units were promised")
    units: int = Field(description="Allocated here and not shipped")
    uncovered: int = Field(description="Of units: not there, if the oldest promise is kept first")


class Shortage(BaseModel):
    """A work item: open as long as the stock level says so."""

    sku: str
    location: str
    owner: str = Field(description="Who has to find a way: the location")
    shortage: int = Field(description="Units owed and not there")
    owed: int = Field(description="Units that the orders of this view are still owed here")
    orders: list[OwedOrder] = Field(description="Oldest promise first; at most 100")
    orders_total: int


class Shortages(BaseModel):
    items: list[Shortage]
    next: str | None = Field(description="Give it as `after` for the next page; null: this was the last")
    as_of: list[AsOf]


class Forecast(BaseModel):
    sku: str
    location: str
    run: str
    model: str
    status: str = Field(examples=["ok", "insufficient_data"])
    days: list[str]
    mean: list[float]
    q50: list[float]
    q90: list[float]
    q95: list[float]
    q99: list[float]


class Forecasts(BaseModel):
    items: list[Forecast]
    next: str | None
    as_of: list[AsOf]


class ReorderDecision(BaseModel):
    """What somebody, or a rule, decided about a recommendation."""

    decision: str = Field(examples=["accepted", "dismissed"])
    quantity: int = Field(0, description="Units that were taken")
    recommended: int = 0
    reference: str | None = Field(None, description="Of the purchase order or the transfer")
    by: str = ""
    reason: str = ""
    decided_at: str | None = None


class Reorder(BaseModel):
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
    kind: str = Field("purchase", examples=["purchase", "transfer"])
    supplier: str = Field("", description="Empty: nobody said")
    from_location: str = Field("", description="Of a transfer")
    needed: int = Field(0, description="Before packs, minimum, shelf life, budget and what the centre has")
    cost_cents: int = Field(0, description="Of quantity; 0: not known")
    expected: str = Field("", description="The day it would be there")
    decision: ReorderDecision | None = Field(None, description="Null: nobody has decided yet")


class ForecastAlert(BaseModel):
    """What is going to be wrong with stock, while there is time to do something about it."""

    sku: str
    location: str
    kind: str = Field(examples=["stockout_predicted", "overstock", "expiring_before_sold"])
    run: str
    probability: float = 0.0
    units: int = Field(0, description="Short, or too many")
    stock: int = 0
    day: str = Field("", description="When it is expected")
    until: str = Field("", description="The day it is judged by")
    note: str = Field("", description="The same in words")


class ForecastAlerts(BaseModel):
    items: list[ForecastAlert]
    next: str | None
    as_of: list[AsOf]


class Reorders(BaseModel):
    items: list[Reorder]
    next: str | None
    as_of: list[AsOf]


class DemandDay(BaseModel):
    sku: str
    location: str
    day: str
    ordered: int
    cancelled: int = Field(0, description="Units of that day that were promised, and given back here on whatever day")
    shipped: int = Field(0, description="Left on this day")
    returned: int = Field(0, description="Came back on this day")
    orders: int
    refused: int
    stockout_hours: list[int]


class DemandOfSku(BaseModel):
    items: list[DemandDay]
    as_of: list[AsOf]


class Counters(BaseModel):
    """Decisions since this view began (it reads the whole topic), and the orders that wait."""

    orders_per_second: float
    confirmed: int
    rejected: int
    expired: int
    cancelled: int = Field(description="Records of units given back after a decision")
    on_hold: int
    pending: int
    skus: int


class Live(BaseModel):
    alive: bool


class HaltedPartition(BaseModel):
    topic: str
    partition: int
    offset: int | None
    reason: str
    remedy: str


class Ready(BaseModel):
    ready: bool
    trouble: str = Field(description="Empty: none")
    halted: list[HaltedPartition] = Field(description="Partitions that a worker halted; the others go on")


class WorkerPartition(BaseModel):
    topic: str
    partition: int
    state: str = Field(examples=["ready", "recovering", "halted"])
    offset: int | None = None
    reason: str = ""
    remedy: str = ""


class Worker(BaseModel):
    pid: int
    role: str
    answers: bool
    ready: bool
    partitions: list[WorkerPartition]


class Status(BaseModel):
    ready: bool = Field(description="The view is, a worker is, and no partition is halted or recovering")
    view_ready: bool
    trouble: str
    workers: list[Worker]
    counters: Counters
    unreadable: int = Field(description="Published records that could not be read")
    live_clients: int
    as_of: list[AsOf]
