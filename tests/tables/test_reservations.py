"""Reserve, hold, allocate, release, move, backorder: who gets stock, who is refused and why, what happens when it is
said twice."""

from __future__ import annotations

from typing import Any

import pytest

from tables import records as r
from tables.outcome import ORDERS, Outcome, place_of
from tables.rows import demand_key, stock_key

DAY_MS = 86_400_000
KEEP_MS = r.Limits().reservation_keep_seconds * 1000


def answer(outcome: Outcome) -> r.ReserveAnswered:
    """What the order hears."""
    (send,) = (send for send in outcome.sends if send.topic == ORDERS)
    return send.record


def reasons(outcome: Outcome) -> list[str]:
    return [line.reason for line in answer(outcome).refused]


def parts(outcome: Outcome) -> list[tuple[str, int, str]]:
    """(SKU, units, location) of what was taken."""
    return [(part.sku, part.quantity, part.location) for part in answer(outcome).parts]


# -- granting ----------------------------------------------------------------------------------------------------------


def test_a_line_is_taken_at_the_first_location_that_covers_it_whole(stock_log: Any) -> None:
    stock_log.receive(3, location="W1")
    stock_log.receive(5, location="W2")
    said = stock_log.reserve(("A", 4))
    assert (parts(said), reasons(said)) == ([("A", 4, "W2")], [])
    assert (stock_log.stock(location="W1").claimed, stock_log.stock(location="W2").claimed) == (0, 4)


def test_the_order_of_locations_is_the_orders_own(stock_log: Any) -> None:
    for location in ("W1", "W2"):
        stock_log.receive(5, location=location)
    assert parts(stock_log.reserve(("A", 4), locations=["W2", "W1"])) == [("A", 4, "W2")]


@pytest.mark.parametrize("policy", ["all_or_nothing", "ship_available", "backorder"])
def test_a_location_named_twice_has_its_units_once(stock_log: Any, policy: str) -> None:
    stock_log.receive(5)
    said = stock_log.reserve(("A", 8), locations=["W1", "W1", "W1"], policy=policy)
    assert sum(units for _, units, _ in parts(said)) == (5 if policy == "ship_available" else 0)
    assert reasons(said) == ["insufficient"]
    assert stock_log.stock().claimed == (5 if policy == "ship_available" else 0)


def test_of_a_location_named_twice_the_better_rank_counts(stock_log: Any) -> None:
    stock_log.receive(5, location="W1")
    stock_log.receive(5, location="W2")
    said = stock_log.reserve(("A", 4), locations=["W2", "W1", "W2"])
    assert parts(said) == [("A", 4, "W2")]
    assert answer(said).could == [0b011]


def test_one_location_for_all_lines_is_preferred_to_the_best_ranked_one_for_each(stock_log: Any) -> None:
    stock_log.receive(5, "A", "W1")
    stock_log.receive(5, "A", "W2")
    stock_log.receive(5, "B", "W2")
    assert parts(stock_log.reserve(("A", 2), ("B", 2))) == [("A", 2, "W2"), ("B", 2, "W2")]


def test_without_a_common_location_the_fewest_are_chosen(stock_log: Any) -> None:
    """W1 has A, W2 has B, W3 has B and C: two shipments, not three."""
    for sku, location in (("A", "W1"), ("B", "W2"), ("B", "W3"), ("C", "W3")):
        stock_log.receive(5, sku, location)
    said = stock_log.reserve(("A", 1), ("B", 1), ("C", 1), locations=["W1", "W2", "W3"])
    assert parts(said) == [("A", 1, "W1"), ("B", 1, "W3"), ("C", 1, "W3")]


def test_a_line_that_no_location_covers_whole_is_split_over_several(stock_log: Any) -> None:
    stock_log.receive(3, location="W1")
    stock_log.receive(5, location="W2")
    said = stock_log.reserve(("A", 6))
    assert (parts(said), reasons(said)) == ([("A", 5, "W2"), ("A", 1, "W1")], [])
    assert (stock_log.stock(location="W1").claimed, stock_log.stock(location="W2").claimed) == (1, 5)


