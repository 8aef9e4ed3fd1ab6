"""The same file decided one order at a time: what the pipeline's many undecided orders at once are measured against.

Pure: records in, counts out; no clock, no broker. An order is confirmed when its locations together cover every line,
else it is rejected and takes nothing; where its units come from follows the rules of sourcing (fewest shipments, then
rank). A cancellation gives back what the order still holds. Payments, checks and deadlines play no part: imported
orders count as paid; nor do the policies of channels and of stock, which no file tells.
How to get the order of the file back from the logs: `file_order(record, headers)` is the sort key. It reads the row
number among the headers; receipts of an import (and SKU definitions) come before its rows; a record that no importer
wrote has no place (None) and is to be left out. Rows of two files of one preset share their numbers: import them into
logs of their own to compare them. Does not belong here: reading topics.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from connectors.file_order import Headers, row_of
from tables import records as r
from tables.sourcing import best, fewest

IMPORT_PREFIX = "import:"  # ids of what an import receives and defines

FileOrder = tuple[str, int, str]  # preset, row (-1: before the first), id
Held = dict[str, dict[str, int]]  # SKU -> location -> units an order still holds there


def file_order(record: Any, headers: Headers | None) -> FileOrder | None:
    """Where the record stands in its file; None for a record that came from no file."""
    if isinstance(record, r.Received | r.SkuDefined):
        if not record.id.startswith(IMPORT_PREFIX):
            return None
        return record.id.split(":")[1], -1, record.id
    if isinstance(record, r.OrderPlaced | r.CancelRequested):
        row = row_of(headers)
        return None if row is None else (record.order_id.partition(":")[0], row, record.id)
    return None


@dataclass(frozen=True, slots=True)
class Replayed:
    """What one-at-a-time deciding came to. `units_given_back`: by cancellations of confirmed orders."""

    placed: int
    confirmed: int
    rejected: int
    units_given_back: int


def replay(events: Iterable[Any]) -> Replayed:
    """Fold received, placed and cancel-requested records, in the order given; a known id changes nothing."""
    stock: dict[tuple[str, str], int] = {}
    held: dict[str, Held] = {}
    seen: set[str] = set()
    orders: set[str] = set()
    given_back = 0
    for event in events:
        if event.id in seen:
            continue
        seen.add(event.id)
        if isinstance(event, r.Received):
            place = (event.sku, event.location)
            stock[place] = stock.get(place, 0) + event.quantity
        elif isinstance(event, r.OrderPlaced) and event.order_id not in orders:
            orders.add(event.order_id)
            taken = _take(stock, event)
            if taken is not None:
                held[event.order_id] = taken
        elif isinstance(event, r.CancelRequested) and event.order_id in held:
            given_back += _give_back(stock, held[event.order_id], event)
    return Replayed(len(orders), len(held), len(orders) - len(held), given_back)


def _take(stock: dict[tuple[str, str], int], order: r.OrderPlaced) -> Held | None:
    """All lines or none. A line that one location covers whole is not split."""
    units: dict[str, int] = {}
    for line in order.lines:
        units[line.sku] = units.get(line.sku, 0) + line.quantity
    there = {sku: [stock.get((sku, x), 0) for x in order.locations] for sku in units}
    if any(sum(there[sku]) < count for sku, count in units.items()):
        return None
    covers = {sku: sum(1 << bit for bit, n in enumerate(there[sku]) if n >= count) for sku, count in units.items()}
    chosen = fewest([cover for cover in covers.values() if cover])
    taken: Held = {}
    for sku, left in units.items():
        parts = taken[sku] = {}
        for bit in _ranked(there[sku], covers[sku], chosen):
            location = order.locations[bit]
            if count := min(left, there[sku][bit]):
                parts[location] = count
                stock[sku, location] -= count
                left -= count
    return taken


def _ranked(there: list[int], cover: int, chosen: int) -> list[int]:
    """The locations (as bits) a line is taken from, in this order, until it is whole."""
    if cover:
        return [best(cover, chosen)]
    return sorted(range(len(there)), key=lambda bit: (0, 0, bit) if chosen >> bit & 1 else (1, -there[bit], bit))


def _give_back(stock: dict[tuple[str, str], int], held: Held, cancel: r.CancelRequested) -> int:
    asked: dict[str, int] = {}
    for line in cancel.lines:
        asked[line.sku] = asked.get(line.sku, 0) + line.quantity
    if not cancel.lines:
        asked = {sku: sum(parts.values()) for sku, parts in held.items()}
    total = 0
    for sku, wanted in asked.items():
        for location, count in held.get(sku, {}).items():
            given = min(count, wanted)
            held[sku][location] = count - given
            if given:
                stock[sku, location] += given
            wanted -= given
            total += given
    return total
