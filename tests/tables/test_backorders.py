"""Backorders: who waits is served when stock comes, the oldest first, from lots that live long enough."""

from __future__ import annotations

import re
from typing import Any

import pytest
from msgspec.structs import replace

from tables import backorders
from tables import records as r
from tables.outcome import ALERTS, ORDERS, WAREHOUSE, At, InvariantBroken, Outcome, place_of
from tables.rows import FillEffect, fact_key, queue_key, reservation_key
from tables.table import Table


@pytest.fixture
def queue(stock_log: Any) -> Any:
    """Nothing is there; at most 50 units may be promised without stock."""
    stock_log.append(r.ChannelSet(id="c", channel="picky", minimum_life_days=30))
    stock_log.append(r.PolicySet(id="limit", sku="A", location="W1", backorder_limit=50))
    return stock_log


def wait(log: Any, order_id: str, quantity: int, *, command: type | None = r.Allocate, channel: str = "") -> None:
    log.reserve(("A", quantity), order_id=order_id, policy="backorder", locations=["W1"], channel=channel)
    if command:
        log.command(command, order_id=order_id)


def notes(outcome: Outcome) -> list[Any]:
    return [x.record for x in outcome.sends if x.topic == WAREHOUSE]


def filled(outcome: Outcome) -> list[tuple[str, int]]:
    told = [x.record for x in outcome.sends if x.topic == ORDERS]
    return [(x.order_id, x.quantity) for x in told if isinstance(x, r.BackorderFilled)]


def settle(log: Any, outcome: Outcome) -> list[tuple[str, int]]:
    """Follow the notes to their end; who got how many, in order."""
    told, waiting = [], notes(outcome)
    while waiting:
        outcome = log.append(waiting.pop(0))
        told += filled(outcome)
        waiting += notes(outcome)
    return told


def counters(log: Any) -> tuple[int, int, int, int, int]:
    row = log.stock()
    return row.on_hand, row.claimed, row.held, row.allocated, row.backordered


def open_parts(log: Any, order_id: str) -> list[tuple[int, bool]]:
    return [(x.open, x.back) for x in log.reservation(order_id).lines]


def test_stock_that_comes_goes_to_who_waits_oldest_first(queue: Any) -> None:
    for order_id, quantity in (("o1", 3), ("o2", 4), ("o3", 2)):
        wait(queue, order_id, quantity)
    assert settle(queue, queue.receive(5)) == [("o1", 3), ("o2", 2)]
    assert counters(queue) == (5, 0, 0, 5, 4)
    assert open_parts(queue, "o2") == [(2, True), (2, False)]
    assert settle(queue, queue.receive(10)) == [("o2", 2), ("o3", 2)]
    assert counters(queue) == (15, 0, 0, 9, 0)
    assert queue.table.below("queue|A|W1|") == []


@pytest.mark.parametrize(
    ("command", "after"), [(None, (5, 3, 0, 0, 0)), (r.Hold, (5, 0, 3, 0, 0)), (r.Allocate, (5, 0, 0, 3, 0))]
)
def test_filled_units_are_what_the_rest_of_the_reservation_is(queue: Any, command: type | None, after: Any) -> None:
    wait(queue, "o1", 3, command=command)
    settle(queue, queue.receive(5))
    assert counters(queue) == after


def test_a_fill_is_told_to_the_orders_partition_with_what_waits_still(queue: Any) -> None:
    wait(queue, "o1", 3)
    (note,) = notes(queue.receive(5))
    (sent,) = [x for x in queue.append(note).sends if x.topic == ORDERS]
    place = queue.end << 10
    assert (sent.partition, sent.record.id) == (queue.reservation().order_partition, f"o1:1:0:{place}")
    assert (sent.record.sku, sent.record.location, sent.record.quantity) == ("A", "W1", 3)
    assert (sent.record.waiting, sent.record.heard, sent.record.place) == (0, 0, place)


def test_safety_stock_is_not_given_to_who_waits(queue: Any) -> None:
    queue.append(r.PolicySet(id="p", sku="A", location="W1", backorder_limit=50, safety_stock=4))
    wait(queue, "o1", 3)
    assert settle(queue, queue.receive(5)) == [("o1", 1)]
    assert settle(queue, queue.append(
        r.PolicySet(id="p2", sku="A", location="W1", backorder_limit=50, safety_stock=3)
    )) == [("o1", 1)], "a policy that frees units fills, too"  # fmt: skip


def test_units_that_are_free_again_go_to_who_waits(queue: Any) -> None:
    queue.receive(5, status="on_hold")
    wait(queue, "o1", 3)
    approved = queue.append(r.LotStatusSet(id="q", sku="A", lot="L1", status="approved"))
    assert settle(queue, approved) == [("o1", 3)]


def test_who_needs_a_longer_life_waits_for_it_and_keeps_nobody_else_waiting(queue: Any) -> None:
    """State time is 14 November 2023: o1 needs a lot that lives until 14 December."""
    wait(queue, "o1", 3, channel="picky")
    wait(queue, "o2", 2)
    short_lived = queue.receive(4, lot="SHORT", best_before="2023-12-01")
    assert settle(queue, short_lived) == [("o2", 2)]
    assert open_parts(queue, "o1") == [(3, True)]
    long_lived = queue.receive(2, lot="LONG", best_before="2024-12-01")
    assert settle(queue, long_lived) == [("o1", 2)]
    assert [(x.day, x.units) for x in queue.stock().floors] == [("2023-12-14", 2)]


