"""Whether the two logs are open. Reads where they end; writes nothing.

A log's first record in every partition is `log_opened`; a record of ours ahead of it would spoil the log for good.
"""

from __future__ import annotations

from streams import reader
from streams.settings import Settings
from streams.topics import LOGS


def require_open_logs(settings: Settings) -> None:
    """`ReadError` names the log that is not open and what opens it."""
    for topic in LOGS:
        for partition, end in reader.last_offsets(settings, topic.name).items():
            if not end:
                raise reader.ReadError(
                    f"{topic.name}: no log is open in partition {partition}: start `smokehouse up`, "
                    "or open one with `smokehouse topics apply`"
                )
