"""Every record of the two logs and of the published topics: the words this system speaks.

Facts are past tense and never refused (`received`); commands are imperative and may be (`reserve`). Values on the wire
are JSON objects with `type`, `id` (the idempotency key), `time` (RFC 3339, ours) and flat fields.
Units: quantities are whole units, times that rules use are `*_ms` or `*_seconds` of state time.
Guarantees: decoding refuses what the types here do not allow. Does not belong here: rules, rows, bytes.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Raw, Struct

# Limits of what one record may hold. A record over them is unreadable (a dead letter), never cut.
SKU_PATTERN = r"^[A-Za-z0-9._:-]{1,64}$"  # in OpenAPI's dialect; Python's `$` also stands before a last line break
_NAME = SKU_PATTERN[:-1] + r"\Z"
QUANTITY_MAX = 1_000_000_000
WANTED_MAX = 1_000_000_000_000  # what an order may ask for and be refused; rows hold the sum of its lines
LINES_MAX = 2_000
PARTS_MAX = 4_000  # lines over their locations, of one command: its answer is one record
ITEMS_MAX = 1_000  # of a packed record; a position keeps 10 bits for the place
PACKED_BYTES_MAX = 512 * 1024
RECORD_BYTES_MAX = 900 * 1024  # below every broker's default of 1 MiB

Sku = Annotated[str, Meta(pattern=_NAME)]
Location = Annotated[str, Meta(pattern=_NAME)]
Lot = Annotated[str, Meta(pattern=r'^[!"%-?A-Z_a-z]{1,20}\Z')]  # GS1 AI 10: up to 20 of GS1's character set 82
Short = Annotated[str, Meta(min_length=1, max_length=128)]
Text = Annotated[str, Meta(max_length=500)]
Reference = Annotated[str, Meta(pattern=r"^[^|\x00-\x1f]{1,64}\Z")]  # a document of theirs: part of a row's key
Tracking = Annotated[str, Meta(pattern=r"^[A-Za-z0-9 ._:/-]{1,64}\Z")]
Days = Annotated[int, Meta(ge=0, le=3650)]
Count = Annotated[int, Meta(ge=0, le=QUANTITY_MAX)]
Units = Annotated[int, Meta(ge=1, le=QUANTITY_MAX)]
Signed = Annotated[int, Meta(ge=-QUANTITY_MAX, le=QUANTITY_MAX)]
Wanted = Annotated[int, Meta(ge=-WANTED_MAX, le=WANTED_MAX)]
Seconds = Annotated[int, Meta(ge=1, le=400 * 86400)]
Millis = Annotated[int, Meta(ge=0, le=1 << 53)]
_DAY = r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_CLOCK = r"T([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)(\.[0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"
Day = Annotated[str, Meta(pattern=rf"^{_DAY}\Z")]
Instant = Annotated[str, Meta(pattern=rf"^{_DAY}{_CLOCK}\Z")]
Stamp = Annotated[str, Meta(max_length=40)]  # a time we wrote ourselves: shown, never used by a rule

Policy = Literal["all_or_nothing", "ship_available", "backorder"]
LotStatus = Literal["approved", "inspection", "on_hold"]
Disposition = Literal["restock", "scrap", "quarantine", "to_supplier"]
AdjustReason = Literal[
    "correction", "cycle_count", "damaged", "shrinkage", "expired", "sample", "donation",
    "found", "quality", "lot_correction", "data_entry", "recall", "other",
]  # fmt: skip


class Record(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag_field="type"):
    """What every record carries: `id` (same id, same content: the same record) and `time` (when we wrote it)."""

    id: Annotated[str, Meta(min_length=1, max_length=256)]
    time: Stamp = ""


# -- both logs ---------------------------------------------------------------------------------------------------------


class Limits(Struct, frozen=True, omit_defaults=True):
    """Limits that rules use: they travel in the log, so that every replay uses the ones of its day."""

    undecided_seconds: Seconds = 600  # then an order is decided `expired`, reason `no_answer`
    payment_seconds: Seconds = 1800  # default deadline of a held order
    check_seconds: Seconds = 2 * 86400  # deadline of an order that only waits for a check
    attempts: Annotated[int, Meta(ge=1, le=100)] = 20  # how often a contended order asks
    reservation_keep_seconds: Seconds = 7 * 86400  # a closed reservation is kept this long
    order_keep_seconds: Seconds = 400 * 86400  # a closed order is kept this long after its last change


class LogOpened(Record, tag="log_opened"):
    """The first record of every partition of both logs. `log_id` only ever grows."""

    log_id: Annotated[int, Meta(ge=1, le=(1 << 63) - 1)]
    partitions: Annotated[int, Meta(ge=1, le=1024)]
    logic_version: Annotated[int, Meta(ge=1, le=1 << 31)]
    limits: Limits = Limits()


class ChannelSet(Record, tag="channel_set"):
    """The rules of a sales channel, for every partition of both logs; the last one told holds.

    `locations`: where its orders may be served from, best first; empty: wherever the order says. `minimum_life_days`:
    days a lot must still have on the day its goods leave; they leave `promise_days` after they are promised.
    """

    channel: Short
    locations: Annotated[list[Location], Meta(max_length=20)] = []
    minimum_life_days: Days = 0
    promise_days: Annotated[int, Meta(ge=0, le=60)] = 0
    policy: Policy = "all_or_nothing"  # of orders that name none
    closed: bool = False  # takes no orders for now


class LogicVersionSet(Record, tag="logic_version_set"):
    """From here on the rules of this version hold."""

    version: Annotated[int, Meta(ge=1, le=1 << 31)]


class Tick(Record, tag="tick"):
    """The time, as a ticker saw it (ms since 1970). State time follows it by at most 60 s a tick."""

    now_ms: Millis


class TickContinued(Record, tag="tick_continued"):
    """A tick found more than one record may carry: look again, at the same state time."""


class Pruned(Struct, frozen=True, gc=False):
    order_id: Short
    attempt: Annotated[int, Meta(ge=0, le=100)] = 0  # 0: the order itself


class Prune(Record, tag="prune"):
    """The owner's note to its own log: these rows are closed and old. Each is looked at again, by state time."""

    items: Annotated[list[Pruned], Meta(min_length=1, max_length=100)]


