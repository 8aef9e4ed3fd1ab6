"""A forecaster turned by hand: what it says after which records, and under which name."""

from __future__ import annotations

from datetime import date, timedelta

import msgspec
import pytest
from msgspec.structs import replace

from forecasting.policy import Advice, Terms
from forecasting.promotions import BadPromotion
from forecasting.runs import Forecaster
from forecasting.series import SeriesKey
from forecasting.words import forecast_record, read, record_id, reorder_record
from tables.codec import Unreadable, encode
from tables.records import Demand, Forecast, IncomingLevel, LocationLevel, PromotionPlanned, Reorder, StockLevels

FIRST = date(2026, 3, 2)
KEY = ("TERIYAKI-BAG-50G", "MAIN")


def demand(ahead: int, ordered: int, *, offset: int = 1, key: SeriesKey = KEY) -> Demand:
    day = (FIRST + timedelta(days=ahead)).isoformat()
    return Demand(
        id=f"{'|'.join(key)}|{day}|{offset}", sku=key[0], location=key[1], day=day, ordered=ordered, orders=1,
        refused=0, stockout_hours=[], version=(1, offset, 0),
    )  # fmt: skip


def levels(
    available: int, *, offset: int = 1, key: SeriesKey = KEY, discontinued: bool = False, out_since: str = ""
) -> StockLevels:  # fmt: skip
    place = LocationLevel(
        location=key[1], on_hand=available, available=available, reserved=0, allocated=0, safety_stock=0,
        unavailable=0, shortage=0, reorder_point=0, lots=[], version=(1, offset, 0),
        out_since=out_since,
    )  # fmt: skip
    return StockLevels(
        id=f"{key[0]}|{offset}", sku=key[0], available=available, on_hand=available, flavor="", packaging="", size="",
        gtin="", discontinued=discontinued, locations=[place], version=(1, offset, 0),
    )  # fmt: skip


def days(forecaster: Forecaster, first: int, last: int, ordered: int = 4, key: SeriesKey = KEY) -> None:
    for ahead in range(first, last + 1):
        forecaster.take(demand(ahead, ordered, key=key))


def watch() -> None:
    """Nobody breaks these runs off."""


def run(forecaster: Forecaster) -> dict[SeriesKey, Forecast]:
    return {key: forecast_record(key, one, forecaster.run, "") for key, one in forecaster.score(watch)}


def advice(forecaster: Forecaster, *, everything: bool = False) -> dict[SeriesKey, Advice]:
    return dict(forecaster.advise(watch, everything=everything))


@pytest.fixture
def forecaster() -> Forecaster:
    made = Forecaster(Terms())
    days(made, 0, 30)
    made.take(levels(10))
    return made


def test_a_run_is_named_after_the_last_closed_day_and_forecasts_from_the_open_day_on(forecaster: Forecaster):
    found = run(forecaster)[KEY]
    assert found.run == "2026-03-31.001"
    assert (found.days[0], found.days[-1], len(found.q99)) == ("2026-04-01", "2026-04-28", 28)
    assert found.status == "ok"
    assert sum(found.mean[:7]) == pytest.approx(28, rel=0.01)


def test_the_open_day_alone_changes_no_forecast(forecaster: Forecaster):
    run(forecaster)
    forecaster.take(demand(30, 90, offset=2))
    assert not forecaster.day_closed()
    assert not forecaster.has_stale_forecasts()


def test_a_late_event_of_a_closed_day_scores_that_series_again(forecaster: Forecaster):
    other = ("PEPPER-BAG-50G", "MAIN")
    days(forecaster, 0, 30, key=other)
    assert set(run(forecaster)) == {KEY, other}
    forecaster.take(demand(29, 90, offset=2))
    assert forecaster.has_stale_forecasts()
    found = run(forecaster)
    assert set(found) == {KEY}
    assert found[KEY].run == "2026-03-31.002"


def test_a_newer_day_closes_the_day_and_scores_everything(forecaster: Forecaster):
    run(forecaster)
    forecaster.take(demand(31, 1))
    assert forecaster.day_closed()
    assert run(forecaster)[KEY].run == "2026-04-01.001"


def test_a_first_day_gives_a_flagged_first_look_that_follows_the_day():
    forecaster = Forecaster(Terms())
    forecaster.take(demand(0, 6))
    first = run(forecaster)[KEY]
    assert (first.status, first.days[0]) == ("insufficient_data", FIRST.isoformat())
    forecaster.take(demand(0, 9, offset=2))
    assert run(forecaster)[KEY].mean[0] > first.mean[0]


