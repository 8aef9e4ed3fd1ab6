"""What an explained order is made of, in the order in which people read it: asked, what there was, the answer, then all
that happened.

Pure values; the command line and the API show the same. Does not belong here: how it is found out (`explain`).
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from tables.records import Line, OrderPlaced, Refusal, ReserveAnswered, StockLevels


class Position(Struct, frozen=True):
    """A record of a log, or an item of a packed one. `time`: the broker's stamp."""

    topic: str
    partition: int
    offset: int
    index: int
    time: str

    def __str__(self) -> str:
        return f"{self.topic}[{self.partition}] {self.offset}.{self.index}"


class Request(Struct, frozen=True):
    """The order as it was placed. `lines`: as its channel gave them."""

    position: Position
    channel: str
    lines: list[Line]
    locations: list[str]
    payment: str
    checks: list[str]
    occurred_at: str


class SkuThere(Struct, frozen=True):
    """A SKU just before it was asked for: per location and lot. `levels` None: the SKU was unknown."""

    sku: str
    quantity: int
    levels: StockLevels | None


class Rule(Struct, frozen=True):
    """A row that the decision looked at and that is no stock (SKU master, channel), or a stock policy: since when it
    stood so. `position`: OFFSET.INDEX in the partition that was asked."""

    what: str
    position: str


class Granted(Struct, frozen=True):
    sku: str
    quantity: int
    location: str


class Answer(Struct, frozen=True):
    """Granted, or refused: the first check that failed per line, with the units there were. `position`: where the order
    log has it; None: it is on its way."""

    granted: list[Granted]
    refused: list[Refusal]
    position: Position | None


class Question(Struct, frozen=True):
    """One attempt at one partition of the stock log: asked, what there was, which rules stood, the answer."""

    attempt: int
    position: Position
    locations: list[str]
    there: list[SkuThere]
    rules: list[Rule]
    answer: Answer | None


class Change(Struct, frozen=True):
    """A field of a row that the record changed. Quantities are whole units."""

    row: str
    field: str
    before: int | str | bool
    after: int | str | bool


class Event(Struct, frozen=True):
    """A later record of the order. `said`: what it made the agents say. `dead`: why it was not applied."""

    position: Position
    type: str
    id: str
    text: str
    said: list[str]
    changes: list[Change]
    dead: str


class Decision(Struct, frozen=True):
    position: Position
    status: str
    reason: str
    attempt: int


class ReadTo(Struct, frozen=True):
    """How far a partition was read: the last record taken into account."""

    topic: str
    partition: int
    offset: int | None
    time: str | None


class Explanation(Struct, frozen=True):
    """One order. `status`: of its row now. `asked` None: only later records of it have come yet."""

    order_id: str
    log_id: int
    status: str
    asked: Request | None
    questions: list[Question]
    decision: Decision | None
    happened: list[Event]
    as_of: list[ReadTo]


def request(position: Position, record: OrderPlaced) -> Request:
    return Request(
        position, record.channel, record.lines, list(record.locations), record.payment, list(record.checks),
        record.occurred_at or "",
    )  # fmt: skip


def answer(lines: list[Line], record: ReserveAnswered, position: Position | None) -> Answer:
    """The answer to these lines, side by side with them."""
    granted = [Granted(x.sku, x.quantity, where) for x, where in zip(lines, record.locations, strict=False)]
    return Answer(granted, list(record.refused), position)


def shown(value: Any) -> int | str | bool | None:
    """A row's value as a change tells it; None for one that has parts of its own."""
    if isinstance(value, int | str):
        return value
    if isinstance(value, tuple) and all(isinstance(part, str) for part in value):
        return ", ".join(value)
    return None
