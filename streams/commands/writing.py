"""Writes records onto the two logs, as the channels and the warehouse do.

Writes `orders` and `warehouse`. Guarantees: a keyed record goes to the partition its key chooses, one for everybody to
every partition once, with one id; order is kept per partition; `finish` returns when the broker has acknowledged all of
it, and `NotWritten` says how much it has if something failed. Bounded: a full send buffer makes `write` wait.
Does not belong here: what a record may say (`vocabulary`).
"""

from __future__ import annotations

import time
from typing import Any

from confluent_kafka import Producer

from streams.reader import partitions_of
from streams.settings import Settings, producer_config
from streams.topics import LOGS, Topic
from tables.murmur2 import partition_of

WAIT_SECONDS = 0.05
ACKNOWLEDGED_SECONDS = 60.0  # above the producer's own delivery timeout: then each record has been answered


class NotWritten(Exception):
    """The broker did not take a record. The message says why, and how many records it has."""


class LogWriter:
    def __init__(self, settings: Settings) -> None:
        self._prefix = settings.prefix
        self._partitions = {topic.name: len(partitions_of(settings, topic.name)) for topic in LOGS}
        self._producer = Producer(producer_config(settings))
        self._failed = ""
        self.acknowledged = 0  # copies: one for everybody counts once per partition

    def write(self, topic: Topic, key: str | None, value: bytes) -> None:
        """`key` None: to every partition."""
        count = self._partitions[topic.name]
        if key is not None:
            return self._produce(topic, value, key.encode(), partition_of(key, count))
        for partition in range(count):
            self._produce(topic, value, None, partition)
        return None

    def finish(self) -> None:
        """Until everything is acknowledged."""
        until = time.monotonic() + ACKNOWLEDGED_SECONDS
        while len(self._producer) and time.monotonic() < until:
            self._producer.flush(1.0)
            self._check()
        self._check()
        if len(self._producer):
            raise NotWritten(f"no answer for {ACKNOWLEDGED_SECONDS:.0f} s; {self._there()}")

    def _produce(self, topic: Topic, value: bytes, key: bytes | None, partition: int) -> None:
        while True:
            self._check()
            try:
                self._producer.produce(self._prefix + topic.name, value, key, partition, on_delivery=self._delivered)
            except BufferError:
                self._producer.poll(WAIT_SECONDS)
            else:
                self._producer.poll(0)
                return

    def _delivered(self, error: Any, message: Any) -> None:
        if error is None:
            self.acknowledged += 1
        elif not self._failed:
            self._failed = f"{message.topic()}: {error.str()}"

    def _check(self) -> None:
        if self._failed:
            raise NotWritten(f"{self._failed}; {self._there()}")

    def _there(self) -> str:
        return f"{self.acknowledged} records are on the log, what became of the others is not known"
