"""Which kinds of rows there are, in which order a checkpoint writes them, and their bytes."""

from __future__ import annotations

from typing import Any

import msgspec

from tables.rows.base import PartitionRow, Row
from tables.rows.effects import FactRow
from tables.rows.orders import OrderRow
from tables.rows.promises import ReservationRow
from tables.rows.stock import (
    BatchRow,
    ChannelRow,
    CountRow,
    DemandRow,
    IncomingRow,
    KitRow,
    LotRow,
    QueueRow,
    RecallRow,
    SkuRow,
    StockRow,
    TraceRow,
)

TYPES: dict[str, type[Row]] = {
    "partition": PartitionRow,
    "sku": SkuRow,
    "stock": StockRow,
    "lot": LotRow,
    "batch": BatchRow,
    "recall": RecallRow,
    "trace": TraceRow,
    "incoming": IncomingRow,
    "count": CountRow,
    "queue": QueueRow,
    "channel": ChannelRow,
    "kit": KitRow,
    "demand": DemandRow,
    "res": ReservationRow,
    "fact": FactRow,
    "expiry": FactRow,
    "order": OrderRow,
}
# Facts and expiries, then reservations (a shipment counts in one; with them recalls) and orders; then what they count
# in. Letters: the first of a kind's name.
_WRITTEN_FIRST = "fero"


def in_writing_order(rows: dict[str, Any]) -> list[tuple[str, Any]]:
    """Changed rows as a checkpoint writes them: outcome rows before the rows that count them; the partition row, which
    says that all before it are there, is for the caller to write last."""
    kinds: dict[str, list[tuple[str, Any]]] = {kind: [] for kind in _WRITTEN_FIRST}
    others: list[tuple[str, Any]] = []
    for key, row in rows.items():
        kinds.get(key[0], others).append((key, row))
    return [*(item for kind in _WRITTEN_FIRST for item in kinds[kind]), *others]

encode = msgspec.msgpack.Encoder().encode
_decoders = {kind: msgspec.msgpack.Decoder(row) for kind, row in TYPES.items()}


def decode(key: str, payload: bytes) -> Any:
    """The row that these bytes hold; which type says the key."""
    return _decoders[key.partition("|")[0]].decode(payload)
