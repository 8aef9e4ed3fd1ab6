"""What the bench asks of a peer: of one that lives on a log, and of one that answers its caller.

Does not belong here: how a round is measured.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple, Protocol

from confluent_kafka.admin import AdminClient, NewTopic

from bench.children import Child
from bench.measured import Measured, Size
from bench.workload import Order, WorkloadName
from streams.settings import Settings, client_config

READY_SECONDS = 90.0
TOPIC_SECONDS = 30.0


class Decision(NamedTuple):
    """What a peer said about an order. `units` per SKU are those it gave."""

    order_id: str
    confirmed: bool
    units: dict[str, int]


class Peer(Protocol):
    name: str

    def missing(self) -> str:
        """Why it cannot run here and what to install, as one line; empty if it can."""
        return ""


class LogPeer(Peer, Protocol):
    """On a broker; `bench.round` measures it. Topics are named without the prefix of the settings."""

    orders: str  # topic the orders go to, by order id
    stock: str  # topic the stock goes to, by SKU
    decisions: str  # topic the decisions are read from
    inputs: tuple[str, ...]  # topics whose ends the group must have committed when all is done

    def prepare(self, settings: Settings) -> None:
        """Make the topics."""

    def key(self, name: str) -> bytes:
        """Key of a record about this order id or SKU."""
        return name.encode()

    def start(self, settings: Settings, folder: Path) -> AbstractContextManager[Child]:
        """Its worker process: reads every partition, or will without being asked; gone at the end of its `with`."""

    def group(self, settings: Settings) -> str:
        """Its consumer group."""

    def order(self, order: Order) -> bytes: ...

    def receipt(self, sku: str, units: int) -> list[bytes]:
        """What the stock topic needs so that the SKU has these units."""

    def decision(self, value: bytes) -> Decision: ...

    def levels(self, settings: Settings) -> dict[str, int]:
        """Units left per SKU, as the peer itself has them when all is done."""


class AlonePeer(Peer, Protocol):
    """Without a log: it runs its own round, with the same phases."""

    def run(
        self, workload_name: WorkloadName, size: Size, seed: int, folder: Path, say: Callable[[str], None]
    ) -> Measured: ...


def make_topics(settings: Settings, topics: Sequence[NewTopic]) -> None:
    admin = AdminClient(client_config(settings))  # named: a client that nobody holds ends, and its futures fail
    for future in admin.create_topics(list(topics)).values():
        future.result(TOPIC_SECONDS)