class Packed(Struct, frozen=True, gc=False, tag_field="type", tag="packed"):
    """Several records of one partition in one: null key, explicit partition, items not nested."""

    items: Annotated[list[Raw], Meta(min_length=1, max_length=ITEMS_MAX)]


# -- the order log -----------------------------------------------------------------------------------------------------


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
    quantity: Count  # the new total of this SKU; 0 takes the line away


class OrderEdited(Record, tag="order_edited"):
    """Change an order of which nothing was picked or shipped: all of these lines, or nothing at all."""

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
    order_id: Short
    check: Short


class CheckFailed(Record, tag="check_failed"):
    order_id: Short
    check: Short
    reason: Text = ""


class PickedLine(Struct, frozen=True, gc=False, omit_defaults=True):
    sku: Short
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
    sku: Short
    quantity: Units
    location: Location | None = None  # None: where the order holds it
    lot: Lot | None = None  # None: nobody said, presumed by FEFO
    known: Literal["scanned", "reported"] = "scanned"  # how the lot is known, if it is named


class OrderShipped(Record, tag="order_shipped"):
    """A parcel left. Without `lines`: everything the order still holds (at `location`, if one is named).

    `final`: nothing more comes from there; what is missing is backordered or given up, as the order's policy says.
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
    lot: Lot | None = None


class ReturnInspected(Record, tag="return_inspected"):
    """What becomes of units that came back. Each shipped unit is inspected at most once."""

    order_id: Short
    return_id: Reference
    lines: Annotated[list[InspectedLine], Meta(min_length=1, max_length=LINES_MAX)]


class Refusal(Struct, frozen=True, gc=False):
    """Why units could not be reserved. `available`: units there were for this order, over the locations asked."""

    sku: str
    quantity: int
    reason: str
    available: int


class Part(Struct, frozen=True, gc=False, omit_defaults=True):
    """Units of a line that are reserved at one location; `backordered`: promised there, without stock yet."""

    sku: str
    quantity: int
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
    could: list[int] = []


class MoveAnswered(Record, tag="move_answered"):
    """The stock agent's answer to `move`: `parts` as they stand now, moved or not."""

    order_id: Short
    attempt: Annotated[int, Meta(ge=1, le=100)]
    partition: Annotated[int, Meta(ge=0, le=1023)]
    moved: bool
    parts: list[Part] = []


class BackorderFilled(Record, tag="backorder_filled"):
    """Stock came: units of the order that were promised without stock are reserved now."""

    order_id: Short
    attempt: Annotated[int, Meta(ge=1, le=100)]
    partition: Annotated[int, Meta(ge=0, le=1023)]
    sku: str
    location: str
    quantity: Units


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


# -- the stock log -----------------------------------------------------------------------------------------------------


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
    """Units came in. `reference`: the purchase order they close, or any document."""

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


class Adjusted(Record, tag="adjusted"):
    """A correction by `quantity` units (signed), with its reason."""

    sku: Sku
    location: Location
    quantity: Signed
    reason: AdjustReason
    lot: Lot | None = None  # None: FEFO when units leave; the oldest lot when they come
    note: Text = ""
    occurred_at: Instant | None = None


