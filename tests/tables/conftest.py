"""One partition of a log in memory: records are appended, and delivered again where a test wants it.

Steps, tables and rows are the real ones; only the broker is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from streams.agents import order, stock
from tables import records as r
from tables.log import LOGIC_VERSION
from tables.murmur2 import partition_of_sku
from tables.order_document import status
from tables.outcome import ORDERS, RESERVATIONS, WAREHOUSE, At, Outcome, place_of
from tables.rows import (
    PARTITION_KEY,
    LotRow,
    OrderRow,
    PartitionRow,
    ReservationRow,
    StockRow,
    decode,
    encode,
    lot_key,
    order_key,
    reservation_key,
    stock_key,
)
from tables.table import Table

START_MS = 1_700_000_000_000


class DictStore:
    """Rows in a dict, as a store."""

    def __init__(self) -> None:
        self.rows: dict[str, Any] = {}

    def get(self, key: str) -> Any:
        return self.rows.get(key)

    def scan(self, prefix: str) -> Iterator[tuple[str, Any]]:
        return iter(sorted((key, row) for key, row in self.rows.items() if key.startswith(prefix)))


class Log:
    """One partition: its records so far, its table, its state. Offset 0 opened it; its clock starts at `START_MS`."""

    start_ms = START_MS
    dict_store = DictStore

    def __init__(self, step: Callable[..., Outcome], partitions: int = 1, limits: r.Limits | None = None) -> None:
        self.step = step
        self.table = Table()
        self.state = PartitionRow(0, 7, 0, partitions, LOGIC_VERSION, limits or r.Limits(), START_MS, START_MS)
        self.records: list[tuple[Any, int]] = [(None, START_MS)]

    def append(self, record: Any, ms: int = 0) -> Outcome:
        """Write a record and handle it. `ms`: the broker's time, a millisecond later than the last one if not given."""
        self.records.append((record, ms or self.records[-1][1] + 1))
        return self.deliver(len(self.records) - 1)

    def deliver(self, offset: int) -> Outcome:
        """Handle the record at this offset (again)."""
        record, ms = self.records[offset]
        outcome = self.step(self.table, record, At(place_of(offset), ms), self.state)
        self.state = outcome.rows.get(PARTITION_KEY, self.state)
        self.table.put(outcome.rows)
        return outcome

    @property
    def end(self) -> int:
        """The offset of the last record."""
        return len(self.records) - 1

    def rows(self, *kinds: str) -> dict[str, Any]:
        """Every row, or those of some kinds (`stock`, `lot`, ...)."""
        return {key: row for key, row in self.table.rows() if not kinds or key.partition("|")[0] in kinds}

    def stock(self, sku: str = "A", location: str = "W1") -> StockRow:
        return self.table.get(stock_key(sku, location))

    def lots(self, sku: str = "A", location: str = "W1") -> dict[str, int]:
        """Units per lot."""
        rows = [self.table.get(key) for key in self.table.below(f"lot|{sku}|{location}|")]
        return {row.lot: row.on_hand for row in rows}

    def lot(self, lot: str, sku: str = "A", location: str = "W1") -> LotRow:
        return self.table.get(lot_key(sku, location, lot))

    def reservation(self, order_id: str = "o1", attempt: int = 1) -> ReservationRow:
        return self.table.get(reservation_key(order_id, attempt))

    def order(self, order_id: str = "o1") -> OrderRow:
        return self.table.get(order_key(order_id))

    # ---- what people write into the stock log

    def receive(self, quantity: int, sku: str = "A", location: str = "W1", lot: str = "L1", **more: Any) -> Outcome:
        fact_id = f"received-{len(self.records)}"
        return self.append(r.Received(id=fact_id, sku=sku, location=location, quantity=quantity, lot=lot, **more))

    def reserve(self, *lines: tuple[str, int], order_id: str = "o1", attempt: int = 1, **more: Any) -> Outcome:
        asked = [r.Line(sku, quantity) for sku, quantity in lines or (("A", 1),)]
        return self.append(r.Reserve(
            id=f"{order_id}:{attempt}:0", order_id=order_id, attempt=attempt, order_partition=0, lines=asked,
            **{"locations": ["W1", "W2"], **more},
        ))  # fmt: skip

    def command(self, kind: type, order_id: str = "o1", attempt: int = 1, **more: Any) -> Outcome:
        """Hold, allocate or release."""
        return self.append(kind(id=f"{order_id}:{attempt}:0", order_id=order_id, attempt=attempt, **more))

    @staticmethod
    def sent(outcome: Outcome, kind: type) -> list[Any]:
        """The records of this kind that a step asked to send."""
        return [x.record for x in outcome.sends if isinstance(x.record, kind)]

    @staticmethod
    def sent_to(outcome: Outcome, topic: str) -> list[Any]:
        return [x.record for x in outcome.sends if x.topic == topic]

    def answered(self, outcome: Outcome) -> Any:
        """What the order hears."""
        (record,) = self.sent_to(outcome, ORDERS)
        return record


