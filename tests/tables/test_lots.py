"""Lots: the one predicate, the order in which they go out, what can be promised of them, the days that change them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tables import lots
from tables.rows import Floor, LotRow


def lot(code: str = "L1", on_hand: int = 10, best_before: str = "2027-06-30", **more: Any) -> LotRow:
    fields = {
        "at": 1, "sku": "A", "location": "W1", "lot": code, "best_before": best_before, "received": 1,
        "on_hand": on_hand, "blocked": 0, "status": "approved", "expired": False, "warned": False, "due": 0,
        "moves": (), **more,
    }  # fmt: skip
    return LotRow(**fields)


@pytest.mark.parametrize(
    ("row", "day", "minimum", "may_leave"),
    [
        (lot(), "2027-06-30", 0, True),  # on its last day
        (lot(), "2027-07-01", 0, False),
        (lot(), "2027-06-20", 10, True),
        (lot(), "2027-06-21", 10, False),  # a day too few for this channel
        (lot(), "", 10, True),  # no time is known yet
        (lot(best_before=""), "2027-06-20", 0, True),
        (lot(best_before=""), "2027-06-20", 1, False),  # nobody knows how long it lives
        (lot(status="inspection"), "2027-01-01", 0, False),
        (lot(status="on_hold"), "2027-01-01", 0, False),
        (lot(status="recalled"), "", 0, False),
        (lot(expired=True), "", 0, False),
    ],
)
def test_whether_units_of_a_lot_may_leave(row: LotRow, day: str, minimum: int, may_leave: bool) -> None:
    assert lots.shippable_on(row, day, minimum) is may_leave


@pytest.mark.parametrize(
    ("row", "nobody_may_have"),
    [
        (lot(blocked=3), 3),
        (lot(blocked=3, status="on_hold"), 10),
        (lot(expired=True), 10),
        (lot(), 0),
    ],
)
def test_unavailable_units_are_blocked_ones_or_all_of_a_lot_that_may_not_leave(
    row: LotRow, nobody_may_have: int
) -> None:
    assert (lots.unavailable(row), lots.sellable(row)) == (nobody_may_have, 10 - nobody_may_have)


SHELF = [
    lot("HELD", 5, "2026-01-01", status="on_hold"), lot("B", 2, "2027-06-30", received=2), lot("NONE", 9, ""),
    lot("A", 2, "2027-06-30", received=1), lot("GONE", 0, "2026-01-01"), lot("Z", 2, "2027-06-30", received=1),
]  # fmt: skip


def test_first_expired_goes_out_first_then_first_received_then_by_its_code() -> None:
    assert [x.lot for x in lots.fefo(SHELF)] == ["HELD", "A", "Z", "B", "NONE"]


@pytest.mark.parametrize(
    ("units", "named", "taken", "missing"),
    [
        (3, None, [("A", 2), ("Z", 1)], 0),
        (3, "B", [("B", 2), ("A", 1)], 0),
        (3, "HELD", [("HELD", 3)], 0),  # what has left has left
        (16, None, [("A", 2), ("Z", 2), ("B", 2), ("NONE", 9), ("HELD", 1)], 0),  # held ones last
        (30, None, [("A", 2), ("Z", 2), ("B", 2), ("NONE", 9), ("HELD", 5)], 10),
        (1, "GONE", [("A", 1)], 0),
    ],
)
def test_units_leave_the_named_lot_first_and_unsaleable_ones_last(
    units: int, named: str | None, taken: list[tuple[str, int]], missing: int
) -> None:
    found, rest = lots.take(SHELF, units, named, "2026-06-01")
    assert ([(x.lot, n) for x, n in found], rest) == (taken, missing)


@pytest.mark.parametrize(
    ("floor", "order"),
    [
        ("", ["SHORT", "LONG", "HELD"]), ("2026-08-01", ["SHORT", "LONG", "HELD"]),
        ("2026-08-02", ["LONG", "SHORT", "HELD"]), ("2029-01-01", ["SHORT", "LONG", "HELD"]),
    ],
    ids=["nothing promised", "the day itself", "a day too short", "none lives so long"],
)  # fmt: skip
def test_what_lives_as_long_as_was_promised_leaves_first_and_what_may_not_leave_last(
    floor: str, order: list[str]
) -> None:
    shelf = [
        lot("HELD", best_before="2026-07-01", status="on_hold"), lot("SHORT", best_before="2026-08-01"),
        lot("LONG", best_before="2027-08-01"),
    ]  # fmt: skip
    found, _ = lots.take(shelf, 30, None, "2026-06-01", floor)
    assert [row.lot for row, _ in found] == order


DAMAGED = [
    lot("A", 5, "2027-01-01", blocked=5), lot("B", 4, "2027-02-01", blocked=1), lot("C", 5, "2027-03-01"),
    lot("HELD", 5, "2026-01-01", status="on_hold"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("units", "named", "first", "taken"),
    [
        (5, None, lots.sellable, [("B", 3), ("C", 2)]),
        (8, None, lots.sellable, [("B", 3), ("C", 5)]),
        (9, None, lots.sellable, [("A", 1), ("B", 3), ("C", 5)]),  # what left has left
        (14, None, lots.sellable, [("A", 5), ("B", 4), ("C", 5)]),
        (15, None, lots.sellable, [("A", 5), ("B", 4), ("C", 5), ("HELD", 1)]),
        (6, "A", lots.sellable, [("A", 5), ("B", 1)]),  # somebody saw that they were of A
        (6, None, lots.apart, [("A", 5), ("B", 1)]),
        (7, None, lots.apart, [("A", 5), ("B", 2)]),
        (6, "C", lots.apart, [("C", 5), ("A", 1)]),
        (6, None, None, [("A", 5), ("B", 1)]),
    ],
)
def test_some_units_of_each_lot_leave_before_any_others(
    units: int, named: str | None, first: Any, taken: list[tuple[str, int]]
) -> None:
    found, rest = lots.take(DAMAGED, units, named, "2026-06-01", "", first)
    assert ([(x.lot, n) for x, n in found], rest) == (taken, 0)


def test_room_is_what_lots_that_live_long_enough_leave_to_promises_that_need_them() -> None:
    shelf = [
        lot("MAY", 5, "2027-05-01"), lot("JUNE", 4, "2027-06-01"), lot("NONE", 50, ""),
        lot("X", 9, "2027-07-01", expired=True),
    ]  # fmt: skip
    assert lots.room(shelf, (), "2027-04-01") == 9
    assert lots.room(shelf, (), "2027-05-02") == 4
    assert lots.room(shelf, (Floor("2027-05-15", 3),), "2027-04-01") == 6
    assert lots.room(shelf, (Floor("2027-04-01", 6),), "2027-05-15") == 3  # those before it need one of JUNE
    assert lots.room(shelf, (Floor("2027-06-02", 1),), "2027-07-01") == -1  # somebody was promised what is gone


@settings(derandomize=True, max_examples=150, deadline=None)
@given(
    shelf=st.lists(st.tuples(st.integers(1, 4), st.integers(1, 4)), max_size=4),
    asked=st.lists(st.integers(1, 4), max_size=10),
)
def test_what_room_allows_can_be_kept_and_what_it_does_not_cannot(
    shelf: list[tuple[int, int]], asked: list[int]
) -> None:
    """Unit by unit, each with a day until which it must live."""
    rows = [lot(f"L{n}", units, f"2027-01-0{day}") for n, (day, units) in enumerate(shelf)]
    units = [day for day, count in shelf for _ in range(count)]
    promised: list[int] = []
    for need in asked:
        floors = tuple(Floor(f"2027-01-0{day}", promised.count(day)) for day in sorted(set(promised)))
        allowed = lots.room(rows, floors, f"2027-01-0{need}") >= 1
        assert allowed == can_be_kept([*promised, need], units)
        if allowed:
            promised.append(need)


def can_be_kept(needs: list[int], lives: list[int]) -> bool:
    """Those that need the longest life get the longest living units."""
    if len(needs) > len(lives):
        return False
    return all(life >= need for need, life in zip(sorted(needs)[::-1], sorted(lives)[::-1], strict=False))


@pytest.mark.parametrize(
    ("best_before", "expiring_days", "told", "next_day"),
    [
        ("2027-06-30", 0, {}, "2027-07-01"),  # it expires the day after
        ("2027-06-30", 10, {}, "2027-06-20"),  # people are told ten days before
        ("2027-06-30", 10, {"warned": True}, "2027-07-01"),
        ("2027-06-30", 10, {"expired": True}, None),
        ("", 10, {}, None),
        ("2027-02-30", 0, {}, "2027-03-01"),  # a day that February does not have: after its last one
        ("0000-06-30", 0, {}, "0001-01-02"),  # before all that a calendar has
        ("0001-01-05", 10, {}, "0001-01-01"),  # ten days before it there is none: on the first one
    ],
)
def test_the_next_day_that_changes_a_lot(
    best_before: str, expiring_days: int, told: dict[str, bool], next_day: str | None
) -> None:
    expected = lots.ordinal(next_day) if next_day else 0
    flags = {"expired": False, "warned": False, **told}
    assert lots.due(best_before, expiring_days, **flags) == expected
