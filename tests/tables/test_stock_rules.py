"""Rules of the stock log at their edges: each of these was once broken in a copy of the code, and no test failed."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from tables import effects, expiry, recalls, shelf, shipping
from tables import records as r
from tables.availability import open_to_all
from tables.codec import instant
from tables.movements import LOTS_MAX
from tables.outcome import ALERTS, ORDERS, WAREHOUSE, At, InvariantBroken, Outcome, place_of
from tables.rows import (
    Change,
    FactRow,
    Policy,
    RecallRow,
    ReservedLine,
    ShipEffect,
    SkuRow,
    demand_key,
    expiry_key,
    fact_key,
    recall_key,
    sku_key,
    stock_key,
)

HOUR_MS = 3_600_000


def answered(outcome: Outcome) -> Any:
    """What the order hears."""
    (record,) = [x.record for x in outcome.sends if x.topic == ORDERS]
    return record


# -- what comes in and what is coming ----------------------------------------------------------------------------------


def confirm(log: Any, reference: str, quantity: int, expected: str) -> None:
    log.append(r.PurchaseConfirmed(
        id=f"c-{reference}", sku="A", location="W1", reference=reference, quantity=quantity, expected=expected
    ))  # fmt: skip


@pytest.mark.parametrize(("units", "due"), [(4, "2024-01-10"), (5, "2024-02-10"), (9, "2024-02-10"), (10, "")])
def test_a_backorder_is_promised_for_the_day_by_which_enough_units_are_confirmed(
    stock_log: Any, units: int, due: str
) -> None:
    """Two purchases, the later one told first: the earlier day counts first, and nobody is promised a third."""
    stock_log.append(r.PolicySet(id="p", sku="A", location="W1", backorder_limit=50))
    stock_log.receive(0)
    confirm(stock_log, "PO-1", 5, "2024-02-10")
    confirm(stock_log, "PO-2", 4, "2024-01-10")
    (part,) = answered(stock_log.reserve(("A", units), policy="backorder")).parts
    assert (part.quantity, part.backordered, part.due) == (units, True, due)


def promised_for(log: Any, units: int) -> str:
    """The day for which so many units more than there are can be promised."""
    (*_, part) = answered(log.reserve(("A", log.stock().on_hand + units), policy="backorder")).parts
    assert (part.quantity, part.backordered) == (units, True)
    return part.due


@pytest.mark.parametrize(("units", "due"), [(2, "2024-01-10"), (3, "2024-02-10")])
def test_what_came_of_a_purchase_is_not_promised_a_second_time(stock_log: Any, units: int, due: str) -> None:
    stock_log.append(r.PolicySet(id="p", sku="A", location="W1", backorder_limit=50))
    confirm(stock_log, "PO-1", 5, "2024-01-10")
    confirm(stock_log, "PO-2", 5, "2024-02-10")
    stock_log.receive(3, reference="PO-1")
    assert promised_for(stock_log, units) == due


@pytest.mark.parametrize("came", [5, 6])
def test_nobody_is_promised_a_day_on_which_no_more_units_are_confirmed(stock_log: Any, came: int) -> None:
    """Of ten that were ordered five were confirmed, and as many came, or one more."""
    stock_log.append(r.PolicySet(id="p", sku="A", location="W1", backorder_limit=50))
    stock_log.append(r.PurchaseOrdered(id="o", sku="A", location="W1", reference="PO-1", quantity=10))
    confirm(stock_log, "PO-1", 5, "2024-01-10")
    confirm(stock_log, "PO-2", 1, "2024-02-10")
    stock_log.receive(came, reference="PO-1")
    assert [row.state for row in stock_log.rows("incoming").values()] == ["open", "open"]
    assert promised_for(stock_log, 1) == "2024-02-10"


def test_nothing_is_promised_of_a_purchase_that_was_closed(stock_log: Any) -> None:
    stock_log.append(r.PolicySet(id="p", sku="A", location="W1", backorder_limit=50))
    confirm(stock_log, "PO-1", 5, "2024-01-10")
    confirm(stock_log, "PO-2", 5, "2024-02-10")
    stock_log.append(r.PurchaseClosed(id="x", sku="A", location="W1", reference="PO-1"))
    assert promised_for(stock_log, 1) == "2024-02-10"


def test_units_under_way_for_which_nobody_told_a_day_are_promised_for_none(stock_log: Any) -> None:
    stock_log.append(r.PolicySet(id="p", sku="A", location="W1", backorder_limit=50))
    stock_log.receive(5, location="W2")
    stock_log.append(r.TransferredOut(id="o", sku="A", location="W2", to="W1", quantity=5, reference="T1"))
    confirm(stock_log, "PO-1", 5, "2024-01-10")
    assert promised_for(stock_log, 1) == "2024-01-10"


@pytest.mark.parametrize(("came", "state"), [(4, "open"), (5, "closed"), (6, "closed")])
def test_a_transfer_is_over_when_all_that_was_sent_came_though_nobody_said_so(
    stock_log: Any, came: int, state: str
) -> None:
    stock_log.receive(5)
    where = {"sku": "A", "reference": "T1"}
    stock_log.append(r.TransferredOut(id="o", location="W1", to="W2", quantity=5, **where))
    stock_log.append(r.TransferredIn(id="i", location="W2", quantity=came, final=False, **where))
    (row,) = stock_log.rows("incoming").values()
    assert (row.state, row.received, row.lots) == (state, came, (("L1", 1),) if state == "open" else ())


def test_each_end_of_a_transfer_is_traced_with_the_time_they_tell(stock_log: Any) -> None:
    stock_log.receive(5, occurred_at="2023-11-14T08:00:00Z")
    where = {"sku": "A", "quantity": 5, "reference": "T1"}
    stock_log.append(r.TransferredOut(id="o", location="W1", to="W2", occurred_at="2023-11-14T09:00:00Z", **where))
    stock_log.append(r.TransferredIn(id="i", location="W2", occurred_at="2023-11-14T17:00:00Z", **where))
    assert [(x.kind, x.occurred_at) for x in stock_log.rows("trace").values()] == [
        ("received", "2023-11-14T08:00:00Z"), ("transferred_out", "2023-11-14T09:00:00Z"),
        ("transferred_in", "2023-11-14T17:00:00Z"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "fact",
    [
        r.Adjusted(id="f", sku="A", location="W1", quantity=-1, reason="damaged", occurred_at="2023-11-14T17:00:00Z"),
        r.Adjusted(id="f", sku="A", location="W1", quantity=2, reason="found", occurred_at="2023-11-14T17:00:00Z"),
        r.Counted(id="f", sku="A", location="W1", lot="L1", quantity=4, occurred_at="2023-11-14T17:00:00Z"),
        r.Shipped(id="f", sku="A", location="W1", quantity=4, occurred_at="2023-11-14T17:00:00Z"),
    ],
    ids=["lost", "found", "counted", "shipped"],
)
def test_a_movement_is_traced_with_its_reason_and_the_time_they_tell(stock_log: Any, fact: Any) -> None:
    stock_log.receive(5)
    stock_log.append(fact)
    row = list(stock_log.rows("trace").values())[-1]
    assert (row.lot, row.occurred_at) == ("L1", "2023-11-14T17:00:00Z")
    assert row.reference == getattr(fact, "reason", "")


@pytest.mark.parametrize("disposition", ["restock", "scrap"])
def test_what_came_back_is_traced_with_its_order_and_the_time_they_tell(stock_log: Any, disposition: str) -> None:
    stock_log.receive(1)
    stock_log.append(r.Returned(
        id="b", sku="A", location="W1", lot="L1", quantity=1, disposition=disposition, order_id="o1",
        occurred_at="2023-11-14T17:00:00Z",
    ))  # fmt: skip
    row = list(stock_log.rows("trace").values())[-1]
    assert (row.units, row.order_id, row.occurred_at) == (1, "o1", "2023-11-14T17:00:00Z")


@pytest.mark.parametrize(("kit_lot", "told"), [(None, "BOX"), ("K1", "BOX K1")])
@pytest.mark.parametrize(("units", "kind"), [(-2, "made_into"), (2, "made_from")])
def test_a_kit_part_is_traced_with_its_kit_and_the_kit_s_lot_if_there_is_one(
    stock_log: Any, kit_lot: str | None, told: str, units: int, kind: str
) -> None:
    stock_log.receive(5)
    fact = r.KitPartMoved(id="k", sku="A", location="W1", quantity=units, kit="BOX", kit_lot=kit_lot, lot="L1")
    stock_log.append(fact)
    row = list(stock_log.rows("trace").values())[-1]
    assert (row.kind, row.units, row.reference) == (kind, units, told)


def test_a_kit_part_of_no_units_changes_nothing(stock_log: Any) -> None:
    stock_log.receive(5)
    before = stock_log.rows("stock", "lot", "trace")
    stock_log.append(r.KitPartMoved(id="k:part:0", sku="A", location="W1", quantity=0, kit="K"))
    assert stock_log.rows("stock", "lot", "trace") == before


def test_a_pick_that_names_no_lot_is_of_one_that_may_still_leave(stock_log: Any) -> None:
    """The older lot is over by now; no tick has marked it yet."""
    stock_log.receive(2, lot="OLD", best_before="2023-11-20")
    stock_log.receive(2, lot="NEW", best_before="2027-01-01")
    stock_log.state = replace(stock_log.state, state_ms=stock_log.start_ms + 30 * 24 * HOUR_MS)
    stock_log.append(r.Picked(id="p", sku="A", location="W1", quantity=3, order_id="o1", attempt=1))
    picks = [(x.lot, x.units, x.known) for x in stock_log.rows("trace").values() if x.kind == "picked"]
    assert sorted(picks) == [("NEW", 2, "presumed"), ("OLD", 1, "presumed")]


def test_units_that_leave_with_no_lot_named_are_first_of_one_that_may_still_leave(stock_log: Any) -> None:
    """The older lot is over by now; no tick has marked it yet."""
    stock_log.receive(2, lot="OLD", best_before="2023-11-20")
    stock_log.receive(2, lot="NEW", best_before="2027-01-01")
    stock_log.state = replace(stock_log.state, state_ms=stock_log.start_ms + 30 * 24 * HOUR_MS)
    stock_log.append(r.Shipped(id="s", sku="A", location="W1", quantity=3))
    assert stock_log.lots() == {"NEW": 0, "OLD": 1}


@pytest.mark.parametrize(("picked", "short", "missing"), [(5, 0, 2), (2, 4, 1), (5, 4, 3), (3, 3, 0)])
def test_what_a_pick_took_and_missed_beyond_the_books_is_kept_as_one_sum(
    stock_log: Any, picked: int, short: int, missing: int
) -> None:
    """Three are there: more cannot be picked, and more cannot leave the books."""
    stock_log.receive(3)
    outcome = stock_log.append(r.Picked(
        id="p", sku="A", location="W1", quantity=picked, short=short, order_id="o1", attempt=1
    ))  # fmt: skip
    assert outcome.rows[fact_key("p")].missing == missing
    assert stock_log.stock().on_hand == max(3 - short, 0)


class Watched:
    """The rows of a log, and the keys of those that were asked for."""

    def __init__(self, table: Any) -> None:
        self.table, self.below = table, table.below
        self.asked: list[str] = []

    def get(self, key: str) -> Any:
        self.asked.append(key)
        return self.table.get(key)


def test_a_shipment_that_names_no_order_looks_at_no_promise_whatever_attempt_it_tells(stock_log: Any) -> None:
    stock_log.receive(5)
    view = Watched(stock_log.table)
    fact = r.Shipped(id="s", sku="A", location="W1", quantity=1, attempt=1)
    shipping.shipped(view, fact, At(place_of(2), stock_log.start_ms), stock_log.state)
    assert "lot|A|W1|L1" in view.asked
    assert [key for key in view.asked if key.startswith("res|")] == []


def test_more_than_was_promised_is_never_taken_from_a_promise(stock_log: Any) -> None:
    stock_log.receive(5)
    stock_log.reserve(("A", 3))
    row, now = stock_log.reservation(), At(place_of(3), stock_log.start_ms)
    assert shipping.counted(row, ShipEffect("o1", 1, 0, 3), now, stock_log.state).lines[0].open == 0
    with pytest.raises(InvariantBroken, match=r"^o1: more of A shipped than was reserved$"):
        shipping.counted(row, ShipEffect("o1", 1, 0, 4), now, stock_log.state)


def test_a_promise_that_shipped_whole_is_kept_as_long_as_its_order_may_ask(stock_log: Any) -> None:
    """The order's partition is an hour ahead: its clock decides."""
    asked_ms = stock_log.state.state_ms + HOUR_MS
    stock_log.receive(5)
    stock_log.reserve(("A", 2), asked_ms=asked_ms)
    stock_log.command(r.Allocate)
    stock_log.append(r.Shipped(id="s", sku="A", location="W1", quantity=2, order_id="o1", attempt=1))
    keep_ms = stock_log.state.limits.reservation_keep_seconds * 1000
    assert stock_log.reservation().forget_ms == asked_ms + keep_ms


