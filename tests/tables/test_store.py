"""The table over a store in memory and over the one on disk: the same cases; and what a closed one is trusted with."""

from __future__ import annotations

import gzip
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tables import marks, rows, store, table
from tables import records as r
from tables.examples import example
from tables.ledger import new_stock
from tables.outcome import place_of
from tables.rows import LotRow, OrderRow, Policy, StockRow, lot_key, order_key, stock_key
from tables.store import RowStore, changelog_key, drop, reopen, split_changelog_key, version_bytes
from tables.table import Table

OURS, THEIRS, ANOTHER = "a" * 32, "b" * 32, "c" * 32


def stock(location: str, at: int = 1) -> StockRow:
    return new_stock("A", location, at, Policy())


def lot(code: str, at: int = 1) -> LotRow:
    return LotRow(at, "A", "W1", code, "", at, at, 0, "approved", False, False, 0, ())


def value(row: Any) -> bytes:
    """A row as it stands in a changelog."""
    return version_bytes(7, row.at) + rows.encode(row)


class Shelf:
    """A table, its store, and checkpoints that may be followed by a new owner."""

    def __init__(self, made: Any) -> None:
        self.store = made
        self.table = Table(made)

    def checkpoint(self) -> None:
        dirty = self.table.take_dirty()
        if isinstance(self.store, RowStore):
            self.store.write([(key.encode(), value(row)) for key, row in dirty.items()])
        else:
            self.store.rows.update(dirty)

    def reopen(self) -> None:
        self.table = Table(self.store)


@pytest.fixture(params=["dict", "rocksdb"])
def shelf(request: pytest.FixtureRequest, tmp_path: Path, stock_log: Any) -> Iterator[Shelf]:
    if request.param == "dict":
        yield Shelf(stock_log.dict_store())
        return
    made = RowStore(tmp_path / "rows", OURS)
    yield Shelf(made)
    made.close()


# -- one contract, two stores ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("later", ["at once", "after a checkpoint", "by the next owner"])
def test_get_gives_the_last_row_put(shelf: Shelf, later: str) -> None:
    shelf.table.put({stock_key("A", "W1"): stock("W1", 1), lot_key("A", "W1", "L"): lot("L", 1)})
    shelf.table.put({stock_key("A", "W1"): stock("W1", 2)})
    if later != "at once":
        shelf.checkpoint()
    if later == "by the next owner":
        shelf.reopen()
    assert shelf.table.get(stock_key("A", "W1")) == stock("W1", 2)
    assert shelf.table.get(lot_key("A", "W1", "L")) == lot("L", 1)
    assert shelf.table.get(stock_key("A", "W2")) is None


def test_below_gives_sorted_keys_wherever_their_rows_are(shelf: Shelf) -> None:
    for code in ("C", "A"):
        shelf.table.put({lot_key("A", "W1", code): lot(code)})
    shelf.table.put({lot_key("A", "W10", "X"): lot("X"), lot_key("AB", "W1", "X"): lot("X")})
    shelf.checkpoint()
    shelf.reopen()
    shelf.table.put({lot_key("A", "W1", "D"): lot("D")})
    assert shelf.table.below("lot|A|W1|") == [f"lot|A|W1|{code}" for code in "ACD"]
    shelf.table.put({lot_key("A", "W1", "B"): lot("B"), lot_key("A", "W1", "A"): lot("A", 2)})
    assert shelf.table.below("lot|A|W1|") == [f"lot|A|W1|{code}" for code in "ABCD"]
    assert shelf.table.below("stock|A|") == []


def test_dirty_rows_are_the_ones_put_since_the_last_checkpoint_each_once_and_also_if_unchanged(shelf: Shelf) -> None:
    one, two = stock_key("A", "W1"), stock_key("A", "W2")
    for key, at in ((two, 1), (one, 1), (two, 2)):
        shelf.table.put({key: stock(key[-2:], at)})
    assert list(shelf.table.dirty) == [two, one]
    shelf.checkpoint()
    assert shelf.table.dirty == {}
    shelf.table.put({one: shelf.table.get(one)})
    assert list(shelf.table.dirty) == [one]


