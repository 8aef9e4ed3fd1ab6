"""Stock facts, each as a pure step, never refused: decided once, recorded, and counted in every row that is older.

A fact is decided by the module of its kind; what it changes is recorded in its own row (`fact|id`), which stands first
in what a step gives. Delivered again it is applied only to rows older than it, and what follows from it is said again.
The same id at another place in the log changes nothing; with other content it is a dead letter. What a fact takes
beyond the books is `missing` there, and never makes a negative.
Does not belong here: what a fact means (`receiving`, `shelf`, `shipping`, ...), commands (`reservations`), orders.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from tables import backorders, effects, kit_stock, recalls, receiving, shelf, shipping
from tables import records as r
from tables.alerts import alert_sends
from tables.codec import digest
from tables.movements import Decision
from tables.outcome import At, InvariantBroken, Outcome, Send, View
from tables.rows import (
    BatchEffect,
    CountEffect,
    DemandEffect,
    Effect,
    FactRow,
    FillEffect,
    IncomingEffect,
    LotEffect,
    PartitionRow,
    Policy,
    RaisedAlert,
    ShipEffect,
    SkuRow,
    TraceEffect,
    batch_key,
    count_key,
    demand_key,
    fact_key,
    incoming_key,
    lot_key,
    recall_key,
    reservation_key,
    sku_key,
    stock_key,
    trace_key,
)

_DECIDE: dict[type, Callable[[View, Any, At, PartitionRow], Decision]] = {
    r.SkuDefined: shelf.sku_defined,
    r.PolicySet: shelf.policy_set,
    r.ChannelStockSet: shelf.channel_stock_set,
    r.Received: receiving.received,
    r.PurchaseOrdered: receiving.purchase_ordered,
    r.PurchaseConfirmed: receiving.purchase_confirmed,
    r.PurchaseNotified: receiving.purchase_notified,
    r.PurchaseClosed: receiving.purchase_closed,
    r.TransferredOut: receiving.transferred_out,
    r.TransferredIn: receiving.transferred_in,
    r.Adjusted: shelf.adjusted,
    r.Counted: shelf.counted,
    r.ConditionChanged: shelf.condition_changed,
    r.Picked: shipping.picked,
    r.Shipped: shipping.shipped,
    r.Returned: shipping.returned,
    r.KitAssembled: kit_stock.kit_assembled,
    r.KitDisassembled: kit_stock.kit_disassembled,
    r.KitPartMoved: kit_stock.kit_part_moved,
    r.LotDefined: recalls.lot_defined,
    r.LotStatusSet: recalls.lot_status_set,
    r.RecallOpened: recalls.recall_opened,
    r.RecallClosed: recalls.recall_closed,
    r.LotsContinued: recalls.lots_continued,
    r.WindowContinued: shelf.window_continued,
    r.FillBackorders: backorders.fill_backorders,
}
FACTS = tuple(_DECIDE)


def apply(view: View, fact: Any, at: At, log: PartitionRow) -> Outcome:
    """Decide a fact, or take its recorded decision, and count it in every row that is older."""
    key = fact_key(fact.id)
    row: FactRow | None = view.get(key)
    content = digest(fact)
    if row is not None and row.digest != content:
        return Outcome(dead="id_conflict: this id was used with other content before")
    if row is not None and row.at != at.place:
        return Outcome()
    now = row is None
    if row is None:
        decision = _DECIDE[type(fact)](view, fact, at, log)
        row = FactRow(at.place, content, decision.effects, decision.alerts, decision.missing, decision.more)
    rows: dict[str, Any] = {key: row}
    _count_master(view, rows, fact, at)
    _count_recall(view, rows, fact, at)
    rows[key] = row = count_all(view, rows, row, at, log, now=now)
    return Outcome(rows=rows, sends=[*alert_sends(row.alerts, at, log), *_said(fact, row, rows, at, log)])


def _said(fact: Any, row: FactRow, rows: dict[str, Any], at: At, log: PartitionRow) -> list[Send]:
    """What others must do about it: said again whenever the fact comes again."""
    if isinstance(fact, r.FillBackorders):
        return backorders.said(fact, row, rows, at, log)
    sends = backorders.fill_notes(rows, at, log)
    if isinstance(fact, r.KitAssembled | r.KitDisassembled):
        sends += kit_stock.parts(fact, log)
    elif row.more and isinstance(fact, r.PolicySet | r.WindowContinued):
        sends.append(shelf.continued(fact, at, log))
    elif row.more:
        sends.append(recalls.continued(fact, at, log))
    return sends


# -- counting ----------------------------------------------------------------------------------------------------------


def count_all(view: View, rows: dict[str, Any], row: FactRow, at: At, log: PartitionRow, *, now: bool) -> FactRow:
    """Count a recorded decision: every row it touches is put into `rows`, those that have seen it as they are.

    Gives the outcome row, with the alerts that counting raised if it was decided just `now`. Reservations go first: a
    stock row may have to know what became of them.
    """
    targets: dict[str, list[tuple[int, Effect]]] = {}
    for number, effect in enumerate(row.effects):
        for key in _targets(effect, number, at):
            targets.setdefault(key, []).append((number, effect))
    alerts: list[RaisedAlert] = []
    for key in sorted(targets, key=lambda key: key[0] != "r"):  # stable
        there = view.get(key)
        seen = there is not None and there.at >= at.place
        rows[key] = there if seen else _counted(there, key, [x for _, x in targets[key]], rows, at, log, alerts)
    return replace(row, alerts=(*row.alerts, *alerts)) if now and alerts else row


def _targets(effect: Effect, number: int, at: At) -> tuple[str, ...]:
    """The keys of the rows an effect is counted in."""
    if isinstance(effect, LotEffect):
        return (lot_key(effect.sku, effect.location, effect.lot),)
    if isinstance(effect, TraceEffect):
        return (trace_key(effect.lot, at.place, number),)
    if isinstance(effect, ShipEffect):
        return (reservation_key(effect.order_id, effect.attempt),)
    if isinstance(effect, FillEffect):
        if not effect.quantity:
            return (effect.queue,)
        return (
            reservation_key(effect.order_id, effect.attempt), effect.queue,
            "stock" + effect.queue[len("queue") : effect.queue.rindex("|")],
        )  # fmt: skip
    if isinstance(effect, BatchEffect):
        return (batch_key(effect.sku, effect.lot),)
    if isinstance(effect, IncomingEffect):
        return (incoming_key(effect.sku, effect.location, effect.reference),)
    if isinstance(effect, CountEffect):
        return (count_key(effect.sku, effect.location),)
    if isinstance(effect, DemandEffect):
        return (demand_key(effect.sku, effect.location, effect.day),)
    return (stock_key(effect.sku, effect.location),)


def _counted(
    row: Any, key: str, these: list[Any], rows: dict[str, Any], at: At, log: PartitionRow, alerts: list[RaisedAlert]
) -> Any:
    """The row of this key with these effects, of which it has seen none."""
    kind = type(these[0])
    if kind is TraceEffect:
        return effects.trace(these[0], at)
    if kind is BatchEffect:
        return effects.batch(these[-1], at)
    if kind is IncomingEffect:
        return effects.incoming(these[-1], at)
    if kind is CountEffect:
        return effects.count(row, these[0], at)
    if kind is DemandEffect:
        return effects.demand(row, these[0], at)
    fills = issubclass(kind, FillEffect)
    if fills and key[0] == "s":
        return backorders.taken(row, these, rows, at, log, alerts)
    if not fills and kind not in (LotEffect, ShipEffect):
        return effects.stock(row, these, at, log, alerts)
    for effect in these:
        if kind is LotEffect:
            row = effects.lot(row, effect, at)
        elif row is None:
            raise InvariantBroken(f"a recorded fact counts in a row that is not there: {key}")
        elif kind is ShipEffect:
            row = shipping.counted(row, effect, at, log)
        else:
            row = backorders.unqueued(row, effect, at) if key[0] == "q" else backorders.filled(row, effect, at)
    return row


def _count_master(view: View, rows: dict[str, Any], fact: Any, at: At) -> None:
    """The SKU's own row: made by the first fact that names it, changed by its definition and its policy."""
    sku = getattr(fact, "sku", None)
    if sku is None:
        return
    key = sku_key(sku)
    row: SkuRow | None = view.get(key)
    if row is not None and row.at >= at.place:
        rows[key] = row
    elif isinstance(fact, r.SkuDefined):
        rows[key] = SkuRow(
            at.place, sku, fact.flavor, fact.packaging, fact.size, fact.gtin, fact.discontinued, fact.case_units,
            tuple(fact.channels), row.policy if row else Policy(),
        )  # fmt: skip
    elif isinstance(fact, r.PolicySet) and not fact.location:
        row = row or _first_master(sku, at)
        rows[key] = replace(row, at=at.place, policy=shelf.policy_of(fact))
    elif row is None:
        rows[key] = _first_master(sku, at)


def _first_master(sku: str, at: At) -> SkuRow:
    return SkuRow(at.place, sku, "", "", "", "", False, 0, (), Policy())


def _count_recall(view: View, rows: dict[str, Any], fact: Any, at: At) -> None:
    if isinstance(fact, r.RecallOpened | r.RecallClosed):
        row = view.get(recall_key(fact.lot))
        seen = row is not None and row.at >= at.place
        rows[recall_key(fact.lot)] = row if seen else recalls.recall_row(row, fact, at)
