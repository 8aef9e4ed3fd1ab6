"""The order log, and the stock side that answers it: one order with two lines, in two stock partitions (`workers`).

Modelled: placed -> reserve -> answers -> the record that completes them decides -> allocate or release; a cancellation,
the deadline `no_answer`, late answers, answers said twice; one log for all of that, which grows while it is read. The
order's row keeps what each record made it say, and says it again when that record is delivered again.
Abstracted: a stock partition decides when a command lands (that it may fail is modelled in `many_rows`) and keeps its
answer; nobody else takes stock. Demanded: one decision; at rest, a confirmed order is allocated on both lines, and any
other holds nothing. Does not belong here: several orders (`order_rows`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from proof.models.search import Model

PLACED, OK_A, OK_B, NO_A, NO_B, DEADLINE, CANCEL = "placed", "ok a", "ok b", "no a", "no b", "deadline", "cancel"
ANSWERS = {OK_A: (0, True), OK_B: (1, True), NO_A: (0, False), NO_B: (1, False)}
PENDING, CONFIRMED, REJECTED, EXPIRED, CANCELLED = "pending", "confirmed", "rejected", "expired", "cancelled"
FREE, CLAIMED, ALLOCATED, RELEASED, REFUSED, TOMBSTONE = "free", "claimed", "allocated", "released", "refused", "tomb"
LINES = (0, 1)


class OrderLog:
    """The world: (log, both reservations, answers under way, decision told, events to come, answers that may be said
    twice). The row: (version, state, answers known, what was said at which offset).

    `events`: what comes from outside, once each. `out_of_stock`: lines that are refused. `twice`: answers that stock
    says twice. `own_timer`: a SKU ends its reservation by itself. `counts`: answers are counted, not known by line.
    `tombstones`: a release that comes before its reserve is remembered.
    """

    def __init__(
        self,
        events: tuple[str, ...] = (),
        *,
        out_of_stock: tuple[int, ...] = (),
        twice: int = 0,
        own_timer: bool = False,
        counts: bool = False,
        tombstones: bool = True,
    ) -> None:
        self._out_of_stock, self._own_timer = out_of_stock, own_timer
        self._counts, self._tombstones = counts, tombstones
        self.rows = ((0, "", (), ()),)
        self.start = ((PLACED,), (FREE, FREE), (False, False), "", events, twice)

    def end(self, world: Any) -> int:
        return len(world[0])

    def say(self, world: Any, offset: int) -> str:
        return world[0][offset]

    def recover(self, rows: Any) -> Any:
        return rows

    def show(self, place: int, row: Any) -> str:
        return "order" if row is None else f"order version {row[0]}, {row[1] or 'unplaced'}"

    # ---- the order's step

    def apply(self, world: Any, rows: Any, offset: int) -> tuple[Any, tuple[int, ...], tuple[Any, ...]]:
        version = offset + 1
        row = rows[0]
        if row[0] < version:
            after = self._step(row, world[0][offset], version)
            if after is None:
                return rows, (), ()
            row = (version, *after)
        words = next((words for at, words in row[3] if at == version), ())
        return (row,), (0,), words

    def _step(self, row: Any, record: str, version: int) -> Any:
        """(state, answers, what was said) after the record; None if it changes nothing."""
        _, state, known, said = row
        both = [(f"stock {'ab'[line]}", line) for line in LINES]
        if record == PLACED:
            return PENDING, known, (*said, (version, tuple((lane, "reserve", line) for lane, line in both)))
        if record in ANSWERS:
            line, granted = ANSWERS[record]
            if any(line == other for other, _ in known) and not self._counts:
                return None
            known = tuple(sorted((*known, (line, granted)))) if len(known) < len(LINES) else known
            if state != PENDING:
                late = (((f"stock {'ab'[line]}", "release", line),),) if granted and state != CONFIRMED else ()
                return state, known, (*said, *((version, words) for words in late))
            if len(known) < len(LINES):
                return state, known, said
            state = CONFIRMED if all(granted for _, granted in known) else REJECTED
            lines = {line for line, granted in known if granted}
        elif record == DEADLINE and state == PENDING:
            state, lines = EXPIRED, {0, 1}
        elif record == CANCEL and state == PENDING:
            state, lines = REJECTED, {0, 1}
        elif record == CANCEL and state == CONFIRMED:
            released = tuple((lane, "release", line) for lane, line in both)
            return CANCELLED, known, (*said, (version, released))
        else:
            return None
        command = "allocate" if state == CONFIRMED else "release"
        words = tuple((lane, command, line) for lane, line in both if line in lines)
        return state, known, (*said, (version, (("reservations", "decided", state), *words)))

    # ---- outside

    def hear(self, world: Any, word: Any) -> tuple[str, Any]:
        log, stock, answers, decision, events, twice = world
        _, command, what = word
        if command == "decided":
            if decision not in ("", what):
                return what, f"two opposite decisions: {decision} and {what}"
            return what, (log, stock, answers, what, events, twice)
        label = f"{command} {'ab'[what]}"
        state = stock[what]
        if command == "reserve":
            answers = _put(answers, what, True)
            state = (REFUSED if what in self._out_of_stock else CLAIMED) if state == FREE else state
        elif command == "allocate":
            state = ALLOCATED if state == CLAIMED else state
        elif state == FREE:
            state = TOMBSTONE if self._tombstones else FREE
        elif state in (CLAIMED, ALLOCATED):
            state = RELEASED
        return label, (log, _put(stock, what, state), answers, decision, events, twice)

    def others(self, world: Any) -> Iterator[tuple[str, Any]]:
        log, stock, answers, decision, events, twice = world
        for line in LINES:
            if answers[line]:
                record = ((NO_A, NO_B) if stock[line] in (REFUSED, TOMBSTONE) else (OK_A, OK_B))[line]
                longer = (*log, record)
                yield (f"stock {'ab'[line]} answers {record}",
                       (longer, stock, _put(answers, line, False), decision, events, twice))  # fmt: skip
                if twice:
                    yield (f"stock {'ab'[line]} answers {record}, and will once more",
                           (longer, stock, answers, decision, events, twice - 1))  # fmt: skip
            if self._own_timer and stock[line] == CLAIMED:
                yield (f"stock {'ab'[line]} ends its reservation by its own timer",
                       (log, _put(stock, line, RELEASED), answers, decision, events, twice))  # fmt: skip
        for event in events:
            rest = tuple(x for x in events if x != event)
            yield f"{event} is written to the log", ((*log, event), stock, answers, decision, rest, twice)

    def rests(self, world: Any) -> bool:
        return not any(world[2])

    def wrong(self, world: Any, committed: int) -> str:
        return ""

    def wrong_at_rest(self, world: Any, rows: Any) -> str:
        _, stock, _, decision, *_ = world
        state = rows[0][1]
        if not decision or state == PENDING:
            return f"lost order: everything is committed, {decision or 'nothing'} was told, and it is {state}"
        if decision != (CONFIRMED if state == CANCELLED else state):
            return f"{decision} was told, and the order is {state}"
        if state == CONFIRMED and stock != (ALLOCATED, ALLOCATED):
            return f"torn order: it is confirmed, and its lines are {' and '.join(stock)}"
        if state != CONFIRMED and (CLAIMED in stock or ALLOCATED in stock):
            return f"leak: the order is {state}, and its lines are {' and '.join(stock)}"
        return ""


class TwoTopics(Model):
    """Orders in one topic, answers in another: each worker reads both, in an order of its own; a zombie among two.

    State: (decision told, per worker: offset in `orders`, offset in `answers`, state, decision not yet heard).
    Nothing was committed before the second one took over.
    """

    start = ("", ((0, 0, "", ""), (0, 0, "", "")))
    _topics = ((PLACED, CANCEL), (OK_A, OK_B))

    def rests(self, state: Any) -> bool:
        return True

    def wrong(self, state: Any) -> str:
        return ""

    def moves(self, state: Any) -> Iterator[tuple[str, Any]]:
        told, workers = state
        for w, (orders, answers, order, unheard) in enumerate(workers):
            if unheard:
                after = _put(workers, w, (orders, answers, order, ""))
                bad = f"two opposite decisions: {told} and {unheard}" if told not in ("", unheard) else ""
                yield f"W{w} is heard: {unheard}", bad or (unheard, after)
            if orders < 2:
                then = PENDING if orders == 0 else REJECTED if order == PENDING else order
                said = then if then == REJECTED else unheard
                yield (f"W{w} reads {self._topics[0][orders]}",
                       (told, _put(workers, w, (orders + 1, answers, then, said))))  # fmt: skip
            if orders and answers < 2:
                decides = answers == 1 and order == PENDING
                after = (orders, answers + 1, *((CONFIRMED, CONFIRMED) if decides else (order, unheard)))
                yield f"W{w} reads {self._topics[1][answers]}", (told, _put(workers, w, after))


def _put(values: tuple[Any, ...], place: int, value: Any) -> tuple[Any, ...]:
    return (*values[:place], value, *values[place + 1 :])
