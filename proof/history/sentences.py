"""Records in words: one line per type for what a record says, and for what it made the agents say.

Pure. Every record of both logs has its sentence (a test holds that); a type without one is named as it stands on the
wire. Does not belong here: what a record changed (`changing`), why a decision fell so (`choosing`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from tables import records as r


def came(record: Any) -> str:
    """What this record of a log says."""
    sentence = _CAME.get(type(record))
    return sentence(record) if sentence else tag(record).replace("_", " ")


def said(record: Any) -> str:
    """What this record, sent because of another, tells people; "" for one that only moves the work on."""
    sentence = _SAID.get(type(record))
    return sentence(record) if sentence else ""


def tag(record: Any) -> str:
    return str(record.__struct_config__.tag)


def units(lines: Iterable[Any]) -> str:
    """Lines with `sku` and `quantity`: `2 A, 1 B`."""
    return ", ".join(f"{line.quantity} {line.sku}" for line in lines)


def placed_units(lines: Iterable[Any]) -> str:
    """Lines that may name where: `2 A at W1, 1 B`."""
    return ", ".join(f"{line.quantity} {line.sku}{at(line.location)}" for line in lines)


def summed_units(lines: Iterable[Any]) -> str:
    """As `placed_units`, each SKU and place once."""
    summed: dict[tuple[str, str], int] = {}
    for line in lines:
        summed[line.sku, line.location] = summed.get((line.sku, line.location), 0) + line.quantity
    return ", ".join(f"{units} {sku}{at(location)}" for (sku, location), units in summed.items())


def refusal(refused: r.Refusal) -> str:
    """`A insufficient: 7 asked, 3 there`; of a check that never looked at stock, without the units."""
    counted = refused.reason in ("insufficient", "contended", "shelf_life")
    there = f", {refused.available} there" if counted else ""
    return f"{refused.sku} {refused.reason}: {refused.quantity} asked{there}"


def _rest(refused: r.Refusal) -> str:
    """Of a line that was granted in part: its other units."""
    return f"{refused.sku} {refused.reason}: {refused.quantity} more asked than the {refused.available} there were"


def part(one: Any) -> str:
    """Units granted at a location: with `backordered` and `due`."""
    text = f"{one.quantity} {one.sku} at {one.location}"
    if not one.backordered:
        return text
    return f"{text} without stock yet, promised for {one.due}" if one.due else f"{text} without stock yet, no day known"


def answered(granted: Iterable[Any], refused: Iterable[r.Refusal]) -> str:
    """`granted ...; refused ...`, as far as there is either."""
    parts = list(granted)
    some = {x.sku for x in parts}
    rests = [_rest(x) if x.sku in some else refusal(x) for x in refused]
    told = ["; ".join(map(part, parts)), "; ".join(rests)]
    return "; ".join(word + text for word, text in zip(("granted ", "refused: "), told, strict=True) if text)


def at(location: str | None) -> str:
    return f" at {location}" if location else ""


def _because(reason: str | None) -> str:
    return f" ({reason})" if reason else ""


def _lot(lot: str | None) -> str:
    return f", lot {lot}" if lot else ""


def _day(day: str | None) -> str:
    return f", expected {day}" if day else ""


# -- the order log -----------------------------------------------------------------------------------------------------


def _placed(x: r.OrderPlaced) -> str:
    told = f"placed by {x.channel}: {units(x.lines)}" + (f", policy {x.policy}" if x.policy else "")
    return told + (f", in exchange for {x.exchange_of}" if x.exchange_of else "")


def _answered(x: r.ReserveAnswered) -> str:
    return f"partition {x.partition} answers attempt {x.attempt}: {answered(x.parts, x.refused) or 'nothing is held'}"


def _moved(x: r.MoveAnswered) -> str:
    now = "; ".join(map(part, x.parts)) or "nothing is held any more"
    return f"partition {x.partition} {'moved them' if x.moved else 'could not move them'}, it holds: {now}"


def _picked_line(x: r.PickedLine) -> str:
    return f"{x.quantity} {x.sku}{_lot(x.lot)}" + (f", {x.short} not found" if x.short else "")


def _shipped_line(x: r.ShippedLine) -> str:
    return f"{x.quantity} {x.sku}{at(x.location)}" + (f"{_lot(x.lot)} ({x.known})" if x.lot else "")


def _picked(x: r.OrderPicked) -> str:
    return f"picked{at(x.location)}: " + ("; ".join(map(_picked_line, x.lines)) or "everything")


def _packed(x: r.OrderPacked) -> str:
    cartons = f", cartons {', '.join(x.cartons)}" if x.cartons else ""
    return f"packed{at(x.location)}{cartons}"


def _shipped(x: r.OrderShipped) -> str:
    what = "; ".join(map(_shipped_line, x.lines)) or "everything that was left"
    text = f"a parcel left{at(x.location)}: {what}" + (f", tracking {x.tracking}" if x.tracking else "")
    return f"{text}; the last one from {x.location or 'anywhere'}" if x.final else text


def _edited(x: r.OrderEdited) -> str:
    totals = ", ".join(f"{line.sku} to {line.quantity}" if line.quantity else f"no {line.sku}" for line in x.lines)
    return f"edit {x.id}: {totals}{_because(x.reason)}"


def _inspected_line(x: r.InspectedLine) -> str:
    return f"{x.quantity} {x.sku}{at(x.location)}{_lot(x.lot)}: {x.disposition.replace('_', ' ')}"


def _inspected(x: r.ReturnInspected) -> str:
    return f"return {x.return_id} looked at: " + "; ".join(map(_inspected_line, x.lines))


def _channel(x: r.ChannelSet) -> str:
    return f"rules of channel {x.channel}: " + channel_text(x)


def channel_text(x: Any) -> str:
    """A channel's rules, of a record or a row."""
    told = [f"served from {', '.join(x.locations)}" if x.locations else "served from wherever its orders say"]
    if x.minimum_life_days:
        told.append(f"{x.minimum_life_days} days of shelf life left when it leaves")
    if x.promise_days:
        told.append(f"leaves {x.promise_days} days after it is promised")
    told.append(f"policy {x.policy} where an order names none")
    return "; ".join([*told, "takes no orders"] if x.closed else told)


