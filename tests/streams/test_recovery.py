"""Recovery: the highest version of each row, whoever wrote it; a local store only where it can be trusted."""

from __future__ import annotations

import itertools
import shutil
from contextlib import suppress

import pytest
from msgspec.structs import replace

from streams.agents.stock import step
from streams.reader import last_offsets
from streams.recovery import TwoStates, recover
from tables import ledger, rows
from tables import records as r
from tables.outcome import At, place_of
from tables.pruning import DELETED
from tables.store import changelog_key, version_bytes
from tables.table import Table

LOG, CHANGELOG = 7, "stock-changelog"
A, B, C = (letter * 32 for letter in "abc")  # writers
JERKY = "stock|JERKY|W1"


def stock(offset, on_hand, index=0):
    place = place_of(offset, index)
    return ledger.move(ledger.new_stock("JERKY", "W1", place, rows.Policy()), place, 0, None, on_hand=on_hand)


def state_of(row, log_id=LOG):
    return version_bytes(log_id, row.at) + rows.encode(row)


class Changelog:
    """One partition of a changelog, and the local store beside it."""

    def __init__(self, topics):
        self._topics = topics
        self.path = topics.settings.home / "stores" / "worker" / "warehouse-0"
        topics.make(CHANGELOG)

    def write(self, writer, *some, key=JERKY, log_id=LOG):
        self._topics.write(CHANGELOG, [state_of(row, log_id) for row in some], changelog_key(key, writer))

    def take_away(self, writer, key=JERKY):
        self._topics.write(CHANGELOG, [None], changelog_key(key, writer))

    @property
    def end(self):
        return last_offsets(self._topics.settings, CHANGELOG)[0]

    def recover(self, writer=C):
        return recover(self._topics.settings, CHANGELOG, 0, self.path, writer)

    def found(self, writer=C):
        """What a recovery gives for the one row, its store closed again as a crash would leave it."""
        recovered = self.recover(writer)
        row = recovered.store.get(JERKY)
        recovered.store.close()
        return row

    def closed_cleanly(self, writer=A, offset=5):
        """A local store of `writer` with a row that its changelog has too."""
        recovered = self.recover(writer)
        self.write(writer, stock(offset, offset))
        recovered.store.write([(JERKY.encode(), state_of(stock(offset, offset)))])
        recovered.store.close(self.end)


@pytest.fixture
def changelog(topics):
    return Changelog(topics)


@pytest.fixture
def embedded_changelog(embedded_topics):
    return Changelog(embedded_topics)


# -- rows --------------------------------------------------------------------------------------------------------------


def test_of_all_copies_of_a_row_the_highest_version_is_taken_in_whatever_order_they_stand(changelog):
    copies = {A: stock(9, 90), B: stock(10, 100), C: stock(10, 101, index=1)}
    for order in itertools.permutations(copies):
        for writer in order:
            changelog.write(writer, copies[writer])
        assert changelog.found() == copies[C]


def test_a_higher_log_id_beats_a_higher_offset(embedded_changelog):
    embedded_changelog.write(A, stock(1, 1), log_id=LOG + 1)
    embedded_changelog.write(B, stock(9, 9))
    assert embedded_changelog.found() == stock(1, 1)


def test_each_key_is_recovered_by_itself(embedded_changelog):
    other = "stock|PEPPER|W1"
    embedded_changelog.write(A, stock(9, 1))
    embedded_changelog.write(B, replace(stock(3, 2), sku="PEPPER"), key=other)
    recovered = embedded_changelog.recover()
    assert recovered.rows == 2
    assert not recovered.kept
    assert recovered.store.get(JERKY).at == place_of(9)
    assert recovered.store.get(other).at == place_of(3)
    recovered.store.close()


def test_other_partitions_of_the_changelog_are_not_read(embedded_changelog, embedded_topics):
    embedded_topics.write(CHANGELOG, [state_of(stock(1, 1))], changelog_key(JERKY, A), partition=1)
    assert embedded_changelog.found() is None


def test_an_empty_changelog_gives_an_empty_store(changelog):
    recovered = changelog.recover()
    assert (recovered.rows, recovered.kept, list(recovered.store.scan(""))) == (0, False, [])
    recovered.store.close()


def test_two_writers_that_agree_on_a_version_are_one_state(embedded_changelog):
    embedded_changelog.write(A, stock(5, 50))
    embedded_changelog.write(B, stock(5, 50))
    assert embedded_changelog.found() == stock(5, 50)


