"""How far unreadable records are reported already: notes at the broker, so that a restart does not say them again.

Reads and writes the committed offsets of `smokehouse-forecast-reported`, a group that nobody ever joins. The group
that shares out `demand` cannot hold them: it takes offsets from its members alone, and only of what they are assigned,
while these are of five topics, and of forecasters without a group as well.
Guarantees: a note that is lost or refused costs a second report, never a missing one; a broker that is gone for
`BROKER_LOST_SECONDS` is told by `NotThere`. One thread uses it. Does not belong here: what is unreadable.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from forecasting.sources import ASK_SECONDS, NotThere
from streams.reader import Place
from streams.settings import Settings, client_config

GROUP = "smokehouse-forecast-reported"
BROKER_LOST_SECONDS = 50.0  # then the process ends and whoever supervises it decides; sooner than the transport says so
BROKER_ASK_SECONDS = 1.0  # short: a stop must not wait for a broker that is gone


class Reported:
    """Call `expect_broker` often."""

    def __init__(self, settings: Settings) -> None:
        self._prefix = settings.prefix
        self._lost_at: float | None = None
        self._consumer = Consumer(
            client_config(settings)
            | {
                "group.id": settings.prefix + GROUP,
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "error_cb": self._note_error,
                "log_level": 2,  # each failed connection is an error to `error_cb` already
                "log.connection.close": False,
            }
        )

    def up_to(self, places: Collection[Place]) -> dict[Place, int]:
        """Per place the offset up to which it is reported; places of which nothing is noted are left out."""
        parts = [TopicPartition(self._prefix + topic, partition) for topic, partition in places]
        try:
            found = self._consumer.committed(parts, timeout=ASK_SECONDS)
        except KafkaException:
            return {}  # reporting twice is better than not at all
        cut = len(self._prefix)
        return {(part.topic[cut:], part.partition): part.offset for part in found if part.offset >= 0}

    def note(self, positions: Mapping[Place, int]) -> None:
        """Everything before these offsets is reported, and acknowledged."""
        parts = [TopicPartition(self._prefix + topic, p, offset) for (topic, p), offset in positions.items()]
        try:
            self._consumer.commit(offsets=parts, asynchronous=True)
        except KafkaException:
            return

    def expect_broker(self) -> None:
        """`NotThere` if no broker answers for long. librdkafka does not say when one comes back, so it is asked."""
        self._consumer.poll(0)  # nothing is assigned: serves callbacks, brings no records
        if self._lost_at is None or time.monotonic() - self._lost_at < BROKER_LOST_SECONDS:
            return
        try:
            self._consumer.list_topics(timeout=BROKER_ASK_SECONDS)
        except KafkaException as error:
            raise NotThere(f"no broker answers for {BROKER_LOST_SECONDS:.0f} s") from error
        self._lost_at = None

    def close(self) -> None:
        self._consumer.close()

    def _note_error(self, error: KafkaError) -> None:
        if error.code() == KafkaError._ALL_BROKERS_DOWN and self._lost_at is None:
            self._lost_at = time.monotonic()
