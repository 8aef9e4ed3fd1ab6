"""What the API answers about orders and their decisions."""

from __future__ import annotations

from pydantic import BaseModel, Field

from api.models.common import AsOf, Version


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
    picked: int = Field(description="Of the allocated ones: in hands, or packed")


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
    late: list[str] = Field(description="What was noted: facts that came too late, what could not be done")
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
