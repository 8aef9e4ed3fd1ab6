"""Small order files as CSV and as parquet, open logs on a real broker, and a decider that stands in for the agents.

The decider fakes the edge alone: it answers on `reservations` as the order agent would, with a decision the test chose.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as parquet
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from connectors.files import speech
from connectors.files.plan import Plan, plan_import
from connectors.files.presets import PRESETS
from connectors.files.reading import open_file
from connectors.outlet import Outlet
from streams import reader, topics
from streams.settings import Settings, client_config, producer_config
from tables import records as r
from tables.codec import ORDER_LOG, encode

PARTITIONS = 4
Write = Callable[[list[dict[str, Any]]], tuple[Path, Path]]


@pytest.fixture
def written(tmp_path: Path) -> Write:
    """Writes rows as a CSV and as a parquet file of the same content; returns both paths."""

    def write(rows: list[dict[str, Any]]) -> tuple[Path, Path]:
        table = pa.Table.from_pylist(rows)
        paths = tmp_path / "orders.csv", tmp_path / "orders.parquet"
        csv.write_csv(table, paths[0])
        parquet.write_table(table, paths[1])
        return paths

    return write


def _sale(invoice: str, code: str, quantity: Any, customer: Any = 17850, **more: Any) -> dict[str, Any]:
    row = {
        "InvoiceNo": invoice, "StockCode": code, "Description": "JERKY", "Quantity": quantity,
        "InvoiceDate": datetime(2011, 1, 3, 12), "UnitPrice": 2.55, "CustomerID": customer, "Country": "United Kingdom",
    }  # fmt: skip
    return row | more


def _planned(path: Path, preset: str = "online-retail", share: Fraction = Fraction(4, 5), mapped: Any = ()) -> Plan:
    return plan_import(open_file(path), PRESETS[preset], mapped, share)


@pytest.fixture(scope="session")
def sale() -> Callable[..., dict[str, Any]]:
    """Makes a row of an online-retail file."""
    return _sale


@pytest.fixture(scope="session")
def planned() -> Callable[..., Plan]:
    """Plans the import of a file."""
    return _planned


@pytest.fixture(scope="session")
def said() -> Callable[[Plan], list[bytes]]:
    """Every record of the import, as it goes over the wire."""
    return lambda plan: [encode(x) for x in (*speech.receipts(plan), *(event.record for event in speech.events(plan)))]


@pytest.fixture(scope="session")
def orders() -> Callable[[Plan], list[r.OrderPlaced]]:
    return lambda plan: [e.record for e in speech.events(plan) if isinstance(e.record, r.OrderPlaced)]


@pytest.fixture(scope="session")
def cancels() -> Callable[[Plan], list[r.CancelRequested]]:
    return lambda plan: [e.record for e in speech.events(plan) if isinstance(e.record, r.CancelRequested)]


@pytest.fixture
def open_logs(embedded_settings: Settings) -> Settings:
    """Settings on a broker where the topics exist and both logs are open."""
    settings = embedded_settings
    names = ("orders", "warehouse", "reservations", "order-status", "stock-levels", "alerts", "dead-letters")
    admin = AdminClient(client_config(settings))
    made = admin.create_topics([NewTopic(settings.prefix + n, PARTITIONS, 1) for n in names])
    for future in made.values():
        future.result(30)
    producer = Producer(producer_config(settings))
    opened = encode(r.LogOpened(id="log-1", log_id=1, partitions=PARTITIONS, logic_version=1))
    for name in ("orders", "warehouse"):
        for partition in range(PARTITIONS):
            producer.produce(settings.prefix + name, opened, partition=partition)
    assert producer.flush(30) == 0
    return settings


class Decider(threading.Thread):
    """Answers each order once, by `decide(order) -> status`; keeps the largest number of unanswered orders it saw."""

    def __init__(self, settings: Settings, decide: Callable[[r.OrderPlaced], str]) -> None:
        super().__init__(name="decider", daemon=True)
        self.decide = decide
        self.orders: dict[str, r.OrderPlaced] = {}
        self.records: list[Any] = []
        self.batch_max = 0
        self._settings = settings
        self._follower = reader.follow(settings, ["orders"])
        self._outlet = Outlet(settings)
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.is_set():
            batch = [x for m in self._follower.poll(0.02) for x in ORDER_LOG.items(m.value())]
            placed = [x for x in batch if isinstance(x, r.OrderPlaced) and x.order_id not in self.orders]
            self.batch_max = max(self.batch_max, len(placed))
            self.records += [x for x in batch if not isinstance(x, r.LogOpened)]
            for record in batch:
                self.answer(record)
            self._outlet.serve()
        self._outlet.flush()
        self._follower.close()

    def stop(self) -> None:
        self._ended.set()
        self.join(30)

    def answer(self, record: Any) -> None:
        if isinstance(record, r.OrderPlaced) and record.order_id not in self.orders:
            self.orders[record.order_id] = record
            if status := self.decide(record):
                self._say(record.id, record.order_id, status, [r.DecidedLine(x.sku, x.quantity) for x in record.lines])
        if isinstance(record, r.CancelRequested):
            units = [r.DecidedLine(x.sku, x.quantity) for x in record.lines]
            self._say(record.id, record.order_id, "cancelled", units)

    def _say(self, name: str, order_id: str, status: str, lines: list[r.DecidedLine]) -> None:
        decided = r.OrderDecided(
            id=name, order_id=order_id, channel="test", status=status, reason="" if status == "confirmed" else "test",
            lines=lines, occurred_at="", decided_at="", attempt=1, partition=0, offset=0, index=0,
        )  # fmt: skip
        self._outlet.send(topics.RESERVATIONS, order_id.encode(), encode(decided))


@pytest.fixture
def decider(open_logs: Settings) -> Iterator[Callable[..., Decider]]:
    """Starts deciders; all are stopped at the end."""
    started: list[Decider] = []

    def start(decide: Callable[[r.OrderPlaced], str] = lambda order: "confirmed") -> Decider:
        started.append(Decider(open_logs, decide))
        started[-1].start()
        return started[-1]

    yield start
    for one in started:
        one.stop()
