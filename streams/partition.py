"""One owned partition of a log: its records go through the agent's step, its rows wait for the checkpoint.

Reads records handed to it, in offset order; writes to its table and to the outbox. Guarantees: a step that raises
changes nothing and halts the partition at that record, unless memory is short: that ends the process; what cannot be
read, or must not be applied here, is a dead letter or is forwarded, never dropped. Does not belong here: when rows are
written and offsets committed (`owner`).
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from typing import Any, NamedTuple

from confluent_kafka import Message
from msgspec.structs import replace

from streams.outbox import HOPS, Outbox
from tables import log as log_rules
from tables import records as r
from tables.codec import LogCodec, Unreadable, encode
from tables.murmur2 import partition_of, partition_of_sku
from tables.outcome import INDEX_BITS, At, Outcome, View
from tables.rows import PARTITION_KEY, PartitionRow, order_key
from tables.table import Table

log = logging.getLogger(__name__)

Step = Callable[[View, Any, At, PartitionRow], Outcome]
REMEDY = "mend the cause (or start a worker that knows better), then: smokehouse partition retry {topic} {partition}"


class Role(NamedTuple):
    """What an agent is: the log it reads, its step, and what it shows to others after its rows have changed."""

    topic: str
    codec: LogCodec
    step: Step
    views: Callable[[], Any]


class Halt(NamedTuple):
    """Why a partition stands still, where, and what helps."""

    offset: int
    index: int
    reason: str


class Partition:
    """The state of one partition between `open` and `close`."""

    def __init__(self, role: Role, number: int, table: Table, outbox: Outbox, next_offset: int) -> None:
        self.role = role
        self.number = number
        self.table = table
        self.views = role.views()
        self.next_offset = next_offset  # of the record to be handled next
        self.halt: Halt | None = None
        self.records = 0
        self._outbox = outbox
        self._state: PartitionRow | None = table.get(PARTITION_KEY)

    @property
    def state(self) -> PartitionRow | None:
        """The log's own state; None until `log_opened` was read."""
        return self._state

    def handle(self, messages: list[Message]) -> None:
        """Apply records in order, up to the first that halts the partition."""
        decode = self.role.codec.items
        for message in messages:
            offset = message.offset()
            ms = message.timestamp()[1]
            for index, record in enumerate(decode(message.value())):
                try:
                    self._apply(record, At(offset << INDEX_BITS | index, ms), message)
                except MemoryError:
                    raise  # of the process, not of this record: a new process has memory and reads it again
                except Exception as error:  # noqa: BLE001 - whatever broke in a step, only this partition may stop
                    self._stop_at(offset, index, error)
                    return
            self.next_offset = offset + 1
        self.records += len(messages)

    def position_row(self) -> PartitionRow | None:
        """The partition row as of the last record handled: what a checkpoint ends with."""
        if self._state is None:
            return None
        place = (self.next_offset << INDEX_BITS) - 1
        return self._state if place <= self._state.at else replace(self._state, at=place)

    def _apply(self, record: Any, at: At, message: Message) -> None:
        kind = type(record)
        if kind is Unreadable:
            return self._dead(at, message, str(record), None)
        if kind is r.LogOpened:
            return self._take(log_rules.opened(record, at, self._state, self.number))
        state = self._state
        if state is None:
            raise RuntimeError("the log was not opened: its first record is not log_opened (smokehouse topics apply)")
        if (name := _NAMES_PARTITION.get(kind)) is not None and getattr(record, name) >= state.partitions:
            return self._dead(at, message, "misrouted: it asks for its answer in a partition that no log has", record)
        home = self._home(record, state.partitions)
        if home != self.number:
            return self._elsewhere(record, home, at, message)
        outcome = self.role.step(self.table, record, at, state)
        if outcome.dead:
            return self._dead(at, message, outcome.dead, record)
        self._take(outcome)
        return None

    def _take(self, outcome: Outcome) -> None:
        rows = outcome.rows
        if PARTITION_KEY in rows:
            self._state = rows[PARTITION_KEY]
        self.table.put(rows)
        self.views.touch(rows)
        for send in outcome.sends:
            self._outbox.send(send)

    def _home(self, record: Any, partitions: int) -> int:
        """The partition this record belongs to; -1 if it belongs to several."""
        kind = type(record)
        if kind in _UNROUTED:
            return self.number
        if kind is r.Reserve:
            home = partition_of_sku(record.lines[0].sku, partitions)
            for line in record.lines:
                if partition_of_sku(line.sku, partitions) != home:
                    return -1
            return home
        order_id = getattr(record, "order_id", None)
        if self.role.topic == "warehouse":
            return partition_of_sku(record.sku, partitions)
        if kind in _ANSWERS and self.table.get(order_key(order_id)) is not None:
            return self.number
        return partition_of(order_id, partitions)

    def _elsewhere(self, record: Any, home: int, at: At, message: Message) -> None:
        hops = any(name == HOPS for name, _ in message.headers() or ())
        if home < 0 or hops:
            why = "misrouted: its lines belong to several partitions" if home < 0 else "misrouted twice"
            return self._dead(at, message, why, record)
        key = getattr(record, "order_id", None) if self.role.topic == "orders" else getattr(record, "sku", "")
        self._outbox.forward(self.role.topic, home, str(key or ""), encode(record), at.ms)
        return None

    def _dead(self, at: At, message: Message, reason: str, record: Any) -> None:
        value = message.value() if record is None else encode(record)
        self._outbox.dead_letter(self.role.topic, self.number, at.offset, at.index, message.key(), value, reason)

    def _stop_at(self, offset: int, index: int, error: Exception) -> None:
        self.next_offset = offset
        self.halt = Halt(offset, index, f"{type(error).__name__}: {error}"[:500])
        log.error("%s[%d] halts at offset %d.%d\n%s", self.role.topic, self.number, offset, index,
                  "".join(traceback.format_exception(error)))  # fmt: skip


_ANSWERS = (
    r.ReserveAnswered, r.MoveAnswered, r.BackorderFilled, r.ReservationOverdue, r.DeadlineReached, r.AskAgain,
)  # fmt: skip
_NAMES_PARTITION = {  # to which an answer goes: a broker that has no such partition ends the process
    r.Reserve: "order_partition", r.Move: "order_partition", r.ReserveAnswered: "partition",
    r.MoveAnswered: "partition", r.BackorderFilled: "partition", r.ReservationOverdue: "partition",
}  # fmt: skip
_UNROUTED = frozenset((  # always sent to an explicit partition
    r.Move, r.Hold, r.Allocate, r.Release, r.Backorder, r.LotsContinued, *r.CLOCK, *r.EVERYWHERE,
))  # fmt: skip
