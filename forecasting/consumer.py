"""The loop round the forecaster: read `demand`, `stock-levels` and all of `planning`, publish what follows from them.

Reads also its own `reorders` and `forecast-alerts`, to go on where it stopped. Keeps nothing on disk but trained models
(`learning`): a start, and each change of its partitions, re-reads these topics from the beginning (they are compacted,
hence bounded by series x days).
Guarantees: at least once, same words for the same demand; a record that cannot be read is a dead letter and stops
nothing; a run that was not acknowledged ends the process. It stops within 3 s of being asked. When it runs: a newer day
has appeared, or a closed day has changed, or stock or plans have moved; at most every `every_seconds` and a tenth of
its time. Further runs of the same day wait twice as long each time (a shop's first day would otherwise fill the topic).
Does not belong here: figures (`runs`), sharing out (`ownership`), bytes (`publish`).
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection
from threading import Event

from confluent_kafka import Message

from forecasting.learning import TRAINING_SECONDS, Learning
from forecasting.ownership import PLANS, READ, Ownership
from forecasting.policy import Terms
from forecasting.publish import Publisher, now
from forecasting.runs import Forecaster, forecast_record, read, reorder_record
from forecasting.watching import alert_record
from streams.reader import Follower, Place, bounds, is_contiguous
from streams.settings import Settings
from tables.codec import Unreadable
from tables.murmur2 import partition_of_sku

POLL_SECONDS = 0.2
STOP_FLUSH_SECONDS = 1.5
BUSY_SHARE = 10  # a run may start after ten times what the last one took
SAME_DAY_GAP_SECONDS_MAX = 900.0

Say = Callable[[str], None]


class Interrupted(Exception):
    """A run was broken off: asked to stop, or the partitions have changed. What was sent is valid as it is."""


def forecast_until(
    stop: Event,
    settings: Settings,
    terms: Terms,
    *,
    every_seconds: float = 10.0,
    partitions: Collection[int] | None = None,
    training_seconds: float = TRAINING_SECONDS,
    say: Say = lambda line: None,
) -> None:
    """Forecast until `stop` is set. `partitions`: look after these alone, without the group.

    `training_seconds` bounds a training; 0: never train (a model that is there is used).
    """
    learning = Learning(settings, seconds_max=training_seconds, say=say)
    ownership = Ownership(settings, partitions)
    publisher: Publisher | None = None
    try:
        count = ownership.wait_for_topics()
        publisher = Publisher(settings, count)
        owned: frozenset[int] = frozenset()
        while not stop.is_set():
            owned = ownership.poll()
            if not owned:
                stop.wait(POLL_SECONDS)
                continue
            say(f"forecasting partitions {', '.join(map(str, sorted(owned)))} of {count}")
            shift = _Shift(settings, terms, ownership, publisher, learning, owned, count, every_seconds, say)
            try:
                shift.work(stop)
            finally:
                shift.close()
        publisher.flush(STOP_FLUSH_SECONDS)
    finally:
        learning.close()
        ownership.close()


class _Shift:
    """The time during which our partitions stay the same."""

    def __init__(
        self, settings: Settings, terms: Terms, ownership: Ownership, publisher: Publisher,
        learning: Learning, owned: frozenset[int], count: int, every_seconds: float, say: Say,
    ) -> None:  # fmt: skip
        self._settings, self._ownership, self._publisher = settings, ownership, publisher
        self._owned, self._count, self._every_seconds, self._say = owned, count, every_seconds, say
        self._forecaster, self._learning = Forecaster(terms), learning
        self._forecaster.plans.share = len(owned) / count
        found = {(topic, p): ends for topic in READ for p, ends in bounds(settings, topic, sorted(owned)).items()}
        found[PLANS] = bounds(settings, PLANS[0], [PLANS[1]])[PLANS[1]]
        self._behind: dict[Place, int] = {place: high for place, (low, high) in found.items() if high > low}
        self._reported = ownership.reported(list(found))
        self._follower = Follower(
            settings,
            {place: low for place, (low, _) in found.items()},
            {topic: is_contiguous(settings, topic) for topic in (*READ, PLANS[0])},
        )
        self._not_before = time.monotonic()
        self._same_day_not_before = 0.0
        self._letters = 0

    def work(self, stop: Event) -> None:
        """Until asked to stop, or until the partitions change."""

        def watch() -> None:
            if stop.is_set() or self._ownership.poll() != self._owned:
                raise Interrupted

        try:
            while True:
                watch()
                for message in self._follower.poll(POLL_SECONDS):
                    self._take(message)
                self._report(watch)
                if not self._is_behind():
                    self._learning.attend(self._forecaster, watch)
                    self._run_if_due(watch)
        except Interrupted:
            return

    def close(self) -> None:
        self._follower.close()

    def _take(self, message: Message) -> None:
        topic = message.topic()[len(self._settings.prefix) :]
        value = message.value()
        if value is None:  # a deletion in a compacted topic; what we know of the key is no worse for it
            return
        try:
            record = read(topic, value)
            expected = PLANS[1] if topic == PLANS[0] else partition_of_sku(record.sku, self._count)
            if expected != message.partition():
                raise Unreadable(f"in partition {message.partition()}, but this SKU belongs to {expected}")
            self._forecaster.take(record)
        except Unreadable as unreadable:
            place = (topic, message.partition())
            if self._answers_for(place) and message.offset() >= self._reported.get(place, 0):
                self._letters += 1
                self._publisher.dead_letter(topic, message, str(unreadable))
                self._say(f"dead letter: {topic}/{message.partition()} at {message.offset()}: {unreadable}")

    def _report(self, watch: Callable[[], None]) -> None:
        """Dead letters are acknowledged first, then noted as reported."""
        if self._letters:
            self._publisher.flush(watch=watch)
            positions = self._follower.positions()
            self._ownership.report({place: positions[place] for place in positions if self._answers_for(place)})
            self._letters = 0

    def _answers_for(self, place: Place) -> bool:
        return place != PLANS or PLANS[1] in self._owned

    def _is_behind(self) -> bool:
        """Whether part of what was there at the start is still unread: half a history gives wrong forecasts."""
        if self._behind:
            positions = self._follower.positions()
            self._behind = {place: end for place, end in self._behind.items() if positions[place] < end}
        return bool(self._behind)

    def _run_if_due(self, watch: Callable[[], None]) -> None:
        started = time.monotonic()
        if started < self._not_before:
            return
        closed, stale = self._forecaster.day_closed(), self._forecaster.has_stale_forecasts()
        if closed or (stale and started >= self._same_day_not_before):
            self._run(watch, everything=closed)
        elif self._forecaster.has_moved_stock() and self._forecaster.run:
            self._advise(watch, everything=False)
            self._publisher.flush(watch=watch)
        else:
            return
        took = time.monotonic() - started
        self._not_before = time.monotonic() + max(self._every_seconds, BUSY_SHARE * took)

    def _run(self, watch: Callable[[], None], *, everything: bool) -> None:
        started, models = time.monotonic(), Counter[str]()
        for key, forecast in self._forecaster.score(watch):
            self._publisher.forecast(forecast_record(key, forecast, self._forecaster.run, now()))
            models[forecast.model] += 1
        advised = self._advise(watch, everything=everything)
        self._publisher.flush(watch=watch)
        took = time.monotonic() - started
        gap = min(SAME_DAY_GAP_SECONDS_MAX, self._every_seconds * 2 ** min(self._forecaster.runs_of_day - 1, 30))
        self._same_day_not_before = time.monotonic() + gap
        by_model = f" ({', '.join(f'{count} {model}' for model, count in sorted(models.items()))})" if models else ""
        forecasts = f"{models.total()} forecasts{by_model}"
        self._say(f"run {self._forecaster.run}: {forecasts}, {advised} reorders, {took:.2f} s")

    def _advise(self, watch: Callable[[], None], *, everything: bool) -> int:
        count = 0
        for key, advice in self._forecaster.advise(watch, everything=everything):
            self._publisher.reorder(reorder_record(key, advice, self._forecaster.run, now()))
            count += 1
        for key, concern, raised in self._forecaster.warn(watch):
            self._publisher.alert(alert_record(key, concern, raised, self._forecaster.run, now()))
        return count
