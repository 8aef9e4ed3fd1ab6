"""The forecaster's Faust agent: whoever has a partition is handed all of it, from its beginning, whatever happens."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from confluent_kafka import Message, Producer
from confluent_kafka.admin import NewTopic
from faust.types import TP

from bench.machine import seconds_to_end
from forecasting.intake import BATCHES_MAX, HandedIntake
from forecasting.owner import DemandOwner
from streams.brokers.kind import wait_for_broker
from streams.settings import Settings, producer_config
from streams.topics import DEMAND

PARTITIONS = 4
EVERYTHING = list(range(PARTITIONS))
ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(__file__).with_name("agent_worker.py")
JOIN_SECONDS = 30.0
STOP_SECONDS = 3.0


class Stage:
    """The topic `demand`, a journal that all workers share, and the workers."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.topic = settings.prefix + DEMAND.name
        self.journal = settings.home / "journal"
        self.journal.touch()
        self.written = dict.fromkeys(EVERYTHING, 0)
        self.workers: dict[str, subprocess.Popen[bytes]] = {}
        admin = wait_for_broker(settings, 30.0)
        for made in admin.create_topics([NewTopic(self.topic, PARTITIONS, 1)]).values():
            made.result(30)
        room = {"linger.ms": 5, "queue.buffering.max.messages": 1_000_000}
        self._producer = Producer(producer_config(settings) | room)

    def write(self, records: int) -> None:
        for n in range(records):
            self._producer.produce(self.topic, b"{}", partition=n % PARTITIONS)
            self.written[n % PARTITIONS] += 1
        assert self._producer.flush(30) == 0

    def start(self, name: str, **plan: Any) -> subprocess.Popen[bytes]:
        whole = {
            "name": name, "journal": str(self.journal), "bootstrap": self.settings.bootstrap,
            "embedded": self.settings.embedded, "prefix": self.settings.prefix,
        }  # fmt: skip
        with (self.settings.home / f"{name}.log").open("ab") as out:
            worker = subprocess.Popen(
                [sys.executable, PROGRAM, msgspec.json.encode(whole | plan).decode()],
                stdout=out, stderr=out, env=os.environ | {"PYTHONPATH": str(ROOT)},
            )  # fmt: skip
        self.workers[name] = worker
        return worker

    def stop(self, name: str) -> None:
        """It must end well and in time."""
        worker = self.workers[name]
        worker.send_signal(signal.SIGTERM)
        assert seconds_to_end(worker, 30) < STOP_SECONDS, self.log(name)
        assert worker.returncode == 0, self.log(name)

    def log(self, name: str) -> str:
        return (self.settings.home / f"{name}.log").read_text()[-3000:]

    def events(self) -> list[dict[str, Any]]:
        whole, _, _being_written = self.journal.read_bytes().rpartition(b"\n")
        return [json.loads(line) for line in whole.splitlines()]

    def handed(self, *, killed: str = "") -> dict[str, dict[int, int]]:
        """Worker -> partition -> how far it was handed what it has now. Checked: each time a worker begins with some
        partitions it is handed all of each from offset 0 on, without a gap or a repetition, and no two have one."""
        now: dict[str, dict[int, int]] = {}
        for event in self.events():
            of_worker = now.get(event["worker"], {})
            match event["event"]:
                case "begin":
                    others = {p for name, at in now.items() if name not in (killed, event["worker"]) for p in at}
                    assert others.isdisjoint(event["owned"]), f"{event}: of another's {others}"
                    now[event["worker"]] = dict.fromkeys(event["owned"], 0)
                case "handed":
                    assert event["first"] == of_worker[event["partition"]], event
                    assert event["records"] == event["last"] + 1 - event["first"], event
                    of_worker[event["partition"]] = event["last"] + 1
                case "leave":
                    del now[event["worker"]]
        return now

    def owned(self, *, killed: str = "") -> dict[str, list[int]]:
        return {name: sorted(at) for name, at in self.handed(killed=killed).items() if name != killed}

    def share(self, *names: str, killed: str = "") -> bool:
        owned = self.owned(killed=killed)
        return set(owned) == set(names) and sorted(p for of_one in owned.values() for p in of_one) == EVERYTHING

    def all_handed(self, *names: str, killed: str = "") -> bool:
        handed = self.handed(killed=killed)
        return {p: at for name in names for p, at in handed.get(name, {}).items()} == self.written

    def wait(self, what: Callable[[], Any], seconds: float = JOIN_SECONDS) -> None:
        until = time.monotonic() + seconds
        while not what():
            if time.monotonic() > until:
                pytest.fail(f"not within {seconds:.0f} s; {self.handed()}; {[self.log(name) for name in self.workers]}")
            time.sleep(0.1)


