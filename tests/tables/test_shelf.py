"""The shelf: counts within and beyond tolerance, units set apart, policies and a channel's own stock."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from tables import records as r
from tables.outcome import ALERTS, Outcome
from tables.rows import CountRow, Share


def alerts(outcome: Outcome) -> list[tuple[str, int]]:
    return [(x.record.kind, x.record.units) for x in outcome.sends if x.topic == ALERTS]


def count(log: Any, quantity: int, fact_id: str = "count", **more: Any) -> Outcome:
    return log.append(r.Counted(id=fact_id, sku="A", location="W1", lot="L1", quantity=quantity, **more))


def books(log: Any) -> tuple[int, int, int, int]:
    row: CountRow = log.table.get("count|A|W1")
    return row.counts, row.exact, row.units, row.off


# -- what leaves for no order ------------------------------------------------------------------------------------------


def gone(log: Any, units: int, reason: str, fact_id: str = "gone", **more: Any) -> tuple[dict[str, int], int, int]:
    """Units per lot, on hand and unavailable, after so many were written off."""
    log.append(r.Adjusted(id=fact_id, sku="A", location="W1", quantity=-units, reason=reason, **more))
    return log.lots(), log.stock().on_hand, log.stock().unavailable


def set_apart(log: Any, units: int, lot: str = "L1") -> None:
    fact = r.ConditionChanged(id=f"bad-{lot}", sku="A", location="W1", lot=lot, quantity=units, condition="damaged")
    log.append(fact)


@pytest.mark.parametrize(("rules", "unavailable"), [(4, 2), (5, 0)])
def test_units_that_are_thrown_away_as_damaged_are_those_that_were_set_apart(
    stock_log: Any, rules: int, unavailable: int
) -> None:
    stock_log.state = replace(stock_log.state, logic_version=rules)
    stock_log.receive(5)
    set_apart(stock_log, 3)
    assert gone(stock_log, 3, "damaged", lot="L1") == ({"L1": 2}, 2, unavailable)


def test_what_a_reason_speaks_of_leaves_first_where_no_lot_is_named(stock_log: Any) -> None:
    for lot, best_before, more in (
        ("OVER", "2023-11-13", {}), ("SOON", "2027-01-31", {}), ("LATE", "2028-01-31", {"status": "approved"}),
    ):  # fmt: skip
        stock_log.receive(4, lot=lot, best_before=best_before, **more)
    set_apart(stock_log, 2, "LATE")
    stock_log.append(r.RecallOpened(id="recall", lot="SOON", reason="metal"))
    assert stock_log.stock().unavailable == 10
    assert gone(stock_log, 2, "damaged", "1") == ({"OVER": 4, "SOON": 4, "LATE": 2}, 10, 8)
    assert gone(stock_log, 3, "expired", "2") == ({"OVER": 1, "SOON": 4, "LATE": 2}, 7, 5)
    assert gone(stock_log, 3, "recall", "3") == ({"OVER": 1, "SOON": 1, "LATE": 2}, 4, 2)
    assert gone(stock_log, 1, "shrinkage", "4") == ({"OVER": 1, "SOON": 1, "LATE": 1}, 3, 2)


@pytest.mark.parametrize(("rules", "left"), [(4, {"BAD": 0, "GOOD": 5}), (5, {"BAD": 5, "GOOD": 0})])
def test_a_parcel_of_no_named_lot_is_presumed_of_good_units(stock_log: Any, rules: int, left: dict[str, int]) -> None:
    """By rules 4 the damaged ones counted as gone, and five that were not there could be promised again."""
    stock_log.state = replace(stock_log.state, logic_version=rules)
    stock_log.receive(5, lot="BAD", best_before="2027-01-31")
    stock_log.receive(5, lot="GOOD", best_before="2028-01-31")
    set_apart(stock_log, 5, "BAD")
    stock_log.append(r.Shipped(id="left", sku="A", location="W1", quantity=5))
    assert stock_log.lots() == left
    row = stock_log.stock()
    assert row.on_hand - row.unavailable == left["GOOD"]


# -- counts ------------------------------------------------------------------------------------------------------------


def test_a_count_that_is_too_far_off_moves_nothing_and_asks_for_a_recount(stock_log: Any) -> None:
    stock_log.append(r.PolicySet(id="p", sku="A", count_tolerance=2))
    stock_log.receive(10)
    before = stock_log.rows("lot"), stock_log.stock().on_hand
    assert alerts(count(stock_log, 7)) == [("recount", -3)]
    assert (stock_log.rows("lot"), stock_log.stock().on_hand) == before
    assert alerts(count(stock_log, 7, "again", recount=True)) == []
    assert stock_log.stock().on_hand == 7


def test_a_count_within_tolerance_is_applied(stock_log: Any) -> None:
    stock_log.append(r.PolicySet(id="p", sku="A", count_tolerance=2))
    stock_log.receive(10)
    assert alerts(count(stock_log, 12)) == []
    assert stock_log.lots() == {"L1": 12}


def test_counts_tell_how_good_the_books_were(stock_log: Any) -> None:
    """10 expected: 10 found, then 12, then 5 (too far off: it was judged all the same)."""
    stock_log.append(r.PolicySet(id="p", sku="A", count_tolerance=4))
    stock_log.receive(10)
    count(stock_log, 10, "1")
    assert books(stock_log) == (1, 1, 10, 0)
    count(stock_log, 12, "2")
    assert books(stock_log) == (2, 1, 22, 2)
    count(stock_log, 5, "3")
    assert books(stock_log) == (3, 1, 34, 9)


def test_a_count_of_the_past_is_judged_by_what_was_expected_then(stock_log: Any) -> None:
    stock_log.receive(10)
    seen_at = stock_log.end
    stock_log.append(r.Shipped(id="s", sku="A", location="W1", quantity=4))
    count(stock_log, 10, as_of_offset=seen_at)
    assert (books(stock_log), stock_log.lots()) == ((1, 1, 10, 0), {"L1": 6})


# -- condition ---------------------------------------------------------------------------------------------------------


def change(log: Any, quantity: int, condition: str, fact_id: str = "c") -> Outcome:
    return log.append(r.ConditionChanged(
        id=fact_id, sku="A", location="W1", lot="L1", quantity=quantity, condition=condition
    ))  # fmt: skip


@pytest.mark.parametrize("condition", ["damaged", "quarantined"])
def test_units_that_are_set_apart_stay_on_hand_and_cannot_be_sold(stock_log: Any, condition: str) -> None:
    stock_log.receive(10)
    change(stock_log, 4, condition)
    assert (stock_log.lot("L1").blocked, stock_log.stock().on_hand, stock_log.stock().unavailable) == (4, 10, 4)
    assert stock_log.reserve(("A", 7)).sends[0].record.refused[0].reason == "insufficient"


def test_units_that_are_good_again_can_be_sold_again(stock_log: Any) -> None:
    stock_log.receive(10)
    change(stock_log, 4, "damaged")
    change(stock_log, 3, "good", "g")
    assert (stock_log.lot("L1").blocked, stock_log.stock().unavailable) == (1, 1)


@pytest.mark.parametrize(("condition", "blocked", "beyond"), [("damaged", 10, 2), ("good", 0, 8)])
def test_no_more_units_are_set_apart_or_freed_than_there_are(
    stock_log: Any, condition: str, blocked: int, beyond: int
) -> None:
    stock_log.receive(10)
    change(stock_log, 4, "damaged")
    change(stock_log, 8 if condition == "damaged" else 12, condition, "more")
    assert stock_log.lot("L1").blocked == blocked
    assert stock_log.table.get("fact|more").missing == beyond


def test_units_of_a_lot_that_is_not_here_cannot_be_set_apart(stock_log: Any) -> None:
    change(stock_log, 4, "damaged")
    assert (stock_log.rows("lot", "stock"), stock_log.table.get("fact|c").missing) == ({}, 4)


def test_good_units_leave_before_those_set_apart(stock_log: Any) -> None:
    stock_log.receive(10)
    change(stock_log, 4, "damaged")
    stock_log.append(r.Shipped(id="s1", sku="A", location="W1", quantity=5))
    assert (stock_log.lot("L1").blocked, stock_log.stock().unavailable) == (4, 4)
    stock_log.append(r.Shipped(id="s2", sku="A", location="W1", quantity=3))
    assert (stock_log.lot("L1").blocked, stock_log.stock().unavailable, stock_log.stock().on_hand) == (2, 2, 2)


# -- policy and shares -------------------------------------------------------------------------------------------------


def test_a_policy_of_a_location_that_has_no_stock_makes_its_row_and_no_alert(stock_log: Any) -> None:
    outcome = stock_log.append(r.PolicySet(
        id="p", sku="A", location="W3", reorder_point=4, backorder_limit=9, backorder_due="2024-01-02"
    ))  # fmt: skip
    policy = stock_log.stock(location="W3").policy
    assert (policy.reorder_point, policy.backorder_limit, policy.backorder_due) == (4, 9, "2024-01-02")
    assert alerts(outcome) == []


def test_a_policy_changes_the_day_on_which_lots_are_told_of(stock_log: Any) -> None:
    stock_log.receive(3, best_before="2027-06-30")
    last = stock_log.lot("L1").due
    stock_log.append(r.PolicySet(id="p", sku="A", expiring_days=10))
    assert stock_log.lot("L1").due == last - 11
    stock_log.append(r.PolicySet(id="q", sku="A", location="W1"))
    assert stock_log.lot("L1").due == last


def test_a_channels_share_is_the_last_one_set_and_gone_when_it_is_nothing(stock_log: Any) -> None:
    stock_log.receive(10)

    def share(fact_id: str, channel: str, ring_fence: int, buffer: int) -> tuple[Share, ...]:
        stock_log.append(r.ChannelStockSet(
            id=fact_id, sku="A", location="W1", channel=channel, ring_fence=ring_fence, buffer=buffer
        ))  # fmt: skip
        return stock_log.stock().shares

    assert share("1", "shop", 4, 0) == (Share("shop", 4, 0),)
    assert share("2", "market", 0, 2) == (Share("market", 0, 2), Share("shop", 4, 0))
    assert share("3", "shop", 1, 1) == (Share("market", 0, 2), Share("shop", 1, 1))
    assert share("4", "market", 0, 0) == (Share("shop", 1, 1),)


def test_a_definition_tells_who_may_sell_it(stock_log: Any) -> None:
    stock_log.append(r.SkuDefined(id="d", sku="A", case_units=12, channels=["shop"]))
    master = stock_log.table.get("sku|A")
    assert (master.case_units, master.channels) == (12, ("shop",))
