"""Lists of lots: those that are kept say what the rows say, whatever was put, and take no more memory than they may."""

from __future__ import annotations

import random

import msgspec
import pytest

from streams import lot_lists
from streams.lot_lists import KEPT_FROM, LotLists, prefix_of, shown
from streams.views import StockViews, stock_levels
from tables import records as r
from tables import rows
from tables.codec import encode
from tables.outcome import place_of
from tables.table import Table

LOG = rows.PartitionRow(place_of(99), 7, 0, 4, 1, r.Limits(), 1_700_000_000_000, 1_700_000_000_000)


def lots(count: int, location: str = "W1", **more: object) -> dict[str, rows.LotRow]:
    codes = [f"L{n:03}" for n in range(count)]
    return {
        f"lot|JERKY|{location}|{code}": msgspec.structs.replace(
            rows.LotRow(
                place_of(n + 2), "JERKY", location, code, "2027-01-31", place_of(1), n, 0, "approved", False, False, 0,
                (),
            ), **more,
        )
        for n, code in enumerate(codes)
    }  # fmt: skip


def stock(location: str) -> dict[str, rows.StockRow]:
    row = rows.StockRow(
        place_of(3), "JERKY", location, 500, 0, 0, 0, 0, 0, rows.Policy(5, 2), "ok", False, (), (), 0, (), 0
    )  # fmt: skip
    return {f"stock|JERKY|{location}": row}


class Counting(Table):
    looked = 0

    def get(self, key: str) -> object:
        self.looked += key.startswith("lot|")
        return super().get(key)


class Told:
    """An outbox that keeps the bytes of what is published."""

    def __init__(self) -> None:
        self.levels: list[r.StockLevels] = []

    def publish(self, topic: str, key: str, record: object, routed_by: str | None = None) -> None:
        if topic == "stock-levels":
            self.levels.append(msgspec.json.decode(encode(record), type=r.StockLevels))


def test_a_long_list_is_looked_up_once_and_again_after_one_of_its_lots_has_changed() -> None:
    table, views, told = Counting(), StockViews(), Told()
    master = {"sku|JERKY": rows.SkuRow(place_of(1), "JERKY", "", "", "", "", False, 12, (), rows.Policy())}

    def put(changed: dict) -> int:
        """How many lots were looked at to publish what has changed."""
        table.put(changed)
        views.touch(changed)
        before = table.looked
        views.publish(table, LOG, told, whole=False)
        assert told.levels[-1] == stock_levels(table, "JERKY", LOG), "as if every row had been looked at"
        return table.looked - before - 2 * KEPT_FROM  # those of the line above

    assert put(master | stock("W1") | stock("W2") | lots(KEPT_FROM) | lots(KEPT_FROM, "W2")) == 2 * KEPT_FROM
    assert put(stock("W1")) == 0
    sold = msgspec.structs.replace(lots(3)["lot|JERKY|W1|L002"], on_hand=1)
    assert put(stock("W1") | {"lot|JERKY|W1|L002": sold}) == KEPT_FROM, "the other location's list is kept"
    assert put(stock("W2")) == 0


def test_a_short_list_is_looked_up_each_time() -> None:
    table, lists = Table(), LotLists()
    table.put(lots(KEPT_FROM - 1))
    assert lists.of(table, prefix_of("JERKY", "W1")) == shown(table, prefix_of("JERKY", "W1"))


@pytest.mark.parametrize("seed", range(20))
def test_whatever_is_put_a_list_says_what_its_rows_say(seed: int) -> None:
    chance = random.Random(seed)
    table, lists = Table(), LotLists()
    for _ in range(60):
        place = chance.choice(("W1", "W2"))
        changed = dict(chance.sample(sorted(lots(KEPT_FROM + 5, place, on_hand=chance.randrange(3)).items()), 4))
        table.put(changed)
        for key in changed:
            lists.forget(key)
        for at in ("W1", "W2"):
            assert encode(lists.of(table, prefix_of("JERKY", at))) == encode(shown(table, prefix_of("JERKY", at)))


def test_lists_beyond_their_bound_are_dropped_and_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lot_lists, "KEPT_BYTES", 5_000)
    table, lists = Table(), LotLists()
    places = [f"W{n}" for n in range(20)]
    for place in places:
        table.put(lots(KEPT_FROM, place))
    for place in places * 2:
        prefix = prefix_of("JERKY", place)
        assert encode(lists.of(table, prefix)) == encode(shown(table, prefix))
        assert lists._bytes == sum(map(len, lists._kept.values())) < 5_000 + 2 * len(encode(shown(table, prefix)))
