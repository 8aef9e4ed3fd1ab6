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
    r.ChannelSet(id="channel:market:1", time=STAMP, channel="market", locations=[AUSTIN, "RENO"], minimum_life_days=60,
                 promise_days=2, policy="ship_available"),
    r.Tick(id=f"tick:{NOW_MS}", time=STAMP, now_ms=NOW_MS),
    r.TickContinued(id=f"{LOG_ID}:0:17408", time=STAMP),
    r.Prune(id="prune:1", time=STAMP, items=[r.Pruned(ORDER, 1), r.Pruned(ORDER)]),
)

ORDER_LOG: tuple[r.Record, ...] = (
    r.KitSet(id="kit:TRIO", time=STAMP, kit="TRIO", parts=[r.KitPart(SKU, 2), r.KitPart("HOT-BAG-70", 1)]),
    r.OrderPlaced(
        id=ORDER, time=STAMP, order_id=ORDER, channel="web", lines=[r.Line(SKU, 3)], locations=[AUSTIN, "RENO"],
        policy="backorder", exchange_of="shop-0990", payment="pending", payment_seconds=900, checks=["fraud"],
        occurred_at=OCCURRED,
    ),
    r.ReservationOverdue(id=f"{ORDER}:1:0:overdue", time=STAMP, order_id=ORDER, attempt=1, partition=0),
    r.ReserveAnswered(
        id=f"{ORDER}:1:0", time=STAMP, order_id=ORDER, attempt=1, partition=0,
        parts=[r.Part(SKU, 1, AUSTIN), r.Part(SKU, 1, "RENO", backordered=True, due="2026-03-20")],
        refused=[r.Refusal(SKU, 1, "contended", 1)], could=[0],
    ),
    r.MoveAnswered(
        id=f"{ORDER}:1:0:move", time=STAMP, order_id=ORDER, attempt=1, partition=0, moved=True,
        parts=[r.Part(SKU, 3, "RENO")],
    ),
    r.BackorderFilled(
        id=f"{ORDER}:1:0:17408", time=STAMP, order_id=ORDER, attempt=1, partition=0, sku=SKU, location="RENO",
        quantity=1, waiting=2, heard=1, place=17408,
    ),
    r.AskAgain(id=f"{ORDER}:2:again:1", time=STAMP, order_id=ORDER, attempt=2, hops=1),
    r.PaymentFailed(id="pay-7", time=STAMP, order_id=ORDER, reason="card declined"),
    r.PaymentAuthorized(id="pay-8", time=STAMP, order_id=ORDER),
    r.PaymentCaptured(id="pay-9", time=STAMP, order_id=ORDER),
    r.PaymentRefunded(id="pay-10", time=STAMP, order_id=ORDER, partial=True),
    r.PaymentVoided(id="pay-11", time=STAMP, order_id=ORDER),
    r.CheckOpened(id="check-1", time=STAMP, order_id=ORDER, check="address"),
    r.CheckFailed(id="check-2", time=STAMP, order_id=ORDER, check="address", reason="no such street"),
    r.CheckPassed(id="check-3", time=STAMP, order_id=ORDER, check="fraud"),
    r.DeadlineReached(id=f"{ORDER}:deadline:{NOW_MS}", time=STAMP, order_id=ORDER, deadline_ms=NOW_MS),
    r.CancelRequested(
        id="cancel-1", time=STAMP, order_id=ORDER, reason="ordered twice", lines=[r.CancelLine(SKU, 1)],
        occurred_at=OCCURRED,
    ),
    r.OrderEdited(id="edit-1", time=STAMP, order_id=ORDER, lines=[r.EditLine(SKU, 2)], reason="one less"),
    r.OrderPicked(
        id="pick-1", time=STAMP, order_id=ORDER, location=AUSTIN, lines=[r.PickedLine(SKU, 2, LOT, short=1)]
    ),
    r.OrderPacked(id="pack-1", time=STAMP, order_id=ORDER, location=AUSTIN, cartons=["CARTON-1"]),
    r.OrderShipped(
        id="parcel-1", time=STAMP, order_id=ORDER, lines=[r.ShippedLine(SKU, 2, AUSTIN, LOT, "reported")],
        location=AUSTIN, tracking="TRACK-77", final=True,
    ),
    r.TrackingUpdated(id="track-1", time=STAMP, order_id=ORDER, tracking="TRACK-77", status="in_transit"),
    r.OrderDelivered(id="delivery-1", time=STAMP, order_id=ORDER),
    r.OrderReturned(id="return-1", time=STAMP, order_id=ORDER),
    r.ReturnAuthorized(
        id="rma-1", time=STAMP, order_id=ORDER, return_id="RMA-1", lines=[r.CancelLine(SKU, 1)], reason="too hot"
    ),
    r.ReturnReceived(id="rma-2", time=STAMP, order_id=ORDER, return_id="RMA-1", lines=[r.CancelLine(SKU, 1)]),
    r.ReturnInspected(
        id="rma-3", time=STAMP, order_id=ORDER, return_id="RMA-1",
        lines=[r.InspectedLine(SKU, 1, "restock", AUSTIN, LOT)],
    ),
)  # fmt: skip

