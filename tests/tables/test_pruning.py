"""What is closed and old counts as never there; nothing is forgotten while anything is owed.

A row that is past its time, one that is marked deleted and one that is gone must be the same to every record.
"""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from tables import records as r
from tables.log import TICK_MS_MAX
from tables.pruning import DELETED, DELETED_KEEP_MS
from tables.rows import order_key, reservation_key

KEEP_MS = r.Limits().reservation_keep_seconds * 1000
RES = reservation_key("o1", 1)
ORDER = order_key("o1")


def pass_time(log: Any, ms: int) -> None:
    """State time moves on, as ticks would move it."""
    log.state = replace(log.state, state_ms=log.state.state_ms + ms)


def prune(log: Any, attempt: int = 1) -> Any:
    return log.append(r.Prune(id=f"prune-{log.end}", items=[r.Pruned("o1", attempt)]))


def refused(log: Any) -> None:
    log.reserve(("A", 99), asked_ms=log.start_ms)


def released(log: Any) -> None:
    log.reserve(("A", 2), asked_ms=log.start_ms)
    log.command(r.Release)


def released_in_parts(log: Any) -> None:
    log.reserve(("A", 2), asked_ms=log.start_ms)
    log.command(r.Allocate)
    log.append(r.Release(id="part", order_id="o1", attempt=1, lines=[r.ReleaseLine("A", 2)]))


def shipped(log: Any) -> None:
    log.reserve(("A", 2), asked_ms=log.start_ms)
    log.command(r.Allocate)
    log.append(r.Shipped(id="s", sku="A", location="W1", quantity=2, order_id="o1", attempt=1))


def released_before_it_was_asked(log: Any) -> None:
    log.command(r.Release)
    log.reserve(("A", 2), asked_ms=log.start_ms)


ENDS = pytest.mark.parametrize(
    "end", [refused, released, released_in_parts, shipped, released_before_it_was_asked], ids=lambda end: end.__name__
)


@ENDS
def test_a_closed_reservation_is_marked_once_its_time_has_come_and_not_before(stock_log: Any, end: Any) -> None:
    stock_log.receive(5)
    end(stock_log)
    pass_time(stock_log, KEEP_MS - 1)
    before = stock_log.rows()
    assert prune(stock_log).rows == {}
    pass_time(stock_log, 1)
    assert set(prune(stock_log).rows) == {RES}
    row = stock_log.reservation()
    assert (row.state, row.forget_ms) == (DELETED, stock_log.state.state_ms + DELETED_KEEP_MS)
    assert {k: v for k, v in stock_log.rows().items() if k != RES} == {k: v for k, v in before.items() if k != RES}
    assert prune(stock_log).rows == {}, "marked once"


@pytest.mark.parametrize("held_by", [(), (r.Hold,), (r.Allocate,), (r.Hold, r.Allocate)])
def test_an_open_reservation_is_never_forgotten(stock_log: Any, held_by: tuple[type, ...]) -> None:
    stock_log.receive(5)
    stock_log.reserve(("A", 2), asked_ms=stock_log.start_ms)
    for kind in held_by:
        stock_log.command(kind)
    pass_time(stock_log, 100 * KEEP_MS)
    assert prune(stock_log).rows == {}
    stock_log.command(r.Release)
    assert stock_log.stock().claimed == stock_log.stock().held == stock_log.stock().allocated == 0


LATER = {
    "reserve": lambda log: log.reserve(("A", 2), asked_ms=log.start_ms),
    "reserve that asked before any tick": lambda log: log.reserve(("A", 2), asked_ms=0),
    "hold": lambda log: log.command(r.Hold),
    "allocate": lambda log: log.command(r.Allocate),
    "release": lambda log: log.command(r.Release),
    "part of it": lambda log: log.append(
        r.Release(id="late", order_id="o1", attempt=1, lines=[r.CancelLine("A", 1)])
    ),
    "shipment": lambda log: log.append(
        r.Shipped(id="late", sku="A", location="W1", quantity=1, order_id="o1", attempt=1)
    ),
}  # fmt: skip


