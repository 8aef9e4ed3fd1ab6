"""What a forecaster knows of plans: the newest counts, who shares what, and what was ordered a moment ago."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from forecasting.decisions import decision_fields
from forecasting.plans import Plans
from forecasting.policy import Advice, Terms
from forecasting.policy.alerts import STOCKOUT
from forecasting.runs import Forecaster
from forecasting.series import SeriesKey
from forecasting.stock import level_of
from forecasting.words import reorder_record
from tables import records as r

FIRST = date(2026, 3, 2)
KEY = ("A", "MAIN")
RUN = "2026-03-31.001"


def watch() -> None:
    """Nobody breaks these runs off."""


def supply(sku: str, supplier: str | None = "ACME", **more: Any) -> r.Supply:
    return r.Supply(id=sku, sku=sku, supplier=supplier, **more)


def terms(**more: Any) -> r.SupplierTerms:
    return r.SupplierTerms(id="t", supplier="ACME", lead_days=7, **more)


def decision(**more: Any) -> r.ReorderDecision:
    said: dict[str, Any] = {
        "sku": "A", "location": "MAIN", "run": RUN, "decision": "accepted", "quantity": 40, "reference": "PO-1",
        "log_id": 1, "offset": 9,
    } | more  # fmt: skip
    return r.ReorderDecision(id=f"d{said['run']}", **said)


def demand(sku: str, ahead: int, ordered: int = 4, location: str = "MAIN") -> r.Demand:
    day = (FIRST + timedelta(days=ahead)).isoformat()
    return r.Demand(
        id=f"{sku}|{location}|{day}", sku=sku, location=location, day=day, ordered=ordered, orders=1, refused=0,
        stockout_hours=[], version=(1, 1, 0),
    )  # fmt: skip


def level(sku: str, available: int, offset: int = 1, **more: Any) -> r.StockLevels:
    place = r.LocationLevel(
        location="MAIN", on_hand=available, available=available, reserved=0, allocated=0, safety_stock=0,
        unavailable=0, shortage=0, reorder_point=0, lots=[], version=(1, offset, 0),
    )  # fmt: skip
    return r.StockLevels(
        id=f"{sku}|{offset}", sku=sku, available=available, on_hand=available, flavor="", packaging="", size="",
        gtin="", discontinued=False, locations=[replace(place, **more)], version=(1, offset, 0),
    )  # fmt: skip


@pytest.fixture
def forecaster() -> Forecaster:
    made = Forecaster(Terms())
    for sku in "AB":
        for ahead in range(31):
            made.take(demand(sku, ahead))
        made.take(level(sku, 10))
    list(made.score(watch))
    return made


def advise(forecaster: Forecaster) -> dict[SeriesKey, Any]:
    return dict(forecaster.advise(watch, everything=False))


# ---- what is known


def test_a_sku_is_played_with_the_days_of_its_supplier():
    plans = Plans()
    told = Terms(lead_days=3, review_days=1, cover_days=10)
    assert plans.terms("A", told) == told
    plans.take(supply("A"))
    assert plans.terms("A", told) == told, "nobody has told of that supplier"
    plans.take(terms(review_days=2))
    assert plans.terms("A", told) == Terms(lead_days=7, review_days=2, cover_days=10)
    plans.take(terms(review_days=2, order_weekdays=["mon", "thu"]))
    assert plans.terms("A", told).review_days == 4, "two order days a week lie up to four days apart"
    assert plans.terms("B", told) == told


def test_the_newest_record_of_a_key_counts():
    plans = Plans()
    plans.take(supply("A", case_pack=6))
    plans.take(supply("A", case_pack=12))
    assert plans.supply("A").case_pack == 12
    assert plans.supply("B").case_pack == 1


def test_skus_of_a_supplier_belong_together_only_where_something_is_shared():
    plans = Plans()
    for sku in "AB":
        plans.take(supply(sku))
    plans.take(supply("C", "OTHER"))
    plans.take(terms())
    assert [sorted(group) for group in plans.groups("ABC")] == [["A", "B", "C"]]
    plans.take(terms(budget_cents=100))
    assert list(plans.groups("AC")) == [["C"], ["A", "B"]]
    plans.take(terms(minimum_units=1))
    assert list(plans.groups("AC")) == [["C"], ["A", "B"]]


def moved(plans: Plans, record: Any) -> set[str]:
    plans.moved("ABC")
    plans.take(record)
    return plans.moved("ABC")


def test_a_record_names_the_skus_whose_advice_it_may_change_once():
    plans = Plans()
    assert moved(plans, supply("A")) == {"A"}
    assert moved(plans, supply("B")) == {"B"}
    assert moved(plans, terms(budget_cents=1)) == {"A", "B"}
    assert moved(plans, decision(supplier="ACME", sku="Z")) == {"A", "B"}, "what others spend is spent"
    assert moved(plans, supply("A", "OTHER")) == {"A", "B"}, "the others of the supplier it leaves, too"
    assert moved(plans, r.ServiceSet(id="s", service=0.9)) == {"A", "B", "C"}
    assert plans.moved("ABC") == set()
    assert not plans.has_moved


# ---- what it leads to


def test_plans_renew_the_advice_of_those_concerned_alone(forecaster: Forecaster):
    before = advise(forecaster)
    assert set(before) == {("A", "MAIN"), ("B", "MAIN")}
    forecaster.take(supply("A", case_pack=500))
    assert {key: advice.quantity for key, advice in advise(forecaster).items()} == {KEY: 500}
    forecaster.take(r.ServiceSet(id="s", service=0.6))
    again = advise(forecaster)
    assert set(again) == {("A", "MAIN"), ("B", "MAIN")}
    assert again["B", "MAIN"].order_up_to < before["B", "MAIN"].order_up_to


def test_what_a_centre_was_to_buy_is_taken_back_when_it_is_one_no_more_also_after_a_restart(forecaster: Forecaster):
    forecaster.take(supply("A", central="HUB"))
    before = advise(forecaster)
    assert before["A", "HUB"].quantity > 0
    restarted = Forecaster(Terms())
    for sku in "AB":
        for ahead in range(31):
            restarted.take(demand(sku, ahead))
        restarted.take(level(sku, 10))
    older = replace(reorder_record(("A", "HUB"), before["A", "HUB"], RUN, ""), quantity=0)
    for record in (older, *(reorder_record(key, advice, RUN, "") for key, advice in before.items())):
        restarted.take(record)
    list(restarted.score(watch))
    for one in (forecaster, restarted):
        one.take(supply("A", central="CENTRE"))
        found = advise(one)
        assert found["A", "CENTRE"].quantity == before["A", "HUB"].quantity
        back = found["A", "HUB"]
        assert (back.quantity, back.needed, back.cost_cents, back.order_by, back.expected) == (0, 0, 0, "", "")
        assert back.reason.startswith("Nothing is to be bought or moved here any more")
        one.take(level("A", 0, offset=30))
        assert ("A", "HUB") not in advise(one), "once"


def test_what_was_accepted_counts_as_coming_until_a_stock_level_has_seen_it(forecaster: Forecaster):
    assert advise(forecaster)[KEY].position == 10
    forecaster.take(decision())
    assert advise(forecaster)[KEY].position == 50
    forecaster.take(level("A", 9, offset=8))  # of before the order
    assert advise(forecaster).get(KEY) is None
    assert forecaster.plans.under_way("A", (1, 8, 0), ()) == {"MAIN": 40}
    coming = [r.IncomingLevel("PO-1", "purchase", 40, "2026-04-09", False)]
    forecaster.take(level("A", 400, offset=9, incoming=coming))
    assert advise(forecaster)[KEY].position == 440, "once, not twice"
    forecaster.take(level("A", 3, offset=12))
    assert advise(forecaster)[KEY].position == 3, "it came, and is sold"


@pytest.mark.parametrize(
    ("version", "references"), [((1, 9, 0), ()), ((1, 2, 0), (("MAIN", "PO-1"),)), ((2, 2, 0), ())]
)
def test_a_level_that_has_seen_the_order_or_is_of_another_log_adds_nothing(
    version: tuple[int, int, int], references: tuple[tuple[str, str], ...]
):
    plans = Plans()
    plans.take(decision())
    assert plans.under_way("A", version, references) == {}


def test_an_order_for_two_places_is_under_way_to_the_one_of_which_no_level_tells_yet():
    plans = Plans()
    plans.take(decision())
    plans.take(replace(decision(location="OTHER"), offset=10))
    seen = level("A", 100, offset=9, incoming=[r.IncomingLevel("PO-1", "purchase", 40, "2026-04-09", False)])
    assert [level_of(seen).at(place, plans).incoming for place in ("MAIN", "OTHER")] == [40, 40]


def test_a_transfer_leaves_one_place_and_comes_to_the_other_and_a_dismissal_moves_nothing():
    plans = Plans()
    plans.take(decision(kind="transfer", from_location="N"))
    assert plans.under_way("A", (1, 2, 0), ()) == {"MAIN": 40, "N": -40}
    plans.take(decision(decision="dismissed", quantity=0))
    assert plans.under_way("A", (1, 2, 0), ()) == {}


def test_what_was_sent_away_is_not_there_any_more():
    plans = Plans()
    plans.take(decision(location="OTHER", kind="transfer", from_location="MAIN"))
    assert level_of(level("A", 100)).at("MAIN", plans).available == 60
    assert level_of(level("A", 10)).at("MAIN", plans).available == 0


def test_a_stock_level_gives_its_dated_receipts_and_the_lots_that_may_be_sold():
    lots = [
        r.LotLevel("L2", "2026-05-01", 30), r.LotLevel("L1", "2026-04-01", 20, "approved", 5),
        r.LotLevel("L3", "2026-04-02", 9, "on_hold"), r.LotLevel("L4", "", 7),
    ]  # fmt: skip
    dated = r.IncomingLevel("PO-1", "purchase", 40, "2026-04-09", True)
    coming = [dated, r.IncomingLevel("PO-2", "purchase", 5, "", True)]
    stock = level_of(level("A", 60, lots=lots, incoming=coming, allocated=4, reserved=2)).stock["MAIN"]
    assert stock.lots == ((date(2026, 4, 1).toordinal(), 15), (date(2026, 5, 1).toordinal(), 30))
    assert stock.arrivals == ((date(2026, 4, 9).toordinal(), 40),)
    assert (stock.incoming, stock.committed) == (45, 6)


def test_concerns_follow_stock_and_are_told_once(forecaster: Forecaster):
    advise(forecaster)
    told = list(forecaster.warn(watch))
    assert {(key, concern.kind, raised) for key, concern, raised in told} == {
        (("A", "MAIN"), STOCKOUT, True), (("B", "MAIN"), STOCKOUT, True),
    }  # fmt: skip
    forecaster.take(level("A", 80, offset=2))
    advise(forecaster)
    assert [(key, raised) for key, _, raised in forecaster.warn(watch)] == [(KEY, False)]
    assert list(forecaster.warn(watch)) == []


def test_what_was_ordered_a_moment_ago_clears_no_stock_out_that_it_comes_too_late_for(forecaster: Forecaster):
    advise(forecaster)
    list(forecaster.warn(watch))
    forecaster.take(decision(quantity=400))
    assert advise(forecaster)[KEY].position == 410
    assert list(forecaster.warn(watch)) == []
    coming = [r.IncomingLevel("PO-1", "purchase", 400, "2026-04-08", False)]
    forecaster.take(level("A", 10, offset=9, incoming=coming))
    advise(forecaster)
    assert list(forecaster.warn(watch)) == [], "nor does it when a level tells of it"


def test_a_place_whose_centre_is_empty_is_warned_while_the_centre_can_still_buy(forecaster: Forecaster):
    hub = level("A", 60, offset=2)

    def until(*coming: r.IncomingLevel, units: int = 0) -> str:
        """The receipt that MAIN, with 12 units for three days, is warned for; "": none."""
        place = replace(hub.locations[0], location="HUB", available=units, on_hand=units, incoming=list(coming))
        main = replace(hub.locations[0], available=12)
        nonlocal offset
        offset += 1
        forecaster.take(replace(hub, locations=[main, place], version=(1, offset, 0)))
        advise(forecaster)
        for key, concern, raised in forecaster.warn(watch):
            if (key, concern.kind) == (KEY, STOCKOUT):
                stands[key] = concern.until if raised else ""
        return stands.get(KEY, "")

    offset, stands = 2, dict[SeriesKey, str]()
    forecaster.take(terms())
    forecaster.take(supply("A", central="HUB", transfer_days=2))
    assert until(units=60) == "", "two days, and the units last for three"
    assert until() == "2026-04-10", "seven to the centre, two on"
    assert until(r.IncomingLevel("PO-1", "purchase", 90, "2026-04-05", True)) == "2026-04-07"
    assert until(r.IncomingLevel("PO-1", "purchase", 90, "", True)) == ""


def test_what_nobody_recommended_is_spent_in_the_period_it_is_ordered_in():
    plans = Plans()
    plans.take(terms(budget_cents=10_000, review_days=7))
    later = Advice(0, "2026-04-20", 5, 9, 1, 40, 7, "No purchase yet.", supplier="ACME")
    fields = decision_fields(reorder_record(KEY, later, RUN, ""), "accepted", 12, "Ada", "", 250)
    plans.take(r.ReorderDecision(**fields))
    supplier = plans.supplier("ACME")
    assert supplier is not None
    assert plans.spent(supplier, date(2026, 4, 1).toordinal()) == 3_000, "the day after the closed one of the run"
    assert plans.spent(supplier, date(2026, 4, 20).toordinal()) == 0


def test_a_longer_way_to_goods_raises_the_alarm_earlier(forecaster: Forecaster):
    forecaster.take(level("A", 45, offset=2))
    advise(forecaster)
    assert [key for key, _, _ in forecaster.warn(watch)] == [("B", "MAIN")]
    forecaster.take(replace(terms(), lead_days=21))
    forecaster.take(supply("A"))
    advise(forecaster)
    [(key, concern, raised)] = forecaster.warn(watch)
    assert (key, concern.until, raised) == (KEY, "2026-04-22", True)
