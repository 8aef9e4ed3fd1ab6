"""An order whose granted lines are moved to other locations before it is decided: the order's side (`order_side`).

Modelled: two lines in two stock partitions, each claimed here; the answer that completes them asks for both to be moved
there, which stock may refuse; the order waits for both answers, then decides; the deadline `no_answer` and a
cancellation while it waits. Begins where that last answer is in the log (what comes before: `order_log`).
Demanded: one decision; at rest, a confirmed order is allocated on both lines, each where the order says; any other
holds nothing. Does not belong here: whether a move fits (`moving`).
"""

from __future__ import annotations

from typing import Any

from proof.models.order_side import CANCEL, DEADLINE, TOLD, OrderSide, lane, put

GRANTED, MOVED, STAYS = "the last line is granted", "moved", "stays"
PENDING, CONFIRMED, REJECTED, EXPIRED, CANCELLED = "pending", "confirmed", "rejected", "expired", "cancelled"
CLAIMED, ALLOCATED, RELEASED = "claimed", "allocated", "released"
HERE, THERE = "here", "there"
LINES = (0, 1)


class Sourcing(OrderSide):
    """The order: (state, per line: where it is, lines whose move is not answered). Stock, per line: (state, where, its
    answer to a move).

    `full`: lines whose move is refused. `awaits`: without, the order decides when it asks to move. `counts`: answers to
    moves are counted, not known by line. `closes`: without, the last answer to a move decides, whatever came before.
    """

    def __init__(
        self, events: tuple[str, ...] = (), *, full: tuple[int, ...] = (), twice: int = 0,
        awaits: bool = True, counts: bool = False, closes: bool = True,
    ) -> None:  # fmt: skip
        self._full, self._awaits, self._counts, self._closes = full, awaits, counts, closes
        order = (PENDING, (HERE, HERE), ())
        super().__init__(order, ((CLAIMED, HERE, ""),) * len(LINES), (GRANTED,), events, twice)

    def step(self, order: Any, record: Any, version: int) -> tuple[Any, tuple[Any, ...]] | None:
        state, where, moving = order
        if record == CANCEL and state == CONFIRMED:
            return (CANCELLED, where, ()), _both("release")
        if record in (CANCEL, DEADLINE):
            return self._decide(order, EXPIRED if record == DEADLINE else REJECTED) if state == PENDING else None
        if record == GRANTED:
            if self._awaits:
                return (state, where, LINES), _both("move")
            after, said = self._decide(order, CONFIRMED)
            return after, (*_both("move"), *said)
        what, line = record
        done = moving[:1] if self._counts else tuple(other for other in moving if other == line)
        if not done:
            return None
        moving = tuple(other for other in moving if other not in done)
        order = (state, put(where, line, THERE if what == MOVED else HERE), moving)
        return (order, ()) if moving else self._decide(order, CONFIRMED)

    def _decide(self, order: Any, state: str) -> tuple[Any, tuple[Any, ...]]:
        after = (state, order[1], () if self._closes else order[2])
        return after, ((TOLD, state), *_both("allocate" if state == CONFIRMED else "release"))

    def command(self, stock: Any, word: Any) -> tuple[Any, Any]:
        _, command, line = word
        state, where, moved = stock[line]
        if command == "move" and not moved:
            moved = MOVED if state == CLAIMED and line not in self._full else STAYS
            where = THERE if moved == MOVED else where
        elif command == "allocate":
            state = ALLOCATED if state == CLAIMED else state
        elif command == "release":
            state = RELEASED
        return put(stock, line, (state, where, moved)), (moved, line) if command == "move" else None

    def contradicts(self, told: tuple[str, ...], what: str) -> bool:
        return bool(told)

    def wrong_at_rest(self, world: Any, rows: Any) -> str:
        _, stock, _, told, *_ = world
        state, where, _ = rows[0][1]
        if not told or state == PENDING:
            return f"lost order: everything is committed, {' '.join(told) or 'nothing'} was told, and it is {state}"
        if told != (CONFIRMED if state == CANCELLED else state,):
            return f"{told[0]} was told, and the order is {state}"
        held = tuple(line[1] if line[0] == ALLOCATED else line[0] for line in stock)
        if state == CONFIRMED and held != where:
            return f"torn order: its lines are {' and '.join(where)}, stock has them {' and '.join(held)}"
        if state != CONFIRMED and {line[0] for line in stock} != {RELEASED}:
            return f"leak: the order is {state}, and its lines are {' and '.join(line[0] for line in stock)}"
        return ""


def _both(command: str) -> tuple[Any, ...]:
    return tuple((lane(line), command, line) for line in LINES)
