"""Rows that are past their time, or wait for too long, are found and told to the logs, which decide."""

from __future__ import annotations

import time

import pytest
from msgspec.structs import replace

from streams import housekeeping
from streams.agents import stock
from streams.partition import Partition
from tables import records as r
from tables import rows
from tables.outcome import At, place_of
from tables.pruning import DELETED
from tables.rows import PartitionRow, reservation_key
from tables.store import RowStore, changelog_key, version_bytes
from tables.table import Table

KEEP_SECONDS = 60
NOW_MS = time.time_ns() // 1_000_000
LOG_ID = 7
OURS, THEIRS = "a" * 32, "b" * 32
KEY = reservation_key("o1", 1)


def state(ms):
    limits = r.Limits(reservation_keep_seconds=KEEP_SECONDS)
    return PartitionRow(place_of(9), LOG_ID, 0, 4, 1, limits, ms, NOW_MS)


def reservation(name, offset, how="released", forget_ms=NOW_MS):
    """What a release leaves of an attempt, moved to where this test wants it."""
    release = r.Release(id=name, order_id=name, attempt=1)
    [row] = stock.step(Table(), release, At(place_of(offset), NOW_MS), state(NOW_MS)).rows.values()
    return replace(row, state=how, asked=place_of(1), asked_ms=NOW_MS, order_ms=NOW_MS, forget_ms=forget_ms)


def encoded(row):
    return version_bytes(LOG_ID, row.at) + rows.encode(row)


class Outbox:
    """What a look sends, where a test can see it."""

    def __init__(self):
        self.notes = []

    def send(self, send):
        self.notes.append(send.record)


class Owned:
    """A partition of the stock log over a real store."""

    def __init__(self, path, ms=NOW_MS):
        self.store = RowStore(path / "rows", OURS)
        self.outbox = Outbox()
        self.looked_to, self.asks, self.asked = "", False, float("-inf")
        from streams.wiring import ROLES

        self.partition = Partition(ROLES["stock"], 0, Table(self.store), self.outbox, 9)
        self.partition._state = state(ms)

    def write(self, *found):
        self.store.write([
            (reservation_key(x.order_id, x.attempt).encode(), encoded(x)) for x in found
        ])  # fmt: skip

    def look(self):
        self.look_once()
        return [[item.order_id for item in note.items] for note in self.outbox.notes]

    def look_once(self):
        self.round_began = float("-inf")
        housekeeping.look(self, self)


@pytest.fixture
def owned(tmp_path):
    made = Owned(tmp_path)
    yield made
    made.store.close()


def test_only_what_is_past_its_time_is_named_at_most_a_hundred_a_note(owned):
    owned.write(*(reservation(f"old-{n:03d}", n + 1) for n in range(250)))
    owned.write(reservation("open", 300, "allocated", 0), reservation("young", 301, forget_ms=NOW_MS + 1))
    named = owned.look()
    assert [len(note) for note in named] == [100, 100, 50]
    assert {name for note in named for name in note} == {f"old-{n:03d}" for n in range(250)}


def test_looks_go_on_where_the_last_one_ended_and_begin_again_at_the_end(owned, monkeypatch):
    monkeypatch.setattr(housekeeping, "LOOK_ROWS", 4)
    owned.write(*(reservation(f"o{n}", n + 1) for n in range(6)))
    assert owned.look() == [["o0", "o1", "o2", "o3"]]
    assert owned.look()[1:] == [["o4", "o5"]]
    assert owned.look()[2:] == [["o0", "o1", "o2", "o3"]], "they were not marked yet"


def test_what_is_marked_is_not_named_again(owned):
    owned.write(reservation("o1", 5, DELETED, NOW_MS))
    assert owned.look() == []


def test_before_any_time_was_told_nothing_is_looked_for(owned):
    owned.partition._state = None
    owned.write(reservation("o1", 5, forget_ms=-1))
    assert owned.look() == []


def test_the_order_is_asked_about_a_claim_that_no_answer_takes_so_long_to_end(owned):
    late = r.Limits().undecided_seconds * 2_000
    claim = reservation("o1", 5, "claimed", 0)
    owned.write(claim, reservation("o2", 6, "allocated", 0), reservation("o3", 7, "refused", 0))
    owned.partition._state = state(NOW_MS + late)
    assert owned.look() == []
    owned.partition._state = state(NOW_MS + late + 1)
    owned.asked = float("-inf")
    owned.look_once()
    [question] = owned.outbox.notes
    assert (question.order_id, question.attempt, question.partition) == ("o1", 1, 0)
    owned.look_once()
    assert owned.outbox.notes == [question], "once an hour is enough"


def test_a_round_over_few_rows_does_not_begin_again_at_once(owned):
    owned.write(reservation("o1", 5))
    owned.look_once()
    housekeeping.look(owned, owned)
    assert len(owned.outbox.notes) == 1


def test_rows_of_another_writer_in_our_changelog_are_counted(topics):
    """Those from before we took over are its right."""
    topics.make("stock-changelog")
    row = encoded(reservation("o1", 5))
    topics.write("stock-changelog", [row], changelog_key(KEY, THEIRS))
    assert housekeeping.foreign_rows(topics.settings, "stock-changelog", 0, 1, OURS) == {}
    topics.write("stock-changelog", [row, row], changelog_key(KEY, OURS))
    assert housekeeping.foreign_rows(topics.settings, "stock-changelog", 0, 1, OURS) == {}
    topics.write("stock-changelog", [row, None], changelog_key(KEY, THEIRS))
    assert housekeeping.foreign_rows(topics.settings, "stock-changelog", 0, 1, OURS) == {THEIRS: 1}
