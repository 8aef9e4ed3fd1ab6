"""A store read in slices, and a table over rows of which some are in memory only."""

from __future__ import annotations

from pathlib import Path

import pytest

from tables import rows
from tables.ledger import new_stock
from tables.outcome import place_of
from tables.rows import Policy, QueueRow, StockRow, queue_key, stock_key
from tables.store import RowStore, drop, place_in, version_bytes
from tables.table import Table

OURS = "a" * 32


def stock(location: str, at: int = 1) -> StockRow:
    return new_stock("A", location, at, Policy())


@pytest.fixture
def store(tmp_path: Path) -> RowStore:
    """Six stock rows, W0 to W5, between rows of other kinds."""
    made = RowStore(tmp_path / "rows", OURS)
    written = [(stock_key("A", f"W{n}"), stock(f"W{n}")) for n in range(6)]
    written += [(stock_key("B", "W0"), new_stock("B", "W0", 1, Policy()))]
    made.write((key.encode(), version_bytes(7, row.at) + rows.encode(row)) for key, row in written)
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
    store.write((queue_key("A", "W1", x.at).encode(), version_bytes(7, x.at) + rows.encode(x)) for x in queued)
    table = Table(store)
    assert table.below("queue|A|W1|") == [queue_key("A", "W1", 1), queue_key("A", "W1", 3)]
    table.put({queue_key("A", "W1", 1): QueueRow(4, "A", "W1", "o1", 1, 0)})
    assert table.below("queue|A|W1|") == [queue_key("A", "W1", 3)]
    assert table.below("stock|A|") == [stock_key("A", f"W{n}") for n in range(6)]


@pytest.mark.parametrize("place", [0, 1, place_of(1, 0), place_of(1 << 40, 999)])
def test_a_version_tells_its_place_and_nothing_is_older_than_every_place(place: int) -> None:
    assert place_in(version_bytes(7, place) + b"whatever") == place
    assert place_in(b"") == -1


def test_a_row_of_one_other_writer_names_that_one_alone(store: RowStore) -> None:
    row, theirs = stock("W9"), "b" * 32
    key = stock_key("A", "W9")
    store.fill([(key.encode(), version_bytes(7, row.at) + rows.encode(row), theirs.encode(), [])])
    assert store.get(key) == row
    assert store.foreign == {key: [theirs]}


def test_a_store_is_made_wherever_it_is_wanted_and_one_that_never_was_can_be_dropped(tmp_path: Path) -> None:
    path = tmp_path / "worker" / "7" / "rows"
    drop(path)
    made = RowStore(path, OURS)
    assert made.count("") == 0
    made.close()
    drop(path)
    assert not path.exists()
