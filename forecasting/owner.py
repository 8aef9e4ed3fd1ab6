"""Which partitions of `demand` the group gives this forecaster, and into which intake their records go.

Reads what the transport reports; commits no offsets: the topic is compacted and bounded, and a forecaster knows nothing
that it has not read since its start. Guarantees: a change of our partitions ends the intake there is and begins a new
one, for which every partition is read from its beginning, those that stay too (`_begin_anew` says why nothing is missed
or mixed); a partition is given up when nothing is done any more with what was read of it. Everything here runs in the
event loop, and waits without holding it. Does not belong here: what is done with records (`shift`), the other topics.
"""

from __future__ import annotations

import asyncio

from confluent_kafka import Message
from faust.types import TP

from forecasting.intake import HandedIntake
from streams.reader import ReadError
from streams.transport import BEGINNING, Partitions

ROOM_SECONDS = 0.02  # between two looks whether the thread has room


class DemandOwner:
    """The application's side of the transport (`transport.Owner`)."""

    seam: Partitions  # set where the app is built

    def __init__(self) -> None:
        self.intake: HandedIntake | None = None  # read by the thread that works
        self.failure: ReadError | None = None
        self._is_stopping = False

    # ---- called by the transport

    async def open(self, tp: TP, committed: int | None) -> int:
        self._begin_anew()
        return BEGINNING

    async def close(self, tps: set[TP], *, lost: bool) -> dict[TP, int]:
        before = self.intake
        self._begin_anew()
        if not lost and before is not None and before.left is not None:
            await asyncio.shield(asyncio.wrap_future(before.left))
        return {}

    def regressed(self, tp: TP, expected: int, why: str) -> None:
        """What was read is no longer there: only a new start knows what is."""
        self.failure = ReadError(f"{tp.topic}/{tp.partition} at offset {expected}: {why}")

    # ---- called by the agent, and on the way out

    async def hand_on(self, tp: TP, messages: list[Message], intake: HandedIntake | None) -> None:
        """Wait until the thread has room. `intake`: the one of the moment in which the agent was given the batch."""
        while intake is not None and not intake.offer(messages):
            await asyncio.sleep(ROOM_SECONDS)
            if tp not in self.seam.assignment():  # about to be revoked: the group waits for the end of this batch
                return

    def end(self) -> None:
        """Hand on nothing more: nobody will make room."""
        self._is_stopping = True
        self._begin_anew()

    def _begin_anew(self) -> None:
        """If our partitions are others than those of the intake: end it, and have all of them read from the beginning.

        In one step of the loop. What is queued for the agent is dropped with the pause; a batch that the agent is in
        the middle of belongs to the intake that is over; and `reopen` asks the poll thread before it opens, so that all
        it has still read at the old position arrives before, and is dropped. What a new intake gets first is the first.
        """
        owned = frozenset() if self._is_stopping else frozenset(tp.partition for tp in self.seam.assignment())
        before = self.intake
        if owned == (before.owned if before is not None else frozenset()):
            return
        if before is not None:
            before.end()
        self.intake = HandedIntake(owned) if owned else None
        if owned:
            for tp in self.seam.opened():
                self.seam.pause(tp)
                self.seam.reopen(tp)
