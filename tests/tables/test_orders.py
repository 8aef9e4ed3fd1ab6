"""The order: every state and every event, one decision whatever comes in whatever order, and the same words again.

Order `o1` asks for 2 A and 1 B, which live in stock partitions of their own.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tables import orders
from tables import records as r
from tables.codec import encode
from tables.murmur2 import partition_of
from tables.order_document import status
from tables.outcome import ORDERS, RESERVATIONS, WAREHOUSE, Outcome

A, B = "A", "B"
OF_A, OF_B = partition_of(A, 4), partition_of(B, 4)
LINES = [r.Line(A, 2), r.Line(B, 1)]


def placed(payment: str = "paid", **more: Any) -> r.OrderPlaced:
    return r.OrderPlaced(
        id="o1", order_id="o1", channel="web", payment=payment,
        **{"lines": LINES, "locations": ["W1", "W2"], **more},
    )  # fmt: skip


def granted(partition: int, attempt: int = 1, location: str = "W1", **more: Any) -> r.ReserveAnswered:
    (line,) = [x for x in LINES if partition_of(x.sku, 4) == partition]
    return r.ReserveAnswered(
        id=f"o1:{attempt}:{partition}", order_id="o1", attempt=attempt, partition=partition,
        **{"parts": [r.Part(line.sku, line.quantity, location)], **more},
    )  # fmt: skip


def refused(partition: int, reason: str, attempt: int = 1) -> r.ReserveAnswered:
    sku = A if partition == OF_A else B
    return r.ReserveAnswered(
        id=f"o1:{attempt}:{partition}", order_id="o1", attempt=attempt, partition=partition,
        refused=[r.Refusal(sku, 1, reason, 0)],
    )  # fmt: skip


def about(kind: type, fact_id: str = "", **more: Any) -> Any:
    """A fact or wish about the order."""
    return kind(id=fact_id or kind.__name__, order_id="o1", **more)


def answer_all(log: Any, attempt: int = 1) -> Outcome:
    log.append(granted(OF_A, attempt))
    return log.append(granted(OF_B, attempt))


def confirm(log: Any) -> None:
    log.append(placed())
    answer_all(log)


def pass_time(log: Any, seconds: int) -> list[Outcome]:
    """Ticks come, and the order agent reads the notes it wrote to itself; what those made it say."""
    outcomes = []
    for _ in range(-(-seconds // 60)):
        ms = log.records[-1][1] + 60_000
        woken = log.append(r.Tick(id=f"tick-{ms}", now_ms=ms), ms)
        outcomes += [log.append(send.record) for send in woken.sends if send.topic == ORDERS]
    return outcomes


def sent(outcome: Outcome, topic: str) -> list[Any]:
    return [send.record for send in outcome.sends if send.topic == topic]


def commands(outcome: Outcome) -> list[tuple[str, int]]:
    """(command, warehouse partition)."""
    return [(type(send.record).__name__, send.partition) for send in outcome.sends if send.topic == WAREHOUSE]


def decisions(log: Any) -> list[str]:
    row = log.order()
    return [entry.status for entry in row.entries if entry.kind == "decide"] if row else []


EVERYWHERE = sorted([OF_A, OF_B])
RELEASED = [("Release", p) for p in EVERYWHERE]


# -- placing -----------------------------------------------------------------------------------------------------------


def test_a_placed_order_asks_each_stock_partition_for_its_own_lines(order_log: Any) -> None:
    outcome = order_log.append(placed(occurred_at="2026-03-02T10:00:00+02:00"))
    assert sorted(send.partition for send in outcome.sends) == EVERYWHERE
    assert {send.partition: send.record.lines for send in outcome.sends} == {OF_A: [LINES[0]], OF_B: [LINES[1]]}
    for command in sent(outcome, WAREHOUSE):
        assert (command.attempt, command.order_partition, command.locations) == (1, 0, ["W1", "W2"])
        assert (command.asked_ms, command.occurred_at) == (order_log.start_ms, "2026-03-02T08:00:00Z")
    assert order_log.order().state == "pending"


def test_the_same_sku_twice_is_summed_before_it_is_asked(order_log: Any) -> None:
    (command,) = sent(order_log.append(placed(lines=[r.Line(A, 2), r.Line(A, 3)])), WAREHOUSE)
    assert command.lines == [r.Line(A, 5)]


def test_placed_again_with_the_same_content_it_is_the_same_order(order_log: Any) -> None:
    order_log.append(placed())
    before = order_log.rows()
    assert order_log.append(placed(time="2026-03-02T09:15:00Z")) == Outcome()
    assert order_log.rows() == before


def test_placed_again_with_other_content_it_is_a_conflict_and_nothing_moves(order_log: Any) -> None:
    order_log.append(placed())
    before = order_log.rows()
    outcome = order_log.append(placed(lines=[r.Line(A, 3)]))
    assert outcome.dead.startswith("id_conflict")
    assert (outcome.rows, order_log.rows()) == ({}, before)


@pytest.mark.parametrize("occurred_at", ["2026-02-31T10:00:00+02:00", "2026-03-02T99:15:00Z", "0000-00-00T00:00:00Z"])
def test_a_time_that_no_calendar_has_does_not_stop_the_order(order_log: Any, occurred_at: str) -> None:
    order_log.append(placed(occurred_at=occurred_at))
    assert (order_log.order().state, order_log.order().occurred_at) == ("pending", "")


# -- answers -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", [OF_A, OF_B])
def test_the_answer_that_completes_them_decides_in_whatever_order_they_come(order_log: Any, first: int) -> None:
    second = OF_A + OF_B - first
    order_log.append(placed())
    assert order_log.append(granted(first, location="W2")).sends == []
    outcome = order_log.append(granted(second, location="W1"))
    (decision,) = sent(outcome, RESERVATIONS)
    assert decision.status == "confirmed"
    assert {line.sku: line.location for line in decision.lines} == (
        {A: "W2", B: "W1"} if first == OF_A else {A: "W1", B: "W2"}
    )
    assert sorted(commands(outcome)) == [("Allocate", p) for p in EVERYWHERE]
    assert (decision.partition, decision.offset, decision.index) == (0, order_log.end, 0)


@pytest.mark.parametrize("again", [granted(OF_A), refused(OF_A, "insufficient")])
def test_a_second_answer_of_a_partition_changes_nothing(order_log: Any, again: r.ReserveAnswered) -> None:
    order_log.append(placed())
    order_log.append(granted(OF_A))
    before = order_log.rows()
    assert order_log.append(again) == Outcome()
    assert order_log.rows() == before


def test_an_answer_to_another_attempt_changes_nothing(order_log: Any) -> None:
    order_log.append(placed())
    before = order_log.rows()
    assert order_log.append(granted(OF_A, attempt=2)) == Outcome()
    assert order_log.rows() == before


def test_an_answer_to_an_order_nobody_placed_is_a_dead_letter(order_log: Any) -> None:
    assert order_log.append(granted(OF_A)).dead.startswith("unknown_order")
    assert order_log.rows() == {}


def test_an_answer_for_another_number_of_units_is_a_dead_letter_and_nothing_moves(order_log: Any) -> None:
    order_log.append(placed())
    before = order_log.rows()
    wrong = replace(granted(OF_A), parts=[r.Part(A, 3, "W1")])
    assert order_log.append(wrong).dead
    assert order_log.rows() == before


@pytest.mark.parametrize("reason", ["insufficient", "unknown_sku", "too_old"])
@pytest.mark.parametrize("refusal_first", [True, False])
def test_one_refused_line_rejects_the_order_and_gives_the_others_back(
    order_log: Any, reason: str, refusal_first: bool
) -> None:
    order_log.append(placed())
    answers = [refused(OF_A, reason), granted(OF_B)]
    for answer in answers if refusal_first else reversed(answers):
        outcome = order_log.append(answer)
    (decision,) = sent(outcome, RESERVATIONS)
    assert (decision.status, decision.reason) == ("rejected", reason)
    assert {line.sku: line.reason for line in decision.lines} == {A: reason, B: ""}
    assert commands(outcome) == [("Release", OF_B)]


# -- contended: asked again --------------------------------------------------------------------------------------------


def wait_and_ask_again(log: Any, outcome: Outcome) -> Outcome:
    """The order's own note goes round as often as it says."""
    turns = 0
    while notes := sent(outcome, ORDERS):
        outcome = log.append(notes[0])
        turns += 1
        assert turns <= 1 + (1 << orders.HOPS_BITS_MAX)
    return outcome


