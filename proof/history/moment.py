"""A moment in a partition: a position of its log, or a time by the broker's stamps; and how people write either.

Pure. Does not belong here: reading, folding.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import NamedTuple

from tables.outcome import INDEX_BITS, place_of
from tables.records import ITEMS_MAX

_POSITION = re.compile(r"(?:([0-9]{1,19})\.(?=[0-9]+\.[0-9]))?([0-9]{1,18})(?:\.([0-9]{1,4}))?")


class Moment(NamedTuple):
    """What is before it belongs to it. Without `place` and `ms`: the end of the log as of now.

    `place`: the first place that is not part of it. `ms`: everything up to the first record stamped later.
    `log_id`: the log that the position speaks of; 0: whichever there is.
    """

    place: int | None = None
    ms: int | None = None
    log_id: int = 0

    @property
    def is_position(self) -> bool:
        return self.place is not None


END = Moment()


def before(place: int) -> Moment:
    """Everything before this place of the log, and not the record there."""
    return Moment(place=place)


def parse(text: str) -> Moment:
    """`OFFSET`, `OFFSET.INDEX`, `LOG.OFFSET.INDEX` or an RFC 3339 time; the record named, or stamped so, is part of it.

    `ValueError` says what may stand there.
    """
    found = _POSITION.fullmatch(text)
    if found:
        log_id, offset, index = int(found[1] or 0), int(found[2]), found[3]
        if index is None:
            return Moment(place=place_of(offset + 1), log_id=log_id)
        if int(index) < ITEMS_MAX:
            return Moment(place=place_of(offset, int(index)) + 1, log_id=log_id)
    try:
        time = datetime.fromisoformat(text.upper()) if "T" in text.upper() else None
        utc = None if time is None or time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):  # in the first or last year a zone may lead out of the calendar
        utc = None
    if utc is None:
        raise ValueError(
            f"{text!r}: give a position (OFFSET, OFFSET.INDEX, LOG.OFFSET.INDEX) or a time with its zone "
            "(2026-03-01T10:00:00Z)"
        )
    return Moment(ms=(utc - datetime(1970, 1, 1, tzinfo=UTC)) // _MILLISECOND)


def position_text(place: int) -> str:
    """`OFFSET.INDEX`."""
    return f"{place >> INDEX_BITS}.{place & ((1 << INDEX_BITS) - 1)}"


def last_text(place: int) -> str:
    """The last position before this place, as `parse` reads it: a record whole (`OFFSET`), or one of its items."""
    index = place & ((1 << INDEX_BITS) - 1)
    return position_text(place - 1) if index else str((place >> INDEX_BITS) - 1)


_MILLISECOND = datetime.resolution * 1000
