"""Reservations at the edges.

Each of these was once broken in a copy of the code, and no test failed.
"""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from tables import records as r
from tables.codec import instant
from tables.outcome import ALERTS, WAREHOUSE, Outcome, place_of
from tables.rows import (
    Change,
    ReservedLine,
    stock_key,
)

HOUR_MS = 3_600_000


def test_what_was_released_before_it_was_asked_takes_nothing_and_is_kept_as_long_as_its_order_may_ask(
    stock_log: Any,
) -> None:
    """The order's partition is an hour ahead: its clock decides."""
    stock_log.receive(5)
    stock_log.command(r.Release)
    row, before = stock_log.reservation(), stock_log.rows("stock", "lot")
    asked_ms = stock_log.state.state_ms + HOUR_MS
    outcome = stock_log.reserve(("A", 2), asked_ms=asked_ms)
    assert [(x.sku, x.quantity, x.reason) for x in stock_log.answered(outcome).refused] == [("A", 2, "released")]
    empty = {"order_partition": 0, "channel": "", "asked": 0, "asked_ms": 0, "first_location": "", "day": "", "hour": 0,
             "demand": False, "wanted": (), "could": (), "moved": 0, "moved_ok": False, "order_ms": 0}  # fmt: skip
    assert {name: getattr(row, name) for name in empty} == empty
    row = stock_log.reservation()
    assert row.lines == (ReservedLine("A", 2, "", "released", 0, False, 0, False, "", 0, ""),)
    assert (row.order_ms, row.wanted, row.asked) == (asked_ms, (("A", 2),), row.at)
    assert row.forget_ms == asked_ms + stock_log.state.limits.reservation_keep_seconds * 1000
    assert stock_log.rows("stock", "lot") == before


def test_what_came_for_those_who_wait_moves_with_the_rest_and_the_answer_tells_both(stock_log: Any) -> None:
    stock_log.append(r.PolicySet(id="p", sku="A", location="W1", backorder_limit=9))
    stock_log.receive(2)
    stock_log.reserve(("A", 5), policy="backorder")
    (note,) = [x.record for x in stock_log.receive(2).sends if x.topic == WAREHOUSE]
    stock_log.append(note)
    stock_log.receive(9, location="W2")
    outcome = stock_log.append(r.Move(
        id="o1:1:0:move", order_id="o1", attempt=1, order_partition=0, lines=[r.MoveLine("A", "W2")]
    ))  # fmt: skip
    said = stock_log.answered(outcome)
    assert said.moved
    assert sorted((x.quantity, x.location, x.backordered) for x in said.parts) == [(1, "W1", True), (4, "W2", False)]
    assert (stock_log.stock().claimed, stock_log.stock().backordered, stock_log.stock(location="W2").claimed) == (
        0,
        1,
        4,
    )


def test_what_was_given_back_before_a_move_does_not_move(stock_log: Any) -> None:
    stock_log.receive(4)
    stock_log.receive(4, location="W2")
    stock_log.reserve(("A", 4))
    stock_log.append(r.Release(id="part", order_id="o1", attempt=1, lines=[r.ReleaseLine("A", 1, "W1")]))
    outcome = stock_log.append(r.Move(
        id="o1:1:0:move", order_id="o1", attempt=1, order_partition=0, lines=[r.MoveLine("A", "W2")]
    ))  # fmt: skip
    assert [(x.quantity, x.location) for x in stock_log.answered(outcome).parts] == [(3, "W2")]
    assert [stock_log.stock(location=x).claimed for x in ("W1", "W2")] == [0, 3]


def test_who_waits_in_a_queue_stands_in_it_once_however_often_the_command_is_delivered(stock_log: Any) -> None:
    stock_log.append(r.PolicySet(id="p", sku="A", location="W1", backorder_limit=9))
    stock_log.receive(2)
    asked = stock_log.reserve(("A", 5), policy="backorder")
    before = stock_log.rows()
    assert stock_log.deliver(stock_log.end).sends == asked.sends
    assert stock_log.rows() == before
    assert [x.units for x in stock_log.rows("queue").values()] == [3]


