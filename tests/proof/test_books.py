"""The auditor's own rules, each by itself: choosing locations, fresh enough units, whose stock it is, what leaves."""

from __future__ import annotations

from itertools import product
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from proof.audit.intake import LogState
from proof.audit.promise import Part, Promise, count, fence, unfence
from proof.audit.room import Room
from proof.audit.shelves import Policy, Share, Shelf
from proof.audit.sourcing import fewest, first_of
from tables import records as r


def shelf_of(*lots: tuple[str, str, int], policy: Policy | None = None) -> Shelf:
    """Lots as (code, best-before, units), received in this order."""
    shelf = Shelf("S", "W1", policy or Policy())
    room = Room()
    for place, (code, best_before, units) in enumerate(lots, 1):
        lot = shelf.lots[code] = room.lot_of(Shelf("S", "W1", Policy()), code, place)
        lot.shelf, lot.best_before = shelf, best_before
        shelf.change(lot, place, "received", units)
    return shelf


@settings(derandomize=True, deadline=None)
@given(st.lists(st.integers(0, 31), min_size=1, max_size=5), st.integers(0, 31))
def test_no_smaller_or_better_ranked_set_of_locations_covers_the_lines(covers: list[int], taken: int) -> None:
    chosen = sum(1 << n for n in fewest(covers, taken))
    lines = [x for x in covers if x]

    assert chosen & taken == taken
    assert all(x & chosen for x in lines)
    for bits in product((0, 1), repeat=5):
        other = sum(bit << n for n, bit in enumerate(bits)) | taken
        if all(x & other for x in lines):
            assert other.bit_count() >= chosen.bit_count()
            if other.bit_count() == chosen.bit_count() and other != chosen:
                differ = (other ^ chosen) & -(other ^ chosen)
                assert chosen & differ, "of equals the one with the best-ranked location that the other has not"


def test_of_many_locations_the_one_that_covers_most_goes_first() -> None:
    lines = [1 << n for n in range(12)]
    lines = [x | 1 << 12 for x in lines[:7]] + lines[7:]

    assert fewest(lines) == (7, 8, 9, 10, 11, 12)


def test_a_line_is_at_the_best_ranked_chosen_location_that_covers_it() -> None:
    assert first_of(0b1010, (1, 3)) == 1
    assert first_of(0b1000, (1, 3)) == 3
    assert first_of(0b0100, (1, 3)) == -1


def test_a_fresh_promise_may_not_take_what_another_fresh_promise_needs() -> None:
    shelf = shelf_of(("OLD", "2024-01-10", 5), ("NEW", "2024-03-01", 5), ("NONE", "", 5))
    assert (shelf.room("2024-01-01"), shelf.room("2024-02-01")) == (10, 5)

    count(shelf, Part("S", 4, "W1", floor="2024-02-01"), "claimed", 4, 9)

    assert (shelf.room("2024-01-01"), shelf.room("2024-02-01"), shelf.room("2024-02-15")) == (6, 1, 1)


def test_units_that_wait_come_before_new_promises_and_fences_keep_others_out() -> None:
    shelf = shelf_of(("A", "", 20), policy=Policy(safety_stock=2))
    shelf.backordered = 3
    shelf.shares = {"web": Share(5, 1), "shop": Share(0, 4)}

    assert (shelf.free_to("web"), shelf.free_to("shop"), shelf.free_to("pos")) == (14, 6, 10)


def test_a_channel_gets_back_first_what_was_its_own() -> None:
    shelf = shelf_of(("A", "", 20))
    shelf.shares = {"web": Share(3, 0)}
    promise, part = Promise("o", 1, 1, "claimed"), Part("S", 5, "W1")
    promise.channel = "web"

    fence(shelf, promise, part, 5)
    assert (part.fenced, shelf.shares["web"].ring_fence) == (3, 0)
    unfence(shelf, promise, part, 2)
    assert (part.fenced, shelf.shares["web"].ring_fence) == (1, 2)
    unfence(shelf, promise, part, 2)
    assert (part.fenced, shelf.shares["web"].ring_fence) == (0, 3)


def test_the_named_lot_leaves_first_then_those_that_may_then_the_others() -> None:
    shelf = shelf_of(("LATE", "2024-05-01", 2), ("HELD", "2024-01-01", 2), ("SOON", "2024-02-01", 2), ("NAMED", "", 2))
    shelf.alter(shelf.lots["HELD"], 8, status="on_hold")

    went = shelf.leave(7, "NAMED", "shipped", 9, "2023-12-01")

    assert [(lot.code, units) for lot, units in went] == [("NAMED", 2), ("SOON", 2), ("LATE", 2), ("HELD", 1)]
    assert (shelf.on_hand, shelf.unavailable) == (1, 1)


def test_of_those_that_may_leave_the_fresh_enough_ones_go_first() -> None:
    shelf = shelf_of(("LATE", "2024-05-01", 2), ("HELD", "2024-06-01", 2), ("SOON", "2024-02-01", 2), ("NEVER", "", 2))
    shelf.alter(shelf.lots["HELD"], 8, status="on_hold")

    went = shelf.leave(7, None, "shipped", 9, "2023-12-01", "2024-05-01")

    assert [(lot.code, units) for lot, units in went] == [("LATE", 2), ("SOON", 2), ("NEVER", 2), ("HELD", 1)]


def test_unblocked_units_leave_before_blocked_ones() -> None:
    shelf = shelf_of(("A", "", 10))
    shelf.change(shelf.lots["A"], 2, "condition", 0, 4)
    assert (shelf.on_hand, shelf.unavailable, shelf.free) == (10, 4, 6)

    shelf.leave(7, None, "shipped", 3, "")

    assert (shelf.on_hand, shelf.unavailable, shelf.free) == (3, 3, 0)


def test_state_time_makes_the_day() -> None:
    room, log = Room(), LogState(0)
    room.look_at_clock(log)
    assert room.today == ""
    log.tick(1_700_000_000_000, 1_700_000_000_000)
    room.look_at_clock(log)
    assert room.today == "2023-11-14"


def test_more_lots_expire_and_are_recalled_than_one_step_may_change(belt: Any) -> None:
    belt.tick()
    for n in range(95):
        belt.place(r.Received(id=f"old{n}", sku="S", location="W1", lot=f"L{n}", quantity=1, best_before="2023-11-14"))
        belt.place(r.Received(id=f"bad{n}", sku="R", location=f"W{n}", lot="BAD", quantity=1))
    belt.turn()
    for _ in range(110):  # state time goes a minute a tick
        belt.tick(60)
    belt.place(r.RecallOpened(id="recall", lot="BAD"))
    belt.turn()
    belt.place(r.RecallClosed(id="over", lot="BAD"))
    belt.turn()

    report = belt.audit()

    assert report["findings"] == []
    rows = {key: row for agent in belt.agents.values() for key, row in agent.table.rows("lot|")}
    assert all(row.expired for row in rows.values() if row.sku == "S")
    assert {row.status for row in rows.values()} == {"approved"}
    assert sum(b'"lots_continued"' in x.value for x in belt.source("warehouse")) == 4
    assert any(b'"tick_continued"' in x.value for x in belt.source("warehouse"))
