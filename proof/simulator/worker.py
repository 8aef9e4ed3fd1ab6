"""One owner of one partition: the real `Partition` on the real `Table`, and the order in which things become durable.

What `streams.owner` and `streams.recovery` do with a broker stands in `Discipline`, one method a rule, so that a rule
can be broken on purpose (`mutants`); a test holds it against the originals. Guarantees (P2, P4, P5): rows leave at a
checkpoint, outcome rows first and the partition row last; an offset is committed when they, the views and every answer
before have landed; then older writers' copies are deleted. Does not belong here: when any of it happens (`world`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple

from proof.audit.seen import Seen
from proof.simulator.sending import Place, Sending
from streams.partition import Partition, Role
from tables import records as r
from tables import rows as row_types
from tables.outcome import INDEX_BITS, Send
from tables.pruning import DELETED, is_past
from tables.rows import PARTITION_KEY
from tables.store import VERSION_BYTES, split_changelog_key, version_bytes
from tables.table import Index, Table

TAKEN_OVER_ROWS = 3  # published again at a time
CHANGELOG = {"orders": "order-changelog", "warehouse": "stock-changelog"}


class Violation(Exception):
    """A rule did not hold. `rule`: its short name (I1-I13 of the protocol, where it has one)."""

    def __init__(self, rule: str, what: str) -> None:
        super().__init__(f"{rule}: {what}")
        self.rule, self.what = rule, what


class Kept(NamedTuple):
    """A row as a store keeps it: with its writer, and further writers that have copies in the changelog."""

    row: Any
    writer: str
    others: tuple[str, ...]


class Rows:
    """A local store in memory, as `tables.store.RowStore` is on disk. `foreign`: other writers' copies of rows read."""

    def __init__(self, writer: str, kept: dict[str, Kept]) -> None:
        self.kept = kept
        self.foreign: dict[str, list[str]] = {}
        self._writer = writer

    def get(self, key: str) -> Any:
        found = self.kept.get(key)
        if found is None:
            return None
        if found.writer != self._writer and key not in self.foreign:
            self.foreign[key] = [found.writer, *found.others]
        return found.row

    def scan(self, prefix: str) -> Iterator[tuple[str, Any]]:
        return ((key, self.kept[key].row) for key in sorted(self.kept) if key.startswith(prefix))

    def slice(self, prefix: str, after: str, most: int) -> list[tuple[str, Any]]:
        return list(islice(((key, row) for key, row in self.scan(prefix) if key > after), most))

    def write(self, rows: Iterable[tuple[str, Any]]) -> None:
        for key, row in rows:
            self.kept[key] = Kept(row, self._writer, ())


class Mark(NamedTuple):
    """A store that was closed cleanly: whose it was, how far its changelog went then, its rows, and their index."""

    writer: str
    changelog_end: int
    kept: dict[str, Kept]
    index: Index | None


class Discipline:
    """The rules of durability, each where it can be seen, and broken."""

    deletes_too_early = False  # older writers' copies are deleted after the own copy landed
    partition_row_last = True  # it says that everything before it is there

    def order(self, dirty: dict[str, Any]) -> list[tuple[str, Any]]:
        """Outcome rows before the rows that count them; each kind in the order it was changed."""
        return row_types.in_writing_order(dirty)

    def key(self, key: str, writer: str) -> bytes:
        return f"{key}|{writer}".encode()

    def is_durable(self, sending: Sending, mark: dict[Place, int]) -> bool:
        """Whether the offset may be committed: everything sent before has landed."""
        return sending.has_landed(mark)

    def is_newer(self, theirs: bytes, ours: bytes) -> bool:
        """Recovery takes the highest version, whoever wrote it and when."""
        return theirs > ours

    def trusts(self, mark: Mark, newer: list[Seen]) -> bool:
        """A kept store is used if no other writer came after."""
        ours = mark.writer.encode()
        return all(seen.value is None or split_changelog_key(seen.key or b"")[1] == ours for seen in newer)

    def keeps_after_crash(self) -> bool:
        return False

    def publishes_again(self) -> bool:
        """What was taken over is published again, a portion at a time."""
        return True

    def sweeps(self) -> bool:
        return True


Copies = dict[bytes, tuple[bytes, bytes, set[bytes]]]


def newest(discipline: Discipline, changelog: Iterable[Seen]) -> Copies:
    """Key -> value of the highest version over writers, its writer, all writers. Two contents of one version:
    `Violation`."""
    best: Copies = {}
    for seen in changelog:
        key, writer = split_changelog_key(seen.key or b"")
        value, known = seen.value, best.get(key)
        if value is None:
            if known is not None:
                known[2].discard(writer)
        elif known is None:
            best[key] = (value, writer, {writer})
        else:
            known[2].add(writer)
            ours, theirs = known[0][:VERSION_BYTES], value[:VERSION_BYTES]
            if theirs == ours and value != known[0]:
                raise Violation("two_states", f"{seen.topic}[{seen.partition}] {key.decode()} at {_at(value)}")
            if discipline.is_newer(theirs, ours):
                best[key] = (value, writer, known[2])
    return best


def recover(discipline: Discipline, changelog: Iterable[Seen]) -> dict[str, Kept]:
    """The rows of a changelog, as a store keeps them."""
    return {
        key.decode(): Kept(
            row_types.decode(key.decode(), value[VERSION_BYTES:]), who.decode(),
            tuple(sorted(x.decode() for x in writers - {who})),
        )
        for key, (value, who, writers) in newest(discipline, changelog).items()
    }  # fmt: skip


