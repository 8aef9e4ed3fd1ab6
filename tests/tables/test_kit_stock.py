"""Pre-built kits: stock of their own; their parts hear of it, each in its own partition, once."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from tables import records as r
from tables.lots import UNKNOWN_LOT
from tables.movements import STEM_MAX
from tables.murmur2 import partition_of_sku
from tables.outcome import WAREHOUSE, Outcome

PARTS = [r.KitPartUsed("A", 10, "L1"), r.KitPartUsed("B", 5)]
MADE = r.KitAssembled(
    id="k", sku="TRIO", location="W1", quantity=5, lot="K1", best_before="2027-01-31", parts=PARTS
)  # fmt: skip
APART = r.KitDisassembled(id="d", sku="TRIO", location="W1", quantity=2, lot="K1", parts=[r.KitPartUsed("A", 4)])


def notes(outcome: Outcome) -> list[Any]:
    return [x for x in outcome.sends if x.topic == WAREHOUSE]


def test_a_kit_that_was_made_is_stock_of_its_own_batch(stock_log: Any) -> None:
    stock_log.append(MADE)
    assert stock_log.lots("TRIO") == {"K1": 5}
    assert stock_log.lot("K1", "TRIO").best_before == "2027-01-31"
    assert [(x.kind, x.units) for x in stock_log.rows("trace").values()] == [("assembled", 5)]


def test_each_part_hears_of_it_in_its_own_partition_under_an_id_that_follows(stock_log: Any) -> None:
    stock_log.state = replace(stock_log.state, partitions=4)
    sent = notes(stock_log.append(MADE))
    assert [(x.record.id, x.record.sku, x.record.quantity, x.record.lot) for x in sent] == [
        ("k:part:0", "A", -10, "L1"), ("k:part:1", "B", -5, None)
    ]  # fmt: skip
    assert [x.partition for x in sent] == [partition_of_sku("A", 4), partition_of_sku("B", 4)]
    assert notes(stock_log.deliver(stock_log.end)) == sent


def test_parts_leave_the_named_lot_first_and_tell_which_kit_they_are_in(stock_log: Any) -> None:
    stock_log.receive(4, lot="L2", best_before="2026-01-31")
    stock_log.receive(8, lot="L1", best_before="2027-01-31")
    for sent in notes(stock_log.append(MADE)):
        stock_log.append(sent.record)
    assert stock_log.lots() == {"L1": 0, "L2": 2}
    made = [(x.lot, x.units, x.reference) for x in stock_log.rows("trace").values() if x.kind == "made_into"]
    assert sorted(made) == [("L1", -8, "TRIO K1"), ("L2", -2, "TRIO K1")]
    assert stock_log.table.get("fact|k:part:1").missing == 5, "there was no B"


def test_a_kit_taken_apart_is_gone_and_its_parts_are_back(stock_log: Any) -> None:
    stock_log.append(MADE)
    for sent in notes(stock_log.append(APART)):
        stock_log.append(sent.record)
    assert (stock_log.lots("TRIO"), stock_log.lots("A")) == ({"K1": 3}, {UNKNOWN_LOT: 4})
    assert [x.reference for x in stock_log.rows("trace").values() if x.kind == "made_from"] == ["TRIO K1"]


def test_a_part_that_hears_twice_moves_once(stock_log: Any) -> None:
    stock_log.receive(50)
    note = notes(stock_log.append(MADE))[0].record
    stock_log.append(note)
    before = stock_log.rows()
    assert stock_log.append(note) == Outcome()
    assert stock_log.rows() == before


def test_kits_that_were_made_go_to_who_waits_for_them_and_their_parts_hear_of_it_all_the_same(stock_log: Any) -> None:
    stock_log.append(r.PolicySet(id="p", sku="TRIO", location="W1", backorder_limit=9))
    stock_log.reserve(("TRIO", 2), policy="backorder")
    sent = [x.record for x in notes(stock_log.append(MADE))]
    assert [(type(x), x.sku) for x in sent] == [
        (r.FillBackorders, "TRIO"), (r.KitPartMoved, "A"), (r.KitPartMoved, "B")
    ]  # fmt: skip
    stock_log.append(sent[0])
    assert (stock_log.stock("TRIO").claimed, stock_log.stock("TRIO").backordered) == (2, 0)


@pytest.mark.parametrize(("length", "own"), [(STEM_MAX, True), (STEM_MAX + 1, False)])
def test_what_follows_from_a_record_is_named_after_it_unless_its_name_is_too_long(
    stock_log: Any, length: int, own: bool
) -> None:
    made = replace(MADE, id="k" * length)
    stems = {x.record.id.partition(":part:")[0] for x in notes(stock_log.append(made))}
    assert (stems == {made.id}) is own
    assert [len(x) <= STEM_MAX for x in stems] == [True]