@pytest.mark.parametrize(("best_before", "apart"), [("2023-12-14", 0), ("2023-12-13", 2)])
def test_what_comes_back_of_a_lot_that_is_over_is_set_apart_though_no_tick_has_marked_it(
    stock_log: Any, best_before: str, apart: int
) -> None:
    stock_log.receive(5, best_before=best_before)
    stock_log.state = replace(stock_log.state, state_ms=stock_log.start_ms + 30 * 24 * HOUR_MS)
    assert instant(stock_log.state.state_ms)[:10] == "2023-12-14"
    stock_log.append(r.Returned(id="b", sku="A", location="W1", lot="L1", quantity=2, disposition="restock"))
    assert (stock_log.lot("L1").expired, stock_log.lot("L1").on_hand, stock_log.lot("L1").blocked) == (False, 7, apart)


@pytest.mark.parametrize("condition", ["damaged", "quarantined", "good"])
def test_units_of_a_lot_that_is_not_here_change_no_condition(stock_log: Any, condition: str) -> None:
    stock_log.append(r.ConditionChanged(
        id="c", sku="A", location="W1", lot="L1", quantity=4, condition=condition
    ))  # fmt: skip
    assert stock_log.table.get(fact_key("c")).missing == 4
    assert stock_log.rows("lot", "stock") == {}


