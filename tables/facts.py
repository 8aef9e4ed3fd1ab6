"""Stock facts: received, adjusted, counted, shipped, policy set, SKU defined; each as a pure step, never refused.

A fact is decided once: what it changed is recorded in its own row (`fact|id`), which stands first in what a step gives.
Delivered again it is applied only to rows older than it. The same id at another place in the log changes nothing; with
other content it is a dead letter. What a fact takes beyond the books is `missing` there, and never makes a negative.
Does not belong here: commands (`reservations`), orders.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from tables import ledger
from tables import records as r
from tables.codec import digest
from tables.outcome import At, InvariantBroken, Outcome, View, place_of
from tables.pruning import forget_at
from tables.reservations import alert_sends
from tables.rows import (
    Effect,
    FactRow,
    LotEffect,
    LotRow,
    PartitionRow,
    PolicyEffect,
    RaisedAlert,
    ReservationRow,
    ShipEffect,
    SkuRow,
    StockEffect,
    StockRow,
    fact_key,
    lot_key,
    reservation_key,
    sku_key,
    stock_key,
)

MOVES_KEPT = 1_000  # movements a lot remembers; a count as of an older position asks for a recount
UNKNOWN_LOT = "UNKNOWN"  # units found that belong to no lot on the books


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
    alerts: list[RaisedAlert] = []
    if row is None:
        effects, missing, said = _DECIDE[type(fact)](view, fact, at)
        effects = [*_first_policy(view, effects), *effects]
        alerts += said
        row = FactRow(at.place, content, tuple(effects), (), missing)
    changed: dict[str, Any] = {key: row}
    _count_master(view, changed, fact, at)
    older = {k for effect in row.effects if _is_older(view, k := _target(effect), at)}
    for effect in row.effects:
        _count(view, changed, effect, at, log, older, alerts)
    if now and alerts:
        row = replace(row, alerts=tuple(alerts))
        changed[key] = row
    return Outcome(rows=changed, sends=alert_sends(row.alerts, at, log))


# -- deciding ----------------------------------------------------------------------------------------------------------

Decision = tuple[list[Effect], int, list[RaisedAlert]]


def _received(view: View, fact: r.Received, at: At) -> Decision:
    return [
        LotEffect(fact.sku, fact.location, fact.lot, fact.best_before or "", fact.quantity),
        StockEffect(fact.sku, fact.location, fact.quantity, 0),
    ], 0, []  # fmt: skip


def _adjusted(view: View, fact: r.Adjusted, at: At) -> Decision:
    if fact.quantity < 0:
        lots, missing = _take(view, fact.sku, fact.location, -fact.quantity, fact.lot)
    else:
        lot = fact.lot or next((x.lot for x in _fefo(view, fact.sku, fact.location)), UNKNOWN_LOT)
        lots, missing = [LotEffect(fact.sku, fact.location, lot, "", fact.quantity)], 0
    return [*lots, StockEffect(fact.sku, fact.location, sum(x.on_hand for x in lots), 0)], missing, []


def _counted(view: View, fact: r.Counted, at: At) -> Decision:
    """counted - expected as of the position it was taken at: selling went on meanwhile."""
    row: LotRow | None = view.get(lot_key(fact.sku, fact.location, fact.lot))
    on_hand = row.on_hand if row else 0
    since = 0
    if row and fact.as_of_offset is not None:
        as_of = place_of(fact.as_of_offset, fact.as_of_index)
        if len(row.moves) == MOVES_KEPT and row.moves[0][0] > as_of:
            stock: StockRow = view.get(stock_key(fact.sku, fact.location))
            return [], 0, [
                RaisedAlert(fact.sku, fact.location, "recount", ledger.available(stock), 0, stock.reorder_point)
            ]  # fmt: skip
        since = sum(units for place, units in row.moves if place > as_of)
    difference = fact.quantity - (on_hand - since)
    applied = max(difference, -on_hand)
    return [
        LotEffect(fact.sku, fact.location, fact.lot, "", applied),
        StockEffect(fact.sku, fact.location, applied, 0),
    ], applied - difference, []  # fmt: skip


def _shipped(view: View, fact: r.Shipped, at: At) -> Decision:
    lots, missing = _take(view, fact.sku, fact.location, fact.quantity, fact.lot)
    gone = sum(x.on_hand for x in lots)
    if fact.order_id and fact.attempt:
        row: ReservationRow | None = view.get(reservation_key(fact.order_id, fact.attempt))
        line = next((x for x in row.lines if x.sku == fact.sku), None) if row and row.state == "allocated" else None
        owed = min(line.open, fact.quantity) if line else 0
        if line and owed:
            ship = ShipEffect(fact.order_id, fact.attempt, fact.sku, owed)
            if line.location == fact.location:  # one move: nobody must hear of a stock between the two
                return [ship, *lots, StockEffect(fact.sku, fact.location, gone, -owed)], missing, []
            moved = [StockEffect(fact.sku, line.location, 0, -owed), StockEffect(fact.sku, fact.location, gone, 0)]
            return [ship, *lots, *moved], missing, []
    return [*lots, StockEffect(fact.sku, fact.location, gone, 0)], missing, []


def _policy_set(view: View, fact: r.PolicySet, at: At) -> Decision:
    keys = [stock_key(fact.sku, fact.location)] if fact.location else list(view.below(f"stock|{fact.sku}|"))
    numbers = (fact.reorder_point, fact.hysteresis, fact.safety_stock)
    return [PolicyEffect(fact.sku, key.rpartition("|")[2], *numbers) for key in keys], 0, []


def _sku_defined(view: View, fact: r.SkuDefined, at: At) -> Decision:
    return [], 0, []


_DECIDE: dict[type, Callable[[View, Any, At], Decision]] = {
    r.Received: _received,
    r.Adjusted: _adjusted,
    r.Counted: _counted,
    r.Shipped: _shipped,
    r.PolicySet: _policy_set,
    r.SkuDefined: _sku_defined,
}
FACTS = tuple(_DECIDE)


def _first_policy(view: View, effects: list[Effect]) -> list[Effect]:
    """The SKU's policy as it stands now, for stock rows that these effects make: recorded, so that it is not looked
    up again when the fact is delivered again and the policy has changed meanwhile."""
    made = [x for x in effects if isinstance(x, StockEffect) and view.get(stock_key(x.sku, x.location)) is None]
    master: SkuRow | None = view.get(sku_key(made[0].sku)) if made else None
    if master is None:
        return []
    return [
        PolicyEffect(x.sku, x.location, master.reorder_point, master.hysteresis, master.safety_stock) for x in made
    ]  # fmt: skip


def _fefo(view: View, sku: str, location: str) -> list[LotRow]:
    """Lots with units, first expired first: best-before (unknown last), then received, then lot code."""
    lots = [row for key in view.below(f"lot|{sku}|{location}|") if (row := view.get(key)).on_hand > 0]
    return sorted(lots, key=lambda x: (x.best_before or "9999", x.received, x.lot))


def _take(view: View, sku: str, location: str, quantity: int, lot: str | None) -> tuple[list[LotEffect], int]:
    """Units leave the named lot first, then the others by FEFO; what no lot covers is missing from the books."""
    lots = _fefo(view, sku, location)
    if lot:
        lots.sort(key=lambda x: x.lot != lot)  # stable: FEFO among the others
    effects = []
    for row in lots:
        units = min(row.on_hand, quantity)
        if units:
            effects.append(LotEffect(sku, location, row.lot, "", -units))
            quantity -= units
    return effects, quantity


# -- counting ----------------------------------------------------------------------------------------------------------


def _target(effect: Effect) -> str:
    if isinstance(effect, LotEffect):
        return lot_key(effect.sku, effect.location, effect.lot)
    if isinstance(effect, ShipEffect):
        return reservation_key(effect.order_id, effect.attempt)
    return stock_key(effect.sku, effect.location)


def _is_older(view: View, key: str, at: At) -> bool:
    row = view.get(key)
    return row is None or row.at < at.place


def _count(
    view: View, changed: dict[str, Any], effect: Effect, at: At, log: PartitionRow, older: set[str],
    alerts: list[RaisedAlert],
) -> None:
    key = _target(effect)
    row = changed.get(key) or view.get(key)
    if key not in older:
        changed[key] = row
    elif isinstance(effect, LotEffect):
        changed[key] = _count_lot(row, effect, at)
    elif isinstance(effect, ShipEffect):
        changed[key] = _count_shipment(row, effect, at, log)
    else:
        changed[key] = _count_stock(row, effect, at, alerts)


def _count_stock(
    row: StockRow | None, effect: StockEffect | PolicyEffect, at: At, alerts: list[RaisedAlert]
) -> StockRow:
    if isinstance(effect, StockEffect):
        row = row or ledger.new_stock(effect.sku, effect.location, at.place, 0, 0, 0)
        return ledger.move(row, at.place, on_hand=effect.on_hand, allocated=effect.allocated, alerts=alerts)
    policy = (effect.reorder_point, effect.hysteresis, effect.safety_stock)
    if row is None:
        return ledger.new_stock(effect.sku, effect.location, at.place, *policy)
    row = replace(row, at=at.place, reorder_point=policy[0], hysteresis=policy[1], safety_stock=policy[2])
    return ledger.settle(row, alerts)


def _count_lot(row: LotRow | None, effect: LotEffect, at: At) -> LotRow:
    if row is None:
        row = LotRow(
            at.place, effect.sku, effect.location, effect.lot, effect.best_before, at.place, 0, ()
        )  # fmt: skip
    on_hand = row.on_hand + effect.on_hand
    if on_hand < 0:
        raise InvariantBroken(f"lot {effect.lot} of {effect.sku} at {effect.location} would hold {on_hand} units")
    moves = (*row.moves[-(MOVES_KEPT - 1) :], (at.place, effect.on_hand))
    best_before = row.best_before or effect.best_before
    return replace(row, at=at.place, on_hand=on_hand, moves=moves, best_before=best_before)


def _count_shipment(row: ReservationRow, effect: ShipEffect, at: At, log: PartitionRow) -> ReservationRow:
    lines = tuple(
        replace(x, open=x.open - effect.quantity) if x.sku == effect.sku else x for x in row.lines
    )  # fmt: skip
    if any(line.open < 0 for line in lines):
        raise InvariantBroken(f"{effect.order_id}: more of {effect.sku} shipped than was reserved")
    closed = not any(line.open for line in lines)
    forget_ms = forget_at(log, log.limits.reservation_keep_seconds, row.order_ms) if closed else 0
    return replace(row, at=at.place, lines=lines, forget_ms=forget_ms)


def _count_master(view: View, changed: dict[str, Any], fact: Any, at: At) -> None:
    """The SKU's own row: made by the first fact that names it, changed by its definition and its policy."""
    key = sku_key(fact.sku)
    row: SkuRow | None = view.get(key)
    if row is not None and row.at >= at.place:
        changed[key] = row
        return
    if isinstance(fact, r.SkuDefined):
        policy = (row.reorder_point, row.hysteresis, row.safety_stock) if row else (0, 0, 0)
        changed[key] = SkuRow(
            at.place, fact.sku, fact.flavor, fact.packaging, fact.size, fact.gtin, fact.discontinued, *policy
        )
    elif isinstance(fact, r.PolicySet) and not fact.location:
        row = row or SkuRow(at.place, fact.sku, "", "", "", "", False, 0, 0, 0)
        changed[key] = replace(
            row, at=at.place, reorder_point=fact.reorder_point, hysteresis=fact.hysteresis,
            safety_stock=fact.safety_stock,
        )  # fmt: skip
    elif row is None:
        changed[key] = SkuRow(at.place, fact.sku, "", "", "", "", False, 0, 0, 0)
