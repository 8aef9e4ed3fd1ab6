"""The fold of a partition of a log: its records through the agent's own step, into a table in memory, up to a moment.

Reads a log and snapshots of earlier folds; writes snapshots. Guarantees: which records count, and which are unreadable,
misrouted or dead, is decided by the worker's own `streams.partition.Partition`, with an outbox that sends nothing; so
the rows are the worker's. A record that halts the partition ends the fold with `Halted`. Does not belong here: what is
asked of the rows.
"""

from __future__ import annotations

from contextlib import closing
from typing import Any, NamedTuple

from msgspec.structs import replace

from proof.history.logs import Log, Meter, Unmetered
from proof.history.moment import END, Moment
from proof.history.snapshots import Snapshots
from streams.partition import Partition, Role
from tables.outcome import INDEX_BITS, place_of
from tables.rows import PartitionRow
from tables.table import Table


class Halted(Exception):
    """The log holds a record that the rules cannot take: a worker stands still there, and so does its history."""


class Folded(NamedTuple):
    """`log`: the partition row, its `at` the last place folded; None: the log was not opened yet. `place`: the first
    place not folded. `newest_ms`: the latest stamp among the records, 0 if there were none."""

    table: Table
    log: PartitionRow | None
    place: int
    newest_ms: int


def fold(
    log: Log, role: Role, until: Moment = END, *, snapshots: Snapshots | None = None, start: Moment | None = None,
    meter: Meter | None = None,
) -> Folded:  # fmt: skip
    """The rows as they stood at `until`. `start`: where the caller begins to look; no snapshot after it is used."""
    meter = meter or Unmetered()
    table, next_offset, newest_ms = Table(), 0, 0
    found = snapshots.nearest(start or until) if snapshots else None
    if found is not None:
        next_offset, newest_ms = found.next_offset, found.newest_ms
        table.put(found.rows)
        table.take_dirty()
    partition = Partition(role._replace(views=Untold), log.number, table, _Unsent(), next_offset)  # type: ignore[arg-type]
    place = place_of(next_offset)
    if until.place is not None and until.place <= place:
        return Folded(table, _at(partition, place), place, newest_ms)
    kept = next_offset
    last = log.end() if until.place is None else min(log.end(), (until.place >> INDEX_BITS) + 1)
    meter.expect(max(last - next_offset, 0))
    with closing(log.read(next_offset)) as batches:  # type: ignore[type-var]
        for batch in batches:
            whole, rest, ended = cut(batch, until)
            partition.handle(whole)
            place = place_of(partition.next_offset)
            if rest is not None and until.place is not None:
                partition.role = partition.role._replace(codec=_Firsts(role.codec, until.place))  # type: ignore[arg-type]
                partition.handle([rest])
                place = until.place
                whole.append(rest)
            if partition.halt is not None:
                halt = partition.halt
                raise Halted(f"{log.topic}[{log.number}] halts at offset {halt.offset}.{halt.index}: {halt.reason}")
            newest_ms = max([newest_ms, *(message.timestamp()[1] for message in whole)])
            table.take_dirty()
            meter.advance(len(batch))
            if ended:
                break
            if snapshots is not None and partition.next_offset - kept >= snapshots.every:
                kept = partition.next_offset
                snapshots.keep(kept, newest_ms, table.rows())
    return Folded(table, _at(partition, place), place, newest_ms)


def _at(partition: Partition, place: int) -> PartitionRow | None:
    state = partition.state
    return state if state is None or state.at >= place - 1 else replace(state, at=place - 1)


def cut(batch: list[Any], until: Moment) -> tuple[list[Any], Any, bool]:
    """(messages that belong to the moment whole, one that does in part, whether the moment is reached)."""
    for n, message in enumerate(batch):
        if until.ms is not None and message.timestamp()[1] > until.ms:
            return batch[:n], None, True
        if until.place is not None and place_of(message.offset() + 1) >= until.place:
            if until.place == place_of(message.offset() + 1):
                return batch[: n + 1], None, True
            return batch[:n], message, True
    return batch, None, False


class _Firsts:
    """Reads of a packed record only the items before a place."""

    def __init__(self, codec: Any, until: int) -> None:
        self._codec = codec
        self._count = until & ((1 << INDEX_BITS) - 1)

    def items(self, value: bytes | None) -> list[Any]:
        return self._codec.items(value)[: self._count]


class Untold:
    """Nothing is published about a past."""

    def touch(self, rows: dict[str, Any]) -> None:
        pass


class _Unsent:
    """Nothing is sent: whatever the steps said was sent when it happened."""

    def send(self, send: Any) -> None:
        pass

    def forward(self, *_: Any) -> None:
        pass

    def dead_letter(self, *_: Any) -> None:
        pass
