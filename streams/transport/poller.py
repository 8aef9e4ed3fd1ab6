"""The one thread that owns the librdkafka consumer: it polls, checks contiguity and rebalances; it sends `Commits`.

Reads the logs and the group's committed offsets; writes committed offsets. Guarantees: records are handed on per
partition in offset order without a hole and without a repetition since the last start of the partition (of topics that
the app names as compacted: without a repetition; a hole is what compaction has left there); a partition is given up
only after its owner has closed it. Only this thread calls the consumer; the others hand it jobs, because
confluent-kafka makes them wait until `poll` returns and a loop that polls again at once would starve them.
"""

from __future__ import annotations

import logging
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Collection
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition
from faust.types import TP

from streams.settings import Settings, client_config
from streams.transport.commits import Commits
from streams.transport.counters import Counters
from streams.transport.failstop import CONSUMER_DEAD, die
from streams.transport.orphans import Orphans
from streams.transport.quiet import Quiet

POLL_SECONDS = 0.1  # a job waits at most this long on an idle log
IN_FLIGHT_RECORDS = 10_000  # handed on and not yet handled
WEIGHT_BYTES = 512
ROOM_SECONDS = 0.05  # between two looks at the jobs while there is no room for records
NETWORK_SECONDS = 2.0  # one blocking question to the broker
QUESTION_TRIES = 10  # for the committed offsets in a rebalance: 20 s
MAX_POLL_SECONDS = 60.0  # the longest batch or revocation
HOLE_SECONDS = 5.0  # how long a hole may stay before it counts as lost records
HOLE_BACKOFF_SECONDS = 0.01
RETRY_SECONDS = 0.2  # a start, or a question, that the broker did not answer
LATE_END_SECONDS = 2.0  # the embedded broker's end of a log can lag behind what it has acknowledged
SILENT_SECONDS = 60.0  # without any answer from the cluster
PROBE_SECONDS = 2.0  # between two questions while it is silent
# A member that leaves before its first assignment may be the leader; on the embedded broker it then stays the leader,
# and the group never gets an assignment again. So whoever stops while it joins waits for the join to end.
JOIN_SECONDS = 3.5
UNASSIGN_SECONDS = 2.5
QUIET_SECONDS = 0.05  # without a record or a callback: what was under way is over
AWAY_SECONDS = 1.0  # beyond the session: the broker looks at it now and then

FATAL_CODES = frozenset(
    {
        KafkaError._CRIT_SYS_RESOURCE,  # no memory for a thread: it would stand there without partitions for ever
        KafkaError._FATAL,
        KafkaError._FENCED,
        KafkaError._MAX_POLL_EXCEEDED,
        KafkaError.FENCED_INSTANCE_ID,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
    }
)
REGRESSED_CODES = frozenset({KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE})

log = logging.getLogger(__name__)
log.addFilter(Quiet())

Records = dict[str, dict[int, list[Message]]]  # topic -> partition -> records in offset order


class Events(Protocol):
    """What the poll thread reports, in the poll thread. Only `revoked` may block."""

    def assigned(self, partitions: dict[TP, tuple[int, int | None]]) -> None:
        """Partition -> (epoch of this assignment, committed offset). Paused until `Poller.start`."""

    def revoked(self, tps: set[TP], *, lost: bool) -> dict[TP, int]:
        """Close the partitions; returns the offsets to commit before they are given up."""

    def arrived(self, records: Records) -> None: ...

    def regressed(self, tp: TP, expected: int, why: str) -> None:
        """The log does not hold the offset that comes next. The partition is paused."""


@dataclass(slots=True)
class Position:
    """Where a partition of ours is read."""

    epoch: int
    expected: int = -1  # the next offset; -1: not started or halted, nothing is taken
    hole_since: float = 0.0


