"""Facts are never refused: what each one changes, what is missing from the books, and what happens when it comes twice.

The table of a test reads: lots that are there, what happened, lots after it, units missing from the books.
"""

from __future__ import annotations

import re
from typing import Any

import pytest

from tables import effects, lots
from tables import records as r
from tables.codec import STOCK_LOG, Unreadable, encode
from tables.examples import example
from tables.outcome import ALERTS, InvariantBroken, Outcome
from tables.rows import fact_key, reservation_key, sku_key, stock_key


def missing(log: Any, fact_id: str) -> int:
    return log.table.get(fact_key(fact_id)).missing


def adjust(log: Any, quantity: int, lot: str | None = None, fact_id: str = "f") -> Outcome:
    return log.append(r.Adjusted(id=fact_id, sku="A", location="W1", quantity=quantity, reason="correction", lot=lot))


def count(log: Any, quantity: int, lot: str = "L1", fact_id: str = "f", **as_of: int) -> Outcome:
    return log.append(r.Counted(id=fact_id, sku="A", location="W1", lot=lot, quantity=quantity, **as_of))


def ship(log: Any, quantity: int, location: str = "W1", fact_id: str = "f", **more: Any) -> Outcome:
    return log.append(r.Shipped(id=fact_id, sku="A", location=location, quantity=quantity, **more))


def kinds(outcome: Outcome) -> list[str]:
    return [send.record.kind for send in outcome.sends if send.topic == ALERTS]


def fill(log: Any, lots: dict[str, int]) -> None:
    """Lots named after the year they are best before; `UNDATED` has no date."""
    for lot, quantity in lots.items():
        best_before = None if lot == "UNDATED" else f"{lot}-06-30"
        log.receive(quantity, lot=lot, best_before=best_before)


# -- received ----------------------------------------------------------------------------------------------------------


def test_received_units_are_on_hand_and_in_their_lot(stock_log: Any) -> None:
    stock_log.receive(5, lot="L1", best_before="2027-01-31")
    stock_log.receive(3, lot="L2")
    stock_log.receive(2, lot="L1")
    assert stock_log.lots() == {"L1": 7, "L2": 3}
    assert stock_log.stock().on_hand == 10
    assert stock_log.lot("L1").best_before == "2027-01-31"


def test_a_best_before_that_was_unknown_is_filled_in_and_a_known_one_stays(stock_log: Any) -> None:
    for best_before in (None, "2027-01-31", "2029-12-31"):
        stock_log.receive(1, best_before=best_before)
    assert stock_log.lot("L1").best_before == "2027-01-31"


# -- adjusted ----------------------------------------------------------------------------------------------------------

DATED = {"2028": 3, "2027": 2, "UNDATED": 4}


@pytest.mark.parametrize(
    ("quantity", "lot", "after", "gone_beyond_the_books"),
    [
        (-1, None, {"2028": 3, "2027": 1, "UNDATED": 4}, 0),  # first expired, first out
        (-4, None, {"2028": 1, "2027": 0, "UNDATED": 4}, 0),
        (-6, None, {"2028": 0, "2027": 0, "UNDATED": 3}, 0),  # no date goes out last
        (-12, None, {"2028": 0, "2027": 0, "UNDATED": 0}, 3),
        (-2, "2028", {"2028": 1, "2027": 2, "UNDATED": 4}, 0),  # the named lot first
        (-5, "2028", {"2028": 0, "2027": 0, "UNDATED": 4}, 0),  # then the others
        (-3, "NEVER-SEEN", {"2028": 2, "2027": 0, "UNDATED": 4}, 0),
        (+5, None, {"2028": 3, "2027": 7, "UNDATED": 4}, 0),  # the lot that goes out first
        (+5, "2028", {"2028": 8, "2027": 2, "UNDATED": 4}, 0),
        (+5, "NEW", {"2028": 3, "2027": 2, "UNDATED": 4, "NEW": 5}, 0),
    ],
)
def test_an_adjustment_of_each_sign(
    stock_log: Any, quantity: int, lot: str | None, after: dict[str, int], gone_beyond_the_books: int
) -> None:
    fill(stock_log, DATED)
    adjust(stock_log, quantity, lot)
    assert stock_log.lots() == after
    assert stock_log.stock().on_hand == sum(after.values())
    assert missing(stock_log, "f") == gone_beyond_the_books


