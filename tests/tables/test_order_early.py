"""What is told of an order's goods before its turn: it waits, and then it is as if it had come in time.

`order_log` is the partition of one order, `o1`, of 2 A and 1 B, which live in stock partitions of their own.
"""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from tables import orders
from tables import records as r
from tables.log import LOGIC_VERSION
from tables.outcome import WAREHOUSE, Outcome

A, B = "A", "B"
RULES = 4  # the first in which it waits


def goods(log: Any) -> list[Outcome]:
    """Everything that locations and carriers tell of an order, in its order."""
    return [
        log.tell(r.OrderPicked, lines=[r.PickedLine(A, 2, "L1"), r.PickedLine(B, 1, "L2")]),
        log.tell(r.OrderPacked, cartons=["C1"]),
        log.tell(r.OrderShipped, tracking="T1"),
        log.tell(r.TrackingUpdated, tracking="T1", status="delivered"),
        log.tell(r.ReturnReceived, return_id="R1", lines=[r.CancelLine(A, 1)]),
        log.tell(r.ReturnInspected, return_id="R1", lines=[r.InspectedLine(A, 1, "restock")]),
    ]


def heard(outcome: Outcome) -> list[tuple[str, str, int, int, str | None]]:
    """(kind, SKU, units, attempt, lot) of what stock hears of units."""
    facts = [x.record for x in outcome.sends if isinstance(x.record, r.Picked | r.Shipped | r.Returned)]
    return [(type(x).__name__, x.sku, x.quantity, getattr(x, "attempt", 0), x.lot) for x in facts]


def commands(outcome: Outcome) -> list[str]:
    return [type(x.record).__name__ for x in outcome.sends if x.topic == WAREHOUSE]


WHOLE_LIFE = [
    ("Picked", A, 2, 1, "L1"), ("Picked", B, 1, 1, "L2"), ("Shipped", A, 2, 1, "L1"), ("Shipped", B, 1, 1, "L2"),
    ("Returned", A, 1, 0, "L1"),
]  # fmt: skip


def document(log: Any) -> r.OrderStatus:
    """Without what tells when."""
    return replace(log.document(), id="", time="", decided_at="", version=(0, 0, 0))


@pytest.mark.parametrize("when", ["before it is placed", "before the answers", "before the last answer"])
def test_an_order_is_the_same_whenever_its_goods_are_told(order_log: Any, new_order_log: Any, when: str) -> None:
    in_time = new_order_log()
    in_time.confirm()
    goods(in_time)
    if when == "before it is placed":
        told = goods(order_log)
        decided = order_log.confirm()
    else:
        order_log.place()
        if when == "before the last answer":
            order_log.answer(r.Part(A, 2, "W1"))
        told = goods(order_log)
        if when == "before the answers":
            order_log.answer(r.Part(A, 2, "W1"))
        decided = order_log.answer(r.Part(B, 1, "W1"))
    assert all(list(x.sends) == [] and not x.dead for x in told), "stock hears nothing of an order that is undecided"
    assert heard(decided) == WHOLE_LIFE
    assert commands(decided)[:2] == ["Allocate", "Allocate"], "first that the units are the order's"
    assert document(order_log) == document(in_time)
    assert document(order_log).status == "delivered"
    assert order_log.order().late == ()
    assert order_log.is_kept_as_it_is()


def test_what_waited_is_said_again_with_the_decision_and_not_by_what_told_it(order_log: Any) -> None:
    told = goods(order_log)
    order_log.confirm()
    end, rows = order_log.end, order_log.rows()
    assert heard(order_log.deliver(end)) == WHOLE_LIFE
    for offset in range(1, len(told) + 1):
        assert list(order_log.deliver(offset).sends) == []
    assert order_log.rows() == rows


