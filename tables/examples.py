"""One valid example of every record: of both logs, and of each published topic. Together they tell of one order.

For tests, docs and generators. Guarantees: each is what its log's codec reads, and the same in every process.
`example(Received, quantity=5)` gives one with other values. Does not belong here: cases that are refused.
"""

from __future__ import annotations

from typing import Any, TypeVar

from msgspec import Raw
from msgspec.structs import replace

from tables import records as r
from tables.codec import encode

T = TypeVar("T")

SKU, AUSTIN, LOT, ORDER = "ORIG-BAG-70", "AUSTIN", "L2026-041", "shop-1001"
STAMP, OCCURRED = "2026-03-02T09:15:00.000Z", "2026-03-02T09:14:58Z"
NOW_MS = 1_772_442_900_000  # STAMP in milliseconds since 1970
LOG_ID = 1_772_400_000_000
VERSION = (LOG_ID, 17, 0)

BOTH_LOGS: tuple[r.Record, ...] = (
    r.LogOpened(id=f"log:{LOG_ID}", time=STAMP, log_id=LOG_ID, partitions=4, logic_version=1, limits=r.Limits()),
    r.LogicVersionSet(id="logic:2", time=STAMP, version=2),
    r.Tick(id=f"tick:{NOW_MS}", time=STAMP, now_ms=NOW_MS),
    r.TickContinued(id=f"{LOG_ID}:0:17408", time=STAMP),
    r.Prune(id="prune:1", time=STAMP, items=[r.Pruned(ORDER, 1), r.Pruned(ORDER)]),
)

ORDER_LOG: tuple[r.Record, ...] = (
    r.OrderPlaced(
        id=ORDER, time=STAMP, order_id=ORDER, channel="web", lines=[r.Line(SKU, 3)], locations=[AUSTIN, "RENO"],
        payment="pending", payment_seconds=900, checks=["fraud"], occurred_at=OCCURRED,
    ),
    r.ReservationOverdue(id=f"{ORDER}:1:0:overdue", time=STAMP, order_id=ORDER, attempt=1, partition=0),
    r.ReserveAnswered(
        id=f"{ORDER}:1:0", time=STAMP, order_id=ORDER, attempt=1, partition=0,
        refused=[r.Refusal(SKU, 3, "contended", 1)],
    ),
    r.AskAgain(id=f"{ORDER}:2:again:1", time=STAMP, order_id=ORDER, attempt=2, hops=1),
    r.PaymentFailed(id="pay-7", time=STAMP, order_id=ORDER, reason="card declined"),
    r.PaymentCaptured(id="pay-8", time=STAMP, order_id=ORDER),
    r.CheckOpened(id="check-1", time=STAMP, order_id=ORDER, check="address"),
    r.CheckFailed(id="check-2", time=STAMP, order_id=ORDER, check="address", reason="no such street"),
    r.CheckPassed(id="check-3", time=STAMP, order_id=ORDER, check="fraud"),
    r.DeadlineReached(id=f"{ORDER}:deadline:{NOW_MS}", time=STAMP, order_id=ORDER, deadline_ms=NOW_MS),
    r.CancelRequested(
        id="cancel-1", time=STAMP, order_id=ORDER, reason="ordered twice", lines=[r.CancelLine(SKU, 1)],
        occurred_at=OCCURRED,
    ),
    r.OrderPicked(id="pick-1", time=STAMP, order_id=ORDER),
    r.OrderPacked(id="pack-1", time=STAMP, order_id=ORDER),
    r.OrderShipped(id="parcel-1", time=STAMP, order_id=ORDER, lines=[r.ShippedLine(SKU, 2, AUSTIN, LOT)]),
    r.OrderDelivered(id="delivery-1", time=STAMP, order_id=ORDER),
    r.OrderReturned(id="return-1", time=STAMP, order_id=ORDER),
)  # fmt: skip