def test_the_answer_says_which_locations_could_cover_each_line(stock_log: Any) -> None:
    for sku, location, units in (("A", "W1", 5), ("A", "W2", 5), ("B", "W2", 1)):
        stock_log.receive(units, sku, location)
    assert answer(stock_log.reserve(("A", 2), ("B", 1))).could == [0b11, 0b10]


def test_all_lines_are_claimed_or_none(stock_log: Any) -> None:
    stock_log.receive(5, "A")
    stock_log.receive(1, "B")
    before = stock_log.rows("stock", "lot")
    said = answer(stock_log.reserve(("A", 2), ("B", 2)))
    assert said.refused == [r.Refusal("B", 2, "insufficient", 1)]
    assert said.parts == []
    assert stock_log.rows("stock", "lot") == before
    assert stock_log.reservation().state == "refused"
    assert [line.open for line in stock_log.reservation().lines] == [0, 0]


def test_a_command_that_names_a_sku_twice_is_a_dead_letter_and_nothing_moves(stock_log: Any) -> None:
    stock_log.receive(5)
    before = stock_log.rows()
    outcome = stock_log.reserve(("A", 3), ("A", 3))
    assert outcome.dead.startswith("twice")
    assert stock_log.rows() == before


def test_safety_stock_is_never_promised(stock_log: Any) -> None:
    stock_log.append(r.PolicySet(id="p", sku="A", safety_stock=2))
    stock_log.receive(5)
    before = stock_log.rows("stock", "lot")
    assert answer(stock_log.reserve(("A", 4))).refused == [r.Refusal("A", 4, "insufficient", 3)]
    assert stock_log.rows("stock", "lot") == before
    assert reasons(stock_log.reserve(("A", 3), order_id="o2")) == []


def test_a_command_spread_over_too_many_parts_is_refused_whole(stock_log: Any) -> None:
    skus = [f"S{n}" for n in range(r.LINES_MAX)]
    for sku in skus:
        for location in ("W1", "W2", "W3"):
            stock_log.receive(1, sku, location)
    before = stock_log.rows("stock", "lot")
    said = stock_log.reserve(*((sku, 3) for sku in skus), locations=["W1", "W2", "W3"], policy="ship_available")
    assert (parts(said), set(reasons(said))) == ([], {"too_many_parts"})
    assert stock_log.rows("stock", "lot") == before


# -- refusing: one written order ---------------------------------------------------------------------------------------

PRECEDENCE = [
    # SKU, quantity, asked 8 days ago, channel, locations: each case fails this check and those that come after it
    ("NEVER-SEEN", 0, True, "closed", ["W9"], "unknown_sku"),
    ("RETIRED", 0, True, "closed", ["W9"], "discontinued"),
    ("A", 0, True, "closed", ["W9"], "malformed_quantity"),
    ("A", -1, True, "closed", ["W9"], "malformed_quantity"),
    ("A", r.QUANTITY_MAX + 1, True, "closed", ["W9"], "malformed_quantity"),
    ("A", r.QUANTITY_MAX, True, "closed", ["W9"], "too_old"),
    ("A", 6, False, "closed", ["W9"], "channel_not_allowed"),
    ("SHOP-ONLY", 6, False, "picky", ["W9"], "channel_not_allowed"),
    ("A", 6, False, "picky", ["W9"], "location_not_allowed"),
    ("A", 6, False, "picky", ["W1"], "insufficient"),
    ("A", 3, False, "picky", ["W1"], "contended"),
    ("A", 2, False, "picky", ["W1"], "shelf_life"),
]