def test_who_waited_gets_lots_that_live_long_enough_from_the_day_on_which_they_come(queue: Any) -> None:
    """State time was 14 November 2023 when o1 was promised lots that live until 14 December; two days later that is
    too few days for its channel."""
    wait(queue, "o1", 3, channel="picky")
    queue.state = replace(queue.state, state_ms=queue.state.state_ms + 2 * 86_400_000)
    assert settle(queue, queue.receive(4, lot="THEN", best_before="2023-12-15")) == []
    (note,) = notes(queue.receive(2, lot="NOW", best_before="2023-12-16"))
    was = queue.rows()
    assert filled(queue.append(note)) == [("o1", 2)]
    assert [(x.open, x.floor) for x in queue.reservation().lines] == [(1, "2023-12-14"), (2, "2023-12-16")]
    assert [(x.day, x.units) for x in queue.stock().floors] == [("2023-12-16", 2)]

    after, offset = queue.rows(), queue.end
    queue.state = replace(queue.state, state_ms=queue.state.state_ms + 86_400_000)
    queue.table.put({key: was[key] for key in ("stock|A|W1", reservation_key("o1", 1))})
    queue.deliver(offset)
    assert queue.rows() == after, "delivered again on another day it is what it was"
    queue.command(r.Release, order_id="o1")
    assert queue.stock().floors == ()


def test_units_that_wait_again_are_no_less_fresh_than_any_of_them_was_promised(queue: Any) -> None:
    wait(queue, "o1", 3, channel="picky")
    queue.state = replace(queue.state, state_ms=queue.state.state_ms + 2 * 86_400_000)
    settle(queue, queue.receive(2, lot="LONG", best_before="2024-12-01"))
    queue.append(r.ChannelSet(id="c2", channel="picky", minimum_life_days=10))
    settle(queue, queue.receive(1, lot="LONG", best_before="2024-12-01"))
    was = [(x.open, x.floor) for x in queue.reservation().lines if x.open]
    assert was == [(2, "2023-12-16"), (1, "2023-12-14")]
    queue.append(r.Backorder(id="o1:1:0:9", order_id="o1", attempt=1, lines=[r.ReleaseLine("A", 3, "W1")]))
    assert [(x.open, x.floor) for x in queue.reservation().lines if x.open] == [(3, "2023-12-16")]


def test_two_who_need_a_longer_life_share_the_lots_that_have_it(queue: Any) -> None:
    wait(queue, "o1", 2, channel="picky")
    wait(queue, "o2", 2, channel="picky")
    queue.receive(5, lot="SHORT", best_before="2023-12-01")
    assert settle(queue, queue.receive(3, lot="LONG", best_before="2024-12-01")) == [("o1", 2), ("o2", 1)]


def test_units_that_are_backordered_later_wait_behind_those_who_came_meanwhile(queue: Any) -> None:
    """o1 had 2 and waits for 3; o2 waits for 1; then o1's 2 were not there to ship."""
    queue.receive(2)
    wait(queue, "o1", 5)
    wait(queue, "o2", 1)
    queue.append(r.Adjusted(id="lost", sku="A", location="W1", quantity=-2, reason="shrinkage"))
    queue.append(r.Backorder(id="o1:1:0:9", order_id="o1", attempt=1, lines=[r.ReleaseLine("A", 2, "W1")]))
    assert settle(queue, queue.receive(3)) == [("o1", 3)]
    assert settle(queue, queue.receive(2)) == [("o2", 1), ("o1", 1)]
    assert open_parts(queue, "o1") == [(0, False), (0, True), (1, True), (3, False), (1, False)]


def test_a_long_queue_is_filled_in_several_steps(queue: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backorders, "FILLS_MAX", 2)
    for n in range(5):
        wait(queue, f"o{n}", 1)
    (note,) = notes(queue.receive(4))
    first = queue.append(note)
    assert filled(first) == [("o0", 1), ("o1", 1)]
    (note,) = notes(first)
    second = queue.append(note)
    assert (filled(second), notes(second)) == ([("o2", 1), ("o3", 1)], [])


def test_who_was_released_meanwhile_gets_nothing(queue: Any) -> None:
    wait(queue, "o1", 3)
    wait(queue, "o2", 2)
    outcome = queue.receive(4)
    queue.command(r.Release, order_id="o1")
    assert settle(queue, outcome) == [("o2", 2)]
    assert counters(queue) == (4, 0, 0, 2, 0)


def test_a_note_that_comes_twice_or_finds_nothing_free_changes_nothing(queue: Any) -> None:
    wait(queue, "o1", 3)
    (note,) = notes(queue.receive(5))
    queue.append(note)
    before = queue.rows()
    assert queue.append(note) == Outcome()
    assert queue.rows() == before
    late = r.FillBackorders(id="late", sku="A", location="W1")
    assert filled(queue.append(late)) == []
    assert queue.rows("stock", "res", "queue") == {k: v for k, v in before.items() if k[0] in "rq" or k[:2] == "st"}


