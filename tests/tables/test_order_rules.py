"""Rules of the order log at their edges: each of these was once broken in a copy of the code, and no test failed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from msgspec.structs import asdict, replace

from tables import log as log_rules
from tables import orders
from tables import records as r
from tables.codec import instant
from tables.murmur2 import partition_of_sku
from tables.order_states import TRANSITIONS, check_lines
from tables.outcome import ALERTS, ORDERS, WAREHOUSE, InvariantBroken, Outcome, place_of
from tables.pruning import DELETED_KEEP_MS
from tables.rows import KitLine, OrderLine, decode, encode, order_key

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


def sent(outcome: Outcome, kind: type) -> list[Any]:
    return [x.record for x in outcome.sends if isinstance(x.record, kind)]


def held_and_waiting(log: Any, held: int, waiting: int) -> None:
    """An order of A: so many units lie at W1, so many wait for stock there."""
    log.place(("A", held + waiting), policy="backorder")
    log.answer(*[x for x in (r.Part("A", held, "W1"), r.Part("A", waiting, "W1", True)) if x.quantity])
    assert log.order().state == "confirmed"


def fill(log: Any, *, waiting: int, place: int, location: str = "W1", heard: int = 0) -> Outcome:
    """Stock filled one A; so many wait there still, when it had heard of so many of the order's commands."""
    return log.tell(
        r.BackorderFilled, attempt=1, partition=partition_of_sku("A", 4), sku="A", location=location, quantity=1,
        waiting=waiting, heard=heard, place=place,
    )  # fmt: skip


def kept_as_it_is(log: Any) -> bool:
    """Whoever reads the order's row from the store gets what was written there."""
    return decode(order_key("o1"), encode(log.order())) == log.order()


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
    assert [x.occurred_at for x in sent(outcome, r.OrderDecided)] == [utc]


def test_an_order_may_be_of_as_many_skus_as_a_command_names(order_log: Any) -> None:
    outcome = order_log.place(*((f"S{n}", 1) for n in range(r.LINES_MAX)))
    assert order_log.order().state == "pending"
    assert sum(len(x.lines) for x in sent(outcome, r.Reserve)) == r.LINES_MAX


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
    assert [(x.attempt, x.lines) for x in sent(outcome, r.Release)] == [(1, [])]
    row = order_log.order()
    assert (row.state, row.granted, row.could) == ("pending", (), ())
    assert [(x.sku, x.quantity, x.location) for x in row.lines] == [("A", 2, ""), ("B", 1, "")]
    assert kept_as_it_is(order_log)


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
    asked = sent(order_log.place(("BOX", 2)), r.Reserve)
    assert sorted((x.sku, x.quantity) for command in asked for x in command.lines) == [("A", 6), ("B", 2)]


def test_what_a_kit_is_made_of_now_is_not_undone_by_an_older_word_that_is_delivered_again(order_log: Any) -> None:
    order_log.append(r.KitSet(id="old", kit="BOX", parts=[r.KitPart("A", 2)]))
    place = order_log.end
    order_log.append(r.KitSet(id="new", kit="BOX", parts=[r.KitPart("B", 3)]))
    order_log.deliver(place)
    (asked,) = sent(order_log.place(("BOX", 1)), r.Reserve)
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
    (told,) = sent(order_log.answer(r.Part("B", 1, "W1")), r.OrderDecided)
    assert (told.status, told.reason) == ("rejected", "payment_refunded")
    assert order_log.document().payment_wanted == ""


# -- the document and the lines ----------------------------------------------------------------------------------------


def test_a_document_is_of_the_time_at_which_the_last_thing_happened_to_its_order(order_log: Any) -> None:
    order_log.confirm()
    order_log.append(r.OrderShipped(id="s", order_id="o1"), ms=order_log.start_ms + 60_000)
    assert order_log.document().time == "2023-11-14T22:14:20.000Z"


def test_a_document_of_an_order_that_is_not_placed_yet_is_of_no_time(order_log: Any) -> None:
    """Its money was told before it came."""
    order_log.tell(r.PaymentCaptured)
    document = order_log.document()
    assert (document.status, document.time, document.decided_at) == ("unplaced", "", "")


def test_an_order_that_nobody_decided_was_decided_at_no_time_and_its_money_is_not_wanted_yet(order_log: Any) -> None:
    order_log.place(payment="authorized", checks=["fraud"])
    assert (order_log.document().decided_at, order_log.document().payment_wanted) == ("", "")
    for sku, quantity in (("A", 2), ("B", 1)):
        order_log.answer(r.Part(sku, quantity, "W1"))
    assert order_log.order().state == "on_hold"
    assert (order_log.document().decided_at, order_log.document().payment_wanted) == ("", "")
    order_log.tell(r.CheckPassed, check="fraud")
    assert order_log.document().decided_at == "2023-11-14T22:13:20.004Z"
    assert order_log.document().payment_wanted == "capture"


def line(quantity: int, *, shipped: int = 0, cancelled: int = 0, returned: int = 0, back: int = 0) -> OrderLine:
    return OrderLine("A", quantity, "W1", shipped, cancelled, returned, back, "", 1)


@pytest.mark.parametrize(
    "kept",
    [
        line(5, back=5), line(5, shipped=2, cancelled=1, returned=2, back=2), line(5, shipped=5, returned=5),
        line(5, cancelled=5), line(0), line(-3),
    ],
    ids=str,
)  # fmt: skip
def test_a_line_that_adds_up_is_kept(order_log: Any, kept: OrderLine) -> None:
    order_log.confirm()
    check_lines(replace(order_log.order(), lines=(kept, kept)))


