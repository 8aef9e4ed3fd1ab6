"""Smokehouse: a real worker process on a log of its own.

Reads its `reservations` and `stock-levels`. Does not belong here: how a round is measured.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import subprocess
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from bench.children import Child, PythonChild, TooLate
from bench.peers.peer import READY_SECONDS, Decision, LogPeer
from bench.workload import LOCATION, Order
from streams import addresses, logs
from streams.reader import is_contiguous, read_to_end
from streams.settings import Settings
from streams.topics import LOGS, ORDERS, RESERVATIONS, STOCK_LEVELS, WAREHOUSE
from tables import records as r
from tables.codec import encode

FIRST_DAY = datetime.date(2090, 1, 1)
GROUP = "smokehouse"  # `streams.wiring` names it; imported there it would bring Faust into the bench


def environment(settings: Settings) -> dict[str, str]:
    """What a command of ours has to find in it to know this log."""
    return {
        "SMOKEHOUSE_HOME": str(settings.home), "SMOKEHOUSE_BOOTSTRAP": settings.bootstrap,
        "SMOKEHOUSE_PREFIX": settings.prefix, "SMOKEHOUSE_API": settings.api,
    }  # fmt: skip


def command(settings: Settings, seconds: float, *arguments: str) -> tuple[int, bytes]:
    """Run `smokehouse ARGUMENTS` to its end: its exit code and stdout; what it says else is in `commands.log`."""
    log = settings.home / "commands.log"
    with PythonChild(["-m", "streams.cli", *arguments], log, environment(settings), talks=True) as child:
        try:
            out, _ = child.process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            raise TooLate(f"smokehouse {' '.join(arguments)}: not done after {seconds:.0f} s") from None
        return child.process.returncode, out


class SmokehousePeer(LogPeer):
    name = "smokehouse"
    orders = ORDERS.name
    stock = WAREHOUSE.name
    decisions = RESERVATIONS.name
    inputs = tuple(log.name for log in LOGS)

    def __init__(self, partitions: int = 0, loglevel: str = "warning") -> None:
        """`partitions` of its log; 0: as many as a log has by default."""
        self._decode = msgspec.json.Decoder(r.OrderDecided).decode
        self._partitions, self._loglevel = partitions, loglevel

    def prepare(self, settings: Settings) -> None:
        self._partitions = logs.apply(settings, self._partitions).partitions

    @contextlib.contextmanager
    def start(self, settings: Settings, folder: Path) -> Iterator[PythonChild]:
        with self.launch(settings, folder) as child:
            self.wait_until_ready(settings, [child])
            yield child

    def launch(self, settings: Settings, folder: Path, name: str = "worker") -> PythonChild:
        """A worker that may not be ready yet; workers beside each other need different names."""
        arguments = ["-m", "streams.cli", "worker", "--name", name, "--loglevel", self._loglevel]
        return PythonChild(arguments, folder / f"{name}.log", environment(settings))

    def wait_until_ready(self, settings: Settings, workers: Sequence[Child], seconds: float = READY_SECONDS) -> None:
        """Until they share all partitions, and each has some."""

        def shared() -> bool:
            counts = [self._partitions_ready(child, settings) for child in workers]
            return min(counts) > 0 and sum(counts) == self._partitions * len(LOGS)

        workers[-1].wait_until(shared, seconds)

    def group(self, settings: Settings) -> str:
        return settings.prefix + GROUP

    def order(self, order: Order) -> bytes:
        return encode(
            r.OrderPlaced(
                id=f"{order.order_id}:placed", order_id=order.order_id, channel="web", payment="paid",
                lines=[r.Line(sku, units) for sku, units in order.lines], locations=[LOCATION],
            )
        )  # fmt: skip

    def receipt(self, sku: str, units: int, lots: int = 1) -> list[bytes]:
        """With several `lots` each has as many units, and a day of its own until which it may leave."""
        found = [encode(r.SkuDefined(id=f"{sku}:defined", sku=sku))]
        for number in range(lots):
            day = (FIRST_DAY + datetime.timedelta(number)).isoformat() if lots > 1 else None
            found.append(encode(r.Received(
                id=f"{sku}:received:{number}", sku=sku, location=LOCATION, quantity=units // lots,
                lot=f"LOT{number + 1}", best_before=day,
            )))  # fmt: skip
        return found

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

    def _partitions_ready(self, child: Child, settings: Settings) -> int:
        """How many it has; 0 if one of them is not ready."""
        try:
            url = json.loads(addresses.file_of(settings.run_dir, child.pid).read_text())["url"]
            with urllib.request.urlopen(f"{url}/readyz", timeout=2) as answer:
                return len(json.load(answer)["partitions"])
        except OSError:
            return 0  # not there yet, or 503: it recovers
