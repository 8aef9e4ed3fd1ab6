"""A log that is lost while its rows are kept: workers halt and say so, they never begin anew on old rows."""

from __future__ import annotations

import signal

from confluent_kafka.admin import AdminClient

from streams import logs
from streams.settings import client_config
from streams.topics import LOGS


def test_workers_on_a_log_that_begins_anew_halt_every_partition_and_say_nothing_more(kafka_system):
    system = kafka_system
    system.apply()
    system.start("one")
    system.receive("JERKY", 5)
    system.place("sold", {"JERKY": 2})
    system.flush()
    system.until_decided(1)
    system.wait(lambda: (found := system.status()["partitions"]) and len(found) == 8
                and all(p.get("state_time_ms") for p in found))  # each has read how its log began
    system.signal("one", signal.SIGTERM)
    assert system.workers["one"].wait(20) == 0
    said = {topic: len(system.read(topic)) for topic in ("reservations", "order-status", "stock-levels")}

    admin = AdminClient(client_config(system.settings))
    names = [system.settings.prefix + topic.name for topic in LOGS]
    for future in admin.delete_topics(names).values():
        future.result(20)
    system.wait(lambda: not {topic.name for topic in LOGS} & set(logs.partition_counts(system.settings)))
    system.apply()
    system.place("later", {"JERKY": 1})
    system.flush()
    system.start("two")
    halted = system.wait(lambda: all_halted(system))
    assert len(halted) == 8
    assert all(p["reason"].startswith("the log regressed") for p in halted)
    assert {topic: len(system.read(topic)) for topic in said} == said, "nothing was said on rows of another log"


def all_halted(system):
    found = [p for p in system.status()["partitions"] if p["state"] == "halted"]
    return found if len(found) == 8 else None
