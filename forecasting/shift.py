"""A shift: the time during which our partitions stay the same. Records in, runs when they are due, words out.

Reads `demand` from its intake, and beside it `stock-levels`, `reorders`, `forecast-alerts` of the same partitions and
all of `planning`, each from the beginning; of `forecasts` the last run. Publishes what the forecaster says. Guarantees:
nothing is scored before all that was there at the begin is read; a run that was broken off is not resumed, and what was
sent of it is valid as it is; a record that cannot be read is a dead letter, acknowledged before it is noted as
reported.
Does not belong here: figures (`runs`), records (`words`), which partitions (`intake`), when to train (`learning`),
bytes (`publish`).
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event

from confluent_kafka import Message

from forecasting.intake import Intake
from forecasting.learning import Learning
from forecasting.policy import Terms
from forecasting.publish import Publisher, now
from forecasting.pulse import Pulse
from forecasting.reported import Reported
from forecasting.runs import Forecaster, Watch
from forecasting.sources import BESIDE, PLANS, holds_nothing, last_runs
from forecasting.words import alert_record, forecast_record, read, reorder_record
from streams.reader import Follower, Place, bounds, is_contiguous
from streams.settings import Settings
from streams.topics import DEMAND
from tables.codec import Unreadable
from tables.murmur2 import partition_of_sku

POLL_SECONDS = 0.2
BUSY_SHARE = 10  # a run may start after ten times what the last one took
SAME_DAY_GAP_SECONDS_MAX = 900.0
QUIET_SECONDS = 1.0  # behind and handed nothing for so long: perhaps there is nothing
NOTE_SECONDS = 3_600.0  # Kafka forgets a group's offsets a week after the last one: notes are renewed

Say = Callable[[str], None]


class Interrupted(Exception):
    """A run was broken off: asked to stop, or the partitions have changed. What was sent is valid as it is."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What all shifts of a process share; `partitions` is the count of each of our topics."""

    settings: Settings
    terms: Terms
    partitions: int
    every_seconds: float
    publisher: Publisher
    learning: Learning
    reported: Reported
    pulse: Pulse
    say: Say


class Shift:
    def __init__(self, bench: Bench, intake: Intake) -> None:
        settings, owned = bench.settings, intake.owned
        self._settings, self._publisher, self._say = settings, bench.publisher, bench.say
        self._learning, self._reporting, self._pulse = bench.learning, bench.reported, bench.pulse
        self._intake, self._count, self._every_seconds = intake, bench.partitions, bench.every_seconds
        self._forecaster = Forecaster(bench.terms)
        self._forecaster.plans.share = len(owned) / bench.partitions
        beside = {(topic, p): ends for topic in BESIDE for p, ends in bounds(settings, topic, sorted(owned)).items()}
        beside[PLANS] = bounds(settings, PLANS[0], [PLANS[1]])[PLANS[1]]
        demand = {(DEMAND.name, p): ends for p, ends in bounds(settings, DEMAND.name, sorted(owned)).items()}
        found = beside | demand
        self._behind: dict[Place, int] = {place: high for place, (low, high) in found.items() if high > low}
        self._pulse.unread = sum(high - low for low, high in found.values())
        self._answered = {place for place in found if place != PLANS or PLANS[1] in owned}
        self._reported = bench.reported.up_to(self._answered)
        self._follower = Follower(
            settings,
            {place: low for place, (low, _) in beside.items()},
            {topic: is_contiguous(settings, topic) for topic in (*BESIDE, PLANS[0])},
        )
        self._not_before = self._handed_at = time.monotonic()
        self._same_day_not_before = 0.0
        self._note_at = time.monotonic() + NOTE_SECONDS
        self._letters = 0

    def work(self, stop: Event) -> None:
        """Until asked to stop, or until the partitions change."""

        def watch() -> None:
            if stop.is_set() or self._intake.is_over:
                raise Interrupted
            self._reporting.expect_broker()

        try:
            for run in last_runs(self._settings, self._intake.owned, watch):
                self._forecaster.take_run(run)
            while True:
                watch()
                for message in self._arrived():
                    self._take(message)
                self._report(watch)
                if not self._is_behind(watch):
                    self._learning.attend(self._forecaster, watch)
                    self._run_if_due(watch)
        except Interrupted:
            return

    def close(self) -> None:
        self._follower.close()

    def _arrived(self) -> list[Message]:
        beside = self._follower.poll(0)
        demand = self._intake.poll(0 if beside else POLL_SECONDS)
        if demand:
            self._handed_at = time.monotonic()
        return beside + demand

    def _positions(self) -> dict[Place, int]:
        return self._follower.positions() | self._intake.positions()

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
            if place in self._answered and message.offset() >= self._reported.get(place, 0):
                self._letters += 1
                self._publisher.dead_letter(topic, message, str(unreadable))
                self._say(f"dead letter: {topic}/{message.partition()} at {message.offset()}: {unreadable}")

    def _report(self, watch: Watch) -> None:
        """Dead letters are acknowledged first, then noted as reported. A note never goes back: while topics are read
        again from the beginning, it stands further than we are."""
        if self._letters or time.monotonic() > self._note_at:
            self._publisher.flush(watch=watch)
            positions = self._positions()
            self._reporting.note({p: max(positions[p], self._reported.get(p, 0)) for p in self._answered})
            self._note_at = time.monotonic() + NOTE_SECONDS
            self._letters = 0

    def _is_behind(self, watch: Watch) -> bool:
        """Whether part of what was there at the start is still unread: half a history gives wrong forecasts."""
        if self._behind:
            positions = self._positions()
            self._behind = {place: end for place, end in self._behind.items() if positions[place] < end}
            demand = [place for place in self._behind if place[0] == DEMAND.name]
            if demand and time.monotonic() - self._handed_at > QUIET_SECONDS:
                for place in demand:  # the agent is handed records, and never told that a partition ends without one
                    if holds_nothing(self._settings, place, positions[place], self._behind[place], watch):
                        del self._behind[place]
                self._handed_at = time.monotonic()
            self._pulse.unread = sum(end - positions[place] for place, end in self._behind.items())
        return bool(self._behind)

    def _run_if_due(self, watch: Watch) -> None:
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

    def _run(self, watch: Watch, *, everything: bool) -> None:
        started, models = time.monotonic(), Counter[str]()
        for key, forecast in self._forecaster.score(watch):
            self._publisher.forecast(forecast_record(key, forecast, self._forecaster.run, now()))
            models[forecast.model] += 1
        advised = self._advise(watch, everything=everything)
        self._publisher.flush(watch=watch)
        took = time.monotonic() - started
        self._pulse.scored_at = time.time()
        gap = min(SAME_DAY_GAP_SECONDS_MAX, self._every_seconds * 2 ** min(self._forecaster.runs_of_day - 1, 30))
        self._same_day_not_before = time.monotonic() + gap
        by_model = f" ({', '.join(f'{count} {model}' for model, count in sorted(models.items()))})" if models else ""
        forecasts = f"{models.total()} forecasts{by_model}"
        self._say(f"run {self._forecaster.run}: {forecasts}, {advised} reorders, {took:.2f} s")

    def _advise(self, watch: Watch, *, everything: bool) -> int:
        count = 0
        for key, advice in self._forecaster.advise(watch, everything=everything):
            self._publisher.reorder(reorder_record(key, advice, self._forecaster.run, now()))
            count += 1
        for key, concern, raised in self._forecaster.warn(watch):
            self._publisher.alert(alert_record(key, concern, raised, self._forecaster.run, now()))
        return count