# -- recalls and lots --------------------------------------------------------------------------------------------------


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


# -- promises ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hour", [0, 9, 10, 23])
def test_demand_counts_in_the_hour_and_on_the_day_it_occurred(stock_log: Any, hour: int) -> None:
    """Only hours in which somebody found the shelf empty are marked."""
    stock_log.receive(1)
    stock_log.reserve(("A", 2), demand=True, occurred_at=f"2023-11-20T{hour:02}:59:59Z")
    row = stock_log.table.get(demand_key("A", "W1", "2023-11-20"))
    assert (row.ordered, row.refused, row.hours) == (2, 2, 1 << hour)


def test_what_may_be_served_from_nowhere_counts_as_demand_nowhere(stock_log: Any) -> None:
    stock_log.append(r.SkuDefined(id="d", sku="A", discontinued=True))
    before = stock_log.rows("stock", "lot")
    said = answered(stock_log.reserve(("A", 2), locations=[], demand=True, occurred_at="2023-11-20T09:00:00Z"))
    assert [(x.sku, x.reason) for x in said.refused] == [("A", "discontinued")]
    assert stock_log.reservation().first_location == ""
    assert stock_log.rows("demand") == {}
    assert stock_log.rows("stock", "lot") == before


def test_a_move_takes_no_more_than_lots_cover_that_live_long_enough(stock_log: Any) -> None:
    stock_log.append(r.ChannelSet(id="c", channel="picky", minimum_life_days=30))
    stock_log.receive(3, lot="LONG", best_before="2027-01-01")
    stock_log.receive(2, location="W2", lot="LONG", best_before="2027-01-01")
    stock_log.receive(9, location="W2", lot="SHORT", best_before="2023-11-20")
    stock_log.append(r.Tick(id="t", now_ms=stock_log.start_ms))
    stock_log.reserve(("A", 3), channel="picky")
    before = stock_log.rows("stock", "lot")
    outcome = stock_log.append(r.Move(
        id="o1:1:0:move", order_id="o1", attempt=1, order_partition=0, lines=[r.MoveLine("A", "W2")]
    ))  # fmt: skip
    assert answered(outcome).moved is False
    assert stock_log.rows("stock", "lot") == before