def test_a_fact_that_waits_counts_once(order_log: Any) -> None:
    parcel = {"lines": [r.ShippedLine(A, 1)]}
    order_log.tell(r.OrderShipped, "s1", **parcel)
    assert order_log.tell(r.OrderShipped, "s1", **parcel).rows == {}
    assert order_log.tell(r.OrderShipped, "s1").dead.startswith("id_conflict")
    assert heard(order_log.confirm()) == [("Shipped", A, 1, 1, None)]
    assert order_log.tell(r.OrderShipped, "s1", **parcel).rows == {}


def test_what_stock_hears_has_the_time_at_which_it_was_told_and_the_document_that_of_the_decision(
    order_log: Any,
) -> None:
    order_log.append(r.OrderShipped(id="s", order_id="o1"), ms=order_log.start_ms + 1_000)
    asked = order_log.place()
    order_log.records[-1] = (order_log.records[-1][0], order_log.start_ms + 60_000)
    outcome = order_log.grant(asked)
    assert {x.time for x in order_log.sent(outcome, r.Shipped)} == {"2023-11-14T22:13:21.000Z"}
    assert order_log.document().time == order_log.document().decided_at == "2023-11-14T22:14:20.002Z"


# -- an order that comes to nothing ------------------------------------------------------------------------------------


def refused(log: Any) -> Outcome:
    log.place()
    log.refuse(A)
    return log.answer(r.Part(B, 1, "W1"))


def without_answers(log: Any) -> Outcome:
    log.place()
    return log.pass_time(660)[-1]


def cancelled(log: Any) -> Outcome:
    log.tell(r.CancelRequested)
    return log.place()


def of_too_many_lines(log: Any) -> Outcome:
    log.append(r.KitSet(id="k", kit="KIT", parts=[r.KitPart(f"P{n}", 1) for n in range(50)]))
    return log.place(("KIT", 1), *((f"Q{n}", 1) for n in range(r.LINES_MAX - 49)))


@pytest.mark.parametrize("ends", [refused, without_answers, cancelled, of_too_many_lines])
def test_stock_hears_what_left_of_an_order_that_comes_to_nothing_with_its_decision(order_log: Any, ends: Any) -> None:
    assert list(order_log.tell(r.OrderShipped, lines=[r.ShippedLine(A, 2, "W1")]).sends) == []
    assert heard(ends(order_log)) == [("Shipped", A, 2, 0, None)]
    row = order_log.order()
    assert row.late == (f"ship while {row.state}",)
    assert all(x.shipped == 0 for x in row.lines)


@pytest.mark.parametrize("told", [r.OrderShipped, r.OrderPicked])
def test_what_nobody_knows_the_place_of_is_noted_once_its_time_has_come(order_log: Any, told: type) -> None:
    line = r.ShippedLine(A, 1) if told is r.OrderShipped else r.PickedLine(A, 1)
    order_log.tell(told, "f1", lines=[line])
    (outcome,) = order_log.pass_time(660)
    assert list(outcome.sends) == []
    name = told.__struct_config__.tag
    assert order_log.order().late == (
        f"{name} f1: unknown_location: where did A of this order leave from? name the location",
    )


# -- an order that nobody places ---------------------------------------------------------------------------------------


def test_stock_hears_what_left_of_an_order_that_nobody_places_after_ten_minutes(order_log: Any) -> None:
    order_log.tell(r.OrderShipped, "s1", lines=[r.ShippedLine(A, 1, "W1")])
    order_log.pass_time(300)
    order_log.tell(r.OrderShipped, "s2", lines=[r.ShippedLine(B, 1, "W1")])
    assert order_log.pass_time(240) == [], "both wait as long as the first may"
    (outcome,) = order_log.pass_time(120)
    assert heard(outcome) == [("Shipped", A, 1, 0, None), ("Shipped", B, 1, 0, None)]
    row = order_log.order()
    assert (row.state, row.deadline_ms, row.late) == ("unplaced", 0, ("ship while unplaced",) * 2)
    assert not order_log.table.next_deadline
    order_log.tell(r.OrderShipped, "s3", lines=[r.ShippedLine(A, 1, "W1")])
    assert heard(order_log.pass_time(660)[-1]) == [("Shipped", A, 1, 0, None)], "one more waits anew"