@pytest.mark.parametrize(("sku", "quantity", "old", "channel", "locations", "reason"), PRECEDENCE)
def test_the_first_failed_check_is_the_answer(
    stock_log: Any, sku: str, quantity: int, old: bool, channel: str, locations: list[str], reason: str
) -> None:
    stock_log.receive(5, "A", best_before="2023-12-01")  # the log's day is 2023-11-14
    stock_log.receive(5, "RETIRED")
    stock_log.append(r.SkuDefined(id="d", sku="RETIRED", discontinued=True))
    stock_log.append(r.SkuDefined(id="e", sku="SHOP-ONLY", channels=["shop"]))
    stock_log.append(r.ChannelSet(id="c1", channel="closed", closed=True))
    stock_log.append(r.ChannelSet(id="c2", channel="picky", locations=["W1", "W2"], minimum_life_days=30))
    stock_log.reserve(("A", 3), order_id="undecided")
    before = stock_log.rows("stock", "lot")
    asked_ms = stock_log.start_ms - (8 * DAY_MS if old else 0)
    said = stock_log.reserve((sku, quantity), asked_ms=asked_ms, channel=channel, locations=locations)
    assert reasons(said) == [reason]
    assert stock_log.rows("stock", "lot") == before


@pytest.mark.parametrize(("age_ms", "refused"), [(KEEP_MS - 1, []), (KEEP_MS, ["too_old"])])
def test_a_reserve_is_too_old_once_its_reservation_would_be_forgotten(
    stock_log: Any, age_ms: int, refused: list[str]
) -> None:
    stock_log.receive(5)
    before = stock_log.rows("stock")
    assert reasons(stock_log.reserve(("A", 1), asked_ms=stock_log.start_ms - age_ms)) == refused
    assert (stock_log.rows("stock") == before) == bool(refused)


@pytest.mark.parametrize("kind", [r.Hold, r.Allocate])
def test_units_that_are_held_or_owed_are_gone_and_only_claimed_ones_contended(stock_log: Any, kind: type) -> None:
    stock_log.receive(5)
    stock_log.reserve(("A", 3))
    assert reasons(stock_log.reserve(("A", 3), order_id="o2")) == ["contended"]
    stock_log.command(kind)
    before = stock_log.rows("stock")
    assert reasons(stock_log.reserve(("A", 3), order_id="o3")) == ["insufficient"]
    assert stock_log.rows("stock") == before


def test_what_undecided_orders_claim_at_several_locations_is_contended_together(stock_log: Any) -> None:
    """3 + 3 units are there and 2 are claimed: 5 may be there again, 7 can never be."""
    stock_log.receive(3, location="W1")
    stock_log.receive(3, location="W2")
    stock_log.reserve(("A", 2))
    before = stock_log.rows("stock")
    assert answer(stock_log.reserve(("A", 5), order_id="o2")).refused == [r.Refusal("A", 5, "contended", 4)]
    assert answer(stock_log.reserve(("A", 7), order_id="o3")).refused == [r.Refusal("A", 7, "insufficient", 4)]
    assert stock_log.rows("stock") == before


# -- policies ----------------------------------------------------------------------------------------------------------


def test_ship_available_takes_what_there_is_and_refuses_the_rest(stock_log: Any) -> None:
    stock_log.receive(3, "A", "W1")
    stock_log.receive(1, "A", "W2")
    said = stock_log.reserve(("A", 6), ("NEVER-SEEN", 2), policy="ship_available")
    assert parts(said) == [("A", 3, "W1"), ("A", 1, "W2")]
    assert answer(said).refused == [
        r.Refusal("A", 2, "insufficient", 4), r.Refusal("NEVER-SEEN", 2, "unknown_sku", 0)
    ]  # fmt: skip
    assert [stock_log.stock(location=x).claimed for x in ("W1", "W2")] == [3, 1]


def test_ship_available_with_nothing_to_ship_takes_nothing(stock_log: Any) -> None:
    stock_log.receive(3)
    stock_log.append(r.Adjusted(id="a", sku="A", location="W1", quantity=-3, reason="shrinkage"))
    before = stock_log.rows("stock", "lot")
    said = stock_log.reserve(("A", 2), policy="ship_available")
    assert (parts(said), reasons(said)) == ([], ["insufficient"])
    assert stock_log.rows("stock", "lot") == before
    assert stock_log.reservation().state == "refused"


def with_backorders(log: Any, units: int, limit: int) -> None:
    log.append(r.PolicySet(id="p", sku="A", location="W1", backorder_limit=limit, backorder_due="2023-12-24"))
    log.receive(units)


