"""What comes in and what is coming, at the edges.

Each of these was once broken in a copy of the code, and no test failed.
"""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from tables import records as r
from tables import shipping
from tables.codec import instant
from tables.outcome import At, InvariantBroken, place_of
from tables.rows import (
    ShipEffect,
    fact_key,
)

HOUR_MS = 3_600_000


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
    (part,) = stock_log.answered(stock_log.reserve(("A", units), policy="backorder")).parts
    assert (part.quantity, part.backordered, part.due) == (units, True, due)


def promised_for(log: Any, units: int) -> str:
    """The day for which so many units more than there are can be promised."""
    (*_, part) = log.answered(log.reserve(("A", log.stock().on_hand + units), policy="backorder")).parts
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
    assert (row.state, row.received, row.lots) == (state, came, (("L1", 1 if state == "open" else 0),))


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