class OrderLog(Log):
    """An order partition beside four stock partitions, and one order in it: `o1`, of 2 A and 1 B if nothing is said."""

    def place(self, *lines: tuple[str, int], **more: Any) -> Outcome:
        asked = [r.Line(sku, quantity) for sku, quantity in lines or (("A", 2), ("B", 1))]
        return self.append(r.OrderPlaced(
            id="o1", order_id="o1", channel="web", lines=asked,
            **{"locations": ["W1", "W2"], "payment": "paid", **more},
        ))  # fmt: skip

    def answer(
        self, *parts: r.Part, refused: Sequence[r.Refusal] = (), could: Sequence[int] = (), attempt: int = 0
    ) -> Outcome:
        """The partition of the first SKU answers the order's last attempt, or the one named."""
        partition = partition_of_sku((*parts, *refused)[0].sku, 4)
        attempt = attempt or self.order().attempt
        return self.append(r.ReserveAnswered(
            id=f"o1:{attempt}:{partition}", order_id="o1", attempt=attempt, partition=partition, parts=list(parts),
            refused=list(refused), could=list(could),
        ))  # fmt: skip

    def refuse(self, sku: str, reason: str = "insufficient", attempt: int = 0) -> Outcome:
        """The SKU's partition refuses a unit of it, and grants nothing."""
        return self.answer(refused=[r.Refusal(sku, 1, reason, 0)], attempt=attempt)

    def grant(self, asked: Outcome, location: str = "W1") -> Outcome:
        """Stock has all that this outcome asks for."""
        for command in [x.record for x in asked.sends if isinstance(x.record, r.Reserve)]:
            asked = self.answer(*[r.Part(x.sku, x.quantity, location) for x in command.lines], attempt=command.attempt)
        return asked

    def confirm(self, *lines: tuple[str, int], location: str = "W1", **more: Any) -> Outcome:
        """Place it, and stock has everything at one location."""
        return self.grant(self.place(*lines, **more), location)

    def tell(self, kind: type, fact_id: str = "", **more: Any) -> Outcome:
        """A fact or a wish about the order, each with an id of its own."""
        return self.append(kind(id=fact_id or f"{kind.__name__}-{len(self.records)}", order_id="o1", **more))

    def pass_time(self, seconds: int) -> list[Outcome]:
        """Ticks come, and the order agent reads the notes it wrote to itself; what those made it say."""
        outcomes = []
        for _ in range(-(-seconds // 60)):
            ms = self.records[-1][1] + 60_000
            woken = self.append(r.Tick(id=f"tick-{ms}", now_ms=ms), ms)
            outcomes += [self.append(note) for note in self.sent_to(woken, ORDERS)]
        return outcomes

    def hold_and_wait(self, held: int, waiting: int) -> None:
        """An order of A: so many units lie at W1, so many wait for stock there."""
        self.place(("A", held + waiting), policy="backorder")
        self.answer(*[x for x in (r.Part("A", held, "W1"), r.Part("A", waiting, "W1", True)) if x.quantity])
        assert self.order().state == "confirmed"

    def fill(self, *, waiting: int, place: int, location: str = "W1", heard: int = 0) -> Outcome:
        """Stock filled one A; so many wait there still, when it had heard of so many of the order's commands."""
        return self.tell(
            r.BackorderFilled, attempt=1, partition=partition_of_sku("A", 4), sku="A", location=location, quantity=1,
            waiting=waiting, heard=heard, place=place,
        )  # fmt: skip

    def is_kept_as_it_is(self) -> bool:
        """Whoever reads the order's row from the store gets what was written there."""
        return decode(order_key("o1"), encode(self.order())) == self.order()

    def decision(self, outcome: Outcome) -> r.OrderDecided:
        """The one result that was told of the order."""
        (record,) = self.sent_to(outcome, RESERVATIONS)
        return record

    def decisions(self) -> list[str]:
        """How the order was decided, as its row tells: once, or not yet."""
        row = self.order()
        return [entry.status for entry in row.entries if entry.kind == "decide"] if row else []

    @staticmethod
    def commands(outcome: Outcome) -> list[tuple[str, int | None]]:
        """(command, warehouse partition)."""
        return [(type(x.record).__name__, x.partition) for x in outcome.sends if x.topic == WAREHOUSE]

    def lines(self) -> list[tuple[str, int, str]]:
        """(SKU, quantity, location) of the order's lines."""
        return [(x.sku, x.quantity, x.location) for x in self.order().lines]

    def document(self) -> r.OrderStatus:
        return status(self.order(), self.state)


ORDER_LIMITS = r.Limits(attempts=3, payment_seconds=600, check_seconds=1200)


def _stock_log() -> Log:
    return Log(stock.step)


def _order_log() -> OrderLog:
    return OrderLog(order.step, partitions=4, limits=ORDER_LIMITS)


@pytest.fixture
def stock_log() -> Log:
    return _stock_log()


@pytest.fixture
def order_log() -> OrderLog:
    return _order_log()


@pytest.fixture(scope="module")
def new_stock_log() -> Callable[[], Log]:
    """For tests that need many."""
    return _stock_log


@pytest.fixture(scope="module")
def new_order_log() -> Callable[[], OrderLog]:
    return _order_log
