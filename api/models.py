"""What the API answers, as types: OpenAPI is made of them.

Does not belong here: where the answers come from. The records of the topics stand in `tables.records`; these say what
of them a client may count on.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field, StringConstraints

from tables.records import SKU_PATTERN

MANY_MAX = 500  # SKUs asked for at once
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


class LocationStock(BaseModel):
    """on_hand = available + reserved + allocated + safety_stock + unavailable."""

    location: str
    on_hand: int
    available: int
    reserved: int = Field(description="Claimed by orders that are not settled yet")
    allocated: int = Field(description="Owed to confirmed orders, not shipped")
    safety_stock: int
    unavailable: int = Field(description="Damaged, on hold, expired, recalled")
    shortage: int = Field(description="Owed and not coverable")
    reorder_point: int
    lots: list[Lot]
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
    version: Version = Field(description="Log id, offset, index of the last change")


class StockOfOne(BaseModel):
    stock: SkuStock
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
    sku: str
    quantity: int
    location: str = Field(description="Empty: not granted")
    shipped: int
    cancelled: int


class Order(BaseModel):
    order_id: str
    channel: str
    status: str = Field(examples=["pending", "on_hold", "confirmed", "rejected", "expired", "cancelled", "shipped"])
    reason: str
    payment: str
    checks: list[str] = Field(description="Checks that are open")
    lines: list[OrderLine]
    attempt: int
    occurred_at: str
    decided_at: str = Field(description="Empty: not decided yet")
    late: list[str] = Field(description="Facts that came too late to change anything")
    version: Version


class OrderAnswer(BaseModel):
    order: Order
    as_of: list[AsOf]


class Position(BaseModel):
    """A record of a log: the partition, the offset, and the place within a packed record."""

    topic: str
    partition: int
    offset: int
    index: int
    time: str = Field(description="When it was written (RFC 3339)")


class AskedLine(BaseModel):
    sku: str
    quantity: int


class Request(BaseModel):
    position: Position
    channel: str
    lines: list[AskedLine]
    locations: list[str] = Field(description="Where it may be served from, best first")
    payment: str
    checks: list[str]
    occurred_at: str


class SkuThere(AskedLine):
    levels: SkuStock | None = Field(description="Just before it was asked; null: the SKU was unknown")


class Rule(BaseModel):
    what: str = Field(examples=["policy of JRK-ORIG-50 at BERLIN"])
    position: str = Field(description="Since when it stood so, in the partition asked: OFFSET.INDEX")


class Granted(AskedLine):
    location: str


class Refused(AskedLine):
    reason: str = Field(examples=["insufficient", "contended", "unknown_sku"])
    available: int = Field(description="Units there were")


class Answered(BaseModel):
    granted: list[Granted]
    refused: list[Refused]
    position: Position | None = Field(description="Where the order log has it; null: not yet")


class Question(BaseModel):
    """One attempt at one partition of the stock log."""

    attempt: int
    position: Position
    locations: list[str]
    there: list[SkuThere]
    rules: list[Rule]
    answer: Answered | None


class Change(BaseModel):
    row: str
    field: str
    before: bool | int | str
    after: bool | int | str


class Event(BaseModel):
    position: Position
    type: str
    id: str
    text: str
    said: list[str] = Field(description="What it made the agents say")
    changes: list[Change]
    dead: str = Field(description="Why it was not applied; empty: it was")


class ExplainedDecision(BaseModel):
    position: Position
    status: str
    reason: str
    attempt: int


class Explanation(BaseModel):
    order_id: str
    log_id: int
    status: str
    asked: Request | None
    questions: list[Question]
    decision: ExplainedDecision | None = Field(description="null: undecided")
    happened: list[Event]


class ExplanationAnswer(BaseModel):
    explanation: Explanation
    as_of: list[AsOf]


class OrderSummary(BaseModel):
    order_id: str
    channel: str
    status: str
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
    reason: str = ""
    available: int | None = None


class Decision(BaseModel):
    order_id: str
    channel: str
    status: str
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
    kind: str = Field(examples=["low", "out", "restored", "shortage", "covered", "recount"])
    available: int
    shortage: int
    reorder_point: int


class Alerts(BaseModel):
    items: list[Alert]
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


class Reorders(BaseModel):
    items: list[Reorder]
    next: str | None
    as_of: list[AsOf]


class DemandDay(BaseModel):
    sku: str
    location: str
    day: str
    ordered: int
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
