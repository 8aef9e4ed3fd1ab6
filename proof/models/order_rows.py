"""A record that changes several rows of the order log: two orders, and the partition row with state time (`workers`).

Modelled: deadlines of both orders in one packed record, before and after the tick that makes them due; both answers in
one packed record. An order reads its own row and the state time of the partition row; rows land apart, the partition
row last. A row tells by its own version what it has seen. A record at or before the recovered partition row has changed
what it had to change before that row was written: if no row has its version it changed nothing, and does so again. (It
must not look at the recovered state time, which may be later than its own.)
Abstracted: one answer completes an order; stock is left out. Demanded: one decision an order; once all is committed, it
was told, and a new owner finds it. Does not belong here: what a decision does (`order_log`).
"""

from __future__ import annotations

from typing import Any

from proof.models.given_log import GivenLog

TICK, DEADLINES, ANSWERS = "tick", "both deadlines", "both answers"
PARTITION = 2
ROWS_FIRST, PARTITION_FIRST = (0, 1, 2), (2, 0, 1)


class OrderRows(GivenLog):
    """The world: the decision told to each order. Rows: both orders (version, decision, version of it), then the
    partition row (version, state time). `one_version`: what was applied is known by the partition row alone.
    `looks_again`: a record that changed nothing is applied to what was recovered.
    """

    rows = ((0, "", 0), (0, "", 0), (0, 0))
    start = ("", "")

    def __init__(self, log: tuple[str, ...], *, one_version: bool = False, looks_again: bool = False) -> None:
        super().__init__(log)
        self._one_version, self._looks_again = one_version, looks_again

    def apply(self, world: Any, rows: Any, offset: int) -> tuple[Any, tuple[int, ...], tuple[Any, ...]]:
        record, version = self._log[offset], offset + 1
        at, state_time = rows[PARTITION]
        if at < version:  # the place of a checkpoint: it moves with every record, state time with a tick alone
            rows = (*rows[:PARTITION], (version, 1 if record == TICK else state_time))
        changed, words = [PARTITION], []
        for order in range(PARTITION) if record != TICK else ():
            row = rows[order]
            done = at >= version and not self._looks_again
            known = at >= version if self._one_version else done or row[0] >= version
            if not known and not row[1] and (record == ANSWERS or rows[PARTITION][1]):
                row = (version, "confirmed" if record == ANSWERS else "expired", version)
                rows = (*rows[:order], row, *rows[order + 1 :])
            if row[0] >= version:
                changed.append(order)
            if row[2] == version and (not self._one_version or not known):
                words.append(("reservations", order, row[1]))
        return rows, tuple(changed), tuple(words)

    def hear(self, world: Any, word: Any) -> tuple[str, Any]:
        _, order, decision = word
        label = f"order {order + 1} {decision}"
        if world[order] not in ("", decision):
            return label, f"two opposite decisions on order {order + 1}: {world[order]} and {decision}"
        return label, (*world[:order], decision, *world[order + 1 :])

    def wrong_at_rest(self, world: Any, rows: Any) -> str:
        for order, told in enumerate(world):
            if not told:
                return f"lost order: all is committed, and nothing was told about order {order + 1}"
            if rows[order][1] != told:
                return f"lost row: order {order + 1} is {told}, a new owner finds {rows[order][1] or 'nothing'}"
        return ""

    def show(self, place: int, row: Any) -> str:
        name = "partition" if place == PARTITION else f"order {place + 1}"
        if row is None:
            return name
        what = f"state time {row[1]}" if place == PARTITION else row[1] or "undecided"
        return f"{name} version {row[0]}, {what}"