def test_a_backorder_takes_what_there_is_and_promises_the_rest_for_its_day(stock_log: Any) -> None:
    with_backorders(stock_log, 3, 10)
    said = stock_log.reserve(("A", 5), policy="backorder")
    assert answer(said).parts == [
        r.Part("A", 3, "W1"), r.Part("A", 2, "W1", backordered=True, due="2023-12-24")
    ]  # fmt: skip
    stock = stock_log.stock()
    assert (stock.on_hand, stock.claimed, stock.backordered) == (3, 3, 2)


def test_no_more_is_backordered_than_the_limit_and_then_nothing_is_taken(stock_log: Any) -> None:
    with_backorders(stock_log, 3, 2)
    before = stock_log.rows("stock", "lot", "queue")
    assert reasons(stock_log.reserve(("A", 6), policy="backorder")) == ["insufficient"]
    assert stock_log.rows("stock", "lot", "queue") == before


def test_who_waits_comes_before_who_comes_later(stock_log: Any) -> None:
    """Two units arrive for somebody who waits for two: a new order may not have them, not even for a moment."""
    with_backorders(stock_log, 1, 5)
    stock_log.reserve(("A", 3), policy="backorder")
    stock_log.command(r.Allocate)
    stock_log.receive(2)
    assert reasons(stock_log.reserve(("A", 1), order_id="late")) == ["insufficient"]


def test_a_backorder_released_waits_no_more(stock_log: Any) -> None:
    with_backorders(stock_log, 1, 5)
    stock_log.reserve(("A", 3), policy="backorder")
    stock_log.command(r.Allocate)
    assert (stock_log.stock().allocated, stock_log.stock().backordered) == (1, 2)
    stock_log.command(r.Release)
    assert (stock_log.stock().allocated, stock_log.stock().backordered) == (0, 0)
    assert [row.units for row in stock_log.rows("queue").values()] == [0]
    assert stock_log.table.below("queue|A|W1|") == []


def test_units_that_were_not_there_to_ship_wait_at_the_end_of_the_queue(stock_log: Any) -> None:
    with_backorders(stock_log, 5, 5)
    stock_log.reserve(("A", 4))
    stock_log.command(r.Allocate)
    lines = [r.ReleaseLine("A", 3, "W1")]
    record = r.Backorder(id="o1:1:0:9", order_id="o1", attempt=1, lines=lines)
    stock_log.append(record)
    assert (stock_log.stock().allocated, stock_log.stock().backordered) == (1, 3)
    before = stock_log.rows()
    assert stock_log.append(record) == Outcome()
    assert stock_log.rows() == before
    assert [(line.open, line.back) for line in stock_log.reservation().lines] == [(1, False), (3, True)]


# -- channels ----------------------------------------------------------------------------------------------------------


def share(log: Any, channel: str, ring_fence: int = 0, buffer: int = 0) -> None:
    log.append(r.ChannelStockSet(
        id=f"share:{channel}:{len(log.records)}", sku="A", location="W1", channel=channel, ring_fence=ring_fence,
        buffer=buffer,
    ))  # fmt: skip


def test_ring_fenced_stock_is_for_its_channel_alone_and_shrinks_as_it_buys(stock_log: Any) -> None:
    stock_log.receive(10)
    share(stock_log, "shop", ring_fence=6)
    before = stock_log.rows("stock")
    assert reasons(stock_log.reserve(("A", 5), order_id="m1", channel="market")) == ["insufficient"]
    assert stock_log.rows("stock") == before
    assert parts(stock_log.reserve(("A", 4), order_id="m2", channel="market")) == [("A", 4, "W1")]
    assert parts(stock_log.reserve(("A", 2), order_id="s1", channel="shop")) == [("A", 2, "W1")]
    assert stock_log.stock().shares[0].ring_fence == 4
    for order_id in ("m2", "s1"):
        stock_log.command(r.Allocate, order_id)
    assert reasons(stock_log.reserve(("A", 1), order_id="m3", channel="market")) == ["insufficient"]
    assert parts(stock_log.reserve(("A", 4), order_id="s2", channel="shop")) == [("A", 4, "W1")]