def consumer_config(settings: Settings, group: str) -> dict[str, Any]:
    """The librdkafka settings of the group's consumer, for either kind of broker."""
    config = client_config(settings)
    config |= {
        "group.id": group,
        "group.protocol": "classic",
        "partition.assignment.strategy": "cooperative-sticky",  # partitions that stay are never stopped
        "session.timeout.ms": settings.session_ms,
        "heartbeat.interval.ms": settings.session_ms // 4,
        "max.poll.interval.ms": int(MAX_POLL_SECONDS * 1000),
        "socket.timeout.ms": 10_000,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "error",  # a log shorter than our offset is a fault to be seen, not to be skipped
        # Without a wait librdkafka sends a thousand fetches a second at a low rate. The embedded broker answers with
        # what it has at once only if one byte is enough.
        "fetch.min.bytes": 1 if settings.embedded else 100_000,
        "fetch.wait.max.ms": 10 if settings.embedded else 5,
        "fetch.queue.backoff.ms": 10,  # 1000 by default: a partition whose queue was full would stall
        "queued.min.messages": 20_000,
        "queued.max.messages.kbytes": 32 * 1024,
    }
    if settings.instance_id:
        config["group.instance.id"] = settings.instance_id
    return config


def weight_of(record: Message) -> int:
    """What it takes of the room in flight: a small record 1, a packed one about as much as what is packed in it."""
    return 1 + len(record) // WEIGHT_BYTES


