"""The trail of one order through one partition: what each of its records found, changed and made the agent say.

Wraps an agent's step. Guarantees: the step decides as ever, on the rows it always reads; rows are read just before the
record is applied. Which rows hold rules is not known here: a rule is what the decision looked at and is no unit count.
Does not belong here: which partitions to fold (`explain`), sentences.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from proof.history.account import Event, Position, Question, Request, Rule, answer, request
from proof.history.changing import changes, lots_moved
from proof.history.choosing import could_move, reasons, seen, there
from proof.history.moment import position_text
from proof.history.sentences import (
    came,
    channel_text,
    parts_text,
    promise_text,
    said,
    share_text,
    sku_text,
    tag,
)
from streams.partition import Step
from tables import records as r
from tables.codec import instant
from tables.order_document import status
from tables.outcome import WAREHOUSE, At, Outcome, View
from tables.pruning import DELETED
from tables.rows import (
    ChannelRow,
    IncomingRow,
    KitRow,
    OrderRow,
    PartitionRow,
    PolicyEffect,
    ShareEffect,
    SkuRow,
    order_key,
    stock_key,
)

# Rows that count, or tell of one order or one lot.
UNIT_KINDS = (
    "stock", "lot", "demand", "res", "fact", "expiry", "order", "partition", "queue", "count", "trace", "batch",
    "recall",
)  # fmt: skip


class Trail:
    """`events`: with the records behind them. `stamps`: for each, the latest stamp up to it: order of reading."""

    def __init__(self, topic: str, number: int, order_id: str) -> None:
        self.topic, self.number, self.order_id = topic, number, order_id
        self.events: list[tuple[int, Any, Event]] = []
        self.questions: list[tuple[r.Reserve, Question]] = []
        self.request: Request | None = None
        self.sends: list[tuple[Position, Any]] = []
        self.partitions: set[int] = set()  # of the stock log that the order spoke to
        self.row: OrderRow | None = None
        self.stands: r.OrderStatus | None = None
        self._prefix = f"res|{order_id}|"
        self._rules: dict[str, dict[tuple[str, str], int]] = {"policy": {}, "share": {}}  # (SKU, location) -> place
        self._begun = False
        self._stamp = 0

    @property
    def status(self) -> str:
        """As published; of an order that is not placed or is forgotten, its row's state."""
        return self.stands.status if self.stands else self.row.state if self.row else ""

    @property
    def waits_for_stock(self) -> bool:
        """Whether records that do not name the order may be about it: those that fill backorders."""
        return self.row is not None and self.row.policy == "backorder"

    def watch(self, step: Step) -> Step:
        """`step`, noting what concerns the order."""

        def noted(view: View, record: Any, at: At, log: PartitionRow) -> Outcome:
            if not self._begun:  # a fold may begin at a snapshot, with policies set before it
                self._begun = True
                self._note_rules(view.rows("fact|"))  # type: ignore[attr-defined]
            if not concerns(record, self.order_id):
                outcome = step(view, record, at, log)
                if any(key.startswith(self._prefix) and view.get(key) != row for key, row in outcome.rows.items()):
                    self._note(view, {}, record, at, log, outcome)  # it filled what the order waited for
            else:
                looking = _Looking(view)
                outcome = step(looking, record, at, log)
                self._note(view, looking.read, record, at, log, outcome)
            if outcome.rows:
                self._note_rules(outcome.rows.items())
            return outcome

        return noted

    def _note(self, view: View, read: dict[str, Any], record: Any, at: At, log: PartitionRow, outcome: Outcome) -> None:
        position = Position(self.topic, self.number, at.offset, at.index, instant(at.ms))
        self._stamp = max(self._stamp, at.ms)
        told = []
        for send in outcome.sends:
            if (getattr(send.record, "order_id", "") or self.order_id) == self.order_id:
                self.sends.append((position, send.record))
                told.append(said(send.record))
                if send.topic == WAREHOUSE and send.partition is not None:
                    self.partitions.add(send.partition)
        row = outcome.rows.get(order_key(self.order_id))
        if row is not None:
            self.row = row
            self.stands = status(row, log) if row.state not in ("unplaced", DELETED) else None
        if isinstance(record, r.OrderPlaced) and self.request is None:
            self.request = request(position, record, row, _rules(read))
        if isinstance(record, r.Reserve) and all(record.attempt != asked.attempt for asked, _ in self.questions):
            self.questions.append((record, self._question(view, read, record, position, log, outcome)))
        text = came(record)
        if isinstance(record, r.Move) and (there_was := could_move(view, record)):
            text = f"{text}: {there_was}"
        event = Event(
            position, tag(record), record.id, text, [one for one in told if one],
            lots_moved(outcome.rows), list(changes(view, self._ours(outcome.rows), log)), outcome.dead,
        )  # fmt: skip
        self.events.append((self._stamp, record, event))

    def _ours(self, rows: dict[str, Any]) -> dict[str, Any]:
        """Without the reservations of others that one record filled too."""
        return {
            key: row for key, row in rows.items()
            if not key.startswith(("res|", "queue|")) or getattr(row, "order_id", "") == self.order_id
        }  # fmt: skip

    def _question(
        self, view: View, read: dict[str, Any], record: r.Reserve, position: Position, log: PartitionRow,
        outcome: Outcome,
    ) -> Question:  # fmt: skip
        found = seen(view, record, log)
        skus = {line.sku for line in record.lines}
        allowed = [location for _, location in found.allowed]
        rules = [*_rules(read), *self._stock_rules(view, skus, allowed)]
        answered = next((x.record for x in outcome.sends if isinstance(x.record, r.ReserveAnswered)), None)
        return Question(
            record.attempt, position, record.channel, record.policy, found.day, found.floor, list(record.locations),
            allowed, there(view, found, log), rules,
            answer(answered, reasons(found, answered), None) if answered is not None else None,
        )  # fmt: skip

    def _stock_rules(self, view: View, skus: set[str], locations: list[str]) -> Iterable[Rule]:
        """Policies, and shares of channels, of these SKUs at these locations."""
        for sku in sorted(skus):
            for location in sorted(locations):
                row = view.get(stock_key(sku, location))
                if row is None:
                    continue
                since = {name: position_text(of[sku, location]) if (sku, location) in of else ""
                         for name, of in self._rules.items()}  # fmt: skip
                if since["policy"] or row.policy != type(row.policy)():
                    yield Rule(f"policy of {sku} at {location}", promise_text(row.policy), since["policy"])
                for share in row.shares:
                    yield Rule(f"{share.channel}'s share of {sku} at {location}", share_text(share), since["share"])

    def _note_rules(self, rows: Iterable[tuple[str, Any]]) -> None:
        for key, row in rows:
            if key.startswith("fact|"):
                for effect in row.effects:
                    if isinstance(effect, PolicyEffect | ShareEffect):
                        of = self._rules["policy" if isinstance(effect, PolicyEffect) else "share"]
                        of[effect.sku, effect.location] = max(of.get((effect.sku, effect.location), 0), row.at)


