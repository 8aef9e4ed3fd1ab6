"""What an audit found: per rule and subject the first bad position, what was expected and what stood there.

Pure. Guarantees: bounded, whatever is wrong (`KEPT` findings, the rest is counted); every rule that was checked is
counted, with how often. Does not belong here: rules.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

from msgspec import Struct

KEPT = 100
TEXT_MAX = 400


class Spot(NamedTuple):
    """Where a record stands."""

    topic: str
    partition: int
    offset: int
    index: int = 0


class Finding(Struct):
    """`subject`: SKU or order. `times`: how often the same rule failed for the same subject."""

    rule: str
    subject: str
    location: str
    lot: str
    topic: str
    partition: int
    offset: int
    index: int
    expected: str
    found: str
    note: str
    times: int = 1


class Findings:
    """Counts checks, keeps the first findings."""

    def __init__(self) -> None:
        self.checked: Counter[str] = Counter()
        self.more = 0
        self._kept: dict[tuple[str, str, str, str], Finding] = {}

    @property
    def kept(self) -> list[Finding]:
        return list(self._kept.values())

    @property
    def any(self) -> bool:
        return bool(self._kept)

    def add(
        self,
        rule: str,
        subject: str,
        spot: Spot,
        expected: Any,
        found: Any,
        *,
        location: str = "",
        lot: str = "",
        note: str = "",
    ) -> None:
        """A rule did not hold. Only the first position of a rule and subject is kept."""
        key = (rule, subject, location, lot)
        known = self._kept.get(key)
        if known is not None:
            known.times += 1
        elif len(self._kept) >= KEPT:
            self.more += 1
        else:
            self._kept[key] = Finding(
                rule, subject, location, lot, *spot, str(expected)[:TEXT_MAX], str(found)[:TEXT_MAX], note[:TEXT_MAX]
            )
