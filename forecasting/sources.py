"""What a forecaster reads: which topics, whether they are there, and whether anything is left in one.

Reads metadata, and records only to see that there are any, or which run spoke last. Writes nothing. Guarantees:
`wait_for_topics` ends with an answer, with `NotThere`, or when it is asked to stop. Does not belong here: what records
mean, who has which partition.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from threading import Event

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from streams.reader import Follower, Place, bounds, is_contiguous
from streams.settings import Settings, client_config
from streams.topics import DEMAND, FORECAST_ALERTS, FORECASTS, PLANNING, REORDERS, STOCK_LEVELS

BESIDE = (STOCK_LEVELS.name, REORDERS.name, FORECAST_ALERTS.name)  # of the same partitions as `demand`
PLANS: Place = (PLANNING.name, 0)  # everybody reads all of it; who has partition 0 answers for what is unreadable in it
TOPICS_SECONDS = 30.0  # `up` makes the topics while the forecaster starts
ASK_SECONDS = 5.0
LOOK_SECONDS = 5.0


class NotThere(Exception):
    """The topics or the broker cannot be used. The message says what to do."""


def wait_for_topics(settings: Settings, stop: Event) -> int:
    """The partition count that all our topics share, once they are there; 0 if asked to stop before."""
    shared = [settings.prefix + name for name in (DEMAND.name, *BESIDE, FORECASTS.name)]
    wanted = [*shared, settings.prefix + PLANNING.name]
    admin = AdminClient(client_config(settings) | {"log_level": 2, "log.connection.close": False})
    until = time.monotonic() + TOPICS_SECONDS
    while True:
        try:
            # All topics, not one by name: the embedded broker makes a topic that is asked for by name.
            found = admin.list_topics(timeout=ASK_SECONDS).topics
        except KafkaException as error:
            found, missing = {}, error.args[0].str()
        else:
            missing = ", ".join(name for name in wanted if name not in found)
        if not missing:
            break
        if time.monotonic() > until:
            waited = f"not there after {TOPICS_SECONDS:.0f} s"
            raise NotThere(f"{waited}: {missing} (`smokehouse topics apply` makes topics)")
        if stop.wait(0.2):
            return 0
    counts = {name: len(found[name].partitions) for name in shared}
    if len(set(counts.values())) > 1:
        raise NotThere(f"these topics must have the same number of partitions: {counts}")
    return counts[shared[0]]


def last_runs(settings: Settings, partitions: Collection[int], watch: Callable[[], None]) -> list[str]:
    """The run of the last record of each of these partitions of `forecasts`: a run may have given no advice at all.

    It waits until it knows, or `watch` ends it: a run of a number that was given before would overwrite that run.
    """
    found: list[str] = []
    ends = {
        (FORECASTS.name, p): high for p, (low, high) in bounds(settings, FORECASTS.name, sorted(partitions)).items()
        if high > low
    }  # fmt: skip
    if not ends:
        return found
    starts = {place: high - 1 for place, high in ends.items()}
    follower = Follower(settings, starts, {FORECASTS.name: is_contiguous(settings, FORECASTS.name)})
    try:
        while any(follower.positions()[place] < end for place, end in ends.items()):
            watch()
            keys = [message.key() or b"" for message in follower.poll(0.1)]
            found += [key.decode(errors="replace").rpartition("|")[2] for key in keys]
    finally:
        follower.close()
    return found


def holds_nothing(settings: Settings, place: Place, start: int, end: int, watch: Callable[[], None]) -> bool:
    """Whether no record stands between these offsets: what compaction took away, and markers of transactions.

    `False` also where that is not known in time: ask again.
    """
    follower = Follower(settings, {place: start}, {place[0]: False})
    try:
        until = time.monotonic() + LOOK_SECONDS
        while time.monotonic() < until:
            watch()
            if follower.poll(0.1):
                return False
            if follower.positions()[place] >= end:
                return True
    finally:
        follower.close()
    return False