def test_rows_gives_memory_before_the_store(shelf: Shelf) -> None:
    shelf.table.put({stock_key("A", x): stock(x, 1) for x in ("W1", "W2")})
    shelf.checkpoint()
    shelf.reopen()
    shelf.table.put({stock_key("A", "W2"): stock("W2", 5)})
    assert [(key, row.at) for key, row in shelf.table.rows("stock|")] == [("stock|A|W1", 1), ("stock|A|W2", 5)]


def order(order_id: str, deadline_ms: int) -> OrderRow:
    return OrderRow(
        1, order_id, "pending", "", "none", 0, (), False, "", b"", deadline_ms, 0, "all_or_nothing", (), (), (), (), (),
        (), (), (), "", "", 0, (), (), (), (), None, (), (), "", (), (), 0,
    )  # fmt: skip


def test_due_are_the_open_deadlines_earliest_first_also_for_the_next_owner(shelf: Shelf) -> None:
    """Negative ones count from the first tick, here 1,000."""
    deadlines = {"late": 9_000, "b": 2_000, "a": 2_000, "first": 1_500, "early": -300, "closed": 1_000, "moved": 1_200}
    shelf.table.put({order_key(x): order(x, ms) for x, ms in deadlines.items()})
    shelf.table.put({order_key("closed"): order("closed", 0), order_key("moved"): order("moved", 8_000)})
    for _ in range(2):
        assert shelf.table.next_deadline
        due = shelf.table.due(2_000, 1_000, 10)
        assert due == [(1_500, "first"), (2_000, "a"), (2_000, "b"), (-300, "early")]
        assert shelf.table.due(2_000, 1_000, 10) == due  # asking takes nothing out
        assert shelf.table.due(2_000, 1_000, 2) == due[:2]
        assert shelf.table.due(1_299, 1_000, 10) == []
        shelf.checkpoint()
        shelf.reopen()


def test_a_deadline_has_its_turn_from_the_first_millisecond_on(shelf: Shelf) -> None:
    shelf.table.put({order_key(x): order(x, ms) for x, ms in (("late", 5), ("early", 1), ("next", 2))})
    assert shelf.table.due(5, 0, 10) == [(1, "early"), (2, "next"), (5, "late")]


def test_with_the_last_order_settled_no_deadline_is_open(shelf: Shelf) -> None:
    shelf.table.put({order_key("x"): order("x", 5)})
    shelf.table.put({order_key("x"): order("x", 0)})
    assert not shelf.table.next_deadline
    assert shelf.table.due(10, 0, 10) == []


def test_a_deadline_moved_away_and_back_is_due_once(shelf: Shelf) -> None:
    for ms in (5, 9, 5):
        shelf.table.put({order_key("x"): order("x", ms)})
    assert shelf.table.due(9, 0, 10) == [(5, "x")]


def test_rows_leave_memory_after_two_generations_and_are_read_again(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "RECENT_MAX", 3)
    for n in range(40):
        code = f"L{n:02}"
        shelf.table.put({lot_key("A", "W1", code): lot(code, n + 1), stock_key("A", f"W{n}"): stock(f"W{n}")})
        assert shelf.table.get(lot_key("A", "W1", f"L{n // 2:02}")).at == n // 2 + 1
        if n % 2:
            shelf.checkpoint()
    in_memory = [*shelf.table._recent, *shelf.table._older]
    assert len(in_memory) <= 2 * (3 + 2 + 2)  # two generations, each over its limit by one checkpoint at most
    assert [row.at for _, row in shelf.table.rows("lot|")] == list(range(1, 41))


def test_what_was_not_written_yet_is_not_dropped(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "RECENT_MAX", 1)
    for n in range(20):
        shelf.table.put({lot_key("A", "W1", f"L{n:02}"): lot(f"L{n:02}", n)})
    assert [shelf.table.get(lot_key("A", "W1", f"L{n:02}")).at for n in range(20)] == list(range(20))
    assert len(shelf.table.dirty) == 20


