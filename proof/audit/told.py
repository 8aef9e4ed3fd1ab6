"""What the stock agent told the orders, as it stands in the order log: answers to reserve and move, filled backorders.

Guarantees: all answers ever given to one attempt by one partition are equal, or that is a finding. Does not belong
here: whether an answer was right (`stock_book`).
"""

from __future__ import annotations

from typing import Any

from proof.audit.findings import Findings, Spot
from proof.audit.intake import LogState
from proof.audit.seen import INDEX_BITS, ORDERS, Cut, spot_of
from tables import records as r

Key = tuple[str, int, int]  # order, attempt, stock partition
ANSWERS = (r.ReserveAnswered, r.MoveAnswered, r.BackorderFilled)


class Told:
    """First answers, until the fold of the stock log takes them."""

    def __init__(self, cut: Cut, findings: Findings) -> None:
        self.reserves: dict[Key, tuple[r.ReserveAnswered, Spot]] = {}
        self.moves: dict[Key, tuple[r.MoveAnswered, Spot]] = {}
        self.fills: dict[str, tuple[r.BackorderFilled, Spot]] = {}
        self._cut, self._findings = cut, findings

    def hear(self, log: LogState, record: Any, place: int) -> None:
        """A record that stands in its own partition of the order log; if it is an answer it is noted."""
        if type(record) not in ANSWERS:
            return
        spot = spot_of(ORDERS, log.number, place)
        if type(record) is r.BackorderFilled:
            self._one(self.fills, record.id, record, spot)
            return
        key = (record.order_id, record.attempt, record.partition)
        self._one(self.reserves if type(record) is r.ReserveAnswered else self.moves, key, record, spot)

    def _one(self, known: dict[Any, Any], key: Any, record: Any, spot: Spot) -> None:
        self._findings.checked["one_answer"] += 1
        before = known.setdefault(key, (record, spot))
        if before[0] != record and not any(x.reason == "too_old" for x in getattr(record, "refused", ())):
            first = before[1]
            self._findings.add("one_answer", record.order_id, spot, before[0], record,
                               note=f"the first answer stands at offset {first.offset}.{first.index}")  # fmt: skip

    def check_rest(self) -> None:
        """Every answer belongs to a command of its partition, unless that came after what was read."""
        for rule, known in (("answer", self.reserves), ("move", self.moves), ("fill", self.fills)):
            for answer, spot in known.values():
                if self._cut.is_sure(*spot[:2], spot.offset << INDEX_BITS):
                    self._findings.add(rule, answer.order_id, spot, "nothing: nobody asked", answer)