@ENDS
@pytest.mark.parametrize("later", LATER)
def test_past_its_time_marked_and_gone_are_the_same_to_what_comes_later(
    new_stock_log: Any, end: Any, later: str
) -> None:
    logs = {name: new_stock_log() for name in ("past", "marked", "gone")}
    said = {}
    for name, log in logs.items():
        log.receive(5)
        end(log)
        pass_time(log, KEEP_MS)
        note = r.Prune(id="p", items=[r.Pruned("o1" if name != "past" else "nobody", 1)])
        log.append(note)
        if name == "gone":
            del log.table._recent[RES]
        stock = log.rows("stock")
        outcome = LATER[later](log)
        said[name] = (outcome.sends, outcome.dead, {k: v for k, v in outcome.rows.items() if k != RES})
        if later != "shipment":
            assert log.rows("stock") == stock, "nothing moves"
    assert said["past"] == said["marked"] == said["gone"]


def test_a_forgotten_reserve_is_answered_too_old(stock_log: Any) -> None:
    stock_log.receive(5)
    released(stock_log)
    pass_time(stock_log, KEEP_MS)
    [answer] = [x.record for x in stock_log.reserve(("A", 2), asked_ms=stock_log.start_ms).sends]
    assert [x.reason for x in answer.refused] == ["too_old"]


@ENDS
@pytest.mark.parametrize("later", ["reserve", "release"])
def test_nothing_takes_the_place_of_a_forgotten_row_and_no_demand_is_counted_again(
    stock_log: Any, end: Any, later: str
) -> None:
    stock_log.receive(5)
    end(stock_log)
    pass_time(stock_log, KEEP_MS)
    rows = stock_log.rows()
    assert LATER[later](stock_log).rows == {}
    assert stock_log.rows() == rows


def test_a_claim_whose_rows_were_lost_is_counted_again_though_it_was_asked_for_anew_after_it_was_forgotten(
    stock_log: Any,
) -> None:
    """The row of the reservation landed; what counted it did not."""
    stock_log.receive(5)
    before = stock_log.rows()
    stock_log.reserve(("A", 2), asked_ms=stock_log.start_ms)
    stock_log.command(r.Release)
    pass_time(stock_log, KEEP_MS)
    stock_log.reserve(("A", 2), asked_ms=stock_log.start_ms)
    stock_log.command(r.Release)
    rows = stock_log.rows()
    [demand] = [key for key in rows if key.startswith("demand|")]
    del stock_log.table._recent[demand]
    stock_log.table.put({"stock|A|W1": before["stock|A|W1"]})
    for place in (2, 3, 4, 5):
        stock_log.deliver(place)
    assert stock_log.rows() == rows


def test_a_reserve_that_is_too_old_finds_a_tombstone_as_it_is(stock_log: Any) -> None:
    stock_log.receive(5)
    stock_log.command(r.Release)
    rows = stock_log.rows()
    pass_time(stock_log, KEEP_MS - 1)
    outcome = stock_log.reserve(("A", 2), asked_ms=stock_log.state.state_ms - KEEP_MS)
    assert (outcome.rows, [x.reason for x in outcome.sends[0].record.refused]) == ({}, ["too_old"])
    assert stock_log.rows() == rows