@pytest.mark.parametrize(
    "broken",
    [
        line(5, back=6), line(5, back=-1), line(5, shipped=2, back=4), line(5, cancelled=2, back=4),
        line(5, shipped=6), line(5, cancelled=6), line(5, cancelled=-1), line(5, shipped=1, returned=2),
        line(5, returned=-1), line(-3, shipped=1), line(-3, cancelled=1), line(-3, back=1), line(0, shipped=1),
        line(1, returned=1),
    ],
    ids=str,
)  # fmt: skip
def test_a_line_that_does_not_add_up_halts_its_partition(order_log: Any, broken: OrderLine) -> None:
    order_log.confirm()
    with pytest.raises(InvariantBroken, match=r"^order o1: a line does not add up: OrderLine"):
        check_lines(replace(order_log.order(), lines=(line(5), line(-3), broken)))


def test_an_order_that_was_paid_too_late_and_leaves_all_the_same_is_told_to_stock(order_log: Any) -> None:
    """Its alert is not said again, and does not stand in the way of what is said now."""
    order_log.place(payment="pending")
    order_log.append(r.DeadlineReached(id="d", order_id="o1", deadline_ms=order_log.order().deadline_ms))
    order_log.tell(r.PaymentCaptured)
    assert order_log.order().state == "paid_unallocated"
    outcome = order_log.tell(r.OrderShipped)
    assert [(x.sku, x.quantity) for x in sent(outcome, r.Shipped)] == [("A", 2), ("B", 1)]
    assert [x for x in outcome.sends if x.topic == ALERTS] == []


def test_a_part_that_makes_no_whole_kit_is_given_up_and_promised_for_no_day(order_log: Any) -> None:
    order_log.append(r.KitSet(id="k", kit="BOX", parts=[r.KitPart("A", 1), r.KitPart("B", 1)]))
    order_log.place(("BOX", 2), policy="ship_available")
    order_log.answer(r.Part("A", 2, "W1"))
    order_log.answer(r.Part("B", 1, "W1"), refused=[r.Refusal("B", 1, "insufficient", 1)])
    assert [(x.sku, x.location, x.allocated, x.cancelled, x.due) for x in order_log.document().lines] == [
        ("A", "W1", 1, 0, ""), ("A", "", 0, 1, ""), ("B", "W1", 1, 0, ""), ("B", "", 0, 1, "")
    ]  # fmt: skip


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


# -- picking -----------------------------------------------------------------------------------------------------------


def test_a_pick_that_names_no_lines_is_of_all_that_is_held_by_whoever_holds_it(order_log: Any) -> None:
    """Two by the first attempt, one by the edit that asked for more."""
    order_log.confirm(("A", 2))
    order_log.tell(r.OrderEdited, lines=[r.Line("A", 3)])
    order_log.answer(r.Part("A", 1, "W1"), attempt=2)
    outcome = order_log.tell(r.OrderPicked)
    assert [(x.sku, x.quantity, x.location, x.attempt) for x in sent(outcome, r.Picked)] == [
        ("A", 2, "W1", 1), ("A", 1, "W1", 2)
    ]  # fmt: skip


@pytest.mark.parametrize("waiting", ["A", "B"])
def test_an_order_is_not_picked_while_a_unit_of_it_waits_at_the_same_place(order_log: Any, waiting: str) -> None:
    order_log.place(("A", 1), ("B", 1), policy="backorder")
    for sku in ("A", "B"):
        order_log.answer(r.Part(sku, 1, "W1", sku == waiting))
    order_log.tell(r.OrderPicked)
    assert (order_log.order().state, order_log.order().fulfilments[0].state) == ("confirmed", "picked")


def test_what_a_pick_did_not_find_is_missing_where_it_was_still_to_be_picked(order_log: Any) -> None:
    """One of two was found, at the first of two places: the other one is missing at the second."""
    order_log.place(("A", 2))
    order_log.answer(r.Part("A", 1, "W1"), r.Part("A", 1, "W2"))
    outcome = order_log.tell(r.OrderPicked, lines=[r.PickedLine("A", 1, short=1)])
    assert [(x.location, x.quantity, x.short, x.lot) for x in sent(outcome, r.Picked)] == [
        ("W1", 1, 0, None), ("W2", 0, 1, None)
    ]  # fmt: skip


def test_a_pick_of_what_is_packed_already_is_late_and_stock_hears_of_it(order_log: Any) -> None:
    order_log.confirm(("A", 2))
    order_log.tell(r.OrderPacked)
    before = order_log.order()
    outcome = order_log.tell(r.OrderPicked, lines=[r.PickedLine("A", 1, "L1")])
    assert [(x.quantity, x.lot) for x in sent(outcome, r.Picked)] == [(1, "L1")]
    after = order_log.order()
    assert after.late == ("pick while packed",)
    assert (after.state, after.lines, after.fulfilments) == (before.state, before.lines, before.fulfilments)


@pytest.mark.parametrize("reached", [r.OrderPicked, r.OrderPacked])
def test_a_place_that_was_done_picks_again_once_stock_came_for_units_that_waited_there(
    order_log: Any, reached: type
) -> None:
    held_and_waiting(order_log, held=2, waiting=1)
    order_log.tell(reached)
    assert order_log.order().fulfilments[0].state == reached.__name__.removeprefix("Order").lower()
    fill(order_log, waiting=0, place=9)
    assert [(x.open, x.back) for x in order_log.order().lines] == [(2, 0), (1, 0)]
    assert [(x.location, x.state) for x in order_log.order().fulfilments] == [("W1", "confirmed")]


def picks(outcome: Outcome) -> list[tuple[str, int]]:
    """Location and units of each pick that stock is told of."""
    return [(x.location, x.quantity) for x in sent(outcome, r.Picked)]


@pytest.mark.parametrize("gone", [0, 1, 2])
def test_once_stock_came_only_units_that_were_not_picked_there_before_are_picked(order_log: Any, gone: int) -> None:
    held_and_waiting(order_log, held=2, waiting=1)
    assert picks(order_log.tell(r.OrderPicked)) == [("W1", 2)]
    if gone:
        order_log.tell(r.OrderShipped, lines=[r.ShippedLine("A", gone)])
    fill(order_log, waiting=0, place=9)
    assert picks(order_log.tell(r.OrderPicked)) == [("W1", 1)]
    assert order_log.order().fulfilments[0].state == "picked"
    assert picks(order_log.tell(r.OrderPicked)) == []


