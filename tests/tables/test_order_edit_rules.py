"""Edits at the edges.

Each of these was once broken in a copy of the code, and no test failed.
"""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from tables import log as log_rules
from tables import records as r
from tables.murmur2 import partition_of_sku
from tables.outcome import ORDERS, place_of
from tables.rows import KitLine


def test_an_edit_tells_what_still_waits_and_gives_up_what_waits_first(order_log: Any) -> None:
    order_log.hold_and_wait(held=2, waiting=3)
    outcome = order_log.tell(r.OrderEdited, lines=[r.Line("A", 4)])
    (told,) = order_log.sent(outcome, r.OrderDecided)
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
    assert [(x.attempt, x.lines) for x in order_log.sent(outcome, r.Release)] == [(2, [])]
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
    assert order_log.order().deadline_ms == order_log.records[-1][1] + waits_ms


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
    assert sum(len(x.lines) for x in order_log.sent(outcome, r.Reserve)) == r.LINES_MAX
    assert order_log.order().late == ()


def test_an_order_may_be_of_as_many_kits_as_it_may_have_lines_and_an_edit_adds_no_other(order_log: Any) -> None:
    for n in range(r.LINES_MAX + 1):
        order_log.append(r.KitSet(id=f"k{n}", kit=f"BOX{n}", parts=[r.KitPart("A", 1)]))
    order_log.confirm(*((f"BOX{n}", 1) for n in range(r.LINES_MAX)))
    outcome = order_log.tell(r.OrderEdited, "e1", lines=[r.EditLine("BOX7", 3)])
    assert [x.lines for x in order_log.sent(outcome, r.Reserve)] == [[r.Line("A", 2)]]
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
    assert [x.order_id for x in order_log.sent(outcome, r.DeadlineReached)] == ["o1"]
    state = order_log.state
    assert [x.id for x in order_log.sent(outcome, r.TickContinued)] == [f"{state.log_id}:0:{place_of(order_log.end)}"]


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
    assert [replace(x, time=again.record.time) for x in order_log.sent(decided, kind)] == [again.record] * taken
    assert order_log.rows() == before
