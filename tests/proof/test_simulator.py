"""The simulator itself: seeds settle as they must, a seed replays exactly, and every deliberate defect is noticed.

20,000 seeds, the same ones each time; `SMOKEHOUSE_NIGHTLY=1` runs 200,000 others.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any, get_args

import pytest
from faust.types import TP
from msgspec import NODEFAULT, Struct
from msgspec.inspect import type_info
from msgspec.structs import fields

from proof.simulator import happenings
from proof.simulator.mutants import MUTANTS, Mutant
from proof.simulator.run import run_seed, run_seeds
from proof.simulator.sending import ANSWERS, ROWS
from proof.simulator.shrink import Shrunk
from proof.simulator.swarm import FAULTS
from proof.simulator.traffic import Traffic
from proof.simulator.worker import CHANGELOG, Discipline, Kept, Owner, recover
from proof.simulator.world import Message, World
from streams import recovery
from streams.commands.simulating import agents
from streams.commands.vocabulary import ITS_OWN
from streams.commands.vocabulary import TOLD as TOLD_TO_ANYBODY
from streams.owner import Owned, PartitionOwner
from streams.settings import Settings
from tables import records as r
from tables.codec import encode
from tables.rows import decode
from tables.store import VERSION_BYTES

NIGHTLY = os.environ.get("SMOKEHOUSE_NIGHTLY") == "1"
SEEDS = range(1_000_000, 1_200_000) if NIGHTLY else range(20_000)
JOBS = min(os.cpu_count() or 1, 4)
AGENTS = agents()
# What is planned is read by the forecaster, and by no step.
TOLD = {name: kind for name, kind in TOLD_TO_ANYBODY.items() if kind not in get_args(r.PlanningRecord)}


@pytest.mark.timeout(18_000 if NIGHTLY else 1_800)
def test_seeds_settle_as_they_must(capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever a seed does to the workers, in the end every log, row, answer and view is what one reader would have."""
    started = time.monotonic()
    result = run_seeds(SEEDS, agents, jobs=JOBS)
    faults = sum(result.faults.values())
    with capsys.disabled():
        print(f"\nsimulated {result.seeds:,} seeds from {SEEDS[0]:,}: {result.events:,} events, {faults:,} faults, "
              f"{result.audited:,} audited, {result.violated:,} violated; {result.cpu_seconds:,.0f} CPU-seconds, "
              f"{time.monotonic() - started:,.0f} seconds on {JOBS} processes")  # fmt: skip

    failed = [
        f"seed {x.seed} step {x.step}: {x.rule} {x.what}\n  smokehouse prove simulate --seed {x.seed} --seeds 1 --trace"
        for x in result.violations
    ]  # fmt: skip
    assert not failed, "\n".join(failed)
    assert result.violated == 0
    assert result.seeds == len(SEEDS)
    assert result.audited >= len(SEEDS) // 40
    assert result.events >= 250 * len(SEEDS)  # 5,000,000
    assert 10 * faults >= 125 * len(SEEDS)  # 250,000
    assert {kind for kind, n in result.faults.items() if n} == set(FAULTS)


@pytest.mark.timeout(300)
def test_every_record_somebody_may_send_and_all_that_agents_say_takes_part() -> None:
    """In the first few hundred seeds each kind is read by a step and is no dead letter; what users send changes rows or
    makes the agent say something."""
    applied: Counter[type] = Counter()
    changed: Counter[type] = Counter()

    def counted(step: Any) -> Any:
        def counting(view: Any, record: Any, at: Any, state: Any) -> Any:
            outcome = step(view, record, at, state)
            applied[type(record)] += not outcome.dead
            changed[type(record)] += bool(outcome.rows or outcome.sends)
            return outcome

        return counting

    roles = {topic: role._replace(step=counted(role.step)) for topic, role in AGENTS.items()}
    for seed in range(400):
        run_seed(seed, roles)

    read_by_no_step = {r.LogOpened}
    assert {kind for kind in ITS_OWN if not applied[kind]} == read_by_no_step
    assert {name for name, kind in TOLD.items() if not changed[kind]} == set()


