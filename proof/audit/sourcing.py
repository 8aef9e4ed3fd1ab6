"""Which locations serve an order: the fewest that cover every line whole, the best-ranked of equals.

Pure, on bits: bit n of a line is location n of the ranking. Does not belong here: whether a location covers a line.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

EXACT_MAX = 10  # locations that cover anything; above, the one that covers most goes first


def fewest(covers: Sequence[int], taken: int = 0) -> tuple[int, ...]:
    """Ranks of the chosen locations, ascending, those that are `taken` in any case among them. Lines that no location
    covers whole have no bits and do not count."""
    lines = [bits for bits in covers if bits and not bits & taken]
    useful = [n for n in range(max(lines, default=0).bit_length()) if any(bits >> n & 1 for bits in lines)]
    chosen = _greedy(lines, useful) if len(useful) > EXACT_MAX else _exact(lines, useful)
    return tuple(sorted({*chosen, *(n for n in range(taken.bit_length()) if taken >> n & 1)}))


def _exact(lines: list[int], useful: list[int]) -> tuple[int, ...]:
    for size in range(len(useful) + 1):
        for ranks in combinations(useful, size):
            chosen = sum(1 << n for n in ranks)
            if all(bits & chosen for bits in lines):
                return ranks
    raise AssertionError("every line with bits is covered by all useful locations")


def _greedy(lines: list[int], useful: list[int]) -> tuple[int, ...]:
    chosen: list[int] = []
    while lines:
        best = max(useful, key=lambda n: (sum(bits >> n & 1 for bits in lines), -n))
        chosen.append(best)
        lines = [bits for bits in lines if not bits >> best & 1]
    return tuple(chosen)


def first_of(bits: int, chosen: Sequence[int]) -> int:
    """The best-ranked chosen location that covers the line; -1: none."""
    return next((n for n in chosen if bits >> n & 1), -1)
