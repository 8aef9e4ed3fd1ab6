"""The producer of a door: keyed records onto the topics of the catalogue.

Writes: whatever it is given, with the topic prefix of the settings. Guarantees: Kafka's partition of the key, order
kept per key, a rule for every partition in each of them, every record acknowledged once `flush` returns; a record that
the broker does not take raises `DeliveryFailed` at the next call, which says how many it has; it is never dropped.
Back-pressure: a full send buffer makes `send` wait.
Does not belong here: what the records mean.
"""

from __future__ import annotations

from typing import Any

from confluent_kafka import KafkaException, Producer

from streams.reader import partitions_of
from streams.settings import Settings, producer_config
from streams.topics import Topic

FLUSH_SECONDS = 60.0  # above librdkafka's own delivery timeout: then each record has been answered
WAIT_SECONDS = 0.05


class DeliveryFailed(Exception):
    """The broker did not take a record. The message names topic and reason, and how many records it has."""


class Outlet:
    def __init__(self, settings: Settings) -> None:
        self._prefix = settings.prefix
        self._producer = Producer(producer_config(settings))
        self._failed: str = ""
        self.acknowledged = 0  # copies: one for every partition counts once for each
        self._last_offsets: dict[str, int] = {}
        self._settings = settings
        self._partitions: dict[str, list[int]] = {}

    def send(self, topic: Topic, key: bytes, value: bytes, headers: list[tuple[str, bytes]] | None = None) -> None:
        self._produce(topic, key, value, -1, headers or [])

    def send_everywhere(self, topic: Topic, value: bytes) -> None:
        """The same record to every partition, with no key: a rule that all of them have to know."""
        if topic.name not in self._partitions:
            self._partitions[topic.name] = partitions_of(self._settings, topic.name)
        for partition in self._partitions[topic.name]:
            self._produce(topic, None, value, partition, [])

    def _produce(
        self, topic: Topic, key: bytes | None, value: bytes, partition: int, headers: list[tuple[str, bytes]]
    ) -> None:
        """`partition` -1: by the key."""
        while True:
            self._check()
            try:
                self._producer.produce(
                    self._prefix + topic.name, value, key, partition, headers=headers, on_delivery=self._delivered
                )
                return
            except BufferError:
                self._producer.poll(WAIT_SECONDS)
            except KafkaException as error:  # too large, or the producer is done for: no broker is asked
                self._failed = f"{self._prefix}{topic.name}: {error.args[0].str()}"

    def serve(self) -> None:
        """Take in what the broker has acknowledged; raises if it refused something."""
        self._producer.poll(0)
        self._check()

    def flush(self) -> None:
        """Until everything sent so far is acknowledged."""
        left = self._producer.flush(FLUSH_SECONDS)
        self._check()
        if left:
            raise DeliveryFailed(f"no answer for {left} records in {FLUSH_SECONDS:.0f} s; {self._there()}")

    def last_offset(self, topic: Topic) -> int:
        """Of the last copy that this topic has acknowledged; `KeyError` if there is none."""
        return self._last_offsets[self._prefix + topic.name]

    def _delivered(self, error: Any, message: Any) -> None:
        if error is None:
            self.acknowledged += 1
            self._last_offsets[message.topic()] = message.offset()
        elif not self._failed:
            self._failed = f"{message.topic()}: {error.str()}"

    def _check(self) -> None:
        if self._failed:
            raise DeliveryFailed(f"{self._failed}; {self._there()}")

    def _there(self) -> str:
        return f"{self.acknowledged} records are on the log, what became of the others is not known"