def test_what_a_partial_release_gives_back_is_told_again_when_it_is_delivered_again(stock_log: Any) -> None:
    stock_log.receive(2)
    stock_log.reserve(("A", 2))
    stock_log.command(r.Allocate)
    told = stock_log.append(r.Release(id="part", order_id="o1", attempt=1, lines=[r.ReleaseLine("A", 1, "W1")]))
    before = stock_log.rows()
    assert [x.record.kind for x in told.sends] == ["restored"]
    assert stock_log.deliver(stock_log.end).sends == told.sends
    assert stock_log.rows() == before


def test_all_that_one_record_fills_of_a_reservation_is_one_change_of_it(stock_log: Any) -> None:
    """Three units wait from the start; one more since a picker did not find it."""
    stock_log.append(r.PolicySet(id="p", sku="A", location="W1", backorder_limit=9))
    stock_log.receive(2)
    stock_log.reserve(("A", 5), policy="backorder")
    stock_log.command(r.Allocate)
    stock_log.append(r.Adjusted(id="a", sku="A", location="W1", quantity=-2, reason="lost"))
    stock_log.append(r.Backorder(id="b", order_id="o1", attempt=1, lines=[r.ReleaseLine("A", 1, "W1")]))
    (note,) = [x.record for x in stock_log.receive(9).sends if x.topic == WAREHOUSE]
    assert stock_log.answered(stock_log.append(note)).quantity == 4
    row = stock_log.reservation()
    assert [(x.before, x.after, x.amounts) for x in row.changes] == [
        ("", "claimed", (2, 3)), ("claimed", "allocated", (2, 0)), ("allocated", "back", (1, 0, 1)),
        ("back", "allocated", (0, 3, 1, 3, 1)),
    ]  # fmt: skip
    assert [(x.back, x.open) for x in row.lines] == [(False, 1), (True, 0), (True, 0), (False, 3), (False, 1)]
    assert (stock_log.stock().allocated, stock_log.stock().backordered) == (5, 0)


@pytest.mark.parametrize(("units", "left"), [(1, (1, 2)), (2, (0, 2)), (3, (0, 1)), (4, (0, 0)), (9, (0, 0))])
def test_a_release_that_names_no_location_takes_units_from_part_to_part(
    stock_log: Any, units: int, left: tuple[int, int]
) -> None:
    for location in ("W1", "W2"):
        stock_log.receive(2, location=location)
    stock_log.reserve(("A", 4))
    stock_log.append(r.Release(id="part", order_id="o1", attempt=1, lines=[r.ReleaseLine("A", units)]))
    assert tuple(x.open for x in stock_log.reservation().lines) == left
    assert tuple(stock_log.stock(location=x).claimed for x in ("W1", "W2")) == left


def test_a_channel_s_own_units_move_with_its_order_from_shelf_to_shelf(stock_log: Any) -> None:
    """What the order took of the shop's own at W1 is the shop's own there again; at W2 it takes of it anew."""
    for location in ("W1", "W2"):
        stock_log.receive(9, location=location)
        stock_log.append(r.ChannelStockSet(
            id=f"share-{location}", sku="A", location=location, channel="shop", ring_fence=4
        ))  # fmt: skip
    stock_log.reserve(("A", 3), channel="shop")
    assert [stock_log.stock(location=x).shares[0].ring_fence for x in ("W1", "W2")] == [1, 4]
    stock_log.append(r.Move(
        id="o1:1:0:move", order_id="o1", attempt=1, order_partition=0, lines=[r.MoveLine("A", "W2")]
    ))  # fmt: skip
    assert [stock_log.stock(location=x).shares[0].ring_fence for x in ("W1", "W2")] == [4, 1]
    assert [(x.location, x.open, x.fenced) for x in stock_log.reservation().lines] == [("W1", 0, 0), ("W2", 3, 3)]


