"""The batch transport on real brokers: what workers are handed while they join, leave, die, sleep and halt."""

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
from confluent_kafka import Consumer, Message, Producer, TopicPartition
from confluent_kafka.admin import NewTopic
from faust.types import TP

from streams.brokers.kind import wait_for_broker
from streams.settings import Settings, client_config
from streams.transport import partitions as partitions_module
from streams.transport import poller as poller_module
from streams.transport.counters import Counters
from streams.transport.failstop import CONSUMER_DEAD, LOOP_BLOCKED, SUSPENDED
from streams.transport.partitions import Partitions
from streams.transport.poller import Poller, Records, weight_of

PARTITIONS = 4
ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(__file__).with_name("transport_worker.py")
pytestmark = pytest.mark.timeout(240)  # above all waits of a test
JOIN_SECONDS = 25.0  # a join waits for half a session on the embedded broker, for three seconds on an empty Kafka group


class Stage:
    """Two topics, a journal that all workers share, and the workers."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.topics = [settings.prefix + "orders", settings.prefix + "warehouse"]
        self.journal = settings.home / "journal"
        self.journal.touch()
        self.written = {TP(topic, p): 0 for topic in self.topics for p in range(PARTITIONS)}
        self.workers: dict[str, subprocess.Popen[bytes]] = {}
        admin = wait_for_broker(settings, 10.0)
        for future in admin.create_topics([NewTopic(t, PARTITIONS, 1) for t in self.topics]).values():
            future.result(10)
        self._producer = Producer(client_config(settings) | {"linger.ms": 2, "acks": "all", "enable.idempotence": True})

    def write(self, records: int, topics: list[str] | None = None) -> None:
        """Spread `records` over the partitions of both topics and wait for the broker's word."""
        for n in range(records):
            for topic in topics or self.topics:
                tp = TP(topic, n % PARTITIONS)
                self._producer.produce(tp.topic, b"{}", partition=tp.partition)
                self.written[tp] += 1
        assert self._producer.flush(30) == 0

    def start(self, name: str, **plan: Any) -> subprocess.Popen[bytes]:
        whole = {
            "name": name,
            "journal": str(self.journal),
            "bootstrap": self.settings.bootstrap,
            "embedded": self.settings.embedded,
            "group": self.settings.prefix + "group",
            "topics": self.topics,
        }
        argument = msgspec.json.encode(whole | plan).decode()
        with (self.settings.home / f"{name}.log").open("ab") as out:
            worker = subprocess.Popen(
                [sys.executable, PROGRAM, argument],
                stdout=out,
                stderr=out,
                env=os.environ | {"PYTHONPATH": str(ROOT)},
            )
        self.workers[name] = worker
        return worker

    def log(self, name: str) -> str:
        return (self.settings.home / f"{name}.log").read_text()

    def events(self, event: str = "", **also: Any) -> list[dict[str, Any]]:
        whole, _, _being_written = self.journal.read_bytes().rpartition(b"\n")
        lines = [json.loads(line) for line in whole.splitlines()]
        return [e for e in lines if event in ("", e["event"]) and also.items() <= e.items()]

    def wait(self, what: Callable[[], Any], seconds: float = JOIN_SECONDS) -> Any:
        deadline = time.monotonic() + seconds
        while not (answer := what()):
            if time.monotonic() > deadline:
                logs = {name: self.log(name)[-2000:] for name in self.workers}
                pytest.fail(f"not within {seconds:.0f} s; journal {self.events()[-20:]}; logs {logs}")
            time.sleep(0.05)
        return answer

    def all_handled(self) -> bool:
        done = dict.fromkeys(self.written, 0)
        for e in self.events("batch"):
            tp = TP(e["topic"], e["partition"])
            done[tp] = max(done[tp], e["last"] + 1)
        return done == self.written

    def repeated(self, *, zombie: str = "") -> int:
        """Check that every partition was handled without a gap, over all its owners; returns the records repeated."""
        repeats = 0
        at: dict[TP, int] = {}
        reached = dict.fromkeys(self.written, 0)
        owner: dict[TP, str] = {}
        for e in self.events():
            if e["event"] not in ("open", "batch"):
                continue
            tp = TP(e["topic"], e["partition"])
            if e["event"] == "open":
                owner[tp] = e["worker"]
                at[tp] = e["committed"] or 0
                assert at[tp] <= reached[tp], f"{e} starts behind a gap"
            elif owner[tp] != e["worker"]:
                assert e["worker"] == zombie, f"{e} by a worker that does not own the partition"
            else:
                assert e["first"] == at[tp], f"{e}: expected offset {at[tp]}"
                at[tp] = e["last"] + 1
                repeats += max(0, min(reached[tp], at[tp]) - e["first"])
                reached[tp] = max(reached[tp], at[tp])
        assert reached == self.written
        return repeats

    def owners(self) -> dict[TP, str]:
        """Who opened a partition last and did not close it."""
        found: dict[TP, str] = {}
        for e in self.events():
            if e["event"] in ("open", "close"):
                tp = TP(e["topic"], e["partition"])
                if e["event"] == "open":
                    found[tp] = e["worker"]
                elif found.get(tp) == e["worker"]:
                    del found[tp]
        return found

    def owned_by(self, *names: str) -> bool:
        owners = self.owners()
        return len(owners) == len(self.topics) * PARTITIONS and set(owners.values()) == set(names)

    def stop(self, name: str, seconds: float = 20.0) -> int:
        self.workers[name].send_signal(signal.SIGTERM)
        return self.workers[name].wait(seconds)


