"""Looks through the rows of a worker's partitions for those that are past their time, a few a second.

Reads the local store; writes `prune` notes to the partition's own log, and takes rows that were marked deleted a day
ago from changelog and disk. Guarantees: what is forgotten is the step's decision (`tables.pruning`), here rows are only
found; a row leaves only when the newest copy is our own and every older writer's copy is gone from the changelog, so
that nothing older can come back. Does not belong here: when a row may be forgotten.
"""

from __future__ import annotations

import asyncio
from uuid import uuid4

from streams.owner import Owned, PartitionOwner
from streams.topics import CHANGELOG_OF, ORDERS, WAREHOUSE
from tables import records as r
from tables.outcome import Send
from tables.pruning import DELETED, is_past
from tables.store import changelog_key

LOOK_SECONDS = 1.0
LOOK_ROWS = 1_000  # per partition and look
ITEMS_MAX = 100  # one record changes at most so many rows
FORGETS = {ORDERS.name: "order|", WAREHOUSE.name: "res|"}  # keys of the rows that are forgotten one day


async def run_pruning(owner: PartitionOwner) -> None:
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
    old = [(key, row) for key, row in rows if is_past(row.forget_ms, log)]
    of_order = topic == ORDERS.name
    marked = [r.Pruned(row.order_id, 0 if of_order else row.attempt) for _, row in old if row.state != DELETED]
    for start in range(0, len(marked), ITEMS_MAX):
        note = r.Prune(id=f"prune:{uuid4().hex}", items=marked[start : start + ITEMS_MAX])
        owner.outbox.send(Send(topic, owned.partition.number, None, note))
    for key, row in old:
        if row.state == DELETED:
            _remove(owned, owner, key)


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