def test_every_field_of_what_somebody_may_send_is_given_sometime() -> None:
    """Else a rule that turns on it would never be tried."""
    traffic = Traffic(Random(1), scarce=True, confirmed=["o1"])
    given: set[tuple[type, str]] = set()
    for n in range(2_000):
        for record in (traffic.order(), traffic.about_order(), traffic.fact(n)):
            given |= set(_given(record))

    wanted = {(kind, field) for told in TOLD.values() for kind in (told, *_inner(told)) for field in _fields(kind)}
    assert wanted - given == set()


def _fields(kind: type) -> list[str]:
    return [name for name in kind.__struct_fields__ if name != "time"]  # type: ignore[attr-defined]


def _inner(kind: type[r.Record]) -> list[type]:
    """The structs its lists hold."""
    lists = [x.type for x in type_info(kind).fields]  # type: ignore[union-attr]
    return [x.item_type.cls for x in lists if hasattr(x, "item_type") and hasattr(x.item_type, "cls")]


def _given(record: Any) -> Iterator[tuple[type, str]]:
    """(struct, field) of what is not as it would be if nobody had said it."""
    for field in fields(record):
        value = getattr(record, field.name)
        default = field.default if field.default_factory is NODEFAULT else field.default_factory()
        if value != default:
            yield type(record), field.name
        for item in value if isinstance(value, list) else ():
            if isinstance(item, Struct):
                yield from _given(item)


def test_a_seed_replays_exactly() -> None:
    traces: list[list[str]] = [[], []]
    first, again = (run_seed(7, AGENTS, trace=trace) for trace in traces)

    assert traces[0] == traces[1]
    assert len(traces[0]) > 100
    assert (first.events, first.faults) == (again.events, again.faults)


def test_other_jobs_give_the_same_result() -> None:
    alone, beside = (run_seeds(range(50), agents, jobs) for jobs in (1, 2))

    assert (alone.events, alone.faults, alone.violated) == (beside.events, beside.faults, beside.violated)


FREEZES = """
import gc, os
from proof.simulator.run import run_seeds
from streams.commands.simulating import agents

def load():
    print(f"{os.getpid()} {gc.get_freeze_count()}\\n", end="", flush=True)
    return agents()

if __name__ == "__main__":
    run_seeds(range(150), load, jobs=2)
"""


def test_the_worlds_of_seeds_that_are_over_are_given_back(tmp_path: Path) -> None:
    """Objects that the collector leaves alone: none when a process begins, then what it has loaded and no more."""
    program = tmp_path / "seeds.py"
    program.write_text(FREEZES)
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    told = subprocess.run([sys.executable, program], env=environment, capture_output=True, text=True, check=True)
    frozen: dict[str, list[int]] = {}
    for line in told.stdout.splitlines():
        process, count = line.split()
        frozen.setdefault(process, []).append(int(count))
    for first, loaded, *later in frozen.values():
        assert first < loaded
        assert set(later) <= {loaded}
    assert sum(len(counts) - 1 for counts in frozen.values()) == 6, "in each process anew, and for each 25 seeds"


@pytest.mark.parametrize("mutant", [x for x in MUTANTS if x.seeds], ids=lambda x: x.name.replace(" ", "_"))
def test_a_deliberate_defect_is_found_by_seeds(mutant: Mutant) -> None:
    """And by none of them without the defect: it is the defect that was found."""
    roles = mutant.roles(AGENTS)
    found = (seed for seed in range(mutant.seeds) if run_seed(seed, roles, mutant.discipline()).violations)

    assert any(not run_seed(seed, AGENTS).violations for seed in found), f"{mutant.seeds} seeds did not notice"


def test_a_failing_seed_is_made_shorter() -> None:
    mutant = next(x for x in MUTANTS if x.name == "commit before flush")
    seed = next(x for x in range(200) if run_seed(x, AGENTS, mutant.discipline()).violations)

    shrunk = Shrunk(seed, AGENTS, mutant.discipline())

    assert shrunk.rule
    assert len(shrunk.steps) < 40
    assert shrunk.trace


# -- the simulator's order of durability is the workers' ---------------------------------------------------------------