def test_two_contents_of_one_version_are_never_a_choice(changelog):
    changelog.write(A, stock(5, 50))
    changelog.write(B, stock(5, 51))
    with pytest.raises(TwoStates, match=rf"stock-changelog\[0\]: row stock\|JERKY\|W1 .* by {A} and {B} \(offset 1\)"):
        changelog.recover()
    assert not changelog.path.exists(), "no store is left that could be kept"


def test_two_contents_of_a_version_that_was_passed_are_no_matter_any_more(embedded_changelog):
    embedded_changelog.write(A, stock(6, 60))
    embedded_changelog.write(B, stock(5, 50), stock(6, 60))
    embedded_changelog.write(C, stock(5, 51))
    assert embedded_changelog.found() == stock(6, 60)


def test_the_copies_of_older_writers_are_known_until_they_are_taken_away(embedded_changelog):
    for writer, offset in ((A, 3), (B, 4), (C, 5)):
        embedded_changelog.write(writer, stock(offset, offset))
    embedded_changelog.take_away(B)
    recovered = embedded_changelog.recover("d" * 32)
    assert recovered.store.get(JERKY) == stock(5, 5)
    assert recovered.store.foreign == {JERKY: [C, A]}
    recovered.store.close()


def test_an_old_copy_taken_away_before_or_after_changes_no_row(embedded_changelog):
    embedded_changelog.take_away(A)
    embedded_changelog.write(B, stock(5, 50))
    embedded_changelog.write(A, stock(4, 40))
    embedded_changelog.take_away(A)
    assert embedded_changelog.found() == stock(5, 50)


# -- the local store ---------------------------------------------------------------------------------------------------


def test_a_store_that_was_closed_cleanly_is_kept_once(changelog):
    changelog.closed_cleanly()
    recovered = changelog.recover(B)
    assert (recovered.kept, recovered.rows, recovered.store.get(JERKY)) == (True, 0, stock(5, 5))
    recovered.store.close()  # not cleanly: nobody says how far it goes
    assert not changelog.recover(C).kept


def test_a_kept_store_names_the_writer_whose_copies_stand_in_the_changelog(embedded_changelog):
    embedded_changelog.closed_cleanly(A)
    recovered = embedded_changelog.recover(B)
    recovered.store.get(JERKY)
    assert recovered.store.foreign == {JERKY: [A]}
    recovered.store.close()


def test_a_store_that_was_not_closed_cleanly_is_made_anew(changelog):
    recovered = changelog.recover(A)
    recovered.store.write([(JERKY.encode(), state_of(stock(99, 99)))])  # never acknowledged
    recovered.store.close()
    changelog.write(A, stock(5, 5))
    assert changelog.found() == stock(5, 5)


def test_a_store_is_made_anew_when_another_writer_came_after(changelog):
    changelog.closed_cleanly(A, offset=5)
    changelog.write(B, stock(6, 60))
    recovered = changelog.recover(C)
    assert (recovered.kept, recovered.store.get(JERKY)) == (False, stock(6, 60))
    recovered.store.close()


def test_a_store_is_kept_when_only_its_own_writer_came_after(embedded_changelog):
    """Its last words, acknowledged after the end was asked for."""
    embedded_changelog.closed_cleanly(A, offset=5)
    embedded_changelog.write(A, stock(5, 5))
    embedded_changelog.take_away(B)
    recovered = embedded_changelog.recover(C)
    assert recovered.kept
    recovered.store.close()


def test_a_store_whose_changelog_is_shorter_than_it_was_is_made_anew(embedded_topics):
    first = Changelog(embedded_topics)
    first.closed_cleanly(A, offset=5)
    embedded_topics.settings = embedded_topics.settings.with_(prefix="anew-" + embedded_topics.settings.prefix)
    recovered = Changelog(embedded_topics).recover(B)
    assert (recovered.kept, recovered.store.get(JERKY)) == (False, None)
    recovered.store.close()


@pytest.mark.parametrize("mark", ["", "{", "[]", '{"writer": "a"}', '{"writer": "a", "changelog_end": "many"}'])
def test_a_mark_that_cannot_be_read_is_no_mark(embedded_changelog, mark):
    embedded_changelog.closed_cleanly()
    embedded_changelog.path.with_name("warehouse-0.closed").write_text(mark)
    recovered = embedded_changelog.recover(B)
    assert (recovered.kept, recovered.store.get(JERKY)) == (False, stock(5, 5))
    recovered.store.close()