def test_a_contended_order_gives_back_waits_its_turns_and_asks_again(order_log: Any) -> None:
    order_log.append(placed())
    order_log.append(granted(OF_A))
    outcome = order_log.append(refused(OF_B, "contended"))
    assert sent(outcome, RESERVATIONS) == []
    assert commands(outcome) == [("Release", OF_A)]
    asked = wait_and_ask_again(order_log, outcome)
    assert sorted(commands(asked)) == [("Reserve", p) for p in EVERYWHERE]
    assert {command.attempt for command in sent(asked, WAREHOUSE)} == {2}
    order_log.append(granted(OF_A))  # of the first attempt: too late
    assert order_log.order().state == "pending"
    answer_all(order_log, attempt=2)
    assert decisions(order_log) == ["confirmed"]


def test_a_contended_order_asks_up_to_the_limit_and_is_then_rejected(order_log: Any) -> None:
    order_log.append(placed())
    for attempt in (1, 2, 3):
        order_log.append(granted(OF_A, attempt))
        outcome = order_log.append(refused(OF_B, "contended", attempt))
        if attempt < 3:
            wait_and_ask_again(order_log, outcome)
    (decision,) = sent(outcome, RESERVATIONS)
    assert (decision.status, decision.reason, decision.attempt) == ("rejected", "contended", 3)
    assert commands(outcome) == [("Release", OF_A)]


