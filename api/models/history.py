"""What the API answers about the past, as types: why an order was decided so, what stock was.

Does not belong here: where the answers come from (`explanations`).
"""

from __future__ import annotations

from pydantic import BaseModel, Field

from api.models.common import AsOf
from api.models.orders import Order
from api.models.stock import SkuStock


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


class Rule(BaseModel):
    """A rule that a decision looked at: a SKU's, a channel's, a kit, a stock policy, a channel's share."""

    what: str = Field(examples=["policy of JRK-ORIG-50 at BERLIN"])
    text: str = Field(description="What it says", examples=["safety stock 4, backorders up to 10"])
    position: str = Field(
        description="Since when it stood so, in the partition asked: OFFSET.INDEX; empty: before its records that are "
        "left"
    )


class KitAsked(BaseModel):
    kit: str
    quantity: int
    parts: list[AskedLine] = Field(description="Of one kit")


class Request(BaseModel):
    position: Position
    channel: str
    lines: list[AskedLine]
    kits: list[KitAsked] = Field(description="Lines that were taken apart into SKUs")
    locations: list[str] = Field(description="Where it may be served from, best first: its own, or its channel's")
    policy: str = Field(examples=["all_or_nothing", "ship_available", "backorder"])
    payment: str
    checks: list[str]
    exchange_of: str = Field(description="The order whose return this one replaces; empty: none")
    occurred_at: str
    rules: list[Rule]


class Offer(BaseModel):
    """What a location had for the line."""

    location: str
    takes: int = Field(description="Units this channel may take there")
    good: int = Field(description="Units in lots that live long enough, promised to others or not")
    fits: int = Field(description="What the channel may take of them: what can be granted")
    covers: bool = Field(description="Whether it covers the line whole")


class LotThere(BaseModel):
    location: str
    lot: str
    best_before: str
    status: str
    on_hand: int
    blocked: int
    shippable: bool = Field(description="Whether its units could leave for this channel on the day they would")
    why: str = Field(description="Why not; empty: they could")


class SkuThere(AskedLine):
    levels: SkuStock | None = Field(description="Just before it was asked; null: the SKU was unknown")
    offers: list[Offer] = Field(description="Per location asked, best ranked first")
    lots: list[LotThere]


class Granted(AskedLine):
    location: str
    backordered: bool = Field(description="Promised there without stock")
    due: str = Field(description="The day a backordered part is promised for; empty: none is known")


class Refused(AskedLine):
    reason: str = Field(examples=["insufficient", "contended", "shelf_life", "unknown_sku"])
    available: int = Field(description="Units there were")


class Answered(BaseModel):
    granted: list[Granted]
    refused: list[Refused]
    why: list[str] = Field(description="Which rule chose or refused, a sentence each")
    position: Position | None = Field(description="Where the order log has it; null: not yet")


class Question(BaseModel):
    """One attempt at one partition of the stock log."""

    attempt: int
    position: Position
    channel: str
    policy: str
    day: str = Field(description="The day by the log's clock; empty: it had none yet")
    floor: str = Field(description="The earliest best-before a lot may have; empty: any that is not expired")
    locations: list[str]
    allowed: list[str] = Field(description="Of the locations, those its channel may be served from")
    there: list[SkuThere]
    rules: list[Rule]
    answer: Answered | None


class Change(BaseModel):
    row: str
    field: str
    before: bool | int | str
    after: bool | int | str


class LotMoved(BaseModel):
    """Units of a lot that the record moved or bound."""

    lot: str
    sku: str
    location: str
    kind: str = Field(examples=["picked", "shipped", "returned"])
    units: int
    known: str = Field(description="How the lot is known", examples=["scanned", "reported", "presumed"])
    reference: str


class Event(BaseModel):
    position: Position
    type: str
    id: str
    text: str
    said: list[str] = Field(description="What it made the agents say")
    lots: list[LotMoved]
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
    stands: Order | None = Field(description="As it stands now; null: it was not placed yet, or is forgotten")


class ExplanationAnswer(BaseModel):
    explanation: Explanation
    as_of: list[AsOf]


class Held(BaseModel):
    """Units of a SKU that an order's reservation held, or waited for."""

    order_id: str
    attempt: int
    channel: str
    state: str = Field(examples=["claimed", "held", "allocated"])
    units: int
    location: str
    backordered: bool
    due: str = Field(description="The day backordered units are promised for")
    floor: str = Field(description="The earliest best-before they may have; empty: any that is not expired")
    fenced: int = Field(description="Of the units, taken from the channel's own stock")


class PastMoment(BaseModel):
    topic: str
    partition: int
    log_id: int
    position: str
    time: str


class PastStockAnswer(BaseModel):
    stock: SkuStock
    reservations: list[Held]
    at: PastMoment = Field(description="The last record that counts")