def test_a_mark_without_its_store_is_no_mark(embedded_changelog):
    embedded_changelog.closed_cleanly()
    shutil.rmtree(embedded_changelog.path)
    recovered = embedded_changelog.recover(B)
    assert (recovered.kept, recovered.store.get(JERKY)) == (False, stock(5, 5))
    recovered.store.close()


def overwritten(path):
    for file in path.iterdir():
        file.write_bytes(b"not a database")


def truncated(path):
    for file in path.iterdir():
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def without_current(path):
    (path / "CURRENT").unlink()


def without_tables(path):
    for file in path.glob("*.sst"):
        file.unlink()


def foreign(path):
    shutil.rmtree(path)
    path.mkdir()
    (path / "holiday.jpg").write_bytes(b"\xff\xd8")


DAMAGES = pytest.mark.parametrize(
    "damage", [overwritten, truncated, without_current, without_tables, foreign], ids=lambda damage: damage.__name__
)


@DAMAGES
def test_damaged_files_of_a_store_without_a_mark_are_no_matter(embedded_changelog, damage):
    embedded_changelog.closed_cleanly()
    embedded_changelog.path.with_name("warehouse-0.closed").unlink()
    damage(embedded_changelog.path)
    assert embedded_changelog.found(B) == stock(5, 5)


@DAMAGES
def test_damaged_files_of_a_store_that_was_closed_cleanly_are_made_anew(embedded_changelog, damage):
    embedded_changelog.closed_cleanly()
    damage(embedded_changelog.path)
    assert embedded_changelog.found(B) == stock(5, 5)


@DAMAGES
def test_a_store_that_could_not_be_opened_is_made_anew_by_the_next_process(embedded_changelog, damage):
    embedded_changelog.closed_cleanly()
    damage(embedded_changelog.path)
    with suppress(Exception):
        embedded_changelog.recover(B).store.close()
    assert embedded_changelog.found(C) == stock(5, 5)


# -- rows that are forgotten -------------------------------------------------------------------------------------------

NOW_MS = 1_772_442_900_000
PARTITION, RES = rows.PARTITION_KEY, rows.reservation_key("o1", 1)


def position(offset, state_ms):
    return rows.PartitionRow(place_of(offset), LOG, 0, 4, 1, r.Limits(), state_ms, NOW_MS)


def reservation(offset, state, forget_ms):
    release = r.Release(id="o1:1:0", order_id="o1", attempt=1)
    [row] = step(Table(), release, At(place_of(offset), NOW_MS), position(offset, NOW_MS)).rows.values()
    return replace(row, state=state, forget_ms=forget_ms)


@pytest.fixture
def forgotten(embedded_changelog):
    """A claim by A, released by B, marked deleted by C; and a row that stays."""
    embedded_changelog.write(A, stock(5, 5))
    embedded_changelog.write(A, reservation(3, "claimed", 0), key=RES)
    embedded_changelog.write(B, reservation(4, "released", NOW_MS), key=RES)
    embedded_changelog.write(C, reservation(8, DELETED, NOW_MS + 1_000), key=RES)
    return embedded_changelog


def test_a_mark_that_has_stood_for_its_day_ends_with_all_its_copies_the_newest_last(forgotten):
    forgotten.write(C, position(9, NOW_MS + 1_000), key=PARTITION)
    recovered = forgotten.recover("d" * 32)
    assert recovered.ended == tuple(changelog_key(RES, writer) for writer in (A, B, C))
    assert recovered.store.get(RES) is None
    assert recovered.store.get(JERKY) == stock(5, 5)
    recovered.store.close()


def test_a_mark_stays_until_then_because_older_copies_would_come_back(forgotten):
    forgotten.write(C, position(9, NOW_MS + 999), key=PARTITION)
    recovered = forgotten.recover("d" * 32)
    assert recovered.ended == ()
    assert recovered.store.get(RES).state == DELETED
    recovered.store.close()


def test_the_newest_place_that_was_recovered_is_told(forgotten):
    forgotten.write(C, position(9, 0), key=PARTITION)
    recovered = forgotten.recover("d" * 32)
    assert recovered.newest == place_of(9)
    recovered.store.close()
