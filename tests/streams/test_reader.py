"""The reader: every record once and in order, a hole is an error, and every wait has its bound."""

from __future__ import annotations

import threading

import pytest
from confluent_kafka import Consumer, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from streams import ends, reader
from streams.brokers.embedded import start_embedded
from streams.brokers.process import free_port
from streams.reader import Follower, HoleInLog, ReadError, ReadStalled, bounds, follow, last_offsets, read_to_end
from streams.settings import Settings, client_config, producer_config

COUNT = 300


def numbers(messages):
    return [int(m.value()) for m in messages]


def values(first, last):
    return [str(n).encode() for n in range(first, last)]


def whole(settings, topic, partition=0, start=None, *, contiguous=True):
    places = None if start is None else {partition: start}
    return [m for batch in read_to_end(settings, topic, [partition], places, contiguous=contiguous) for m in batch]


def drain(batches, seen):
    for batch in batches:
        seen += batch


# -- every record once, in order ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("start", [None, 0, 1, COUNT // 2, COUNT - 1, COUNT])
def test_a_read_gives_every_record_from_its_start_once_and_in_order(topics, start):
    topics.make("orders")
    topics.write("orders", values(0, COUNT), partition=2)
    assert numbers(whole(topics.settings, "orders", 2, start)) == list(range(start or 0, COUNT))


def test_a_read_of_all_partitions_gives_each_in_its_order(topics):
    topics.make("orders")
    for partition in (0, 1, 3):
        topics.write("orders", values(0, COUNT + partition), partition=partition)
    found = {p: [] for p in range(4)}
    for message in (m for batch in read_to_end(topics.settings, "orders", contiguous=True) for m in batch):
        found[message.partition()].append(int(message.value()))
    assert found == {0: [*range(COUNT)], 1: [*range(COUNT + 1)], 2: [], 3: [*range(COUNT + 3)]}


def test_what_arrives_after_the_call_is_not_part_of_the_read(embedded_topics):
    embedded_topics.make("orders")
    embedded_topics.write("orders", values(0, 25_000))
    batches = read_to_end(embedded_topics.settings, "orders", [0], contiguous=True)
    found = next(batches)
    assert 0 < len(found) <= 10_000
    embedded_topics.write("orders", values(25_000, 25_100))
    drain(batches, found)
    assert numbers(found) == list(range(25_000))


def test_a_follower_goes_on_where_it_stands_and_knows_the_ends(topics, until):
    topics.make("orders", "warehouse")
    topics.write("orders", values(0, 5))
    topics.write("warehouse", values(0, 3), partition=1)
    follower = follow(topics.settings, ["orders", "warehouse"], {("orders", 0): 2})
    try:
        seen = []
        until(lambda: seen.extend(follower.poll(0.1)) or len(seen) >= 6)
        topics.write("orders", values(5, 8))
        assert follower.ends()["orders", 0] == 8
        until(lambda: seen.extend(follower.poll(0.1)) or len(seen) >= 9)
    finally:
        follower.close()
    assert numbers(m for m in seen if m.topic().endswith("orders")) == [2, 3, 4, 5, 6, 7]
    assert numbers(m for m in seen if m.topic().endswith("warehouse")) == [0, 1, 2]
    assert follower.positions()["orders", 0] == 8
    assert follower.first_ends["orders", 0] == 5


def test_a_follower_from_the_end_sees_only_what_comes(topics, until):
    topics.make("orders")
    topics.write("orders", values(0, 5))
    follower = follow(topics.settings, ["orders"], "end")
    try:
        topics.write("orders", values(5, 7))
        seen = []
        until(lambda: seen.extend(follower.poll(0.1)) or len(seen) >= 2)
    finally:
        follower.close()
    assert numbers(seen) == [5, 6]


def test_the_prefix_keeps_two_systems_on_one_broker_apart(topics):
    topics.make("orders")
    topics.write("orders", values(0, 3))
    mine = topics.settings
    topics.settings = mine.with_(prefix="other-" + mine.prefix)
    topics.make("orders")
    topics.write("orders", values(7, 8))
    assert numbers(topics.read("orders")) == [7]
    topics.settings = mine
    assert numbers(topics.read("orders")) == [0, 1, 2]


def test_bounds_are_the_first_offset_and_the_one_after_the_last(topics):
    topics.make("orders")
    topics.write("orders", values(0, 9), partition=3)
    assert bounds(topics.settings, "orders", [0, 3]) == {0: (0, 0), 3: (0, 9)}
    assert last_offsets(topics.settings, "orders") == {0: 0, 1: 0, 2: 0, 3: 9}


