"""Both logs in memory with the agents' real steps, one record after the other; and both on a broker, with a worker."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from confluent_kafka import Producer

from bench.children import end
from proof.history.fold import Folded, fold
from proof.history.moment import END, Moment
from streams import logs
from streams.commands.folding import ROLES
from streams.partition import Partition
from streams.reader import read_to_end
from streams.settings import Settings, producer_config
from streams.topics import ORDERS, WAREHOUSE
from tables import records as r
from tables.codec import encode, pack
from tables.log import LOGIC_VERSION
from tables.murmur2 import partition_of
from tables.table import Table

ROOT = Path(__file__).resolve().parents[2]
START_MS = 1_700_000_000_000
LOG_ID = 7
decode_decision = msgspec.json.Decoder(r.OrderDecided).decode


class Message:
    """A record as a reader gives it."""

    def __init__(self, offset: int, ms: int, value: bytes | None, key: bytes | None) -> None:
        self._offset, self._ms, self._value, self._key = offset, ms, value, key

    def value(self) -> bytes | None:
        return self._value

    def key(self) -> bytes | None:
        return self._key

    def offset(self) -> int:
        return self._offset

    def headers(self) -> None:
        return None

    def timestamp(self) -> tuple[int, int]:
        return 1, self._ms


class MemoryLog:
    """One partition, read in batches of a few records."""

    def __init__(self, topic: str, number: int, messages: list[Message], batch: int = 7) -> None:
        self.topic, self.number, self._messages, self._batch = topic, number, messages, batch
        self.read_from: list[int] = []

    def read(self, start: int) -> Iterator[list[Message]]:
        self.read_from.append(start)
        for at in range(start, len(self._messages), self._batch):
            yield self._messages[at : at + self._batch]

    def end(self) -> int:
        return len(self._messages)


class Belt:
    """`put` appends what a connector would; `settle` lets the agents handle all of it, a batch at a time. What a batch
    says to one partition travels packed, as workers send it."""

    def __init__(self, partitions: int = 2) -> None:
        self.partitions = partitions
        self.ms = START_MS
        self.topics: dict[tuple[str, int], list[Message]] = {}
        self.decisions: dict[str, r.OrderDecided] = {}
        self.dead: list[str] = []
        self.forwarded: list[Any] = []
        self._packs: dict[tuple[str, int], list[bytes]] = {}
        self.agents = {
            (topic, n): Partition(role, n, Table(), self, 0)  # type: ignore[arg-type]
            for topic, role in ROLES.items() for n in range(partitions)
        }  # fmt: skip
        opened = r.LogOpened(id="open", log_id=LOG_ID, partitions=partitions, logic_version=LOGIC_VERSION)
        for place in self.agents:
            self.append(*place, encode(opened))

    def append(self, topic: str, partition: int, value: bytes | None) -> None:
        log = self.topics.setdefault((topic, partition), [])
        log.append(Message(len(log), self.ms, value, None))

    def put(self, *records: r.Record, wait_ms: int = 10) -> None:
        """Each by its key, `wait_ms` after the one before, and settled before the next."""
        for record in records:
            self.ms += wait_ms
            if isinstance(record, r.EVERYWHERE):
                for topic, n in self.agents:
                    if topic in _logs_of(record):
                        self.append(topic, n, encode(record))
            else:
                topic, key = _home(record)
                self.append(topic, partition_of(key, self.partitions), encode(record))
            self.settle()

    def receive(self, sku: str, units: int, location: str = "W1", lot: str = "L1", **more: Any) -> None:
        name = f"in:{sku}:{location}:{lot}:{units}"
        self.put(r.Received(id=name, sku=sku, location=location, lot=lot, quantity=units, **more))

    def place(self, order_id: str, payment: Any = "paid", **units: int) -> None:
        self.put(placed(order_id, payment, **units))

    def tick(self, seconds: int = 0) -> None:
        self.ms += seconds * 1000
        for topic, n in self.agents:
            self.append(topic, n, encode(r.Tick(id=f"tick-{self.ms}", now_ms=self.ms)))
        self.settle()

    def settle(self) -> None:
        moved = True
        while moved:
            moved = False
            for place, agent in self.agents.items():
                fresh = self.topics[place][agent.next_offset :]
                if fresh:
                    moved = True
                    agent.handle(fresh)  # type: ignore[arg-type]
                    assert agent.halt is None, agent.halt
                    self._leave()

    def home(self, key: str) -> int:
        """The partition of a SKU or an order."""
        return partition_of(key, self.partitions)

    def log(self, topic: str, number: int) -> MemoryLog:
        return MemoryLog(topic, number, self.topics[topic, number])

    def fold(self, topic: str, number: int, until: Moment = END, **more: Any) -> Folded:
        return fold(self.log(topic, number), ROLES[topic], until, **more)

    # ---- an outbox

    def send(self, send: Any) -> None:
        if send.partition is not None:
            self._packs.setdefault((send.topic, send.partition), []).append(encode(send.record))
        elif isinstance(send.record, r.OrderDecided) and send.record.status not in ("cancelled", "edited"):
            self.decisions[send.record.order_id] = send.record

    def dead_letter(self, *said: Any) -> None:
        self.dead.append(said[-1])

    def forward(self, *said: Any) -> None:
        self.forwarded.append(said)

    def _leave(self) -> None:
        packs, self._packs = self._packs, {}
        for place, values in packs.items():
            self.append(*place, values[0] if len(values) == 1 else pack(values))


def placed(order_id: str, payment: Any = "paid", locations: tuple[str, ...] = ("W1", "W2"), **units: int) -> Any:
    """An order of units by SKU."""
    lines = [r.Line(sku, count) for sku, count in units.items()]
    return r.OrderPlaced(
        id=order_id, order_id=order_id, channel="shop", lines=lines, locations=list(locations), payment=payment
    )


def _logs_of(record: Any) -> list[str]:
    """The logs that take a record of every partition."""
    kinds = {ORDERS.name: get_args(r.OrderRecord), WAREHOUSE.name: get_args(r.StockRecord)}
    return [topic for topic, taken in kinds.items() if type(record) in taken]


def _home(record: Any) -> tuple[str, str]:
    by_order = "order_id" in record.__struct_fields__ and not isinstance(record, r.Shipped | r.Picked | r.Returned)
    return (ORDERS.name, record.order_id) if by_order else (WAREHOUSE.name, record.sku)


@pytest.fixture
def belt() -> Belt:
    return Belt()


class Shop:
    """Topics on a broker, a worker, and the commands."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._producer = Producer(producer_config(settings))
        self._processes: list[subprocess.Popen[bytes]] = []

    def publish(self, *records: Any) -> None:
        """Each acknowledged before the next."""
        for record in records:
            topic, key = _home(record)
            self._producer.produce(self.settings.prefix + topic, encode(record), key=key.encode())
            assert self._producer.flush(30) == 0

    def start(self, *arguments: str, **streams: Any) -> subprocess.Popen[bytes]:
        s = self.settings
        env = os.environ | {
            "SMOKEHOUSE_HOME": str(s.home), "SMOKEHOUSE_BOOTSTRAP": s.bootstrap, "SMOKEHOUSE_PREFIX": s.prefix,
            "SMOKEHOUSE_API": s.api, "PYTHONPATH": str(ROOT), "COLUMNS": "400",
        }  # fmt: skip
        process = subprocess.Popen([sys.executable, "-m", "streams.cli", *arguments], env=env, cwd=s.home, **streams)
        self._processes.append(process)
        return process

    def worker(self) -> None:
        with (self.settings.home / "worker.log").open("wb") as log:
            self.start("worker", stdout=log, stderr=log)

    def run(self, *arguments: str, code: int | None = 0) -> subprocess.CompletedProcess[str]:
        """The command to its end; fails the test if it does not end with `code` (None: with any)."""
        process = self.start(*arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
        out, err = (stream.decode() for stream in process.communicate(timeout=60))
        assert code in (None, process.returncode), f"exit code {process.returncode}\n{out}\n{err}"
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def json(self, *arguments: str) -> Any:
        return json.loads(self.run(*arguments, "--json").stdout)

    def wait_until(self, what: Callable[[], Any], seconds: float = 40.0) -> Any:
        until = time.monotonic() + seconds
        while not (answer := what()):
            assert time.monotonic() < until, f"not within {seconds:.0f} s"
            time.sleep(0.1)
        return answer

    def sell(self, order_id: str, payment: Any = "paid", **units: int) -> r.OrderDecided:
        """Place an order, and wait until it is decided."""
        self.publish(placed(order_id, payment, **units))
        return self.wait_until(lambda: self.decisions().get(order_id))

    def decisions(self) -> dict[str, r.OrderDecided]:
        found = {}
        for batch in read_to_end(self.settings, "reservations", contiguous=True):
            for message in batch:
                said = decode_decision(message.value())
                found[said.order_id] = said
        return found

    def stop(self) -> None:
        for process in self._processes:
            end(process)
            for pipe in (process.stdout, process.stderr):
                if pipe is not None:
                    pipe.close()


@pytest.fixture
def shop(embedded_settings: Settings) -> Iterator[Shop]:
    """A broker with both logs open, and nothing else in them."""
    logs.apply(embedded_settings, 4)
    made = Shop(embedded_settings)
    yield made
    made.stop()
