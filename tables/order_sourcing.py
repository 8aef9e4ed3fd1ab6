"""Where an order's lines come from: the fewest shipments, the better-ranked locations first.

Pure numbers: locations are places in a ranking (0: the best), a set of them is an int of bits. Used when stock takes the
lines of one command, and once more over all partitions of an order. Does not belong here: orders, rows, stock.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations

EXACT_MAX = 10  # locations: so many are tried in every combination, more are chosen one after the other


def choose(ranks: int, needs: Sequence[int], taken: int = 0) -> list[int]:
    """Per line the place of its location among `ranks` locations, -1 where none covers it whole.

    `needs`: per line the locations that cover it whole, as bits. `taken`: locations that are used in any case.
    As few locations beyond `taken` as cover every line that can be covered; of equally few the lexicographically
    smallest; each line at its best-ranked location among all of these.
    """
    open_needs = {need for need in needs if need and not need & taken}
    chosen = taken
    if open_needs:
        useful = [n for n in range(ranks) if any(need >> n & 1 for need in open_needs)]
        chosen |= _fewest(useful, open_needs) if len(useful) <= EXACT_MAX else _greedy(useful, list(needs), taken)
    return [best(need & chosen) for need in needs]


def best(bits: int) -> int:
    """The best-ranked location of a set, -1 if it is empty."""
    return (bits & -bits).bit_length() - 1


def bits_of(places: Iterable[int]) -> int:
    """The set of these locations."""
    bits = 0
    for place in places:
        bits |= 1 << place
    return bits


def _fewest(useful: list[int], needs: set[int]) -> int:
    for size in range(1, len(useful)):
        for places in combinations(useful, size):  # in lexicographic order: the first that does is the best
            bits = bits_of(places)
            if all(need & bits for need in needs):
                return bits
    return bits_of(useful)


def _greedy(useful: list[int], needs: list[int], taken: int) -> int:
    chosen = 0
    left = [need for need in needs if need and not need & taken]
    while left:
        place = max(useful, key=lambda n: (sum(need >> n & 1 for need in left), -n))
        chosen |= 1 << place
        left = [need for need in left if not need >> place & 1]
    return chosen
