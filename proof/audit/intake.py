"""The items of a log, one by one: readable, in their own partition, new or known; each lands in exactly one count.

Reads records of one log; hands what counts to a book (`order_book`, `stock_book`). Guarantees: items = applied +
duplicates + forwarded + dead letters + ticks (with the owner's other notes), per log; an item is folded when it is sure
(`seen.Cut`), and heard as soon as it is read. Grows with: ids of the records (they tell duplicates), records that are
not sure yet. Does not belong here: what an item does.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from msgspec import Struct

from proof.audit.findings import Findings
from proof.audit.seen import INDEX_BITS, ORDERS, Cut, Headers, Seen, spot_of
from proof.audit.told import ANSWERS
from tables import records as r
from tables.codec import ORDER_LOG, STOCK_LOG, Unreadable
from tables.murmur2 import partition_of, partition_of_sku

HOPS = "smokehouse.hops"  # the header of a record that was forwarded once
KNOWN_LOGIC = 6  # the newest rules this auditor knows
TICK_MS_MAX, DAY_MS = 60_000, 86_400_000
Hear = Callable[[int, Any, int], None]
Look = Callable[[Any, Headers | None], None]
_Copy = tuple[int, type, str]  # home partition, kind, id
# Written to an explicit partition by an agent.
_TO_A_PARTITION = (r.Hold, r.Allocate, r.Release, r.Move, r.Backorder, r.LotsContinued)


class Counts(Struct):
    """What became of the items of one log."""

    items: int = 0
    applied: int = 0
    duplicates: int = 0
    forwarded: int = 0
    dead_letters: int = 0
    ticks: int = 0


class LogState:
    """One partition of a log: who it is, its state time, and what kits are made of there (SKU -> units in one)."""

    __slots__ = (
        "first_ms", "kits", "limits", "log_id", "logic", "number", "opened", "partitions", "seen", "state_ms",
        "stopped",
    )  # fmt: skip

    def __init__(self, number: int) -> None:
        self.number = number
        self.opened = self.stopped = False
        self.log_id = self.partitions = self.state_ms = self.first_ms = self.logic = 0
        self.limits = r.Limits()
        self.kits: dict[str, dict[str, int]] = {}
        self.seen: dict[type, set[str]] = {}

    def tick(self, now_ms: int, broker_ms: int) -> None:
        """State time follows the smaller of both clocks, never back, at most a minute a tick."""
        told = min(now_ms, broker_ms)
        if self.state_ms == 0:
            self.state_ms = self.first_ms = told
        elif told > self.state_ms:
            self.state_ms = min(told, self.state_ms + TICK_MS_MAX)

    def from_now(self, seconds: int, other_ms: int = 0) -> int:
        """State time in so many seconds, by the later of both clocks; negative: counted from the first tick."""
        now = max(self.state_ms, other_ms)
        return now + seconds * 1000 if now else -seconds * 1000

    def deadline(self, seconds: int, ms: int) -> int:
        """As `from_now`; by rules 2 from the broker's stamp, where state time is behind that: by a day at most."""
        late = self.state_ms > 0 and self.logic >= 2
        return self.from_now(seconds) + (min(max(ms - self.state_ms, 0), DAY_MS) if late else 0)

    def is_past(self, ms: int) -> bool:
        """Whether state time has reached what `from_now` gave; 0 is never."""
        return ms != 0 and self.state_ms > 0 and self.state_ms >= (ms if ms > 0 else self.first_ms - ms)


class Book(Protocol):
    """What folds one log."""

    def take(self, log: LogState, record: Any, place: int, ms: int) -> str:
        """Apply a record; a text says why it belongs to the dead letters instead."""

    def after(self, log: LogState, place: int) -> None:
        """The record at `place` is done."""