def test_a_line_that_is_gone_outweighs_one_that_is_contended(order_log: Any) -> None:
    order_log.append(placed())
    order_log.append(refused(OF_A, "contended"))
    order_log.append(refused(OF_B, "insufficient"))
    assert (order_log.order().state, order_log.order().reason) == ("rejected", "insufficient")


def test_a_shipment_told_meanwhile_does_not_stop_a_contended_order_from_asking_again(order_log: Any) -> None:
    order_log.append(placed(lines=[r.Line(A, 1)]))
    outcome = order_log.append(refused(OF_A, "contended"))
    order_log.append(about(r.OrderShipped))
    assert commands(wait_and_ask_again(order_log, outcome)) == [("Reserve", OF_A)]


def test_a_note_that_was_read_before_is_not_a_second_attempt(order_log: Any) -> None:
    order_log.append(placed(lines=[r.Line(A, 1)]))
    outcome = order_log.append(refused(OF_A, "contended"))
    note = sent(outcome, ORDERS)[0]
    wait_and_ask_again(order_log, outcome)
    before = order_log.rows()
    assert order_log.append(note) == Outcome()
    assert order_log.rows() == before


# -- deadlines ---------------------------------------------------------------------------------------------------------


def test_an_order_without_an_answer_expires_and_is_released_everywhere(order_log: Any) -> None:
    order_log.append(placed())
    order_log.append(granted(OF_A))
    assert pass_time(order_log, 599 - 60) == []
    (outcome,) = pass_time(order_log, 120)
    (decision,) = sent(outcome, RESERVATIONS)
    assert (decision.status, decision.reason) == ("expired", "no_answer")
    assert commands(outcome) == RELEASED
    late = order_log.append(granted(OF_B))
    assert (commands(late), sent(late, RESERVATIONS)) == ([("Release", OF_B)], [])
    assert decisions(order_log) == ["expired"]


def test_an_order_that_is_not_paid_in_time_expires(order_log: Any) -> None:
    order_log.append(placed("pending", payment_seconds=120))
    assert sorted(commands(answer_all(order_log))) == [("Hold", p) for p in EVERYWHERE]
    assert pass_time(order_log, 60) == []
    (outcome,) = pass_time(order_log, 120)
    (decision,) = sent(outcome, RESERVATIONS)
    assert (decision.status, decision.reason) == ("expired", "payment_deadline")
    assert sorted(commands(outcome)) == RELEASED