STOCK_LOG: tuple[r.Record, ...] = (
    r.SkuDefined(id=f"sku:{SKU}", time=STAMP, sku=SKU, flavor="original", packaging="bag", size="70 g",
                 gtin="04006381333931", discontinued=False),
    r.PolicySet(id=f"policy:{SKU}", time=STAMP, sku=SKU, location=AUSTIN, reorder_point=20, hysteresis=5,
                safety_stock=2),
    r.Received(id="asn-55:1", time=STAMP, sku=SKU, location=AUSTIN, quantity=120, lot=LOT, best_before="2027-02-28",
               reference="PO-55", occurred_at=OCCURRED),
    r.Adjusted(id="adjust-9", time=STAMP, sku=SKU, location=AUSTIN, quantity=-1, reason="damaged", lot=LOT,
               note="torn bag", occurred_at=OCCURRED),
    r.Counted(id="count-3", time=STAMP, sku=SKU, location=AUSTIN, lot=LOT, quantity=118, as_of_offset=17,
              as_of_index=2, occurred_at=OCCURRED),
    r.Reserve(id=f"{ORDER}:1:0", time=STAMP, order_id=ORDER, attempt=1, order_partition=0, lines=[r.Line(SKU, 3)],
              locations=[AUSTIN, "RENO"], asked_ms=NOW_MS, channel="web", occurred_at=OCCURRED),
    r.Hold(id=f"{ORDER}:1:0", time=STAMP, order_id=ORDER, attempt=1),
    r.Allocate(id=f"{ORDER}:1:0", time=STAMP, order_id=ORDER, attempt=1),
    r.Release(id=f"{ORDER}:1:0:4", time=STAMP, order_id=ORDER, attempt=1, lines=[r.CancelLine(SKU, 1)]),
    r.Shipped(id=f"{ORDER}:shipment:5:0", time=STAMP, sku=SKU, location=AUSTIN, quantity=2, lot=LOT, order_id=ORDER,
              attempt=1, occurred_at=OCCURRED),
)  # fmt: skip

PUBLISHED: tuple[r.Record, ...] = (
    r.OrderDecided(
        id=f"{ORDER}:decision", time=STAMP, order_id=ORDER, channel="web", status="confirmed", reason="",
        lines=[r.DecidedLine(SKU, 3, AUSTIN)], occurred_at=OCCURRED, decided_at=STAMP, attempt=1, partition=0,
        offset=17, index=0,
    ),
    r.OrderStatus(
        id=f"{ORDER}:17408", time=STAMP, order_id=ORDER, channel="web", status="partially_shipped", reason="",
        payment="captured", checks=[], lines=[r.StatusLine(SKU, 3, AUSTIN, 1, 1)], attempt=1, occurred_at=OCCURRED,
        decided_at=STAMP, late=["pick while packed"], version=VERSION,
    ),
    r.StockLevels(
        id=f"{SKU}:17408", time=STAMP, sku=SKU, available=114, on_hand=118, flavor="original", packaging="bag",
        size="70 g", gtin="04006381333931", discontinued=False,
        locations=[r.LocationLevel(
            AUSTIN, 118, 114, 0, 2, 2, 0, 0, 20, [r.LotLevel(LOT, "2027-02-28", 118)], VERSION,
        )],
        version=VERSION,
    ),
    r.Alert(
        id=f"{LOG_ID}:0:17408:0", time=STAMP, sku=SKU, location=AUSTIN, kind="low", available=18, shortage=0,
        reorder_point=20, version=VERSION,
    ),
    r.Demand(
        id=f"{SKU}|{AUSTIN}|2026-03-02:17408", time=STAMP, sku=SKU, location=AUSTIN, day="2026-03-02", ordered=3,
        orders=1, refused=0, stockout_hours=[9, 10], version=VERSION,
    ),
    r.Forecast(
        id=f"{SKU}|{AUSTIN}|2026-03-02", time=STAMP, sku=SKU, location=AUSTIN, run="2026-03-02", model="seasonal",
        status="ok", days=["2026-03-03"], mean=[3.5], q50=[3.0], q90=[6.0], q95=[7.0], q99=[9.0],
    ),
    r.Reorder(
        id=f"{SKU}|{AUSTIN}|2026-03-02", time=STAMP, sku=SKU, location=AUSTIN, run="2026-03-02", quantity=60,
        order_by="2026-03-05", reorder_point=20, order_up_to=80, position=20, lead_days=7,
        reason="20 units cover 6 days, delivery takes 7",
    ),
)  # fmt: skip

PACKED = r.Packed(items=[Raw(encode(record)) for record in STOCK_LOG[-4:]])

_BY_TYPE: dict[type, Any] = {type(x): x for x in (*BOTH_LOGS, *ORDER_LOG, *STOCK_LOG, *PUBLISHED, PACKED)}


def example(kind: type[T], **changes: Any) -> T:
    """The example of this record type, with some fields changed. `KeyError` if it is no record."""
    return replace(_BY_TYPE[kind], **changes)
