"""What one seed is about: which happenings and faults it has, and how often each.

Pure: a seed gives a swarm. Guarantees: about half of all kinds of faults are off in any one seed, so that those that
are on meet often; two seeds rarely have the same mixture. Does not belong here: what a happening does (`world`).
"""

from __future__ import annotations

from itertools import accumulate
from random import Random
from typing import NamedTuple

TRAFFIC = {"order": 9.0, "about_order": 18.0, "fact": 9.0}
WORK = {"work": 34.0, "land": 24.0, "begin": 7.0, "end": 12.0, "tick": 6.0, "publish": 3.0, "look": 1.5,
        "quiet": 2.0}  # fmt: skip
FAULTS = {
    "crash": 3.0, "zombie": 3.0, "zombie_works": 6.0, "zombie_lands": 5.0, "zombie_writes": 4.0, "hand_over": 2.0,
    "all_crash": 0.6, "duplicate": 4.0, "replay": 0.8, "misroute": 1.5, "garbage": 1.0, "clock_jump": 1.0,
    "broker_clock": 0.8, "compact": 2.5, "view_compact": 1.5,
}  # fmt: skip
SHARES = (0.5, 1.0, 1.5, 3.0)
STEPS = (40, 60, 100, 100, 160, 160, 420)


class Swarm(NamedTuple):
    """One seed's mixture. Shares are of 1."""

    kinds: tuple[str, ...]
    weights: tuple[float, ...]  # accumulated
    partitions: int
    steps: int
    slow_rows: bool  # the changelog takes rows late
    slow_answers: bool
    keeps_store: float
    same_machine: float
    scarce: bool
    forgets: bool  # closed rows are soon past their time
    wide: bool  # one lot lies at more places than one record may change
    batch_max: int
    zombies_max: int


def swarm(seed: int) -> Swarm:
    """The mixture of this seed."""
    chance = Random(seed)
    weights = dict(TRAFFIC) | dict(WORK)
    for kind in weights:
        weights[kind] *= chance.choice((0.6, 1.0, 1.5))
    weights["begin"] *= chance.choice((0.2, 0.5, 1.0))  # how much is at stake when a worker dies
    for kind, weight in FAULTS.items():
        if chance.random() < 0.55:
            weights[kind] = weight * chance.choice(SHARES)
    forgets = chance.random() < 0.25
    if forgets:
        weights["age"] = 0.5
    return Swarm(
        kinds=tuple(weights), weights=tuple(accumulate(weights.values())), partitions=chance.choice((1, 2, 2, 3)),
        steps=chance.choice(STEPS), slow_rows=chance.random() < 0.4, slow_answers=chance.random() < 0.25,
        keeps_store=chance.choice((0.0, 0.5, 1.0)), same_machine=chance.choice((0.2, 0.5, 0.9)),
        scarce=chance.random() < 0.6, forgets=forgets, wide=chance.random() < 0.05,
        batch_max=chance.choice((1, 3, 20, 100)),
        zombies_max=chance.choice((1, 2, 4)),
    )