def test_what_is_open_to_all_leaves_the_shares_of_channels_alone_and_is_never_below_nothing(stock_log: Any) -> None:
    stock_log.receive(5)
    assert open_to_all(stock_log.stock()) == 5
    stock_log.append(r.ChannelStockSet(id="s", sku="A", location="W1", channel="shop", ring_fence=4))
    assert open_to_all(stock_log.stock()) == 1
    stock_log.append(r.ChannelStockSet(id="s2", sku="A", location="W1", channel="shop", ring_fence=9))
    assert open_to_all(stock_log.stock()) == 0


@pytest.mark.parametrize("channel", ["shop", "None", "XXXX"])  # two that look like no name at all
def test_what_is_a_channel_s_own_is_not_open_to_all_whatever_the_channel_is_called(
    stock_log: Any, channel: str
) -> None:
    stock_log.receive(5)
    stock_log.append(r.ChannelStockSet(id="s", sku="A", location="W1", channel=channel, ring_fence=4, buffer=2))
    assert open_to_all(stock_log.stock()) == 1


def test_a_shortage_that_ends_before_the_clock_is_known_is_covered(stock_log: Any) -> None:
    """No tick yet, so no stock-out has a time; what people hear of it is the same."""
    stock_log.state = replace(stock_log.state, state_ms=0, first_ms=0)
    stock_log.receive(1)
    stock_log.reserve(("A", 1))
    stock_log.command(r.Allocate)
    stock_log.append(r.Adjusted(id="a", sku="A", location="W1", quantity=-1, reason="damaged"))
    assert (stock_log.stock().short, stock_log.stock().level) == (True, "out")
    outcome = stock_log.receive(5)
    assert (stock_log.stock().short, stock_log.stock().level) == (False, "ok")
    assert {x.record.kind for x in outcome.sends if x.topic == ALERTS} == {"covered", "restored"}
    assert stock_log.rows("stock")[stock_key("A", "W1")].outs == ()


