"""The demo brand: right GTINs, days that repeat by seed, stock that hovers, and traffic on a real broker."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.demo import counting, customers, fulfilment
from connectors.demo.action import Action
from connectors.demo.calendar import HISTORY_DAYS, Calendar
from connectors.demo.catalogue import CHANNELS, WAREHOUSES, catalogue, check_digit
from connectors.demo.fulfilment import journey
from connectors.demo.traffic import DROP_FIRST_SECONDS, DROP_SECONDS, Demo, traffic
from connectors.sequential import replay
from streams import reader
from streams.commands.demo import demo as demo_command
from streams.settings import Settings
from tables import records as r
from tables.codec import ORDER_LOG, STOCK_LOG, Unreadable, encode

TODAY = datetime(2026, 3, 2, 15, 30, tzinfo=UTC)


def days(seed: int = 1, run: str = "test", orders: int = 1_500, rate: float = 5.0) -> list[Action]:
    return list(traffic(Demo(seed, run, Calendar.before(TODAY, 60.0), rate, orders)))


@pytest.mark.parametrize(
    "gtin", ["4006381333931", "9780306406157", "0036000291452", "73513537", "10614141000415", "036000291452"]
)
def test_check_digits_are_the_ones_printed_on_real_packs(gtin: str) -> None:
    assert check_digit(gtin[:-1]) == gtin[-1]


@given(st.text("0123456789", min_size=12, max_size=12), st.integers(0, 11), st.integers(1, 9))
def test_a_single_wrong_digit_always_shows(body: str, place: int, by: int) -> None:
    wrong = body[:place] + str((int(body[place]) + by) % 10) + body[place + 1 :]
    assert check_digit(wrong) != check_digit(body)


def test_the_catalogue_has_each_kind_once_with_a_gtin_of_its_own() -> None:
    items = catalogue()
    assert len({item.sku for item in items}) == len({item.gtin for item in items}) == len(items) == 36
    assert all(check_digit(item.gtin[:-1]) == item.gtin[-1] and len(item.gtin) == 13 for item in items)
    assert sum(item.weight for item in items) == pytest.approx(1)
    assert sum(x.share for x in CHANNELS) == pytest.approx(1)
    assert sum(x.share for x in WAREHOUSES) == pytest.approx(1)


def test_the_same_seed_and_run_give_the_same_days_byte_for_byte() -> None:
    first, second = days(), days()
    assert [(x.due_seconds, x.topic, x.key, encode(x.record)) for x in first] == [
        (x.due_seconds, x.topic, x.key, encode(x.record)) for x in second
    ]


def test_another_seed_gives_other_days_and_another_run_other_orders() -> None:
    of = {name: [encode(x.record) for x in days(seed, run)] for name, seed, run in (
        ("a", 1, "test"), ("other seed", 2, "test"), ("other run", 1, "again"),
    )}  # fmt: skip
    assert of["a"] != of["other seed"]
    ids = {name: {x.record.id for x in days(1, name) if isinstance(x.record, r.OrderPlaced)} for name in ("a", "b")}
    assert not ids["a"] & ids["b"]


def test_how_many_orders_are_asked_for_does_not_change_the_first_ones() -> None:
    short, long = days(orders=100), days(orders=1_500)
    cut = next(n for n, x in enumerate(short) if isinstance(x.record, r.OrderPlaced) and x.key.endswith("0000100"))
    assert short[: cut + 1] == long[: cut + 1]


def test_actions_come_in_time_order_with_an_id_each_and_their_logs_can_read_them() -> None:
    actions = days()
    assert [x.due_seconds for x in actions] == sorted(x.due_seconds for x in actions)
    ids = Counter((x.topic.name, x.record.id) for x in actions)
    assert max(ids.values()) == 1
    for action in actions:
        log = ORDER_LOG if action.topic.name == "orders" else STOCK_LOG
        assert not [x for x in log.items(encode(action.record)) if isinstance(x, Unreadable)]


def test_everything_that_happens_in_a_food_brand_happens() -> None:
    kinds = {type(x.record) for x in days(orders=4_000)}
    assert kinds == {
        r.SkuDefined, r.PolicySet, r.Received, r.OrderPlaced, r.PaymentCaptured, r.PaymentFailed, r.CheckPassed,
        r.CheckFailed, r.CancelRequested, r.Shipped, r.Adjusted,
    }  # fmt: skip


def test_every_channel_sells_and_every_lot_has_a_best_before_date_ahead() -> None:
    records = [x.record for x in days()]
    assert {x.channel for x in records if isinstance(x, r.OrderPlaced)} == {x.name for x in CHANNELS}
    lots = [x for x in records if isinstance(x, r.Received)]
    assert all(lot.best_before > lot.occurred_at[:10] for lot in lots)
    assert {lot.location for lot in lots} == {x.code for x in WAREHOUSES}


def test_stock_hovers_some_orders_are_refused_and_most_are_not() -> None:
    result = replay(x.record for x in days(orders=5_000))
    assert 0.8 < result.confirmed / result.placed < 0.99


def test_in_a_drop_one_thing_takes_most_of_the_orders() -> None:
    drop = [
        x.record for x in days(orders=2_000)
        if isinstance(x.record, r.OrderPlaced) and 0 <= x.due_seconds - DROP_FIRST_SECONDS < DROP_SECONDS
    ]  # fmt: skip
    units = Counter(line.sku for order in drop for line in order.lines[:1])
    assert units.most_common(1)[0][1] > 0.7 * len(drop)
    assert len(drop) > 2 * 5.0 * DROP_SECONDS


def test_a_day_of_its_calendar_passes_each_minute_from_weeks_ago_on() -> None:
    calendar = Calendar.before(TODAY, 60.0)
    assert calendar.stamp(0) == "2025-12-08T00:00:00.000Z"
    assert calendar.stamp(30) == "2025-12-08T12:00:00.000Z"
    assert (calendar.day(60.0 * HISTORY_DAYS), TODAY.date()) == (TODAY.date(), calendar.day(60.0 * HISTORY_DAYS))
    assert sum(calendar.busy(n * 2.5) for n in range(7 * 24)) == pytest.approx(7 * 24)


def test_a_confirmed_order_travels_in_order() -> None:
    steps = list(journey(1, "demo-x-1", 10.0))
    assert [type(x.record) for x in steps] == [r.OrderPicked, r.OrderPacked, r.OrderShipped, r.OrderDelivered]
    assert steps == sorted(steps, key=lambda x: x.due_seconds)
    assert steps == list(journey(1, "demo-x-1", 10.0))


def level(on_hand: int) -> r.StockLevels:
    place = r.LocationLevel("RENO", on_hand, on_hand, 0, 0, 0, 0, 0, 0, [r.LotLevel("L1", "", on_hand)], (1, 42, 7))
    return r.StockLevels(
        id="a", sku="a", available=on_hand, on_hand=on_hand, flavor="", packaging="", size="", gtin="",
        discontinued=False, locations=[place], version=(1, 42, 7),
    )  # fmt: skip


@given(st.integers(1, 5), st.integers(0, 1000))
def test_a_count_names_the_version_that_was_looked_at_and_is_near_the_books(on_hand: int, seed: int) -> None:
    found = counting.count_of(random.Random(seed), "c", level(on_hand), "2026-01-01T00:00:00Z")
    assert (found.location, found.lot, found.as_of_offset, found.as_of_index) == ("RENO", "L1", 42, 7)
    assert 0 <= found.quantity <= on_hand + 1


def test_where_there_is_no_lot_nothing_is_counted() -> None:
    assert counting.count_of(random.Random(1), "c", level(0), "") is None


def test_it_never_ends_where_customers_never_end() -> None:
    endless = traffic(Demo(1, "x", Calendar.before(TODAY, 60.0), 50.0))
    assert len(list(islice(endless, 20_000))) == 20_000


def test_the_command_sends_orders_to_the_broker_and_waits_until_they_are_decided(
    open_logs: Settings,
    decider: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(fulfilment, "STEPS", tuple((step, 0.0, 0.01) for step, _, _ in fulfilment.STEPS))
    monkeypatch.setattr(customers, "PAID_AFTER_SECONDS", (0.1, 0.2))
    monkeypatch.setattr(customers, "CHECKED_AFTER_SECONDS", (0.1, 0.2))
    monkeypatch.setattr(customers, "CANCELLED_AFTER_SECONDS", (0.1, 0.2))
    monkeypatch.setenv("SMOKEHOUSE_BOOTSTRAP", open_logs.bootstrap)
    monkeypatch.setenv("SMOKEHOUSE_PREFIX", open_logs.prefix)
    answered = decider()
    demo_command(rate=200.0, orders=100, day_seconds=1.0, run="test", json=True)
    account = json.loads(capsys.readouterr().out)
    assert account["sent"]["order_placed"] == 100 == len(answered.orders)
    assert account["decided"] == {"confirmed": 100}
    assert (account["undecided"], account["sent"]["order_delivered"]) == (0, 100)
    assert sum(reader.last_offsets(open_logs, "warehouse").values()) > 36 * 10