def test_ring_fenced_units_come_back_when_their_order_gives_them_back(stock_log: Any) -> None:
    stock_log.receive(10)
    share(stock_log, "shop", ring_fence=6)
    stock_log.reserve(("A", 5), channel="shop")
    assert stock_log.stock().shares[0].ring_fence == 1
    stock_log.command(r.Release)
    assert stock_log.stock().shares[0].ring_fence == 6


def test_a_buffer_is_withheld_from_its_channel_alone(stock_log: Any) -> None:
    stock_log.receive(10)
    share(stock_log, "market", buffer=3)
    before = stock_log.rows("stock")
    said = answer(stock_log.reserve(("A", 8), order_id="m", channel="market"))
    assert said.refused == [r.Refusal("A", 8, "insufficient", 7)]
    assert stock_log.rows("stock") == before
    assert parts(stock_log.reserve(("A", 10), order_id="s", channel="shop")) == [("A", 10, "W1")]


def test_a_channel_that_wants_long_shelf_life_is_promised_only_lots_that_have_it(stock_log: Any) -> None:
    stock_log.append(r.ChannelSet(id="c", channel="grocer", minimum_life_days=30, promise_days=2))
    stock_log.receive(6, lot="SHORT", best_before="2023-12-15")  # 31 days from the log's day: one too few
    stock_log.receive(4, lot="LONG", best_before="2023-12-16")
    before = stock_log.rows("stock")
    assert answer(stock_log.reserve(("A", 5), channel="grocer")).refused == [r.Refusal("A", 5, "shelf_life", 4)]
    assert stock_log.rows("stock") == before
    assert parts(stock_log.reserve(("A", 4), channel="grocer", order_id="o2")) == [("A", 4, "W1")]
    assert parts(stock_log.reserve(("A", 6), channel="anybody", order_id="o3")) == [("A", 6, "W1")]


def test_long_living_lots_are_not_promised_twice(stock_log: Any) -> None:
    """Ten units are there, four of them live long: two buyers who want three such each cannot both have them."""
    stock_log.append(r.ChannelSet(id="c", channel="grocer", minimum_life_days=30))
    stock_log.receive(6, lot="SHORT", best_before="2023-11-20")
    stock_log.receive(4, lot="LONG", best_before="2024-06-01")
    stock_log.reserve(("A", 3), channel="grocer")
    before = stock_log.rows("stock")
    assert reasons(stock_log.reserve(("A", 3), channel="grocer", order_id="o2")) == ["shelf_life"]
    assert stock_log.rows("stock") == before
    stock_log.command(r.Release)
    assert parts(stock_log.reserve(("A", 3), channel="grocer", order_id="o3")) == [("A", 3, "W1")]


def test_a_channel_is_served_only_from_its_own_locations(stock_log: Any) -> None:
    stock_log.append(r.ChannelSet(id="c", channel="shop", locations=["W2"]))
    stock_log.receive(5, location="W1")
    stock_log.receive(5, location="W2")
    assert parts(stock_log.reserve(("A", 1), channel="shop")) == [("A", 1, "W2")]


# -- moving ------------------------------------------------------------------------------------------------------------


def moved(outcome: Outcome) -> tuple[bool, list[tuple[str, int, str]]]:
    said = answer(outcome)
    return said.moved, [(part.sku, part.quantity, part.location) for part in said.parts]


def ask_to_move(log: Any, *lines: tuple[str, str]) -> Outcome:
    return log.append(r.Move(
        id="o1:1:0:move", order_id="o1", attempt=1, order_partition=0, lines=[r.MoveLine(*line) for line in lines]
    ))  # fmt: skip


def test_claimed_lines_are_held_elsewhere_if_they_fit_there(stock_log: Any) -> None:
    for location in ("W1", "W2"):
        stock_log.receive(5, location=location)
    stock_log.reserve(("A", 3))
    assert moved(ask_to_move(stock_log, ("A", "W2"))) == (True, [("A", 3, "W2")])
    assert [stock_log.stock(location=x).claimed for x in ("W1", "W2")] == [0, 3]


