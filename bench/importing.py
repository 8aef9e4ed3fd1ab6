"""`python -m bench import FILE`: a file of orders through a worker, as a person imports it, until all are decided.

Runs `smokehouse import orders FILE --speed max` beside a worker on a log of its own, then `smokehouse audit`.
Guarantees: exits with 1 unless every order of the file is decided and the audit finds nothing. Does not belong here:
what the file says (`connectors.files`), what is checked (`proof.audit`).
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as parquet
from confluent_kafka import KafkaException
from msgspec import Struct
from rich.console import Console

from bench.brokers import BrokerName, started
from bench.children import BenchError
from bench.machine import cpu_seconds, resident_bytes
from bench.options import DEFAULT, Options
from bench.peers.smokehouse import SmokehousePeer, command
from bench.report import figure
from bench.round import log_on
from bench.telling import Meanwhile, Told, check_cell, tell
from connectors.files.presets import PRESETS, FileRefused, choose_columns
from connectors.files.reading import OrderFile, open_file
from streams.brokers.process import BrokerError, RunningBroker
from streams.ends import ReadError
from streams.settings import CHECKPOINT_SECONDS

QUICK_LINES = 20_000
IMPORT_SECONDS, AUDIT_SECONDS = 3_600.0, 1_800.0
SETTLE_SECONDS = 60  # until the worker has committed what it decided
CHECKPOINTED_SECONDS = 2 * CHECKPOINT_SECONDS  # what is decided is paid for only then
DECIDED = ("confirmed", "rejected", "expired")
REFUSED = 2
HEADINGS = (
    "broker", "file", "lines", "orders", "confirmed", "whole s", "orders/s", "CPU-s per 1,000", "memory MB", "audit s",
    "check",
)  # fmt: skip


class Row(Struct, frozen=True, kw_only=True):
    """`seconds`: the whole command; `orders_s`: without the reading of the file. CPU (receiving the
    stock included) and memory are the worker's."""

    broker: str
    file: str
    lines: int
    orders: int
    confirmed: int
    seconds: float
    orders_s: float
    cpu_s_per_1000: float
    memory_bytes: int
    audit_s: float
    check: str


def import_orders(
    file: Path,
    /,
    *,
    preset: str = "",
    broker: BrokerName = "embedded",
    options: Options = DEFAULT,
) -> None:
    """The whole of a file of orders through `smokehouse import orders FILE --speed max`, and an audit of it.

    With --quick its first 20,000 lines.

    Parameters
    ----------
    file
        CSV or parquet.
    preset
        What the file looks like (online-retail, complete-journey); default: by its columns.
    broker
        embedded or kafka.
    """
    say = Console(stderr=True, highlight=False).print
    meanwhile = Meanwhile()
    try:
        opened = open_file(file)
        looks = preset or _looks_like(opened)
        with tempfile.TemporaryDirectory(prefix="smokehouse-bench-file-") as folder, started(broker) as running:
            taken, name = file.absolute(), file.name
            if options.quick:
                taken, name = _beginning(opened, Path(folder)), f"{name}, first {QUICK_LINES:,} lines"
            found = measure(running, taken, looks, name, say)
    except FileRefused as error:
        print(error, file=sys.stderr)
        sys.exit(REFUSED)
    except (BenchError, BrokerError, ReadError, KafkaException) as error:
        print(error, file=sys.stderr)
        sys.exit(1)
    title = "Orders of a file, imported at full speed until all are decided"
    sys.exit(0 if tell(Told("import", title, HEADINGS, 2, [found], _cells), meanwhile, options) else 1)


def measure(broker: RunningBroker, file: Path, preset: str, name: str, say: Callable[[str], None]) -> Row:
    """`BenchError` if the import does not get through."""
    peer = SmokehousePeer()
    with tempfile.TemporaryDirectory(prefix="smokehouse-bench-") as scratch:
        settings = log_on(broker, Path(scratch))
        peer.prepare(settings)
        with peer.start(settings, settings.home) as worker:
            say(f"import of {name}")
            before, began = cpu_seconds(worker.pid), time.monotonic()
            arguments = ("import", "orders", str(file), "--preset", preset, "--speed", "max", "--json")
            code, out = command(settings, IMPORT_SECONDS, *arguments)
            seconds = time.monotonic() - began
            worker.expect_alive()
            if code:
                raise BenchError(
                    f"the import ended with {code}: {(settings.home / 'commands.log').read_text()[-2000:]}"
                )
            account = msgspec.json.decode(out)
            time.sleep(CHECKPOINTED_SECONDS)
            spent, memory = cpu_seconds(worker.pid) - before, resident_bytes(worker.pid)
            say("audit")
            began = time.monotonic()
            code, out = command(settings, AUDIT_SECONDS, "audit", "--settle", str(SETTLE_SECONDS), "--json")
            audit_s = time.monotonic() - began
            said = (settings.home / "commands.log").read_text()
    orders = account["orders"]
    return Row(
        broker=broker.kind, file=name, lines=account["rows"], orders=orders["placed"], confirmed=orders["confirmed"],
        seconds=seconds, orders_s=account["orders_per_second"], cpu_s_per_1000=spent * 1000 / max(orders["placed"], 1),
        memory_bytes=memory, audit_s=audit_s, check=_check(orders, code, out, said),
    )  # fmt: skip


def _check(orders: dict[str, Any], code: int, audit: bytes, said: str) -> str:
    decided = sum(orders[name] for name in DECIDED)
    if not orders["placed"] or decided != orders["placed"]:
        return f"{decided} of {orders['placed']} orders are decided"
    if code == 0 and msgspec.json.decode(audit)["ok"]:
        return "ok"
    return f"the audit ended with {code}: {said[-200:]}" if not audit else "the audit found something"


def _looks_like(opened: OrderFile) -> str:
    """The first preset whose columns the file has; `FileRefused` if there is none."""
    for known in PRESETS.values():
        try:
            choose_columns(known, opened.columns, ())
        except FileRefused:
            continue
        return known.name
    raise FileRefused(f"{opened.path}: its columns are those of no preset; name one: --preset {' or '.join(PRESETS)}")


def _beginning(opened: OrderFile, folder: Path) -> Path:
    """The first lines, as a parquet file."""
    batch = next(opened.batches(opened.columns)).slice(0, QUICK_LINES)
    path = folder / "beginning.parquet"
    with parquet.ParquetWriter(path, batch.schema) as writer:
        writer.write_batch(batch)
    return path


def _cells(x: Row) -> list[str]:
    return [
        x.broker, x.file, f"{x.lines:,}", f"{x.orders:,}", f"{x.confirmed:,}", figure(x.seconds, 1),
        figure(x.orders_s, 0), figure(x.cpu_s_per_1000, 3), figure(x.memory_bytes / 1e6, 0), figure(x.audit_s, 1),
        check_cell(x.check),
    ]  # fmt: skip
