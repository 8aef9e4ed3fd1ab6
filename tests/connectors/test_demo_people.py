"""What people in the demo do about what is published: once each, and never more than the books allow."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from connectors.demo import counting, kits, reactions, recalls, showing, transfers, world
from connectors.demo.action import Action
from connectors.demo.calendar import Calendar
from connectors.demo.catalogue import GIFT_BOX
from connectors.demo.fulfilment import PARCELS, SHORT, pick_list, sscc
from connectors.demo.returns import DISPOSITIONS, EVERY
from connectors.demo.world import Demo, Errand, World, number_of
from streams.topics import WAREHOUSE
from tables import records as r
from tables.examples import ORDER_LOG, PUBLISHED, STOCK_LOG

SKU, OTHER = "JRK-ORIGINAL-POUCH-35", "JRK-ORIGINAL-POUCH-90"
TODAY = datetime(2026, 3, 2, 15, 30, tzinfo=UTC)
DEMO = Demo(1, "t", Calendar.before(TODAY, 60.0), 5.0)
LEVEL = next(x for x in PUBLISHED if isinstance(x, r.StockLevels))
STATUS = next(x for x in PUBLISHED if isinstance(x, r.OrderStatus))
LOT = r.LotLevel("L1", "2026-12-01", 40)


def level(sku: str, version: int = 1, /, **places: list[r.LotLevel]) -> r.StockLevels:
    locations = []
    for code, lots in places.items():
        units = sum(lot.on_hand for lot in lots)
        locations.append(
            r.LocationLevel(code, units, units, 0, 0, 0, 0, 0, 0, lots, (1, 42, version), open_to_all=units)
        )
    return replace(LEVEL, sku=sku, locations=locations, version=(1, 42, version))


def order(number: int, *held: tuple[str, str, int], version: int = 1, **more: Any) -> r.OrderStatus:
    """A confirmed order that holds these units: (SKU, location, units)."""
    lines = [r.StatusLine(sku, units, location, 0, units, 0, 0, 0, "") for sku, location, units in held]
    plain: dict[str, Any] = {
        "status": "confirmed", "payment": "captured", "payment_wanted": "", "channel": "shop", "fulfilments": [],
        "returns": [], "kits": {}, "exchange_of": "", "policy": "all_or_nothing", "checks": [],
    }  # fmt: skip
    return replace(
        STATUS, order_id=DEMO.order_id(number), lines=lines, version=(1, 7, version), **(plain | more)
    )  # fmt: skip


def follow(people: World, status: r.OrderStatus) -> list[Any]:
    """Everything that is done about the order until nothing is left to do: the records, in order."""
    people.learn_order(status)
    left: list[Action | Errand] = people.once(status.order_id, reactions.to_order(people, status))
    done: list[Any] = []
    while left:
        left.sort(key=lambda thing: thing.due_seconds)
        thing = left.pop(0)
        people.now = max(people.now, thing.due_seconds)
        if isinstance(thing, Action):
            done.append(thing.record)
        else:
            left += people.once(status.order_id, thing.do(people))
    return done


def of(kind: type, records: Iterable[Any]) -> list[Any]:
    return [x for x in records if isinstance(x, kind)]


@pytest.fixture
def people() -> World:
    known = World(DEMO)
    for sku in (SKU, OTHER):
        known.learn_level(level(sku, AUSTIN=[LOT], RENO=[LOT]))
    return known


def test_a_pick_list_takes_what_expires_first_and_leaves_what_may_not_leave() -> None:
    lots = [
        r.LotLevel("LATE", "2026-12-01", 9),
        r.LotLevel("SOON", "2026-06-01", 2),
        r.LotLevel("DENTED", "2026-05-01", 3, "approved", 3),
        r.LotLevel("HELD", "2026-05-01", 9, "on_hold"),
        r.LotLevel("TESTED", "2026-05-01", 9, "inspection"),
        r.LotLevel("OLD", "2026-03-10", 9),
    ]
    assert pick_list(lots, 5, "2026-04-01") == [("SOON", 2), ("LATE", 3)]
    assert pick_list(lots, 5) == [("OLD", 5)]
    assert pick_list(lots, 99, "2026-04-01") == [("SOON", 2), ("LATE", 9)]


@settings(derandomize=True, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=6), st.integers(0, 30))
def test_a_pick_list_never_holds_more_than_asked_for_or_there(lots: list[tuple[int, int]], units: int) -> None:
    levels = [r.LotLevel(f"L{n}", "", count, "approved", blocked) for n, (count, blocked) in enumerate(lots)]
    there = sum(max(count - blocked, 0) for count, blocked in lots)
    assert sum(count for _, count in pick_list(levels, units)) == min(units, there)


def test_a_carton_has_eighteen_digits_of_its_own() -> None:
    assert len({sscc(n) for n in range(50)}) == 50
    assert all(len(sscc(n)) == 18 for n in (0, 1, 1 << 36))


def test_most_picks_tell_their_lots_and_the_others_units_alone(people: World) -> None:
    done = [x for n in range(1, 41) for x in follow(people, order(n, (SKU, "AUSTIN", 1)))]
    told = [line.lot for pick in of(r.OrderPicked, done) for line in pick.lines]
    assert set(told) == {"L1", None}
    assert len(told) == 40 > told.count("L1") > 20


def test_each_location_picks_its_units_and_sends_a_parcel_with_its_own_number(people: World) -> None:
    done = follow(people, order(1, (SKU, "AUSTIN", 2), (OTHER, "RENO", 1)))
    picked, shipped = of(r.OrderPicked, done), of(r.OrderShipped, done)
    assert {x.location: [(y.sku, y.quantity) for y in x.lines] for x in picked} == {
        "AUSTIN": [(SKU, 2)], "RENO": [(OTHER, 1)]
    }  # fmt: skip
    assert {x.location: [(y.sku, y.quantity) for y in x.lines] for x in shipped} == {
        "AUSTIN": [(SKU, 2)], "RENO": [(OTHER, 1)]
    }  # fmt: skip
    assert len({x.tracking for x in shipped}) == 2
    last = {x.tracking: x.status for x in of(r.TrackingUpdated, done)}
    assert last == {x.tracking: "delivered" for x in shipped}


def test_a_document_published_again_makes_nobody_do_anything_twice(people: World) -> None:
    status = order(1, (SKU, "AUSTIN", 2), payment_wanted="capture")
    assert follow(people, status)
    assert follow(people, status) == []
    assert follow(people, replace(status, version=(1, 8, 0))) == []


def test_what_was_cancelled_meanwhile_is_not_picked(people: World) -> None:
    status = order(1, (SKU, "AUSTIN", 2))
    people.learn_order(status)
    (job,) = people.once(status.order_id, reactions.to_order(people, status))
    people.learn_order(order(1, version=2, status="cancelled"))
    assert isinstance(job, Errand)
    assert list(job.do(people)) == []


def test_a_parcel_holds_no_more_than_the_order_still_wants(people: World) -> None:
    status = order(1, (SKU, "AUSTIN", 2), (OTHER, "AUSTIN", 1))
    people.learn_order(status)
    (job,) = people.once(status.order_id, reactions.to_order(people, status))
    _, pack = job.do(people)  # type: ignore[union-attr]
    people.learn_order(order(1, (SKU, "AUSTIN", 1), version=2))
    _, ship = pack.do(people)  # type: ignore[union-attr]
    parcel = next(iter(ship.do(people))).record  # type: ignore[union-attr]
    assert [(x.sku, x.quantity) for x in parcel.lines] == [(SKU, 1)]


def test_a_unit_that_is_not_found_makes_the_shipment_a_final_one(people: World) -> None:
    done = follow(people, order(SHORT, (SKU, "AUSTIN", 2), (OTHER, "AUSTIN", 1)))
    (picked,), (shipped,) = of(r.OrderPicked, done), of(r.OrderShipped, done)
    assert sum(x.short for x in picked.lines) == 1
    assert sum(x.quantity for x in shipped.lines) == 2
    assert shipped.final


def test_an_order_of_one_unit_is_never_short(people: World) -> None:
    (shipped,) = of(r.OrderShipped, follow(people, order(SHORT, (SKU, "AUSTIN", 1))))
    assert (shipped.final, [x.quantity for x in shipped.lines]) == (False, [1])


def test_what_does_not_fit_into_one_parcel_follows_in_a_second_one(people: World) -> None:
    status = order(PARCELS, (SKU, "AUSTIN", 1), (OTHER, "AUSTIN", 1))
    shipped = of(r.OrderShipped, follow(people, status))
    assert sorted(line.sku for parcel in shipped for line in parcel.lines) == [SKU, OTHER]
    assert len({parcel.tracking for parcel in shipped}) == 2 == len(shipped)
    lines = [replace(x, allocated=x.allocated - (n == 0), shipped=int(n == 0)) for n, x in enumerate(status.lines)]
    between = replace(status, lines=lines, version=(1, 8, 0))
    assert follow(people, between) == [], "the second parcel is packed already"


@pytest.mark.parametrize(
    ("wanted", "kind"), [("capture", r.PaymentCaptured), ("void", r.PaymentVoided), ("refund", r.PaymentRefunded)]
)
def test_the_bank_does_what_is_wanted(people: World, wanted: str, kind: type) -> None:
    done = follow(people, order(1, status="paid_unallocated", payment_wanted=wanted))
    assert [type(x) for x in done] == [kind]


def test_what_comes_back_is_inspected_and_paid_back_in_part(people: World) -> None:
    status = order(EVERY, status="delivered")
    status = replace(status, lines=[r.StatusLine(SKU, 3, "AUSTIN", 0, 0, 3, 0, 0, "")])
    done = follow(people, status)
    assert [type(x) for x in done][:3] == [r.ReturnAuthorized, r.ReturnReceived, r.ReturnInspected]
    assert sum(x.quantity for x in done[2].lines) < 3
    inspected = replace(status.lines[0], returned=1)
    after = replace(status, lines=[inspected], payment_wanted="refund", version=(1, 8, 0))
    assert [(type(x), x.partial) for x in follow(people, after)] == [(r.PaymentRefunded, True)]
    paid = replace(after, payment="partially_refunded", payment_wanted="", version=(1, 9, 0))
    assert follow(people, paid) == []
    more = replace(paid, lines=[replace(inspected, returned=2)], version=(1, 10, 0))
    assert [(type(x), x.partial) for x in follow(people, more)] == [(r.PaymentRefunded, True)]


def test_every_disposition_and_an_exchange_come_in_turn(people: World) -> None:
    done = []
    for turn in range(1, 9):
        lines = [r.StatusLine(SKU, 2, "AUSTIN", 0, 0, 2, 0, 0, "")]
        done += follow(people, replace(order(EVERY * turn, status="delivered"), lines=lines))
    assert {line.disposition for x in of(r.ReturnInspected, done) for line in x.lines} == set(DISPOSITIONS)
    exchanges = of(r.OrderPlaced, done)
    assert {x.exchange_of for x in exchanges} == {DEMO.order_id(EVERY), DEMO.order_id(EVERY * 5)}
    assert all(number_of(x.order_id) == 0 for x in exchanges), "what was exchanged is not sent back again"


def test_a_count_names_the_version_that_was_looked_at_and_is_near_the_books() -> None:
    for number in range(30):
        found = counting.count_of(DEMO.dice(number), "c", level("a", 7, RENO=[replace(LOT, on_hand=4)]), "")
        assert found is not None
        assert (found.location, found.lot, found.as_of_offset, found.as_of_index) == ("RENO", "L1", 42, 7)
        assert 2 <= found.quantity <= 5


def test_where_there_is_no_lot_nothing_is_counted() -> None:
    assert counting.count_of(DEMO.dice(1), "c", level("a", RENO=[]), "") is None


def test_an_alert_for_a_recount_is_answered_with_what_is_there(people: World) -> None:
    alert = r.Alert(
        id="a", sku=SKU, location="RENO", kind="recount", available=0, shortage=0, reorder_point=0, version=(1, 42, 1)
    )
    (errand,) = reactions.to_alert(people, alert)
    people.learn_level(level(SKU, 9, RENO=[replace(LOT, on_hand=33)]))
    (action,) = errand.do(people)  # type: ignore[union-attr]
    assert (action.record.quantity, action.record.as_of_index, action.record.recount) == (33, 9, True)
    assert list(reactions.to_alert(people, replace(alert, kind="low"))) == []


def test_stock_goes_from_where_it_is_to_where_there_is_least(people: World) -> None:
    out, came, again = transfers.first(DEMO).do(people)
    assert isinstance(out, Action)
    assert isinstance(came, Action)
    assert out.record.to == "ALBANY" == came.record.location
    assert 0 < out.record.quantity <= 20
    assert abs(came.record.quantity - out.record.quantity) <= 1
    assert came.record.reference == out.record.reference
    assert again.name == "transfer:2"


def test_where_there_is_too_little_nothing_is_moved() -> None:
    poor = World(DEMO)
    poor.learn_level(level(SKU, AUSTIN=[replace(LOT, on_hand=3)]))
    assert [x.name for x in transfers.first(DEMO).do(poor)] == ["transfer:2"]


def test_a_drill_and_a_recall_freeze_a_lot_that_is_there_and_end(people: World) -> None:
    for errand, mock in zip(recalls.planned(DEMO), (True, False), strict=True):
        opened, closed = errand.do(people)
        assert isinstance(opened, Action)
        assert isinstance(closed, Action)
        assert (opened.topic, opened.key, closed.key) == (WAREHOUSE, None, None)
        assert (opened.record.lot, opened.record.mock, closed.record.lot) == ("L1", mock, "L1")
        assert closed.due_seconds > opened.due_seconds


@pytest.mark.parametrize(("most", "few"), [(SKU, OTHER), (OTHER, SKU)])
def test_a_recall_is_of_the_lot_with_most_units_left_of_those_that_are_being_sold(
    people: World, most: str, few: str
) -> None:
    people.learn_level(level(few, 2, AUSTIN=[replace(LOT, lot="LAST", on_hand=2)]))
    later = replace(LOT, lot="NEXT", best_before="2099-01-01", on_hand=90)
    people.learn_level(level(most, 2, AUSTIN=[later, replace(LOT, lot="SOLD", on_hand=40)]))
    for errand in recalls.planned(DEMO):
        opened, _ = errand.do(people)
        assert isinstance(opened, Action)
        assert (opened.record.lot, opened.record.skus) == ("SOLD", [most])


def test_without_a_lot_a_recall_waits_unless_the_day_is_over() -> None:
    empty = World(DEMO)
    drill = next(iter(recalls.planned(DEMO)))
    assert [x.name for x in drill.do(empty)] == ["drill"]
    empty.closing = True
    assert list(drill.do(empty)) == []


def test_gift_boxes_are_built_as_far_as_their_parts_go_and_one_is_taken_apart(people: World) -> None:
    (first, count), (second, _) = kits.BOX_PARTS
    people.learn_level(level(first, 2, AUSTIN=[replace(LOT, on_hand=3 * count + 1)]))
    people.learn_level(level(second, 2, AUSTIN=[LOT]))
    assembly = next(x for x in kits.opening(DEMO) if isinstance(x, Errand))
    built, apart, again = assembly.do(people)
    assert isinstance(built, Action)
    assert isinstance(apart, Errand)
    assert (built.record.quantity, {x.sku: x.quantity for x in built.record.parts}[first]) == (3, 3 * count)
    assert again.name == "assemble:2"
    assert list(apart.do(people)) == [], "there is no box on the books yet"
    people.learn_level(level(GIFT_BOX.sku, AUSTIN=[replace(LOT, on_hand=3)]))
    (taken,) = apart.do(people)
    assert isinstance(taken, Action)
    assert (taken.record.quantity, taken.record.lot) == (1, built.record.lot)


def test_where_a_part_is_missing_no_box_is_built() -> None:
    assembly = next(x for x in kits.opening(DEMO) if isinstance(x, Errand))
    assert [x.name for x in assembly.do(World(DEMO))] == ["assemble:2"]


def test_the_newest_version_is_kept_and_old_orders_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world, "ORDERS_MAX", 3)
    people = World(DEMO)
    new, old = order(1, version=5), order(1, version=4, status="pending")
    assert people.learn_order(new) is None
    assert people.learn_order(old) is old
    assert people.order(new.order_id) is new
    for number in range(2, 5):
        people.learn_order(order(number))
    assert people.order(new.order_id) is None
    assert people.order(DEMO.order_id(4)) is not None


def test_news_is_news_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world, "NEWS_MAX", 2)
    people = World(DEMO)
    assert [people.is_news(x) for x in ("a", "a", "b", "c", "c", "a")] == [True, False, True, True, False, True]


def test_what_is_seen_is_counted_when_it_becomes_true() -> None:
    before = order(1, (SKU, "AUSTIN", 1), payment="authorized", status="on_hold", checks=["fraud"])
    after = replace(before, status="confirmed", payment="captured", checks=[])
    assert "held for fraud" in showing.of_order(None, before)
    assert showing.of_order(before, before) == []
    assert showing.of_order(before, after) == ["captured after authorization"]
    waits = replace(after, lines=[replace(after.lines[0], open=1, allocated=0, due="2026-03-20")])
    assert {"backordered", "preorder with a date"} <= set(showing.of_order(None, waits))
    assert showing.of_order(waits, after) == ["backorder filled"]
    held = level(SKU, AUSTIN=[replace(LOT, status="on_hold")])
    assert showing.of_level(None, held) == ["lot on hold"]
    assert showing.of_level(held, held) == []


def test_every_name_that_is_counted_stands_in_the_list() -> None:
    listed = {name for names in showing.SHOWN.values() for name in names}
    told = [name for x in (*ORDER_LOG, *STOCK_LOG) for name in showing.of_sent(x)]
    told += showing.of_order(None, STATUS) + showing.of_level(None, LEVEL)
    told += [name for x in PUBLISHED if isinstance(x, r.Alert) for name in showing.of_alert(x)]
    assert told
    assert set(told) <= listed