def test_a_paid_order_waits_for_its_check_as_long_as_the_limits_say(order_log: Any) -> None:
    order_log.append(placed("paid", checks=["fraud"]))
    answer_all(order_log)
    row = order_log.order()
    assert (row.state, row.deadline_ms) == ("on_hold", order_log.start_ms + order_log.state.limits.check_seconds * 1000)


def test_an_order_that_is_paid_while_its_check_is_open_waits_for_the_check_only(order_log: Any) -> None:
    order_log.append(placed("pending", checks=["fraud"], payment_seconds=120))
    answer_all(order_log)
    order_log.append(about(r.PaymentCaptured))
    pass_time(order_log, 600)
    order_log.append(about(r.CheckPassed, check="fraud"))
    assert decisions(order_log) == ["confirmed"]


def test_a_note_of_a_deadline_that_is_no_longer_the_orders_changes_nothing(order_log: Any) -> None:
    """However late it is read: after a crash state time may be later than it was."""
    order_log.append(placed())
    pass_time(order_log, 300)
    before = order_log.rows()
    early = about(r.DeadlineReached, deadline_ms=order_log.order().deadline_ms - 1)
    assert order_log.append(early) == Outcome()
    assert order_log.rows() == before


# -- payment and checks ------------------------------------------------------------------------------------------------


def test_an_order_is_confirmed_by_whatever_it_waited_for_last(order_log: Any) -> None:
    order_log.append(placed("pending", checks=["fraud", "address"]))
    answer_all(order_log)
    order_log.append(about(r.CheckPassed, "c1", check="fraud"))
    order_log.append(about(r.PaymentCaptured))
    assert order_log.order().state == "on_hold"
    order_log.append(about(r.CheckPassed, "c2", check="address"))
    assert decisions(order_log) == ["confirmed"]


@pytest.mark.parametrize(
    ("failed", "reason"),
    [(about(r.PaymentFailed), "payment_failed"), (about(r.CheckFailed, check="fraud"), "check_failed")],
)
@pytest.mark.parametrize("when", ["before it is placed", "before the answers", "on hold"])
def test_a_failed_payment_or_check_rejects_the_order_whenever_it_comes(
    order_log: Any, failed: Any, reason: str, when: str
) -> None:
    if when == "before it is placed":
        order_log.append(failed)
    order_log.append(placed("pending"))
    if when == "before the answers":
        order_log.append(failed)
    outcome = answer_all(order_log)
    if when == "on hold":
        outcome = order_log.append(failed)
    (decision,) = sent(outcome, RESERVATIONS)
    assert (decision.status, decision.reason) == ("rejected", reason)
    assert sorted(commands(outcome)) == RELEASED


def test_a_payment_that_failed_and_then_succeeded_is_paid(order_log: Any) -> None:
    order_log.append(placed("pending"))
    order_log.append(about(r.PaymentFailed))
    order_log.append(about(r.PaymentCaptured))
    answer_all(order_log)
    assert decisions(order_log) == ["confirmed"]


def test_a_payment_that_came_before_the_order_counts(order_log: Any) -> None:
    order_log.append(about(r.PaymentCaptured))
    order_log.append(placed("pending"))
    answer_all(order_log)
    assert decisions(order_log) == ["confirmed"]


def test_a_check_opened_while_undecided_holds_the_order(order_log: Any) -> None:
    order_log.append(placed())
    order_log.append(about(r.CheckOpened, check="fraud"))
    answer_all(order_log)
    assert order_log.order().state == "on_hold"


def test_a_payment_after_the_order_expired_is_noted_raises_an_alert_and_decides_nothing(order_log: Any) -> None:
    order_log.append(placed("pending", payment_seconds=60))
    answer_all(order_log)
    pass_time(order_log, 120)
    lines = order_log.order().lines
    outcome = order_log.append(about(r.PaymentCaptured))
    (alert,) = [send.record for send in outcome.sends]
    assert (alert.kind, alert.sku, alert.order_id, alert.units) == ("paid_unallocated", A, "o1", 3)
    row = order_log.order()
    assert (row.state, row.payment, row.late) == ("paid_unallocated", "captured", ("payment_captured while expired",))
    assert row.lines == lines
    assert status(row, order_log.state).payment_wanted == "refund"


