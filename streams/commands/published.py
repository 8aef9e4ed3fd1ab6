"""What published topics say, record by record, for the commands that read them: one partition at a time.

Reads a published topic from its first record to its end as of now; writes nothing but a line on stderr for each value
that is unreadable (only our own agents write these topics, so the rest still counts). Guarantees: a key's records
stand in its murmur2 partition, so one key costs one partition. Raises `ReadError`. Does not belong here: what is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Any, NamedTuple

import msgspec

from streams.commands.output import say
from streams.reader import is_contiguous, partitions_of, read_to_end
from streams.settings import Settings
from streams.topics import Topic
from tables.murmur2 import partition_of
from tables.records import Record

Version = tuple[int, int, int]


class Published(NamedTuple):
    """A record and its place. `record` None: the key was deleted."""

    partition: int
    offset: int
    key: bytes
    record: Record | None


def read_partition(
    settings: Settings, topic: Topic, kind: type[Record] | Any, partition: int,
    keys: Collection[bytes] = (), on_read: Callable[[int], None] = lambda count: None,
) -> Iterator[Published]:  # fmt: skip
    """Records of one partition in log order, only those of `keys` if any are given; `on_read` counts all of them."""
    decode = msgspec.json.Decoder(kind).decode
    contiguous = is_contiguous(settings, topic.name)
    for batch in read_to_end(settings, topic.name, [partition], contiguous=contiguous):
        for message in batch:
            key, value = message.key() or b"", message.value()
            if keys and key not in keys:
                continue
            try:
                record = None if value is None else decode(value)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
                say(f"{topic.name}[{partition}] offset {message.offset()} is unreadable and left out: {error}")
                continue
            yield Published(partition, message.offset(), key, record)
        on_read(len(batch))


def read_keys(settings: Settings, topic: Topic, kind: type[Record], keys: Collection[str]) -> Iterator[Published]:
    """Every record of these keys, from the partitions that hold them and no other."""
    count = len(partitions_of(settings, topic.name))
    by_partition: dict[int, set[bytes]] = {}
    for key in keys:
        by_partition.setdefault(partition_of(key, count), set()).add(key.encode())
    for partition, mine in sorted(by_partition.items()):
        yield from read_partition(settings, topic, kind, partition, mine)


def newest_of_keys(settings: Settings, topic: Topic, kind: type[Record], keys: Collection[str]) -> dict[str, Record]:
    """Key -> its record of the highest version; keys without one are missing."""
    newest: dict[str, Record] = {}
    for found in read_keys(settings, topic, kind, keys):
        key = found.key.decode()
        if found.record is None:
            newest.pop(key, None)
        elif key not in newest or found.record.version >= newest[key].version:
            newest[key] = found.record
    return newest


def version_text(version: Version) -> str:
    """`LOG_ID.OFFSET.INDEX`: the record of the log that changed it last."""
    return ".".join(map(str, version))
