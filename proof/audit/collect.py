"""Brings an audit its records from a broker, while traffic flows: where to cut, and every record of a topic once.

Reads any topic and the workers' committed offsets; writes nothing, joins no group. Guarantees: an offset is committed
only after everything said about the records before it is acknowledged; so what stands before a cut that is committed
must be there, and what comes after is in flight. Does not belong here: judging (`core`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from confluent_kafka import KafkaException, TopicPartition
from msgspec import Struct

from proof.audit.intake import Intake
from proof.audit.seen import (
    DEAD_LETTERS,
    DEMAND,
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
from streams.ends import QUIET, bounds, is_contiguous, open_consumer, partitions_of
from streams.reader import ReadError, read_to_end
from streams.settings import Settings

LOGS = (ORDERS, WAREHOUSE)
TOPICS = (*LOGS, STOCK_CHANGELOG, ORDER_CHANGELOG, STOCK_LEVELS, DEMAND, ORDER_STATUS, RESERVATIONS, DEAD_LETTERS)
ASK_SECONDS = 10.0
AGAIN_SECONDS = 0.1
STILL_SECONDS = 30.0  # of a partition that has something to handle; a worker that starts again needs up to 15
MOMENTS_KEPT = 1_000
_Ends = dict[tuple[str, int], int]


class Moment(NamedTuple):
    """`handled`: what workers have committed; `ends`: of the logs, asked a moment later; when (monotonic seconds)."""

    handled: _Ends
    ends: _Ends
    at: float


class Lag(Struct):
    """Of one log. Records that workers have handled and the audit has not, and the age of the oldest in seconds; and
    the same of records that no worker has handled yet."""

    not_audited: int = 0
    not_audited_seconds: float = 0.0
    not_handled: int = 0
    not_handled_seconds: float = 0.0


class Watch:
    """Where the logs stand, round after round, and what is new of every topic since."""

    def __init__(self, settings: Settings, group: str) -> None:
        self._settings = settings
        self._consumer = open_consumer(settings, QUIET | {"group.id": settings.prefix + group})
        self._next: dict[str, dict[int, int]] = {topic: {} for topic in TOPICS}
        self._places: list[tuple[str, int]] = []
        self._moments: list[Moment] = []
        self._moved: dict[tuple[str, int], tuple[int, float]] = {}  # where a partition stands, and since when

    def close(self) -> None:
        self._consumer.close()

    def was_away(self) -> None:
        """The broker did not answer: what stood still meanwhile had to."""
        self._moved.clear()

    def look(self) -> Moment:
        """Now. `ReadError`: the broker does not answer."""
        at = time.monotonic()
        if not self._places:
            self._places = [(topic, p) for topic in LOGS for p in partitions_of(self._settings, topic, QUIET)]
        return Moment(self._committed(), _ends(self._settings), at)

    def cut(self) -> Cut:
        """A round's: sure is what is handled now, settled what was handled before the sure end of the stock log."""
        now = self.look()
        self._moments.append(now)
        settled = dict.fromkeys(now.handled, 0)
        reached = [n for n, x in enumerate(self._moments) if _is_reached(x, now.handled)]
        if reached:
            settled = self._moments[reached[-1]].handled
            del self._moments[: reached[-1]]
        del self._moments[MOMENTS_KEPT:]
        return Cut(settled, now.handled, now.ends, self._still(now))

    def _still(self, now: Moment) -> _Ends:
        still = {}
        for place, offset in now.handled.items():
            stood, since = self._moved.get(place, (-1, now.at))
            if stood != offset or now.ends[place] <= offset:
                self._moved[place] = (offset, now.at)
            elif now.at - since > STILL_SECONDS:
                still[place] = offset
        return still

    def wait_for_workers(self, seconds: float) -> None:
        """Until what stands in the logs now is handled, and all that follows from it, at most twice `seconds`."""
        for _ in range(2):
            now = self.look()
            self._moments.append(now)
            until = time.monotonic() + seconds
            handled = now.handled
            while not _is_reached(now, handled, LOGS) and time.monotonic() < until:
                time.sleep(AGAIN_SECONDS)
                handled = self._committed()
            for place, offset in handled.items():
                if offset == now.handled[place] and offset < now.ends[place]:
                    self._moved[place] = (offset, now.at - STILL_SECONDS)

    def source(self, where: Cut, on_read: Callable[[int], None] = lambda n: None) -> Callable[[str], Iterator[Seen]]:
        """Reads on in a topic: both logs up to the cut's end, everything else up to now. `on_read` is told how many
        records came; what it raises ends the round."""

        def read(topic: str) -> Iterator[Seen]:
            ends = {p: offset for (t, p), offset in where.end.items() if t == topic}
            following = self._next[topic]
            contiguous = is_contiguous(self._settings, topic)
            for batch in read_to_end(self._settings, topic, start=following, contiguous=contiguous, more=QUIET):
                for message in batch:
                    partition, offset = message.partition(), message.offset()
                    if ends and offset >= ends.get(partition, 0):
                        continue
                    following[partition] = offset + 1
                    yield Seen(
                        topic, partition, offset, message.timestamp()[1], message.key(), message.value(),
                        message.headers(),
                    )  # fmt: skip
                on_read(len(batch))

        return read

    def lag(self, intakes: tuple[Intake, ...]) -> dict[str, Lag]:
        """Per log, as of now. An age that cannot be read off a record is at most this: since the round was cut."""
        now, cut_at = self.look(), self._moments[-1].at if self._moments else time.monotonic()
        return {x.topic: _lag(x, now, cut_at) for x in intakes}

    def size(self) -> int:
        """How many records there are to read, roughly."""
        return sum(
            high - self._next[topic].get(p, low)
            for topic in TOPICS for p, (low, high) in bounds(self._settings, topic, more=QUIET).items()
        )  # fmt: skip

    def _committed(self) -> _Ends:
        cut_off = len(self._settings.prefix)
        parts = [TopicPartition(self._settings.prefix + topic, partition) for topic, partition in self._places]
        try:
            found = self._consumer.committed(parts, timeout=ASK_SECONDS)
        except KafkaException as error:
            raise ReadError(f"the workers' offsets cannot be read: {error.args[0].str()}") from error
        return {(part.topic[cut_off:], part.partition): max(part.offset, 0) for part in found}


