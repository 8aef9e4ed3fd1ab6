"""The stock protocol with several rows: reservations, and the stock rows that count them, written apart.

Modelled: commands over two SKUs (reserve, release, a receipt, a command said twice), applied in log order. Answers
leave at once or at the batch's end; changed rows are written once, at the batch's end or at a checkpoint, reservations
first, each under the writer's own key; rows and answers land one at a time and in order per buffer, and are lost at a
crash. Workers follow one another by crash or as zombies, as in `one_row`; the owner may delete older writers' copies.
Abstracted: the broker is perfect, recovery is one step, a SKU has one location.
Demanded: every answer is the one that the log alone gives, read once in order (so none differ, none oversells); nothing
is committed without its answer; two copies of one version are equal; once all is committed, a fresh owner finds the
stock that was told. Does not belong here: the order's side (`order_log`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

OK, NO = 1, 2
WORDS = {OK: "ok", NO: "no"}
RESERVE, RELEASE, RECEIVE = "reserve", "release", "receive"
A, B, BOTH = (0,), (1,), (0, 1)


class Rules(NamedTuple):
    """What a variant does; the defaults are the product's."""

    log: tuple[tuple[str, int, tuple[int, ...]], ...]  # (what, which order, SKUs) at each offset
    units: tuple[int, int] = (1, 2)
    crashes: int = 1
    zombies: int = 1
    batch_most: int = 0  # records in a batch whose rows are written at its end; 0: rows wait for a checkpoint
    deletes: str = ""  # old writers' copies go "after" an own record of their version has landed, or "before"
    decides_again: bool = False  # a redelivered command is decided again while one of its rows has not moved
    rolls_forward: bool = False  # recovery applies newer reservations to stock rows
    commits_early: bool = False  # the offset is committed before the checkpoint's rows have landed
    stock_first: bool = False  # a checkpoint writes stock rows before reservation rows


