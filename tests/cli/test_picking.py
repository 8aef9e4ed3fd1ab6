"""What is picked: lots that may leave, first expired first, for the oldest promise first, and no unit twice."""

from __future__ import annotations

import json

import pytest

from api.owed import Owing
from streams.commands.pick_plan import plan
from tables import records as r

V1, TODAY = (1, 5, 0), "2026-03-01T10:00:00.000Z"


def levels(*lots, sku="BJ-1", location="W1", time=TODAY):
    """A SKU's levels at one location. `lots`: (lot, best_before, on_hand, status, blocked), the last two optional."""
    here = [r.LotLevel(*lot) for lot in lots]
    units = sum(lot.on_hand for lot in here)
    at = r.LocationLevel(location, units, units, 0, 0, 0, 0, 0, 0, here, V1)
    return {sku: r.StockLevels(
        id=sku, time=time, sku=sku, available=units, on_hand=units, flavor="", packaging="", size="", gtin="",
        discontinued=False, locations=[at], version=V1,
    )}  # fmt: skip


def line(units, sku="BJ-1", location="W1", picked=0):
    return r.StatusLine(sku, units, location, 0, units, 0, 0, 0, "", picked)


def order(order_id, units, hour=0, **more):
    return of_lines(order_id, line(units, **more), hour=hour)


def of_lines(order_id, *lines, hour=0):
    return Owing(order_id, "shop", "confirmed", V1, f"2026-03-01T{hour:02}:00:00.000Z", list(lines))


def takes(picks):
    return {pick.order_id: [(x.lot, x.quantity) for line in pick.lines for x in line.take] for pick in picks}


def test_the_lot_that_expires_first_goes_first_and_a_pick_may_span_lots():
    stock = levels(("L1", "2027-05-01", 5), ("L2", "2027-01-01", 3), ("L3", "", 9))
    assert takes(plan("W1", stock, [order("o", 7)])) == {"o": [("L2", 3), ("L1", 4)]}


def test_the_oldest_promise_is_served_first_and_no_unit_twice():
    stock = levels(("L1", "2027-01-01", 3), ("L2", "2027-05-01", 4))
    picks = plan("W1", stock, [order("late", 5, hour=9), order("early", 2, hour=8)])
    assert [pick.order_id for pick in picks] == ["early", "late"]
    assert takes(picks) == {"early": [("L1", 2)], "late": [("L1", 1), ("L2", 4)]}


@pytest.mark.parametrize("bad", [
    ("L1", "2026-02-28", 5), ("L1", "2027-01-01", 5, "recalled"), ("L1", "2027-01-01", 5, "on_hold"),
    ("L1", "2027-01-01", 5, "inspection"), ("L1", "2027-01-01", 5, "expired"), ("L1", "2027-01-01", 5, "approved", 5),
])  # fmt: skip
def test_units_that_may_not_leave_are_not_picked_but_missing(bad):
    stock = levels(bad, ("L2", "2027-06-01", 2))
    [pick] = plan("W1", stock, [order("o", 3)])
    assert takes([pick]) == {"o": [("L2", 2)]}
    assert pick.lines[0].missing == 1


def test_a_lot_is_good_on_its_last_day():
    assert takes(plan("W1", levels(("L1", "2026-03-01", 5)), [order("o", 1)])) == {"o": [("L1", 1)]}


def test_what_is_in_hands_already_is_left_to_its_order():
    stock = levels(("L1", "2027-01-01", 3), ("L2", "2027-05-01", 4))
    picks = plan("W1", stock, [order("in-hands", 2, hour=9, picked=2), order("waits", 3, hour=8)])
    assert takes(picks) == {"waits": [("L1", 1), ("L2", 2)]}


@pytest.mark.parametrize("only", ["", "o"])
def test_of_what_came_after_a_pick_only_what_is_not_in_hands_is_listed(only):
    """Three were picked, then two came for the order's backorder. The lot of the three is left to them."""
    stock = levels(("L1", "2027-01-01", 3), ("L2", "2027-05-01", 4))
    [pick] = plan("W1", stock, [of_lines("o", line(3, picked=3), line(2))], only)
    assert [(x.sku, x.quantity, x.take, x.missing) for x in pick.lines] == [
        ("BJ-1", 2, [("L2", "2027-05-01", 2)], 0)
    ]  # fmt: skip


def test_what_was_not_picked_stays_listed_when_another_line_of_its_order_was():
    stock = levels(("L1", "2027-01-01", 3)) | levels(("L1", "2027-01-01", 3), sku="BJ-2")
    [pick] = plan("W1", stock, [of_lines("o", line(2, picked=2), line(1, sku="BJ-2"))])
    assert [(x.sku, x.quantity) for x in pick.lines] == [("BJ-2", 1)]


def test_what_is_in_hands_at_another_location_takes_nothing_from_this_shelf():
    picks = plan("W1", levels(("L1", "2027-01-01", 3)), [order("there", 2, location="W2", picked=2), order("o", 1)])
    assert takes(picks) == {"o": [("L1", 1)]}


def test_one_order_alone_is_picked_before_older_ones():
    stock = levels(("L1", "2027-01-01", 3), ("L2", "2027-05-01", 4))
    orders = [order("early", 3, hour=8), order("now", 2, hour=9)]
    assert takes(plan("W1", stock, orders, "now")) == {"now": [("L1", 2)]}


def test_what_another_location_owes_and_a_sku_nobody_has_are_not_mixed_in():
    picks = plan("W1", levels(("L1", "2027-01-01", 3)), [order("there", 1, location="W2"), order("o", 2, sku="BJ-9")])
    assert [(pick.order_id, pick.lines[0].missing) for pick in picks] == [("o", 2)]


def test_the_command_reads_what_is_published(shop):
    shop.stock("BJ-1", V1, shop.at("W1", {"L0": 2, "L1": 2, "L2": 5}, V1, allocated=9))
    shop.order("o-1", "confirmed", V1, shop.line("BJ-1", 4))
    shop.order("o-2", "partially_shipped", V1, shop.line("BJ-1", 3, shipped=1))
    shop.order("o-3", "shipped", V1, shop.line("BJ-1", 3, shipped=3))
    shop.order("o-4", "partially_picked", V1, shop.line("BJ-1", 1, picked=1), shop.line("BJ-1", 1))
    shop.order("o-5", "picked", V1, shop.line("BJ-1", 1, picked=1))
    picks = json.loads(shop.run("pick-list", "W1", "--json").stdout)
    assert {pick["order_id"]: pick["lines"][0]["take"] for pick in picks} == {
        "o-1": [{"lot": "L1", "best_before": "2027-01-31", "quantity": 2},
                {"lot": "L2", "best_before": "2027-01-31", "quantity": 2}],
        "o-2": [{"lot": "L2", "best_before": "2027-01-31", "quantity": 2}],
        "o-4": [{"lot": "L2", "best_before": "2027-01-31", "quantity": 1}],
    }  # fmt: skip
    shown = shop.run("pick-list", "W1", "--order", "o-2")
    assert "o-2" in shown.stdout
    assert shown.stderr == "1 order\n"
    assert "o-1" not in shown.stdout
    assert "has nothing to be picked" in shop.run("pick-list", "W1", "--order", "o-3", code=1).stderr
    told = shop.run("pick-list", "W9", code=1)
    assert "there is stock at: W1" in told.stderr
    assert told.stdout == ""
