"""A recall that freezes a lot wherever it is, a page of rows a step, and is closed while pages are to come (`workers`).

Modelled: opened, closed, opened again, each with its pages; what is left of a recall follows by notes to oneself with
an id; a receipt of the lot at any time. Each record's own row (what it froze or freed) lands first, then the recall's,
then lots and stock. A note makes of the next rows what the recall says by then, not what it said when the note was
written. Abstracted: one SKU at some locations, one stock row. Demanded, besides `log_alone`: at rest every row of the
lot is frozen if the recall is open, none if it is closed, and the units of the frozen ones are unavailable.
Does not belong here: expiry (`expiring`).
"""

from __future__ import annotations

from typing import Any

from proof.models.log_alone import OWN, LogAlone, Record, in_words, put

OPEN, CLOSE, CONTINUE, RECEIVE = "open", "close", "continue", "receive"


class Recalling(LogAlone):
    """Rows: per record what it did (version, rows of the lot, whether they are frozen, units that became unavailable,
    whether there is more), the recall (version, id, whether it is open), rows of the lot (version, units, frozen),
    stock (version, unavailable).

    `units`: of each row of the lot at the start; 0: it is to be received. `looks`: without, a note goes on with
    what its first record began. `says_again`: without, a redelivered record says no note.
    """

    def __init__(
        self, events: tuple[Record, ...], *, units: tuple[int, ...] = (1, 1), page: int = 1, looks: bool = True,
        says_again: bool = True,
    ) -> None:  # fmt: skip
        self._page, self._looks, self._says_again = page, looks, says_again
        self._ids = [in_words(event) for event in events]
        notes = len(units) + 1 if page < len(units) else 0
        self._ids += [f"{name} page {n + 2}" for name in self._ids if RECEIVE not in name for n in range(notes)]
        self._recall = len(self._ids)
        self._lots = range(self._recall + 1, self._recall + 1 + len(units))
        self._stock = self._lots.stop
        lots = ((0, n, False) if n else None for n in units)
        self.rows = (*(None,) * self._recall, (0, "", False), *lots, (0, 0))
        super().__init__((), events, ordered=True)

    def apply(self, world: Any, rows: Any, offset: int) -> tuple[Any, tuple[int, ...], tuple[Any, ...]]:
        version, record = offset + 1, world[0][offset]
        what, name = record[0], in_words(record[1:] if record[0] == CONTINUE else record)
        place = self._ids.index(name)
        known = rows[place] is not None
        if known and rows[place][0] != version:
            return rows, (), ()  # a note said twice
        if not known:
            rows = put(rows, place, (version, *self._decide(rows, what, record, name)))
        if what in (OPEN, CLOSE) and rows[self._recall][0] < version:
            rows = put(rows, self._recall, (version, name, what == OPEN))
        _, lots, freezes, units, more = rows[place]
        for n in lots:
            row = rows[self._lots[n]]
            if row is None or row[0] < version:
                rows = put(rows, self._lots[n], (version, (row[1] if row else 0) + (what == RECEIVE), freezes))
        if rows[self._stock][0] < version:
            rows = put(rows, self._stock, (version, rows[self._stock][1] + units))
        said: tuple[Any, ...] = ()
        if what != RECEIVE and freezes:
            said = tuple(("alerts", version, f"row {n + 1} at {version}:", "recalled") for n in lots)
        if more and (self._says_again or not known):
            first, _, number = name.partition(" page ")
            said = (*said, (OWN, (CONTINUE, f"{first} page {int(number or 1) + 1}")))
        return rows, (place, self._recall, *(self._lots[n] for n in lots), self._stock), said

    def _decide(self, rows: Any, what: str, record: Record, name: str) -> tuple[Any, ...]:
        """What a record does, as its row keeps it."""
        is_open = rows[self._recall][2]
        if what == RECEIVE:
            return (record[1],), is_open, int(is_open), False
        freezes = is_open if what == CONTINUE and self._looks else name.startswith(OPEN)
        there = [n for n, place in enumerate(self._lots) if rows[place] is not None and rows[place][2] != freezes]
        lots = tuple(there[: self._page])
        units = sum(rows[self._lots[n]][1] for n in lots)
        return lots, freezes, units if freezes else -units, len(there) > self._page

    def wrong_alone(self, rows: Any) -> str:
        _, _, is_open = rows[self._recall]
        lots = [rows[place] for place in self._lots]
        for n, row in enumerate(lots):
            if row and row[2] != is_open:
                state = f"{'open' if is_open else 'closed'}, row {n + 1} is {'frozen' if row[2] else 'free'}"
                return f"the recall is {state}, and no note is under way"
        unavailable = sum(row[1] for row in lots if row and row[2])
        if rows[self._stock][1] != unavailable:
            return f"torn: stock has {rows[self._stock][1]} unavailable, the frozen rows have {unavailable}"
        return ""

    def show(self, place: int, row: Any) -> str:
        if place < self._recall:
            name = f"what {self._ids[place]} did"
            return name + (f": rows {', '.join(str(n + 1) for n in row[1]) or 'none'}" if row else "")
        if place == self._recall:
            return "recall" + (f" version {row[0]}, {'open' if row[2] else 'closed'}" if row else "")
        if place == self._stock:
            return "stock" + (f" version {row[0]}, {row[1]} unavailable" if row else "")
        name = f"lot row {place - self._recall}"
        return name + (f" version {row[0]}, {row[1]} units{', frozen' if row[2] else ''}" if row else "")