def test_a_table_in_memory_alone_forgets_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "RECENT_MAX", 1)
    alone = Table()
    for n in range(20):
        alone.put({lot_key("A", "W1", f"L{n:02}"): lot(f"L{n:02}", n)})
        alone.take_dirty()
    assert [alone.get(lot_key("A", "W1", f"L{n:02}")).at for n in range(20)] == list(range(20))


# -- bytes -------------------------------------------------------------------------------------------------------------


def test_the_order_of_version_bytes_is_the_order_of_versions() -> None:
    """Log id, then offset, then the place in a packed record."""
    versions = [(7, 0), (7, 1), (7, place_of(1)), (7, place_of(1, 999)), (7, place_of(1 << 40)), (8, 0), (1 << 63, 0)]
    encoded = [version_bytes(*version) for version in versions]
    assert encoded == sorted(encoded)
    assert len(set(encoded)) == len(versions)


@pytest.mark.parametrize("key", ["stock|A|W1", "res|an order|with bars|1", "partition", "order|räuchern"])
def test_a_changelog_key_names_its_row_and_its_writer(key: str) -> None:
    assert split_changelog_key(changelog_key(key, OURS)) == (key.encode(), OURS.encode())


# -- what a closed store may be trusted with ---------------------------------------------------------------------------


def filled(path: Path) -> RowStore:
    made = RowStore(path, OURS)
    made.write([(f"stock|A|W{n}".encode(), value(stock(f"W{n}", n))) for n in range(50)])
    return made


def test_a_store_closed_cleanly_has_every_row_and_says_whose_it_was(tmp_path: Path) -> None:
    path = tmp_path / "rows"
    filled(path).close(changelog_end=42)
    mark = marks.take(path)
    assert (mark.writer, mark.changelog_end) == (OURS, 42)
    again = reopen(path, THEIRS, mark)
    assert {row.location: row.at for _, row in again.scan("stock|")} == {f"W{n}": n for n in range(50)}
    assert again.get("stock|A|W7") == stock("W7", 7)
    again.close()


@pytest.mark.parametrize("lost", ["CURRENT", "*.sst", "*"])
def test_a_marked_store_whose_files_are_not_all_there_is_not_opened(tmp_path: Path, lost: str) -> None:
    path = tmp_path / "rows"
    filled(path).close(changelog_end=42)
    mark = marks.take(path)
    for file in path.glob(lost):
        file.unlink()
    assert reopen(path, THEIRS, mark) is None


@pytest.mark.parametrize("change", [
    lambda data: data[:-1], lambda data: data + b"\0", lambda data: data[:9] + b"\xff" + data[10:],
])  # fmt: skip
def test_a_marked_store_of_which_a_byte_is_another_is_not_opened(tmp_path: Path, change: Any) -> None:
    path = tmp_path / "rows"
    filled(path).close(changelog_end=42)
    mark = marks.take(path)
    [file] = path.glob("*.sst")
    file.write_bytes(change(file.read_bytes()))
    assert reopen(path, THEIRS, mark) is None


def test_a_marked_store_with_a_file_more_is_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "rows"
    filled(path).close(changelog_end=42)
    mark = marks.take(path)
    (path / "000999.sst").write_bytes(b"of another store")
    assert reopen(path, THEIRS, mark) is None


def test_what_no_row_needs_does_not_count_as_a_change(tmp_path: Path) -> None:
    """RocksDB writes its diary before we can look."""
    path = tmp_path / "rows"
    filled(path).close(changelog_end=42)
    mark = marks.take(path)
    (path / "LOG").write_text("something happened")
    again = reopen(path, THEIRS, mark)
    assert again.get("stock|A|W7") == stock("W7", 7)
    again.close()


def test_a_kept_store_knows_which_keys_it_holds_without_looking_and_what_came_since(tmp_path: Path) -> None:
    path = tmp_path / "rows"
    filled(path).close(changelog_end=42)
    for writer, n in ((THEIRS, 50), (ANOTHER, 51)):
        again = reopen(path, writer, marks.take(path))
        assert [again.get(f"stock|A|W{x}") is not None for x in (0, 49, n - 1, n)] == [True, True, True, False]
        again.write([(f"stock|A|W{n}".encode(), value(stock(f"W{n}", n)))])
        again.close(changelog_end=n)


