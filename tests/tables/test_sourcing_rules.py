"""Which locations serve an order: the fewest, the best ranked of those; with very many, the most useful first.

A location is its rank, best 0; a line is the locations that cover it whole.
"""

from __future__ import annotations

import pytest

from tables.sourcing import EXACT_MAX, best, fewest

BIG, LEFT, RIGHT = 0, 1, 2
# Two locations share six lines; a third covers four of them, so that whoever takes it first needs three.
TRAP = [(BIG, LEFT), (BIG, LEFT), (LEFT,), (BIG, RIGHT), (BIG, RIGHT), (RIGHT,)]


def bits(*ranks: int) -> int:
    return sum(1 << rank for rank in ranks)


def with_others(lines: list[tuple[int, ...]], locations: int) -> list[int]:
    """The lines, each with further locations that cover no other, so that there are so many in all."""
    covers = [bits(*line) for line in lines]
    for rank in range(max(max(line) for line in lines) + 1, locations):
        covers[rank % len(covers)] |= 1 << rank
    return covers


def test_one_location_that_covers_all_is_enough_and_the_best_ranked_one_is_taken() -> None:
    assert fewest([bits(1, 3, 4), bits(0, 3, 4), bits(2, 3, 4)]) == bits(3)


def test_with_few_locations_no_smaller_set_is_overlooked() -> None:
    assert fewest(with_others(TRAP, EXACT_MAX)) == bits(LEFT, RIGHT)


def test_locations_that_cover_nothing_do_not_count_among_the_many() -> None:
    """Three that serve the lines, behind ten that have none of it."""
    behind = [[rank + EXACT_MAX for rank in line] for line in TRAP]
    assert fewest([bits(*line) for line in behind]) == bits(LEFT + EXACT_MAX, RIGHT + EXACT_MAX)


def test_with_many_locations_the_one_that_covers_most_goes_first_and_of_equals_the_better_ranked() -> None:
    assert fewest(with_others(TRAP, EXACT_MAX + 1)) == bits(BIG, LEFT, RIGHT)


def test_with_many_locations_two_that_share_the_lines_are_enough() -> None:
    lines = [(n, 11 if n < 6 else 12, 13 if n < 6 else 14) for n in range(11)]
    assert fewest([bits(*line) for line in lines]) == bits(11, 12)


@pytest.mark.parametrize("locations", [EXACT_MAX, EXACT_MAX + 4])
def test_a_location_that_is_used_anyway_costs_nothing(locations: int) -> None:
    covers = with_others(TRAP, locations)
    assert fewest(covers, bits(LEFT, RIGHT)) == bits(LEFT, RIGHT)
    assert fewest(covers, bits(LEFT)) == bits(LEFT, RIGHT)
    assert fewest([], bits(7)) == bits(7)


def test_a_line_comes_from_the_best_ranked_of_the_chosen_that_cover_it() -> None:
    assert [best(cover, bits(2, 4, 5)) for cover in (bits(0, 4, 5), bits(2, 5), bits(5))] == [4, 2, 5]


def test_a_line_that_no_location_covers_is_an_error_of_the_caller() -> None:
    with pytest.raises(ValueError, match=r"^an entry that no location covers$"):
        fewest([bits(1), bits(2), 0])
