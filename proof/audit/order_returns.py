"""What comes back to an order's locations. Each shipped unit is inspected at most once.

Does not belong here: what becomes of the units in stock (`stock_facts`).
"""

from __future__ import annotations

from typing import Any

from proof.audit.intake import LogState
from proof.audit.order import Order, Return
from tables import records as r

STAGES = {r.ReturnAuthorized: "authorized", r.ReturnReceived: "received", r.ReturnInspected: "inspected"}
_ORDER = tuple(STAGES.values())


def came_back(order: Order, record: Any, place: int, ms: int, log: LogState) -> bool:
    """Authorized, received or inspected: units of the furthest stage are kept, of inspected ones those accepted."""
    stage = STAGES[type(record)]
    units = [(sku, count) for sku, count, _ in order.apart(record.lines)]
    if stage == "inspected":
        units = [(sku, count) for sku, asked in units if (count := _inspect(order, sku, asked, log))]
        if not units:
            return True
    known = order.returns.setdefault(record.return_id, Return(stage))
    if _ORDER.index(stage) < _ORDER.index(known.state):
        return True
    if stage != known.state:
        known.units.clear()
    known.state = stage
    for sku, count in units:
        known.units[sku] += count
    return True


def _inspect(order: Order, sku: str, units: int, log: LogState) -> int:
    """How many of these units can still come back: of its lines, and by rules 5 whatever else its parcels held."""
    accepted = 0
    for line in order.lines:
        if line.sku == sku:
            count = min(line.shipped - line.returned, units - accepted)
            line.returned += count
            accepted += count
    whole = all(x.shipped == x.returned and not x.open for x in order.lines)
    if accepted and whole and order.state in ("shipped", "delivered"):
        order.state = "returned"
    if log.logic >= 5:
        away = order.said["shipment", sku] - order.said["return", sku] - accepted
        accepted += max(min(away, units - accepted), 0)
    order.said["return", sku] += accepted
    return accepted


def all_came_back(order: Order, record: r.OrderReturned, place: int, ms: int, log: LogState) -> bool:
    if order.state in ("shipped", "delivered"):
        order.state = "returned"
    return True
