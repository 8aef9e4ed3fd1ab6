"""Which order a cancellation row gives units back to: the file says it only by customer and product.

Pure, against the file alone. The rule: the latest earlier order of that customer and SKU that still has that many.
Earlier and latest go by rows: an order has what its rows above the cancellation say, less what was given back before,
and it is as late as the first of its rows with that SKU. A row without customer, without units to give back, or without
such an order is unmatched: it is counted, and sent nowhere. Does not belong here: what was decided about the orders.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CancelledRow:
    """A cancellation as it stands in the file. `place`: its number among the rows of its invoice that give back as many
    of the same SKU, from 1."""

    row: int
    invoice: str
    place: int
    customer: str
    sku: str
    units: int
    time_ms: int | None


OrderedRow = tuple[int, str, str, str, int]  # row, invoice, customer, sku, units


def match(ordered: Iterable[OrderedRow], cancelled: Sequence[CancelledRow]) -> list[str | None]:
    """Per cancellation (in row order) the invoice that it gives back to, or None."""
    wanted = {(cancel.customer, cancel.sku) for cancel in cancelled if cancel.customer}
    open_units: dict[tuple[str, str], dict[str, int]] = {}  # -> invoice -> units left, in order of appearance
    lines = iter(ordered)
    line = next(lines, None)
    found: list[str | None] = []
    for cancel in cancelled:
        while line is not None and line[0] < cancel.row:
            _, invoice, customer, sku, units = line
            if (customer, sku) in wanted:
                orders = open_units.setdefault((customer, sku), {})
                orders[invoice] = orders.get(invoice, 0) + units
            line = next(lines, None)
        found.append(_take(open_units.get((cancel.customer, cancel.sku), {}), cancel.units))
    return found


def _take(orders: dict[str, int], units: int) -> str | None:
    for invoice in reversed(orders) if units > 0 else ():
        if orders[invoice] >= units:
            orders[invoice] -= units
            return invoice
    return None
