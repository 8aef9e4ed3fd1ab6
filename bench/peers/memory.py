"""In-memory Python: the reference itself, in this process. No server, no log, nothing kept: the price of the rule.

Does not belong here: the rule (`bench.workload.Reference`).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from bench.decided import Answers, judge
from bench.machine import busy_between, look
from bench.measured import Measured, Size, p50_and_p99
from bench.peers.peer import AlonePeer, Decision
from bench.workload import Reference, WorkloadName, make, one_at_a_time, summed


class MemoryPeer(AlonePeer):
    name = "memory"
    shop = Reference

    def run(
        self, workload_name: WorkloadName, size: Size, seed: int, folder: Path, say: Callable[[str], None]
    ) -> Measured:
        workload = make(workload_name, size.all, seed)
        shop = self.shop(workload.received)
        first = size.warm_up + size.steady
        late: list[float] = []
        said: list[bool] = []
        for order in workload.orders[:first]:
            began = time.perf_counter_ns()
            said.append(shop.decide(order))
            late.append((time.perf_counter_ns() - began) / 1e6)
        before, ours, began_s = look(), time.process_time(), time.perf_counter()
        said.extend([shop.decide(order) for order in workload.orders[first:]])
        seconds, used, after = time.perf_counter() - began_s, time.process_time() - ours, look()
        decisions = {
            order.order_id: Decision(order.order_id, yes, summed(order) if yes else {})
            for order, yes in zip(workload.orders, said, strict=True)
        }
        p50_ms, p99_ms = p50_and_p99(late[size.warm_up :]) if size.steady else (None, None)
        return Measured(
            cpu_s_per_1000=used * 1000 / size.burst, broker_cpu_s_per_1000=None, clients_cpu_s_per_1000=None,
            all_cpu_s_per_1000=used * 1000 / size.burst, orders_s=size.burst / seconds, settled_s=0.0,
            p50_ms=p50_ms, p99_ms=p99_ms, steady_cpu_s_per_1000=None, confirmed=sum(said),
            confirmed_one_at_a_time=len(one_at_a_time(workload)), **busy_between(before, after, used)._asdict(),
            check=judge(workload, Answers(decisions, [], [x.order_id for x in workload.orders]), shop.left),
        )  # fmt: skip
