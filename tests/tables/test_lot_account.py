"""The account of a lot: every movement in one section, kits followed, and what does not add up is named."""

from __future__ import annotations

import random
from itertools import count

import pytest

from tables import lot_account
from tables.lot_account import account
from tables.lot_sections import LotPartition
from tables.rows import BatchRow, IncomingRow, LotRow, RecallRow, TraceRow

JERKY, PEPPER, BOX, CRATE = "JRK-1", "JRK-2", "BOX-1", "CRATE-1"
MS = 1_764_000_000_000


class Shelf:
    """Rows of the partitions of a log, as movements leave them there."""

    def __init__(self):
        self.places = count(1)
        self.traces, self.on_hand, self.incoming, self.recall = [], {}, [], None

    def move(self, sku, lot, kind, units, *, location="W1", moves=True, **more):
        place = next(self.places)
        said = {"occurred_at": "", "order_id": "", "channel": "", "known": "", "reference": ""} | more
        self.traces.append(TraceRow(place, lot, sku, location, kind, units, MS + place, **said))
        key = (sku, lot, location)
        self.on_hand[key] = self.on_hand.get(key, 0) + (units if moves else 0)

    def ship(self, sku, lot, units, order_id, known="scanned", channel="shop"):
        self.move(sku, lot, "shipped", -units, order_id=order_id, known=known, channel=channel)

    def under_way(self, sku, lot, units, state="open"):
        self.incoming.append(
            IncomingRow(1, sku, "W2", "T-1", "transfer", "W1", 9, 9, 0, 0, "2026-12-01", ((lot, units),), state)
        )

    def freeze(self, lot, *, mock=False, state="open"):
        self.recall = RecallRow(1, lot, "recall-1", (), "metal", mock, state, MS, 0)

    def partition(self, lot, number=0, skus=None):
        """What the partition with these SKUs knows of a lot."""
        here = lambda sku: skus is None or sku in skus  # noqa: E731
        frozen = self.recall and self.recall.lot == lot and not self.recall.mock and self.recall.state == "open"
        return LotPartition(
            partition=number, partitions=2, log_id=7, offset=99, state_ms=MS,
            recall=self.recall if self.recall and self.recall.lot == lot else None,
            batches=[
                BatchRow(1, sku, lot, "2027-01-31", "2026-01-31", "Ranch & Co", ("coa.pdf",), "approved", "")
                for sku in sorted({t.sku for t in self.traces if t.lot == lot and here(t.sku)})
            ],
            lots=[
                LotRow(1, sku, location, code, "2027-01-31", 1, units, 0, "recalled" if frozen else "approved", False,
                       False, 0, ())
                for (sku, code, location), units in self.on_hand.items() if code == lot and here(sku)
            ],
            incoming=[x for x in self.incoming if here(x.sku) and x.lots[0][0] == lot],
            traces=[t for t in self.traces if t.lot == lot and here(t.sku)], whole=True,
        )  # fmt: skip

    def account(self, lot, **more):
        return account(lot, lambda code: [self.partition(code)], **more)


@pytest.fixture
def shelf():
    return Shelf()


def test_a_lot_says_where_it_came_from_and_who_got_it(shelf):
    shelf.move(JERKY, "L1", "received", 10, reference="PO-1", occurred_at="2026-02-01T08:00:00Z")
    shelf.ship(JERKY, "L1", 3, "order-1", known="presumed")
    said = shelf.account("L1")
    [came] = said.received
    assert (came.units, came.supplier, came.reference, came.documents) == (10, "Ranch & Co", "PO-1", ("coa.pdf",))
    assert came.occurred_at == "2026-02-01T08:00:00Z"
    [left] = said.shipped
    assert (left.order_id, left.units, left.channel, left.known, left.through) == ("order-1", 3, "shop", "presumed", "")
    assert (said.totals.shipped, said.totals.orders, said.totals.on_hand) == (3, 1, 7)
    assert (said.totals.by_channel, said.totals.by_known) == ((("shop", 3),), (("presumed", 3),))


