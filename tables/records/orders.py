"""Records of the order log: orders as channels take them, what is told about them, and what the agents say to it.

Does not belong here: what an order may do (`tables.orders`).
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from tables.records.types import (
    LINES_MAX,
    Count,
    Disposition,
    Instant,
    Location,
    Lot,
    Policy,
    Record,
    Reference,
    Seconds,
    Short,
    Sku,
    Text,
    Tracking,
    Units,
    Wanted,
)


class Line(Struct, frozen=True, gc=False):
    sku: Short
    quantity: Wanted  # a rule checks it: a malformed quantity is a refusal with a reason, not an unreadable record


class KitPart(Struct, frozen=True, gc=False):
    sku: Sku
    quantity: Annotated[int, Meta(ge=1, le=10_000)]  # in one kit


class KitSet(Record, tag="kit_set"):
    """What a kit is made of when it is sold; without parts it is a product with stock of its own (from now on)."""

    kit: Sku
    parts: Annotated[list[KitPart], Meta(max_length=50)] = []


class OrderPlaced(Record, tag="order_placed"):
    """An order as its channel took it. `locations`: where it may be served from, best first; empty: the channel's."""

    order_id: Short
    channel: Short
    lines: Annotated[list[Line], Meta(min_length=1, max_length=LINES_MAX)]
    locations: Annotated[list[Location], Meta(max_length=20)] = []
    policy: Policy | None = None  # None: the channel's
    exchange_of: Short | None = None  # the order whose return this one replaces
    payment: Literal["paid", "authorized", "pending"] = "pending"
    payment_seconds: Seconds | None = None  # None: the log's limit
    checks: Annotated[list[Short], Meta(max_length=10)] = []
    occurred_at: Instant | None = None  # their clock: demand and display only


class CancelLine(Struct, frozen=True, gc=False):
    sku: Short
    quantity: Units


class CancelRequested(Record, tag="cancel_requested"):
    """Cancel the order, or with `lines` only those units (given back once the order is decided)."""

    order_id: Short
    reason: Text = ""
    lines: Annotated[list[CancelLine], Meta(max_length=LINES_MAX)] = []
    occurred_at: Instant | None = None


class EditLine(Struct, frozen=True, gc=False):
    sku: Short
    quantity: Count  # the new total, of a kit or of the units of a SKU that are in no kit; 0 takes the line away


class OrderEdited(Record, tag="order_edited"):
    """Change an order of which nothing was picked or shipped: all of these lines, or nothing. Kits count, too."""

    order_id: Short
    lines: Annotated[list[EditLine], Meta(min_length=1, max_length=100)]
    reason: Text = ""


class PaymentAuthorized(Record, tag="payment_authorized"):
    """The money is promised, not taken: enough to confirm the order. `order-status` says when to take it."""

    order_id: Short


class PaymentCaptured(Record, tag="payment_captured"):
    order_id: Short


class PaymentRefunded(Record, tag="payment_refunded"):
    order_id: Short
    partial: bool = False


class PaymentVoided(Record, tag="payment_voided"):
    order_id: Short


class PaymentFailed(Record, tag="payment_failed"):
    order_id: Short
    reason: Text = ""


class CheckOpened(Record, tag="check_opened"):
    """A check (fraud, address, a person's hold) keeps the order on hold until it is passed or failed."""

    order_id: Short
    check: Short


class CheckPassed(Record, tag="check_passed"):
    """The order waits no longer for this check; the word that opens it may come later."""

    order_id: Short
    check: Short


class CheckFailed(Record, tag="check_failed"):
    order_id: Short
    check: Short
    reason: Text = ""


class PickedLine(Struct, frozen=True, gc=False, omit_defaults=True):
    sku: Sku  # stock hears of it
    quantity: Count
    lot: Lot | None = None
    short: Count = 0  # units that were to be picked and are not there


class OrderPicked(Record, tag="order_picked"):
    """Units were taken from their shelves. Without `location`: at all of the order's; without `lines`: everything."""

    order_id: Short
    location: Location | None = None
    lines: Annotated[list[PickedLine], Meta(max_length=LINES_MAX)] = []


class OrderPacked(Record, tag="order_packed"):
    order_id: Short
    location: Location | None = None
    cartons: Annotated[list[Tracking], Meta(max_length=200)] = []  # their numbers (SSCC or one's own)


class ShippedLine(Struct, frozen=True, gc=False, omit_defaults=True):
    sku: Sku  # stock hears of it
    quantity: Units
    location: Location | None = None  # None: where the order holds it
    lot: Lot | None = None  # None: what was picked for the order; if its pick named none, presumed by FEFO
    known: Literal["scanned", "reported"] = "scanned"  # how the lot is known, if it is named


class OrderShipped(Record, tag="order_shipped"):
    """A parcel left. Without `lines`: everything the order still holds (at `location`, if one is named).

    `final`: nothing more comes from there; what is missing is backordered or given up, as the order's policy says.
    It may come before its order is placed or decided, and waits for that; an order on hold is confirmed by it.
    """

    order_id: Short
    lines: Annotated[list[ShippedLine], Meta(max_length=LINES_MAX)] = []
    location: Location | None = None
    tracking: Tracking | None = None
    final: bool = False


