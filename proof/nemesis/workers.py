"""Worker processes under fire: started, killed, stopped, armed; restarted as a supervisor would.

Reads and writes its own home folder. Guarantees: whatever ended a worker is counted by how it ended; `mind` starts it
again. Does not belong here: what to do to it (`plan`), its stores (`stores`).
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from streams.forking import signals_wait

ROOT = Path(__file__).resolve().parents[2]
RESTART_SECONDS = 0.3
LOOK_SECONDS = 0.03
CLEAN_EXIT_SECONDS = 60.0


class Worker:
    """One name, one process after another. Used by one thread; `ready` by any."""

    def __init__(self, name: str, home: Path, env: Mapping[str, str]) -> None:
        self.name, self.home = name, home
        self.stores = home / "stores" / name
        self.exits: Counter[str] = Counter()
        self.killed_at: list[float] = []  # seconds since 1970
        self._env = dict(env)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, faults: str = "", before: Callable[[], None] | None = None) -> None:
        """A new process; with a named fault, if one is given. `before` runs in the child."""
        command = [sys.executable, "-m", "streams.cli", "worker", "--name", self.name]
        env = os.environ | self._env | ({"SMOKEHOUSE_FAULTS": faults} if faults else {})
        with (self.home / f"{self.name}.log").open("ab") as out, signals_wait():
            self._process = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=out, env=env, preexec_fn=before)

    def gone(self) -> bool:
        """Whether there is no process any more; how it ended is counted."""
        if self._process is None:
            return True
        code = self._process.poll()
        if code is None:
            return False
        self._process = None
        self.exits[signal.Signals(-code).name if code < 0 else str(code)] += 1
        if code == -signal.SIGKILL:
            self.killed_at.append(time.time())
        return True

    def ready(self) -> bool:
        """Whether it has partitions, and says that all are open."""
        process = self._process
        if process is None or process.poll() is not None:  # may be asked by other threads: nothing is counted here
            return False
        try:
            told = json.loads((self.home / "run" / f"worker-{process.pid}.json").read_text())
            with urllib.request.urlopen(f"{told['url']}/readyz", timeout=3) as answer:
                return bool(json.load(answer)["partitions"])
        except (OSError, ValueError):
            return False

    def mind(self, seconds: float, stop: threading.Event) -> None:
        """So long, and start it again whenever it ends."""
        until = time.monotonic() + seconds
        while time.monotonic() < until and not stop.is_set():
            if self.gone():
                time.sleep(RESTART_SECONDS)
                self.start()
            time.sleep(LOOK_SECONDS)

    def ends_within(self, seconds: float) -> bool:
        until = time.monotonic() + seconds
        while not self.gone():
            if time.monotonic() > until:
                return False
            time.sleep(LOOK_SECONDS)
        return True

    def stands_within(self, seconds: float) -> bool:
        """Whether it has suspended itself by then."""
        until = time.monotonic() + seconds
        while time.monotonic() < until and not self.gone():
            assert self._process is not None
            state = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()[0]
            if state == "T":
                return True
            time.sleep(LOOK_SECONDS)
        return False

    def signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)

    def kill(self) -> bool:
        """kill -9; whether there was a process to kill."""
        if self.gone():
            return False
        self.signal(signal.SIGKILL)
        return self.ends_within(10.0)

    def leave(self) -> bool:
        """SIGTERM, until it is gone: whether it closed by itself in time. Killed otherwise."""
        if self.gone():
            return False
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        if self.ends_within(CLEAN_EXIT_SECONDS):
            return True
        self.kill()
        return False

    def log_tail(self) -> str:
        file = self.home / f"{self.name}.log"
        return file.read_text(errors="replace")[-3_000:] if file.exists() else ""
