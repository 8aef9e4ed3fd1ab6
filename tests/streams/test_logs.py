"""Topics are made once, logs are opened once, and what does not fit is refused with a sentence."""

from __future__ import annotations

import pytest
from confluent_kafka.admin import ConfigResource

from streams import logs
from streams.brokers.kind import wait_for_broker
from streams.reader import last_offsets
from streams.topics import CATALOGUE, LOGS
from tables import records as r
from tables.codec import ORDER_LOG, STOCK_LOG, encode
from tables.log import LOGIC_VERSION


def test_applied_twice_is_applied_once(topics):
    first, second = topics.apply(), topics.apply()
    assert sorted(first.created) == sorted(t.name for t in CATALOGUE)
    assert sorted(first.opened) == sorted(f"{t.name}/{p}" for t in LOGS for p in range(4))
    assert second == logs.Applied([], [], 4)
    for log in LOGS:
        assert last_offsets(topics.settings, log.name) == dict.fromkeys(range(4), 1)


def test_the_first_record_of_every_partition_is_the_same_one(topics):
    topics.apply(undecided_seconds=7)
    found = [ORDER_LOG.items(m.value())[0] for m in topics.read("orders")]
    found += [STOCK_LOG.items(m.value())[0] for m in topics.read("warehouse")]
    assert len(found) == 8
    assert len(set(map(encode, found))) == 1
    opened = found[0]
    assert isinstance(opened, r.LogOpened)
    assert (opened.partitions, opened.limits.undecided_seconds, opened.id) == (4, 7, f"log:{opened.log_id}")
    assert {m.key() for m in topics.read("orders")} == {None}


def test_newer_rules_are_told_to_every_partition_of_both_logs_and_once_is_as_good_as_twice(topics):
    with pytest.raises(logs.TopicsWrong, match="there is no log here: smokehouse topics apply"):
        logs.upgrade(topics.settings)
    topics.apply()
    assert (logs.upgrade(topics.settings), logs.upgrade(topics.settings)) == (8, 8)
    for name, codec in (("orders", ORDER_LOG), ("warehouse", STOCK_LOG)):
        for partition in range(4):
            said = [codec.items(m.value())[0] for m in topics.read(name, partition)][1:]
            assert [(type(x), x.version) for x in said] == 2 * [(r.LogicVersionSet, LOGIC_VERSION)]


def test_a_later_log_has_a_higher_id(embedded_topics):
    def log_id(prefix):
        embedded_topics.settings = embedded_topics.settings.with_(prefix=prefix + embedded_topics.settings.prefix)
        embedded_topics.apply()
        return ORDER_LOG.items(embedded_topics.read("orders", 0)[0].value())[0].log_id

    assert log_id("") < log_id("later-")


def test_another_number_of_partitions_is_refused_and_nothing_is_made(topics):
    logs.apply(topics.settings, 2)
    with pytest.raises(logs.TopicsWrong, match=r"the log has 2 partitions, not 4: .* use another SMOKEHOUSE_PREFIX"):
        logs.apply(topics.settings, 4)
    there = logs.partition_counts(topics.settings)
    assert set(logs.shared(there).values()) == {2}
    assert there["planning"] == 1, "however many the log has"
    assert logs.apply(topics.settings).partitions == 2, "without a number: as there are"


@pytest.mark.parametrize(
    ("partitions", "limits", "said"),
    [
        (4, {"undecided_seconds": 40_000_000}, "--undecided-seconds 40000000: expected `int` <= 34560000"),
        (4, {"undecided_seconds": -1}, "--undecided-seconds -1: expected `int` >= 1"),
        (1025, {}, "--partitions 1025: expected `int` <= 1024"),
        (-1, {}, "--partitions -1: expected `int` >= 1"),
    ],
)
def test_a_log_is_not_opened_by_a_record_that_cannot_be_read_and_nothing_is_made(
    embedded_topics, partitions, limits, said
):
    with pytest.raises(logs.TopicsWrong, match=said):
        logs.apply(embedded_topics.settings, partitions, limits=r.Limits(**limits))
    assert logs.partition_counts(embedded_topics.settings) == {}


def test_topics_that_differ_are_refused_and_nothing_is_made(topics):
    topics.make("orders", partitions=4)
    topics.make("warehouse", partitions=2)
    with pytest.raises(logs.TopicsWrong, match="differ in their number of partitions"):
        topics.apply()
    assert logs.partition_counts(topics.settings) == {"orders": 4, "warehouse": 2}


def test_plans_of_several_partitions_are_refused_because_every_forecaster_reads_the_one(topics):
    topics.make("planning", partitions=2)
    with pytest.raises(logs.TopicsWrong, match="planning has 2 partitions, it must have 1"):
        topics.apply()
    assert logs.partition_counts(topics.settings) == {"planning": 2}


def test_a_log_with_some_partitions_empty_was_cut_and_is_not_opened(topics):
    topics.make("orders", "warehouse")
    topics.write("orders", [b"{}"], partition=1)
    with pytest.raises(logs.TopicsWrong, match="the log was cut"):
        topics.apply()
    assert last_offsets(topics.settings, "orders") == {0: 0, 1: 1, 2: 0, 3: 0}
    assert set(last_offsets(topics.settings, "warehouse").values()) == {0}


def test_missing_topics_are_made_beside_logs_that_are_open_already(topics):
    """A later release brings a topic: the logs stay as they are."""
    topics.make("orders", "warehouse")
    for log in LOGS:
        for partition in range(4):
            topics.write(log.name, [b"{}"], partition=partition)
    applied = topics.apply()
    assert set(applied.created) == {t.name for t in CATALOGUE} - {"orders", "warehouse"}
    assert applied.opened == []


def test_two_prefixes_are_two_systems(embedded_topics):
    embedded_topics.apply()
    other = embedded_topics.settings.with_(prefix="other-" + embedded_topics.settings.prefix)
    assert logs.partition_counts(other) == {}


@pytest.mark.kafka
def test_the_broker_keeps_each_topic_as_the_catalogue_says(kafka_topics):
    kafka_topics.apply()
    prefix = kafka_topics.settings.prefix
    wanted = {ConfigResource(ConfigResource.Type.TOPIC, prefix + t.name): t for t in CATALOGUE}
    admin = wait_for_broker(kafka_topics.settings, 10.0)
    for resource, future in admin.describe_configs(list(wanted)).items():
        topic, found = wanted[resource], future.result(10)
        assert {name: found[name].value for name in topic.config()} == topic.config()