def test_units_that_move_away_from_a_shelf_that_is_short_cover_it_and_people_hear_of_it_once(stock_log: Any) -> None:
    stock_log.receive(2)
    stock_log.receive(9, location="W2")
    stock_log.reserve(("A", 2))
    stock_log.append(r.Adjusted(id="a", sku="A", location="W1", quantity=-1, reason="lost"))
    assert stock_log.stock().short
    told = stock_log.append(r.Move(
        id="o1:1:0:move", order_id="o1", attempt=1, order_partition=0, lines=[r.MoveLine("A", "W2")]
    ))  # fmt: skip
    alerts = [(x.record.location, x.record.kind) for x in told.sends if x.topic == ALERTS]
    assert ("W1", "covered") in alerts
    assert stock_log.deliver(stock_log.end).sends == told.sends


def test_a_policy_for_all_locations_of_a_sku_that_nobody_defined_makes_its_master(stock_log: Any) -> None:
    stock_log.append(r.PolicySet(id="p", sku="A", reorder_point=5))
    place = place_of(stock_log.end)
    assert stock_log.table.get(sku_key("A")) == SkuRow(
        place, "A", "", "", "", "", False, 0, (), Policy(reorder_point=5)
    )  # fmt: skip
    stock_log.receive(3)
    assert stock_log.stock().policy == Policy(reorder_point=5)


@pytest.mark.parametrize(("skus", "refused"), [("AB", []), ("ABC", ["too_many_parts"] * 3)])
def test_as_many_parts_are_granted_as_an_answer_may_hold_and_of_one_more_nothing(
    stock_log: Any, monkeypatch: pytest.MonkeyPatch, skus: str, refused: list[str]
) -> None:
    monkeypatch.setattr(r, "PARTS_MAX", 2)
    for sku in skus:
        stock_log.receive(5, sku=sku)
    before = stock_log.rows("lot")
    said = answered(stock_log.reserve(*((sku, 1) for sku in skus)))
    assert [x.reason for x in said.refused] == refused
    assert [x.sku for x in said.parts] == ([] if refused else list(skus))
    assert sum(stock_log.stock(sku).claimed for sku in skus) == (0 if refused else len(skus))
    assert stock_log.rows("lot") == before


def test_what_moved_after_a_command_is_not_asked_for_once_more_when_its_day_is_counted_again(stock_log: Any) -> None:
    """The day's row was lost in a crash, so that the command is delivered again."""
    stock_log.receive(2)
    stock_log.receive(2, location="W2")
    stock_log.reserve(("A", 2), demand=True, occurred_at="2023-11-14T17:00:00Z")
    asked, key = stock_log.end, demand_key("A", "W1", "2023-11-14")
    before = stock_log.table.get(key)
    stock_log.append(r.Move(
        id="o1:1:0:move", order_id="o1", attempt=1, order_partition=0, lines=[r.MoveLine("A", "W2")]
    ))  # fmt: skip
    stock_log.table.put({key: replace(before, at=0, ordered=0, orders=0, refused=0, hours=0)})
    stock_log.deliver(asked)
    assert stock_log.table.get(key) == before
    assert list(stock_log.rows("demand")) == [key]


# -- reservations ------------------------------------------------------------------------------------------------------


def test_what_was_released_before_it_was_asked_takes_nothing_and_is_kept_as_long_as_its_order_may_ask(
    stock_log: Any,
) -> None:
    """The order's partition is an hour ahead: its clock decides."""
    stock_log.receive(5)
    stock_log.command(r.Release)
    row, before = stock_log.reservation(), stock_log.rows("stock", "lot")
    asked_ms = stock_log.state.state_ms + HOUR_MS
    outcome = stock_log.reserve(("A", 2), asked_ms=asked_ms)
    assert [(x.sku, x.quantity, x.reason) for x in answered(outcome).refused] == [("A", 2, "released")]
    empty = {"order_partition": 0, "channel": "", "asked": 0, "asked_ms": 0, "first_location": "", "day": "", "hour": 0,
             "demand": False, "wanted": (), "could": (), "moved": 0, "moved_ok": False, "order_ms": 0}  # fmt: skip
    assert {name: getattr(row, name) for name in empty} == empty
    row = stock_log.reservation()
    assert row.lines == (ReservedLine("A", 2, "", "released", 0, False, 0, False, "", 0, ""),)
    assert (row.order_ms, row.wanted, row.asked) == (asked_ms, (("A", 2),), row.at)
    assert row.forget_ms == asked_ms + stock_log.state.limits.reservation_keep_seconds * 1000
    assert stock_log.rows("stock", "lot") == before