# -- holes -------------------------------------------------------------------------------------------------------------


def test_writers_beside_each_other_leave_no_hole_in_what_is_read_meanwhile(embedded_topics, until):
    """The embedded broker can show offset n + 1 before n: with several writers that happens."""
    embedded_topics.make("orders")
    settings, writers = embedded_topics.settings, 4

    def flood():
        producer = Producer(producer_config(settings) | {"linger.ms": 0, "batch.num.messages": 5})
        for _ in range(500):
            producer.produce(settings.prefix + "orders", b"{}", partition=0)
        assert producer.flush(60) == 0

    threads = [threading.Thread(target=flood) for _ in range(writers)]
    follower = follow(settings, ["orders"])
    try:
        for thread in threads:
            thread.start()
        seen = []
        until(lambda: seen.extend(follower.poll(0.05)) or len(seen) >= 500 * writers, 60)
    finally:
        follower.close()
        for thread in threads:
            thread.join()
    assert [m.offset() for m in seen] == list(range(500 * writers))


class LogWithALateRecord:
    """Stands in for librdkafka: offset 2 becomes visible only after a reader has gone back twice."""

    def __init__(self):
        self.sought = []
        self.shown = [Message("orders", 0, offset) for offset in (0, 1, 3, 4)]

    def assign(self, _places):
        pass

    def poll(self, _seconds):
        return self.shown.pop(0) if self.shown else None

    def consume(self, _records, _seconds):
        shown, self.shown = self.shown, []
        return shown

    def seek(self, place):
        self.sought.append(place.offset)
        self.shown = [Message("orders", 0, offset) for offset in ((3, 4) if len(self.sought) < 2 else (2, 3, 4))]


def test_a_record_that_shows_late_is_waited_for_and_read_in_its_place(monkeypatch, tmp_path):
    log = LogWithALateRecord()
    monkeypatch.setattr(reader, "open_consumer", lambda *_: log)
    settings = Settings(home=tmp_path, bootstrap="127.0.0.1:1", api="127.0.0.1:2", demo=False)
    follower = Follower(settings, {("orders", 0): 0}, {"orders": True})
    assert [m.offset() for _ in range(4) for m in follower.poll(0)] == [0, 1, 2, 3, 4]
    assert log.sought == [2, 2]


@pytest.fixture
def marked(kafka_topics):
    """Records 0, 2 and 4 of a partition; the ends of three transactions took 1, 3 and 5 and are never shown."""
    kafka_topics.make("orders", "stock-changelog")
    settings = kafka_topics.settings
    producer = Producer(client_config(settings) | {"transactional.id": settings.prefix + "marks"})
    producer.init_transactions(20)
    for n in range(3):
        producer.begin_transaction()
        for topic in ("orders", "stock-changelog"):
            producer.produce(settings.prefix + topic, str(n).encode(), b"k", 0)
        producer.commit_transaction(20)
    return settings


@pytest.mark.kafka
def test_a_hole_that_stays_where_offsets_are_contiguous_is_an_error(marked, monkeypatch):
    monkeypatch.setattr(reader, "HOLE_SECONDS", 0.3)
    seen = []
    with pytest.raises(HoleInLog, match=f"{marked.prefix}orders/0: offset 1 is missing"):
        drain(read_to_end(marked, "orders", [0], contiguous=True), seen)
    assert numbers(seen) == [0], "nothing behind the hole was given"


@pytest.mark.kafka
def test_gaps_in_a_compacted_topic_are_passed_and_the_read_ends_at_its_end(marked):
    assert numbers(whole(marked, "stock-changelog", contiguous=False)) == [0, 1, 2]
    assert bounds(marked, "stock-changelog", [0]) == {0: (0, 6)}


@pytest.mark.kafka
def test_a_topic_that_was_compacted_gives_the_newest_of_every_key(kafka_topics, until):
    kafka_topics.make("stock-changelog", **{"segment.ms": "100", "min.cleanable.dirty.ratio": "0.001"})
    settings = kafka_topics.settings
    admin = AdminClient(client_config(settings))
    eager = ConfigResource(ResourceType.BROKER, "1")
    with_backoff = ConfigEntry("log.cleaner.backoff.ms", "100", incremental_operation=AlterConfigOpType.SET)
    without = ConfigEntry("log.cleaner.backoff.ms", None, incremental_operation=AlterConfigOpType.DELETE)
    try:
        _alter(admin, eager, with_backoff)

        def cleaned():
            kafka_topics.write("stock-changelog", [b"1", b"2"], b"often")  # the last segment is never cleaned
            return len(kafka_topics.read("stock-changelog")) < last_offsets(settings, "stock-changelog")[0] - 4

        kafka_topics.write("stock-changelog", [b"0"], b"once")
        until(cleaned, 60)
    finally:
        _alter(admin, eager, without)
    found = whole(settings, "stock-changelog", contiguous=False)
    assert {m.key(): m.value() for m in found} == {b"once": b"0", b"often": b"2"}
    offsets = [m.offset() for m in found]
    assert offsets == sorted(set(offsets))


