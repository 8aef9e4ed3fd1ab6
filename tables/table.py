"""The rows of one partition: in memory while they are used, in a store underneath, changed ones waiting to be written.

Guarantees: `get` gives the last row put, whether it is in memory or only in the store; what was not written yet is not
dropped; `below`, `lots_of`, `lots_due` and `due` are pure functions of the rows. Memory: stock, SKU, channel, kit and
count rows stay; the others stay for one to two generations of `RECENT_MAX` rows and are read again when asked for.
Does not belong here: rules, Kafka, writers.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from heapq import heappop, heappush
from typing import Any, NamedTuple, Protocol

RECENT_MAX = 100_000
_STAY = "spck"  # first letters of the kinds that stay in memory: stock, sku | partition | channel, count | kit
_WHOLE = "ck"  # those of them that are in memory from the start: most questions are about rules nobody has set
_WHOLE_PREFIXES = ("channel|", "count|", "kit|")


class Store(Protocol):
    """What lies under a table."""

    def get(self, key: str) -> Any: ...

    def scan(self, prefix: str) -> Iterator[tuple[str, Any]]:
        """(key, row) of the keys that start with `prefix`, in key order."""


class Index(NamedTuple):
    """What is asked of a store's rows without their keys."""

    deadlines: dict[str, int]  # order id -> its open deadline
    lots: dict[str, int]  # key of a lot row -> its `due`


class EmptyStore:
    """A store that holds nothing: the table lives in memory alone."""

    def get(self, key: str) -> Any:
        return None

    def scan(self, prefix: str) -> Iterator[tuple[str, Any]]:
        return iter(())


class Table:
    """One partition's rows. `dirty`: rows put since the last `take_dirty`, in the order they were put first."""

    def __init__(self, store: Store | None = None, index: Index | None = None) -> None:
        """`index`: that of the store; without it every order and every lot is looked at."""
        self._store: Store = store or EmptyStore()
        self._in_memory_alone = store is None
        self._stay: dict[str, Any] = {}
        self._recent: dict[str, Any] = {}
        self._older: dict[str, Any] = {}
        self._below: dict[str, list[str]] = {}  # prefix -> keys put here, and (scanned) those of the store
        self._scanned: set[str] = set()
        self._deadlines = Deadlines()
        self._lots = Lots()
        self.dirty: dict[str, Any] = {}
        index = _index_of(self._store) if index is None else index
        for order_id, deadline_ms in index.deadlines.items():
            self._deadlines.note(order_id, deadline_ms)
        for key, due in index.lots.items():
            self._lots.note(key, due)
        for prefix in _WHOLE_PREFIXES:
            for key, _ in self._store.scan(prefix):
                self._stay[key] = self._store.get(key)  # asked for, so that the store notes whose copy it is

    def get(self, key: str) -> Any:
        """The row of this key, or None."""
        kind = key[0]
        here = self._stay if kind in _STAY else self._recent
        row = here.get(key)
        if row is None and kind not in _WHOLE:
            row = self._older.get(key) or self._store.get(key)
            if row is not None:
                here[key] = row
        return row

    def put(self, rows: dict[str, Any]) -> None:
        """Put the rows of one step. A row put again unchanged is written again, under this table's writer."""
        for key, row in rows.items():
            kind = key[0]
            if kind in _STAY:
                if kind == "s" and key not in self._stay:
                    self._index(key)
                self._stay[key] = row
                continue
            if kind == "l":
                self._index(key)
                self._lots.note(key, row.due)
            elif kind == "o":
                self._deadlines.note(row.order_id, row.deadline_ms)
            elif kind in "iq":  # incoming, queue
                self._index(key, kept=row.state == "open" if kind == "i" else row.units > 0)
            self._recent[key] = row
        self.dirty.update(rows)

    def take_dirty(self) -> dict[str, Any]:
        """The rows to write now. Call it only when they will be in the store before the next `get` of another key."""
        dirty, self.dirty = self.dirty, {}
        if len(self._recent) > RECENT_MAX and not self._in_memory_alone:
            self._older, self._recent = self._recent, {}
        return dirty

    def below(self, prefix: str) -> list[str]:
        """The keys that start with `prefix` (`stock|SKU|`, `lot|SKU|LOCATION|`, `incoming|...|`, `queue|...|`),
        sorted; of queue rows only those that wait for units, of incoming ones only the open ones."""
        if prefix not in self._scanned:
            self._scanned.add(prefix)
            keys = {*self._below.get(prefix, []), *(key for key, _ in self._store.scan(prefix))}
            if prefix[0] == "q":
                keys = {key for key in keys if self.get(key).units}
            elif prefix[0] == "i":
                keys = {key for key in keys if self.get(key).state == "open"}
            self._below[prefix] = sorted(keys)
        return self._below[prefix]

    def lots_of(self, lot: str) -> list[str]:
        """The keys of the lot rows with this lot code, sorted."""
        return sorted(self._lots.of.get(lot, ()))

    def lots_due(self, day: int, most: int) -> list[str]:
        return self._lots.due(day, most)

    def due(self, state_ms: int, first_ms: int, most: int) -> list[tuple[int, str]]:
        return self._deadlines.due(state_ms, first_ms, most)

    @property
    def next_deadline(self) -> bool:
        """Whether any deadline is open."""
        return self._deadlines.open

    @property
    def index(self) -> Index | None:
        """That of the store's rows; None while rows wait to be written."""
        return None if self.dirty else Index(self._deadlines.all(), self._lots.all())

    def rows(self, prefix: str = "") -> Iterable[tuple[str, Any]]:
        """Every row, those in memory first choice (for publishing all over again, hashing, tests)."""
        seen = {**dict(self._store.scan(prefix)), **self._older, **self._recent, **self._stay, **self.dirty}
        return ((key, seen[key]) for key in sorted(seen) if key.startswith(prefix))

    def found(self, prefix: str) -> list[tuple[str, Any]]:
        """(key, row) of the keys that start with `prefix`, sorted: in the store, and not written yet."""
        there = dict(self._store.scan(prefix)) if not self._in_memory_alone else {}
        fresh = self.dirty if not self._in_memory_alone else {**self._older, **self._recent, **self._stay}
        there |= {key: row for key, row in fresh.items() if key.startswith(prefix)}
        return sorted(there.items())

    def _index(self, key: str, *, kept: bool = True) -> None:
        keys = self._below.setdefault(key[: key.rindex("|") + 1], [])
        place = bisect_left(keys, key)
        there = place < len(keys) and keys[place] == key
        if kept and not there:
            keys.insert(place, key)
        elif there and not kept:
            del keys[place]