def ask_to_move(log: Any, *lines: tuple[str, str]) -> Outcome:
    """A to W2, if nothing is said."""
    wanted = [r.MoveLine(*line) for line in lines or [("A", "W2")]]
    return log.append(r.Move(id="o1:1:0:move", order_id="o1", attempt=1, order_partition=0, lines=wanted))


@pytest.mark.parametrize("there", [1, 2])
def test_not_even_one_unit_moves_to_a_shelf_where_none_is_free(stock_log: Any, there: int) -> None:
    """What lies at W2 is promised to another order."""
    stock_log.receive(there, location="W2")
    stock_log.reserve(("A", there), order_id="o2", locations=["W2"])
    stock_log.receive(1)
    stock_log.reserve(("A", 1))
    before = stock_log.rows("stock", "lot")
    assert not stock_log.answered(ask_to_move(stock_log)).moved
    assert stock_log.rows("stock", "lot") == before


@pytest.mark.parametrize(
    ("share", "moves"), [({"ring_fence": 3}, True), ({"buffer": 1}, False), ({"ring_fence": 3, "buffer": 1}, False)]
)
def test_an_order_moves_to_what_is_its_channel_s_own_and_not_to_what_its_channel_leaves_alone(
    stock_log: Any, share: dict[str, int], moves: bool
) -> None:
    for location in ("W1", "W2"):
        stock_log.receive(3, location=location)
    stock_log.append(r.ChannelStockSet(id="s", sku="A", location="W2", channel="shop", **share))
    stock_log.reserve(("A", 3), channel="shop")
    assert stock_log.answered(ask_to_move(stock_log)).moved is moves
    assert [stock_log.stock(location=x).claimed for x in ("W1", "W2")] == ([0, 3] if moves else [3, 0])


def test_a_move_takes_nothing_of_a_channel_s_own_for_what_stays_where_it_is(stock_log: Any) -> None:
    for sku, location in (("A", "W1"), ("B", "W1"), ("A", "W2")):
        stock_log.receive(3, sku=sku, location=location)
    stock_log.reserve(("A", 3), ("B", 2))
    ask_to_move(stock_log)
    assert stock_log.reservation().changes[-1] == Change(place_of(stock_log.end), "", "claimed", (-3, 0, 3), (), ())


def test_a_move_of_what_was_given_back_before_it_was_asked_for_is_not_answered(stock_log: Any) -> None:
    for location in ("W1", "W2"):
        stock_log.receive(3, location=location)
    assert ask_to_move(stock_log) == Outcome(), "nothing was ever asked for"
    stock_log.command(r.Release)
    before = stock_log.rows()
    assert ask_to_move(stock_log) == Outcome()
    assert stock_log.rows() == before


def test_what_a_move_tells_of_two_shelves_is_told_whole_again_though_one_row_was_lost(stock_log: Any) -> None:
    """Both were short by one; what moved away covers both. The stock row of B was not written: a crash in between."""
    for sku in ("A", "B"):
        stock_log.receive(2, sku=sku)
        stock_log.receive(9, sku=sku, location="W2")
    stock_log.reserve(("A", 2), ("B", 2))
    for sku in ("A", "B"):
        stock_log.append(r.Adjusted(id=f"lost-{sku}", sku=sku, location="W1", quantity=-1, reason="shrinkage"))
    old = stock_log.stock("B")
    told = ask_to_move(stock_log, ("A", "W2"), ("B", "W2"))
    covered = [x.record.sku for x in told.sends if x.topic == ALERTS and x.record.kind == "covered"]
    assert covered == ["A", "B"]
    rows = stock_log.rows()
    stock_log.table.put({stock_key("B", "W1"): old})
    assert stock_log.deliver(stock_log.end).sends == told.sends
    assert stock_log.rows() == rows


