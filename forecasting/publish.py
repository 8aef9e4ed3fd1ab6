"""Forecasts, reorders and dead letters on their way to the broker.

Reads nothing; writes `forecasts`, `reorders`, `forecast-alerts`, `dead-letters`. Guarantees: the partition is the
SKU's, so that whoever reads stock and forecasts side by side finds both in one partition; `flush` returns only when all
is acknowledged, or raises `PublishFailed`. Published records carry CloudEvents binary-mode headers. Does not belong
here: what to say.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from confluent_kafka import KafkaError, Message, Producer

from streams.settings import Settings, producer_config
from streams.topics import DEAD_LETTERS, FORECAST_ALERTS, FORECASTS, REORDERS
from tables.codec import encode, instant
from tables.murmur2 import partition_of_sku
from tables.records import Forecast, ForecastAlert, Reorder

SOURCE = "smokehouse/forecasting"
FLUSH_STEP_SECONDS = 0.2
FLUSH_SECONDS = 25.0  # above the producer's own limit for a delivery (20 s): by then each record has an answer
BUFFER_SECONDS = 20.0  # a full buffer that does not drain for so long means a lost broker
REASON_BYTES_MAX = 500


class PublishFailed(Exception):
    """The broker did not take what was sent. The message says which topic and why."""


class Publisher:
    """One producer; `partitions` is the count that demand, forecasts and reorders share."""

    def __init__(self, settings: Settings, partitions: int) -> None:
        self._prefix = settings.prefix
        self._partitions = partitions
        self._failed = ""
        self._producer = Producer(
            producer_config(settings) | {"linger.ms": 50, "on_delivery": self._delivered, "log.connection.close": False}
        )

    def forecast(self, record: Forecast) -> None:
        key = f"{record.sku}|{record.location}|{record.run}"
        self._say(FORECASTS.name, key, record, "smokehouse.forecast")

    def reorder(self, record: Reorder) -> None:
        self._say(REORDERS.name, f"{record.sku}|{record.location}", record, "smokehouse.reorder")

    def alert(self, record: ForecastAlert) -> None:
        key = f"{record.sku}|{record.location}|{record.kind}"
        self._say(FORECAST_ALERTS.name, key, record, "smokehouse.forecast_alert")

    def dead_letter(self, topic: str, message: Message, reason: str) -> None:
        """Pass on a record nobody can use, as it came, with where it stood and why (Kafka Connect's header names)."""
        headers = {
            "__connect.errors.topic": self._prefix + topic,
            "__connect.errors.partition": str(message.partition()),
            "__connect.errors.offset": str(message.offset()),
            "__connect.errors.exception.message": reason.encode()[:REASON_BYTES_MAX].decode(errors="ignore"),
        }
        self._produce(topic=self._prefix + DEAD_LETTERS.name, key=message.key(), value=message.value(), headers=headers)

    def flush(self, seconds: float = FLUSH_SECONDS, watch: Callable[[], None] = lambda: None) -> None:
        """Wait for every answer; `watch` is called meanwhile and raises to break the wait off."""
        until = time.monotonic() + seconds
        while self._producer.flush(FLUSH_STEP_SECONDS) and time.monotonic() < until:
            watch()
        if len(self._producer) and not self._failed:
            self._failed = f"{len(self._producer)} records without an answer after {seconds:.0f} s"
        if self._failed:
            raise PublishFailed(self._failed)

    def _say(self, topic: str, key: str, record: Forecast | Reorder | ForecastAlert, kind: str) -> None:
        headers = {
            "ce_specversion": "1.0",
            "ce_type": kind,
            "ce_source": SOURCE,
            "ce_id": record.id,
            "ce_time": record.time,
            "content-type": "application/json",
        }
        partition = partition_of_sku(record.sku, self._partitions)
        self._produce(topic=self._prefix + topic, key=key, value=encode(record), partition=partition, headers=headers)

    def _produce(self, **arguments: object) -> None:
        until = time.monotonic() + BUFFER_SECONDS
        while True:
            try:
                self._producer.produce(**arguments)
            except BufferError:
                if time.monotonic() > until:
                    raise PublishFailed(f"{arguments['topic']}: the send buffer stays full") from None
                self._producer.poll(0.1)
            else:
                self._producer.poll(0)
                return

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is not None and not self._failed:
            self._failed = f"{message.topic()}: {error.str()}"


def now() -> str:
    """The wall clock, for `time` and `ce_time` alone: no figure depends on it."""
    return instant(time.time_ns() // 1_000_000)