class Recorder:
    """The edge of a `PartitionOwner`: what it sends, waits for and commits, in order."""

    def __init__(self) -> None:
        self.words: list[tuple[Any, ...]] = []

    def row(self, topic: str, partition: int, key: bytes, value: bytes | None) -> None:
        self.words.append((topic, key, value))

    def publish(self, topic: str, key: str, record: Any, routed_by: str | None = None) -> None:
        self.words.append((topic, key.encode(), encode(record)))

    async def barrier(self) -> None:
        self.words.append(("all of it landed",))

    def commit(self, offsets: dict[Any, int]) -> None:
        self.words.append(("committed", *offsets.values()))


def nowhere(home: Path) -> Settings:
    """Settings of a worker that reaches no broker."""
    return Settings(home=home, bootstrap="127.0.0.1:9", api="127.0.0.1:9", demo=False)


class Disk:
    """A store that takes rows as bytes, as RocksDB does, and forgets them."""

    def __init__(self, foreign: dict[str, list[str]]) -> None:
        self.foreign = foreign

    def write(self, rows: Any) -> None:
        pass


def taken_over() -> Owner:
    """A stock owner who took over, and has handled a receipt and a reserve that count in rows of the one before."""
    where = ("warehouse", 0)
    world = World(1, AGENTS, Discipline(), partitions=1)
    world.handle(world.owners[where], 100)
    world.save(world.owners[where])
    world.open(where, 1, world.owners[where].committed)
    world.put(r.Received(id="more", sku="S1", location="W2", lot="A", quantity=2))
    world.put(r.OrderPlaced(
        id="o1", order_id="o1", channel="shop", lines=[r.Line("S0", 1)], locations=["W1"], payment="paid"
    ))  # fmt: skip
    world.handle(world.owners["orders", 0], 100)
    world.owners["orders", 0].sending.land()
    world.handle(world.owners[where], 100)
    world.owners[where].sending.land()
    return world.owners[where]


def test_a_checkpoint_is_the_workers_checkpoint(tmp_path: Path) -> None:
    """Rows, views, barrier, deletions of older copies, commit: what `streams.owner` sends, in its order."""
    ours, twin, recorder = taken_over(), taken_over(), Recorder()
    tp = TP("warehouse", 0)
    owner = PartitionOwner(nowhere(tmp_path), AGENTS, recorder, "twin")  # type: ignore[arg-type]
    owner.seam = recorder  # type: ignore[assignment]
    owner._owned[tp] = Owned(
        twin.partition, Disk(twin.store.foreign), twin.writer, tmp_path, twin.committed  # type: ignore[arg-type]
    )  # fmt: skip

    asyncio.run(owner.checkpoint())
    ours.begin_checkpoint()
    words = _words(ours, ROWS) + _words(ours, ANSWERS)
    assert not ours.end_checkpoint(), "it waits for what is on its way"
    ours.sending.land()
    assert ours.end_checkpoint()
    words += [("all of it landed",), *_words(ours, ROWS), ("committed", ours.committed)]

    assert words == recorder.words
    assert any(word[-1] is None for word in words), "an older writer's copy is deleted"


def test_recovery_is_the_workers_recovery(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whatever stands in a changelog after a run of faults, `streams.recovery` takes the same rows from it."""
    compared = 0
    for seed in range(30):
        world = World(seed, AGENTS, Discipline())
        happenings.run(world)
        for topic in CHANGELOG.values():
            for partition in range(world.broker.partitions):
                log = world.broker.topics.get((topic, partition), [])
                monkeypatch.setattr(recovery, "is_contiguous", lambda *_: True)
                monkeypatch.setattr(recovery, "read_to_end", lambda *_, log=log, **__: [[Message(x) for x in log]])
                found = recovery._read(nowhere(tmp_path), topic, partition, None)
                ours = recover(Discipline(), log)
                assert ours == {
                    key.decode(): Kept(
                        decode(key.decode(), value[VERSION_BYTES:]), who.decode(),
                        tuple(x.decode() for x in found.further(key)),
                    )
                    for key, (value, who) in found.best.items()
                }  # fmt: skip
                compared += len(ours)
    assert compared > 500


def _words(owner: Owner, lane: int) -> list[tuple[str, bytes | None, bytes | None]]:
    """What waits in one lane, in the order it was sent."""
    return [
        (topic, word.key, word.value)
        for (in_lane, topic, _), queue in owner.sending.queues.items() if in_lane == lane for word in queue.words
    ]  # fmt: skip
