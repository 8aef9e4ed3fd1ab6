"""Do the rows of a partition add up? Worked out from lots, reservations and orders, not by the rules that made them.

Pure. Guarantees (I1, I2, I4, I5): units of a location are those of its lots; its counters are those of its
reservations; no reservation is open that no order wants. Does not belong here: folding records.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from proof.simulator.worker import Violation
from tables.ledger import quantities
from tables.rows import (
    FactRow,
    LotRow,
    OrderRow,
    QueueRow,
    ReservationRow,
    ShipEffect,
    StockRow,
    TraceRow,
    order_key,
    reservation_key,
)

COUNTED = ("claimed", "held", "allocated")
WANTED = {"claimed": ("pending",), "held": ("on_hold",), "allocated": ("confirmed", "picked", "packed")}
_TELLS = ("picked", "scrapped", "to_supplier")  # kinds of movements that change no lot by themselves


def check_stock(table: Any, row: StockRow) -> None:
    """One location of one SKU."""
    lots = [table.get(key) for key in table.below(f"lot|{row.sku}|{row.location}|")]
    _same("I1", f"{row.sku} at {row.location}: on hand and its lots", row.on_hand, sum(x.on_hand for x in lots))
    _same("I1", f"{row.sku} at {row.location}: unavailable and its lots", row.unavailable, sum(map(_set_apart, lots)))
    q = quantities(row)
    parts = (q.available, q.reserved, q.allocated, q.safety_stock, q.unavailable)
    _same("I1", f"{row.sku} at {row.location}: on hand and its parts", q.on_hand, sum(parts))
    if min(parts) < 0 or min(row.claimed, row.held, row.allocated, row.backordered) < 0:
        raise Violation("I2", f"negative: {row}")
    if any(x.ring_fence < 0 for x in row.shares) or any(x.units <= 0 for x in row.floors):
        raise Violation("I2", f"negative: {row}")


def check_partition(rows: dict[str, Any], orders: dict[str, OrderRow]) -> None:
    """All rows of a stock partition, beside the orders of every order partition."""
    owed: Counter[tuple[str, str, str]] = Counter()
    floors: Counter[tuple[str, str, str]] = Counter()
    lots: Counter[tuple[str, str]] = Counter()
    queued: Counter[tuple[str, str]] = Counter()
    for row in rows.values():
        if isinstance(row, LotRow):
            if row.on_hand < 0 or not 0 <= row.blocked <= row.on_hand:
                raise Violation("I2", f"negative: {row}")
            lots[row.sku, row.location] += row.on_hand
        elif isinstance(row, QueueRow):
            queued[row.sku, row.location] += row.units
        elif isinstance(row, ReservationRow) and row.state in COUNTED:
            for line in row.lines:
                owed["backordered" if line.back else row.state, line.sku, line.location] += line.open
                if line.floor and not line.back:
                    floors[line.sku, line.location, line.floor] += line.open
            if any(line.open for line in row.lines):
                _check_wanted(row, orders.get(order_key(row.order_id)))
    for row in rows.values():
        if isinstance(row, StockRow):
            where = f"{row.sku} at {row.location}"
            _same("I1", f"{where}: lots", row.on_hand, lots[row.sku, row.location])
            for name in (*COUNTED, "backordered"):
                found = owed[name, row.sku, row.location]
                _same("I5", f"{where}: {name} and its reservations", getattr(row, name), found)
            _same("I5", f"{where}: who waits", row.backordered, queued[row.sku, row.location])
            for floor in row.floors:
                found = floors.pop((row.sku, row.location, floor.day), 0)
                _same("I5", f"{where}: claims of lots from {floor.day} on", floor.units, found)
    left = {key: units for key, units in floors.items() if units}
    if left:
        raise Violation("I5", f"claims that no stock row counts: {left}")
    _check_movements(rows)


def _check_movements(rows: dict[str, Any]) -> None:
    """What is told of a lot's movements is what it holds."""
    moved: Counter[tuple[str, str, str]] = Counter()
    for row in rows.values():
        if isinstance(row, TraceRow) and row.kind not in _TELLS:
            moved[row.sku, row.location, row.lot] += row.units
    for row in rows.values():
        if isinstance(row, LotRow):
            what = f"{row.sku} at {row.location}, lot {row.lot}: on hand and its movements"
            _same("I1", what, row.on_hand, moved[row.sku, row.location, row.lot])