def test_of_a_place_of_which_a_part_was_picked_by_name_the_rest_is_picked_once_stock_came(order_log: Any) -> None:
    held_and_waiting(order_log, held=4, waiting=1)
    for _ in range(2):
        order_log.tell(r.OrderPicked, lines=[r.PickedLine("A", 1)])
    fill(order_log, waiting=0, place=9)
    assert picks(order_log.tell(r.OrderPicked)) == [("W1", 2), ("W1", 1)]


def test_a_unit_that_was_picked_before_its_stock_came_is_not_picked_again_and_its_place_is_done(order_log: Any) -> None:
    """People took three where the books had two."""
    held_and_waiting(order_log, held=2, waiting=1)
    order_log.tell(r.OrderPicked, lines=[r.PickedLine("A", 3)])
    fill(order_log, waiting=0, place=9)
    assert order_log.order().fulfilments[0].state == "confirmed"
    assert picks(order_log.tell(r.OrderPicked)) == []
    assert (order_log.order().fulfilments[0].state, order_log.order().late) == ("picked", ())


def test_what_was_picked_at_one_place_says_nothing_of_the_same_sku_at_another(order_log: Any) -> None:
    order_log.place(("A", 4), policy="backorder")
    order_log.answer(r.Part("A", 1, "W1"), r.Part("A", 1, "W1", True), r.Part("A", 2, "W2"))
    assert picks(order_log.tell(r.OrderPicked, location="W1")) == [("W1", 1)]
    fill(order_log, waiting=0, place=9)
    assert picks(order_log.tell(r.OrderPicked)) == [("W1", 1), ("W2", 2)]


def test_units_that_left_without_a_pick_do_not_count_as_picked(order_log: Any) -> None:
    held_and_waiting(order_log, held=2, waiting=2)
    order_log.tell(r.OrderShipped, lines=[r.ShippedLine("A", 2)])
    fill(order_log, waiting=1, place=9)
    assert picks(order_log.tell(r.OrderPicked)) == [("W1", 1)]


def test_stock_that_came_for_a_unit_that_had_left_without_it_gives_its_place_nothing_to_pick(order_log: Any) -> None:
    """Three A wait, and B is picked; one A leaves all the same, before the order hears that one had come."""
    order_log.place(("A", 3), ("B", 1), policy="backorder")
    order_log.answer(r.Part("A", 3, "W1", True))
    order_log.answer(r.Part("B", 1, "W1"))
    order_log.tell(r.OrderPicked)
    order_log.tell(r.OrderShipped, lines=[r.ShippedLine("A", 1)])
    fill(order_log, waiting=2, place=9)
    assert [(x.sku, x.open, x.back) for x in order_log.order().lines] == [("A", 2, 2), ("B", 1, 0)]
    assert [(x.location, x.state) for x in order_log.order().fulfilments] == [("W1", "picked")]


# -- parcels -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lines", [[(4,), (3,)], [(3,), (4,)], [(7,)]], ids=str)
def test_units_in_a_parcel_beyond_what_was_ordered_leave_the_stock_and_not_the_order(
    order_log: Any, lines: list[tuple[int]]
) -> None:
    """Five were ordered, of which three wait; seven are said to have left."""
    held_and_waiting(order_log, held=2, waiting=3)
    outcome = order_log.tell(r.OrderShipped, lines=[r.ShippedLine("A", n) for (n,) in lines])
    assert sum(x.quantity for x in sent(outcome, r.Shipped)) == 7
    assert sum(x.shipped for x in order_log.order().lines) == 5
    assert order_log.order().state == "shipped"


def test_a_parcel_takes_what_lies_there_and_then_what_waits_of_one_and_the_same_line(order_log: Any) -> None:
    """Three waited, one of them came since."""
    held_and_waiting(order_log, held=0, waiting=3)
    order_log.tell(
        r.BackorderFilled, attempt=1, partition=partition_of_sku("A", 4), sku="A", location="W1", quantity=1, waiting=2,
        heard=0, place=9,
    )  # fmt: skip
    assert [(x.open, x.back) for x in order_log.order().lines] == [(3, 2)]
    order_log.tell(r.OrderShipped, lines=[r.ShippedLine("A", 3)])
    assert [(x.open, x.back, x.shipped) for x in order_log.order().lines] == [(0, 0, 3)]
    assert order_log.order().state == "shipped"


def test_a_parcel_of_all_that_lies_there_may_be_as_large_as_a_fact_may_be(order_log: Any) -> None:
    order_log.confirm(("A", r.QUANTITY_MAX))
    outcome = order_log.tell(r.OrderShipped)
    assert [x.quantity for x in sent(outcome, r.Shipped)] == [r.QUANTITY_MAX]
    assert order_log.order().state == "shipped"


def test_a_parcel_of_named_lines_may_be_as_large_as_a_fact_may_be(order_log: Any) -> None:
    order_log.confirm(("A", r.QUANTITY_MAX))
    outcome = order_log.tell(r.OrderShipped, lines=[r.ShippedLine("A", r.QUANTITY_MAX)])
    assert outcome.dead == ""
    assert [x.quantity for x in sent(outcome, r.Shipped)] == [r.QUANTITY_MAX]
    assert order_log.order().state == "shipped"


def test_a_parcel_that_one_place_can_fill_is_told_of_that_place_alone(order_log: Any) -> None:
    order_log.place(("A", 5))
    order_log.answer(r.Part("A", 2, "W1"), r.Part("A", 3, "W2"))
    outcome = order_log.tell(r.OrderShipped, lines=[r.ShippedLine("A", 2)])
    assert [(x.quantity, x.location) for x in sent(outcome, r.Shipped)] == [(2, "W1")]
    assert [(x.location, x.shipped) for x in order_log.order().lines] == [("W1", 2), ("W2", 0)]
    assert [x.location for x in order_log.order().fulfilments] == ["W1"]


