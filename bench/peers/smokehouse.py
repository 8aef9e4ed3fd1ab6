"""Smokehouse: a real worker process on a log of its own.

Reads its `reservations` and `stock-levels`. Does not belong here: how a round is measured.
"""

from __future__ import annotations

import contextlib
import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import msgspec

from bench.children import PythonChild
from bench.peers.peer import READY_SECONDS, Decision, LogPeer
from bench.workload import LOCATION, Order
from streams import addresses, logs
from streams.reader import is_contiguous, read_to_end
from streams.settings import Settings
from streams.topics import LOGS, ORDERS, RESERVATIONS, STOCK_LEVELS, WAREHOUSE
from tables import records as r
from tables.codec import encode

GROUP = "smokehouse"  # `streams.wiring` names it; imported there it would bring Faust into the bench


class SmokehousePeer(LogPeer):
    name = "smokehouse"
    orders = ORDERS.name
    stock = WAREHOUSE.name
    decisions = RESERVATIONS.name
    inputs = tuple(log.name for log in LOGS)

    def __init__(self) -> None:
        self._decode = msgspec.json.Decoder(r.OrderDecided).decode
        self._partitions = 0

    def prepare(self, settings: Settings) -> None:
        self._partitions = logs.apply(settings).partitions

    @contextlib.contextmanager
    def start(self, settings: Settings, folder: Path) -> Iterator[PythonChild]:
        env = {
            "SMOKEHOUSE_HOME": str(settings.home), "SMOKEHOUSE_BOOTSTRAP": settings.bootstrap,
            "SMOKEHOUSE_PREFIX": settings.prefix,
        }  # fmt: skip
        arguments = ["-m", "streams.cli", "worker", "--loglevel", "warning"]
        with PythonChild(arguments, folder / "worker.log", env) as child:
            child.wait_until(lambda: self._is_ready(child, settings), READY_SECONDS)
            yield child

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

    def _is_ready(self, child: PythonChild, settings: Settings) -> bool:
        try:
            url = json.loads(addresses.file_of(settings.run_dir, child.pid).read_text())["url"]
            with urllib.request.urlopen(f"{url}/readyz", timeout=2) as answer:
                return len(json.load(answer)["partitions"]) == self._partitions * len(LOGS)
        except OSError:
            return False  # not there yet, or 503: it recovers