@pytest.fixture
def stage(settings: Settings) -> Iterator[Stage]:
    yield from _staged(settings)


@pytest.fixture
def embedded_stage(embedded_settings: Settings) -> Iterator[Stage]:
    yield from _staged(embedded_settings)


@pytest.fixture
def kafka_stage(kafka_settings: Settings) -> Iterator[Stage]:
    yield from _staged(kafka_settings)


def _staged(settings: Settings) -> Iterator[Stage]:
    stage = Stage(settings)
    yield stage
    for worker in stage.workers.values():
        if worker.poll() is None:
            worker.kill()
            worker.wait(5)


def test_workers_that_join_and_leave_handle_every_record_once_and_in_order(stage: Stage, load: Any) -> None:
    with load(stage.write):
        stage.start("a")
        stage.wait(lambda: stage.owned_by("a"))
        stage.start("b")
        stage.wait(lambda: stage.owned_by("a", "b"))
        time.sleep(1)
        assert stage.stop("a") == 0
        stage.wait(lambda: stage.owned_by("b"))
    stage.wait(stage.all_handled)
    assert stage.stop("b") == 0
    assert stage.repeated() == 0


def test_partitions_that_stay_go_on_while_others_move(stage: Stage, load: Any) -> None:
    """Cooperative: a join closes only what moves, and what stays is opened once."""
    with load(stage.write):
        stage.start("a")
        stage.wait(lambda: stage.owned_by("a"))
        stage.start("b")
        stage.wait(lambda: stage.owned_by("a", "b"))
    moved = {(e["topic"], e["partition"]) for e in stage.events("close", worker="a")}
    assert 0 < len(moved) < len(stage.topics) * PARTITIONS
    assert len(stage.events("open", worker="a")) == len(stage.topics) * PARTITIONS


def test_kill_9_repeats_at_most_what_was_not_committed_and_loses_nothing(stage: Stage, load: Any) -> None:
    with load(stage.write):
        stage.start("a")
        stage.start("b")
        stage.wait(lambda: stage.owned_by("a", "b"))
        time.sleep(0.5)
        stage.workers["a"].kill()
        stage.wait(lambda: stage.owned_by("b"))
        stage.start("c")
        stage.wait(lambda: stage.owned_by("b", "c"))
    stage.wait(stage.all_handled)
    stage.repeated()


