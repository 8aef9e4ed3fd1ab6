"""The load process: encodes everything first, then produces what it is told to. One JSON line in, one out.

`python -m bench.load BOOTSTRAP PREFIX PEER WORKLOAD COUNT SEED SHAPE` (the shape as a JSON list). Guarantees: every
record is acknowledged before it answers (acks=all, Kafka's partitioner). Does not belong here: what is measured.
"""

from __future__ import annotations

import json
import sys
import time
from functools import partial

import msgspec
from confluent_kafka import Producer

from bench.peers.registry import ON_LOG
from bench.peers.smokehouse import SmokehousePeer
from bench.workload import Shape, WorkloadName, make
from streams.settings import Settings, from_environment, producer_config

FLUSH_SECONDS = 300.0  # two million records on a busy machine
POLL_EVERY = 256  # records


def main() -> None:
    bootstrap, prefix, peer_name, name, count, seed, told_shape = sys.argv[1:]
    shape = Shape(*json.loads(told_shape))
    settings = from_environment({}).with_(bootstrap=bootstrap, prefix=prefix)
    workload = make(msgspec.convert(name, WorkloadName), int(count), int(seed), shape)
    peer = ON_LOG[peer_name]()
    # Nobody else has lots.
    receipt = partial(peer.receipt, lots=shape.lots) if isinstance(peer, SmokehousePeer) else peer.receipt
    records = [(peer.key(order.order_id), peer.order(order)) for order in workload.orders]
    producer = _producer(settings)
    print("{}", flush=True)  # ready
    for line in sys.stdin:
        told = json.loads(line)
        if told["do"] == "stock":
            for sku, units in workload.received.items():
                for value in receipt(sku, units):
                    _produce(producer, prefix + peer.stock, peer.key(sku), value)
            answer: dict[str, object] = {"unacknowledged": producer.flush(FLUSH_SECONDS)}
        else:
            batch = records[told["first"] : told["first"] + told["count"]]
            answer = _place(producer, prefix + peer.orders, batch, told["rate"])
        print(json.dumps(answer), flush=True)


def _place(producer: Producer, topic: str, records: list[tuple[bytes, bytes]], rate: float) -> dict[str, object]:
    """Produce them, `rate` a second or (0) at once. Answers the time of each, in ns since 1970."""
    times: list[int] = []
    start = time.time_ns()
    step = 1e9 / rate if rate else 0.0
    for number, (key, value) in enumerate(records):
        if rate:
            wait = start + number * step - time.time_ns()
            if wait > 0:
                producer.poll(wait / 1e9)
                while (left := start + number * step - time.time_ns()) > 0:
                    time.sleep(left / 1e9)
        elif number % POLL_EVERY == 0:
            producer.poll(0)
        times.append(time.time_ns())
        _produce(producer, topic, key, value)
    left = producer.flush(FLUSH_SECONDS)
    return {"unacknowledged": left, "times_ns": times}


def _produce(producer: Producer, topic: str, key: bytes, value: bytes) -> None:
    while True:
        try:
            producer.produce(topic, value, key)
            return
        except BufferError:
            producer.poll(0.05)


def _producer(settings: Settings) -> Producer:
    more = {"linger.ms": 1, "queue.buffering.max.messages": 2_000_000, "queue.buffering.max.kbytes": 1 << 20}
    return Producer(producer_config(settings) | more)


if __name__ == "__main__":
    main()
