"""What the stock agent told the orders, as it stands in the order log: answers to reserve and move, filled backorders.

Guarantees: all answers ever given to one attempt by one partition are equal, or that is a finding. Grows with: a hash
of each first answer. Does not belong here: whether an answer was right (`stock_book`).
"""

from __future__ import annotations

from typing import Any

from proof.audit.findings import Findings, Spot
from proof.audit.seen import INDEX_BITS, INDEX_MASK, ORDERS, Cut, spot_of
from tables import records as r
from tables.codec import encode

Key = tuple[str, int, int]  # order, attempt, stock partition
ANSWERS = (r.ReserveAnswered, r.MoveAnswered, r.BackorderFilled)


class Told:
    """First answers, until the fold of the stock log takes them."""

    def __init__(self, cut: Cut, findings: Findings) -> None:
        self.reserves: dict[Key, tuple[r.ReserveAnswered, Spot]] = {}
        self.moves: dict[Key, tuple[r.MoveAnswered, Spot]] = {}
        self.fills: dict[str, tuple[r.BackorderFilled, Spot]] = {}
        self._cut, self._findings = cut, findings
        self._taken: dict[Any, tuple[int, int]] = {}  # (kind, key) -> (hash, place) of an answer that was taken

    def take(self, known: dict[Any, Any], key: Any) -> Any:
        """The first answer of this key and where it stands, once; None: there is none."""
        found = known.pop(key, None)
        if found is not None:
            answer, spot = found
            self._taken[type(answer), key] = (hash(encode(answer)), spot.offset << INDEX_BITS | spot.index)
        return found

    def has_given(self, key: Key) -> bool:
        """Whether the answer to a reserve was taken."""
        return (r.ReserveAnswered, key) in self._taken

    def hear(self, partition: int, record: Any, place: int) -> None:
        """A record that stands in its own partition of the order log; if it is an answer it is noted."""
        if type(record) not in ANSWERS:
            return
        spot = spot_of(ORDERS, partition, place)
        if type(record) is r.BackorderFilled:
            self._one(self.fills, record.id, record, spot)
            return
        key = (record.order_id, record.attempt, record.partition)
        self._one(self.reserves if type(record) is r.ReserveAnswered else self.moves, key, record, spot)

    def _one(self, known: dict[Any, Any], key: Any, record: Any, spot: Spot) -> None:
        self._findings.checked["one_answer"] += 1
        if (taken := self._taken.get((type(record), key))) is not None:
            same, first = taken[0] == hash(encode(record)), taken[1]
        else:
            before = known.setdefault(key, (record, spot))
            same, first = before[0] == record, before[1].offset << INDEX_BITS | before[1].index
        if not same and not any(x.reason == "too_old" for x in getattr(record, "refused", ())):
            at = f"{first >> INDEX_BITS}.{first & INDEX_MASK}"
            self._findings.add("one_answer", record.order_id, spot, "the first answer again", record,
                               note=f"the first answer stands at offset {at}")  # fmt: skip

    def check_rest(self) -> None:
        """Every answer belongs to a command of its partition, unless that is not folded yet."""
        kinds: list[tuple[str, dict[Any, Any]]] = [
            ("answer", self.reserves), ("move", self.moves), ("fill", self.fills),
        ]  # fmt: skip
        for rule, known in kinds:
            due = [key for key, (_, x) in known.items() if self._cut.is_settled(*x[:2], x.offset << INDEX_BITS)]
            for key in due:
                answer, spot = self.take(known, key)
                self._findings.add(rule, answer.order_id, spot, "nothing: nobody asked", answer)
