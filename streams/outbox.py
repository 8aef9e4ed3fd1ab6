"""The outbox: every record this process sends leaves here, acknowledged by the broker or the process ends.

Writes any topic. Guarantees: idempotent, acks=all, order kept per topic and partition within one lane; records of one
batch for one partition of a log travel packed; a failed send, a fatal producer or a barrier over its limit ends the
process (fail-stop). Two lanes: answers leave at once, but wait while a barrier waits for those before them; rows are
gathered for a moment. That every record fits is the rules' business: they bound what an order may hold. Does not belong
here: what is sent, and when offsets are committed.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer

from streams import topics
from streams.settings import Settings, producer_config
from streams.transport.failstop import BARRIER_TIMEOUT, PRODUCER_FATAL, SEND_FAILED, die
from streams.transport.quiet import Quiet
from tables import codec
from tables import records as r
from tables.murmur2 import partition_of_sku
from tables.outcome import Send

BARRIER_SECONDS = 25.0  # longer than a send may take (delivery.timeout.ms)
THREAD_SECONDS = 10.0  # more than that, for the thread that waits
ROOM_SECONDS = 20.0  # how long a full queue may stay full
QUEUE_RECORDS_MAX = 2_000_000
ANSWER_LINGER_MS = 1
ROW_LINGER_MS = 100

log = logging.getLogger(__name__)
log.addFilter(Quiet())

Headers = list[tuple[str, bytes]]


class Outbox:
    """Two producers and the buffer of one batch."""

    def __init__(self, settings: Settings, partitions: int) -> None:
        self._prefix = settings.prefix
        self._partitions = partitions
        self._answers = _producer(settings, ANSWER_LINGER_MS)
        self._rows = _producer(settings, ROW_LINGER_MS, {"message.max.bytes": topics.ROW_BYTES_MAX})
        self._barrier = ThreadPoolExecutor(1, thread_name_prefix="barrier")
        self._packs: dict[tuple[str, int], list[tuple[bytes, Any]]] = {}
        self._held: list[tuple[Any, ...]] | None = None  # answers that a barrier holds up, as they were to be produced
        self.dead_letters = 0  # sent since the start
        self._constant: dict[type, Headers] = {}  # headers that are the same for every record of a published type
        self._sources = {t.name: f"smokehouse/{t.writer.partition(',')[0].replace(' ', '-')}" for t in topics.CATALOGUE}

    # ---- answers, commands, decisions, views: at once

    def send(self, send: Send) -> None:
        """A record a step asked for. To an explicit partition: packed with the others of this batch, by `leave`."""
        if send.partition is not None:
            self._packs.setdefault((send.topic, send.partition), []).append((codec.encode(send.record), send.record))
        else:
            self.publish(send.topic, str(send.key), send.record)

    def leave(self) -> None:
        """The batch is done: what it packed is produced."""
        packs, self._packs = self._packs, {}
        for (topic, partition), items in packs.items():
            if len(items) == 1:
                value, record = items[0]
                self._produce(self._answers, topic, value, partition, _key_of(record))
                continue
            for run in codec.batches([value for value, _ in items]):
                value = run[0] if len(run) == 1 else codec.pack(run)
                self._produce(self._answers, topic, value, partition, None)
        self._answers.poll(0)

    def publish(self, topic: str, key: str, record: Any, routed_by: str | None = None) -> None:
        """A record of a published topic, with CloudEvents headers; `routed_by`: the part of the key that routes it."""
        kind = type(record)
        constant = self._constant.get(kind)
        if constant is None:
            constant = self._constant[kind] = [
                ("ce_specversion", b"1.0"),
                ("ce_source", self._sources[topic].encode()),
                ("ce_type", f"smokehouse.{kind.__struct_config__.tag}".encode()),
            ]
        headers = [*constant, ("ce_id", record.id.encode()), ("ce_time", record.time.encode())]
        partition = -1 if routed_by is None else partition_of_sku(routed_by, self._partitions)
        self._produce(self._answers, topic, codec.encode(record), partition, key.encode(), headers)

    def retract(self, topic: str, key: str) -> None:
        """What was published under this key is over: nothing stands there any more."""
        self._produce(self._answers, topic, None, -1, key.encode())

    def forward(self, topic: str, partition: int, key: str, value: bytes, ms: int) -> None:
        """A record that stood in the wrong partition, to its own: id and time kept, one hop counted."""
        self._produce(self._answers, topic, value, partition, key.encode(), [(HOPS, b"1")], ms)

    def dead_letter(
        self, topic: str, partition: int, offset: int, index: int, key: bytes | None, value: bytes | None, reason: str
    ) -> None:
        """What could not be used, with where it stood and why (Kafka Connect's header names)."""
        headers: Headers = [
            ("__connect.errors.topic", topic.encode()),
            ("__connect.errors.partition", str(partition).encode()),
            ("__connect.errors.offset", str(offset).encode()),
            ("__connect.errors.index", str(index).encode()),
            ("__connect.errors.exception.message", reason.encode()),
        ]
        if value is not None and len(value) > r.RECORD_BYTES_MAX:
            headers.append(("__connect.errors.truncated", str(len(value)).encode()))
            value = value[: r.RECORD_BYTES_MAX]
        self.dead_letters += 1
        self._produce(self._answers, topics.DEAD_LETTERS.name, value, -1, key, headers)

    # ---- rows: at the checkpoint

    def row(self, topic: str, partition: int, key: bytes, value: bytes | None) -> None:
        """A row of a changelog, or (None) the end of an old writer's copy."""
        self._produce(self._rows, topic, value, partition, key)

    async def barrier(self) -> None:
        """Until everything sent before this call is acknowledged; one at a time. librdkafka waits until nothing is on
        its way, which for answers may never be, where the broker takes longer than the next one: so those that are
        sent while it waits for them leave afterwards."""
        until = time.monotonic() + BARRIER_SECONDS
        await self._in_thread(self._await_rows, until)
        self._held = []
        try:
            await self._in_thread(self._await_answers, until)
        finally:
            held, self._held = self._held, None
            for answer in held:
                self._produce(self._answers, *answer)

    @property
    def waiting(self) -> int:
        """Records that are not acknowledged yet."""
        return len(self._answers) + len(self._rows) + len(self._held or ())

    async def _in_thread(self, wait: Callable[[float], None], until: float) -> None:
        job = asyncio.get_running_loop().run_in_executor(self._barrier, wait, until)
        try:
            await asyncio.wait_for(job, BARRIER_SECONDS + THREAD_SECONDS)
        except TimeoutError:  # a thread that got no memory to begin with never says so
            die(BARRIER_TIMEOUT, f"no barrier within {BARRIER_SECONDS + THREAD_SECONDS:.0f} s: its thread does not run")

    def _await_rows(self, until: float) -> None:
        _await(self._rows, until)

    def _await_answers(self, until: float) -> None:
        _await(self._answers, until)

    def _produce(
        self,
        producer: Producer,
        topic: str,
        value: bytes | None,
        partition: int,
        key: bytes | None,
        headers: Headers | None = None,
        ms: int = 0,
    ) -> None:
        if self._held is not None and producer is self._answers:
            self._held.append((topic, value, partition, key, headers, ms))
            return
        until = 0.0
        while True:
            try:
                if headers is None:
                    producer.produce(self._prefix + topic, value, key, partition)
                else:
                    producer.produce(self._prefix + topic, value, key, partition, headers=headers, timestamp=ms)
                return
            except BufferError:
                until = until or time.monotonic() + ROOM_SECONDS
                if time.monotonic() > until:
                    die(SEND_FAILED, f"no room in the outbox for {ROOM_SECONDS:.0f} s: the broker takes nothing")
                producer.poll(0.05)
            except KafkaException as error:
                die(SEND_FAILED, f"{topic}[{partition}]: {error}")


HOPS = "smokehouse.hops"
FATAL_CODES = (KafkaError._FATAL, KafkaError._AUTHENTICATION, KafkaError._CRIT_SYS_RESOURCE)


def _key_of(record: Any) -> bytes | None:
    key = getattr(record, "order_id", None) if not isinstance(record, r.Shipped) else record.sku
    return None if key is None else key.encode()


def _await(producer: Producer, until: float) -> None:
    left = producer.flush(max(until - time.monotonic(), 0.1))
    if left:
        die(BARRIER_TIMEOUT, f"{left} records not acknowledged after {BARRIER_SECONDS:.0f} s")


def _producer(settings: Settings, linger_ms: int, more: Mapping[str, object] | None = None) -> Producer:
    config = producer_config(settings) | dict(more or {}) | {
        "linger.ms": linger_ms,
        "queue.buffering.max.messages": QUEUE_RECORDS_MAX,
        "queue.buffering.max.kbytes": 1 << 20,
        "delivery.report.only.error": True,
        "on_delivery": _on_delivery,
        "error_cb": _on_error,
    }
    return Producer(config, logger=log)


def _on_delivery(error: KafkaError | None, message: Any) -> None:
    if error is not None:
        die(SEND_FAILED, f"{message.topic()}[{message.partition()}]: {error.str()}")


def _on_error(error: KafkaError) -> None:
    if error.fatal() or error.code() in FATAL_CODES:
        die(PRODUCER_FATAL, error.str())
