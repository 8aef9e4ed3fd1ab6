"""One order at a time: what the pipeline is measured against, and how the order of a file comes back from the logs."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.file_order import ROW_HEADER, row_of, with_row
from connectors.sequential import Replayed, file_order, replay
from tables import records as r


def received(sku: str, units: int, location: str = "MAIN") -> r.Received:
    return r.Received(id=f"in-{sku}-{location}", sku=sku, location=location, quantity=units, lot="L")


def placed(name: str, *locations: str, **units: int) -> r.OrderPlaced:
    lines = [r.Line(sku, count) for sku, count in units.items()]
    return r.OrderPlaced(id=name, order_id=name, channel="t", lines=lines, locations=list(locations) or ["MAIN"])


def cancelled(name: str, order: str, **units: int) -> r.CancelRequested:
    return r.CancelRequested(id=name, order_id=order, lines=[r.CancelLine(sku, n) for sku, n in units.items()])


def test_an_order_takes_all_its_lines_or_none() -> None:
    events = [received("a", 5), received("b", 1), placed("1", a=3, b=2), placed("2", a=5)]
    assert replay(events) == Replayed(placed=2, confirmed=1, rejected=1, units_given_back=0)


def test_what_a_confirmed_order_gives_back_can_be_sold_again() -> None:
    events = [received("a", 5), placed("1", a=5), cancelled("c", "1", a=2), placed("2", a=2)]
    assert replay(events) == Replayed(placed=2, confirmed=2, rejected=0, units_given_back=2)


def test_a_rejected_order_has_nothing_to_give_back() -> None:
    events = [received("a", 1), placed("1", a=5), cancelled("c", "1", a=5), placed("2", a=2)]
    assert replay(events) == Replayed(placed=2, confirmed=0, rejected=2, units_given_back=0)


def test_the_same_record_twice_changes_nothing() -> None:
    events = [received("a", 5), placed("1", a=5), cancelled("c", "1", a=2)]
    assert replay([x for x in events for _ in range(2)]) == replay(events)


def test_a_cancellation_without_lines_gives_back_everything_left() -> None:
    events = [received("a", 5), placed("1", a=5), cancelled("c", "1", a=2), cancelled("d", "1"), placed("2", a=5)]
    assert replay(events) == Replayed(placed=2, confirmed=2, rejected=0, units_given_back=5)


def test_a_line_is_not_split_where_one_location_covers_it_whole() -> None:
    events = [received("a", 2), received("a", 5, "SHOP"), placed("1", "MAIN", "SHOP", a=3), placed("2", a=2)]
    assert replay(events).confirmed == 2


def test_a_line_that_no_location_covers_alone_is_split() -> None:
    events = [received("a", 2), received("a", 3, "SHOP"), placed("1", "MAIN", "SHOP", a=5), placed("2", a=1)]
    assert replay(events) == Replayed(placed=2, confirmed=1, rejected=1, units_given_back=0)


def test_one_location_for_all_lines_goes_before_a_better_ranked_one_for_some() -> None:
    """Had it taken what MAIN has of a, the second order found nothing there."""
    events = [
        received("a", 1), received("a", 1, "SHOP"), received("b", 1, "SHOP"), placed("1", "MAIN", "SHOP", a=1, b=1),
        placed("2", "MAIN", a=1),
    ]  # fmt: skip
    assert replay(events).confirmed == 2


def test_units_of_a_split_line_go_back_to_where_they_were() -> None:
    events = [
        received("a", 2), received("a", 3, "SHOP"), placed("1", "MAIN", "SHOP", a=5), cancelled("c", "1"),
        placed("2", "MAIN", a=2), placed("3", "SHOP", a=3),
    ]  # fmt: skip
    assert replay(events) == Replayed(placed=3, confirmed=3, rejected=0, units_given_back=5)


@settings(derandomize=True, deadline=None)
@given(st.integers(0, 1 << 62), st.lists(st.tuples(st.text(max_size=5), st.binary(max_size=5))))
def test_the_row_comes_back_from_the_headers(row: int, others: list[tuple[str, bytes]]) -> None:
    assert row_of([*others, *with_row(row)]) == row


@settings(derandomize=True, deadline=None)
@given(st.lists(st.integers(0, 1 << 62), unique=True))
def test_records_of_one_file_sort_as_its_rows(rows: list[int]) -> None:
    order = r.OrderPlaced(id="p:1", order_id="p:1", channel="p", lines=[], locations=[])
    beside = [with_row(row) for row in rows]
    assert [row_of(x) for x in sorted(beside, key=lambda headers: file_order(order, headers))] == sorted(rows)


@pytest.mark.parametrize("headers", [None, [], [("trace", b"7")], [(ROW_HEADER, b"x")], [(ROW_HEADER, b"")]])
def test_a_record_that_no_importer_sent_has_no_place_in_a_file(headers: Any) -> None:
    assert file_order(placed("1", a=1), headers) is None
    assert [file_order(x, with_row(1)) for x in (received("a", 1), r.Tick(id="t", now_ms=1))] == [None] * 2
