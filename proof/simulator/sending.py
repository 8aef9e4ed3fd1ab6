"""What a worker has sent and the broker has not acknowledged: one queue per lane, topic and partition.

Takes the place of `streams.outbox` (same calls, same packing). Guarantees: within a queue records land in order; a
crash loses a suffix of every queue, each its own. Does not belong here: when to wait for it (`worker`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from random import Random
from typing import Any, NamedTuple

from proof.simulator.broker import Broker, Headers
from tables.codec import batches, encode, pack
from tables.murmur2 import partition_of
from tables.outcome import Send

HOPS = "smokehouse.hops"  # the header that counts forwards
ANSWERS, ROWS = 0, 1  # the lanes
Place = tuple[int, str, int]


class Gone(NamedTuple):
    """In place of a published document: it was taken back."""

    key: str


class Word(NamedTuple):
    """A record on its way; `said`: the records of the agents it carries."""

    key: bytes | None
    value: bytes | None
    headers: Headers | None
    said: tuple[tuple[str, Any], ...]


class Queue:
    """`sent` and `landed` count for ever: a checkpoint remembers the one and waits for the other."""

    def __init__(self) -> None:
        self.words: deque[Word] = deque()
        self.sent = self.landed = 0


class Sending:
    """An outbox with nothing behind it but `broker`. `hear` is told every record of an agent that lands."""

    def __init__(self, broker: Broker, hear: Callable[[str, Any], None]) -> None:
        self.queues: dict[Place, Queue] = {}
        self._broker, self._hear = broker, hear
        self._packs: dict[tuple[str, int], list[tuple[bytes, Any]]] = {}

    # ---- what a partition and its views call

    def send(self, send: Send) -> None:
        if send.partition is not None:
            self._packs.setdefault((send.topic, send.partition), []).append((encode(send.record), send.record))
        else:
            self.publish(send.topic, str(send.key), send.record)

    def leave(self) -> None:
        """The batch is done: what it packed goes on its way."""
        packs, self._packs = self._packs, {}
        for (topic, partition), items in packs.items():
            place = 0
            for run in batches([value for value, _ in items]):
                said = tuple((topic, record) for _, record in items[place : place + len(run)])
                place += len(run)
                self._add(ANSWERS, topic, partition, Word(None, run[0] if len(run) == 1 else pack(run), None, said))

    def retract(self, topic: str, key: str) -> None:
        partition = partition_of(key, self._broker.partitions)
        self._add(ANSWERS, topic, partition, Word(key.encode(), None, None, ((topic, Gone(key)),)))

    def publish(self, topic: str, key: str, record: Any, routed_by: str | None = None) -> None:
        partition = partition_of(routed_by or key, self._broker.partitions)
        self._add(ANSWERS, topic, partition, Word(key.encode(), encode(record), None, ((topic, record),)))

    def forward(self, topic: str, partition: int, key: str, value: bytes, ms: int) -> None:
        self._add(ANSWERS, topic, partition, Word(key.encode(), value, [(HOPS, b"1")], ()))

    def dead_letter(
        self, topic: str, partition: int, offset: int, index: int, key: bytes | None, value: bytes | None, reason: str
    ) -> None:
        names = {"topic": topic, "partition": partition, "offset": offset, "index": index, "exception.message": reason}
        headers = [(f"__connect.errors.{name}", str(said).encode()) for name, said in names.items()]
        self._add(ANSWERS, "dead-letters", 0, Word(key, value or b"", headers, ()))

    def row(self, topic: str, partition: int, key: bytes, value: bytes | None) -> None:
        self._add(ROWS, topic, partition, Word(key, value, None, ()))

    # ---- what becomes of it

    def mark(self) -> dict[Place, int]:
        """What was sent until now: `has_landed` of it is a barrier."""
        return {place: queue.sent for place, queue in self.queues.items() if queue.words}

    def has_landed(self, mark: dict[Place, int]) -> bool:
        return all(self.queues[place].landed >= sent for place, sent in mark.items())

    def land(self, chance: Random | None = None, lane: int | None = None) -> int:
        """The broker takes a prefix of every queue (of this lane), or all of it without `chance`; how many it took."""
        landed = 0
        for (in_lane, topic, partition), queue in self.queues.items():
            if not queue.words or lane not in (None, in_lane):
                continue
            most = len(queue.words)
            landed += self.take(in_lane, topic, partition, most if chance is None else chance.randint(0, most))
        return landed

    def take(self, lane: int, topic: str, partition: int, most: int) -> int:
        """The broker takes up to `most` records of one queue."""
        queue = self.queues.get((lane, topic, partition))
        if queue is None:
            return 0
        most = min(most, len(queue.words))
        for _ in range(most):
            word = queue.words.popleft()
            queue.landed += 1
            self._broker.append(topic, partition, word.key, word.value, word.headers)
            for where, record in word.said:
                self._hear(where, record)
        return most

    def lose(self) -> int:
        """The process died: what is still on its way is gone."""
        lost = sum(len(queue.words) for queue in self.queues.values())
        self.queues, self._packs = {}, {}
        return lost

    def _add(self, lane: int, topic: str, partition: int, word: Word) -> None:
        place = (lane, topic, partition)
        queue = self.queues.get(place)
        if queue is None:
            queue = self.queues[place] = Queue()
        queue.words.append(word)
        queue.sent += 1