class Counted(Record, tag="counted"):
    """Units of a lot found by counting, as of a log position (`version` of the stock level that was looked at)."""

    sku: Sku
    location: Location
    lot: Lot
    quantity: Count
    as_of_offset: Annotated[int, Meta(ge=0)] | None = None  # None: as of this record
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
    known: Literal["scanned", "reported"] = "scanned"
    order_id: Short | None = None
    attempt: Annotated[int, Meta(ge=0, le=100)] = 0
    channel: str = ""
    occurred_at: Instant | None = None


class Returned(Record, tag="returned"):
    """Units came back, and this becomes of them. Without `lot`: the lots this order got, last shipped first."""

    sku: Sku
    location: Location
    quantity: Units
    disposition: Disposition = "scrap"
    lot: Lot | None = None
    order_id: Short | None = None
    occurred_at: Instant | None = None


class TransferredOut(Record, tag="transferred_out"):
    """Units left for another location: in transit until `transferred_in` says they came."""

    sku: Sku
    location: Location
    to: Location
    quantity: Units
    reference: Reference
    lot: Lot | None = None
    expected: Day | None = None
    occurred_at: Instant | None = None


class TransferredIn(Record, tag="transferred_in"):
    """Units came from another location. `final`: no more come; what is missing is a discrepancy."""

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
    lot: Lot | None = None


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
    backorder_due: Day | None = None  # the day they are promised for; before the first stock: a preorder


class ChannelStockSet(Record, tag="channel_stock_set"):
    """Of a SKU at a location, from now on: `ring_fence` units only this channel may take, `buffer` units it may not."""

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
    locations: Annotated[list[str], Meta(max_length=20)]
    asked_ms: Millis = 0
    channel: str = ""
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


OrderRecord = (
    OrderPlaced | OrderEdited | CancelRequested | PaymentAuthorized | PaymentCaptured | PaymentFailed | PaymentRefunded
    | PaymentVoided | CheckOpened | CheckPassed | CheckFailed | OrderPicked | OrderPacked | OrderShipped
    | TrackingUpdated | OrderDelivered | OrderReturned | ReturnAuthorized | ReturnReceived | ReturnInspected
    | ReserveAnswered | MoveAnswered | BackorderFilled | ReservationOverdue | DeadlineReached | AskAgain
    | ChannelSet | KitSet | Tick | TickContinued | Prune | LogOpened | LogicVersionSet
)  # fmt: skip
StockRecord = (
    SkuDefined | Received | LotDefined | LotStatusSet | ConditionChanged | Adjusted | Counted | Picked | Shipped
    | Returned | TransferredOut | TransferredIn | PurchaseOrdered | PurchaseConfirmed | PurchaseNotified
    | PurchaseClosed | KitAssembled | KitDisassembled | KitPartMoved | PolicySet | ChannelStockSet
    | Reserve | Move | Hold | Allocate | Release | Backorder | FillBackorders
    | RecallOpened | RecallClosed | LotsContinued | ChannelSet
    | Tick | TickContinued | Prune | LogOpened | LogicVersionSet
)  # fmt: skip
# Written once per partition with one id, null key, explicit partition.
EVERYWHERE = (LogOpened, LogicVersionSet, ChannelSet, KitSet, RecallOpened, RecallClosed)
CLOCK = (Tick, TickContinued, Prune)


# -- published topics --------------------------------------------------------------------------------------------------


class DecidedLine(Struct, frozen=True, gc=False, omit_defaults=True):
    sku: str
    quantity: int
    location: str = ""
    reason: str = ""  # of a refused line
    available: int | None = None
    backordered: int = 0  # of `quantity`: promised without stock


class OrderDecided(Record, tag="order_decided"):
    """`reservations`: one decision per order, and later what cancellations gave back.

    `status`: confirmed, rejected or expired (one per order), or later cancelled (`lines`: the units given back) or
    edited (`lines`: the order as it is now). `offset`, `index`: the record of the order log that decided.
    """

    order_id: str
    channel: str
    status: Literal["confirmed", "rejected", "expired", "cancelled", "edited"]
    reason: str
    lines: list[DecidedLine]
    occurred_at: str
    decided_at: str
    attempt: int
    partition: int
    offset: int
    index: int


class StatusLine(Struct, frozen=True, gc=False):
    """Units of a SKU at one location: quantity = open + allocated + shipped + cancelled, always.

    `open`: undecided or backordered. `returned`: of the shipped ones, inspected after they came back.
    """

    sku: str
    quantity: int
    location: str
    open: int
    allocated: int
    shipped: int
    cancelled: int
    returned: int
    due: str


class FulfilmentStatus(Struct, frozen=True, gc=False):
    """What one location does for the order."""

    location: str
    state: str  # confirmed, picked, packed, shipped, delivered
    cartons: list[str]
    tracking: list[str]
    tracking_status: str