class Intake:
    """One log: its partitions, its counts, and the dead letters and forwarded copies that must exist.

    `hear(partition, record, place)`: called with each answer that stands in its own partition, folded yet or not.
    `look`: with each record that is folded. `in_flight`: records of an order that are read and not folded.
    """

    def __init__(
        self, topic: str, book: Book, cut: Cut, findings: Findings, hear: Hear | None = None, look: Look | None = None
    ) -> None:
        self.topic = topic
        self.counts = Counts()
        self.logs: dict[int, LogState] = {}
        self.dead: dict[tuple[int, int], str] = {}  # (partition, place) -> reason
        self.new_dead: list[tuple[int, int]] = []  # since they were looked for
        self.ends: dict[int, int] = {}  # partition -> offset after the last record that is folded
        self.in_flight: Counter[str] = Counter()
        self.waiting: dict[int, deque[tuple[Seen, list[Any]]]] = {}
        self.partitions: dict[int, int] = {}  # partition -> how many there are, by its first record
        self._forwarded: dict[_Copy, tuple[int, int]] = {}
        self._sought: list[_Copy] = []  # forwarded, and not looked for yet
        self._arrived: set[_Copy] = set()
        self._book, self._cut, self._findings, self._hear, self._look = book, cut, findings, hear, look
        self._items = (ORDER_LOG if topic == ORDERS else STOCK_LOG).items

    def read(self, messages: Iterable[Seen]) -> None:
        """Take in what is new, every partition in its order; fold what is sure."""
        for waiting in self.waiting.values():
            while waiting and self._is_sure(waiting[0][0]):
                message, records = waiting.popleft()
                self._count_flying(records, -1)
                self._fold(message, records)
        for message in messages:
            records = list(self._items(message.value))
            self._listen(message, records)
            waiting = self.waiting.setdefault(message.partition, deque())
            if waiting or not self._is_sure(message):
                waiting.append((message, records))
                self._count_flying(records, 1)
            else:
                self._fold(message, records)

    def _is_sure(self, message: Seen) -> bool:
        return self._cut.is_sure(self.topic, message.partition, message.offset << INDEX_BITS)

    def _count_flying(self, records: list[Any], by: int) -> None:
        for record in records:
            order_id = getattr(record, "order_id", None)
            if order_id:
                self.in_flight[order_id] += by
                if not self.in_flight[order_id]:
                    del self.in_flight[order_id]

    def _listen(self, message: Seen, records: list[Any]) -> None:
        number = message.partition
        for index, record in enumerate(records):
            if type(record) is r.LogOpened:
                self.partitions.setdefault(number, record.partitions)
            elif self._hear is not None and type(record) in ANSWERS and (count := self.partitions.get(number)):
                to = getattr(record, "partition", 0)
                if to < count and partition_of(record.order_id, count) == number:
                    self._hear(number, record, message.offset << INDEX_BITS | index)

    def _fold(self, message: Seen, records: list[Any]) -> None:
        number = message.partition
        log = self.logs.get(number)
        if log is None:
            log = self.logs[number] = LogState(number)
        self.ends[number] = message.offset + 1
        place = message.offset << INDEX_BITS
        for record in records:
            self.counts.items += 1
            self._item(log, record, place, message)
            place += 1

    def check_forwarded(self) -> None:
        """A record that was forwarded stands in its own partition, with its hop counted."""
        looked_for, self._sought = self._sought, []
        for copy in looked_for:
            home, _, record_id = copy
            partition, place = self._forwarded[copy]
            if copy not in self._arrived and not self._is_there(partition, home, place):
                self._sought.append(copy)
                continue
            self._findings.checked["forwarded"] += 1
            if copy not in self._arrived:
                self._findings.add(
                    "forwarded", record_id, spot_of(self.topic, partition, place),
                    f"a copy in partition {home}", "none", note="a misrouted record was lost",
                )  # fmt: skip

    def _is_there(self, partition: int, home: int, place: int) -> bool:
        """Whether the copy of a record must be folded by now: nothing of its own partition is in flight that might be
        it."""
        return self._cut.is_settled(self.topic, partition, place) and not self.waiting.get(home)

    def _item(self, log: LogState, record: Any, place: int, message: Seen) -> None:
        kind, counts = type(record), self.counts
        if kind is Unreadable:
            return self._is_dead(log, place, "unreadable")
        if kind is r.LogOpened:
            self._open(log, record, place)
        elif not log.opened:
            self._findings.add(
                "log", str(log.number), spot_of(self.topic, log.number, place), "log_opened first", kind.__name__,
                note="this log was never opened",
            )  # fmt: skip
            counts.applied += 1
            return None
        elif kind is r.Tick:
            counts.ticks += 1
            log.tick(record.now_ms, message.ms)
            self._book.take(log, record, place, message.ms)
            return self._book.after(log, place)
        elif kind in (r.TickContinued, r.Prune):
            counts.ticks += 1
            self._book.take(log, record, place, message.ms)
            return self._book.after(log, place)
        elif kind is r.LogicVersionSet:
            self._logic(log, record.version, place)
        else:
            to = getattr(record, "order_partition", getattr(record, "partition", 0))
            if to >= log.partitions:
                return self._is_dead(log, place, "misrouted")
            home = self._home(record, log)
            hops = message.headers is not None and any(name == HOPS for name, _ in message.headers)
            if home != log.number:
                if home < 0 or hops:
                    return self._is_dead(log, place, "misrouted")
                counts.forwarded += 1
                copy = (home, kind, record.id)
                if copy not in self._forwarded:
                    self._forwarded[copy] = (log.number, place)
                    self._sought.append(copy)
                return None
            if hops:
                self._arrived.add((home, kind, record.id))
            if self._look is not None:
                self._look(record, message.headers)
            dead = self._book.take(log, record, place, message.ms)
            if dead:
                return self._is_dead(log, place, dead)
        seen = log.seen.get(kind)
        if seen is None:
            seen = log.seen[kind] = set()
        if record.id in seen:
            counts.duplicates += 1
        else:
            seen.add(record.id)
            counts.applied += 1
        return self._book.after(log, place)

    def _is_dead(self, log: LogState, place: int, reason: str) -> None:
        self.counts.dead_letters += 1
        self.dead[log.number, place] = reason
        self.new_dead.append((log.number, place))

    def _open(self, log: LogState, record: r.LogOpened, place: int) -> None:
        self._logic(log, record.logic_version, place)
        if not log.opened:
            log.opened, log.log_id, log.partitions, log.limits = True, record.log_id, record.partitions, record.limits
        elif log.log_id != record.log_id:
            self._findings.add(
                "log", str(log.number), spot_of(self.topic, log.number, place), f"log {log.log_id}",
                f"log {record.log_id}", note="two logs in one partition",
            )  # fmt: skip

    def _logic(self, log: LogState, version: int, place: int) -> None:
        self._findings.checked["log"] += 1
        log.logic = max(log.logic, version)
        if version > KNOWN_LOGIC:
            self._findings.add(
                "log", str(log.number), spot_of(self.topic, log.number, place), f"rules {KNOWN_LOGIC}",
                f"rules {version}", note="this auditor does not know the rules that hold from here on",
            )  # fmt: skip

    def _home(self, record: Any, log: LogState) -> int:
        """The partition a record belongs to; -1: to several."""
        kind = type(record)
        if kind in r.EVERYWHERE or kind in _TO_A_PARTITION:
            return log.number
        if self.topic == ORDERS:
            return partition_of(record.order_id, log.partitions)
        if kind is r.Reserve:
            homes = {partition_of_sku(line.sku, log.partitions) for line in record.lines}
            return homes.pop() if len(homes) == 1 else -1
        return partition_of_sku(record.sku, log.partitions)
