"""Records of the topic `planning`: what people tell about suppliers, supply and promotions, and what they decided.

Input of the forecaster alone: no step of either log reads them. Money is whole cents of the customer's one currency.
The newest record of a key holds; whatever it leaves out is the default, not what was told before.
Does not belong here: what a forecaster does with them.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from tables.records.types import Count, Day, Instant, Location, Record, Reference, Sku, Text

CENTS_MAX = 1_000_000_000_000
Cents = Annotated[int, Meta(ge=0, le=CENTS_MAX)]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
PlanDays = Annotated[int, Meta(ge=0, le=365)]
Period = Annotated[int, Meta(ge=1, le=365)]
Run = Annotated[str, Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}\.[0-9]{3,9}\Z")]
Share = Annotated[float, Meta(ge=0, le=1)]
Weekdays = Annotated[list[Weekday], Meta(max_length=7)]


class SupplierTerms(Record, tag="supplier_terms"):
    """How a supplier takes and delivers orders: days, minimum of an order, and what may be spent there in a period.

    Empty weekdays: every day. `closed`: days on which neither orders are taken nor goods arrive. `review_days`: how
    often it is ordered from; `budget_cents` is for one such period (they are counted from a Monday). Minimum: in units,
    in money, or both. `lead_days` are days from the order to the goods, before weekdays and closed days.
    """

    supplier: Reference
    lead_days: PlanDays
    order_weekdays: Weekdays = []
    arrival_weekdays: Weekdays = []
    closed: Annotated[list[Day], Meta(max_length=400)] = []
    minimum_units: Count = 0
    minimum_cents: Cents = 0
    budget_cents: Cents | None = None  # None: no limit
    review_days: Period = 1


class Supply(Record, tag="supply"):
    """How a SKU is supplied: by whom, in which packs, at what cost per unit, and how long it keeps once it is there.

    `minimum_quantity`: of one order of this SKU, in units. `shelf_life_days` 0: it keeps. With `central`, goods are
    bought for that location alone and the others are refilled from it; a transfer takes `transfer_days`.
    """

    sku: Sku
    supplier: Reference | None = None
    case_pack: Annotated[int, Meta(ge=1, le=100_000)] = 1
    minimum_quantity: Count = 0
    unit_cost_cents: Cents = 0  # 0: not known
    shelf_life_days: Annotated[int, Meta(ge=0, le=3650)] = 0
    central: Location | None = None
    transfer_days: PlanDays = 2


class PromotionPlanned(Record, tag="promotion_planned"):
    """A promotion that is planned: its days, both included, and its depth (0.25: a quarter off; 0: called off).

    Without `location`: at all of them.
    """

    promotion: Reference
    sku: Sku
    first_day: Day
    last_day: Day
    depth: Share
    location: Location | None = None


class ReorderDecision(Record, tag="reorder_decision"):
    """What somebody decided about a recommendation: `quantity` units were taken where `recommended` were advised.

    `log_id`, `offset`: where the order or transfer stands in the SKU's partition of the stock log, so that a forecaster
    knows whether a stock level has seen it already.
    """

    sku: Sku
    location: Location
    run: Run
    decision: Literal["accepted", "dismissed"]
    quantity: Count = 0
    recommended: Count = 0
    kind: Literal["purchase", "transfer"] = "purchase"
    supplier: Reference | None = None
    from_location: Location | None = None
    order_by: Day | None = None  # the day it was advised to be ordered on: whose budget it is of; None: that of the run
    cost_cents: Cents = 0  # of what was taken
    reference: Reference | None = None  # of the purchase order or the transfer
    by: Text = ""
    reason: Text = ""
    decided_at: Instant | None = None  # None: when it was written
    log_id: Annotated[int, Meta(ge=0, le=(1 << 63) - 1)] = 0  # 0: nothing was ordered
    offset: Annotated[int, Meta(ge=0, lt=1 << 53)] = 0


class ServiceSet(Record, tag="service_set"):
    """The nominal level that orders go up to from now on, and what it filled when the past was replayed with it."""

    service: Annotated[float, Meta(ge=0.5, le=0.999)]
    wanted_fill: Share = 0.0
    replayed_fill: Share = 0.0


PlanningRecord = SupplierTerms | Supply | PromotionPlanned | ReorderDecision | ServiceSet
