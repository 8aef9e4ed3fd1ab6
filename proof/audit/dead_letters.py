"""The dead letters: every record that had to be one is there, and no other.

Reads the topic before the logs are folded: one bound of an order's row is counted in what the row remembers, which no
fold of the log can know; there the letter is believed (`is_said`), if the order is anywhere near it.
"""

from __future__ import annotations

from collections.abc import Iterable

from proof.audit.findings import Findings, Spot
from proof.audit.intake import Intake
from proof.audit.seen import INDEX_BITS, ORDERS, WAREHOUSE, Cut, Seen, spot_of

Where = tuple[str, int, int]  # topic, partition, place


class DeadLetters:
    """Letters about records of the two logs, and how many there are about anything else (files)."""

    def __init__(self) -> None:
        self.elsewhere = 0
        self._said: dict[Where, tuple[str, Spot]] = {}

    def read(self, messages: Iterable[Seen]) -> None:
        for message in messages:
            said = dict(message.headers or ())
            topic = said.get("__connect.errors.topic", b"").decode(errors="replace")
            if topic not in (ORDERS, WAREHOUSE):
                self.elsewhere += 1
                continue
            numbers = [said.get(f"__connect.errors.{name}", b"0") for name in ("partition", "offset", "index")]
            partition, offset, index = (int(x) if x.isdigit() else -1 for x in numbers)
            reason = said.get("__connect.errors.exception.message", b"").decode(errors="replace")
            spot = Spot(message.topic, message.partition, message.offset)
            self._said.setdefault((topic, partition, offset << INDEX_BITS | index), (reason, spot))

    def is_said(self, where: Where, reason: str) -> bool:
        """Whether a letter gives this reason for this record."""
        return where in self._said and self._said[where][0].startswith(reason)

    def check(self, intakes: Iterable[Intake], cut: Cut, findings: Findings) -> None:
        due = {(x.topic, *key): reason for x in intakes for key, reason in x.dead.items()}
        for where, (reason, spot) in self._said.items():
            topic, partition, place = where
            offset, index = place >> INDEX_BITS, place & 1023
            if where not in due and cut.is_read(topic, partition, offset):
                findings.add("dead_letter", f"{topic}[{partition}]", spot,
                             f"none: offset {offset}.{index} is a good record", reason)  # fmt: skip
        for where, reason in due.items():
            findings.checked["dead_letter"] += 1
            if where not in self._said and cut.is_sure(*where):
                topic, partition, _ = where
                findings.add("dead_letter", f"{topic}[{partition}]", spot_of(*where), f"a dead letter: {reason}",
                             "none")  # fmt: skip
