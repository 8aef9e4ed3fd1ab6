"""Backorders: a note to oneself that changes another order's reservation, its queue row and the stock row (`workers`).

Modelled: orders that wait for units; receipts, a release, a new order, in any order around the note; a note said twice.
The note's own row (what it gave to whom, whether more wait) is its outcome and lands first. A receipt or a release that
finds free units while somebody waits says the note, from the rows as they stand, when it is delivered again too: a note
too many changes nothing.
Abstracted: one SKU and location, no lots, no floors; one counter for claimed, held and allocated.
Demanded, besides `log_alone`: no unit is lost or sold twice; none lies idle while somebody waits; no later order is
served before one that waits. Does not belong here: the order's side.
"""

from __future__ import annotations

from typing import Any

from proof.models.log_alone import OWN, LogAlone, Record, in_words, put

RECEIVE, RELEASE, RESERVE, FILL = "receive", "release", "reserve", "fill after"
QUEUE_FIRST = (0, 1, 3, 2, 4)  # of two notes and one order: its queue row lands before its reservation
Change = tuple[int, int, int]  # version, units that wait, units that are held (signed)


class Filling(LogAlone):
    """Rows: notes by cause (version, ((order, units), ..), more), reservations (version, waiting, held, changes), queue
    rows (version, units), stock (version, free, waiting). `waits`: units that the first orders wait for at the start;
    the orders after them are new. `page`: queue rows a note may fill.

    `own_row`: without, the reservation is the note's only outcome. `decides_again`: a redelivered note is decided
    again. `leaves_alone`: without, a new order takes what others wait for. `says_again`: without, a redelivered record
    says no note.
    """

    def __init__(
        self, events: tuple[Record, ...], *, waits: tuple[int, ...] = (1,), ordered: bool = False, page: int = 40,
        own_row: bool = True, decides_again: bool = False, leaves_alone: bool = True, says_again: bool = True,
    ) -> None:  # fmt: skip
        self._page, self._own_row, self._decides_again = page, own_row, decides_again
        self._leaves_alone, self._says_again = leaves_alone, says_again
        self._causes = [in_words(event) for event in events if event[0] != RESERVE]
        self._causes += [f"{FILL} {cause}" for cause in self._causes if page == 1]
        self._orders = len(waits) + sum(event[0] == RESERVE for event in events)
        self._first = len(self._causes)
        self._queues = self._first + self._orders
        self._stock = self._queues + self._orders
        asked = (*waits, *(0,) * (self._orders - len(waits)))
        self._received = 0
        self.rows = (
            *(None,) * self._first,
            *((0, units, 0, ()) if units else None for units in asked),
            *((0, units) for units in asked),
            (0, 0, sum(asked)),
        )
        super().__init__((), events, ordered=ordered)

    def apply(self, world: Any, rows: Any, offset: int) -> tuple[Any, tuple[int, ...], tuple[Any, ...]]:
        version, record = offset + 1, world[0][offset]
        before, what = rows, record[0]
        changed: set[int] = {self._stock}
        said: tuple[Any, ...] = ()
        if what == FILL:
            rows, changed, said = self._fill(rows, record[1], version)
        elif what == RECEIVE:
            rows = self._count(rows, version, 0, record[1])
        else:
            order = record[1]
            if what == RESERVE:
                rows = self._reserve(rows, order, version)
                said = (("answers", version, f"R{order + 1}", "ok" if rows[self._first + order][3] else "no"),)
            else:
                rows = self._release(rows, order, version)
            row = rows[self._first + order]
            change = next((x for x in row[3] if x[0] == version), None)
            changed = {self._first + order}
            if change:
                rows, also = self._apply(rows, order, change)
                changed |= also
        _, free, waiting = rows[self._stock]
        cause = in_words(record)
        first_time = self._says_again or before[self._stock][0] < version
        if what in (RECEIVE, RELEASE) and free > 0 and waiting > 0 and first_time:
            said = (*said, (OWN, (FILL, cause)))
        return rows, tuple(sorted(changed)), said

    def _reserve(self, rows: Any, order: int, version: int) -> Any:
        if rows[self._first + order] is not None:
            return rows
        _, free, waiting = rows[self._stock]
        granted = free - (waiting if self._leaves_alone else 0) >= 1
        return put(rows, self._first + order, (version, 0, int(granted), ((version, 0, 1),) if granted else ()))

    def _release(self, rows: Any, order: int, version: int) -> Any:
        at, waiting, held, changes = rows[self._first + order]
        if at >= version or not waiting + held:
            return rows
        return put(rows, self._first + order, (version, 0, 0, (*changes, (version, -waiting, -held))))

    def _fill(self, rows: Any, cause: str, version: int) -> tuple[Any, set[int], tuple[Any, ...]]:
        place = self._causes.index(cause)
        note = rows[place]
        if note is not None and note[0] != version:
            return rows, set(), ()  # said twice
        if note is None and not self._own_row:
            gave = tuple((n, -x[1]) for n in range(self._orders) for x in self._changes(rows, n) if x[0] == version)
            note = (version, gave, False) if gave else None
        known = note is not None
        if note is None or self._decides_again:
            note = (version, *self._decide(rows))
        changed = {self._stock}
        if self._own_row:
            rows = put(rows, place, note)
            changed.add(place)
        said: tuple[Any, ...] = ()
        stock = rows[self._stock]
        for order, units in note[1]:
            row = rows[self._first + order]
            if row[0] < version:
                row = (version, row[1] - units, row[2] + units, (*row[3], (version, -units, units)))
                rows = put(rows, self._first + order, row)
            rows, also = self._apply(rows, order, (version, -units, units), stock)
            changed |= {self._first + order, *also}
            said = (*said, ("orders", version, f"R{order + 1} by {version}", "filled", units))
        if note[2] and (self._says_again or not known):
            said = (*said, (OWN, (FILL, f"{FILL} {cause}")))
        return rows, changed, said

    def _decide(self, rows: Any) -> tuple[tuple[tuple[int, int], ...], bool]:
        """(who gets how much, oldest first; whether more could be given)"""
        free, gave = rows[self._stock][1], []
        for order in range(self._orders):
            units = min(free, rows[self._queues + order][1])
            if units > 0:
                gave.append((order, units))
                free -= units
        return tuple(gave[: self._page]), len(gave) > self._page

    def _changes(self, rows: Any, order: int) -> tuple[Change, ...]:
        row = rows[self._first + order]
        return row[3] if row else ()

    def _apply(self, rows: Any, order: int, change: Change, stock: Any = None) -> tuple[Any, set[int]]:
        """Count a change in the queue row and the stock row, where (`stock`: as the record found it) they are older."""
        version, waiting, held = change
        queue = self._queues + order
        if waiting and rows[queue][0] < version:
            rows = put(rows, queue, (version, rows[queue][1] + waiting))
        if (stock or rows[self._stock])[0] < version:
            _, free, all_waiting = rows[self._stock]
            rows = put(rows, self._stock, (version, free - held, all_waiting + waiting))
        return rows, {queue, self._stock} if waiting else {self._stock}

    def _count(self, rows: Any, version: int, waiting: int, free: int) -> Any:
        at, had, waited = rows[self._stock]
        return put(rows, self._stock, (version, had + free, waited + waiting)) if at < version else rows

    def wrong_alone(self, rows: Any) -> str:
        _, free, waiting = rows[self._stock]
        reservations = [rows[place] or (0, 0, 0, ()) for place in range(self._first, self._queues)]
        if free < 0:
            return f"oversold: {free} units are free"
        if free and waiting:
            return f"idle: {free} units are free, {waiting} are waited for, and no note is under way"
        if waiting != sum(row[1] for row in reservations):
            return f"torn: {waiting} units are waited for, the reservations say otherwise"
        for n, row in enumerate(reservations):
            if row[1] and any(later[2] for later in reservations[n + 1 :]):
                return f"passed over: R{n + 1} waits for {row[1]}, and a later order was served"
        return ""

    def show(self, place: int, row: Any) -> str:
        if place < self._first:
            return f"note {self._causes[place]}" + (f" version {row[0]}, gave {row[1]}" if row else "")
        if place == self._stock:
            return "stock" + (f" version {row[0]}, {row[1]} free, {row[2]} waited for" if row else "")
        if place >= self._queues:
            return f"queue R{place - self._queues + 1}" + (f" version {row[0]}, {row[1]} to come" if row else "")
        name = f"reservation R{place - self._first + 1}"
        return name + (f" version {row[0]}, {row[1]} to come, {row[2]} held" if row else "")
