"""One order and the stock side that answers it: what models of the order's later life share (`workers`).

Modelled: the order's row keeps what each record made it say, and says it again when that record is delivered again; one
log of events, deadlines and answers, which grows while it is read; an answer may be said twice.
Abstracted: a stock partition decides when a command lands and keeps its answer (`moving`, `many_rows`); nobody else
takes stock. Demanded: nothing that was told is contradicted (`Order.contradicts`); at rest order and stock agree
(`wrong_at_rest`). Does not belong here: what an order does.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

from proof.models.log_alone import put

__all__ = ["DEADLINE", "CANCEL", "TOLD", "OrderSide", "lane", "put"]

DEADLINE, CANCEL = "deadline", "cancel"
TOLD = "reservations"  # destination of decisions: (TOLD, what)


class OrderSide(ABC):
    """The world: (log, stock, answers under way, told, events to come, answers that may be said twice). The one row:
    (version, the order's own fields, what was said at which version).
    """

    def __init__(
        self, order: tuple[Any, ...], stock: tuple[Any, ...], log: tuple[Any, ...], events: tuple[Any, ...], twice: int
    ) -> None:
        self.rows = ((0, order, ()),)
        self.start = (log, stock, (), (), events, twice)

    @abstractmethod
    def step(self, order: Any, record: Any, version: int) -> tuple[Any, tuple[Any, ...]] | None:
        """(the order's fields after the record, what it says); None if it changes nothing."""

    @abstractmethod
    def command(self, stock: Any, word: Any) -> tuple[Any, Any]:
        """(stock after a command (destination, what, line, of what) has landed, the answer's record; None: none)."""

    @abstractmethod
    def contradicts(self, told: tuple[str, ...], what: str) -> bool:
        """Whether this may not be told after that."""

    @abstractmethod
    def wrong_at_rest(self, world: Any, rows: Any) -> str:
        """What is wrong once everything has come to rest; "" if nothing."""

    def end(self, world: Any) -> int:
        return len(world[0])

    def say(self, world: Any, offset: int) -> str:
        return _in_words(world[0][offset])

    def recover(self, rows: Any) -> Any:
        return rows

    def show(self, place: int, row: Any) -> str:
        return f"order version {row[0]}, {row[1][0]}" if row else "order"

    def apply(self, world: Any, rows: Any, offset: int) -> tuple[Any, tuple[int, ...], tuple[Any, ...]]:
        version, row = offset + 1, rows[0]
        if row[0] < version:
            after = self.step(row[1], world[0][offset], version)
            if after is None:
                return rows, (), ()
            row = (version, after[0], (*row[2], (version, after[1])) if after[1] else row[2])
        return (row,), (0,), next((words for at, words in row[2] if at == version), ())

    def hear(self, world: Any, word: Any) -> tuple[str, Any]:
        log, stock, answers, told, events, twice = world
        if word[0] == TOLD:
            if word[1] in told:
                return word[1], world
            if self.contradicts(told, word[1]):
                return word[1], f"two opposite decisions: {' and '.join(told)}, and {word[1]}"
            return word[1], (log, stock, answers, (*told, word[1]), events, twice)
        stock, answer = self.command(stock, word)
        if answer is not None and answer not in answers:
            answers = tuple(sorted((*answers, answer)))
        return f"{' '.join((word[1], *word[3:]))} ({word[0]})", (log, stock, answers, told, events, twice)

    def others(self, world: Any) -> Iterator[tuple[str, Any]]:
        log, stock, answers, told, events, twice = world
        for n, answer in enumerate(answers):
            label = f"answer: {_in_words(answer)}"
            yield label, ((*log, answer), stock, answers[:n] + answers[n + 1 :], told, events, twice)
            if twice:
                yield f"{label}, and once more to come", ((*log, answer), stock, answers, told, events, twice - 1)
        for n, event in enumerate(events):
            rest = events[:n] + events[n + 1 :]
            yield f"{_in_words(event)} is written to the log", ((*log, event), stock, answers, told, rest, twice)

    def rests(self, world: Any) -> bool:
        return not world[2]

    def wrong(self, world: Any, committed: int) -> str:
        return ""


def lane(line: int) -> str:
    """The destination of commands for this line's stock partition."""
    return f"stock {'ab'[line]}"


def _in_words(record: Any) -> str:
    if isinstance(record, str):
        return record
    *what, line = record
    return " ".join(str(x) for x in (*what, "ab"[line]))
