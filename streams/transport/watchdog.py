"""A thread that ends the process when its event loop or its poll thread stands still.

Reads beats (monotonic times) and writes nothing. Guarantees: a loop that is blocked longer than its limit ends with
LOOP_BLOCKED, a poll thread with CONSUMER_DEAD (librdkafka would keep the membership alive for ever), and a process
that was suspended longer than the group session with SUSPENDED.
"""

from __future__ import annotations

import asyncio
import faulthandler
import threading
import time
from collections.abc import Callable

from streams.transport.failstop import CONSUMER_DEAD, LOOP_BLOCKED, SUSPENDED, die

TICK_SECONDS = 0.25
LOOP_BEAT_SECONDS = 0.5
LOOP_BLOCKED_SECONDS = 30.0  # the longest batch an agent handles without giving way
POLLER_BLOCKED_SECONDS = 75.0  # above MAX_POLL_SECONDS of the poller, which speaks first when it can


class Watchdog(threading.Thread):
    """Started and stopped in the event loop it watches."""

    def __init__(
        self,
        session_seconds: float,
        poller_beat: Callable[[], float],
        loop_blocked_seconds: float = LOOP_BLOCKED_SECONDS,
    ) -> None:
        super().__init__(name="watchdog", daemon=True)
        self._session_seconds = session_seconds
        self._poller_beat = poller_beat
        self._loop_blocked_seconds = loop_blocked_seconds
        self._loop_beat = time.monotonic()
        self._timer: asyncio.TimerHandle | None = None
        self._stopped = threading.Event()

    def watch(self, loop: asyncio.AbstractEventLoop) -> None:
        self._beat(loop)
        self.start()

    def stop(self) -> None:
        self._stopped.set()
        if self._timer is not None:
            self._timer.cancel()

    def _beat(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop_beat = time.monotonic()
        self._timer = loop.call_later(LOOP_BEAT_SECONDS, self._beat, loop)

    def run(self) -> None:
        last = time.monotonic()
        pardoned_until = 0.0
        while not self._stopped.wait(TICK_SECONDS):
            now = time.monotonic()
            gap, last = now - last, now
            if gap > self._session_seconds:
                die(SUSPENDED, f"the process stood still for {gap:.1f} s, longer than its session")
            if gap > 4 * TICK_SECONDS:  # a short suspension: the others get time to beat before they are judged
                pardoned_until = now + 4 * LOOP_BEAT_SECONDS
            if now < pardoned_until:
                continue
            if now - self._loop_beat > self._loop_blocked_seconds:
                faulthandler.dump_traceback(file=2)
                die(LOOP_BLOCKED, f"the event loop is blocked for {now - self._loop_beat:.1f} s")
            if now - self._poller_beat() > POLLER_BLOCKED_SECONDS:
                faulthandler.dump_traceback(file=2)
                die(CONSUMER_DEAD, f"the poll thread is blocked for {now - self._poller_beat():.1f} s")
