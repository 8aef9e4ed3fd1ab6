"""The stock agent's step: one record of the stock log -> rows to put and records to send.

Reads only the record, the rows of its partition and the state of the log; everything else about stock is in
`tables.reservations`, `tables.facts`, `tables.expiry`. Guarantees: pure; says the same again when a record comes again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tables import expiry, facts, log, pruning, reservations, rules
from tables import records as r
from tables.outcome import At, Outcome, View
from tables.rows import PartitionRow


def step(view: View, record: Any, at: At, state: PartitionRow) -> Outcome:
    """Apply one record of the stock log."""
    return _HANDLE[type(record)](view, record, at, state)


_HANDLE: dict[type, Callable[[View, Any, At, PartitionRow], Outcome]] = {
    r.Reserve: reservations.reserve,
    r.Move: reservations.move,
    r.Hold: reservations.hold,
    r.Allocate: reservations.allocate,
    r.Backorder: reservations.backorder,
    r.Release: reservations.release,
    **dict.fromkeys(facts.FACTS, facts.apply),
    r.ChannelSet: rules.channel_set,
    r.Tick: expiry.tick,
    r.TickContinued: expiry.tick_continued,
    r.Prune: pruning.prune,
    r.LogicVersionSet: lambda view, record, at, state: log.logic_version_set(record, at, state),
}
