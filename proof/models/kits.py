"""Kits made in one stock partition of parts that are in another: a sent record takes them there (`workers`).

Modelled, the kit's side: a kit is assembled of two parts, told twice, and taken apart again; the record that says so to
the part's partition has an id that follows from the fact's own, and is said again when the fact is delivered again.
The part's side: that record, twice, and a shipment; the fact's row (which lots it took of) lands before lots and stock.
Abstracted: on the kit's side the part's partition is one number, and the ids that it knows. Demanded, besides
`log_alone`: at rest kits and parts together have the units they had. Does not belong here: kits that are exploded when
they are sold.
"""

from __future__ import annotations

from typing import Any

from proof.models.log_alone import LogAlone, Record, in_words, put

ASSEMBLE, TAKE_APART, PART, SHIP = "assemble", "take apart", "part moved", "ship"
IN_ONE = 2  # parts in a kit
PARTS = 2  # there are at the start
FACTS = (ASSEMBLE, TAKE_APART)


class Kits(LogAlone):
    """The world, besides: (parts, ids that their partition knows). Rows: facts (version, kits), kits (version, units).

    `dedupes`: without, the part's partition counts whatever it hears. `says_again`: without, a fact that is delivered
    again does not tell the parts.
    """

    def __init__(self, events: tuple[Record, ...], *, dedupes: bool = True, says_again: bool = True) -> None:
        self._dedupes, self._says_again = dedupes, says_again
        self.rows = (None, None, (0, 0))
        super().__init__((), events, ordered=True)
        self.start = (*self.start, (PARTS, ()))

    def apply(self, world: Any, rows: Any, offset: int) -> tuple[Any, tuple[int, ...], tuple[Any, ...]]:
        version, (what, *_) = offset + 1, world[0][offset]
        place = FACTS.index(what)
        known = rows[place]
        if known and known[0] != version:
            return rows, (), ()
        kits = 1 if what == ASSEMBLE else -min(1, rows[-1][1])
        fact = known or (version, kits)
        rows = put(rows, place, fact)
        if rows[-1][0] < version:
            rows = put(rows, len(FACTS), (version, rows[-1][1] + fact[1]))
        said = (("parts", version, f"{what}: part 1", -IN_ONE * fact[1]),) if not known or self._says_again else ()
        return rows, (place, len(FACTS)), said

    def hear(self, world: Any, word: Any) -> tuple[str, Any]:
        label, after = super().hear(world, word)
        if isinstance(after, str):
            return label, after
        *rest, (parts, seen) = after
        if self._dedupes and word[2] in seen:
            return f"{label}, known", after
        return label, (*rest, (parts + word[3], tuple(sorted({*seen, word[2]}))))

    def wrong_at_rest(self, world: Any, rows: Any) -> str:
        parts, kits = world[3][0], rows[-1][1]
        if parts + IN_ONE * kits != PARTS:
            return f"{parts} parts and {kits} kits of {IN_ONE}: of {PARTS} parts"
        return super().wrong_at_rest(world, rows)

    def wrong_alone(self, rows: Any) -> str:
        return ""

    def show(self, place: int, row: Any) -> str:
        name = ("fact assemble", "fact take apart", "kits")[place]
        return f"{name} version {row[0]}, {row[1]} kits" if row else name


class PartSide(LogAlone):
    """Rows: facts (version, units taken per lot), two lots (version, units), stock (version, units).

    `by_id`: without, a fact is known by its place in the log alone. `decides_again`: a redelivered fact is.
    """

    def __init__(self, *, by_id: bool = True, decides_again: bool = False) -> None:
        self._by_id, self._decides_again = by_id, decides_again
        self._units = {PART: IN_ONE, SHIP: 1}
        self.rows = (None, None, (0, 1), (0, 4), (0, 5))
        super().__init__((), ((PART,), (SHIP,), (PART,)))

    def apply(self, world: Any, rows: Any, offset: int) -> tuple[Any, tuple[int, ...], tuple[Any, ...]]:
        version, what = offset + 1, world[0][offset][0]
        place = 0 if what == PART else 1
        fact = rows[place]
        if fact and fact[0] != version:
            if self._by_id:
                return rows, (), ()
            fact = None
        if not fact or self._decides_again:
            first = min(rows[2][1], self._units[what])
            fact = (version, (first, self._units[what] - first))
            rows = put(rows, place, fact)
        for row, units in zip((2, 3, 4), (*fact[1], sum(fact[1])), strict=True):
            if rows[row][0] < version and units:
                rows = put(rows, row, (version, rows[row][1] - units))
        return rows, (place, 2, 3, 4), ()

    def wrong_alone(self, rows: Any) -> str:
        gone = sum(units for fact, units in zip(rows, self._units.values(), strict=False) if fact)
        first, second, stock = (row[1] for row in rows[2:])
        if first + second != stock or stock != 5 - gone:
            return f"{first} and {second} units in lots, {stock} in stock, {5 - gone} should be there"
        return ""

    def show(self, place: int, row: Any) -> str:
        name = ("fact part moved", "fact ship", "lot 1", "lot 2", "stock")[place]
        return f"{name} version {row[0]}, {in_words(row[1:])}" if row else name
