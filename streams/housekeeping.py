"""Looks through the rows of a worker's partitions, some a second: what is past its time, what waits for too long.

Reads the local store; writes `prune` notes to the partition's own log, and asks the order log about reservations that
are open for longer than any answer may take. Guarantees: what is forgotten or released is a step's decision, here rows
are only found. Does not belong here: when a row may be forgotten (`tables.pruning`), when it leaves the changelog
(`recovery`), what an order answers (`tables.order_speech`).
"""

from __future__ import annotations

import asyncio
import time
from uuid import uuid4

from streams.owner import Owned, PartitionOwner
from streams.topics import ORDERS, WAREHOUSE
from tables import records as r
from tables.outcome import Send
from tables.pruning import DELETED, is_past
from tables.rows import PartitionRow, ReservationRow

LOOK_SECONDS = 1.0
LOOK_ROWS = 1_000  # per partition and look
ITEMS_MAX = 100  # one record changes at most so many rows
ASK_SECONDS = 3_600.0  # between two rounds of questions: an order may rightly wait for its payment for weeks
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
    if not owned.looked_to and (now := time.monotonic()) - owned.asked > ASK_SECONDS:
        owned.asks, owned.asked = True, now
    rows = owned.store.slice(FORGETS[topic], owned.looked_to, LOOK_ROWS)
    owned.looked_to = rows[-1][0] if len(rows) == LOOK_ROWS else ""
    of_order = topic == ORDERS.name
    if owned.asks and not of_order:
        _ask_about_overdue(owned, owner, log, [row for _, row in rows])
    owned.asks = owned.asks and bool(owned.looked_to)
    old = [row for _, row in rows if row.state != DELETED and is_past(row.forget_ms, log)]
    items = [r.Pruned(row.order_id, 0 if of_order else row.attempt) for row in old]
    for start in range(0, len(items), ITEMS_MAX):
        note = r.Prune(id=f"prune:{uuid4().hex}", items=items[start : start + ITEMS_MAX])
        owner.outbox.send(Send(topic, owned.partition.number, None, note))


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
