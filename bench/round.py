"""One round of a peer on a log: warm up, a steady rate for latency, then everything at once for throughput and CPU.

Guarantees: a log of its own (a fresh embedded broker, or a fresh prefix on Apache Kafka, whose JVM stays warm); the
clock of a burst runs from its first produce until the last decision could be read; CPU is counted until the peer has
committed everything, so work put off until after the last decision is paid too. Does not belong here: which rounds run.
"""

from __future__ import annotations

import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from confluent_kafka import TopicPartition

from bench.children import BenchError, Child, PythonChild
from bench.decided import Decisions, judge
from bench.machine import busy_between, cpu_seconds, look
from bench.measured import Measured, Size, p50_and_p99
from bench.peers.peer import LogPeer
from bench.workload import WorkloadName, make, one_at_a_time
from streams.brokers.process import RunningBroker
from streams.ends import last_offsets, open_consumer
from streams.settings import Settings

SETTLE_SECONDS = 60.0
BURST_SECONDS_MIN = 120.0
SLOWEST_ORDERS_S = 50.0  # below it a burst counts as stuck


def measure(
    peer: LogPeer, workload_name: WorkloadName, broker: RunningBroker, size: Size, seed: int, say: Callable[[str], None]
) -> Measured:
    """Run one round. `BenchError` if the peer does not get through."""
    workload = make(workload_name, size.all, seed)
    with tempfile.TemporaryDirectory(prefix="smokehouse-bench-") as scratch:
        folder = Path(scratch)
        settings = Settings(
            home=folder, bootstrap=broker.address, api="127.0.0.1:1", demo=False, prefix=f"b{uuid.uuid4().hex[:8]}-",
            embedded=broker.kind == "embedded",
        )  # fmt: skip
        peer.prepare(settings)
        arguments = [settings.bootstrap, settings.prefix, peer.name, workload_name, str(size.all), str(seed)]
        with (
            PythonChild(["-m", "bench.load", *arguments], folder / "load.log", talks=True) as load,
            peer.start(settings, folder) as worker,
        ):
            load.answer()  # everything is encoded
            decisions = Decisions(settings, peer)
            try:
                run = _Run(peer, settings, broker, load, worker, decisions, [o.order_id for o in workload.orders])
                load.ask({"do": "stock"})
                run.settle()
                run.place(0, size.warm_up, 0)
                run.settle()
                say("steady rate")
                p50_ms, p99_ms, steady_cpu = run.steady(size)
                say("all at once")
                before, ours = look(), run.cpu()
                seconds = run.burst(size)
                decided = time.monotonic()
                run.settle()
                settled_s = time.monotonic() - decided
                after, used = look(), run.cpu()
                decisions.read_rest()
                time.sleep(0.3)  # published levels may be 100 ms late
                check = judge(workload, decisions.answers, peer.levels(settings))
            finally:
                decisions.close()
    of_worker, of_broker, of_load, of_reader = (end - start for start, end in zip(ours, used, strict=True))
    all_ours = sum(used) - sum(ours)
    return Measured(
        cpu_s_per_1000=of_worker * 1000 / size.burst, broker_cpu_s_per_1000=of_broker * 1000 / size.burst,
        clients_cpu_s_per_1000=(of_load + of_reader) * 1000 / size.burst,
        all_cpu_s_per_1000=all_ours * 1000 / size.burst,
        orders_s=size.burst / seconds, settled_s=settled_s, p50_ms=p50_ms, p99_ms=p99_ms,
        steady_cpu_s_per_1000=steady_cpu,
        confirmed=sum(x.confirmed for x in decisions.answers.said.values()),
        confirmed_one_at_a_time=len(one_at_a_time(workload)),
        check=check, **busy_between(before, after, all_ours)._asdict(),
    )  # fmt: skip


class _Run:
    def __init__(
        self,
        peer: LogPeer,
        settings: Settings,
        broker: RunningBroker,
        load: PythonChild,
        worker: Child,
        decisions: Decisions,
        ids: list[str],
    ) -> None:
        self._peer, self._settings, self._broker = peer, settings, broker
        self._load, self._worker, self._decisions = load, worker, decisions
        self._ids = ids

    def cpu(self) -> tuple[float, float, float, float]:
        """Of worker, broker, load and ourselves (the reader of decisions)."""
        return (
            cpu_seconds(self._worker.pid), cpu_seconds(self._broker.pid), cpu_seconds(self._load.pid),
            time.process_time(),
        )  # fmt: skip

    def place(self, first: int, count: int, rate: float) -> list[int]:
        """Orders `first` to `first + count`, and every decision; answers when each was produced (ns since 1970)."""
        question = {"do": "place", "first": first, "count": count, "rate": rate}
        self._load.tell(question)
        wait = max(BURST_SECONDS_MIN, count / SLOWEST_ORDERS_S)
        self._decisions.read_until(first + count, wait, self._worker.expect_alive)
        answer = self._load.answer()
        if answer["unacknowledged"]:
            raise BenchError(f"{answer['unacknowledged']} orders were not taken by the broker")
        return answer["times_ns"]

    def steady(self, size: Size) -> tuple[float | None, float | None, float | None]:
        """p50 and p99 in ms, CPU-s per 1,000 orders at the steady rate."""
        if not size.steady:
            return None, None, None
        before = self.cpu()
        ids = self._ids[size.warm_up : size.warm_up + size.steady]
        times = self.place(size.warm_up, size.steady, size.rate)
        spent = self.cpu()[0] - before[0]
        p50_ms, p99_ms = p50_and_p99([(self._decisions.seen_ns[i] - t) / 1e6 for i, t in zip(ids, times, strict=True)])
        self.settle()
        return p50_ms, p99_ms, spent * 1000 / size.steady

    def burst(self, size: Size) -> float:
        """Seconds from the first produce until the last decision could be read."""
        first = size.warm_up + size.steady
        ids = self._ids[first:]
        times = self.place(first, size.burst, 0)
        return (max(self._decisions.seen_ns[i] for i in ids) - times[0]) / 1e9

    def settle(self) -> None:
        """Until the peer's group has committed the ends of its inputs."""
        consumer = open_consumer(self._settings, {"group.id": self._peer.group(self._settings)})
        prefix = self._settings.prefix
        try:
            until = time.monotonic() + SETTLE_SECONDS
            while True:
                found_ends = {t: last_offsets(self._settings, t) for t in self._peer.inputs}
                ends = {(prefix + t, p): end for t, of in found_ends.items() for p, end in of.items()}
                found = consumer.committed([TopicPartition(t, p) for t, p in ends], timeout=10)
                behind = {(x.topic, x.partition) for x in found if max(x.offset, 0) < ends[x.topic, x.partition]}
                if not behind:
                    return
                self._worker.expect_alive()
                if time.monotonic() > until:
                    raise BenchError(f"{self._peer.name}: not committed after {SETTLE_SECONDS:.0f} s: {sorted(behind)}")
                time.sleep(0.1)
        finally:
            consumer.close()
