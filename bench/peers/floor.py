"""The floor: librdkafka, one dict, one order after the other. What no framework on Kafka can be far below.

`python -m bench.peers.floor` runs the worker. It reads orders and receipts, decides all or nothing in a dict, and
produces a changelog record for each row an order touched, then the answer; every second it waits until all of them are
acknowledged and commits what it had read. One process holds every SKU, so one hop does where Smokehouse needs two; it
has no reservations, no lots, nothing that could be recovered but levels, and a crash sells up to a second twice. Does
not belong here: how a round is measured.
"""

from __future__ import annotations

import gc
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
from confluent_kafka import OFFSET_STORED, Consumer, Message, Producer, TopicPartition
from confluent_kafka.admin import NewTopic
from msgspec import Struct

from bench.children import Child, PythonChild
from bench.peers.peer import Decision, LogPeer, make_topics
from bench.workload import Order
from streams.reader import read_to_end
from streams.settings import PARTITIONS_DEFAULT, Settings, client_config, from_environment, producer_config

ORDERS, STOCK = "floor-orders", "floor-stock"
DECISIONS = "floor-decisions"  # one partition: the decisions in their sequence
LEVELS = "floor-stock-changelog"
GROUP = "floor"
BATCH = 10_000
POLL_SECONDS = 0.05
COMMIT_SECONDS = 1.0
FLUSH_SECONDS = 30.0
CONSUMER = {
    "auto.offset.reset": "earliest", "enable.auto.commit": False, "fetch.wait.max.ms": 10,
    "queued.min.messages": 100_000,
}  # fmt: skip
PRODUCER = {"linger.ms": 5, "queue.buffering.max.messages": 1_000_000}


class Placed(Struct, tag="placed", tag_field="type", gc=False):
    order_id: str
    lines: list[tuple[str, int]]


class Received(Struct, tag="received", tag_field="type", gc=False):
    sku: str
    quantity: int


class Said(Struct, gc=False):
    order_id: str
    confirmed: bool
    units: dict[str, int]


class Floor:
    """The levels, and what is produced about them."""

    def __init__(self, producer: Producer, prefix: str) -> None:
        self._left: dict[str, int] = {}
        self._producer = producer
        self._decisions, self._levels = prefix + DECISIONS, prefix + LEVELS
        self._encode = msgspec.json.Encoder().encode
        self._decode = msgspec.json.Decoder(Placed | Received).decode

    def handle(self, messages: Sequence[Message]) -> bool:
        """Whether there was a record among them, and not only what the client reports."""
        left, produce, encode, decode = self._left, self._producer.produce, self._encode, self._decode
        decisions, levels = self._decisions, self._levels
        found = False
        for message in messages:
            if message.error() is not None:
                continue
            found = True
            record = decode(message.value())
            if type(record) is Received:
                left[record.sku] = left.get(record.sku, 0) + record.quantity
                produce(levels, str(left[record.sku]), record.sku)
                continue
            units: dict[str, int] = {}
            for sku, count in record.lines:
                units[sku] = units.get(sku, 0) + count
            confirmed = all(left.get(sku, 0) >= count for sku, count in units.items())
            if confirmed:
                for sku, count in units.items():
                    left[sku] -= count
                    produce(levels, str(left[sku]), sku)
            produce(decisions, encode(Said(record.order_id, confirmed, units if confirmed else {})), record.order_id)
        return found


def run(settings: Settings) -> None:
    """Until SIGTERM."""
    producer = Producer(producer_config(settings) | PRODUCER)
    consumer = Consumer(client_config(settings) | CONSUMER | {"group.id": settings.prefix + GROUP})
    topics = (settings.prefix + ORDERS, settings.prefix + STOCK)
    every = [TopicPartition(topic, p, OFFSET_STORED) for topic in topics for p in range(PARTITIONS_DEFAULT)]
    consumer.assign(every)  # there is one of it
    floor = Floor(producer, settings.prefix)
    going = [True]
    signal.signal(signal.SIGTERM, lambda *_: going.clear())
    gc.disable()  # nothing here refers to itself
    committed, handled = time.monotonic(), False
    while going:
        first = consumer.poll(POLL_SECONDS)
        if first is not None:
            handled = floor.handle([first, *consumer.consume(BATCH - 1, 0)]) or handled
        producer.poll(0)
        if handled and time.monotonic() - committed > COMMIT_SECONDS:
            if producer.flush(FLUSH_SECONDS):
                sys.exit("the broker does not acknowledge")
            consumer.commit(asynchronous=False)
            committed, handled = time.monotonic(), False
    consumer.close()


class FloorPeer(LogPeer):
    name = "floor"
    orders = ORDERS
    stock = STOCK
    decisions = DECISIONS
    inputs = (ORDERS, STOCK)

    def prepare(self, settings: Settings) -> None:
        names = {ORDERS: PARTITIONS_DEFAULT, STOCK: PARTITIONS_DEFAULT, LEVELS: PARTITIONS_DEFAULT, DECISIONS: 1}
        make_topics(settings, [
            NewTopic(settings.prefix + name, count, 1, config={"cleanup.policy": "compact"} if name == LEVELS else {})
            for name, count in names.items()
        ])  # fmt: skip

    def start(self, settings: Settings, folder: Path) -> Child:
        embedded = "embedded" if settings.embedded else "kafka"
        arguments = ["-m", "bench.peers.floor", settings.bootstrap, settings.prefix, embedded]
        return PythonChild(arguments, folder / "floor.log")

    def group(self, settings: Settings) -> str:
        return settings.prefix + GROUP

    def order(self, order: Order) -> bytes:
        return msgspec.json.encode(Placed(order.order_id, list(order.lines)))

    def receipt(self, sku: str, units: int) -> list[bytes]:
        return [msgspec.json.encode(Received(sku, units))]

    def decision(self, value: bytes) -> Decision:
        said = msgspec.json.decode(value, type=Said)
        return Decision(said.order_id, said.confirmed, said.units)

    def levels(self, settings: Settings) -> dict[str, int]:
        found: dict[str, int] = {}
        for batch in read_to_end(settings, LEVELS, contiguous=False):
            for message in batch:
                found[message.key().decode()] = int(message.value())
        return found


if __name__ == "__main__":
    bootstrap, prefix, kind = sys.argv[1:]
    run(from_environment({}).with_(bootstrap=bootstrap, prefix=prefix, embedded=kind == "embedded"))