def test_lines_that_do_not_fit_there_stay_all_of_them(stock_log: Any) -> None:
    for sku, location, units in (("A", "W1", 5), ("B", "W1", 5), ("A", "W2", 5), ("B", "W2", 1)):
        stock_log.receive(units, sku, location)
    stock_log.reserve(("A", 3), ("B", 3))
    before = stock_log.rows("stock", "lot")
    stays = [("A", 3, "W1"), ("B", 3, "W1")]
    assert moved(ask_to_move(stock_log, ("A", "W2"), ("B", "W2"))) == (False, stays)
    assert stock_log.rows("stock", "lot") == before


def test_a_move_is_answered_the_same_however_often_it_is_asked(stock_log: Any) -> None:
    for location in ("W1", "W2"):
        stock_log.receive(5, location=location)
    stock_log.reserve(("A", 3))
    first = ask_to_move(stock_log, ("A", "W2"))
    offset = stock_log.end
    stock_log.command(r.Allocate)
    rows = stock_log.rows()
    assert list(stock_log.deliver(offset).sends) == list(first.sends)
    assert answer(ask_to_move(stock_log, ("A", "W2"))) == answer(first)
    assert stock_log.rows() == rows


@pytest.mark.parametrize("kind", [r.Hold, r.Allocate, r.Release])
def test_what_is_no_more_claimed_is_not_moved(stock_log: Any, kind: type) -> None:
    for location in ("W1", "W2"):
        stock_log.receive(5, location=location)
    stock_log.reserve(("A", 3))
    stock_log.command(kind)
    rows = stock_log.rows()
    assert moved(ask_to_move(stock_log, ("A", "W2"))) == (False, [])
    assert stock_log.rows() == rows


def test_the_answer_to_a_reserve_is_the_same_after_its_lines_were_moved(stock_log: Any) -> None:
    for location in ("W1", "W2"):
        stock_log.receive(5, location=location)
    first = stock_log.reserve(("A", 3))
    ask_to_move(stock_log, ("A", "W2"))
    assert answer(stock_log.reserve(("A", 3))) == answer(first)


def test_a_move_of_which_half_the_rows_were_written_is_finished(stock_log: Any) -> None:
    for location in ("W1", "W2"):
        stock_log.receive(5, location=location)
    stock_log.reserve(("A", 3))
    old = stock_log.stock(location="W2")
    ask_to_move(stock_log, ("A", "W2"))
    rows = stock_log.rows()
    stock_log.table.put({stock_key("A", "W2"): old})
    stock_log.deliver(stock_log.end)
    assert stock_log.rows() == rows


# -- hold, allocate, release -------------------------------------------------------------------------------------------

STATES = ("claimed", "held", "allocated", "released", "refused")
AFTER = {
    ("claimed", r.Hold): "held",
    ("claimed", r.Allocate): "allocated",
    ("held", r.Allocate): "allocated",
    ("claimed", r.Release): "released",
    ("held", r.Release): "released",
    ("allocated", r.Release): "released",
}


def bring_to(log: Any, state: str) -> None:
    log.receive(5)
    log.reserve(("A", 9 if state == "refused" else 3))
    if state in ("held", "allocated", "released"):
        log.command({"held": r.Hold, "allocated": r.Allocate, "released": r.Release}[state])
    assert log.reservation().state == state


@pytest.mark.parametrize("kind", [r.Hold, r.Allocate, r.Release])
@pytest.mark.parametrize("state", STATES)
def test_each_command_in_each_state(stock_log: Any, state: str, kind: type) -> None:
    """A legal one moves all units to its counter; any other changes and says nothing."""
    bring_to(stock_log, state)
    before = stock_log.rows()
    outcome = stock_log.command(kind)
    after = AFTER.get((state, kind))
    if after is None:
        assert outcome == Outcome()
        assert stock_log.rows() == before
        return
    stock = stock_log.stock()
    assert stock_log.reservation().state == after
    assert (stock.on_hand, stock.claimed, stock.held, stock.allocated) == (
        5, 0, 3 * (after == "held"), 3 * (after == "allocated")
    )  # fmt: skip


