"""The stock protocol with one stock row: a log of orders for one unit each, workers that follow one another.

Modelled: each worker applies the log in order and sends rows and answers through two first-in-first-out buffers, which
land one record at a time and are lost at a crash; offsets are committed when both are empty; a new worker takes over
while the old one is dead (crash) or goes on, unaware (zombie; its commits are refused); the changelog compacted as far
as possible. One row holds state, version and answers.
Abstracted: the broker is perfect and recovery is one step (what a zombie lands during it, it may land before it).
Demanded: no two different answers to one command, no more sold than there is, nothing committed without an answer; and
once all is committed, a fresh owner finds what was told. Does not belong here: several rows (`many_rows`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

OK, NO = 1, 2
WORDS = {OK: "ok", NO: "no"}


class Rules(NamedTuple):
    """What a variant does; the defaults are the product's."""

    log: tuple[int, ...] = (0, 1, 2)  # the command at each offset
    units: int = 2
    crashes: int = 1
    zombies: int = 0
    own_keys: bool = True  # the writer is part of the changelog key; the highest version counts
    two_records: bool = False  # the outcome first, then the stock
    by_id_only: bool = False  # no version: a known command is a duplicate
    put_again: bool = True  # a redelivered command's row is written again
    kept_store: bool = False  # the local store survives, and the changelog is read from where it says it has read to
    lost_sends: int = 0  # changelog sends that fail without a word
    generations: bool = False  # the reader of answers ignores those of an older owner than it has heard
    clock: bool = False  # the decision reads a clock


