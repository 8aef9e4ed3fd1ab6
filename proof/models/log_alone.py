"""A world whose whole truth is its log: what the log alone gives, read once in order, is all that may be told or kept.

Modelled: a log that grows while it is read, by events from outside and by notes that its own worker writes; a note that
is said again comes again, at another place. Demanded of every model on it: whatever is heard is what the log alone
says, and alike however often it was asked; at rest all of that was heard, and a new owner finds exactly the rows that
the log alone gives, and nothing is wrong with those (`wrong_alone`). Does not belong here: what a record does.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

OWN = "own log"  # destination of a note: ("own log", record)
Record = tuple[Any, ...]  # what, and of what


class LogAlone(ABC):
    """The world: (log, events to come, what was told, and what a model adds). A word is (destination, version of its
    record, what it answers, the answer); the same is answered alike, however often it is asked.
    """

    rows: tuple[Any, ...]

    def __init__(self, log: tuple[Record, ...], events: tuple[Record, ...] = (), *, ordered: bool = False) -> None:
        """`events`: written once each, at any time, in any order (`ordered`: in this one)."""
        self._ordered = ordered
        self._folds: dict[Any, Any] = {}
        self.start = (log, events, ())

    @abstractmethod
    def apply(self, world: Any, rows: Any, offset: int) -> tuple[Any, tuple[int, ...], tuple[Any, ...]]:
        """(rows after the record, places changed, what it says)."""

    @abstractmethod
    def wrong_alone(self, rows: Any) -> str:
        """What is wrong with the rows that the log alone gives, its notes all read."""

    @abstractmethod
    def show(self, place: int, row: Any) -> str:
        """A row in words."""

    def end(self, world: Any) -> int:
        return len(world[0])

    def say(self, world: Any, offset: int) -> str:
        return in_words(world[0][offset])

    def recover(self, rows: Any) -> Any:
        return rows

    def rests(self, world: Any) -> bool:
        return True

    def wrong(self, world: Any, committed: int) -> str:
        return ""

    def others(self, world: Any) -> Iterator[tuple[str, Any]]:
        log, events, *rest = world
        for n, event in enumerate(events[:1] if self._ordered else events):
            yield f"{in_words(event)} is written to the log", ((*log, event), events[:n] + events[n + 1 :], *rest)

    def hear(self, world: Any, word: Any) -> tuple[str, Any]:
        log, events, told, *rest = world
        if word[0] == OWN:
            return f"note: {in_words(word[1])}", ((*log, word[1]), events, told, *rest)
        label = in_words(word[2:])
        if word not in self._alone(log)[1]:
            return label, f"wrong answer: the log alone does not say {label} at {in_words(log[word[1] - 1])}"
        if any(other[2] == word[2] and other[3:] != word[3:] for other in told):
            return label, f"two different answers to {word[2]}"
        return label, (log, events, tuple(sorted({*told, word})), *rest)

    def wrong_at_rest(self, world: Any, rows: Any) -> str:
        log, _, told, *_ = world
        alone, words = self._alone(log)
        for word in words:
            if word not in told:
                return f"lost answer: all is committed, and {in_words(word[2:])} was never heard"
        for place, (row, other) in enumerate(zip(rows, alone, strict=True)):
            if row != other:
                found = self.show(place, row) if row else f"no {self.show(place, None)}"
                given = self.show(place, other) if other else f"no {self.show(place, None)}"
                return f"torn rows: a new owner finds {found}; the log alone gives {given}"
        return self.wrong_alone(alone)

    def _alone(self, log: Any) -> tuple[Any, tuple[Any, ...]]:
        """Rows and words (no notes) that the log gives when it is read once, in order."""
        if log not in self._folds:
            if not log:
                return self.rows, ()
            before, said = self._alone(log[:-1])
            rows, _, words = self.apply((log,), before, len(log) - 1)
            self._folds[log] = rows, (*said, *(word for word in words if word[0] != OWN))
        found: tuple[Any, tuple[Any, ...]] = self._folds[log]
        return found


def in_words(record: Record) -> str:
    return " ".join(str(part) for part in record if part != "")


def put(values: tuple[Any, ...], place: int, value: Any) -> tuple[Any, ...]:
    return (*values[:place], value, *values[place + 1 :])