class Poller(threading.Thread):
    """Reads `topics` as a member of the group and reports to `events`."""

    def __init__(
        self,
        config: dict[str, Any],
        topics: list[str],
        events: Events,
        counters: Counters,
        orphans: Orphans | None = None,
        compacted: Collection[str] = (),
    ) -> None:
        super().__init__(name="poller", daemon=True)
        self.beat = time.monotonic()
        self._commits = Commits(counters, self._epoch_of, _judge, self._say_alive)
        self._config = config | {"error_cb": self._on_error, "on_commit": self._commits.answered}
        self._topics = topics
        self._events = events
        self._counters = counters
        self._in_flight = 0
        self._lock = threading.Condition()  # guards _in_flight and _jobs
        self._jobs: deque[Callable[[], None]] = deque()
        self._later: list[tuple[float, Callable[[], None]]] = []
        self._positions: dict[TP, Position] = {}
        self._epoch = 0
        self._silent_since = 0.0
        self._probe_at = 0.0
        self._orphans = orphans
        self._compacted = frozenset(compacted)
        self._all: set[TP] = set()  # partitions of our topics, as soon as somebody asked
        self._rejoin_at = 0.0
        self._closing = False
        self._joined = False  # the group has had an assignment for us, if only an empty one

    # ---- for any thread

    def release(self, weight: int) -> None:
        """Room for so much more."""
        with self._lock:
            self._in_flight -= weight
            self._lock.notify()

    def commit(self, offsets: dict[TP, int]) -> None:
        """Commit soon; the highest offset of a partition wins."""
        self._commits.want(offsets)

    def start_partition(self, tp: TP, epoch: int, offset: int) -> None:
        """Read from `offset` on, unless the partition was revoked since `epoch`."""
        self._hand(lambda: self._start(tp, epoch, offset, time.monotonic()))

    def halt(self, tp: TP) -> None:
        """Read nothing more of the partition, and keep it."""
        self._hand(lambda: self._halt(tp))

    def watermarks(self, tp: TP) -> Future[tuple[int, int]]:
        """(first offset, end) of the partition's log."""
        return self._ask(lambda: self._consumer.get_watermark_offsets(TopicPartition(*tp), timeout=NETWORK_SECONDS))

    def ends(self) -> Future[dict[TP, int]]:
        """Per partition of ours the end that the last fetch named, without a question; negative: none yet."""
        return self._ask(lambda: {
            tp: self._consumer.get_watermark_offsets(TopicPartition(*tp), cached=True)[1] for tp in self._positions
        })  # fmt: skip

    def committed(self, tp: TP) -> Future[dict[TP, int | None]]:
        return self._ask(lambda: self._committed([tp]))

    def leave(self, offsets: dict[TP, int]) -> Future[None]:
        """Commit `offsets`, leave the group and end the thread."""
        return self._ask(lambda: self._leave(offsets))

    def _hand(self, job: Callable[[], None]) -> None:
        with self._lock:
            self._jobs.append(job)
            self._lock.notify()

    def _ask(self, question: Callable[[], Any]) -> Future[Any]:
        future: Future[Any] = Future()

        def job() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(question())
            except Exception as error:  # noqa: BLE001 - handed to the asker
                future.set_exception(error)

        self._hand(job)
        return future

    # ---- the thread

    def run(self) -> None:
        try:
            self._consumer = Consumer(self._config, logger=log)
            self._join()
            while not self._closing:
                self._say_alive()
                self._run_jobs()
                if not self._closing:
                    self._commits.send(self._consumer)
                    self._probe()
                    self._adopt()
                    self._take()
        except BaseException:  # noqa: BLE001 - whatever it was, without this thread nothing is read
            die(CONSUMER_DEAD, "the poll thread failed\n" + traceback.format_exc())

    def _say_alive(self) -> None:
        self.beat = time.monotonic()

    def _epoch_of(self, tp: TP) -> int | None:
        position = self._positions.get(tp)
        return None if position is None else position.epoch

    def _join(self) -> None:
        self._rejoin_at = 0.0
        self._consumer.subscribe(
            self._topics, on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
        )

    def _adopt(self) -> None:
        """If partitions are long without an owner and it is our turn: stay away until the group has noticed, so that it
        shares out anew; then join again."""
        if self._rejoin_at:
            if time.monotonic() >= self._rejoin_at:
                self._join()
        elif self._orphans is not None and (nobodys := self._orphans.found(self._partitions)):
            log.warning("nobody has %s: leaving the group until it has shared out anew", _named(nobodys))
            self._consumer.unsubscribe()
            self._rejoin_at = time.monotonic() + self._config["session.timeout.ms"] / 1000 + AWAY_SECONDS

    def _partitions(self) -> set[TP]:
        """All partitions of our topics: there are never more of them later. None while no broker can be asked."""
        if not self._all:
            try:
                there = self._consumer.list_topics(timeout=NETWORK_SECONDS).topics
            except KafkaException:
                return set()
            self._all = {TP(t, p) for t in self._topics if t in there for p in there[t].partitions}
        return self._all

    def _run_jobs(self) -> None:
        now = time.monotonic()
        if self._later:
            due = [job for at, job in self._later if at <= now]
            self._later = [(at, job) for at, job in self._later if at > now]
            for job in due:
                job()
        while self._jobs and not self._closing:
            self._jobs.popleft()()

    def _take(self) -> None:
        with self._lock:
            room = IN_FLIGHT_RECORDS - self._in_flight
            if room <= 0:
                self._lock.wait(ROOM_SECONDS)
                return
        # poll() returns the first record at once; consume(n, t) alone would wait for n records or all of t.
        first = self._consumer.poll(POLL_SECONDS)
        if first is None:
            return
        self._sort([first, *self._consumer.consume(room - 1, 0)] if room > 1 else [first])

    def _sort(self, records: list[Message]) -> None:
        """Group the records, drop what is not expected, and hand the rest on."""
        sorted_: Records = {}
        holes: dict[TP, int] = {}
        taken = weight = 0
        run: tuple[str, int] | None = None
        position: Position | None = None
        partition_records: list[Message] = []
        for record in records:
            if (error := record.error()) is not None:
                self._record_error(record, error)
                continue
            if (key := (record.topic(), record.partition())) != run:  # records come in runs of one partition
                run = key
                position = self._positions.get(key)  # a TP is a tuple
                partition_records = sorted_.setdefault(key[0], {}).setdefault(key[1], [])
            offset = record.offset()
            if position is not None and (
                offset == position.expected or (0 <= position.expected < offset and key[0] in self._compacted)
            ):
                position.expected = offset + 1
                partition_records.append(record)
                taken += 1
                weight += weight_of(record)
            else:
                self._counters.records_dropped += 1
                if position is not None and 0 <= position.expected < offset:
                    holes.setdefault(TP(*key), offset)
        if taken:
            self._silent_since = 0.0
            self._counters.records_read += taken
            with self._lock:
                self._in_flight += weight
            kept = {topic: {p: batch for p, batch in of.items() if batch} for topic, of in sorted_.items()}
            for topic, of in kept.items():
                for partition in of:
                    self._positions[TP(topic, partition)].hole_since = 0.0
            self._events.arrived({topic: of for topic, of in kept.items() if of})
        for tp, offset in holes.items():
            self._read_again(tp, offset)

    def _read_again(self, tp: TP, offset: int) -> None:
        """The embedded broker can show an offset before the one below it; a reader that went on would lose that one."""
        position = self._positions[tp]
        now = time.monotonic()
        self._counters.holes += 1
        position.hole_since = position.hole_since or now
        if now - position.hole_since > HOLE_SECONDS:
            die(CONSUMER_DEAD, f"{tp.topic}[{tp.partition}]: offsets {position.expected} to {offset - 1} are missing")
        time.sleep(HOLE_BACKOFF_SECONDS)
        self._consumer.seek(TopicPartition(tp.topic, tp.partition, position.expected))

    # ---- partitions

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._joined = True
        self._counters.rebalances += 1
        tps = [TP(p.topic, p.partition) for p in partitions]
        if self._closing or not tps:
            consumer.incremental_assign(partitions)
            self._events.assigned({})
            return
        committed = self._committed(tps)
        found: dict[TP, tuple[int, int | None]] = {}
        for tp in tps:
            self._epoch += 1
            self._positions[tp] = Position(self._epoch)
            found[tp] = (self._epoch, committed[tp])
        assigned = [TopicPartition(*tp, OFFSET_BEGINNING if at is None else at) for tp, at in committed.items()]
        consumer.incremental_assign(assigned)
        consumer.pause(assigned)
        self._events.assigned(found)

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        tps = {TP(p.topic, p.partition) for p in partitions}
        if not self._closing:
            for tp in tps:
                self._positions.pop(tp, None)
            offsets = self._events.revoked(tps, lost=False)
            self._commits.now(self._consumer, _further(offsets, self._commits.take(tps)))
        consumer.incremental_unassign(partitions)

    def _on_lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        tps = {TP(p.topic, p.partition) for p in partitions}
        for tp in tps:
            self._positions.pop(tp, None)
        self._commits.take(tps)  # not ours to commit any more
        if not self._closing:
            self._events.revoked(tps, lost=True)
        consumer.incremental_unassign(partitions)

    def _committed(self, tps: list[TP]) -> dict[TP, int | None]:
        for left in reversed(range(QUESTION_TRIES)):
            try:
                answer = self._consumer.committed([TopicPartition(*tp) for tp in tps], timeout=NETWORK_SECONDS)
                if failed := [p.error for p in answer if p.error]:
                    raise KafkaException(failed[0])
                return {TP(p.topic, p.partition): p.offset if p.offset >= 0 else None for p in answer}
            except KafkaException as error:
                if not left:
                    raise
                log.warning("the committed offsets cannot be read: %s", error)
                self._say_alive()
                time.sleep(RETRY_SECONDS)
        raise AssertionError("unreachable")

    def _start(self, tp: TP, epoch: int, offset: int, since: float) -> None:
        position = self._positions.get(tp)
        if position is None or position.epoch != epoch:
            return
        waited = time.monotonic() - since
        try:
            low, end = self._consumer.get_watermark_offsets(TopicPartition(*tp), timeout=NETWORK_SECONDS)
            if offset == OFFSET_BEGINNING:
                offset = low
            if low <= offset <= end:
                self._consumer.seek(TopicPartition(tp.topic, tp.partition, offset))
                self._consumer.resume([TopicPartition(*tp)])
                position.expected = offset
                position.hole_since = 0.0
                return
            if waited > LATE_END_SECONDS:
                self._regress(tp, offset, f"the log begins at {low} and ends before {end}")
                return
        except KafkaException as error:
            if waited > SILENT_SECONDS:
                die(CONSUMER_DEAD, f"{tp.topic}[{tp.partition}] cannot be started: {error}")
        self._later.append((time.monotonic() + RETRY_SECONDS, lambda: self._start(tp, epoch, offset, since)))

    def _halt(self, tp: TP) -> None:
        if (position := self._positions.get(tp)) is not None:
            position.expected = -1
            self._consumer.pause([TopicPartition(*tp)])

    def _regress(self, tp: TP, expected: int, why: str) -> None:
        self._halt(tp)
        self._events.regressed(tp, expected, why)

    def _leave(self, offsets: dict[TP, int]) -> None:
        last = _further(offsets, self._commits.take())
        self._commits.now(self._consumer, {tp: offset for tp, offset in last.items() if tp in self._positions})
        self._closing = True  # the callbacks find everything closed
        until = time.monotonic() + JOIN_SECONDS
        while not self._joined and time.monotonic() < until:
            self._consumer.poll(POLL_SECONDS)
        if "group.instance.id" not in self._config:  # a static member stays one until it is replaced
            self._unassign()
        self._consumer.close()

    def _unassign(self) -> None:
        """Give all partitions up, and hear of every rebalance that was under way, while the group still answers: a
        callback that `close` finds waiting can ask a group that has ended, for ever and with Python's lock
        (librdkafka's issue 4884)."""
        until = time.monotonic() + UNASSIGN_SECONDS
        self._consumer.unsubscribe()
        while self._consumer.poll(QUIET_SECONDS) is not None or self._consumer.assignment():
            if time.monotonic() > until:
                return

    # ---- errors

    def _record_error(self, record: Message, error: KafkaError) -> None:
        if error.code() in REGRESSED_CODES and record.topic() is not None:
            tp = TP(record.topic(), record.partition())
            position = self._positions.get(tp)
            if position is not None and position.expected >= 0:
                self._regress(tp, position.expected, error.str())
        else:
            self._on_error(error)

    def _on_error(self, error: KafkaError) -> None:
        _judge(error)
        log.warning("consumer: %s: %s", error.name(), error.str())
        self._silent_since = self._silent_since or time.monotonic()

    def _probe(self) -> None:
        """After a transport error nothing tells us that the cluster is back, so ask it."""
        now = time.monotonic()
        if not self._silent_since or now < self._probe_at:
            return
        self._probe_at = now + PROBE_SECONDS
        try:
            self._consumer.list_topics(timeout=PROBE_SECONDS / 2)  # naming a topic would make it on the embedded broker
            self._silent_since = 0.0
        except KafkaException as error:
            if now - self._silent_since > SILENT_SECONDS:
                die(CONSUMER_DEAD, f"no answer from the cluster for {SILENT_SECONDS:.0f} s: {error}")


def _judge(error: KafkaError) -> None:
    if error.fatal() or error.code() in FATAL_CODES:
        die(CONSUMER_DEAD, f"consumer: {error.name()}: {error.str()}")


def _further(offsets: dict[TP, int], others: dict[TP, int]) -> dict[TP, int]:
    """Per partition the higher of both."""
    return offsets | {tp: max(offset, offsets.get(tp, -1)) for tp, offset in others.items()}


def _named(tps: set[TP]) -> str:
    return ", ".join(f"{tp.topic}[{tp.partition}]" for tp in sorted(tps))