def test_a_fill_delivered_again_is_counted_only_in_rows_that_are_older(queue: Any) -> None:
    """The stock row was lost; the order was released since."""
    for order_id in ("o1", "o2"):
        wait(queue, order_id, 2)
    (note,) = notes(queue.receive(3))
    old = queue.stock()
    said = list(queue.append(note).sends)
    offset, rows = queue.end, queue.rows()
    queue.table.put({"stock|A|W1": old})
    assert list(queue.deliver(offset).sends) == said
    assert queue.rows() == rows
    queue.command(r.Release, order_id="o1")
    after = queue.rows()
    queue.table.put({"stock|A|W1": old})
    queue.deliver(offset)
    queue.deliver(queue.end)
    assert queue.rows() == after


@pytest.mark.parametrize(("comes", "gets", "waiting"), [(2, 1, 3), (4, 3, 1), (5, 4, 0)])
def test_a_fill_tells_what_waits_still_of_all_parts_of_the_order(
    queue: Any, comes: int, gets: int, waiting: int
) -> None:
    """Three wait from the start, one more since it was not there to pick; the first unit that comes is allocated."""
    queue.receive(2)
    wait(queue, "o1", 5)
    queue.append(r.Adjusted(id="lost", sku="A", location="W1", quantity=-2, reason="shrinkage"))
    queue.append(r.Backorder(id="o1:1:0:9", order_id="o1", attempt=1, lines=[r.ReleaseLine("A", 1, "W1")]))
    (note,) = notes(queue.receive(comes))
    (said,) = [x.record for x in queue.append(note).sends if x.topic == ORDERS]
    assert (said.quantity, said.waiting) == (gets, waiting)


def test_a_shelf_that_never_had_stock_is_out_once_units_are_promised_without_any(queue: Any) -> None:
    assert (queue.stock().level, queue.stock().out_since_ms) == ("ok", 0)
    outcome = queue.reserve(("A", 3), policy="backorder", locations=["W1"])
    told = [x.record for x in outcome.sends if x.topic == ALERTS]
    assert [(x.kind, x.sku, x.location, x.available) for x in told] == [("out", "A", "W1", 0)]
    assert (queue.stock().level, queue.stock().out_since_ms) == ("out", queue.state.state_ms)


# -- rows that no record leaves ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("gone", [False, True], ids=["released", "gone"])
def test_who_stands_in_the_queue_for_a_reservation_that_holds_nothing_is_taken_out_and_keeps_nobody_waiting(
    queue: Any, gone: bool
) -> None:
    wait(queue, "o1", 3)
    first = queue_key("A", "W1", place_of(queue.end - 1))
    wait(queue, "o2", 2)
    second = queue_key("A", "W1", place_of(queue.end - 1))
    rows = queue.rows()
    ended = replace(rows.pop(reservation_key("o1", 1)), state="released")
    if not gone:
        rows[reservation_key("o1", 1)] = ended
    queue.table = Table()
    queue.table.put(rows)
    (note,) = notes(queue.receive(4))
    assert filled(queue.append(note)) == [("o2", 2)]
    assert queue.table.get(fact_key(note.id)).effects == (
        FillEffect("o1", 1, 0, 0, first), FillEffect("o2", 1, 0, 2, second)
    )  # fmt: skip
    assert {key: row.units for key, row in queue.rows("queue").items()} == {first: 0, second: 0}
    assert queue.table.get(reservation_key("o1", 1)) == (None if gone else ended)


def test_more_than_waits_is_never_filled(queue: Any) -> None:
    wait(queue, "o1", 3)
    (key,) = queue.table.below("queue|A|W1|")
    effect, at = FillEffect("o1", 1, 0, 4, key), At(place_of(99), queue.start_ms)
    with pytest.raises(InvariantBroken, match=r"^o1: more of A filled than waits$"):
        backorders.filled(queue.reservation(), effect, at)
    with pytest.raises(InvariantBroken, match=f"^{re.escape(key)} would wait for -1 units$"):
        backorders.unqueued(queue.table.get(key), effect, at)


def test_more_than_waits_is_never_given_up(queue: Any) -> None:
    wait(queue, "o1", 3)
    (key,) = queue.table.below("queue|A|W1|")
    queue.table.put({key: replace(queue.table.get(key), units=2)})
    before = queue.rows()
    with pytest.raises(InvariantBroken, match=f"^{re.escape(key)} would wait for -1 units$"):
        queue.command(r.Release)
    assert queue.rows() == before


def test_a_reservation_whose_stock_row_is_not_there_halts_its_partition(queue: Any) -> None:
    wait(queue, "o1", 3, command=None)
    before = queue.rows("res")
    queue.table = Table()
    queue.table.put(before)
    says = r"^o1: reserved from a stock row that is not there: stock\|A\|W1$"
    with pytest.raises(InvariantBroken, match=says):
        queue.command(r.Release)
    assert queue.rows() == before
