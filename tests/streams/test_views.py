"""Views: what changed is published once, in its newest state and with its version; a sweep publishes everything."""

from __future__ import annotations

import msgspec
import pytest

from streams.outbox import Outbox
from streams.views import OrderViews, StockViews, demand, stock_levels
from tables import records as r
from tables import rows
from tables.murmur2 import partition_of
from tables.outcome import place_of
from tables.table import Table

LOG = rows.PartitionRow(place_of(99), 7, 0, 4, 1, r.Limits(), 1_700_000_000_000, 1_700_000_000_000)
NOON = "2023-11-14T22:13:20.000Z"


def sku(name="JERKY", offset=1):
    row = rows.SkuRow(place_of(offset), name, "teriyaki", "bag", "60 g", "", False, 12, (), rows.Policy())
    return {f"sku|{name}": row}


def stock(on_hand, offset, location="W1", name="JERKY", **more):
    row = rows.StockRow(
        place_of(offset), name, location, on_hand, 0, 0, 0, 0, 0, rows.Policy(5, 2), "ok", False, (), (), 0, (), 0
    )  # fmt: skip
    return {f"stock|{name}|{location}": msgspec.structs.replace(row, **more)}


def lot(on_hand, offset, code="L1", location="W1", **more):
    row = rows.LotRow(
        place_of(offset), "JERKY", location, code, "2027-01-31", place_of(1), on_hand, 0, "approved", False, False, 0,
        (),
    )  # fmt: skip
    return {f"lot|JERKY|{location}|{code}": msgspec.structs.replace(row, **more)}


def incoming(reference, confirmed, expected, **more):
    row = rows.IncomingRow(
        place_of(3), "JERKY", "W1", reference, "purchase", "", confirmed, confirmed, 0, 0, expected, (), "open"
    )  # fmt: skip
    return {f"incoming|JERKY|W1|{reference}": msgspec.structs.replace(row, **more)}


def day(ordered, offset, name="JERKY"):
    row = rows.DemandRow(place_of(offset), name, "W1", "2023-11-14", ordered, 3, 1, 1 << 9 | 1 << 23)
    return {f"demand|{name}|W1|2023-11-14": row}


DAY = "demand|JERKY|W1|2023-11-14"


def order(n, offset, state="confirmed"):
    row = rows.OrderRow(
        place_of(offset), f"o{n}", state, "shop", "captured", 0, (), False, "", b"", 0, 1, "all_or_nothing",
        ("W1",), (), (), (), (), (), (), (), "", "", 0, (), (), (), (), None, (), (), "", (), (), 0,
    )  # fmt: skip
    return {f"order|o{n}": row}


class Shown:
    """A table, its views, and what they put on a real broker."""

    def __init__(self, topics, views):
        topics.make("stock-levels", "demand", "order-status")
        self.topics, self.views, self.table = topics, views, Table()
        self.outbox = Outbox(topics.settings, 4)

    def put(self, *many):
        for some in many:
            self.table.put(some)
            self.views.touch(some)

    async def published(self, topic, kind, whole=True):
        """What is new on the topic since the last call."""
        before = {(m.partition(), m.offset()) for m in self.topics.read(topic)}
        self.views.publish(self.table, LOG, self.outbox, whole=whole)
        await self.outbox.barrier()
        self.found = [m for m in self.topics.read(topic) if (m.partition(), m.offset()) not in before]
        return [msgspec.json.decode(m.value(), type=kind) for m in self.found]


@pytest.fixture
def shelves(embedded_topics):
    return Shown(embedded_topics, StockViews())


@pytest.fixture
def orders(embedded_topics):
    return Shown(embedded_topics, OrderViews())


# -- coalesced ---------------------------------------------------------------------------------------------------------


async def test_a_sku_changed_often_is_published_once_with_its_newest_state(shelves):
    shelves.put(sku(), *(stock(n, n) for n in range(2, 12)))
    (levels,) = await shelves.published("stock-levels", r.StockLevels)
    assert (levels.sku, levels.on_hand, levels.version, levels.id) == ("JERKY", 11, (7, 11, 0), f"JERKY:{place_of(11)}")
    assert shelves.found[0].key() == b"JERKY"
    assert await shelves.published("stock-levels", r.StockLevels) == [], "nothing changed since"


async def test_only_what_changed_is_published(shelves):
    shelves.put(sku(), sku("PEPPER"), stock(1, 2), stock(1, 3, name="PEPPER"))
    await shelves.published("stock-levels", r.StockLevels)
    shelves.put(stock(2, 4, name="PEPPER"))
    assert [x.sku for x in await shelves.published("stock-levels", r.StockLevels)] == ["PEPPER"]


async def test_the_demand_of_days_waits_for_a_checkpoint_levels_do_not(shelves):
    shelves.put(sku() | stock(3, 3) | day(2, 2))
    assert [x.sku for x in await shelves.published("stock-levels", r.StockLevels, whole=False)] == ["JERKY"]
    assert shelves.topics.read("demand") == []
    shelves.put(day(4, 4))
    assert [x.version for x in await shelves.published("demand", r.Demand)] == [(7, 4, 0)]


