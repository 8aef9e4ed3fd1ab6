"""Whether a log and the rows of its partition belong together: asked before anything of the log is applied.

Reads the bounds and the first record of a log. Guarantees: a log that is another one, that ends before what the rows
have seen, or that begins after what they need is named as such. Does not belong here: what then happens (`owner`).
"""

from __future__ import annotations

import time

from streams.partition import Role
from streams.reader import Follower, ReadError, bounds
from streams.settings import Settings
from tables import records as r
from tables.outcome import INDEX_BITS
from tables.rows import PartitionRow

FIRST_RECORD_SECONDS = 10.0


def misfit(
    settings: Settings, role: Role, partition: int, state: PartitionRow | None, committed: int | None
) -> tuple[int, str]:
    """The log's first offset, and why this log and these rows do not belong together ("" if they do)."""
    low, end = bounds(settings, role.topic, [partition])[partition]
    needed = 0 if state is None else (state.at >> INDEX_BITS) + 1
    why = ""
    if (committed or 0) > needed:
        why = f"offset {committed} is committed, but the changelog ends at {needed}: rows are missing"
    elif needed > end:
        why = f"the log regressed: it ends at {end}, these rows have seen offset {needed - 1}"
    elif low > (committed or 0):
        why = f"the log starts at {low}, records from {committed or 0} on are needed"
    elif state is not None and low == 0 and end > 0:
        found = _first_record(settings, role, partition)
        if isinstance(found, r.LogOpened) and found.log_id != state.log_id:
            why = f"the log regressed: it is log {found.log_id}, these rows belong to log {state.log_id}"
    return low, why


def _first_record(settings: Settings, role: Role, partition: int) -> object:
    follower = Follower(settings, {(role.topic, partition): 0}, {role.topic: True})
    try:
        until = time.monotonic() + FIRST_RECORD_SECONDS
        while time.monotonic() < until:
            batch = follower.poll(0.2)
            if batch:
                return role.codec.items(batch[0].value())[0]
    finally:
        follower.close()
    raise ReadError(f"{role.topic}[{partition}]: its first record cannot be read")