def test_a_parcel_that_was_told_already_does_not_confirm_an_order_that_comes_later(order_log: Any) -> None:
    order_log.tell(r.OrderShipped, lines=[r.ShippedLine(A, 1, "W1")])
    order_log.pass_time(660)
    order_log.confirm(payment="pending")
    assert order_log.order().state == "on_hold"


def test_a_note_of_another_deadline_lets_nothing_go(order_log: Any) -> None:
    order_log.tell(r.OrderShipped, lines=[r.ShippedLine(A, 1, "W1")])
    before = order_log.rows()
    other = order_log.order().deadline_ms - 1
    assert order_log.tell(r.DeadlineReached, deadline_ms=other) == Outcome()
    assert order_log.rows() == before


def test_an_order_has_all_of_its_time_however_long_a_parcel_waited_for_it(order_log: Any) -> None:
    order_log.tell(r.OrderShipped)
    order_log.pass_time(540)
    order_log.place()
    order_log.pass_time(540)
    assert order_log.order().state == "pending"
    order_log.pass_time(120)
    assert order_log.order().state == "expired"


def test_before_the_first_tick_what_waits_counts_from_it(order_log: Any) -> None:
    order_log.state = replace(order_log.state, state_ms=0, first_ms=0)
    order_log.tell(r.OrderShipped, lines=[r.ShippedLine(A, 1, "W1")])
    assert order_log.order().deadline_ms == -600_000
    order_log.pass_time(60)
    assert heard(order_log.pass_time(600)[-1]) == [("Shipped", A, 1, 0, None)]


# -- on hold -----------------------------------------------------------------------------------------------------------


HELD_BY = [{"payment": "pending"}, {"checks": ["fraud"]}]


@pytest.mark.parametrize("held_by", HELD_BY)
@pytest.mark.parametrize("placed", [True, False])
def test_an_order_whose_parcel_came_before_the_answers_is_never_on_hold(
    order_log: Any, held_by: dict[str, Any], placed: bool
) -> None:
    asked = order_log.place(**held_by) if placed else None
    order_log.tell(r.OrderShipped)
    outcome = order_log.grant(asked or order_log.place(**held_by))
    assert commands(outcome) == ["Allocate", "Allocate", "Shipped", "Shipped"]
    assert (order_log.order().state, order_log.order().late) == ("shipped", ())


@pytest.mark.parametrize(("failed", "more"), [(r.PaymentFailed, {}), (r.CheckFailed, {"check": "fraud"})])
def test_a_payment_or_check_that_failed_rejects_an_order_whose_parcel_left(
    order_log: Any, failed: type, more: dict[str, str]
) -> None:
    order_log.tell(failed, **more)
    order_log.tell(r.OrderShipped)
    assert heard(order_log.confirm(payment="pending")) == [("Shipped", A, 2, 0, None), ("Shipped", B, 1, 0, None)]
    assert (order_log.order().state, order_log.order().late) == ("rejected", ("ship while rejected",))


@pytest.mark.parametrize("waits_for", HELD_BY)
def test_a_parcel_of_an_order_on_hold_confirms_it(order_log: Any, waits_for: dict[str, Any]) -> None:
    order_log.confirm(**waits_for)
    order_log.tell(r.OrderPicked)
    assert order_log.order().state == "on_hold", "what is only prepared waits"
    outcome = order_log.tell(r.OrderShipped, lines=[r.ShippedLine(A, 2)])
    assert order_log.decisions() == ["confirmed"]
    assert commands(outcome) == ["Allocate", "Allocate", "Picked", "Picked", "Shipped"]
    assert [(x.sku, x.open, x.shipped) for x in order_log.order().lines] == [(A, 0, 2), (B, 1, 0)]
    assert (order_log.order().state, order_log.document().status) == ("picked", "partially_shipped")
    assert (order_log.order().late, order_log.order().deadline_ms) == ((), 0)
    order_log.tell(r.PaymentCaptured)
    assert (order_log.order().payment, order_log.decisions()) == ("captured", ["confirmed"])


