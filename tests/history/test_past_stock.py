"""`stock get --at` says what stock was, and who held it; at the newest position it says what `stock get` says."""

from __future__ import annotations

import json
import time

import pytest

from proof.history.moment import Moment
from streams.commands.past_stock import stock_then
from tables import records as r
from tables.murmur2 import partition_of
from tables.outcome import place_of


@pytest.fixture
def selling(shop):
    """Ten units at two places; two orders settled, one waiting for its payment."""
    shop.publish(
        r.Received(id="in-1", sku="BJ-1", location="W1", lot="L1", quantity=6, best_before="2027-01-31"),
        r.Received(id="in-2", sku="BJ-1", location="W2", lot="L2", quantity=4),
    )
    shop.worker()
    shop.sell("o-1", **{"BJ-1": 2})
    shop.sell("o-2", **{"BJ-1": 9})
    shop.publish(r.OrderPlaced(id="o-3", order_id="o-3", channel="shop", lines=[r.Line("BJ-1", 3)],
                               locations=["W2"], payment="pending"))  # fmt: skip

    def settled():
        """The level as it stays: units that are claimed and units that are held are reserved alike."""
        levels = next(iter(json.loads(shop.run("stock", "get", "BJ-1", "--json", code=None).stdout)), None)
        held = {at["location"]: (at["reserved"], at["allocated"]) for at in levels["locations"]} if levels else {}
        if held != {"W1": (0, 2), "W2": (3, 0)}:
            return None
        [newest] = shop.json("stock", "get", "BJ-1", "--at", soon())
        states = {x["state"] for x in newest["reservations"]}
        return levels if (newest["levels"]["version"], states) == (levels["version"], {"allocated", "held"}) else None

    shop.levels = shop.wait_until(settled)
    return shop


def soon():
    """A time that nothing here comes up to."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 60))


def text(version):
    return ".".join(map(str, version))


@pytest.mark.timeout(240)  # a dozen commands, on a busy machine
def test_the_past_agrees_with_the_present_where_they_meet(selling):
    levels = selling.levels
    [past] = selling.json("stock", "get", "BJ-1", "--at", text(levels["version"]))
    assert past["levels"] | {"time": ""} == levels | {"time": ""}
    assert past["as_of"]["position"] == text(levels["version"][1:])
    held = {(x["order_id"], x["attempt"], x["state"], x["units"], x["location"]) for x in past["reservations"]}
    assert held >= {("o-1", 1, "allocated", 2, "W1")}
    assert {x for x in held if x[0] != "o-1"} <= {("o-3", 1, "claimed", 3, "W2"), ("o-3", 1, "held", 3, "W2")}

    now = soon()
    [newest] = selling.json("stock", "get", "BJ-1", "--at", now)
    assert newest["levels"] | {"time": ""} == levels | {"time": ""}
    assert {x["state"] for x in newest["reservations"]} == {"allocated", "held"}

    # Before anything was sold, and before the second receipt.
    offsets = {"in-1": 1, "in-2": 2}  # the partition's first record opened the log
    for receipt, on_hand in (("in-1", [("W1", 6)]), ("in-2", [("W1", 6), ("W2", 4)])):
        [then] = selling.json("stock", "get", "BJ-1", "--at", str(offsets[receipt]))
        assert [(x["location"], x["on_hand"]) for x in then["levels"]["locations"]] == on_hand
        assert then["reservations"] == []

    shown = selling.run("stock", "get", "BJ-1", "--location", "W2", "--at", now)
    assert "L2" in shown.stdout
    assert "o-3" in shown.stdout
    assert "o-1" not in shown.stdout
    partition = partition_of("BJ-1", 4)
    assert f"as of warehouse[{partition}]" in shown.stderr


def test_backorders_shares_incoming_and_blocked_lots_are_part_of_the_past(belt):
    """Before the purchase comes the order waits for it, by lot, share and day; after it, it holds the units."""
    belt.tick()
    belt.receive("A", 6, best_before="2027-01-31")
    belt.put(
        r.ChannelSet(id="shop", channel="shop", minimum_life_days=30, policy="backorder"),
        r.PolicySet(id="policy", sku="A", safety_stock=1, backorder_limit=9),
        r.ChannelStockSet(id="share", sku="A", location="W1", channel="shop", ring_fence=2),
        r.ConditionChanged(id="broken", sku="A", location="W1", lot="L1", quantity=2, condition="damaged"),
        r.PurchaseConfirmed(id="buy", sku="A", location="W1", reference="PO-1", quantity=8, expected="2026-12-24"),
    )  # fmt: skip
    belt.place("o-1", A=5)
    waiting = len(belt.topics["warehouse", belt.home("A")])
    belt.receive("A", 8, lot="L2", best_before="2027-06-30", reference="PO-1")
    then, now = (
        stock_then("A", belt.home("A"), belt.fold("warehouse", belt.home("A"), Moment(place=place)))
        for place in (place_of(waiting), None)
    )  # fmt: skip
    [level] = then.levels.locations
    assert (level.unavailable, level.backordered, level.available) == (2, 2, 0)
    assert [(x.status, x.on_hand, x.blocked) for x in level.lots] == [("approved", 6, 2)]
    assert [(x.channel, x.ring_fence) for x in level.channels] == [("shop", 0)]
    assert [(x.reference, x.quantity, x.confirmed) for x in level.incoming] == [("PO-1", 8, True)]
    assert [(x.units, x.state, x.backordered, x.due, x.fenced) for x in then.reservations] == [
        (3, "allocated", False, "", 2), (2, "allocated", True, "2026-12-24", 0),
    ]  # fmt: skip
    assert {x.floor for x in then.reservations} == {"2023-12-14"}  # state time is of 2023-11-14
    assert [(x.units, x.backordered) for x in now.reservations] == [(3, False), (2, False)]
    assert now.levels.locations[0].incoming == []


def test_what_was_not_known_then_or_was_never_is_said(shop):
    shop.publish(r.Received(id="in-1", sku="BJ-1", location="W1", lot="L1", quantity=6))
    partition = partition_of("BJ-1", 4)
    told = shop.run("stock", "get", "BJ-1", "--at", "0", "--json", code=1)
    assert told.stdout.strip() == "[]"
    assert "'BJ-1': unknown at 0" in told.stderr
    ends = shop.run("stock", "get", "BJ-1", "--at", "2", "--json", code=3)
    assert f"warehouse[{partition}] ends before that position; its last record is 1" in ends.stderr
    assert "is another, and its history is gone" in shop.run("stock", "get", "BJ-1", "--at", "5.1.0", code=3).stderr
    assert "--at 'noon': give a position" in shop.run("stock", "get", "BJ-1", "--at", "noon", code=2).stderr
    other = next(f"BJ-{n}" for n in range(2, 99) if partition_of(f"BJ-{n}", 4) != partition)
    several = shop.run("stock", "get", "BJ-1", other, "--at", "1", code=2)
    assert "a position belongs to one partition" in several.stderr
