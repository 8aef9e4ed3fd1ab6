"""Garbage: each object is looked at once, while it is new, whatever is kept beside it."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from streams.garbage import NEW_MAX, look_at_the_new_alone

KEPT = 30 * NEW_MAX


class Node:
    """Something that can be part of a cycle."""

    other: Node


@pytest.fixture
def searches() -> Iterator[list[tuple[int, int]]]:
    """Each search for garbage while the test runs: (generation, objects in it)."""
    seen: list[tuple[int, int]] = []
    before = gc.get_threshold()
    gc.collect()  # of other tests

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            seen.append((info["generation"], gc.get_count()[0]))

    look_at_the_new_alone()
    gc.callbacks.append(note)
    yield seen
    gc.callbacks.remove(note)
    gc.set_threshold(*before)


def test_what_is_kept_is_never_looked_at_again_and_what_is_new_a_little_at_a_time(
    searches: list[tuple[int, int]],
) -> None:
    kept = [[n] for n in range(KEPT)]
    assert len(kept) == KEPT
    assert {generation for generation, _ in searches} == {0}
    assert len(searches) >= KEPT // NEW_MAX - 1
    assert max(new for _, new in searches) <= NEW_MAX + 10, "each as soon as there are so many"


def test_a_cycle_that_nobody_uses_any_more_is_found_while_it_is_new(searches: list[tuple[int, int]]) -> None:
    one, other = Node(), Node()
    one.other, other.other = other, one
    gone = weakref.ref(one)
    del one, other
    assert gone() is not None, "by counting alone it stays"
    kept = [[n] for n in range(NEW_MAX + 1)]
    assert (gone(), bool(kept)) == (None, True)
