"""What others write into the logs: records again, the past again, garbage, ticks by wrong clocks.

Reads both logs; writes both. Guarantees: a record that is said again keeps key, value and partition; the record that
opens a log is never said again (a log is opened once). Does not belong here: when (`plan`).
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

from confluent_kafka import Message, Producer

from streams.reader import bounds, read_to_end
from streams.settings import Settings, producer_config
from streams.topics import LOGS
from tables import records as r
from tables.codec import encode

WINDOW = 400  # records looked at, per partition
REPLAYED = 300  # of the oldest, per partition
DAY_MS = 86_400_000
WRONG_MS = (400 * DAY_MS, -3_600_000, 90_000, -400 * DAY_MS)
_OPENED = b'"log_opened"'


class Noise:
    def __init__(self, settings: Settings, seed: int) -> None:
        self._settings = settings
        self._dice = random.Random(f"noise:{seed}")
        self._producer = Producer(producer_config(settings) | {"log_level": 0})

    def make(self, kind: str, amount: int) -> int:
        """Records written."""
        written = 0
        for name, partition, key, value in getattr(self, f"_{kind}")(amount):
            self._producer.produce(self._settings.prefix + name, value, key, partition)
            self._producer.poll(0)
            written += 1
        self._producer.flush(60)
        return written

    def _duplicates(self, amount: int) -> Iterator[tuple[str, int, bytes | None, bytes | None]]:
        """Recent records once more; one of them `amount` times."""
        for name, found in self._records(newest=True):
            some = self._dice.sample(found, min(20, len(found)))
            for n, message in enumerate(some):
                for _ in range(amount if n == 0 else 1):
                    yield name, message.partition(), message.key(), message.value()

    def _replay(self, amount: int) -> Iterator[tuple[str, int, bytes | None, bytes | None]]:
        """How the log began, again, in its order."""
        for name, found in self._records(newest=False):
            for message in found[:REPLAYED]:
                yield name, message.partition(), message.key(), message.value()

    def _garbage(self, amount: int) -> Iterator[tuple[str, int, bytes | None, bytes | None]]:
        for topic in LOGS:
            for partition in bounds(self._settings, topic.name):
                for value in (
                    self._dice.randbytes(self._dice.randint(1, 200)), b"", b"null", b"[" * 3_000,
                    b'{"type":"order_placed","id":"x"}', b'{"type":"packed","items":[]}', b'{"type":"nothing"}',
                ):  # fmt: skip
                    yield topic.name, partition, b"garbage", value

    def _clock(self, amount: int) -> Iterator[tuple[str, int, bytes | None, bytes | None]]:
        """Ticks of clocks that are wrong by an hour, or by more than a year."""
        now_ms = time.time_ns() // 1_000_000
        for topic in LOGS:
            for partition in bounds(self._settings, topic.name):
                for wrong in WRONG_MS:
                    tick = r.Tick(id=f"wrong:{self._dice.getrandbits(48):x}", now_ms=max(now_ms + wrong, 1))
                    yield topic.name, partition, None, encode(tick)

    def _records(self, *, newest: bool) -> Iterator[tuple[str, list[Message]]]:
        """Per partition some records that stand together."""
        for topic in LOGS:
            for partition, (low, high) in bounds(self._settings, topic.name).items():
                start = {partition: max(low, high - WINDOW) if newest else low}
                found: list[Message] = []
                for batch in read_to_end(self._settings, topic.name, [partition], start, contiguous=True):
                    found += [m for m in batch if m.value() and _OPENED not in m.value()]
                    if len(found) >= WINDOW:
                        break
                yield topic.name, found[:WINDOW]
