"""Runs the demo against the clock: sends what is due, and does what follows from what the pipeline publishes.

Reads: `reservations`, `order-status` (confirmed orders are picked, packed, shipped, delivered, some come back; the bank
does what is wanted), `stock-levels` (lots are picked, counted, moved) and `alerts` (recounts), all from now on. Writes:
`orders`, `warehouse`. Guarantee: at least once under ids that seed and run make, so sending a record again changes
nothing. Resume point: none; a new run is a new name. Back-pressure: none, like customers: behind time, it sends as fast
as the broker takes it. Does not belong here: what happens (`traffic`), what follows (`reactions`).
"""

from __future__ import annotations

import contextlib
import heapq
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import count

import msgspec

from connectors.demo import reactions, showing
from connectors.demo.action import Action
from connectors.demo.traffic import traffic
from connectors.demo.world import ORDER_PREFIX, Demo, Errand, World
from connectors.open_log import require_open_logs
from connectors.outlet import Outlet
from streams import reader
from streams.settings import Settings
from streams.topics import ALERTS, ORDER_STATUS, RESERVATIONS, STOCK_LEVELS
from tables import records as r
from tables.codec import encode

POLL_SECONDS = 0.05
LISTEN_EVERY = 64  # actions, when behind time
SETTLE_SECONDS = 180.0  # after the last customer: the longest payment deadline and then some
QUIET_SECONDS = 2.0  # nothing to do and nothing heard for so long: all is done
DECISIONS = ("confirmed", "rejected", "expired")

_decided = msgspec.json.Decoder(r.OrderDecided).decode
_status = msgspec.json.Decoder(r.OrderStatus).decode
_level = msgspec.json.Decoder(r.StockLevels).decode
_alert = msgspec.json.Decoder(r.Alert).decode


@dataclass(slots=True)
class Tally:
    """What was sent, by type; what was decided about this run's orders; what has been seen to happen (`showing`)."""

    sent: Counter[str] = field(default_factory=Counter)
    decided: Counter[str] = field(default_factory=Counter)
    shown: Counter[str] = field(default_factory=Counter)
    open: set[str] = field(default_factory=set)


class DemoRun:
    """One run. `on_change` is told after each round."""

    def __init__(self, settings: Settings, demo: Demo, on_change: Callable[[Tally], None]) -> None:
        self.tally = Tally()
        self.world = World(demo)
        self._settings = settings
        self._demo = demo
        self._on_change = on_change
        self._started = time.monotonic()
        self._outlet = Outlet(settings)
        self._later: list[tuple[float, int, Action | Errand]] = []
        self._number = count()
        self._rounds = 0
        self._heard = 0.0
        self._own = f"{ORDER_PREFIX}{demo.run}-".encode()
        self._hears = {
            RESERVATIONS.name: self._hear_decision, ORDER_STATUS.name: self._hear_status,
            STOCK_LEVELS.name: self._hear_level, ALERTS.name: self._hear_alert,
        }  # fmt: skip

    def run(self) -> Tally:
        """Until the last customer has come and been served; for ever, if customers never end."""
        require_open_logs(self._settings)
        with contextlib.closing(reader.follow(self._settings, self._hears, "end")) as follower:
            self._started = time.monotonic()
            for thing in traffic(self._demo):
                self._wait_until(follower, thing.due_seconds)
                self._do(thing)
            self._settle(follower)
        self._outlet.flush()
        return self.tally

    @property
    def _now(self) -> float:
        return time.monotonic() - self._started

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
        """Until every order is answered and everything that follows is done."""
        self.world.closing = True
        self._outlet.flush()
        self._heard = self._now
        until = self._now + SETTLE_SECONDS
        while self._now < until:
            self._listen(follower, POLL_SECONDS)
            if not self.tally.open and not self._later and self._now - self._heard > QUIET_SECONDS:
                return

    def _listen(self, follower: reader.Follower, seconds: float) -> None:
        self.world.now = self._now
        for message in follower.poll(seconds):
            topic, value = message.topic(), message.value()
            if topic and value:
                self._hears[topic.removeprefix(self._settings.prefix)](message.key() or b"", value)
        while self._later and self._later[0][0] <= self._now:
            self._do(heapq.heappop(self._later)[2])
        self._outlet.serve()
        self._on_change(self.tally)

    def _hear_decision(self, key: bytes, value: bytes) -> None:
        if not key.startswith(self._own):
            return
        decision = _decided(value)
        self.tally.shown.update(showing.of_decision(decision))
        if decision.order_id in self.tally.open and decision.status in DECISIONS:
            self.tally.open.discard(decision.order_id)
            self.tally.decided[decision.status] += 1

    def _hear_status(self, key: bytes, value: bytes) -> None:
        if not key.startswith(self._own):
            return
        status = _status(value)
        before = self.world.learn_order(status)
        if before is not status:
            self._heard = self._now
            self.tally.shown.update(showing.of_order(before, status))
            self._plan(self.world.once(status.order_id, reactions.to_order(self.world, status)))

    def _hear_level(self, key: bytes, value: bytes) -> None:
        level = _level(value)
        before = self.world.learn_level(level)
        if before is not level:
            self.tally.shown.update(showing.of_level(before, level))

    def _hear_alert(self, key: bytes, value: bytes) -> None:
        alert = _alert(value)
        if self.world.is_news(alert.id):
            self.tally.shown.update(showing.of_alert(alert))
            self._plan(reactions.to_alert(self.world, alert))

    def _plan(self, things: Iterable[Action | Errand]) -> None:
        for thing in things:
            heapq.heappush(self._later, (thing.due_seconds, next(self._number), thing))

    def _do(self, thing: Action | Errand) -> None:
        if isinstance(thing, Action):
            self._send(thing)
            return
        self.world.now = self._now
        follows = thing.do(self.world)
        self._plan(self.world.once(thing.order_id, follows) if thing.order_id else follows)

    def _send(self, action: Action) -> None:
        record = action.record
        if isinstance(record, r.OrderPlaced):
            self.tally.open.add(record.order_id)
        self.tally.sent[record.__struct_config__.tag] += 1
        self.tally.shown.update(showing.of_sent(record))
        if action.key is None:
            self._outlet.send_everywhere(action.topic, encode(record))
        else:
            self._outlet.send(action.topic, action.key.encode(), encode(record))
