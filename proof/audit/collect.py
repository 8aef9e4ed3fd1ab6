"""Brings an audit its records from a broker, while traffic flows: where to cut, and every topic once.

Reads any topic and the workers' committed offsets; writes nothing, joins no group. Guarantees: an offset is committed
only after everything said about the records before it is acknowledged; so what stands before a cut that is committed
must be there, and what comes after is in flight. Does not belong here: judging (`core`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from confluent_kafka import Consumer, KafkaException, TopicPartition

from proof.audit.seen import (
    DEAD_LETTERS,
    ORDER_CHANGELOG,
    ORDER_STATUS,
    ORDERS,
    RESERVATIONS,
    STOCK_CHANGELOG,
    STOCK_LEVELS,
    WAREHOUSE,
    Cut,
    Seen,
)
from streams.ends import bounds, is_contiguous, open_consumer
from streams.reader import ReadError, read_to_end
from streams.settings import Settings

LOGS = (ORDERS, WAREHOUSE)
TOPICS = (*LOGS, STOCK_CHANGELOG, ORDER_CHANGELOG, STOCK_LEVELS, ORDER_STATUS, RESERVATIONS, DEAD_LETTERS)
ASK_SECONDS = 10.0
AGAIN_SECONDS = 0.1
_Ends = dict[tuple[str, int], int]


def cut(settings: Settings, group: str, settle_seconds: float) -> Cut:
    """Three cuts, each a moment after the one before; waits at most twice `settle_seconds` for the workers."""
    consumer = open_consumer(settings, {"group.id": settings.prefix + group})
    try:
        settled, still = _handled(consumer, settings, settle_seconds)
        sure, _ = _handled(consumer, settings, settle_seconds)
        committed = _committed(consumer, settings, list(sure))
        still = {place: offset for place, offset in still.items() if committed[place] == offset}
    finally:
        consumer.close()
    # The order log last: whatever an order asked of stock before the stock log's end, its own records are read.
    end = {place: max(offset, committed.get(place, 0)) for place, offset in _ends(settings).items()}
    return Cut(settled, sure, end, still)


def source(settings: Settings, where: Cut, on_read: Callable[[int], None]) -> Callable[[str], Iterator[Seen]]:
    """Reads a topic from its first record; both logs up to the cut, everything else up to now."""

    def read(topic: str) -> Iterator[Seen]:
        ends = {p: offset for (t, p), offset in where.end.items() if t == topic}
        for batch in read_to_end(settings, topic, contiguous=is_contiguous(settings, topic)):
            for message in batch:
                partition, offset = message.partition(), message.offset()
                if ends and offset >= ends.get(partition, 0):
                    continue
                yield Seen(
                    topic, partition, offset, message.timestamp()[1], message.key(), message.value(), message.headers()
                )
            on_read(len(batch))

    return read


def size(settings: Settings) -> int:
    """How many records there are to read, roughly."""
    return sum(high - low for topic in TOPICS for low, high in bounds(settings, topic).values())


def _handled(consumer: Consumer, settings: Settings, seconds: float) -> tuple[_Ends, _Ends]:
    """(how far the logs, as they are now, are handled; the partitions that stood still before that)."""
    ends = _ends(settings)
    until = time.monotonic() + seconds
    first = committed = _committed(consumer, settings, list(ends))
    while any(committed[place] < end for place, end in ends.items()) and time.monotonic() < until:
        time.sleep(AGAIN_SECONDS)
        committed = _committed(consumer, settings, list(ends))
    still = {x: committed[x] for x, end in ends.items() if committed[x] < end and committed[x] == first[x]}
    return {place: min(end, committed[place]) for place, end in ends.items()}, still


def _ends(settings: Settings) -> _Ends:
    return {(topic, p): high for topic in (WAREHOUSE, ORDERS) for p, (_, high) in bounds(settings, topic).items()}


def _committed(consumer: Consumer, settings: Settings, places: list[tuple[str, int]]) -> _Ends:
    parts = [TopicPartition(settings.prefix + topic, partition) for topic, partition in places]
    try:
        found = consumer.committed(parts, timeout=ASK_SECONDS)
    except KafkaException as error:
        raise ReadError(f"the workers' offsets cannot be read: {error.args[0].str()}") from error
    cut_off = len(settings.prefix)
    return {(part.topic[cut_off:], part.partition): max(part.offset, 0) for part in found}
