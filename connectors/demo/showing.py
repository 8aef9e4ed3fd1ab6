"""What has happened in a run, by name: read from what the pipeline published, and from what it only could be told.

Pure: a published record and the one before it in, names out, each once when it becomes true. `SHOWN` lists them all, by
what they are about: a run of a week has every one. Does not belong here: making them happen.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from connectors.demo.catalogue import GIFT_BOX
from connectors.demo.returns import DISPOSITIONS
from tables import records as r

SHOWN: dict[str, tuple[str, ...]] = {
    "lots": ("lot in inspection", "lot approved after inspection", "lot on hold", "lot expired", "lot expiring",
             "units set apart", "units good again"),
    "kits": ("variety pack sold", "gift boxes built", "gift box taken apart"),
    "channels": ("channel rules set", "ring fence", "channel buffer", "preorder with a date"),
    "sourcing": ("one location", "split shipments"),
    "policies": ("shipped what there was", "backordered", "backorder filled", "order edited"),
    "payments": ("captured after authorization", "payment failed", "paid too late", "refunded", "partly refunded",
                 "voided", "held for fraud", "held for address", "held for manual"),
    "fulfilment": ("picked by lot", "short pick", "final short shipment", "second parcel", "carton",
                   "tracked delivery"),
    "returns": ("return authorized", "return received", "return inspected", "exchange",
                *(f"return: {x}" for x in DISPOSITIONS)),
    "transfers": ("transfer under way", "transfer received", "purchase ordered", "purchase confirmed",
                  "purchase announced", "purchase received", "discrepancy"),
    "counts": ("count", "count over tolerance", "recount"),
    "recalls": ("recall drill", "recall opened", "lot recalled", "recall closed"),
}  # fmt: skip
_ALERTS = {  # a recall is soon over in a week that is played in a minute, and a level may skip it: an alert does not
    "expiring": "lot expiring", "discrepancy": "discrepancy", "recount": "count over tolerance",
    "recalled": "lot recalled",
}  # fmt: skip
_SENT: dict[type, str] = {
    r.ChannelSet: "channel rules set", r.KitDisassembled: "gift box taken apart", r.TransferredIn: "transfer received",
    r.PurchaseOrdered: "purchase ordered", r.PurchaseConfirmed: "purchase confirmed",
    r.PurchaseNotified: "purchase announced", r.RecallClosed: "recall closed",
}  # fmt: skip


def of_sent(record: Any) -> list[str]:
    """Names of what a record tells the pipeline."""
    match record:
        case r.ConditionChanged():
            return ["units good again" if record.condition == "good" else "units set apart"]
        case r.LotStatusSet(status="approved"):
            return ["lot approved after inspection"]
        case r.Received() if record.reference.startswith("PO-"):
            return ["purchase received"]
        case r.Counted():
            return ["recount" if record.recount else "count"]
        case r.RecallOpened():
            return ["recall drill" if record.mock else "recall opened"]
        case r.OrderPicked():
            lines = record.lines
            return ["picked by lot"] * any(x.lot for x in lines) + ["short pick"] * any(x.short for x in lines)
        case r.OrderShipped(final=True):
            return ["final short shipment"]
        case r.ReturnInspected():
            return [f"return: {x}" for x in dict.fromkeys(line.disposition for line in record.lines)]
        case _:
            return [_SENT[type(record)]] if type(record) in _SENT else []


def of_alert(alert: r.Alert) -> list[str]:
    return [_ALERTS[alert.kind]] if alert.kind in _ALERTS else []


def of_decision(decision: r.OrderDecided) -> list[str]:
    return ["order edited"] if decision.status == "edited" else []


def of_level(before: r.StockLevels | None, level: r.StockLevels) -> list[str]:
    """Names of what is true of the SKU's stock now, and was not before."""
    return _new(_in_level(before), _in_level(level))


def of_order(before: r.OrderStatus | None, status: r.OrderStatus) -> list[str]:
    """Names of what is true of the order now, and was not before."""
    names = _new(_in_order(before), _in_order(status))
    if before is not None:
        fewer_wait = sum(x.open for x in status.lines) < sum(x.open for x in before.lines)
        if ("backordered", "") in _in_order(before) and fewer_wait and _held(status) > _held(before):
            names.append("backorder filled")
        if (before.payment, status.payment) == ("authorized", "captured"):
            names.append("captured after authorization")
    return names


def _new(before: set[tuple[str, str]], now: set[tuple[str, str]]) -> list[str]:
    return sorted(name for name, _ in now - before)


def _held(status: r.OrderStatus) -> int:
    return sum(line.allocated for line in status.lines)


def _in_level(level: r.StockLevels | None) -> set[tuple[str, str]]:
    """(name, where) of what a level shows."""
    found: set[tuple[str, str]] = set()
    for place in level.locations if level else ():
        at = place.location
        for lot in place.lots:
            state = {"inspection": "lot in inspection", "on_hold": "lot on hold"}.get(lot.status, f"lot {lot.status}")
            if lot.status not in ("approved", "recalled"):
                found.add((state, f"{at} {lot.lot}"))
        for share in place.channels:
            if share.ring_fence:
                found.add(("ring fence", f"{at} {share.channel}"))
            if share.buffer:
                found.add(("channel buffer", f"{at} {share.channel}"))
        found.update(("transfer under way", f"{at} {x.reference}") for x in place.incoming if x.kind == "transfer")
        if level is not None and level.sku == GIFT_BOX.sku:
            found.update(("gift boxes built", f"{at} {lot.lot}") for lot in place.lots)
    return found


def _in_order(status: r.OrderStatus | None) -> set[tuple[str, str]]:
    """(name, where) of what an order's document shows."""
    if status is None:
        return set()
    found = set(_payment(status))
    waits = status.status not in ("pending", "on_hold") and any(x.open for x in status.lines)
    for name, true in (
        ("variety pack sold", status.kits and _held(status)),
        ("one location", status.sourcing.startswith("one location")),
        ("split shipments", " shipments: " in status.sourcing),
        ("shipped what there was", status.policy == "ship_available" and _held(status) and any(
            line.cancelled and not line.location for line in status.lines
        )),
        ("backordered", waits),
        ("preorder with a date", waits and any(x.open and x.due for x in status.lines)),
        ("second parcel", any(len(x.tracking) > 1 for x in status.fulfilments)),
        ("carton", any(x.cartons for x in status.fulfilments)),
        ("tracked delivery", any(x.tracking_status == "delivered" for x in status.fulfilments)),
        ("exchange", status.exchange_of),
    ):  # fmt: skip
        if true:
            found.add((name, ""))
    found.update((f"return {back.state}", back.return_id) for back in status.returns)
    return found


def _payment(status: r.OrderStatus) -> Iterable[tuple[str, str]]:
    name = {
        "failed": "payment failed", "refunded": "refunded", "partially_refunded": "partly refunded", "voided": "voided",
    }.get(status.payment)  # fmt: skip
    if name:
        yield name, ""
    if status.status == "paid_unallocated":
        yield "paid too late", ""
    if status.status == "on_hold":
        yield from ((f"held for {check}", "") for check in status.checks)
