"""Quix Streams with its own state (RocksDB, changelog), as one keyed stage.

State belongs to a message key, so all or nothing over several SKUs wants either two hops, as with Faust, or one key for
the whole shop. The second is the stronger by far: one message in and one out per order, levels in the state of that
key, each written to the changelog once per checkpoint (a second). It remembers its answers there too, as Redis and
PostgreSQL do here: at least once, without them, would sell twice after a crash. Its price is not measured here: one
partition, so one process is all it can ever use.

It pins older versions of our dependencies, so it lives in an environment of its own in the user's cache, made once from
`quix.lock`; the bench says so when it does. Does not belong here: the worker (`quix_worker`), how a round is measured.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import msgspec
from confluent_kafka.admin import NewTopic

from bench.children import BenchError, Child, PythonChild
from bench.peers.peer import Decision, LogPeer, make_topics
from bench.workload import Order
from streams.brokers.kafka import cache_folder
from streams.reader import read_to_end
from streams.settings import Settings

VERSION = "3.28.1"  # quix.lock pins the same
LOCK = Path(__file__).with_name("quix.lock")
WORKER = Path(__file__).with_name("quix_worker.py")
ORDERS, DECISIONS, GROUP = "quix-orders", "quix-decisions", "quix"
KEY = b"shop"
RETENTION = {"retention.ms": "604800000"}  # it reads the setting back, and the embedded broker has no default
ANSWER = "order:"  # as in the worker: not a SKU
INSTALL_SECONDS = 600.0


class QuixPeer(LogPeer):
    name = "quix"
    orders = ORDERS
    stock = ORDERS  # another topic would be another state
    decisions = DECISIONS
    inputs = (ORDERS,)

    def missing(self) -> str:
        try:
            environment()
        except (BenchError, subprocess.TimeoutExpired) as error:
            return f"no Quix Streams: {error}"
        return ""

    def prepare(self, settings: Settings) -> None:
        names = (settings.prefix + ORDERS, settings.prefix + DECISIONS)
        make_topics(settings, [NewTopic(name, 1, 1, config=RETENTION) for name in names])

    def start(self, settings: Settings, folder: Path) -> Child:
        names = [self.group(settings), settings.prefix + ORDERS, settings.prefix + DECISIONS]
        arguments = [str(WORKER), settings.bootstrap, *names, str(folder / "quix")]
        return PythonChild(arguments, folder / "quix.log", python=environment())

    def group(self, settings: Settings) -> str:
        return settings.prefix + GROUP

    def key(self, name: str) -> bytes:
        return KEY

    def order(self, order: Order) -> bytes:
        return msgspec.json.encode({"type": "placed", "order_id": order.order_id, "lines": order.lines})

    def receipt(self, sku: str, units: int) -> list[bytes]:
        return [msgspec.json.encode({"type": "received", "sku": sku, "quantity": units})]

    def decision(self, value: bytes) -> Decision:
        said = msgspec.json.decode(value)
        return Decision(said["order_id"], said["confirmed"], said["units"])

    def levels(self, settings: Settings) -> dict[str, int]:
        changelog = f"changelog__{self.group(settings)}--{settings.prefix}{ORDERS}--default"
        found: dict[str, int] = {}
        for batch in read_to_end(settings.with_(prefix=""), changelog, contiguous=False):
            for message in batch:
                name = msgspec.json.decode(message.key().removeprefix(KEY + b"|"))
                if not name.startswith(ANSWER):
                    found[name] = int(message.value())
        return found


def environment(talk: Callable[[str], None] = lambda line: print(line, file=sys.stderr, flush=True)) -> Path:
    """The Python with Quix Streams; made, with word of it, where it is not there. `BenchError` if that fails.

    Whole or not at all: another process may do the same beside us.
    """
    target = cache_folder().parent / f"quixstreams-{VERSION}"
    python = target / "bin" / "python"
    if python.exists():
        return python
    target.parent.mkdir(parents=True, exist_ok=True)
    talk(f"Quix Streams {VERSION}: making an environment of its own, once, in {target}")
    fresh = Path(tempfile.mkdtemp(dir=target.parent, prefix="quix-"))
    try:
        for command in _install(fresh):
            run = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
            if run.returncode:
                raise BenchError(f"Quix Streams could not be installed: {run.stderr.strip()[-500:]}")
        fresh.rename(target)
    except OSError:
        if not python.exists():  # nobody was faster: it is a real error
            raise
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return python


def _install(folder: Path) -> list[list[str]]:
    """The commands: uv where it is beside this Python, for it is quicker, else pip."""
    uv = Path(sys.executable).with_name("uv")
    python = str(folder / "bin" / "python")
    lock = ["--quiet", "--require-hashes", "-r", str(LOCK)]
    if os.access(uv, os.X_OK):
        install = [str(uv), "pip", "install", "--compile-bytecode", "--python", python, *lock]
        return [[str(uv), "venv", "--quiet", "--python", sys.executable, str(folder)], install]
    return [[sys.executable, "-m", "venv", str(folder)], [python, "-m", "pip", "install", *lock]]