def test_a_sku_that_first_sells_today_is_scored_without_waiting_for_the_day_to_close(forecaster: Forecaster):
    run(forecaster)
    forecaster.take(demand(30, 2, key=("NEW", "MAIN")))
    assert set(run(forecaster)) == {("NEW", "MAIN")}


def test_moved_stock_renews_the_advice_and_a_small_move_is_no_news(forecaster: Forecaster):
    run(forecaster)
    assert advice(forecaster)[KEY].quantity > 0
    forecaster.take(levels(9, offset=2))
    assert forecaster.has_moved_stock()
    assert advice(forecaster) == {}
    forecaster.take(levels(900, offset=3))
    assert advice(forecaster)[KEY].quantity == 0


def test_what_is_on_order_counts_as_there_and_what_is_backordered_as_owed(forecaster: Forecaster):
    run(forecaster)
    bare = advice(forecaster)[KEY]
    level = levels(10, offset=2)
    coming = [IncomingLevel("PO-1", "purchase", 40, "2026-04-03", True), IncomingLevel("TR-1", "transfer", 6, "", True)]
    place = replace(level.locations[0], backordered=5, incoming=coming)
    forecaster.take(replace(level, locations=[place]))
    found = advice(forecaster)[KEY]
    assert (found.position, bare.position) == (10 + 40 + 6 - 5, 10)
    assert found.quantity == bare.quantity - 41


def test_an_older_stock_level_changes_nothing(forecaster: Forecaster):
    run(forecaster)
    forecaster.take(levels(900, offset=5))
    forecaster.take(levels(1, offset=4))
    assert advice(forecaster)[KEY].position == 900


def test_without_a_stock_level_there_is_a_forecast_and_no_advice():
    forecaster = Forecaster(Terms())
    days(forecaster, 0, 20)
    assert set(run(forecaster)) == {KEY}
    assert advice(forecaster, everything=True) == {}


def test_a_location_that_has_demand_and_no_stock_is_advised_from_zero(forecaster: Forecaster):
    elsewhere = (KEY[0], "NORTH")
    days(forecaster, 0, 30, key=elsewhere)
    run(forecaster)
    found = advice(forecaster)[elsewhere]
    assert found.position == 0
    assert found.quantity > 0


def test_after_a_restart_run_numbers_go_on_and_nothing_is_said_twice(forecaster: Forecaster):
    run(forecaster)
    said = reorder_record(KEY, advice(forecaster)[KEY], forecaster.run, "")
    restarted = Forecaster(Terms())
    days(restarted, 0, 30)
    restarted.take(levels(10))
    restarted.take(said)
    assert run(restarted)[KEY].run == "2026-03-31.002"
    assert advice(restarted) == {}


def test_records_in_another_order_give_the_same_words(forecaster: Forecaster):
    backwards = Forecaster(Terms())
    backwards.take(levels(10))
    for ahead in reversed(range(31)):
        backwards.take(demand(ahead, 4))
    assert run(backwards) == run(forecaster)
    assert advice(backwards) == advice(forecaster)


def test_what_is_published_can_be_read_back(forecaster: Forecaster):
    found = run(forecaster)[KEY]
    assert msgspec.json.decode(encode(found), type=Forecast) == found
    reorder = reorder_record(KEY, advice(forecaster)[KEY], forecaster.run, "")
    assert msgspec.json.decode(encode(reorder), type=Reorder) == reorder


def test_a_recommendation_of_before_there_were_suppliers_is_still_read():
    old = (
        b'{"type":"reorder","id":"x","sku":"A","location":"MAIN","run":"2026-03-31.001","quantity":6,"order_by":"",'
        b'"reorder_point":1,"order_up_to":7,"position":1,"lead_days":7,"reason":"Buy."}'
    )
    record = read("reorders", old)
    assert isinstance(record, Reorder)
    assert (record.kind, record.supplier, record.from_location, record.cost_cents) == ("purchase", "", "", 0)
    Forecaster(Terms()).take(record)


def test_ids_of_the_longest_names_fit_a_record():
    assert record_id("A", "B", "C") == "A|B|C"
    assert len(record_id("S" * 64, "L" * 64, "2026-03-31.001")) <= 128


@pytest.mark.parametrize("value", [b"", b"{", b"[]", b"\xff\xfe", b'{"type":"demand"}', b'{"type":"alert","id":"x"}'])
def test_bytes_that_are_no_demand_say_why(value: bytes):
    with pytest.raises(Unreadable, match=r"\w"):
        read("demand", value)


def test_a_day_that_does_not_exist_is_unreadable_and_changes_nothing():
    forecaster = Forecaster(Terms())
    wrong = msgspec.structs.replace(demand(0, 1), day="2026-02-31")
    with pytest.raises(Unreadable, match="day"):
        forecaster.take(wrong)
    assert len(forecaster) == 0


