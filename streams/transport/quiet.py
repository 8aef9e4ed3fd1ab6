"""A log that is not flooded: librdkafka says twenty times a second that a broker is still not there.

Writes nothing itself. Guarantees: a trouble is told when it begins, and while it lasts once in `EVERY_SECONDS`, with
how often it was left out; two troubles are two if they differ in more than figures. Does not belong here: what is said.
"""

from __future__ import annotations

import logging
import re
import time

EVERY_SECONDS = 10.0
KINDS_MAX = 100  # remembered at a time

_FIGURES = re.compile(r"\d+")


class Quiet(logging.Filter):
    """For a logger: `log.addFilter(Quiet())`."""

    def __init__(self) -> None:
        super().__init__()
        self._told: dict[str, tuple[float, int]] = {}  # kind -> when it was told, how often it was left out since

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        kind, now = _FIGURES.sub("#", text), time.monotonic()
        at, left_out = self._told.get(kind, (float("-inf"), 0))
        if now - at < EVERY_SECONDS:
            self._told[kind] = (at, left_out + 1)
            return False
        if len(self._told) >= KINDS_MAX:
            self._told.clear()
        self._told[kind] = (now, 0)
        if left_out:
            record.msg, record.args = f"{text} ({left_out} more like it since)", ()
        return True
