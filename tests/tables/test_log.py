"""What belongs to a log itself: it is opened once, its time never goes back, deadlines come, its rules only rise."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tables import log as log_rules
from tables import records as r
from tables.order_states import deadline
from tables.outcome import ORDERS, At, InvariantBroken, NewerLogic, Outcome, place_of
from tables.rows import PARTITION_KEY, PartitionRow

T0 = 1_700_000_000_000
MINUTE = log_rules.TICK_MS_MAX
FRESH = PartitionRow(0, 7, 2, 4, 1, r.Limits(), 0, 0)


def opened(log_id: int = 7, logic_version: int = 1, **more: Any) -> r.LogOpened:
    return r.LogOpened(id="log", log_id=log_id, partitions=4, logic_version=logic_version, **more)


def tick(log: PartitionRow, offset: int, now_ms: int, ms: int | None = None) -> PartitionRow:
    """`ms`: the broker's time; the ticker's own if not given."""
    record = r.Tick(id=f"t{offset}", now_ms=now_ms)
    return log_rules.tick(record, At(place_of(offset), now_ms if ms is None else ms), log)


# -- opening -----------------------------------------------------------------------------------------------------------


def test_a_log_is_opened_with_all_that_its_rules_depend_on() -> None:
    limits = r.Limits(attempts=5)
    outcome = log_rules.opened(opened(limits=limits), At(place_of(0), T0), None, 2)
    assert outcome == Outcome(rows={PARTITION_KEY: replace(FRESH, limits=limits)})


def test_opened_again_by_the_same_log_it_stays_as_it_is() -> None:
    later = replace(FRESH, at=place_of(9), state_ms=T0)
    outcome = log_rules.opened(opened(limits=r.Limits(attempts=5)), At(place_of(0), T0), later, 2)
    assert outcome.rows == {PARTITION_KEY: later}


@pytest.mark.parametrize("log_id", [6, 8])
def test_a_log_that_begins_where_another_one_was_halts_the_partition(log_id: int) -> None:
    with pytest.raises(InvariantBroken, match=f"belongs to log 7; here begins log {log_id}"):
        log_rules.opened(opened(log_id), At(place_of(0), T0), FRESH, 2)


def test_a_log_of_newer_rules_halts_the_partition_and_says_what_helps() -> None:
    newer = log_rules.LOGIC_VERSION + 1
    with pytest.raises(NewerLogic, match="start a newer worker"):
        log_rules.opened(opened(logic_version=newer), At(place_of(0), T0), None, 2)
    with pytest.raises(NewerLogic, match="start a newer worker"):
        log_rules.logic_version_set(r.LogicVersionSet(id="v", version=newer), At(place_of(1), T0), FRESH)


def test_the_rules_never_go_back() -> None:
    newest = replace(FRESH, logic_version=log_rules.LOGIC_VERSION)
    for version in range(1, log_rules.LOGIC_VERSION + 1):
        record = r.LogicVersionSet(id="v", version=version)
        assert log_rules.logic_version_set(record, At(place_of(1), T0), newest) == Outcome()


def test_newer_rules_that_this_worker_knows_hold_from_their_place_on(monkeypatch: pytest.MonkeyPatch) -> None:
    newer = log_rules.LOGIC_VERSION + 1
    monkeypatch.setattr(log_rules, "LOGIC_VERSION", newer)
    record = r.LogicVersionSet(id="v", version=newer)
    outcome = log_rules.logic_version_set(record, At(place_of(1), T0), FRESH)
    after = replace(FRESH, at=place_of(1), logic_version=newer)
    assert outcome.rows == {PARTITION_KEY: after}
    assert log_rules.logic_version_set(record, At(place_of(1), T0), after) == Outcome()


# -- time --------------------------------------------------------------------------------------------------------------


def test_time_starts_at_the_first_tick() -> None:
    log = tick(FRESH, 1, T0)
    assert (log.state_ms, log.first_ms, log.at) == (T0, T0, place_of(1))
    assert tick(log, 2, T0 + 5).first_ms == T0


@pytest.mark.parametrize(
    ("now_ms", "broker_ms", "moved"),
    [
        (+1_000, +1_000, 1_000),
        (+5_000, +1_000, 1_000),  # a ticker that runs ahead
        (+1_000, +5_000, 1_000),  # a broker that does
        (+MINUTE, +MINUTE, MINUTE),
        (+MINUTE + 1, +MINUTE + 1, MINUTE),
        (+86_400_000, +86_400_000, MINUTE),  # both: nothing expires at once
        (-5_000, -5_000, 0),
        (-5_000, +5_000, 0),
        (+5_000, -5_000, 0),
    ],
)
def test_time_moves_by_the_smaller_clock_at_most_a_minute_and_never_back(
    now_ms: int, broker_ms: int, moved: int
) -> None:
    log = tick(tick(FRESH, 1, T0), 2, T0 + now_ms, T0 + broker_ms)
    assert log.state_ms == T0 + moved


def test_a_tick_that_was_applied_before_moves_nothing() -> None:
    log = tick(tick(FRESH, 1, T0), 2, T0 + 1_000)
    assert tick(log, 2, T0 + 9_000) is log
    assert tick(log, 1, T0 + 9_000) is log


@settings(derandomize=True, max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1 << 53), st.integers(0, 1 << 53)), min_size=1, max_size=20))
def test_whatever_clocks_say_state_time_is_theirs_and_never_jumps(clocks: list[tuple[int, int]]) -> None:
    log = tick(FRESH, 1, T0)
    for offset, (now_ms, ms) in enumerate(clocks, start=2):
        before, log = log.state_ms, tick(log, offset, now_ms, ms)
        assert before <= log.state_ms <= max(before, min(now_ms, ms, before + MINUTE))


# -- deadlines ---------------------------------------------------------------------------------------------------------


def place(log: Any, count: int) -> None:
    for n in range(count):
        log.append(r.OrderPlaced(
            id=f"o{n:03}", order_id=f"o{n:03}", channel="web", lines=[r.Line("A", 1)], locations=["W1"]
        ))  # fmt: skip


def tell_time(log: Any, ms: int) -> Outcome:
    return log.append(r.Tick(id=f"t{ms}", now_ms=ms), ms)


def woken(outcome: Outcome) -> list[str]:
    return [getattr(send.record, "order_id", "and more") for send in outcome.sends if send.topic == ORDERS]


def test_a_deadline_before_the_first_tick_counts_from_it(order_log: Any) -> None:
    """Orders placed in a log that does not know the time yet do not expire as soon as it does."""
    order_log.state = replace(order_log.state, state_ms=0, first_ms=0)
    place(order_log, 1)
    assert order_log.order("o000").deadline_ms == -600_000
    ms = T0 + 86_400_000
    for minute in range(10):
        assert woken(tell_time(order_log, ms + minute * MINUTE)) == []
    early = r.DeadlineReached(id="d", order_id="o000", deadline_ms=0)
    assert order_log.append(early, ms + 9 * MINUTE) == Outcome()
    outcome = tell_time(order_log, ms + 10 * MINUTE)
    assert woken(outcome) == ["o000"]
    (note,) = outcome.sends
    assert (note.topic, note.partition, note.key) == (ORDERS, 0, None)
    order_log.append(note.record)
    assert (order_log.order("o000").state, order_log.order("o000").reason) == ("expired", "no_answer")
    assert woken(tell_time(order_log, ms + 11 * MINUTE)) == []


def test_no_deadline_comes_before_the_log_knows_the_time(order_log: Any) -> None:
    order_log.state = replace(order_log.state, state_ms=0, first_ms=0)
    place(order_log, 1)
    assert woken(order_log.append(r.TickContinued(id="c"))) == []


def test_a_tick_wakes_a_bounded_number_of_orders_and_the_rest_follow(order_log: Any) -> None:
    place(order_log, 2 * log_rules.DUE_MAX + 50)
    for minute in range(1, 11):
        assert woken(tell_time(order_log, T0 + minute * MINUTE)) == []
    outcome = tell_time(order_log, T0 + 11 * MINUTE)
    names = [f"o{n:03}" for n in range(2 * log_rules.DUE_MAX + 50)]
    runs = []
    while outcome.sends:
        runs.append(woken(outcome))
        *notes, last = [send.record for send in outcome.sends]
        for note in notes:
            order_log.append(note)
        outcome = order_log.append(last)
        if not isinstance(last, r.TickContinued):
            break
    hundred = log_rules.DUE_MAX
    assert runs == [[*names[:hundred], "and more"], [*names[hundred : 2 * hundred], "and more"], names[2 * hundred :]]
    assert {order_log.order(name).state for name in names} == {"expired"}


def test_exactly_the_bound_needs_no_second_look(order_log: Any) -> None:
    place(order_log, log_rules.DUE_MAX)
    for minute in range(1, 12):
        outcome = tell_time(order_log, T0 + minute * MINUTE)
    assert woken(outcome) == [f"o{n:03}" for n in range(log_rules.DUE_MAX)]


# -- deadlines ---------------------------------------------------------------------------------------------------------

DAY_MS = 86_400_000


@pytest.mark.parametrize(
    ("version", "stamped", "begins"),
    [
        (2, 2 * 60 * MINUTE, 2 * 60 * MINUTE), (2, 0, 0), (2, -5 * MINUTE, 0), (2, DAY_MS, DAY_MS),
        (2, 400 * DAY_MS, DAY_MS), (1, 2 * 60 * MINUTE, 0),
    ],
    ids=["two hours of standstill", "none", "a broker behind", "a day", "a broker far ahead", "older rules"],
)  # fmt: skip
def test_who_came_while_nobody_told_the_time_has_the_whole_of_it_and_a_day_more_at_most(
    version: int, stamped: int, begins: int
) -> None:
    log = replace(FRESH, logic_version=version, state_ms=T0, first_ms=T0)
    assert deadline(log, 1_800, At(place_of(9), T0 + stamped)) == T0 + begins + 1_800_000
    assert deadline(replace(log, state_ms=0, first_ms=0), 1_800, At(place_of(9), T0 + stamped)) == -1_800_000


def test_an_order_that_comes_after_a_standstill_does_not_expire_while_state_time_catches_up(order_log: Any) -> None:
    stood = 120 * MINUTE
    placed = r.OrderPlaced(id="o1", order_id="o1", channel="web", lines=[r.Line("A", 1)], locations=["W1"])
    order_log.append(placed, T0 + stood)
    for minute in range(1, 130):
        assert woken(tell_time(order_log, T0 + minute * MINUTE)) == []
    assert order_log.order().state == "pending"
    assert woken(tell_time(order_log, T0 + stood + 10 * MINUTE)) == ["o1"]
