"""What the API answers about stock, and what can be promised."""

from __future__ import annotations

from pydantic import BaseModel, Field

from api.models.common import AsOf, OneSku, Version

MANY_MAX = 500  # SKUs asked for at once


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
    total: int = Field(description="SKUs there are, whatever was asked for")
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