def check_promises(orders: dict[str, OrderRow], rows: dict[str, Any]) -> None:
    """I4, I5 from the other side: what a confirmed order waits for is held for it, unit for unit, and an order that
    wanted everything has everything. `rows`: reservations and facts of all stock partitions, as `KEY@PARTITION`."""
    held: Counter[tuple[str, str, str, int, bool]] = Counter()
    gone, forgotten = _shipped_by_others(rows)
    for row in rows.values():
        if isinstance(row, ReservationRow) and row.state == "allocated":
            for line in row.lines:
                held[row.order_id, line.sku, line.location, row.attempt, line.back] += line.open
    for order in orders.values():
        for line in order.lines:
            counts = (line.shipped, line.cancelled, line.returned, line.back, line.open)
            if line.quantity > 0 and (min(counts) < 0 or line.back > line.open):
                raise Violation("I2", f"{order.order_id}: a line that cannot be: {line}")
        if order.state not in WANTED["allocated"]:
            continue
        wanted: Counter[tuple[str, str, str, int, bool]] = Counter()
        for line in order.lines:
            if line.open and not line.location:
                raise Violation("I4", f"confirmed, and owed from nowhere: {order.order_id} {line}")
            wanted[order.order_id, line.sku, line.location, line.attempt, False] += line.open - line.back
            wanted[order.order_id, line.sku, line.location, line.attempt, True] += line.back
        for (*key, back), units in wanted.items():
            order_id, sku, place, attempt = where = tuple(key)
            missing = max(units - held[order_id, sku, place, attempt, back], 0)
            gone[order_id, sku, attempt] -= missing  # for the order they lie there, or (short in a parcel) they wait
            if gone[order_id, sku, attempt] < 0 and (order_id, attempt) not in forgotten:
                raise Violation("I5", f"confirmed, and not held for: {where} {units}, {missing} too few")


def _shipped_by_others(rows: dict[str, Any]) -> tuple[Counter[tuple[str, str, int]], set[tuple[str, int]]]:
    """Units that somebody shipped for an order without telling it, by (order, SKU, attempt); and of which (order,
    attempt) stock has forgotten what they were. Wherever they left from: the order's own parcel from there, told
    later, takes along units that stock holds for it elsewhere."""
    gone: Counter[tuple[str, str, int]] = Counter()
    forgotten: set[tuple[str, int]] = set()
    for key, fact in rows.items():
        for effect in fact.effects if isinstance(fact, FactRow) else ():
            if isinstance(effect, ShipEffect) and not key.startswith(f"fact|{effect.order_id}:shipment:"):
                partition = key.rpartition("@")[2]
                lines = rows[f"{reservation_key(effect.order_id, effect.attempt)}@{partition}"].lines
                if effect.part < len(lines):
                    gone[effect.order_id, lines[effect.part].sku, effect.attempt] += effect.quantity
                else:  # it was forgotten, and released once more
                    forgotten.add((effect.order_id, effect.attempt))
    return gone, forgotten


def _check_wanted(row: ReservationRow, order: OrderRow | None) -> None:
    """I5: who holds units is an order in the state for it, with this attempt."""
    attempts = set() if order is None else {order.attempt, *(line.attempt for line in order.lines if line.open)}
    if order is None or row.attempt not in attempts or order.state not in WANTED[row.state]:
        state = order and (order.state, order.attempt)
        raise Violation("I5", f"leaked: {row.order_id} attempt {row.attempt} is {row.state}, its order is {state}")


def _set_apart(lot: LotRow) -> int:
    return lot.on_hand if lot.status != "approved" or lot.expired else lot.blocked


def _same(rule: str, what: str, ours: int, theirs: int) -> None:
    if ours != theirs:
        raise Violation(rule, f"{what}: {ours}, {theirs}")
