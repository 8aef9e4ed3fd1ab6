"""Which locations serve what: the fewest that cover it, the best ranked of those.

Pure: numbers in, numbers out. Locations are bits (bit 0: the best ranked). Used for the lines of one command by stock,
for the lines of a whole order by orders. Does not belong here: how much there is, who moves what.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

EXACT_MAX = 10  # with more locations the fewest are looked for greedily


def fewest(covers: Sequence[int], given: int = 0) -> int:
    """Bits of the fewest locations that cover every entry of `covers` (each: bits of the locations that cover it whole,
    never 0). `given`: locations that are used anyway and cost nothing. Ties: the better ranked."""
    left = [cover for cover in covers if not cover & given]
    if not left:
        return given
    common = left[0]
    for cover in left[1:]:
        common &= cover
    if common:  # nearly always: one is enough
        return given | (common & -common)
    places = [bit for bit in range(max(left).bit_length()) if any(cover >> bit & 1 for cover in left)]
    if len(places) > EXACT_MAX:
        return given | _greedy(left, places)
    for count in range(2, len(places) + 1):
        for some in combinations(places, count):
            bits = sum(1 << bit for bit in some)
            if all(cover & bits for cover in left):
                return given | bits
    raise ValueError("an entry that no location covers")


def _greedy(left: list[int], places: list[int]) -> int:
    """The location that covers most of what is left, the better ranked first, until nothing is left."""
    chosen = 0
    while left:
        best = max(places, key=lambda bit: (sum(cover >> bit & 1 for cover in left), -bit))
        chosen |= 1 << best
        left = [cover for cover in left if not cover >> best & 1]
    return chosen


def best(cover: int, chosen: int) -> int:
    """The bit number of the best ranked chosen location that covers it."""
    bits = cover & chosen
    return (bits & -bits).bit_length() - 1