# -- cancelling --------------------------------------------------------------------------------------------------------


def test_cancelled_before_it_is_placed_it_is_rejected_at_once_and_asks_for_nothing(order_log: Any) -> None:
    order_log.append(about(r.CancelRequested))
    outcome = order_log.append(placed())
    (decision,) = sent(outcome, RESERVATIONS)
    assert (decision.status, decision.reason) == ("rejected", "cancelled")
    assert commands(outcome) == []


def test_cancelled_while_undecided_it_is_rejected_at_once_and_late_grants_are_given_back(order_log: Any) -> None:
    order_log.append(placed())
    order_log.append(granted(OF_A))
    outcome = order_log.append(about(r.CancelRequested))
    (decision,) = sent(outcome, RESERVATIONS)
    assert (decision.status, decision.reason) == ("rejected", "cancelled")
    assert commands(outcome) == RELEASED
    assert commands(order_log.append(granted(OF_B))) == [("Release", OF_B)]
    assert decisions(order_log) == ["rejected"]


def test_a_late_refusal_of_a_cancelled_order_gives_nothing_back(order_log: Any) -> None:
    order_log.append(placed())
    order_log.append(about(r.CancelRequested))
    assert order_log.append(refused(OF_A, "insufficient")).sends == []


def test_cancelled_in_part_the_rest_stays_confirmed(order_log: Any) -> None:
    confirm(order_log)
    outcome = order_log.append(about(r.CancelRequested, lines=[r.CancelLine(A, 1)], reason="too many"))
    (told,) = sent(outcome, RESERVATIONS)
    assert (told.status, told.reason, told.lines) == ("cancelled", "too many", [r.DecidedLine(A, 1, "W1")])
    (release,) = sent(outcome, WAREHOUSE)
    assert release.lines == [r.ReleaseLine(A, 1, "W1")]
    assert order_log.order().state == "confirmed"

    rest = order_log.append(about(r.CancelRequested, "rest"))
    assert told.id not in [x.id for x in sent(rest, RESERVATIONS)]
    assert release.id not in [x.id for x in sent(rest, WAREHOUSE)]
    assert order_log.order().state == "cancelled"
    assert [line.cancelled for line in order_log.order().lines] == [2, 1]
    assert decisions(order_log) == ["confirmed"]


def test_units_cancelled_while_undecided_are_given_back_once_it_is_decided(order_log: Any) -> None:
    order_log.append(placed())
    assert order_log.append(about(r.CancelRequested, lines=[r.CancelLine(A, 1)])).sends == []
    outcome = answer_all(order_log)
    assert [x.status for x in sent(outcome, RESERVATIONS)] == ["confirmed", "cancelled"]
    assert sorted(commands(outcome)) == sorted([("Allocate", OF_A), ("Allocate", OF_B), ("Release", OF_A)])
    assert [line.open for line in order_log.order().lines] == [1, 1]


def test_what_was_cancelled_in_part_and_shipped_for_the_rest_is_shipped(order_log: Any) -> None:
    confirm(order_log)
    order_log.append(about(r.OrderShipped, lines=[r.ShippedLine(A, 2)]))
    order_log.append(about(r.CancelRequested))
    assert order_log.order().state == "shipped"
    assert [(x.shipped, x.cancelled) for x in order_log.order().lines] == [(2, 0), (0, 1)]


# -- shipping ----------------------------------------------------------------------------------------------------------


def test_shipped_in_part_the_order_stays_and_shows_it(order_log: Any) -> None:
    confirm(order_log)
    outcome = order_log.append(about(r.OrderShipped, lines=[r.ShippedLine(A, 1, lot="L1")]))
    (told,) = sent(outcome, WAREHOUSE)
    assert (told.sku, told.quantity, told.location, told.lot, told.attempt) == (A, 1, "W1", "L1", 1)
    assert order_log.order().state == "confirmed"
    assert status(order_log.order(), order_log.state).status == "partially_shipped"
    rest = order_log.append(about(r.OrderShipped, "rest"))
    assert [(x.sku, x.quantity) for x in sent(rest, WAREHOUSE)] == [(A, 1), (B, 1)]
    assert status(order_log.order(), order_log.state).status == "shipped"


