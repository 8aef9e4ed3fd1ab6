"""A whole system for the fault tests: a real broker, real worker processes, orders in and decisions out."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from confluent_kafka import Producer

from streams import addresses, logs
from streams.reader import ReadError, read_to_end
from streams.settings import Settings, producer_config
from tables import records as r
from tables.codec import encode

ROOT = Path(__file__).resolve().parents[2]
READY_SECONDS = 40.0


class System:
    """Topics, workers by name, and what came out."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.workers: dict[str, subprocess.Popen[bytes]] = {}
        self._producer = Producer(producer_config(settings) | {"linger.ms": 5})

    @property
    def env(self) -> dict[str, str]:
        s = self.settings
        return os.environ | {
            "SMOKEHOUSE_HOME": str(s.home), "SMOKEHOUSE_BOOTSTRAP": s.bootstrap, "SMOKEHOUSE_PREFIX": s.prefix,
            "SMOKEHOUSE_API": s.api, "SMOKEHOUSE_SESSION_SECONDS": "6", "PYTHONPATH": str(ROOT),
        }  # fmt: skip

    def apply(self, **limits: int) -> None:
        logs.apply(self.settings, 4, limits=r.Limits(**limits))

    def start(
        self, name: str, program: list[str] | None = None, before: Callable[[], None] | None = None, **env: str
    ) -> None:
        """`before` runs in the child; `env` is added to its environment."""
        command = [sys.executable, *(program or ["-m", "streams.cli"]), "worker", "--name", name]
        with (self.settings.home / f"{name}.log").open("ab") as out:
            self.workers[name] = subprocess.Popen(
                command, stdout=out, stderr=out, env=self.env | env, preexec_fn=before
            )  # fmt: skip

    def signal(self, name: str, number: signal.Signals) -> None:
        self.workers[name].send_signal(number)

    def told_by(self, name: str) -> dict[str, Any] | None:
        """What this one worker says about itself, at once; None while it does not answer."""
        with suppress(OSError, ValueError):
            file = addresses.file_of(self.settings.run_dir, self.workers[name].pid)
            url = json.loads(file.read_text())["url"]
            with urllib.request.urlopen(f"{url}/status", timeout=3) as answer:
                return json.loads(answer.read())
        return None

    def holds(self, name: str, topic: str, partition: int) -> bool:
        told = self.told_by(name) or {"partitions": []}
        return any((p["topic"], p["partition"], p["state"]) == (topic, partition, "ready") for p in told["partitions"])

    def until_holding(self, *names: str, seconds: float = READY_SECONDS) -> None:
        """Until each of these workers has partitions, all open."""
        def holding(name: str) -> bool:
            told = self.told_by(name)
            return told is not None and told["ready"] and bool(told["partitions"])

        self.wait(lambda: all(map(holding, names)), seconds)

    def said(self, name: str) -> str:
        """All that the workers of this name wrote to their log."""
        return (self.settings.home / f"{name}.log").read_text()

    def log(self, name: str) -> str:
        """The end of it, to be shown: what is looked for may stand before."""
        return self.said(name)[-3000:]

    def send(self, topic: str, key: str, record: Any) -> None:
        self.send_raw(topic, key.encode(), encode(record))

    def send_raw(self, topic: str, key: bytes | None, value: bytes | None, partition: int = -1) -> None:
        while True:
            try:
                self._producer.produce(self.settings.prefix + topic, value, key, partition)
                return
            except BufferError:
                self._producer.poll(0.1)

    def flush(self) -> None:
        assert self._producer.flush(30) == 0

    def receive(self, sku: str, units: int, location: str = "W1") -> None:
        fact = r.Received(id=f"in-{sku}-{location}", sku=sku, location=location, quantity=units, lot="L1")
        self.send("warehouse", sku, fact)

    def place(self, order_id: str, lines: dict[str, int], **more: Any) -> None:
        order = r.OrderPlaced(
            id=order_id, order_id=order_id, channel="shop", lines=[r.Line(s, n) for s, n in lines.items()],
            locations=["W1", "W2"], **({"payment": "paid"} | more),
        )  # fmt: skip
        self.send("orders", order_id, order)

    def read(self, topic: str, kind: type | None = None) -> list[Any]:
        """Every record of a topic; decoded, if its type is given, else messages."""
        batches = read_to_end(self.settings, topic, contiguous=False)
        messages = [m for batch in batches for m in batch]
        return [msgspec.json.decode(m.value(), type=kind) for m in messages] if kind else messages

    def decisions(self) -> dict[str, r.OrderDecided]:
        """Order -> its one decision; fails when two differ."""
        found: dict[str, r.OrderDecided] = {}
        for d in self.read("reservations", r.OrderDecided):
            if d.status not in ("cancelled", "edited"):
                assert found.setdefault(d.order_id, d) == d, f"two decisions: {found[d.order_id]} and {d}"
        return found

    def wait(self, what: Callable[[], Any], seconds: float = READY_SECONDS) -> Any:
        until = time.monotonic() + seconds
        while not (answer := _not_yet_if_unreadable(what)):
            if time.monotonic() > until:
                logs = "\n".join(f"{n}:\n{self.log(n)}" for n in self.workers)
                pytest.fail(f"not within {seconds:.0f} s\n{json.dumps(self.status(), indent=1)[:4000]}\n{logs}")
            time.sleep(0.3)
        return answer

    def until_decided(self, orders: int, seconds: float = 90.0) -> Counter[str]:
        """Wait for so many decisions; returns how many of each status."""
        self.wait(lambda: len(self.decisions()) >= orders, seconds)
        return Counter(d.status for d in self.decisions().values())

    def command(self, *arguments: str, seconds: float = 120.0) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "streams.cli", *arguments], env=self.env, cwd=ROOT, text=True, capture_output=True,
            timeout=seconds, check=False,
        )  # fmt: skip

    def status(self) -> dict[str, Any]:
        told = self.command("status", "--no-api", "--json")
        return json.loads(told.stdout) if told.stdout else {"ready": False, "partitions": [], "said": told.stderr}

    def until_ready(self) -> None:
        self.wait(lambda: self.status()["ready"])

    def audit(self) -> dict[str, Any]:
        """The audit's document; fails the test unless it is green."""
        told = self.command("audit", "--json", "--settle", "30")  # it ends when they are done
        assert told.returncode == 0, told.stdout[-3000:] + told.stderr[-2000:]
        return json.loads(told.stdout)

    def stop(self) -> None:
        for worker in self.workers.values():
            if worker.poll() is None:
                worker.send_signal(signal.SIGCONT)
                worker.terminate()
        for worker in self.workers.values():
            try:
                worker.wait(20)
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait(5)


