"""How a recorded change of a reservation is counted in the rows that are older than it.

Reads and gives rows; a row that has seen the change is put again as it is. Does not belong here: which change is made
(`reservations`, `backorders`).
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from tables import ledger
from tables import records as r
from tables.outcome import At, InvariantBroken, View
from tables.rows import (
    Change,
    DemandRow,
    PartitionRow,
    QueueRow,
    RaisedAlert,
    ReservationRow,
    ReservedLine,
    StockRow,
    demand_key,
    queue_key,
    stock_key,
)

_COUNTERS = ("claimed", "held", "allocated")
_NO_DEMAND = ("unknown_sku", "released", "channel_not_allowed", "location_not_allowed")


def count_change(
    view: View, rows: dict[str, Any], row: ReservationRow, change: Change, log: PartitionRow,
    alerts: list[RaisedAlert],
) -> None:  # fmt: skip
    """Count `change` in stock and queue rows; what they are now is put into `rows`."""
    older: set[str] = set()
    counted: set[str] = set()  # demand rows
    for n, amount in enumerate(change.amounts):
        if not amount:
            continue
        line = row.lines[n]
        key = stock_key(line.sku, line.location)
        stock: StockRow | None = rows.get(key) or view.get(key)
        if stock is None:
            raise InvariantBroken(f"{row.order_id}: reserved from a stock row that is not there: {key}")
        if key not in older and stock.at >= change.at:
            rows[key] = stock
        else:
            older.add(key)
            fenced = change.fenced[n] if change.fenced else 0
            rows[key] = _count_in_stock(stock, row, line, change, amount, fenced, log, alerts)
        if line.back:
            _count_in_queue(view, rows, row, line, n, change, amount)
        if change.after == "released" and change.before != "claimed" and row.day:
            _count_cancelled(view, rows, row, line, change, amount, counted)


def _count_in_stock(
    stock: StockRow, row: ReservationRow, line: ReservedLine, change: Change, amount: int, fenced: int,
    log: PartitionRow, alerts: list[RaisedAlert],
) -> StockRow:  # fmt: skip
    before, after = change.before, change.after
    if line.back:
        return ledger.move(stock, change.at, log.state_ms, alerts, backordered=amount * _waits(change))
    floors = shares = None
    if line.floor:
        claims = amount * ((after in _COUNTERS) - (before in _COUNTERS))
        floors = ledger.with_floor(stock.floors, line.floor, claims)
    if fenced:
        shares = ledger.with_ring_fence(stock.shares, row.channel, -fenced)
    return ledger.move(
        stock, change.at, log.state_ms, alerts, floors=floors, shares=shares,
        claimed=amount * ((after == "claimed") - (before == "claimed")),
        held=amount * ((after == "held") - (before == "held")),
        allocated=amount * ((after == "allocated") - (before == "allocated")),
    )  # fmt: skip


def _waits(change: Change) -> int:
    """Whether units of a backordered part begin to wait (1), or end to (-1), by this change."""
    if change.before == "" or change.after == "back":
        return 1
    return -1 if change.before == "back" or change.after == "released" else 0


def _count_in_queue(
    view: View, rows: dict[str, Any], row: ReservationRow, line: ReservedLine, n: int, change: Change, amount: int
) -> None:
    made = next(x.at for x in row.changes if n < len(x.amounts))
    key = queue_key(line.sku, line.location, made)
    queued: QueueRow | None = rows.get(key) or view.get(key)
    if queued is None:
        queued = QueueRow(0, line.sku, line.location, row.order_id, row.attempt, 0)
    elif queued.at >= change.at:
        rows[key] = queued
        return
    units = queued.units + amount * _waits(change)
    if units < 0:
        raise InvariantBroken(f"{key} would wait for {units} units")
    rows[key] = QueueRow(change.at, line.sku, line.location, row.order_id, row.attempt, units)


def _count_cancelled(
    view: View, rows: dict[str, Any], row: ReservationRow, line: ReservedLine, change: Change, amount: int,
    counted: set[str],
) -> None:  # fmt: skip
    """Units that were promised and are given back count with the day on which they were asked for."""
    key = demand_key(line.sku, line.location, row.day)
    demand: DemandRow = rows.get(key) or view.get(key) or DemandRow(0, line.sku, line.location, row.day)
    if key not in counted and demand.at >= change.at:
        rows[key] = demand
        return
    counted.add(key)
    rows[key] = replace(demand, at=change.at, cancelled=demand.cancelled + amount)


def count_demand(view: View, rows: dict[str, Any], row: ReservationRow, at: At) -> None:
    """Count what a command asked for as demand, granted or not, in the day rows that are older than it."""
    older: set[str] = set()
    counted: set[str] = set()
    asked = len(row.changes[0].amounts) if row.changes and row.changes[0].at == row.asked else len(row.lines)
    for line in row.lines[:asked]:
        location = line.location or row.first_location
        if not 1 <= line.quantity <= r.QUANTITY_MAX or line.reason in _NO_DEMAND or not location:
            continue
        first = line.sku not in counted
        counted.add(line.sku)
        key = demand_key(line.sku, location, row.day)
        demand: DemandRow | None = rows.get(key) or view.get(key)
        if demand is None:
            demand = DemandRow(0, line.sku, location, row.day)
        elif key not in older and demand.at >= at.place:
            rows[key] = demand
            continue
        older.add(key)
        rows[key] = DemandRow(
            at.place, line.sku, location, row.day, demand.ordered + line.quantity,
            demand.orders + first,
            demand.refused + (line.quantity if line.reason == "insufficient" else 0),
            demand.hours | (1 << row.hour if line.out else 0), demand.cancelled, demand.shipped, demand.returned,
        )  # fmt: skip
