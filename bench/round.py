"""One round of a peer on a log: warm up, a steady rate for latency, then everything at once for throughput and CPU.

`opened` is the part that further benches share: the peer beside its load, on a log of its own.

Guarantees: a log of its own (a fresh embedded broker, or a fresh prefix on Apache Kafka, whose JVM stays warm); the
clock of a burst runs from its first produce until the last decision could be read; CPU is counted until the peer has
committed everything, so work put off until after the last decision is paid too. Does not belong here: which rounds run.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from confluent_kafka import TopicPartition

from bench.children import BenchError, Child, PythonChild, TooLate
from bench.decided import Decisions, judge
from bench.machine import busy_between, cpu_seconds, look
from bench.measured import Measured, Size, p50_and_p99
from bench.peers.peer import LogPeer
from bench.workload import SHAPE, Shape, Workload, WorkloadName, make, one_at_a_time
from streams.brokers.process import RunningBroker
from streams.ends import last_offsets, open_consumer
from streams.settings import Settings

SETTLE_SECONDS = 60.0
BURST_SECONDS_MIN = 120.0
SLOWEST_ORDERS_S = 50.0  # below it a burst counts as stuck
VIEWS_SECONDS = 0.3  # published levels may be 100 ms late


def measure(
    peer: LogPeer, workload_name: WorkloadName, broker: RunningBroker, size: Size, seed: int, say: Callable[[str], None]
) -> Measured:
    """Run one round. `BenchError` if the peer does not get through."""
    with opened(peer, workload_name, broker, size.all, seed) as run:
        run.receive()
        run.place(0, size.warm_up, 0)
        run.settle()
        say("steady rate")
        steady = run.steady(size.warm_up, size.steady, size.rate) if size.steady else Steady(None, None, None)
        say("all at once")
        before, ours = look(), run.cpu()
        seconds = run.burst(size.warm_up + size.steady, size.burst)
        decided = time.monotonic()
        run.settle()
        settled_s = time.monotonic() - decided
        after, used = look(), run.cpu()
        check = run.check()
    of_worker, of_broker, of_load, of_reader = (end - start for start, end in zip(ours, used, strict=True))
    all_ours = sum(used) - sum(ours)
    return Measured(
        cpu_s_per_1000=of_worker * 1000 / size.burst, broker_cpu_s_per_1000=of_broker * 1000 / size.burst,
        clients_cpu_s_per_1000=(of_load + of_reader) * 1000 / size.burst,
        all_cpu_s_per_1000=all_ours * 1000 / size.burst,
        orders_s=size.burst / seconds, settled_s=settled_s, p50_ms=steady.p50_ms, p99_ms=steady.p99_ms,
        steady_cpu_s_per_1000=steady.cpu_s_per_1000, confirmed=run.confirmed,
        confirmed_one_at_a_time=len(one_at_a_time(run.workload)),
        check=check, **busy_between(before, after, all_ours)._asdict(),
    )  # fmt: skip


@contextlib.contextmanager
def opened(
    peer: LogPeer, workload_name: WorkloadName, broker: RunningBroker, count: int, seed: int, shape: Shape = SHAPE
) -> Iterator[Run]:
    """A log of its own with a ready worker, and `count` orders encoded to be placed; all gone at the end of the `with`.

    Nothing was received yet.
    """
    workload = make(workload_name, count, seed, shape)
    with tempfile.TemporaryDirectory(prefix="smokehouse-bench-") as scratch:
        folder = Path(scratch)
        settings = log_on(broker, folder)
        peer.prepare(settings)
        arguments = [settings.bootstrap, settings.prefix, peer.name, workload_name, str(count), str(seed)]
        with (
            PythonChild(["-m", "bench.load", *arguments, json.dumps(shape)], folder / "load.log", talks=True) as load,
            peer.start(settings, folder) as worker,
            contextlib.closing(Decisions(settings, peer)) as decisions,
        ):
            load.answer()  # everything is encoded
            yield Run(peer, settings, broker, load, worker, decisions, workload)


def log_on(broker: RunningBroker, home: Path) -> Settings:
    """Settings of a log that nobody else has: a prefix of its own. No topic is made yet."""
    return Settings(
        home=home, bootstrap=broker.address, api="127.0.0.1:1", demo=False, prefix=f"b{uuid.uuid4().hex[:8]}-",
        embedded=broker.kind == "embedded",
    )  # fmt: skip


class Steady(NamedTuple):
    """Placed -> decision readable at a rate, and what it cost the worker; None: not measured."""

    p50_ms: float | None
    p99_ms: float | None
    cpu_s_per_1000: float | None


class Run:
    """A round under way. `workers` are looked after and paid for: who starts another one puts it there."""

    def __init__(
        self,
        peer: LogPeer,
        settings: Settings,
        broker: RunningBroker,
        load: PythonChild,
        worker: Child,
        decisions: Decisions,
        workload: Workload,
    ) -> None:
        self.settings, self.workload, self.decisions = settings, workload, decisions
        self.workers = [worker]
        self._peer, self._broker, self._load = peer, broker, load
        self._ids = [order.order_id for order in workload.orders]

    @property
    def confirmed(self) -> int:
        return sum(x.confirmed for x in self.decisions.answers.said.values())

    def cpu(self) -> tuple[float, float, float, float]:
        """Of the workers, broker, load and ourselves (the reader of decisions)."""
        return (
            sum(cpu_seconds(worker.pid) for worker in self.workers), cpu_seconds(self._broker.pid),
            cpu_seconds(self._load.pid), time.process_time(),
        )  # fmt: skip

    def expect_alive(self) -> None:
        for worker in self.workers:
            worker.expect_alive()

    def receive(self, seconds: float = SETTLE_SECONDS) -> None:
        """The stock, all of it; `TooLate` if the peer has not committed it after so many seconds."""
        if self._load.ask({"do": "stock"})["unacknowledged"]:
            raise BenchError("the stock was not taken by the broker")
        self.settle(seconds)

    def tell(self, first: int, count: int, rate: float) -> None:
        """Orders `first` to `first + count` are placed while we go on: `decided` waits for them."""
        self._load.tell({"do": "place", "first": first, "count": count, "rate": rate})

    def decided(self, until: int, seconds: float) -> list[int]:
        """Every decision up to order `until`; answers when each order last told was produced (ns since 1970)."""
        self.decisions.read_until(until, seconds, self.expect_alive)
        answer = self._load.answer()
        if answer["unacknowledged"]:
            raise BenchError(f"{answer['unacknowledged']} orders were not taken by the broker")
        return answer["times_ns"]

    def place(self, first: int, count: int, rate: float) -> list[int]:
        """Both: when each order was produced, once all of them are decided."""
        self.tell(first, count, rate)
        return self.decided(first + count, max(BURST_SECONDS_MIN, count / SLOWEST_ORDERS_S))

    def late_ms(self, first: int, times_ns: list[int]) -> list[float]:
        """Of orders from `first` on, placed at these times: how long after it each decision could be read."""
        ids = self._ids[first : first + len(times_ns)]
        return [(self.decisions.seen_ns[i] - t) / 1e6 for i, t in zip(ids, times_ns, strict=True)]

    def steady(self, first: int, count: int, rate: float) -> Steady:
        """Orders at a rate, until they are committed; CPU until the last is decided."""
        before = self.cpu()[0]
        times = self.place(first, count, rate)
        spent = self.cpu()[0] - before
        p50_ms, p99_ms = p50_and_p99(self.late_ms(first, times))
        self.settle()
        return Steady(p50_ms, p99_ms, spent * 1000 / count)

    def burst(self, first: int, count: int) -> float:
        """All at once: seconds from the first produce until the last decision could be read."""
        times = self.place(first, count, 0)
        return (max(self.decisions.seen_ns[i] for i in self._ids[first : first + count]) - times[0]) / 1e9

    def check(self) -> str:
        """What was wrong first, or "ok", once all orders are placed and settled."""
        self.decisions.read_rest()
        time.sleep(VIEWS_SECONDS)
        return judge(self.workload, self.decisions.answers, self._peer.levels(self.settings))

    def settle(self, seconds: float = SETTLE_SECONDS) -> None:
        """Until the peer's group has committed the ends of its inputs; `TooLate` after so many seconds."""
        consumer = open_consumer(self.settings, {"group.id": self._peer.group(self.settings)})
        prefix = self.settings.prefix
        try:
            until = time.monotonic() + seconds
            while True:
                found_ends = {t: last_offsets(self.settings, t) for t in self._peer.inputs}
                ends = {(prefix + t, p): end for t, of in found_ends.items() for p, end in of.items()}
                found = consumer.committed([TopicPartition(t, p) for t, p in ends], timeout=10)
                behind = {(x.topic, x.partition) for x in found if max(x.offset, 0) < ends[x.topic, x.partition]}
                if not behind:
                    return
                self.expect_alive()
                if time.monotonic() > until:
                    raise TooLate(f"{self._peer.name}: not committed after {seconds:.0f} s: {sorted(behind)}")
                time.sleep(0.1)
        finally:
            consumer.close()
