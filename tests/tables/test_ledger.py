"""The quantities of a stock row: the identity, refusal of what cannot be, and alerts with hysteresis."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tables import ledger
from tables.outcome import InvariantBroken
from tables.rows import Floor, Policy, RaisedAlert, Share, StockRow

COUNTERS = ("on_hand", "claimed", "held", "allocated", "backordered")
MS = 1_700_000_000_000  # state time
few = settings(derandomize=True, max_examples=200, deadline=None)

moves = st.lists(st.dictionaries(st.sampled_from(COUNTERS), st.integers(-20, 40), min_size=1), max_size=15)
policies = st.tuples(st.integers(0, 15), st.integers(0, 5), st.integers(0, 10))


def assert_identity(row: StockRow) -> None:
    q = ledger.quantities(row)
    assert q.on_hand == q.available + q.reserved + q.allocated + q.safety_stock + q.unavailable
    assert min(q) >= 0
    assert q.available == ledger.available(row)
    owed = row.claimed + row.held + row.allocated
    assert q.reserved + q.allocated + q.shortage == owed


@few
@given(moves, policies, st.integers(0, 5))
def test_on_hand_is_the_sum_of_its_parts_in_every_row_that_moves_can_reach(
    chosen: list[dict[str, int]], policy: tuple[int, int, int], unavailable: int
) -> None:
    """What a move would make negative is refused, and the row and its alerts stay as they were."""
    row = ledger.move(
        ledger.new_stock("A", "W1", 0, Policy(*policy)), 1, MS, None, on_hand=unavailable, unavailable=unavailable
    )
    for at, units in enumerate(chosen, start=2):
        before, alerts = replace(row), []
        try:
            row = ledger.move(row, at, MS, alerts, **units)
        except InvariantBroken:
            assert row == before
            assert alerts == []
            after = {name: getattr(row, name) + units.get(name, 0) for name in COUNTERS}
            assert min(after.values()) < 0 or after["on_hand"] < unavailable
        else:
            assert all(getattr(row, name) == getattr(before, name) + units.get(name, 0) for name in COUNTERS)
            assert row.at == at
        assert_identity(row)


@pytest.mark.parametrize("counter", COUNTERS)
def test_a_counter_never_becomes_negative(counter: str) -> None:
    row = ledger.new_stock("A", "W1", 0, Policy())
    row = ledger.move(row, 1, MS, None, on_hand=5, claimed=1, held=1, allocated=1)
    before, alerts = replace(row), []
    with pytest.raises(InvariantBroken, match="stock A at W1"):
        ledger.move(row, 2, MS, alerts, **{counter: -6})
    assert (row, alerts) == (before, [])


def test_allocations_are_covered_before_reservations_and_those_before_safety_stock() -> None:
    """on_hand 10: 6 allocated, 3 held and 2 claimed of which 4 are covered; no safety stock is left to withhold."""
    row = ledger.new_stock("A", "W1", 0, Policy(safety_stock=4))
    row = ledger.move(row, 1, MS, None, on_hand=10, allocated=6, held=3, claimed=2)
    assert ledger.quantities(row) == ledger.Quantities(
        on_hand=10, available=0, reserved=4, allocated=6, safety_stock=0, unavailable=0, shortage=1
    )


def test_safety_stock_is_withheld_from_what_can_be_promised() -> None:
    row = ledger.move(ledger.new_stock("A", "W1", 0, Policy(0, 0, 4)), 1, MS, None, on_hand=10)
    assert (ledger.available(row), ledger.quantities(row).safety_stock) == (6, 4)


def walk(policy: tuple[int, int, int], *steps: tuple[dict[str, int], list[str]]) -> None:
    row = ledger.new_stock("A", "W1", 0, Policy(*policy))
    for at, (units, kinds) in enumerate(steps, start=1):
        alerts: list[RaisedAlert] = []
        row = ledger.move(row, at, MS, alerts, **units)
        assert [alert.kind for alert in alerts] == kinds, f"step {at}"


def test_low_at_the_reorder_point_and_restored_only_above_it_plus_hysteresis() -> None:
    walk(
        (10, 3, 0),
        ({"on_hand": 20}, []),
        ({"on_hand": -9}, []),  # 11
        ({"on_hand": -1}, ["low"]),  # 10
        ({"on_hand": +3}, []),  # 13: not above 10 + 3
        ({"on_hand": -3}, []),  # said already
        ({"on_hand": +4}, ["restored"]),  # 14
        ({"on_hand": -2}, []),  # 12: above the reorder point
        ({"on_hand": -12}, ["out"]),
        ({"on_hand": +1}, ["low"]),
        ({"on_hand": -1}, ["out"]),
        ({"on_hand": +12}, ["low"]),  # from nothing to 12: there is some, but it is not restored
        ({"on_hand": +9}, ["restored"]),
    )


def test_stock_that_never_was_is_not_out_but_a_first_receipt_may_be_low() -> None:
    walk((10, 0, 0), ({"allocated": 0}, ["out"]))  # it is told once somebody moves it
    walk((10, 0, 0), ({"on_hand": 5}, ["low"]))


def test_safety_stock_counts_as_gone() -> None:
    walk((0, 0, 5), ({"on_hand": 6}, []), ({"on_hand": -1}, ["out"]), ({"on_hand": +1}, ["restored"]))


def test_claims_of_undecided_orders_are_no_news_and_settled_ones_are() -> None:
    walk(
        (2, 0, 0),
        ({"on_hand": 5}, []),
        ({"claimed": 5}, []),
        ({"claimed": -5}, []),
        ({"claimed": 5}, []),
        ({"claimed": -3, "held": 3}, ["low"]),
        ({"claimed": -2, "allocated": 2}, ["out"]),
        ({"held": -3}, ["restored"]),
    )


def test_a_shortage_opens_when_more_is_owed_than_is_there_and_is_covered_when_it_is_not() -> None:
    walk(
        (0, 0, 0),
        ({"on_hand": 5, "allocated": 5}, ["out"]),
        ({"on_hand": -1}, ["shortage"]),
        ({"on_hand": -1}, []),
        ({"on_hand": +2}, ["covered"]),
        ({"on_hand": -5, "allocated": -4}, ["shortage"]),
        ({"on_hand": +9}, ["restored", "covered"]),
    )


def test_an_alert_tells_what_is_left_and_what_is_missing() -> None:
    row = ledger.move(ledger.new_stock("A", "W1", 0, Policy(4, 0, 0)), 1, MS, None, on_hand=10)
    alerts: list[RaisedAlert] = []
    row = ledger.move(row, 2, MS, alerts, allocated=7)
    ledger.move(row, 3, MS, alerts, on_hand=-5)
    assert alerts == [
        RaisedAlert("A", "W1", "low", 3, 0, 4),
        RaisedAlert("A", "W1", "out", 0, 2, 4),
        RaisedAlert("A", "W1", "shortage", 0, 2, 4),
    ]


def test_backordered_units_are_part_of_no_other_quantity() -> None:
    row = ledger.move(ledger.new_stock("A", "W1", 0, Policy()), 1, MS, None, on_hand=3, backordered=7)
    assert ledger.quantities(row) == ledger.Quantities(3, 3, 0, 0, 0, 0, 0)


def test_a_stock_out_is_a_window_of_state_time_from_out_to_not_out() -> None:
    row = ledger.move(ledger.new_stock("A", "W1", 0, Policy(reorder_point=5)), 1, MS, None, on_hand=2)
    row = ledger.move(row, 2, MS + 10, None, on_hand=-2)
    assert (row.level, row.out_since_ms, row.outs) == ("out", MS + 10, ())
    row = ledger.move(row, 3, MS + 20, None, claimed=0)  # still out
    row = ledger.move(row, 4, MS + 70, None, on_hand=1)
    assert (row.level, row.out_since_ms, row.outs, row.outs_at) == ("low", 0, ((MS + 10, MS + 70),), 4)


def test_only_the_last_windows_are_remembered() -> None:
    row = ledger.move(ledger.new_stock("A", "W1", 0, Policy()), 1, MS, None, on_hand=1)
    for n in range(ledger.OUTS_KEPT + 3):
        row = ledger.move(row, 2 * n + 2, MS + 2 * n, None, on_hand=-1)
        row = ledger.move(row, 2 * n + 3, MS + 2 * n + 1, None, on_hand=1)
    assert len(row.outs) == ledger.OUTS_KEPT
    assert row.outs[-1] == (MS + 2 * (ledger.OUTS_KEPT + 2), MS + 2 * (ledger.OUTS_KEPT + 2) + 1)


def test_floors_are_summed_by_day_and_never_negative() -> None:
    floors = ledger.with_floor((), "2026-05-01", 3)
    floors = ledger.with_floor(floors, "2026-04-01", 2)
    assert floors == (Floor("2026-04-01", 2), Floor("2026-05-01", 3))
    assert ledger.with_floor(floors, "2026-04-01", -2) == (Floor("2026-05-01", 3),)
    assert ledger.with_floor(floors, "", 5) == floors
    with pytest.raises(InvariantBroken, match="2026-05-01"):
        ledger.with_floor(floors, "2026-05-01", -4)


def test_a_ring_fence_shrinks_to_nothing_and_no_further() -> None:
    shares = (Share("shop", 3, 1), Share("market", 2, 0))
    assert ledger.with_ring_fence(shares, "shop", -5) == (Share("shop", 0, 1), Share("market", 2, 0))
    assert ledger.with_ring_fence(shares, "shop", 2) == (Share("shop", 5, 1), Share("market", 2, 0))
