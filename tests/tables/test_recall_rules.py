"""Recalls and lots at the edges.

Each of these was once broken in a copy of the code, and no test failed.
"""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from tables import effects, expiry, recalls, shelf
from tables import records as r
from tables.movements import LOTS_MAX
from tables.outcome import ALERTS, WAREHOUSE, At, Outcome, place_of
from tables.rows import (
    FactRow,
    RecallRow,
    expiry_key,
    recall_key,
)

HOUR_MS = 3_600_000


def test_a_recall_remembers_who_opened_it_when_and_when_it_ended(stock_log: Any) -> None:
    began = stock_log.start_ms + HOUR_MS
    stock_log.append(r.RecallOpened(id="r", lot="L1", skus=["B", "A"], reason="glass"), ms=began)
    opened = stock_log.table.get(recall_key("L1"))
    assert opened == RecallRow(opened.at, "L1", "r", ("A", "B"), "glass", False, "open", began, 0)
    stock_log.append(r.RecallClosed(id="x", lot="L1", reason="all clear"), ms=began + HOUR_MS)
    closed = stock_log.table.get(recall_key("L1"))
    assert closed == RecallRow(closed.at, "L1", "r", ("A", "B"), "glass", False, "closed", began, began + HOUR_MS)


def test_the_end_of_a_recall_that_nobody_opened_is_remembered_too(stock_log: Any) -> None:
    ended = stock_log.start_ms + HOUR_MS
    stock_log.append(r.RecallClosed(id="x", lot="L1", reason="a mistake"), ms=ended)
    row = stock_log.table.get(recall_key("L1"))
    assert row == RecallRow(row.at, "L1", "x", (), "a mistake", False, "closed", 0, ended)


def test_a_recall_of_many_shelves_goes_on_under_numbers_whatever_its_own_id_is(
    stock_log: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recalls, "LOTS_MAX", 1)
    for location in ("W1", "W2", "W3"):
        stock_log.receive(1, location=location)
    outcome = stock_log.append(r.RecallOpened(id="r:2026:7", lot="L1", skus=["A"], reason="glass"))
    ids = []
    while notes := [x.record for x in outcome.sends if x.topic == WAREHOUSE]:
        ids.append(notes[0].id)
        outcome = stock_log.append(notes[0])
    assert ids == ["r:2026:7:1", "r:2026:7:2"]
    assert {row.status for row in stock_log.rows("lot").values()} == {"recalled"}