class ReturnStatus(Struct, frozen=True, gc=False):
    return_id: str
    state: str  # authorized, received, inspected
    units: int


class OrderStatus(Record, tag="order_status"):
    """`order-status`: the order as it stands. `version`: [log id, offset, index]; readers keep the highest.

    `payment`: none, pending, authorized, captured, failed, partially_refunded, refunded, voided. `payment_wanted`:
    capture, refund or void; what whoever talks to the bank has to do now. `sourcing`: why these locations.
    """

    order_id: str
    channel: str
    status: str
    reason: str
    payment: str
    payment_wanted: str
    policy: str
    sourcing: str
    checks: list[str]
    lines: list[StatusLine]
    fulfilments: list[FulfilmentStatus]
    returns: list[ReturnStatus]
    kits: dict[str, int]
    exchange_of: str
    attempt: int
    occurred_at: str
    decided_at: str
    late: list[str]
    version: tuple[int, int, int]


class LotLevel(Struct, frozen=True, gc=False):
    """`status`: approved, inspection, on_hold, recalled or expired. `blocked`: of `on_hand`, damaged or quarantined."""

    lot: str
    best_before: str
    on_hand: int
    status: str = "approved"
    blocked: int = 0


class ChannelLevel(Struct, frozen=True, gc=False):
    """What a channel with stock of its own, or a buffer, may take. `ring_fence`: what is left of its own."""

    channel: str
    available: int
    ring_fence: int
    buffer: int


class IncomingLevel(Struct, frozen=True, gc=False):
    reference: str
    kind: str  # purchase or transfer
    quantity: int  # still to come
    expected: str
    confirmed: bool


class Promise(Struct, frozen=True, gc=False):
    """Units that can be promised for this day (ATP); `day` "": now."""

    day: str
    quantity: int


class Accuracy(Struct, frozen=True, gc=False):
    """How good the books were when they were counted: counts, of them exact; units counted, of them off."""

    counts: int
    exact: int
    units: int
    off: int


class LocationLevel(Struct, frozen=True, gc=False):
    """on_hand = available + reserved + allocated + safety_stock + unavailable; `shortage`: owed and not coverable."""

    location: str
    on_hand: int
    available: int
    reserved: int
    allocated: int
    safety_stock: int
    unavailable: int
    shortage: int
    reorder_point: int
    lots: list[LotLevel]
    version: tuple[int, int, int]
    backordered: int = 0
    open_to_all: int = 0  # of `available`: what a channel without stock of its own may take
    channels: list[ChannelLevel] = []
    incoming: list[IncomingLevel] = []
    promise: list[Promise] = []
    accuracy: Accuracy | None = None
    out_since: str = ""  # since when it is out of stock


class StockLevels(Record, tag="stock_levels"):
    """`stock-levels`: a SKU over its locations. `available` is their sum; readers keep the highest `version`."""

    sku: str
    available: int
    on_hand: int
    flavor: str
    packaging: str
    size: str
    gtin: str
    discontinued: bool
    locations: list[LocationLevel]
    version: tuple[int, int, int]


class Alert(Record, tag="alert"):
    """`alerts`: low, out, restored (with hysteresis); shortage and covered; recount (a count too old, or too far off);
    expiring (a lot inside its alert window); discrepancy (a transfer or a purchase); recalled (units frozen);
    paid_unallocated (money for an order that holds nothing)."""

    sku: str
    location: str
    kind: Literal[
        "low", "out", "restored", "shortage", "covered", "recount", "expiring", "discrepancy", "recalled",
        "paid_unallocated",
    ]  # fmt: skip
    available: int
    shortage: int
    reorder_point: int
    version: tuple[int, int, int]
    lot: str = ""
    order_id: str = ""
    units: int = 0  # the kind's own: expiring, frozen, missing
    note: str = ""


class Demand(Record, tag="demand"):
    """`demand`: units asked for on one day (first attempts only), and the UTC hours of it in which there was no stock:
    those in which an order met none, and those of stock-outs that are over (an open one: `stock-levels`, `out_since`).
    """

    sku: str
    location: str
    day: str
    ordered: int
    orders: int
    refused: int
    stockout_hours: list[int]
    version: tuple[int, int, int]


class Forecast(Record, tag="forecast"):
    """`forecasts`: one run's quantile forecasts of a SKU at a location, a list entry per day."""

    sku: str
    location: str
    run: str
    model: str
    status: str  # ok, or insufficient_data
    days: list[str]
    mean: list[float]
    q50: list[float]
    q90: list[float]
    q95: list[float]
    q99: list[float]


class Reorder(Record, tag="reorder"):
    """`reorders`: what to buy, when, and why, in words with its figures."""

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
