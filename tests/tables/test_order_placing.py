"""Placing an order, and what comes again, at the edges.

Each of these was once broken in a copy of the code, and no test failed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tables import orders
from tables import records as r
from tables.codec import instant
from tables.order_states import TRANSITIONS
from tables.outcome import ALERTS
from tables.rows import KitLine

# (state, what happens) -> state, as docs/domain.md tells it: written down again, so that the table cannot change alone.
LIFE = """
unplaced: place pending
pending: grant confirmed, wait on_hold, refuse rejected, cancel rejected, expire expired
on_hold: grant confirmed, refuse rejected, cancel rejected, expire expired
expired: late_payment paid_unallocated
confirmed: pick picked, pack packed, ship shipped, cancel cancelled
picked: pack packed, ship shipped, cancel cancelled, back confirmed
packed: ship shipped, cancel cancelled, back confirmed
shipped: deliver delivered, return returned
delivered: return returned
"""


def test_an_order_lives_as_it_is_told() -> None:
    told = {}
    for line in LIFE.strip().splitlines():
        state, _, moves = line.partition(": ")
        told |= {(state, event): after for event, after in (move.split() for move in moves.split(", "))}
    assert told == TRANSITIONS


# -- placing -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "utc"),
    [
        ("2023-11-14T09:30:00Z", "2023-11-14T09:30:00Z"),
        ("2023-11-14T09:30:00.5Z", "2023-11-14T09:30:00.5Z"),  # UTC already: word for word
        ("2023-11-14T09:30:00+02:00", "2023-11-14T07:30:00Z"),
        ("2023-11-14T23:30:00-05:00", "2023-11-15T04:30:00Z"),
        ("2023-02-30T09:30:00Z", ""),
        ("0001-01-01T00:00:00+14:00", ""),
        (None, ""),
    ],
)
def test_their_time_is_kept_in_utc_and_a_day_that_no_calendar_has_is_none(
    order_log: Any, told: str | None, utc: str
) -> None:
    outcome = order_log.confirm(occurred_at=told)
    assert order_log.document().occurred_at == utc
    assert [x.occurred_at for x in order_log.sent(outcome, r.OrderDecided)] == [utc]


def test_an_order_may_be_of_as_many_skus_as_a_command_names(order_log: Any) -> None:
    outcome = order_log.place(*((f"S{n}", 1) for n in range(r.LINES_MAX)))
    assert order_log.order().state == "pending"
    assert sum(len(x.lines) for x in order_log.sent(outcome, r.Reserve)) == r.LINES_MAX


def test_an_order_that_was_refused_for_its_many_skus_keeps_and_names_none_of_them(order_log: Any) -> None:
    """As many lines as an order may have, one of them a kit of two SKUs."""
    order_log.append(r.KitSet(id="k", kit="BOX", parts=[r.KitPart("A", 1), r.KitPart("B", 1)]))
    outcome = order_log.place(("BOX", 1), *((f"S{n}", 1) for n in range(r.LINES_MAX - 1)))
    (told,) = [x.record for x in outcome.sends]
    assert (told.status, told.reason, told.lines) == ("rejected", "too_many_lines", [])
    assert (order_log.order().lines, order_log.document().lines) == ((), [])


def test_a_kit_that_an_order_names_twice_is_that_kit_as_often_as_both_say(order_log: Any) -> None:
    order_log.append(r.KitSet(id="k", kit="BOX", parts=[r.KitPart("A", 2), r.KitPart("B", 1)]))
    order_log.confirm(("BOX", 1), ("A", 1), ("BOX", 2))
    assert order_log.document().kits == {"BOX": 3}
    assert order_log.order().kits == (KitLine("BOX", 3, (("A", 2), ("B", 1)), 3),)
    assert [(x.sku, x.quantity) for x in order_log.order().lines] == [("A", 7), ("B", 3)]


def test_an_order_that_waits_its_turns_has_given_everything_back_and_is_kept_so(order_log: Any) -> None:
    order_log.place()
    order_log.answer(r.Part("A", 2, "W1"), could=[0b11])
    outcome = order_log.answer(refused=[r.Refusal("B", 1, "contended", 0)])
    assert [(x.attempt, x.lines) for x in order_log.sent(outcome, r.Release)] == [(1, [])]
    row = order_log.order()
    assert (row.state, row.granted, row.could) == ("pending", (), ())
    assert [(x.sku, x.quantity, x.location) for x in row.lines] == [("A", 2, ""), ("B", 1, "")]
    assert order_log.is_kept_as_it_is()


@pytest.fixture
def in_chicago(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The machine's own time zone."""
    monkeypatch.setenv("TZ", "America/Chicago")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("in_chicago")
