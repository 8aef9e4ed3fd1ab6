"""What a lot is good for: the one predicate that decides it, in which order lots go out, and when they expire.

Pure functions on lot rows. Days are ISO dates (UTC), so that they compare as text. Guarantees: reserving, picking,
shipping, expiring and recalling all ask here. Does not belong here: which record changes a lot (`facts`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date
from functools import lru_cache

from tables.codec import instant
from tables.rows import Floor, LotRow, PartitionRow

UNKNOWN_LOT = "UNKNOWN"  # units found that belong to no lot on the books
LAST = "9999"  # sorts after every day: a lot without best-before goes out last


def today(log: PartitionRow) -> str:
    """The day of state time; "" before it begins."""
    return instant(log.state_ms)[:10] if log.state_ms else ""


def shippable_on(lot: LotRow, day: str, minimum_life_days: int = 0) -> bool:
    """Whether units of this lot may leave on `day` for a channel that wants so many days of remaining shelf life.

    Approved, not expired, and best before no earlier than `day` + `minimum_life_days`. A lot without a best-before is
    good for whoever asks for none. `day` "" (no time is known yet): status alone decides.
    """
    if lot.status != "approved" or lot.expired:
        return False
    if not lot.best_before:
        return minimum_life_days == 0
    return not day or lot.best_before >= (day_after(day, minimum_life_days) if minimum_life_days else day)


def unavailable(lot: LotRow) -> int:
    """Units of the lot that nobody may be promised: all of one that is held, recalled or expired, else those that are
    damaged or quarantined."""
    if lot.status != "approved" or lot.expired:
        return lot.on_hand
    return apart(lot)


def sellable(lot: LotRow) -> int:
    """Units of the lot that may be promised."""
    return lot.on_hand - unavailable(lot)


def apart(lot: LotRow) -> int:
    """Units of the lot that are damaged or quarantined."""
    return min(lot.blocked, lot.on_hand)


def fefo(lots: Iterable[LotRow]) -> list[LotRow]:
    """Lots with units, first expired first out: by best-before (unknown last), then received, then lot code."""
    return sorted((x for x in lots if x.on_hand > 0), key=lambda x: (x.best_before or LAST, x.received, x.lot))


def take(
    lots: Iterable[LotRow], units: int, named: str | None, day: str, floor: str = "",
    first: Callable[[LotRow], int] | None = None,
) -> tuple[list[tuple[LotRow, int]], int]:  # fmt: skip
    """Which lots `units` leave from, as (lot, units), and how many no lot has.

    The named lot first, then shippable ones that live until `floor` (as they were promised), then the other shippable
    ones, then the rest (what left has left), each by FEFO. `first`: how many units of a lot that was not named leave
    before all others do; without it those of a lot leave together.
    """

    def turn(lot: LotRow) -> int:
        if lot.lot == named:
            return 0
        return 3 if not shippable_on(lot, day) else 2 if lot.best_before < floor else 1

    turns = sorted(fefo(lots), key=turn)
    taken: dict[str, int] = {}
    for these in (first, None) if first else (None,):
        for lot in turns:
            there = lot.on_hand if these is None or lot.lot == named else these(lot)
            gone = min(there - taken.get(lot.lot, 0), units)
            if gone > 0:
                taken[lot.lot] = taken.get(lot.lot, 0) + gone
                units -= gone
    return [(lot, taken[lot.lot]) for lot in turns if lot.lot in taken], units


def room(lots: Iterable[LotRow], floors: tuple[Floor, ...], floor: str) -> int:
    """Units that can still be promised from lots best before `floor` or later.

    Promises with a later floor compete for fewer lots, those with an earlier one can do with others. So (Hall) all of
    them can be kept if for every day the lots that live until it cover the claims that need it; a promise with `floor`
    counts for the days up to it.
    """
    good = [(x.best_before, sellable(x)) for x in lots if x.best_before]
    return min(
        sum(units for best_before, units in good if best_before >= day) - sum(x.units for x in floors if x.day >= day)
        for day in {floor, *(x.day for x in floors if x.day <= floor)}
    )


def due(best_before: str, expiring_days: int, *, expired: bool, warned: bool) -> int:
    """The ordinal of the next day on which time alone changes something for a lot; 0: never."""
    last = ordinal(best_before)
    if not last or expired:
        return 0
    if expiring_days and not warned:
        return max(last - expiring_days, 1)
    return last + 1


def day_after(day: str, days: int) -> str:
    """The day so many days later; the last one there is if that is past it."""
    return date.fromordinal(min(ordinal(day) + days, date.max.toordinal())).isoformat()


@lru_cache(maxsize=4096)
def ordinal(day: str) -> int:
    """`date.toordinal`; of a day that its month does not have (30 February), its last one's; of a year that no
    calendar has (0000), the first day there is; 0 for ""."""
    try:
        return date.fromisoformat(day).toordinal()
    except ValueError:
        return ordinal(f"{day[:8]}{int(day[8:]) - 1}") if day[8:] > "28" else int(bool(day))
