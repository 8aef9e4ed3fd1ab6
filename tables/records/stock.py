"""Records of the stock log: facts of lots, shelves, transfers and purchases; and the commands of the order agent.

Does not belong here: what they do to stock (`tables.facts`, `tables.reservations`).
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from tables.records.orders import Line
from tables.records.types import (
    ITEMS_MAX,
    LINES_MAX,
    AdjustReason,
    Channel,
    Count,
    Day,
    Days,
    Disposition,
    Instant,
    Location,
    Lot,
    LotStatus,
    Millis,
    Policy,
    Record,
    Reference,
    Short,
    Signed,
    Sku,
    Text,
    Units,
)


class SkuDefined(Record, tag="sku_defined"):
    """The SKU master: flavor + packaging + size, its GTIN, and whether it may still be sold."""

    sku: Sku
    flavor: Text = ""
    packaging: Text = ""
    size: Text = ""
    gtin: Annotated[str, Meta(pattern=r"^([0-9]{8}|[0-9]{12,14})?\Z")] = ""
    discontinued: bool = False
    case_units: Annotated[int, Meta(ge=0, le=100_000)] = 0  # units a case holds; quantities are always units
    channels: Annotated[list[Short], Meta(max_length=50)] = []  # that may sell it; empty: all


class Received(Record, tag="received"):
    """Units came in. `reference`: the purchase order they close, or any document. `status`, `best_before` and the like
    hold if nothing was told of the lot before, by `lot_defined` either: then its status stays (`lot_status_set` changes
    it), and of the others only what was not known is filled."""

    sku: Sku
    location: Location
    quantity: Units
    lot: Lot
    best_before: Day | None = None
    produced: Day | None = None
    supplier: Text = ""
    status: LotStatus = "approved"
    reference: Text = ""
    occurred_at: Instant | None = None


class LotDefined(Record, tag="lot_defined"):
    """What is known of a production batch. What is given here replaces what was known; what is not stays."""

    sku: Sku
    lot: Lot
    best_before: Day | None = None
    produced: Day | None = None
    supplier: Text = ""
    documents: Annotated[list[Text], Meta(max_length=20)] = []


class LotStatusSet(Record, tag="lot_status_set"):
    """A lot is approved, in inspection or on hold, wherever it is."""

    sku: Sku
    lot: Lot
    status: LotStatus
    reason: Text = ""


class ConditionChanged(Record, tag="condition_changed"):
    """Units of a lot are set apart (damaged, quarantined), or `good` again."""

    sku: Sku
    location: Location
    lot: Lot
    quantity: Units
    condition: Literal["damaged", "quarantined", "good"]
    note: Text = ""


class RecallOpened(Record, tag="recall_opened"):
    """A lot is frozen everywhere at once, in every partition. `mock`: a drill, nothing is frozen."""

    lot: Lot
    skus: Annotated[list[Sku], Meta(max_length=100)] = []  # empty: every SKU that has the lot
    reason: Text = ""
    mock: bool = False


class RecallClosed(Record, tag="recall_closed"):
    """The recall is over: what is still there is free again, unless it expired or is held for another reason."""

    lot: Lot
    reason: Text = ""


class LotsContinued(Record, tag="lots_continued"):
    """A record found more lots than one step may change: the rest, as of now."""

    cause: Short  # the id of that record
    lot: Lot
    opens: bool  # freezes, or frees
    skus: list[str] = []


class WindowContinued(Record, tag="window_continued"):
    """A policy changed the alert window of more lots than one step may change: the rest, by the policies of now."""

    cause: Short  # the id of that record
    sku: Sku


class Adjusted(Record, tag="adjusted"):
    """A correction by `quantity` units (signed), with its reason."""

    sku: Sku
    location: Location
    quantity: Signed
    reason: AdjustReason
    lot: Lot | None = None  # None: FEFO when units leave; the lot that goes out first when they come
    note: Text = ""
    occurred_at: Instant | None = None


class Counted(Record, tag="counted"):
    """Units of a lot found by counting, as of a log position (`version` of the stock level that was looked at)."""

    sku: Sku
    location: Location
    lot: Lot
    quantity: Count
    as_of_offset: Annotated[int, Meta(ge=0, lt=1 << 53)] | None = None  # None: as of this record
    as_of_index: Annotated[int, Meta(ge=0, lt=ITEMS_MAX)] = 0
    recount: bool = False  # it was counted twice: applied however far it is off
    reason: AdjustReason = "cycle_count"
    occurred_at: Instant | None = None


class Picked(Record, tag="picked"):
    """Units of an order were taken from a lot: which ones is bound now, not before. `short`: not found."""

    sku: Sku
    location: Location
    quantity: Count
    order_id: Short
    attempt: Annotated[int, Meta(ge=1, le=100)]
    short: Count = 0
    lot: Lot | None = None


class Shipped(Record, tag="shipped"):
    """Units left a location: of an order (with its attempt), or sold over a counter."""

    sku: Sku
    location: Location
    quantity: Units
    lot: Lot | None = None
    known: Literal["scanned", "reported", "presumed"] = "scanned"  # how the lot is known, if it is named
    order_id: Short | None = None
    attempt: Annotated[int, Meta(ge=0, le=100)] = 0
    channel: Channel = ""
    occurred_at: Instant | None = None


class Returned(Record, tag="returned"):
    """Units came back, and this becomes of them. Without `lot`: nobody knows it, they are of the lot UNKNOWN."""

    sku: Sku
    location: Location
    quantity: Units
    disposition: Disposition = "scrap"
    lot: Lot | None = None
    order_id: Short | None = None
    occurred_at: Instant | None = None


class TransferredOut(Record, tag="transferred_out"):
    """Units left for another location: in transit until `transferred_in` says they came. They arrive as `lot`, if one
    is named. Good ones leave first, of whatever lot, and all of them arrive as good ones: what was set apart here is
    set apart there by another `condition_changed`."""

    sku: Sku
    location: Location
    to: Location
    quantity: Units
    reference: Reference
    lot: Lot | None = None
    expected: Day | None = None
    occurred_at: Instant | None = None


class TransferredIn(Record, tag="transferred_in"):
    """Units came from another location. `final`: no more come; what is missing is a discrepancy. If more come all the
    same they are of the lots that were sent."""

    sku: Sku
    location: Location
    quantity: Count
    reference: Reference
    lot: Lot | None = None  # None: as they were sent
    final: bool = True
    occurred_at: Instant | None = None


class PurchaseOrdered(Record, tag="purchase_ordered"):
    """A line of a purchase order: incoming, not confirmed. The same reference again replaces it."""

    sku: Sku
    location: Location
    reference: Reference
    quantity: Units
    expected: Day | None = None
    supplier: Text = ""


class PurchaseConfirmed(Record, tag="purchase_confirmed"):
    """The supplier says how many come and when: from here on they count in what can be promised by date."""

    sku: Sku
    location: Location
    reference: Reference
    quantity: Units
    expected: Day


class PurchaseNotified(Record, tag="purchase_notified"):
    """An advance shipping notice: they are on their way."""

    sku: Sku
    location: Location
    reference: Reference
    quantity: Units
    expected: Day | None = None
    lot: Lot | None = None


class PurchaseClosed(Record, tag="purchase_closed"):
    """No more comes for this line."""

    sku: Sku
    location: Location
    reference: Reference
    reason: Text = ""


class KitPartUsed(Struct, frozen=True, gc=False, omit_defaults=True):
    sku: Sku
    quantity: Units  # in all, not in one kit
    lot: Lot | None = None  # None: FEFO when it goes into a kit; the lot UNKNOWN when it comes out of one


class KitAssembled(Record, tag="kit_assembled"):
    """Pre-built kits were made of their parts. Keyed by the kit's SKU; the parts hear of it from the stock agent."""

    sku: Sku
    location: Location
    quantity: Units
    lot: Lot
    parts: Annotated[list[KitPartUsed], Meta(min_length=1, max_length=50)]
    best_before: Day | None = None