def test_shipped_beyond_the_order_stock_hears_of_every_unit_and_the_order_of_its_own(order_log: Any) -> None:
    confirm(order_log)
    lines = [r.ShippedLine(A, 5), r.ShippedLine("C", 1, "W9")]
    outcome = order_log.append(about(r.OrderShipped, lines=lines))
    assert [(x.sku, x.quantity, x.location) for x in sent(outcome, WAREHOUSE)] == [(A, 5, "W1"), ("C", 1, "W9")]
    assert [line.shipped for line in order_log.order().lines] == [2, 0]


def test_a_truck_that_left_for_a_rejected_order_is_gone_all_the_same(order_log: Any) -> None:
    order_log.append(placed())
    order_log.append(about(r.CancelRequested))
    outcome = order_log.append(about(r.OrderShipped))
    assert [(x.sku, x.quantity, x.attempt) for x in sent(outcome, WAREHOUSE)] == [(A, 2, 0), (B, 1, 0)]
    assert (order_log.order().state, order_log.order().late) == ("rejected", ("ship while rejected",))
    assert [line.shipped for line in order_log.order().lines] == [0, 0]


def test_a_shipment_from_nowhere_is_a_dead_letter_and_nothing_moves(order_log: Any) -> None:
    before = order_log.rows()
    outcome = order_log.append(about(r.OrderShipped, lines=[r.ShippedLine(A, 1)]))
    assert outcome.dead.startswith("unknown_location")
    assert order_log.rows() == before


# -- facts come once ---------------------------------------------------------------------------------------------------


def test_a_fact_told_twice_counts_once(order_log: Any) -> None:
    confirm(order_log)
    shipped = about(r.OrderShipped, lines=[r.ShippedLine(A, 1)])
    order_log.append(shipped)
    before = order_log.rows()
    assert order_log.append(shipped) == Outcome()
    assert order_log.rows() == before


def test_an_id_used_again_with_other_content_is_a_conflict_and_nothing_moves(order_log: Any) -> None:
    confirm(order_log)
    order_log.append(about(r.OrderShipped, "f", lines=[r.ShippedLine(A, 1)]))
    before = order_log.rows()
    for other in (about(r.OrderShipped, "f", lines=[r.ShippedLine(A, 2)]), about(r.OrderPicked, "f")):
        outcome = order_log.append(other)
        assert outcome.dead.startswith("id_conflict")
        assert (outcome.rows, order_log.rows()) == ({}, before)


def test_an_order_carries_a_bounded_number_of_facts(order_log: Any) -> None:
    for n in range(orders.FACTS_MAX):
        order_log.append(about(r.OrderPicked, f"f{n}"))
    before = order_log.rows()
    assert order_log.append(about(r.OrderPicked, "one more")).dead.startswith("too_many_facts")
    assert order_log.rows() == before


def test_what_was_a_dead_letter_is_one_when_it_is_delivered_again(order_log: Any) -> None:
    """The worker died before the broker had the dead letter; the order's later row was written."""
    confirm(order_log)
    dead = order_log.append(placed(lines=[r.Line(A, 3)])).dead
    offset = order_log.end
    order_log.append(about(r.OrderPicked))
    assert order_log.deliver(offset).dead == dead


# -- the whole table ---------------------------------------------------------------------------------------------------

STATES = sorted({state for state, _ in orders.TRANSITIONS} | set(orders.TRANSITIONS.values()))
# Two stand by themselves: `back` is no record's but a final shipment's rest, `late_payment` is a payment that elsewhere
# is in time.
EVENTS = sorted({event for _, event in orders.TRANSITIONS} - {"back", "late_payment"})
FACTS = {
    "cancel": about(r.CancelRequested), "pick": about(r.OrderPicked, "walk"), "pack": about(r.OrderPacked, "walk"),
    "ship": about(r.OrderShipped, "walk"), "deliver": about(r.OrderDelivered, "walk"),
    "return": about(r.OrderReturned, "walk"),
}  # fmt: skip