def test_what_was_cancelled_of_an_order_on_hold_is_given_back_before_its_parcel_counts(order_log: Any) -> None:
    order_log.confirm(payment="pending")
    order_log.tell(r.CancelRequested, lines=[r.CancelLine(A, 1)])
    outcome = order_log.tell(r.OrderShipped)
    assert commands(outcome) == ["Allocate", "Allocate", "Release", "Shipped", "Shipped"]
    assert [(x.sku, x.shipped, x.cancelled) for x in order_log.order().lines] == [(A, 1, 1), (B, 1, 0)]
    assert order_log.order().state == "shipped"


def test_what_is_prepared_for_an_order_on_hold_is_told_when_the_hold_expires(order_log: Any) -> None:
    order_log.confirm(payment="pending")
    ends = order_log.order().deadline_ms
    assert list(order_log.tell(r.OrderPicked, lines=[r.PickedLine(A, 2, "L1")]).sends) == []
    assert order_log.order().deadline_ms == ends
    outcome = order_log.pass_time(720)[-1]
    assert commands(outcome) == ["Release", "Release", "Picked"]
    assert order_log.order().late == ("pick while expired",)


# -- a carrier's word before the parcel -------------------------------------------------------------------------------


def parcels(log: Any) -> dict[str, str]:
    return {number: status for x in log.order().fulfilments for number, status in x.tracking}


def test_a_carrier_s_word_of_a_parcel_that_nobody_told_of_waits_for_it(order_log: Any) -> None:
    order_log.confirm()
    told = order_log.tell(r.TrackingUpdated, tracking="T2", status="delivered")
    assert (list(told.sends), order_log.order().late, order_log.order().deadline_ms) == ([], (), 0)
    order_log.tell(r.OrderShipped, tracking="T1", lines=[r.ShippedLine(A, 2)])
    assert parcels(order_log) == {"T1": "pre_transit"}
    order_log.tell(r.TrackingUpdated, tracking="T1", status="delivered")
    order_log.tell(r.OrderShipped, tracking="T2")
    assert parcels(order_log) == {"T1": "delivered", "T2": "delivered"}
    assert (order_log.order().state, order_log.order().late) == ("delivered", ())


def test_the_carrier_s_words_are_taken_in_their_order(order_log: Any) -> None:
    order_log.tell(r.TrackingUpdated, tracking="T1", status="failure")
    order_log.tell(r.OrderShipped, tracking="T1")
    order_log.tell(r.TrackingUpdated, tracking="T1", status="out_for_delivery")
    order_log.confirm()
    assert parcels(order_log) == {"T1": "out_for_delivery"}


def test_a_word_of_a_parcel_that_never_comes_is_noted_once_everything_has_left(order_log: Any) -> None:
    order_log.confirm()
    order_log.tell(r.TrackingUpdated, tracking="T9", status="in_transit")
    order_log.tell(r.OrderPicked)
    assert order_log.order().late == ()
    order_log.tell(r.OrderShipped, tracking="T1")
    assert (order_log.order().late, parcels(order_log)) == (("tracking T9 while shipped",), {"T1": "pre_transit"})


def test_a_word_of_a_parcel_that_never_comes_is_noted_once_the_order_is_cancelled(order_log: Any) -> None:
    order_log.confirm()
    order_log.tell(r.TrackingUpdated, tracking="T9", status="in_transit")
    order_log.tell(r.CancelRequested)
    assert order_log.order().late == ("tracking T9 while cancelled",)