@pytest.mark.parametrize("others", [0, 1])
def test_a_unit_more_than_was_ordered_leaves_from_where_the_others_of_its_sku_lay(order_log: Any, others: int) -> None:
    """With and without a line that the order owes still."""
    order_log.confirm(("A", 1), *[("B", 1)] * others, location="W2")
    order_log.tell(r.OrderShipped, lines=[r.ShippedLine("A", 1)])
    state, held_by = ("confirmed", 1) if others else ("shipped", 0)
    assert order_log.order().state == state
    before = order_log.order().lines
    outcome = order_log.tell(r.OrderShipped, lines=[r.ShippedLine("A", 1)])
    assert [(x.quantity, x.location, x.attempt) for x in sent(outcome, r.Shipped)] == [(1, "W2", held_by)]
    assert order_log.order().lines == before


def test_what_a_last_parcel_lacks_waits_for_a_day_that_nobody_has_promised(order_log: Any) -> None:
    """Two waited for a day in April and came; one of them was not in the parcel."""
    order_log.place(("A", 2), policy="backorder")
    order_log.answer(r.Part("A", 2, "W1", True, "2024-04-01"))
    assert [(x.open, x.due) for x in order_log.document().lines] == [(2, "2024-04-01")]
    order_log.tell(
        r.BackorderFilled, attempt=1, partition=partition_of_sku("A", 4), sku="A", location="W1", quantity=2, waiting=0,
        heard=0, place=9,
    )  # fmt: skip
    assert [(x.open, x.allocated, x.due) for x in order_log.document().lines] == [(0, 2, "")], "nothing waits for a day"
    order_log.tell(r.OrderShipped, lines=[r.ShippedLine("A", 1)], final=True)
    assert [(x.open, x.allocated, x.shipped, x.due) for x in order_log.document().lines] == [(1, 0, 1, "")]


def test_what_a_last_parcel_lacks_is_given_up_under_the_attempt_that_the_order_was_decided_by(order_log: Any) -> None:
    order_log.confirm(("A", 2))
    outcome = order_log.tell(r.OrderShipped, lines=[r.ShippedLine("A", 1)], final=True)
    assert [(x.attempt, x.reason) for x in sent(outcome, r.OrderDecided)] == [(1, "short")]
    assert [(x.attempt, [y.quantity for y in x.lines]) for x in sent(outcome, r.Release)] == [(1, [1])]
    assert kept_as_it_is(order_log)


def test_an_order_of_which_units_came_back_is_kept_as_it_is(order_log: Any) -> None:
    order_log.confirm()
    order_log.tell(r.OrderShipped)
    returned = [r.InspectedLine("A", 1, "restock")]
    assert len(sent(order_log.tell(r.ReturnInspected, return_id="r1", lines=returned), r.Returned)) == 1
    assert [x.returned for x in order_log.order().lines] == [1, 0]
    assert kept_as_it_is(order_log)


@pytest.mark.parametrize("record", ["quantity", "short"])
def test_as_many_units_may_be_picked_or_missed_as_a_fact_may_hold(order_log: Any, record: str) -> None:
    order_log.confirm(("A", r.QUANTITY_MAX))
    line = r.PickedLine("A", 0, short=r.QUANTITY_MAX) if record == "short" else r.PickedLine("A", r.QUANTITY_MAX)
    outcome = order_log.tell(r.OrderPicked, lines=[line])
    assert outcome.dead == ""
    assert [getattr(x, record) for x in sent(outcome, r.Picked)] == [r.QUANTITY_MAX]


def test_a_parcel_of_an_order_that_was_refused_leaves_the_stock_all_the_same(order_log: Any) -> None:
    order_log.place()
    order_log.answer(refused=[r.Refusal("A", 2, "insufficient", 0)])
    order_log.answer(r.Part("B", 1, "W1"))
    assert order_log.order().state == "rejected"
    outcome = order_log.tell(r.OrderShipped)
    assert [(x.sku, x.quantity, x.location, x.attempt) for x in sent(outcome, r.Shipped)] == [
        ("A", 2, "W1", 0), ("B", 1, "W1", 0)
    ]  # fmt: skip
    assert order_log.order().state == "rejected"
    assert order_log.order().late == ("ship while rejected",)
    assert [x.topic for x in outcome.sends] == [WAREHOUSE, WAREHOUSE]


@pytest.mark.parametrize("lines", [[("A", 2), ("no such thing", 1)], [("no such thing", 1), ("A", 2)]], ids=str)
def test_a_parcel_of_a_refused_order_tells_stock_only_what_stock_can_hear_of(
    order_log: Any, lines: list[tuple[str, int]]
) -> None:
    order_log.place(*lines)
    for sku, why in (("A", "insufficient"), ("no such thing", "unknown_sku")):
        order_log.answer(refused=[r.Refusal(sku, 1, why, 0)])
    assert order_log.order().state == "rejected"
    outcome = order_log.tell(r.OrderShipped)
    assert [(x.sku, x.quantity) for x in sent(outcome, r.Shipped)] == [("A", 2)]


def test_a_parcel_of_an_order_without_any_location_is_a_dead_letter_that_names_the_sku(order_log: Any) -> None:
    order_log.place(("A", 2), locations=[])
    order_log.answer(refused=[r.Refusal("A", 2, "location_not_allowed", 0)])
    before = order_log.rows()
    for lines in ([], [r.ShippedLine("A", 1)]):
        assert (
            "unknown_location: where did A of this order leave from" in order_log.tell(r.OrderShipped, lines=lines).dead
        )
    assert order_log.rows() == before


