"""Which records each log may hold, and which are written to every partition. Nothing else belongs here."""

from __future__ import annotations

from tables.records.both import ChannelSet, LogicVersionSet, LogOpened, Prune, Tick, TickContinued
from tables.records.orders import (
    AskAgain,
    BackorderFilled,
    CancelRequested,
    CheckFailed,
    CheckOpened,
    CheckPassed,
    DeadlineReached,
    KitSet,
    MoveAnswered,
    OrderDelivered,
    OrderEdited,
    OrderPacked,
    OrderPicked,
    OrderPlaced,
    OrderReturned,
    OrderShipped,
    PaymentAuthorized,
    PaymentCaptured,
    PaymentFailed,
    PaymentRefunded,
    PaymentVoided,
    ReservationOverdue,
    ReserveAnswered,
    ReturnAuthorized,
    ReturnInspected,
    ReturnReceived,
    TrackingUpdated,
)
from tables.records.stock import (
    Adjusted,
    Allocate,
    Backorder,
    ChannelStockSet,
    ConditionChanged,
    Counted,
    FillBackorders,
    Hold,
    KitAssembled,
    KitDisassembled,
    KitPartMoved,
    LotDefined,
    LotsContinued,
    LotStatusSet,
    Move,
    Picked,
    PolicySet,
    PurchaseClosed,
    PurchaseConfirmed,
    PurchaseNotified,
    PurchaseOrdered,
    RecallClosed,
    RecallOpened,
    Received,
    Release,
    Reserve,
    Returned,
    Shipped,
    SkuDefined,
    TransferredIn,
    TransferredOut,
    WindowContinued,
)

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
    | RecallOpened | RecallClosed | LotsContinued | WindowContinued | ChannelSet
    | Tick | TickContinued | Prune | LogOpened | LogicVersionSet
)  # fmt: skip
# Written once per partition with one id, null key, explicit partition.
EVERYWHERE = (LogOpened, LogicVersionSet, ChannelSet, KitSet, RecallOpened, RecallClosed)
CLOCK = (Tick, TickContinued, Prune)
