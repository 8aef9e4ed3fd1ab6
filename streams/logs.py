"""Makes the topics and opens the logs: `topics apply`, and what `up` does first on a broker that keeps nothing.

Writes topics, the first record of every partition of both logs, and which rules hold. Guarantees: what exists is
checked, never changed behind anybody's back; a log is opened once, and every partition by the same record; the
partition count is one for all but the topics whose number the catalogue fixes.
Does not belong here: who reads the topics.
"""

from __future__ import annotations

import time
from typing import NamedTuple

from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from streams.ends import bounds
from streams.settings import PARTITIONS_DEFAULT, Settings, client_config, producer_config
from streams.topics import CATALOGUE, LOGS, ORDERS, Topic, topic
from tables.codec import ORDER_LOG, Unreadable, encode
from tables.log import LOGIC_VERSION
from tables.records import Limits, LogicVersionSet, LogOpened

APPLY_SECONDS = 30.0
OTHERS_SECONDS = 10.0


class TopicsWrong(RuntimeError):
    """The broker's topics do not fit the catalogue, or no log can be opened so. The message says what is to be done."""


class Applied(NamedTuple):
    created: list[str]
    opened: list[str]  # topic/partition
    partitions: int


def apply(settings: Settings, partitions: int = 0, replication: int = 1, limits: Limits | None = None) -> Applied:
    """Create what is missing and open what is not opened. `partitions` 0: as there are, else the default."""
    admin = AdminClient(client_config(settings))
    there = partition_counts(settings, admin)
    if wrong := misfits(there):
        raise TopicsWrong(wrong)
    known = set(shared(there).values())
    count = partitions or (known.pop() if known else PARTITIONS_DEFAULT)
    if known and known != {count}:
        raise TopicsWrong(
            f"the log has {known.pop()} partitions, not {count}: their number is fixed for the life of a log; "
            "use another SMOKEHOUSE_PREFIX for a log with another number"
        )
    opening = _opening(count, limits or Limits())
    missing = [t for t in CATALOGUE if t.name not in there]
    created = _create(admin, settings, missing, count, replication)
    _wait_until_there(settings, admin, count)
    if ORDERS in missing and ORDERS.name not in created:
        _wait_until_opened(settings)  # somebody applies beside us: who makes the order log opens both
    opened = _open(settings, opening, count)
    return Applied(created, opened, count)


def upgrade(settings: Settings) -> int:
    """Tell every partition of both logs that the newest rules hold from here on; how many there are."""
    there = partition_counts(settings)
    places = [(log, partition) for log in LOGS for partition in range(there.get(log.name, 0))]
    if not places:
        raise TopicsWrong("there is no log here: smokehouse topics apply makes one, with the newest rules")
    value = encode(LogicVersionSet(id=f"logic:{LOGIC_VERSION}", version=LOGIC_VERSION))
    if failed := _write(settings, value, places):
        raise TopicsWrong(f"not every partition could be told: {failed}; say it again, once is as good as twice")
    return len(places)


def partition_counts(settings: Settings, admin: AdminClient | None = None) -> dict[str, int]:
    """Partitions of each topic of the catalogue that exists on the broker."""
    admin = admin or AdminClient(client_config(settings))
    topics = admin.list_topics(timeout=10).topics
    names = {settings.prefix + t.name: t.name for t in CATALOGUE}
    return {names[n]: len(m.partitions) for n, m in topics.items() if n in names and not m.error}


def shared(there: dict[str, int]) -> dict[str, int]:
    """Of these counts those of the topics that have as many partitions as the log."""
    return {name: count for name, count in there.items() if not topic(name).partitions}


def misfits(there: dict[str, int]) -> str:
    """What is wrong with these counts; empty: nothing."""
    if len(set(shared(there).values())) > 1:
        return f"topics differ in their number of partitions: {shared(there)}; they must all have the same"
    fixed = {name: topic(name).partitions for name in there.keys() - shared(there).keys()}
    wrong = [f"{name} has {there[name]} partitions, it must have {count}" for name, count in fixed.items()
             if there[name] != count]  # fmt: skip
    return "; ".join(wrong)


def _opening(count: int, limits: Limits) -> bytes:
    """The first record of a log, read back before anything is made: one that is unreadable spoils its log for good."""
    now_ms = time.time_ns() // 1_000_000
    value = encode(
        LogOpened(id=f"log:{now_ms}", log_id=now_ms, partitions=count, logic_version=LOGIC_VERSION, limits=limits)
    )
    [read] = ORDER_LOG.items(value)
    if isinstance(read, Unreadable):
        bound, _, path = str(read).partition(" - at `$.")  # it was built unchecked: msgspec looks at bounds in reading
        name = path.rstrip("`").rpartition(".")[2]
        given = getattr(limits, name, count)
        raise TopicsWrong(f"--{name.replace('_', '-')} {given}: {bound.lower()}; nothing was made")
    return value


def _create(admin: AdminClient, settings: Settings, missing: list[Topic], count: int, replication: int) -> list[str]:
    """The topics that were made by this call, and by no other at the same time."""
    if not missing:
        return []
    wanted = [
        NewTopic(
            settings.prefix + t.name, num_partitions=t.partitions or count, replication_factor=replication,
            config=t.config(replication),
        )
        for t in missing
    ]  # fmt: skip
    created: list[str] = []
    for name, future in admin.create_topics(wanted, request_timeout=APPLY_SECONDS).items():
        try:
            future.result(APPLY_SECONDS)
            created.append(name[len(settings.prefix) :])
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise TopicsWrong(f"cannot create topic {name}: {error.args[0].str()}") from error
    return created


def _wait_until_there(settings: Settings, admin: AdminClient, count: int) -> None:
    until = time.monotonic() + APPLY_SECONDS
    while True:
        there = partition_counts(settings, admin)
        if len(there) == len(CATALOGUE) and set(shared(there).values()) == {count} and not misfits(there):
            return
        if time.monotonic() > until:
            raise TopicsWrong(f"the broker shows {there} after {APPLY_SECONDS:.0f} s; every topic needs {count}")
        time.sleep(0.1)


def _wait_until_opened(settings: Settings) -> None:
    """Until every partition of both logs holds its first record; at most a few seconds, in case its maker died."""
    until = time.monotonic() + OTHERS_SECONDS
    while time.monotonic() < until:
        if all(high for t in LOGS for _, high in bounds(settings, t.name).values()):
            return
        time.sleep(0.1)


def _open(settings: Settings, opening: bytes, count: int) -> list[str]:
    empty = [(t, p) for t in LOGS for p, (_, high) in bounds(settings, t.name).items() if high == 0]
    if not empty:
        return []
    if len(empty) != count * len(LOGS):
        raise TopicsWrong(f"some partitions of the logs are empty and others are not: {empty}; the log was cut")
    if failed := _write(settings, opening, empty):
        raise TopicsWrong(f"the logs could not be opened: {failed}")
    return [f"{t.name}/{p}" for t, p in empty]


def _write(settings: Settings, value: bytes, places: list[tuple[Topic, int]]) -> str:
    """One record to each of these partitions; why that failed, empty if it did not."""
    failed: list[str] = []
    # A broker that is just up says once that its coordinator loads, and is asked again: no news.
    producer = Producer(producer_config(settings) | {"log_level": 3})
    for log, partition in places:
        producer.produce(
            settings.prefix + log.name, value, partition=partition,
            on_delivery=lambda error, _: failed.append(error.str()) if error else None,
        )  # fmt: skip
    return "no answer" if producer.flush(APPLY_SECONDS) else ", ".join(failed)
