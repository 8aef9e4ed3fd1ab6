"""A store read in slices and what its bytes are; and a table over rows of which some are in memory only: what the next
owner knows of them, and which of its lots are due."""

from __future__ import annotations

from pathlib import Path

import pytest

from tables import rows
from tables.ledger import new_stock
from tables.outcome import place_of
from tables.rows import (
    ChannelRow,
    CountRow,
    KitRow,
    LotRow,
    Policy,
    QueueRow,
    Row,
    StockRow,
    channel_key,
    count_key,
    kit_key,
    lot_key,
    queue_key,
    stock_key,
)
from tables.store import RowStore, drop, place_in, version_bytes
from tables.table import Table

OURS, THEIRS, ANOTHER, A_THIRD = (letter * 32 for letter in "abcd")


def stock(location: str, at: int = 1) -> StockRow:
    return new_stock("A", location, at, Policy())


def lot(code: str, due: int = 0, location: str = "W1") -> LotRow:
    """`due`: the day, counted from the first there is."""
    return LotRow(1, "A", location, code, "", 1, 4, 0, "approved", False, False, due, ())


def value(row: Row) -> bytes:
    """A row as it stands in a changelog."""
    return version_bytes(7, row.at) + rows.encode(row)


@pytest.fixture
def store(tmp_path: Path) -> RowStore:
    """Six stock rows, W0 to W5, between rows of other kinds."""
    made = RowStore(tmp_path / "rows", OURS)
    written = [(stock_key("A", f"W{n}"), stock(f"W{n}")) for n in range(6)]
    written += [(stock_key("B", "W0"), new_stock("B", "W0", 1, Policy()))]
    made.write((key.encode(), value(row)) for key, row in written)
    return made


@pytest.mark.parametrize("most", [1, 2, 4, 6, 99])
def test_slices_give_every_row_of_a_kind_once_and_in_order(store: RowStore, most: int) -> None:
    found: list[tuple[str, StockRow]] = []
    after = ""
    while part := store.slice("stock|A|", after, most):
        assert len(part) <= most
        found += part
        after = part[-1][0]
    assert found == [(stock_key("A", f"W{n}"), stock(f"W{n}")) for n in range(6)]


def test_a_slice_begins_after_a_key_that_is_gone_too(store: RowStore) -> None:
    assert [key for key, _ in store.slice("stock|A|", stock_key("A", "W33"), 2)] == [
        stock_key("A", "W4"), stock_key("A", "W5")
    ]  # fmt: skip


def test_what_is_found_below_a_prefix_is_of_the_store_and_of_memory_each_key_once(store: RowStore) -> None:
    table = Table(store)
    newer = stock("W1", at=9)
    table.put({stock_key("A", "W1"): newer, stock_key("A", "W7"): stock("W7")})
    found = dict(table.found("stock|A|"))
    assert list(found) == [stock_key("A", f"W{n}") for n in (0, 1, 2, 3, 4, 5, 7)]
    assert found[stock_key("A", "W1")] == newer


def test_of_a_queue_in_the_store_only_those_who_still_wait_are_below_its_prefix(store: RowStore) -> None:
    """Whoever reads a shelf's queue after a restart must not fill it for people who have theirs."""
    queued = [QueueRow(place, "A", "W1", f"o{place}", 1, units) for place, units in ((1, 2), (2, 0), (3, 1))]
    store.write((queue_key("A", "W1", x.at).encode(), value(x)) for x in queued)
    table = Table(store)
    assert table.below("queue|A|W1|") == [queue_key("A", "W1", 1), queue_key("A", "W1", 3)]
    table.put({queue_key("A", "W1", 1): QueueRow(4, "A", "W1", "o1", 1, 0)})
    assert table.below("queue|A|W1|") == [queue_key("A", "W1", 3)]
    assert table.below("stock|A|") == [stock_key("A", f"W{n}") for n in range(6)]


@pytest.mark.parametrize("place", [0, 1, place_of(1, 0), place_of(1 << 40, 999)])
def test_a_version_tells_its_place_and_nothing_is_older_than_every_place(place: int) -> None:
    assert place_in(version_bytes(7, place) + b"whatever") == place
    assert place_in(b"") == -1


