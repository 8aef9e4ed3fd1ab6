"""Child processes of `up`: started, restarted when they fail, and all gone when it ends.

Guarantees: a child dies with its parent; a fail-stop (any exit that was not asked for) is followed by a new start after
a short, growing wait; `stop` ends everything within the seconds given. Does not belong here: what the children are.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from streams.brokers.process import shown
from streams.forking import dies_with_parent, signals_wait

RESTART_SECONDS = (0.2, 1.0, 2.0, 5.0)  # waits between starts; after a quiet minute they begin anew
QUIET_SECONDS = 60.0


class Child:
    """One supervised process: `smokehouse ARGUMENTS`, its output appended to `log`."""

    def __init__(self, name: str, arguments: list[str], log: Path, env: Mapping[str, str], *, once: bool = False):
        self.name, self._arguments, self._log, self._env, self._once = name, arguments, log, dict(env), once
        self._failures = 0
        self._started = 0.0
        self._next = 0.0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        return self._process.pid if self._process else 0

    def start(self) -> None:
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as out, signals_wait():
            self._process = subprocess.Popen(
                [sys.executable, "-m", "streams.cli", *self._arguments],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=os.environ | self._env,
                start_new_session=True,  # Ctrl-C reaches `up` alone, which stops its children in order
                preexec_fn=dies_with_parent(),
            )  # fmt: skip
        self._started = time.monotonic()

    def watch(self, say: Callable[[str], None]) -> None:
        """Start it again if it ended; call it a few times a second."""
        now = time.monotonic()
        if self._process is not None and self._process.poll() is not None:
            code = self._process.returncode
            self._process = None
            if self._once and code == 0:
                self._next = float("inf")
                return
            self._failures = 0 if now - self._started > QUIET_SECONDS else self._failures + 1
            wait = RESTART_SECONDS[min(self._failures, len(RESTART_SECONDS) - 1)]
            self._next = now + wait
            say(f"{self.name} ended with {code}; it starts again in {wait} s (its log: {shown(self._log)})")
        if self._process is None and now >= self._next:
            self.start()

    def terminate(self) -> None:
        self._next = float("inf")
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()

    def wait(self, until: float) -> None:
        """Until it is gone; killed at `until` (monotonic seconds)."""
        if self._process is None:
            return
        try:
            self._process.wait(max(until - time.monotonic(), 0.05))
        except subprocess.TimeoutExpired:
            self._process.kill()  # safe by design: what was not acknowledged was not committed
            self._process.wait(5)


def stop(children: list[Child], seconds: float) -> None:
    """End all of them together."""
    until = time.monotonic() + seconds
    for child in children:
        child.terminate()
    for child in children:
        child.wait(until)
