"""What a planned import says: its records, byte for byte the same each time the same rows are imported.

Pure. Writes nothing; the importer sends what is made here. Records carry no `time` (when we wrote them would differ
from run to run); `occurred_at` is the file's. Ids follow what a row says, never where it stands, so that it is the same
record in a longer file: `PRESET:INVOICE` is the order and its record; a cancellation names its invoice, SKU, units and
which of such rows it is, a dead letter a hash of its content and the same. Receipts carry a hash of the file's rows.
Does not belong here: when anything is sent.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from heapq import merge

from connectors.files.cancellations import CancelledRow
from connectors.files.plan import DeadRow, Plan, PlannedCancel, PlannedOrder
from connectors.sequential import IMPORT_PREFIX
from tables import records as r
from tables.codec import encode, instant

LOCATION = "MAIN"
LOT = "IMPORT"
CONNECTOR = "smokehouse-import"


@dataclass(frozen=True, slots=True)
class Event:
    """An order or a cancellation, where and when it happened in the file."""

    row: int
    time_ms: int | None
    record: r.OrderPlaced | r.CancelRequested


def receipts(
    plan: Plan, known: Collection[str] = frozenset(), received: Mapping[str, int] | None = None
) -> Iterator[r.SkuDefined | r.Received]:
    """What there is to sell: each SKU and the units that came in, before the first order.

    SKUs in `known` are not defined: a definition replaces the whole master, and a file of orders knows a name at most.
    `received`: the units of each SKU; None: the share of all that the file orders.
    """
    name = plan.preset.name
    for sku, units in plan.receipts.items():
        units = units if received is None else received.get(sku, 0)
        if sku not in known:
            flavor = plan.flavors.get(sku, "")
            content = blake2b(f"{sku}\n{flavor}".encode(), digest_size=6).hexdigest()
            yield r.SkuDefined(id=f"{IMPORT_PREFIX}{name}:{sku}:{content}", sku=sku, flavor=flavor)
        if units:
            yield r.Received(
                id=receipt_id(plan, sku), sku=sku, location=LOCATION, quantity=units, lot=LOT,
                reference=f"import {plan.import_id}",
            )  # fmt: skip


def events(plan: Plan) -> Iterator[Event]:
    """Orders and cancellations in file order."""
    placed = (_placed(plan, order) for order in plan.orders())
    cancelled = (_cancelled(plan, cancel) for cancel in plan.cancels)
    return merge(placed, cancelled, key=lambda event: event.row)


def order_id(plan: Plan, invoice: str) -> str:
    return f"{plan.preset.name}:{invoice}"


def receipt_id(plan: Plan, sku: str) -> str:
    return f"{IMPORT_PREFIX}{plan.preset.name}:{sku}:received:{plan.import_id}"


def cancel_id(plan: Plan, cancel: CancelledRow) -> str:
    return f"{plan.preset.name}:{cancel.invoice}:{cancel.sku}:{cancel.units}:{cancel.place}"


def dead_letter(plan: Plan, dead: DeadRow) -> tuple[bytes, bytes, list[tuple[str, bytes]]]:
    """Key, value and headers of a row that became no record, named as Kafka Connect names them."""
    headers = {
        "__connect.errors.topic": f"file:{plan.name}",
        "__connect.errors.partition": "0",
        "__connect.errors.offset": str(dead.row),
        "__connect.errors.connector.name": CONNECTOR,
        "__connect.errors.stage": "VALUE_CONVERTER",
        "__connect.errors.exception.message": dead.reason,
        "smokehouse.dead-letter.id": dead_letter_id(plan, dead),
    }
    key = order_id(plan, dead.invoice).encode()
    return key, encode(dead.content), [(name, text.encode()) for name, text in headers.items()]


def dead_letter_id(plan: Plan, dead: DeadRow) -> str:
    """The same for the same row, whatever the file is called and wherever it stands in it."""
    content = blake2b(encode(dead.content), digest_size=12).hexdigest()
    return f"{IMPORT_PREFIX}{plan.preset.name}:dead:{content}:{dead.place}"


def _placed(plan: Plan, order: PlannedOrder) -> Event:
    name = order_id(plan, order.invoice)
    record = r.OrderPlaced(
        id=name, order_id=name, channel=plan.preset.name, locations=[LOCATION], payment="paid",
        lines=[r.Line(sku, units) for sku, units in order.lines], occurred_at=_occurred(order.time_ms),
    )  # fmt: skip
    return Event(order.row, order.time_ms, record)


def _cancelled(plan: Plan, planned: PlannedCancel) -> Event:
    cancel = planned.cancel
    record = r.CancelRequested(
        id=cancel_id(plan, cancel), order_id=order_id(plan, planned.invoice), reason="returned",
        lines=[r.CancelLine(cancel.sku, cancel.units)], occurred_at=_occurred(cancel.time_ms),
    )  # fmt: skip
    return Event(cancel.row, cancel.time_ms, record)


def _occurred(time_ms: int | None) -> str | None:
    return None if time_ms is None else instant(time_ms)
