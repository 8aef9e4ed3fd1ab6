"""The stock log with several rows: reservations, and the stock rows that count them, written apart (`workers`).

Modelled: commands over two SKUs: reserve, release, a receipt, a command said twice. A redelivered command takes its
recorded decision and counts it only in stock rows that are older. Abstracted: one location, no partial release.
Demanded: every answer is the one that the log alone gives, read once in order (so none differ, none oversells); nothing
is committed without its answer; two copies of one version are equal; once all is committed, a new owner finds the
stock that was told. Does not belong here: the order's side (`order_log`), forgetting (`pruning`).
"""

from __future__ import annotations

from typing import Any

from proof.models.given_log import GivenLog

OK, NO = 1, 2
WORDS = {OK: "ok", NO: "no"}
RESERVE, RELEASE, RECEIVE = "reserve", "release", "receive"
A, B, BOTH = (0,), (1,), (0, 1)
Record = tuple[str, int, tuple[int, ...]]  # what, which order, SKUs


class ManyRows(GivenLog):
    """The world: the answer told to each order. Rows: reservations (version, answer, version of the release), then
    stock (version, available). `decides_again`: a redelivered command is decided again while one of its rows has not
    moved. `rolls_forward`: recovery counts newer reservations in the stock rows.
    """

    def __init__(
        self,
        log: tuple[Record, ...],
        units: tuple[int, int] = (1, 2),
        *,
        decides_again: bool = False,
        rolls_forward: bool = False,
    ) -> None:
        super().__init__(log)
        self._decides_again, self._rolls_forward = decides_again, rolls_forward
        self._orders = 1 + max(order for what, order, _ in log if what != RECEIVE)
        self.rows = (*(None,) * self._orders, *((0, n) for n in units))
        self.start = (0,) * self._orders
        ideal: Any = self.rows
        answers = list(self.start)
        for offset in range(len(log)):
            ideal, _, said = self.apply(None, ideal, offset)
            for _, order, answer in said:
                answers[order] = answer
        self._answers = tuple(answers)
        self._stock = tuple(row[1] for row in ideal[self._orders :])

    def hear(self, world: Any, word: Any) -> tuple[str, Any]:
        _, order, answer = word
        label = f"R{order + 1} {WORDS[answer]}"
        if world[order] not in (0, answer):
            return label, f"two different answers to R{order + 1}"
        if answer != self._answers[order]:
            return label, f"wrong answer to R{order + 1}: the log alone says {WORDS[self._answers[order]]}"
        return label, (*world[:order], answer, *world[order + 1 :])

    def wrong(self, world: Any, committed: int) -> str:
        for what, order, _ in self._log[:committed]:
            if what == RESERVE and not world[order]:
                return f"lost order: R{order + 1} is committed and was never answered"
        return ""

    def wrong_at_rest(self, world: Any, rows: Any) -> str:
        found = tuple(row[1] for row in rows[self._orders :])
        if found == self._stock:
            return ""
        return f"lost reservation: a new owner finds {found} available, {self._stock} are left"

    def apply(self, world: Any, rows: Any, offset: int) -> tuple[Any, tuple[int, ...], tuple[Any, ...]]:
        what, order, skus = self._log[offset]
        version = offset + 1
        stock = tuple(self._orders + sku for sku in skus)
        if what == RECEIVE:
            return _count(rows, version, stock, +1), stock, ()
        if what == RELEASE:
            return *self._release(rows, order, version, stock), ()
        row = rows[order]
        first = next(n for n, record in enumerate(self._log) if record[:2] == (RESERVE, order))
        if offset != first and row is not None:
            return rows, (), (("answers", order, row[1]),)  # said twice: the recorded answer
        if row is None or (self._decides_again and any(rows[place][0] < version for place in stock)):
            row = (version, OK if all(rows[place][1] for place in stock) else NO, 0)
            rows = (*rows[:order], row, *rows[order + 1 :])
        said = (("answers", order, row[1]),)
        if row[1] != OK:
            return rows, (order,), said
        return _count(rows, version, stock, -1), (order, *stock), said

    def _release(self, rows: Any, order: int, version: int, stock: tuple[int, ...]) -> tuple[Any, tuple[int, ...]]:
        row = rows[order]
        if row is None:  # before it was asked: a tombstone
            return (*rows[:order], (version, NO, version), *rows[order + 1 :]), (order,)
        if row[0] < version and row[1] == OK and not row[2]:
            row = (version, OK, version)
            rows = (*rows[:order], row, *rows[order + 1 :])
        if row[2] != version or row[1] != OK:
            return rows, (order,) if row[0] >= version else ()
        return _count(rows, version, stock, +1), (order, *stock)

    def recover(self, rows: Any) -> Any:
        if self._rolls_forward:
            for order in range(self._orders):
                if rows[order] is not None and rows[order][1] == OK:
                    skus = next(skus for what, whose, skus in self._log if (what, whose) == (RESERVE, order))
                    rows = _count(rows, rows[order][0], tuple(self._orders + sku for sku in skus), -1)
        return rows

    def show(self, place: int, row: Any) -> str:
        name = f"reservation R{place + 1}" if place < self._orders else f"stock {'ab'[place - self._orders]}"
        if row is None:
            return name
        if place >= self._orders:
            return f"{name} version {row[0]}, available {row[1]}"
        return f"{name} version {row[0]}, {WORDS[row[1]]}" + (", released" if row[2] else "")

    def say(self, world: Any, offset: int) -> str:
        what, order, skus = self._log[offset]
        return what + (f" R{order + 1}" if what != RECEIVE else "") + f" ({' and '.join('ab'[x] for x in skus)})"


def _count(rows: Any, version: int, places: tuple[int, ...], change: int) -> Any:
    """Count a recorded change in the stock rows that are older than it."""
    for place in places:
        at, available = rows[place]
        if at < version:
            rows = (*rows[:place], (version, available + change), *rows[place + 1 :])
    return rows
