"""A command that moves a reservation between two stock rows of one partition, and may be refused (`workers`).

Modelled: order 1 is claimed at x and asked to move to y, once or twice; order 2 wants the unit at y; a release, an
allocation, in any order around the move. The reservation keeps the place of the move and whether it went; each answer,
the first as well as one said again, tells what the change at its own place left, whatever has happened since.
Abstracted: one unit per order; claimed and allocated are one counter. Demanded, besides `log_alone`: no unit is lost or
held twice. Does not belong here: the order's side (`sourcing`).
"""

from __future__ import annotations

from typing import Any

from proof.models.log_alone import LogAlone, Record, put

RESERVE, MOVE, RELEASE, ALLOCATE = "reserve", "move", "release", "allocate"
X, Y = 2, 3
STOCK_FIRST = (X, Y, 0, 1)


class Moving(LogAlone):
    """Rows: reservations (version, state, changes, version of the move, whether it went), stock x and y (version,
    free). A change is (version, units held at x, at y), signed. `claimed`: order 1 is at the start.

    `afresh`: a move is answered by what is held now; `answers_now`: the reserve command is. `keeps_refusals`: without,
    a refused move leaves no trace.
    """

    def __init__(
        self, events: tuple[Record, ...], log: tuple[Record, ...] = ((RESERVE, 1),), *, claimed: bool = False,
        afresh: bool = False, answers_now: bool = False, keeps_refusals: bool = True,
    ) -> None:  # fmt: skip
        self._afresh, self._answers_now, self._keeps_refusals = afresh, answers_now, keeps_refusals
        self.rows = ((0, "claimed", ((0, 1, 0),), 0, False) if claimed else None, None, (0, int(not claimed)), (0, 1))
        super().__init__(log, events)

    def apply(self, world: Any, rows: Any, offset: int) -> tuple[Any, tuple[int, ...], tuple[Any, ...]]:
        version, (what, order) = offset + 1, world[0][offset]
        place = order - 1
        row = rows[place]
        if row is None or row[0] < version:
            row = self._reserve(rows, order, version) if what == RESERVE else self._change(row, rows, what, version)
            rows = put(rows, place, row)
        if row is None:
            return rows, (), ()
        changed = [place]
        for at, *units in row[2]:
            for stock, held in zip((X, Y), units, strict=True):
                if at == version and held:
                    changed.append(stock)
                    if rows[stock][0] < version:
                        rows = put(rows, stock, (version, rows[stock][1] - held))
        return rows, tuple(sorted(changed)), self._answer(row, what, order, version)

    def _reserve(self, rows: Any, order: int, version: int) -> Any:
        """At the first place with a free unit: x, then y for the first order, y, then x for the second."""
        for stock in (X, Y) if order == 1 else (Y, X):
            if rows[stock][1]:
                return (version, "claimed", ((version, int(stock == X), int(stock == Y)),), 0, False)
        return (version, "refused", (), 0, False)

    def _change(self, row: Any, rows: Any, what: str, version: int) -> Any:
        """The reservation after a record it has not seen."""
        if row is None:
            return None
        _, state, changes, moved, went = row
        x, y = _held(changes, version)
        if what == MOVE:
            if moved:
                return row
            went = state == "claimed" and bool(y or rows[Y][1])
            if went and x:
                changes = (*changes, (version, -1, 1))
            return (version, state, changes, version, went) if went or self._keeps_refusals else row
        if what == ALLOCATE:
            return (version, "allocated", changes, moved, went) if state == "claimed" else row
        if state not in ("claimed", "allocated"):
            return row
        return (version, "released", (*changes, (version, -x, -y)), moved, went)

    def _answer(self, row: Any, what: str, order: int, version: int) -> tuple[Any, ...]:
        _, _, changes, moved, went = row
        asked = f"{what} R{order}:"
        if what == RESERVE:
            held = _held(changes, version if not self._answers_now else changes[-1][0] if changes else 0)
            return (("orders", version, asked, _where(held) or "no"),)
        if what == MOVE:
            held = _held(changes, moved if not self._afresh else changes[-1][0] if changes else 0)
            return (("orders", version, asked, f"{'moved' if went else 'stays'} {_where(held)}"),)
        return ()

    def wrong_alone(self, rows: Any) -> str:
        for stock, name in ((X, "x"), (Y, "y")):
            held = sum(_held(row[2], row[0])[stock - X] for row in rows[:X] if row)
            if rows[stock][1] < 0 or rows[stock][1] + held != 1:
                return f"{rows[stock][1]} free and {held} held at {name}, of 1"
        return ""

    def show(self, place: int, row: Any) -> str:
        if place >= X:
            return f"stock {'xy'[place - X]}" + (f" version {row[0]}, {row[1]} free" if row else "")
        name = f"reservation R{place + 1}"
        if not row:
            return name
        return f"{name} version {row[0]}, {row[1]} {_where(_held(row[2], row[0]))}".rstrip()


def _held(changes: tuple[Any, ...], until: int) -> tuple[int, int]:
    """Units held at x and y after the changes up to this version."""
    return sum(c[1] for c in changes if c[0] <= until), sum(c[2] for c in changes if c[0] <= until)


def _where(held: tuple[int, int]) -> str:
    return " and ".join(f"at {name}" for name, units in zip("xy", held, strict=True) if units)
