"""Recalls and the standing of a lot: everywhere at once, those to come included, until it is over."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from tables import recalls
from tables import records as r
from tables.codec import STOCK_LOG, encode
from tables.outcome import ALERTS, WAREHOUSE, Outcome


def alerts(outcome: Outcome) -> list[tuple[str, str, str, int]]:
    told = [x.record for x in outcome.sends if x.topic == ALERTS]
    return [(x.sku, x.location, x.lot, x.units) for x in told if x.kind == "recalled"]


def notes(outcome: Outcome) -> list[Any]:
    return [x.record for x in outcome.sends if x.topic == WAREHOUSE]


def statuses(log: Any) -> dict[str, str]:
    return {key[len("lot|") :]: row.status for key, row in log.rows("lot").items()}


def open_recall(log: Any, fact_id: str = "r", **more: Any) -> Outcome:
    return log.append(r.RecallOpened(id=fact_id, lot="L1", **more))


def close_recall(log: Any, fact_id: str = "x") -> Outcome:
    return log.append(r.RecallClosed(id=fact_id, lot="L1"))


@pytest.fixture
def shelves(stock_log: Any) -> Any:
    """L1 of A at two locations, of B at one; and another lot."""
    stock_log.receive(5)
    stock_log.receive(3, location="W2")
    stock_log.receive(2, sku="B")
    stock_log.receive(9, lot="L2")
    return stock_log


def test_a_recalled_lot_is_frozen_at_every_location_at_once(shelves: Any) -> None:
    outcome = open_recall(shelves, reason="metal found")
    assert alerts(outcome) == [("A", "W1", "L1", 5), ("A", "W2", "L1", 3), ("B", "W1", "L1", 2)]
    assert {x.record.note for x in outcome.sends if x.record.kind == "recalled"} == {"metal found"}
    assert [shelves.stock(*x).unavailable for x in (("A", "W1"), ("A", "W2"), ("B", "W1"))] == [5, 3, 2]
    assert shelves.stock().on_hand == 14
    assert statuses(shelves)["A|W1|L2"] == "approved"


def test_a_recall_of_some_skus_freezes_those(shelves: Any) -> None:
    open_recall(shelves, skus=["B"])
    assert statuses(shelves) == {
        "A|W1|L1": "approved", "A|W1|L2": "approved", "A|W2|L1": "approved", "B|W1|L1": "recalled"
    }  # fmt: skip


def test_promises_on_a_frozen_lot_become_a_shortage(shelves: Any) -> None:
    shelves.reserve(("B", 2), locations=["W1"])
    shelves.command(r.Allocate)
    kinds = [x.record.kind for x in open_recall(shelves).sends]
    assert "shortage" in kinds
    assert shelves.reservation().lines[0].open == 2


def test_units_of_a_recalled_lot_that_come_later_are_frozen_too(shelves: Any) -> None:
    open_recall(shelves)
    shelves.receive(4, location="W3")
    shelves.append(r.Returned(id="b", sku="A", location="W4", quantity=1, disposition="restock", lot="L1"))
    assert (shelves.stock(location="W3").unavailable, shelves.stock(location="W4").unavailable) == (4, 1)


def test_a_recall_of_a_lot_that_nobody_has_counts_when_it_comes(stock_log: Any) -> None:
    assert alerts(open_recall(stock_log)) == []
    stock_log.receive(5)
    assert statuses(stock_log) == {"A|W1|L1": "recalled"}


def test_a_drill_freezes_nothing_and_ends_no_recall(shelves: Any) -> None:
    before = shelves.rows("lot", "stock")
    assert alerts(open_recall(shelves, mock=True)) == []
    assert shelves.rows("lot", "stock") == before
    open_recall(shelves, "real")
    open_recall(shelves, "drill", mock=True)
    shelves.receive(1, location="W3")
    assert shelves.lot("L1", location="W3").status == "recalled"


def test_a_second_recall_adds_skus_to_the_first(shelves: Any) -> None:
    open_recall(shelves, skus=["A"])
    assert alerts(open_recall(shelves, "again", skus=["B"])) == [("B", "W1", "L1", 2)]
    shelves.receive(1, location="W3")
    assert shelves.lot("L1", location="W3").status == "recalled"


def test_when_a_recall_is_over_each_lot_is_what_its_batch_is(shelves: Any) -> None:
    open_recall(shelves)
    shelves.append(r.LotStatusSet(id="q", sku="B", lot="L1", status="on_hold", reason="smell"))
    assert statuses(shelves)["B|W1|L1"] == "recalled", "only the batch changes while it is recalled"
    assert alerts(close_recall(shelves)) == []
    assert statuses(shelves) == {
        "A|W1|L1": "approved", "A|W1|L2": "approved", "A|W2|L1": "approved", "B|W1|L1": "on_hold"
    }  # fmt: skip
    assert [shelves.stock(*x).unavailable for x in (("A", "W1"), ("A", "W2"), ("B", "W1"))] == [0, 0, 2]


def test_a_recall_of_many_lots_goes_on_in_further_records(shelves: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recalls, "LOTS_MAX", 1)
    first = open_recall(shelves)
    (note,) = notes(first)
    assert (note.id, note.cause, note.opens) == ("r:1", "r", True)
    assert alerts(first) == [("A", "W1", "L1", 5)]
    second = shelves.append(note)
    (note,) = notes(second)
    assert (note.id, alerts(second)) == ("r:2", [("A", "W2", "L1", 3)])
    third = shelves.append(note)
    assert (notes(third), alerts(third)) == ([], [("B", "W1", "L1", 2)])
    assert shelves.append(note) == Outcome(), "heard twice, nothing more"


def test_what_follows_from_a_record_with_a_long_id_can_be_read(shelves: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recalls, "LOTS_MAX", 1)
    (note,) = notes(open_recall(shelves, "r" * 256))
    assert STOCK_LOG.items(encode(note)) == [note]
    parts = [r.KitPartUsed("A", 1)]
    made = r.KitAssembled(id="k" * 256, sku="TRIO", location="W1", quantity=1, lot="K1", parts=parts)
    (part,) = notes(shelves.append(made))
    assert STOCK_LOG.items(encode(part)) == [part]


def test_a_recall_that_ends_before_all_is_frozen_leaves_nothing_frozen(
    shelves: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recalls, "LOTS_MAX", 1)
    (late,) = notes(open_recall(shelves))
    close_recall(shelves)
    assert alerts(shelves.append(late)) == []
    assert set(statuses(shelves).values()) == {"approved"}


def test_a_recall_delivered_again_says_the_same_and_freezes_once(shelves: Any) -> None:
    said = list(open_recall(shelves).sends)
    offset = shelves.end
    close_recall(shelves)
    rows = shelves.rows()
    assert list(shelves.deliver(offset).sends) == said
    assert shelves.rows() == rows


def test_the_notes_with_which_a_recall_goes_on_name_its_skus_and_no_time(
    shelves: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody's clock is in them: said again they are word for word the same."""
    monkeypatch.setattr(recalls, "LOTS_MAX", 1)
    shelves.receive(1, location="W3")
    (note,) = notes(open_recall(shelves, skus=["A"], time="2026-11-01T08:00:00Z"))
    assert (note.lot, note.skus, note.time) == ("L1", ["A"], "")
    (after,) = notes(shelves.append(replace(note, time="2026-11-01T08:00:01Z")))
    assert after == replace(note, id="r:2")