def bring_to(log: Any, state: str, payment: str) -> None:
    """To `state`, on the shortest way; the last answer of a pending order is left to the event."""
    if state == "unplaced":
        log.append(about(r.CheckPassed, "unknown", check="none"))
        return
    log.append(placed("pending" if state == "on_hold" else payment))
    log.append(granted(OF_A))
    if state == "on_hold" or state in ("confirmed", "picked", "packed", "shipped", "delivered", "returned"):
        log.append(granted(OF_B))
    elif state == "cancelled":
        log.append(granted(OF_B))
        log.append(about(r.CancelRequested, "earlier"))
    elif state == "rejected":
        log.append(refused(OF_B, "insufficient"))
    elif state in ("expired", "paid_unallocated"):
        pass_time(log, 660)
    if state == "paid_unallocated":
        log.append(about(r.PaymentCaptured, "earlier"))
    for reached, kind in [
        ("picked", r.OrderPicked), ("packed", r.OrderPacked), ("shipped", r.OrderShipped),
        ("delivered", r.OrderDelivered), ("returned", r.OrderReturned),
    ]:  # fmt: skip
        if state in ("picked", "packed", "shipped", "delivered", "returned") and log.order().state != state:
            log.append(about(kind, reached))
    assert log.order().state == state


def make_happen(log: Any, state: str, event: str) -> None:
    if event == "place":
        log.append(placed())
    elif event in FACTS:
        log.append(FACTS[event])
    elif event == "expire":
        for _ in range(60):
            ms = log.records[-1][1] + 60_000
            log.append(r.Tick(id=f"t{ms}", now_ms=ms), ms)
        log.append(about(r.DeadlineReached, deadline_ms=log.order().deadline_ms))
    elif state == "on_hold":
        log.append(about({"grant": r.PaymentCaptured, "refuse": r.PaymentFailed, "wait": r.CheckOpened}[event], **(
            {"check": "fraud"} if event == "wait" else {}
        )))  # fmt: skip
    else:
        log.append(refused(OF_B, "insufficient") if event == "refuse" else granted(OF_B))


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("state", STATES)
def test_each_event_in_each_state(order_log: Any, state: str, event: str) -> None:
    """A legal one moves the order; an illegal one leaves it as it was, and a fact among those is noted as late."""
    unpaid = (event == "wait" and state == "pending") or state == "paid_unallocated"
    bring_to(order_log, state, "pending" if unpaid else "paid")
    before = order_log.order()
    make_happen(order_log, state, event)
    after = order_log.order()
    moved = orders.TRANSITIONS.get((state, event))
    if moved:
        assert (after.state, after.late) == (moved, before.late)
        assert len(decisions(order_log)) == (moved not in ("pending", "on_hold"))
        return
    noted = event in FACTS and (state, event) != ("unplaced", "cancel")  # that one is remembered until it is placed
    assert after.late == (*before.late, *([f"{event} while {state}"] if noted else []))
    for field in ("state", "lines", "payment", "attempt", "decided_ms", "deadline_ms"):
        assert getattr(after, field) == getattr(before, field)
    assert [x for x in after.entries if x.kind == "decide"] == [x for x in before.entries if x.kind == "decide"]


def test_the_walk_covers_every_row_of_the_table() -> None:
    assert len(STATES) == 13
    assert len(EVENTS) == 11
    assert set(FACTS) < set(EVENTS)


# -- whatever comes ----------------------------------------------------------------------------------------------------