def test_a_mark_of_a_store_with_other_places_for_its_keys_is_not_believed(tmp_path: Path) -> None:
    path = tmp_path / "rows"
    filled(path).close(changelog_end=42)
    mark = marks.take(path)
    assert reopen(path, THEIRS, msgspec.structs.replace(mark, seen=mark.seen[:-1])) is None


def test_deadlines_and_lots_go_with_the_mark_and_need_no_look_at_the_rows(tmp_path: Path) -> None:
    path = tmp_path / "rows"
    shelf = Shelf(RowStore(path, OURS))
    shelf.table.put({order_key(x): order(x, ms) for x, ms in (("b", 2_000), ("early", -300), ("settled", 0))})
    lots = (msgspec.structs.replace(lot("L1"), sku=sku, due=due) for sku, due in (("A", 9), ("B", 0)))
    shelf.table.put({lot_key(x.sku, x.location, x.lot): x for x in lots})
    assert shelf.table.index is None, "rows wait to be written: the next owner would know of a deadline too many"
    shelf.checkpoint()
    shelf.store.close(42, shelf.table.index)
    mark = marks.take(path)
    assert mark.index == ({"b": 2_000, "early": -300}, {"lot|A|W1|L1": 9, "lot|B|W1|L1": 0})

    class Blind:
        def get(self, key: str) -> None:
            return None

        def scan(self, prefix: str) -> Any:
            assert prefix not in ("order|", "lot|")
            return iter(())

    table = Table(Blind(), mark.index)
    assert table.due(3_000, 1_000, 10) == [(2_000, "b"), (-300, "early")]
    assert table.lots_of("L1") == ["lot|A|W1|L1", "lot|B|W1|L1"]
    assert (table.lots_due(8, 10), table.lots_due(9, 10)) == ([], ["lot|A|W1|L1"])


def test_a_store_whose_rows_do_not_reach_the_disk_gets_no_mark(tmp_path: Path) -> None:
    path = tmp_path / "rows"
    made = filled(path)
    real = made._db

    class Full:
        def flush(self) -> None:
            raise OSError("no space left on device")

        def close(self) -> None:
            real.close()

    made._db = Full()
    with pytest.raises(OSError, match="no space"):
        made.close(changelog_end=42)
    assert not (tmp_path / "rows.closed").exists()
    made.close()  # as after a crash: nothing has to reach the disk


def test_a_mark_is_taken_once(tmp_path: Path) -> None:
    path = tmp_path / "rows"
    filled(path).close(changelog_end=42)
    assert marks.take(path) is not None
    assert marks.take(path) is None


def test_a_store_that_was_not_closed_cleanly_has_no_mark_and_is_dropped_whole(tmp_path: Path) -> None:
    path = tmp_path / "rows"
    filled(path).close()
    assert marks.take(path) is None
    drop(path)
    assert list(tmp_path.iterdir()) == []
    fresh = RowStore(path, OURS)
    assert list(fresh.scan("")) == []
    fresh.close()


def changed(place: Path, cut: int) -> bytes:
    data = bytearray(place.read_bytes())
    data[cut] ^= 1
    return bytes(data)


@pytest.mark.parametrize("damage", [
    lambda place: b"",
    lambda place: b'{"writer": "w", "changelog_end": 1, "entries": 1}',  # as older versions wrote it
    lambda place: place.read_bytes()[:-1],
    lambda place: place.read_bytes()[:20],
    lambda place: changed(place, -8),  # its sum
    lambda place: gzip.compress(b"\x93\x01\x02\x03"),
])  # fmt: skip
def test_a_damaged_mark_is_none_and_is_gone(tmp_path: Path, damage: Any) -> None:
    path = tmp_path / "rows"
    filled(path).close(changelog_end=42)
    place = tmp_path / "rows.closed"
    place.write_bytes(damage(place))
    assert marks.take(path) is None
    assert not place.exists()


