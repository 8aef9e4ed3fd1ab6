"""What the topics say about recommendations and plans as they stand, for the commands that decide.

Reads `reorders` and `planning` to their ends; writes nothing but a line on stderr for each plan that is unreadable.
Raises `ReadError`. Does not belong here: what is shown, what is written.
"""

from __future__ import annotations

from forecasting.decisions import Key, Recommended, recommended
from forecasting.planning import PLANNING as CODEC
from forecasting.planning import key_of
from streams.commands.output import say
from streams.commands.published import read_partition
from streams.reader import is_contiguous, partitions_of, read_to_end
from streams.settings import Settings
from streams.topics import PLANNING, REORDERS
from tables import records as r
from tables.codec import Unreadable


def plans(settings: Settings) -> dict[str, r.PlanningRecord]:
    """By key the newest record; the order is that in which keys were first told."""
    found: dict[str, r.PlanningRecord] = {}
    contiguous = is_contiguous(settings, PLANNING.name)
    for batch in read_to_end(settings, PLANNING.name, contiguous=contiguous):
        for message in batch:
            if message.value() is None:
                found.pop((message.key() or b"").decode(errors="replace"), None)
                continue
            try:
                record = CODEC.read(message.value())
            except Unreadable as unreadable:
                say(f"planning offset {message.offset()} is unreadable and left out: {unreadable}")
            else:
                found[key_of(record)] = record
    return found


def decisions(settings: Settings) -> dict[str, r.ReorderDecision]:
    return {key: record for key, record in plans(settings).items() if isinstance(record, r.ReorderDecision)}


def recommendations(settings: Settings) -> dict[Key, Recommended]:
    """The newest of every SKU and location, the most urgent first."""
    said = [
        x.record
        for partition in partitions_of(settings, REORDERS.name)
        for x in read_partition(settings, REORDERS, r.Reorder, partition)
        if isinstance(x.record, r.Reorder)
    ]
    return recommended(said, decisions(settings))
