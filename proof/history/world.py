"""Both agents in one process without a broker: a record goes in, and everything it leads to has happened when `put`
returns.

Holds a partition of each log per number, as `streams.partition` runs them; what a step sends to a log stands in that
log at once, at the clock of the record that led to it. Guarantees: the steps and the routing are the workers' own;
nothing waits, so no order ever contends with one that is undecided only because an answer is on its way. Does not
belong here: which records go in (`replay`), what came of them (`tally`).
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import replace

from proof.history.fold import Halted, Untold
from streams.partition import Partition, Role
from tables import records as r
from tables.outcome import ORDERS, WAREHOUSE, Send
from tables.table import Table

STEPS_MAX = 1_000_000  # that one record may lead to; more is a rule that answers itself
INDEX_LAST = r.ITEMS_MAX - 1


class Beginning:
    """A partition as a window finds it: its rows, and the offset that comes next."""

    def __init__(self, rows: Mapping[str, Any], next_offset: int) -> None:
        self.rows, self.next_offset = rows, next_offset


class World:
    """`decided` hears of every decision, `changed` of the rows of the stock log with the clock, each time."""

    def __init__(
        self, roles: Mapping[str, Role], beginnings: Mapping[tuple[str, int], Beginning],
        decided: Callable[[r.OrderDecided], None], changed: Callable[[dict[str, Any], int], None],
    ) -> None:  # fmt: skip
        self.ms = 0
        self._decided = decided
        self._queue: deque[tuple[str, int, Any]] = deque()
        self._times: dict[int, array[int]] = {}  # stock partition -> clock of each of its records here
        self._begun = {number: found.next_offset for (topic, number), found in beginnings.items() if topic == WAREHOUSE}
        self._logs: dict[tuple[str, int], Partition] = {}
        for (topic, number), beginning in beginnings.items():
            table = Table()
            table.put(dict(beginning.rows))
            table.take_dirty()
            views = Untold if topic == ORDERS else lambda: _Watch(self, changed)
            role = roles[topic]._replace(views=views, codec=_Ready())  # type: ignore[arg-type]
            self._logs[topic, number] = Partition(role, number, table, self, beginning.next_offset)  # type: ignore[arg-type]
            if topic == WAREHOUSE:
                self._times[number] = array("q")

    def put(self, topic: str, number: int, record: Any, ms: int) -> None:
        """The record, and all it leads to."""
        self.ms = max(self.ms, ms)
        self._queue.append((topic, number, record))
        steps = 0
        while self._queue:
            self._step(*self._queue.popleft())
            steps += 1
            if steps > STEPS_MAX:
                raise Halted(f"a record of {topic}[{number}] leads to more than {STEPS_MAX} others: {record}")

    def rows(self, topic: str, number: int, prefix: str) -> list[Any]:
        return [row for _, row in self._logs[topic, number].table.rows(prefix)]

    def get(self, topic: str, number: int, key: str) -> Any:
        return self._logs[topic, number].table.get(key)

    def as_of(self, record: Any, number: int, stamp: int) -> Any:
        """A record that names a position of the stock log, stamped then, with the one of this world instead."""
        place = self._begun[number] + bisect_right(self._times[number], stamp)
        return replace(record, as_of_offset=max(place - 1, 0), as_of_index=INDEX_LAST)

    def close(self) -> None:
        """Let go of the rows: partitions and world name each other, and a long run collects no cycles."""
        self._logs.clear()

    def _step(self, topic: str, number: int, record: Any) -> None:
        log = self._logs[topic, number]
        if topic == WAREHOUSE:
            self._times[number].append(self.ms)
        log.handle([_Message(log.next_offset, self.ms, record)])  # type: ignore[list-item]
        if log.halt is not None:
            raise Halted(f"in the replay {topic}[{number}] halts: {log.halt.reason}")
        log.table.dirty.clear()

    # ---- an outbox

    def send(self, send: Send) -> None:
        if send.topic in (ORDERS, WAREHOUSE) and send.partition is not None:
            self._queue.append((send.topic, send.partition, send.record))
        elif isinstance(send.record, r.OrderDecided):
            self._decided(send.record)

    def forward(self, *_: Any) -> None:
        """The log itself holds the forwarded record."""

    def dead_letter(self, *_: Any) -> None:
        """Known already: it is in the dead letters."""


class _Message:
    """A record as a partition gets it, decoded."""

    __slots__ = ("_ms", "_offset", "_record")

    def __init__(self, offset: int, ms: int, record: Any) -> None:
        self._offset, self._ms, self._record = offset, ms, record

    def value(self) -> Any:
        return self._record

    def key(self) -> None:
        return None

    def offset(self) -> int:
        return self._offset

    def headers(self) -> None:
        return None

    def timestamp(self) -> tuple[int, int]:
        return 1, self._ms


class _Ready:
    """Nothing to decode."""

    def items(self, value: Any) -> list[Any]:
        return [value]


class _Watch:
    def __init__(self, world: World, changed: Callable[[dict[str, Any], int], None]) -> None:
        self._world, self._changed = world, changed

    def touch(self, rows: dict[str, Any]) -> None:
        self._changed(rows, self._world.ms)
