"""Runs the demo against the clock: sends what is due, and does what follows from decisions and stock levels.

Reads: `reservations` (confirmed orders are picked, packed, shipped, delivered) and `stock-levels` (lots are counted),
both from now on. Writes: `orders`, `warehouse`. Guarantee: at least once under ids that seed and run make, so sending
a record again changes nothing. Resume point: none; a new run is a new name. Back-pressure: none, like customers: behind
time, it sends as fast as the broker takes it. Does not belong here: what happens (`traffic`).
"""

from __future__ import annotations

import contextlib
import heapq
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count

import msgspec

from connectors.demo.action import Action, chance
from connectors.demo.counting import COUNT_EVERY_SECONDS, count_of
from connectors.demo.fulfilment import journey
from connectors.demo.traffic import Demo, traffic
from connectors.open_log import require_open_logs
from connectors.outlet import Outlet
from streams import reader
from streams.settings import Settings
from streams.topics import RESERVATIONS, STOCK_LEVELS, WAREHOUSE
from tables import records as r
from tables.codec import encode

POLL_SECONDS = 0.05
LISTEN_EVERY = 64  # actions, when behind time
SETTLE_SECONDS = 180.0  # after the last customer: the longest payment deadline and then some

_decided = msgspec.json.Decoder(r.OrderDecided).decode
_level = msgspec.json.Decoder(r.StockLevels).decode


@dataclass(slots=True)
class Tally:
    """What was sent, by type, and what was decided about this run's orders."""

    sent: Counter[str] = field(default_factory=Counter)
    decided: Counter[str] = field(default_factory=Counter)
    open: set[str] = field(default_factory=set)


class DemoRun:
    """One run. `on_change` is told after each round; `clock` is monotonic seconds."""

    def __init__(
        self,
        settings: Settings,
        demo: Demo,
        on_change: Callable[[Tally], None] = lambda tally: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.tally = Tally()
        self._settings = settings
        self._demo = demo
        self._on_change = on_change
        self._clock = clock
        self._started = clock()
        self._outlet = Outlet(settings)
        self._later: list[tuple[float, int, Action]] = []
        self._number = count()
        self._levels: dict[str, r.StockLevels] = {}
        self._counts = 0
        self._rounds = 0

    def run(self) -> Tally:
        """Until the last customer has come and been answered; for ever, if customers never end."""
        require_open_logs(self._settings)
        with contextlib.closing(
            reader.follow(self._settings, [RESERVATIONS.name, STOCK_LEVELS.name], "end")
        ) as follower:
            self._started = self._clock()
            for action in traffic(self._demo):
                self._wait_until(follower, action.due_seconds)
                self._send(action)
            self._settle(follower)
        self._outlet.flush()
        return self.tally

    @property
    def _now(self) -> float:
        return self._clock() - self._started

    def _wait_until(self, follower: reader.Follower, due: float) -> None:
        """Listen until then, at least once in a while even when behind time."""
        while True:
            left = due - self._now
            self._rounds += 1
            if left > 0 or self._rounds % LISTEN_EVERY == 0:
                self._listen(follower, min(max(left, 0.0), POLL_SECONDS))
            if left <= 0:
                return

    def _settle(self, follower: reader.Follower) -> None:
        self._outlet.flush()
        until = self._now + SETTLE_SECONDS
        while (self.tally.open or self._later) and self._now < until:
            self._listen(follower, POLL_SECONDS)

    def _listen(self, follower: reader.Follower, seconds: float) -> None:
        for message in follower.poll(seconds):
            if message.topic().endswith(RESERVATIONS.name):
                self._note_decision(message.key() or b"", message.value())
            elif message.value():
                level = _level(message.value())
                self._levels[level.sku] = level
        while self._later and self._later[0][0] <= self._now:
            self._send(heapq.heappop(self._later)[2])
        self._count_something()
        self._outlet.serve()
        self._on_change(self.tally)

    def _note_decision(self, key: bytes, value: bytes) -> None:
        if key.decode(errors="replace") not in self.tally.open:
            return
        decision = _decided(value)
        if decision.status != "cancelled":
            self.tally.open.discard(decision.order_id)
            self.tally.decided[decision.status] += 1
            if decision.status == "confirmed":
                self._plan(journey(self._demo.seed, decision.order_id, self._now))

    def _count_something(self) -> None:
        if not self._levels or self._now < (self._counts + 1) * COUNT_EVERY_SECONDS:
            return
        self._counts += 1
        dice = chance(self._demo.seed, self._demo.run, "count", self._counts)
        level = self._levels[dice.choice(sorted(self._levels))]
        name = f"{self._demo.run}:counted:{self._counts}"
        found = count_of(dice, name, level, self._demo.calendar.stamp(self._now))
        if found is not None:
            self._send(Action(self._now, WAREHOUSE, found.sku, found))

    def _plan(self, actions: Iterator[Action]) -> None:
        for action in actions:
            heapq.heappush(self._later, (action.due_seconds, next(self._number), action))

    def _send(self, action: Action) -> None:
        record = action.record
        if isinstance(record, r.OrderPlaced):
            self.tally.open.add(record.order_id)
        self.tally.sent[record.__struct_config__.tag] += 1
        self._outlet.send(action.topic, action.key.encode(), encode(record))