def test_what_came_for_those_who_wait_moves_with_the_rest_and_the_answer_tells_both(stock_log: Any) -> None:
    stock_log.append(r.PolicySet(id="p", sku="A", location="W1", backorder_limit=9))
    stock_log.receive(2)
    stock_log.reserve(("A", 5), policy="backorder")
    (note,) = [x.record for x in stock_log.receive(2).sends if x.topic == WAREHOUSE]
    stock_log.append(note)
    stock_log.receive(9, location="W2")
    outcome = stock_log.append(r.Move(
        id="o1:1:0:move", order_id="o1", attempt=1, order_partition=0, lines=[r.MoveLine("A", "W2")]
    ))  # fmt: skip
    said = answered(outcome)
    assert said.moved
    assert sorted((x.quantity, x.location, x.backordered) for x in said.parts) == [(1, "W1", True), (4, "W2", False)]
    assert (stock_log.stock().claimed, stock_log.stock().backordered, stock_log.stock(location="W2").claimed) == (
        0,
        1,
        4,
    )


def test_what_was_given_back_before_a_move_does_not_move(stock_log: Any) -> None:
    stock_log.receive(4)
    stock_log.receive(4, location="W2")
    stock_log.reserve(("A", 4))
    stock_log.append(r.Release(id="part", order_id="o1", attempt=1, lines=[r.ReleaseLine("A", 1, "W1")]))
    outcome = stock_log.append(r.Move(
        id="o1:1:0:move", order_id="o1", attempt=1, order_partition=0, lines=[r.MoveLine("A", "W2")]
    ))  # fmt: skip
    assert [(x.quantity, x.location) for x in answered(outcome).parts] == [(3, "W2")]
    assert [stock_log.stock(location=x).claimed for x in ("W1", "W2")] == [0, 3]


def test_who_waits_in_a_queue_stands_in_it_once_however_often_the_command_is_delivered(stock_log: Any) -> None:
    stock_log.append(r.PolicySet(id="p", sku="A", location="W1", backorder_limit=9))
    stock_log.receive(2)
    asked = stock_log.reserve(("A", 5), policy="backorder")
    before = stock_log.rows()
    assert stock_log.deliver(stock_log.end).sends == asked.sends
    assert stock_log.rows() == before
    assert [x.units for x in stock_log.rows("queue").values()] == [3]


def test_what_a_partial_release_gives_back_is_told_again_when_it_is_delivered_again(stock_log: Any) -> None:
    stock_log.receive(2)
    stock_log.reserve(("A", 2))
    stock_log.command(r.Allocate)
    told = stock_log.append(r.Release(id="part", order_id="o1", attempt=1, lines=[r.ReleaseLine("A", 1, "W1")]))
    before = stock_log.rows()
    assert [x.record.kind for x in told.sends] == ["restored"]
    assert stock_log.deliver(stock_log.end).sends == told.sends
    assert stock_log.rows() == before


def test_all_that_one_record_fills_of_a_reservation_is_one_change_of_it(stock_log: Any) -> None:
    """Three units wait from the start; one more since a picker did not find it."""
    stock_log.append(r.PolicySet(id="p", sku="A", location="W1", backorder_limit=9))
    stock_log.receive(2)
    stock_log.reserve(("A", 5), policy="backorder")
    stock_log.command(r.Allocate)
    stock_log.append(r.Adjusted(id="a", sku="A", location="W1", quantity=-2, reason="lost"))
    stock_log.append(r.Backorder(id="b", order_id="o1", attempt=1, lines=[r.ReleaseLine("A", 1, "W1")]))
    (note,) = [x.record for x in stock_log.receive(9).sends if x.topic == WAREHOUSE]
    assert answered(stock_log.append(note)).quantity == 4
    row = stock_log.reservation()
    assert [(x.before, x.after, x.amounts) for x in row.changes] == [
        ("", "claimed", (2, 3)), ("claimed", "allocated", (2, 0)), ("allocated", "back", (1, 0, 1)),
        ("back", "allocated", (0, 3, 1, 3, 1)),
    ]  # fmt: skip
    assert [(x.back, x.open) for x in row.lines] == [(False, 1), (True, 0), (True, 0), (False, 3), (False, 1)]
    assert (stock_log.stock().allocated, stock_log.stock().backordered) == (5, 0)


@pytest.mark.parametrize(("units", "left"), [(1, (1, 2)), (2, (0, 2)), (3, (0, 1)), (4, (0, 0)), (9, (0, 0))])
def test_a_release_that_names_no_location_takes_units_from_part_to_part(
    stock_log: Any, units: int, left: tuple[int, int]
) -> None:
    for location in ("W1", "W2"):
        stock_log.receive(2, location=location)
    stock_log.reserve(("A", 4))
    stock_log.append(r.Release(id="part", order_id="o1", attempt=1, lines=[r.ReleaseLine("A", units)]))
    assert tuple(x.open for x in stock_log.reservation().lines) == left
    assert tuple(stock_log.stock(location=x).claimed for x in ("W1", "W2")) == left


