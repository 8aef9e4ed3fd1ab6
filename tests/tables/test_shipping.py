"""What leaves with an order and what comes back: lots bound at the pick, parts of a reservation, dispositions."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from tables import records as r
from tables.lots import UNKNOWN_LOT
from tables.outcome import Outcome
from tables.rows import Floor


def ship(log: Any, quantity: int, location: str = "W1", fact_id: str = "s", **more: Any) -> Outcome:
    fields = {"order_id": "o1", "attempt": 1, **more}
    return log.append(r.Shipped(id=fact_id, sku="A", location=location, quantity=quantity, **fields))


def pick(log: Any, quantity: int, fact_id: str = "p", **more: Any) -> Outcome:
    return log.append(r.Picked(
        id=fact_id, sku="A", location="W1", quantity=quantity, order_id="o1", attempt=1, **more
    ))  # fmt: skip


def back(log: Any, quantity: int, disposition: str, lot: str | None = "L1", fact_id: str = "b") -> Outcome:
    return log.append(r.Returned(
        id=fact_id, sku="A", location="W1", quantity=quantity, disposition=disposition, lot=lot, order_id="o1"
    ))  # fmt: skip


def traces(log: Any, *kinds: str) -> list[tuple[str, int, str, str]]:
    """(lot, units, how it is known, reference) of each trace of these kinds."""
    return [(x.lot, x.units, x.known, x.reference) for x in log.rows("trace").values() if x.kind in kinds]


def missing(log: Any, fact_id: str) -> int:
    return log.table.get(f"fact|{fact_id}").missing


def parts(log: Any) -> list[tuple[str, int]]:
    return [(x.location, x.open) for x in log.reservation().lines]


def two_lots(log: Any) -> None:
    log.receive(3, lot="OLD", best_before="2027-01-31")
    log.receive(9, lot="NEW", best_before="2027-06-30")


def short_and_long_lived(log: Any) -> None:
    """State time is 14 November 2023: the channel `picky` needs lots that live until 14 December."""
    log.append(r.ChannelSet(id="c", channel="picky", minimum_life_days=30))
    log.receive(10, lot="SHORT", best_before="2023-12-01")
    log.receive(4, lot="LONG", best_before="2024-12-01")


def owe(log: Any, quantity: int, **more: Any) -> None:
    log.reserve(("A", quantity), **more)
    log.command(r.Allocate)


# -- picked ------------------------------------------------------------------------------------------------------------


def test_a_pick_binds_the_lot_that_was_scanned_and_moves_nothing(stock_log: Any) -> None:
    two_lots(stock_log)
    owe(stock_log, 4, channel="shop")
    before = stock_log.rows("stock", "lot", "res")
    pick(stock_log, 4, lot="NEW")
    assert traces(stock_log, "picked") == [("NEW", 4, "reported", "")]
    (row,) = [x for x in stock_log.rows("trace").values() if x.kind == "picked"]
    assert (row.order_id, row.channel) == ("o1", "shop")
    assert stock_log.rows("stock", "lot", "res") == before


def test_a_pick_that_names_no_lot_is_presumed_by_fefo(stock_log: Any) -> None:
    two_lots(stock_log)
    pick(stock_log, 4)
    assert sorted(traces(stock_log, "picked")) == [("NEW", 1, "presumed", ""), ("OLD", 3, "presumed", "")]


@pytest.mark.parametrize(
    ("lot", "short", "after", "beyond"),
    [
        ("OLD", 2, {"OLD": 1, "NEW": 9}, 0),
        ("OLD", 5, {"OLD": 0, "NEW": 9}, 2),  # the lot that was looked for, no other
        (None, 5, {"OLD": 0, "NEW": 7}, 0),
        (None, 15, {"OLD": 0, "NEW": 0}, 3),
    ],
)
def test_units_that_a_pick_did_not_find_leave_the_books(
    stock_log: Any, lot: str | None, short: int, after: dict[str, int], beyond: int
) -> None:
    two_lots(stock_log)
    pick(stock_log, 0, lot=lot, short=short)
    assert stock_log.lots() == after
    assert stock_log.stock().on_hand == sum(after.values())
    assert {x[3] for x in traces(stock_log, "adjusted")} == {"short pick"}
    assert missing(stock_log, "p") == beyond


@pytest.mark.parametrize(("found", "short", "kind"), [(4, 0, "picked"), (0, 4, "adjusted")])
def test_what_a_pick_does_not_name_is_of_a_lot_that_may_leave_for_its_channel(
    stock_log: Any, found: int, short: int, kind: str
) -> None:
    short_and_long_lived(stock_log)
    owe(stock_log, 4, channel="picky")
    pick(stock_log, found, short=short)
    assert [(lot, abs(units)) for lot, units, *_ in traces(stock_log, kind)] == [("LONG", 4)]


# -- shipped -----------------------------------------------------------------------------------------------------------


def test_a_parcel_that_names_no_lot_is_of_one_that_may_leave_for_its_channel(stock_log: Any) -> None:
    """The next promise to the channel is not made from lots that left already, nor is a recall of one that never did
    told of the order."""
    short_and_long_lived(stock_log)
    owe(stock_log, 4, channel="picky")
    ship(stock_log, 4)
    assert traces(stock_log, "shipped") == [("LONG", -4, "presumed", "")]
    assert stock_log.answered(stock_log.reserve(("A", 1), order_id="o2", channel="picky")).refused[0].reason == (
        "shelf_life"
    )  # fmt: skip


def test_a_parcel_for_a_channel_that_takes_any_lot_is_of_the_one_that_ends_first(stock_log: Any) -> None:
    short_and_long_lived(stock_log)
    owe(stock_log, 4)
    ship(stock_log, 4)
    assert traces(stock_log, "shipped") == [("SHORT", -4, "presumed", "")]


def test_more_than_lots_that_may_leave_for_its_channel_have_is_of_the_others(stock_log: Any) -> None:
    """What left has left."""
    short_and_long_lived(stock_log)
    owe(stock_log, 4, channel="picky")
    ship(stock_log, 6)
    assert stock_log.lots() == {"SHORT": 8, "LONG": 0}
    assert stock_log.stock().floors == ()


def test_a_shipment_says_how_its_lots_are_known(stock_log: Any) -> None:
    two_lots(stock_log)
    owe(stock_log, 5, channel="shop")
    ship(stock_log, 5, lot="OLD", known="scanned")
    assert sorted(traces(stock_log, "shipped")) == [("NEW", -2, "presumed", ""), ("OLD", -3, "scanned", "")]
    assert {x.channel for x in stock_log.rows("trace").values() if x.kind == "shipped"} == {"shop"}


def test_a_shipment_takes_from_the_part_at_its_location_first_then_from_the_others(stock_log: Any) -> None:
    stock_log.receive(3, location="W1")
    stock_log.receive(5, location="W2")
    owe(stock_log, 7)
    assert sorted(parts(stock_log)) == [("W1", 2), ("W2", 5)]
    ship(stock_log, 6, location="W2")
    assert sorted(parts(stock_log)) == [("W1", 1), ("W2", 0)]
    assert (stock_log.stock().allocated, stock_log.stock(location="W2").allocated) == (1, 0)
    assert (stock_log.stock(location="W2").on_hand, missing(stock_log, "s")) == (0, 1)


@pytest.mark.parametrize(("location", "left"), [("W1", [("W1", 0), ("W2", 4)]), ("W2", [("W1", 2), ("W2", 2)])])
def test_a_shipment_from_one_of_two_locations_frees_the_part_there(
    stock_log: Any, location: str, left: list[tuple[str, int]]
) -> None:
    stock_log.receive(3, location="W1")
    stock_log.receive(5, location="W2")
    owe(stock_log, 7)
    ship(stock_log, 3, location=location)
    assert sorted(parts(stock_log)) == left


def test_a_shipment_leaves_backordered_parts_alone(stock_log: Any) -> None:
    stock_log.append(r.PolicySet(id="limit", sku="A", location="W1", backorder_limit=9))
    stock_log.receive(2)
    owe(stock_log, 5, policy="backorder")
    ship(stock_log, 5)
    assert [(x.open, x.back) for x in stock_log.reservation().lines] == [(0, False), (3, True)]
    assert (stock_log.stock().allocated, stock_log.stock().backordered) == (0, 3)


def test_what_a_shipped_part_needed_of_its_lots_is_needed_no_more(stock_log: Any) -> None:
    stock_log.append(r.ChannelSet(id="c", channel="picky", minimum_life_days=30))
    stock_log.receive(9, best_before="2027-06-30")
    owe(stock_log, 4, channel="picky")
    day = stock_log.reservation().lines[0].floor
    assert stock_log.stock().floors == (Floor(day, 4),)
    ship(stock_log, 3)
    assert stock_log.stock().floors == (Floor(day, 1),)


def test_what_leaves_beyond_an_order_that_wanted_fresh_lots_is_presumed_of_the_lot_that_goes_out_first(
    stock_log: Any,
) -> None:
    stock_log.append(r.ChannelSet(id="c", channel="picky", minimum_life_days=30))
    stock_log.receive(9, best_before="2027-06-30")
    stock_log.receive(9, lot="SHORT", best_before="2023-11-30")
    owe(stock_log, 4, channel="picky")
    ship(stock_log, 4)
    assert stock_log.lots() == {"L1": 5, "SHORT": 9}
    ship(stock_log, 1, fact_id="one more")
    assert stock_log.lots() == {"L1": 5, "SHORT": 8}


def test_a_reservation_that_shipped_whole_is_forgotten_in_time_and_one_that_waits_for_stock_is_not(
    stock_log: Any,
) -> None:
    stock_log.append(r.PolicySet(id="limit", sku="A", location="W1", backorder_limit=9))
    stock_log.receive(4)
    owe(stock_log, 2)
    stock_log.reserve(("A", 5), order_id="o2", policy="backorder")
    stock_log.command(r.Allocate, order_id="o2")
    ship(stock_log, 2)
    ship(stock_log, 2, fact_id="s2", order_id="o2")
    assert stock_log.reservation().forget_ms > stock_log.state.state_ms
    assert stock_log.reservation("o2").forget_ms == 0


# -- returned ----------------------------------------------------------------------------------------------------------


def test_only_a_lot_that_may_be_sold_today_is_sold_again(stock_log: Any) -> None:
    stock_log.receive(5, best_before="2027-01-31")
    stock_log.receive(5, lot="OVER", best_before="2023-11-01")
    stock_log.receive(5, lot="HELD", status="on_hold")
    back(stock_log, 2, "restock")
    back(stock_log, 2, "restock", "OVER", "b2")
    back(stock_log, 2, "restock", "HELD", "b3")
    assert stock_log.lots() == {"L1": 7, "OVER": 7, "HELD": 7}
    assert [stock_log.lot(x).blocked for x in ("L1", "OVER", "HELD")] == [0, 2, 2]
    assert stock_log.stock().unavailable == 14


def test_quarantined_returns_are_on_hand_and_not_for_sale(stock_log: Any) -> None:
    stock_log.receive(5)
    back(stock_log, 2, "quarantine")
    assert (stock_log.lot("L1").on_hand, stock_log.lot("L1").blocked, stock_log.stock().unavailable) == (7, 2, 2)
    assert traces(stock_log, "returned") == [("L1", 2, "", "quarantine")]


@pytest.mark.parametrize(("disposition", "kind"), [("scrap", "scrapped"), ("to_supplier", "to_supplier")])
def test_what_is_scrapped_or_sent_back_leaves_a_trace_alone(stock_log: Any, disposition: str, kind: str) -> None:
    stock_log.receive(5)
    before = stock_log.rows("stock", "lot")
    back(stock_log, 2, disposition)
    assert stock_log.rows("stock", "lot") == before
    assert traces(stock_log, kind) == [("L1", 2, "", "")]


def test_a_return_of_which_nobody_read_the_lot_is_of_an_unknown_one(stock_log: Any) -> None:
    back(stock_log, 2, "restock", None)
    assert (stock_log.lots(), stock_log.stock().on_hand) == ({UNKNOWN_LOT: 2}, 2)


def test_a_shipment_counted_in_its_reservation_is_not_counted_there_again(stock_log: Any) -> None:
    """The fact and the reservation were written, the stock row was not."""
    stock_log.receive(9)
    owe(stock_log, 4)
    old = stock_log.stock()
    ship(stock_log, 3)
    rows = stock_log.rows()
    stock_log.table.put({"stock|A|W1": replace(old)})
    stock_log.deliver(stock_log.end)
    assert stock_log.rows() == rows
