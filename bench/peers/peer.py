"""What the bench asks of a peer that lives on a broker.

Does not belong here: how a round is measured.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, Protocol

from bench.children import PythonChild
from bench.workload import Order
from streams.settings import Settings

READY_SECONDS = 90.0


class Decision(NamedTuple):
    """What a peer said about an order. `units` per SKU are those it gave."""

    order_id: str
    confirmed: bool
    units: dict[str, int]


class Peer(Protocol):
    """Topics are named without the prefix of the settings."""

    name: str
    orders: str  # topic the orders go to, by order id
    stock: str  # topic the stock goes to, by SKU
    decisions: str  # topic the decisions are read from
    inputs: tuple[str, ...]  # topics whose ends the group must have committed when all is done

    def prepare(self, settings: Settings) -> None:
        """Make the topics."""

    def start(self, settings: Settings, folder: Path) -> PythonChild:
        """Start the worker process; returns when it reads every partition."""

    def group(self, settings: Settings) -> str:
        """Its consumer group."""

    def order(self, order: Order) -> bytes: ...

    def receipt(self, sku: str, units: int) -> list[bytes]:
        """What the stock topic needs so that the SKU has these units."""

    def decision(self, value: bytes) -> Decision: ...

    def levels(self, settings: Settings) -> dict[str, int]:
        """Units left per SKU, as the peer itself has them when all is done."""
