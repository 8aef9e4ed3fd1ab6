"""What comes back to an order's locations. Each shipped unit is inspected at most once.

Does not belong here: what becomes of the units in stock (`stock_facts`).
"""

from __future__ import annotations

from typing import Any

from proof.audit.intake import LogState
from proof.audit.order import Order, Return
from tables import records as r

STATES = {r.ReturnAuthorized: "authorized", r.ReturnReceived: "received", r.ReturnInspected: "inspected"}


def came_back(order: Order, record: Any, place: int, ms: int, log: LogState) -> bool:
    """Authorized, received or inspected: units per SKU of the last of them."""
    state = STATES[type(record)]
    known = order.returns.setdefault(record.return_id, Return(state))
    if state != known.state:
        known.units.clear()
    known.state = state
    for line in record.lines:
        units = line.quantity
        if state == "inspected":
            units = _inspect(order, line.sku, line.quantity)
            order.said["return", line.sku] += units
        known.units[line.sku] += units
    return True


def _inspect(order: Order, sku: str, units: int) -> int:
    accepted = 0
    for line in order.lines:
        if line.sku == sku:
            count = min(line.shipped - line.returned, units - accepted)
            line.returned += count
            accepted += count
    if order.state in ("shipped", "delivered") and all(x.shipped == x.returned and not x.open for x in order.lines):
        order.state = "returned"
    return accepted


def all_came_back(order: Order, record: r.OrderReturned, place: int, ms: int, log: LogState) -> bool:
    if order.state in ("shipped", "delivered"):
        order.state = "returned"
    return True