def test_a_channel_s_own_units_move_with_its_order_from_shelf_to_shelf(stock_log: Any) -> None:
    """What the order took of the shop's own at W1 is the shop's own there again; at W2 it takes of it anew."""
    for location in ("W1", "W2"):
        stock_log.receive(9, location=location)
        stock_log.append(r.ChannelStockSet(
            id=f"share-{location}", sku="A", location=location, channel="shop", ring_fence=4
        ))  # fmt: skip
    stock_log.reserve(("A", 3), channel="shop")
    assert [stock_log.stock(location=x).shares[0].ring_fence for x in ("W1", "W2")] == [1, 4]
    stock_log.append(r.Move(
        id="o1:1:0:move", order_id="o1", attempt=1, order_partition=0, lines=[r.MoveLine("A", "W2")]
    ))  # fmt: skip
    assert [stock_log.stock(location=x).shares[0].ring_fence for x in ("W1", "W2")] == [4, 1]
    assert [(x.location, x.open, x.fenced) for x in stock_log.reservation().lines] == [("W1", 0, 0), ("W2", 3, 3)]


def ask_to_move(log: Any, *lines: tuple[str, str]) -> Outcome:
    """A to W2, if nothing is said."""
    wanted = [r.MoveLine(*line) for line in lines or [("A", "W2")]]
    return log.append(r.Move(id="o1:1:0:move", order_id="o1", attempt=1, order_partition=0, lines=wanted))


@pytest.mark.parametrize("there", [1, 2])
def test_not_even_one_unit_moves_to_a_shelf_where_none_is_free(stock_log: Any, there: int) -> None:
    """What lies at W2 is promised to another order."""
    stock_log.receive(there, location="W2")
    stock_log.reserve(("A", there), order_id="o2", locations=["W2"])
    stock_log.receive(1)
    stock_log.reserve(("A", 1))
    before = stock_log.rows("stock", "lot")
    assert not answered(ask_to_move(stock_log)).moved
    assert stock_log.rows("stock", "lot") == before


@pytest.mark.parametrize(
    ("share", "moves"), [({"ring_fence": 3}, True), ({"buffer": 1}, False), ({"ring_fence": 3, "buffer": 1}, False)]
)
def test_an_order_moves_to_what_is_its_channel_s_own_and_not_to_what_its_channel_leaves_alone(
    stock_log: Any, share: dict[str, int], moves: bool
) -> None:
    for location in ("W1", "W2"):
        stock_log.receive(3, location=location)
    stock_log.append(r.ChannelStockSet(id="s", sku="A", location="W2", channel="shop", **share))
    stock_log.reserve(("A", 3), channel="shop")
    assert answered(ask_to_move(stock_log)).moved is moves
    assert [stock_log.stock(location=x).claimed for x in ("W1", "W2")] == ([0, 3] if moves else [3, 0])


def test_a_move_takes_nothing_of_a_channel_s_own_for_what_stays_where_it_is(stock_log: Any) -> None:
    for sku, location in (("A", "W1"), ("B", "W1"), ("A", "W2")):
        stock_log.receive(3, sku=sku, location=location)
    stock_log.reserve(("A", 3), ("B", 2))
    ask_to_move(stock_log)
    assert stock_log.reservation().changes[-1] == Change(place_of(stock_log.end), "", "claimed", (-3, 0, 3), (), ())


def test_a_move_of_what_was_given_back_before_it_was_asked_for_is_not_answered(stock_log: Any) -> None:
    for location in ("W1", "W2"):
        stock_log.receive(3, location=location)
    assert ask_to_move(stock_log) == Outcome(), "nothing was ever asked for"
    stock_log.command(r.Release)
    before = stock_log.rows()
    assert ask_to_move(stock_log) == Outcome()
    assert stock_log.rows() == before


def test_what_a_move_tells_of_two_shelves_is_told_whole_again_though_one_row_was_lost(stock_log: Any) -> None:
    """Both were short by one; what moved away covers both. The stock row of B was not written: a crash in between."""
    for sku in ("A", "B"):
        stock_log.receive(2, sku=sku)
        stock_log.receive(9, sku=sku, location="W2")
    stock_log.reserve(("A", 2), ("B", 2))
    for sku in ("A", "B"):
        stock_log.append(r.Adjusted(id=f"lost-{sku}", sku=sku, location="W1", quantity=-1, reason="shrinkage"))
    old = stock_log.stock("B")
    told = ask_to_move(stock_log, ("A", "W2"), ("B", "W2"))
    covered = [x.record.sku for x in told.sends if x.topic == ALERTS and x.record.kind == "covered"]
    assert covered == ["A", "B"]
    rows = stock_log.rows()
    stock_log.table.put({stock_key("B", "W1"): old})
    assert stock_log.deliver(stock_log.end).sends == told.sends
    assert stock_log.rows() == rows