class ManyRows:
    """State: (committed, changelog, told, workers, crashes to come, zombies to come).

    A worker is (next offset, rows, changed rows, rows to land, answers to land, offset of its checkpoint, copies it may
    delete); None if dead. Rows: reservations (version, answer, version of the release), then stock (version,
    available). A version is offset + 1. Changelog: per writer its copies of all rows; None where it has none.
    """

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self._orders = 1 + max((order for what, order, _ in rules.log if what != RECEIVE), default=-1)
        self._size = self._orders + len(rules.units)
        self._none = (None,) * self._size
        self._first = (*(None,) * self._orders, *((0, n) for n in rules.units))
        ideal: Any = self._first
        answers = [0] * self._orders
        for offset in range(len(rules.log)):
            ideal, _, said = self._apply(ideal, offset)
            if said:
                answers[rules.log[offset][1]] = said
        self._answers = tuple(answers)
        self._stock = ideal[self._orders :]
        worker = (0, self._first, (), (), (), 0, ())
        self.start = (0, (self._none,), (0,) * self._orders, (worker,), rules.crashes, rules.zombies)

    def rests(self, state: Any) -> bool:
        return state[0] == len(self.rules.log)

    def wrong(self, state: Any) -> str:
        committed, changelog, told, *_ = state
        for what, order, _ in self.rules.log[:committed]:
            if what == RESERVE and not told[order]:
                return f"lost order: R{order + 1} is committed and was never answered"
        if committed < len(self.rules.log):
            return ""
        rows = self._recovered(changelog)
        if type(rows) is str:
            return rows
        found = tuple(row[1] for row in rows[self._orders :])
        left = tuple(row[1] for row in self._stock)
        return "" if found == left else f"lost reservation: a new owner finds {found} available, {left} are left"

    def moves(self, state: Any) -> Iterator[tuple[str, Any]]:
        committed, changelog, told, workers, crashes, zombies = state
        owner = len(workers) - 1
        for w, worker in enumerate(workers):
            if worker is None:
                continue
            offset, rows, dirty, writes, answers, checkpoint, old = worker
            for label, after in self._work(worker):
                yield f"W{w} {label}", (committed, changelog, told, _put(workers, w, after), crashes, zombies)
            if writes:
                place, row = writes[0]
                written = _put(changelog, w, _put(changelog[w], place, row))
                after = _put(workers, w, (offset, rows, dirty, writes[1:], answers, checkpoint, old))
                yield (f"W{w}'s row lands: {self._show(place, row)}",
                       (committed, written, told, after, crashes, zombies))  # fmt: skip
            if answers:
                _, order, answer = answers[0]
                label = f"W{w}'s answer to R{order + 1} is read: {WORDS[answer]}"
                if told[order] not in (0, answer):
                    yield label, f"two different answers to R{order + 1}"
                elif answer != self._answers[order]:
                    yield label, f"wrong answer to R{order + 1}: the log alone says {WORDS[self._answers[order]]}"
                else:
                    after = _put(workers, w, (offset, rows, dirty, writes, answers[1:], checkpoint, old))
                    yield label, (committed, changelog, _put(told, order, answer), after, crashes, zombies)
            for n, (writer, place, version) in enumerate(old):
                ours = changelog[w][place]
                if self.rules.deletes == "after" and (ours is None or ours[0] < version):
                    continue
                rest = (offset, rows, dirty, writes, answers, checkpoint, (*old[:n], *old[n + 1 :]))
                gone = _put(changelog, writer, _put(changelog[writer], place, None))
                yield (f"W{w} deletes W{writer}'s copy of {self._name(place)}",
                       (committed, gone, told, _put(workers, w, rest), crashes, zombies))  # fmt: skip
            early = self.rules.commits_early
            until = offset if early else checkpoint
            if w == owner and committed < until and (early or not writes) and not (answers and answers[0][0] < until):
                yield f"W{w} commits offset {until}", (until, changelog, told, workers, crashes, zombies)
        if crashes:
            yield self._take_over(state, "crashes")
        if zombies:
            yield self._take_over(state, "is cut off and does not know")

    def _work(self, worker: Any) -> Iterator[tuple[str, Any]]:
        """Apply records; write what has changed."""
        offset, rows, dirty, writes, answers, checkpoint, old = worker
        log, most = self.rules.log, self.rules.batch_most
        for n in range(offset, min(len(log), offset + (most or 1))):
            rows, changed, answer = self._apply(rows, n)
            dirty = tuple(sorted({*dirty, *changed}))
            if answer:
                answers = (*answers, (n, log[n][1], answer))
            records = ", ".join(self._say(x) for x in range(offset, n + 1))
            if most:
                written = writes + self._written(rows, dirty)
                yield f"applies {records} as one batch", (n + 1, rows, (), written, answers, n + 1, old)
            else:
                yield f"applies {records}", (n + 1, rows, dirty, writes, answers, checkpoint, old)
        offset, rows, dirty, writes, answers, checkpoint, old = worker
        if not most and not writes and checkpoint < offset:
            written = self._written(rows, dirty)
            yield f"begins a checkpoint at offset {offset}", (offset, rows, (), written, answers, offset, old)

    def _written(self, rows: Any, dirty: tuple[int, ...]) -> tuple[Any, ...]:
        if self.rules.stock_first:
            dirty = (*(p for p in dirty if p >= self._orders), *(p for p in dirty if p < self._orders))
        return tuple((place, rows[place]) for place in dirty)

    def _apply(self, rows: Any, offset: int) -> tuple[Any, tuple[int, ...], int]:
        """(rows after the record, places of rows to write, the answer or 0)."""
        what, order, skus = self.rules.log[offset]
        version = offset + 1
        stock = [self._orders + sku for sku in skus]
        if what == RECEIVE:
            return self._count(rows, version, stock, +1), tuple(stock), 0
        row = rows[order]
        if what == RELEASE:
            if row is None:
                return _put(rows, order, (version, NO, version)), (order,), 0
            if row[0] < version and row[1] == OK and not row[2]:
                row = (version, OK, version)
                rows = _put(rows, order, row)
            if row[2] != version or row[1] != OK:
                return rows, (order,) if row[0] >= version else (), 0
            return self._count(rows, version, stock, +1), (order, *stock), 0
        first = next(n for n, record in enumerate(self.rules.log) if record[:2] == (RESERVE, order))
        if offset != first and row is not None:
            return rows, (), row[1]  # said twice: the recorded answer
        moved = [rows[place][0] >= version for place in stock]
        if row is None or (self.rules.decides_again and not all(moved)):
            answer = OK if all(rows[place][1] for place in stock) else NO
            row = (version, answer, 0)
            rows = _put(rows, order, row)
        if row[1] != OK:
            return rows, (order,), row[1]
        return self._count(rows, version, stock, -1), (order, *stock), OK

    def _count(self, rows: Any, version: int, places: list[int], change: int) -> Any:
        """Count a recorded change in the stock rows that are older than it."""
        for place in places:
            at, available = rows[place]
            if at < version:
                rows = _put(rows, place, (version, available + change))
        return rows

    def _recovered(self, changelog: Any) -> Any:
        """Per row the highest version over all writers; a string if two copies of one version differ."""
        best = list(self._first)
        for copies in changelog:
            for place, row in enumerate(copies):
                known = best[place]
                if row is None:
                    continue
                if known is None or row[0] > known[0]:
                    best[place] = row
                elif row[0] == known[0] and row != known:
                    return f"two contents of one version: {self._show(place, row)}; {self._show(place, known)}"
        if self.rules.rolls_forward:
            for order in range(self._orders):
                if best[order] is not None and best[order][1] == OK:
                    skus = next(skus for what, whose, skus in self.rules.log if (what, whose) == (RESERVE, order))
                    version = best[order][0]
                    best = list(self._count(tuple(best), version, [self._orders + sku for sku in skus], -1))
        return tuple(best)

    def _take_over(self, state: Any, how: str) -> tuple[str, Any]:
        committed, changelog, told, workers, crashes, zombies = state
        old = len(workers) - 1
        rows = self._recovered(changelog)
        label = f"W{old} {how}; W{old + 1} takes over at offset {committed}"
        if type(rows) is str:
            return label, rows
        copies: tuple[Any, ...] = ()
        if self.rules.deletes:
            copies = tuple(
                (writer, place, rows[place][0])
                for writer in range(len(changelog)) for place in range(self._size) if changelog[writer][place]
            )  # fmt: skip
        if how == "crashes":
            crashes -= 1
            workers = _put(workers, old, None)
            if not self.rules.deletes:  # of the dead only the highest copies still matter
                changelog = self._merged(workers, changelog)
        else:
            zombies -= 1
        worker = (committed, rows, (), (), (), committed, copies)
        return label, (committed, (*changelog, self._none), told, (*workers, worker), crashes, zombies)

    def _merged(self, workers: Any, changelog: Any) -> Any:
        dead = [w for w, worker in enumerate(workers) if worker is None]
        best = tuple(
            max((changelog[w][place] for w in dead if changelog[w][place]), default=None) for place in range(self._size)
        )
        return tuple(
            best if w == dead[0] else self._none if worker is None else changelog[w] for w, worker in enumerate(workers)
        )

    def _name(self, place: int) -> str:
        return f"reservation R{place + 1}" if place < self._orders else f"stock {'ab'[place - self._orders]}"

    def _show(self, place: int, row: Any) -> str:
        if place >= self._orders:
            return f"{self._name(place)} version {row[0]}, available {row[1]}"
        return f"{self._name(place)} version {row[0]}, {WORDS[row[1]]}" + (", released" if row[2] else "")

    def _say(self, offset: int) -> str:
        what, order, skus = self.rules.log[offset]
        return what + (f" R{order + 1}" if what != RECEIVE else "") + f" ({' and '.join('ab'[x] for x in skus)})"


def _put(values: tuple[Any, ...], place: int, value: Any) -> tuple[Any, ...]:
    return (*values[:place], value, *values[place + 1 :])
