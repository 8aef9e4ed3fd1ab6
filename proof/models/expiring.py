"""A tick that makes lots expire, a page of them a step; the rest follows by notes to oneself (`workers`).

Modelled: state time in days; a tick moves it and decides, in the same step, the lots that are due by then; the rest of
them is decided by a note, at the state time of then; a shipment and a receipt in between. What a tick or a note decided
is its own row, which lands first; a tick that decided nothing leaves none. So, delivered again, it must decide nothing:
neither by a later state time (what lies before the recovered partition row is done), nor about lots that changed later
than it. A note always leaves its row.
Abstracted: one SKU; `due` stands for both the day a lot expires and the day it is warned of. Demanded, besides
`log_alone`: at rest every lot that was due at the last tick is expired, and its units are unavailable.
Does not belong here: recalls (`recalling`).
"""

from __future__ import annotations

from typing import Any

from proof.models.log_alone import OWN, LogAlone, Record, put

TICK, SHIP, RECEIVE, CONTINUE = "tick", "ship", "receive", "continue"
PLACES = 7  # records a log may have


class Expiring(LogAlone):
    """Rows: per place in the log what was decided there (version, lots, units of them, whether there is more), lots
    (version, units, expired, version of the receipt), stock (version, on hand, unavailable), partition (version, day,
    version of its last tick). `due`: per lot its day; one that is to be received is there with units 0.

    `decides_again`: a redelivered record is decided again. `says_again`: without, it says no note. `looks_again`: a
    tick that decided nothing looks again, at the recovered state time. `newer_too`: it decides about newer lots too.
    """

    def __init__(
        self, events: tuple[Record, ...], *, due: tuple[int, ...] = (1, 1), units: tuple[int, ...] = (1, 1),
        page: int = 1, decides_again: bool = False, says_again: bool = True, looks_again: bool = False,
        newer_too: bool = False,
    ) -> None:  # fmt: skip
        self._due, self._page = due, page
        self._decides_again, self._says_again = decides_again, says_again
        self._looks_again, self._newer_too = looks_again, newer_too
        self._lots = range(PLACES, PLACES + len(due))
        self._stock, self._partition = self._lots.stop, self._lots.stop + 1
        lots = ((0, n, False, 0) if n else None for n in units)
        self.rows = (*(None,) * PLACES, *lots, (0, sum(units), 0), (0, 0, 0))
        super().__init__((), events, ordered=True)

    def apply(self, world: Any, rows: Any, offset: int) -> tuple[Any, tuple[int, ...], tuple[Any, ...]]:
        version, record = offset + 1, world[0][offset]
        what = record[0]
        at, day, ticked = rows[self._partition]
        done = at >= version
        if not done:
            moved = (version, day + 1, version) if what == TICK else (version, day, ticked)
            rows = put(rows, self._partition, moved)
        known = rows[offset] is not None
        if what == RECEIVE:
            lot = self._lots[record[1]]
            row = rows[lot]
            if row is None:
                rows = put(rows, lot, (version, 1, False, version))
            rows = self._count(rows, version, 1, 0)
            return rows, (lot, self._stock, self._partition), ()
        if not known or self._decides_again:
            decision = self._decide(rows, what, version, done)
            if decision is None:
                return rows, (self._partition,), ()
            rows = put(rows, offset, decision)
        return self._apply(rows, what, offset, version, known)

    def _decide(self, rows: Any, what: str, version: int, done: bool) -> Any:
        day = rows[self._partition][1]
        there = [(n, rows[place]) for n, place in enumerate(self._lots) if rows[place] is not None]
        if what == SHIP:  # the first lot that is not expired, else any
            units = [(row[2], n) for n, row in there if row[1]]
            lot = min(units)[1]
            return (version, (lot,), (1 - 2 * rows[self._lots[lot]][2],), False)
        if what == TICK and done and not self._looks_again:
            return None
        due = [
            (n, row[1]) for n, row in there
            if self._due[n] <= day and not row[2] and (row[0] < version or self._newer_too)
        ]  # fmt: skip
        if not due and what == TICK:
            return None
        page = due[: self._page]
        return (version, tuple(n for n, _ in page), tuple(units for _, units in page), len(due) > self._page)

    def _apply(
        self, rows: Any, what: str, offset: int, version: int, known: bool
    ) -> tuple[Any, tuple[int, ...], tuple[Any, ...]]:
        _, lots, units, more = rows[offset]
        said: tuple[Any, ...] = ()
        for n, count in zip(lots, units, strict=True):
            place = self._lots[n]
            at, there, expired, received = rows[place]
            if at < version:
                after = (version, there - 1, expired, received) if what == SHIP else (version, there, True, received)
                rows = put(rows, place, after)
            if what != SHIP:
                said = (*said, ("alerts", version, f"lot {n + 1} at {version}:", "expired", count))
        if what == SHIP:
            rows = self._count(rows, version, -1, -1 if units[0] < 0 else 0)
        else:
            rows = self._count(rows, version, 0, sum(units))
        if more and (self._says_again or not known):
            said = (*said, (OWN, (CONTINUE,)))
        return rows, (offset, *(self._lots[n] for n in lots), self._stock, self._partition), said

    def _count(self, rows: Any, version: int, on_hand: int, unavailable: int) -> Any:
        at, there, kept = rows[self._stock]
        return put(rows, self._stock, (version, there + on_hand, kept + unavailable)) if at < version else rows

    def wrong_alone(self, rows: Any) -> str:
        lots = [rows[place] for place in self._lots]
        _, day, ticked = rows[self._partition]
        for n, row in enumerate(lots):
            if row and self._due[n] <= day and row[3] < ticked and not row[2]:
                return f"lot {n + 1} was due on day {self._due[n]} of {day}, is not expired, and no note is under way"
        on_hand, unavailable = sum(row[1] for row in lots if row), sum(row[1] for row in lots if row and row[2])
        if rows[self._stock][1:] != (on_hand, unavailable):
            return f"torn: stock has {rows[self._stock][1:]} units (unavailable), its lots {(on_hand, unavailable)}"
        return ""

    def show(self, place: int, row: Any) -> str:
        if place < PLACES:
            name = f"decision at {place + 1}"
            return name + (f": lots {', '.join(str(n + 1) for n in row[1])}{', more' if row[3] else ''}" if row else "")
        if place == self._partition:
            return "partition" + (f" version {row[0]}, day {row[1]}" if row else "")
        if place == self._stock:
            return "stock" + (f" version {row[0]}, {row[1]} units, {row[2]} unavailable" if row else "")
        name = f"lot {place - PLACES + 1}"
        return name + (f" version {row[0]}, {row[1]} units{', expired' if row[2] else ''}" if row else "")
