"""One partition of a log in memory: records are appended, and delivered again where a test wants it.

Steps, tables and rows are the real ones; only the broker is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from streams.agents import order, stock
from tables import records as r
from tables.outcome import At, Outcome, place_of
from tables.rows import (
    PARTITION_KEY,
    LotRow,
    OrderRow,
    PartitionRow,
    ReservationRow,
    StockRow,
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
        self.state = PartitionRow(0, 7, 0, partitions, 1, limits or r.Limits(), START_MS, START_MS)
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


ORDER_LIMITS = r.Limits(attempts=3, payment_seconds=600, check_seconds=1200)


def _stock_log() -> Log:
    return Log(stock.step)


def _order_log() -> Log:
    """An order partition beside four stock partitions."""
    return Log(order.step, partitions=4, limits=ORDER_LIMITS)


@pytest.fixture
def stock_log() -> Log:
    return _stock_log()


@pytest.fixture
def order_log() -> Log:
    return _order_log()


@pytest.fixture(scope="module")
def new_stock_log() -> Callable[[], Log]:
    """For tests that need many."""
    return _stock_log


@pytest.fixture(scope="module")
def new_order_log() -> Callable[[], Log]:
    return _order_log