class KitDisassembled(Record, tag="kit_disassembled"):
    """Pre-built kits were taken apart; their parts are stock again."""

    sku: Sku
    location: Location
    quantity: Units
    parts: Annotated[list[KitPartUsed], Meta(min_length=1, max_length=50)]
    lot: Lot | None = None


class KitPartMoved(Record, tag="kit_part_moved"):
    """The stock agent's word to the partition of a part: so many units went into kits (negative), or came out."""

    sku: Sku
    location: Location
    quantity: Signed
    kit: Sku
    lot: Lot | None = None
    kit_lot: Lot | None = None


class PolicySet(Record, tag="policy_set"):
    """Stock policy of a SKU at one location, or (without) at all of its locations, those to come included."""

    sku: Sku
    location: Location | None = None
    reorder_point: Count = 0
    hysteresis: Count = 0
    safety_stock: Count = 0
    expiring_days: Days = 0  # alert so many days before a lot's best-before; 0: never
    count_tolerance: Count = 0  # a count off by more asks for a recount; 0: never
    backorder_limit: Count = 0  # units that may be promised without stock
    # The day they are promised for. Before the first stock: a preorder, of a policy that names its location.
    backorder_due: Day | None = None


class ChannelStockSet(Record, tag="channel_stock_set"):
    """Of a SKU at a location, from now on: `ring_fence` units only this channel may take, `buffer` units it may not.

    What the channel's orders took of its own before and give back later is its own again, beside these units. Who waits
    for stock (`backorder`) gets what is free, ring-fenced or not.
    """

    sku: Sku
    location: Location
    channel: Short
    ring_fence: Count = 0
    buffer: Count = 0


