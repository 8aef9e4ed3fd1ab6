"""`demand` of some partitions on its way to the thread that works: handed on by the agent, or read here.

Guarantees of both: everything from the first offset on, per partition in order, none twice. An intake is of one set of
partitions and is never used for another: when they change it is over, and a new one begins with empty hands. What the
agent hands on waits in at most `BATCHES_MAX` batches; beyond them the agent waits. Does not belong here: records.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from concurrent.futures import Future
from threading import Condition
from typing import Protocol

from confluent_kafka import Message

from streams.reader import Follower, Place, bounds, is_contiguous
from streams.settings import Settings
from streams.topics import DEMAND

BATCHES_MAX = 8  # of at most some four thousand records each


class Intake(Protocol):
    """What a shift reads `demand` from; called by one thread."""

    owned: frozenset[int]

    @property
    def is_over(self) -> bool:
        """Whether our partitions have changed: what follows belongs to another intake."""

    def begin(self) -> bool:
        """False if it was over before it began."""

    def poll(self, seconds: float) -> list[Message]:
        """What has arrived; waits so long at most for the first."""

    def positions(self) -> dict[Place, int]:
        """Per partition the offset of the next record."""

    def leave(self) -> None:
        """Nothing is done any more with what came from here."""


class HandedIntake:
    """What the agent hands on: `offer` and `end` are called in its event loop, the rest in the thread that works."""

    def __init__(self, owned: frozenset[int]) -> None:
        self.owned = owned
        self._next = dict.fromkeys(owned, 0)
        self._batches: deque[list[Message]] = deque()
        self._changed = Condition()  # guards all that follow
        self._is_over = False
        self.left: Future[None] | None = None  # there since `begin`, done at `leave`

    @property
    def is_over(self) -> bool:
        return self._is_over

    def offer(self, messages: list[Message]) -> bool:
        """Records of one partition in order. False: no room, try again. Dropped when it is over."""
        with self._changed:
            if self._is_over:
                return True
            if len(self._batches) >= BATCHES_MAX:
                return False
            self._batches.append(messages)
            self._changed.notify()
            return True

    def end(self) -> None:
        with self._changed:
            self._is_over = True
            self._batches.clear()
            self._changed.notify()

    def begin(self) -> bool:
        with self._changed:
            if not self._is_over:
                self.left = Future()
            return not self._is_over

    def poll(self, seconds: float) -> list[Message]:
        with self._changed:
            self._changed.wait_for(lambda: self._batches or self._is_over, seconds)
            batches = list(self._batches)
            self._batches.clear()
        fresh: list[Message] = []
        for batch in batches:
            partition, known = batch[0].partition(), self._next[batch[0].partition()]
            # A start that the broker answered late may be done twice: the partition is then read anew from its begin.
            fresh += batch if batch[0].offset() >= known else [one for one in batch if one.offset() >= known]
            self._next[partition] = max(known, batch[-1].offset() + 1)
        return fresh

    def positions(self) -> dict[Place, int]:
        return {(DEMAND.name, partition): offset for partition, offset in self._next.items()}

    def leave(self) -> None:
        if self.left is not None:
            self.left.set_result(None)


class ReadIntake:
    """Reads the partitions it was given, without a group."""

    is_over = False

    def __init__(self, settings: Settings, partitions: Collection[int]) -> None:
        self.owned = frozenset(partitions)
        self._settings = settings

    def begin(self) -> bool:
        found = bounds(self._settings, DEMAND.name, sorted(self.owned))
        self._follower = Follower(
            self._settings,
            {(DEMAND.name, partition): low for partition, (low, _) in found.items()},
            {DEMAND.name: is_contiguous(self._settings, DEMAND.name)},
        )
        return True

    def poll(self, seconds: float) -> list[Message]:
        return self._follower.poll(seconds)

    def positions(self) -> dict[Place, int]:
        return self._follower.positions()

    def leave(self) -> None:
        self._follower.close()