def test_a_suspended_worker_ends_when_it_wakes_and_nothing_is_lost(stage: Stage, load: Any) -> None:
    with load(stage.write):
        stage.start("a")
        stage.start("b")
        stage.wait(lambda: stage.owned_by("a", "b"))
        stage.workers["a"].send_signal(signal.SIGSTOP)
        stage.wait(lambda: stage.owned_by("b"))
        stage.workers["a"].send_signal(signal.SIGCONT)
        assert stage.workers["a"].wait(20) == SUSPENDED
    stage.wait(stage.all_handled)
    stage.repeated(zombie="a")


def test_sigterm_in_a_slow_batch_finishes_it_commits_and_exits_0(stage: Stage) -> None:
    stage.write(8)
    stage.start("a", batch_seconds=2.0)
    stage.wait(lambda: stage.events("batch"))
    begun = time.monotonic()
    assert stage.stop("a") == 0
    assert time.monotonic() - begun < 2.0 + partitions_module.LEAVE_SECONDS + 2.0  # its batch, the leave, an exit
    handled = len({e["topic"] for e in stage.events("batch")})
    assert len(stage.events("slept")) >= handled
    stage.start("b")
    stage.wait(stage.all_handled)
    stage.wait(lambda: stage.owned_by("b"))
    assert stage.stop("b") == 0
    assert stage.repeated() == 0


def test_sigterm_during_a_recovery_exits_0(embedded_stage: Stage) -> None:
    stage = embedded_stage
    stage.start("a", open_seconds=30.0)
    stage.wait(lambda: stage.events("opening"))
    assert stage.stop("a") == 0  # it waits for no recovery: that would take longer
    assert not stage.events("open")


def test_a_revocation_cancels_the_recovery_of_what_moves(embedded_stage: Stage) -> None:
    stage = embedded_stage
    stage.write(40)
    stage.start("a", open_waits=True)
    stage.wait(lambda: len(stage.events("opening")) == 2 * PARTITIONS)
    stage.start("b")
    stage.wait(lambda: stage.events("open", worker="b"))
    stage.journal.with_name("journal.open").touch()
    stage.wait(stage.all_handled, 60)
    stage.wait(lambda: stage.owned_by("a", "b"))
    assert len(stage.events("opening", worker="a")) == 2 * PARTITIONS
    assert len(stage.events("open", worker="a")) < 2 * PARTITIONS
    stage.repeated()


def test_a_blocked_event_loop_ends_the_process(embedded_stage: Stage) -> None:
    stage = embedded_stage
    stage.write(4)
    worker = stage.start("a", block_seconds=40.0, loop_blocked_seconds=3.0)  # its start blocks it too
    stage.wait(lambda: stage.events("block"))
    assert worker.wait(20) == LOOP_BLOCKED
    assert "transport_worker.py" in stage.log("a"), "the stack of the blocked thread is shown"


def test_a_process_in_which_no_python_runs_any_more_ends(embedded_stage: Stage) -> None:
    stage = embedded_stage
    stage.write(4)
    worker = stage.start("a", freeze_seconds=60, loop_blocked_seconds=4.0)
    stage.wait(lambda: stage.events("freeze"))
    assert worker.wait(30) == 1
    assert "Timeout" in stage.log("a")
    assert "transport_worker.py" in stage.log("a"), "where each thread stands"


@pytest.mark.parametrize("halt", [{"halt_at": 5}, {"refuse_open": True}], ids=["in a batch", "when opened"])
def test_a_halted_partition_stops_alone_and_can_be_reopened(stage: Stage, halt: dict[str, Any]) -> None:
    tp = TP(stage.topics[0], 0)
    stage.write(80)
    stage.start("a", **halt)
    stage.wait(lambda: stage.events("halt" if "halt_at" in halt else "refused"))
    stage.write(80)

    def others_handled() -> bool:
        ends = {TP(e["topic"], e["partition"]): e["last"] + 1 for e in stage.events("batch")}
        return {t: n for t, n in ends.items() if t != tp} == {t: n for t, n in stage.written.items() if t != tp}

    stage.wait(others_handled)
    halted = [e for e in stage.events("batch") if TP(e["topic"], e["partition"]) == tp]
    assert max((e["last"] for e in halted), default=-1) < 5
    stage.journal.with_name("journal.go").touch()
    stage.wait(stage.all_handled)
    assert stage.stop("a") == 0
    assert stage.repeated() == 0