class Reserve(Record, tag="reserve"):
    """Claim these lines, as `policy` says. `asked_ms`: state time of the order partition when it asked."""

    order_id: Short
    attempt: Annotated[int, Meta(ge=1, le=100)]
    order_partition: Annotated[int, Meta(ge=0, le=1023)]
    lines: Annotated[list[Line], Meta(min_length=1, max_length=LINES_MAX)]
    locations: Annotated[list[Location], Meta(max_length=20)]
    asked_ms: Millis = 0
    channel: Channel = ""
    policy: Policy = "all_or_nothing"
    demand: bool = True  # whether it counts as demand: an order asks again, or edits, without wanting more
    occurred_at: Instant | Literal[""] = ""


class MoveLine(Struct, frozen=True, gc=False):
    sku: Short
    location: Location


class Move(Record, tag="move"):
    """Hold these lines of the attempt at other locations, all of them or none; asked at most once an attempt."""

    order_id: Short
    attempt: Annotated[int, Meta(ge=1, le=100)]
    order_partition: Annotated[int, Meta(ge=0, le=1023)]
    lines: Annotated[list[MoveLine], Meta(min_length=1, max_length=LINES_MAX)]


class Hold(Record, tag="hold"):
    order_id: Short
    attempt: Annotated[int, Meta(ge=1, le=100)]


class Allocate(Record, tag="allocate"):
    order_id: Short
    attempt: Annotated[int, Meta(ge=1, le=100)]


class ReleaseLine(Struct, frozen=True, gc=False, omit_defaults=True):
    sku: Short
    quantity: Units
    location: str = ""  # "": wherever they are held


class Release(Record, tag="release"):
    """Give back what the attempt holds; with `lines`, only those units, backordered ones first."""

    order_id: Short
    attempt: Annotated[int, Meta(ge=1, le=100)]
    lines: Annotated[list[ReleaseLine], Meta(max_length=LINES_MAX)] = []


class Backorder(Record, tag="backorder"):
    """These allocated units were not there to ship: they wait for stock, at the end of the queue."""

    order_id: Short
    attempt: Annotated[int, Meta(ge=1, le=100)]
    lines: Annotated[list[ReleaseLine], Meta(min_length=1, max_length=LINES_MAX)]


class FillBackorders(Record, tag="fill_backorders"):
    """The stock agent's note to itself: stock is free, and somebody waits for it."""

    sku: Sku
    location: Location