@pytest.mark.parametrize(("named", "left"), [((1, 1), 1), ((2, 1), 0), ((2, 2), 0), ((1, 1, 1, 1), 0)])
def test_a_release_that_names_a_sku_twice_means_both_and_never_more_than_is_held(
    stock_log: Any, named: tuple[int, ...], left: int
) -> None:
    stock_log.receive(5)
    stock_log.reserve(("A", 3))
    lines = [r.ReleaseLine("A", units, "W1") for units in named]
    stock_log.append(r.Release(id="part", order_id="o1", attempt=1, lines=lines))
    assert (stock_log.reservation().lines[0].open, stock_log.stock().claimed) == (left, left)


def test_what_two_parts_of_an_order_lack_on_one_shelf_waits_as_one(stock_log: Any) -> None:
    """Two units were there from the start, three came for those who waited; four of the five are not found."""
    stock_log.append(r.PolicySet(id="p", sku="A", location="W1", backorder_limit=9))
    stock_log.receive(2)
    stock_log.reserve(("A", 5), policy="backorder")
    (note,) = [x.record for x in stock_log.receive(3).sends if x.topic == WAREHOUSE]
    stock_log.append(note)
    stock_log.command(r.Allocate)
    stock_log.append(r.Adjusted(id="a", sku="A", location="W1", quantity=-4, reason="shrinkage"))
    stock_log.append(r.Backorder(id="b", order_id="o1", attempt=1, lines=[r.ReleaseLine("A", 4, "W1")]))
    lines = [(x.back, x.open) for x in stock_log.reservation().lines]
    assert lines == [(False, 0), (True, 0), (False, 1), (True, 4)]
    assert (stock_log.stock().allocated, stock_log.stock().backordered) == (1, 4)
    assert sorted(x.units for x in stock_log.rows("queue").values()) == [0, 4]


def test_an_answer_tells_when_it_was_asked_for_whether_or_not_anything_was_taken(stock_log: Any) -> None:
    stock_log.receive(5)
    stock_log.command(r.Release)
    for order_id in ("o1", "o2"):
        outcome = stock_log.reserve(("A", 2), order_id=order_id)
        asked_ms = stock_log.records[-1][1]
        assert stock_log.answered(outcome).time == instant(asked_ms)
        assert stock_log.reservation(order_id).asked_ms == asked_ms


def test_a_command_that_comes_again_after_it_was_forgotten_and_released_anew_says_and_takes_nothing(
    stock_log: Any,
) -> None:
    stock_log.receive(5)
    stock_log.reserve(("A", 2))
    asked = stock_log.end
    stock_log.command(r.Release)
    keep_ms = stock_log.state.limits.reservation_keep_seconds * 1000
    stock_log.state = replace(stock_log.state, state_ms=stock_log.state.state_ms + 2 * keep_ms)
    del stock_log.table._recent["res|o1|1"]
    stock_log.command(r.Release)
    assert (stock_log.reservation().asked, stock_log.reservation().at) == (0, place_of(stock_log.end))
    before = stock_log.rows()
    assert stock_log.deliver(asked).sends == ()
    assert stock_log.rows() == before


def test_the_level_of_a_shelf_does_not_change_by_a_preorder_without_a_word_and_the_word_is_said_again_whole(
    stock_log: Any,
) -> None:
    """Nothing of either was ever there. The stock row of B was not written: a crash in between."""
    for sku in ("A", "B"):
        stock_log.append(r.PolicySet(id=f"p-{sku}", sku=sku, location="W1", backorder_limit=9))
        assert stock_log.stock(sku).level == "ok"
    old = stock_log.stock("B")
    told = stock_log.reserve(("A", 3), ("B", 3), policy="backorder")
    assert [stock_log.stock(sku).backordered for sku in ("A", "B")] == [3, 3]
    levels = {sku: stock_log.stock(sku).level for sku in ("A", "B") if stock_log.stock(sku).level != "ok"}
    assert {x.record.sku: x.record.kind for x in told.sends if x.topic == ALERTS} == levels
    rows = stock_log.rows()
    stock_log.table.put({stock_key("B", "W1"): old})
    assert list(stock_log.deliver(stock_log.end).sends) == list(told.sends)
    assert stock_log.rows() == rows
