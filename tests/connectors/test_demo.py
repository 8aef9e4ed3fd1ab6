"""The demo brand: right GTINs, days that repeat by seed, stock that hovers, and traffic on a real broker."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from connectors.demo.action import Action
from connectors.demo.calendar import HISTORY_DAYS, Calendar
from connectors.demo.catalogue import CHANNELS, SPECIALS, WAREHOUSES, catalogue, check_digit
from connectors.demo.channels import RULES
from connectors.demo.traffic import DROP_FIRST_SECONDS, DROP_SECONDS, traffic
from connectors.demo.world import Demo, Errand
from connectors.outlet import Outlet
from connectors.sequential import replay
from streams import reader
from streams.commands.demo import demo as demo_command
from streams.settings import Settings
from streams.topics import LOGS, WAREHOUSE
from tables import records as r
from tables.codec import ORDER_LOG, STOCK_LOG, Unreadable, encode

STOCKED = {item.sku for item in catalogue()}  # from the first second on, and sold as it is
TODAY = datetime(2026, 3, 2, 15, 30, tzinfo=UTC)


def things(seed: int = 1, run: str = "test", orders: int = 1_500, rate: float = 5.0) -> list[Action | Errand]:
    return list(traffic(Demo(seed, run, Calendar.before(TODAY, 60.0), rate, orders)))


def days(seed: int = 1, run: str = "test", orders: int = 1_500, rate: float = 5.0) -> list[Action]:
    return [x for x in things(seed, run, orders, rate) if isinstance(x, Action)]


@pytest.mark.parametrize(
    "gtin", ["4006381333931", "9780306406157", "0036000291452", "73513537", "10614141000415", "036000291452"]
)
def test_check_digits_are_the_ones_printed_on_real_packs(gtin: str) -> None:
    assert check_digit(gtin[:-1]) == gtin[-1]


@settings(derandomize=True, deadline=None)
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


def test_things_come_in_time_order_with_a_name_each_and_their_logs_can_read_them() -> None:
    everything = things()
    assert [x.due_seconds for x in everything] == sorted(x.due_seconds for x in everything)
    assert max(Counter(x.name for x in everything).values()) == 1
    for action in days():
        log = ORDER_LOG if action.topic.name == "orders" else STOCK_LOG
        assert not [x for x in log.items(encode(action.record)) if isinstance(x, Unreadable)]


def test_what_depends_on_nobody_else_happens_in_the_traffic_itself() -> None:
    kinds = {type(x.record) for x in days(orders=4_000)}
    assert kinds == {
        r.SkuDefined, r.PolicySet, r.ChannelSet, r.ChannelStockSet, r.KitSet, r.Received, r.LotDefined, r.LotStatusSet,
        r.PurchaseOrdered, r.PurchaseConfirmed, r.PurchaseNotified, r.PurchaseClosed, r.OrderPlaced, r.OrderEdited,
        r.PaymentAuthorized, r.PaymentCaptured, r.PaymentFailed, r.CheckOpened, r.CheckPassed, r.CheckFailed,
        r.CancelRequested, r.Shipped, r.Adjusted,
    }  # fmt: skip


def test_rules_for_every_partition_come_before_the_first_order_and_have_no_key() -> None:
    actions = days(orders=50)
    rules = [n for n, x in enumerate(actions) if isinstance(x.record, r.EVERYWHERE)]
    first = next(n for n, x in enumerate(actions) if isinstance(x.record, r.OrderPlaced))
    assert rules
    assert max(rules) < first
    assert [n for n, x in enumerate(actions) if x.key is None] == rules
    told = Counter((x.record.channel, x.topic) for x in actions if isinstance(x.record, r.ChannelSet))
    assert told == {(channel.name, log): 1 for channel in CHANNELS for log in LOGS}


def test_every_channel_sells_and_food_is_good_on_the_real_day_it_comes() -> None:
    actions = days()
    assert {x.record.channel for x in actions if isinstance(x.record, r.OrderPlaced)} == {x.name for x in CHANNELS}
    lots = [x for x in actions if isinstance(x.record, r.Received)]
    today = TODAY.date().isoformat()
    assert all(x.record.best_before > today and (x.record.produced or "") < today for x in lots)
    assert {x.record.location for x in lots} == {x.code for x in WAREHOUSES}


def test_one_lot_turns_out_to_be_past_its_date_and_one_is_inside_its_alert_window() -> None:
    records = [x.record for x in days(orders=500)]
    corrected = {x.lot: x.best_before for x in records if isinstance(x, r.LotDefined) and x.best_before}
    window = {x.lot: x.best_before for x in records if isinstance(x, r.Received) and x.best_before < "2026-03-20"}
    assert {lot[:11]: day for lot, day in corrected.items()} == {"MISLABELLED": "2026-03-01"}
    assert {lot[:11]: day for lot, day in window.items()} == {"SHORT-DATED": "2026-03-11"}
    assert all(x.expiring_days >= 9 for x in records if isinstance(x, r.PolicySet))


def test_the_new_flavor_is_sold_before_there_is_any_and_comes_later() -> None:
    new = SPECIALS[0].sku
    actions = days(orders=1_000)
    placed = next(x for x in actions if isinstance(x.record, r.OrderPlaced) and x.record.policy == "backorder"
                  and [line.sku for line in x.record.lines] == [new])  # fmt: skip
    came = next(x for x in actions if isinstance(x.record, r.Received) and x.record.sku == new)
    policy = next(x.record for x in actions if isinstance(x.record, r.PolicySet) and x.record.sku == new)
    assert placed.due_seconds < came.due_seconds < 180
    assert (policy.backorder_limit > 0, policy.backorder_due) == (True, "2026-03-16")


def test_purchases_are_received_under_their_reference_and_not_always_as_ordered() -> None:
    actions = days(orders=4_000)
    ordered = {x.record.reference: x.record.quantity for x in actions if isinstance(x.record, r.PurchaseOrdered)}
    came: Counter[str] = Counter()
    for x in actions:
        if isinstance(x.record, r.Received) and x.record.reference in ordered:
            came[x.record.reference] += x.record.quantity
    closed = {x.record.reference for x in actions if isinstance(x.record, r.PurchaseClosed)}
    off = {reference: came[reference] - count for reference, count in ordered.items()}
    assert came.keys() == ordered.keys()
    assert {n for n in off.values() if n > 0} == {6}
    assert {reference for reference, n in off.items() if n < 0} == closed


def test_stock_hovers_some_orders_are_refused_and_most_are_not() -> None:
    ranked = {name: locations for name, locations, *_ in RULES}
    records = [
        replace(x, locations=x.locations or ranked[x.channel]) if isinstance(x, r.OrderPlaced) else x
        for x in (action.record for action in days(orders=5_000))
        if not isinstance(x, r.OrderPlaced) or all(line.sku in STOCKED for line in x.lines)
    ]
    result = replay(records)
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


def test_it_never_ends_where_customers_never_end() -> None:
    endless = traffic(Demo(1, "x", Calendar.before(TODAY, 60.0), 50.0))
    assert len(list(islice(endless, 6_000))) == 6_000


def test_a_rule_is_written_once_to_each_partition(open_logs: Settings) -> None:
    before = reader.last_offsets(open_logs, "warehouse")
    outlet = Outlet(open_logs)
    rule = encode(r.RecallClosed(id="over", lot="L1"))
    outlet.send_everywhere(WAREHOUSE, rule)
    outlet.flush()
    assert reader.last_offsets(open_logs, "warehouse") == {partition: end + 1 for partition, end in before.items()}
    for partition, start in before.items():
        batches = reader.read_to_end(open_logs, "warehouse", [partition], {partition: start}, contiguous=True)
        assert [(m.key(), m.value()) for batch in batches for m in batch] == [(None, rule)]


def test_the_command_sends_orders_to_the_broker_and_waits_until_they_are_decided(
    open_logs: Settings,
    decider: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("SMOKEHOUSE_BOOTSTRAP", open_logs.bootstrap)
    monkeypatch.setenv("SMOKEHOUSE_PREFIX", open_logs.prefix)
    answered = decider()
    demo_command(rate=200.0, orders=100, day_seconds=1.0, run="test", pace=30.0, json=True)
    account = json.loads(capsys.readouterr().out)
    assert account["sent"]["order_placed"] == 100 == len(answered.orders)
    assert account["decided"] == {"confirmed": 100}
    assert account["undecided"] == 0
    assert sum(reader.last_offsets(open_logs, "warehouse").values()) > 36 * 10


def test_a_week_has_its_own_length(capsys: pytest.CaptureFixture[str]) -> None:
    for wrong in ({"week": True, "orders": 5}, {"week": True, "forever": True}, {"forever": True, "orders": 5},
                  {"week": True, "seconds": 5.0}):  # fmt: skip
        with pytest.raises(SystemExit) as ended:
            demo_command(**wrong)
        assert ended.value.code == 2
        assert "give one of --orders N, --seconds N, --forever and --week" in " ".join(capsys.readouterr().err.split())