# -- the stock log -----------------------------------------------------------------------------------------------------


def _reserve(x: r.Reserve) -> str:
    return f"attempt {x.attempt} asks for {units(x.lines)}"


def _given_back(x: r.Release) -> str:
    """What a release is about."""
    if not x.lines:
        return f"what attempt {x.attempt} holds"
    if any(line.location for line in x.lines):
        return f"{placed_units(x.lines)} of attempt {x.attempt}"
    return f"what attempt {x.attempt} still holds of {', '.join(line.sku for line in x.lines)}"


def _wants_move(x: r.Move) -> str:
    return "hold " + ", ".join(f"{line.sku} at {line.location}" for line in x.lines) + " instead"


def _pick(x: r.Picked) -> str:
    short = f"; {x.short} not found, off the books" if x.short else ""
    return f"{x.quantity} {x.sku} picked at {x.location}{_lot(x.lot)}{short}"


def _left(x: r.Shipped) -> str:
    sold = "" if x.order_id else f", sold{' by ' + x.channel if x.channel else ''} over the counter"
    return f"{x.quantity} {x.sku} left {x.location}" + (f"{_lot(x.lot)} ({x.known})" if x.lot else "") + sold


def _back(x: r.Returned) -> str:
    return f"{x.quantity} {x.sku} came back to {x.location}{_lot(x.lot)}: {x.disposition.replace('_', ' ')}"


def _received(x: r.Received) -> str:
    best = f", best before {x.best_before}" if x.best_before else ""
    status = "" if x.status == "approved" else f", {x.status}"
    return f"{x.quantity} {x.sku} received at {x.location}, lot {x.lot}{best}{status}{_because(x.reference)}"


def _sku(x: r.SkuDefined) -> str:
    return f"SKU {x.sku}: " + sku_text(x)


def sku_text(x: Any) -> str:
    """Who may sell a SKU, of a record or a row."""
    sold = f"sold by {', '.join(x.channels)} alone" if x.channels else "sold by every channel"
    return f"{sold}; discontinued" if x.discontinued else sold


def promise_text(x: Any) -> str:
    """What of a stock policy bears on decisions, of a record or a row."""
    told = f"safety stock {x.safety_stock}"
    if not x.backorder_limit:
        return f"{told}, no backorders"
    return f"{told}, backorders up to {x.backorder_limit}" + (f", due {x.backorder_due}" if x.backorder_due else "")


def policy_text(x: Any) -> str:
    """A stock policy whole, of a record or a row."""
    told = [promise_text(x)]
    told += [f"{name.replace('_', ' ')} {getattr(x, name)}" for name in (
        "reorder_point", "hysteresis", "expiring_days", "count_tolerance") if getattr(x, name)]  # fmt: skip
    return ", ".join(told)