def test_a_recall_of_other_skus_leaves_to_the_first_one_s_note_what_that_has_not_frozen_yet(
    shelves: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recalls, "LOTS_MAX", 1)
    (note,) = notes(open_recall(shelves, skus=["A"]))
    second = open_recall(shelves, "again", skus=["B"])
    assert (notes(second), alerts(second)) == ([], [("B", "W1", "L1", 2)])
    assert statuses(shelves)["A|W2|L1"] == "approved"
    assert alerts(shelves.append(note)) == [("A", "W2", "L1", 3)]


# -- status and data of a batch ----------------------------------------------------------------------------------------


def test_a_lots_status_holds_at_every_location(shelves: Any) -> None:
    shelves.append(r.LotStatusSet(id="q", sku="A", lot="L1", status="inspection"))
    assert [shelves.stock(location=x).unavailable for x in ("W1", "W2")] == [5, 3]
    assert statuses(shelves)["B|W1|L1"] == "approved", "another SKU's lot of the same code is another batch"
    shelves.append(r.LotStatusSet(id="q2", sku="A", lot="L1", status="approved"))
    assert [shelves.stock(location=x).unavailable for x in ("W1", "W2")] == [0, 0]


def test_a_batch_keeps_the_reason_of_its_last_status(shelves: Any) -> None:
    for n, (status, reason) in enumerate([("on_hold", "smell"), ("approved", "")]):
        shelves.append(r.LotStatusSet(id=f"q{n}", sku="A", lot="L1", status=status, reason=reason))
        row = shelves.table.get("batch|A|L1")
        assert (row.status, row.reason) == (status, reason)


