"""How long the system was silent after each kill: pure, from the times of kills and of decisions."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from typing import Any


def percentile(values: Sequence[float], share: float) -> float | None:
    """The smallest value that at least `share` of them do not exceed; None of none."""
    ordered = sorted(values)
    return ordered[max(-(-int(share * 1000) * len(ordered) // 1000), 1) - 1] if ordered else None


def silences(kills: Iterable[float], decisions: Mapping[int, Sequence[float]]) -> tuple[list[float], list[float]]:
    """Seconds from each kill to the first decision anywhere, and to the first in the last partition to speak.

    `decisions`: partition -> times, ascending. A kill that nothing follows, in any partition, is left out of both.
    """
    anywhere, everywhere = [], []
    for kill in kills:
        firsts = []
        for times in decisions.values():
            place = bisect_right(times, kill)
            if place < len(times):
                firsts.append(times[place] - kill)
        if decisions and len(firsts) == len(decisions):
            anywhere.append(min(firsts))
            everywhere.append(max(firsts))
    return anywhere, everywhere


def summary(values: Sequence[float]) -> dict[str, Any]:
    p50, p99 = percentile(values, 0.5), percentile(values, 0.99)
    return {
        "kills": len(values), "p50_seconds": None if p50 is None else round(p50, 2),
        "p99_seconds": None if p99 is None else round(p99, 2),
    }  # fmt: skip