def test_what_was_told_while_an_order_waits_its_turns_is_not_forgotten_when_one_passes(order_log: Any) -> None:
    order_log.place(("A", 1))
    for attempt in (1, 2):  # after the second refusal there are turns to wait
        outcome = order_log.answer(refused=[r.Refusal("A", 1, "contended", 0)], attempt=attempt)
        while order_log.order().attempt == attempt < 2:
            outcome = order_log.append(sent(outcome, r.AskAgain)[0])
    order_log.tell(r.OrderShipped)
    kinds = [x.kind for x in order_log.order().entries]
    assert kinds[-2:] == ["later", "ship"]
    (note,) = sent(outcome, r.AskAgain)
    assert note.hops > 0
    (next_note,) = sent(order_log.append(note), r.AskAgain)
    assert next_note.hops == note.hops - 1
    assert [x.kind for x in order_log.order().entries] == kinds


@pytest.mark.parametrize("kind", [r.Picked, r.Shipped, r.Returned])
def test_what_stock_hears_of_units_is_of_the_time_at_which_the_order_was_told(order_log: Any, kind: type) -> None:
    order_log.confirm(("A", 1))
    facts = {
        r.Picked: r.OrderPicked(id="p", order_id="o1"),
        r.Shipped: r.OrderShipped(id="s", order_id="o1"),
        r.Returned: r.ReturnInspected(id="i", order_id="o1", return_id="R1", lines=[r.InspectedLine("A", 1)]),
    }
    for n, (heard, fact) in enumerate(facts.items()):
        outcome = order_log.append(fact, ms=order_log.start_ms + 60_000 + n)
        if heard is kind:
            assert [(x.quantity, x.time) for x in sent(outcome, kind)] == [(1, f"2023-11-14T22:14:20.00{n}Z")]


# -- where it comes from -----------------------------------------------------------------------------------------------


def test_of_two_lines_that_were_to_move_the_one_that_could_not_is_named(order_log: Any) -> None:
    order_log.place(locations=["W1", "W2", "W3"])
    order_log.answer(r.Part("A", 2, "W1"), could=[0b100])
    order_log.answer(r.Part("B", 1, "W2"), could=[0b100])
    for sku, quantity, location, moved in (("A", 2, "W3", True), ("B", 1, "W2", False)):
        partition = partition_of_sku(sku, 4)
        order_log.append(r.MoveAnswered(
            id=f"o1:1:{partition}:move", order_id="o1", attempt=1, partition=partition, moved=moved,
            parts=[r.Part(sku, quantity, location)],
        ))  # fmt: skip
    assert order_log.document().sourcing == "2 shipments: W3, W2: W3 could not take B any more"


def test_of_lines_that_all_moved_the_reason_for_two_shipments_is_that_no_place_has_all(order_log: Any) -> None:
    """Three lines at three places; two of them can share one."""
    order_log.place(("A", 1), ("B", 1), ("D", 1), locations=["W1", "W2", "W3", "W4"])
    skus = {sku: partition_of_sku(sku, 4) for sku in ("A", "B", "D")}
    assert len(set(skus.values())) == 3
    order_log.answer(r.Part("A", 1, "W1"), could=[0b1001])
    order_log.answer(r.Part("B", 1, "W2"), could=[0b1010])
    order_log.answer(r.Part("D", 1, "W3"), could=[0b0100])
    for sku in ("A", "B"):
        order_log.append(r.MoveAnswered(
            id=f"o1:1:{skus[sku]}:move", order_id="o1", attempt=1, partition=skus[sku], moved=True,
            parts=[r.Part(sku, 1, "W4")],
        ))  # fmt: skip
    assert order_log.document().sourcing == "2 shipments: W4, W3: no single location covers every line"


def test_of_an_order_that_takes_what_there_is_from_two_places_it_is_said_why(order_log: Any) -> None:
    order_log.place(policy="ship_available")
    order_log.answer(r.Part("A", 1, "W1"), refused=[r.Refusal("A", 1, "insufficient", 1)])
    order_log.answer(r.Part("B", 1, "W2"))
    assert order_log.order().state == "confirmed"
    assert order_log.document().sourcing == "2 shipments: W1, W2: no single location covers every line"


def test_a_word_on_where_the_lines_of_an_order_lie_that_nobody_placed_is_a_dead_letter(order_log: Any) -> None:
    partition = partition_of_sku("A", 4)
    outcome = order_log.append(r.MoveAnswered(
        id=f"o1:1:{partition}:move", order_id="o1", attempt=1, partition=partition, moved=True,
        parts=[r.Part("A", 2, "W1")],
    ))  # fmt: skip
    assert outcome.dead == "unknown_order: an answer to an order that was never placed here"
    assert order_log.rows() == {}


def test_an_order_that_is_cancelled_while_its_lines_move_awaits_no_move_any_more(order_log: Any) -> None:
    order_log.place(locations=["W1", "W2", "W3"])
    order_log.answer(r.Part("A", 2, "W1"), could=[0b100])
    order_log.answer(r.Part("B", 1, "W2"), could=[0b100])
    assert order_log.order().moving == tuple(sorted({partition_of_sku(sku, 4) for sku in "AB"}))
    order_log.tell(r.CancelRequested)
    assert (order_log.order().state, order_log.order().moving) == ("rejected", ())


def test_where_a_line_lies_is_heard_once_from_each_partition_and_of_this_attempt(order_log: Any) -> None:
    order_log.place(locations=["W1", "W2", "W3"])
    order_log.answer(r.Part("A", 2, "W1"), could=[0b100])
    order_log.answer(r.Part("B", 1, "W2"), could=[0b100])

    def answer(attempt: int, location: str) -> Outcome:
        partition = partition_of_sku("A", 4)
        return order_log.append(r.MoveAnswered(
            id=f"o1:{attempt}:{partition}:move", order_id="o1", attempt=attempt, partition=partition, moved=True,
            parts=[r.Part("A", 2, location)],
        ))  # fmt: skip

    for attempt, location, lies in ((2, "W2", "W1"), (1, "W3", "W3"), (1, "W2", "W3")):
        assert answer(attempt, location).dead == ""
        assert order_log.lines() == [("A", 2, lies), ("B", 1, "W2")]
        assert order_log.order().state == "pending"


