"""Workers that follow one another over one log, each with rows of its own writing: what all protocol models share.

Modelled: a worker applies records in log order. What it says leaves at once (or with its batch) and is heard in order
per destination; changed rows leave at a batch's end or at a checkpoint, once each, under the writer's own key, and land
one at a time in order; a crash loses what has not left. Offsets are committed when the checkpoint's rows have landed
and everything said up to it was heard. A new worker takes over while the old one is dead, or goes on as a zombie whose
commits are refused. It takes, per row, the highest version over all writers, and may delete older writers' copies.
Abstracted: the broker is perfect; the changelog is compacted as far as possible (a writer's versions of a row only
grow); recovery is one step (what a zombie lands during it, it may land before it).
Does not belong here: what a record does; what happens outside (`World`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol


class How(NamedTuple):
    """What a variant does; the defaults are the product's."""

    crashes: int = 1
    zombies: int = 1
    batch_most: int = 0  # records in a batch whose rows are written at its end; 0: rows wait for a checkpoint
    deletes: str = ""  # old writers' copies go "after" an own record of their version has landed, or "before"
    commits_early: bool = False  # the offset is committed before the checkpoint's rows have landed
    order: tuple[int, ...] = ()  # in which a checkpoint writes its rows; default: by place


class World(Protocol):
    """What a log's records do, and everything outside the workers: topics, the other side, what was told."""

    rows: tuple[Any, ...]  # at the start; a row is None or starts with its version (offset + 1)
    start: Any  # the world at the start

    def end(self, world: Any) -> int:
        """Records in the log."""

    def say(self, world: Any, offset: int) -> str:
        """The record in words."""

    def apply(self, world: Any, rows: Any, offset: int) -> tuple[Any, tuple[int, ...], tuple[Any, ...]]:
        """(rows after the record, places of rows to write, what is said: each starts with its destination)."""

    def hear(self, world: Any, word: Any) -> tuple[str, Any]:
        """(what is heard, the world after it; a string if that is wrong)."""

    def others(self, world: Any) -> Iterator[tuple[str, Any]]:
        """What happens without a worker."""

    def recover(self, rows: Any) -> Any:
        """The rows as a new owner begins with them."""

    def wrong(self, world: Any, committed: int) -> str:
        """What is wrong whenever this much is committed."""

    def wrong_at_rest(self, world: Any, rows: Any) -> str:
        """What is wrong for an owner that recovers these rows, with nothing left to do."""

    def rests(self, world: Any) -> bool:
        """Whether nothing is under way outside."""

    def show(self, place: int, row: Any) -> str:
        """A row in words; None: its name."""


