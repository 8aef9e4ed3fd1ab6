"""What an audit is given: records as they stood in their topics, and how much of the logs is certain.

Pure values. A place is offset << 10 | index. Does not belong here: reading (`collect`), judging.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from proof.audit.findings import Spot

INDEX_BITS = 10
INDEX_MASK = (1 << INDEX_BITS) - 1
ORDERS, WAREHOUSE, RESERVATIONS, ORDER_STATUS = "orders", "warehouse", "reservations", "order-status"
STOCK_LEVELS, DEAD_LETTERS = "stock-levels", "dead-letters"
ORDER_CHANGELOG, STOCK_CHANGELOG = "order-changelog", "stock-changelog"


class Seen(NamedTuple):
    """One record of a topic."""

    topic: str
    partition: int
    offset: int
    ms: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]] | None


def spot_of(topic: str, partition: int, place: int) -> Spot:
    return Spot(topic, partition, place >> INDEX_BITS, place & INDEX_MASK)


Offsets = Mapping[tuple[str, int], int]


@dataclass(frozen=True)
class Cut:
    """Three cuts through the logs, each (topic, partition) -> offset after its last record; without an entry: all.

    `settled`: handled before the second was taken; what these records asked of the other log stands before `sure`.
    `sure`: handled before the third was taken; all that these records say stands in the topics that are read.
    `end`: how far the logs are read. Between `sure` and `end` things are in flight, and their absence is no finding.
    `still`: partitions that did not move while there was something to handle: (topic, partition) -> where they stand.
    """

    settled: Offsets = field(default_factory=dict)
    sure: Offsets = field(default_factory=dict)
    end: Offsets = field(default_factory=dict)
    still: Offsets = field(default_factory=dict)

    def is_settled(self, topic: str, partition: int, place: int) -> bool:
        end = self.settled.get((topic, partition))
        return end is None or place >> INDEX_BITS < end

    def is_sure(self, topic: str, partition: int, place: int) -> bool:
        end = self.sure.get((topic, partition))
        return end is None or place >> INDEX_BITS < end

    def is_read(self, topic: str, partition: int, offset: int) -> bool:
        end = self.end.get((topic, partition))
        return end is None or offset < end
