"""What the API answers about what is to be done: alerts, shortages, demand, forecasts, reorders."""

from __future__ import annotations

from typing import get_args, get_type_hints

from pydantic import BaseModel, Field

from api.models.common import AsOf
from tables import records as r

ALERT_KINDS = get_args(get_type_hints(r.Alert)["kind"])


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
    next: str | None = Field(description="Give it as `after` for the next page; null: this was the last")
    as_of: list[AsOf]
