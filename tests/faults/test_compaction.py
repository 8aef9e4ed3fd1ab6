"""A changelog is compacted between a zombie's late write and a recovery: what is left of it is enough, and right.

On Apache Kafka, whose cleaner is made to hurry; a minute, for a night (SMOKEHOUSE_NIGHTLY=1). Every place of the
race is chosen in memory, by the simulator.
"""

from __future__ import annotations

import os
import signal
import time

import pytest
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from streams.settings import client_config

SKUS, UNITS = 20, 10_000
ORDERS, AT_ONCE, ORDERS_MAX = 300, 20, 12_000
CHANGELOGS = ("order-changelog", "stock-changelog")
SOON = {"segment.ms": "500", "min.cleanable.dirty.ratio": "0.001", "max.compaction.lag.ms": "500"}

pytestmark = pytest.mark.skipif(
    os.environ.get("SMOKEHOUSE_NIGHTLY") != "1", reason="for a night: waits for the broker's cleaner"
)


def hurry(system) -> None:
    """The broker cleans these topics as soon as a segment is full, and a segment is full at once."""
    admin = AdminClient(client_config(system.settings))

    def wanted(kind: ResourceType, name: str, values: dict[str, str]) -> ConfigResource:
        return ConfigResource(kind, name, incremental_configs=[
            ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET) for key, value in values.items()
        ])  # fmt: skip

    broker = str(next(iter(admin.list_topics(timeout=20).brokers)))
    topics = [wanted(ResourceType.TOPIC, system.settings.prefix + name, SOON) for name in CHANGELOGS]
    for resources in ([wanted(ResourceType.BROKER, broker, {"log.cleaner.backoff.ms": "200"})], topics):
        for changed in admin.incremental_alter_configs(resources).values():
            changed.result(20)


def order(system, first: int, count: int) -> None:
    for n in range(first, first + count):
        system.place(f"order-{n}", {f"SKU-{n % SKUS}": 1, f"SKU-{(n + 7) % SKUS}": 1})
    system.flush()


def written(system, topic: str) -> dict[int, list[tuple[int, bytes]]]:
    """Partition -> (offset, writer) of what is there."""
    found: dict[int, list[tuple[int, bytes]]] = {}
    for message in system.read(topic):
        found.setdefault(message.partition(), []).append((message.offset(), message.key().rpartition(b"|")[2]))
    return found


def taken_over(system, sleeper: set[bytes]) -> bool:
    """Whether another worker has written rows by now."""
    return any(writer not in sleeper for topic in CHANGELOGS for rows in written(system, topic).values()
               for _, writer in rows)  # fmt: skip


def late_rows(system, sleeper: set[bytes]) -> dict[tuple[str, int], int]:
    """Where a row of these writers stands behind a row of the worker that took over from them."""
    late: dict[tuple[str, int], int] = {}
    for topic in CHANGELOGS:
        for partition, rows in written(system, topic).items():
            others = [offset for offset, writer in rows if writer not in sleeper]
            behind = [offset for offset, writer in rows if writer in sleeper and others and offset > others[0]]
            if behind:
                late[topic, partition] = behind[-1]
    return late


def cleaned_behind(system, late: dict[tuple[str, int], int]) -> bool:
    """Whether the cleaner has come past one of these rows: an offset after it is not there any more."""
    for (topic, partition), offset in late.items():
        rows = [at for at, _ in written(system, topic)[partition] if at > offset]
        if rows and len(rows) < rows[-1] - offset:
            return True
    return False


@pytest.mark.timeout(600)
def test_rows_that_a_zombie_wrote_late_and_a_cleaner_that_came_after_them_lose_nothing(kafka_system) -> None:
    system = kafka_system
    system.apply()
    hurry(system)
    system.start("sleeper", SMOKEHOUSE_FAULTS="rows_acked.before:6=stop")
    for n in range(SKUS):
        system.receive(f"SKU-{n}", UNITS)
    sent = 0
    while "fault: stop" not in system.said("sleeper"):
        assert sent < ORDERS_MAX, "it never came to its checkpoint"
        order(system, sent, AT_ONCE)
        sent += AT_ONCE
        time.sleep(0.2)
    sleeper = {writer for topic in CHANGELOGS for rows in written(system, topic).values() for _, writer in rows}
    system.start("next")
    order(system, sent, ORDERS)
    sent += ORDERS
    system.wait(lambda: taken_over(system, sleeper), 60)
    system.signal("sleeper", signal.SIGCONT)  # before its rows are 20 s old: then it would not send them any more
    late = system.wait(lambda: late_rows(system, sleeper), 60)
    system.until_decided(sent, 120)
    while not cleaned_behind(system, late):
        assert sent < ORDERS_MAX, "the broker cleans nothing"
        order(system, sent, AT_ONCE)
        sent += AT_ONCE
        system.until_decided(sent, 240)
    for name in ("sleeper", "next"):
        system.signal(name, signal.SIGKILL)
    system.start("fresh")  # without a store of its own: from what is left of the changelogs
    order(system, sent, ORDERS)
    system.until_decided(sent + ORDERS, 240)
    assert system.audit()["ok"]
