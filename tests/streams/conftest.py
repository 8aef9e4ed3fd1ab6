"""A broker's topics at hand: made as the product makes them, written and read without any of its agents."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from confluent_kafka import Message, Producer
from confluent_kafka.admin import NewTopic

from streams import logs
from streams.brokers.kind import wait_for_broker
from streams.reader import read_to_end
from streams.settings import Settings, producer_config
from streams.topics import topic as catalogue_topic
from tables import records as r

PARTITIONS = 4


class Topics:
    """What a test writes into topics and finds in them."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._producer = Producer(producer_config(settings) | {"linger.ms": 2})

    def make(self, *names: str, partitions: int = PARTITIONS, **config: str) -> None:
        """Topics as the catalogue has them, without opening a log."""
        admin = wait_for_broker(self.settings, 30.0)
        wanted = [
            NewTopic(self.settings.prefix + name, partitions, 1, config=catalogue_topic(name).config() | config)
            for name in names
        ]
        for future in admin.create_topics(wanted).values():
            future.result(30)

    def apply(self, **limits: int) -> logs.Applied:
        """Every topic, both logs opened."""
        return logs.apply(self.settings, PARTITIONS, limits=r.Limits(**limits))

    def write(self, topic: str, values: Iterable[bytes | None], key: bytes | None = None, partition: int = 0) -> None:
        """The values in order, acknowledged."""
        for value in values:
            while True:
                try:
                    self._producer.produce(self.settings.prefix + topic, value, key, partition)
                    break
                except BufferError:
                    self._producer.poll(0.1)
        assert self._producer.flush(60) == 0

    def read(self, topic: str, partition: int | None = None) -> list[Message]:
        """Every record there is."""
        places = None if partition is None else [partition]
        return [m for batch in read_to_end(self.settings, topic, places, contiguous=False) for m in batch]


def until(what: Callable[[], Any], seconds: float = 40.0) -> Any:
    """The first answer that is true; fails after `seconds`."""
    end = time.monotonic() + seconds
    while not (answer := what()):
        assert time.monotonic() < end, f"not within {seconds:.0f} s"
        time.sleep(0.02)
    return answer


@pytest.fixture
def topics(settings: Settings) -> Topics:
    """On both brokers in turn."""
    return Topics(settings)


@pytest.fixture
def embedded_topics(embedded_settings: Settings) -> Topics:
    return Topics(embedded_settings)


@pytest.fixture
def kafka_topics(kafka_settings: Settings) -> Topics:
    return Topics(kafka_settings)


@pytest.fixture(name="until")
def until_fixture() -> Callable[..., Any]:
    return until
