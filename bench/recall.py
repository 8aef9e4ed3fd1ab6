"""`python -m bench.recall`: how long a recall takes on a worker with a long history.

Builds the history by real traffic: every order is placed, reserved, confirmed and shipped from a scanned lot by a real
worker, which traces and checkpoints all of it. Then it runs the commands as a person does, process start included.
Figures on stdout, talk on stderr. Guarantees: exits with 1 if a figure is over its limit, or the report does not list
exactly the orders that got the lot.
Does not belong here: throughput (`python -m bench`).
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Annotated, Any, NamedTuple

import httpx2
import msgspec
from confluent_kafka import Producer
from cyclopts import App
from rich.console import Console

from bench import machine
from bench.brokers import BrokerName, started
from bench.children import BenchError, PythonChild
from bench.peers.smokehouse import SmokehousePeer, environment
from streams import addresses
from streams.brokers.process import free_port
from streams.commands.options import between
from streams.ends import last_offsets
from streams.settings import Settings, producer_config
from streams.topics import LOGS, ORDERS, WAREHOUSE
from tables import records as r
from tables.codec import encode
from tables.murmur2 import partition_of_sku

SKUS = 200  # beside the recalled one
LOT, LOT_SKU, KIT, KIT_LOT = "L-RECALL", "JRK-RECALL", "BOX-RECALL", "K-RECALL"
OTHER_LOT = "L-OTHER"
LOCATIONS = ("AUSTIN", "BERLIN", "ROTTERDAM")
LEFT = 500  # units of the lot still there, per location
REPORT_SECONDS_MAX, FREEZE_SECONDS_MAX = 5.0, 2.0
CHUNK = 20_000  # orders on their way at once: more, and their answers would wait behind them until they expire
SETTLE_SECONDS_MAX = 600.0  # of one chunk

app = App(name="bench.recall", help="A recall on a long history.", version_flags=[])


class Figure(NamedTuple):
    """`limit`: seconds that no round may reach; 0: none, it is told for comparison. `cpu_seconds`: of the command, not
    of the worker; on a machine that does nothing else it takes about as long."""

    what: str
    seconds: list[float]
    cpu_seconds: list[float]
    limit: float

    @property
    def ok(self) -> bool:
        return not self.limit or max(self.seconds) < self.limit

    def __str__(self) -> str:
        said = f"limit {self.limit:.0f} s  {'ok' if self.ok else 'TOO SLOW'}" if self.limit else ""
        cpu = f"{median(self.cpu_seconds):5.2f} CPU-s" if self.cpu_seconds else " " * 11
        return f"{self.what:<50} median {median(self.seconds):5.2f} s, worst {max(self.seconds):5.2f} s, {cpu}  {said}"


@app.default
def recall(
    *, orders: Annotated[int, between(1)] = 1_000_000, lot_orders: Annotated[int, between(1)] = 20_000,
    rounds: Annotated[int, between(1)] = 5,
    broker: BrokerName = "embedded",
) -> None:  # fmt: skip
    """Measure.

    Parameters
    ----------
    orders
        Of the history.
    lot_orders
        Of them, those that got the lot that is recalled.
    rounds
        Of each command.
    broker
        embedded, or kafka (Apache Kafka).
    """
    talk = Console(stderr=True, highlight=False)
    lot_orders = min(lot_orders, orders)
    folder = tempfile.TemporaryDirectory(prefix="smokehouse-bench-recall-")
    with folder as scratch, started(broker) as running:
        settings = Settings(
            home=Path(scratch), bootstrap=running.address, api=f"127.0.0.1:{free_port()}", demo=False,
            embedded=running.kind == "embedded",
        )  # fmt: skip
        peer = SmokehousePeer()
        peer.prepare(settings)
        with peer.start(settings, Path(scratch)) as worker:
            began = time.monotonic()
            partitions = _history(settings, worker, orders, lot_orders, talk)
            talk.print(f"{orders:,} orders are in the store after {time.monotonic() - began:.0f} s")
            figures = _measure(settings, lot_orders, partitions, rounds)
    for figure in figures:
        print(figure)
    print(
        f"{orders:,} orders, {lot_orders:,} of the lot; {broker} broker; {rounds} rounds; "
        f"{machine.describe()}, load {os.getloadavg()[0]:.1f}"
    )
    sys.exit(0 if all(figure.ok for figure in figures) else 1)


# -- the history -------------------------------------------------------------------------------------------------------


def _history(settings: Settings, worker: PythonChild, orders: int, lot_orders: int, talk: Console) -> int:
    """Receive, sell and ship, chunk by chunk, each committed by the worker; returns the partitions of the stock log."""
    partitions = len(last_offsets(settings, WAREHOUSE.name))
    log = _Log(settings, partitions)
    _receive(log, orders, lot_orders)
    _settle(settings, worker, log)
    every = orders // lot_orders
    placed: list[tuple[str, r.ShippedLine]] = []
    for first in range(0, orders + CHUNK, CHUNK):  # the last one only ships
        for order_id, line in placed:
            log.order(r.OrderShipped(id=f"{order_id}:shipped", order_id=order_id, lines=[line]))
        placed = []
        for n in range(first, min(first + CHUNK, orders)):
            of_lot = n % every == 0 and n // every < lot_orders
            sku, lot = (LOT_SKU, LOT) if of_lot else (f"JRK-{n * 7919 % SKUS:03d}", OTHER_LOT)
            order_id = f"ORDER-{n:07d}"
            log.order(r.OrderPlaced(
                id=f"{order_id}:placed", order_id=order_id, channel="web", payment="paid", lines=[r.Line(sku, 1)],
                locations=[LOCATIONS[n % 3]],
            ))  # fmt: skip
            placed.append((order_id, r.ShippedLine(sku, 1, lot=lot)))
        _settle(settings, worker, log)
        if first // 100_000 != (first + CHUNK) // 100_000:
            talk.print(f"{first + len(placed):,} of {orders:,} orders placed")
    return partitions


def _receive(log: _Log, orders: int, lot_orders: int) -> None:
    for sku in (f"JRK-{n:03d}" for n in range(SKUS)):
        log.stock(sku, r.SkuDefined(id=f"{sku}:defined", sku=sku))
        for location in LOCATIONS:
            log.stock(sku, r.Received(
                id=f"in:{sku}:{location}", sku=sku, location=location, lot=OTHER_LOT, quantity=orders,
                best_before="2099-01-31", supplier="Ranch",
            ))  # fmt: skip
    log.stock(LOT_SKU, r.SkuDefined(id=f"{LOT_SKU}:defined", sku=LOT_SKU))
    for location in LOCATIONS:
        log.stock(LOT_SKU, r.Received(
            id=f"in:{LOT}:{location}", sku=LOT_SKU, location=location, lot=LOT, quantity=lot_orders + LEFT,
            best_before="2099-01-31", supplier="Ranch", reference="PO-1",
        ))  # fmt: skip
    log.stock(KIT, r.KitAssembled(
        id="kit", sku=KIT, location=LOCATIONS[0], quantity=10, lot=KIT_LOT,
        parts=[r.KitPartUsed(sku=LOT_SKU, quantity=20, lot=LOT)],
    ))  # fmt: skip


class _Log:
    """Writes records one by one: a worker that lags takes 10,000 of them at a time, packed ones count as one."""

    def __init__(self, settings: Settings, partitions: int) -> None:
        self._prefix, self._partitions = settings.prefix, partitions
        self._producer = Producer(producer_config(settings) | {"linger.ms": 20})

    def stock(self, sku: str, record: object) -> None:
        self._add(WAREHOUSE.name, record, partition=partition_of_sku(sku, self._partitions))

    def order(self, record: r.OrderPlaced | r.OrderShipped) -> None:
        self._add(ORDERS.name, record, key=record.order_id)

    def flush(self) -> None:
        if self._producer.flush(120):
            raise BenchError("the broker did not take the history")

    def _add(self, topic: str, record: object, **where: Any) -> None:
        while True:
            try:
                self._producer.produce(self._prefix + topic, encode(record), **where)
                return
            except BufferError:
                self._producer.poll(0.1)


def _settle(settings: Settings, worker: PythonChild, log: _Log) -> None:
    """Until the worker has committed all of it, and all that followed from it."""
    log.flush()
    until = time.monotonic() + SETTLE_SECONDS_MAX
    quiet = 0
    while quiet < 2:  # what one log says to the other is no longer under way
        worker.expect_alive()
        if time.monotonic() > until:
            raise BenchError(f"the history is not in the store after {SETTLE_SECONDS_MAX:.0f} s")
        quiet = quiet + 1 if _committed(settings, worker) else 0
        time.sleep(0.2)


def _committed(settings: Settings, worker: PythonChild) -> bool:
    ends = {(log.name, p): end for log in LOGS for p, end in last_offsets(settings, log.name).items()}
    address = msgspec.json.decode(addresses.file_of(settings.run_dir, worker.pid).read_bytes())
    try:
        told = httpx2.get(f"{address['url']}/status", timeout=30.0).json()
    except httpx2.HTTPError:
        return False  # it is busy
    done = {(p["topic"], p["partition"]): p["committed"] or 0 for p in told["partitions"]}
    return all(done.get(place, 0) >= end - 1 for place, end in ends.items())  # ticks come all the time


# -- the commands ------------------------------------------------------------------------------------------------------


def _measure(settings: Settings, lot_orders: int, partitions: int, rounds: int) -> list[Figure]:
    command = _Command(settings)
    pdf = str(settings.home / "report.pdf")
    reports = {
        ("--json",): Figure("report as JSON, whole command", [], [], REPORT_SECONDS_MAX),
        ("--csv",): Figure("report as CSV, whole command", [], [], REPORT_SECONDS_MAX),
        (): Figure("report as text, whole command", [], [], REPORT_SECONDS_MAX),
        ("--pdf", pdf): Figure("report as PDF, whole command", [], [], REPORT_SECONDS_MAX),
    }
    freeze = Figure("freeze, until every partition acknowledged", [], [], FREEZE_SECONDS_MAX)
    whole = Figure("freeze, whole command (process start included)", [], [], 0.0)
    for _ in range(rounds):
        for arguments, figure in reports.items():
            out = command(figure, "recall", "report", LOT, *arguments)
            if arguments == ("--json",):
                _expect(lot_orders, out)
        out = command(whole, "recall", "open", LOT, "--reason", "measured", "--json")
        said = msgspec.json.decode(out)
        if len(said["partitions"]) != partitions or said["units"] != LEFT * len(LOCATIONS) + 2 * lot_orders - 20:
            raise BenchError(f"not everything was frozen: {said}")
        freeze.seconds.append(max(p["seconds"] for p in said["partitions"]))
        command(None, "recall", "close", LOT, "--reason", "measured", "--json")
    return [*reports.values(), freeze, whole]


class _Command:
    def __init__(self, settings: Settings) -> None:
        self._env = os.environ | environment(settings)

    def __call__(self, figure: Figure | None, *arguments: str) -> bytes:
        began, cpu = time.monotonic(), _children_cpu()
        done = subprocess.run(
            [sys.executable, "-m", "streams.cli", *arguments], env=self._env, capture_output=True, check=False
        )
        if done.returncode:
            raise BenchError(f"smokehouse {' '.join(arguments)} ended with {done.returncode}: {done.stderr.decode()}")
        if figure is not None:
            figure.seconds.append(time.monotonic() - began)
            figure.cpu_seconds.append(_children_cpu() - cpu)
        return done.stdout


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)  # of those that have ended: the worker has not
    return used.ru_utime + used.ru_stime


def _expect(lot_orders: int, out: bytes) -> None:
    """The report lists the orders that got the lot, each once, and adds up."""
    said = msgspec.json.decode(out)
    listed = {x["order_id"] for x in said["shipped"] if x["known"] == "scanned"}
    if len(said["shipped"]) != lot_orders or len(listed) != lot_orders:
        raise BenchError(f"{len(listed)} orders are listed, {lot_orders} got the lot")
    if off := [b for b in said["balances"] if b["difference"]]:
        raise BenchError(f"it does not add up: {off}")


if __name__ == "__main__":
    try:
        app()
    except BenchError as error:
        print(error, file=sys.stderr)
        sys.exit(1)
