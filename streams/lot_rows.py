"""What the stock partitions of this worker know of a lot, as the JSON a worker answers with, a piece at a time.

Reads tables and local stores of partitions that are ours and live; writes nothing. Guarantees: one partition's rows are
all as of one place in its log; memory holds one piece, however long a lot's history is. Does not belong here: what the
rows come to (`tables.lot_account`).

How that holds without a lock: rows change only in the event loop, between two `await`s. Everything but the movements is
few, and read in one go, together with the place P that the partition has reached. Movements are only ever added, under
keys that sort by place: those with a place up to P stand in the rows not written yet, which are taken in that same go,
or in the store, where they stay; what is added meanwhile lies after P and is left out. So the store may be read a slice
at a time, with other work between. It is read here and not in a thread: a slice takes the few milliseconds after which
a thread would give way too, and a partition that is lost between two slices is never read while its store is closed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import msgspec
from msgspec.structs import replace

from streams.owner import Owned, PartitionOwner
from streams.topics import WAREHOUSE
from tables.lot_sections import LotPartition
from tables.outcome import INDEX_BITS
from tables.rows import IncomingRow, LotRow, RecallRow, batch_key, recall_key
from tables.table import Table

SLICE_ROWS = 1_000  # 3 to 4 ms
_encode = msgspec.json.Encoder().encode


async def lot_pieces(owner: PartitionOwner, lot: str, *, traces: bool = True) -> AsyncIterator[bytes]:
    """The JSON list of `LotPartition`s, in pieces. A partition lost on the way ends as not `whole`."""
    before = b"["
    for owned in _stock(owner):
        async for piece in _of_partition(owner, owned, lot, traces):
            yield before + piece
            before = b""
        before = b","
    yield b"[]" if before == b"[" else b"]"


def recalls(owner: PartitionOwner) -> list[dict[str, Any]]:
    """Of each stock partition that is ours and live: its number, how many there are, and its recall rows."""
    found = []
    for owned in _stock(owner):
        state = owned.partition.state
        assert state is not None
        rows = [row for _, row in owned.partition.table.found(recall_key(""))]
        found.append({"partition": owned.partition.number, "partitions": state.partitions, "recalls": rows})
    return found


def _stock(owner: PartitionOwner) -> Iterator[Owned]:
    for owned in owner.live():
        partition = owned.partition
        # Of what was recovered some rows are ahead of others, until the log is read as far as the newest of them.
        whole = (partition.next_offset << INDEX_BITS) > owned.newest
        if partition.role.topic == WAREHOUSE.name and partition.state is not None and whole:
            yield owned


async def _of_partition(owner: PartitionOwner, owned: Owned, lot: str, traces: bool) -> AsyncIterator[bytes]:
    partition, table = owned.partition, owned.partition.table
    state = partition.state
    if state is None or not owner.is_live(owned):
        return
    until = partition.next_offset << INDEX_BITS  # P: what comes from here on is left out
    lots: list[LotRow] = [replace(table.get(key), moves=()) for key in table.lots_of(lot)]
    prefix = f"trace|{lot}|"
    fresh = {key: row for key, row in table.dirty.items() if key.startswith(prefix)} if traces else {}
    # The SKUs of a lot are those of its lot rows: a movement without one is of units the books never had.
    skus = dict.fromkeys([row.sku for row in lots] + [row.sku for row in fresh.values()])
    head = LotPartition(
        partition=partition.number, partitions=state.partitions, log_id=state.log_id, offset=partition.next_offset,
        state_ms=state.state_ms, recall=_recall(table, lot), lots=lots, traces=[],
        batches=[row for sku in skus if (row := table.get(batch_key(sku, lot))) is not None],
        incoming=[row for sku in skus for row in _under_way(table, sku, lot)],
    )  # fmt: skip
    # The document is written by hand around its longest list, and `whole` follows when that list has ended.
    yield _encode(head).removesuffix(b',"traces":[],"whole":false}') + b',"traces":['
    comma = b""
    if fresh:
        yield _encode(list(fresh.values()))[1:-1]
        comma = b","
    after = ""
    while traces:
        if not owner.is_live(owned):
            yield b'],"whole":false}'
            return
        rows = owned.store.slice(prefix, after, SLICE_ROWS)
        kept = [row for key, row in rows if row.at < until and key not in fresh]
        if kept:
            yield comma + _encode(kept)[1:-1]
            comma = b","
        if len(rows) < SLICE_ROWS:
            break
        after = rows[-1][0]
        await asyncio.sleep(0)
    yield b'],"whole":true}'


def _recall(table: Table, lot: str) -> RecallRow | None:
    row: RecallRow | None = table.get(recall_key(lot))
    return row


def _under_way(table: Table, sku: str, lot: str) -> list[IncomingRow]:
    rows = [row for _, row in table.found(f"incoming|{sku}|")]
    return [row for row in rows if row.state == "open" and any(name == lot for name, _ in row.lots)]
