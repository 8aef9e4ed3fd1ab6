"""An order that hears of filled backorders while it cancels units and gives others back to the queue (`order_side`).

Modelled: two units, some of them wait; stock fills one at a time, whenever it likes, and may say so twice; the order
cancels one unit, and makes one wait that was not there to ship. Both sides take units that wait first. Abstracted: one
line, one location; where free units come from (`filling`). Demanded: at rest, order and stock agree how many units are
owed, and how many of them wait. Does not belong here: shipments.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from proof.models.order_side import CANCEL, OrderSide, lane

FILLED, SHORT = "filled", "short"
UNITS = FREE = 2


class Hearing(OrderSide):
    """The order: (state, units owed, of them waiting, fills it has heard of, its commands so far). Stock: (units held,
    waiting, ids of commands seen, units that are free, fills).

    `by_id`: without, the order counts a fill as often as it hears of it. `waiting_first`: without, the order cancels
    units that are there first. `told_whole`: a fill tells how many wait after it and which commands stock had seen, and
    the order follows its later commands from there (one that was overtaken by a later fill tells nothing new); without,
    it takes one off what it thinks that waits.
    """

    def __init__(
        self, events: tuple[str, ...], *, waits: int = 1, twice: int = 0, by_id: bool = True,
        waiting_first: bool = True, told_whole: bool = True,
    ) -> None:  # fmt: skip
        self._by_id, self._waiting_first, self._told_whole = by_id, waiting_first, told_whole
        order, stock = ("confirmed", UNITS, waits, (), ()), (UNITS - waits, waits, (), FREE, 0)
        super().__init__(order, stock, (), events, twice)

    def step(self, order: Any, record: Any, version: int) -> tuple[Any, tuple[Any, ...]] | None:
        state, owed, waiting, heard, said = order
        if record == CANCEL:
            there = owed - waiting
            waits = waiting > 0 if self._waiting_first else not there
            word = (lane(0), "release one", 0, f"by {version}")
            return (state, owed - 1, waiting - waits, heard, (*said, word)), (word,)
        if record == SHORT:
            if owed == waiting:
                return None
            word = (lane(0), "backorder one", 0, f"by {version}")
            return (state, owed, waiting + 1, heard, (*said, word)), (word,)
        fill, still, seen = record[1]
        if fill in heard and self._by_id:
            return None
        if not self._told_whole:
            waiting = max(0, waiting - 1)
        elif not heard or fill > heard[-1]:  # one that was overtaken tells nothing new
            waiting = still
            for _, command, _, name in said:
                if name not in seen:
                    waiting = waiting + 1 if command == "backorder one" else max(0, waiting - 1)
        return (state, owed, waiting, tuple(sorted({*heard, fill})), said), ()

    def command(self, stock: Any, word: Any) -> tuple[Any, Any]:
        held, waiting, seen, free, fills = stock
        _, command, _, name = word
        if name in seen:
            return stock, None
        seen = tuple(sorted((*seen, name)))
        if command == "backorder one":
            return (held - 1, waiting + 1, seen, free, fills), None
        if waiting:
            return (held, waiting - 1, seen, free, fills), None
        return (held - 1, waiting, seen, free, fills), None  # what was filled meanwhile

    def others(self, world: Any) -> Iterator[tuple[str, Any]]:
        yield from super().others(world)
        log, (held, waiting, seen, free, fills), answers, *rest = world
        if waiting and free:
            stock = (held + 1, waiting - 1, seen, free - 1, fills + 1)
            told = (f"fill {fills + 1}", waiting - 1, seen)
            yield "stock fills one", (log, stock, (*answers, (FILLED, told, 0)), *rest)

    def contradicts(self, told: tuple[str, ...], what: str) -> bool:
        return False

    def wrong_at_rest(self, world: Any, rows: Any) -> str:
        held, waiting, *_ = world[1]
        _, owed, ours, *_ = rows[0][1]
        if (owed, ours) == (held + waiting, waiting):
            return ""
        return f"the order is owed {owed}, {ours} of them waiting; stock holds {held}, and {waiting} wait"
