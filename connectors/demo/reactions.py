"""Who does something about what the pipeline published: one list each for order documents and alerts. Pure.

Does not belong here: what they do.
"""

from __future__ import annotations

from collections.abc import Iterator

from connectors.demo import bank, counting, fulfilment, returns
from connectors.demo.action import Action
from connectors.demo.world import Errand, World
from tables import records as r


def to_order(world: World, status: r.OrderStatus) -> Iterator[Action | Errand]:
    """May be called with every document of an order: what was planned for it once is not planned again."""
    for desk in (fulfilment.begin, bank.answer, returns.begin):
        yield from desk(world, status)


def to_alert(world: World, alert: r.Alert) -> Iterator[Action | Errand]:
    yield from counting.recount(world, alert)
