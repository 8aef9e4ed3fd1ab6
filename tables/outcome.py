"""What a step gives back: rows to put, records to send; and the place in the log it happened at.

Pure values. Does not belong here: who applies or sends them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from msgspec import Struct

# Where a step's sends go. The catalogue (`streams.topics`) has the same names; a test holds them together.
ORDERS, WAREHOUSE, RESERVATIONS, ALERTS = "orders", "warehouse", "reservations", "alerts"

INDEX_BITS = 10  # a packed record has at most 1,000 items: one integer orders records and the items within


class InvariantBroken(AssertionError):
    """A rule that must hold did not. The partition halts; nothing of this step is applied or sent."""


class NewerLogic(RuntimeError):
    """The log asks for rules newer than this worker knows. The partition halts until a newer worker takes it."""


class At(Struct, frozen=True, gc=False):  # made for every record: a tuple with names takes three times as long
    """Where in its log a record stands: `place` = offset << 10 | index, and the broker's timestamp (ms)."""

    place: int
    ms: int

    @property
    def offset(self) -> int:
        return self.place >> INDEX_BITS

    @property
    def index(self) -> int:
        return self.place & ((1 << INDEX_BITS) - 1)


def place_of(offset: int, index: int = 0) -> int:
    """The position of the `index`-th item of the record at `offset`."""
    return offset << INDEX_BITS | index


def version_of(log_id: int, place: int) -> tuple[int, int, int]:
    """A position as published records carry it: (log id, offset, index)."""
    return log_id, place >> INDEX_BITS, place & ((1 << INDEX_BITS) - 1)


class Send(Struct, frozen=True, gc=False):
    """A record to send: to an explicit partition (packed with others), or by its key."""

    topic: str
    partition: int | None
    key: str | None
    record: Any


class Outcome(Struct):
    """`rows`: key -> row, outcome rows first. `dead`: why the record goes to the dead letters instead."""

    rows: dict[str, Any] = {}
    sends: Sequence[Send] = ()
    dead: str = ""


class View(Protocol):
    """What a step may look at: the rows of its own partition."""

    def get(self, key: str) -> Any: ...

    def below(self, prefix: str) -> Iterable[str]:
        """The keys that start with `prefix`, sorted; of queue rows only those that wait for units."""

    def lots_of(self, lot: str) -> Iterable[str]:
        """The keys of the lot rows with this lot code, of whatever SKU and location, sorted."""

    def lots_due(self, day: int, most: int) -> list[str]:
        """The keys of lot rows whose `due` day (an ordinal) has come, at most so many, the earliest first."""

    def due(self, state_ms: int, first_ms: int, most: int) -> list[tuple[int, str]]:
        """(deadline, order id) of orders whose deadline lies at or before `state_ms`, earliest first."""