def test_the_end_of_a_recall_frees_what_it_froze_whatever_else_is_not_in_line_yet(
    stock_log: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two shelves of A were to be held, one is; the note about the other is on its way. B stands behind them."""
    monkeypatch.setattr(recalls, "LOTS_MAX", 1)
    for sku, location in (("A", "W1"), ("A", "W2"), ("B", "W1")):
        stock_log.receive(1, sku=sku, location=location)
    stock_log.append(r.RecallOpened(id="r", lot="L1", skus=["B"], reason="glass"))
    stock_log.append(r.LotStatusSet(id="s", sku="A", lot="L1", status="on_hold"))
    assert [x.status for x in stock_log.rows("lot").values()] == ["on_hold", "approved", "recalled"]
    stock_log.append(r.RecallClosed(id="x", lot="L1", reason="all clear"))
    assert [x.status for x in stock_log.rows("lot").values()] == ["on_hold", "approved", "approved"]


def with_notes(log: Any, record: Any) -> list[Outcome]:
    """What came of it, and of the notes with which it goes on."""
    outcomes = [log.append(record)]
    while notes := [x.record for x in outcomes[-1].sends if x.topic == WAREHOUSE]:
        outcomes.append(log.append(notes[0]))
    return outcomes


def expiring(log: Any) -> int:
    """A day later: how many lots people are told of, in the tick's record and those that go on with it."""
    outcomes = with_notes(log, r.Tick(id="t", now_ms=log.start_ms + 60_000))
    return sum(x.topic == ALERTS and x.record.kind == "expiring" for outcome in outcomes for x in outcome.sends)


@pytest.mark.parametrize("location", ["W1", None])
@pytest.mark.parametrize("lots", [LOTS_MAX, LOTS_MAX + 1, 3 * LOTS_MAX + 1])
def test_a_longer_alert_window_holds_for_every_lot_that_is_there(
    stock_log: Any, lots: int, location: str | None
) -> None:  # fmt: skip
    for n in range(lots):
        stock_log.receive(1, lot=f"L{n:03}", best_before="2023-11-20")
    policy = r.PolicySet(id="p", sku="A", location=location, expiring_days=30)
    outcomes = with_notes(stock_log, policy)
    assert len(outcomes) == -(-lots // LOTS_MAX)
    assert all(len(outcome.rows) <= 100 for outcome in outcomes)
    assert expiring(stock_log) == lots


@pytest.mark.parametrize(
    ("began", "goes_on"),
    [
        (r.PolicySet(id="b", sku="A", expiring_days=30), r.WindowContinued(id="by hand", cause="b", sku="A")),
        (
            r.RecallOpened(id="b", lot="L1", reason="glass"),
            r.LotsContinued(id="by hand", cause="b", lot="L1", opens=True),
        ),
    ],
    ids=["window", "recall"],
)
def test_a_note_without_a_number_goes_on_with_notes_that_are_numbered_by_its_place(
    stock_log: Any, monkeypatch: pytest.MonkeyPatch, began: Any, goes_on: Any
) -> None:
    monkeypatch.setattr(shelf, "LOTS_MAX", 1)
    monkeypatch.setattr(recalls, "LOTS_MAX", 1)
    for location in ("W1", "W2", "W3", "W4"):
        stock_log.receive(1, location=location, best_before="2024-01-31")
    before = {key: (row.status, row.due) for key, row in stock_log.rows("lot").items()}
    stock_log.append(began)
    place = place_of(stock_log.end + 1)
    outcomes = with_notes(stock_log, goes_on)
    notes = [x.record for outcome in outcomes for x in outcome.sends if x.topic == WAREHOUSE]
    assert [(x.id, x.cause) for x in notes] == [(f"b:{place}", "b"), (f"b:{place + 1}", "b")]
    after = {key: (row.status, row.due) for key, row in stock_log.rows("lot").items()}
    assert all(after[key] != before[key] for key in before)


def test_the_notes_that_go_on_with_a_policy_are_named_after_it_and_numbered_from_one(
    stock_log: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shelf, "LOTS_MAX", 1)
    for n in range(4):
        stock_log.receive(1, lot=f"L{n}", best_before="2023-11-20")
    outcomes = with_notes(stock_log, r.PolicySet(id="p:2026:7", sku="A", expiring_days=30))
    notes = [x.record.id for outcome in outcomes for x in outcome.sends if x.topic == WAREHOUSE]
    assert notes == ["p:2026:7:1", "p:2026:7:2", "p:2026:7:3"]


def test_a_longer_alert_window_goes_on_where_a_shelf_has_more_lots_than_a_record_may_change(
    stock_log: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The shelf behind it has a lot for which nothing changes: it is good for ever."""
    monkeypatch.setattr(shelf, "LOTS_MAX", 2)
    for n in range(5):
        stock_log.receive(1, lot=f"L{n}", best_before="2023-11-20")
    stock_log.receive(1, location="W2", lot="SALT")
    assert len(with_notes(stock_log, r.PolicySet(id="p", sku="A", expiring_days=30))) == 3
    assert expiring(stock_log) == 5


def test_a_tick_that_goes_on_and_finds_nothing_leaves_a_row_that_says_so(stock_log: Any) -> None:
    """Delivered again on a later day it must not find more."""
    stock_log.receive(1, best_before="2023-11-20")
    stock_log.append(r.Tick(id="t", now_ms=stock_log.start_ms))
    stock_log.append(r.TickContinued(id="c"))
    place = stock_log.end
    row = stock_log.table.get(expiry_key(place_of(place)))
    assert row == FactRow(place_of(place), b"", (), (), 0, False)
    stock_log.state = replace(stock_log.state, state_ms=stock_log.start_ms + 30 * 24 * HOUR_MS)
    assert stock_log.deliver(place).sends == []
    assert not stock_log.lot("L1").expired


def test_what_runs_out_by_one_tick_is_told_in_the_order_in_which_it_expired(stock_log: Any) -> None:
    for sku, day in (("A", "2023-11-17"), ("B", "2023-11-15"), ("C", "2023-11-16")):
        stock_log.receive(1, sku=sku, best_before=day)
    stock_log.state = replace(stock_log.state, state_ms=stock_log.start_ms + 30 * 24 * HOUR_MS)
    outcome = stock_log.append(r.TickContinued(id="c"))
    assert [(x.record.sku, x.record.kind) for x in outcome.sends] == [("B", "out"), ("C", "out"), ("A", "out")]


@pytest.mark.parametrize(("lots", "notes"), [(2, 0), (3, 1), (4, 1), (5, 2)])
def test_a_tick_goes_on_only_if_more_lots_are_due_than_it_may_change(
    stock_log: Any, monkeypatch: pytest.MonkeyPatch, lots: int, notes: int
) -> None:
    monkeypatch.setattr(expiry, "LOTS_MAX", 2)
    for n in range(lots):
        stock_log.receive(1, lot=f"L{n}", best_before="2023-11-20")
    stock_log.state = replace(stock_log.state, state_ms=stock_log.start_ms + 30 * 24 * HOUR_MS)
    outcome, told = stock_log.append(r.TickContinued(id="c")), 0
    while note := [x.record for x in outcome.sends if x.topic == WAREHOUSE]:
        told += 1
        outcome = stock_log.append(note[0])
    assert told == notes
    assert all(row.expired for row in stock_log.rows("lot").values())


def test_a_count_that_is_not_believed_is_told_with_its_lot_its_place_and_how_far_off_it_was(stock_log: Any) -> None:
    stock_log.append(r.PolicySet(id="p", sku="A", location="W1", count_tolerance=3))
    stock_log.receive(20)
    outcome = stock_log.append(r.Counted(id="c", sku="A", location="W1", lot="L1", quantity=16))
    (alert,) = [x.record for x in outcome.sends if x.topic == ALERTS]
    assert (alert.kind, alert.sku, alert.location, alert.lot, alert.units, alert.note, alert.order_id) == (
        "recount", "A", "W1", "L1", -4, "too far off", ""
    )  # fmt: skip
    assert stock_log.lots() == {"L1": 20}


@pytest.mark.parametrize(
    ("tolerance", "found", "after"), [(0, 5, 5), (1, 9, 9), (1, 11, 11), (1, 8, 10), (1, 12, 10), (2, 8, 8), (2, 7, 10)]
)
def test_a_count_is_believed_as_far_as_the_tolerance_goes_and_always_where_none_is_set(
    stock_log: Any, tolerance: int, found: int, after: int
) -> None:
    stock_log.append(r.PolicySet(id="p", sku="A", location="W1", count_tolerance=tolerance))
    stock_log.receive(10)
    outcome = stock_log.append(r.Counted(id="c", sku="A", location="W1", lot="L1", quantity=found))
    assert stock_log.lots() == {"L1": after}
    assert [x.record.kind for x in outcome.sends if x.topic == ALERTS] == ([] if after == found else ["recount"])


@pytest.mark.parametrize(("index", "found"), [(0, 7), (1, 5)])
def test_a_count_may_be_as_of_one_of_several_records_that_came_as_one(stock_log: Any, index: int, found: int) -> None:
    """Ten were there, three left, then two: whoever counts right after either of these finds what the books say."""
    stock_log.receive(10)
    for n, units in enumerate((3, 2)):
        fact = r.Shipped(id=f"s{n}", sku="A", location="W1", quantity=units)
        outcome = stock_log.step(stock_log.table, fact, At(place_of(2, n), stock_log.start_ms), stock_log.state)
        stock_log.table.put(outcome.rows)
    stock_log.records.append((None, stock_log.start_ms))
    stock_log.append(r.Counted(
        id="c", sku="A", location="W1", lot="L1", quantity=found, as_of_offset=2, as_of_index=index
    ))  # fmt: skip
    assert stock_log.lots() == {"L1": 5}


def test_a_count_as_of_the_oldest_movement_a_lot_remembers_is_not_too_old(
    stock_log: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of four receipts three are remembered; it was counted after the first of these."""
    monkeypatch.setattr(effects, "MOVES_KEPT", 3)
    for _ in range(4):
        stock_log.receive(1)
    outcome = stock_log.append(r.Counted(id="c", sku="A", location="W1", lot="L1", quantity=5, as_of_offset=2))
    assert outcome.sends == []
    assert stock_log.lots() == {"L1": 7}, "five, and the two that came since"


def test_a_count_that_is_too_old_is_told_with_its_lot_and_its_place(
    stock_log: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(effects, "MOVES_KEPT", 3)
    for _ in range(4):
        stock_log.receive(1)
    outcome = stock_log.append(r.Counted(id="c", sku="A", location="W1", lot="L1", quantity=2, as_of_offset=1))
    (alert,) = [x.record for x in outcome.sends if x.topic == ALERTS]
    assert (alert.kind, alert.sku, alert.location, alert.lot, alert.units, alert.available, alert.note) == (
        "recount", "A", "W1", "L1", 0, 4, "counted too long ago"
    )  # fmt: skip