STOCK_LOG: tuple[r.Record, ...] = (
    r.SkuDefined(id=f"sku:{SKU}", time=STAMP, sku=SKU, flavor="original", packaging="bag", size="70 g",
                 gtin="04006381333931", discontinued=False, case_units=24, channels=["web", "market"]),
    r.PolicySet(id=f"policy:{SKU}", time=STAMP, sku=SKU, location=AUSTIN, reorder_point=20, hysteresis=5,
                safety_stock=2, expiring_days=60, count_tolerance=10, backorder_limit=50, backorder_due="2026-03-20"),
    r.ChannelStockSet(id=f"fence:{SKU}:web", time=STAMP, sku=SKU, location=AUSTIN, channel="web", ring_fence=40,
                      buffer=3),
    r.PurchaseOrdered(id="po-55:1", time=STAMP, sku=SKU, location=AUSTIN, reference="PO-55", quantity=120,
                      expected="2026-03-01", supplier="Hill Country Beef"),
    r.PurchaseConfirmed(id="po-55:2", time=STAMP, sku=SKU, location=AUSTIN, reference="PO-55", quantity=120,
                        expected="2026-03-02"),
    r.PurchaseNotified(id="asn-55", time=STAMP, sku=SKU, location=AUSTIN, reference="PO-55", quantity=120,
                       expected="2026-03-02", lot=LOT),
    r.Received(id="asn-55:1", time=STAMP, sku=SKU, location=AUSTIN, quantity=120, lot=LOT, best_before="2027-02-28",
               produced="2026-02-10", supplier="Hill Country Beef", status="inspection", reference="PO-55",
               occurred_at=OCCURRED),
    r.PurchaseClosed(id="po-55:3", time=STAMP, sku=SKU, location=AUSTIN, reference="PO-55", reason="all there"),
    r.LotDefined(id=f"lot:{LOT}", time=STAMP, sku=SKU, lot=LOT, best_before="2027-02-28", produced="2026-02-10",
                 supplier="Hill Country Beef", documents=["certificate 8841"]),
    r.LotStatusSet(id="qa-1", time=STAMP, sku=SKU, lot=LOT, status="approved", reason="water activity 0.78"),
    r.ConditionChanged(id="damage-2", time=STAMP, sku=SKU, location=AUSTIN, lot=LOT, quantity=2, condition="damaged",
                       note="wet carton"),
    r.Adjusted(id="adjust-9", time=STAMP, sku=SKU, location=AUSTIN, quantity=-1, reason="damaged", lot=LOT,
               note="torn bag", occurred_at=OCCURRED),
    r.Counted(id="count-3", time=STAMP, sku=SKU, location=AUSTIN, lot=LOT, quantity=118, as_of_offset=17,
              as_of_index=2, recount=True, reason="cycle_count", occurred_at=OCCURRED),
    r.TransferredOut(id="transfer-4:out", time=STAMP, sku=SKU, location=AUSTIN, to="RENO", quantity=12,
                     reference="TR-4", lot=LOT, expected="2026-03-05", occurred_at=OCCURRED),
    r.TransferredIn(id="transfer-4:in", time=STAMP, sku=SKU, location="RENO", quantity=11, reference="TR-4", lot=LOT,
                    final=True, occurred_at=OCCURRED),
    r.KitAssembled(id="kit-6", time=STAMP, sku="TRIO-BOX", location=AUSTIN, quantity=5, lot="K2026-001",
                   best_before="2027-02-28", parts=[r.KitPartUsed(SKU, 10, LOT)]),
    r.KitDisassembled(id="kit-7", time=STAMP, sku="TRIO-BOX", location=AUSTIN, quantity=1, lot="K2026-001",
                      parts=[r.KitPartUsed(SKU, 2, LOT)]),
    r.KitPartMoved(id="kit-6:part:0", time=STAMP, sku=SKU, location=AUSTIN, quantity=-10, kit="TRIO-BOX", lot=LOT,
                   kit_lot="K2026-001"),
    r.RecallOpened(id="recall-1", time=STAMP, lot=LOT, skus=[SKU], reason="metal found", mock=False),
    r.LotsContinued(id="recall-1:1", time=STAMP, cause="recall-1", lot=LOT, opens=True, skus=[SKU]),
    r.WindowContinued(id="policy-1:1", time=STAMP, cause="policy-1", sku=SKU),
    r.RecallClosed(id="recall-2", time=STAMP, lot=LOT, reason="destroyed"),
    r.Reserve(id=f"{ORDER}:1:0", time=STAMP, order_id=ORDER, attempt=1, order_partition=0, lines=[r.Line(SKU, 3)],
              locations=[AUSTIN, "RENO"], asked_ms=NOW_MS, channel="web", policy="backorder", occurred_at=OCCURRED),
    r.Move(id=f"{ORDER}:1:0:move", time=STAMP, order_id=ORDER, attempt=1, order_partition=0,
           lines=[r.MoveLine(SKU, "RENO")]),
    r.Hold(id=f"{ORDER}:1:0", time=STAMP, order_id=ORDER, attempt=1),
    r.Allocate(id=f"{ORDER}:1:0", time=STAMP, order_id=ORDER, attempt=1),
    r.Backorder(id=f"{ORDER}:1:0:6", time=STAMP, order_id=ORDER, attempt=1, lines=[r.ReleaseLine(SKU, 1, AUSTIN)]),
    r.FillBackorders(id=f"fill:{SKU}:{AUSTIN}:17408", time=STAMP, sku=SKU, location=AUSTIN),
    r.Picked(id=f"{ORDER}:pick:4:0", time=STAMP, sku=SKU, location=AUSTIN, quantity=2, order_id=ORDER, attempt=1,
             short=1, lot=LOT),
    r.Returned(id=f"{ORDER}:return:9:0", time=STAMP, sku=SKU, location=AUSTIN, quantity=1, disposition="restock",
               lot=LOT, order_id=ORDER, occurred_at=OCCURRED),
    r.Release(id=f"{ORDER}:1:0:4", time=STAMP, order_id=ORDER, attempt=1, lines=[r.ReleaseLine(SKU, 1, AUSTIN)]),
    r.Shipped(id=f"{ORDER}:shipment:5:0", time=STAMP, sku=SKU, location=AUSTIN, quantity=2, lot=LOT, known="reported",
              order_id=ORDER, attempt=1, channel="web", occurred_at=OCCURRED),
)  # fmt: skip

