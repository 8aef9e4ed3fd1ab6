"""Smokehouse: a real worker process on a log of its own.

Reads its `reservations` and `stock-levels`. Does not belong here: how a round is measured.
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from pathlib import Path

import msgspec

from bench.children import BenchError, PythonChild
from bench.peers.peer import READY_SECONDS, Decision
from bench.workload import LOCATION, Order
from streams import logs
from streams.reader import is_contiguous, read_to_end
from streams.settings import Settings
from streams.topics import LOGS, ORDERS, RESERVATIONS, STOCK_LEVELS, WAREHOUSE
from tables import records as r
from tables.codec import encode

GROUP = "smokehouse"  # `streams.wiring` names it; imported there it would bring Faust into the bench


class SmokehousePeer:
    name = "smokehouse"
    orders = ORDERS.name
    stock = WAREHOUSE.name
    decisions = RESERVATIONS.name
    inputs = tuple(log.name for log in LOGS)

    def __init__(self) -> None:
        self._decode = msgspec.json.Decoder(r.OrderDecided).decode
        self._partitions = 0

    def missing(self) -> str:
        return ""

    def key(self, name: str) -> bytes:
        return name.encode()

    def prepare(self, settings: Settings) -> None:
        self._partitions = logs.apply(settings).partitions

    def start(self, settings: Settings, folder: Path) -> PythonChild:
        env = {
            "SMOKEHOUSE_HOME": str(settings.home), "SMOKEHOUSE_BOOTSTRAP": settings.bootstrap,
            "SMOKEHOUSE_PREFIX": settings.prefix,
        }  # fmt: skip
        child = PythonChild(["-m", "streams.cli", "worker", "--loglevel", "warning"], folder / "worker.log", env)
        try:
            self._until_ready(child, settings)
        except BaseException:
            child.stop()
            raise
        return child

    def group(self, settings: Settings) -> str:
        return settings.prefix + GROUP

    def order(self, order: Order) -> bytes:
        return encode(
            r.OrderPlaced(
                id=f"{order.order_id}:placed", order_id=order.order_id, channel="web", payment="paid",
                lines=[r.Line(sku, units) for sku, units in order.lines], locations=[LOCATION],
            )
        )  # fmt: skip

    def receipt(self, sku: str, units: int) -> list[bytes]:
        return [
            encode(r.SkuDefined(id=f"{sku}:defined", sku=sku)),
            encode(r.Received(id=f"{sku}:received", sku=sku, location=LOCATION, quantity=units, lot="LOT1")),
        ]

    def decision(self, value: bytes) -> Decision:
        decided = self._decode(value)
        units = {x.sku: x.quantity for x in decided.lines} if decided.status == "confirmed" else {}
        return Decision(decided.order_id, decided.status == "confirmed", units)

    def levels(self, settings: Settings) -> dict[str, int]:
        newest: dict[str, r.StockLevels] = {}
        decode = msgspec.json.Decoder(r.StockLevels).decode
        contiguous = is_contiguous(settings, STOCK_LEVELS.name)
        for batch in read_to_end(settings, STOCK_LEVELS.name, contiguous=contiguous):
            for message in batch:
                level = decode(message.value())
                if level.sku not in newest or newest[level.sku].version < level.version:
                    newest[level.sku] = level
        return {
            sku: level.available if all(x.reserved == 0 and x.shortage == 0 for x in level.locations) else -1
            for sku, level in newest.items()
        }

    def _until_ready(self, child: PythonChild, settings: Settings) -> None:
        address = settings.run_dir / f"worker-{child.pid}.json"
        wanted = self._partitions * len(LOGS)
        until = time.monotonic() + READY_SECONDS
        while time.monotonic() < until:
            child.expect_alive()
            try:
                url = json.loads(address.read_text())["url"]
                with urllib.request.urlopen(f"{url}/readyz", timeout=2) as answer:
                    if len(json.load(answer)["partitions"]) == wanted:
                        return
            except (OSError, urllib.error.URLError):
                pass  # not there yet, or 503: it recovers
            time.sleep(0.1)
        raise BenchError(f"the worker is not ready after {READY_SECONDS:.0f} s (its log: {child.log})")
