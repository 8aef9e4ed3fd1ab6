"""`python -m bench api`: the query API while orders flow through a worker: reads a second, and how late its view is.

Three times the same orders at the same rate: nobody asks; a few connections ask for one SKU each; for 500 SKUs in one
call. The API is one process, so at most one core. The lag of the view is from when a decision could be read on its
topic (by the bench's own reader) to when an answer of the API says that its view holds it, asked 50 times a second; so
it is up to 20 ms too long. Guarantees: every call was answered with 200; every decision came into the view; at the end
the API shows the same stock as the topic. Does not belong here: how a round is measured (`round`), HTTP (`asking`).
"""

from __future__ import annotations

import sys
import threading
import time
import urllib.request
from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from confluent_kafka import KafkaException
from msgspec import Struct
from msgspec.structs import replace
from rich.console import Console

from bench.asking import HttpLine, request
from bench.brokers import BrokerName, started
from bench.children import BenchError, PythonChild
from bench.machine import cpu_seconds
from bench.measured import p50_and_p99
from bench.options import DEFAULT, Held, Options, Rate
from bench.peers.smokehouse import SmokehousePeer, environment
from bench.report import figure
from bench.round import Run, opened
from bench.telling import Meanwhile, Told, check_cell, tell
from bench.workload import skus
from streams.brokers.process import BrokerError, RunningBroker, free_port
from streams.commands.options import Seed
from streams.ends import ReadError

MANY = 500  # SKUs in one call
CONNECTIONS = 4
POLL_SECONDS = 0.02
READY_SECONDS, SAME_SECONDS = 60.0, 20.0
RATE, SECONDS, WARM_UP = 2_000.0, 20.0, 3_000
QUICK_RATE, QUICK_SECONDS, QUICK_WARM_UP = 500.0, 5.0, 500
HEADINGS = (
    "asked for", "orders/s", "calls/s", "p50 ms", "p99 ms", "API's cores", "calls per core-s", "view p50 ms",
    "view p99 ms", "check",
)  # fmt: skip


class Row(Struct, frozen=True, kw_only=True):
    """One way of asking. `orders_s`: decided; `cpu_s`: of the API, its view included; `cores`: the same a second;
    `per_core_s`: calls for each second that it took more than when nobody asked; `view_*`: decision readable -> in the
    view."""

    asked: str
    orders_s: float
    calls_s: float | None
    p50_ms: float | None
    p99_ms: float | None
    calls: int
    cpu_s: float
    cores: float
    per_core_s: float | None = None
    view_p50_ms: float | None
    view_p99_ms: float | None
    check: str


def api(
    *,
    rate: Rate | None = None,
    broker: BrokerName = "embedded",
    seconds: Held | None = None,
    seed: Seed = 1,
    options: Options = DEFAULT,
) -> None:
    """Reads of the query API a second, and the lag of its view, while orders flow through a worker.

    With --quick each way of asking for 5 s instead of 20.

    Parameters
    ----------
    rate
        Orders a second (default: 2,000; with --quick 500).
    broker
        embedded or kafka.
    seconds
        For each way of asking.
    seed
        Of the orders.
    """
    orders_s = rate or (QUICK_RATE if options.quick else RATE)
    held = seconds or (QUICK_SECONDS if options.quick else SECONDS)
    say = Console(stderr=True, highlight=False).print
    meanwhile = Meanwhile()
    try:
        with started(broker) as running:
            rows = measure(running, orders_s, held, QUICK_WARM_UP if options.quick else WARM_UP, seed, say)
    except (BenchError, BrokerError, ReadError, KafkaException) as error:
        print(error, file=sys.stderr)
        sys.exit(1)
    title = (
        f"The query API while {orders_s:,.0f} orders a second are placed, {broker} broker, {CONNECTIONS} connections"
    )
    sys.exit(0 if tell(Told("api", title, HEADINGS, 1, rows, _cells), meanwhile, options) else 1)


def measure(
    broker: RunningBroker, rate: float, seconds: float, warm_up: int, seed: int, say: Callable[[str], None]
) -> list[Row]:
    """A row per way of asking; the last one's check is that of orders, stock and API, too."""
    names = skus()
    ways: dict[str, list[Any]] = {
        "nothing": [],
        "one SKU": [("GET", f"/v1/stock/{name}") for name in names],
        f"{MANY} SKUs": [
            ("POST", "/v1/stock/query", {"skus": names[n : n + MANY]}) for n in range(0, len(names), MANY)
        ],
    }
    each = int(rate * seconds)
    peer, address = SmokehousePeer(), f"127.0.0.1:{free_port()}"
    rows: list[Row] = []
    with opened(peer, "spread", broker, warm_up + each * len(ways), seed) as run:
        run.receive()
        run.place(0, warm_up, 0)
        run.settle()
        env = environment(run.settings) | {"SMOKEHOUSE_API": address}
        with (
            PythonChild(["-m", "streams.cli", "api"], run.settings.home / "api.log", env) as server,
            PythonChild(
                ["-m", "bench.asking", address, str(CONNECTIONS)], run.settings.home / "asking.log", talks=True
            ) as asking,
        ):  # fmt: skip
            server.wait_until(lambda: _is_ready(address), READY_SECONDS)
            asking.answer()
            for number, (name, calls) in enumerate(ways.items()):
                say(f"asked for {name}")
                rows.append(_ask(run, server, asking, address, name, calls, warm_up + each * number, each, rate))
            check = run.check()
            if check == "ok":
                check = _compare(address, peer.levels(run.settings))
    rows = [replace(x, per_core_s=_per_second(x.calls, x.cpu_s - rows[0].cpu_s)) for x in rows]
    if rows[-1].check == "ok":
        rows[-1] = replace(rows[-1], check=check)
    return rows


