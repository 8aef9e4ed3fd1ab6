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
ITEMS_MAX = 1_000  # of a packed record; a position keeps 10 bits for the place
PACKED_BYTES_MAX = 512 * 1024
RECORD_BYTES_MAX = 900 * 1024  # below every broker's default of 1 MiB

Sku = Annotated[str, Meta(pattern=_NAME)]
Location = Annotated[str, Meta(pattern=_NAME)]
Lot = Annotated[str, Meta(pattern=r'^[!"%-?A-Z_a-z]{1,20}\Z')]  # GS1 AI 10: up to 20 of GS1's character set 82
Short = Annotated[str, Meta(min_length=1, max_length=128)]
Text = Annotated[str, Meta(max_length=500)]
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


class OrderPlaced(Record, tag="order_placed"):
    """An order as its channel took it. `locations`: where it may be served from, best first."""

    order_id: Short
    channel: Short
    lines: Annotated[list[Line], Meta(min_length=1, max_length=LINES_MAX)]
    locations: Annotated[list[Location], Meta(min_length=1, max_length=20)]
    payment: Literal["paid", "pending"] = "pending"
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


class PaymentCaptured(Record, tag="payment_captured"):
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


class OrderPicked(Record, tag="order_picked"):
    order_id: Short


class OrderPacked(Record, tag="order_packed"):
    order_id: Short


class ShippedLine(Struct, frozen=True, gc=False, omit_defaults=True):
    sku: Short
    quantity: Units
    location: Location | None = None  # None: where the order holds it
    lot: Lot | None = None  # None: not scanned, presumed by FEFO


class OrderShipped(Record, tag="order_shipped"):
    """A parcel left. Without `lines`: everything the order still holds."""

    order_id: Short
    lines: Annotated[list[ShippedLine], Meta(max_length=LINES_MAX)] = []


class OrderDelivered(Record, tag="order_delivered"):
    order_id: Short


class OrderReturned(Record, tag="order_returned"):
    order_id: Short


class Refusal(Struct, frozen=True, gc=False):
    """Why a line could not be reserved. `available`: units there were, over the locations asked."""

    sku: str
    quantity: int
    reason: str
    available: int


class ReserveAnswered(Record, tag="reserve_answered"):
    """The stock agent's answer for all lines of one order in one warehouse partition.

    Granted: `locations`, one per line of the command, in its order. Refused: `refused`, and nothing was taken.
    """

    order_id: Short
    attempt: Annotated[int, Meta(ge=1, le=100)]
    partition: Annotated[int, Meta(ge=0, le=1023)]
    locations: list[str] = []
    refused: list[Refusal] = []


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


class Received(Record, tag="received"):
    sku: Sku
    location: Location
    quantity: Units
    lot: Lot
    best_before: Day | None = None
    reference: Text = ""
    occurred_at: Instant | None = None


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
    occurred_at: Instant | None = None


class Shipped(Record, tag="shipped"):
    """Units left a location: of an order (with its attempt), or sold over a counter."""

    sku: Sku
    location: Location
    quantity: Units
    lot: Lot | None = None
    order_id: Short | None = None
    attempt: Annotated[int, Meta(ge=0, le=100)] = 0
    occurred_at: Instant | None = None


class PolicySet(Record, tag="policy_set"):
    """Stock policy of a SKU at one location, or (without) at all of its locations, those to come included."""

    sku: Sku
    location: Location | None = None
    reorder_point: Count = 0
    hysteresis: Count = 0
    safety_stock: Count = 0


class Reserve(Record, tag="reserve"):
    """Claim all these lines, or none of them. `asked_ms`: state time of the order partition when it asked."""

    order_id: Short
    attempt: Annotated[int, Meta(ge=1, le=100)]
    order_partition: Annotated[int, Meta(ge=0, le=1023)]
    lines: Annotated[list[Line], Meta(min_length=1, max_length=LINES_MAX)]
    locations: Annotated[list[str], Meta(min_length=1, max_length=20)]
    asked_ms: Millis = 0
    channel: str = ""
    occurred_at: Instant | Literal[""] = ""


class Hold(Record, tag="hold"):
    order_id: Short
    attempt: Annotated[int, Meta(ge=1, le=100)]


class Allocate(Record, tag="allocate"):
    order_id: Short
    attempt: Annotated[int, Meta(ge=1, le=100)]


class Release(Record, tag="release"):
    """Give back what the attempt holds; with `lines`, only those units."""

    order_id: Short
    attempt: Annotated[int, Meta(ge=1, le=100)]
    lines: Annotated[list[CancelLine], Meta(max_length=LINES_MAX)] = []


OrderRecord = (
    OrderPlaced | CancelRequested | PaymentCaptured | PaymentFailed | CheckOpened | CheckPassed | CheckFailed
    | OrderPicked | OrderPacked | OrderShipped | OrderDelivered | OrderReturned
    | ReserveAnswered | ReservationOverdue | DeadlineReached | AskAgain
    | Tick | TickContinued | Prune | LogOpened | LogicVersionSet
)  # fmt: skip
StockRecord = (
    SkuDefined | Received | Adjusted | Counted | Shipped | PolicySet | Reserve | Hold | Allocate | Release
    | Tick | TickContinued | Prune | LogOpened | LogicVersionSet
)  # fmt: skip
EVERYWHERE = (LogOpened, LogicVersionSet)  # written once per partition with one id, null key, explicit partition
CLOCK = (Tick, TickContinued, Prune)


# -- published topics --------------------------------------------------------------------------------------------------


class DecidedLine(Struct, frozen=True, gc=False, omit_defaults=True):
    sku: str
    quantity: int
    location: str = ""
    reason: str = ""  # of a refused line
    available: int | None = None


class OrderDecided(Record, tag="order_decided"):
    """`reservations`: one decision per order, and later what cancellations gave back.

    `status`: confirmed, rejected or expired (one per order), or cancelled (`lines`: the units given back).
    `lines` are summed per SKU. `offset`, `index`: the record of the order log that decided.
    """

    order_id: str
    channel: str
    status: Literal["confirmed", "rejected", "expired", "cancelled"]
    reason: str
    lines: list[DecidedLine]
    occurred_at: str
    decided_at: str
    attempt: int
    partition: int
    offset: int
    index: int


class StatusLine(Struct, frozen=True, gc=False):
    sku: str
    quantity: int
    location: str
    shipped: int
    cancelled: int


class OrderStatus(Record, tag="order_status"):
    """`order-status`: the order as it stands. `version`: [log id, offset, index]; readers keep the highest."""

    order_id: str
    channel: str
    status: str
    reason: str
    payment: str
    checks: list[str]
    lines: list[StatusLine]
    attempt: int
    occurred_at: str
    decided_at: str
    late: list[str]
    version: tuple[int, int, int]


class LotLevel(Struct, frozen=True, gc=False):
    lot: str
    best_before: str
    on_hand: int


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
    """`alerts`: low, out, restored (with hysteresis); shortage and covered; recount (a count too old to apply)."""

    sku: str
    location: str
    kind: Literal["low", "out", "restored", "shortage", "covered", "recount"]
    available: int
    shortage: int
    reorder_point: int
    version: tuple[int, int, int]


class Demand(Record, tag="demand"):
    """`demand`: units asked for on one day (first attempts only), and the UTC hours in which stock ran out."""

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
