"""Which partitions this forecaster looks after: those it was given, or its share in the group.

Reads metadata and group assignments; writes the group's committed offsets of what was read. Guarantees: with the group,
every partition has one forecaster as long as one lives; a partition given by hand is nobody else's business.
The group only shares out work: its client stays paused, reading is `streams.reader`'s (from the beginning, because the
topics are compacted and therefore bounded; the embedded broker's holes are handled there). Its offsets serve one
purpose: an unreadable record is reported once, not again at each restart.
Does not belong here: records.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from streams.reader import Place
from streams.settings import Settings, client_config
from streams.topics import DEMAND, FORECAST_ALERTS, FORECASTS, PLANNING, REORDERS, STOCK_LEVELS

GROUP = "smokehouse-forecast"
READ = (DEMAND.name, STOCK_LEVELS.name, REORDERS.name, FORECAST_ALERTS.name)
PLANS: Place = (PLANNING.name, 0)  # everybody reads all of it; who has partition 0 answers for what is unreadable in it
TOPICS_SECONDS = 30.0  # `up` makes the topics while the forecaster starts
ASK_SECONDS = 5.0
BROKER_LOST_SECONDS = 60.0  # then the process ends and whoever supervises it decides
BROKER_ASK_SECONDS = 1.0  # short: a stop must not wait for a broker that is gone


class NotOurs(Exception):
    """The group, the topics or the broker cannot be used. The message says what to do."""


class Ownership:
    """`poll` often: it keeps the membership alive and returns the partitions that are ours now."""

    def __init__(self, settings: Settings, given: Collection[int] | None) -> None:
        self._prefix = settings.prefix
        self._owned: set[int] = set(given or ())
        self._fatal: KafkaError | None = None
        self._lost_at: float | None = None
        config = client_config(settings) | {
            "group.id": settings.prefix + GROUP,
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "latest",
            "partition.assignment.strategy": "cooperative-sticky",
            "session.timeout.ms": settings.session_ms,
            "heartbeat.interval.ms": settings.session_ms // 4,
            "max.poll.interval.ms": 300_000,
            "error_cb": self._note_error,
            "log_level": 2,  # each failed connection is an error to `error_cb` already
            "log.connection.close": False,
        }
        if settings.instance_id:
            config["group.instance.id"] = settings.instance_id
        self._consumer = Consumer(config)
        if given is None:
            self._consumer.subscribe(
                [settings.prefix + DEMAND.name],
                on_assign=self._assigned,
                on_revoke=self._revoked,
                on_lost=self._revoked,
            )

    def poll(self) -> frozenset[int]:
        self._consumer.poll(0)  # paused: serves callbacks, brings no records
        if self._fatal is not None:
            raise NotOurs(f"the group {GROUP} let this forecaster go: {self._fatal.str()}")
        if self._lost_at is not None and time.monotonic() - self._lost_at > BROKER_LOST_SECONDS:
            self._expect_broker()
        return frozenset(self._owned)

    def wait_for_topics(self, give_up: float = TOPICS_SECONDS) -> int:
        """The partition count that all our topics share, once they are there."""
        shared = [self._prefix + name for name in (*READ, FORECASTS.name)]
        wanted = [*shared, self._prefix + PLANNING.name]
        until = time.monotonic() + give_up
        while True:
            try:
                # All topics, not one by name: the embedded broker makes a topic that is asked for by name.
                found = self._consumer.list_topics(timeout=ASK_SECONDS).topics
            except KafkaException as error:
                found, missing = {}, error.args[0].str()
            else:
                missing = ", ".join(name for name in wanted if name not in found)
            if not missing:
                break
            if time.monotonic() > until:
                raise NotOurs(f"not there after {give_up:.0f} s: {missing} (`smokehouse topics apply` makes topics)")
            time.sleep(0.2)
        counts = {name: len(found[name].partitions) for name in shared}
        if len(set(counts.values())) > 1:
            raise NotOurs(f"these topics must have the same number of partitions: {counts}")
        return counts[shared[0]]

    def reported(self, places: Collection[Place]) -> dict[Place, int]:
        """Per place the offset up to which unreadable records are reported already."""
        parts = [TopicPartition(self._prefix + topic, partition) for topic, partition in places]
        try:
            found = self._consumer.committed(parts, timeout=ASK_SECONDS)
        except KafkaException:
            return {}  # reporting twice is better than not at all
        cut = len(self._prefix)
        return {(part.topic[cut:], part.partition): part.offset for part in found if part.offset >= 0}

    def report(self, positions: Mapping[Place, int]) -> None:
        """Note how far unreadable records are reported; a refused note costs a second report, nothing else."""
        parts = [TopicPartition(self._prefix + topic, p, offset) for (topic, p), offset in positions.items()]
        try:
            self._consumer.commit(offsets=parts, asynchronous=True)
        except KafkaException:
            return

    def close(self) -> None:
        self._consumer.close()

    def _assigned(self, consumer: Consumer, parts: list[TopicPartition]) -> None:
        consumer.incremental_assign(parts)
        consumer.pause(parts)
        self._owned |= {part.partition for part in parts}

    def _revoked(self, consumer: Consumer, parts: list[TopicPartition]) -> None:
        consumer.incremental_unassign(parts)
        self._owned -= {part.partition for part in parts}

    def _expect_broker(self) -> None:
        """It was gone a while ago; librdkafka does not say when it comes back."""
        try:
            self._consumer.list_topics(timeout=BROKER_ASK_SECONDS)
        except KafkaException as error:
            raise NotOurs(f"no broker answers for {BROKER_LOST_SECONDS:.0f} s") from error
        self._lost_at = None

    def _note_error(self, error: KafkaError) -> None:
        if error.fatal():
            self._fatal = error
        elif error.code() == KafkaError._ALL_BROKERS_DOWN and self._lost_at is None:
            self._lost_at = time.monotonic()
