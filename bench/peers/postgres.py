"""PostgreSQL: one function call per order, or 100 orders in one transaction; rows locked in SKU order, with a ledger.

Each call is its own transaction, `synchronous_commit` on, over 8 connections with prepared statements, in libpq's
asynchronous form from one thread: less CPU than a thread or process for each. The batch decides its orders one after
the other in the function's memory and writes each row once. Both remember what they answered. The server is Debian's,
its data on this machine's disk, its memory enough for everything. Does not belong here: how a round is measured.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bench.children import BenchError, Child
from bench.peers.called import CalledPeer, Line, Server
from bench.peers.peer import Decision
from bench.workload import Order, summed
from streams.brokers.process import free_port

READY_SECONDS = 30.0
INIT_SECONDS = 60.0
BATCH = 100  # orders per transaction
DEBIAN = Path("/usr/lib/postgresql")  # Debian keeps the server's programs out of PATH, by version
USER = "postgres"  # the server refuses to run as root
SCHEMA = Path(__file__).with_suffix(".sql")
SETTINGS = {
    "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "on", "synchronous_commit": "on",
    "shared_buffers": "512MB", "max_wal_size": "8GB", "checkpoint_timeout": "1h", "jit": "off",
    "max_connections": "20", "logging_collector": "off", "plan_cache_mode": "force_generic_plan",
}  # fmt: skip


class PostgresPeer(CalledPeer):
    name = "postgres"

    def missing(self) -> str:
        if _programs() is None:
            return "no PostgreSQL: initdb is not on this machine (Debian: apt-get install postgresql)"
        if find_spec("psycopg") is None:
            return "no PostgreSQL: psycopg is not installed (.venv/bin/pip install -e '.[bench]')"
        return ""

    @contextlib.contextmanager
    def server(self, folder: Path) -> Iterator[Server]:
        folder.mkdir(parents=True, exist_ok=True)
        programs = _programs()
        assert programs is not None, "`missing` was not asked"
        user = USER if os.geteuid() == 0 else None
        port = free_port()
        address = f"host=127.0.0.1 port={port} user=bench dbname=postgres"
        with tempfile.TemporaryDirectory(prefix="smokehouse-bench-postgres-") as home:  # `folder` is ours alone
            if user is not None:
                shutil.chown(home, user, user)
            data = Path(home) / "data"
            _initialise(programs / "initdb", data, user)
            options = [part for key, value in SETTINGS.items() for part in ("-c", f"{key}={value}")]
            command: list[str | Path] = [programs / "postgres", "-D", data, "-p", str(port), *options]
            at_once = signal.SIGQUIT  # nobody wants its last checkpoint
            with Child(command, folder / "postgres.log", user=user, end_signal=at_once) as child:
                child.wait_until(lambda: _answers(address), READY_SECONDS)
                yield Server(child.pid, address)

    def fill(self, address: str, received: dict[str, int]) -> None:
        with _connect(address) as connection:
            connection.execute(SCHEMA.read_bytes())
            connection.execute(
                "INSERT INTO stock SELECT * FROM unnest(%s::text[], %s::integer[])",
                (list(received), list(received.values())),
            )
            connection.execute("VACUUM ANALYZE stock")

    def call(self, order: Order) -> list[bytes]:
        units = sorted(summed(order).items())
        return [order.order_id.encode(), _array(sku for sku, _ in units), _array(count for _, count in units)]

    def lines(self, address: str, count: int) -> list[Line]:
        return [PostgresLine(address) for _ in range(count)]

    def ledger(self, address: str) -> list[Decision]:
        with _connect(address) as connection:
            units: dict[str, dict[str, int]] = {}
            for order_id, sku, count in connection.execute("SELECT order_id, sku, units FROM ledger"):
                units.setdefault(order_id, {})[sku] = count
            found = connection.execute("SELECT order_id, confirmed FROM decided ORDER BY place").fetchall()
        return [Decision(order_id, confirmed, units.get(order_id, {})) for order_id, confirmed in found]

    def levels(self, address: str) -> dict[str, int]:
        with _connect(address) as connection:
            return dict(connection.execute("SELECT sku, units_left FROM stock").fetchall())


class PostgresBatchPeer(PostgresPeer):
    name = "postgres_batch"
    per_call = BATCH

    def call(self, order: Order) -> Any:
        return order.order_id, sorted(summed(order).items())

    def lines(self, address: str, count: int) -> list[Line]:
        return [PostgresBatchLine(address) for _ in range(count)]


class PostgresLine:
    """One prepared call at a time on one connection."""

    statement = b"SELECT reserve($1, $2, $3)"

    def __init__(self, address: str) -> None:
        self._connection = _connect(address)
        self._pg = self._connection.pgconn
        self._pg.prepare(b"ask", self.statement)
        self._pg.nonblocking = 1

    def fileno(self) -> int:
        return int(self._pg.socket)

    def send(self, calls: Sequence[Any]) -> None:
        self._pg.send_query_prepared(b"ask", self._parameters(calls))
        while self._pg.flush():  # a few kB always fit
            pass

    def receive(self) -> list[bool] | None:
        self._pg.consume_input()
        if self._pg.is_busy():
            return None
        result = self._pg.get_result()
        if not result.ntuples:
            raise BenchError(result.error_message.decode())
        value = result.get_value(0, 0)
        while self._pg.get_result() is not None:  # the end of this call
            pass
        return self._answers(value)

    def _parameters(self, calls: Sequence[Any]) -> list[bytes]:
        return calls[0]

    def _answers(self, value: bytes) -> list[bool]:
        return [value == b"t"]


class PostgresBatchLine(PostgresLine):
    statement = b"SELECT reserve_all($1, $2, $3, $4, $5)"

    def _parameters(self, calls: Sequence[Any]) -> list[bytes]:
        skus = sorted({sku for _, units in calls for sku, _ in units})
        place = {sku: number for number, sku in enumerate(skus, 1)}
        lines = [(n, place[sku], count) for n, (_, units) in enumerate(calls, 1) for sku, count in units]
        of, which, wanted = zip(*lines, strict=True)
        return [_array(order_id for order_id, _ in calls), _array(skus), _array(of), _array(which), _array(wanted)]

    def _answers(self, value: bytes) -> list[bool]:
        return [x == b"t" for x in value[1:-1].split(b",")]


def _array(values: Any) -> bytes:
    """As PostgreSQL reads it; ids and SKUs of the workloads need no quotes."""
    return f"{{{','.join(map(str, values))}}}".encode()


def _programs() -> Path | None:
    """The folder with `initdb` and `postgres`."""
    if (found := shutil.which("initdb")) is not None:
        return Path(found).parent
    folders = sorted(DEBIAN.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return folders[-1].parent if folders else None


def _initialise(initdb: Path, data: Path, user: str | None) -> None:
    command: list[str | Path] = [initdb, "-D", data, "-U", "bench", "--auth=trust"]  # loopback, scratch data
    command += ["--encoding=UTF8", "--locale=C", "--no-sync"]
    run = subprocess.run(
        command, capture_output=True, text=True, timeout=INIT_SECONDS, check=False, cwd="/", user=user, group=user,
        extra_groups=None if user is None else [],
    )  # fmt: skip
    if run.returncode:
        raise BenchError(f"initdb failed: {run.stderr.strip()}")


def _connect(address: str) -> Any:
    import psycopg

    return psycopg.connect(address, autocommit=True, connect_timeout=5)


def _answers(address: str) -> bool:
    import psycopg

    try:
        _connect(address).close()
    except psycopg.OperationalError:
        return False
    return True