@pytest.mark.parametrize(("named", "left"), [((1, 1), 1), ((2, 1), 0), ((2, 2), 0), ((1, 1, 1, 1), 0)])
def test_a_release_that_names_a_sku_twice_means_both_and_never_more_than_is_held(
    stock_log: Any, named: tuple[int, ...], left: int
) -> None:
    stock_log.receive(5)
    stock_log.reserve(("A", 3))
    lines = [r.ReleaseLine("A", units, "W1") for units in named]
    stock_log.append(r.Release(id="part", order_id="o1", attempt=1, lines=lines))
    assert (stock_log.reservation().lines[0].open, stock_log.stock().claimed) == (left, left)


def test_what_two_parts_of_an_order_lack_on_one_shelf_waits_as_one(stock_log: Any) -> None:
    """Two units were there from the start, three came for those who waited; four of the five are not found."""
    stock_log.append(r.PolicySet(id="p", sku="A", location="W1", backorder_limit=9))
    stock_log.receive(2)
    stock_log.reserve(("A", 5), policy="backorder")
    (note,) = [x.record for x in stock_log.receive(3).sends if x.topic == WAREHOUSE]
    stock_log.append(note)
    stock_log.command(r.Allocate)
    stock_log.append(r.Adjusted(id="a", sku="A", location="W1", quantity=-4, reason="shrinkage"))
    stock_log.append(r.Backorder(id="b", order_id="o1", attempt=1, lines=[r.ReleaseLine("A", 4, "W1")]))
    lines = [(x.back, x.open) for x in stock_log.reservation().lines]
    assert lines == [(False, 0), (True, 0), (False, 1), (True, 4)]
    assert (stock_log.stock().allocated, stock_log.stock().backordered) == (1, 4)
    assert sorted(x.units for x in stock_log.rows("queue").values()) == [0, 4]


def test_an_answer_tells_when_it_was_asked_for_whether_or_not_anything_was_taken(stock_log: Any) -> None:
    stock_log.receive(5)
    stock_log.command(r.Release)
    for order_id in ("o1", "o2"):
        outcome = stock_log.reserve(("A", 2), order_id=order_id)
        asked_ms = stock_log.records[-1][1]
        assert answered(outcome).time == instant(asked_ms)
        assert stock_log.reservation(order_id).asked_ms == asked_ms


def test_a_command_that_comes_again_after_it_was_forgotten_and_released_anew_says_and_takes_nothing(
    stock_log: Any,
) -> None:
    stock_log.receive(5)
    stock_log.reserve(("A", 2))
    asked = stock_log.end
    stock_log.command(r.Release)
    keep_ms = stock_log.state.limits.reservation_keep_seconds * 1000
    stock_log.state = replace(stock_log.state, state_ms=stock_log.state.state_ms + 2 * keep_ms)
    stock_log.command(r.Release)
    assert (stock_log.reservation().asked, stock_log.reservation().at) == (0, place_of(stock_log.end))
    before = stock_log.rows()
    assert stock_log.deliver(asked).sends == ()
    assert stock_log.rows() == before


def test_the_level_of_a_shelf_does_not_change_by_a_preorder_without_a_word_and_the_word_is_said_again_whole(
    stock_log: Any,
) -> None:
    """Nothing of either was ever there. The stock row of B was not written: a crash in between."""
    for sku in ("A", "B"):
        stock_log.append(r.PolicySet(id=f"p-{sku}", sku=sku, location="W1", backorder_limit=9))
        assert stock_log.stock(sku).level == "ok"
    old = stock_log.stock("B")
    told = stock_log.reserve(("A", 3), ("B", 3), policy="backorder")
    assert [stock_log.stock(sku).backordered for sku in ("A", "B")] == [3, 3]
    levels = {sku: stock_log.stock(sku).level for sku in ("A", "B") if stock_log.stock(sku).level != "ok"}
    assert {x.record.sku: x.record.kind for x in told.sends if x.topic == ALERTS} == levels
    rows = stock_log.rows()
    stock_log.table.put({stock_key("B", "W1"): old})
    assert list(stock_log.deliver(stock_log.end).sends) == list(told.sends)
    assert stock_log.rows() == rows
