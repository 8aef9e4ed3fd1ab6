"""A published view in a compacted topic whose key all workers share: which version stays the last word.

Modelled: a row that changes with every record of the log; the owner and zombies publish versions of it, in order per
worker and late at will; a reader that follows all the time, and one that starts later and finds only what compaction
has left. The owner publishes what it took over again, and sweeps: publishes the present version once more.
Abstracted: rows themselves are safe (`many_rows`), so a new owner has the version that is committed, or a later one; a
zombie ends at some time, and a sweep that comes before that is of no account. Demanded: at rest both readers have the
last version. Does not belong here: changelogs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


class Views:
    """State: (committed, last version in the topic, version the old reader has, workers, crashes, zombies to come).

    A worker is (version of its row, versions to be published); None if dead. `again`: a new owner publishes what it
    took over. `sweeps`: the owner publishes the present version while the topic has another. `highest`: readers keep
    the highest version, else the last. `awaits`: offsets wait for views.
    """

    def __init__(
        self,
        *,
        records: int = 3,
        crashes: int = 1,
        zombies: int = 1,
        again: bool = True,
        sweeps: bool = True,
        highest: bool = True,
        awaits: bool = True,
    ) -> None:
        self._records, self._again, self._sweeps = records, again, sweeps
        self._highest, self._awaits = highest, awaits
        self.start = (0, 0, 0, ((0, ()),), crashes, zombies)

    def rests(self, state: Any) -> bool:
        """All is committed and published, and no zombie has anything left to say; with sweeps, they came after it."""
        committed, last, _, workers, *_ = state
        if committed < self._records or any(worker and worker[1] for worker in workers):
            return False
        quiet = all(worker is None or worker[0] == self._records for worker in workers)
        return quiet and (not self._sweeps or last == self._records)

    def wrong(self, state: Any) -> str:
        if not self.rests(state):
            return ""
        _, last, seen, *_ = state
        if last != self._records:
            return f"a reader that starts now has version {last} for good, of {self._records}"
        return "" if seen == self._records else f"a reader has version {seen} for good, of {self._records}"

    def moves(self, state: Any) -> Iterator[tuple[str, Any]]:
        committed, last, seen, workers, crashes, zombies = state
        owner = len(workers) - 1
        for w, worker in enumerate(workers):
            if worker is None:
                continue
            version, views = worker
            if version < self._records:
                after = _put(workers, w, (version + 1, (*views, version + 1)))
                yield f"W{w} applies record {version + 1}", (committed, last, seen, after, crashes, zombies)
            if views:
                first, rest = views[0], views[1:]
                if self._highest and first < seen:
                    read = seen
                elif first < seen and self._sweeps:
                    yield f"W{w}'s view lands: version {first}", f"a reader goes back from version {seen} to {first}"
                    return
                else:
                    read = first
                after = _put(workers, w, (version, rest))
                yield f"W{w}'s view lands: version {first}", (committed, first, read, after, crashes, zombies)
            if w < owner:
                yield f"W{w} ends", (committed, last, seen, _put(workers, w, None), crashes, zombies)
            if w == owner and committed < version and not (self._awaits and views):
                yield f"W{w} commits version {version}", (version, last, seen, workers, crashes, zombies)
            if w == owner and self._sweeps and last != version > 0 and not views:
                after = _put(workers, w, (version, (version,)))
                yield f"W{w} sweeps", (committed, last, seen, after, crashes, zombies)
        for left, how in ((crashes, "crashes"), (zombies, "is cut off and does not know")):
            if not left:
                continue
            others = _put(workers, owner, None) if how == "crashes" else workers
            budget = (crashes - (how == "crashes"), zombies - (how != "crashes"))
            new = (committed, (committed,) if self._again and committed else ())
            yield (f"W{owner} {how}; W{owner + 1} takes over at version {committed}",
                   (committed, last, seen, (*others, new), *budget))  # fmt: skip


def _put(values: tuple[Any, ...], place: int, value: Any) -> tuple[Any, ...]:
    return (*values[:place], value, *values[place + 1 :])
