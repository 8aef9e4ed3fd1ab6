"""What comes again: it moves nothing, and every record says the same once more, whatever has come since.

`order_log` is the partition of one order, `o1`, of 2 A and 1 B, which live in stock partitions of their own.
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
from tables.murmur2 import partition_of_sku
from tables.order_placing import PLACED_OTHERWISE
from tables.outcome import ORDERS, RESERVATIONS, Outcome

A, B = "A", "B"
UNITS = {A: 2, B: 1}


def placed(payment: str = "paid", **more: Any) -> r.OrderPlaced:
    return r.OrderPlaced(
        id="o1", order_id="o1", channel="web", lines=[r.Line(sku, n) for sku, n in UNITS.items()],
        locations=["W1", "W2"], payment=payment, **more,
    )  # fmt: skip


def answered(sku: str, attempt: int = 1, refused: str = "") -> r.ReserveAnswered:
    """All that the order asked of the SKU's partition is granted, or a unit of it refused for this reason."""
    partition = partition_of_sku(sku, 4)
    return r.ReserveAnswered(
        id=f"o1:{attempt}:{partition}", order_id="o1", attempt=attempt, partition=partition,
        parts=[] if refused else [r.Part(sku, UNITS[sku], "W1")],
        refused=[r.Refusal(sku, 1, refused, 0)] if refused else [],
    )  # fmt: skip


def about(kind: type, fact_id: str = "", **more: Any) -> Any:
    """A fact or wish about the order."""
    return kind(id=fact_id or kind.__name__, order_id="o1", **more)


# -- the same again ----------------------------------------------------------------------------------------------------


def test_placed_again_with_the_same_content_it_is_the_same_order(order_log: Any) -> None:
    order_log.place()
    before = order_log.rows()
    assert order_log.place(time="2026-03-02T09:15:00Z") == Outcome()
    assert order_log.rows() == before


@pytest.mark.parametrize("rules", [5, 6], ids=["rules 5", "rules 6"])
def test_an_order_that_is_told_again_under_another_id_is_the_same_order(order_log: Any, rules: int) -> None:
    """By rules 5 it was a conflict, and goes on to be one for an order that was placed by them."""
    order_log.state = replace(order_log.state, logic_version=rules)
    order_log.place()
    order_log.state = replace(order_log.state, logic_version=6)
    before = order_log.rows()
    outcome = order_log.append(replace(order_log.records[1][0], id="told again"))
    assert outcome.dead == (PLACED_OTHERWISE if rules == 5 else "")
    assert (outcome.rows, list(outcome.sends), order_log.rows()) == ({}, [], before)


def test_an_order_of_before_rules_6_is_known_when_it_is_told_again_by_them(order_log: Any) -> None:
    order_log.state = replace(order_log.state, logic_version=5)
    order_log.place()
    order_log.state = replace(order_log.state, logic_version=6)
    assert order_log.append(order_log.records[1][0]) == Outcome()


def test_placed_again_with_other_content_it_is_a_conflict_and_nothing_moves(order_log: Any) -> None:
    order_log.place()
    before = order_log.rows()
    outcome = order_log.place((A, 3))
    assert outcome.dead.startswith("id_conflict")
    assert (outcome.rows, order_log.rows()) == ({}, before)


@pytest.mark.parametrize("again", [answered(A), answered(A, refused="insufficient")])
def test_a_second_answer_of_a_partition_changes_nothing(order_log: Any, again: r.ReserveAnswered) -> None:
    order_log.place()
    order_log.append(answered(A))
    before = order_log.rows()
    assert order_log.append(again) == Outcome()
    assert order_log.rows() == before


def test_an_answer_to_another_attempt_changes_nothing(order_log: Any) -> None:
    order_log.place()
    before = order_log.rows()
    assert order_log.append(answered(A, attempt=2)) == Outcome()
    assert order_log.rows() == before


def test_a_fact_told_twice_counts_once(order_log: Any) -> None:
    order_log.confirm()
    shipped = about(r.OrderShipped, lines=[r.ShippedLine(A, 1)])
    order_log.append(shipped)
    before = order_log.rows()
    assert order_log.append(shipped) == Outcome()
    assert order_log.rows() == before


def test_an_id_used_again_with_other_content_is_a_conflict_and_nothing_moves(order_log: Any) -> None:
    order_log.confirm()
    order_log.tell(r.OrderShipped, "f", lines=[r.ShippedLine(A, 1)])
    before = order_log.rows()
    for other in (about(r.OrderShipped, "f", lines=[r.ShippedLine(A, 2)]), about(r.OrderPicked, "f")):
        outcome = order_log.append(other)
        assert outcome.dead.startswith("id_conflict")
        assert (outcome.rows, order_log.rows()) == ({}, before)


def test_an_order_carries_a_bounded_number_of_facts(order_log: Any) -> None:
    for n in range(orders.FACTS_MAX):
        order_log.tell(r.OrderPicked, f"f{n}")
    before = order_log.rows()
    assert order_log.tell(r.OrderPicked, "one more").dead.startswith("too_many_facts")
    assert order_log.rows() == before


def test_what_was_a_dead_letter_is_one_when_it_is_delivered_again(order_log: Any) -> None:
    """The worker died before the broker had the dead letter; the order's later row was written."""
    order_log.confirm()
    dead = order_log.place((A, 3)).dead
    offset = order_log.end
    order_log.tell(r.OrderPicked)
    assert order_log.deliver(offset).dead == dead


# -- whatever comes ----------------------------------------------------------------------------------------------------

ANSWERS = st.builds(
    answered, st.sampled_from([A, B]), st.integers(1, 3),
    st.sampled_from(["", "contended", "contended", "insufficient"]),
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
        for note in log.sent_to(outcome, ORDERS):
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
    told = [x for outcome in said.values() for x in log.sent_to(outcome, RESERVATIONS) if x.status != "cancelled"]
    assert len(told) == len(log.decisions()) == placed_once

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
