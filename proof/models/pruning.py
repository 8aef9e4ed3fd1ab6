"""Forgetting a closed reservation, and a zombie that still has its older copies to write (`workers`).

Modelled: a reservation that is closed, counts as forgotten when state time has gone on, is marked deleted by a record,
and is taken out of the changelog after more state time; commands for it come again afterwards. The remover is whoever
has the row: it takes its own copy away when no other writer's copy is left.
Abstracted: one SKU and one reservation; one step of state time stands for each keeping time. Demanded: at rest nothing
is claimed and all units are available; no `ok` after `too_old`, of which the order takes what it heard first: a claim
that is read again says its `ok` again. Does not belong here: who looks for old rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from proof.models.given_log import GivenLog
from proof.models.workers import How, Workers

RESERVE, RELEASE, TICK, PRUNE = "reserve", "release", "tick", "prune"
CLAIMED, RELEASED, REFUSED, DELETED = "claimed", "released", "refused", "deleted"
LIFE = (RESERVE, RELEASE, TICK, PRUNE, TICK, RELEASE, RESERVE)
RESERVATION, STOCK, PARTITION = 0, 1, 2


class Reservation(GivenLog):
    """The world: the answer told first. Rows: reservation (version, state, since which state time, version of its
    claim, version of its release), stock (version, available), partition (version, state time). The rules: see
    `Pruning`.
    """

    rows = (None, (0, 1), (0, 0))
    start = ("",)

    def __init__(self, log: tuple[str, ...], *, at_once: bool, owed: bool, keeps: bool, replaces: bool) -> None:
        super().__init__(log)
        self._at_once, self._owed, self._keeps, self._replaces = at_once, owed, keeps, replaces

    def apply(self, world: Any, rows: Any, offset: int) -> tuple[Any, tuple[int, ...], tuple[Any, ...]]:
        version = offset + 1
        row, stock, (at, time) = rows
        done = at >= version  # a record before the recovered partition row: what it changed stands in a row
        record = self._log[offset]
        partition = (at, time) if done else (version, time + (record == TICK))
        known = row is not None and row[0] >= version
        too_old = not known and record == RESERVE and bool(time) and (row is None or self._forgotten(row, time))
        if record == TICK or (done and not known):
            return (row, stock, partition), (PARTITION,), ()
        if not known:
            before, row = row, self._step(row, stock, record, version, time)
            if row is before:
                return (row, stock, partition), (PARTITION,), (("answers", "too_old"),) if too_old else ()
        claims, releases = (row[3:] if row else (0, 0))
        change = (releases == version) - (claims == version)
        if change and stock[0] < version:
            stock = (version, stock[1] + change)
        words = ()
        if record == RESERVE and row is not None and row[1] != DELETED:
            answer = "ok" if claims == version else "too_old" if row[1] == REFUSED else "recorded"
            words = (("answers", answer),)
        if self._at_once and row is not None and row[1] == DELETED:
            row = None
        return (row, stock, partition), (RESERVATION, STOCK, PARTITION) if change else (RESERVATION, PARTITION), words

    def _step(self, row: Any, stock: Any, record: str, version: int, time: int) -> Any:
        """The reservation after a record that it has not seen."""
        forgotten = row is not None and self._forgotten(row, time)
        kept = row[3:] if row is not None and self._keeps else (0, 0)
        if record == PRUNE:
            if row is None or not (forgotten or self._owed) or row[1] == DELETED:
                return row
            return (version, DELETED, time, *kept)
        if forgotten and not self._replaces:
            return row
        if forgotten:
            row = None
        if record == RELEASE:
            if row is None:
                return (version, RELEASED, time, 0, 0)
            return (version, RELEASED, time, row[3], version) if row[1] == CLAIMED else row
        if row is not None or (time and not self._replaces):
            return row
        return (version, CLAIMED, time, version, 0) if time == 0 and stock[1] else (version, REFUSED, time, 0, 0)

    def _forgotten(self, row: Any, time: int) -> bool:
        return row[1] == DELETED or (row[1] != CLAIMED and time > row[2])

    def hear(self, world: Any, word: Any) -> tuple[str, Any]:
        answer = word[1]
        if world == ("too_old",) and answer == "ok":
            return answer, "ok after too_old: what was given up is taken again"
        return answer, (world[0] or answer,)

    def wrong_at_rest(self, world: Any, rows: Any) -> str:
        row, stock, _ = rows
        if stock[1] != 1:
            return f"{'oversell' if stock[1] > 1 else 'leak'}: a new owner finds {stock[1]} available, there is 1"
        return "leak: a new owner finds a claim of nobody" if row is not None and row[1] == CLAIMED else ""

    def show(self, place: int, row: Any) -> str:
        name = ("reservation", "stock", "partition")[place]
        if row is None:
            return name
        return f"{name} version {row[0]}, {('', 'available ', 'state time ')[place]}{row[1]}"


class Pruning(Workers):
    """`looks`: before it takes its copy away, the remover looks for other writers' copies once more, when their writers
    have ended; without, it knows those that were there when it began. `at_once`: a pruned row's copy goes at once, no
    mark stays. `owed`: what is still claimed is pruned too. `keeps`: the mark keeps the versions of its claim and its
    release, for stock rows that have not counted them yet. `replaces`: a command that finds a forgotten row leaves one
    of its own in its place; without, it leaves it as it is, and a reserve that is too old leaves no row at all.
    """

    def __init__(
        self, log: tuple[str, ...] = LIFE, how: How | None = None, *,
        looks: bool = True, at_once: bool = False, owed: bool = False, keeps: bool = True, replaces: bool = False,
    ) -> None:  # fmt: skip
        world = Reservation(log, at_once=at_once, owed=owed, keeps=keeps, replaces=replaces)
        super().__init__(world, how or How(deletes="after"))
        self._looks = looks

    def moves(self, state: Any) -> Iterator[tuple[str, Any]]:
        yield from super().moves(state)
        committed, changelog, world, workers, *left = state
        for w, worker in enumerate(workers):
            if worker is None:
                continue
            if w < len(workers) - 1:
                ended = (*workers[:w], None, *workers[w + 1 :])
                yield f"W{w} ends", (committed, changelog, world, ended, *left)
            for label, copies, after in self._remove(changelog, workers, w):
                yield f"W{w} {label}", (committed, copies, world, (*workers[:w], after, *workers[w + 1 :]), *left)

    def _remove(self, changelog: Any, workers: Any, w: int) -> Iterator[tuple[str, Any, Any]]:
        offset, rows, dirty, writes, words, checkpoint, old = workers[w]
        row = rows[RESERVATION]
        if row is None or row[1] != DELETED or rows[PARTITION][1] <= row[2] or RESERVATION in dirty:
            return
        foreign = [copy for copy in old if copy[1] == RESERVATION]
        if self._looks:
            if any(other for n, other in enumerate(workers) if n != w):
                return
            foreign = [
                (n, RESERVATION, row[0]) for n, copies in enumerate(changelog) if n != w and copies[RESERVATION]
            ]
        if not foreign:
            after = (offset, (None, *rows[1:]), dirty, (*writes, (RESERVATION, None)), words, checkpoint, old)
            yield "takes the reservation out of the changelog", changelog, after
        elif changelog[w][RESERVATION] is None and (RESERVATION, row) not in writes:
            after = (offset, rows, (RESERVATION, *dirty), writes, words, checkpoint - 1, tuple({*old, *foreign}))
            yield "writes the mark again as its own", changelog, after
        elif self._looks and not set(foreign) <= set(old):
            after = (offset, rows, dirty, writes, words, checkpoint, tuple(sorted({*old, *foreign})))
            yield "finds another writer's copy", changelog, after
