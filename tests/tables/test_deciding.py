"""What a reserve command gets: who is granted what, from where; who is refused, and why."""

from __future__ import annotations

from typing import Any

import pytest

from tables import records as r
from tables.outcome import ORDERS, Outcome

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


def test_a_line_that_is_split_comes_first_from_where_the_order_is_shipped_anyway_then_from_where_most_are(
    stock_log: Any,
) -> None:
    """A comes from W2; of B there are two as well, four at W1, three at W3."""
    for sku, location, units in (("A", "W2", 1), ("B", "W1", 4), ("B", "W2", 2), ("B", "W3", 3)):
        stock_log.receive(units, sku, location)
    said = stock_log.reserve(("A", 1), ("B", 7), locations=["W1", "W2", "W3"])
    assert (parts(said), reasons(said)) == ([("A", 1, "W2"), ("B", 2, "W2"), ("B", 4, "W1"), ("B", 1, "W3")], [])
    assert [stock_log.stock("B", location).claimed for location in ("W1", "W2", "W3")] == [4, 2, 1]


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
    ("NEVER-SEEN", 0, True, "closed", ["W9"], "too_old"),
    ("NEVER-SEEN", 0, False, "closed", ["W9"], "unknown_sku"),
    ("RETIRED", 0, False, "closed", ["W9"], "discontinued"),
    ("A", 0, False, "closed", ["W9"], "malformed_quantity"),
    ("A", -1, False, "closed", ["W9"], "malformed_quantity"),
    ("A", r.QUANTITY_MAX + 1, False, "closed", ["W9"], "malformed_quantity"),
    ("A", 6, False, "closed", ["W9"], "channel_not_allowed"),
    ("SHOP-ONLY", 6, False, "picky", ["W9"], "channel_not_allowed"),
    ("A", 6, False, "picky", ["W9"], "location_not_allowed"),
    ("A", r.QUANTITY_MAX, False, "picky", ["W1"], "insufficient"),
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