def test_a_cancellation_ends_the_moves_that_stock_was_asked_for(order_log: Any) -> None:
    order_log.place(locations=["W1", "W2"])
    order_log.answer(r.Part("A", 2, "W1"), could=[0b10])
    order_log.answer(r.Part("B", 1, "W2"), could=[0b10])
    assert order_log.order().moving == (partition_of_sku("A", 4),)
    order_log.tell(r.CancelRequested)
    assert (order_log.order().state, order_log.order().moving) == ("rejected", ())


def test_an_order_that_waits_for_its_money_does_not_remember_where_else_it_could_lie(order_log: Any) -> None:
    order_log.place(payment="pending")
    order_log.answer(r.Part("A", 2, "W1"), could=[0b01])
    order_log.answer(r.Part("B", 1, "W2"), could=[0b10])
    assert order_log.document().sourcing == "2 shipments: W1, W2: no single location covers every line"
    assert (order_log.order().state, order_log.order().could) == ("on_hold", ())


def test_a_line_at_a_place_that_the_order_did_not_name_stays_there_and_draws_no_other(order_log: Any) -> None:
    order_log.place(locations=["W1", "W2"])
    order_log.answer(r.Part("A", 2, "W9"))
    outcome = order_log.answer(r.Part("B", 1, "W1"), could=[0b11])
    assert sent(outcome, r.Move) == []
    assert order_log.lines() == [("A", 2, "W9"), ("B", 1, "W1")]
    assert order_log.document().sourcing == "2 shipments: W9, W1: no single location covers every line"


# -- cancelling, and stock for those who wait --------------------------------------------------------------------------


def test_a_cancellation_of_the_whole_order_keeps_its_reason_and_tells_it(order_log: Any) -> None:
    order_log.confirm(("A", 5))
    outcome = order_log.tell(r.CancelRequested, reason="fewer guests")
    assert [(x.status, x.reason) for x in sent(outcome, r.OrderDecided)] == [("cancelled", "fewer guests")]


def test_a_cancellation_of_kits_and_of_units_that_stand_alone_means_both(order_log: Any) -> None:
    order_log.append(r.KitSet(id="k", kit="BOX", parts=[r.KitPart("A", 2), r.KitPart("B", 1)]))
    order_log.confirm(("BOX", 2), ("A", 3))
    order_log.tell(r.CancelRequested, lines=[r.CancelLine("BOX", 1), r.CancelLine("A", 1)])
    assert [(x.sku, x.open, x.cancelled) for x in order_log.order().lines] == [("A", 4, 3), ("B", 1, 1)]


@pytest.mark.parametrize("came", [0, 1, 2])
def test_an_order_of_which_units_wait_is_cancelled_with_each_of_them_once(order_log: Any, came: int) -> None:
    held_and_waiting(order_log, held=0, waiting=3)
    if came:
        fill(order_log, waiting=3 - came, place=9)
    outcome = order_log.tell(r.CancelRequested)
    assert [(x.open, x.back, x.cancelled) for x in order_log.order().lines] == [(0, 0, 3)]
    assert [(x.sku, x.quantity) for told in sent(outcome, r.OrderDecided) for x in told.lines] == [("A", 3)]
    assert order_log.order().state == "cancelled"


def test_a_cancellation_that_names_a_sku_twice_means_both(order_log: Any) -> None:
    order_log.confirm(("A", 5))
    order_log.tell(r.CancelRequested, lines=[r.Line("A", 1), r.Line("A", 2)])
    assert [(x.open, x.cancelled) for x in order_log.order().lines] == [(2, 3)]


def test_of_units_that_waited_and_were_cancelled_before_stock_heard_of_it_none_waits_any_more(order_log: Any) -> None:
    """Three waited, stock filled one and knows of two; by then the order had given up two."""
    held_and_waiting(order_log, held=0, waiting=3)
    order_log.tell(r.CancelRequested, lines=[r.Line("A", 2)])
    order_log.tell(
        r.BackorderFilled, attempt=1, partition=partition_of_sku("A", 4), sku="A", location="W1", quantity=1, waiting=2,
        heard=0, place=9,
    )  # fmt: skip
    assert [(x.open, x.back, x.cancelled) for x in order_log.order().lines] == [(1, 0, 2)]


def test_of_what_an_order_told_stock_only_what_stock_had_not_heard_is_taken_off(order_log: Any) -> None:
    """It gave up one, then two of six that wait; stock filled one when it had heard of the first."""
    held_and_waiting(order_log, held=0, waiting=6)
    for units in (1, 2):
        order_log.tell(r.CancelRequested, lines=[r.Line("A", units)])
    order_log.tell(
        r.BackorderFilled, attempt=1, partition=partition_of_sku("A", 4), sku="A", location="W1", quantity=1, waiting=4,
        heard=1, place=9,
    )  # fmt: skip
    assert [(x.open, x.back, x.cancelled) for x in order_log.order().lines] == [(3, 2, 3)]


def test_a_fill_of_the_same_place_in_stock_s_log_is_the_same_fill(order_log: Any) -> None:
    held_and_waiting(order_log, held=0, waiting=3)
    for waiting in (2, 0):
        order_log.tell(
            r.BackorderFilled, attempt=1, partition=partition_of_sku("A", 4), sku="A", location="W1", quantity=1,
            waiting=waiting, heard=0, place=9,
        )  # fmt: skip
        assert [(x.open, x.back) for x in order_log.order().lines] == [(3, 2)]


def test_of_what_an_order_told_stock_what_was_given_up_elsewhere_waits_on_here(order_log: Any) -> None:
    """One waits at the first place, three at the second; two are given up, one of each, before stock hears of it."""
    order_log.place(("A", 4), policy="backorder")
    order_log.answer(r.Part("A", 1, "W1", True), r.Part("A", 3, "W2", True))
    order_log.tell(r.CancelRequested, lines=[r.CancelLine("A", 2)])
    assert [(x.location, x.open, x.cancelled) for x in order_log.order().lines] == [("W1", 0, 1), ("W2", 2, 1)]
    fill(order_log, location="W2", waiting=2, place=9)
    assert [(x.location, x.open, x.back) for x in order_log.order().lines] == [("W1", 0, 0), ("W2", 2, 1)]