def test_a_log_shorter_than_the_committed_offset_halts_that_partition_alone(stage: Stage) -> None:
    stage.write(40)
    lost = TP(stage.topics[0], 0)
    group = Consumer(client_config(stage.settings) | {"group.id": stage.settings.prefix + "group"})
    group.commit(offsets=[TopicPartition(*lost, 1000)], asynchronous=False)
    group.close()
    stage.start("a")
    regressed = stage.wait(lambda: stage.events("regressed"))
    assert [(e["topic"], e["partition"], e["expected"]) for e in regressed] == [(*lost, 1000)]
    del stage.written[lost]
    stage.wait(stage.all_handled)
    assert stage.workers["a"].poll() is None


def test_a_second_process_of_the_same_name_ends_the_first(kafka_stage: Stage) -> None:
    stage = kafka_stage
    first = stage.start("a", instance_id="one")
    stage.wait(lambda: stage.owned_by("a"))
    stage.start("b", instance_id="one")
    assert first.wait(JOIN_SECONDS + 10) == CONSUMER_DEAD
    assert "fenced" in stage.log("a").lower()


def test_a_hole_that_stays_ends_the_process(kafka_stage: Stage) -> None:
    """A transaction's marker takes an offset and is never shown: to a reader of our logs it is a lost record."""
    stage = kafka_stage
    producer = Producer(client_config(stage.settings) | {"transactional.id": stage.settings.prefix + "hole"})
    producer.init_transactions(20)
    for _ in range(2):
        producer.begin_transaction()
        producer.produce(stage.topics[0], b"{}", partition=1)
        producer.commit_transaction(20)
    worker = stage.start("a")
    assert worker.wait(JOIN_SECONDS + 10) == CONSUMER_DEAD
    assert "offsets 1 to 1 are missing" in stage.log("a")