def _alter(admin, resource, entry):
    resource = ConfigResource(resource.restype, resource.name, incremental_configs=[entry])
    for future in admin.incremental_alter_configs([resource]).values():
        future.result(10)


# -- what cannot be read -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("start", [6, 1_000])
def test_a_read_that_starts_behind_the_log_is_an_error(topics, start):
    topics.make("orders")
    topics.write("orders", values(0, 5))
    with pytest.raises(ReadError, match=rf"orders/0: offset {start} lies outside the log \(0 to 5\)"):
        whole(topics.settings, "orders", 0, start)


@pytest.fixture
def trimmed(kafka_topics):
    """A log whose first three records were deleted."""
    kafka_topics.make("orders", "stock-changelog")
    settings = kafka_topics.settings
    for topic in ("orders", "stock-changelog"):
        kafka_topics.write(topic, values(0, 5), b"k")
    admin = AdminClient(client_config(settings))
    for future in admin.delete_records([TopicPartition(settings.prefix + "orders", 0, 3)]).values():
        future.result(10)
    return settings


@pytest.mark.kafka
def test_a_trimmed_log_is_read_from_its_first_record(trimmed):
    assert numbers(whole(trimmed, "orders")) == [3, 4]


@pytest.mark.kafka
def test_a_read_of_what_was_trimmed_is_an_error(trimmed):
    with pytest.raises(ReadError, match=r"orders/0: offset 1 lies outside the log \(3 to 5\)"):
        whole(trimmed, "orders", 0, 1)


@pytest.mark.kafka
def test_a_follower_whose_next_record_was_trimmed_says_so(trimmed, until):
    follower = follow(trimmed, ["orders"], {("orders", 0): 1})
    try:
        with pytest.raises(ReadError, match=f"{trimmed.prefix}orders/0 at offset 1"):
            until(lambda: follower.poll(0.1))
    finally:
        follower.close()


@pytest.mark.kafka
def test_a_topic_that_is_not_there_is_named_with_what_to_do(kafka_settings):
    with pytest.raises(ReadError, match=f"{kafka_settings.prefix}orders: no such topic .*topics apply"):
        next(read_to_end(kafka_settings, "orders", contiguous=True))


def test_a_broker_that_does_not_answer_is_told_within_the_bound(monkeypatch, tmp_path):
    monkeypatch.setattr(ends, "ASK_SECONDS", 0.5)
    nobody = Settings(home=tmp_path, bootstrap=f"127.0.0.1:{free_port()}", api="127.0.0.1:2", demo=False)
    with pytest.raises(ReadError, match="the broker does not answer"):
        next(read_to_end(nobody, "orders", contiguous=True))


def test_a_read_that_gets_nothing_any_more_ends_within_its_bound(embedded_topics, tmp_path, monkeypatch):
    with start_embedded(f"127.0.0.1:{free_port()}", tmp_path) as broker:
        embedded_topics.__init__(embedded_topics.settings.with_(bootstrap=broker.address))
        embedded_topics.make("orders")
        embedded_topics.write("orders", [bytes(200_000)] * 400)  # more than a reader fetches ahead
        batches = read_to_end(embedded_topics.settings, "orders", [0], contiguous=True)
        seen = next(batches)
        monkeypatch.setattr(reader, "STALL_SECONDS", 1.0)  # not before: a busy broker may be so slow
        broker.kill()
        with pytest.raises(ReadStalled, match="orders: no progress for 1 s"):
            drain(batches, seen)
    assert 0 < len(seen) < 400


def test_reading_joins_no_group_and_commits_nothing(kafka_topics):
    kafka_topics.make("orders")
    kafka_topics.write("orders", values(0, 3))
    whole(kafka_topics.settings, "orders")
    group = Consumer(client_config(kafka_topics.settings) | {"group.id": "smokehouse-reader"})
    place = TopicPartition(kafka_topics.settings.prefix + "orders", 0)
    assert group.committed([place], timeout=10)[0].offset < 0
    group.close()