def test_their_time_is_kept_in_utc_wherever_the_worker_stands(order_log: Any) -> None:
    order_log.confirm(occurred_at="2023-11-14T23:30:00-05:00")
    assert order_log.document().occurred_at == "2023-11-15T04:30:00Z"


def test_a_part_that_a_kit_names_twice_counts_twice(order_log: Any) -> None:
    parts = [r.KitPart("A", 1), r.KitPart("B", 1), r.KitPart("A", 2)]
    order_log.append(r.KitSet(id="k", kit="BOX", parts=parts))
    asked = order_log.sent(order_log.place(("BOX", 2)), r.Reserve)
    assert sorted((x.sku, x.quantity) for command in asked for x in command.lines) == [("A", 6), ("B", 2)]


def test_what_a_kit_is_made_of_now_is_not_undone_by_an_older_word_that_is_delivered_again(order_log: Any) -> None:
    order_log.append(r.KitSet(id="old", kit="BOX", parts=[r.KitPart("A", 2)]))
    place = order_log.end
    order_log.append(r.KitSet(id="new", kit="BOX", parts=[r.KitPart("B", 3)]))
    order_log.deliver(place)
    (asked,) = order_log.sent(order_log.place(("BOX", 1)), r.Reserve)
    assert [(x.sku, x.quantity) for x in asked.lines] == [("B", 3)]


def test_an_order_that_was_paid_too_late_is_alerted_with_all_its_units(order_log: Any) -> None:
    order_log.place(payment="pending")
    order_log.append(r.Tick(id="t", now_ms=order_log.start_ms + 30_000))
    order_log.append(r.DeadlineReached(id="d", order_id="o1", deadline_ms=order_log.order().deadline_ms))
    assert order_log.order().state == "expired"
    outcome = order_log.tell(r.PaymentCaptured)
    (alert,) = [x.record for x in outcome.sends if x.topic == ALERTS]
    assert (alert.id, alert.kind, alert.order_id, alert.units) == ("o1:paid_unallocated", "paid_unallocated", "o1", 3)
    assert alert.version == (order_log.state.log_id, order_log.end, 0)
    assert alert.time == instant(order_log.records[-1][1]), "of the record that told of the money"
    assert (alert.sku, alert.location, alert.lot, alert.note) == ("A", "", "", "")
    assert (alert.available, alert.shortage, alert.reorder_point) == (0, 0, 0), "it tells of an order, not of a shelf"
    assert order_log.document().payment_wanted == "refund"


def test_authorized_money_is_wanted_even_when_the_parcel_has_arrived(order_log: Any) -> None:
    order_log.confirm(payment="authorized")
    order_log.tell(r.OrderShipped)
    order_log.tell(r.OrderDelivered)
    assert (order_log.order().state, order_log.document().payment_wanted) == ("delivered", "capture")


@pytest.mark.parametrize("taken", [[], [r.PaymentRefunded], [r.PaymentRefunded, r.PaymentRefunded]], ids=len)
def test_money_that_was_taken_cannot_be_voided_whatever_went_back_of_it(order_log: Any, taken: list[type]) -> None:
    order_log.confirm()
    for n, kind in enumerate(taken):
        order_log.tell(kind, partial=n == 0)
    before = order_log.order()
    assert before.payment == ("captured", "partially_refunded", "refunded")[len(taken)]
    order_log.tell(r.PaymentVoided)
    assert (order_log.order().payment, order_log.order().state) == (before.payment, before.state)
    assert order_log.order().late == (f"payment_voided while {before.state}",)


@pytest.mark.parametrize("word", [r.PaymentFailed, r.PaymentVoided])
@pytest.mark.parametrize("partial", [True, None])
def test_an_order_on_hold_whose_money_was_taken_is_not_lost_by_a_word_that_comes_late(
    order_log: Any, word: type, partial: bool | None
) -> None:
    order_log.confirm(payment="pending", checks=["fraud"])
    order_log.tell(r.PaymentCaptured)
    if partial:
        order_log.tell(r.PaymentRefunded, partial=True)
    before = order_log.order()
    assert before.payment == ("partially_refunded" if partial else "captured")
    order_log.tell(word)
    after = order_log.order()
    assert (after.payment, after.state, len(after.late)) == (before.payment, "on_hold", 1)


def test_a_capture_told_again_after_a_refund_of_a_part_does_not_undo_it(order_log: Any) -> None:
    order_log.confirm()
    order_log.tell(r.PaymentRefunded, partial=True)
    order_log.tell(r.PaymentCaptured)
    assert order_log.order().payment == "partially_refunded"


