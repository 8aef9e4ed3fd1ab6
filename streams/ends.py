"""Where topics begin and end, which partitions they have, and whether their offsets are contiguous.

Reads: metadata and offsets. Writes: nothing. Names are the catalogue's; the prefix of the settings is added here.
Guarantees: an end is the offset after the last acknowledged record, on both brokers. Does not belong here: records.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from streams.settings import Settings, client_config
from streams.topics import topic as catalogue_topic

ASK_SECONDS = 10.0  # metadata and watermarks
# The embedded broker answers a fetch that found nothing only after this wait, so a short one means low latency. But it
# needs about 2.5 us per batch of the partition, and a fetch that is not done in time answers with nothing, again and
# again: with 10 ms no partition of more than about 8,000 batches can be read. Readers grow it when that happens.
QUICK_MS = 10
PATIENT_MS = 5_000
# A reader that learns, while its broker starts again, that no partition has a leader closes its connections and asks
# again only at the next refresh: five minutes by default, in which a view stands still without a word.
REFRESH_MS = 3_000
# For who stays and tells by itself that a broker is away: librdkafka says it some fifty times a second. Who asks once
# may end for another reason, which librdkafka alone tells (no descriptors, no memory).
QUIET: dict[str, object] = {"log_level": 2}
NOTHING: Mapping[str, object] = {}
_NO_LEADER_YET = {
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._UNKNOWN_PARTITION,
}

Place = tuple[str, int]  # (topic, partition)


class ReadError(Exception):
    """The topic cannot be read on from here. The message names topic, partition and offset."""


class ReadStalled(ReadError):
    """No answer, or no progress towards the end, within a named limit."""


class HoleInLog(ReadError):
    """A record is missing where offsets are contiguous."""


def is_contiguous(settings: Settings, topic: str) -> bool:
    """Whether a gap between offsets means a record that is not visible yet.

    The embedded broker never compacts; Kafka may, and its delete retention only ever cuts the front.
    """
    return settings.embedded or "compact" not in catalogue_topic(topic).cleanup


def partitions_of(settings: Settings, topic: str, more: Mapping[str, object] = NOTHING) -> list[int]:
    """The partitions of a topic; `ReadError` if it does not exist. `more`: of librdkafka's settings, here and below."""
    consumer = open_consumer(settings, more)
    try:
        return _partitions(consumer, settings.prefix + topic)
    finally:
        consumer.close()


def last_offsets(settings: Settings, topic: str) -> dict[int, int]:
    """Per partition the offset after the last record."""
    return {partition: high for partition, (_, high) in bounds(settings, topic).items()}


def bounds(
    settings: Settings, topic: str, partitions: Iterable[int] | None = None, more: Mapping[str, object] = NOTHING
) -> dict[int, tuple[int, int]]:
    """Per partition the offset of the first record and the one after the last."""
    consumer = open_consumer(settings, more)
    name = settings.prefix + topic
    try:
        # Asked first in any case: a question for offsets that comes before the connection stands waits 0.7 s.
        there = _partitions(consumer, name)
        parts = [TopicPartition(name, p) for p in (there if partitions is None else partitions)]
        found = {part.partition: _watermarks(consumer, part) for part in parts}
        if not settings.embedded:
            return found
        # The embedded broker's list of offsets names the FIRST record of the last batch; a fetch names the end.
        consumer.assign([TopicPartition(name, p, high) for p, (_, high) in found.items()])
        _await_fetch(consumer, parts)
        seen = seen_ends(consumer, parts)
        return {p: (low, max(high, seen[name, p])) for p, (low, high) in found.items()}
    finally:
        consumer.close()


def open_consumer(settings: Settings, more: Mapping[str, object]) -> Consumer:
    """A consumer to assign partitions to; it reports their ends."""
    config = client_config(settings) | {
        "group.id": "smokehouse-reader",  # librdkafka wants one; assign neither joins nor commits
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "enable.partition.eof": True,
        "fetch.wait.max.ms": QUICK_MS if settings.embedded else 50,
        "fetch.message.max.bytes": 4 << 20,
        "fetch.queue.backoff.ms": 10,  # 1000 by default stalls a partition whose queue was full
        "queued.min.messages": 50_000,
        "queued.max.messages.kbytes": 32 << 10,
        "log.connection.close": False,
        "topic.metadata.refresh.interval.ms": REFRESH_MS,
    }
    return Consumer(config | dict(more))


def _partitions(consumer: Consumer, name: str) -> list[int]:
    try:
        # All topics are asked for: naming one that is not there would make it on the embedded broker.
        found = consumer.list_topics(timeout=ASK_SECONDS).topics.get(name)
    except KafkaException as error:
        raise ReadError(f"{name}: the broker does not answer: {error.args[0].str()}") from error
    if found is None or found.error is not None or not found.partitions:
        raise ReadError(f"{name}: no such topic (`smokehouse topics apply` makes it)")
    return sorted(found.partitions)


def seen_ends(consumer: Consumer, parts: Iterable[TopicPartition]) -> dict[Place, int]:
    """Per partition (named as on the broker) the end that the last fetch named; negative: none yet."""
    return {(part.topic, part.partition): consumer.get_watermark_offsets(part, cached=True)[1] for part in parts}


def _watermarks(consumer: Consumer, part: TopicPartition) -> tuple[int, int]:
    until = time.monotonic() + ASK_SECONDS
    while True:
        try:
            return consumer.get_watermark_offsets(part, timeout=ASK_SECONDS)
        except KafkaException as error:
            reason: KafkaError = error.args[0]
            # A topic made a moment ago has no leader yet.
            if (not reason.retriable() and reason.code() not in _NO_LEADER_YET) or time.monotonic() > until:
                raise ReadError(f"{part.topic}/{part.partition}: {reason.str()}") from error
            time.sleep(0.05)


def _await_fetch(consumer: Consumer, parts: list[TopicPartition]) -> None:
    """Until a fetch of every partition has named its end."""
    until = time.monotonic() + ASK_SECONDS
    while any(end < 0 for end in seen_ends(consumer, parts).values()):
        if time.monotonic() > until:
            raise ReadStalled(f"{parts[0].topic}: no fetch answered within {ASK_SECONDS:.0f} s")
        consumer.poll(0.005)
