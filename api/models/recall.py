"""What the API answers about recalls and lots, as types: OpenAPI is made of them.

Does not belong here: where the answers come from (`api.recalls`), what an account is made of (`tables.lot_sections`).
"""

from __future__ import annotations

from pydantic import BaseModel, Field


class Recall(BaseModel):
    id: str
    lot: str
    skus: list[str] = Field(description="Empty: every SKU that has the lot")
    reason: str
    mock: bool = Field(description="A drill: nothing is frozen")
    state: str = Field(examples=["open", "closed"])
    opened_at: str
    closed_at: str
    partitions: list[int] = Field(description="Partitions that have it as it is told here")


class Recalls(BaseModel):
    items: list[Recall]


class Batch(BaseModel):
    sku: str
    lot: str
    best_before: str
    produced: str
    supplier: str
    documents: list[str]
    status: str = Field(description="approved, inspection or on_hold; a recall stands in the lots on hand")
    reason: str


class Movement(BaseModel):
    sku: str
    lot: str
    location: str
    units: int
    at: str = Field(description="When it was recorded")
    occurred_at: str = Field(description="When it happened, as the sender told; empty: not told")
    reference: str
    through: str = Field(description="The `SKU lot` of a kit this is about; empty: the lot's own")


class Receipt(Movement):
    supplier: str
    best_before: str
    documents: list[str]


class Made(Movement):
    kit: str
    kit_lot: str


class Shipment(Movement):
    order_id: str = Field(description="Empty: sold over a counter")
    channel: str
    known: str = Field(description="How the lot is known to be the one that left", examples=["scanned", "presumed"])


class Comeback(Movement):
    order_id: str
    disposition: str = Field(examples=["restock", "quarantine", "scrap", "to_supplier"])


class Bound(BaseModel):
    """Picked for an order, and not shipped."""

    sku: str
    lot: str
    location: str
    order_id: str
    units: int
    known: str
    at: str


class LotOnHand(BaseModel):
    sku: str
    lot: str
    location: str
    units: int
    blocked: int = Field(description="Damaged or quarantined")
    frozen: int = Field(description="Recalled")
    status: str
    expired: bool
    best_before: str


class Transit(BaseModel):
    sku: str
    lot: str
    source: str
    location: str = Field(description="Where they are expected")
    units: int
    reference: str
    expected: str


class Balance(BaseModel):
    """received + made + returned + adjusted
    = shipped + in_kits + scrapped + in_transit + lost_in_transit + on_hand + difference."""

    sku: str
    lot: str
    received: int
    made: int
    returned: int
    adjusted: int
    shipped: int
    in_kits: int
    scrapped: int
    in_transit: int
    lost_in_transit: int
    on_hand: int
    difference: int
    says: str = Field(description="The difference in words; empty: it adds up")


class Totals(BaseModel):
    """Units; shipped_in_kits counts kits."""

    received: int
    made: int
    shipped: int
    shipped_in_kits: int
    orders: int
    returned: int
    in_transit: int
    on_hand: int
    frozen: int
    bound: int
    by_channel: list[tuple[str, int]]
    by_known: list[tuple[str, int]]


class LotTrace(BaseModel):
    """Where a lot came from, what was made of it, who got it, what is left. Kit lots made of it are followed."""

    lot: str
    recall: Recall | None
    as_of: list[tuple[int, int, str]] = Field(description="Per partition: number, offset, state time")
    missing: list[int]
    batches: list[Batch]
    totals: Totals
    received: list[Receipt]
    made_into: list[Made]
    shipped: list[Shipment]
    in_transit: list[Transit]
    on_hand: list[LotOnHand]
    returned: list[Comeback]
    bound: list[Bound]
    changed: list[Movement]
    balances: list[Balance]
    notes: list[str]
