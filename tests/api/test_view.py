"""The read view by itself: what stands after records arrived in any order, twice, or from two logs."""

from __future__ import annotations

import itertools
import random

import msgspec
import pytest

from api import owed
from api import view as limits
from api.view import OrderHead, Record, View
from tables import records as r
from tables.codec import instant

NEW_LOG = 2_000


def _level(available, at=1, sku="A", log=1_000, places=("W1",)):
    levels = [r.LocationLevel(p, available, available, 0, 0, 0, 0, 0, 0, [], (log, at, 0)) for p in places]
    total = available * len(places)
    value = r.StockLevels(
        id=f"{sku}:{at}", sku=sku, available=total, on_hand=total, flavor="", packaging="", size="", gtin="",
        discontinued=False, locations=levels, version=(log, at, 0),
    )  # fmt: skip
    return Record("stock-levels", 0, at, 0, sku, value)


def _order(status, at=1, order_id="o", log=1_000, decided_at="", **allocated):
    lines = [r.StatusLine(sku, units, "W1", 0, units, 0, 0, 0, "") for sku, units in allocated.items()]
    head = OrderHead(order_id, "shop", status, (log, at, 0), decided_at, lines)
    return Record("order-status", 0, at, 0, order_id, head)


def _decision(order_id="o", status="confirmed", second=0, identity=None):
    value = r.OrderDecided(
        id=identity or f"d-{order_id}", order_id=order_id, channel="shop", status=status, reason="", lines=[],
        occurred_at="", decided_at="", attempt=1, partition=0, offset=1, index=0,
    )  # fmt: skip
    return Record("reservations", 0, 1, second * 1000, order_id, value)


def _alert(identity, sku="A", log=1_000, kind="shortage", second=0):
    value = r.Alert(
        id=identity, sku=sku, location="W1", kind=kind, available=1, shortage=0, reorder_point=2, version=(log, 1, 0)
    )
    return Record("alerts", 0, 1, second * 1000, sku, value)


def _demand(ordered, at=1, day="2026-11-23", sku="A", log=1_000):
    value = r.Demand(
        id=f"{day}:{at}", sku=sku, location="W1", day=day, ordered=ordered, orders=1, refused=0, stockout_hours=[],
        version=(log, at, 0),
    )  # fmt: skip
    return Record("demand", 0, at, 0, f"{sku}|W1|{day}", value)


def _reorder(run, quantity, sku="A"):
    value = r.Reorder(
        id=f"{sku}:{run}", sku=sku, location="W1", run=run, quantity=quantity, order_by="", reorder_point=0,
        order_up_to=0, position=0, lead_days=7, reason="",
    )  # fmt: skip
    return Record("reorders", 0, 1, 0, f"{sku}|W1", value)


def _gone(topic, key):
    return Record(topic, 0, 9, 0, key, None)


def _viewed(*records):
    view = View()
    view.apply(list(records))
    return view


def _stock(view):
    return {sku: record.value.available for sku, record in view.stock.items()}


def test_the_highest_version_stands_in_every_order_of_arrival():
    records = [_level(5, 1), _level(4, 2), _level(9, 3), _order("pending", 1), _order("confirmed", 2), _demand(3, 2),
               _demand(1, 1)]  # fmt: skip
    for arrival in itertools.permutations(records):
        view = _viewed(*arrival)
        assert _stock(view) == {"A": 9}
        assert view.orders["o"].head.status == "confirmed"
        assert +view.order_states == {"confirmed": 1}
        assert view.demand["A|W1|2026-11-23"].value.ordered == 3


def test_places_inside_one_packed_record_are_ordered_too():
    older, newer = _level(5, 7), _level(4, 7)
    newer = newer._replace(value=msgspec.structs.replace(newer.value, version=(1_000, 7, 3)))
    assert _stock(_viewed(newer, older)) == _stock(_viewed(older, newer)) == {"A": 4}


def test_what_is_said_again_moves_nothing():
    view = _viewed(_order("confirmed", 1, "first"), _order("confirmed", 2, "second"), _level(5))
    view.drain()
    view.apply([_order("confirmed", 1, "first"), _level(5)])
    assert [e.head.order_id for e in view.recent_orders(None)] == ["second", "first"]
    assert view.drain().skus == []