def test_a_mark_without_its_store_is_none(tmp_path: Path) -> None:
    path = tmp_path / "rows"
    filled(path).close(changelog_end=42)
    (marked := tmp_path / "rows.closed").rename(tmp_path / "kept")
    drop(path)
    (tmp_path / "kept").rename(marked)
    assert marks.take(path) is None


def test_dropping_takes_the_mark_along(tmp_path: Path) -> None:
    filled(tmp_path / "rows").close(changelog_end=42)
    drop(tmp_path / "rows")
    assert list(tmp_path.iterdir()) == []


# -- foreign copies ----------------------------------------------------------------------------------------------------


def recovered(path: Path) -> RowStore:
    """Three rows found in a changelog: of one other writer, of two, and one that is never read."""
    made = RowStore(path, OURS)
    made.fill(
        [
            (b"stock|A|W1", value(stock("W1")), THEIRS.encode(), []),
            (b"stock|A|W2", value(stock("W2")), THEIRS.encode(), [ANOTHER.encode()]),
            (b"stock|A|W3", value(stock("W3")), THEIRS.encode(), []),
        ]
    )
    return made


def test_copies_of_other_writers_are_listed_once_their_row_is_read(tmp_path: Path) -> None:
    made = recovered(tmp_path / "rows")
    assert made.foreign == {}
    assert [made.get(f"stock|A|W{n}") for n in (1, 2)] == [stock("W1"), stock("W2")]
    assert made.foreign == {"stock|A|W1": [THEIRS], "stock|A|W2": [THEIRS, ANOTHER]}
    made.close()


def test_a_row_we_wrote_has_no_foreign_copy(tmp_path: Path) -> None:
    made = recovered(tmp_path / "rows")
    made.write([(b"stock|A|W1", value(stock("W1", 2)))])
    assert made.get("stock|A|W1") == stock("W1", 2)
    assert made.foreign == {}
    made.close()


def test_what_is_kept_about_other_writers_is_no_row(tmp_path: Path) -> None:
    made = recovered(tmp_path / "rows")
    assert [key for key, _ in made.scan("")] == ["stock|A|W1", "stock|A|W2", "stock|A|W3"]
    made.close()


def test_every_foreign_copy_is_listed_by_the_next_owner_of_a_kept_store_too(tmp_path: Path) -> None:
    path = tmp_path / "rows"
    recovered(path).close(changelog_end=42)
    again = reopen(path, "d" * 32, marks.take(path))
    again.get("stock|A|W2")
    found = again.foreign
    again.close()
    assert found == {"stock|A|W2": [THEIRS, ANOTHER]}


def test_steps_give_the_same_rows_over_either_store(shelf: Shelf, stock_log: Any, new_stock_log: Any) -> None:
    """A day's work over a store that is written, dropped from memory and read again, and over memory alone."""
    beside = new_stock_log()
    stock_log.table = shelf.table
    for n in range(30):
        for log in (stock_log, beside):
            log.receive(5, lot=f"L{n % 7}")
            log.reserve(("A", 3), order_id=f"o{n}")
            log.command((r.Hold, r.Allocate, r.Release)[n % 3], order_id=f"o{n}")
            log.append(example(r.Shipped, id=f"s{n}", sku="A", location="W1", order_id=f"o{n}", quantity=1))
        shelf.checkpoint()
        shelf.reopen()
        stock_log.table = shelf.table
    assert stock_log.rows() == beside.rows()


def test_stores_open_one_at_a_time_however_many_threads_open_some(tmp_path, monkeypatch):
    """RocksDB opens with the interpreter in its hands; side by side they would pass it to each other alone."""
    real, inside, together = store.Rdict, [], []

    def slow(*arguments: Any, **options: Any) -> Any:
        inside.append(arguments)
        together.append(len(inside))
        time.sleep(0.02)
        inside.pop()
        return real(*arguments, **options)

    monkeypatch.setattr(store, "Rdict", slow)
    with ThreadPoolExecutor(4) as pool:
        opened = list(pool.map(lambda number: RowStore(tmp_path / str(number), OURS), range(4)))
    for one in opened:
        one.close()
    assert together == [1, 1, 1, 1]