@pytest.mark.parametrize("kind", [r.Hold, r.Allocate])
def test_a_promotion_of_what_was_never_reserved_changes_nothing(stock_log: Any, kind: type) -> None:
    stock_log.receive(5)
    before = stock_log.rows()
    assert stock_log.command(kind) == Outcome()
    assert stock_log.rows() == before


def test_released_before_it_was_reserved_nothing_is_taken(stock_log: Any) -> None:
    stock_log.receive(5)
    before = stock_log.rows("stock", "lot", "demand")
    stock_log.command(r.Release)
    assert stock_log.reservation().state == "released"
    assert answer(stock_log.reserve(("A", 3))).refused == [r.Refusal("A", 3, "released", 0)]
    assert stock_log.rows("stock", "lot", "demand") == before


@pytest.mark.parametrize("promoted", [None, r.Hold, r.Allocate])
def test_some_units_are_given_back_and_the_rest_stays(stock_log: Any, promoted: type | None) -> None:
    stock_log.receive(5)
    stock_log.receive(5, "B")
    stock_log.reserve(("A", 3), ("B", 2))
    if promoted:
        stock_log.command(promoted)
    state = stock_log.reservation().state
    release = r.Release(id="o1:1:0:7", order_id="o1", attempt=1, lines=[r.ReleaseLine("A", 2)])
    stock_log.append(release)
    assert stock_log.reservation().state == state
    assert [getattr(stock_log.stock(sku), state) for sku in ("A", "B")] == [1, 2]

    before = stock_log.rows()
    assert stock_log.append(release) == Outcome()  # the same one, at another place
    assert stock_log.rows() == before

    rest = [r.ReleaseLine("A", 9), r.ReleaseLine("B", 9)]  # never more than is held
    stock_log.append(r.Release(id="o1:1:0:8", order_id="o1", attempt=1, lines=rest))
    assert stock_log.reservation().state == "released"
    assert [getattr(stock_log.stock(sku), state) for sku in ("A", "B")] == [0, 0]


# -- said twice --------------------------------------------------------------------------------------------------------


def test_a_command_delivered_again_gives_the_same_rows_and_the_same_answer(stock_log: Any) -> None:
    stock_log.receive(5)
    said = [stock_log.reserve(("A", 3)), stock_log.command(r.Hold), stock_log.command(r.Allocate)]
    rows = stock_log.rows()
    for offset, before in enumerate(said, start=2):
        again = stock_log.deliver(offset)
        assert list(again.sends) == list(before.sends)
        assert stock_log.rows() == rows
        assert again.rows.keys() == before.rows.keys()  # put again, as they are


def test_a_recorded_decision_is_counted_only_in_rows_that_are_older(stock_log: Any) -> None:
    """The reservation row was written, one of its two stock rows was not: a crash in between."""
    stock_log.receive(5, "A")
    stock_log.receive(5, "B")
    old = stock_log.stock("B")
    said = stock_log.reserve(("A", 2), ("B", 2))
    rows = stock_log.rows()
    stock_log.table.put({stock_key("B", "W1"): old})
    again = stock_log.deliver(stock_log.end)
    assert stock_log.rows() == rows
    assert list(again.sends) == list(said.sends)


def test_a_recorded_decision_stands_even_if_it_would_be_another_today(stock_log: Any) -> None:
    stock_log.receive(2)
    refused = stock_log.reserve(("A", 3))
    offset = stock_log.end
    stock_log.receive(10)
    rows = stock_log.rows()
    assert list(stock_log.deliver(offset).sends) == list(refused.sends)
    assert stock_log.rows() == rows


def test_rows_ahead_of_a_redelivered_command_are_put_again_as_they_are(stock_log: Any) -> None:
    stock_log.receive(5)
    stock_log.reserve(("A", 3))
    offset = stock_log.end
    stock_log.receive(10)
    ahead = stock_log.stock()
    assert stock_log.deliver(offset).rows[stock_key("A", "W1")] is ahead
    assert stock_log.stock() == ahead