def test_a_tombstone_takes_the_sku_out_of_every_list():
    view = _viewed(_level(5, places=("W1", "W2")), _level(7, sku="B"), _gone("stock-levels", "A"))
    assert (_stock(view), view.skus, +view.locations) == ({"B": 7}, ["B"], {"W1": 1})
    view.apply([_gone("stock-levels", "A"), _gone("order-status", "never"), _gone("demand", "never")])
    assert _stock(view) == {"B": 7}


def test_a_tombstone_takes_the_order_and_its_count_away():
    view = _viewed(_order("on_hold"), _gone("order-status", "o"))
    assert not view.orders
    assert not +view.order_states


def test_a_location_counts_the_skus_that_name_it_now():
    view = _viewed(_level(5, 1, places=("W1", "W2")), _level(5, 2, places=("W2",)), _level(1, sku="B"))
    assert +view.locations == {"W1": 1, "W2": 1}


def test_a_newer_log_begins_anew_and_an_older_one_is_nothing():
    old = [_level(5, 90), _level(5, 91, "B"), _order("confirmed", 90), _alert("a"), _demand(3, 90)]
    view = _viewed(*old, _level(2, 1, log=NEW_LOG))
    assert _stock(view) == {"A": 2}
    assert (view.skus, +view.locations) == (["A"], {"W1": 1})
    assert not view.orders
    assert not view.alerts
    assert not view.demand
    view.apply(old)
    assert _stock(view) == {"A": 2}
    assert not view.orders


def test_plans_and_decisions_stay_when_a_newer_log_begins():
    view = _viewed(_reorder("2026-11-23.001", 5), _decision(), _level(2, log=NEW_LOG))
    assert len(view.reorders) == 1
    assert view.decided == {"confirmed": 1}


def test_a_decision_delivered_again_counts_once():
    view = _viewed(_decision(), _decision(), _decision("p", "rejected"), _decision("o", "cancelled", identity="c"))
    assert view.decided == {"confirmed": 1, "rejected": 1, "cancelled": 1}
    assert len(view.decisions) == 3


def test_an_alert_delivered_again_is_listed_once():
    assert len(_viewed(_alert("a"), _alert("a"), _alert("b")).alerts) == 2


def test_the_newest_run_of_a_plan_stands():
    for arrival in itertools.permutations([_reorder("2026-11-23.001", 5), _reorder("2026-11-24.001", 6)]):
        assert _viewed(*arrival).reorders["A", "W1"].value.quantity == 6


def test_the_thousandth_run_of_a_day_is_newer_than_the_one_before():
    for arrival in itertools.permutations([_reorder("2026-11-23.999", 5), _reorder("2026-11-23.1000", 6)]):
        assert _viewed(*arrival).reorders["A", "W1"].value.quantity == 6


def test_a_decision_is_of_one_run_of_a_recommendation():
    first, second = ("2026-11-23.001", "2026-11-24.001")
    decided = r.ReorderDecision(id="d", sku="A", location="W1", run=first, decision="accepted", quantity=5)
    other = r.ServiceSet(id="s", service=0.9)
    view = _viewed(_reorder(first, 5), *(Record("planning", 0, 1, 0, "x", said) for said in (decided, other, None)))
    assert {key: record.value for key, record in view.reorder_decisions.items()} == {("A", "W1", first): decided}
    assert ("A", "W1", second) not in view.reorder_decisions
    assert view.plans == 2, "the page asks anew"


def test_the_rate_counts_whole_seconds_and_neither_returns_nor_edits():
    view = _viewed(*(_decision(f"o{n}", second=100 + n % 5) for n in range(20)), _decision("x", "cancelled", 104),
                   _decision("y", "edited", 104))  # fmt: skip
    assert view.per_second(105) == 4.0
    assert view.per_second(200) == 0.0


def test_old_decisions_do_not_push_new_ones_out_of_the_rate():
    view = _viewed(_decision("new", second=10_000), *(_decision(f"o{n}", second=n) for n in range(500)))
    assert view.per_second(10_001, window=1) == 1.0


def _owed(view):
    return [(x.order_id, x.units) for x in view.owed.at("A", "W1")]


