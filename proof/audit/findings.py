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

# Every rule, and what holds where it does.
RULES = {
    "all_or_nothing": "what a confirmed order owes is allocated, or waits, where the order says; and nothing else is",
    "answer": "an answer to reserve says what these books say, and somebody asked for it",
    "backorder_limit": "no more is promised without stock than the policy allows",
    "cancellation": "what an order gave back is told once, and stock got it back",
    "changelog": "every copy of a row is what the log made of it, and none is missing",
    "conservation": "lots and movements add up to what is on hand",
    "dead_letter": "what cannot be applied is among the dead letters, and nothing else",
    "decision": "an order's decision is the one that its log leads to",
    "demand": "the last word on a day's demand is what was asked for, given back, sent and returned",
    "edit": "an edit is told as it was granted",
    "fill": "a filled backorder is told with its units",
    "floor": "what is promised is fresh enough for its channel",
    "forwarded": "a misrouted record arrives in its own partition",
    "frozen": "units that nobody may have are promised to nobody",
    "identity": "on hand is the sum of its five parts",
    "items": "every item is counted once, and every partition moves",
    "kit": "the parts of a kit left their shelves, or came back",
    "leak": "nothing is held for an order that has no claim to it",
    "level": "a published level is what the books say at its version",
    "line_equation": "of each line: quantity = open + allocated + shipped + cancelled",
    "log": "a log is opened once, by rules that this auditor knows",
    "lost_decision": "a decision that was made is told",
    "move": "an answer to move says what these books say",
    "oldest_first": "backorders are filled in the order in which they came",
    "one_answer": "all answers to one attempt are equal",
    "one_decision": "an order is decided once",
    "order_status": "an order's document is what its log says at its version",
    "picked_once": "stock hears of each pick of an order once",
    "promise": "no unit is promised that is not there",
    "promised_by_day": "what can be promised starts at what is there and grows",
    "returned_once": "each shipped unit comes back at most once, on both sides",
    "ring_fence": "a channel's own stock is never less than nothing",
    "shipped_once": "stock hears of each parcel of an order once",
    "two_contents": "one version of a row has one content, whoever wrote it",
    "undecided": "an order that nothing is under way for is decided",
    "unknown_order": "decisions are about orders that were placed",
}
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
        """One of `RULES` did not hold. Only the first position of a rule and subject is kept."""
        assert rule in RULES, rule
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
