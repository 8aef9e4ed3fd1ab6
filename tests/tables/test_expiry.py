"""Time alone: lots expire on the day after their best-before, people are told in good time, once."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from tables import expiry
from tables import log as log_rules
from tables import records as r
from tables import shelf as shelf_rules
from tables.outcome import ALERTS, WAREHOUSE, Outcome


def ms(day: str) -> int:
    return int(datetime.fromisoformat(f"{day}T12:00:00").replace(tzinfo=UTC).timestamp() * 1000)


@pytest.fixture
def shelf(stock_log: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """State time goes where a tick says, at once; it is 14 November 2023."""
    monkeypatch.setattr(log_rules, "TICK_MS_MAX", ms("2099-01-01"))
    return stock_log


def tick(log: Any, day: str) -> Outcome:
    return log.append(r.Tick(id=f"tick-{len(log.records)}", now_ms=ms(day)), ms=ms(day))


def told(outcome: Outcome, kind: str) -> list[tuple[str, int]]:
    return [(x.record.lot, x.record.units) for x in outcome.sends if x.topic == ALERTS and x.record.kind == kind]


def test_a_lot_expires_the_day_after_its_best_before(shelf: Any) -> None:
    shelf.receive(5, best_before="2023-11-20")
    tick(shelf, "2023-11-20")
    assert (shelf.lot("L1").expired, shelf.stock().unavailable) == (False, 0)
    tick(shelf, "2023-11-21")
    assert (shelf.lot("L1").expired, shelf.stock().unavailable, shelf.lot("L1").due) == (True, 5, 0)


def test_what_expires_raises_the_alerts_that_its_loss_raises(shelf: Any) -> None:
    shelf.receive(5, best_before="2023-11-20")
    outcome = tick(shelf, "2023-11-21")
    assert [x.record.kind for x in outcome.sends] == ["out"]


def test_people_are_told_once_so_many_days_before(shelf: Any) -> None:
    shelf.append(r.PolicySet(id="p", sku="A", expiring_days=5))
    shelf.receive(5, best_before="2023-11-25")
    assert told(tick(shelf, "2023-11-19"), "expiring") == []
    assert told(tick(shelf, "2023-11-20"), "expiring") == [("L1", 5)]
    assert told(tick(shelf, "2023-11-21"), "expiring") == []
    assert shelf.stock().unavailable == 0
    assert told(tick(shelf, "2023-11-26"), "expiring") == []
    assert shelf.lot("L1").expired


def test_a_lot_that_comes_inside_its_window_is_told_of_at_the_next_tick(shelf: Any) -> None:
    shelf.append(r.PolicySet(id="p", sku="A", expiring_days=30))
    shelf.receive(5, best_before="2023-11-25")
    assert told(tick(shelf, "2023-11-14"), "expiring") == [("L1", 5)]


def test_nobody_is_told_of_a_lot_without_units_until_it_has_some(shelf: Any) -> None:
    shelf.append(r.PolicySet(id="p", sku="A", expiring_days=30))
    shelf.receive(5, best_before="2023-11-25")
    shelf.append(r.Shipped(id="s", sku="A", location="W1", quantity=5))
    assert list(tick(shelf, "2023-11-15").rows) == ["partition"], "and it is not looked at with every tick"
    shelf.receive(2, best_before="2023-11-25")
    assert told(tick(shelf, "2023-11-15"), "expiring") == [("L1", 2)]


def test_a_policy_may_make_a_lot_due(shelf: Any) -> None:
    shelf.receive(5, best_before="2023-11-25")
    tick(shelf, "2023-11-20")
    shelf.append(r.PolicySet(id="p", sku="A", expiring_days=30))
    assert told(tick(shelf, "2023-11-20"), "expiring") == [("L1", 5)]


def test_a_lot_without_a_day_never_expires(shelf: Any) -> None:
    shelf.receive(5)
    tick(shelf, "2090-01-01")
    assert (shelf.lot("L1").expired, shelf.stock().unavailable) == (False, 0)


def test_a_frozen_lot_that_expires_is_counted_as_unavailable_once(shelf: Any) -> None:
    shelf.receive(5, best_before="2023-11-20", status="on_hold")
    tick(shelf, "2023-11-21")
    shelf.append(r.LotStatusSet(id="q", sku="A", lot="L1", status="approved"))
    assert (shelf.lot("L1").expired, shelf.stock().unavailable) == (True, 5)


def test_a_tick_that_finds_nothing_leaves_no_row_of_its_own(shelf: Any) -> None:
    shelf.receive(5, best_before="2023-11-20")
    assert list(tick(shelf, "2023-11-16").rows) == ["partition"]


def test_before_the_first_tick_nothing_expires(shelf: Any) -> None:
    shelf.state = replace(shelf.state, state_ms=0, first_ms=0)
    shelf.receive(5, best_before="1999-01-01")
    assert (shelf.lot("L1").expired, shelf.stock().unavailable) == (False, 0)
    tick(shelf, "2023-11-14")
    assert (shelf.lot("L1").expired, shelf.stock().unavailable) == (True, 5)


def test_more_lots_than_one_record_may_change_go_on_at_the_same_state_time(
    shelf: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expiry, "LOTS_MAX", 2)
    for n in range(5):
        shelf.receive(1, lot=f"L{n}", best_before=f"2023-11-2{n}")
    outcome, steps = tick(shelf, "2023-11-30"), 0
    while notes := [x.record for x in outcome.sends if x.topic == WAREHOUSE]:
        state_ms = shelf.state.state_ms
        outcome, steps = shelf.append(notes[0]), steps + 1
        assert shelf.state.state_ms == state_ms
    assert (steps, shelf.stock().unavailable) == (2, 5)


def test_a_tick_delivered_again_says_the_same_and_changes_nothing(shelf: Any) -> None:
    shelf.append(r.PolicySet(id="p", sku="A", expiring_days=5))
    shelf.receive(5, best_before="2023-11-25")
    said = list(tick(shelf, "2023-11-20").sends)
    offset = shelf.end
    shelf.append(r.Shipped(id="s", sku="A", location="W1", quantity=1))
    tick(shelf, "2023-11-26")
    rows = shelf.rows()
    assert list(shelf.deliver(offset).sends) == said
    assert shelf.rows() == rows


def test_a_tick_that_comes_again_does_not_do_what_a_later_one_has_begun(
    shelf: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expiry, "LOTS_MAX", 1)
    for lot in ("L1", "L2"):
        shelf.receive(1, lot=lot, best_before="2023-11-20")
    tick(shelf, "2023-11-19")
    early = shelf.end
    tick(shelf, "2023-11-21")
    rows = shelf.rows()
    assert shelf.stock().unavailable == 1, "the other one follows"
    assert list(shelf.deliver(early).sends) == []
    assert shelf.rows() == rows


def test_a_lot_whose_window_became_shorter_is_told_of_in_the_new_one(
    shelf: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A policy changes the days of so many lots at once; the rest find theirs when the old day comes."""
    shelf.append(r.PolicySet(id="p", sku="A", expiring_days=30))
    shelf.receive(5, best_before="2024-01-31")
    monkeypatch.setattr(shelf_rules, "LOTS_MAX", 0)
    shelf.append(r.PolicySet(id="q", sku="A", expiring_days=5))
    assert told(tick(shelf, "2024-01-02"), "expiring") == []
    assert list(tick(shelf, "2024-01-03").rows) == ["partition"]
    assert told(tick(shelf, "2024-01-26"), "expiring") == [("L1", 5)]


def test_an_expiry_is_counted_only_in_rows_that_are_older(shelf: Any) -> None:
    """Its own row and the lot were written, the stock row was not; it is delivered again a day later."""
    shelf.receive(5, best_before="2023-11-20")
    old = shelf.stock()
    tick(shelf, "2023-11-21")
    rows = shelf.rows()
    shelf.table.put({"stock|A|W1": old})
    shelf.deliver(shelf.end)
    assert shelf.rows() == rows