def test_who_is_owed_units_stands_by_the_age_of_the_promise():
    view = _viewed(_order("confirmed", 1, "late", decided_at="2026-11-23T12:00:00.000Z", A=2),
                   _order("confirmed", 2, "early", decided_at="2026-11-22T12:00:00.000Z", A=3, B=1))  # fmt: skip
    assert _owed(view) == [("early", 3), ("late", 2)]


def test_an_order_that_was_shipped_is_owed_nothing_even_if_an_older_copy_comes_later():
    confirmed, shipped = _order("confirmed", 1, A=2), _order("shipped", 2, A=0)
    assert _owed(_viewed(confirmed)) == [("o", 2)]
    assert _owed(_viewed(confirmed, shipped)) == _owed(_viewed(shipped, confirmed)) == []
    assert _owed(_viewed(confirmed, _gone("order-status", "o"))) == []


def test_an_old_promise_stays_known_when_the_order_itself_is_not_kept_any_more(monkeypatch):
    monkeypatch.setattr(limits, "ORDERS_MAX", 3)
    view = _viewed(_order("confirmed", 1, "old", A=2), *(_order("confirmed", n, f"o{n}") for n in range(2, 9)))
    assert "old" not in view.orders
    assert _owed(view) == [("old", 2)]


def test_what_is_owed_is_bounded_and_the_oldest_change_goes(monkeypatch):
    monkeypatch.setattr(owed, "OWED_MAX", 10)
    view = _viewed(*(_order("confirmed", n, f"o{n:02}", A=1) for n in range(50)))
    assert _owed(view) == [(f"o{n}", 1) for n in range(40, 50)]


def test_only_skus_that_are_short_somewhere_are_listed_as_such():
    short = _level(0, 2)
    short = short._replace(value=msgspec.structs.replace(
        short.value, locations=[msgspec.structs.replace(short.value.locations[0], shortage=4)]
    ))  # fmt: skip
    view = _viewed(_level(5, 1), _level(5, 1, sku="B"), short)
    assert list(view.short) == ["A"]
    view.apply([_level(1, 3)])
    assert not view.short


def test_the_oldest_promises_have_the_units_that_are_there():
    level = r.LocationLevel("W1", 5, 0, 0, 5, 0, 0, 4, 0, [], (1, 1, 0))
    waiting = [owed.OwedUnits(name, "shop", "confirmed", "", units) for name, units in (("a", 3), ("b", 4), ("c", 2))]
    item = owed.shortage_at("A", level, waiting)
    assert (item.owner, item.shortage, item.owed) == ("W1", 4, 9)
    assert [(x.order_id, x.uncovered) for x in item.orders] == [("a", 0), ("b", 2), ("c", 2)]


@pytest.mark.parametrize(("limit", "record"), [
    ("ORDERS_MAX", lambda n: _order("pending", n, f"o{n}")),
    ("DEMAND_MAX", lambda n: _demand(1, n, sku=f"S{n}")),
    ("PLANS_MAX", lambda n: _reorder("r", n, f"S{n}")),
])  # fmt: skip
def test_memory_is_bounded_and_the_oldest_goes(monkeypatch, limit, record):
    monkeypatch.setattr(limits, limit, 10)
    view = _viewed(*(record(n) for n in range(50)))
    view.settle()
    kept = {"ORDERS_MAX": view.orders, "DEMAND_MAX": view.demand, "PLANS_MAX": view.reorders}[limit]
    assert len(kept) == 10
    assert any("49" in str(key) for key in kept)
    assert sum(view.order_states.values()) == len(view.orders)


def test_decisions_and_alerts_keep_the_newest():
    view = _viewed(*(_decision(f"o{n}") for n in range(limits.DECISIONS_MAX + 5)),
                   *(_alert(f"a{n}") for n in range(limits.ALERTS_MAX + 5)))  # fmt: skip
    assert (len(view.decisions), len(view.alerts)) == (limits.DECISIONS_MAX, limits.ALERTS_MAX)
    assert next(view.recent_decisions()).value.order_id == f"o{limits.DECISIONS_MAX + 4}"


def test_levels_that_go_up_and_down_push_no_work_out():
    view = _viewed(
        _alert("first"), *(_alert(f"a{n}", kind="low") for n in range(limits.ALERTS_MAX + 5)), _alert("last")
    )
    recent = [record.value.id for record in view.recent_alerts()]
    assert (recent[0], recent[1], recent[-1]) == ("last", f"a{limits.ALERTS_MAX + 4}", "first")
    assert len(recent) == limits.ALERTS_MAX + 2