@pytest.fixture
def stage(settings: Settings) -> Iterator[Stage]:
    yield from _staged(settings)


@pytest.fixture
def embedded_stage(embedded_settings: Settings) -> Iterator[Stage]:
    yield from _staged(embedded_settings)


def _staged(settings: Settings) -> Iterator[Stage]:
    stage = Stage(settings)
    yield stage
    for worker in stage.workers.values():
        worker.kill()
        worker.wait(5)


def test_two_share_the_partitions_and_when_one_is_killed_the_other_has_the_whole_of_them(stage: Stage, load: Any):
    stage.write(2_000)
    with load(stage.write):
        stage.start("a")
        stage.wait(lambda: stage.share("a"))
        stage.start("b")
        stage.wait(lambda: stage.share("a", "b"))
        time.sleep(1)
        stage.workers["a"].kill()
        stage.wait(lambda: stage.share("b", killed="a"))
    stage.wait(lambda: stage.all_handed("b", killed="a"))
    stage.stop("b")


@pytest.mark.timeout(240)
def test_partitions_that_change_while_the_thread_is_busy_and_much_is_waiting_lose_nothing(stage: Stage):
    """The agent waits for room in the middle of a batch, and the group for the agent."""
    stage.write(240_000)  # at 32,000 in 2 s the other has 15 s to start and to join
    stage.start("a", busy_seconds=2.0)
    stage.wait(lambda: stage.share("a") and any(stage.handed()["a"].values()))
    stage.start("b")
    stage.wait(lambda: stage.share("a", "b"))
    stage.wait(lambda: stage.all_handed("a", "b"), 90)
    first = stage.events()[: [e["event"] for e in stage.events()].index("leave")]
    assert sum(e["records"] for e in first if e["event"] == "handed") < 240_000, "it changed in the middle"
    assert [worker.poll() for worker in stage.workers.values()] == [None, None]
    stage.stop("b")
    stage.wait(lambda: stage.share("a"))
    stage.wait(lambda: stage.all_handed("a"), 90)


def test_a_stop_is_obeyed_while_the_thread_is_busy_and_much_is_waiting(embedded_stage: Stage):
    stage = embedded_stage
    stage.write(120_000)
    stage.start("a", busy_seconds=1.0)
    stage.wait(lambda: stage.share("a") and any(stage.handed()["a"].values()))
    stage.stop("a")
    assert stage.handed() == {}


def test_what_ends_the_thread_ends_the_process_and_another_takes_over_at_once(embedded_stage: Stage):
    stage = embedded_stage
    stage.write(400)
    failing = stage.start("a", fail_after=400)
    assert failing.wait(JOIN_SECONDS) == 1
    assert "RuntimeError: the test says so" in stage.log("a")
    stage.start("b")
    stage.wait(lambda: stage.all_handed("b"))


def records(partition: int, first: int, last: int) -> list[Message]:
    return [Message(topic="demand", partition=partition, offset=offset) for offset in range(first, last + 1)]


def offsets(messages: list[Message]) -> list[tuple[int, int]]:
    return [(message.partition(), message.offset()) for message in messages]


def test_an_intake_takes_so_many_batches_and_no_more_until_they_are_fetched():
    intake = HandedIntake(frozenset({0}))
    assert intake.begin()
    taken = [intake.offer(records(0, n, n)) for n in range(BATCHES_MAX + 1)]
    assert taken == [True] * BATCHES_MAX + [False]
    assert offsets(intake.poll(0)) == [(0, n) for n in range(BATCHES_MAX)]
    assert intake.positions() == {("demand", 0): BATCHES_MAX}
    assert intake.offer(records(0, BATCHES_MAX, BATCHES_MAX))