def test_a_stock_out_that_is_not_over_does_not_look_like_days_without_customers() -> None:
    """Four a day, then nothing for ten days because nothing is there: it is still four a day."""
    means = []
    for since in ("", (FIRST + timedelta(days=30)).isoformat() + "T08:00:00.000Z"):
        made = Forecaster(Terms())
        days(made, 0, 30)
        made.take(levels(0, out_since=since))
        made.take(demand(41, 4, key=("OTHER", KEY[1])))  # time goes on for others
        means.append(sum(run(made)[KEY].mean[:7]))
    assert means[1] > means[0]
    assert means[1] == pytest.approx(28, rel=0.2)


def test_a_promotion_that_cannot_be_is_refused_and_changes_nothing(forecaster: Forecaster) -> None:
    run(forecaster)
    for first, last, depth in ((5, 3, 0.2), (1, 2, 1.5), (1, 2, -0.1), (1, 4000, 0.2)):
        with pytest.raises(BadPromotion):
            forecaster.take_promotion(KEY[0], "", FIRST + timedelta(first), FIRST + timedelta(last), depth)
    with pytest.raises(BadPromotion, match="SKU"):
        forecaster.take_promotion("", "", FIRST, FIRST, 0.2)
    assert len(forecaster.promotions) == 0
    assert not forecaster.has_stale_forecasts()


def test_the_simple_method_is_not_asked_again_for_a_promotion_it_knows_nothing_of(forecaster: Forecaster) -> None:
    run(forecaster)
    forecaster.take_promotion(KEY[0], "", FIRST, FIRST + timedelta(days=3), 0.2)
    assert not forecaster.has_stale_forecasts()


def test_promotions_hold_for_their_location_and_the_deepest_counts_last(forecaster: Forecaster) -> None:
    first, last = FIRST, FIRST + timedelta(days=3)
    forecaster.take_promotion(KEY[0], "", first, last, 0.3)
    forecaster.take_promotion(KEY[0], KEY[1], first, last, 0.1)
    forecaster.take_promotion(KEY[0], "ELSEWHERE", first, last, 0.5)
    days = (first.toordinal(), last.toordinal())
    assert list(forecaster.promotions.of(*KEY)) == [(*days, 0.1), (*days, 0.3)]
    forecaster.take_promotion(KEY[0], "", first, last, 0.0)
    assert list(forecaster.promotions.of(*KEY)) == [(*days, 0.1)]


def test_a_promotion_planned_anew_moves_with_its_days_and_one_called_off_is_over(forecaster: Forecaster) -> None:
    def plan(first: int, last: int, depth: float = 0.3) -> PromotionPlanned:
        return PromotionPlanned(
            id="p", promotion="SPRING", sku=KEY[0], depth=depth, first_day=(FIRST + timedelta(first)).isoformat(),
            last_day=(FIRST + timedelta(last)).isoformat(),
        )  # fmt: skip

    def planned() -> list[tuple[int, int, float]]:
        return [(a - FIRST.toordinal(), b - FIRST.toordinal(), depth) for a, b, depth in forecaster.promotions.of(*KEY)]

    forecaster.take(plan(1, 3))
    assert planned() == [(1, 3, 0.3)]
    forecaster.take(plan(8, 9))
    assert planned() == [(8, 9, 0.3)]
    with pytest.raises(Unreadable, match="the first one first"):
        forecaster.take(plan(9, 8))
    assert planned() == [(8, 9, 0.3)]
    forecaster.take(plan(8, 9, 0.0))
    assert planned() == []


def test_a_promotion_that_moves_or_is_called_off_leaves_another_of_the_same_days_alone(forecaster: Forecaster) -> None:
    def plan(name: str, first: int, depth: float) -> PromotionPlanned:
        day = (FIRST + timedelta(first)).isoformat()
        return PromotionPlanned(id=name, promotion=name, sku=KEY[0], depth=depth, first_day=day, last_day=day)

    def planned() -> list[tuple[int, float]]:
        return [(first - FIRST.toordinal(), depth) for first, _, depth in forecaster.promotions.of(*KEY)]

    forecaster.take(plan("LEAFLET", 3, 0.3))
    forecaster.take(plan("COUPON", 3, 0.2))
    assert planned() == [(3, 0.2), (3, 0.3)], "the deepest counts, whichever was told last"
    forecaster.take(plan("COUPON", 9, 0.2))
    assert planned() == [(9, 0.2), (3, 0.3)]
    forecaster.take(plan("COUPON", 3, 0.2))
    forecaster.take(plan("COUPON", 3, 0.0))
    assert planned() == [(3, 0.3)]
