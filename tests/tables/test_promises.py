"""What is promised to whom, at the edges.

Each of these was once broken in a copy of the code, and no test failed.
"""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from tables import records as r
from tables.availability import open_to_all
from tables.outcome import ALERTS, place_of
from tables.rows import (
    Policy,
    SkuRow,
    demand_key,
    sku_key,
    stock_key,
)


@pytest.mark.parametrize("hour", [0, 9, 10, 23])
def test_demand_counts_in_the_hour_and_on_the_day_it_occurred(stock_log: Any, hour: int) -> None:
    """Only hours in which somebody found the shelf empty are marked."""
    stock_log.receive(1)
    stock_log.reserve(("A", 2), demand=True, occurred_at=f"2023-11-20T{hour:02}:59:59Z")
    row = stock_log.table.get(demand_key("A", "W1", "2023-11-20"))
    assert (row.ordered, row.refused, row.hours) == (2, 2, 1 << hour)


def test_what_may_be_served_from_nowhere_counts_as_demand_nowhere(stock_log: Any) -> None:
    stock_log.append(r.SkuDefined(id="d", sku="A", discontinued=True))
    before = stock_log.rows("stock", "lot")
    outcome = stock_log.reserve(("A", 2), locations=[], demand=True, occurred_at="2023-11-20T09:00:00Z")
    said = stock_log.answered(outcome)
    assert [(x.sku, x.reason) for x in said.refused] == [("A", "discontinued")]
    assert stock_log.reservation().first_location == ""
    assert stock_log.rows("demand") == {}
    assert stock_log.rows("stock", "lot") == before


def test_a_move_takes_no_more_than_lots_cover_that_live_long_enough(stock_log: Any) -> None:
    stock_log.append(r.ChannelSet(id="c", channel="picky", minimum_life_days=30))
    stock_log.receive(3, lot="LONG", best_before="2027-01-01")
    stock_log.receive(2, location="W2", lot="LONG", best_before="2027-01-01")
    stock_log.receive(9, location="W2", lot="SHORT", best_before="2023-11-20")
    stock_log.append(r.Tick(id="t", now_ms=stock_log.start_ms))
    stock_log.reserve(("A", 3), channel="picky")
    before = stock_log.rows("stock", "lot")
    outcome = stock_log.append(r.Move(
        id="o1:1:0:move", order_id="o1", attempt=1, order_partition=0, lines=[r.MoveLine("A", "W2")]
    ))  # fmt: skip
    assert stock_log.answered(outcome).moved is False
    assert stock_log.rows("stock", "lot") == before


def test_what_is_open_to_all_leaves_the_shares_of_channels_alone_and_is_never_below_nothing(stock_log: Any) -> None:
    stock_log.receive(5)
    assert open_to_all(stock_log.stock()) == 5
    stock_log.append(r.ChannelStockSet(id="s", sku="A", location="W1", channel="shop", ring_fence=4))
    assert open_to_all(stock_log.stock()) == 1
    stock_log.append(r.ChannelStockSet(id="s2", sku="A", location="W1", channel="shop", ring_fence=9))
    assert open_to_all(stock_log.stock()) == 0


@pytest.mark.parametrize("channel", ["shop", "None", "XXXX"])  # two that look like no name at all
def test_what_is_a_channel_s_own_is_not_open_to_all_whatever_the_channel_is_called(
    stock_log: Any, channel: str
) -> None:
    stock_log.receive(5)
    stock_log.append(r.ChannelStockSet(id="s", sku="A", location="W1", channel=channel, ring_fence=4, buffer=2))
    assert open_to_all(stock_log.stock()) == 1


def test_a_shortage_that_ends_before_the_clock_is_known_is_covered(stock_log: Any) -> None:
    """No tick yet, so no stock-out has a time; what people hear of it is the same."""
    stock_log.state = replace(stock_log.state, state_ms=0, first_ms=0)
    stock_log.receive(1)
    stock_log.reserve(("A", 1))
    stock_log.command(r.Allocate)
    stock_log.append(r.Adjusted(id="a", sku="A", location="W1", quantity=-1, reason="damaged"))
    assert (stock_log.stock().short, stock_log.stock().level) == (True, "out")
    outcome = stock_log.receive(5)
    assert (stock_log.stock().short, stock_log.stock().level) == (False, "ok")
    assert {x.record.kind for x in outcome.sends if x.topic == ALERTS} == {"covered", "restored"}
    assert stock_log.rows("stock")[stock_key("A", "W1")].outs == ()


def test_units_that_move_away_from_a_shelf_that_is_short_cover_it_and_people_hear_of_it_once(stock_log: Any) -> None:
    stock_log.receive(2)
    stock_log.receive(9, location="W2")
    stock_log.reserve(("A", 2))
    stock_log.append(r.Adjusted(id="a", sku="A", location="W1", quantity=-1, reason="lost"))
    assert stock_log.stock().short
    told = stock_log.append(r.Move(
        id="o1:1:0:move", order_id="o1", attempt=1, order_partition=0, lines=[r.MoveLine("A", "W2")]
    ))  # fmt: skip
    alerts = [(x.record.location, x.record.kind) for x in told.sends if x.topic == ALERTS]
    assert ("W1", "covered") in alerts
    assert stock_log.deliver(stock_log.end).sends == told.sends


def test_a_policy_for_all_locations_of_a_sku_that_nobody_defined_makes_its_master(stock_log: Any) -> None:
    stock_log.append(r.PolicySet(id="p", sku="A", reorder_point=5))
    place = place_of(stock_log.end)
    assert stock_log.table.get(sku_key("A")) == SkuRow(
        place, "A", "", "", "", "", False, 0, (), Policy(reorder_point=5)
    )  # fmt: skip
    stock_log.receive(3)
    assert stock_log.stock().policy == Policy(reorder_point=5)


@pytest.mark.parametrize(("skus", "refused"), [("AB", []), ("ABC", ["too_many_parts"] * 3)])
def test_as_many_parts_are_granted_as_an_answer_may_hold_and_of_one_more_nothing(
    stock_log: Any, monkeypatch: pytest.MonkeyPatch, skus: str, refused: list[str]
) -> None:
    monkeypatch.setattr(r, "PARTS_MAX", 2)
    for sku in skus:
        stock_log.receive(5, sku=sku)
    before = stock_log.rows("lot")
    said = stock_log.answered(stock_log.reserve(*((sku, 1) for sku in skus)))
    assert [x.reason for x in said.refused] == refused
    assert [x.sku for x in said.parts] == ([] if refused else list(skus))
    assert sum(stock_log.stock(sku).claimed for sku in skus) == (0 if refused else len(skus))
    assert stock_log.rows("lot") == before


def test_what_moved_after_a_command_is_not_asked_for_once_more_when_its_day_is_counted_again(stock_log: Any) -> None:
    """The day's row was lost in a crash, so that the command is delivered again."""
    stock_log.receive(2)
    stock_log.receive(2, location="W2")
    stock_log.reserve(("A", 2), demand=True, occurred_at="2023-11-14T17:00:00Z")
    asked, key = stock_log.end, demand_key("A", "W1", "2023-11-14")
    before = stock_log.table.get(key)
    stock_log.append(r.Move(
        id="o1:1:0:move", order_id="o1", attempt=1, order_partition=0, lines=[r.MoveLine("A", "W2")]
    ))  # fmt: skip
    stock_log.table.put({key: replace(before, at=0, ordered=0, orders=0, refused=0, hours=0)})
    stock_log.deliver(asked)
    assert stock_log.table.get(key) == before
    assert list(stock_log.rows("demand")) == [key]
