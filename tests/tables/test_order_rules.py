"""Rules of the order log at their edges: each of these was once broken in a copy of the code, and no test failed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from msgspec.structs import asdict, replace

from tables import log as log_rules
from tables import orders
from tables import records as r
from tables.murmur2 import partition_of_sku
from tables.order_states import TRANSITIONS, check_lines
from tables.outcome import ALERTS, WAREHOUSE, InvariantBroken, Outcome, place_of
from tables.pruning import DELETED_KEEP_MS
from tables.rows import KitLine, OrderLine

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


# -- the document and the lines ----------------------------------------------------------------------------------------


def test_a_document_is_of_the_time_at_which_the_last_thing_happened_to_its_order(order_log: Any) -> None:
    order_log.confirm()
    order_log.append(r.OrderShipped(id="s", order_id="o1"), ms=order_log.start_ms + 60_000)
    assert order_log.document().time == "2023-11-14T22:14:20.000Z"


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
        line(5, returned=-1), line(1, returned=1), line(-3, shipped=1), line(-3, cancelled=1), line(-3, back=1),
        line(0, shipped=1),
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


# -- forgetting --------------------------------------------------------------------------------------------------------


def test_of_a_forgotten_order_nothing_stays_but_its_name_and_its_end(order_log: Any) -> None:
    order_log.confirm(checks=["fraud"], exchange_of="o0")
    order_log.tell(r.CheckPassed, check="fraud")
    order_log.tell(r.CancelRequested)
    assert order_log.order().sourcing != ""
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