async def test_demand_stands_under_its_whole_key_in_the_partition_of_its_sku(shelves):
    shelves.put(sku(), day(4, 5), day(6, 8))
    (found,) = await shelves.published("demand", r.Demand)
    assert (found.ordered, found.orders, found.refused, found.stockout_hours) == (6, 3, 1, [9, 23])
    assert found.version == (7, 8, 0)
    assert shelves.found[0].key() == b"JERKY|W1|2023-11-14"
    assert shelves.found[0].partition() == partition_of("JERKY", 4)


async def test_an_order_changed_often_is_published_once_with_its_newest_version(orders):
    orders.put(order(1, 3), order(1, 4), order(2, 5), {"res|o1|1": object(), "partition": LOG})
    found = await orders.published("order-status", r.OrderStatus)
    assert sorted((x.order_id, x.version) for x in found) == [("o1", (7, 4, 0)), ("o2", (7, 5, 0))]
    assert await orders.published("order-status", r.OrderStatus) == []


async def test_an_order_that_is_not_decided_yet_waits_for_a_checkpoint(orders):
    """Most are decided by then, and published once."""
    orders.put(order(1, 3, "pending"), order(2, 4, "pending"), order(3, 5, "on_hold"))
    assert [x.order_id for x in await orders.published("order-status", r.OrderStatus, whole=False)] == ["o3"]
    orders.put(order(2, 6))
    assert [x.status for x in await orders.published("order-status", r.OrderStatus, whole=False)] == ["confirmed"]
    [waits] = await orders.published("order-status", r.OrderStatus)
    assert (waits.order_id, waits.status, waits.version) == ("o1", "pending", (7, 3, 0))
    assert await orders.published("order-status", r.OrderStatus) == []


# -- what a level says -------------------------------------------------------------------------------------------------


async def test_levels_add_up_over_locations_and_each_has_its_own_version(shelves):
    first = stock(10, 4, claimed=1, held=2, allocated=3, policy=rows.Policy(5, 2, 1))
    shelves.put(sku(), first, stock(5, 9, "W2", unavailable=2))
    levels = stock_levels(shelves.table, "JERKY", LOG)
    first, second = levels.locations
    assert (levels.on_hand, levels.available, levels.version, levels.time) == (15, 6, (7, 9, 0), NOON)
    assert (first.location, first.available, first.reserved, first.allocated, first.safety_stock) == ("W1", 3, 3, 3, 1)
    assert (first.version, second.version) == ((7, 4, 0), (7, 9, 0))
    assert (levels.flavor, levels.packaging, levels.size) == ("teriyaki", "bag", "60 g")
    for x in levels.locations:
        assert x.on_hand == x.available + x.reserved + x.allocated + x.safety_stock + x.unavailable


async def test_lots_that_are_gone_are_not_shown(shelves):
    shelves.put(sku(), stock(4, 4), lot(4, 4), lot(0, 3, "L0"))
    assert stock_levels(shelves.table, "JERKY", LOG).locations[0].lots == [r.LotLevel("L1", "2027-01-31", 4)]


async def test_a_version_names_the_item_within_a_packed_record(shelves):
    shelves.put(sku(), {k: msgspec.structs.replace(v, at=place_of(8, 3)) for k, v in stock(1, 8).items()})
    assert stock_levels(shelves.table, "JERKY", LOG).version == (7, 8, 3)


def test_before_the_first_tick_there_is_no_time():
    early = msgspec.structs.replace(LOG, state_ms=0, first_ms=0)
    table = Table()
    table.put(day(1, 2))
    assert demand(table, DAY, early).time == ""


def level(table):
    return stock_levels(table, "JERKY", LOG).locations[0]


async def test_a_lot_shows_why_it_is_not_sold(shelves):
    shelves.put(
        sku(), stock(20, 4), lot(4, 4, "A", blocked=3), lot(4, 4, "B", status="on_hold"), lot(4, 4, "C", expired=True),
        lot(4, 4, "D", expired=True, status="recalled"),
    )  # fmt: skip
    shown = [(x.lot, x.status, x.blocked) for x in level(shelves.table).lots]
    assert shown == [("A", "approved", 3), ("B", "on_hold", 0), ("C", "expired", 0), ("D", "recalled", 0)]


async def test_each_channel_with_stock_of_its_own_sees_what_it_may_take(shelves):
    """20 are free: 6 only the shop may take, the market leaves 3 alone."""
    shelves.put(sku(), stock(20, 4, shares=(rows.Share("market", 0, 3), rows.Share("shop", 6, 0))))
    shown = level(shelves.table)
    assert shown.channels == [r.ChannelLevel("market", 11, 0, 3), r.ChannelLevel("shop", 20, 6, 0)]
    assert shown.open_to_all == 14


