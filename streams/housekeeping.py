"""Looks through the rows of a worker's partitions, some a second: what is past its time, what waits for too long.

Reads the local store; writes `prune` notes to the partition's own log, asks the order log about reservations that are
open for longer than any answer may take, and takes rows that were marked deleted a day ago from changelog and disk.
Guarantees: what is forgotten or released is a step's decision, here rows are only found; a row leaves only when the
newest copy is our own and every older writer's copy is gone from the changelog, so that nothing older can come back.
Does not belong here: when a row may be forgotten (`tables.pruning`), what an order answers (`tables.orders`).
"""

from __future__ import annotations

import asyncio
from uuid import uuid4

from streams.owner import Owned, PartitionOwner
from streams.topics import CHANGELOG_OF, ORDERS, WAREHOUSE
from tables import records as r
from tables.outcome import Send
from tables.pruning import DELETED, is_past
from tables.rows import PartitionRow, ReservationRow
from tables.store import changelog_key

LOOK_SECONDS = 1.0
LOOK_ROWS = 1_000  # per partition and look
ITEMS_MAX = 100  # one record changes at most so many rows
FORGETS = {ORDERS.name: "order|", WAREHOUSE.name: "res|"}  # keys of the rows that are forgotten one day


async def run_housekeeping(owner: PartitionOwner) -> None:
    """For ever."""
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        for owned in owner.live():
            look(owned, owner)
        owner.outbox.leave()


def look(owned: Owned, owner: PartitionOwner) -> None:
    """The next rows of the partition, from the key where the last look ended; at the end of them from the first."""
    log, topic = owned.partition.state, owned.partition.role.topic
    if log is None or not log.state_ms:
        return
    rows = owned.store.slice(FORGETS[topic], owned.pruned_to, LOOK_ROWS)
    owned.pruned_to = rows[-1][0] if len(rows) == LOOK_ROWS else ""
    of_order = topic == ORDERS.name
    if not of_order:
        _ask_about_overdue(owned, owner, log, [row for _, row in rows])
    old = [(key, row) for key, row in rows if is_past(row.forget_ms, log)]
    marked = [r.Pruned(row.order_id, 0 if of_order else row.attempt) for _, row in old if row.state != DELETED]
    for start in range(0, len(marked), ITEMS_MAX):
        note = r.Prune(id=f"prune:{uuid4().hex}", items=marked[start : start + ITEMS_MAX])
        owner.outbox.send(Send(topic, owned.partition.number, None, note))
    for key, row in old:
        if row.state == DELETED:
            _remove(owned, owner, key)


def _ask_about_overdue(owned: Owned, owner: PartitionOwner, log: PartitionRow, rows: list[ReservationRow]) -> None:
    """Nothing that was said is ever lost; should it be all the same, the order says again what became of it."""
    undecided_ms, held_ms = 2_000 * log.limits.undecided_seconds, 2_000 * log.limits.check_seconds
    for row in rows:
        patience_ms = {"claimed": undecided_ms, "held": held_ms}.get(row.state)
        if patience_ms is not None and row.order_ms and log.state_ms - row.order_ms > patience_ms:
            question = r.ReservationOverdue(
                id=f"{row.order_id}:{row.attempt}:{owned.partition.number}:overdue", order_id=row.order_id,
                attempt=row.attempt, partition=owned.partition.number,
            )  # fmt: skip
            owner.outbox.send(Send(ORDERS.name, row.order_partition, None, question))


def _remove(owned: Owned, owner: PartitionOwner, key: str) -> None:
    table = owned.partition.table
    if key in table.dirty:
        return  # it is on its way to the changelog: the next look finds it written
    row = table.get(key)
    if row is None or row.state != DELETED:
        return
    if key in owned.store.foreign:
        table.put({key: row})  # written again as ours first; then the checkpoint takes the others' copies away
        return
    changelog = CHANGELOG_OF[owned.partition.role.topic].name
    owner.outbox.row(changelog, owned.partition.number, changelog_key(key, owned.writer), None)
    owned.store.delete(key)
    table.drop(key)
