"""What an audit found: per rule and subject the first bad position, what was expected and what stood there.

Pure. Guarantees: bounded, whatever is wrong (`KEPT` findings, the rest is counted); every rule that was checked is
counted, with how often. What is looked at again and again (`look`) counts as it stood at the last look, and what is
wrong with it is found once. Does not belong here: rules.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable
from typing import Any, NamedTuple

from msgspec import Struct

KEPT = 100
LOOKS_KEPT = 10_000  # subjects with something wrong whose last look is remembered
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

    def __init__(self, on_found: Callable[[Finding], None] | None = None) -> None:
        self.checked: Counter[str] = Counter()
        self.more = 0
        self._kept: dict[_Key, Finding] = {}
        self._on_found = on_found
        self._looks: dict[Hashable, tuple[tuple[str, int], ...]] = {}  # subject -> what its last look checked
        self._alike: dict[tuple[tuple[str, int], ...], tuple[tuple[str, int], ...]] = {}  # most looks are
        self._wrong: dict[Hashable, Counter[_Key]] = {}
        self._seeing: Counter[_Key] | None = None
        self._seen: Counter[_Key] = Counter()

    @property
    def kept(self) -> list[Finding]:
        return list(self._kept.values())

    @property
    def any(self) -> bool:
        return bool(self._kept)

    def look(self, subject: Hashable, judge: Callable[[], None]) -> None:
        """`judge` says how a subject stands now; what it counts replaces what it counted the last time."""
        total, self.checked = self.checked, Counter()
        self._seeing, self._seen = Counter(), self._wrong.get(subject, _NOTHING)
        judge()
        fresh = tuple(self.checked.items())
        self.checked = total
        before = self._looks.get(subject, ())
        if fresh != before:
            self._looks[subject] = self._alike.setdefault(fresh, fresh)
            total.subtract(dict(before))
            total.update(dict(fresh))
        if self._seeing and (subject in self._wrong or len(self._wrong) < LOOKS_KEPT):
            self._wrong[subject] = self._seeing | self._seen
        self._seeing, self._seen = None, _NOTHING

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
        if self._seeing is not None:
            self._seeing[key] += 1
            if self._seeing[key] <= self._seen[key]:
                return  # found by an earlier look
        known = self._kept.get(key)
        if known is not None:
            known.times += 1
        elif len(self._kept) >= KEPT:
            self.more += 1
        else:
            self._kept[key] = finding = Finding(
                rule, subject, location, lot, *spot, str(expected)[:TEXT_MAX], str(found)[:TEXT_MAX], note[:TEXT_MAX]
            )
            if self._on_found is not None:
                self._on_found(finding)


_Key = tuple[str, str, str, str]  # rule, subject, location, lot
_NOTHING: Counter[_Key] = Counter()
