"""What a recorded effect leaves in its row, whole; and what people are told of a row by an alert."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from tables import effects, ledger
from tables import records as r
from tables.alerts import alert_sends, raised
from tables.outcome import ALERTS, At, InvariantBroken, Send, place_of
from tables.rows import (
    BatchEffect,
    BatchRow,
    CountEffect,
    CountRow,
    Floor,
    IncomingEffect,
    IncomingRow,
    LotEffect,
    LotRow,
    PartitionRow,
    Policy,
    PolicyEffect,
    RaisedAlert,
    Share,
    ShareEffect,
    StockEffect,
    StockRow,
    TraceEffect,
    TraceRow,
)

NOW = At(place_of(9, 2), 1_700_000_009_000)
LOG = PartitionRow(0, 7, 3, 4, 1, r.Limits(), 1_700_000_000_000, 1_700_000_005_000)
EMPTY = ledger.new_stock("A", "W1", 1, Policy())
STOCKED = replace(EMPTY, on_hand=10, allocated=2, floors=(Floor("2027-01-31", 2),))
LOT = LotRow(1, "A", "W1", "L1", "2027-01-31", 1, 10, 1, "approved", False, False, 5, ((1, 10),))


def stock(row: StockRow | None, *happened: Any) -> tuple[StockRow, list[RaisedAlert]]:
    alerts: list[RaisedAlert] = []
    return effects.stock(row, happened, NOW, LOG, alerts), alerts


# -- a stock row -------------------------------------------------------------------------------------------------------


def test_effects_of_one_record_on_a_row_are_one_move_of_their_sums() -> None:
    january, february = Floor("2027-01-31", 1), Floor("2027-02-28", 1)
    row, alerts = stock(
        STOCKED,
        StockEffect("A", "W1", on_hand=5, unavailable=3, allocated=1, floors=(february,)),
        StockEffect("A", "W1", on_hand=-1, unavailable=-1, allocated=2, backordered=4, floors=(january,)),
        StockEffect("A", "W1", backordered=2),
    )
    assert row == replace(
        STOCKED, at=NOW.place, on_hand=14, unavailable=2, allocated=5, backordered=6,
        floors=(Floor("2027-01-31", 3), Floor("2027-02-28", 1)),
    )  # fmt: skip
    assert alerts == []


def test_nobody_hears_of_a_stock_that_was_out_only_between_two_effects_of_one_record() -> None:
    row, alerts = stock(STOCKED, StockEffect("A", "W1", on_hand=-9), StockEffect("A", "W1", on_hand=9))
    assert (row, alerts) == (replace(STOCKED, at=NOW.place), [])


@pytest.mark.parametrize(
    "effect",
    [
        StockEffect("A", "W1", on_hand=-9, allocated=-2, floors=(Floor("2027-01-31", -2),)),
        StockEffect("A", "W1", unavailable=9),
        StockEffect("A", "W1", allocated=8),
    ],
    ids=["left", "blocked", "owed"],
)
def test_the_time_at_which_a_row_ran_out_is_state_time(effect: StockEffect) -> None:
    policy = PolicyEffect("A", "W1", Policy(safety_stock=1))
    row, [alert, *_] = stock(STOCKED, policy, effect)
    assert (row.level, row.out_since_ms, alert.kind) == ("out", LOG.state_ms, "out")


def test_backorders_or_days_alone_change_a_row_too() -> None:
    assert stock(STOCKED, StockEffect("A", "W1", backordered=4))[0].backordered == 4
    row, _ = stock(STOCKED, StockEffect("A", "W1", floors=(Floor("2027-01-31", -2), Floor("2027-03-31", 2))))
    assert row.floors == (Floor("2027-03-31", 2),)


def test_a_row_is_made_with_its_policy_and_is_no_news_until_there_is_stock() -> None:
    policy = Policy(reorder_point=5)
    row, alerts = stock(None, PolicyEffect("A", "W1", policy))
    assert (row, alerts) == (replace(EMPTY, at=NOW.place, policy=policy), [])
    row, alerts = stock(None, PolicyEffect("A", "W1", policy), StockEffect("A", "W1", on_hand=3))
    assert (row.on_hand, row.policy, row.level, [x.kind for x in alerts]) == (3, policy, "low", ["low"])


def test_a_policy_set_on_a_row_that_is_there_is_applied_at_once() -> None:
    policy = Policy(reorder_point=8)
    row, alerts = stock(STOCKED, PolicyEffect("A", "W1", policy))
    assert (row, [x.kind for x in alerts]) == (replace(STOCKED, at=NOW.place, policy=policy, level="low"), ["low"])


def test_a_row_that_is_only_marked_as_changed_is_no_news() -> None:
    """Out of a policy that was not told again: what people hear, they heard."""
    quiet = replace(STOCKED, policy=Policy(reorder_point=50))
    assert stock(quiet, StockEffect("A", "W1")) == (replace(quiet, at=NOW.place), [])


def test_stock_without_a_row_and_without_a_policy_halts_the_partition() -> None:
    with pytest.raises(InvariantBroken, match=r"^a stock row is made together with its policy$"):
        stock(None, StockEffect("A", "W1", on_hand=3))


def test_shares_are_kept_by_channel_and_a_share_of_nothing_is_none() -> None:
    web, shop, bulk = Share("web", 4, 0), Share("shop", 0, 2), Share("bulk", 1, 1)
    row, _ = stock(replace(STOCKED, shares=(web,)), *(ShareEffect("A", "W1", x) for x in (shop, bulk)))
    assert row == replace(STOCKED, at=NOW.place, shares=(bulk, shop, web))
    row, _ = stock(row, ShareEffect("A", "W1", Share("web", 0, 0)), ShareEffect("A", "W1", Share("shop", 3, 0)),
                   StockEffect("A", "W1", on_hand=1))  # fmt: skip
    assert row.shares == (bulk, Share("shop", 3, 0))
    assert row.on_hand == 11


# -- a lot -------------------------------------------------------------------------------------------------------------


def test_a_lot_that_nothing_is_known_of_begins_here_without_a_date_and_approved() -> None:
    row = effects.lot(None, LotEffect("A", "W1", "L1", on_hand=4), NOW)
    assert row == LotRow(NOW.place, "A", "W1", "L1", "", NOW.place, 4, 0, "approved", False, False, 0,
                         ((NOW.place, 4),))  # fmt: skip


def test_what_an_effect_does_not_tell_of_a_lot_stays_as_it_was() -> None:
    assert effects.lot(LOT, LotEffect("A", "W1", "L1", blocked=2), NOW) == replace(LOT, at=NOW.place, blocked=3)


@pytest.mark.parametrize(
    "told", [{"best_before": ""}, {"status": "on_hold"}, {"expired": True}, {"warned": True}, {"due": 0}], ids=str
)
def test_what_an_effect_tells_of_a_lot_it_is_from_now_on(told: dict[str, Any]) -> None:
    """An empty day and a day of 0 are told, too: they take back what was known."""
    assert effects.lot(LOT, LotEffect("A", "W1", "L1", **told), NOW) == replace(LOT, at=NOW.place, **told)


def test_a_lot_remembers_its_last_movements_and_lets_the_oldest_go() -> None:
    many = tuple((n, 1) for n in range(effects.MOVES_KEPT))
    row = effects.lot(replace(LOT, moves=many), LotEffect("A", "W1", "L1", on_hand=-1), NOW)
    assert row.moves == (*many[1:], (NOW.place, -1))
    assert effects.lot(replace(LOT, moves=many), LotEffect("A", "W1", "L1", blocked=1), NOW).moves == many


@pytest.mark.parametrize(("on_hand", "blocked"), [(-10, 0), (0, 10), (0, -2)])
def test_a_lot_never_has_more_blocked_than_there_is_nor_less_than_none(on_hand: int, blocked: int) -> None:
    says = f"^lot L1 of A at W1: {10 + on_hand} units, {1 + blocked} blocked$"
    with pytest.raises(InvariantBroken, match=says):
        effects.lot(LOT, LotEffect("A", "W1", "L1", on_hand=on_hand, blocked=blocked), NOW)


@pytest.mark.parametrize(("on_hand", "blocked"), [(-10, -1), (0, 9), (-9, 0), (0, -1)])
def test_a_lot_may_be_empty_all_blocked_or_not_blocked_at_all(on_hand: int, blocked: int) -> None:
    row = effects.lot(LOT, LotEffect("A", "W1", "L1", on_hand=on_hand, blocked=blocked), NOW)
    assert (row.on_hand, row.blocked) == (10 + on_hand, 1 + blocked)


# -- rows that are told whole ------------------------------------------------------------------------------------------


def test_a_batch_is_what_was_told_of_it_last() -> None:
    said = ("A", "L1", "2027-01-31", "2026-01-31", "Ranch", ("coa.pdf",), "on_hold", "sample")
    assert effects.batch(BatchEffect(*said), NOW) == BatchRow(NOW.place, *said)


def test_what_is_expected_is_what_was_told_of_it_last() -> None:
    said = ("A", "W1", "PO-1", "purchase", "Ranch", 9, 8, 7, 6, "2027-01-31", (("L1", 3),), "open")
    assert effects.incoming(IncomingEffect(*said), NOW) == IncomingRow(NOW.place, *said)


def test_a_movement_is_remembered_with_the_broker_s_time_and_theirs() -> None:
    said = ("L1", "A", "W1", "shipped", -3, "2027-01-31T00:00:00Z", "o1", "web", "scanned", "B1")
    row = effects.trace(TraceEffect(*said), NOW)
    assert row == TraceRow(NOW.place, *said[:5], NOW.ms, *said[5:])


def test_counts_of_a_shelf_are_summed_and_those_that_were_right_are_counted_apart() -> None:
    row = None
    for units, off in ((10, 0), (12, 3), (9, -1), (9, 0)):
        row = effects.count(row, CountEffect("A", "W1", units, off), NOW)
    assert row == CountRow(NOW.place, "A", "W1", 4, 2, 40, 2)


# -- alerts ------------------------------------------------------------------------------------------------------------


def test_an_alert_stands_beside_the_stock_as_it_was_when_it_was_raised() -> None:
    """Ten there, twelve owed, of nothing but those: none available, two short."""
    row = replace(STOCKED, allocated=12, policy=Policy(reorder_point=5))
    told = raised(row, "A", "W1", "recalled", lot="L1", units=4, note="glass")
    assert told == RaisedAlert("A", "W1", "recalled", 0, 2, 5, "L1", "", 4, "glass")
    row = replace(STOCKED, policy=Policy(reorder_point=5, safety_stock=1))
    assert raised(row, "A", "W1", "expiring") == RaisedAlert("A", "W1", "expiring", 7, 0, 5, "", "", 0, "")


def test_an_alert_of_a_shelf_that_never_had_stock_says_nothing_of_it() -> None:
    told = raised(None, "A", "W1", "discrepancy", lot="L1", units=4, note="T1")
    assert told == RaisedAlert("A", "W1", "discrepancy", 0, 0, 0, "L1", "", 4, "T1")
    assert raised(None, "A", "W1", "low") == RaisedAlert("A", "W1", "low", 0, 0, 0, "", "", 0, "")


def test_an_alert_is_sent_by_its_sku_with_all_that_was_raised_and_a_name_that_stays() -> None:
    """A record handled again says the same words under the same ids, so that nobody is told twice."""
    alerts = [RaisedAlert("A", "W1", "low", 3, 1, 5, "L1", "o1", 4, "why"), RaisedAlert("B", "W2", "out", 0, 2, 6)]
    own = {"time": "2023-11-14T22:13:29.000Z", "version": (7, 9, 2)}
    assert alert_sends(alerts, NOW, LOG) == [
        Send(ALERTS, None, "A", r.Alert(
            id=f"7:3:{NOW.place}:0", sku="A", location="W1", kind="low", available=3, shortage=1, reorder_point=5,
            lot="L1", order_id="o1", units=4, note="why", **own,
        )),
        Send(ALERTS, None, "B", r.Alert(
            id=f"7:3:{NOW.place}:1", sku="B", location="W2", kind="out", available=0, shortage=2, reorder_point=6,
            **own,
        )),
    ]  # fmt: skip
