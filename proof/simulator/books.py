"""Do the rows of a partition add up? Worked out from lots, reservations and orders, not by the rules that made them.

Pure. Guarantees (I1, I2, I5): units of a location are those of its lots; its counters are those of its reservations; no
reservation is open that no order wants. Does not belong here: folding records.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from proof.simulator.worker import Violation
from tables.ledger import quantities
from tables.rows import LotRow, OrderRow, ReservationRow, StockRow, order_key

COUNTED = ("claimed", "held", "allocated")
WANTED = {"claimed": ("pending",), "held": ("on_hold",), "allocated": ("confirmed", "picked", "packed")}


def check_stock(table: Any, row: StockRow) -> None:
    """One location of one SKU."""
    lots = sum(table.get(key).on_hand for key in table.below(f"lot|{row.sku}|{row.location}|"))
    _same("I1", f"{row.sku} at {row.location}: on hand and its lots", row.on_hand, lots)
    q = quantities(row)
    parts = (q.available, q.reserved, q.allocated, q.safety_stock, q.unavailable)
    _same("I1", f"{row.sku} at {row.location}: on hand and its parts", q.on_hand, sum(parts))
    if min(parts) < 0 or min(row.claimed, row.held, row.allocated) < 0:
        raise Violation("I2", f"negative: {row}")


def check_partition(rows: dict[str, Any], orders: dict[str, OrderRow]) -> None:
    """All rows of a stock partition, beside the orders of every order partition."""
    owed: Counter[tuple[str, str, str]] = Counter()
    lots: Counter[tuple[str, str]] = Counter()
    for row in rows.values():
        if isinstance(row, LotRow):
            if row.on_hand < 0:
                raise Violation("I2", f"negative: {row}")
            lots[row.sku, row.location] += row.on_hand
        elif isinstance(row, ReservationRow):
            for line in row.lines:
                if line.open and row.state in COUNTED:
                    owed[row.state, line.sku, line.location] += line.open
            if row.state in COUNTED and any(line.open for line in row.lines):
                _check_wanted(row, orders.get(order_key(row.order_id)))
    for row in rows.values():
        if isinstance(row, StockRow):
            _same("I1", f"{row.sku} at {row.location}: lots", row.on_hand, lots[row.sku, row.location])
            for name in COUNTED:
                found = owed[name, row.sku, row.location]
                _same("I5", f"{row.sku} at {row.location}: {name} and its reservations", getattr(row, name), found)


def check_promises(orders: dict[str, OrderRow], rows: dict[str, Any]) -> None:
    """I5 from the other side: what a confirmed order waits for is held for it. `rows`: of all stock partitions."""
    for order in orders.values():
        if order.state not in WANTED["allocated"]:
            continue
        held = {
            line.sku
            for key, row in rows.items() if key.startswith(f"res|{order.order_id}|") and row.state == "allocated"
            for line in row.lines
        }  # fmt: skip
        missing = [line for line in order.lines if line.open and line.sku not in held]
        if missing:
            raise Violation("I5", f"confirmed, and not held for: {order.order_id} {missing}")


def _check_wanted(row: ReservationRow, order: OrderRow | None) -> None:
    """I5: who holds units is an order in the state for it, with this attempt."""
    if order is None or order.attempt != row.attempt or order.state not in WANTED[row.state]:
        state = order and (order.state, order.attempt)
        raise Violation("I5", f"leaked: {row.order_id} attempt {row.attempt} is {row.state}, its order is {state}")


def _same(rule: str, what: str, ours: int, theirs: int) -> None:
    if ours != theirs:
        raise Violation(rule, f"{what}: {ours}, {theirs}")
