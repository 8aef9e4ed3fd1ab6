"""Reads decisions as they come, without a group, and judges them when all are there.

Guarantees: the check knows nothing of the peer but its decisions and the levels it shows at the end. Does not belong
here: clocks and CPU.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from confluent_kafka import Message

from bench.children import TooLate
from bench.peers.peer import Decision, LogPeer
from bench.workload import Workload, one_at_a_time, summed
from streams.reader import Follower, bounds
from streams.settings import Settings

POLL_SECONDS = 0.05


@dataclass
class Answers:
    """What a peer said: by order id; orders with two different answers; and, if it decides one order after the other
    and shows it, the ids in that sequence."""

    said: dict[str, Decision] = field(default_factory=dict)
    twice: list[str] = field(default_factory=list)
    sequence: list[str] | None = None


class Decisions:
    """All decisions of one round. One partition holds them in sequence."""

    def __init__(self, settings: Settings, peer: LogPeer) -> None:
        self.seen_ns: dict[str, int] = {}  # order id -> when its decision could be read
        self.places: dict[str, tuple[int, int]] = {}  # order id -> partition and offset of its decision
        self.repeated = 0  # decisions that were there before, word for word
        self._peer = peer
        places = {(peer.decisions, p): low for p, (low, _) in bounds(settings, peer.decisions).items()}
        self.answers = Answers(sequence=[] if len(places) == 1 else None)
        self._follower = Follower(settings, places, {peer.decisions: True})

    def read_until(self, count: int, seconds: float, alive: Callable[[], None]) -> None:
        """Until `count` orders are decided in all; `BenchError` after `seconds`."""
        until = time.monotonic() + seconds
        while len(self.answers.said) < count:
            messages = self._follower.poll(POLL_SECONDS)
            now = time.time_ns()
            for message in messages:
                self._note(message, now)
            if not messages:
                alive()
                if time.monotonic() > until:
                    done = f"{len(self.answers.said)} of {count} orders"
                    raise TooLate(f"{self._peer.name}: {done} decided in {seconds:.0f} s")

    def read_rest(self) -> None:
        """What was said more than once."""
        while messages := self._follower.poll(4 * POLL_SECONDS):
            for message in messages:
                self._note(message, time.time_ns())

    def close(self) -> None:
        self._follower.close()

    def _note(self, message: Message, now: int) -> None:
        decision = self._peer.decision(message.value())
        known = self.answers.said.get(decision.order_id)
        if known is None:
            self.answers.said[decision.order_id] = decision
            self.seen_ns[decision.order_id] = now
            self.places[decision.order_id] = (message.partition(), message.offset())
            if self.answers.sequence is not None:
                self.answers.sequence.append(decision.order_id)
        elif known != decision:
            self.answers.twice.append(decision.order_id)
        else:
            self.repeated += 1


def judge(workload: Workload, answers: Answers, levels: dict[str, int]) -> str:
    """What was wrong first, or "ok": every order decided once and whole, nothing sold that was not there or lost; a
    peer with a sequence has said to each order what the reference says that decides one at a time in that sequence."""
    if answers.twice:
        return f"{len(answers.twice)} orders with two decisions, the first is {answers.twice[0]}"
    sold: Counter[str] = Counter()
    for order in workload.orders:
        said = answers.said.get(order.order_id)
        if said is None:
            return f"order {order.order_id} is not decided"
        if said.confirmed and said.units != summed(order):
            return f"order {order.order_id} was confirmed with {said.units}, not {summed(order)}"
        sold.update(said.units)
    if len(answers.said) != len(workload.orders):
        return f"{len(answers.said)} decisions for {len(workload.orders)} orders"
    for sku, received in workload.received.items():
        if sold[sku] > received:
            return f"{sku}: {sold[sku]} units confirmed, {received} received"
        if levels.get(sku) != received - sold[sku]:
            return f"{sku}: {levels.get(sku)} units left, {received} received and {sold[sku]} confirmed"
    return "ok" if answers.sequence is None else _compare(workload, answers, answers.sequence)


def _compare(workload: Workload, answers: Answers, sequence: list[str]) -> str:
    """With the reference, order by order."""
    orders = {order.order_id: order for order in workload.orders}
    if len(sequence) != len(orders):
        return f"a sequence of {len(sequence)} decisions for {len(orders)} orders"
    right = one_at_a_time(Workload([orders[x] for x in sequence], workload.received))
    for order_id in sequence:
        if answers.said[order_id].confirmed != (order_id in right):
            said = "confirmed" if answers.said[order_id].confirmed else "rejected"
            return f"order {order_id} was {said}, one at a time it would not be"
    return "ok"
