"""A round of a peer that answers its caller: a server of its own, and one process that asks over 8 connections.

Guarantees: the same phases as on a log (warm up, steady rate, all at once); CPU is that of the server and the callers
together; the check reads the server's own ledger, in its sequence, and compares it with what the callers were told.
Does not belong here: what the server is asked (`redis_lua`, `postgres`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from bench.children import PythonChild
from bench.decided import Answers, judge
from bench.machine import busy_between, cpu_seconds, look
from bench.measured import Measured, Size, p50_and_p99
from bench.peers.peer import Decision
from bench.workload import Order, WorkloadName, make, one_at_a_time

CONNECTIONS = 8


class Server(NamedTuple):
    """A server that answers. `address` is what its clients want."""

    pid: int
    address: str


class Line(Protocol):
    """A connection with one call in flight."""

    def fileno(self) -> int: ...

    def send(self, calls: Sequence[Any]) -> None: ...

    def receive(self) -> list[bool] | None:
        """Confirmed or not, for each order of the call; None: not all of it is there."""


class CalledPeer(ABC):
    """`per_call` orders go into one call at most."""

    name: str
    per_call = 1

    @abstractmethod
    def missing(self) -> str: ...

    @abstractmethod
    def server(self, folder: Path) -> AbstractContextManager[Server]:
        """A fresh one, gone at the end of its `with`."""

    @abstractmethod
    def fill(self, address: str, received: dict[str, int]) -> None:
        """The stock, and what is needed to decide."""

    @abstractmethod
    def call(self, order: Order) -> Any:
        """An order as `Line.send` takes it."""

    @abstractmethod
    def lines(self, address: str, count: int) -> list[Line]: ...

    @abstractmethod
    def ledger(self, address: str) -> list[Decision]:
        """Every decision, in the sequence in which the server made them."""

    @abstractmethod
    def levels(self, address: str) -> dict[str, int]:
        """Units left per SKU."""

    def run(
        self, workload_name: WorkloadName, size: Size, seed: int, folder: Path, say: Callable[[str], None]
    ) -> Measured:
        workload = make(workload_name, size.all, seed)
        with self.server(folder) as server:
            self.fill(server.address, workload.received)
            arguments = ["-m", "bench.callers", self.name, server.address, workload_name, str(size.all), str(seed)]
            with PythonChild(arguments, folder / "callers.log", talks=True) as callers:
                callers.answer()  # everything is encoded

                def cpu() -> float:
                    return cpu_seconds(server.pid) + cpu_seconds(callers.pid)

                def place(first: int, count: int, rate: float) -> Any:
                    return callers.ask({"do": "place", "first": first, "count": count, "rate": rate})

                place(0, size.warm_up, 0)
                p50_ms = p99_ms = steady_cpu = None
                if size.steady:
                    say("steady rate")
                    ours = cpu()
                    found = place(size.warm_up, size.steady, size.rate)
                    steady_cpu = (cpu() - ours) * 1000 / size.steady
                    pairs = zip(found["times_ns"], found["seen_ns"], strict=True)
                    p50_ms, p99_ms = p50_and_p99([(seen - due) / 1e6 for due, seen in pairs])
                say("all at once")
                before, ours = look(), cpu()
                found = place(size.warm_up + size.steady, size.burst, 0)
                used, after = cpu() - ours, look()
                seconds = (max(found["seen_ns"]) - found["times_ns"][0]) / 1e9
                told = callers.ask({"do": "answers"})
            answers = agreed([order.order_id for order in workload.orders], told, self.ledger(server.address))
            check = judge(workload, answers, self.levels(server.address))
        return Measured(
            cpu_s_per_1000=used * 1000 / size.burst, broker_cpu_s_per_1000=None, clients_cpu_s_per_1000=None,
            all_cpu_s_per_1000=used * 1000 / size.burst, orders_s=size.burst / seconds, settled_s=0.0,
            p50_ms=p50_ms, p99_ms=p99_ms, steady_cpu_s_per_1000=steady_cpu, confirmed=sum(told),
            confirmed_one_at_a_time=len(one_at_a_time(workload)), check=check,
            **busy_between(before, after, used)._asdict(),
        )  # fmt: skip


def agreed(order_ids: list[str], told: list[bool], ledger: list[Decision]) -> Answers:
    """The ledger's decisions; where a caller was told something else, both are in it: `twice`."""
    said = {decision.order_id: decision for decision in ledger}
    pairs = zip(order_ids, told, strict=True)
    twice = [order_id for order_id, yes in pairs if order_id in said and said[order_id].confirmed != yes]
    return Answers(said, twice, [decision.order_id for decision in ledger])
