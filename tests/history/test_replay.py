"""Orders decided anew: as they were, the same as they really were; under another policy, what that would have meant."""

from __future__ import annotations

import pytest

from proof.history.explain import Logs
from proof.history.policy import AS_IT_WAS, PolicyError, parse_policy, read_policy
from proof.history.replay import replay
from proof.history.snapshots import Snapshots
from streams.commands.folding import ROLES
from tables import records as r

WAREHOUSE, ORDERS = "warehouse", "orders"
HOUR = 3_600


@pytest.fixture
def again(belt):
    """The belt's logs decided anew under a policy."""

    def of(policy=AS_IT_WAS, start_ms=None, end_ms=None, snapshots=lambda log: None):
        if isinstance(policy, dict):
            policy = parse_policy(policy)
        return replay(Logs(7, belt.partitions, belt.log, snapshots), ROLES, policy, start_ms, end_ms)

    return of


@pytest.fixture
def season(belt):
    """Sixty orders over two partitions: paid, waiting, expired, shipped, cancelled; stock comes twice, is counted once,
    and a policy is set in the middle."""
    for sku in ("A", "B", "D"):
        belt.receive(sku, 20)
        belt.receive(sku, 8, "W2", "L2")
    belt.tick()
    for n in range(60):
        one, two = "ABD"[n % 3], "ABD"[(n + n // 7) % 3]
        belt.place(f"o{n}", "pending" if n % 6 == 0 else "paid", **{one: 1 + n % 3, two: 1})
        if n % 6 == 0 and n % 4 == 0:
            belt.put(r.PaymentCaptured(id=f"pay{n}", order_id=f"o{n}"))
        if n % 4 == 1:
            belt.put(r.OrderShipped(id=f"ship{n}", order_id=f"o{n}"))
        if n % 7 == 2:
            belt.put(r.CancelRequested(id=f"cancel{n}", order_id=f"o{n}"))
        if n == 20:
            belt.put(r.PolicySet(id="policy:B", sku="B", safety_stock=3))
        if n == 30:
            belt.receive("A", 15, "W1", "L3")
            looked_at = len(belt.topics[WAREHOUSE, belt.home("A")]) - 1
        if n == 36:
            belt.put(r.Counted(id="count", sku="A", location="W1", lot="L1", quantity=1, as_of_offset=looked_at))
        belt.tick(1 if n % 5 else 59)
    for _ in range(40):
        belt.tick(60)  # what waits for its payment expires
    statuses = {x.status for x in belt.decisions.values()}
    assert statuses == {"confirmed", "rejected", "expired"}
    return belt


def test_the_run_as_it_was_decides_every_order_as_it_really_was(season, again):
    found = again()
    assert found.differing == found.undecided_really == 0
    assert found.as_it_was.orders == 60
    for status in ("confirmed", "rejected", "expired"):
        really = sum(x.status == status for x in season.decisions.values())
        assert getattr(found.as_it_was, status) == really > 0
    units = sum(line.quantity for x in season.decisions.values() if x.status == "confirmed" for line in x.lines)
    assert found.as_it_was.units == units
    parcels = [{y.location for y in x.lines} for x in season.decisions.values() if x.status == "confirmed"]
    assert found.as_it_was.shipments == sum(map(len, parcels))


def test_without_a_policy_nothing_is_different(season, again):
    found = again()
    assert found.under_policy == found.as_it_was
    assert found.changed == []
    assert set(found.difference.values()) == {0}


@pytest.mark.parametrize("part", [0.2, 0.5, 0.8])
def test_a_window_in_the_middle_begins_with_what_really_was_before_it(season, again, part, tmp_path):
    began = season.topics[ORDERS, 0][0].timestamp()[1]
    start = int(began + (season.topics[ORDERS, 0][-200].timestamp()[1] - began) * part)
    placed = _placed(season, start, season.ms + 1)
    found = again(start_ms=start)
    assert found.differing == 0
    assert found.as_it_was.orders == len(placed) > 5
    assert found.as_it_was.confirmed == sum(season.decisions[x].status == "confirmed" for x in placed)

    def snapshots(log):
        return Snapshots(tmp_path, log.topic, log.number, 7, pytest.fail, every=5)

    assert again(start_ms=start, snapshots=snapshots) == found
    assert again(start_ms=start, snapshots=snapshots) == found


def test_an_order_that_is_open_when_the_window_ends_is_told_as_undecided(belt, again):
    belt.receive("A", 5)
    belt.place("o-1", A=1)
    belt.place("o-2", "pending", A=1)
    end = belt.ms + 1
    belt.put(r.PaymentCaptured(id="pay", order_id="o-2"), wait_ms=1_000)
    found = again(end_ms=end)
    assert (found.as_it_was.orders, found.as_it_was.confirmed, found.as_it_was.undecided) == (2, 1, 1)
    assert (found.undecided_really, found.differing) == (1, 0)
    assert again().as_it_was.confirmed == 2


def test_more_safety_stock_refuses_orders_and_less_confirms_them(belt, again):
    belt.put(r.PolicySet(id="policy:A", sku="A", safety_stock=2))
    belt.receive("A", 6)
    for n in range(6):
        belt.place(f"o-{n}", A=1)
    assert again().as_it_was.confirmed == 4
    more = again({"policy_set": [{"sku": "A", "safety_stock": 5}]})
    assert (more.as_it_was.confirmed, more.under_policy.confirmed, more.difference["confirmed"]) == (4, 1, -3)
    assert more.under_policy.reasons == {"insufficient": 5}
    none = again({"policy_set": [{"sku": "*"}]})
    assert none.difference["confirmed"] == none.difference["units"] == 2
    assert [(x.order_id, x.before, x.after) for x in none.changed] == [
        (f"o-{n}", "rejected (insufficient)", "confirmed from W1") for n in (4, 5)
    ]


def test_a_rule_of_the_file_stands_in_for_the_logs_own_of_that_subject_and_no_other(belt, again):
    for sku in "AB":
        belt.receive(sku, 4)
        belt.put(r.PolicySet(id=f"policy:{sku}", sku=sku, safety_stock=4))
        belt.place(f"o-{sku}", **{sku: 1})
    found = again({"policy_set": [{"sku": "A", "safety_stock": 0}]})
    assert [x.order_id for x in found.changed] == ["o-A"]


def test_one_for_every_sku_reaches_those_that_come_later_and_gives_way_to_one_by_name(belt, again):
    for sku in "AB":
        belt.receive(sku, 4)
        belt.place(f"o-{sku}", **{sku: 4})
    found = again({"policy_set": [{"sku": "*", "safety_stock": 1}, {"sku": "B"}]})
    assert [(x.order_id, x.after) for x in found.changed] == [("o-A", "rejected (insufficient)")]


def test_stock_that_comes_later_in_the_window_comes_at_its_own_time(belt, again):
    belt.receive("A", 2)
    belt.place("o-1", A=2)
    belt.place("o-2", A=1)
    belt.receive("A", 1, lot="L2")
    belt.place("o-3", A=1)
    found = again()
    assert (found.as_it_was.confirmed, found.as_it_was.rejected, found.differing) == (2, 1, 0)


def test_hours_without_stock_count_from_the_last_unit_to_the_next(belt, again):
    belt.receive("A", 2)
    belt.place("o-1", A=2)
    belt.tick(3 * HOUR)
    belt.receive("A", 5, lot="L2")
    belt.tick(5 * HOUR)
    assert again().as_it_was.stockout_hours == pytest.approx(3.0, abs=0.01)
    under = again({"policy_set": [{"sku": "A", "safety_stock": 9}]})
    assert under.under_policy.stockout_hours == pytest.approx(8.0, abs=0.01)


def test_a_count_keeps_its_meaning_when_orders_are_decided_otherwise(belt, again):
    """Counted as of a position of the real log: what left after it is no loss, whatever stands there in a run."""
    assert belt.home("A") == belt.home("B")
    belt.receive("A", 10)
    belt.receive("B", 10)
    for n in range(9):
        belt.place(f"b-{n}", B=1)  # under the policy they are refused, and that partition has fewer records
    looked_at = len(belt.topics[WAREHOUSE, belt.home("A")]) - 1
    belt.put(r.Shipped(id="till", sku="A", location="W1", quantity=3))
    belt.put(r.Counted(id="count", sku="A", location="W1", lot="L1", quantity=10, as_of_offset=looked_at))
    belt.place("a-1", A=7)
    belt.place("a-2", A=1)
    assert (belt.decisions["a-1"].status, belt.decisions["a-2"].status) == ("confirmed", "rejected")
    found = again({"policy_set": [{"sku": "B", "safety_stock": 10}]})
    assert found.differing == 0
    assert {x.order_id for x in found.changed} == {f"b-{n}" for n in range(9)}


def test_what_followed_a_confirmation_does_not_follow_a_refusal(belt, again):
    """o-1 was sent really. Where it is refused, its parcel stays, and others can have the units."""
    belt.receive("A", 4)
    belt.place("o-1", A=3)
    belt.put(r.OrderShipped(id="ship", order_id="o-1"))
    belt.place("o-2", A=2)
    found = again({"policy_set": [{"sku": "A", "safety_stock": 2}]})
    assert [(x.order_id, x.before, x.after) for x in found.changed] == [
        ("o-1", "confirmed from W1", "rejected (insufficient)"),
        ("o-2", "rejected (insufficient)", "confirmed from W1"),
    ]  # fmt: skip
    assert found.differing == 0


def test_what_the_agents_sent_because_of_the_real_decision_is_not_sent_to_a_run(belt, again):
    """Really o-1 was refused for D, and A was released: where the policy confirms it, nobody else gets its A."""
    assert belt.home("A") != belt.home("D")
    belt.receive("A", 1)
    belt.receive("D", 2)
    belt.put(r.PolicySet(id="policy:D", sku="D", safety_stock=2))
    belt.place("o-1", A=1, D=1)
    belt.place("o-2", A=1)
    assert (belt.decisions["o-1"].status, belt.decisions["o-2"].status) == ("rejected", "confirmed")
    found = again({"policy_set": [{"sku": "D"}]})
    assert [(x.order_id, x.after) for x in found.changed] == [
        ("o-1", "confirmed from W1"), ("o-2", "rejected (insufficient)"),
    ]  # fmt: skip


@pytest.mark.parametrize("by_warehouse", [False, True])
def test_parcels_leave_from_where_the_run_holds_the_units(belt, again, by_warehouse):
    belt.receive("A", 3)
    belt.receive("A", 3, "W2", "L2")
    belt.place("o-1", A=3)
    if by_warehouse:
        belt.put(r.Shipped(id="s", sku="A", location="W1", lot="L1", quantity=3, order_id="o-1", attempt=1))
    else:
        belt.put(r.OrderShipped(id="s", order_id="o-1", lines=[r.ShippedLine("A", 3, "W1", "L1")]))
    belt.put(r.PolicySet(id="later", sku="A"))
    belt.place("o-2", locations=("W1",), A=2)
    assert belt.decisions["o-2"].status == "rejected"
    found = again({"policy_set": [{"sku": "A", "location": "W1", "safety_stock": 1}]})
    assert [(x.order_id, x.before, x.after) for x in found.changed] == [
        ("o-1", "confirmed from W1", "confirmed from W2"), ("o-2", "rejected (insufficient)", "confirmed from W1"),
    ]  # fmt: skip


def test_an_order_told_again_in_the_window_was_not_placed_in_it(belt, again):
    belt.receive("A", 4)
    belt.place("o-1", A=1)
    start = belt.ms + 1
    belt.place("o-1", A=1)
    belt.place("o-2", A=1)
    found = again(start_ms=start)
    assert (found.as_it_was.orders, found.as_it_was.undecided, found.undecided_really) == (1, 0, 0)


def test_nothing_is_put_to_the_logs(season, again):
    before = {place: len(log) for place, log in season.topics.items()}
    again({"policy_set": [{"sku": "*", "safety_stock": 3}]})
    assert {place: len(log) for place, log in season.topics.items()} == before


def test_it_says_what_it_does_not_simulate(belt, again):
    assert "Demand's reaction is not simulated" in again().notes[0]


# -- the whole domain --------------------------------------------------------------------------------------------------


@pytest.fixture
def brand(belt):
    """Eighty orders of two channels with rules, over two partitions: backordered and filled, partial, split, edited,
    picked short, sent from two places, returned; lots of unequal life, ring-fenced stock, kits."""
    belt.tick()
    belt.put(
        r.ChannelSet(id="shop", channel="shop", locations=["W1", "W2"], minimum_life_days=20, policy="backorder"),
        r.ChannelSet(id="pos", channel="pos", locations=["W2", "W1"], policy="ship_available"),
        r.KitSet(id="kit", kit="BOX", parts=[r.KitPart("A", 1), r.KitPart("D", 1)]),
    )  # fmt: skip
    for n, sku in enumerate("ABD"):
        belt.put(r.PolicySet(id=f"policy:{sku}", sku=sku, safety_stock=1, backorder_limit=6))
        belt.receive(sku, 20, "W1", "L1", best_before="2024-06-30")
        belt.receive(sku, 9, "W2", "L2", best_before="2023-11-2" + str(n + 5))
        belt.receive(sku, 6, "W2", "L3", best_before="2024-07-31")
        belt.put(r.ChannelStockSet(id=f"own:{sku}", sku=sku, location="W1", channel="pos", ring_fence=3, buffer=1))
    for n in range(80):
        _an_order(belt, n)
        if n in (30, 55):
            for sku in "ABD":
                belt.receive(sku, 14, "W1", f"N{n}", best_before="2024-09-30")
        belt.tick(30)
    decided = belt.decisions.values()
    assert {x.status for x in decided} == {"confirmed", "rejected"}
    assert any(line.backordered for x in decided for line in x.lines)
    assert any(line.reason and x.status == "confirmed" for x in decided for line in x.lines)
    return belt


def _an_order(belt, n):
    """The n-th order, and what follows it."""
    sku, other = "ABD"[n % 3], "ABD"[(n + 1) % 3]
    lines = [r.Line("BOX", 1)] if n % 10 == 9 else [r.Line(sku, 1 + n % 3), r.Line(other, 1)]
    name, channel = f"o{n}", "pos" if n % 4 == 3 else "shop"
    belt.put(r.OrderPlaced(id=name, order_id=name, channel=channel, lines=lines, payment="paid"))
    if n % 8 == 1:
        belt.put(r.OrderEdited(id=f"edit{n}", order_id=name, lines=[r.EditLine(sku, 2)]))
    if n % 3 == 1:
        short = [r.PickedLine(sku, 0, None, 1)] if n % 9 == 1 else []
        belt.put(r.OrderPicked(id=f"pick{n}", order_id=name, location="W1", lines=short))
        belt.put(r.OrderShipped(id=f"ship{n}", order_id=name, location="W1", final=n % 2 == 0))
    if n % 6 == 1:
        back = [r.InspectedLine(sku, 1, "restock")]
        belt.put(r.ReturnInspected(id=f"back{n}", order_id=name, return_id="R", lines=back))
    if n % 7 == 2:
        belt.put(r.CancelRequested(id=f"cancel{n}", order_id=name))


def test_the_whole_domain_decided_again_as_it_was_agrees_order_by_order(brand, again):
    found = again()
    assert (found.differing, found.undecided_really, found.as_it_was.orders) == (0, 0, 80)
    backordered = sum(line.backordered for x in brand.decisions.values() for line in x.lines)
    assert found.as_it_was.backordered == backordered > 0
    assert found.as_it_was.short > 0
    assert found.under_policy == found.as_it_was


@pytest.mark.parametrize(
    "policy",
    [
        {"policy_set": [{"sku": "*", "safety_stock": 6}]},
        {"policy_set": [{"sku": "*", "backorder_limit": 50}]},
        {"channel_set": [{"channel": "shop", "locations": ["W2", "W1"], "policy": "all_or_nothing"}]},
        {"channel_set": [{"channel": "shop", "locations": ["W2", "W1"], "policy": "ship_available"}]},
        {"channel_set": [{"channel": "shop", "locations": ["W2"], "minimum_life_days": 200}]},
        {"channel_stock_set": [{"sku": "*", "location": "W1", "channel": "pos", "ring_fence": 15}]},
        {"order_policy": [{"policy": "all_or_nothing", "locations": ["W2"]}]},
        {"kit_set": [{"kit": "BOX", "parts": [{"sku": "A", "quantity": 3}]}]},
    ],
    ids=lambda policy: next(iter(policy)) if len(policy) == 1 else None,
)
def test_any_rule_can_be_another_and_what_followed_follows_the_run(brand, again, policy):
    """Nothing halts, every order is decided, and the other run is another."""
    found = again(policy)
    assert found.differing == 0
    assert found.under_policy.orders == found.under_policy.confirmed + found.under_policy.rejected == 80
    assert found.changed_orders > 0


def test_another_ranking_serves_from_there_and_parcels_leave_from_there(belt, again):
    """o-1 left W1 whole, said its warehouse. Where W2 is the best ranked it leaves W2, so W1 has its units for o-2."""
    belt.put(r.ChannelSet(id="shop", channel="shop", locations=["W1", "W2"]))
    belt.receive("A", 3)
    belt.receive("A", 3, "W2", "L2")
    belt.put(_order("o-1", (), A=3))  # wherever its channel says
    belt.put(r.OrderPicked(id="pick", order_id="o-1", location="W1", lines=[r.PickedLine("A", 3, "L1")]))
    belt.put(r.OrderPacked(id="pack", order_id="o-1", location="W1"))
    belt.put(r.OrderShipped(id="ship", order_id="o-1", location="W1", final=True))
    belt.put(_order("o-2", ["W1"], A=2))
    assert belt.decisions["o-2"].status == "rejected"
    found = again({"channel_set": [{"channel": "shop", "locations": ["W2", "W1"]}]})
    assert [(x.order_id, x.before, x.after) for x in found.changed] == [
        ("o-1", "confirmed from W1", "confirmed from W2"), ("o-2", "rejected (insufficient)", "confirmed from W1"),
    ]  # fmt: skip


def test_a_longer_shelf_life_refuses_what_only_young_lots_could_cover(belt, again):
    belt.tick()
    belt.put(r.ChannelSet(id="shop", channel="shop", locations=["W1"], minimum_life_days=5))
    belt.receive("A", 4, best_before="2023-12-10")
    belt.put(_order("o-1", A=2))
    found = again({"channel_set": [{"channel": "shop", "locations": ["W1"], "minimum_life_days": 60}]})
    assert [(x.before, x.after) for x in found.changed] == [("confirmed from W1", "rejected (shelf_life)")]


def test_ring_fenced_stock_is_there_for_its_channel_alone(belt, again):
    belt.receive("A", 4)
    belt.put(_order("o-1", A=3))
    found = again({"channel_stock_set": [{"sku": "A", "location": "W1", "channel": "pos", "ring_fence": 2}]})
    assert [(x.before, x.after) for x in found.changed] == [("confirmed from W1", "rejected (insufficient)")]
    own = again({"channel_stock_set": [{"sku": "A", "location": "W1", "channel": "shop", "ring_fence": 2}]})
    assert own.changed == []


def test_a_backorder_limit_and_the_orders_own_policy_promise_units_that_come_later(belt, again):
    belt.receive("A", 1)
    belt.put(_order("o-1", A=3))
    assert belt.decisions["o-1"].status == "rejected"
    found = again(
        {
            "policy_set": [{"sku": "A", "backorder_limit": 5}],
            "order_policy": [{"channel": "shop", "policy": "backorder"}],
        }
    )
    assert [x.after for x in found.changed] == ["confirmed from W1, 2 backordered"]
    assert (found.difference["backordered"], found.difference["units"]) == (2, 3)
    some = again({"order_policy": [{"policy": "ship_available"}]})
    assert [x.after for x in some.changed] == ["confirmed from W1, 2 short"]
    assert some.difference["short"] == 2


def test_a_rule_of_one_location_holds_on_after_the_logs_set_all_of_them(belt, again):
    belt.receive("A", 4)
    belt.put(r.PolicySet(id="all", sku="A"))
    belt.put(_order("o-1", A=4))
    found = again({"policy_set": [{"sku": "A", "location": "W1", "safety_stock": 1}]})
    assert [x.after for x in found.changed] == ["rejected (insufficient)"]
    both = again({"policy_set": [{"sku": "*", "safety_stock": 4}, {"sku": "A", "location": "W1"}]})
    assert both.changed == []


def _order(order_id, locations=("W1", "W2"), **units):
    lines = [r.Line(sku, count) for sku, count in units.items()]
    return r.OrderPlaced(
        id=order_id, order_id=order_id, channel="shop", lines=lines, locations=list(locations), payment="paid"
    )


# -- the file ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ({}, "give lists of records by type"),
        ({"reserve": [{}]}, "'reserve' is no type of record that a policy may hold"),
        ({"tick": [{"now_ms": 1}]}, "'tick' is no type"),
        ({"policy_set": [{"sku": "A", "safty_stock": 1}]}, "policy_set does not know safty_stock; its fields: sku,"),
        ({"policy_set": [{"sku": "A", "safety_stock": -1}]}, r"policy_set: Expected `int` >= 0"),
        ({"policy_set": ["A"]}, "policy_set is a table of fields"),
        ({"policy_set": [{"safety_stock": 1}]}, "missing required field `sku`"),
        ({"received": [{"sku": "A"}]}, "'received' is no type of record that a policy may hold: sku_defined"),
        ({"order_policy": [{"policy": "maybe"}]}, "order_policy: Invalid enum value 'maybe'"),
        ({"order_policy": [{"checks": []}]}, "its fields: channel, policy, locations"),
    ],
)
def test_what_is_no_policy_is_refused_with_the_reason(document, why):
    with pytest.raises(PolicyError, match=why):
        parse_policy(document)


