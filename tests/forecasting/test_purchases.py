"""Purchases a person can act on: packs, minimum, shelf life, calendar, budget, other places; and why, in words."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasting.model import SeriesForecast, fit
from forecasting.plans import Plans
from forecasting.policy import Advice, Place, Stock, Terms, plan
from forecasting.policy.calendar import delivery, iso, period
from forecasting.policy.levels import Pooled, exceedance, levels
from forecasting.series import Series
from tables import records as r

TODAY = date(2026, 3, 2)  # a Monday
DAY = TODAY.toordinal()
histories = st.lists(st.integers(0, 40), min_size=1, max_size=100)


def forecast(units: list[int]) -> SeriesForecast:
    series = Series("SKU", "MAIN", DAY - 1, list(units))
    return fit([series]).forecast(series)


TEN = forecast([10] * 60)
SLOW = forecast([1] * 60)


def supply(sku: str = "A", **more: Any) -> r.Supply:
    return r.Supply(id=sku, sku=sku, **({"supplier": "ACME"} | more))


def terms(**more: Any) -> r.SupplierTerms:
    return r.SupplierTerms(id="ACME", supplier="ACME", **({"lead_days": 7} | more))


def known(*records: r.PlanningRecord) -> Plans:
    plans = Plans()
    for record in records:
        plans.take(record)
    return plans


def one(plans: Plans, stock: Stock = Stock(), outlook: SeriesForecast = TEN, how: Terms = Terms()) -> Advice:  # noqa: B008
    return plan({"A": {"MAIN": Place(stock, outlook)}}, plans, how)["A", "MAIN"]


def test_what_should_have_come_and_did_not_is_told_beside_what_is_still_to_come():
    coming = Stock(incoming=300, arrivals=((DAY - 9, 40), (DAY - 2, 60), (DAY, 150)))
    told = "position 300 = 0 available + 300 incoming (100 of it overdue, since 2026-02-21); "
    assert told in one(known(), coming).reason
    assert told in spread(known(CENTRAL), {"N": coming}, {"N": TEN})["HUB"].reason
    assert "+ 150 incoming; " in one(known(), Stock(incoming=150, arrivals=((DAY, 150),))).reason


# ---- one SKU: packs, minimum, shelf life


def test_without_plans_nothing_rounds_a_purchase():
    advice = one(known())
    assert (advice.quantity, advice.needed, advice.supplier, advice.cost_cents) == (advice.order_up_to,) * 2 + ("", 0)


def test_what_is_at_the_level_that_is_ordered_up_to_is_due_when_a_unit_of_it_is_gone_and_what_never_sells_never():
    dead = one(known(), Stock(0), forecast([0] * 60))
    assert (dead.reorder_point, dead.order_up_to, dead.needed, dead.order_by) == (0, 0, 0, "")
    assert dead.reason.startswith("No purchase within 28 days: position 0 = 0 available")
    full = one(known(), Stock(TEN.total_quantile(8, 0.95)), TEN, Terms(cover_days=0))
    assert (full.position, full.needed, full.order_by) == (full.order_up_to, 0, "2026-03-03")
    assert full.reason.startswith("No purchase yet, expected in 1 day: ")


def test_a_purchase_is_in_whole_packs_and_at_least_the_minimum_and_costs_what_it_costs():
    plain = one(known())
    packed = one(known(supply(case_pack=30, unit_cost_cents=150)))
    assert packed.quantity == -(-plain.quantity // 30) * 30
    assert packed.cost_cents == packed.quantity * 150
    assert f"{packed.needed} needed; packs of 30 make it {packed.quantity}." in packed.reason
    least = one(known(supply(case_pack=30, minimum_quantity=1000)))
    assert least.quantity == 1020
    assert "a minimum of 1000" in least.reason


def test_shelf_life_caps_a_purchase_beside_what_will_be_left_and_says_so():
    short = one(known(supply(shelf_life_days=10)))
    assert short.quantity == TEN.total_quantile(10, 0.9) < short.needed
    assert f"Shelf life of 10 days: no more than {short.quantity}" in short.reason
    beside = one(known(supply(shelf_life_days=10)), Stock(available=75))
    assert beside.quantity == short.quantity - 5, "5 of the 75 are left in 7 days"
    none = one(known(supply(shelf_life_days=10, minimum_quantity=5000)))
    assert none.quantity == 0
    assert none.reason.startswith(f"No purchase of the {none.needed} needed: ")


def test_units_that_are_owed_do_not_wait_for_their_shelf_life_to_sell():
    plans = known(supply(shelf_life_days=10))
    assert one(plans, Stock(backordered=500)).quantity == 500 + one(plans).quantity
    assert one(plans, Stock(available=20, shortage=20)).quantity == one(plans).quantity
    assert one(plans, Stock(incoming=80, backordered=500)).quantity == 420 + one(plans).quantity


packs, minimums = st.integers(1, 60), st.integers(0, 200)


@settings(max_examples=200, deadline=None)
@given(histories, st.integers(0, 300), packs, minimums, st.integers(0, 60))
def test_a_quantity_is_whole_packs_or_nothing_and_within_shelf_life(
    units: list[int], available: int, pack: int, minimum: int, shelf_days: int
):
    outlook = forecast(units)
    said = supply(case_pack=pack, minimum_quantity=minimum, shelf_life_days=shelf_days)
    advice = one(known(said, terms()), Stock(available), outlook)
    assert advice.quantity % pack == 0
    assert advice.quantity == 0 or advice.quantity >= minimum
    if shelf_days:
        assert advice.quantity <= outlook.total_quantile(shelf_days, 0.9)
    if advice.position > advice.reorder_point:
        assert advice.quantity == 0
    elif not shelf_days:
        assert advice.position + advice.quantity >= advice.order_up_to


# ---- the calendar


@pytest.mark.parametrize(("said", "days"), [
    ({}, (0, 7, 8)),
    ({"review_days": 7}, (0, 7, 14)),
    ({"order_weekdays": ["wed"]}, (2, 9, 16)),
    ({"arrival_weekdays": ["tue", "fri"]}, (0, 8, 9)),  # a chance later: on the same day, taken as the next
    ({"arrival_weekdays": ["tue"]}, (0, 8, 9)),
    ({"closed": ["2026-03-02", "2026-03-10"]}, (1, 9, 10)),
    ({"closed": ["2026-03-09"], "lead_days": 7}, (0, 8, 9)),
])  # fmt: skip
def test_order_days_arrival_days_and_closed_days_decide_when_goods_are_there(
    said: dict[str, Any], days: tuple[int, int, int]
):
    found = delivery(DAY, Terms(), terms(**said))
    assert (found.order_day - DAY, found.arrival_day - DAY, found.next_arrival_day - DAY) == days


def test_days_that_stock_is_exposed_come_from_the_calendar():
    weekly = one(known(supply(), terms(order_weekdays=["wed"], review_days=7)))
    assert weekly.reorder_point == TEN.total_quantile(16, 0.95)
    assert weekly.order_by == "2026-03-04"
    assert weekly.expected == "2026-03-11"
    assert weekly.reason.startswith(f"Buy {weekly.quantity} on 2026-03-04, up to ")
    assert "95% quantile of demand over 16 days, until what ACME is asked for a chance later is there" in weekly.reason


weekdays = st.lists(st.sampled_from(["mon", "tue", "wed", "thu", "fri"]), max_size=3, unique=True)
closed = st.lists(st.integers(0, 40).map(lambda ahead: (TODAY + timedelta(ahead)).isoformat()), max_size=8)


@settings(max_examples=200, deadline=None)
@given(histories, weekdays, weekdays, closed, st.integers(0, 30), st.integers(1, 14), st.integers(0, 6))
def test_more_lead_time_never_lowers_a_level(
    units: list[int], order: list[str], arrive: list[str], shut: list[str], lead: int, review: int, today: int
):
    said = {"order_weekdays": order, "arrival_weekdays": arrive, "closed": shut, "review_days": review}
    found = [delivery(DAY + today, Terms(), terms(lead_days=days, **said)) for days in (lead, lead + 1)]
    assert found[0].arrival_day <= found[1].arrival_day
    assert DAY + today <= found[0].order_day <= found[0].arrival_day < found[0].next_arrival_day
    outlook = forecast(units)
    shorter, longer = (
        one(known(supply(), terms(lead_days=days, **said)), Stock(), outlook) for days in (lead, lead + 1)
    )
    assert shorter.reorder_point <= longer.reorder_point
    assert shorter.order_up_to <= longer.order_up_to


def test_a_supplier_that_never_opens_ends_no_search():
    shut = [(TODAY + timedelta(ahead)).isoformat() for ahead in range(400)]
    assert delivery(DAY, Terms(), terms(closed=shut)).order_day == DAY + 400


def test_a_weekly_period_begins_on_monday():
    assert period(DAY, 7) == period(DAY + 6, 7) == period(DAY - 1, 7) + 1


# ---- suppliers: budget and minimum


def many(plans: Plans, stocks: dict[str, int], outlook: SeriesForecast = TEN) -> dict[str, Advice]:
    found = plan({sku: {"MAIN": Place(Stock(units), outlook)} for sku, units in stocks.items()}, plans, Terms())
    return {sku: advice for (sku, _), advice in found.items()}


def test_a_budget_goes_where_a_cent_saves_most_lost_sales_and_what_is_cut_is_told():
    plans = known(
        terms(budget_cents=10_000), supply("CHEAP", unit_cost_cents=50), supply("DEAR", unit_cost_cents=500),
        supply("FULL", unit_cost_cents=50),
    )  # fmt: skip
    found = many(plans, {"CHEAP": 0, "DEAR": 0, "FULL": 85})
    assert found["CHEAP"].quantity > 100 > found["DEAR"].quantity
    assert found["CHEAP"].quantity > found["FULL"].quantity, "whoever has stock for now can wait"
    assert 10_000 - 500 < sum(advice.cost_cents for advice in found.values()) <= 10_000
    cut = found["DEAR"].needed - found["DEAR"].quantity
    assert f"Budget: 100.00 left for ACME in this period; {cut} of {found['DEAR'].needed} cut." in found["DEAR"].reason


def test_what_is_owed_comes_before_what_may_be_asked_for_when_a_budget_is_short():
    plans = known(terms(budget_cents=10_000), supply("OWES", unit_cost_cents=100), supply("NEW", unit_cost_cents=100))
    stocks = {"OWES": Stock(backordered=80), "NEW": Stock()}
    found = plan({sku: {"MAIN": Place(stock, TEN)} for sku, stock in stocks.items()}, plans, Terms())
    assert found["OWES", "MAIN"].quantity >= 80
    assert sum(advice.cost_cents for advice in found.values()) == 10_000


def decided(cost: int, run: str = "2026-03-01.001", **more: Any) -> r.ReorderDecision:
    said: dict[str, Any] = {"sku": "B", "location": "MAIN", "decision": "accepted", "quantity": 1, "supplier": "ACME"}
    return r.ReorderDecision(id=run, run=run, cost_cents=cost, **said | more)


def test_what_was_accepted_in_the_period_is_spent_whoever_advised_it():
    plans = known(terms(budget_cents=10_000, review_days=7), supply(unit_cost_cents=100))
    assert one(plans).cost_cents == 10_000
    plans.take(decided(4_000))
    assert one(plans).cost_cents == 6_000
    plans.take(decided(9_000, "2026-02-28.001"))  # a run of the Saturday speaks on Sunday, the period before
    plans.take(decided(9_000, "2026-03-01.002", decision="dismissed"))
    assert one(plans).cost_cents == 6_000
    plans.take(decided(9_000, "2026-02-28.001", order_by="2026-03-03", sku="C"))
    assert one(plans).cost_cents == 0, "decided before the period, for a day in it"
    plans.take(decided(0, "2026-02-28.001", decision="dismissed", sku="C"))
    plans.take(decided(0, decision="dismissed"))
    assert one(plans).cost_cents == 10_000, "a decision may be taken back"


def test_several_forecasters_stay_within_one_budget():
    plans = known(terms(budget_cents=10_000), supply(unit_cost_cents=100))
    plans.share = 0.25
    assert one(plans).cost_cents == 2_500


lines = st.lists(
    st.tuples(histories, st.integers(0, 400), packs, minimums, st.integers(0, 60), st.integers(0, 900)),
    min_size=1, max_size=5,
)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(lines, st.integers(0, 60_000), st.integers(0, 500), st.integers(0, 40_000))
def test_an_order_is_within_the_budget_and_above_the_minimum_or_is_not_placed(
    skus: list[tuple[list[int], int, int, int, int, int]], budget: int, units: int, cents: int
):
    plans = known(terms(budget_cents=budget, minimum_units=units, minimum_cents=cents))
    places, shelf = {}, {}
    for n, (history, available, pack, minimum, shelf_days, cost) in enumerate(skus):
        plans.take(supply(f"S{n}", case_pack=pack, minimum_quantity=minimum, shelf_life_days=shelf_days,
                          unit_cost_cents=cost))  # fmt: skip
        outlook = forecast(history)
        places[f"S{n}"] = {"MAIN": Place(Stock(available), outlook)}
        shelf[f"S{n}"] = outlook.total_quantile(shelf_days, 0.9) if shelf_days else 10**9
    found = {sku: advice for (sku, _), advice in plan(places, plans, Terms()).items()}
    bought = sum(advice.quantity for advice in found.values())
    spent = sum(advice.cost_cents for advice in found.values())
    assert spent <= budget
    if bought:
        assert bought >= units
        assert spent >= cents
    for n, (_, _, pack, minimum, _, cost) in enumerate(skus):
        advice = found[f"S{n}"]
        assert advice.quantity % pack == 0
        assert advice.quantity == 0 or advice.quantity >= minimum
        assert advice.quantity <= shelf[f"S{n}"]
        assert advice.cost_cents == advice.quantity * cost


def test_a_minimum_is_reached_with_what_would_be_needed_next():
    plans = known(terms(minimum_units=400), supply("A"), supply("B"))
    found = many(plans, {"A": 0, "B": 150})
    assert found["A"].quantity + found["B"].quantity >= 400
    assert found["A"].quantity == found["A"].needed > 0
    assert found["B"].needed == 0 < found["B"].quantity, "not due yet, but due before A is again"
    assert f"ACME takes orders from 400 units: {found['B'].quantity} of them ahead of need." in found["B"].reason


def test_under_a_minimum_that_is_out_of_reach_nothing_is_bought_and_that_is_told():
    plans = known(terms(minimum_cents=9_000_000), supply("A", unit_cost_cents=100))
    advice = one(plans)
    assert (advice.quantity, advice.cost_cents) == (0, 0)
    assert "ACME takes orders from 90,000.00, and no more is needed of it within 28 days" in advice.reason


def test_a_minimum_that_the_budget_just_pays_is_reached_and_one_that_it_does_not_pay_is_told_so():
    needed = one(known(supply())).needed
    told = [terms(minimum_units=needed + 88, budget_cents=100 * (needed + spare)) for spare in (88, 87, 0)]
    paid, *short = [one(known(supply(unit_cost_cents=100), x)) for x in told]
    assert (paid.quantity, paid.cost_cents) == (needed + 88, told[0].budget_cents)
    for advice in short:
        assert advice.quantity == 0
        assert f"units, and no more can be paid in this period: {needed} wait." in advice.reason


def test_a_minimum_makes_nobody_buy_who_needs_nothing():
    found = many(known(terms(minimum_units=400), supply("A"), supply("B")), {"A": 5000, "B": 5000})
    assert [advice.quantity for advice in found.values()] == [0, 0]


# ---- several places


def spread(plans: Plans, stocks: dict[str, Stock], outlooks: dict[str, SeriesForecast]) -> dict[str, Advice]:
    places = {name: Place(stocks.get(name, Stock()), outlooks.get(name)) for name in {*stocks, *outlooks}}
    return {place: advice for (_, place), advice in plan({"A": places}, plans, Terms()).items()}


def test_surplus_at_one_place_comes_before_a_purchase_at_another():
    found = spread(known(), {"N": Stock(900), "S": Stock(5)}, {"N": TEN, "S": TEN})
    south = found["S"]
    assert (south.kind, south.from_location, south.quantity) == ("transfer", "N", south.needed)
    assert south.reason.startswith(f"Bring {south.quantity} from N, up to {south.order_up_to}")
    assert (south.supplier, south.cost_cents, south.expected) == ("", 0, "2026-03-04")
    assert found["N"].quantity == 0


def test_the_days_of_a_reorder_point_are_told_as_they_were_counted_wherever_the_goods_come_from():
    stocks, outlooks = {"N": Stock(900), "S": Stock(5)}, {"N": TEN, "S": TEN}
    told = spread(known(), stocks, outlooks)["S"]
    assert (told.kind, told.lead_days) == ("transfer", 2)
    assert "quantile of demand over 7 days lead time + 1 review (80.0 expected" in told.reason
    told = spread(known(supply(), terms(review_days=7)), stocks, outlooks)["S"]
    assert "quantile of demand over 14 days, until what ACME is asked for a chance later is there (" in told.reason
    plain = spread(known(supply(central="HUB", supplier=None)), {}, outlooks)
    assert "over 7 days lead time + 1 review + 2 to move it on (" in plain["HUB"].reason
    assert "over 2 days lead time + 1 review (" in plain["N"].reason
    told = spread(known(CENTRAL, terms()), {}, outlooks)["HUB"]
    assert "over 10 days, until what ACME is asked for a chance later is there and moved on (" in told.reason


def test_a_place_without_demand_gives_all_it_has():
    assert spread(known(), {"OLD": Stock(400)}, {"S": TEN})["S"].from_location == "OLD"


def test_surplus_that_would_not_lift_a_place_above_its_reorder_point_stays_and_all_is_bought():
    found = spread(known(), {"N": Stock(400), "S": Stock(0)}, {"N": TEN, "S": TEN})
    assert 0 < 400 - found["N"].order_up_to < found["S"].reorder_point
    assert (found["S"].kind, found["S"].quantity) == ("purchase", found["S"].needed)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from("ABCDE"), st.tuples(histories, st.integers(0, 900)), min_size=2))
def test_no_place_gives_what_it_needs_itself(places: dict[str, tuple[list[int], int]]):
    found = spread(
        known(), {x: Stock(units) for x, (_, units) in places.items()}, {x: forecast(h) for x, (h, _) in places.items()}
    )
    for name, (_, units) in places.items():
        given_away = sum(a.quantity for a in found.values() if a.from_location == name)
        assert given_away <= max(0, units - found[name].order_up_to)
        if given_away:
            assert found[name].needed == 0
    for advice in found.values():
        if advice.kind == "transfer":
            assert advice.reorder_point < advice.position + advice.quantity <= advice.order_up_to


CENTRAL = supply(central="HUB", transfer_days=2, case_pack=12)


def test_with_a_centre_goods_are_bought_there_for_all_places_and_the_others_are_refilled_from_it():
    found = spread(known(CENTRAL, terms()), {"HUB": Stock(60), "N": Stock(0), "S": Stock(0)}, {"N": TEN, "S": TEN})
    assert {(name, advice.kind) for name, advice in found.items()} == {
        ("HUB", "purchase"), ("N", "transfer"), ("S", "transfer"),
    }  # fmt: skip
    assert found["N"].quantity + found["S"].quantity == 60
    assert found["HUB"].position == 60
    both = Pooled([TEN, TEN])
    assert found["HUB"].reorder_point == both.total_quantile(7 + 1 + 2, 0.95)
    assert found["HUB"].quantity % 12 == 0
    assert "HUB has no more than 0 of the" in found["S"].reason


def test_no_place_but_the_centre_buys_ahead_for_the_minimum_of_an_order():
    plans = known(CENTRAL, terms(minimum_units=900))
    found = spread(plans, {"N": Stock(200), "S": Stock(0)}, {"N": TEN, "S": TEN})
    assert (found["N"].kind, found["N"].from_location, found["N"].supplier) == ("transfer", "HUB", "")
    assert (found["N"].quantity, found["N"].order_by) == (0, "2026-03-17")
    assert found["N"].reason.startswith("No transfer yet, expected in 15 days: position 200 = 200 available")
    assert found["HUB"].quantity >= 900
    full = spread(plans, {"N": Stock(2_000)}, {"N": TEN})["N"]
    assert full.reason.startswith("No transfer within 28 days: ")


def test_a_centre_that_sells_too_keeps_what_it_needs_until_more_is_there():
    found = spread(known(CENTRAL, terms()), {"HUB": Stock(60), "N": Stock(0)}, {"HUB": TEN, "N": TEN})
    assert found["N"].quantity == 60 - TEN.total_quantile(2 + 1, 0.95)


@settings(max_examples=150, deadline=None)
@given(st.lists(histories, min_size=2, max_size=4), st.integers(1, 40), st.sampled_from([0.5, 0.8, 0.95]))
def test_longer_and_surer_is_never_less_for_places_together_and_never_more_than_for_each_alone(
    places: list[list[int]], days: int, service: float
):
    parts = [forecast(units) for units in places]
    pooled = Pooled(parts)
    level = pooled.total_quantile(days, service)
    assert level <= pooled.total_quantile(days + 1, service)
    assert level <= pooled.total_quantile(days, 0.99)
    alone = [max(part.total_mean(days), part.total_quantile(days, service)) for part in parts]
    assert pooled.total_mean(days) - 1e-6 <= level <= sum(alone) + 1


# ---- figures


@settings(max_examples=100, deadline=None)
@given(histories, st.integers(1, 30), st.integers(0, 400))
def test_the_chance_to_exceed_agrees_with_the_quantiles(units: list[int], days: int, stock: int):
    outlook = forecast(units)
    chance = exceedance(outlook, days, stock)
    assert 0 < chance <= 1
    if chance < 0.98:
        assert outlook.total_quantile(days, 1 - chance) <= stock
    if chance > 0.011:
        assert outlook.total_quantile(days, min(0.99, 1 - chance + 0.01)) > stock


def test_levels_rise_with_the_dial():
    points = [levels(TEN, 8, 14, service).reorder_point for service in (0.5, 0.7, 0.9, 0.99)]
    assert all(a < b for a, b in pairwise(points))


def test_the_same_plans_in_any_order_of_skus_give_the_same_words():
    plans = known(terms(budget_cents=10_000), *(supply(sku, unit_cost_cents=50) for sku in "ABC"))
    stocks = {"A": 0, "B": 20, "C": 0}
    assert many(plans, stocks) == many(plans, dict(reversed(stocks.items())))


def test_a_day_is_written_as_people_write_it():
    assert iso(DAY) == "2026-03-02"
