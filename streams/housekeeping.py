"""Looks through the rows of a worker's partitions, some a second: what is past its time, what waits for too long; and
at the changelogs, whether anybody else writes there.

Reads the local store and the ends of changelogs; writes `prune` notes to the partition's own log, and asks the order
log about reservations that are open for longer than any answer may take. Guarantees: what is forgotten or released is a
step's decision, here rows are only found. Does not belong here: when a row may be forgotten (`tables.pruning`), when it
leaves the changelog (`recovery`), what an order answers (`tables.order_speech`).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from uuid import uuid4

from streams.owner import Owned, PartitionOwner
from streams.reader import ReadError, is_contiguous, last_offsets, read_to_end
from streams.settings import Settings
from streams.topics import CHANGELOG_OF, ORDERS, WAREHOUSE
from tables import records as r
from tables.outcome import Send
from tables.pruning import DELETED, is_past
from tables.rows import PartitionRow, ReservationRow
from tables.store import split_changelog_key

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0  # from partition to partition: while one is looked at, orders wait
LOOK_ROWS = 250  # per partition and look; 2 ms
ROUND_SECONDS = 10.0  # a round over few rows need not begin again at once
WATCH_SECONDS = 60.0
WATCH_ROWS = 2_000
ITEMS_MAX = 100  # one record changes at most so many rows
ASK_SECONDS = 3_600.0  # between two rounds of questions: an order may rightly wait for its payment for weeks
FORGETS = {ORDERS.name: "order|", WAREHOUSE.name: "res|"}  # keys of the rows that are forgotten one day


async def run_housekeeping(owner: PartitionOwner) -> None:
    """For ever."""
    while True:
        async for owned in owner.each_live(LOOK_SECONDS):
            look(owned, owner)
            owner.outbox.leave()


async def run_watch(owner: PartitionOwner) -> None:
    """For ever: one changelog of ours a minute. Somebody else's rows in it do no harm, and should not be there."""
    turn = 0
    while True:
        await asyncio.sleep(WATCH_SECONDS)
        live = owner.live()
        if not live:
            continue
        owned = live[turn % len(live)]
        turn += 1
        changelog, number = CHANGELOG_OF[owned.partition.role.topic].name, owned.partition.number
        try:
            found = await asyncio.to_thread(
                foreign_rows, owner.settings, changelog, number, owned.changelog_from, owned.writer
            )
        except ReadError as error:
            log.warning("%s[%d] cannot be watched: %s", changelog, number, error)
            continue
        owner.foreign_rows += sum(found.values())
        for writer, rows in found.items():
            log.error("%s[%d]: %d rows by writer %s: a zombie, or another owner", changelog, number, rows, writer)


def foreign_rows(settings: Settings, changelog: str, partition: int, start: int, writer: str) -> Counter[str]:
    """Writer -> its rows among the last of the changelog since offset `start`, our own apart."""
    end = last_offsets(settings, changelog)[partition]
    found: Counter[str] = Counter()
    places = {partition: max(start, end - WATCH_ROWS)}
    if places[partition] >= end:
        return found
    for batch in read_to_end(settings, changelog, [partition], places, contiguous=is_contiguous(settings, changelog)):
        for message in batch:
            if message.value() is not None:
                found[split_changelog_key(message.key())[1].decode(errors="replace")] += 1
    found.pop(writer, None)
    return found


def look(owned: Owned, owner: PartitionOwner) -> None:
    """The next rows of the partition, from the key where the last look ended; at the end of them from the first."""
    state, topic = owned.partition.state, owned.partition.role.topic
    if state is None or not state.state_ms:
        return
    if not owned.looked_to:
        now = time.monotonic()
        if now - owned.round_began < ROUND_SECONDS:
            return
        owned.round_began = now
        if now - owned.asked > ASK_SECONDS:
            owned.asks, owned.asked = True, now
    rows = owned.store.slice(FORGETS[topic], owned.looked_to, LOOK_ROWS)
    owned.looked_to = rows[-1][0] if len(rows) == LOOK_ROWS else ""
    of_order = topic == ORDERS.name
    if owned.asks and not of_order:
        _ask_about_overdue(owned, owner, state, [row for _, row in rows])
    owned.asks = owned.asks and bool(owned.looked_to)
    old = [row for _, row in rows if row.state != DELETED and is_past(row.forget_ms, state)]
    items = [r.Pruned(row.order_id, 0 if of_order else row.attempt) for row in old]
    for start in range(0, len(items), ITEMS_MAX):
        note = r.Prune(id=f"prune:{uuid4().hex}", items=items[start : start + ITEMS_MAX])
        owner.outbox.send(Send(topic, owned.partition.number, None, note))


def _ask_about_overdue(owned: Owned, owner: PartitionOwner, state: PartitionRow, rows: list[ReservationRow]) -> None:
    """Nothing that was said is ever lost; should it be all the same, the order says again what became of it."""
    undecided_ms, held_ms = 2_000 * state.limits.undecided_seconds, 2_000 * state.limits.check_seconds
    for row in rows:
        patience_ms = {"claimed": undecided_ms, "held": held_ms}.get(row.state)
        if patience_ms is not None and row.order_ms and state.state_ms - row.order_ms > patience_ms:
            question = r.ReservationOverdue(
                id=f"{row.order_id}:{row.attempt}:{owned.partition.number}:overdue", order_id=row.order_id,
                attempt=row.attempt, partition=owned.partition.number,
            )  # fmt: skip
            owner.outbox.send(Send(ORDERS.name, row.order_partition, None, question))