def test_a_word_that_waits_counts_among_the_lines_that_facts_may_name_until_it_is_taken(
    order_log: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_log.confirm((A, 9))
    monkeypatch.setattr(orders, "LINES_TOLD_MAX", 3)
    word = {"tracking": "T1", "status": "in_transit"}
    assert [order_log.tell(r.TrackingUpdated, **word).dead != "" for _ in range(4)] == [False, False, False, True]
    monkeypatch.setattr(orders, "LINES_TOLD_MAX", 5)
    order_log.tell(r.OrderShipped, tracking="T1", lines=[r.ShippedLine(A, 1)])
    assert [order_log.tell(r.OrderPacked, cartons=[c]).dead != "" for c in "abcd"] == [False, False, False, True]


# -- with edits, backorders, bounds, older rules -----------------------------------------------------------------------


def test_an_edit_told_before_the_decision_comes_before_the_goods_and_one_that_must_ask_comes_too_late(
    order_log: Any, new_order_log: Any
) -> None:
    order_log.place()
    order_log.tell(r.OrderEdited, "less", lines=[r.EditLine(A, 1)])
    order_log.tell(r.OrderShipped)
    order_log.answer(r.Part(A, 2, "W1"))
    assert heard(order_log.answer(r.Part(B, 1, "W1"))) == [("Shipped", A, 1, 1, None), ("Shipped", B, 1, 1, None)]
    more = new_order_log()
    more.place()
    more.tell(r.OrderEdited, "more", lines=[r.EditLine(A, 5)])
    more.tell(r.OrderPicked)
    more.answer(r.Part(A, 2, "W1"))
    outcome = more.answer(r.Part(B, 1, "W1"))
    assert [type(x.record).__name__ for x in outcome.sends if x.topic == WAREHOUSE] == [
        "Allocate", "Allocate", "Reserve", "Picked", "Picked", "Release",
    ]  # fmt: skip
    assert more.order().late == ("edit more refused: picked",)
    assert (more.order().state, more.order().edit) == ("picked", None)


def test_a_parcel_with_units_that_wait_for_stock_leaves_none_of_them_waiting(order_log: Any) -> None:
    order_log.tell(r.OrderShipped, lines=[r.ShippedLine(A, 3)])
    order_log.place((A, 3), policy="backorder")
    outcome = order_log.answer(r.Part(A, 1, "W1"), r.Part(A, 2, "W1", backordered=True))
    assert commands(outcome) == ["Allocate", "Shipped", "Release"], "stock holds nothing for it any more"
    assert order_log.order().state == "shipped"


def test_lines_and_cartons_that_wait_count_among_those_that_facts_may_name(
    order_log: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orders, "LINES_TOLD_MAX", 4)
    order_log.tell(r.OrderPacked, cartons=["C1", "C2"])
    order_log.tell(r.OrderShipped)
    before = order_log.rows()
    two = [r.ShippedLine(A, 1), r.ShippedLine(B, 1)]
    assert order_log.tell(r.OrderShipped, lines=two).dead == "too_many_lines: facts of an order name at most 4"
    assert order_log.rows() == before
    assert order_log.tell(r.OrderShipped, lines=two[:1]).dead == ""


def test_what_names_too_many_lines_once_its_kits_are_known_is_noted(
    order_log: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_log.append(r.KitSet(id="k", kit="KIT", parts=[r.KitPart(A, 1), r.KitPart(B, 1)]))
    order_log.tell(r.OrderShipped, "kits", lines=[r.ShippedLine("KIT", 1)])
    monkeypatch.setattr(orders, "LINES_TOLD_MAX", 1)
    assert heard(order_log.confirm(("KIT", 1))) == []
    assert order_log.order().late == ("order_shipped kits: too_many_lines: facts of an order name at most 1",)
    assert [x.shipped for x in order_log.order().lines] == [0, 0]


@pytest.mark.parametrize("rules", [RULES - 1, RULES, LOGIC_VERSION])
def test_in_a_log_of_older_rules_stock_hears_at_once_and_the_order_owes_its_units(order_log: Any, rules: int) -> None:
    order_log.state = replace(order_log.state, logic_version=rules)
    at_once = heard(order_log.tell(r.OrderShipped, lines=[r.ShippedLine(A, 2, "W1")]))
    order_log.confirm((A, 2))
    if rules < RULES:
        assert at_once == [("Shipped", A, 2, 0, None)]
        assert (order_log.order().state, order_log.order().late) == ("confirmed", ("ship while unplaced",))
    else:
        assert (at_once, order_log.order().state) == ([], "shipped")
