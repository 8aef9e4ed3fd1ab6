"""Every event in every state of an order, and what a stock agent hears that asks about an open reservation.

`order_log` is the partition of one order, `o1`, of 2 A and 1 B, which live in stock partitions of their own.
"""

from __future__ import annotations

from typing import Any

import pytest

from tables import orders
from tables import records as r
from tables.outcome import WAREHOUSE

A, B = "A", "B"
TWO_A, ONE_B = r.Part(A, 2, "W1"), r.Part(B, 1, "W1")
STATES = sorted({state for state, _ in orders.TRANSITIONS} | set(orders.TRANSITIONS.values()))
# Two stand by themselves: `back` is no record's but a final shipment's rest, `late_payment` is a payment that elsewhere
# is in time.
EVENTS = sorted({event for _, event in orders.TRANSITIONS} - {"back", "late_payment"})
UNDECIDED = ("unplaced", "pending", "on_hold")
FACTS = {
    "cancel": r.CancelRequested, "pick": r.OrderPicked, "pack": r.OrderPacked, "ship": r.OrderShipped,
    "deliver": r.OrderDelivered, "return": r.OrderReturned,
}  # fmt: skip


def bring_to(log: Any, state: str, payment: str) -> None:
    """To `state`, on the shortest way; the last answer of a pending order is left to the event."""
    if state == "unplaced":
        log.tell(r.CheckPassed, check="none")
        return
    log.place(payment="pending" if state == "on_hold" else payment)
    log.answer(TWO_A)
    if state == "rejected":
        log.refuse(B)
    elif state in ("expired", "paid_unallocated"):
        log.pass_time(660)
    elif state != "pending":
        log.answer(ONE_B)
    if state == "cancelled":
        log.tell(r.CancelRequested)
    if state == "paid_unallocated":
        log.tell(r.PaymentCaptured)
    for reached, kind in [
        ("picked", r.OrderPicked), ("packed", r.OrderPacked), ("shipped", r.OrderShipped),
        ("delivered", r.OrderDelivered), ("returned", r.OrderReturned),
    ]:  # fmt: skip
        if state in ("picked", "packed", "shipped", "delivered", "returned") and log.order().state != state:
            log.tell(kind, reached)
    assert log.order().state == state


def make_happen(log: Any, state: str, event: str) -> None:
    if event == "place":
        log.place()
    elif event in FACTS:
        log.tell(FACTS[event])
    elif event == "expire":
        for _ in range(60):
            ms = log.records[-1][1] + 60_000
            log.append(r.Tick(id=f"t{ms}", now_ms=ms), ms)
        log.tell(r.DeadlineReached, deadline_ms=log.order().deadline_ms)
    elif state == "on_hold":
        kind = {"grant": r.PaymentCaptured, "refuse": r.PaymentFailed, "wait": r.CheckOpened}[event]
        log.tell(kind, **({"check": "fraud"} if event == "wait" else {}))
    elif event == "refuse":
        log.refuse(B, attempt=1)
    else:
        log.answer(ONE_B, attempt=1)


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("state", STATES)
def test_each_event_in_each_state(order_log: Any, state: str, event: str) -> None:
    """A legal one moves the order; an illegal one leaves it as it was, and a fact among those is noted as late. What is
    told of goods before the decision waits for it; a parcel on hold is the decision."""
    unpaid = (event == "wait" and state == "pending") or state == "paid_unallocated"
    bring_to(order_log, state, "pending" if unpaid else "paid")
    before = order_log.order()
    make_happen(order_log, state, event)
    after = order_log.order()
    moved = orders.TRANSITIONS.get((state, event))
    if moved:
        assert (after.state, after.late) == (moved, before.late)
        assert len(order_log.decisions()) == (moved not in ("pending", "on_hold"))
        return
    if (state, event) == ("on_hold", "ship"):
        assert (after.state, after.late, order_log.decisions()) == ("shipped", before.late, ["confirmed"])
        return
    waits = event in FACTS and state in UNDECIDED
    assert ([x.kind for x in after.entries].count("early") == 1) == (waits and event != "cancel"), "that one is a mark"
    noted = event in FACTS and not waits
    assert after.late == (*before.late, *([f"{event} while {state}"] if noted else []))
    for field in ("state", "lines", "payment", "attempt", "decided_ms"):
        assert getattr(after, field) == getattr(before, field)
    assert after.deadline_ms == before.deadline_ms or (state == "unplaced" and waits)
    assert [x for x in after.entries if x.kind == "decide"] == [x for x in before.entries if x.kind == "decide"]


def test_the_walk_covers_every_row_of_the_table() -> None:
    assert len(STATES) == 13
    assert len(EVENTS) == 11
    assert set(FACTS) < set(EVENTS)


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
    assert overdue(order_log) == said


def test_a_question_that_is_read_again_after_the_order_went_on_says_nothing_of_the_later_state(order_log: Any) -> None:
    order_log.confirm()
    assert overdue(order_log) == [r.Allocate]
    asked = order_log.end
    assert [type(x.record) for x in order_log.deliver(asked).sends] == [r.Allocate]
    order_log.tell(r.CancelRequested)
    assert order_log.deliver(asked).sends == []
    assert overdue(order_log) == [r.Release]


def test_units_of_an_earlier_attempt_or_of_no_order_are_released(order_log: Any) -> None:
    assert overdue(order_log) == [r.Release]
    order_log.confirm()
    assert overdue(order_log, attempt=2) == [r.Release]