SECOND = 1_000
READ = list(itertools.chain(*([n for n in range(40) if n % 4 == partition] for partition in (2, 0, 3, 1))))


def _changed(n, at=0, status="confirmed"):
    """Order `n` of many that changed one second after the other, in four partitions; `at`: changed again then."""
    head = OrderHead(f"o{n:02}", "shop", status, (1_000, at or n + 1, 0), time=instant(n * SECOND), raw=b"%d" % n)
    return Record("order-status", n % 4, at or n, 0, head.order_id, head)


def _listed(view, before=None):
    return [int(entry.head.raw) for entry in view.recent_orders(before)]


def test_lists_follow_what_happened_though_partitions_are_read_one_after_the_other(monkeypatch):
    for limit in ("ORDERS_MAX", "DECISIONS_MAX", "ALERTS_MAX"):
        monkeypatch.setattr(limits, limit, 12)
    newest = list(range(39, 27, -1))
    view = _viewed(*map(_changed, READ), *(_decision(f"{n}", second=n) for n in READ),
                   *(_alert(f"{n}", second=n, kind="low" if n % 3 else "shortage") for n in READ))  # fmt: skip
    view.settle()
    assert _listed(view) == newest
    assert [int(record.value.order_id) for record in view.recent_decisions()] == newest
    alerts = [int(record.value.id) for record in view.recent_alerts()]
    assert alerts == sorted(alerts, reverse=True)
    assert set(newest) <= set(alerts)
    assert +view.order_states == {"confirmed": 12}


def test_what_happened_in_one_millisecond_is_listed_as_it_came():
    view = _viewed(_decision("p", second=1), _decision("first"), _decision("second"),
                   _alert("a"), _alert("b", kind="low"), _alert("c"))  # fmt: skip
    assert [record.value.order_id for record in view.recent_decisions()] == ["p", "second", "first"]
    assert [record.value.id for record in view.recent_alerts()] == ["c", "b", "a"]


def test_the_daily_sweep_pushes_out_no_order_and_is_no_news(monkeypatch):
    monkeypatch.setattr(limits, "ORDERS_MAX", 12)
    view = _viewed(*map(_changed, READ))
    view.settle()
    for _ in range(2):  # of what was dropped at the start, and of what was since
        before = _listed(view)
        view.apply([_changed(n) for n in random.Random(1).sample(READ, 40)])
        assert _listed(view) == before
        assert view.drain().orders == []
        view.apply([_changed(n, at=n) for n in range(40, 45)])
        assert _listed(view) == [*range(44, 39, -1), *before][:12]
        assert view.drain().orders == [b"%d" % n for n in range(40, 45)]
        # Now there is room, and yet the others did not change.
        view.apply([_gone("order-status", f"o{n}") for n in range(40, 45)])


def test_an_old_order_that_changes_is_the_newest_again_though_its_time_stands(monkeypatch):
    """A refund, say: it is no entry of the order, so its document keeps the time of the last one."""
    monkeypatch.setattr(limits, "ORDERS_MAX", 30)
    refunded = _changed(3, at=100, status="returned")
    started, live = _viewed(refunded, *map(_changed, READ)), _viewed(*map(_changed, READ))
    for view in (started, live):
        view.settle()
    live.apply([refunded])
    assert _listed(live) == [3, *range(39, 10, -1)]
    assert _listed(started) == [3, *range(39, 10, -1)], "it comes after all that its partition told before"


def test_pages_of_orders_are_whole_while_others_change():
    view = _viewed(*map(_changed, READ))
    view.settle()
    seen, before = [], None
    for n in itertools.count(40):
        page = list(itertools.islice(view.recent_orders(before), 7))
        if not page:
            break
        seen += [int(entry.head.raw) for entry in page]
        before = page[-1].sequence
        view.apply([_changed(n, at=n + 1), _changed(n)])
    assert seen == list(range(39, -1, -1))


