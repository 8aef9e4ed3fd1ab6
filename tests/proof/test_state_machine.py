"""The simulator driven by Hypothesis: it chooses what happens and to whom, and makes whatever fails short.

The rules are the happenings and faults of the simulator; after each of them the books add up, what is committed can be
recovered, and an owner has what one reader of its log would have; in the end the faults stop and everything settles.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from random import Random
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from proof.simulator import books
from proof.simulator.convergence import Fold, check, check_live, settle
from proof.simulator.happenings import happen
from proof.simulator.mutants import MUTANTS, Mutant
from proof.simulator.sending import ANSWERS, ROWS
from proof.simulator.swarm import FAULTS, TRAFFIC, WORK, Swarm
from proof.simulator.worker import CHANGELOG, Discipline, Owner, Violation, recover
from proof.simulator.world import Where, World
from streams.commands.simulating import agents
from tables.outcome import INDEX_BITS
from tables.rows import PARTITION_KEY

AGENTS = agents()
CHANCE = st.integers(0, 1 << 16)  # of one happening: one number, so that a failing run shrinks fast and can be read
PLACE = st.integers(0, 3)  # one of the partitions of both logs
CALM = Swarm(  # what a seed draws at once is drawn here when it is needed
    kinds=("compact",), weights=(1.0,), partitions=1, steps=0, slow_rows=False, slow_answers=False, keeps_store=0.7,
    same_machine=0.5, scarce=True, forgets=False, wide=False, batch_max=20, zombies_max=2,
)  # fmt: skip


class Simulated(RuleBasedStateMachine):
    """A world in which Hypothesis chooses. `played`: the steps of the run that was made last."""

    mutant: ClassVar[Mutant | None] = None
    played: ClassVar[list[str]] = []

    @initialize(partitions=st.integers(1, 2), seed=st.integers(0, 7))
    def opens(self, partitions: int, seed: int) -> None:
        roles, discipline = AGENTS, Discipline()
        if self.mutant is not None:
            roles, discipline = self.mutant.roles(AGENTS), self.mutant.discipline()
        self.trace: list[str] = []
        self.world = World(seed, roles, discipline, partitions=partitions, mixture=CALM, trace=self.trace)
        self.broken = False
        self.committed: dict[Where, int] = {}
        self.compared: dict[Where, int] = {}
        type(self).played = []

    # ---- what may happen

    @rule(place=PLACE, records=st.sampled_from((100, 1, 3)))
    def reads(self, place: int, records: int) -> None:
        with self._so("reads"):
            self.world.handle(self._owner(place), records)

    @rule(place=PLACE, lane=st.sampled_from((None, ANSWERS, ROWS)), some=st.none() | CHANCE)
    def lands(self, place: int, lane: int | None, some: int | None) -> None:
        """All of it, or by chance some of every queue."""
        with self._so("lands"):
            self._owner(place).sending.land(None if some is None else Random(some), lane)

    @rule(place=PLACE)
    def begins_to_write(self, place: int) -> None:
        with self._so("begins to write"):
            self.world.begin(self._owner(place))

    @rule(place=PLACE)
    def commits(self, place: int) -> None:
        with self._so("commits"):
            self.world.end(self._owner(place))

    @rule(place=PLACE, machine=st.integers(0, 1))
    def dies(self, place: int, machine: int) -> None:
        """What is on its way is lost; another owner takes over."""
        with self._so("dies"):
            owner = self._owner(place)
            owner.sending.lose()
            self.world.open(owner.where, machine, owner.committed)

    @rule(place=PLACE, machine=st.integers(0, 1))
    @precondition(lambda self: len(self.world.zombies) < CALM.zombies_max)
    def stands_still(self, place: int, machine: int) -> None:
        """It is a zombie from now on."""
        with self._so("stands still"):
            owner = self._owner(place)
            self.world.zombies.append(owner)
            self.world.open(owner.where, machine, owner.committed)

    def _owner(self, place: int) -> Owner:
        return self.world.owners[self.world.places[place % len(self.world.places)]]

    @contextlib.contextmanager
    def _so(self, name: str) -> Iterator[None]:
        """One step, which happens inside."""
        self.played.append(name)
        self.world.step_number += 1
        with self._judged():
            yield

    @contextlib.contextmanager
    def _judged(self) -> Iterator[None]:
        """What breaks inside is told with its trace, and judged once: not at the end again."""
        try:
            yield
        except Exception:
            self.broken = True
            for line in self.trace:
                note(line)
            raise

    # ---- what holds all the time

    @invariant()
    def holds(self) -> None:
        with self._judged():
            for where, owner in self.world.owners.items():
                self._committed_can_be_recovered(where, owner)
                if owner.caught_up and owner.partition.next_offset != self.compared.get(where):
                    self._is_what_one_reader_has(where, owner)

    def _committed_can_be_recovered(self, where: Where, owner: Owner) -> None:
        """P5: offsets go forward, and the rows of what is committed are there, whoever dies now."""
        if owner.committed == self.committed.get(where, 0):
            return
        state = recover(self.world.discipline, self.world.broker.topics.get((CHANGELOG[where[0]], where[1]), []))
        there = (state[PARTITION_KEY].row.at >> INDEX_BITS) + 1 if state else 0
        if not self.committed.get(where, 0) < owner.committed <= there:
            raise Violation("P5", f"{where}: committed {owner.committed}, rows are there to {there}")
        self.committed[where] = owner.committed

    def _is_what_one_reader_has(self, where: Where, owner: Owner) -> None:
        """I1, I2, I9: the books add up, and rows are those of a fold of the log so far."""
        self.compared[where] = end = owner.partition.next_offset
        for _, row in owner.table.rows("stock|"):
            books.check_stock(owner.table, row)
        check_live(self.world, where, Fold(self.world, where, end))

    def teardown(self) -> None:
        """The faults stop: everything settles to what one reader has, and the auditor finds nothing."""
        if not hasattr(self, "world") or self.broken:
            return
        with self._judged():
            settle(self.world)
            check(self.world, audited=True)


def _rule(kind: str) -> Any:
    def happens(self: Simulated, chance: int) -> None:
        self.world.chance.seed(chance)
        with self._so(kind):
            happen(self.world, kind)

    happens.__name__ = kind
    made = rule(chance=CHANCE)(happens)
    return precondition(lambda self: bool(self.world.zombies))(made) if kind.startswith("zombie_") else made


# The rest as the seeds know it, by a chance that Hypothesis turns.
BY_CHANCE = sorted({*TRAFFIC, *FAULTS, *WORK} - {"work", "land", "begin", "end", "crash", "zombie"})
for _kind in BY_CHANCE:
    setattr(Simulated, _kind, _rule(_kind))

QUICK = settings(
    max_examples=60, stateful_step_count=40, deadline=None, report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)  # fmt: skip


@pytest.mark.timeout(300)
def test_whatever_hypothesis_does_to_the_workers_the_rules_hold() -> None:
    run_state_machine_as_test(Simulated, settings=QUICK)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("name", "steps_most"), [("commit before flush", 6), ("stock rows before reservation rows", 12)]
)
def test_a_broken_discipline_is_found_and_told_in_few_steps(name: str, steps_most: int) -> None:
    """Derandomized: what is found does not depend on the day."""

    class Broken(Simulated):
        mutant = next(x for x in MUTANTS if x.name == name)

    quick = settings(QUICK, max_examples=400, derandomize=True, database=None, phases=[Phase.generate, Phase.shrink])
    with pytest.raises(Violation):
        run_state_machine_as_test(Broken, settings=quick)

    assert 0 < len(Broken.played) <= steps_most, Broken.played