def _not_yet_if_unreadable(what: Callable[[], Any]) -> Any:
    """A broker that is busy for a moment is asked again; the wait has a bound of its own."""
    try:
        return what()
    except ReadError:
        return None


@pytest.fixture
def system(settings: Settings) -> Iterator[System]:
    """A system without workers; the test starts them. Everything is gone afterwards."""
    made = System(settings)
    yield made
    made.stop()


@pytest.fixture
def embedded_system(embedded_settings: Settings) -> Iterator[System]:
    """As `system`, for a test that needs one broker only."""
    made = System(embedded_settings)
    yield made
    made.stop()


@pytest.fixture
def kafka_system(kafka_settings: Settings) -> Iterator[System]:
    """As `system`, for what only a durable broker does."""
    made = System(kafka_settings)
    yield made
    made.stop()


@pytest.fixture(scope="session")
def preloaded(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """Name of a file in `preload/` -> the library made of it, for LD_PRELOAD of a worker."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or not sys.platform.startswith("linux"):
        pytest.skip("no C compiler on Linux (Debian: apt-get install gcc libc6-dev)")
    folder = tmp_path_factory.mktemp("preload")

    def made(name: str) -> str:
        library = folder / f"{name}.so"
        if not library.exists():
            source = Path(__file__).parent / "preload" / f"{name}.c"
            command = [compiler, "-Wall", "-Wextra", "-O2", "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"]
            subprocess.run(command, check=True, timeout=60)
        return str(library)

    return made