def test_what_came_in_and_what_became_of_it_add_up_over_every_kind_of_movement(shelf):
    shelf.move(JERKY, "L1", "received", 100)
    shelf.move(JERKY, "L1", "adjusted", -3, reference="damaged")
    shelf.move(JERKY, "L1", "counted", 1)
    shelf.ship(JERKY, "L1", 20, "order-1")
    shelf.move(JERKY, "L1", "returned", 4, order_id="order-1", reference="restock")
    shelf.move(JERKY, "L1", "scrapped", 2, order_id="order-1", moves=False)
    shelf.move(JERKY, "L1", "to_supplier", 1, order_id="order-1", moves=False)
    shelf.move(JERKY, "L1", "made_into", -10, reference=f"{BOX} K1")
    shelf.move(JERKY, "L1", "made_from", 5, reference=f"{BOX} K1")
    shelf.move(JERKY, "L1", "transferred_out", -9, reference="W2")
    shelf.move(JERKY, "L1", "transferred_in", 5, location="W2", reference="W1")
    shelf.under_way(JERKY, "L1", 4)
    shelf.move(JERKY, "L1", "picked", 6, order_id="order-2", moves=False)
    balance = shelf.account("L1").balances[0]
    assert (balance.received, balance.made, balance.returned, balance.adjusted) == (100, 5, 7, -2)
    assert (balance.shipped, balance.in_kits, balance.scrapped) == (20, 10, 3)
    assert (balance.in_transit, balance.lost_in_transit, balance.on_hand) == (4, 0, 73)
    assert (balance.difference, balance.says) == (0, "")


def test_units_that_came_in_and_are_nowhere_are_a_difference_with_a_name(shelf):
    shelf.move(JERKY, "L1", "received", 10)
    shelf.on_hand[JERKY, "L1", "W1"] -= 2
    [balance] = shelf.account("L1").balances
    assert (balance.difference, balance.says) == (2, "2 units came in that neither left nor are there")


def test_units_that_are_there_and_never_came_in_are_a_difference_with_a_name(shelf):
    shelf.move(JERKY, "L1", "received", 10)
    shelf.on_hand[JERKY, "L1", "W1"] += 2
    [balance] = shelf.account("L1").balances
    assert (balance.difference, balance.says) == (-2, "2 units left or are there that never came in")


def test_units_that_were_sent_and_are_not_expected_any_more_are_lost_in_transit(shelf):
    shelf.move(JERKY, "L1", "received", 10)
    shelf.move(JERKY, "L1", "transferred_out", -6, reference="W2")
    shelf.move(JERKY, "L1", "transferred_in", 4, location="W2", reference="W1")
    shelf.under_way(JERKY, "L1", 2, state="closed")
    said = shelf.account("L1")
    [balance] = said.balances
    assert (balance.in_transit, balance.lost_in_transit, balance.difference) == (0, 2, 0)
    assert balance.says == "2 units were sent to another location and did not arrive"
    assert said.in_transit == ()


def test_a_kit_lot_is_followed_to_its_own_shipments_and_on_through_the_kits_made_of_it(shelf):
    shelf.move(JERKY, "L1", "received", 10)
    shelf.move(JERKY, "L1", "made_into", -4, reference=f"{BOX} K1")
    shelf.move(BOX, "K1", "assembled", 2)
    shelf.ship(BOX, "K1", 1, "order-1")
    shelf.move(BOX, "K1", "made_into", -1, reference=f"{CRATE} C1")
    shelf.move(CRATE, "C1", "assembled", 1)
    shelf.ship(CRATE, "C1", 1, "order-2")
    shelf.ship(PEPPER, "K1", 5, "order-3")  # another SKU that happens to have the kit lot's code
    said = shelf.account("L1")
    assert [(x.order_id, x.sku, x.through) for x in said.shipped] == [
        ("order-1", BOX, f"{BOX} K1"), ("order-2", CRATE, f"{CRATE} C1"),
    ]  # fmt: skip
    assert (said.totals.shipped, said.totals.shipped_in_kits, said.totals.orders) == (0, 2, 2)
    assert [(b.sku, b.lot, b.difference) for b in said.balances] == [(JERKY, "L1", 0), (BOX, "K1", 0), (CRATE, "C1", 0)]


def test_a_kit_of_the_same_lot_code_is_counted_once(shelf):
    shelf.move(JERKY, "L1", "received", 10)
    shelf.move(JERKY, "L1", "made_into", -4, reference=f"{BOX} L1")
    shelf.move(BOX, "L1", "assembled", 2)
    shelf.ship(BOX, "L1", 1, "order-1")
    said = shelf.account("L1")
    assert [(x.order_id, x.units) for x in said.shipped] == [("order-1", 1)]
    assert [(b.sku, b.made, b.shipped) for b in said.balances] == [(BOX, 2, 1), (JERKY, 0, 0)]


