"""A thread that ends the process when its event loop or its poll thread stands still.

Reads beats (monotonic times) and writes nothing. Guarantees: a loop that is blocked longer than its limit ends with
LOOP_BLOCKED, a poll thread with CONSUMER_DEAD (librdkafka would keep the membership alive for ever), and a process
that was suspended longer than the group session with SUSPENDED. A process in which no Python runs any more (C code
keeps the interpreter's lock: a client of librdkafka that gets no memory for a thread waits so, for ever) ends with 1;
so may one that was suspended for longer than that.
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
ALARM_TIMES = 1.5  # the limit of the loop, which speaks first when it can
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
        self._alarm_seconds = ALARM_TIMES * loop_blocked_seconds
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
        alarm_at = pardoned_until = 0.0
        while not self._stopped.wait(TICK_SECONDS):
            now = time.monotonic()
            if now >= alarm_at and self._put_off_alarm():
                alarm_at = now + self._alarm_seconds / 10
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
        faulthandler.cancel_dump_traceback_later()

    def _put_off_alarm(self) -> bool:
        """It is a thread of C that needs no lock of Python; it says on standard error where each thread stands."""
        try:
            faulthandler.dump_traceback_later(self._alarm_seconds, exit=True, file=2)
        except RuntimeError:  # no thread to be had: at the next tick
            return False
        return True
