"""The logs as a fold reads them: one partition, from an offset to its end as of now.

Reads the broker without a group; writes nothing. Guarantees: a log that lost its beginning is an error, never a shorter
history. Does not belong here: what records mean.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any, Protocol

from streams.ends import bounds, partitions_of
from streams.reader import ReadError, read_to_end
from streams.settings import Settings
from streams.topics import ORDERS, WAREHOUSE
from tables.codec import ORDER_LOG, STOCK_LOG
from tables.records import LogOpened

CODECS = {ORDERS.name: ORDER_LOG, WAREHOUSE.name: STOCK_LOG}


class Meter(Protocol):
    """Told how much there is to read, and how much was read. It may raise to end the reading."""

    def expect(self, records: int) -> None: ...

    def advance(self, records: int) -> None: ...


class Unmetered:
    """Nobody watches."""

    def expect(self, records: int) -> None:
        pass

    def advance(self, records: int) -> None:
        pass


class Log(Protocol):
    """One partition of a log."""

    topic: str
    number: int

    def read(self, start: int) -> Iterator[list[Any]]:
        """Its messages from this offset on, in batches."""

    def end(self) -> int:
        """The offset after its last record."""


class BrokerLog:
    """A partition on the broker of the settings."""

    def __init__(self, settings: Settings, topic: str, number: int) -> None:
        self.topic, self.number = topic, number
        self._settings = settings

    def read(self, start: int) -> Iterator[list[Any]]:
        return read_to_end(self._settings, self.topic, [self.number], {self.number: start}, contiguous=True)

    def end(self) -> int:
        return bounds(self._settings, self.topic, [self.number])[self.number][1]

    def log_id(self) -> int:
        """The log that this partition belongs to; 0: it was not opened yet. `ReadError` if its beginning is lost."""
        low, high = bounds(self._settings, self.topic, [self.number])[self.number]
        if low:
            raise ReadError(f"{self.topic}/{self.number} begins at offset {low}: its history before that is lost")
        return first_log_id(self) if high else 0


def first_log_id(log: Log) -> int:
    """The log id in the partition's first record; 0: that one opens no log."""
    with closing(log.read(0)) as batches:
        for batch in batches:
            if batch:
                first = CODECS[log.topic].items(batch[0].value())[0]
                return first.log_id if isinstance(first, LogOpened) else 0
    return 0


def partitions(settings: Settings) -> int:
    """How many partitions both logs have; `ReadError` if there are none."""
    return len(partitions_of(settings, ORDERS.name))