def test_money_that_all_went_back_is_neither_said_to_have_failed_nor_to_be_there_in_part(order_log: Any) -> None:
    """The words of the bank overtake each other before stock has answered."""
    order_log.place()
    order_log.tell(r.PaymentRefunded)
    order_log.tell(r.PaymentFailed)
    order_log.tell(r.PaymentRefunded, partial=True)
    row = order_log.order()
    assert (row.state, row.payment, row.late) == ("pending", "refunded", ("payment_failed while pending",))
    order_log.answer(r.Part("A", 2, "W1"))
    (told,) = order_log.sent(order_log.answer(r.Part("B", 1, "W1")), r.OrderDecided)
    assert (told.status, told.reason) == ("rejected", "payment_refunded")
    assert order_log.document().payment_wanted == ""


# -- what comes again --------------------------------------------------------------------------------------------------


def test_a_fact_whose_id_was_used_otherwise_is_a_dead_letter_each_time_it_is_delivered(order_log: Any) -> None:
    order_log.confirm()
    order_log.tell(r.OrderShipped, "f1", lines=[r.ShippedLine("A", 1)])
    before = order_log.rows()
    first = order_log.tell(r.OrderShipped, "f1", lines=[r.ShippedLine("A", 2)])
    again = order_log.end
    order_log.tell(r.OrderPacked, "f2")
    assert first.dead.startswith("id_conflict")
    assert order_log.deliver(again).dead == first.dead
    assert before.keys() == order_log.rows().keys()


def test_facts_of_an_order_name_as_many_lines_as_they_may_and_no_more(
    order_log: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_log.confirm(("A", 9))
    monkeypatch.setattr(orders, "LINES_TOLD_MAX", 2)
    one = {"lines": [r.PickedLine("A", 1)]}
    assert [order_log.tell(r.OrderPicked, **one).dead for _ in range(2)] == ["", ""]
    before = order_log.rows()
    assert order_log.tell(r.OrderPicked, **one).dead == "too_many_lines: facts of an order name at most 2"
    assert order_log.rows() == before
    refused = order_log.end
    assert order_log.tell(r.OrderPacked).dead == ""
    before = order_log.rows()
    assert order_log.deliver(refused).dead == "not_applied: this order did not take this fact when it came first"
    assert order_log.rows() == before


def test_numbers_of_parcels_count_among_the_lines_that_facts_of_an_order_may_name(
    order_log: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_log.confirm(("A", 9))
    monkeypatch.setattr(orders, "LINES_TOLD_MAX", 3)
    assert order_log.tell(r.OrderPacked, cartons=["c1", "c2", "c3"]).dead == ""
    before = order_log.rows()
    assert order_log.tell(r.OrderPacked, cartons=["c4"]).dead == "too_many_lines: facts of an order name at most 3"
    assert order_log.rows() == before


def test_what_an_order_asked_for_when_it_was_placed_is_asked_again_whatever_an_edit_added(order_log: Any) -> None:
    asked = order_log.place()
    placed = order_log.end
    order_log.grant(asked)
    order_log.grant(order_log.tell(r.OrderEdited, lines=[r.EditLine("A", 5)]))
    assert order_log.lines() == [("A", 2, "W1"), ("B", 1, "W1"), ("A", 3, "W1")]
    assert order_log.deliver(placed).sends == asked.sends


def test_units_cancelled_before_the_grant_count_once_among_the_lines_that_facts_of_an_order_may_name(
    order_log: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_log.place(("A", 5))
    order_log.tell(r.CancelRequested, lines=[r.CancelLine("A", 2)])
    order_log.answer(r.Part("A", 5, "W1"))
    monkeypatch.setattr(orders, "LINES_TOLD_MAX", 2)
    assert order_log.tell(r.OrderPicked, lines=[r.PickedLine("A", 1)]).dead == ""


def test_a_parcel_s_tracking_number_counts_among_the_lines_that_facts_of_an_order_may_name(
    order_log: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two cartons and two lines of units are within the limit, the number of the second parcel is not."""
    order_log.confirm(("A", 9))
    monkeypatch.setattr(orders, "LINES_TOLD_MAX", 4)
    order_log.tell(r.OrderPacked, cartons=["c1", "c2"])
    order_log.tell(r.OrderShipped, lines=[r.ShippedLine("A", 1)], tracking="T1")
    before = order_log.rows()
    outcome = order_log.tell(r.OrderShipped, lines=[r.ShippedLine("A", 1)], tracking="T2")
    assert outcome.dead == "too_many_lines: facts of an order name at most 4"
    assert order_log.rows() == before


def test_a_note_of_what_came_too_late_counts_among_the_lines_that_facts_of_an_order_may_name(
    order_log: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_log.confirm(("A", 9))
    monkeypatch.setattr(orders, "LINES_TOLD_MAX", 2)
    assert [order_log.tell(r.CheckOpened, check=f"c{n}").dead for n in range(2)] == ["", ""]
    before = order_log.rows()
    assert order_log.tell(r.CheckOpened, check="c2").dead == "too_many_lines: facts of an order name at most 2"
    assert order_log.rows() == before
