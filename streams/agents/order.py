"""The order agent's step: one record of the order log -> rows to put and records to send.

Reads only the record, the rows of its partition and the state of the log; what an order may do is in `tables.orders`.
Guarantees: pure; a record changes one order's row, or one rule's; a tick changes none, it wakes the orders whose
deadline has come.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tables import log, orders, pruning, rules
from tables import records as r
from tables.outcome import At, Outcome, View
from tables.rows import PARTITION_KEY, PartitionRow


def step(view: View, record: Any, at: At, state: PartitionRow) -> Outcome:
    """Apply one record of the order log."""
    return _HANDLE[type(record)](view, record, at, state)


def _tick(view: View, record: r.Tick, at: At, state: PartitionRow) -> Outcome:
    state = log.tick(record, at, state)
    return Outcome(rows={PARTITION_KEY: state}, sends=log.wake(view, at, state))


def _tick_continued(view: View, record: r.TickContinued, at: At, state: PartitionRow) -> Outcome:
    return Outcome(sends=log.wake(view, at, state))


_HANDLE: dict[type, Callable[[View, Any, At, PartitionRow], Outcome]] = {
    **dict.fromkeys(orders.ORDER_RECORDS, orders.step),
    r.Tick: _tick,
    r.TickContinued: _tick_continued,
    r.Prune: pruning.prune,
    r.ChannelSet: rules.channel_set,
    r.KitSet: rules.kit_set,
    r.LogicVersionSet: lambda view, record, at, state: log.logic_version_set(record, at, state),
}