ANSWERS = st.builds(
    lambda make, partition, attempt: make(partition, attempt),
    st.sampled_from([
        granted, lambda p, n: refused(p, "contended", n), lambda p, n: refused(p, "contended", n),
        lambda p, n: refused(p, "insufficient", n),
    ]),
    st.sampled_from([OF_A, OF_B]), st.integers(1, 3),
)  # fmt: skip
HAPPENINGS = st.sampled_from([
    placed("pending", checks=["fraud"]), placed("paid"), about(r.PaymentCaptured), about(r.PaymentFailed),
    about(r.CheckOpened, check="address"), about(r.CheckPassed, "c1", check="fraud"),
    about(r.CheckPassed, "c2", check="address"), about(r.CheckFailed, check="fraud"),
    about(r.CancelRequested, "some", lines=[r.CancelLine(A, 1)]), about(r.CancelRequested, "all"),
    about(r.OrderPicked), about(r.OrderPacked), about(r.OrderShipped, "parcel", lines=[r.ShippedLine(A, 1)]),
    about(r.OrderShipped, "rest"), about(r.OrderDelivered), about(r.OrderReturned),
])  # fmt: skip
SCRIPTS = st.lists(ANSWERS | ANSWERS | HAPPENINGS | st.integers(60, 300), max_size=25)


def play(log: Any, script: list[Any]) -> dict[int, Outcome]:
    """Write the script's records, and what the order notes to itself; numbers are seconds that pass."""
    said: dict[int, Outcome] = {}

    def write(record: Any, ms: int = 0) -> None:
        outcome = log.append(record, ms)
        said[log.end] = outcome
        for note in sent(outcome, ORDERS):
            write(note)

    for step in script:
        if isinstance(step, int):
            for _ in range(-(-step // 60)):
                ms = log.records[-1][1] + 60_000
                write(r.Tick(id=f"tick-{ms}", now_ms=ms), ms)
        else:
            write(step)
    return said


def words(outcome: Outcome) -> list[tuple[str, int | None, str | None, bytes]]:
    """What was said, byte for byte. Notes to itself apart: once read, their successor stands in the log."""
    return [(x.topic, x.partition, x.key, encode(x.record)) for x in outcome.sends if x.topic != ORDERS]


@settings(derandomize=True, max_examples=300, deadline=None)
@given(script=SCRIPTS, first=st.sampled_from([placed("pending", checks=["fraud"]), placed("paid"), None]))
def test_every_order_gets_exactly_one_decision_and_every_record_says_the_same_again(
    new_order_log: Any, script: list[Any], first: r.OrderPlaced | None
) -> None:
    log = new_order_log()
    said = play(log, [first, *script] if first else script)
    said |= play(log, [3_600]) if log.order() and log.order().deadline_ms else {}
    placed_once = log.order() is not None and log.order().state != "unplaced"
    told = [x for outcome in said.values() for x in sent(outcome, RESERVATIONS) if x.status != "cancelled"]
    assert len(told) == len(decisions(log)) == placed_once

    row = log.order()
    for line in row.lines if row else ():
        assert line.open >= 0
        assert line.quantity == line.open + line.shipped + line.cancelled

    rows = log.rows()
    for offset, outcome in said.items():
        again = log.deliver(offset)
        assert words(again) == words(outcome)
        assert outcome.dead or not again.dead
    assert log.rows() == rows


# -- asked about a reservation that is open for too long ---------------------------------------------------------------


def overdue(log: Any, attempt: int = 1) -> list[type]:
    outcome = log.append(r.ReservationOverdue(id="late", order_id="o1", attempt=attempt, partition=2))
    assert outcome.rows == {}, "a question changes nothing"
    assert all((x.topic, x.partition, x.record.attempt) == (WAREHOUSE, 2, attempt) for x in outcome.sends)
    return [type(x.record) for x in outcome.sends]


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("unplaced", [r.Release]), ("pending", []), ("on_hold", []), ("rejected", [r.Release]),
        ("expired", [r.Release]), ("confirmed", [r.Allocate]), ("shipped", [r.Release]), ("cancelled", [r.Release]),
    ],
)  # fmt: skip
def test_an_order_says_again_what_became_of_a_reservation(order_log: Any, state: str, said: list[type]) -> None:
    bring_to(order_log, state, "paid")
    assert order_log.order().state == state
    assert overdue(order_log) == said


def test_units_of_an_earlier_attempt_or_of_no_order_are_released(order_log: Any) -> None:
    assert overdue(order_log) == [r.Release]
    confirm(order_log)
    assert overdue(order_log, attempt=2) == [r.Release]
