"""Reads decisions as they come, without a group, and judges them when all are there.

Guarantees: the check knows nothing of the peer but its decisions and the levels it shows at the end. Does not belong
here: clocks and CPU.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

from bench.children import BenchError
from bench.peers.peer import Decision, Peer
from bench.workload import Workload, summed
from streams.reader import Follower, bounds
from streams.settings import Settings

POLL_SECONDS = 0.05


class Decisions:
    """All decisions of one round."""

    def __init__(self, settings: Settings, peer: Peer) -> None:
        self.seen_ns: dict[str, int] = {}  # order id -> when its decision could be read
        self.said: dict[str, Decision] = {}
        self.twice: list[str] = []  # orders with two different decisions
        self._peer = peer
        places = {(peer.decisions, p): low for p, (low, _) in bounds(settings, peer.decisions).items()}
        self._follower = Follower(settings, places, {peer.decisions: True})

    def read_until(self, count: int, seconds: float, alive: Callable[[], None]) -> None:
        """Until `count` orders are decided in all; `BenchError` after `seconds`."""
        until = time.monotonic() + seconds
        while len(self.said) < count:
            messages = self._follower.poll(POLL_SECONDS)
            now = time.time_ns()
            for message in messages:
                self._note(self._peer.decision(message.value()), now)
            if not messages:
                alive()
                if time.monotonic() > until:
                    done = f"{len(self.said)} of {count} orders"
                    raise BenchError(f"{self._peer.name}: {done} decided in {seconds:.0f} s")

    def read_rest(self) -> None:
        """What was said more than once."""
        while messages := self._follower.poll(4 * POLL_SECONDS):
            for message in messages:
                self._note(self._peer.decision(message.value()), time.time_ns())

    def close(self) -> None:
        self._follower.close()

    def _note(self, decision: Decision, now: int) -> None:
        known = self.said.get(decision.order_id)
        if known is None:
            self.said[decision.order_id] = decision
            self.seen_ns[decision.order_id] = now
        elif known != decision:
            self.twice.append(decision.order_id)


def judge(workload: Workload, decisions: Decisions, levels: dict[str, int]) -> str:
    """What was wrong first, or "ok": every order decided once and whole, nothing sold that was not there or lost."""
    if decisions.twice:
        return f"{len(decisions.twice)} orders with two decisions, the first is {decisions.twice[0]}"
    sold: Counter[str] = Counter()
    for order in workload.orders:
        said = decisions.said.get(order.order_id)
        if said is None:
            return f"order {order.order_id} is not decided"
        if said.confirmed and said.units != summed(order):
            return f"order {order.order_id} was confirmed with {said.units}, not {summed(order)}"
        sold.update(said.units)
    if len(decisions.said) != len(workload.orders):
        return f"{len(decisions.said)} decisions for {len(workload.orders)} orders"
    for sku, received in workload.received.items():
        if sold[sku] > received:
            return f"{sku}: {sold[sku]} units confirmed, {received} received"
        if levels.get(sku) != received - sold[sku]:
            return f"{sku}: {levels.get(sku)} units left, {received} received and {sold[sku]} confirmed"
    return "ok"