def test_many_producers_on_the_embedded_broker_leave_no_gap(embedded_stage: Stage) -> None:
    """It can show offset n + 1 before n: with several writers that happens, and the reader goes back."""
    stage = embedded_stage
    stage.start("a")
    stage.wait(lambda: stage.owned_by("a"))
    tp = TP(stage.topics[0], 0)

    def flood() -> None:
        producer = Producer(client_config(stage.settings) | {"linger.ms": 0, "batch.num.messages": 5})
        for _ in range(1000):
            producer.produce(tp.topic, b"{}", partition=tp.partition)
        assert producer.flush(60) == 0

    writers = [threading.Thread(target=flood) for _ in range(6)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    stage.written[tp] = 6 * 1000
    stage.wait(stage.all_handled)
    assert stage.repeated() == 0


class ShownLog:
    """Stands in for librdkafka: shows these offsets, and notes where a reader goes back to."""

    def __init__(self, topic: str, *offsets: int) -> None:
        self.shown = [Message(topic, 0, offset) for offset in offsets]
        self.sought: list[int] = []

    def poll(self, _seconds: float) -> Message | None:
        return self.shown.pop(0) if self.shown else None

    def consume(self, _records: int, _seconds: float) -> list[Message]:
        shown, self.shown = self.shown, []
        return shown

    def seek(self, place: TopicPartition) -> None:
        self.sought.append(place.offset)


class LogWithALateRecord(ShownLog):
    """Offset 2 becomes visible only after a reader has gone back twice."""

    def __init__(self) -> None:
        super().__init__("orders", 0, 1, 3, 4)

    def seek(self, place: TopicPartition) -> None:
        super().seek(place)
        self.shown = [Message("orders", 0, offset) for offset in ((3, 4) if len(self.sought) < 2 else (2, 3, 4))]


class Arrivals:
    def __init__(self) -> None:
        self.offsets: list[int] = []

    def arrived(self, records: Records) -> None:
        self.offsets += [record.offset() for record in records["orders"][0]]


def test_a_record_that_shows_late_is_read_again_in_its_place() -> None:
    arrivals, counters, log = Arrivals(), Counters(), LogWithALateRecord()
    reader = Poller({}, ["orders"], arrivals, counters)  # type: ignore[arg-type]
    reader._consumer = log  # type: ignore[assignment]
    reader._positions[TP("orders", 0)] = poller_module.Position(epoch=1, expected=0)
    for _ in range(4):
        reader._take()
    assert arrivals.offsets == [0, 1, 2, 3, 4]
    assert log.sought == [2, 2]
    assert counters.holes == 2


@pytest.mark.parametrize(
    ("topic", "offsets", "sought"), [("demand", [0, 3, 4, 9], []), ("orders", [0], [1])], ids=["compacted", "a log"]
)
def test_a_gap_is_right_in_a_topic_that_the_app_calls_compacted_and_a_hole_in_any_other(
    topic: str, offsets: list[int], sought: list[int]
) -> None:
    """Compaction has left the offsets 0, 3, 4 and 9; three are shown again. In either topic what was read before is
    dropped, and nothing is taken before the partition is started."""
    arrived: list[int] = []

    class Taken:
        def arrived(self, records: Records) -> None:
            arrived.extend(record.offset() for record in records[topic][0])

    counters, log = Counters(), ShownLog(topic, 0, 3, 3, 4, 9, 4, 9)
    reader = Poller({}, ["demand", "orders"], Taken(), counters, compacted={"demand"})  # type: ignore[arg-type]
    reader._consumer = log  # type: ignore[assignment]
    reader._positions[TP(topic, 0)] = poller_module.Position(epoch=1)
    reader._sort([Message(topic, 0, 7)])
    assert (arrived, log.sought) == ([], [])
    reader._positions[TP(topic, 0)].expected = 0
    reader._take()
    assert (arrived, log.sought) == (offsets, sought)


def test_a_topic_that_is_compacted_is_read_over_its_gaps_while_the_log_beside_it_is_not(kafka_stage: Stage) -> None:
    """The same markers that end a worker in a log are passed over where the app says so."""
    stage = kafka_stage
    compacted, log = stage.topics[1], stage.topics[0]
    producer = Producer(client_config(stage.settings) | {"transactional.id": stage.settings.prefix + "gap"})
    producer.init_transactions(20)

    def with_markers(topic: str) -> None:
        for _ in range(3):
            producer.begin_transaction()
            producer.produce(topic, b"{}", partition=1)
            producer.commit_transaction(20)

    with_markers(compacted)
    worker = stage.start("a", compacted=[compacted])
    stage.wait(lambda: stage.events("batch", topic=compacted, partition=1, last=4))
    assert sum(e["records"] for e in stage.events("batch", topic=compacted, partition=1)) == 3
    assert worker.poll() is None
    with_markers(log)
    assert worker.wait(JOIN_SECONDS + 10) == CONSUMER_DEAD
    assert f"{log}[1]: offsets 1 to 1 are missing" in stage.log("a")


async def test_a_backlog_of_packed_records_is_handed_over_in_pieces_that_the_loop_can_bear() -> None:
    """Twenty records of half a megabyte are twenty thousand commands: no batch holds all of them, none is lost."""
    tp = TP("orders", 0)
    partitions = Partitions(None, {})  # type: ignore[arg-type]
    partitions._open.add(tp)
    backlog = [Message(topic=tp.topic, partition=0, offset=n, value=b"x" * 500_000) for n in range(20)]
    partitions._arrived({tp.topic: {0: backlog[:12]}})
    partitions._arrived({tp.topic: {0: backlog[12:]}})
    batches = [partitions.arrivals.get_nowait() for _ in range(partitions.arrivals.qsize())]
    heaviest = weight_of(backlog[0])
    assert all(batch.weight < 2 * partitions_module.BATCH_WEIGHT + heaviest for batch in batches)
    assert [message.offset() for batch in batches for message in batch.value[0]] == list(range(20))
    assert len(batches) == 4
