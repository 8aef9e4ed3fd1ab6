"""The newest record of every key of a compacted topic, for commands that look at all of it.

Reads one partition at a time, to its end as of now. Memory: of one partition, the version of every key and the records
that are wanted. Raises `ReadError`. Does not belong here: single keys (`published`), what is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from streams.commands.published import Version, read_partition
from streams.reader import partitions_of
from streams.settings import Settings
from streams.topics import Topic


def newest(settings: Settings, topic: Topic, kind: type, wanted: Callable[[Any], bool]) -> Iterator[Any]:
    """Records of `kind` (it has a `version`), as they stand: the wanted ones, in no order that means anything."""
    for partition in sorted(partitions_of(settings, topic.name)):
        found: dict[bytes, tuple[Version, Any]] = {}
        for _, _, key, record in read_partition(settings, topic, kind, partition):
            if record is None:
                found.pop(key, None)
            elif key not in found or record.version >= found[key][0]:
                found[key] = (record.version, record if wanted(record) else None)
        yield from (record for _, record in found.values() if record is not None)