PUBLISHED: tuple[r.Record, ...] = (
    r.OrderDecided(
        id=f"{ORDER}:decision", time=STAMP, order_id=ORDER, channel="web", status="confirmed", reason="",
        lines=[r.DecidedLine(SKU, 3, AUSTIN, backordered=1)], occurred_at=OCCURRED, decided_at=STAMP, attempt=1,
        partition=0, offset=17, index=0,
    ),
    r.OrderStatus(
        id=f"{ORDER}:17408", time=STAMP, order_id=ORDER, channel="web", status="partially_shipped", reason="",
        payment="authorized", payment_wanted="capture", policy="backorder", sourcing="one location: AUSTIN", checks=[],
        lines=[r.StatusLine(SKU, 4, AUSTIN, 1, 1, 1, 1, 0, "2026-03-20", 1)],
        fulfilments=[r.FulfilmentStatus(AUSTIN, "packed", ["CARTON-1"], ["TRACK-77"], "in_transit")],
        returns=[r.ReturnStatus("RMA-1", "inspected", 1)], kits={"TRIO": 1}, exchange_of="shop-0990", attempt=1,
        occurred_at=OCCURRED, decided_at=STAMP, late=["pick while packed"], version=VERSION,
    ),
    r.StockLevels(
        id=f"{SKU}:17408", time=STAMP, sku=SKU, available=111, on_hand=118, flavor="original", packaging="bag",
        size="70 g", gtin="04006381333931", discontinued=False,
        locations=[r.LocationLevel(
            AUSTIN, 118, 111, 0, 2, 2, 3, 0, 20, [r.LotLevel(LOT, "2027-02-28", 118, "approved", 3)], VERSION,
            backordered=1, open_to_all=70, channels=[r.ChannelLevel("web", 107, 40, 3)],
            incoming=[r.IncomingLevel("PO-56", "purchase", 60, "2026-03-20", True)],
            promise=[r.Promise("2026-03-02", 110), r.Promise("2026-03-20", 170)], accuracy=r.Accuracy(9, 8, 940, 2),
        )],
        version=VERSION,
    ),
    r.Alert(
        id=f"{LOG_ID}:0:17408:0", time=STAMP, sku=SKU, location=AUSTIN, kind="expiring", available=18, shortage=0,
        reorder_point=20, version=VERSION, lot=LOT, units=18, note="best before 2027-02-28",
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
        reason="20 units cover 6 days, delivery takes 7", kind="transfer", supplier="Hill Country Beef",
        from_location="RENO", needed=60, cost_cents=14400, expected="2026-03-12",
    ),
    r.ForecastAlert(
        id=f"{SKU}|{AUSTIN}|2026-03-02.001|stockout_predicted", time=STAMP, sku=SKU, location=AUSTIN,
        kind="stockout_predicted", state="raised", run="2026-03-02.001", probability=0.6, units=8, stock=20,
        day="2026-03-07", until="2026-03-12", note="20 there or coming, 28 expected",
    ),
)  # fmt: skip

