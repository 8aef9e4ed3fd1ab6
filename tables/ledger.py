"""The quantities of a stock row, and the one way they move.

on_hand = available + reserved + allocated + safety_stock + unavailable, for every row after every move: asserted here.
What is owed and not covered by units that are there is `shortage`, and part of none of them; nor are backordered units,
which are promised without stock.
Pure. Reads rows, gives new ones. Does not belong here: which record moves what (`reservations`, `facts`), who may take
what is available (`availability`).
"""

from __future__ import annotations

from typing import NamedTuple

from msgspec.structs import replace

from tables.outcome import InvariantBroken
from tables.rows import Floor, Policy, RaisedAlert, Share, StockRow

OUTS_KEPT = 20  # closed stock-out windows a row remembers


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
    safety = min(row.policy.safety_stock, free)
    return Quantities(
        row.on_hand, free - safety, reserved, allocated, safety, row.unavailable,
        row.allocated + claims - allocated - reserved,
    )  # fmt: skip


def available(row: StockRow) -> int:
    """Units that can be promised now, to somebody."""
    free = row.on_hand - row.unavailable - row.claimed - row.held - row.allocated - row.policy.safety_stock
    return free if free > 0 else 0


def new_stock(sku: str, location: str, at: int, policy: Policy) -> StockRow:
    """An empty row. Its level is `ok`: nobody is alerted to stock that never was."""
    return StockRow(at, sku, location, 0, 0, 0, 0, 0, 0, policy, "ok", False, (), (), 0, (), 0)


def move(
    row: StockRow,
    at: int,
    state_ms: int,
    alerts: list[RaisedAlert] | None,
    *,
    on_hand: int = 0,
    unavailable: int = 0,
    claimed: int = 0,
    held: int = 0,
    allocated: int = 0,
    backordered: int = 0,
    floors: tuple[Floor, ...] | None = None,
    shares: tuple[Share, ...] | None = None,
) -> StockRow:
    """`row` with signed units added to its counters at place `at`; what people must hear is added to `alerts`.

    `floors` and `shares`, if given, take the place of the row's own. `state_ms`: state time, for stock-out windows.
    """
    row = StockRow(
        at, row.sku, row.location, row.on_hand + on_hand, row.unavailable + unavailable, row.claimed + claimed,
        row.held + held, row.allocated + allocated, row.backordered + backordered, row.policy, row.level, row.short,
        row.floors if floors is None else floors, row.shares if shares is None else shares, row.out_since_ms, row.outs,
        row.outs_at,
    )  # fmt: skip
    return settle(row, state_ms, alerts)


def settle(row: StockRow, state_ms: int, alerts: list[RaisedAlert] | None) -> StockRow:
    """Assert the invariants of a changed row, raise or close its alerts, open or close its stock-out window."""
    if (
        row.claimed < 0 or row.held < 0 or row.allocated < 0 or row.backordered < 0
        or not 0 <= row.unavailable <= row.on_hand
    ):  # fmt: skip
        raise InvariantBroken(f"stock {row.sku} at {row.location}: a counter is negative or too large: {row}")
    safety, point = row.policy.safety_stock, row.policy.reorder_point
    free = row.on_hand - row.unavailable - row.claimed - row.held - row.allocated
    # Units claimed by undecided orders still count as there: a claim given back a moment later is no news.
    level, short = _level(row, free + row.claimed - safety), free < 0
    if level == row.level and short == row.short:
        return row
    if alerts is not None:
        left, gap = max(free - safety, 0), max(-free, 0)
        if level != row.level:
            kind = "restored" if level == "ok" else level
            alerts.append(RaisedAlert(row.sku, row.location, kind, left, gap, point))
        if short != row.short:
            kind = "shortage" if short else "covered"
            alerts.append(RaisedAlert(row.sku, row.location, kind, left, gap, point))
    if (level == "out") == (row.level == "out"):
        return replace(row, level=level, short=short)
    if level == "out":
        return replace(row, level=level, short=short, out_since_ms=state_ms)
    if not row.out_since_ms:
        return replace(row, level=level, short=short)
    outs = (*row.outs, (row.out_since_ms, state_ms))[-OUTS_KEPT:]
    return replace(row, level=level, short=short, out_since_ms=0, outs=outs, outs_at=row.at)


def _level(row: StockRow, settled: int) -> str:
    """Out at nothing, low at or below the reorder point, restored only above reorder point + hysteresis."""
    policy = row.policy
    if settled <= 0:
        return "out"
    if settled > policy.reorder_point + policy.hysteresis:
        return "ok"
    if settled <= policy.reorder_point or row.level == "out":
        return "low"
    return row.level


def with_floor(floors: tuple[Floor, ...], day: str, units: int) -> tuple[Floor, ...]:
    """`floors` with signed units added at a day; days in order, those without units left out."""
    if not day or not units:
        return floors
    by_day = {x.day: x.units for x in floors}
    by_day[day] = by_day.get(day, 0) + units
    if by_day[day] < 0:
        raise InvariantBroken(f"claims that need a best-before from {day} on would be {by_day[day]} units")
    return tuple(Floor(x, by_day[x]) for x in sorted(by_day) if by_day[x])


def with_ring_fence(shares: tuple[Share, ...], channel: str, units: int) -> tuple[Share, ...]:
    """`shares` with signed units added to what is left of a channel's own stock, and to what it was set to anew
    meanwhile; it never goes below nothing."""
    return tuple(
        Share(x.channel, max(x.ring_fence + units, 0), x.buffer) if x.channel == channel else x for x in shares
    )
