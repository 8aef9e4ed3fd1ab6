"""What a round is and what it shows: the same for a peer on a log and for one that answers its caller.

Does not belong here: measuring, medians (`report`).
"""

from __future__ import annotations

from typing import NamedTuple

from msgspec import Struct


class Size(NamedTuple):
    """Orders per phase; `rate` a second in the steady one."""

    warm_up: int
    steady: int
    rate: float
    burst: int

    @property
    def all(self) -> int:
        return self.warm_up + self.steady + self.burst


class Measured(Struct, frozen=True, kw_only=True):
    """What one round showed. CPU seconds are per 1,000 orders of the burst.

    `cpu` is of what decides: a worker without the broker, or a server with its callers. `clients` place and read the
    decisions of a peer on a log; the callers of a server do both. `all` is the sum.
    """

    cpu_s_per_1000: float
    broker_cpu_s_per_1000: float | None
    clients_cpu_s_per_1000: float | None
    all_cpu_s_per_1000: float
    orders_s: float
    settled_s: float  # from the last decision until everything was committed
    p50_ms: float | None
    p99_ms: float | None
    steady_cpu_s_per_1000: float | None
    confirmed: int
    confirmed_one_at_a_time: int
    load_1m: float
    busy_cores: float
    steal_cores: float
    others_cores: float  # used by processes that are not the bench's
    check: str


def p50_and_p99(late_ms: list[float]) -> tuple[float, float]:
    ordered = sorted(late_ms)
    return ordered[len(ordered) // 2], ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)]