def share_text(x: Any) -> str:
    """A channel's share of a SKU at a location, of a record or a row."""
    told = []
    if x.ring_fence:
        told.append(f"{x.ring_fence} units ring-fenced for it")
    if x.buffer:
        told.append(f"a buffer of {x.buffer} it may not take")
    return ", ".join(told) or "nothing of its own"


def parts_text(parts: Iterable[tuple[str, int]]) -> str:
    return " + ".join(f"{units} {sku}" for sku, units in parts) or "a product with stock of its own"


def _used(parts: Iterable[r.KitPartUsed]) -> str:
    return " + ".join(f"{x.quantity} {x.sku}{_lot(x.lot)}" for x in parts)


def _kit_part(x: r.KitPartMoved) -> str:
    way = "went into" if x.quantity < 0 else "came out of"
    return f"{abs(x.quantity)} {x.sku} at {x.location} {way} {x.kit}"


def _counted(x: r.Counted) -> str:
    place = "" if x.as_of_offset is None else f", as of {x.as_of_offset}.{x.as_of_index}"
    return f"{x.quantity} {x.sku} {'re' if x.recount else ''}counted at {x.location}, lot {x.lot}{place}"


_CAME: dict[type, Callable[[Any], str]] = {
    r.OrderPlaced: _placed,
    r.OrderEdited: _edited,
    r.CancelRequested: lambda x: f"cancel {units(x.lines) or 'the order'}{_because(x.reason)}",
    r.PaymentAuthorized: lambda x: "payment authorized: the money is promised",
    r.PaymentCaptured: lambda x: "payment captured",
    r.PaymentFailed: lambda x: f"payment failed{_because(x.reason)}",
    r.PaymentRefunded: lambda x: "payment refunded in part" if x.partial else "payment refunded",
    r.PaymentVoided: lambda x: "payment voided",
    r.CheckOpened: lambda x: f"check {x.check} opened",
    r.CheckPassed: lambda x: f"check {x.check} passed",
    r.CheckFailed: lambda x: f"check {x.check} failed{_because(x.reason)}",
    r.OrderPicked: _picked,
    r.OrderPacked: _packed,
    r.OrderShipped: _shipped,
    r.TrackingUpdated: lambda x: f"the carrier says of {x.tracking}: {x.status.replace('_', ' ')}",
    r.OrderDelivered: lambda x: "delivered",
    r.OrderReturned: lambda x: "the whole order came back, says the carrier",
    r.ReturnAuthorized: lambda x: f"return {x.return_id} allowed: {units(x.lines)}{_because(x.reason)}",
    r.ReturnReceived: lambda x: f"return {x.return_id} came: {units(x.lines)}",
    r.ReturnInspected: _inspected,
    r.ReserveAnswered: _answered,
    r.MoveAnswered: _moved,
    r.BackorderFilled: lambda x: f"stock came: {x.quantity} {x.sku} at {x.location} that waited are reserved now",
    r.ReservationOverdue: lambda x: f"partition {x.partition} asks what became of attempt {x.attempt}",
    r.DeadlineReached: lambda x: "its deadline has come",
    r.AskAgain: lambda x: f"attempt {x.attempt} is due" + (f", after {x.hops} more turns" if x.hops else ""),
    r.KitSet: lambda x: f"kit {x.kit} is made of " + parts_text((p.sku, p.quantity) for p in x.parts),
    r.ChannelSet: _channel,
    r.Reserve: _reserve,
    r.Move: _wants_move,
    r.Hold: lambda x: f"hold what attempt {x.attempt} claimed",
    r.Allocate: lambda x: f"allocate what attempt {x.attempt} holds",
    r.Release: lambda x: f"give back {_given_back(x)}",
    r.Backorder: lambda x: f"{placed_units(x.lines)} of attempt {x.attempt} were not there: they wait for stock",
    r.FillBackorders: lambda x: f"{x.sku} at {x.location} is free: those who wait get theirs, oldest first",
    r.SkuDefined: _sku,
    r.Received: _received,
    r.LotDefined: lambda x: f"lot {x.lot} of {x.sku} described" + (
        f", best before {x.best_before}" if x.best_before else ""),
    r.LotStatusSet: lambda x: f"lot {x.lot} of {x.sku} is {x.status.replace('_', ' ')}{_because(x.reason)}",
    r.ConditionChanged: lambda x: f"{x.quantity} {x.sku} at {x.location}, lot {x.lot}: {x.condition}{_because(x.note)}",
    r.Adjusted: lambda x: f"{x.quantity:+} {x.sku} at {x.location}{_lot(x.lot)} ({x.reason.replace('_', ' ')})",
    r.Counted: _counted,
    r.Picked: _pick,
    r.Shipped: _left,
    r.Returned: _back,
    r.TransferredOut: lambda x: f"{x.quantity} {x.sku} left {x.location} for {x.to}{_lot(x.lot)} ({x.reference})",
    r.TransferredIn: lambda x: f"{x.quantity} {x.sku} came to {x.location}{_lot(x.lot)} ({x.reference})",
    r.PurchaseOrdered: lambda x: f"{x.quantity} {x.sku} ordered for {x.location}{_day(x.expected)} ({x.reference})",
    r.PurchaseConfirmed: lambda x: f"{x.quantity} {x.sku} confirmed for {x.location}{_day(x.expected)} ({x.reference})",
    r.PurchaseNotified: lambda x: (
        f"{x.quantity} {x.sku} on their way to {x.location}{_day(x.expected)} ({x.reference})"
    ),
    r.PurchaseClosed: lambda x: f"no more {x.sku} comes to {x.location} ({x.reference}){_because(x.reason)}",
    r.KitAssembled: lambda x: f"{x.quantity} {x.sku} made at {x.location}, lot {x.lot}, of {_used(x.parts)}",
    r.KitDisassembled: lambda x: f"{x.quantity} {x.sku} taken apart at {x.location} into {_used(x.parts)}",
    r.KitPartMoved: _kit_part,
    r.PolicySet: lambda x: f"policy of {x.sku}{at(x.location) or ' everywhere'}: {policy_text(x)}",
    r.ChannelStockSet: lambda x: f"{x.channel}'s share of {x.sku} at {x.location}: {share_text(x)}",
    r.RecallOpened: lambda x: f"lot {x.lot} recalled{' (a drill)' if x.mock else ''}{_because(x.reason)}",
    r.RecallClosed: lambda x: f"recall of lot {x.lot} over{_because(x.reason)}",
    r.LotsContinued: lambda x: f"more of lot {x.lot} {'frozen' if x.opens else 'freed'}",
    r.WindowContinued: lambda x: f"the alert window of more lots of {x.sku}",
    r.Tick: lambda x: "a tick of the clock",
    r.TickContinued: lambda x: "a tick of the clock, continued",
    r.Prune: lambda x: "old and closed: its rows may be forgotten",
    r.LogOpened: lambda x: f"log {x.log_id} opened",
    r.LogicVersionSet: lambda x: f"rules of version {x.version} hold from here on",
}  # fmt: skip