def test_units_found_where_nothing_is_known_belong_to_an_unknown_lot(stock_log: Any) -> None:
    adjust(stock_log, 5)
    assert stock_log.lots() == {lots.UNKNOWN_LOT: 5}
    assert stock_log.stock().on_hand == 5


def test_units_that_left_an_empty_shelf_are_missing_and_the_books_stay_at_zero(stock_log: Any) -> None:
    adjust(stock_log, -5)
    assert (stock_log.stock().on_hand, stock_log.lots(), missing(stock_log, "f")) == (0, {}, 5)


def test_lots_of_one_day_go_out_in_the_order_they_came(stock_log: Any) -> None:
    for lot in ("Z", "A"):
        stock_log.receive(2, lot=lot, best_before="2027-06-30")
    adjust(stock_log, -3)
    assert stock_log.lots() == {"Z": 0, "A": 1}


# -- counted -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("quantity", [0, 3, 5, 8])
def test_a_count_sets_its_lot(stock_log: Any, quantity: int) -> None:
    stock_log.receive(5, lot="L1")
    stock_log.receive(4, lot="L2")
    count(stock_log, quantity)
    assert stock_log.lots() == {"L1": quantity, "L2": 4}
    assert stock_log.stock().on_hand == quantity + 4


def test_a_count_of_an_unknown_lot_puts_it_on_the_books(stock_log: Any) -> None:
    count(stock_log, 4, lot="NEW")
    assert (stock_log.lots(), stock_log.stock().on_hand) == ({"NEW": 4}, 4)


def test_a_count_holds_as_of_its_log_position_while_selling_goes_on(stock_log: Any) -> None:
    """10 on the books, 9 counted, then 3 sold and 4 received before the count arrives: 10 are left."""
    stock_log.receive(10)
    seen_at = stock_log.end
    ship(stock_log, 3, fact_id="s")
    stock_log.receive(4)
    count(stock_log, 9, as_of_offset=seen_at)
    assert (stock_log.lots(), stock_log.stock().on_hand) == ({"L1": 10}, 10)


def test_a_count_knows_the_item_of_a_packed_record_it_was_taken_at(stock_log: Any) -> None:
    stock_log.receive(10)
    sold_at = stock_log.end + 1
    ship(stock_log, 3, fact_id="s")
    count(stock_log, 7, as_of_offset=sold_at, as_of_index=0, fact_id="after it")
    assert stock_log.lots() == {"L1": 7}
    count(stock_log, 10, as_of_offset=sold_at - 1, as_of_index=r.ITEMS_MAX - 1, fact_id="before it")
    assert stock_log.lots() == {"L1": 7}


def test_a_count_that_makes_sold_units_impossible_leaves_zero_and_says_what_is_missing(stock_log: Any) -> None:
    stock_log.receive(10)
    seen_at = stock_log.end
    ship(stock_log, 8, fact_id="s")
    count(stock_log, 5, as_of_offset=seen_at)
    assert (stock_log.lots(), stock_log.stock().on_hand) == ({"L1": 0}, 0)
    assert missing(stock_log, "f") == 3


