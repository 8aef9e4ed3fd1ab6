"""Reserve, hold, allocate, release, move, backorder: who gets stock, who is refused and why, what happens when it is
said twice."""

from __future__ import annotations

from typing import Any

import pytest

from tables import records as r
from tables.outcome import ORDERS, Outcome, place_of
from tables.rows import demand_key, stock_key


def answer(outcome: Outcome) -> r.ReserveAnswered:
    """What the order hears."""
    (send,) = (send for send in outcome.sends if send.topic == ORDERS)
    return send.record


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
    assert answer(stock_log.reserve(("A", 4), attempt=2)).refused == []
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
