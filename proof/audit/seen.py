"""What an audit is given: records as they stood in their topics, and how much of the logs is certain.

Pure values. A place is offset << 10 | index. Does not belong here: reading (`collect`), judging.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from proof.audit.findings import Spot

INDEX_BITS = 10
INDEX_MASK = (1 << INDEX_BITS) - 1
ORDERS, WAREHOUSE, RESERVATIONS, ORDER_STATUS = "orders", "warehouse", "reservations", "order-status"
STOCK_LEVELS, DEMAND, DEAD_LETTERS = "stock-levels", "demand", "dead-letters"
ORDER_CHANGELOG, STOCK_CHANGELOG = "order-changelog", "stock-changelog"


Headers = list[tuple[str, bytes]]


class Seen(NamedTuple):
    """One record of a topic."""

    topic: str
    partition: int
    offset: int
    ms: int
    key: bytes | None
    value: bytes | None
    headers: Headers | None


def spot_of(topic: str, partition: int, place: int) -> Spot:
    return Spot(topic, partition, place >> INDEX_BITS, place & INDEX_MASK)


Offsets = Mapping[tuple[str, int], int]


@dataclass
class Cut:
    """Where a round of an audit stands: (topic, partition) of both logs -> an offset; without an entry: all of it.

    `sure`: handled before any other topic is read, so all that was said of these records is there; they are folded.
    `settled`: what these records asked of the stock log is sure too.
    `end`: the end of the log, taken after `sure`. What comes between the two is heard, not folded: it is in flight.
    `still`: partitions that did not move while there was something to handle, and where they stand.
    `number`: of the round, from 1.
    """

    settled: Offsets = field(default_factory=dict)
    sure: Offsets = field(default_factory=dict)
    end: Offsets = field(default_factory=dict)
    still: Offsets = field(default_factory=dict)
    number: int = 1

    def move_to(self, other: Cut) -> None:
        """The next round's."""
        self.__dict__ |= replace(other, number=self.number + 1).__dict__

    def is_settled(self, topic: str, partition: int, place: int) -> bool:
        end = self.settled.get((topic, partition))
        return end is None or place >> INDEX_BITS < end

    def is_sure(self, topic: str, partition: int, place: int) -> bool:
        end = self.sure.get((topic, partition))
        return end is None or place >> INDEX_BITS < end

    def is_beyond(self, topic: str, partition: int, place: int, number: int) -> bool:
        """Whether something that was read in round `number` is about a record that the log does not have: this round's
        end was taken later."""
        end = self.end.get((topic, partition))
        return end is not None and number < self.number and place >> INDEX_BITS >= end