async def test_what_is_promised_for_a_day_is_what_is_free_and_what_is_confirmed_until_then(shelves):
    """2 are free and 5 wait; 7 come on the 20th (of 10, 3 came), 4 on the 25th; what is not confirmed is no promise."""
    shelves.put(
        sku(), stock(2, 4, backordered=5), incoming("P1", 10, "2023-11-20", received=3),
        incoming("P2", 4, "2023-11-25"), incoming("P3", 0, "2023-11-18", ordered=50),
        incoming("P4", 9, "2023-11-19", state="closed"),
    )  # fmt: skip
    shown = level(shelves.table)
    assert shown.promise == [r.Promise("", 0), r.Promise("2023-11-20", 4), r.Promise("2023-11-25", 8)]
    assert [(x.reference, x.quantity, x.confirmed) for x in shown.incoming] == [
        ("P1", 7, True), ("P2", 4, True), ("P3", 50, False)
    ]  # fmt: skip
    assert shown.backordered == 5


async def test_counts_show_how_good_the_books_were(shelves):
    shelves.put(sku(), stock(2, 4))
    assert level(shelves.table).accuracy is None
    shelves.put({"count|JERKY|W1": rows.CountRow(place_of(5), "JERKY", "W1", 9, 8, 940, 2)})
    assert level(shelves.table).accuracy == r.Accuracy(9, 8, 940, 2)


# -- stock-out hours ---------------------------------------------------------------------------------------------------

MIDNIGHT_MS, HOUR_MS = 1_699_920_000_000, 3_600_000  # of 14 November 2023


def window(begin_hour, end_hour):
    return int(MIDNIGHT_MS + begin_hour * HOUR_MS), int(MIDNIGHT_MS + end_hour * HOUR_MS)


@pytest.mark.parametrize(
    ("outs", "hours"),
    [
        ((), [9, 23]),  # what reserve commands found
        ((window(2, 4), window(5.5, 6.5)), [2, 3, 4, 5, 6, 9, 23]),
        ((window(-30, 1),), [0, 1, 9, 23]),  # since the day before
        ((window(22, 50),), [9, 22, 23]),  # until the day after
        ((window(24, 30),), [9, 23]),  # another day's
        ((window(-30, -1),), [9, 23]),
    ],
)
def test_hours_without_stock_are_those_that_orders_met_and_those_of_stock_outs_that_are_over(outs, hours):
    table = Table()
    table.put(day(1, 2) | stock(0, 3, outs=outs, outs_at=place_of(3)))
    assert demand(table, DAY, LOG).stockout_hours == hours


async def test_an_open_stock_out_is_told_by_the_level_and_its_hours_when_it_is_over(shelves):
    shelves.put(sku(), stock(9, 3), day(4, 4))
    await shelves.published("demand", r.Demand)
    shelves.put(stock(0, 5, level="out", out_since_ms=window(2, 4)[0]))
    assert level(shelves.table).out_since == "2023-11-14T02:00:00.000Z"
    assert await shelves.published("demand", r.Demand) == []
    shelves.put(stock(9, 7, outs=(window(2, 4),), outs_at=place_of(7)))
    (told,) = await shelves.published("demand", r.Demand)
    assert (told.version, told.stockout_hours) == ((7, 7, 0), [2, 3, 4, 9, 23])
    shelves.put(stock(8, 8, outs=(window(2, 4),), outs_at=place_of(7)))
    assert await shelves.published("demand", r.Demand) == [], "nothing new about its hours"


# -- everything again --------------------------------------------------------------------------------------------------


async def test_what_was_taken_over_is_published_again(shelves):
    shelves.table.put(sku() | stock(3, 3) | day(2, 2))
    list(shelves.views.taken_over(shelves.table, Stored(shelves.table), 10))
    assert [x.on_hand for x in await shelves.published("stock-levels", r.StockLevels)] == [3]


async def test_a_sweep_of_orders_gives_all_of_them_a_portion_at_a_time(orders):
    for n in range(25):
        orders.table.put(order(n, n + 1))
    portions = []
    for _ in orders.views.sweep(orders.table, Stored(orders.table), 10):
        portions.append(len(await orders.published("order-status", r.OrderStatus)))
    portions.append(len(await orders.published("order-status", r.OrderStatus)))
    assert sum(portions) == 25
    assert max(portions) <= 10


class Stored:
    """The rows of a table as a store below it gives them."""

    def __init__(self, table):
        self._table = table

    def get(self, key):
        return self._table.get(key)

    def slice(self, prefix, after, most):
        return [(key, row) for key, row in self._table.rows(prefix) if key > after][:most]


async def test_a_sweep_gives_an_order_as_it_is_now_not_as_the_store_has_it(orders):
    orders.table.put(order(1, 1))
    old = Stored(orders.table)
    kept = old.slice("order|", "", 10)
    old.slice = lambda prefix, after, most: [] if after else kept
    orders.table.put(order(1, 9))
    list(orders.views.sweep(orders.table, old, 10))
    assert [x.version for x in await orders.published("order-status", r.OrderStatus)] == [(7, 9, 0)]


async def test_a_sweep_of_stock_gives_every_sku(shelves):
    names = [f"SKU-{n}" for n in range(5)]
    for n, name in enumerate(names):
        shelves.table.put(sku(name) | stock(n, n + 1, name=name))
    list(shelves.views.sweep(shelves.table, Stored(shelves.table), 2))
    assert sorted(x.sku for x in await shelves.published("stock-levels", r.StockLevels)) == names