def test_an_intake_drops_what_comes_again_because_a_partition_was_started_twice():
    intake = HandedIntake(frozenset({0, 1}))
    for batch in (records(0, 0, 4), records(1, 0, 0), records(0, 0, 6), records(0, 7, 7)):
        intake.offer(batch)
    found = intake.poll(0)
    assert [offset for partition, offset in offsets(found) if partition == 0] == list(range(8))
    assert intake.positions() == {("demand", 0): 8, ("demand", 1): 1}


def test_an_intake_that_is_over_gives_and_takes_nothing_and_cannot_be_begun():
    intake = HandedIntake(frozenset({0}))
    intake.offer(records(0, 0, 4))
    intake.end()
    assert intake.offer(records(0, 5, 5)), "dropped: nobody need wait"
    assert intake.poll(0) == []
    assert not intake.begin()


class Seam:
    """Stands in for the transport: which partitions are ours and open, and what was done to them."""

    def __init__(self) -> None:
        self.ours: set[TP] = set()
        self.read: set[TP] = set()
        self.reopened: list[int] = []

    def assignment(self) -> set[TP]:
        return self.ours

    def opened(self) -> set[TP]:
        return set(self.read)

    def pause(self, tp: TP) -> None:
        self.read.discard(tp)

    def reopen(self, tp: TP) -> None:
        assert tp not in self.read
        self.reopened.append(tp.partition)


async def test_a_partition_that_comes_or_goes_has_those_that_stay_read_from_their_beginning():
    seam, owner = Seam(), DemandOwner()
    owner.seam = seam  # type: ignore[assignment]
    zero, one = TP("demand", 0), TP("demand", 1)
    seam.ours = {zero}
    await owner.open(zero, 17)
    seam.read = {zero}
    first = owner.intake
    assert first is not None
    assert (sorted(first.owned), seam.reopened) == ([0], [])

    seam.ours = {zero, one}
    await owner.open(one, None)
    second = owner.intake
    assert second is not None
    assert (first.is_over, sorted(second.owned), seam.reopened) == (True, [0, 1], [0])
    await owner.open(zero, 17)
    assert owner.intake is second, "what stays is opened again, and nothing has changed"

    seam.ours, seam.read = {one}, {one}
    assert await owner.close({zero}, lost=False) == {}, "no offset is committed"
    assert (second.is_over, seam.reopened) == (True, [0, 1])
    seam.ours = set()
    await owner.close({one}, lost=True)
    assert owner.intake is None


async def test_a_batch_that_the_agent_has_begun_before_a_change_reaches_no_intake():
    """It holds records of the middle: for the new intake they would be half a history."""
    seam, owner = Seam(), DemandOwner()
    owner.seam = seam  # type: ignore[assignment]
    seam.ours = {TP("demand", 0)}
    await owner.open(TP("demand", 0), None)
    before = owner.intake
    seam.ours = {TP("demand", 0), TP("demand", 1)}
    await owner.open(TP("demand", 1), None)
    await owner.hand_on(TP("demand", 0), records(0, 500, 600), before)
    assert owner.intake is not None
    assert owner.intake.begin()
    assert owner.intake.poll(0) == []


async def test_a_partition_is_given_up_when_nothing_is_done_any_more_with_what_was_read_of_it():
    seam, owner = Seam(), DemandOwner()
    owner.seam = seam  # type: ignore[assignment]
    seam.ours = {TP("demand", 0)}
    await owner.open(TP("demand", 0), None)
    intake = owner.intake
    assert intake is not None
    assert intake.begin()
    left: list[float] = []

    def leave() -> None:
        left.append(time.monotonic())
        intake.leave()

    threading.Timer(0.3, leave).start()
    seam.ours = set()
    await owner.close({TP("demand", 0)}, lost=False)
    assert left
    assert time.monotonic() >= left[0]