def test_no_more_units_wait_than_are_owed_whatever_stock_says_that_has_not_heard_of_a_parcel(order_log: Any) -> None:
    """Four waited; two of them left, while stock filled one and knows of three."""
    held_and_waiting(order_log, held=0, waiting=4)
    order_log.tell(r.OrderShipped, lines=[r.ShippedLine("A", 2)])
    fill(order_log, waiting=3, place=9)
    assert [(x.open, x.back, x.shipped) for x in order_log.order().lines] == [(2, 2, 2)]


def test_a_cancellation_told_before_the_grant_keeps_its_reason(order_log: Any) -> None:
    order_log.place(("A", 5))
    order_log.tell(r.CancelRequested, lines=[r.Line("A", 2)], reason="fewer guests")
    order_log.answer(r.Part("A", 5, "W1"))
    assert [x.reason for x in order_log.order().entries if x.kind == "cancel"] == ["fewer guests"]
    assert [(x.open, x.cancelled) for x in order_log.order().lines] == [(3, 2)]


# -- edits -------------------------------------------------------------------------------------------------------------


def test_an_edit_tells_what_still_waits_and_gives_up_what_waits_first(order_log: Any) -> None:
    held_and_waiting(order_log, held=2, waiting=3)
    outcome = order_log.tell(r.OrderEdited, lines=[r.Line("A", 4)])
    (told,) = sent(outcome, r.OrderDecided)
    assert [(x.sku, x.quantity, x.location, x.backordered) for x in told.lines] == [
        ("A", 2, "W1", 0), ("A", 2, "W1", 2)
    ]  # fmt: skip
    assert [(x.open, x.back, x.cancelled) for x in order_log.order().lines] == [(2, 0, 0), (2, 2, 1)]


@pytest.mark.parametrize(("kind", "why"), [(r.OrderPicked, "picked"), (r.OrderShipped, "shipped")])
def test_an_edit_that_stock_has_not_answered_is_given_up_by_what_happens_first_and_says_so(
    order_log: Any, kind: type, why: str
) -> None:
    order_log.confirm(("A", 2))
    order_log.tell(r.OrderEdited, "e1", lines=[r.Line("A", 3)])
    outcome = order_log.tell(kind)
    assert order_log.order().late == (f"edit e1 refused: {why}",)
    assert order_log.order().edit is None
    assert [(x.attempt, x.lines) for x in sent(outcome, r.Release)] == [(2, [])]
    assert [(x.sku, x.quantity) for x in order_log.order().lines] == [("A", 2)]


def test_an_edit_that_waits_says_how_many_more_kits_and_of_what_and_none_is_whole_yet(order_log: Any) -> None:
    order_log.confirm(("A", 2))
    order_log.append(r.KitSet(id="k", kit="BOX", parts=[r.Line("A", 2), r.Line("B", 1)]))
    order_log.tell(r.OrderEdited, "e1", lines=[r.Line("BOX", 3)])
    edit = order_log.order().edit
    assert (edit.id, edit.attempt, edit.more, edit.less) == ("e1", 2, (("A", 6), ("B", 3)), ())
    assert edit.kits == (KitLine("BOX", 3, (("A", 2), ("B", 1)), 0),)


def test_an_edit_waits_for_stock_as_long_as_the_limits_say(order_log: Any) -> None:
    order_log.confirm(("A", 2))
    order_log.tell(r.OrderEdited, "e1", lines=[r.EditLine("A", 3)])
    waits_ms = order_log.state.limits.undecided_seconds * 1000
    assert order_log.order().deadline_ms == order_log.state.state_ms + waits_ms


def test_an_edit_answered_with_a_unit_of_another_sku_is_a_dead_letter_and_nothing_moves(order_log: Any) -> None:
    order_log.confirm(("A", 2))
    order_log.tell(r.OrderEdited, "e1", lines=[r.EditLine("A", 3)])
    before = order_log.rows()
    outcome = order_log.answer(r.Part("A", 1, "W1"), r.Part("C", 1, "W1"))
    assert outcome.dead == "an answer for other units than were asked"
    assert order_log.rows() == before


