"""What the transport has seen since the process started."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Counters:
    records_read: int = 0
    records_dropped: int = 0  # read, but not ours any more, paused, or read again after a seek
    batches: int = 0  # Faust messages: records_read / batches is the batch size
    holes: int = 0
    rebalances: int = 0
    commits: int = 0
    commits_refused: int = 0
