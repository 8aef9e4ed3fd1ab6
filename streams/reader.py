"""Reads topics without a group: for recovery, read views, audit and the command line.

Reads: any topic, from given offsets, to its end or for ever. Writes: nothing, commits nothing.
Topic names are the catalogue's; the prefix of the settings is added here and nowhere above.
Guarantees: every record from the start on, per partition in order, none twice; where offsets must be contiguous a
record that is not visible yet is waited for (the embedded broker can show offset n+1 before n), and a hole that stays
is an error, never skipped. Compacted logs and control records end a read like any other (the broker's end-of-partition
event, not a count of records). One thread uses one reader. Does not belong here: what records mean.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

from confluent_kafka import KafkaError, KafkaException, Message, TopicPartition

from streams.ends import (
    NOTHING,
    PATIENT_MS,
    QUICK_MS,
    QUIET,
    HoleInLog,
    Place,
    ReadError,
    ReadStalled,
    bounds,
    is_contiguous,
    last_offsets,
    open_consumer,
    partitions_of,
    seen_ends,
)  # fmt: skip
from streams.settings import Settings

__all__ = [
    "Follower", "HoleInLog", "Place", "ReadError", "ReadStalled", "bounds", "follow", "is_contiguous", "last_offsets",
    "partitions_of", "read_to_end",
]  # fmt: skip

BATCH_RECORDS = 10_000
STALL_SECONDS = 20.0  # a read to the end that gets nothing for so long has lost its broker
STARVED_SECONDS = 1.0  # behind and given nothing for so long: fetches end before they find anything
ANSWER_SECONDS = 3.0
HOLE_SECONDS = 10.0  # a record that is not visible after so long is missing

# Errors of one moment: librdkafka goes on by itself, and the limits above name the end of patience.
_PASSING = {KafkaError._TRANSPORT, KafkaError._TIMED_OUT, KafkaError._ALL_BROKERS_DOWN, KafkaError._RESOLVE}


class Follower:
    """Reads partitions on and on. `poll` returns what has arrived; `positions` is where it stands."""

    def __init__(
        self, settings: Settings, places: Mapping[Place, int], contiguous: Mapping[str, bool], wait_ms: int = QUICK_MS,
        more: Mapping[str, object] = NOTHING,
    ) -> None:  # fmt: skip
        self._settings = settings
        self._prefix = settings.prefix
        self._next = {(self._prefix + topic, partition): offset for (topic, partition), offset in places.items()}
        self._checked = {self._prefix + topic for topic, checked in contiguous.items() if checked}
        self._holes: dict[Place, float] = {}  # since when the record at the position is not visible
        self._wait_ms = wait_ms
        self._more = dict(more)
        self.first_ends: dict[Place, int] = {}  # as of `follow`
        self._open()

    def _open(self) -> None:
        # A contiguous log that starts later than asked has lost records; others may be trimmed or compacted.
        wait = {"fetch.wait.max.ms": self._wait_ms} if self._settings.embedded else {}
        reset = "error" if self._checked else "earliest"
        self._consumer = open_consumer(self._settings, self._more | wait | {"auto.offset.reset": reset})
        self._consumer.assign([TopicPartition(topic, p, offset) for (topic, p), offset in self._next.items()])
        self._moved = time.monotonic()

    def poll(self, timeout: float) -> list[Message]:
        """Up to 10,000 records; waits at most `timeout` seconds for the first. Empty: nothing new."""
        first = self._consumer.poll(timeout)
        if first is None:
            self._grow_wait_if_starved()
            return []
        self._moved = time.monotonic()
        # consume(n, t) waits for n records or all of t; with 0 it takes what is there.
        found = [first, *self._consumer.consume(BATCH_RECORDS - 1, 0)]
        fresh: list[Message] = []
        back: set[Place] = set()
        position, checked = self._next, self._checked
        for message in found:
            place = (message.topic(), message.partition())
            if message.error() is not None:
                if self._is_end(message) and place not in back:
                    position[place] = max(position[place], message.offset())
                continue
            offset, expected = message.offset(), position[place]
            if offset != expected and (offset < expected or place[0] in checked):
                if offset > expected:
                    back.add(place)
                continue
            position[place] = offset + 1
            fresh.append(message)
        for place in back:
            self._seek_back(place)
        for message in fresh if self._holes else ():
            self._holes.pop((message.topic(), message.partition()), None)
        return fresh

    def is_answered(self) -> bool:
        """Whether the broker answers now; asks it, and waits at most `ANSWER_SECONDS`."""
        try:
            self._consumer.list_topics(timeout=ANSWER_SECONDS)
        except KafkaException:
            return False
        return True

    def positions(self) -> dict[Place, int]:
        """Per partition the offset of the next record."""
        return {(topic[len(self._prefix) :], p): offset for (topic, p), offset in self._next.items()}

    def ends(self) -> dict[Place, int]:
        """Per partition the offset after the last record, asked now. `ReadError` if the broker does not answer."""
        topics = {topic[len(self._prefix) :] for topic, _ in self._next}
        found = {topic: last_offsets(self._settings, topic) for topic in topics}
        return {(topic, p): max(found[topic][p], at) for (topic, p), at in self.positions().items()}

    def seen_ends(self) -> dict[Place, int]:
        """As `ends`, as of the last fetches: costs nothing, and does not notice a broker that is gone."""
        seen, cut = self._seen_ends(), len(self._prefix)
        return {(topic[cut:], p): max(end, self._next[topic, p]) for (topic, p), end in seen.items()}

    def _seen_ends(self) -> dict[Place, int]:
        return seen_ends(self._consumer, [TopicPartition(topic, p) for topic, p in self._next])

    def _grow_wait_if_starved(self) -> None:
        """On the embedded broker a wait that is too short for the number of batches gets nothing, for ever."""
        starved = time.monotonic() - self._moved > STARVED_SECONDS + self._wait_ms / 1000
        if not starved or not self._settings.embedded or self._wait_ms >= PATIENT_MS:
            return
        self._moved = time.monotonic()
        if any(end > self._next[place] for place, end in self._seen_ends().items()):
            self._consumer.close()
            self._wait_ms = min(self._wait_ms * 4, PATIENT_MS)
            self._open()

    def close(self) -> None:
        self._consumer.close()

    def _is_end(self, message: Message) -> bool:
        """Its offset is then the next one fetched: past compacted and control records."""
        error, place = message.error(), (message.topic(), message.partition())
        if error.code() == KafkaError._PARTITION_EOF:
            return place not in self._holes
        if error.retriable() or error.code() in _PASSING:
            return False
        raise ReadError(f"{place[0]}/{place[1]} at offset {self._next.get(place)}: {error.str()}")

    def _seek_back(self, place: Place) -> None:
        since = self._holes.setdefault(place, time.monotonic())
        if time.monotonic() - since > HOLE_SECONDS:
            raise HoleInLog(f"{place[0]}/{place[1]}: offset {self._next[place]} is missing, later ones are there")
        time.sleep(0.002)  # usually visible within a millisecond
        self._consumer.seek(TopicPartition(*place, self._next[place]))


def read_to_end(
    settings: Settings, topic: str, partitions: Iterable[int] | None = None, start: Mapping[int, int] | None = None,
    *, contiguous: bool, more: Mapping[str, object] = NOTHING,
) -> Iterator[list[Message]]:  # fmt: skip
    """The records of `topic` from `start` (default: the first) to the end as of now, in batches of up to 10,000."""
    known = bounds(settings, topic, partitions, more)
    places = {(topic, p): max((start or {}).get(p, low), 0) for p, (low, _) in known.items()}
    for (_, p), offset in places.items():
        if contiguous and not known[p][0] <= offset <= known[p][1]:
            raise ReadError(f"{topic}/{p}: offset {offset} lies outside the log ({known[p][0]} to {known[p][1]})")
    open_ends = {(topic, p): known[p][1] for (_, p), offset in places.items() if offset < known[p][1]}
    if not open_ends:
        return
    follower = Follower(settings, {place: places[place] for place in open_ends}, {topic: contiguous}, PATIENT_MS, more)
    try:
        quiet_since = time.monotonic()
        while open_ends:
            batch = follower.poll(0.1)
            positions = follower.positions()
            reached = [place for place, end in open_ends.items() if positions[place] >= end]
            for place in reached:
                del open_ends[place]
            if batch or reached:
                # What arrived after the call is not part of it: a caller sees one state, however long it reads.
                yield [m for m in batch if m.offset() < known[m.partition()][1]]
                quiet_since = time.monotonic()
            elif time.monotonic() - quiet_since > STALL_SECONDS:
                raise ReadStalled(f"{topic}: no progress for {STALL_SECONDS:.0f} s, not at the end of {open_ends}")
    finally:
        follower.close()


def follow(
    settings: Settings,
    topics: Iterable[str],
    start: Literal["beginning", "end"] | Mapping[Place, int] = "beginning",
) -> Follower:
    """A follower of all partitions of `topics`; a mapping gives offsets, partitions it lacks start at the first."""
    given = {} if isinstance(start, str) else start
    names = list(topics)
    found = {(name, p): both for name in names for p, both in bounds(settings, name).items()}
    places = {place: given.get(place, high if start == "end" else low) for place, (low, high) in found.items()}
    follower = Follower(settings, places, {name: is_contiguous(settings, name) for name in names}, more=QUIET)
    follower.first_ends = {place: high for place, (_, high) in found.items()}
    return follower