def test_toml_and_json_say_the_same(tmp_path):
    toml, json = tmp_path / "p.toml", tmp_path / "p.json"
    toml.write_text('[[policy_set]]\nsku = "A"\nsafety_stock = 3\n')
    json.write_text('{"policy_set": [{"sku": "A", "safety_stock": 3}]}')
    assert read_policy(toml).entries == read_policy(json).entries
    for path in (toml, json):
        path.write_text("\ufeff" + path.read_text(), encoding="utf-8")  # as some editors do
        assert read_policy(path).entries[0].fields == {"sku": "A", "safety_stock": 3}
        path.write_text("[[[")
        with pytest.raises(PolicyError, match="no TOML"):
            read_policy(path)
    with pytest.raises(PolicyError, match="No such file"):
        read_policy(tmp_path / "none.toml")


# -- on a broker -------------------------------------------------------------------------------------------------------


@pytest.mark.timeout(240)  # a dozen commands, on a busy machine
def test_orders_that_a_worker_decided_one_by_one_are_decided_the_same_again(shop):
    shop.publish(
        r.Received(id="in-1", sku="BJ-1", location="W1", lot="L1", quantity=4),
        r.Received(id="in-2", sku="BJ-2", location="W1", lot="L1", quantity=3),
    )
    shop.worker()
    for n in range(6):
        shop.sell(f"o-{n}", **{"BJ-1": 1, f"BJ-{1 + n % 2}": 1})
    policy = shop.settings.home / "policy.toml"
    policy.write_text('[[policy_set]]\nsku = "*"\nsafety_stock = 2\n')
    found = shop.json("replay", "--policy", str(policy))
    assert (found["differing"], found["undecided_really"], found["as_it_was"]["orders"]) == (0, 0, 6)
    assert found["difference"]["confirmed"] < 0
    decided = shop.decisions()
    assert found["as_it_was"]["confirmed"] == sum(x.status == "confirmed" for x in decided.values())

    shown = shop.run("replay", "--policy", str(policy), "--from", "2020-01-01T00:00:00Z")
    assert "stockout hours" in shown.stdout
    assert "differs from what was really decided in 0 of 6 orders" in shown.stderr
    assert "Demand's reaction is not simulated" in shown.stderr
    for arguments, why in (
        (("--from", "17"), "--from '17': give a time"),
        (("--from", "2026-03-01T00:00:00Z", "--to", "2026-03-01T00:00:00Z"), "--from must lie before --to"),
    ):
        assert why in shop.run("replay", "--policy", str(policy), *arguments, code=2).stderr


def _placed(belt, start_ms, end_ms):
    return [
        record.order_id
        for (topic, _), log in belt.topics.items() if topic == ORDERS
        for message in log if start_ms <= message.timestamp()[1] < end_ms
        for record in ROLES[ORDERS].codec.items(message.value()) if isinstance(record, r.OrderPlaced)
    ]  # fmt: skip
