"""Demand becomes daily series: the highest version counts, silence is zero, a day out of stock is unknown."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting.series import UNKNOWN_OUT_HOURS, BadDemand, DemandHistory
from tables.records import Demand

MONDAY = date(2026, 3, 2)
KEY = ("TERIYAKI-BAG-50G", "MAIN")


def demand(
    ahead: int, ordered: int, *, offset: int = 1, out_hours: int = 0, sku: str = KEY[0], day: str | None = None,
    location: str = KEY[1], **more: int,
) -> Demand:  # fmt: skip
    day = day or (MONDAY + timedelta(days=ahead)).isoformat()
    return Demand(
        id=f"{sku}|{day}|{offset}", sku=sku, location=location, day=day, ordered=ordered, orders=ordered, refused=0,
        stockout_hours=list(range(out_hours)), version=(1, offset, 0), **more,
    )  # fmt: skip


def history(*records: Demand) -> DemandHistory:
    found = DemandHistory()
    for record in records:
        found.add(record)
    return found


def changed(found: DemandHistory, record: Demand) -> set[tuple[str, str]]:
    return set(found.add(record)[1])


def units(found: DemandHistory, location: str = KEY[1]) -> list[int | None]:
    today = found.today()
    assert today is not None
    series = found.series((KEY[0], location), today)
    assert series is not None
    return series.units


def test_days_of_a_stock_out_that_is_not_over_are_unknown_and_known_again_once_it_is():
    """Demand tells of a stock-out when it ends. Until then the days after its first are no days without customers."""
    found = history(demand(0, 3), demand(2, 5), demand(6, 9))
    found.is_out(KEY, "2026-03-04T11:00:00.000Z")
    assert units(found) == [3, 0, 5, None, None, None]
    found.is_out(KEY, "")
    assert units(found) == [3, 0, 5, 0, 0, 0]


def test_days_without_a_record_are_zero_and_the_open_day_is_left_out():
    assert units(history(demand(0, 3), demand(3, 5), demand(5, 9))) == [3, 0, 0, 5, 0]


def test_what_was_cancelled_was_not_wanted_and_a_day_that_loses_all_of_it_is_a_day_without_customers():
    found = history(demand(0, 3), demand(1, 74_215, cancelled=74_215), demand(2, 8, cancelled=3), demand(3, 1))
    assert units(found) == [3, 0, 5]
    assert changed(found, demand(0, 3, offset=2, cancelled=1)) == {KEY}, "a cancellation later changes the past"
    assert units(found) == [2, 0, 5]


def test_what_was_cancelled_where_an_order_was_moved_to_was_not_wanted_where_it_was_counted():
    found = history(demand(0, 4), demand(0, 2, location="WEST"), demand(3, 1))
    assert changed(found, demand(0, 0, location="EAST", cancelled=5)) == {KEY, (KEY[0], "WEST")}
    assert (units(found), units(found, "WEST")) == ([0, 0, 0], [1, 0, 0])
    assert found.series((KEY[0], "EAST"), MONDAY.toordinal() + 3) is None, "no series begins with a cancellation"
    assert changed(found, demand(0, 0, offset=0, location="EAST", cancelled=9)) == set(), "an older version"
    found.add(demand(0, 6, offset=2, location="EAST", cancelled=5))
    assert (units(found), units(found, "WEST"), units(found, "EAST")) == ([4, 0, 0], [2, 0, 0], [1, 0, 0])


@settings(derandomize=True, deadline=None)
@given(
    ordered=st.lists(st.integers(0, 9), min_size=3, max_size=3), data=st.data(),
    arrival=st.permutations(range(3)),
)  # fmt: skip
def test_over_all_locations_what_was_wanted_is_what_was_ordered_less_what_was_cancelled(ordered, data, arrival):
    cancelled = [0, 0, 0]
    for _ in range(data.draw(st.integers(0, sum(ordered)))):  # each of them given back anywhere
        cancelled[data.draw(st.integers(0, 2))] += 1
    places = ("EAST", "MAIN", "WEST")
    found = history(*(demand(0, ordered[n], location=places[n], cancelled=cancelled[n]) for n in arrival))
    found.add(demand(9, 1, sku="ANOTHER"))
    wanted = [units(found, place)[0] for place in places if (KEY[0], place) in set(found.keys())]
    assert sum(wanted) == sum(ordered) - sum(cancelled)
    assert min(wanted, default=0) >= 0


def test_what_left_or_came_back_neither_begins_a_series_nor_makes_it_later():
    """Orders are replayed with dates of long ago; what is shipped meanwhile is shipped today."""
    found = history(demand(0, 0, returned=2), demand(2, 3), demand(4, 1), demand(300, 0, shipped=3))
    found.add(demand(301, 0, out_hours=5))
    assert units(found) == [3, 0]


def test_a_day_wholly_out_of_stock_is_unknown_not_zero_and_a_shorter_stockout_counts_as_asked():
    found = history(
        demand(0, 3),
        demand(1, 0, out_hours=UNKNOWN_OUT_HOURS),
        demand(2, 4, out_hours=UNKNOWN_OUT_HOURS - 1),
        demand(3, 1),
    )
    assert units(found) == [3, None, 4]


@settings(derandomize=True, deadline=None)
@given(st.permutations([demand(0, n, offset=n) for n in range(1, 6)]))
def test_the_highest_version_of_a_day_counts_in_whatever_order_records_arrive(records: list[Demand]):
    assert units(history(*records, demand(1, 1))) == [5]


def test_the_same_record_again_changes_nothing():
    found = history(demand(0, 3))
    assert changed(found, demand(0, 3)) == set()
    assert changed(found, demand(0, 3, offset=2)) == set(), "a newer version that says the same"
    assert found.add(demand(0, 4, offset=3)) == (MONDAY.toordinal(), [KEY])


def test_a_series_that_has_only_the_open_day_shows_it_as_a_first_look():
    found = history(demand(0, 7))
    series = found.series(KEY, MONDAY.toordinal())
    assert series is not None
    assert (series.open_only, series.units) == (True, [7])


def test_a_series_that_begins_after_today_is_not_there_yet():
    assert history(demand(5, 7)).series(KEY, MONDAY.toordinal()) is None


def test_one_wrong_date_does_not_move_everybodys_today():
    found = history(*(demand(0, 1, sku=f"SKU-{n}") for n in range(12)))
    found.add(demand(0, 1, sku="SKU-3", day="2099-01-01"))
    assert found.today() == MONDAY.toordinal()
    for n in range(4, 7):
        found.add(demand(40, 1, sku=f"SKU-{n}"))
    assert found.today() == (MONDAY + timedelta(days=40)).toordinal(), "three series that agree are time passing"


@pytest.mark.parametrize(
    "wrong", [demand(0, -1), demand(0, 1, day="2026-02-30"), demand(0, 1, day="tomorrow"), demand(0, 1, sku="")]
)
def test_a_record_that_is_no_days_demand_is_refused_and_changes_nothing(wrong: Demand):
    found = DemandHistory()
    with pytest.raises(BadDemand):
        found.add(wrong)
    assert len(found) == 0