class TrackingUpdated(Record, tag="tracking_updated"):
    """What the carrier says of a parcel."""

    order_id: Short
    tracking: Tracking
    status: Literal[
        "pre_transit", "in_transit", "out_for_delivery", "delivered", "return_to_sender", "failure",
    ]  # fmt: skip


class OrderDelivered(Record, tag="order_delivered"):
    order_id: Short


class OrderReturned(Record, tag="order_returned"):
    """The whole order came back, as the carrier says; what becomes of its units is told by `return_inspected`."""

    order_id: Short


class ReturnAuthorized(Record, tag="return_authorized"):
    """The customer may send these units back."""

    order_id: Short
    return_id: Reference
    lines: Annotated[list[CancelLine], Meta(min_length=1, max_length=LINES_MAX)]
    reason: Text = ""


class ReturnReceived(Record, tag="return_received"):
    """These units came back; nobody has looked at them yet."""

    order_id: Short
    return_id: Reference
    lines: Annotated[list[CancelLine], Meta(min_length=1, max_length=LINES_MAX)]


class InspectedLine(Struct, frozen=True, gc=False, omit_defaults=True):
    sku: Short
    quantity: Units
    disposition: Disposition = "scrap"  # food: unless somebody decides otherwise
    location: Location | None = None  # None: where it was shipped from
    lot: Lot | None = None  # None: those that the order got, last shipped first, as far as they are known


class ReturnInspected(Record, tag="return_inspected"):
    """What becomes of units that came back. Each shipped unit is inspected at most once."""

    order_id: Short
    return_id: Reference
    lines: Annotated[list[InspectedLine], Meta(min_length=1, max_length=LINES_MAX)]


class Refusal(Struct, frozen=True, gc=False):
    """Why units could not be reserved. `available`: units there were for this order, over the locations asked."""

    sku: str
    quantity: Wanted
    reason: str
    available: Annotated[int, Meta(ge=-(1 << 53), le=1 << 53)]


class Part(Struct, frozen=True, gc=False, omit_defaults=True):
    """Units of a line that are reserved at one location; `backordered`: promised there, without stock yet."""

    sku: str
    quantity: Wanted
    location: str
    backordered: bool = False
    due: str = ""  # the day a backordered part is promised for


class ReserveAnswered(Record, tag="reserve_answered"):
    """The stock agent's answer for all lines of one order in one warehouse partition.

    `parts`: what was taken, lines in the command's order. `refused`: what was not; unless the policy is
    `ship_available`, one refusal means that nothing was taken. `could`: per line of the command, the locations that
    cover it whole, as bits over the command's locations (bit 0: the first).
    """

    order_id: Short
    attempt: Annotated[int, Meta(ge=1, le=100)]
    partition: Annotated[int, Meta(ge=0, le=1023)]
    parts: list[Part] = []
    refused: list[Refusal] = []
    could: Annotated[list[Annotated[int, Meta(ge=0, lt=1 << 20)]], Meta(max_length=LINES_MAX)] = []  # 20 locations


class MoveAnswered(Record, tag="move_answered"):
    """The stock agent's answer to `move`: `parts` as they stand now, moved or not."""

    order_id: Short
    attempt: Annotated[int, Meta(ge=1, le=100)]
    partition: Annotated[int, Meta(ge=0, le=1023)]
    moved: bool
    parts: list[Part] = []


class BackorderFilled(Record, tag="backorder_filled"):
    """Stock came: units of the order that were promised without stock are reserved now.

    `waiting`: units of the attempt that still wait for this SKU there. `heard`: how many of the order's commands about
    single lines of the attempt this partition had seen by then: the later ones change `waiting` once more. `place`: in
    the stock log; of two fills that cross on their way the later one holds.
    """

    order_id: Short
    attempt: Annotated[int, Meta(ge=1, le=100)]
    partition: Annotated[int, Meta(ge=0, le=1023)]
    sku: str
    location: str
    quantity: Units
    waiting: Wanted = 0
    heard: Annotated[int, Meta(ge=0, le=1 << 31)] = 0
    place: Annotated[int, Meta(ge=0, le=1 << 62)] = 0


class ReservationOverdue(Record, tag="reservation_overdue"):
    """The stock agent's owner asks: what became of the order that has held units for so long?"""

    order_id: Short
    attempt: Annotated[int, Meta(ge=1, le=100)]
    partition: Annotated[int, Meta(ge=0, le=1023)]


class DeadlineReached(Record, tag="deadline_reached"):
    """The order agent's note to itself: this deadline of the order lies at or before state time (negative: counted
    from the first tick)."""

    order_id: Short
    deadline_ms: Annotated[int, Meta(ge=-(1 << 53), le=1 << 53)]


class AskAgain(Record, tag="ask_again"):
    """The order agent's note to itself: ask for the contended order's next attempt, after `hops` more turns."""

    order_id: Short
    attempt: Annotated[int, Meta(ge=2, le=100)]
    hops: Annotated[int, Meta(ge=0, le=1000)] = 0