def test_kits_made_of_each_other_do_not_go_round_for_ever(shelf):
    shelf.move(BOX, "K1", "made_into", -1, reference=f"{CRATE} C1")
    shelf.move(CRATE, "C1", "made_into", -1, reference=f"{BOX} K1")
    assert [(m.kit, m.kit_lot) for m in shelf.account("K1").made_into] == [(CRATE, "C1"), (BOX, "K1")]


def test_more_kit_lots_than_are_followed_are_told(shelf, monkeypatch):
    monkeypatch.setattr(lot_account, "KIT_LOTS_MAX", 2)
    for n in range(5):
        shelf.move(JERKY, "L1", "made_into", -1, reference=f"{BOX} K{n}")
        shelf.ship(BOX, f"K{n}", 1, f"order-{n}")
    said = shelf.account("L1")
    assert len(said.shipped) == 2
    assert said.notes == ("3 more kit lots contain units of it and are not followed here",)


def test_units_picked_for_an_order_are_bound_until_they_ship(shelf):
    shelf.move(JERKY, "L1", "received", 10)
    for order_id in ("order-1", "order-2"):
        shelf.move(JERKY, "L1", "picked", 3, order_id=order_id, known="presumed", moves=False)
    shelf.ship(JERKY, "L1", 3, "order-1")
    shelf.ship(JERKY, "L1", 1, "order-2")
    shelf.ship(JERKY, "L1", 1, "order-3")
    [bound] = shelf.account("L1").bound
    assert (bound.order_id, bound.units, bound.known) == ("order-2", 2, "presumed")


def test_units_that_left_without_a_pick_take_none_from_those_that_are_picked_later(shelf):
    """Somebody must find their box: a recall would let it leave."""
    shelf.move(JERKY, "L1", "received", 10)
    shelf.ship(JERKY, "L1", 2, "order-1")
    shelf.move(JERKY, "L1", "picked", 3, order_id="order-1", moves=False)
    [bound] = shelf.account("L1").bound
    assert (bound.order_id, bound.units) == ("order-1", 3)
    shelf.ship(JERKY, "L1", 3, "order-1")
    assert shelf.account("L1").bound == ()


def test_only_the_skus_that_are_asked_for_are_told(shelf):
    shelf.move(JERKY, "L1", "received", 10)
    shelf.move(PEPPER, "L1", "received", 5)
    said = shelf.account("L1", skus=[PEPPER])
    assert ([b.sku for b in said.balances], said.totals.received) == ([PEPPER], 5)


def test_what_is_recalled_is_frozen_and_kits_with_it_that_are_not_are_named(shelf):
    shelf.move(JERKY, "L1", "received", 10)
    shelf.move(JERKY, "L1", "made_into", -4, reference=f"{BOX} K1")
    shelf.move(BOX, "K1", "assembled", 2)
    assert shelf.account("L1").notes == ()
    shelf.freeze("L1")
    said = shelf.account("L1")
    assert (said.recall.state, said.recall.partitions, said.totals.frozen) == ("open", (0,), 6)
    assert said.notes == (
        "2 kits BOX-1 of lot K1 contain units of this lot and are not frozen: "
        "smokehouse recall open K1 --sku BOX-1 --reason TEXT",
    )


@pytest.mark.parametrize("how", [{"mock": True}, {"state": "closed"}])
def test_a_drill_or_a_recall_that_is_over_asks_for_nothing(shelf, how):
    shelf.move(JERKY, "L1", "made_into", -4, reference=f"{BOX} K1")
    shelf.move(BOX, "K1", "assembled", 2)
    shelf.freeze("L1", **how)
    said = shelf.account("L1")
    assert (said.totals.frozen, said.notes) == (0, ())


def test_the_order_of_rows_and_of_partitions_changes_nothing(shelf):
    for n in range(30):
        shelf.move(JERKY, "L1", "received", 10)
        shelf.ship(JERKY, "L1", 1, f"order-{n}")
        shelf.move(PEPPER, "L1", "received", 10)
        shelf.move(JERKY, "L1", "picked", 1, order_id=f"order-{n}", moves=False)
    parts = [shelf.partition("L1", 0, [JERKY]), shelf.partition("L1", 1, [PEPPER])]
    first = account("L1", lambda code: parts)
    for part in parts:
        random.Random(5).shuffle(part.traces)
        part.lots.reverse()
    assert account("L1", lambda code: parts[::-1]) == first


def test_a_lot_nobody_knows_is_not_known(shelf):
    assert not shelf.account("L9").known
    shelf.move(JERKY, "L1", "received", 10)
    assert shelf.account("L1").known