class Checkpoint(NamedTuple):
    offset: int
    mark: dict[Place, int]
    replaced: list[bytes]


class Owner:
    """An owner between its recovery and its end. `machine`: where its store lies."""

    def __init__(
        self, discipline: Discipline, role: Role, number: int, writer: str, machine: int, sending: Sending,
        kept: dict[str, Kept], index: Index | None, committed: int,
    ) -> None:  # fmt: skip
        self.discipline, self.writer, self.machine, self.sending = discipline, writer, machine, sending
        self.store = Rows(writer, kept)
        self.table = Table(self.store, index)
        self.partition = Partition(role, number, self.table, sending, committed)  # type: ignore[arg-type]
        self.where = (role.topic, number)
        self.committed = committed
        self.checkpoint: Checkpoint | None = None
        self.seen_to = max((kept_row.row.at for kept_row in kept.values()), default=-1)  # its rows may be so far ahead
        again = self.partition.views.taken_over(self.table, self.store, TAKEN_OVER_ROWS)
        self._again = again if discipline.publishes_again() else None

    @property
    def caught_up(self) -> bool:
        """Whether its rows are those of one place in the log (until then they may be of several)."""
        return (self.partition.next_offset << INDEX_BITS) > self.seen_to

    def handle(self, messages: list[Any]) -> None:
        """One batch; the partition must not halt."""
        self.partition.handle(messages)
        if self.partition.halt is not None:
            raise Violation("halt", f"{self.where}: {self.partition.halt}")
        self.sending.leave()

    def publish(self) -> None:
        """What changed is published; answers may have left long before."""
        state = self.partition.state
        if state is not None and (self.partition.views.of_one_row or self.caught_up):
            self.partition.views.publish(self.table, state, self.sending)  # type: ignore[arg-type]

    def go_on(self) -> None:
        """As `PartitionOwner.run_views`: what changed, and the next portion of what was taken over."""
        self.publish()
        if self._again is not None:
            next(self._again, None)

    def sweep(self) -> None:
        """Everything is published once more."""
        if self.discipline.sweeps():
            for _ in self.partition.views.sweep(self.table, self.store, 1_000):
                pass
        self.publish()

    def look(self) -> int:
        """As `streams.housekeeping`: note written rows that are past their time to the own log, and ask the order log
        about reservations that are open for too long; how many were found."""
        state, topic = self.partition.state, self.where[0]
        if state is None or not state.state_ms:
            return 0
        of_order = topic == "orders"
        rows = [row for _, row in self.store.scan("order|" if of_order else "res|") if row.state != DELETED]
        items = [
            r.Pruned(row.order_id, 0 if of_order else row.attempt) for row in rows if is_past(row.forget_ms, state)
        ]  # fmt: skip
        if items:
            note = r.Prune(id=f"prune:{self.writer}:{self.partition.next_offset}", items=items[:100])
            self.sending.send(Send(topic, self.where[1], None, note))
        limits = state.limits
        patience_ms = {"claimed": 2_000 * limits.undecided_seconds, "held": 2_000 * limits.check_seconds}
        overdue = [] if of_order else [
            row for row in rows
            if row.state in patience_ms and row.order_ms and state.state_ms - row.order_ms > patience_ms[row.state]
        ]  # fmt: skip
        for row in overdue:
            question = r.ReservationOverdue(
                id=f"{row.order_id}:{row.attempt}:{self.where[1]}:overdue", order_id=row.order_id,
                attempt=row.attempt, partition=self.where[1],
            )  # fmt: skip
            self.sending.send(Send("orders", row.order_partition, None, question))
        self.sending.leave()
        return len(items) + len(overdue)

    def begin_checkpoint(self) -> list[tuple[str, Any]]:
        """Rows and views on their way; what was written."""
        state = self.partition.position_row()
        if self.checkpoint is not None or state is None:
            return []
        dirty = self.table.take_dirty()
        dirty.pop(PARTITION_KEY, None)
        written = [*self.discipline.order(dirty), (PARTITION_KEY, state)]
        if not self.discipline.partition_row_last:
            written = written[-1:] + written[:-1]
        topic, number = CHANGELOG[self.where[0]], self.where[1]
        foreign = self.store.foreign
        backwards = (PARTITION_KEY, *(key for key, _ in reversed(self.discipline.order(dirty))))
        replaced = [
            self.discipline.key(key, w) for key in backwards for w in foreign.pop(key, ())
        ] if foreign else []  # fmt: skip
        if self.discipline.deletes_too_early:
            self._delete(replaced)
            replaced = []
        for key, row in written:
            value = version_bytes(state.log_id, row.at) + row_types.encode(row)
            self.sending.row(topic, number, self.discipline.key(key, self.writer), value)
        self.store.write(written)
        self.publish()
        self.checkpoint = Checkpoint(self.partition.next_offset, self.sending.mark(), replaced)
        return written

    def end_checkpoint(self) -> bool:
        """Commit, if what was sent before has landed. A zombie's commit is refused by the group: see `world`."""
        point = self.checkpoint
        if point is None or not self.discipline.is_durable(self.sending, point.mark):
            return False
        self.checkpoint = None
        self.committed = point.offset
        self._delete(point.replaced)
        return True

    def _delete(self, keys: list[bytes]) -> None:
        for key in keys:
            self.sending.row(CHANGELOG[self.where[0]], self.where[1], key, None)


def _at(value: bytes) -> str:
    return f"offset {int.from_bytes(value[8:16], 'big')}.{int.from_bytes(value[16:20], 'big')}"
