"""The catalogue: each topic once, one list of writers, and the settings its kind needs."""

from __future__ import annotations

import pytest

from streams.topics import CATALOGUE, CHANGELOG_OF, LOGS, Topic, topic
from tables import outcome

DESIGNED = {
    "orders", "warehouse", "reservations", "order-status", "stock-levels", "alerts", "demand", "forecasts", "reorders",
    "forecast-alerts", "planning", "order-changelog", "stock-changelog", "dead-letters",
}  # fmt: skip
each = pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.name)


def test_every_topic_stands_in_it_once() -> None:
    names = [entry.name for entry in CATALOGUE]
    assert len(names) == len(set(names))
    assert set(names) == DESIGNED


@each
def test_an_entry_says_what_it_holds_and_who_writes(entry: Topic) -> None:
    assert entry.key
    assert entry.holds
    assert entry.writer


@each
def test_a_published_topic_has_one_writer(entry: Topic) -> None:
    assert entry.kind == "log" or "," not in entry.writer


@each
def test_the_broker_stamps_every_record_because_a_clock_of_a_worker_may_be_wrong(entry: Topic) -> None:
    assert entry.config()["message.timestamp.type"] == "LogAppendTime"


@each
@pytest.mark.parametrize(("copies", "in_sync"), [(2, "1"), (3, "2"), (4, "3"), (5, "3")])
def test_of_several_copies_more_than_half_have_what_is_acknowledged_and_no_other_leads(entry, copies, in_sync) -> None:
    config = entry.config(copies)
    assert config["min.insync.replicas"] == in_sync
    assert config["unclean.leader.election.enable"] == "false"
    assert config.items() > entry.config().items()


@pytest.mark.parametrize("log", LOGS, ids=lambda log: log.name)
def test_a_log_keeps_everything(log: Topic) -> None:
    assert (log.config()["cleanup.policy"], log.config()["retention.ms"]) == ("delete", "-1")


@each
def test_a_compacted_topic_is_never_cut_by_time_unless_it_says_so(entry: Topic) -> None:
    assert ("retention.ms" in entry.config()) == ("delete" in entry.cleanup)


@each
def test_what_is_partitioned_by_a_part_of_the_key_begins_with_it(entry: Topic) -> None:
    assert entry.key.split("|")[0] == (entry.partitioned_by or entry.key.split("|")[0])


def test_each_log_has_a_compacted_changelog_of_its_own() -> None:
    changelogs = [CHANGELOG_OF[log.name] for log in LOGS]
    assert len(set(changelogs)) == len(LOGS)
    assert {(c.kind, c.cleanup) for c in changelogs} == {("changelog", "compact")}


def test_what_a_step_sends_to_is_in_the_catalogue() -> None:
    for name in (outcome.ORDERS, outcome.WAREHOUSE, outcome.RESERVATIONS, outcome.ALERTS):
        assert topic(name).name == name


def test_a_name_that_is_not_there_is_answered_with_those_that_are() -> None:
    with pytest.raises(KeyError, match="no topic 'order'; there are: orders, warehouse"):
        topic("order")
