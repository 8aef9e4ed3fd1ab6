"""A confirmed order that is edited: a second attempt at once with the first, and one decision about it (`order_side`).

Modelled: attempt 1 is allocated: two units of a, one of b. The edit wants one more in either stock partition (attempt
2) and one of a less. All answers granted: the second attempt is allocated, then the unit is given back (a release with
an id, known by stock when it comes again); the first refusal ends the edit, and attempt 2 is released. A cancellation,
the deadline `no_answer`, an answer of attempt 1 that comes once more. Abstracted: the order was confirmed before.
Demanded: one decision about the edit; at rest, stock holds what the order says: all of the edit or nothing of it.
Does not belong here: an edit that waits for its order to be decided, several edits.
"""

from __future__ import annotations

from typing import Any

from proof.models.order_side import CANCEL, DEADLINE, TOLD, OrderSide, lane, put

EDIT = "edit"
OK, NO = "ok", "no"
FIRST, SECOND = "attempt 1", "attempt 2"
OLD_OK = (OK, FIRST, 1)  # attempt 1's answer for b, once more
CONFIRMED, CANCELLED, EDITED, REFUSED = "confirmed", "cancelled", "edited", "edit refused"
NOT_ASKED, WAITING = "", "waiting"
FREE, CLAIMED, ALLOCATED, RELEASED = "free", "claimed", "allocated", "released"
LINES = (0, 1)
BEFORE, AFTER = (2, 1), (1, 1)  # units of attempt 1, per line


class Editing(OrderSide):
    """The order: (state, the edit's, answers known of attempt 2, units of attempt 1). Stock: (units of attempt 1, ids
    of partial releases, attempt 2 per line).

    `out_of_stock`: lines whose attempt 2 is refused. `less_first`: what is to go is released when the edit comes.
    `cancels_both`: without, a cancellation forgets an attempt that is not answered. `by_id`: without, stock counts a
    partial release as often as it hears it. `by_attempt`: without, answers of attempt 1 count for attempt 2.
    """

    def __init__(
        self, events: tuple[Any, ...] = (), *, out_of_stock: tuple[int, ...] = (), twice: int = 0,
        less_first: bool = False, cancels_both: bool = True, by_id: bool = True, by_attempt: bool = True,
    ) -> None:  # fmt: skip
        self._out_of_stock, self._less_first, self._cancels_both = out_of_stock, less_first, cancels_both
        self._by_id, self._by_attempt = by_id, by_attempt
        super().__init__((CONFIRMED, NOT_ASKED, (), BEFORE), (BEFORE, (), (FREE, FREE)), (EDIT,), events, twice)

    def step(self, order: Any, record: Any, version: int) -> tuple[Any, tuple[Any, ...]] | None:
        state, edit, known, units = order
        less = ((lane(0), "release one of", 0, FIRST, f"by {version}"),)
        if record == EDIT:
            return (state, WAITING, known, units), (*_both("reserve", SECOND), *(less if self._less_first else ()))
        if record == DEADLINE:
            if edit != WAITING:
                return None
            return (state, REFUSED, known, units), ((TOLD, REFUSED), *_both("release", SECOND))
        if record == CANCEL:
            asked = edit == EDITED or (edit == WAITING and self._cancels_both)
            second = _both("release", SECOND) if asked else ()
            edit = NOT_ASKED if edit == WAITING else edit
            return (CANCELLED, edit, known, (0, 0)), ((TOLD, CANCELLED), *_both("release", FIRST), *second)
        what, attempt, line = record
        if (attempt == FIRST and self._by_attempt) or any(line == other for other, _ in known):
            return None
        known = tuple(sorted((*known, (line, what))))
        if edit != WAITING:
            return (state, edit, known, units), ((lane(line), "release", line, SECOND),) if what == OK else ()
        if what == NO:
            return (state, REFUSED, known, units), ((TOLD, REFUSED), (lane(1 - line), "release", 1 - line, SECOND))
        if len(known) < len(LINES):
            return (state, edit, known, units), ()
        said = ((TOLD, EDITED), *_both("allocate", SECOND), *(() if self._less_first else less))
        return (state, EDITED, known, AFTER), said

    def command(self, stock: Any, word: Any) -> tuple[Any, Any]:
        units, seen, second = stock
        _, command, line, attempt, *given = word
        if given:
            if self._by_id and given[0] in seen:
                return stock, None
            return (put(units, line, max(0, units[line] - 1)), tuple(sorted({*seen, *given})), second), None
        if attempt == FIRST:
            return (put(units, line, 0), seen, second), None
        state = second[line]
        if command == "reserve":
            if state == FREE:
                state = NO if line in self._out_of_stock else CLAIMED
            answer = (NO if state in (NO, RELEASED) else OK, SECOND, line)
            return (units, seen, put(second, line, state)), answer
        if command == "allocate":
            state = ALLOCATED if state == CLAIMED else state
        elif state != NO:
            state = RELEASED
        return (units, seen, put(second, line, state)), None

    def contradicts(self, told: tuple[str, ...], what: str) -> bool:
        return CANCELLED in told or (what != CANCELLED and bool(told))

    def wrong_at_rest(self, world: Any, rows: Any) -> str:
        (units, _, second), told = world[1], world[3]
        state, edit, _, ours = rows[0][1]
        if edit == WAITING:
            return "lost edit: everything is answered, and it was not decided"
        if told != tuple(x for x in (edit, state) if x and x != CONFIRMED):
            return f"{' and '.join(told) or 'nothing'} was told, and the order is {state} {edit}"
        if units != ours:
            return f"torn order: {ours[0]} a and {ours[1]} b are owed by attempt 1, stock has {units[0]} and {units[1]}"
        wanted = {ALLOCATED} if edit == EDITED and state == CONFIRMED else {FREE, NO, RELEASED}
        if not set(second) <= wanted:
            return f"{'torn order' if edit == EDITED else 'leak'}: {state} {edit}, attempt 2 is {' and '.join(second)}"
        return ""


def _both(command: str, attempt: str) -> tuple[Any, ...]:
    return tuple((lane(line), command, line, attempt) for line in LINES)