def test_a_count_older_than_the_lot_remembers_asks_for_a_recount_and_moves_nothing(
    stock_log: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(effects, "MOVES_KEPT", 3)
    for quantity in (10, 1, 1, 1):
        stock_log.receive(quantity)
    before = stock_log.rows("stock", "lot")
    assert kinds(count(stock_log, 9, as_of_offset=1)) == ["recount"]
    assert stock_log.rows("stock", "lot") == before
    assert kinds(count(stock_log, 12, as_of_offset=3, fact_id="newer")) == []
    assert stock_log.lots() == {"L1": 13}


def test_a_lot_remembers_its_last_movements_only(stock_log: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(effects, "MOVES_KEPT", 3)
    for quantity in (1, 2, 3, 4):
        stock_log.receive(quantity)
    assert [units for _, units in stock_log.lot("L1").moves] == [2, 3, 4]


# -- shipped -----------------------------------------------------------------------------------------------------------


def counters(log: Any, location: str = "W1") -> tuple[int, int]:
    row = log.stock(location=location)
    return row.on_hand, row.allocated


def owe(log: Any, quantity: int) -> None:
    """An order's units, allocated at W1."""
    log.reserve(("A", quantity), locations=["W1"])
    log.command(r.Allocate)


def test_units_sold_over_a_counter_leave_by_fefo_and_nobody_is_asked(stock_log: Any) -> None:
    fill(stock_log, DATED)
    owe(stock_log, 8)
    assert kinds(ship(stock_log, 4)) == ["out", "shortage"]
    assert stock_log.lots() == {"2028": 1, "2027": 0, "UNDATED": 4}
    assert counters(stock_log) == (5, 8)
    assert stock_log.reservation().lines[0].open == 8


def test_a_shipment_of_an_order_takes_its_allocation_along(stock_log: Any) -> None:
    stock_log.receive(10)
    owe(stock_log, 4)
    assert kinds(ship(stock_log, 3, order_id="o1", attempt=1)) == []
    assert counters(stock_log) == (7, 1)
    assert (stock_log.reservation().lines[0].open, stock_log.reservation().state) == (1, "allocated")


def test_a_shipment_from_another_location_frees_the_units_where_they_were_owed(stock_log: Any) -> None:
    stock_log.receive(10, location="W1")
    stock_log.receive(10, location="W2")
    owe(stock_log, 4)
    ship(stock_log, 3, location="W2", order_id="o1", attempt=1)
    assert (counters(stock_log, "W1"), counters(stock_log, "W2")) == ((10, 1), (7, 0))


def test_a_shipment_beyond_what_is_owed_takes_the_rest_from_stock(stock_log: Any) -> None:
    stock_log.receive(10)
    owe(stock_log, 4)
    ship(stock_log, 6, order_id="o1", attempt=1)
    assert counters(stock_log) == (4, 0)


def test_a_shipment_beyond_the_books_is_counted_as_far_as_they_go(stock_log: Any) -> None:
    stock_log.receive(5)
    owe(stock_log, 4)
    ship(stock_log, 7, order_id="o1", attempt=1)
    assert counters(stock_log) == (0, 0)
    assert missing(stock_log, "f") == 2


def test_a_shipment_of_what_was_never_here_is_all_missing(stock_log: Any) -> None:
    ship(stock_log, 7)
    assert (counters(stock_log), stock_log.lots(), missing(stock_log, "f")) == ((0, 0), {}, 7)


@pytest.mark.parametrize("command", [None, r.Hold, r.Release])
def test_a_shipment_of_what_is_not_allocated_moves_no_reservation(stock_log: Any, command: type | None) -> None:
    stock_log.receive(5)
    stock_log.reserve(("A", 2))
    if command:
        stock_log.command(command)
    before = stock_log.reservation()
    ship(stock_log, 2, order_id="o1", attempt=1)
    assert stock_log.reservation() == before
    assert counters(stock_log) == (3, 0)


def test_the_rest_of_a_partly_shipped_reservation_can_be_released(stock_log: Any) -> None:
    stock_log.receive(10)
    owe(stock_log, 4)
    ship(stock_log, 3, order_id="o1", attempt=1)
    stock_log.command(r.Release)
    assert counters(stock_log) == (7, 0)


# -- master and policy -------------------------------------------------------------------------------------------------


def policy(log: Any, location: str = "W1") -> tuple[int, int, int]:
    row = log.stock(location=location)
    return row.policy.reorder_point, row.policy.hysteresis, row.policy.safety_stock


def test_a_policy_holds_at_every_location_those_to_come_included(stock_log: Any) -> None:
    stock_log.receive(10, location="W1")
    stock_log.append(r.PolicySet(id="p", sku="A", reorder_point=4, hysteresis=2, safety_stock=1))
    stock_log.receive(10, location="W2")
    assert policy(stock_log, "W1") == policy(stock_log, "W2") == (4, 2, 1)


def test_a_policy_of_one_location_is_no_others(stock_log: Any) -> None:
    stock_log.receive(10, location="W1")
    stock_log.append(r.PolicySet(id="p", sku="A", location="W2", reorder_point=4))
    stock_log.receive(10, location="W3")
    assert [policy(stock_log, x)[0] for x in ("W1", "W2", "W3")] == [0, 4, 0]


def test_a_policy_may_raise_an_alert_by_itself(stock_log: Any) -> None:
    stock_log.receive(10)
    assert kinds(stock_log.append(r.PolicySet(id="p", sku="A", reorder_point=10))) == ["low"]


def test_the_policy_of_a_new_location_is_the_one_of_its_first_day_when_delivered_again(stock_log: Any) -> None:
    """The fact was recorded and its stock row was lost; the policy has changed meanwhile."""
    stock_log.append(r.PolicySet(id="p1", sku="A", reorder_point=4))
    stock_log.receive(10)
    row, offset = stock_log.stock(), stock_log.end
    stock_log.append(r.PolicySet(id="p2", sku="A", location="W2", reorder_point=9))
    stock_log.append(r.SkuDefined(id="d", sku="A", flavor="teriyaki"))
    lost = {k: v for k, v in stock_log.rows().items() if k != stock_key("A", "W1")}
    stock_log.table = type(stock_log.table)()
    stock_log.table.put(lost)
    stock_log.deliver(offset)
    assert stock_log.stock() == row


def test_a_definition_keeps_the_policy_and_the_stock(stock_log: Any) -> None:
    stock_log.receive(10)
    stock_log.append(r.PolicySet(id="p", sku="A", reorder_point=4))
    before = stock_log.rows("stock", "lot")
    stock_log.append(r.SkuDefined(id="d", sku="A", flavor="teriyaki", discontinued=True))
    master = stock_log.table.get(sku_key("A"))
    assert (master.flavor, master.discontinued, master.policy.reorder_point) == ("teriyaki", True, 4)
    assert stock_log.rows("stock", "lot") == before


# -- the same again ----------------------------------------------------------------------------------------------------

SAME_ID = [
    r.Received(id="f", sku="A", location="W1", quantity=5, lot="L1"),
    r.Adjusted(id="f", sku="A", location="W1", quantity=-1, reason="damaged"),
    r.Counted(id="f", sku="A", location="W1", lot="L1", quantity=2),
    r.Shipped(id="f", sku="A", location="W1", quantity=1),
    r.PolicySet(id="f", sku="A", reorder_point=50),
    r.SkuDefined(id="f", sku="A", flavor="smoked"),
]


def name(fact: Any) -> str:
    return type(fact).__name__


@pytest.mark.parametrize("fact", SAME_ID, ids=name)
def test_the_same_id_at_another_place_changes_nothing(stock_log: Any, fact: Any) -> None:
    stock_log.receive(10)
    stock_log.append(fact)
    before = stock_log.rows()
    assert stock_log.append(fact) == Outcome()
    assert stock_log.rows() == before


@pytest.mark.parametrize("fact", SAME_ID, ids=name)
def test_the_same_id_with_other_content_is_a_conflict_and_nothing_moves(stock_log: Any, fact: Any) -> None:
    stock_log.receive(10)
    stock_log.append(r.Received(id="f", sku="A", location="W1", quantity=4, lot="L1"))
    before = stock_log.rows()
    outcome = stock_log.append(fact)
    assert outcome.dead.startswith("id_conflict")
    assert (outcome.rows, outcome.sends) == ({}, ())
    assert stock_log.rows() == before


def test_the_time_we_wrote_a_fact_is_not_its_content(stock_log: Any) -> None:
    stock_log.append(r.Received(id="f", time="2026-03-02T09:15:00Z", sku="A", location="W1", quantity=4, lot="L1"))
    again = r.Received(id="f", time="2026-03-02T09:15:09Z", sku="A", location="W1", quantity=4, lot="L1")
    assert stock_log.append(again) == Outcome()


@pytest.mark.parametrize("fact", SAME_ID, ids=name)
def test_a_fact_delivered_again_is_counted_once_and_raises_the_alerts_it_raised(stock_log: Any, fact: Any) -> None:
    stock_log.append(r.PolicySet(id="p", sku="A", reorder_point=8, hysteresis=1))
    stock_log.receive(9)
    first = stock_log.append(fact)
    offset = stock_log.end
    stock_log.receive(20)
    rows = stock_log.rows()
    assert list(stock_log.deliver(offset).sends) == list(first.sends)
    assert stock_log.rows() == rows


@pytest.mark.parametrize("fact", SAME_ID[:4], ids=name)
def test_a_recorded_fact_is_counted_only_in_rows_that_are_older(stock_log: Any, fact: Any) -> None:
    """The fact's row and its lot were written, the stock row was not: a crash in between."""
    stock_log.receive(9)
    old = stock_log.stock()
    stock_log.append(fact)
    rows = stock_log.rows()
    stock_log.table.put({stock_key("A", "W1"): old})
    stock_log.deliver(stock_log.end)
    assert stock_log.rows() == rows


@pytest.mark.parametrize("fact", SAME_ID, ids=name)
def test_a_fact_delivered_again_gives_all_its_rows_again(stock_log: Any, fact: Any) -> None:
    """The SKU's own among them: whoever takes the partition over writes them under a name of its own."""
    first = stock_log.append(fact)
    assert sku_key("A") in first.rows
    assert stock_log.deliver(stock_log.end).rows == first.rows


def test_a_recorded_shipment_whose_reservation_is_not_there_halts_the_partition_and_names_it(stock_log: Any) -> None:
    stock_log.receive(10)
    owe(stock_log, 4)
    ship(stock_log, 3, order_id="o1", attempt=1)
    key = reservation_key("o1", 1)
    there = {name: row for name, row in stock_log.rows().items() if name != key}
    stock_log.table = type(stock_log.table)()
    stock_log.table.put(there)
    with pytest.raises(InvariantBroken, match=re.escape(key)):
        stock_log.deliver(stock_log.end)
    assert stock_log.rows() == there


GS1_82 = "!\"%&'()*+,-./0123456789:;<=>?ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"


@pytest.mark.parametrize("start", range(0, len(GS1_82), 20))
def test_a_lot_code_may_hold_every_character_that_gs1_allows(stock_log: Any, start: int) -> None:
    lot = GS1_82[start : start + 20]
    assert STOCK_LOG.items(encode(example(r.Received, lot=lot)))[0].lot == lot
    stock_log.receive(2, lot="L1")
    stock_log.lots()
    stock_log.receive(5, lot=lot)
    ship(stock_log, 7)
    assert (stock_log.stock().on_hand, missing(stock_log, "f")) == (0, 0)


def test_a_lot_code_does_not_hold_what_separates_keys() -> None:
    """Else the lot is filed under another SKU's or location's lots."""
    assert type(STOCK_LOG.items(encode(example(r.Received, lot="B|1")))[0]) is Unreadable
