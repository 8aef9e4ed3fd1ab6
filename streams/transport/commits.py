"""The offsets of a group's consumer on their way to the broker.

Any thread may want one committed; only the poll thread sends and hears of answers. Guarantees: of a partition the
highest offset wins; what the broker refused is tried again in the assignment it belongs to, and only there, because
another owner may be further. Does not belong here: which offset may be committed (the owner's).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from faust.types import TP

from streams.transport.counters import Counters

RETRY_SECONDS = 0.2
SYNCHRONOUS_TRIES = 3  # at a revocation: the group waits for us

log = logging.getLogger(__name__)


class Commits:
    """`epoch_of`: of the assignment in which a partition is ours, None if it is not; `judge`: ends the process at an
    error after which nothing can be committed any more; `beat`: we are alive."""

    def __init__(
        self, counters: Counters, epoch_of: Callable[[TP], int | None], judge: Callable[[KafkaError], None],
        beat: Callable[[], None],
    ) -> None:  # fmt: skip
        self._counters, self._epoch_of, self._judge, self._beat = counters, epoch_of, judge, beat
        self._lock = threading.Lock()  # guards _wanted
        self._wanted: dict[TP, int] = {}
        self._under_way: dict[TP, tuple[int, int]] = {}  # partition -> (epoch, offset)
        self._not_before = 0.0

    def want(self, offsets: dict[TP, int]) -> None:
        """For any thread: commit soon."""
        with self._lock:
            for tp, offset in offsets.items():
                if offset > self._wanted.get(tp, -1):
                    self._wanted[tp] = offset

    def take(self, tps: Collection[TP] | None = None) -> dict[TP, int]:
        """What is wanted of these partitions (None: of all), and is not from now on."""
        with self._lock:
            taken = list(self._wanted) if tps is None else [tp for tp in tps if tp in self._wanted]
            return {tp: self._wanted.pop(tp) for tp in taken}

    def send(self, consumer: Consumer) -> None:
        """Once a commit is answered, the next: whatever was wanted meanwhile."""
        if self._under_way or not self._wanted or time.monotonic() < self._not_before:
            return
        for tp, offset in self.take().items():
            if (epoch := self._epoch_of(tp)) is not None:
                self._under_way[tp] = epoch, offset
        if self._under_way:
            try:
                consumer.commit(
                    offsets=[TopicPartition(*tp, offset) for tp, (_, offset) in self._under_way.items()],
                    asynchronous=True,
                )
            except KafkaException as error:
                self.answered(error.args[0], [])

    def answered(self, error: KafkaError | None, partitions: list[TopicPartition]) -> None:
        """librdkafka's `on_commit`."""
        if error is None:
            refused = {TP(p.topic, p.partition) for p in partitions if p.error}
        else:
            self._judge(error)
            refused = set(self._under_way)
        sent, self._under_way = self._under_way, {}
        self._counters.commits += 1
        if refused:  # usual while the group rebalances
            self._counters.commits_refused += 1
            self._not_before = time.monotonic() + RETRY_SECONDS
            self.want({tp: at for tp, (epoch, at) in sent.items() if tp in refused and self._epoch_of(tp) == epoch})

    def now(self, consumer: Consumer, offsets: dict[TP, int]) -> None:
        """Synchronous. What stays refused is read again by the next owner, which costs time and nothing else."""
        why: object = None
        for _ in range(SYNCHRONOUS_TRIES if offsets else 0):
            self._beat()
            self._counters.commits += 1
            try:
                answer = consumer.commit(
                    offsets=[TopicPartition(*tp, offset) for tp, offset in offsets.items()], asynchronous=False
                )
                why = next((p.error for p in answer if p.error), None)
            except KafkaException as error:
                why = error
            if why is None:
                return
            self._counters.commits_refused += 1
            time.sleep(RETRY_SECONDS)
        if why is not None:
            log.warning("commit refused: %s; the next owner reads again from the last committed offset", why)
