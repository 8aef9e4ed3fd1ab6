"""`smokehouse up` as a person runs it: a process of its own, a home folder, free ports; nothing of it stays."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest

from streams.brokers.kafka import missing_for_kafka
from streams.brokers.process import free_port
from streams.reader import read_to_end
from streams.settings import Settings
from tables import records as r

ROOT = Path(__file__).resolve().parents[2]
READY_SECONDS = 60.0
STOP_SECONDS = 8.0  # what `up` promises


class Up:
    """One home folder and what runs in it."""

    def __init__(self, home: Path, kind: str = "embedded") -> None:
        self.home, self.kind = home, kind
        self.settings = Settings(
            home=home, bootstrap=f"127.0.0.1:{free_port()}", api=f"127.0.0.1:{free_port()}", demo=False,
            embedded=kind == "embedded",
        )  # fmt: skip
        self.process: subprocess.Popen[bytes] | None = None
        self._said = home / "said"

    def start(self, *arguments: str, demo: bool = False) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "streams.cli", "up", "--broker", self.kind, *arguments]
        with self._said.open("ab") as out:
            self.process = subprocess.Popen(
                command, stdout=out, stderr=out, env=self.env | {"SMOKEHOUSE_DEMO": "1" if demo else "0"}, cwd=ROOT
            )
        return self.process

    @property
    def env(self) -> dict[str, str]:
        return os.environ | {
            "SMOKEHOUSE_HOME": str(self.home), "SMOKEHOUSE_BOOTSTRAP": self.settings.bootstrap,
            "SMOKEHOUSE_API": self.settings.api, "SMOKEHOUSE_SESSION_SECONDS": "6",
        }  # fmt: skip

    def said(self) -> str:
        return " ".join(self._said.read_text(errors="replace").split())  # lines are cut for a terminal

    def log(self, name: str) -> str:
        path = self.home / "log" / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "streams.cli", *arguments], env=self.env, cwd=ROOT, text=True, capture_output=True,
            timeout=60, check=False,
        )  # fmt: skip

    def status(self) -> dict[str, Any]:
        told = self.command("status", "--json")
        document = json.loads(told.stdout) if told.stdout else {"ready": False, "problems": [told.stderr]}
        assert (told.returncode == 0) == document["ready"]
        return document

    def get(self, path: str) -> httpx2.Response:
        return httpx2.get(f"http://{self.settings.api}{path}", timeout=5)

    def decisions(self) -> dict[str, r.OrderDecided]:
        """Order -> its one decision."""
        found: dict[str, r.OrderDecided] = {}
        for batch in read_to_end(self.settings, "reservations", contiguous=False):
            for message in batch:
                said = msgspec.json.decode(message.value(), type=r.OrderDecided)
                if said.status not in ("cancelled", "edited"):
                    assert found.setdefault(said.order_id, said) == said, "two decisions about one order"
        return found

    def wait(self, what: Callable[[], Any], seconds: float = READY_SECONDS) -> Any:
        until = time.monotonic() + seconds
        while not (answer := what()):
            if time.monotonic() > until:
                logs = "\n".join(f"{n}: {self.log(n)[-1500:]}" for n in ("worker-1", "api", "forecast", "demo"))
                pytest.fail(f"not within {seconds:.0f} s; it said: {self.said()[-2000:]}\n{logs}")
            time.sleep(0.2)
        return answer

    def until_ready(self) -> dict[str, Any]:
        return self.wait(lambda: told if (told := self.status())["ready"] else None)

    def interrupt(self) -> float:
        """One Ctrl-C; returns the seconds until it was gone."""
        begun = time.monotonic()
        self.process.send_signal(signal.SIGINT)
        self.process.wait(STOP_SECONDS + 10)
        return time.monotonic() - begun

    def living(self) -> dict[int, str]:
        """The processes that belong to this home folder: pid -> command line."""
        found = {}
        for place in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                line, environment = (place / "cmdline").read_bytes(), (place / "environ").read_bytes()
                if line and int(place.name) != os.getpid() and str(self.home).encode() in line + environment:
                    found[int(place.name)] = line.replace(b"\0", b" ").decode(errors="replace")
        return found

    def end(self) -> None:
        """Whatever a failed test left behind."""
        if self.process is not None and self.process.poll() is None:
            self.interrupt()


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    """On the embedded broker; the test starts it."""
    made = Up(tmp_path)
    yield made
    made.end()


@pytest.fixture
def durable(tmp_path: Path) -> Iterator[Up]:
    """On Apache Kafka; the test starts it. Skipped only without Java or Maven."""
    if missing := missing_for_kafka():
        pytest.skip(f"no Apache Kafka: {missing}")
    made = Up(tmp_path, "kafka")
    yield made
    made.end()
