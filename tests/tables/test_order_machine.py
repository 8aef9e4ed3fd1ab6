"""Whatever comes, in whatever order: an order owes what stock holds for it, and every record says the same again.

The other side is a small stock that has as much as chance wants: it takes commands in the order they are said, answers
when chance says, fills what waits, and keeps its own account of what it holds for the order.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from proof.audit.check_orders import differences
from proof.audit.dead_letters import DeadLetters
from proof.audit.intake import LogState
from proof.audit.order_book import OrderBook
from tables import records as r
from tables.codec import encode
from tables.murmur2 import partition_of_sku
from tables.order_document import status
from tables.outcome import ORDERS, RESERVATIONS, WAREHOUSE, Outcome, place_of

SKUS = ("A", "B", "D")  # in partitions of their own; D comes with edits and kits
PLACES = ("W1", "W2", "W3")
POLICIES = ("all_or_nothing", "ship_available", "backorder")


@dataclass
class Held:
    """Units of one reservation at one location."""

    sku: str
    attempt: int
    location: str
    units: int
    back: bool = False


@dataclass
class Stock:
    """What it holds for the order, and its answers that the order has not read yet, per partition in order."""

    chance: Random
    held: list[Held] = field(default_factory=list)
    answers: dict[int, list[Any]] = field(default_factory=dict)
    shipped: Counter[str] = field(default_factory=Counter)
    returned: Counter[str] = field(default_factory=Counter)
    fills: int = 0
    seen: Counter[tuple[int, int]] = field(default_factory=Counter)  # commands about lines, per attempt and partition

    def hear(self, partition: int, record: Any) -> None:
        mine = [x for x in self.held if x.attempt == getattr(record, "attempt", 0)]
        if isinstance(record, r.Shipped):
            self.shipped[record.sku] += record.quantity
        if isinstance(record, r.Reserve):
            self._answer(partition, self._reserve(record, partition))
        elif isinstance(record, r.Move):
            self._answer(partition, self._move(record, partition, mine))
        elif isinstance(record, r.Release | r.Backorder):
            mine = [x for x in mine if partition_of_sku(x.sku, 4) == partition]
            self.seen[record.attempt, partition] += bool(record.lines)
            lines = record.lines or [r.ReleaseLine(x.sku, x.units, x.location) for x in mine if x.units]
            back = isinstance(record, r.Backorder)
            for line in lines:
                parts = [x for x in mine if x.sku == line.sku and line.location in ("", x.location)]
                parts.sort(key=lambda x: not x.back)
                gone = self._take(parts, line.quantity, stock_alone=back)
                if back:
                    self.held.append(Held(line.sku, record.attempt, line.location, gone, back=True))
        elif isinstance(record, r.Shipped) and record.attempt:
            parts = [x for x in mine if x.sku == record.sku]
            near = [x for x in parts if x.location == record.location]
            self._take([*near, *(x for x in parts if x not in near)], record.quantity, stock_alone=True)
        elif isinstance(record, r.Returned):
            self.returned[record.sku] += record.quantity

    def _reserve(self, record: r.Reserve, partition: int) -> r.ReserveAnswered:
        parts: list[r.Part] = []
        refused: list[r.Refusal] = []
        could: list[int] = []
        for line in record.lines:
            mood = self.chance.random()
            there = line.quantity if mood < 0.8 else self.chance.randint(0, max(line.quantity - 1, 0))
            first = self.chance.randint(0, there)
            one, other = self.chance.sample(PLACES, 2)
            if mood < 0.6:
                first = there
            mine = [r.Part(line.sku, n, x) for n, x in ((first, one), (there - first, other)) if n]
            rest = line.quantity - there
            if rest and record.policy == "backorder" and mood < 0.95:
                mine.append(r.Part(line.sku, rest, other, True))
            elif rest:
                reason = "contended" if mood < 0.9 else "insufficient"
                refused.append(r.Refusal(line.sku, rest, reason, there))
            parts += mine
            could.append(self.chance.randint(0, 7) | 1 << PLACES.index(one) if first == line.quantity else 0)
        if refused and record.policy != "ship_available":
            parts = []
        self.held += [Held(x.sku, record.attempt, x.location, x.quantity, x.backordered) for x in parts]
        return r.ReserveAnswered(
            id=record.id, order_id="o1", attempt=record.attempt, partition=partition, parts=parts, refused=refused,
            could=could if parts else [],
        )  # fmt: skip

    def _move(self, record: r.Move, partition: int, mine: list[Held]) -> r.MoveAnswered:
        moved = self.chance.random() < 0.7
        for line in record.lines if moved else ():
            for part in [x for x in mine if x.sku == line.sku]:
                part.location = line.location
        held = [x for x in mine if partition_of_sku(x.sku, 4) == partition and x.units]
        return r.MoveAnswered(
            id=f"{record.id}:move", order_id="o1", attempt=record.attempt, partition=partition, moved=moved,
            parts=[r.Part(x.sku, x.units, x.location, x.back) for x in held],
        )  # fmt: skip

    def fill(self) -> None:
        """Stock comes for units that wait."""
        waiting = [x for x in self.held if x.back and x.units]
        if waiting:
            part = self.chance.choice(waiting)
            units = self.chance.randint(1, part.units)
            part.units -= units
            self.held.append(Held(part.sku, part.attempt, part.location, units))
            self.fills += 1
            partition = partition_of_sku(part.sku, 4)
            self._answer(partition, r.BackorderFilled(
                id=f"fill{self.fills}", order_id="o1", attempt=part.attempt, partition=partition, sku=part.sku,
                location=part.location, quantity=units, heard=self.seen[part.attempt, partition], place=self.fills,
                waiting=sum(
                    x.units for x in waiting
                    if (x.sku, x.attempt, x.location) == (part.sku, part.attempt, part.location)
                ),
            ))  # fmt: skip

    def _answer(self, partition: int, record: Any) -> None:
        self.answers.setdefault(partition, []).append(record)

    @staticmethod
    def _take(parts: list[Held], units: int, *, stock_alone: bool) -> int:
        gone = 0
        for part in parts:
            if not (stock_alone and part.back):
                count = min(part.units, units - gone)
                part.units -= count
                gone += count
        return gone


class World:
    """The order's log and that stock. `said`: what each record made the order say. `shown`: the order's document after
    each record that changed it."""

    def __init__(self, log: Any, seed: int) -> None:
        self.log, self.chance = log, Random(seed)
        self.stock = Stock(self.chance)
        self.said: dict[int, Outcome] = {}
        self.shown: dict[int, r.OrderStatus] = {}
        self.facts = 0
        self.log.append(r.KitSet(id="kit", kit="BOX", parts=[r.KitPart("A", 2), r.KitPart("D", 1)]))

    def write(self, record: Any) -> None:
        outcome = self.log.append(record)
        self.said[self.log.end] = outcome
        row = self.log.order()
        if row is not None and row.at == place_of(self.log.end):
            self.shown[self.log.end] = status(row, self.log.state)
        for send in outcome.sends:
            if send.topic == WAREHOUSE:
                self.stock.hear(send.partition, send.record)
        for send in outcome.sends:
            if send.topic == ORDERS:
                self.write(send.record)

    def read_answer(self) -> bool:
        """One answer that the order has not read; now and then it comes twice."""
        partitions = [p for p, records in self.stock.answers.items() if records]
        if not partitions:
            return False
        record = self.stock.answers[self.chance.choice(partitions)].pop(0)
        self.write(record)
        if self.chance.random() < 0.2:
            self.write(record)
        return True

    def tell(self, kind: type, **more: Any) -> None:
        self.facts += 1
        record = kind(id=f"f{self.facts}", order_id="o1", **more)
        self.write(record)
        if self.chance.random() < 0.1:
            self.write(record)

    def place(self, policy: str) -> None:
        chance = self.chance
        lines = [r.Line(chance.choice(("A", "B", "BOX")), chance.randint(1, 4)) for _ in range(chance.randint(1, 3))]
        self.write(r.OrderPlaced(
            id="o1", order_id="o1", channel="web", lines=lines, locations=list(PLACES), policy=policy,
            payment=chance.choice(("paid", "paid", "authorized", "pending")),
            checks=["fraud"] if chance.random() < 0.1 else [],
        ))  # fmt: skip
        for _ in range(chance.randint(0, 6)):
            self.read_answer()

    def happen(self, what: int) -> None:
        """Something comes in: what, says the number; how much of it, chance."""
        chance = self.chance
        sku, n = chance.choice((*SKUS, "BOX")), chance.randint(1, 4)
        place = chance.choice((None, None, *PLACES))
        match what:
            case 0 | 1 | 2 | 3:
                self.read_answer()
            case 4:
                self.tell(r.CancelRequested, lines=[r.CancelLine(sku, n)] if chance.random() < 0.8 else [])
            case 5 | 6:
                self.tell(r.OrderEdited, lines=[r.EditLine(sku, n - 1), r.EditLine(chance.choice(SKUS), n)])
            case 7:
                lines = [r.PickedLine(sku, n, short=n // 3)] if chance.random() < 0.5 else []
                self.tell(r.OrderPicked, location=place, lines=lines)
            case 8:
                self.tell(r.OrderPacked, location=place)
            case 9 | 10:
                lines = [r.ShippedLine(sku, n)] if chance.random() < 0.7 else []
                self.tell(
                    r.OrderShipped, location=place or (None if self._known() else "W1"), lines=lines,
                    tracking=f"T{n}", final=chance.random() < 0.3,
                )  # fmt: skip
            case 11:
                self.tell(r.TrackingUpdated, tracking=f"T{n}", status=chance.choice(("in_transit", "delivered")))
            case 12:
                self.tell(chance.choice((r.OrderDelivered, r.OrderReturned)))
            case 13:
                self.tell(r.ReturnInspected, return_id="R", lines=[r.InspectedLine(sku, n)])
            case 14 | 15:
                self.stock.fill()
            case 16:
                kind = chance.choice((r.PaymentCaptured, r.PaymentCaptured, r.PaymentAuthorized, r.PaymentRefunded))
                self.tell(kind)
            case 17:
                self.tell(r.CheckPassed, check="fraud")
            case 18:
                row = self.log.order()
                if row is not None and row.deadline_ms and chance.random() < 0.3:
                    self.tell_time(row.deadline_ms)

    def tell_time(self, deadline_ms: int) -> None:
        self.write(r.DeadlineReached(id=f"d{deadline_ms}", order_id="o1", deadline_ms=deadline_ms))

    def _known(self) -> bool:
        return self.log.order() is not None

    def owed(self) -> Counter[tuple[int, str]]:
        """(attempt, SKU) -> units the order counts on."""
        row = self.log.order()
        units: Counter[tuple[int, str]] = Counter()
        if row is not None and row.state in ("pending", "on_hold", "confirmed", "picked", "packed"):
            for line in row.lines:
                if line.location:
                    units[line.attempt, line.sku] += line.open
        return +units

    def held(self) -> Counter[tuple[int, str]]:
        units: Counter[tuple[int, str]] = Counter()
        for part in self.stock.held:
            units[part.attempt, part.sku] += part.units
        return +units


def words(outcome: Outcome) -> list[tuple[str, int | None, str | None, bytes]]:
    """What was said, byte for byte. Notes to itself apart: once read, their successor stands in the log."""
    return [(x.topic, x.partition, x.key, encode(x.record)) for x in outcome.sends if x.topic != ORDERS]


def lived(log: Any, script: list[int], policy: str, seed: int, *, late: bool) -> World:
    """A world in which all of the script has happened, and every answer is read. `late`: the order is placed last."""
    world = World(log, seed)
    if not late:
        world.place(policy)
    for what in script:
        world.happen(what)
    if late:
        world.place(policy)
    while world.read_answer():
        pass
    return world


SCRIPTS = st.lists(st.integers(0, 18), min_size=20, max_size=60)


@settings(derandomize=True, max_examples=200, deadline=None)
@given(script=SCRIPTS, policy=st.sampled_from(POLICIES), seed=st.integers(0, 1 << 32), late=st.booleans())
def test_an_order_owes_what_stock_holds_for_it_and_says_the_same_again(
    new_order_log: Any, script: list[int], policy: str, seed: int, late: bool
) -> None:
    world = lived(new_order_log(), script, policy, seed, late=late)
    log, stock = world.log, world.stock
    row = log.order()
    owed, held = world.owed(), world.held()
    if policy != "backorder" or not owed:
        assert held == owed
    assert all(held[key] >= units for key, units in owed.items()), "what may be sold to others, the order does not need"
    for line in status(row, log.state).lines:
        parts = (line.open, line.allocated, line.shipped, line.cancelled)
        assert line.quantity == sum(parts)
        assert min(parts) >= 0
        assert 0 <= line.picked <= line.allocated
        assert line.returned <= line.shipped
    for sku in SKUS:
        lines = [x for x in row.lines if x.sku == sku]
        beyond = stock.returned[sku] - sum(x.returned for x in lines)  # back, and of no line: it was sent all the same
        assert 0 <= beyond <= stock.shipped[sku] - sum(x.shipped for x in lines)

    told = [x.record for outcome in world.said.values() for x in outcome.sends if x.topic == RESERVATIONS]
    told = [x for x in told if x.status not in ("cancelled", "edited")]
    assert len(told) == (row.state not in ("pending", "on_hold")), "one decision"

    rows = log.rows()
    for offset, outcome in world.said.items():
        again = log.deliver(offset)
        assert words(again) == words(outcome)
        assert outcome.dead or not again.dead
    assert log.rows() == rows


def test_every_document_of_an_order_is_what_the_audit_makes_of_the_same_records(new_order_log: Any) -> None:
    """After each record, not only at rest: an audit that looks on judges each of them."""
    for seed in range(600):
        chance = Random(seed)
        script = [chance.randint(0, 18) for _ in range(chance.randint(20, 60))]
        log = new_order_log()
        world = lived(log, script, chance.choice(POLICIES), seed, late=chance.random() < 0.5)
        book, audited = OrderBook(DeadLetters()), LogState(0)
        audited.partitions, audited.limits = log.state.partitions, log.state.limits
        audited.logic = log.state.logic_version
        audited.first_ms = audited.state_ms = log.state.state_ms
        for offset, (record, ms) in enumerate(log.records[1:], 1):
            book.take(audited, record, place_of(offset), ms)
            order, document = book.orders.get("o1"), world.shown.get(offset)
            where = f"seed {seed}, offset {offset}: {record}"
            assert (order is not None and order.at == place_of(offset)) == (document is not None), where
            if document is not None:
                assert differences(order, document) == {}, where
