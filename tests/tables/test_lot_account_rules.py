"""What a recall report says, field by field: whoever rings up customers reads nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from tables import lot_account
from tables.lot_account import account, recall_of
from tables.lot_sections import (
    Balance,
    Batch,
    Bound,
    Comeback,
    LotAccount,
    LotPartition,
    Made,
    Movement,
    OnHand,
    Recall,
    Receipt,
    Shipment,
    Totals,
    Transit,
)
from tables.rows import BatchRow, IncomingRow, LotRow, RecallRow, TraceRow

SECOND_MS = 1_000
START_MS = 1_764_000_000_000  # 2025-11-24T16:00:00Z
CAME = "2025-11-24T09:30:00Z"


def at(second: int) -> str:
    return f"2025-11-24T16:00:{second:02}.000Z"


def moved(second: int, kind: str, units: int, **more: Any) -> TraceRow:
    """A movement of lot L1 of A at W1, recorded in that second."""
    said = {"occurred_at": "", "order_id": "", "channel": "", "known": "", "reference": ""}
    where = {"lot": "L1", "sku": "A", "location": "W1"}
    return TraceRow(at=second, kind=kind, units=units, ms=START_MS + second * SECOND_MS, **{**where, **said, **more})


def on_shelf(units: int, sku: str = "A", lot: str = "L1", location: str = "W1", **more: Any) -> LotRow:
    said = {"best_before": "", "blocked": 0, "status": "approved", "expired": False, **more}
    return LotRow(at=1, sku=sku, location=location, lot=lot, received=1, on_hand=units, warned=False, due=0, moves=(),
                  **said)  # fmt: skip


def under_way(*lots: tuple[str, int], sku: str = "A", location: str = "W2", state: str = "open") -> IncomingRow:
    return IncomingRow(1, sku, location, "T1", "transfer", "W1", 9, 9, 0, 0, "2025-12-01", lots, state)


def recalled(**more: Any) -> RecallRow:
    said = {"lot": "L1", "id": "r1", "skus": (), "reason": "glass", "mock": False, "state": "open",
            "opened_ms": START_MS, "closed_ms": 0}  # fmt: skip
    return RecallRow(at=1, **{**said, **more})


def partition(number: int = 0, *rows: Any, recall: RecallRow | None = None) -> LotPartition:
    """What a partition knows of a lot: these rows."""
    of = {kind: [row for row in rows if isinstance(row, kind)] for kind in (BatchRow, LotRow, IncomingRow, TraceRow)}
    return LotPartition(
        partition=number, partitions=2, log_id=7, offset=99 + number, state_ms=START_MS + number * SECOND_MS,
        recall=recall, batches=of[BatchRow], lots=of[LotRow], incoming=of[IncomingRow], traces=of[TraceRow], whole=True,
    )  # fmt: skip


def told(*rows: Any, kits: dict[str, list[LotPartition]] | None = None, recall: RecallRow | None = None) -> LotAccount:
    """The account of L1, which one partition knows; and of the kit lots that are asked for on the way."""
    known = {"L1": [partition(0, *rows, recall=recall)], **(kits or {})}
    return account("L1", lambda lot: known.get(lot, []))


# -- what moved --------------------------------------------------------------------------------------------------------


def test_of_a_receipt_the_account_tells_all_that_the_batch_and_the_delivery_say() -> None:
    batch = BatchRow(1, "A", "L1", "2027-01-31", "2025-10-01", "Ranch", ("coa.pdf",), "inspection", "sample taken")
    said = told(batch, moved(1, "received", 10, reference="PO-1", occurred_at=CAME))
    own = {"sku": "A", "lot": "L1"}
    assert said.received == (
        Receipt(**own, location="W1", units=10, at=at(1), occurred_at=CAME, reference="PO-1", through="",
                supplier="Ranch", best_before="2027-01-31", documents=("coa.pdf",)),
    )  # fmt: skip
    assert said.batches == (
        Batch(**own, best_before="2027-01-31", produced="2025-10-01", supplier="Ranch", documents=("coa.pdf",),
              status="inspection", reason="sample taken"),
    )  # fmt: skip


def test_a_receipt_of_which_nobody_told_the_batch_has_no_supplier_no_date_and_no_papers() -> None:
    [came] = told(moved(1, "received", 10)).received
    assert (came.supplier, came.best_before, came.documents, came.reference) == ("", "", (), "")


def test_what_was_assembled_came_in_as_made_and_not_as_received() -> None:
    said = told(moved(1, "assembled", 10, reference="whatever"), moved(2, "received", 3))
    assert [(x.units, x.reference) for x in said.received] == [(10, "assembled"), (3, "")]
    assert (said.totals.made, said.totals.received) == (10, 3)
    assert (said.balances[0].made, said.balances[0].received) == (10, 3)


def test_of_a_shipment_the_account_tells_who_got_it_and_how_the_lot_is_known() -> None:
    who = {"order_id": "o1", "channel": "web", "known": "scanned"}
    said = told(moved(1, "shipped", -3, reference="B1", occurred_at=CAME, **who))
    assert said.shipped == (
        Shipment(sku="A", lot="L1", location="W1", units=3, at=at(1), occurred_at=CAME, reference="B1", through="",
                 **who),
    )  # fmt: skip


def test_what_left_by_no_channel_and_of_no_known_lot_is_counted_under_names_that_say_so() -> None:
    said = told(
        moved(1, "shipped", -3), moved(2, "shipped", -2, order_id="o1", channel="web", known="scanned"),
        moved(3, "shipped", -5, order_id="o1", channel="web", known="scanned"),
        moved(4, "shipped", -3, order_id="o2", channel="amazon", known="presumed"),
    )  # fmt: skip
    assert said.totals.by_channel == (("web", 7), ("(none)", 3), ("amazon", 3))
    assert said.totals.by_known == (("scanned", 7), ("(unknown)", 3), ("presumed", 3))
    assert said.totals.orders == 2


def test_who_got_as_much_as_another_stands_in_the_order_of_their_names() -> None:
    said = told(
        moved(1, "shipped", -3, channel="web", known="scanned"),
        moved(2, "shipped", -3, channel="amazon", known="presumed"),
    )  # fmt: skip
    assert said.totals.by_channel == (("amazon", 3), ("web", 3))
    assert said.totals.by_known == (("presumed", 3), ("scanned", 3))


@pytest.mark.parametrize(
    ("kind", "reference", "disposition", "scrapped"),
    [
        ("returned", "", "restock", 0),
        ("returned", "quarantine", "quarantine", 0),
        ("returned", "scrap", "scrap", 4),
        ("scrapped", "", "scrap", 4),
        ("to_supplier", "", "to_supplier", 4),
    ],
)
def test_of_what_came_back_the_account_tells_what_became_of_it(
    kind: str, reference: str, disposition: str, scrapped: int
) -> None:
    said = told(moved(1, kind, 4, order_id="o1", reference=reference, occurred_at=CAME))
    assert said.returned == (
        Comeback(sku="A", lot="L1", location="W1", units=4, at=at(1), occurred_at=CAME, reference=reference, through="",
                 order_id="o1", disposition=disposition),
    )  # fmt: skip
    [balance] = said.balances
    assert (balance.returned, balance.scrapped, said.totals.returned) == (4, scrapped, 4)


@pytest.mark.parametrize(
    ("kind", "reference", "how"),
    [
        ("adjusted", "damaged", "adjusted: damaged"),
        ("counted", "", "counted"),
        ("transferred_out", "W2", "transferred_out: W2"),
    ],
)
def test_a_change_is_told_with_its_sign_and_how_it_came_about(kind: str, reference: str, how: str) -> None:
    assert told(moved(1, kind, -4, reference=reference, occurred_at=CAME)).changed == (
        Movement(sku="A", lot="L1", location="W1", units=-4, at=at(1), occurred_at=CAME, reference=how, through=""),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "units", "field", "counted"),
    [
        ("adjusted", -4, "adjusted", -4),
        ("counted", 4, "adjusted", 4),
        ("made_from", 4, "made", 4),
        ("disassembled", -4, "in_kits", 4),
        ("transferred_out", -4, "lost_in_transit", 4),
        ("transferred_in", 4, "lost_in_transit", -4),
    ],
)
def test_each_kind_of_change_counts_in_one_field_of_the_balance(
    kind: str, units: int, field: str, counted: int
) -> None:
    [balance] = told(moved(1, kind, units)).balances
    fields = ("received", "made", "returned", "adjusted", "shipped", "in_kits", "scrapped", "in_transit",
              "lost_in_transit", "on_hand")  # fmt: skip
    assert {name: getattr(balance, name) for name in fields} == {**dict.fromkeys(fields, 0), field: counted}


def test_of_units_that_went_into_a_kit_the_account_names_the_kit_and_its_lot() -> None:
    asked: list[str] = []
    kit = {"reference": "BOX K1"}
    first = moved(1, "made_into", -4, occurred_at=CAME, **kit)
    one = [partition(0, first, moved(2, "made_into", -1), moved(3, "made_into", -2, **kit))]

    def ask(lot: str) -> list[LotPartition]:
        asked.append(lot)
        return one if lot == "L1" else []

    own = {"sku": "A", "lot": "L1", "location": "W1", "through": ""}
    assert account("L1", ask).made_into == (
        Made(**own, units=4, at=at(1), occurred_at=CAME, reference="BOX K1", kit="BOX", kit_lot="K1"),
        Made(**own, units=1, at=at(2), occurred_at="", reference="", kit="", kit_lot=""),
        Made(**own, units=2, at=at(3), occurred_at="", reference="BOX K1", kit="BOX", kit_lot="K1"),
    )
    assert asked == ["L1", "K1"], "each kit lot once, and none of a kit without one"


def test_of_units_in_a_kit_that_has_no_lot_the_account_names_the_kit_and_follows_none() -> None:
    asked: list[str] = []

    def ask(lot: str) -> list[LotPartition]:
        asked.append(lot)
        return [partition(0, moved(1, "made_into", -4, reference="BOX"))]

    [made] = account("L1", ask).made_into
    assert (made.kit, made.kit_lot, made.units, asked) == ("BOX", "", 4, ["L1"])


@pytest.mark.parametrize(
    ("kits", "more"), [(2, ()), (3, ("1 more kit lots contain units of it and are not followed here",))]
)
def test_as_many_kit_lots_are_followed_as_may_be_and_only_beyond_them_is_that_said(
    kits: int, more: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lot_account, "KIT_LOTS_MAX", 2)
    names = [f"K{n}" for n in range(kits)]
    shelves = {lot: [partition(0, on_shelf(1, "BOX", lot))] for lot in names}
    said = told(*(moved(n, "made_into", -1, reference=f"BOX {lot}") for n, lot in enumerate(names)), kits=shelves)
    assert [x.lot for x in said.on_hand] == ["K0", "K1"]
    assert said.notes == more


# -- what is there -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("status", "frozen"), [("recalled", 9), ("on_hold", 0), ("approved", 0)])
def test_of_a_shelf_the_account_tells_all_that_is_known_of_the_lot_there(status: str, frozen: int) -> None:
    said = told(on_shelf(9, best_before="2027-01-31", blocked=2, status=status, expired=True))
    assert said.on_hand == (
        OnHand(sku="A", lot="L1", location="W1", units=9, blocked=2, frozen=frozen, status=status, expired=True,
               best_before="2027-01-31"),
    )  # fmt: skip
    assert (said.totals.on_hand, said.totals.frozen) == (9, frozen)


def test_of_a_transfer_under_way_only_the_units_of_this_lot_are_told() -> None:
    said = told(under_way(("L1", 3), ("L2", 5), ("L1", 1)), under_way(("L2", 5), location="W3"))
    assert said.in_transit == (
        Transit(sku="A", lot="L1", source="W1", location="W2", units=4, reference="T1", expected="2025-12-01"),
    )
    assert said.totals.in_transit == 4
    assert told(under_way(("L1", 3)), under_way(("L1", 2), location="W3")).totals.in_transit == 5


@pytest.mark.parametrize(("lots", "state"), [((("L1", 3),), "closed"), ((("L1", 0),), "open")])
def test_a_transfer_that_is_over_or_carries_none_of_it_is_not_under_way(lots: Any, state: str) -> None:
    said = told(under_way(*lots, state=state))
    assert (said.in_transit, said.totals.in_transit, said.balances) == ((), 0, ())


def test_of_units_that_are_picked_the_account_tells_for_whom_and_when_they_were_picked_last() -> None:
    picked = {"order_id": "o1", "channel": "web"}
    said = told(
        moved(1, "picked", -3, known="presumed", **picked), moved(2, "picked", -2, known="scanned", **picked),
        moved(3, "shipped", -1, known="scanned", **picked), moved(4, "picked", 1, order_id="o2", known="scanned"),
    )  # fmt: skip
    own = {"sku": "A", "lot": "L1", "location": "W1", "known": "scanned"}
    assert said.bound == (
        Bound(**own, order_id="o1", units=4, at=at(2)), Bound(**own, order_id="o2", units=1, at=at(4)),
    )  # fmt: skip
    assert said.totals.bound == 5


def test_only_what_a_shipment_took_of_it_there_for_the_order_is_not_bound_any_more() -> None:
    shipped = {"order_id": "o1", "known": "scanned"}
    said = told(
        moved(1, "picked", 3, **shipped), moved(2, "shipped", -3, location="W2", **shipped),
        moved(3, "shipped", -3, sku="B", **shipped), moved(4, "shipped", -3, known="scanned"),
        moved(5, "returned", 3, order_id="o1"),
    )  # fmt: skip
    assert [(x.order_id, x.location, x.units) for x in said.bound] == [("o1", "W1", 3)]


# -- what it comes to --------------------------------------------------------------------------------------------------

HISTORY = [
    moved(1, "received", 100), moved(2, "assembled", 20), moved(3, "shipped", -30, order_id="o1", channel="web"),
    moved(4, "returned", 7, order_id="o1"), moved(5, "scrapped", 3, order_id="o1"), moved(6, "adjusted", -2),
    moved(7, "made_into", -10, reference="BOX K1"), moved(8, "transferred_out", -9, reference="W2"),
    under_way(("L1", 4)), moved(9, "picked", 5, order_id="o2"),
]  # fmt: skip
LEFT = 100 + 20 - 30 + 7 - 2 - 10 - 9


@pytest.mark.parametrize(
    ("arrived", "there", "lost", "difference", "says"),
    [
        (5, LEFT + 5, 0, 0, ""),
        (2, LEFT + 2, 3, 0, "3 units were sent to another location and did not arrive"),
        (4, LEFT + 4, 1, 0, "1 units were sent to another location and did not arrive"),
        (6, LEFT + 6, -1, 0, "1 units arrived from another location that were not sent"),
        (5, LEFT, 0, 5, "5 units came in that neither left nor are there"),
        (2, LEFT + 1, 3, 1, "1 units came in that neither left nor are there"),
        (5, LEFT + 6, 0, -1, "1 units left or are there that never came in"),
    ],
)
def test_what_came_in_is_held_against_what_became_of_it(
    arrived: int, there: int, lost: int, difference: int, says: str
) -> None:
    """Of nine units sent four are still on their way; what else did not arrive is lost, and no difference."""
    said = told(*HISTORY, moved(10, "transferred_in", arrived, location="W2", reference="W1"), on_shelf(there))
    assert said.balances == (
        Balance(sku="A", lot="L1", received=100, made=20, returned=10, adjusted=-2, shipped=30, in_kits=10, scrapped=3,
                in_transit=4, lost_in_transit=lost, on_hand=there, difference=difference, says=says),
    )  # fmt: skip


def test_units_that_moved_several_times_are_counted_together() -> None:
    moves = [("received", 10), ("assembled", 2), ("shipped", -3), ("made_into", -1)]
    said = told(*(moved(n, kind, units) for n, (kind, units) in enumerate(2 * moves)), on_shelf(16))
    [balance] = said.balances
    assert (balance.received, balance.made, balance.shipped, balance.in_kits) == (20, 4, 6, 2)
    assert (balance.difference, balance.says) == (0, "")


def test_the_totals_are_of_the_lot_itself_and_what_left_in_kits_stands_beside_it() -> None:
    """Of the kits only what left, what is bound and what is frozen: whoever has them, has units of the lot."""
    box = {"sku": "BOX", "lot": "K1"}
    kits = [
        moved(1, "assembled", 10, **box), moved(2, "shipped", -4, order_id="o3", channel="web", known="scanned", **box),
        moved(3, "returned", 1, order_id="o3", **box), moved(4, "picked", 2, order_id="o4", **box),
        on_shelf(7, status="recalled", **box), under_way(("K1", 2), sku="BOX"), moved(5, "received", 1, **box),
    ]  # fmt: skip
    shelves = on_shelf(50), on_shelf(26, location="W2", status="recalled")
    said = told(*HISTORY, *shelves, kits={"K1": [partition(1, *kits)]})
    assert said.totals == Totals(
        received=100, made=20, shipped=30, shipped_in_kits=4, orders=2, returned=10, in_transit=4, on_hand=76,
        frozen=33, bound=7, by_channel=(("web", 34),), by_known=(("(unknown)", 30), ("scanned", 4)),
    )  # fmt: skip
    told_of = (*said.received, *said.shipped, *said.returned, *said.made_into, *said.changed)
    assert {(x.sku, x.through) for x in told_of} == {("A", ""), ("BOX", "BOX K1")}


def test_a_lot_of_several_skus_is_their_sum_and_the_skus_that_are_not_asked_for_are_left_out() -> None:
    rows = [x for sku in ("A", "B") for x in (moved(1, "received", 4, sku=sku), on_shelf(3, sku=sku))]
    said = told(*rows, under_way(("L1", 1)), under_way(("L1", 1), sku="B"))
    assert (said.totals.received, said.totals.on_hand, said.totals.in_transit) == (8, 6, 2)
    only = account("L1", lambda lot: [partition(0, *rows)], skus=["B"])
    assert [(x.sku, x.units) for x in (*only.received, *only.on_hand)] == [("B", 4), ("B", 3)]


# -- the page ----------------------------------------------------------------------------------------------------------


def test_the_account_says_which_partitions_were_heard_as_of_when_and_which_were_not() -> None:
    said = account("L1", lambda lot: [partition(1), partition(0)], missing=[3])
    assert (said.lot, said.missing, said.notes, said.recall) == ("L1", (3,), (), None)
    assert said.as_of == ((0, 99, at(0)), (1, 100, at(1)))
    blank = LotPartition(partition=0, partitions=1, log_id=7, offset=0, state_ms=0, recall=None, batches=[], lots=[],
                         incoming=[], traces=[])  # fmt: skip
    assert account("L1", lambda lot: [blank]).as_of == ((0, 0, ""),), "its clock has not begun"


def test_a_partition_is_not_said_to_be_of_a_time_before_what_it_tells() -> None:
    """Its state time is up to a minute behind, hours after a standstill."""
    freezes = partition(1, recall=recalled(opened_ms=START_MS + 5 * SECOND_MS))
    parts = [partition(0, moved(30, "shipped", -2), moved(9, "received", 4)), freezes]
    assert account("L1", lambda lot: parts).as_of == ((0, 99, at(30)), (1, 100, at(5)))


def test_every_section_has_the_lot_itself_first_and_its_kits_after_it() -> None:
    """By name the kit would come first. Shelves go by SKU, lot and location; what moved, by its time."""
    kit, later = {"sku": "A", "lot": "K1"}, {"sku": "Z", "lot": "L1"}
    own = [
        moved(5, "made_into", -1, sku="Z", reference="A K1"), moved(9, "received", 1, sku="Z"),
        moved(7, "received", 1, sku="Y"), BatchRow(1, "Z", "L1", "", "", "", (), "approved", ""),
        BatchRow(1, "Y", "L1", "", "", "", (), "approved", ""), on_shelf(1, location="W2", **later),
        on_shelf(1, location="W1", **later), on_shelf(1, sku="Y", location="W3"),
        under_way(("L1", 1), sku="Z", location="W9"), under_way(("L1", 1), sku="Z", location="W8"),
    ]  # fmt: skip
    kits = [
        moved(8, "received", 1, **kit), BatchRow(1, "A", "K1", "", "", "", (), "approved", ""), on_shelf(1, **kit),
        under_way(("K1", 1), sku="A"),
    ]  # fmt: skip
    said = told(*own, kits={"K1": [partition(0, *kits)]})
    assert [(x.sku, x.lot) for x in said.batches] == [("Y", "L1"), ("Z", "L1"), ("A", "K1")]
    assert [(x.sku, x.location) for x in said.on_hand] == [("Y", "W3"), ("Z", "W1"), ("Z", "W2"), ("A", "W1")]
    assert [(x.sku, x.location) for x in said.in_transit] == [("Z", "W8"), ("Z", "W9"), ("A", "W2")]
    assert [x.at for x in said.received] == [at(7), at(8), at(9)]
    assert [(x.sku, x.lot) for x in said.balances] == [("Y", "L1"), ("Z", "L1"), ("A", "K1")]


# -- the recall --------------------------------------------------------------------------------------------------------


def test_a_recall_is_told_as_it_was_opened_and_by_whom_it_is_applied() -> None:
    row = recalled(skus=("A", "B"), mock=True, state="closed", closed_ms=START_MS + 5 * SECOND_MS)
    parts = [partition(n, recall=row) for n in (1, 0)]
    assert recall_of(parts) == Recall(
        id="r1", lot="L1", skus=("A", "B"), reason="glass", mock=True, state="closed", opened_at=at(0), closed_at=at(5),
        partitions=(0, 1),
    )  # fmt: skip
    assert account("L1", lambda lot: parts).recall == recall_of(parts)


def test_of_several_recalls_the_last_one_counts_and_only_partitions_that_have_it_so() -> None:
    """Opened later counts before closed later; of one recall, closed is later than open."""
    older = recalled(id="r0", closed_ms=START_MS + 9 * SECOND_MS, state="closed")
    newer = recalled(id="r2", opened_ms=START_MS + SECOND_MS)
    over = recalled(id="r2", opened_ms=START_MS + SECOND_MS, closed_ms=START_MS + 2 * SECOND_MS, state="closed")
    said = recall_of([partition(0, recall=newer), partition(1, recall=older), partition(2), partition(3, recall=newer)])
    assert said is not None
    assert (said.id, said.state, said.closed_at, said.partitions) == ("r2", "open", "", (0, 3))
    said = recall_of([partition(0, recall=newer), partition(1, recall=over), partition(2, recall=older)])
    assert said is not None
    assert (said.id, said.state, said.partitions) == ("r2", "closed", (1,))
    assert recall_of([partition(0), partition(1)]) is None


def test_kits_of_a_recalled_lot_that_can_still_be_sold_are_named_with_their_units() -> None:
    """Those on both shelves together, those that are frozen already apart; other lots of the kit are none of these."""
    rows = [moved(n, "made_into", -1, reference=f"BOX K{n}") for n in (2, 1, 3)]
    kits = {
        "K1": [partition(0, on_shelf(2, "BOX", "K1"), on_shelf(3, "BOX", "K1", "W2"), on_shelf(9, "OTHER", "K1"))],
        "K2": [partition(0, on_shelf(1, "BOX", "K2"), on_shelf(4, "BOX", "K2", "W2", status="recalled"))],
        "K3": [partition(0, on_shelf(4, "BOX", "K3", status="recalled"), on_shelf(0, "BOX", "K3", "W2"))],
    }
    assert told(*rows, on_shelf(5), kits=kits, recall=recalled()).notes == tuple(
        f"{units} kits BOX of lot {lot} contain units of this lot and are not frozen: "
        f"smokehouse recall open {lot} --sku BOX --reason TEXT"
        for units, lot in ((5, "K1"), (1, "K2"))
    )
    for over in (recalled(state="closed"), recalled(mock=True), None):
        assert told(*rows, on_shelf(5), kits=kits, recall=over).notes == ()