def _index_of(store: Store) -> Index:
    orders = (row for _, row in store.scan("order|"))
    return Index(
        {row.order_id: row.deadline_ms for row in orders if row.deadline_ms},
        {key: row.due for key, row in store.scan("lot|")},
    )


class Lots:
    """Lot rows by their code, and by the day on which time alone changes them."""

    def __init__(self) -> None:
        self.of: dict[str, set[str]] = {}
        self._due: dict[str, int] = {}
        self._heap: list[tuple[int, str]] = []

    def all(self) -> dict[str, int]:
        return dict(self._due)

    def note(self, key: str, due: int) -> None:
        if key not in self._due:
            self.of.setdefault(key.rpartition("|")[2], set()).add(key)
            self._due[key] = 0
        if self._due[key] != due:
            self._due[key] = due
            if due:
                heappush(self._heap, (due, key))

    def due(self, day: int, most: int) -> list[str]:
        """Nothing is taken out: a day is over when the row says so."""
        found: list[tuple[int, str]] = []
        while self._heap and self._heap[0][0] <= day and len(found) < most:
            entry = heappop(self._heap)
            if self._due.get(entry[1]) == entry[0] and entry not in found[-1:]:
                found.append(entry)
        for entry in found:
            heappush(self._heap, entry)
        return [key for _, key in found]


class Deadlines:
    """Open deadlines of orders, earliest first. Those told before the first tick count from it (negative: ms after)."""

    def __init__(self) -> None:
        self._of: dict[str, int] = {}
        self._heap: list[tuple[int, str]] = []
        self._early: list[tuple[int, str]] = []  # the same, for deadlines that count from the first tick

    @property
    def open(self) -> bool:
        return bool(self._of)

    def all(self) -> dict[str, int]:
        return dict(self._of)

    def note(self, order_id: str, deadline: int) -> None:
        """0: it has none any more."""
        if self._of.get(order_id, 0) == deadline:
            return
        if deadline == 0:
            del self._of[order_id]  # its heap entry is stale from now on, and dropped when it comes up
            return
        self._of[order_id] = deadline
        if deadline > 0:
            heappush(self._heap, (deadline, order_id))
        else:
            heappush(self._early, (-deadline, order_id))

    def due(self, state_ms: int, first_ms: int, most: int) -> list[tuple[int, str]]:
        """(deadline, order id) at or before `state_ms`; nothing is taken out: a deadline closes with its order."""
        found = self._look(self._heap, state_ms, 1, most)
        found += self._look(self._early, state_ms - first_ms, -1, most)
        return found[:most]

    def _look(self, heap: list[tuple[int, str]], until: int, sign: int, most: int) -> list[tuple[int, str]]:
        found: list[tuple[int, str]] = []
        while heap and heap[0][0] <= until and len(found) < most:
            entry = heappop(heap)
            if self._of.get(entry[1]) == sign * entry[0] and entry not in found[-1:]:
                found.append(entry)
        for entry in found:
            heappush(heap, entry)
        return [(sign * deadline, order_id) for deadline, order_id in found]
