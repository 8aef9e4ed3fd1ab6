"""The dead letters: every record that had to be one is there, and no other.

Reads the topic before the logs are folded: one bound of an order's row is counted in what the row remembers, which no
fold of the log can know; there the letter is believed (`is_said`), if the order is anywhere near it. Grows with:
dead letters.
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
        self._open: dict[Where, int] = {}  # letters whose record is not folded yet -> round they were read in

    def read(self, messages: Iterable[Seen], number: int = 0) -> None:
        """Take in what is new, in round `number`."""
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
            where = (topic, partition, offset << INDEX_BITS | index)
            if where not in self._said:
                self._said[where] = (reason, spot)
                self._open[where] = number

    def is_said(self, where: Where, reason: str) -> bool:
        """Whether a letter gives this reason for this record."""
        return where in self._said and self._said[where][0].startswith(reason)

    def check(self, intakes: Iterable[Intake], cut: Cut, findings: Findings) -> None:
        """Letters about records that are folded by now, and records that are folded since the last look."""
        dead = {x.topic: x.dead for x in intakes}
        for where, number in list(self._open.items()):
            topic, partition, place = where
            if not cut.is_sure(*where) and not cut.is_beyond(*where, number):
                continue
            del self._open[where]
            if (partition, place) not in dead[topic]:
                reason, spot = self._said[where]
                findings.add("dead_letter", f"{topic}[{partition}]", spot,
                             f"none: offset {place >> INDEX_BITS}.{place & 1023} is a good record", reason)  # fmt: skip
        for intake in intakes:
            for partition, place in intake.new_dead:
                where = (intake.topic, partition, place)
                findings.checked["dead_letter"] += 1
                if where not in self._said:
                    findings.add("dead_letter", f"{intake.topic}[{partition}]", spot_of(*where),
                                 f"a dead letter: {intake.dead[partition, place]}", "none")  # fmt: skip
            intake.new_dead.clear()