class _Probe(threading.Thread):
    """Asks how far the view is, again and again, until `end`."""

    def __init__(self, address: str) -> None:
        super().__init__(daemon=True)
        self._address = address
        self._over = threading.Event()
        self._seen: list[tuple[int, dict[int, int]]] = []  # when it was answered (ns), partition -> last offset
        self.failure = ""

    def run(self) -> None:
        call = request(self._address, "GET", "/v1/decisions?limit=1")
        decode = msgspec.json.Decoder(_Fresh).decode
        line = HttpLine(self._address)
        try:
            while not self._over.wait(POLL_SECONDS):
                if not line.get(call):
                    self.failure = f"the API answered {line.body[:200]!r}"
                    return
                offsets = {x.partition: x.offset for x in decode(line.body).as_of if x.offset is not None}
                self._seen.append((time.time_ns(), offsets))
        except (OSError, msgspec.MsgspecError) as error:
            self.failure = str(error)
        finally:
            line.close()

    def end(self) -> None:
        self._over.set()
        self.join()

    def wait_for(self, places: Sequence[tuple[int, int]], seconds: float) -> None:
        """Until an answer has shown all of these decisions (partition, offset); `seconds` at most."""
        last = dict(sorted(places))  # partition -> its highest offset
        until = time.monotonic() + seconds
        while self.is_alive() and time.monotonic() < until:
            shown = self._seen[-1][1] if self._seen else {}
            if all(shown.get(partition, -1) >= offset for partition, offset in last.items()):
                return
            time.sleep(POLL_SECONDS)

    def late_ms(self, places: Sequence[tuple[int, int]], readable_ns: Sequence[int]) -> list[float | None]:
        """For each decision (partition, offset), readable since then, how much later the view had it; None: never."""
        found: list[float | None] = []
        for (partition, offset), since in zip(places, readable_ns, strict=True):
            at = bisect_left(self._seen, offset, key=lambda one: one[1].get(partition, -1))
            found.append(max(0.0, (self._seen[at][0] - since) / 1e6) if at < len(self._seen) else None)
        return found


class _AsOf(Struct):
    partition: int
    offset: int | None


class _Fresh(Struct):
    as_of: list[_AsOf]


def _ask(
    run: Run, server: PythonChild, asking: PythonChild, address: str, name: str, calls: list[Any], first: int,
    count: int, rate: float,
) -> Row:  # fmt: skip
    ids = [order.order_id for order in run.workload.orders[first : first + count]]
    probe = _Probe(address)
    probe.start()
    try:
        began, cpu = time.monotonic(), cpu_seconds(server.pid)
        if calls:
            asking.tell({"calls": calls, "seconds": count / rate})
        times = run.place(first, count, rate)
        answer = asking.answer() if calls else None
        took, spent = time.monotonic() - began, cpu_seconds(server.pid) - cpu
        probe.wait_for([run.decisions.places[one] for one in ids], SAME_SECONDS)
    finally:
        probe.end()
    server.expect_alive()
    run.settle()
    decisions = run.decisions
    late = probe.late_ms([decisions.places[i] for i in ids], [decisions.seen_ns[i] for i in ids])
    there = [x for x in late if x is not None]
    check = probe.failure or "ok"
    if answer and answer["failed"]:
        check = f"{answer['failed']} calls were not answered with 200"
    elif check == "ok" and len(there) != count:
        check = f"{count - len(there)} decisions did not come into the view"
    view_p50_ms, view_p99_ms = p50_and_p99(there) if there else (None, None)
    p50_ms, p99_ms = p50_and_p99(answer["late_ms"]) if answer else (None, None)
    return Row(
        asked=name, orders_s=count * 1e9 / (max(decisions.seen_ns[i] for i in ids) - times[0]),
        calls_s=len(answer["late_ms"]) / answer["seconds"] if answer else None, p50_ms=p50_ms, p99_ms=p99_ms,
        calls=len(answer["late_ms"]) if answer else 0, cpu_s=spent, cores=spent / took,
        view_p50_ms=view_p50_ms, view_p99_ms=view_p99_ms, check=check,
    )  # fmt: skip


def _per_second(calls: int, seconds: float) -> float | None:
    return calls / seconds if calls and seconds > 0 else None


def _is_ready(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://{address}/readyz", timeout=2) as answer:
            return answer.status == 200
    except OSError:
        return False


def _compare(address: str, levels: dict[str, int]) -> str:
    """ "ok", once the API shows the levels that stand in the topic; else what it shows otherwise."""
    line = HttpLine(address)
    names = sorted(levels)
    until = time.monotonic() + SAME_SECONDS
    while True:
        shown: dict[str, int] = {}
        for n in range(0, len(names), MANY):
            if line.get(request(address, "POST", "/v1/stock/query", {"skus": names[n : n + MANY]})):
                shown |= {x["sku"]: x["available"] for x in msgspec.json.decode(line.body)["items"]}
        wrong = [name for name in names if shown.get(name) != levels[name]]
        if not wrong or time.monotonic() > until:
            line.close()
            return f"{wrong[0]}: the API shows {shown.get(wrong[0])}, its topic {levels[wrong[0]]}" if wrong else "ok"
        time.sleep(0.1)


def _cells(x: Row) -> list[str]:
    return [
        x.asked, figure(x.orders_s, 0), figure(x.calls_s, 0), figure(x.p50_ms, 1), figure(x.p99_ms, 1),
        figure(x.cores, 2), figure(x.per_core_s, 0), figure(x.view_p50_ms, 0), figure(x.view_p99_ms, 0),
        check_cell(x.check),
    ]  # fmt: skip