PLANNING: tuple[r.Record, ...] = (
    r.SupplierTerms(
        id="supplier:hcb", time=STAMP, supplier="Hill Country Beef", lead_days=7, order_weekdays=["mon", "thu"],
        arrival_weekdays=["tue", "fri"], closed=["2026-12-25"], minimum_units=100, minimum_cents=50000,
        budget_cents=900000, review_days=7,
    ),
    r.Supply(
        id=f"supply:{SKU}", time=STAMP, sku=SKU, supplier="Hill Country Beef", case_pack=24, minimum_quantity=48,
        unit_cost_cents=240, shelf_life_days=180, central=AUSTIN, transfer_days=3,
    ),
    r.PromotionPlanned(
        id="promotion:1", time=STAMP, promotion="SPRING", sku=SKU, first_day="2026-03-20", last_day="2026-03-27",
        depth=0.25, location=AUSTIN,
    ),
    r.ReorderDecision(
        id=f"decision:{SKU}|{AUSTIN}|2026-03-02.001", time=STAMP, sku=SKU, location=AUSTIN, run="2026-03-02.001",
        decision="accepted", quantity=48, recommended=60, order_by="2026-03-05", kind="transfer",
        supplier="Hill Country Beef", from_location="RENO", cost_cents=11520, reference="RO-2026-03-02.001",
        by="Ada", reason="the shelf is narrow", decided_at=OCCURRED, log_id=LOG_ID, offset=18,
    ),
    r.ServiceSet(id="service:1", time=STAMP, service=0.9, wanted_fill=0.97, replayed_fill=0.974),
)  # fmt: skip

PACKED = r.Packed(items=[Raw(encode(record)) for record in STOCK_LOG[-4:]])

_BY_TYPE: dict[type, Any] = {type(x): x for x in (*BOTH_LOGS, *ORDER_LOG, *STOCK_LOG, *PUBLISHED, *PLANNING, PACKED)}


def example(kind: type[T], **changes: Any) -> T:
    """The example of this record type, with some fields changed. `KeyError` if it is no record."""
    return replace(_BY_TYPE[kind], **changes)