class Workers:
    """State: (committed, changelog, world, workers, crashes to come, zombies to come).

    A worker is (next offset, rows, changed rows, rows to land, words to be heard, offset of its checkpoint, copies it
    may delete); None if dead. Changelog: per writer its copies of all rows; None where it has none.
    """

    def __init__(self, world: World, how: How) -> None:
        self.world, self.how = world, how
        self._none = (None,) * len(world.rows)
        worker = (0, world.rows, (), (), (), 0, ())
        self.start = (0, (self._none,), world.start, (worker,), how.crashes, how.zombies)

    def rests(self, state: Any) -> bool:
        return state[0] == self.world.end(state[2]) and self.world.rests(state[2])

    def wrong(self, state: Any) -> str:
        why = self.world.wrong(state[2], state[0])
        if why or not self.rests(state):
            return why
        rows = self._recovered(state[1])
        return rows if type(rows) is str else self.world.wrong_at_rest(state[2], rows)

    def moves(self, state: Any) -> Iterator[tuple[str, Any]]:
        committed, changelog, world, workers, crashes, zombies = state
        left = (crashes, zombies)
        for label, after in self.world.others(world):
            yield label, after if type(after) is str else (committed, changelog, after, workers, *left)
        for w, worker in enumerate(workers):
            if worker is None:
                continue
            offset, rows, dirty, writes, words, checkpoint, old = worker
            for label, after in self._work(world, worker):
                yield f"W{w} {label}", (committed, changelog, world, _put(workers, w, after), *left)
            if writes:
                place, row = writes[0]
                written = _put(changelog, w, _put(changelog[w], place, row))
                after = _put(workers, w, (offset, rows, dirty, writes[1:], words, checkpoint, old))
                label = f"'s row lands: {self.world.show(place, row)}"
                if row is None:
                    label = f"'s copy of {self.world.show(place, None)} goes"
                yield f"W{w}{label}", (committed, written, world, after, *left)
            lanes = set()
            for n, (_, word) in enumerate(words):
                if word[0] in lanes:
                    continue
                lanes.add(word[0])
                label, heard = self.world.hear(world, word)
                after = _put(workers, w, (offset, rows, dirty, writes, words[:n] + words[n + 1 :], checkpoint, old))
                yield (f"W{w} is heard: {label}",
                       heard if type(heard) is str else (committed, changelog, heard, after, *left))  # fmt: skip
            for label, gone, rest in self._delete(changelog, w, worker):
                yield f"W{w} {label}", (committed, gone, world, _put(workers, w, rest), *left)
            early = self.how.commits_early
            until = offset if early else checkpoint
            done = (early or not writes) and not any(said < until for said, _ in words)
            if w == len(workers) - 1 and committed < until and done:
                yield f"W{w} commits offset {until}", (until, changelog, world, workers, *left)
        if crashes:
            yield self._take_over(state, "crashes")
        if zombies:
            yield self._take_over(state, "is cut off and does not know")

    def _work(self, world: Any, worker: Any) -> Iterator[tuple[str, Any]]:
        """Apply records; write what has changed."""
        offset, rows, dirty, writes, words, checkpoint, old = worker
        most = self.how.batch_most
        records = []
        for n in range(offset, min(self.world.end(world), offset + (most or 1))):
            rows, changed, said = self.world.apply(world, rows, n)
            dirty = tuple(sorted({*dirty, *changed}))
            words = (*words, *((n, word) for word in said))
            records.append(self.world.say(world, n))
            if most:
                written = writes + self._written(rows, dirty)
                yield f"applies {', '.join(records)} as one batch", (n + 1, rows, (), written, words, n + 1, old)
            else:
                yield f"applies {records[0]}", (n + 1, rows, dirty, writes, words, checkpoint, old)
        offset, rows, dirty, writes, words, checkpoint, old = worker
        if not most and not writes and checkpoint < offset:
            written = self._written(rows, dirty)
            yield f"begins a checkpoint at offset {offset}", (offset, rows, (), written, words, offset, old)

    def _written(self, rows: Any, dirty: tuple[int, ...]) -> tuple[Any, ...]:
        return tuple((place, rows[place]) for place in self.how.order or dirty if place in dirty)

    def _delete(self, changelog: Any, w: int, worker: Any) -> Iterator[tuple[str, Any, Any]]:
        *rest, old = worker
        for n, (writer, place, version) in enumerate(old):
            ours = changelog[w][place]
            if self.how.deletes == "after" and (ours is None or ours[0] < version):
                continue
            gone = _put(changelog, writer, _put(changelog[writer], place, None))
            label = f"deletes W{writer}'s copy of {self.world.show(place, None)}"
            yield label, gone, (*rest, (*old[:n], *old[n + 1 :]))

    def _recovered(self, changelog: Any) -> Any:
        """Per row the highest version over all writers; a string if two copies of one version differ."""
        best = list(self.world.rows)
        for copies in changelog:
            for place, row in enumerate(copies):
                known = best[place]
                if row is None:
                    continue
                if known is None or row[0] > known[0]:
                    best[place] = row
                elif row[0] == known[0] and row != known:
                    both = f"{self.world.show(place, row)}; {self.world.show(place, known)}"
                    return f"two contents of one version: {both}"
        return self.world.recover(tuple(best))

    def _take_over(self, state: Any, how: str) -> tuple[str, Any]:
        committed, changelog, world, workers, crashes, zombies = state
        old = len(workers) - 1
        rows = self._recovered(changelog)
        label = f"W{old} {how}; W{old + 1} takes over at offset {committed}"
        if type(rows) is str:
            return label, rows
        copies: tuple[Any, ...] = ()
        if self.how.deletes:
            copies = tuple(
                (writer, place, rows[place][0])
                for writer, mine in enumerate(changelog) for place, copy in enumerate(mine) if copy
            )  # fmt: skip
        if how == "crashes":
            crashes -= 1
            workers = _put(workers, old, None)
            if not self.how.deletes:  # of the dead only the highest copies still matter
                changelog = self._merged(workers, changelog)
        else:
            zombies -= 1
        worker = (committed, rows, (), (), (), committed, copies)
        return label, (committed, (*changelog, self._none), world, (*workers, worker), crashes, zombies)

    def _merged(self, workers: Any, changelog: Any) -> Any:
        dead = [w for w, worker in enumerate(workers) if worker is None]
        best = tuple(
            max((changelog[w][place] for w in dead if changelog[w][place]), default=None)
            for place in range(len(self._none))
        )
        return tuple(
            best if w == dead[0] else self._none if worker is None else changelog[w] for w, worker in enumerate(workers)
        )


def _put(values: tuple[Any, ...], place: int, value: Any) -> tuple[Any, ...]:
    return (*values[:place], value, *values[place + 1 :])
