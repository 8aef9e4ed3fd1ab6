"""How long the system was silent after each kill: pure, from the times of kills, of decisions and of outages."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple


class Outage(NamedTuple):
    """The broker failed, or a worker's way to it: from when to when (seconds since 1970)."""

    kind: str
    began: float
    ended: float


class Silence(NamedTuple):
    """After the kill `at` (seconds since 1970): seconds to the first decision anywhere, and until every partition
    had decided."""

    at: float
    anywhere: float
    everywhere: float


def percentile(values: Sequence[float], share: float) -> float | None:
    """The smallest value that at least `share` of them do not exceed; None of none."""
    ordered = sorted(values)
    return ordered[max(-(-int(share * 1000) * len(ordered) // 1000), 1) - 1] if ordered else None


def silences(kills: Iterable[float], decisions: Mapping[int, Sequence[float]]) -> list[Silence]:
    """Per kill, how long it was felt; a kill that nothing follows, in any partition, is left out.

    `decisions`: partition -> times, ascending.
    """
    found = []
    for kill in kills:
        firsts = []
        for times in decisions.values():
            place = bisect_right(times, kill)
            if place < len(times):
                firsts.append(times[place] - kill)
        if decisions and len(firsts) == len(decisions):
            found.append(Silence(kill, min(firsts), max(firsts)))
    return found


def summaries(found: Sequence[Silence], outages: Sequence[Outage] = ()) -> dict[str, Any]:
    """Both measures; with `outages`, of the kills that no outage fell together with: what a kill alone costs, other
    workers' own kills and pauses included."""
    return {
        "anywhere": summary([x.anywhere for x in found if not _meets(outages, x.at, x.anywhere)]),
        "every_partition": summary([x.everywhere for x in found if not _meets(outages, x.at, x.everywhere)]),
    }


def _meets(outages: Sequence[Outage], at: float, seconds: float) -> bool:
    return any(x.began < at + seconds and x.ended > at for x in outages)


def summary(values: Sequence[float]) -> dict[str, Any]:
    p50, p99 = percentile(values, 0.5), percentile(values, 0.99)
    return {
        "kills": len(values), "p50_seconds": None if p50 is None else round(p50, 2),
        "p99_seconds": None if p99 is None else round(p99, 2),
    }  # fmt: skip