def test_alerts_of_a_command_delivered_again_are_the_ones_it_raised(stock_log: Any) -> None:
    stock_log.receive(3)
    stock_log.reserve(("A", 3))
    out = stock_log.command(r.Allocate)
    offset = stock_log.end
    assert [send.record.kind for send in out.sends] == ["out"]
    stock_log.receive(50)
    assert list(stock_log.deliver(offset).sends) == list(out.sends)


def test_alerts_stay_complete_if_only_some_of_the_rows_were_written(stock_log: Any) -> None:
    """Both SKUs ran out; the stock row of one of them was lost."""
    for sku in ("A", "B"):
        stock_log.receive(3, sku)
    stock_log.reserve(("A", 3), ("B", 3))
    old = stock_log.stock("B")
    out = stock_log.command(r.Allocate)
    assert [(send.key, send.record.kind) for send in out.sends] == [("A", "out"), ("B", "out")]
    rows = stock_log.rows()
    stock_log.table.put({stock_key("B", "W1"): old})
    assert list(stock_log.deliver(stock_log.end).sends) == list(out.sends)
    assert stock_log.rows() == rows


def test_a_known_command_at_another_place_gets_its_recorded_answer_and_nothing_moves(stock_log: Any) -> None:
    stock_log.receive(5)
    first = stock_log.reserve(("A", 3))
    stock_log.command(r.Allocate)
    before = stock_log.rows()
    again = stock_log.reserve(("A", 3))
    assert (again.rows, answer(again)) == ({}, answer(first))
    assert stock_log.rows() == before


@pytest.mark.parametrize("lines", [[("A", 2)], [("B", 3)], [("A", 3), ("B", 1)]])
def test_a_known_command_with_other_lines_is_a_conflict_and_nothing_moves(
    stock_log: Any, lines: list[tuple[str, int]]
) -> None:
    for sku in ("A", "B"):
        stock_log.receive(5, sku)
    stock_log.reserve(("A", 3))
    before = stock_log.rows()
    outcome = stock_log.reserve(*lines)
    assert outcome.dead.startswith("id_conflict")
    assert (outcome.rows, outcome.sends) == ({}, ())
    assert stock_log.rows() == before


def test_another_attempt_is_another_command(stock_log: Any) -> None:
    stock_log.receive(5)
    stock_log.reserve(("A", 3))
    stock_log.command(r.Release)
    assert reasons(stock_log.reserve(("A", 4), attempt=2)) == []
    assert stock_log.stock().claimed == 4


def test_commands_of_one_packed_record_have_a_place_each(stock_log: Any) -> None:
    """Rows know the item that changed them last, so the second is not taken for the first delivered again."""
    stock_log.receive(5)
    stock_log.reserve(("A", 1))
    assert stock_log.stock().at == place_of(2)
    assert place_of(2) < place_of(2, 1) < place_of(2, r.ITEMS_MAX - 1) < place_of(3)


# -- demand ------------------------------------------------------------------------------------------------------------


def demand(log: Any, sku: str = "A", location: str = "W1") -> tuple[int, int, int, int]:
    row = log.table.get(demand_key(sku, location, "2026-03-02"))
    return row.ordered, row.orders, row.refused, row.hours


def test_demand_counts_first_attempts_granted_or_not_once(stock_log: Any) -> None:
    more: dict[str, Any] = {"occurred_at": "2026-03-02T09:15:00Z"}
    stock_log.receive(5)
    stock_log.reserve(("A", 5), **more)
    stock_log.reserve(("A", 4), order_id="o2", **more)  # contended: not lost yet
    stock_log.reserve(("A", 4), order_id="o2", attempt=2, demand=False, **more)
    stock_log.reserve(("A", 7), order_id="o3", **more)
    stock_log.reserve(("A", 7), order_id="o3", **more)  # known
    stock_log.reserve(("NEVER-SEEN", 1), order_id="o4", **more)
    assert demand(stock_log) == (16, 3, 7, 1 << 9)
    for offset in range(2, stock_log.end + 1):
        stock_log.deliver(offset)
    assert demand(stock_log) == (16, 3, 7, 1 << 9)
