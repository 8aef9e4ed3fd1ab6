"""What became of an import's orders, as `reservations` says it.

Reads: `reservations`, from its beginning on: what an earlier run of the same import got decided counts as decided, so
the log itself is the resume point and no file of ours can disagree with it. Writes nothing.
Guarantees: a decision counts once per order, units given back once per record, however often they are published.
Does not belong here: orders of anyone else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import msgspec

from streams.reader import Follower
from tables import records as r

DECIDED = ("confirmed", "rejected", "expired")


class _Units(msgspec.Struct):
    sku: str
    quantity: int


class _Said(msgspec.Struct):
    """Of a reservation record what an importer needs; the rest is skipped unread."""

    id: str
    order_id: str
    status: str
    reason: str
    lines: list[_Units]


_read = msgspec.json.Decoder(_Said).decode


class Decisions:
    """Counts of the decisions on `wanted` orders."""

    def __init__(self, follower: Follower, wanted: Iterable[str]) -> None:
        self.statuses: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.units_given_back = 0
        self.confirmed: set[str] = set()
        self.cancellations: Counter[str] = Counter()  # order -> records of units given back
        self._follower = follower
        self._undecided = set(wanted)
        self._wanted = frozenset(self._undecided)
        self._given_back: set[str] = set()
        self._lines: dict[str, int] = {}  # order -> hash of the units it was decided with

    @property
    def undecided(self) -> int:
        return len(self._undecided)

    def is_decided(self, order_id: str) -> bool:
        return order_id not in self._undecided

    def decided(self) -> set[str]:
        """Orders of ours that are decided."""
        return set(self._wanted - self._undecided)

    def is_other(self, order: r.OrderPlaced) -> bool:
        """Whether it was decided with other lines, or (of kits, or less than it asked for) may have been."""
        return self._lines.get(order.order_id) != _hash(order.lines)

    def catch_up(self) -> None:
        """Read what is there already."""
        ends = self._follower.ends()
        while any(self._follower.positions()[place] < end for place, end in ends.items()):
            self.take(0.1)

    def take(self, timeout_seconds: float) -> list[str]:
        """Wait for news at most so long; the orders that are decided now and were not before."""
        fresh = []
        for message in self._follower.poll(timeout_seconds):
            if (message.key() or b"").decode(errors="replace") in self._wanted:
                said = _read(message.value())
                if said.status == "cancelled":
                    self._note_given_back(said)
                elif said.status in DECIDED and said.order_id in self._undecided:
                    self._note_decided(said)
                    fresh.append(said.order_id)
        return fresh

    def _note_decided(self, said: _Said) -> None:
        self._undecided.discard(said.order_id)
        self._lines[said.order_id] = _hash(said.lines)
        self.statuses[said.status] += 1
        if said.status == "confirmed":
            self.confirmed.add(said.order_id)
        else:
            self.reasons[said.reason] += 1

    def _note_given_back(self, said: _Said) -> None:
        if said.id not in self._given_back:
            self._given_back.add(said.id)
            self.cancellations[said.order_id] += 1
            self.units_given_back += sum(line.quantity for line in said.lines)


def _hash(lines: Iterable[_Units | r.Line]) -> int:
    units: Counter[str] = Counter()
    for line in lines:  # of several locations
        units[line.sku] += line.quantity
    return hash(frozenset(units.items()))