def test_the_slower_of_both_clocks_decides(stock_log: Any) -> None:
    """A stock partition whose time lagged may not forget a promise that its order still remembers."""
    stock_log.receive(5)
    ahead = stock_log.start_ms + KEEP_MS // 2
    stock_log.reserve(("A", 2), asked_ms=ahead)
    stock_log.command(r.Release)
    pass_time(stock_log, KEEP_MS)
    assert prune(stock_log).rows == {}
    pass_time(stock_log, KEEP_MS // 2)
    assert set(prune(stock_log).rows) == {RES}


def test_a_record_from_before_the_mark_is_counted_where_it_was_not_yet(stock_log: Any) -> None:
    """The mark landed, the stock row that an earlier release had changed did not."""
    stock_log.receive(5)
    stock_log.reserve(("A", 2), asked_ms=stock_log.start_ms)
    claimed = stock_log.stock()
    stock_log.command(r.Release)
    pass_time(stock_log, KEEP_MS)
    prune(stock_log)
    rows = stock_log.rows()
    stock_log.table.put({"stock|A|W1": claimed})
    stock_log.deliver(2)
    assert stock_log.stock() == claimed
    stock_log.deliver(3)
    assert stock_log.rows() == rows
    assert stock_log.deliver(stock_log.end).rows == {RES: rows[RES]}, "the mark itself is put again"


def test_a_closed_order_is_forgotten_after_its_limit_and_one_that_is_owed_never(order_log: Any) -> None:
    keep_ms = order_log.state.limits.order_keep_seconds * 1000
    order_log.append(r.OrderPlaced(id="o1", order_id="o1", channel="shop", lines=[r.Line("A", 1)], locations=["W1"]))
    pass_time(order_log, 2 * keep_ms)
    assert prune(order_log, 0).rows == {}, "undecided"
    order_log.append(r.CancelRequested(id="c", order_id="o1"))
    pass_time(order_log, 2 * keep_ms)
    assert prune(order_log, 0).rows == {}, "its answer may still come, and must be released"
    refusal = r.Refusal("A", 1, "insufficient", 0)
    partition = order_log.order().awaited[0]
    order_log.append(r.ReserveAnswered(id="a", order_id="o1", attempt=1, partition=partition, refused=[refusal]))
    pass_time(order_log, keep_ms - 1)
    assert prune(order_log, 0).rows == {}
    pass_time(order_log, 1)
    assert set(prune(order_log, 0).rows) == {ORDER}
    assert (order_log.order().state, order_log.order().lines, order_log.order().entries) == (DELETED, (), ())


def waits_its_turn(log: Any) -> None:
    """Another order was quicker: it asks again in a few turns."""
    log.place(("A", 1))
    log.answer(refused=[r.Refusal("A", 1, "contended", 0)])


def waits_for_a_move(log: Any) -> None:
    """Both lines could lie at one place, and stock was asked to move them."""
    log.place(locations=["W1", "W2", "W3"])
    log.answer(r.Part("A", 2, "W1"), could=[0b100])
    log.answer(r.Part("B", 1, "W2"), could=[0b100])


@pytest.mark.parametrize("wait", [waits_its_turn, waits_for_a_move], ids=lambda wait: wait.__name__)
def test_an_undecided_order_is_never_forgotten_though_stock_has_answered(order_log: Any, wait: Any) -> None:
    wait(order_log)
    before = order_log.order()
    assert (before.state, before.awaited) == ("pending", ())
    pass_time(order_log, 2 * order_log.state.limits.order_keep_seconds * 1000)
    assert prune(order_log, 0).rows == {}
    assert order_log.order() == before


@pytest.mark.parametrize("state_ms", [0, 1_700_000_000_000], ids=["before any tick", "later"])
def test_what_closed_is_kept_to_the_millisecond_whether_or_not_there_was_a_tick_yet(
    stock_log: Any, state_ms: int
) -> None:
    """Before the first tick nobody knows when it closed: its time counts from that tick."""
    stock_log.state = replace(stock_log.state, state_ms=state_ms, first_ms=state_ms)
    stock_log.reserve(("A", 2))
    assert stock_log.reservation().state == "refused"
    began = state_ms or stock_log.start_ms
    stock_log.state = replace(stock_log.state, state_ms=began, first_ms=began)
    pass_time(stock_log, KEEP_MS - 1)
    assert prune(stock_log).rows == {}
    pass_time(stock_log, 1)
    assert set(prune(stock_log).rows) == {RES}


def test_the_record_that_closed_an_order_says_the_same_again_after_its_time_has_come(order_log: Any) -> None:
    order_log.confirm(("A", 1))
    said = order_log.tell(r.CancelRequested)
    rows = order_log.rows()
    assert order_log.order().state == "cancelled"
    pass_time(order_log, order_log.state.limits.order_keep_seconds * 1000)
    again = order_log.deliver(order_log.end)
    assert (again.dead, again.sends) == ("", said.sends)
    assert order_log.rows() == rows


def test_the_placing_of_an_order_that_is_marked_deleted_is_no_dead_letter_when_it_comes_again(order_log: Any) -> None:
    """What it was placed with is forgotten: it says nothing any more, and nothing is held against it."""
    order_log.confirm(("A", 1))
    order_log.tell(r.CancelRequested)
    pass_time(order_log, order_log.state.limits.order_keep_seconds * 1000)
    prune(order_log, 0)
    rows = order_log.rows()
    outcome = order_log.deliver(1)
    assert (outcome.dead, list(outcome.sends)) == ("", [])
    assert order_log.rows() == rows


def test_a_week_of_ticks_makes_a_week() -> None:
    assert KEEP_MS % TICK_MS_MAX == 0