def test_an_edit_may_add_as_many_skus_as_a_command_may_name(order_log: Any) -> None:
    order_log.confirm(("A", 2))
    for n in range(r.LINES_MAX // 50):
        parts = [r.KitPart(f"P{n}-{m}", 1) for m in range(50)]
        order_log.append(r.KitSet(id=f"k{n}", kit=f"BOX{n}", parts=parts))
    lines = [r.EditLine(f"BOX{n}", 1) for n in range(r.LINES_MAX // 50)]
    outcome = order_log.tell(r.OrderEdited, "e1", lines=lines)
    assert sum(len(x.lines) for x in sent(outcome, r.Reserve)) == r.LINES_MAX
    assert order_log.order().late == ()


def test_an_order_may_be_of_as_many_kits_as_it_may_have_lines_and_an_edit_adds_no_other(order_log: Any) -> None:
    for n in range(r.LINES_MAX + 1):
        order_log.append(r.KitSet(id=f"k{n}", kit=f"BOX{n}", parts=[r.KitPart("A", 1)]))
    order_log.confirm(*((f"BOX{n}", 1) for n in range(r.LINES_MAX)))
    outcome = order_log.tell(r.OrderEdited, "e1", lines=[r.EditLine("BOX7", 3)])
    assert [x.lines for x in sent(outcome, r.Reserve)] == [[r.Line("A", 2)]]
    order_log.grant(outcome)
    before = order_log.order()
    assert order_log.tell(r.OrderEdited, "e2", lines=[r.EditLine(f"BOX{r.LINES_MAX}", 1)]).sends == []
    after = order_log.order()
    assert after.late == ("edit e2 refused: too_many_lines",)
    assert (after.lines, after.kits, after.edit) == (before.lines, before.kits, None)


def test_a_note_that_more_deadlines_have_come_is_named_after_the_record_that_found_them(
    order_log: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a record which is delivered again does not look like another."""
    monkeypatch.setattr(log_rules, "DUE_MAX", 1)
    for order_id in ("o1", "o2"):
        order_log.append(r.OrderPlaced(id=order_id, order_id=order_id, channel="web", lines=[r.Line("A", 1)]))
    deadline_ms = max(order_log.order(x).deadline_ms for x in ("o1", "o2"))
    order_log.state = replace(order_log.state, state_ms=deadline_ms)
    outcome = order_log.append(r.TickContinued(id="c"))
    assert [x.order_id for x in sent(outcome, r.DeadlineReached)] == ["o1"]
    state = order_log.state
    assert [x.id for x in sent(outcome, r.TickContinued)] == [f"{state.log_id}:0:{place_of(order_log.end)}"]


def test_the_note_with_which_a_tick_goes_on_is_for_the_log_it_stands_in(
    order_log: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_rules, "DUE_MAX", 1)
    order_log.state = replace(order_log.state, partition=3)
    for order_id in ("o1", "o2"):
        order_log.append(r.OrderPlaced(id=order_id, order_id=order_id, channel="web", lines=[r.Line("A", 1)]))
    deadline_ms = max(order_log.order(x).deadline_ms for x in ("o1", "o2"))
    order_log.state = replace(order_log.state, state_ms=deadline_ms)
    outcome = order_log.append(r.TickContinued(id="c"))
    assert [(x.topic, x.partition, x.key, type(x.record)) for x in outcome.sends] == [
        (ORDERS, 3, None, r.DeadlineReached), (ORDERS, 3, None, r.TickContinued)
    ]  # fmt: skip


@pytest.mark.parametrize(("taken", "kind"), [(True, r.Allocate), (False, r.Release)], ids=["taken", "lost"])
def test_a_partition_that_asks_what_was_decided_hears_the_same_again_at_the_time_of_its_question(
    order_log: Any, taken: bool, kind: type
) -> None:
    order_log.place(("A", 2))
    answer = [r.Part("A", 2, "W1")] if taken else []
    decided = order_log.answer(*answer, refused=[] if taken else [r.Refusal("A", 2, "insufficient", 0)])
    partition = partition_of_sku("A", 4)
    before = order_log.rows()
    question = r.ReservationOverdue(id="q", order_id="o1", attempt=1, partition=partition)
    (again,) = order_log.append(question, ms=order_log.start_ms + 60_000).sends
    assert again.record == kind(
        id=f"o1:1:{partition}", time="2023-11-14T22:14:20.000Z", order_id="o1", attempt=1
    )  # fmt: skip
    assert [replace(x, time=again.record.time) for x in sent(decided, kind)] == [again.record] * taken
    assert order_log.rows() == before


# -- forgetting --------------------------------------------------------------------------------------------------------


def cancelled_after_its_check(log: Any) -> None:
    log.confirm(checks=["fraud"], exchange_of="o0")
    log.tell(r.CheckPassed, check="fraud")
    log.tell(r.CancelRequested)


def refused_with_a_check_open(log: Any) -> None:
    log.append(r.KitSet(id="k", kit="BOX", parts=[r.Line("A", 2), r.Line("B", 1)]))
    log.place(("BOX", 1), checks=["fraud"])
    log.answer(refused=[r.Refusal("A", 2, "insufficient", 0)])
    log.answer(r.Part("B", 1, "W1"))
    assert log.order().state == "rejected"


def shipped_and_coming_back(log: Any) -> None:
    log.confirm(("A", 2))
    log.tell(r.OrderShipped, tracking="T1")
    log.tell(r.ReturnAuthorized, return_id="R1", lines=[r.Line("A", 1)])
    log.tell(r.CheckOpened, check="fraud")


def paid_too_late(log: Any) -> None:
    log.confirm(payment="pending")
    log.append(r.DeadlineReached(id="d", order_id="o1", deadline_ms=log.order().deadline_ms))
    log.tell(r.PaymentCaptured)
    assert log.order().state == "paid_unallocated"


def told_of_and_never_placed(log: Any) -> None:
    log.tell(r.CancelRequested, lines=[r.Line("A", 1)])
    log.tell(r.OrderEdited, lines=[r.Line("A", 3)])


@pytest.mark.parametrize(
    ("life", "carries"),
    [
        (cancelled_after_its_check, {"lines", "entries", "seen", "sourcing", "locations", "digest", "granted"}),
        (refused_with_a_check_open, {"checks", "kits", "refused", "lines"}),
        (shipped_and_coming_back, {"fulfilments", "returns", "late"}),
        (paid_too_late, {"alerts", "late"}),
        (told_of_and_never_placed, {"waiting", "edits", "seen"}),
    ],
    ids=lambda x: getattr(x, "__name__", ""),
)
def test_of_a_forgotten_order_nothing_stays_but_its_name_and_its_end(
    order_log: Any, life: Callable[[Any], None], carries: set[str]
) -> None:
    life(order_log)
    assert {name for name in carries if not getattr(order_log.order(), name)} == set()
    keep_ms = order_log.state.limits.order_keep_seconds * 1000
    order_log.state = replace(order_log.state, state_ms=order_log.state.state_ms + keep_ms)
    order_log.append(r.Prune(id="p", items=[r.Pruned("o1", 0)]))
    row = order_log.order()
    assert row.state == "deleted"
    assert row.forget_ms == order_log.state.state_ms + DELETED_KEEP_MS
    kept = {"at", "order_id", "state", "channel", "payment", "payment_seconds", "occurred_at", "attempt", "policy",
            "reason", "decided_ms", "exchange_of", "forget_ms"}  # fmt: skip
    for name, value in asdict(row).items():
        empty = {"check_failed": False, "deadline_ms": 0, "digest": b"", "edit": None, "sourcing": ""}.get(name, ())
        assert name in kept or value == empty, name
