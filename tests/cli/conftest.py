"""The command as a person runs it: a process of its own beside a real broker, with records that tests publish."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

from bench.children import end
from streams import logs
from streams.settings import Settings, producer_config
from tables import records as r
from tables.codec import encode
from tables.murmur2 import partition_of

ROOT = Path(__file__).resolve().parents[2]
PARTITIONS = 4
COMMAND_SECONDS = 60.0
TIME = "2026-03-01T10:00:00.250Z"


class Shop:
    """Topics on a broker, what is published there, and the commands."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._producer = Producer(producer_config(settings))
        self._processes: list[subprocess.Popen[bytes]] = []

    def publish(self, topic: str, key: str, record: Any, **more: Any) -> None:
        """A record in its key's partition, acknowledged; `None` deletes the key."""
        self.send(topic, None if record is None else encode(record), key=key.encode(), **more)

    def send(self, topic: str, value: bytes | None, **more: Any) -> None:
        self.send_many(topic, [value], **more)

    def send_many(self, topic: str, values: list[bytes | None], **more: Any) -> None:
        for value in values:
            self._producer.produce(self.settings.prefix + topic, value, **more)
        assert self._producer.flush(30) == 0

    def with_settings(self, **changes: Any) -> Shop:
        """The same with other settings; it is stopped with this one."""
        other = Shop(self.settings.with_(**changes))
        other._processes = self._processes
        return other

    @property
    def env(self) -> dict[str, str]:
        s = self.settings
        return os.environ | {
            "SMOKEHOUSE_HOME": str(s.home), "SMOKEHOUSE_BOOTSTRAP": s.bootstrap, "SMOKEHOUSE_PREFIX": s.prefix,
            "SMOKEHOUSE_API": s.api, "PYTHONPATH": str(ROOT), "COLUMNS": "400", "SMOKEHOUSE_WORKERS": s.workers,
            "SMOKEHOUSE_WORKER": "" if s.worker.endswith(":0") else s.worker,
            "PYTHONUNBUFFERED": "",  # a command flushes by itself
        }  # fmt: skip

    def start(self, *arguments: str, **streams: Any) -> subprocess.Popen[bytes]:
        """The command, running: its output stands in pipes, unless the test gives it files."""
        process = subprocess.Popen(
            [sys.executable, "-m", "streams.cli", *arguments], env=self.env, cwd=self.settings.home,
            **({"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | streams),
        )  # fmt: skip
        self._processes.append(process)
        return process

    def levels(self, sku: str) -> Any:
        """What `stock get` shows of a SKU; None before a level of it is published, which may be after a decision."""
        process = self.start("stock", "get", sku, "--json")
        out, err = process.communicate(timeout=COMMAND_SECONDS)
        assert process.returncode in (0, 1), err.decode()
        return next(iter(json.loads(out)), None)

    def run(self, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """The command to its end; fails the test if it does not end with `code`."""
        process = self.start(*arguments)
        out, err = (stream.decode() for stream in process.communicate(timeout=COMMAND_SECONDS))
        assert process.returncode == code, f"exit code {process.returncode}\n{out}\n{err}"
        return subprocess.CompletedProcess(arguments, code, out, err)

    # ---- what the agents publish

    def stock(self, sku: str, version: tuple[int, int, int], *locations: r.LocationLevel) -> r.StockLevels:
        said = r.StockLevels(
            id=f"{sku}:{version}", time=TIME, sku=sku, locations=list(locations), version=version,
            available=sum(x.available for x in locations), on_hand=sum(x.on_hand for x in locations),
            flavor="teriyaki", packaging="bag", size="50 g", gtin="", discontinued=False,
        )  # fmt: skip
        self.publish("stock-levels", sku, said)
        return said

    def at(
        self, location: str, lots: dict[str, int], version: tuple[int, int, int], /, *, reserved: int = 0,
        allocated: int = 0, safety_stock: int = 0, unavailable: int = 0, **more: Any,
    ) -> r.LocationLevel:  # fmt: skip
        """Levels of one location; what nothing else holds is available."""
        on_hand = sum(lots.values())
        said: dict[str, Any] = dict(
            location=location, on_hand=on_hand, available=on_hand - reserved - allocated - safety_stock - unavailable,
            reserved=reserved, allocated=allocated, safety_stock=safety_stock, unavailable=unavailable, shortage=0,
            reorder_point=0, lots=[r.LotLevel(lot, "2027-01-31", n) for lot, n in lots.items()], version=version,
        )  # fmt: skip
        return r.LocationLevel(**said | more)

    def order(
        self, order_id: str, status: str, version: tuple[int, int, int], *lines: r.StatusLine, **more: Any
    ) -> r.OrderStatus:
        said: dict[str, Any] = dict(
            id=f"{order_id}:{version}", time=TIME, order_id=order_id, channel="shop", status=status, reason="",
            payment="captured", payment_wanted="", policy="all_or_nothing", sourcing="one location: W1", checks=[],
            lines=list(lines), fulfilments=[], returns=[], kits={}, exchange_of="", attempt=1, occurred_at="",
            decided_at=TIME, late=[], version=version,
        )  # fmt: skip
        order = r.OrderStatus(**said | more)
        self.publish("order-status", order_id, order)
        return order

    @staticmethod
    def line(sku: str, units: int, location: str = "W1", *, shipped: int = 0, picked: int = 0) -> r.StatusLine:
        """Of a confirmed order: what is not shipped is allocated."""
        return r.StatusLine(sku, units, location, 0, units - shipped, shipped, 0, 0, "", picked)

    def decide(
        self, order_id: str, status: str, *lines: tuple[str, int], name: str = "decision", reason: str = "",
        occurred_at: str = "",
    ) -> r.OrderDecided:  # fmt: skip
        said = r.OrderDecided(
            id=f"{order_id}:{name}", time=TIME, order_id=order_id, channel="shop", status=status, reason=reason,
            lines=[r.DecidedLine(sku, n, "W1") for sku, n in lines], occurred_at=occurred_at, decided_at=TIME,
            attempt=1, partition=self.partition(order_id), offset=17, index=3,
        )  # fmt: skip
        self.publish("reservations", order_id, said)
        return said

    def forecast(self, sku: str, location: str, run: str, mean: float) -> r.Forecast:
        """Two days."""
        said = r.Forecast(
            id=f"{sku}:{location}:{run}", time=TIME, sku=sku, location=location, run=run, model="seasonal-mean-nb-1",
            status="ok", days=["2026-03-02", "2026-03-03"], mean=[mean, mean + 0.1], q50=[1.0, 1.0], q90=[2.0, 2.0],
            q95=[3.0, 3.0], q99=[4.0, 4.0],
        )  # fmt: skip
        self.publish("forecasts", f"{sku}|{location}|{run}", said, partition=self.partition(sku))
        return said

    def partition(self, key: str) -> int:
        return partition_of(key, PARTITIONS)

    def wait_for(self, what: Callable[[], Any], seconds: float = 40.0) -> Any:
        """The first true answer of `what`; the test fails after `seconds`."""
        until = time.monotonic() + seconds
        while not (answer := what()):
            assert time.monotonic() < until, f"not within {seconds:.0f} s"
            time.sleep(0.05)
        return answer

    def stop(self) -> None:
        for process in self._processes:
            end(process)
            for pipe in (process.stdout, process.stderr):
                if pipe is not None:
                    pipe.close()


@pytest.fixture
def commands(embedded_settings: Settings) -> Iterator[Shop]:
    """A broker without topics."""
    made = Shop(embedded_settings)
    yield made
    made.stop()


@pytest.fixture
def shop(commands: Shop) -> Shop:
    """A broker with all topics, both logs open, and nothing else in them."""
    logs.apply(commands.settings, PARTITIONS)
    return commands
