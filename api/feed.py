"""Feeds the read view from the published topics, in a thread of its own, and knows how far behind it is.

Reads: stock-levels, order-status, reservations, alerts, demand, forecasts, reorders, forecast-alerts. Writes: the view.
Guarantees: every record is applied, in the order of its partition; a broker that is lost is asked again for ever, and
the view says so meanwhile (not ready, nothing is answered); a connection that begins anew begins a new view. An error
that nobody foresaw ends the feed, and with it the process. Does not belong here: what records mean to whom asks.
"""

from __future__ import annotations

import logging
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field

import msgspec
from confluent_kafka import Consumer, KafkaError, KafkaException, Message

from api.view import OrderHead, Record, View
from streams.ends import ASK_SECONDS, QUIET, open_consumer
from streams.reader import Follower, ReadError, follow
from streams.settings import Settings
from tables import records as r

TOPICS = (
    "stock-levels", "order-status", "reservations", "alerts", "demand", "forecasts", "reorders", "forecast-alerts",
    "planning",
)  # fmt: skip
LAG_MAX_RECORDS = 10_000  # more behind than this is not ready
ENDS_EVERY_SECONDS = 1.0
ENDS_VALID_SECONDS = 5.0  # older than this, the lag counts as unknown
RETRY_SECONDS = 1.0
APPLY_RECORDS = 500  # applied at a time, so that nobody who asks waits long for the lock

log = logging.getLogger(__name__)

_DECODERS = {
    "stock-levels": msgspec.json.Decoder(r.StockLevels),
    "order-status": msgspec.json.Decoder(OrderHead),
    "reservations": msgspec.json.Decoder(r.OrderDecided),
    "alerts": msgspec.json.Decoder(r.Alert),
    "demand": msgspec.json.Decoder(r.Demand),
    "forecasts": msgspec.json.Decoder(r.Forecast),
    "reorders": msgspec.json.Decoder(r.Reorder),
    "forecast-alerts": msgspec.json.Decoder(r.ForecastAlert),
    "planning": msgspec.json.Decoder(r.PlanningRecord),
}


@dataclass(slots=True)
class Progress:
    """How far the view is. Replaced as a whole: whoever reads it sees one state."""

    positions: dict[tuple[str, int], int] = field(default_factory=dict)
    ends: dict[tuple[str, int], int] = field(default_factory=dict)
    asked: float = float("-inf")  # when the ends were asked, monotonic
    reached: bool = False  # the ends as of the start: from here on the view shows the present, not the past
    trouble: str = ""

    def lag(self, topic: str, partition: int) -> int | None:
        """Records behind; None: unknown."""
        end, position = self.ends.get((topic, partition)), self.positions.get((topic, partition))
        if end is None or position is None or time.monotonic() - self.asked > ENDS_VALID_SECONDS:
            return None
        return max(end - position, 0)

    @property
    def ready(self) -> bool:
        lags = [self.lag(topic, partition) for topic, partition in self.positions]
        return self.reached and bool(lags) and all(lag is not None and lag <= LAG_MAX_RECORDS for lag in lags)


class _Watch:
    """Whether the broker is still there, and still the same.

    An embedded broker that was started again has an empty log, and a fetch past its end waits there until the new log
    has grown past the old position: half of each would be read. So a lost connection to one ends the view.
    """

    def __init__(self, settings: Settings) -> None:
        self._lost = False
        self._forgets = settings.embedded
        self._topic = settings.prefix + TOPICS[0]
        self._client: Consumer = open_consumer(settings, QUIET | {"error_cb": self._error})
        self.ask()
        self._client.poll(0)
        self._lost = False  # an address of several may have refused while we connected

    def ask(self) -> None:
        """`KafkaException` if the broker does not answer."""
        self._client.list_topics(self._topic, timeout=ASK_SECONDS)

    def look(self) -> None:
        """`ReadError` if the connection was lost since the last look, and with it perhaps the log."""
        self._client.poll(0)
        if self._lost and self._forgets:
            raise ReadError("the connection to the broker was lost; its log may be another one now")
        self._lost = False

    def close(self) -> None:
        self._client.close()

    def _error(self, error: KafkaError) -> None:
        self._lost = self._lost or error.code() == KafkaError._ALL_BROKERS_DOWN


class Feed(threading.Thread):
    """`start()`, then read `view` and `progress`; `stop()` ends it within a second."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(name="view-feed", daemon=True)
        self.view = View()
        self.progress = Progress(trouble="not connected yet")
        self.unreadable = 0
        self.failed = False
        self._settings = settings
        self._stopping = threading.Event()

    def stop(self) -> None:
        self._stopping.set()
        if self.is_alive():
            self.join(timeout=1.0)

    def run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._follow_once()
                self._stopping.wait(RETRY_SECONDS)
        except Exception:  # told, and `/status` says so: a thread that died would leave old answers standing
            log.exception("the read view cannot go on")
            self.failed = True
            self.progress = Progress(trouble="the read view failed; restart this process")

    def _follow_once(self) -> None:
        """One connection: from the first record of every topic until it breaks or we stop."""
        with ExitStack() as opened:
            try:
                watch = _Watch(self._settings)
                opened.callback(watch.close)
                follower = follow(self._settings, TOPICS)
                opened.callback(follower.close)
                first_ends = follower.first_ends
                self.view = View()  # what the one before held may be of a log that is gone
                self.progress = Progress(dict(follower.positions()), first_ends, time.monotonic())
                while not self._stopping.is_set():
                    messages = follower.poll(0.1)
                    watch.look()  # before what was read is believed
                    self._apply(messages)
                    self._report(follower, first_ends, watch)
            except (ReadError, KafkaException) as error:
                self._wait_for_broker(error)

    def _report(self, follower: Follower, first_ends: dict[tuple[str, int], int], watch: _Watch) -> None:
        before, positions = self.progress, follower.positions()
        ends, asked = before.ends, before.asked
        if time.monotonic() - asked > ENDS_EVERY_SECONDS:
            watch.ask()  # what a fetch said last does not tell whether the broker is still there
            ends, asked = follower.seen_ends(), time.monotonic()
        reached = before.reached or all(positions[place] >= end for place, end in first_ends.items())
        if reached and not before.reached:
            self.view.settle()  # before anybody is answered
        self.progress = Progress(positions, ends, asked, reached)

    def _wait_for_broker(self, error: ReadError | KafkaException) -> None:
        why = f"the broker does not answer: {error.args[0].str()}" if isinstance(error, KafkaException) else str(error)
        if why != self.progress.trouble:
            log.warning("the read view waits for the broker: %s", why)
        self.progress = Progress(trouble=why)

    def _apply(self, messages: list[Message]) -> None:
        for begin in range(0, len(messages), APPLY_RECORDS):
            decoded = [self._decode(message) for message in messages[begin : begin + APPLY_RECORDS]]
            self.view.apply([record for record in decoded if record is not None])

    def _decode(self, message: Message) -> Record | None:
        topic = message.topic()[len(self._settings.prefix) :]
        try:
            key, raw = (message.key() or b"").decode(), message.value()
            value = None if raw is None else _DECODERS[topic].decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            # Our own agents write these topics, and whoever plans, whose dead letters are the forecaster's: count it,
            # say where, and go on with the rest.
            self.unreadable += 1
            log.warning("%s/%s at offset %s is unreadable: %s", topic, message.partition(), message.offset(), error)
            return None
        if isinstance(value, OrderHead):
            value.raw = raw
        return Record(topic, message.partition(), message.offset(), message.timestamp()[1], key, value)