def test_a_note_about_the_lots_of_one_sku_leaves_those_of_another_to_theirs(
    shelves: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of A and of B one shelf each is on hold so far."""
    monkeypatch.setattr(recalls, "LOTS_MAX", 1)
    shelves.receive(2, sku="B", location="W2")
    told = {}
    for sku in ("A", "B"):
        (told[sku],) = notes(shelves.append(r.LotStatusSet(id=f"q{sku}", sku=sku, lot="L1", status="on_hold")))
    assert notes(shelves.append(told["A"])) == []
    assert statuses(shelves) == {
        "A|W1|L1": "on_hold", "A|W1|L2": "approved", "A|W2|L1": "on_hold", "B|W1|L1": "on_hold", "B|W2|L1": "approved"
    }  # fmt: skip
    assert notes(shelves.append(told["B"])) == []
    assert statuses(shelves)["B|W2|L1"] == "on_hold"


def test_what_is_told_of_a_batch_replaces_what_was_known_and_the_rest_stays(shelves: Any) -> None:
    shelves.append(r.LotDefined(id="1", sku="A", lot="L1", supplier="Hill", documents=["c1"], produced="2023-01-01"))
    shelves.append(r.LotDefined(id="2", sku="A", lot="L1", best_before="2027-01-31", documents=["c2"]))
    row = shelves.table.get("batch|A|L1")
    assert (row.supplier, row.documents, row.produced, row.best_before) == ("Hill", ("c2",), "2023-01-01", "2027-01-31")
    assert [shelves.lot("L1", location=x).best_before for x in ("W1", "W2")] == ["2027-01-31", "2027-01-31"]


def test_a_corrected_day_makes_units_expire_or_not(shelves: Any) -> None:
    shelves.append(r.LotDefined(id="1", sku="A", lot="L1", best_before="2023-11-13"))
    assert (shelves.lot("L1").expired, shelves.stock().unavailable) == (True, 5)
    shelves.append(r.LotDefined(id="2", sku="A", lot="L1", best_before="2027-11-13"))
    assert (shelves.lot("L1").expired, shelves.stock().unavailable) == (False, 0)


def test_a_batch_may_be_told_of_before_its_first_unit(stock_log: Any) -> None:
    stock_log.append(r.LotStatusSet(id="1", sku="A", lot="L1", status="inspection"))
    stock_log.append(r.LotDefined(id="2", sku="A", lot="L1", best_before="2027-01-31"))
    stock_log.receive(5)
    assert (stock_log.lot("L1").status, stock_log.lot("L1").best_before) == ("inspection", "2027-01-31")
