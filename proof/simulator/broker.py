"""The broker: topics in memory, as far as the agents and an audit can see them.

Keeps what is appended, under the time it is told. Guarantees: offsets are contiguous and never reused; compaction keeps
the last record of every key. Does not belong here: who writes, what is lost on the way (`sending`).
"""

from __future__ import annotations

from random import Random

from proof.audit.seen import Seen

Headers = list[tuple[str, bytes]]


class Broker:
    """`topics[name, partition]`: the records there are, in order. Logs are never compacted: an index is an offset."""

    def __init__(self, partitions: int) -> None:
        self.partitions = partitions
        self.topics: dict[tuple[str, int], list[Seen]] = {}
        self.ends: dict[tuple[str, int], int] = {}
        self.ms = 0  # the broker's clock: it stamps every record

    def append(
        self, topic: str, partition: int, key: bytes | None, value: bytes | None, headers: Headers | None = None
    ) -> Seen:
        where = (topic, partition)
        offset = self.ends.get(where, 0)
        self.ends[where] = offset + 1
        seen = Seen(topic, partition, offset, self.ms, key, value, headers)
        self.topics.setdefault(where, []).append(seen)
        return seen

    def end(self, topic: str, partition: int) -> int:
        return self.ends.get((topic, partition), 0)

    def read(self, topic: str) -> list[Seen]:
        """Every record of a topic, each partition in order."""
        return [seen for (name, _), log in sorted(self.topics.items()) if name == topic for seen in log]

    def compact(self, topic: str, partition: int, chance: Random) -> None:
        """Clean the topic up to a random offset: of each key only its last record is left, or not even its end."""
        log = self.topics.get((topic, partition), [])
        until = chance.randint(0, len(log))
        last = {seen.key: place for place, seen in enumerate(log[:until])}
        keep_ends = chance.random() < 0.5
        cleaned = [
            seen for place, seen in enumerate(log[:until])
            if last[seen.key] == place and (seen.value is not None or keep_ends)
        ]  # fmt: skip
        self.topics[topic, partition] = cleaned + log[until:]