def _decided(x: r.OrderDecided) -> str:
    if x.status == "cancelled":
        return f"given back: {placed_units(x.lines)}{_because(x.reason)}"
    if x.status == "edited":
        return f"the order is now {summed_units(x.lines)}"
    if x.status != "confirmed":
        return f"decided: {x.status}{_because(x.reason)}"
    waits = [f"{n.backordered} {n.sku} at {n.location} wait for stock" for n in x.lines if n.backordered]
    short = [
        f"{n.quantity} {n.sku} given back, for kits are whole" if n.reason == "kit"
        else f"{n.quantity} {n.sku} not there ({n.reason})"
        for n in x.lines if n.reason
    ]  # fmt: skip
    served = placed_units(n for n in x.lines if n.location)
    return "; ".join([f"decided: confirmed, {served}", *waits, *short])


def _alert(x: r.Alert) -> str:
    where = x.sku + at(x.location) + _lot(x.lot)
    if x.kind == "paid_unallocated":
        return f"alert: money came for an order that holds nothing any more ({x.units} units)"
    if x.kind in ("low", "out", "restored"):
        return f"alert: {where} {x.kind}, {x.available} available"
    if x.kind in ("shortage", "covered"):
        return f"alert: {where} {x.kind}, {x.shortage} owed and not there"
    return f"alert: {where} {x.kind}, {x.units} units{_because(x.note)}"


_SAID: dict[type, Callable[[Any], str]] = {
    r.OrderDecided: _decided,
    r.Reserve: lambda x: f"asks for {units(x.lines)}, attempt {x.attempt}",
    r.Move: lambda x: "asks to serve it from fewer places: " + _wants_move(x),
    r.AskAgain: lambda x: f"will ask again, attempt {x.attempt}",
    r.Release: lambda x: f"gives back {_given_back(x)}",
    r.Backorder: lambda x: f"puts {placed_units(x.lines)} in the queue for stock",
    r.BackorderFilled: lambda x: f"{x.quantity} {x.sku} at {x.location} that waited are reserved now",
    r.Alert: _alert,
}  # fmt: skip
