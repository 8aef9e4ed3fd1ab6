"""What an explained order is made of, in the order in which people read it: asked, what there was, the answer, then all
that happened.

Pure values; the command line and the API show the same. Does not belong here: how it is found out (`explain`).
"""

from __future__ import annotations

from msgspec import Struct

from tables.records import Line, OrderPlaced, OrderStatus, Refusal, ReserveAnswered, StockLevels
from tables.rows import KitLine, OrderRow


class Position(Struct, frozen=True):
    """A record of a log, or an item of a packed one. `time`: the broker's stamp."""

    topic: str
    partition: int
    offset: int
    index: int
    time: str

    def __str__(self) -> str:
        return f"{self.topic}[{self.partition}] {self.offset}.{self.index}"


class Rule(Struct, frozen=True):
    """A row that a decision looked at and that counts no stock (SKU master, channel, kit), or a stock policy, a
    channel's share: what it says, and since when. `position`: OFFSET.INDEX in the partition that was asked; "": since
    before the records that are left."""

    what: str
    text: str
    position: str


class KitAsked(Struct, frozen=True):
    """Kits of the order, and the units of each SKU in one of them."""

    kit: str
    quantity: int
    parts: list[Line]


class Request(Struct, frozen=True):
    """The order as it was placed. `lines`: as its channel gave them; `kits`: those that were taken apart. `locations`,
    `policy`: its own, or its channel's."""

    position: Position
    channel: str
    lines: list[Line]
    kits: list[KitAsked]
    locations: list[str]
    policy: str
    payment: str
    checks: list[str]
    exchange_of: str
    occurred_at: str
    rules: list[Rule]


class Offer(Struct, frozen=True):
    """What a location had for a line, best ranked first. `takes`: units the channel may take there; `good`: units in
    lots that live long enough, promised to others or not; `fits`: what of them the channel may take; `covers`: the line
    whole."""

    location: str
    takes: int
    good: int
    fits: int
    covers: bool


class LotThere(Struct, frozen=True):
    """A lot, and whether its units could leave for this channel on the day they would. `why`: why not."""

    location: str
    lot: str
    best_before: str
    status: str
    on_hand: int
    blocked: int
    shippable: bool
    why: str


class SkuThere(Struct, frozen=True):
    """A SKU just before it was asked for: per location and lot. `levels` None: the SKU was unknown."""

    sku: str
    quantity: int
    levels: StockLevels | None
    offers: list[Offer]
    lots: list[LotThere]


class Granted(Struct, frozen=True):
    """Units at a location; `backordered`: promised there without stock, for the day `due` ("": no day)."""

    sku: str
    quantity: int
    location: str
    backordered: bool
    due: str


class Answer(Struct, frozen=True):
    """Granted, or refused: the first check that failed per line, with the units there were. `why`: which rule chose, a
    sentence each. `position`: where the order log has it; None: it is on its way."""

    granted: list[Granted]
    refused: list[Refusal]
    why: list[str]
    position: Position | None


class Question(Struct, frozen=True):
    """One attempt at one partition of the stock log: asked, what there was, which rules stood, the answer.

    `day`: of state time; "" before it began. `floor`: the earliest best-before a lot may have; "": any not expired.
    `locations`: asked for, best first; `allowed`: those its channel may be served from.
    """

    attempt: int
    position: Position
    channel: str
    policy: str
    day: str
    floor: str
    locations: list[str]
    allowed: list[str]
    there: list[SkuThere]
    rules: list[Rule]
    answer: Answer | None


class Change(Struct, frozen=True):
    """A field of a row that the record changed. Quantities are whole units."""

    row: str
    field: str
    before: int | str | bool
    after: int | str | bool


class LotMoved(Struct, frozen=True):
    """Units of a lot that a record moved or bound. `known`: how the lot is known (scanned, reported, presumed)."""

    lot: str
    sku: str
    location: str
    kind: str
    units: int
    known: str
    reference: str


class Event(Struct, frozen=True):
    """A later record of the order. `said`: what it made the agents say. `dead`: why it was not applied."""

    position: Position
    type: str
    id: str
    text: str
    said: list[str]
    lots: list[LotMoved]
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
    """One order. `status`: as published now. `asked` None: only later records of it have come yet. `stands`: its
    document as `order-status` has it; None: it is forgotten."""

    order_id: str
    log_id: int
    status: str
    asked: Request | None
    questions: list[Question]
    decision: Decision | None
    happened: list[Event]
    stands: OrderStatus | None
    as_of: list[ReadTo]


def request(position: Position, record: OrderPlaced, row: OrderRow | None, rules: list[Rule]) -> Request:
    """The order as placed, and as its row took it; `row` None: it was no order (a dead letter)."""
    kits = [_kit(x) for x in row.kits] if row is not None else []
    locations = row.locations if row is not None else tuple(record.locations)
    return Request(
        position, record.channel, record.lines, kits, list(locations), row.policy if row else record.policy or "",
        record.payment, list(record.checks), record.exchange_of or "", record.occurred_at or "", rules,
    )  # fmt: skip


def _kit(kit: KitLine) -> KitAsked:
    return KitAsked(kit.kit, kit.quantity, [Line(sku, units) for sku, units in kit.parts])


def answer(record: ReserveAnswered, why: list[str], position: Position | None) -> Answer:
    """The answer, part by part."""
    granted = [Granted(x.sku, x.quantity, x.location, x.backordered, x.due) for x in record.parts]
    return Answer(granted, list(record.refused), why, position)