def test_a_version_is_the_log_the_offset_and_the_place_in_a_packed_record() -> None:
    assert version_bytes(7, place_of(3, 5)).hex() == "0000000000000007" + "0000000000000003" + "00000005"


def test_a_row_of_one_other_writer_names_that_one_alone(store: RowStore) -> None:
    row, key = stock("W9"), stock_key("A", "W9")
    store.fill([(key.encode(), value(row), THEIRS.encode(), [])])
    assert store.get(key) == row
    assert store.foreign == {key: [THEIRS]}


def test_a_row_of_several_other_writers_names_each_of_them(store: RowStore) -> None:
    """Each has a copy in the changelog, and each copy is taken away by its name."""
    row, key = stock("W9"), stock_key("A", "W9")
    store.fill([(key.encode(), value(row), THEIRS.encode(), [ANOTHER.encode(), A_THIRD.encode()])])
    assert store.get(key) == row
    assert store.foreign == {key: [THEIRS, ANOTHER, A_THIRD]}


def test_a_store_is_made_wherever_it_is_wanted_and_one_that_never_was_can_be_dropped(tmp_path: Path) -> None:
    path = tmp_path / "worker" / "7" / "rows"
    drop(path)
    made = RowStore(path, OURS)
    assert list(made.scan("")) == []
    made.close()
    drop(path)
    assert not path.exists()


def test_what_is_written_goes_to_no_log_but_the_changelog(store: RowStore, tmp_path: Path) -> None:
    """A log of the store's own would be written for nobody: a store that was not closed cleanly is dropped."""
    assert len(list(store.scan("stock|A|"))) == 6
    assert [file.stat().st_size for file in (tmp_path / "rows").glob("*.log")] == [0]


def test_the_next_owner_of_a_store_knows_its_lots_by_their_code_and_by_their_day(store: RowStore) -> None:
    here, there = lot("L1", due=5), lot("L1", due=4, location="W2")
    written = [here, there, lot("L2", due=6), lot("L3")]
    store.write((lot_key("A", x.location, x.lot).encode(), value(x)) for x in written)
    table = Table(store)
    assert table.lots_of("L1") == [lot_key("A", "W1", "L1"), lot_key("A", "W2", "L1")]
    assert table.lots_of("L4") == []
    assert table.lots_due(5, 10) == [lot_key("A", "W2", "L1"), lot_key("A", "W1", "L1")]


def test_lots_whose_day_has_come_are_given_the_earliest_first_and_no_more_than_are_asked_for() -> None:
    """From the first day there is: a best-before day may be one that nobody meant."""
    table = Table()
    table.put({lot_key("A", "W1", code): lot(code, due) for code, due in (("C", 3), ("A", 1), ("D", 4), ("B", 2))})
    keys = [lot_key("A", "W1", code) for code in "ABCD"]
    for most in (1, 2, 3):
        assert table.lots_due(3, most) == keys[:most]
    assert table.lots_due(3, 10) == keys[:3]


def test_a_lot_whose_day_moved_away_and_back_is_due_once() -> None:
    table = Table()
    key = lot_key("A", "W1", "L1")
    for due in (5, 9, 5):
        table.put({key: lot("L1", due)})
    assert table.lots_due(9, 10) == [key]


def test_the_next_owner_of_a_store_knows_its_channels_counts_and_kits_and_whose_copies_they_are(
    store: RowStore,
) -> None:
    there: dict[str, Row] = {
        channel_key("web"): ChannelRow(1, "web", ("W1",), 0, 0, "", False),
        count_key("A", "W1"): CountRow(2, "A", "W1", 3, 2, 40, 1),
        kit_key("BOX"): KitRow(3, "BOX", (("A", 2), ("B", 1))),
    }
    store.fill((key.encode(), value(row), THEIRS.encode(), []) for key, row in there.items())
    table = Table(store)
    assert {key: table.get(key) for key in there} == there
    assert store.foreign == {key: [THEIRS] for key in there}
    assert table.get(kit_key("A")) is None


def test_a_table_in_memory_alone_finds_also_what_is_no_longer_waiting_to_be_written() -> None:
    table = Table()
    early, late = stock_key("A", "W1"), stock_key("A", "W2")
    table.put({late: stock("W2")})
    table.take_dirty()
    table.put({early: stock("W1")})
    assert table.found("stock|A|") == [(early, stock("W1")), (late, stock("W2"))]
