"""Runs seeds: one, or many over several processes; and what came of them.

Guarantees: a result depends on its seed alone, never on the number of jobs. Does not belong here: showing it.
"""

from __future__ import annotations

import gc
import logging
import traceback
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from multiprocessing import get_context, parent_process
from time import process_time

from msgspec import Struct

from proof.simulator import happenings
from proof.simulator.convergence import check, settle
from proof.simulator.worker import Discipline, Violation
from proof.simulator.world import World
from streams.partition import Role

AUDIT_EVERY = 20  # one seed in so many is also audited
VIOLATIONS_KEPT = 50

Roles = Mapping[str, Role]


class Found(Struct):
    """A rule that did not hold: in which seed, at which step (those after the last are the settling), and what."""

    seed: int
    step: int
    rule: str
    what: str
    replay: str = ""


class Result(Struct):
    """One seed, or the sum of many. `events`: records given to a step. `audited`: seeds that were also audited."""

    seeds: int = 0
    events: int = 0
    faults: Counter[str] = Counter()
    audited: int = 0
    violated: int = 0
    cpu_seconds: float = 0.0  # of the processes that ran them, if they were others
    violations: list[Found] = []

    def add(self, other: Result) -> None:
        self.seeds += other.seeds
        self.events += other.events
        self.faults = self.faults + other.faults
        self.audited += other.audited
        self.violated += other.violated
        self.cpu_seconds += other.cpu_seconds
        self.violations = (self.violations + other.violations)[:VIOLATIONS_KEPT]


def run_seed(
    seed: int, roles: Roles, discipline: Discipline | None = None, *, skip: Collection[int] = (),
    trace: list[str] | None = None,
) -> Result:  # fmt: skip
    """Run a seed to rest and judge it, one in 20 by an audit too. `skip`: steps that do not happen."""
    world = World(seed, roles, discipline or Discipline(), skip=skip, trace=trace)
    violations: list[Found] = []
    audited = False
    try:
        happenings.run(world)
        settle(world)
        events = world.events
        audited = check(world, audited=seed % AUDIT_EVERY == 0)
        world.events = events  # the fold that judges is no event
    except Violation as error:
        violations.append(Found(seed, world.step_number, error.rule, error.what))
    except Exception as error:  # noqa: BLE001 - a defect may show as any error of ours: it is one finding, with its place
        where = traceback.extract_tb(error.__traceback__)[-1]
        violations.append(Found(seed, world.step_number, "error", f"{error!r} in {where.filename}:{where.lineno}"))
    return Result(
        seeds=1, events=world.events, faults=world.faults, audited=int(audited),
        violated=len(violations), violations=violations,
    )  # fmt: skip


def run_seeds(
    seeds: range, load: Callable[[], Roles], jobs: int = 2, tell: Callable[[int], None] | None = None
) -> Result:
    """Run many seeds. `load` gives the roles, in each process anew; `tell` hears how many more seeds are done."""
    total = Result()
    for part in _parts(seeds, load, jobs):
        total.add(part)
        if tell is not None:
            tell(part.seeds)
    return total


def _parts(seeds: range, load: Callable[[], Roles], jobs: int) -> Iterator[Result]:
    chunks = [(seeds[start : start + 25], load) for start in range(0, len(seeds), 25)]
    if jobs <= 1:
        yield from map(_run_some, chunks)
        return
    with get_context("spawn").Pool(jobs, _begin, (load,)) as pool:
        yield from pool.imap(_run_some, chunks)


def _begin(load: Callable[[], Roles]) -> None:
    """In a process of its own: nothing it has loaded is garbage, and a broken step is a finding, no log."""
    load()
    gc.freeze()  # once: later it would keep the worlds of seeds that are over
    gc.disable()  # they are collected after each part: looked for all the time they cost a sixth of the CPU
    logging.disable(logging.CRITICAL)


def _run_some(work: tuple[range, Callable[[], Roles]]) -> Result:
    seeds, load = work
    roles = load()
    total = Result()
    started = process_time()
    for seed in seeds:
        total.add(run_seed(seed, roles))
    if parent_process():
        gc.collect()
        total.cpu_seconds = process_time() - started
    return total
