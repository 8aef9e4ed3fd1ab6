"""Breadth-first search of everything a model can do: the shortest way to something wrong, or the number of states.

A model is a start and a small transition function over hashable states (tuples of integers). Guarantees: every state
is visited once, in order of distance, so a counterexample is a shortest one; the same model gives the same result.
Checked: no move and no state is wrong, and whoever stands still has finished. Not checked: that a run which never stops
moving gets anywhere (fairness). Does not belong here: any protocol.
"""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, Protocol

TOLD_EVERY = 20_000  # states between two calls of `told`


class Model(Protocol):
    """What may happen, and what must not."""

    start: Any

    def moves(self, state: Any) -> Iterable[tuple[str, Any]]:
        """(what happens, the state after it) of everything possible; a string instead of a state says what is wrong."""

    def wrong(self, state: Any) -> str:
        """What is wrong with this state; "" if nothing."""

    def rests(self, state: Any) -> bool:
        """Whether everything is finished here."""


class Found(NamedTuple):
    """`full`: the whole space was seen. `steps`: the shortest way to `why`, empty if nothing wrong was found."""

    states: int
    full: bool
    why: str
    steps: tuple[str, ...]

    @property
    def verdict(self) -> str:
        """"safe" means: nothing wrong in the states seen, and these are all of them only where `full`."""
        return "unsafe" if self.why else "safe"


def explore(model: Model, most: int | None = None, told: Callable[[int], None] = lambda states: None) -> Found:
    """Search from the model's start, at most `most` states (None: all of them)."""
    collects = gc.isenabled()
    gc.disable()  # millions of tuples and no cycles
    try:
        return _explore(model, most, told)
    finally:
        if collects:
            gc.enable()


def _explore(model: Model, most: int | None, told: Callable[[int], None]) -> Found:
    before: dict[Any, Any] = {model.start: None}  # state -> the one it was first reached from
    waiting = deque([model.start])
    while waiting:
        state = waiting.popleft()
        moved = False
        for label, after in model.moves(state):
            moved = True
            if after in before:
                continue
            why = after if type(after) is str else model.wrong(after)
            if why:
                return Found(len(before) + 1, False, why, (*_way(model, before, state), label))
            if most is not None and len(before) >= most:
                return Found(len(before), False, "", ())
            before[after] = state
            waiting.append(after)
            if len(before) % TOLD_EVERY == 0:
                told(len(before))
        if not moved and not model.rests(state):
            return Found(len(before), False, "nothing more can happen, and not everything is done",
                         tuple(_way(model, before, state)))  # fmt: skip
    return Found(len(before), True, "", ())


def _way(model: Model, before: dict[Any, Any], state: Any) -> list[str]:
    """What happened on the way to a state."""
    steps: list[str] = []
    while (earlier := before[state]) is not None:
        steps.append(next(label for label, after in model.moves(earlier) if after == state))
        state = earlier
    return steps[::-1]
