"""Offsets on their way: the highest wins, one commit at a time, a refused one again only where it still belongs."""

from __future__ import annotations

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition
from faust.types import TP

from streams.transport import commits
from streams.transport.commits import SYNCHRONOUS_TRIES, Commits
from streams.transport.counters import Counters

A, B = TP("orders", 0), TP("orders", 1)
REBALANCE = KafkaError(KafkaError.REBALANCE_IN_PROGRESS)


class Broker:
    """What a consumer was asked to commit; `error`: how it answers synchronous questions."""

    def __init__(self) -> None:
        self.asked: list[dict[TP, int]] = []
        self.error: KafkaError | None = None

    def commit(self, *, offsets: list[TopicPartition], asynchronous: bool) -> list[TopicPartition]:
        self.asked.append({TP(p.topic, p.partition): p.offset for p in offsets})
        if self.error is not None:
            raise KafkaException(self.error)
        return offsets


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
def epochs() -> dict[TP, int]:
    return {A: 1, B: 2}


@pytest.fixture
def counters() -> Counters:
    return Counters()


@pytest.fixture
def made(epochs, counters, monkeypatch) -> Commits:
    monkeypatch.setattr(commits, "RETRY_SECONDS", 0.0)
    return Commits(counters, epochs.get, lambda _: None, lambda: None)


def test_the_highest_offset_of_a_partition_wins(made, broker):
    made.want({A: 5, B: 7})
    made.want({A: 9, B: 3})
    made.send(broker)
    assert broker.asked == [{A: 9, B: 7}]


def test_the_next_commit_waits_for_the_answer_of_the_one_before(made, broker):
    made.want({A: 5})
    made.send(broker)
    made.want({A: 6})
    made.send(broker)
    assert broker.asked == [{A: 5}]
    made.answered(None, [TopicPartition(*A, 5)])
    made.send(broker)
    assert broker.asked == [{A: 5}, {A: 6}]


def test_what_is_not_ours_any_more_is_not_sent(made, broker, epochs):
    made.want({A: 5, B: 7})
    del epochs[B]
    made.send(broker)
    assert broker.asked == [{A: 5}]


@pytest.mark.parametrize("now", [None, 3], ids=["gone", "assigned anew"])
def test_a_refused_offset_is_sent_again_only_in_its_own_assignment(made, broker, epochs, counters, now):
    made.want({A: 5, B: 7})
    made.send(broker)
    epochs.pop(B)
    if now is not None:
        epochs[B] = now
    made.answered(REBALANCE, [])
    made.send(broker)
    assert broker.asked == [{A: 5, B: 7}, {A: 5}]
    assert (counters.commits, counters.commits_refused) == (1, 1)


def test_a_refused_offset_never_goes_back_behind_a_newer_one(made, broker):
    made.want({A: 5})
    made.send(broker)
    made.want({A: 8})
    made.answered(REBALANCE, [])
    made.send(broker)
    assert broker.asked == [{A: 5}, {A: 8}]


def test_what_is_taken_is_wanted_no_more(made, broker):
    made.want({A: 5, B: 7})
    assert made.take([B, TP("orders", 9)]) == {B: 7}
    assert made.take() == {A: 5}
    made.send(broker)
    assert broker.asked == []


def test_a_commit_that_cannot_wait_is_tried_a_few_times(made, broker, counters):
    broker.error = REBALANCE
    made.now(broker, {A: 5})
    assert broker.asked == [{A: 5}] * SYNCHRONOUS_TRIES
    assert counters.commits_refused == SYNCHRONOUS_TRIES
    made.now(broker, {})
    assert len(broker.asked) == SYNCHRONOUS_TRIES, "there was nothing to commit"