class OneRow:
    """State: (committed, changelog, told, latest generation heard, workers, crashes, zombies and lost sends to come).

    A worker is (next offset, row, rows to land, answers to land, changelog position of its store); None if it is dead
    and keeps nothing. The last one is the owner. A row is (version, available, answers). Changelog: the row, with
    `own_keys` one per writer, with `kept_store` all there ever were.
    """

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self._commands = max(rules.log) + 1
        self._first = (0, rules.units, (0,) * self._commands)
        worker = (0, self._first, (), (), 0)
        changelog: Any = () if rules.kept_store else (None,) if rules.own_keys else self._first
        left = (rules.crashes, rules.zombies, rules.lost_sends)
        self.start = (0, changelog, (0,) * self._commands, 0, (worker,), *left)

    def rests(self, state: Any) -> bool:
        return state[0] == len(self.rules.log)

    def wrong(self, state: Any) -> str:
        committed, changelog, told, *_ = state
        if told.count(OK) > self.rules.units:
            return f"oversold: {told.count(OK)} of {self.rules.units} units"
        for command in self.rules.log[:committed]:
            if not told[command]:
                return f"lost order: R{command + 1} is committed and was never answered"
        return self._mislaid(committed, told, self._recovered(changelog, None))

    def _mislaid(self, committed: int, told: Any, row: Any) -> str:
        """What is wrong with this row for an owner that has nothing left to apply."""
        left = self.rules.units - told.count(OK)
        if committed < len(self.rules.log) or row[1] == left:
            return ""
        return f"lost reservation: a new owner finds {row[1]} available, {left} are left"

    def moves(self, state: Any) -> Iterator[tuple[str, Any]]:
        committed, changelog, told, heard, workers, *left = state
        crashes, zombies, lost = left
        rules = self.rules
        owner = len(workers) - 1
        for w, worker in enumerate(workers):
            if worker is None or worker[0] < 0:
                continue
            offset, row, rows, answers, read = worker
            if offset < len(rules.log):
                for applied, sent, answer in self._apply(offset, row):
                    after = (offset + 1, applied, rows + sent, (*answers, (rules.log[offset], answer)), read)
                    yield (f"W{w} applies R{rules.log[offset] + 1} (offset {offset}): {WORDS[answer]}",
                           (committed, changelog, told, heard, _put(workers, w, after), *left))  # fmt: skip
            if rows:
                written, end = self._write(changelog, w, rows[0])
                after = _put(workers, w, (offset, row, rows[1:], answers, end if rules.kept_store else read))
                yield (f"W{w}'s row lands: {_show(rows[0])}",
                       (committed, written, told, heard, after, *left))  # fmt: skip
                if lost:
                    after = _put(workers, w, (offset, row, rows[1:], answers, read))
                    yield (f"W{w}'s row is lost without a word: {_show(rows[0])}",
                           (committed, changelog, told, heard, after, crashes, zombies, lost - 1))  # fmt: skip
            if answers:
                command, answer = answers[0]
                label = f"W{w}'s answer to R{command + 1} is read: {WORDS[answer]}"
                after = _put(workers, w, (offset, row, rows, answers[1:], read))
                if rules.generations and w < heard:
                    yield label + ", and ignored", (committed, changelog, told, heard, after, *left)
                elif told[command] not in (0, answer):
                    yield (label, f"two different answers to R{command + 1}")
                else:
                    latest = w if rules.generations else 0
                    yield label, (committed, changelog, _put(told, command, answer), latest, after, *left)
            if w == owner and not rows and not answers and committed < offset:
                yield (f"W{w} commits offset {offset}",
                       (offset, changelog, told, heard, workers, *left))  # fmt: skip
        if crashes:
            yield from self._take_over(state, "crashes")
        if zombies:
            yield from self._take_over(state, "is cut off and does not know")

    def _apply(self, offset: int, row: Any) -> Iterator[tuple[Any, tuple[Any, ...], int]]:
        """(the row after it, what is written, the answer), one per possible reading of the clock."""
        rules = self.rules
        version, available, answers = row
        command = rules.log[offset]
        if (offset < version and not rules.by_id_only) or answers[command]:
            again = offset < version and rules.put_again and not rules.by_id_only
            yield row, (row,) if again else (), answers[command]
            return
        by_stock = OK if available else NO
        for answer in (OK, NO) if rules.clock and by_stock == OK else (by_stock,):
            left = available - (answer == OK)
            after = (offset + 1, left, _put(answers, command, answer))
            if rules.two_records:
                yield after, ((None, None, after[2]), (None, left, None)), answer
            else:
                yield after, (after,), answer

    def _write(self, changelog: Any, w: int, row: Any) -> tuple[Any, int]:
        """The changelog after a record has landed, and its end."""
        if self.rules.kept_store:
            return (*changelog, row), len(changelog) + 1
        if self.rules.own_keys:
            return _put(changelog, w, row), 0
        if self.rules.two_records:
            return tuple(old if new is None else new for old, new in zip(changelog, row, strict=True)), 0
        return row, 0

    def _recovered(self, changelog: Any, kept: Any) -> Any:
        """What a new owner starts with; `kept`: (its store's row, how far that has read the changelog)."""
        rows = changelog
        best = self._first
        if self.rules.kept_store:
            best, read = kept or (self._first, 0)
            rows = changelog[read:]
        elif not self.rules.own_keys:
            return changelog
        for row in rows:
            if row is not None and row[0] > best[0]:
                best = row
        return best

    def _take_over(self, state: Any, how: str) -> Iterator[tuple[str, Any]]:
        committed, changelog, told, heard, workers, crashes, zombies, lost = state
        old, new = len(workers) - 1, len(workers)
        if how == "crashes":
            crashes -= 1
            store = (-1, workers[old][1], (), (), workers[old][4]) if self.rules.kept_store else None
            workers = _put(workers, old, store)
            if self.rules.own_keys and not self.rules.kept_store:  # of the dead only their highest row still matters
                best = max((row for w, row in zip(workers, changelog, strict=True) if w is None and row), default=None)
                changelog = tuple(None if w is None else row for w, row in zip(workers, changelog, strict=True))
                changelog = _put(changelog, old, best)
        else:
            zombies -= 1
        written = (*changelog, None) if self.rules.own_keys and not self.rules.kept_store else changelog
        places: list[tuple[str, Any, Any]] = [("", workers, None)]
        if self.rules.kept_store:
            for machine, worker in enumerate(workers):
                if worker is not None:
                    rest = _put(workers, machine, None)
                    places.append((f" on W{machine}'s machine", rest, (worker[1], worker[4])))
        for where, others, kept in places:
            row = self._recovered(changelog, kept)
            worker = (committed, row, (), (), len(changelog) if self.rules.kept_store else 0)
            after = (committed, written, told, heard, (*others, worker), crashes, zombies, lost)
            yield (f"W{old} {how}; W{new} takes over{where} at offset {committed} with {_show(row)}",
                   self._mislaid(committed, told, row) or after)  # fmt: skip


def _put(values: tuple[Any, ...], place: int, value: Any) -> tuple[Any, ...]:
    return (*values[:place], value, *values[place + 1 :])


def _show(row: Any) -> str:
    version, available, answers = row
    parts = []
    if version is not None:
        parts.append(f"version {version}")
    if available is not None:
        parts.append(f"available {available}")
    if answers is not None:
        parts.append("answers " + (" ".join(f"R{n + 1}={WORDS[x]}" for n, x in enumerate(answers) if x) or "none"))
    return ", ".join(parts)
