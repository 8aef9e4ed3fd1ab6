"""The quantities of a stock row, and the one way they move.

on_hand = available + reserved + allocated + safety_stock + unavailable, for every row after every move: asserted here.
What is owed and not covered by units that are there is `shortage`, and part of none of them.
Pure. Reads rows, gives new ones. Does not belong here: which record moves what (`reservations`, `facts`).
"""

from __future__ import annotations

from typing import NamedTuple

from msgspec.structs import replace

from tables.outcome import InvariantBroken
from tables.rows import RaisedAlert, StockRow


class Quantities(NamedTuple):
    """Whole units of one SKU at one location."""

    on_hand: int
    available: int
    reserved: int
    allocated: int
    safety_stock: int
    unavailable: int
    shortage: int


def quantities(row: StockRow) -> Quantities:
    """What people see, derived from the counters: allocations are covered first, then reservations."""
    sellable = row.on_hand - row.unavailable
    claims = row.claimed + row.held
    allocated = min(row.allocated, sellable)
    reserved = min(claims, sellable - allocated)
    free = sellable - allocated - reserved
    safety = min(row.safety_stock, free)
    return Quantities(
        row.on_hand, free - safety, reserved, allocated, safety, row.unavailable,
        row.allocated + claims - allocated - reserved,
    )  # fmt: skip


def available(row: StockRow) -> int:
    """Units that can be promised now."""
    free = row.on_hand - row.unavailable - row.claimed - row.held - row.allocated - row.safety_stock
    return free if free > 0 else 0


def new_stock(sku: str, location: str, at: int, reorder_point: int, hysteresis: int, safety_stock: int) -> StockRow:
    """An empty row. Its level is `ok`: nobody is alerted to stock that never was."""
    return StockRow(at, sku, location, 0, 0, 0, 0, 0, safety_stock, reorder_point, hysteresis, "ok", False)


def move(
    row: StockRow,
    at: int,
    *,
    on_hand: int = 0,
    claimed: int = 0,
    held: int = 0,
    allocated: int = 0,
    alerts: list[RaisedAlert] | None = None,
) -> StockRow:
    """`row` with signed units added to its counters at place `at`; what people must hear is added to `alerts`."""
    row = StockRow(
        at, row.sku, row.location, row.on_hand + on_hand, row.unavailable, row.claimed + claimed, row.held + held,
        row.allocated + allocated, row.safety_stock, row.reorder_point, row.hysteresis, row.level, row.short,
    )  # fmt: skip
    return settle(row, alerts)


def settle(row: StockRow, alerts: list[RaisedAlert] | None) -> StockRow:
    """Assert the invariants of a changed row, and raise or close its alerts."""
    if (
        row.claimed < 0 or row.held < 0 or row.allocated < 0 or row.safety_stock < 0
        or not 0 <= row.unavailable <= row.on_hand
    ):  # fmt: skip
        raise InvariantBroken(f"stock {row.sku} at {row.location}: a counter is negative or too large: {row}")
    free = row.on_hand - row.unavailable - row.claimed - row.held - row.allocated
    # Units claimed by undecided orders still count as there: a claim given back a moment later is no news.
    settled = free + row.claimed - row.safety_stock
    level, short = _level(row, settled), free < 0
    if level == row.level and short == row.short:
        return row
    if alerts is not None:
        left, gap = max(free - row.safety_stock, 0), max(-free, 0)
        if level != row.level:
            kind = "restored" if level == "ok" else level
            alerts.append(RaisedAlert(row.sku, row.location, kind, left, gap, row.reorder_point))
        if short != row.short:
            kind = "shortage" if short else "covered"
            alerts.append(RaisedAlert(row.sku, row.location, kind, left, gap, row.reorder_point))
    return replace(row, level=level, short=short)


def _level(row: StockRow, settled: int) -> str:
    """Out at nothing, low at or below the reorder point, restored only above reorder point + hysteresis."""
    if settled <= 0:
        return "out"
    if settled > row.reorder_point + row.hysteresis:
        return "ok"
    if settled <= row.reorder_point or row.level == "out":
        return "low"
    return row.level