def test_what_was_there_before_the_view_settled_is_no_news():
    past = [_order("confirmed"), _decision(), _alert("a")]
    view = _viewed(*past, _level(5))
    assert view.drain() == ([_level(5).value], [], [], [])
    view.apply([_order("shipped", 2), _decision("p"), _alert("b")])
    view.settle()
    assert not any(view.drain())
    view.apply([*past, _order("delivered", 3), _decision("q"), _alert("c")])
    drained = view.drain()
    assert [record.value.order_id for record in drained.decisions] == ["q"]
    assert [record.value.id for record in drained.alerts] == ["c"]
    assert len(drained.orders) == 1


def test_a_crowd_between_two_looks_pushes_no_work_out_of_the_news():
    """Who listens shows work until it hears that it is over: of everything else the newest will do."""
    view = _viewed(_order("paid_unallocated", 1, "late"))
    view.settle()
    crowd = [_order("confirmed", at, f"o{at}") for at in range(3, 203)]
    lows = [_alert(f"low-{n}", kind="low") for n in range(200)]
    view.apply([_order("confirmed", 2, "late"), *crowd, _alert("recount", kind="recount"), *lows])
    drained = view.drain()
    assert len(drained.orders) == limits.NEWS_MAX + 1
    assert [record.value.id for record in drained.alerts] == ["recount", *(f"low-{n}" for n in range(140, 200))]
    later = [_order("shipped", 203 + n, f"o{n}") for n in range(3, 103)]
    view.apply([_order("paid_unallocated", 203, "again"), *later])
    assert len(view.drain().orders) == limits.NEWS_MAX + 1


def test_a_newer_log_begins_anew_in_a_settled_view_too(monkeypatch):
    monkeypatch.setattr(limits, "ORDERS_MAX", 3)
    view = _viewed(*(_order("confirmed", n, f"o{n}") for n in range(1, 9)), _alert("a"))
    view.settle()
    view.apply([_order("pending", n, f"o{n}", log=NEW_LOG) for n in range(1, 3)])
    assert [e.head.order_id for e in view.recent_orders(None)] == ["o2", "o1"]
    assert not list(view.recent_alerts())
    assert len(view.drain().orders) == 2


def test_the_view_knows_that_it_left_skus_out_until_it_begins_anew(monkeypatch):
    monkeypatch.setattr(limits, "SKUS_MAX", 2)
    view = _viewed(_level(5), _level(5, sku="B"), _level(6, 2))
    assert not view.left_out
    view.apply([_level(5, sku="C"), _gone("stock-levels", "B")])
    assert (view.skus, view.left_out) == (["A"], True)
    view.apply([_level(5, log=NEW_LOG)])
    assert not view.left_out


def test_a_drain_gives_every_changed_sku_once_with_its_newest_state():
    view = _viewed(*(_level(n, n, f"S{n % 700}") for n in range(2_000)))
    first, second = view.drain(), view.drain()
    assert len(first.skus) == 500
    assert {x.sku for x in first.skus + second.skus} == set(view.stock)
    assert len(first.skus) + len(second.skus) == 700
    assert view.drain().skus == []


@pytest.mark.parametrize("seed", range(20))
def test_two_arrivals_of_one_history_end_in_one_view(seed):
    """Late copies, repetitions and any interleaving of keys leave no trace."""
    rng = random.Random(seed)
    history = [_level(rng.randrange(9), at, rng.choice("ABC"), places=rng.choice([("W1",), ("W1", "W2")]))
               for at in range(1, 40)]  # fmt: skip
    history += [_order(rng.choice(["pending", "confirmed"]), at, rng.choice("xyz")) for at in range(1, 40)]
    again = history + rng.choices(history, k=40)
    rng.shuffle(again)
    straight, shaken = _viewed(*history), _viewed(*again)
    assert _stock(straight) == _stock(shaken)
    assert +straight.locations == +shaken.locations
    assert straight.skus == shaken.skus == sorted(shaken.stock)
    assert +straight.order_states == +shaken.order_states


def test_of_what_is_going_to_be_wrong_only_what_stands_raised_is_shown():
    def told(state, at):
        value = r.ForecastAlert(id=f"{at}", sku="A", location="W1", kind="overstock", state=state, run="2026-11-23.001")
        return Record("forecast-alerts", 0, at, 0, "A|W1|overstock", value)

    view = _viewed(told("raised", 1))
    assert list(view.forecast_alerts) == [("A", "W1", "overstock")]
    view.apply([told("cleared", 2)])
    assert not view.forecast_alerts
