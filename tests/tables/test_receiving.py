"""What comes in: batches, lots' standing on arrival, purchases in any order, transfers and their differences."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from tables import records as r
from tables.lots import UNKNOWN_LOT
from tables.outcome import ALERTS, Outcome
from tables.rows import BatchRow, IncomingRow, batch_key, incoming_key


def alerts(outcome: Outcome) -> list[tuple[str, int]]:
    return [(x.record.kind, x.record.units) for x in outcome.sends if x.topic == ALERTS and x.record.kind != "out"]


def batch(log: Any, lot: str = "L1") -> BatchRow:
    return log.table.get(batch_key("A", lot))


def coming(log: Any, location: str = "W1", reference: str = "PO-1") -> IncomingRow:
    return log.table.get(incoming_key("A", location, reference))


def traces(log: Any) -> list[tuple[str, str, int]]:
    return [(x.lot, x.kind, x.units) for x in log.rows("trace").values()]


# -- batches -----------------------------------------------------------------------------------------------------------


def test_the_first_mention_of_a_batch_makes_it_and_later_ones_fill_what_was_not_known(stock_log: Any) -> None:
    stock_log.receive(1, best_before="2027-01-31", status="inspection")
    stock_log.receive(1, best_before="2029-01-31", produced="2026-01-31", supplier="Hill", status="approved")
    row = batch(stock_log)
    assert (row.best_before, row.produced, row.supplier, row.status) == (
        "2027-01-31", "2026-01-31", "Hill", "inspection"
    )  # fmt: skip


def test_units_of_a_batch_have_its_status_wherever_they_arrive(stock_log: Any) -> None:
    stock_log.receive(3, status="on_hold")
    stock_log.receive(4, location="W2", status="approved")
    assert stock_log.lot("L1", location="W2").status == "on_hold"
    assert [stock_log.stock(location=x).unavailable for x in ("W1", "W2")] == [3, 4]


def test_units_that_are_over_already_are_unavailable_when_they_come(stock_log: Any) -> None:
    stock_log.receive(3, best_before="2023-11-13")
    stock_log.receive(4, lot="TODAY", best_before="2023-11-14")
    assert (stock_log.lot("L1").expired, stock_log.lot("TODAY").expired) == (True, False)
    assert (stock_log.stock().on_hand, stock_log.stock().unavailable) == (7, 3)


def test_each_movement_of_a_lot_leaves_a_trace(stock_log: Any) -> None:
    stock_log.receive(5, reference="PO-9", occurred_at="2023-11-14T09:00:00Z")
    (row,) = stock_log.rows("trace").values()
    assert (row.lot, row.sku, row.location, row.kind, row.units) == ("L1", "A", "W1", "received", 5)
    assert (row.reference, row.occurred_at, row.ms) == ("PO-9", "2023-11-14T09:00:00Z", stock_log.records[-1][1])


# -- purchases ---------------------------------------------------------------------------------------------------------

ORDERED = r.PurchaseOrdered(id="1", sku="A", location="W1", reference="PO-1", quantity=10, supplier="Hill")
CONFIRMED = r.PurchaseConfirmed(id="2", sku="A", location="W1", reference="PO-1", quantity=8, expected="2023-12-01")
NOTIFIED = r.PurchaseNotified(id="3", sku="A", location="W1", reference="PO-1", quantity=8, expected="2023-12-02")
CLOSED = r.PurchaseClosed(id="4", sku="A", location="W1", reference="PO-1")


def test_what_is_ordered_is_incoming_and_part_of_no_stock(stock_log: Any) -> None:
    for fact in (ORDERED, CONFIRMED, NOTIFIED):
        assert alerts(stock_log.append(fact)) == []
    row = coming(stock_log)
    assert (row.ordered, row.confirmed, row.notified, row.received, row.expected) == (10, 8, 8, 0, "2023-12-02")
    assert (row.kind, row.source, row.state) == ("purchase", "Hill", "open")
    assert (stock_log.stock().on_hand, stock_log.stock().level) == (0, "ok")


def test_the_same_reference_again_replaces_what_was_ordered(stock_log: Any) -> None:
    stock_log.append(ORDERED)
    stock_log.append(r.PurchaseOrdered(id="5", sku="A", location="W1", reference="PO-1", quantity=25))
    assert (coming(stock_log).ordered, coming(stock_log).source) == (25, "Hill")


def test_a_purchase_is_closed_when_everything_came_and_tells_what_is_too_much(stock_log: Any) -> None:
    stock_log.append(ORDERED)
    assert alerts(stock_log.receive(6, reference="PO-1")) == []
    assert (coming(stock_log).received, coming(stock_log).state) == (6, "open")
    assert alerts(stock_log.receive(7, reference="PO-1")) == [("discrepancy", 3)]
    assert (coming(stock_log).received, coming(stock_log).state) == (13, "closed")
    assert alerts(stock_log.receive(5, reference="PO-1")) == [], "it is no part of a purchase that is closed"
    assert stock_log.stock().on_hand == 18


def test_a_purchase_closed_before_everything_came_tells_what_is_missing_once(stock_log: Any) -> None:
    stock_log.append(ORDERED)
    stock_log.receive(6, reference="PO-1")
    assert alerts(stock_log.append(CLOSED)) == [("discrepancy", -4)]
    assert alerts(stock_log.append(r.PurchaseClosed(id="5", sku="A", location="W1", reference="PO-1"))) == []


def test_a_purchase_of_which_exactly_all_came_is_closed_and_nobody_is_alerted(stock_log: Any) -> None:
    stock_log.append(ORDERED)
    assert alerts(stock_log.receive(6, reference="PO-1")) == []
    assert alerts(stock_log.receive(4, reference="PO-1")) == []
    assert (coming(stock_log).received, coming(stock_log).state) == (10, "closed")
    assert alerts(stock_log.append(CLOSED)) == []


def test_a_purchase_that_ends_a_single_unit_short_is_a_discrepancy(stock_log: Any) -> None:
    stock_log.append(ORDERED)
    stock_log.receive(9, reference="PO-1")
    assert alerts(stock_log.append(CLOSED)) == [("discrepancy", -1)]


@pytest.mark.parametrize("order", [(CLOSED, ORDERED, CONFIRMED), (CONFIRMED, CLOSED, ORDERED)])
def test_a_purchase_is_closed_whichever_of_its_records_comes_first(stock_log: Any, order: tuple[Any, ...]) -> None:
    for fact in order:
        stock_log.append(fact)
    row = coming(stock_log)
    assert (row.ordered, row.confirmed, row.state) == (10, 8, "closed")


def test_a_receipt_of_another_location_or_without_its_reference_is_no_part_of_a_purchase(stock_log: Any) -> None:
    stock_log.append(ORDERED)
    stock_log.receive(6)
    stock_log.receive(6, location="W2", reference="PO-1")
    assert coming(stock_log).received == 0


# -- purchases that are told after their goods came --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("came", "state", "told"),
    [(9, "open", []), (10, "closed", []), (12, "closed", [("discrepancy", 2)])],
)
def test_a_purchase_that_is_told_after_its_goods_came_has_come_as_far(
    stock_log: Any, came: int, state: str, told: list[tuple[str, int]]
) -> None:
    stock_log.receive(came - 4, reference="PO-1")
    assert alerts(stock_log.receive(4, reference="PO-1")) == []
    assert alerts(stock_log.append(ORDERED)) == told
    row = coming(stock_log)
    assert (row.ordered, row.received, row.state) == (10, came, state)
    assert stock_log.stock().on_hand == came


def test_by_rules_5_a_purchase_that_is_told_after_its_goods_came_goes_on_to_be_expected(stock_log: Any) -> None:
    stock_log.state = replace(stock_log.state, logic_version=5)
    stock_log.receive(10, reference="PO-1")
    stock_log.append(ORDERED)
    assert (coming(stock_log).received, coming(stock_log).state) == (0, "open")


def test_what_came_under_a_number_that_nobody_ordered_by_is_not_expected_nor_promised(stock_log: Any) -> None:
    stock_log.append(r.PolicySet(id="p", sku="A", location="W1", backorder_limit=50))
    stock_log.receive(5, reference="PO-1")
    assert stock_log.table.below("incoming|A|W1|") == []
    (*_, part) = stock_log.answered(stock_log.reserve(("A", 6), policy="backorder")).parts
    assert (part.backordered, part.due) == (True, "")


def test_a_purchase_that_is_closed_after_its_goods_came_misses_nothing(stock_log: Any) -> None:
    stock_log.receive(5, reference="PO-1")
    assert alerts(stock_log.append(CLOSED)) == []
    assert (coming(stock_log).received, coming(stock_log).state) == (5, "closed")


@pytest.mark.parametrize("first", ["out", "in"])
def test_a_receipt_under_the_number_of_a_transfer_is_no_part_of_it_whichever_comes_first(
    stock_log: Any, first: str
) -> None:
    stock_log.receive(9)
    stock_log.receive(5, location="W2", reference="T")
    leave(stock_log, 5) if first == "out" else arrive(stock_log, 5, final=False)
    row = coming(stock_log, "W2", "T")
    assert (row.kind, row.ordered, row.received) == ("transfer", *((5, 0) if first == "out" else (0, 5)))


# -- transfers ---------------------------------------------------------------------------------------------------------


def leave(log: Any, quantity: int, fact_id: str = "out", **more: Any) -> Outcome:
    return log.append(r.TransferredOut(
        id=fact_id, sku="A", location="W1", to="W2", quantity=quantity, reference="T", **more
    ))  # fmt: skip


def arrive(log: Any, quantity: int, fact_id: str = "in", **more: Any) -> Outcome:
    return log.append(r.TransferredIn(id=fact_id, sku="A", location="W2", quantity=quantity, reference="T", **more))


def two_lots(log: Any) -> None:
    log.receive(3, lot="OLD", best_before="2027-01-31", status="inspection")
    log.receive(4, lot="NEW", best_before="2027-06-30")


def leave_both(log: Any) -> None:
    """Three units of each lot of `two_lots`, in one transfer."""
    leave(log, 3, lot="OLD", expected="2023-11-20")
    leave(log, 3, "out2", lot="NEW")


def test_a_transfer_is_under_way_by_lot_and_nowhere_on_hand(stock_log: Any) -> None:
    two_lots(stock_log)
    leave_both(stock_log)
    row = coming(stock_log, "W2", "T")
    assert row.lots == (("OLD", 3), ("NEW", 3))
    assert (row.kind, row.source, row.ordered, row.confirmed, row.expected) == ("transfer", "W1", 6, 6, "2023-11-20")
    assert (stock_log.stock().on_hand, stock_log.stock(location="W2").on_hand) == (1, 0)


def test_a_transfer_arrives_as_it_was_sent_with_its_batches_day_and_status(stock_log: Any) -> None:
    two_lots(stock_log)
    leave_both(stock_log)
    assert alerts(arrive(stock_log, 6)) == []
    assert stock_log.lots(location="W2") == {"NEW": 3, "OLD": 3}
    assert (stock_log.lot("OLD", location="W2").status, stock_log.stock(location="W2").unavailable) == ("inspection", 3)
    assert stock_log.lot("NEW", location="W2").best_before == "2027-06-30"
    assert (coming(stock_log, "W2", "T").state, coming(stock_log, "W2", "T").lots) == ("closed", (("NEW", 0),))
    assert traces(stock_log)[-2:] == [("OLD", "transferred_out", -3), ("OLD", "transferred_in", 3)]


def test_units_that_did_not_arrive_are_a_discrepancy_and_those_to_come_are_not(stock_log: Any) -> None:
    two_lots(stock_log)
    leave_both(stock_log)
    assert alerts(arrive(stock_log, 4, final=False)) == []
    assert coming(stock_log, "W2", "T").lots == (("NEW", 2),)
    assert alerts(arrive(stock_log, 1, "rest")) == [("discrepancy", -1)]
    assert stock_log.lots(location="W2") == {"OLD": 3, "NEW": 2}


def test_more_than_was_sent_is_of_the_last_lot_or_of_the_one_that_is_named(stock_log: Any) -> None:
    two_lots(stock_log)
    leave_both(stock_log)
    assert alerts(arrive(stock_log, 8)) == [("discrepancy", 2)]
    assert stock_log.lots(location="W2") == {"OLD": 3, "NEW": 5}
    leave(stock_log, 1, "again")
    arrive(stock_log, 1, "named", lot="X")
    assert stock_log.lots(location="W2") == {"OLD": 3, "NEW": 5, "X": 1}


def test_a_transfer_that_nobody_announced_is_a_receipt_with_a_discrepancy(stock_log: Any) -> None:
    stock_log.receive(9)
    assert alerts(arrive(stock_log, 5)) == [("discrepancy", 5)]
    assert stock_log.lots(location="W2") == {UNKNOWN_LOT: 5}
    leave(stock_log, 5)
    row = coming(stock_log, "W2", "T")
    assert (row.ordered, row.received, row.state) == (5, 5, "closed"), "it has come already"


def test_units_that_left_beyond_the_books_are_expected_all_the_same(stock_log: Any) -> None:
    stock_log.receive(2)
    leave(stock_log, 5)
    assert (coming(stock_log, "W2", "T").ordered, coming(stock_log, "W2", "T").lots) == (5, (("L1", 2),))
    assert stock_log.table.get("fact|out").missing == 3


def test_a_named_lot_that_arrives_is_no_longer_under_way(stock_log: Any) -> None:
    two_lots(stock_log)
    leave_both(stock_log)
    arrive(stock_log, 2, lot="NEW", final=False)
    assert coming(stock_log, "W2", "T").lots == (("OLD", 3), ("NEW", 1))
    assert stock_log.lots(location="W2") == {"NEW": 2}


@pytest.mark.parametrize(
    ("rules", "there", "sellable"), [(4, {"L1": 5, UNKNOWN_LOT: 3}, 3), (5, {"L1": 8}, 0)], ids=["rules 4", "rules 5"]
)
def test_what_comes_after_the_end_of_a_transfer_is_of_the_lot_that_was_sent(
    stock_log: Any, rules: int, there: dict[str, int], sellable: int
) -> None:
    """The lot is held: by rules 4 its last units could be sold there."""
    stock_log.state = replace(stock_log.state, logic_version=rules)
    stock_log.receive(8, status="on_hold")
    leave(stock_log, 8)
    assert alerts(arrive(stock_log, 5)) == [("discrepancy", -3)]
    assert "discrepancy" not in dict(alerts(arrive(stock_log, 3, "rest")))
    row = stock_log.stock(location="W2")
    assert (stock_log.lots(location="W2"), row.on_hand - row.unavailable) == (there, sellable)


def test_more_than_all_that_was_sent_is_of_the_lot_that_was_sent_last(stock_log: Any) -> None:
    stock_log.receive(8, status="on_hold")
    leave(stock_log, 8)
    arrive(stock_log, 8)
    assert alerts(arrive(stock_log, 1, "more")) == [("discrepancy", 1)]
    assert stock_log.lots(location="W2") == {"L1": 9}
    assert stock_log.stock(location="W2").unavailable == 9


@pytest.mark.parametrize(("rules", "arrives"), [(4, {"NEW": 2}), (5, {"OLD": 2})], ids=["rules 4", "rules 5"])
def test_a_lot_that_was_seen_to_leave_arrives_whatever_the_books_had_of_it(
    stock_log: Any, rules: int, arrives: dict[str, int]
) -> None:
    stock_log.state = replace(stock_log.state, logic_version=rules)
    two_lots(stock_log)
    leave(stock_log, 3, lot="OLD")
    leave(stock_log, 2, "out2", lot="OLD")  # the books have none any more
    arrive(stock_log, 3, final=False)
    before = stock_log.lots(location="W2")
    arrive(stock_log, 2, "rest")
    after = stock_log.lots(location="W2")
    assert {lot: units - before.get(lot, 0) for lot, units in after.items() if units != before.get(lot, 0)} == arrives
    assert stock_log.stock(location="W2").unavailable == after["OLD"]
    assert stock_log.lots() == {"OLD": 0, "NEW": 2}


def test_what_was_lost_of_a_transfer_is_not_expected_with_the_next_of_its_reference(stock_log: Any) -> None:
    two_lots(stock_log)
    leave(stock_log, 3, lot="OLD")
    arrive(stock_log, 1)
    assert (coming(stock_log, "W2", "T").state, coming(stock_log, "W2", "T").lots) == ("closed", (("OLD", 2),))
    leave(stock_log, 2, "out2", lot="NEW")
    assert (coming(stock_log, "W2", "T").state, coming(stock_log, "W2", "T").lots) == ("open", (("NEW", 2),))


def test_a_receipt_does_not_close_a_transfer_of_the_same_reference(stock_log: Any) -> None:
    stock_log.receive(9)
    leave(stock_log, 5)
    before = stock_log.rows("incoming")
    stock_log.receive(5, location="W2", reference="T")
    assert stock_log.rows("incoming") == before


def test_a_purchase_does_not_change_a_transfer_of_the_same_reference(stock_log: Any) -> None:
    stock_log.receive(9)
    leave(stock_log, 5)
    before = stock_log.rows("incoming", "stock")
    stock_log.append(r.PurchaseOrdered(id="po", sku="A", location="W2", reference="T", quantity=50))
    assert stock_log.rows("incoming", "stock") == before