def _is_reached(before: Moment, handled: _Ends, topics: tuple[str, ...] = (WAREHOUSE,)) -> bool:
    """Whether workers have handled all that stood in these logs at a moment."""
    return all(handled[place] >= end for place, end in before.ends.items() if place[0] in topics)


def _ends(settings: Settings) -> _Ends:
    return {(topic, p): high for topic in LOGS for p, (_, high) in bounds(settings, topic, more=QUIET).items()}


def _lag(intake: Intake, now: Moment, cut_at: float) -> Lag:
    topic, found = intake.topic, Lag()
    for (of, partition), end in now.ends.items():
        if of != topic:
            continue
        handled = now.handled[topic, partition]
        folded = intake.ends.get(partition, 0)
        waiting = intake.waiting.get(partition, ())
        found = Lag(
            found.not_audited + max(0, handled - folded),
            max(found.not_audited_seconds, _age(waiting, folded, handled, now, cut_at)),
            found.not_handled + max(0, end - handled),
            max(found.not_handled_seconds, _age(waiting, handled, end, now, cut_at)),
        )
    return found


def _age(waiting: Iterable[tuple[Seen, Any]], low: int, high: int, now: Moment, cut_at: float) -> float:
    """Seconds since the oldest record from `low` on was written, if there is one before `high`."""
    if low >= high:
        return 0.0
    ms = next((x.ms for x, _ in waiting if low <= x.offset < high), None)
    return round(max(0.0, now.at - cut_at if ms is None else time.time() - ms / 1000), 3)
