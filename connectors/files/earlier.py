"""What earlier imports wrote into the logs, so that a longer file adds only what is new.

Reads: `warehouse`, the partitions of the file's SKUs, for what this import received already, and `orders` for the order
that a cancellation was said of, both to their ends as of now. Writes nothing. Guarantees: what is acknowledged is seen;
`ReadStalled` if the broker gives nothing for 20 s. Does not belong here: what was decided about orders (`decisions`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec
from confluent_kafka import Message

from connectors.files import speech
from connectors.files.plan import Plan
from streams import reader
from streams.settings import Settings
from streams.topics import ORDERS, WAREHOUSE, Topic
from tables.murmur2 import partition_of

OnRead = Callable[[int], None]


class _Received(msgspec.Struct, tag_field="type", tag="received"):
    id: str
    sku: str
    quantity: int


class _Cancelled(msgspec.Struct, tag_field="type", tag="cancel_requested"):
    id: str
    order_id: str


def received(settings: Settings, plan: Plan, on_read: OnRead) -> dict[str, int]:
    """SKU -> units that an earlier run of this import received."""
    count = len(reader.partitions_of(settings, WAREHOUSE.name))
    places = sorted({partition_of(sku, count) for sku in plan.receipts})
    mine = plan.import_id.encode()
    found = {}
    for message in _messages(settings, WAREHOUSE, places, on_read):
        if message.key() and mine in message.value():  # decoding every record of a log takes minutes
            try:
                said = msgspec.json.decode(message.value(), type=_Received)
            except msgspec.MsgspecError:
                continue
            if said.id == speech.receipt_id(plan, said.sku):
                found[said.sku] = said.quantity
    return found


def cancelled(settings: Settings, plan: Plan, on_read: OnRead) -> dict[str, str]:
    """Cancellation of this file -> the order that it was said of."""
    wanted = {speech.cancel_id(plan, planned.cancel) for planned in plan.cancels}
    mine = speech.order_id(plan, "").encode()
    found: dict[str, str] = {}
    for message in _messages(settings, ORDERS, None, on_read) if wanted else ():
        if (message.key() or b"").startswith(mine) and b'"cancel_requested"' in message.value():
            try:
                said = msgspec.json.decode(message.value(), type=_Cancelled)
            except msgspec.MsgspecError:
                continue
            if said.id in wanted:
                found.setdefault(said.id, said.order_id)
    return found


def _messages(settings: Settings, topic: Topic, places: list[int] | None, on_read: OnRead) -> Iterator[Message]:
    contiguous = reader.is_contiguous(settings, topic.name)
    for batch in reader.read_to_end(settings, topic.name, places, contiguous=contiguous):
        yield from (message for message in batch if message.value())
        on_read(len(batch))
