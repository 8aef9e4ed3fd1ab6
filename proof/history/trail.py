"""The trail of one order through one partition: what each of its records found, changed and made the agent say.

Wraps an agent's step. Guarantees: the step decides as ever, on the rows it always reads; rows are read just before the
record is applied. Which rows hold rules is not known here: a rule is what the decision looked at and is no unit count.
Does not belong here: which partitions to fold (`explain`), sentences.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from proof.history.account import Change, Event, Position, Question, Rule, SkuThere, answer, shown
from proof.history.moment import position_text
from proof.history.sentences import came, said, tag
from streams.partition import Step
from streams.views import stock_levels
from tables import records as r
from tables.codec import instant
from tables.outcome import At, Outcome, View
from tables.rows import PartitionRow, PolicyEffect, order_key, sku_key

UNIT_KINDS = ("stock", "lot", "demand", "res", "fact", "order", "partition")  # rows that count, or tell of one order
_UNSHOWN = frozenset((  # of rows: names, places, and what sentences say better
    "at", "digest", "order_id", "attempt", "order_partition", "asked", "first_location", "day", "hour", "occurred_at",
    "payment_seconds", "sku", "location", "lot", "received", "level", "short", "locations", "seen",
))  # fmt: skip


class Trail:
    """`events`: with the records behind them. `stamps`: for each, the latest stamp up to it: order of reading."""

    def __init__(self, topic: str, number: int, order_id: str) -> None:
        self.topic, self.number, self.order_id = topic, number, order_id
        self.events: list[tuple[int, Any, Event]] = []
        self.questions: list[tuple[r.Reserve, Question]] = []
        self.sends: list[tuple[Position, Any]] = []
        self.partitions: set[int] = set()  # of the stock log that the order spoke to
        self.status = ""
        self._policies: dict[tuple[str, str], int] = {}  # (SKU, location) -> place
        self._begun = False
        self._stamp = 0

    def watch(self, step: Step) -> Step:
        """`step`, noting what concerns the order."""

        def noted(view: View, record: Any, at: At, log: PartitionRow) -> Outcome:
            if not self._begun:  # a fold may begin at a snapshot, with policies set before it
                self._begun = True
                self._note_policies(view.rows("fact|"))  # type: ignore[attr-defined]
            if not concerns(record, self.order_id):
                outcome = step(view, record, at, log)
            else:
                looking = _Looking(view)
                outcome = step(looking, record, at, log)
                self._note(view, looking.read, record, at, log, outcome)
            if outcome.rows:
                self._note_policies(outcome.rows.items())
            return outcome

        return noted

    def _note(self, view: View, read: dict[str, Any], record: Any, at: At, log: PartitionRow, outcome: Outcome) -> None:
        position = Position(self.topic, self.number, at.offset, at.index, instant(at.ms))
        self._stamp = max(self._stamp, at.ms)
        told = []
        for send in outcome.sends:
            if getattr(send.record, "order_id", self.order_id) == self.order_id:
                self.sends.append((position, send.record))
                told.append(said(send.record))
                if send.topic == "warehouse" and send.partition is not None:
                    self.partitions.add(send.partition)
        row = outcome.rows.get(order_key(self.order_id))
        self.status = row.state if row is not None else self.status
        if isinstance(record, r.Reserve) and all(record.attempt != asked.attempt for asked, _ in self.questions):
            self.questions.append((record, self._question(view, read, record, position, log, outcome)))
        event = Event(
            position, tag(record), record.id, came(record), [text for text in told if text],
            list(changes(view, outcome.rows)), outcome.dead,
        )  # fmt: skip
        self.events.append((self._stamp, record, event))

    def _question(
        self, view: View, read: dict[str, Any], record: r.Reserve, position: Position, log: PartitionRow,
        outcome: Outcome,
    ) -> Question:  # fmt: skip
        there = [SkuThere(x.sku, x.quantity, _levels(view, x.sku, log)) for x in record.lines]
        rules = [
            Rule(key.replace("|", " "), position_text(row.at)) for key, row in sorted(read.items())
            if key.partition("|")[0] not in UNIT_KINDS
        ]  # fmt: skip
        skus = {line.sku for line in record.lines}
        rules += [
            Rule(f"policy of {sku} at {location}", position_text(place))
            for (sku, location), place in sorted(self._policies.items()) if sku in skus
        ]  # fmt: skip
        answered = next((x.record for x in outcome.sends if isinstance(x.record, r.ReserveAnswered)), None)
        return Question(
            record.attempt, position, list(record.locations), there, rules,
            answer(record.lines, answered, None) if answered is not None else None,
        )  # fmt: skip

    def _note_policies(self, rows: Iterable[tuple[str, Any]]) -> None:
        for key, row in rows:
            if key.startswith("fact|"):
                for effect in row.effects:
                    if isinstance(effect, PolicyEffect):
                        known = self._policies.get((effect.sku, effect.location), 0)
                        self._policies[effect.sku, effect.location] = max(known, row.at)


def concerns(record: Any, order_id: str) -> bool:
    """Whether the record is one of the order's, or names it."""
    if isinstance(record, r.Prune):
        return any(item.order_id == order_id for item in record.items)
    return getattr(record, "order_id", None) == order_id


def changes(view: View, rows: dict[str, Any]) -> Iterable[Change]:
    """Counters and states that these rows change, against the rows of the view."""
    for key, row in rows.items():
        before = view.get(key)
        if key.startswith(("fact|", "demand|", "partition")) or before is row:
            continue
        for field in row.__struct_fields__:
            new = shown(getattr(row, field))
            if new is None or field in _UNSHOWN or field.endswith("_ms"):
                continue
            old = shown(getattr(before, field)) if before is not None else type(new)()
            if old is not None and new != old:
                yield Change(key, field, old, new)


def _levels(view: View, sku: str, log: PartitionRow) -> r.StockLevels | None:
    return None if view.get(sku_key(sku)) is None else stock_levels(view, sku, log)  # type: ignore[arg-type]


class _Looking:
    """A view that remembers which rows were asked for and were there."""

    def __init__(self, view: View) -> None:
        self._view = view
        self.read: dict[str, Any] = {}

    def get(self, key: str) -> Any:
        row = self._view.get(key)
        if row is not None:
            self.read[key] = row
        return row

    def below(self, prefix: str) -> Iterable[str]:
        return self._view.below(prefix)

    def due(self, state_ms: int, first_ms: int, most: int) -> list[tuple[int, str]]:
        return self._view.due(state_ms, first_ms, most)