def concerns(record: Any, order_id: str) -> bool:
    """Whether the record is one of the order's, or names it."""
    if isinstance(record, r.Prune):
        return any(item.order_id == order_id for item in record.items)
    return getattr(record, "order_id", None) == order_id


def _rules(read: dict[str, Any]) -> list[Rule]:
    """What was looked at and counts no units."""
    return [
        Rule(key.replace("|", " "), _text(row), position_text(row.at)) for key, row in sorted(read.items())
        if key.partition("|")[0] not in UNIT_KINDS
    ]  # fmt: skip


def _text(row: Any) -> str:
    """What a rule says; "" for one that has no words yet."""
    if isinstance(row, ChannelRow):
        return channel_text(row)
    if isinstance(row, SkuRow):
        return sku_text(row)
    if isinstance(row, KitRow):
        return parts_text(row.parts)
    if isinstance(row, IncomingRow):
        confirmed = f"{row.confirmed} confirmed" if row.confirmed else f"{row.ordered or row.notified} not confirmed"
        return f"{confirmed}, {row.received} came" + (f", expected {row.expected}" if row.expected else "")
    return ""


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

    def lots_of(self, lot: str) -> Iterable[str]:
        return self._view.lots_of(lot)

    def lots_due(self, day: int, most: int) -> list[str]:
        return self._view.lots_due(day, most)

    def due(self, state_ms: int, first_ms: int, most: int) -> list[tuple[int, str]]:
        return self._view.due(state_ms, first_ms, most)
