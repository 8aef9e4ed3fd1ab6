"""The page's work: what is open is listed with the most urgent first, and is gone once a level or an order says so."""

from __future__ import annotations

import re
from threading import Event

import pytest
from confluent_kafka import Producer

from streams.settings import producer_config
from tables import records as r
from tables.codec import encode


def work(page):
    """(tag, subject) of every item, as shown at one moment."""
    items = page.evaluate("""[...document.querySelectorAll("#work li")].map(
        (item) => [item.querySelector(".tag").textContent, item.querySelector("b").textContent])""")
    return [tuple(item) for item in items]


def answered(page, path):
    """How many requests of this very document for `path` were answered: an earlier one's do not count."""
    entries = page.evaluate("performance.getEntriesByType('resource').map((entry) => [entry.name, entry.responseEnd])")
    return sum(path in url for url, ended in entries if ended)


def lot(name, status="approved", units=5, blocked=0):
    return r.LotLevel(name, "2027-01-31", units, status, blocked)


def test_a_shortage_is_work_until_the_level_says_it_is_over(api, page):
    assert "Nothing to do" in page.locator("#no-work").inner_text()
    api.publish("stock-levels", api.make.level("JRK-1", 0, at_location={"shortage": 4}))
    page.locator("#work li", has_text="JRK-1").wait_for()
    assert work(page) == [("short", "JRK-1")]
    assert "W1: 4 owed and not there" in page.locator("#work").inner_text()
    assert page.locator("#work-hint").inner_text() == "1 to do"
    api.publish("stock-levels", api.make.level("JRK-1", 3, at=2))
    page.locator("#no-work").wait_for()


def test_nothing_is_said_not_to_be_there_before_it_was_loaded(api, page):
    empty = ["no-work", "no-ahead", "no-stock", "no-orders", "no-decisions", "no-alerts"]
    shown = f"{empty}.filter((name) => !document.getElementById(name).hidden)"
    api.wait(lambda: page.evaluate(shown) == empty)
    page.route(re.compile(r"/v1/(skus|forecast-alerts)\?"), lambda route: route.fulfill(status=204))  # no answer yet
    page.reload()
    page.locator("#state-text", has_text="Catching up").wait_for()
    page.locator("#rate", has_text="0").wait_for()  # a tick was shown
    assert page.evaluate(shown) == []
    page.unroute_all()
    api.wait(lambda: page.evaluate(shown) == empty)


def test_recalled_lots_come_first_and_leave_with_their_units(api, page):
    lots = [lot("L1", "recalled"), lot("L2"), lot("L3", "expired")]
    api.publish("stock-levels", api.make.level("JRK-1", 5, at_location={"lots": lots}))
    api.publish(
        "alerts", api.make.alert("JRK-1", "recount", 1, units=-3), api.make.alert("JRK-1", "expiring", 2, lot="L2"),
        api.make.alert("JRK-1", "discrepancy", 3, units=-2, note="TR-4"),
        api.make.alert("JRK-1", "recalled", 4, lot="L1", units=5), api.make.alert("JRK-1", "expiring", 5, lot="L3"),
        api.make.alert("JRK-1", "expiring", 6, lot="GONE"),
    )  # fmt: skip
    api.wait(lambda: len(work(page)) == 5)
    assert [tag for tag, _ in work(page)] == ["recalled", "expired", "expiring", "discrepancy", "recount"]
    said = page.locator("#work").inner_text()
    assert "2 units missing (TR-4)" in said
    assert "a count is off by 3" in said
    api.publish("stock-levels", api.make.level("JRK-1", 5, at=2, at_location={"lots": [lot("L1")]}))
    api.wait(lambda: [tag for tag, _ in work(page)] == ["discrepancy", "recount"])


def test_one_unit_is_said_as_one(api, page):
    api.publish("stock-levels", api.make.level("JRK-1", 5, at_location={"lots": [lot("L1", "recalled", units=1)]}))
    api.publish("alerts", api.make.alert("JRK-1", "discrepancy", 1, units=-1, note="TR-4"))
    api.wait(lambda: len(work(page)) == 2)
    said = page.locator("#work").inner_text()
    assert "1 unit of lot L1, frozen" in said
    assert "1 unit missing (TR-4)" in said


def test_what_happens_while_the_page_loads_is_there_when_it_has_loaded(api, page):
    api.publish("stock-levels", api.make.level("JRK-1", 5))
    page.locator("#levels tr", has_text="JRK-1").wait_for()
    held, let_go = [], Event()
    page.reload()
    page.locator(api.listens).wait_for()
    page.route(
        re.compile(r"/v1/orders\?limit"), lambda route: route.continue_() if let_go.is_set() else held.append(route)
    )
    page.reload()
    api.wait(lambda: answered(page, "/v1/alerts") >= 2 and held)
    api.publish("alerts", api.make.alert("JRK-1", "discrepancy", 1, units=-2))
    api.publish("stock-levels", api.make.level("JRK-1", 0, at=2, at_location={"shortage": 4}))
    api.wait(lambda: work(page) == [("short", "JRK-1"), ("discrepancy", "JRK-1")])
    let_go.set()
    for route in held:
        route.continue_()
    page.locator(api.listens).wait_for()
    assert work(page) == [("short", "JRK-1"), ("discrepancy", "JRK-1")]


def test_an_order_that_was_paid_for_and_holds_nothing_is_work_until_it_is_settled(api, page):
    api.publish("order-status", api.make.order("late-payer", "paid_unallocated", payment_wanted="refund"))
    api.wait(lambda: work(page) == [("paid unallocated", "late-payer")])
    page.reload()
    api.wait(lambda: work(page) == [("paid unallocated", "late-payer")])
    api.publish("order-status", api.make.order("late-payer", "expired", at=2, payment="refunded"))
    page.locator("#no-work").wait_for()


def test_orders_that_are_old_work_are_not_the_latest_after_a_load(api, page):
    old, new = [f"late-payer-{n}" for n in range(7)], [f"new-{n}" for n in range(6)]
    api.publish("order-status", *(api.make.order(name, "paid_unallocated", payment_wanted="refund") for name in old))
    api.wait(lambda: api.applied("order-status") == 7)
    api.publish("order-status", *(api.make.order(name, at=2) for name in new))
    api.wait(lambda: api.applied("order-status") == 13)
    page.reload()
    page.get_by_role("button", name="Show all of it").click()
    api.wait(lambda: {subject for _, subject in work(page)} == set(old))
    assert set(page.locator("#orders b").all_inner_texts()) == set(new)


def test_much_work_is_shown_in_part_until_all_of_it_is_asked_for(api, page):
    api.publish("stock-levels", *(
        api.make.level(f"JRK-{n}", 0, at=n + 1, at_location={"shortage": 1}) for n in range(9)
    ))  # fmt: skip
    page.get_by_role("button", name="Show all of it").wait_for()
    api.wait(lambda: page.locator("#work-hint").inner_text() == "9 to do")
    assert len(work(page)) == 6
    page.get_by_role("button", name="Show all of it").press("Enter")
    api.wait(lambda: len(work(page)) == 9)


def test_where_there_are_more_skus_than_the_page_holds_it_says_so_and_find_asks_for_the_others(api, page):
    many = [api.make.level(f"JRK-{n:04}", 5, at=n + 1) for n in range(5_000)]
    api.publish("stock-levels", *many, api.make.level("LAST", 7, at=9_000), api.make.level("LOST", 8, at=9_001))
    page.locator("#stock-hint", has_text="24 of 5,002 SKUs").wait_for()  # an open page is told of all that move
    assert page.locator("#left-out").is_hidden()
    page.reload()
    page.locator("#left-out").wait_for()
    said = page.locator("#left-out").inner_text()
    assert "5,000 of 5,002 SKUs" in said
    assert "24 of 5,000 SKUs" in page.locator("#stock-hint").inner_text()
    page.locator("#find").fill("last")
    page.locator("#levels tr", has_text="LAST").wait_for()
    api.publish("stock-levels", api.make.level("LOST", 3, at=9_002))  # what moves comes by itself
    page.locator("#left-out").wait_for(state="hidden")


def test_work_of_more_than_two_hundred_items_can_all_be_seen(api, page):
    names = [f"JRK-{n:03}" for n in range(450)]
    api.publish("stock-levels", *(
        api.make.level(name, 0, at=n + 1, at_location={"shortage": 1}) for n, name in enumerate(names)
    ))  # fmt: skip
    page.locator("#work-hint", has_text="450 to do").wait_for()
    more = page.locator("#more-work")
    for shown in (206, 406, 450):
        more.click()
        api.wait(lambda wanted=shown: len(work(page)) == wanted)
    assert more.is_hidden()
    assert {subject for _, subject in work(page)} == set(names)


def test_a_row_opens_its_lots_by_keyboard_and_stays_open_when_stock_moves(api, page):
    def publish(at, units):
        api.publish("stock-levels", api.make.level("JRK-1", units, at, at_location={
            "lots": [lot("L1", "on_hold", blocked=2), lot("L2")], "backordered": 3,
            "incoming": [r.IncomingLevel("PO-1", "purchase", 60, "2027-03-20", True)],
        }))  # fmt: skip

    publish(1, 5)
    row = page.locator("#levels tr", has_text="JRK-1")
    row.wait_for()
    assert "60 incoming, first 2027-03-20; 3 backordered" in row.inner_text()
    summary = row.locator("summary")
    assert summary.inner_text() == "2 lots, 1 held back"
    summary.focus()
    summary.press("Enter")
    first = row.locator(".lots li").first
    first.wait_for()
    assert "2 blocked" in first.inner_text()
    assert first.locator(".tag").inner_text() == "on hold"
    publish(2, 4)
    row.locator(".available-cell").get_by_text("4", exact=True).wait_for()
    assert row.locator("details").get_attribute("open") is not None


def test_who_reads_with_the_keyboard_stays_where_he_is_when_rows_change_places(api, page):
    low = api.make.level("A-LOW", 1, 1, reorder_point=4)
    api.publish("stock-levels", low, api.make.level("B", 5, 2), api.make.level("C", 5, 3))
    api.wait(lambda: page.locator("#levels .sku > b").all_inner_texts() == ["A-LOW", "B", "C"])
    page.locator("#levels tr", has_text="C").locator("summary").focus()
    api.publish("stock-levels", api.make.level("B", 2, 4, reorder_point=4))  # it changes its place with none
    api.publish("stock-levels", api.make.level("A-LOW", 9, 5, reorder_point=4))
    api.wait(lambda: page.locator("#levels .sku > b").all_inner_texts() == ["B", "A-LOW", "C"])
    api.publish("stock-levels", api.make.level("B", 9, 6, reorder_point=4), api.make.level("C", 0, 7))
    api.wait(lambda: page.locator("#levels .sku > b").all_inner_texts() == ["C", "A-LOW", "B"])
    assert page.evaluate("document.activeElement.closest('tr')?.querySelector('b').textContent") == "C"


def test_a_sku_that_is_no_longer_sold_is_not_low_however_little_there_is(api, page):
    api.publish(
        "stock-levels", api.make.level("A-GONE", 0, 1, discontinued=True), api.make.level("B-OUT", 0, 2),
        api.make.level("C", 5, 3), api.make.level("D-OWED", 0, 4, discontinued=True, at_location={"shortage": 2}),
    )  # fmt: skip
    api.wait(lambda: page.locator("#levels .sku > b").all_inner_texts() == ["D-OWED", "B-OUT", "C", "A-GONE"])
    tags = page.locator("#levels .sku > .tag").all_inner_texts()
    assert [tag for tag in tags if tag] == ["short", "out", "discontinued"]
    assert page.locator("#low").inner_text() == "2"
    assert page.locator("#low-hint").inner_text() == "2 urgent"


def test_alerts_are_the_latest_and_no_word_is_said_of_those_that_are_not_there(api, page):
    api.publish("stock-levels", api.make.level("LOW", 1, reorder_point=4))
    api.wait(lambda: page.locator("#low").inner_text() == "1")
    assert page.locator("#no-alerts").inner_text() == "No alerts of late."
    api.publish("alerts", *(api.make.alert(f"JRK-{n}", at=n + 1) for n in range(250)))
    api.wait(lambda: api.applied("alerts") == 250)
    page.reload()
    page.locator("#alerts li").first.wait_for()
    assert page.locator("#alerts-title + .hint").inner_text() == "the latest, open ones first"


@pytest.mark.timeout(180)
def test_a_partition_that_stands_still_is_said_while_the_others_are_live(api, page):
    api.start_worker()
    newer = r.LogicVersionSet(id="newer", version=99)
    producer = Producer(producer_config(api.settings))
    producer.produce(f"{api.settings.prefix}warehouse", encode(newer), partition=2)
    assert producer.flush(30) == 0
    page.locator("#state-text", has_text="1 partition stands still").wait_for()
    assert page.locator("#state").get_attribute("data-state") == "down"


@pytest.mark.timeout(180)
def test_orders_that_wait_to_be_decided_are_said_until_they_are(api, page):
    """What is published was shown at once, so the page was live, whatever stood in the logs."""
    api.start_worker()
    page.locator("#state[data-state=live]").wait_for()
    producer = Producer(producer_config(api.settings))
    for n in range(50_000):
        order = r.OrderPlaced(id=f"o{n}", order_id=f"o{n}", channel="shop", lines=[r.Line("A", 1)])
        producer.produce(f"{api.settings.prefix}orders", encode(order), order.order_id)
    assert producer.flush(30) == 0
    page.locator("#state[data-state=wait]", has_text="wait to be decided").wait_for()
    page.locator("#state[data-state=live]").wait_for(timeout=90_000)


@pytest.mark.timeout(180)
def test_partitions_that_no_worker_has_are_said_until_one_comes_and_when_it_dies(api, page):
    page.locator(api.listens).wait_for()
    api.start_worker()
    page.locator("#state[data-state=live]").wait_for()
    api.worker.kill()
    api.worker.wait(10)
    page.locator(api.listens).wait_for()
    assert page.locator("#state").get_attribute("data-state") == "wait"


def test_an_order_shows_where_each_part_of_it_is_and_what_comes_back(api, page):
    sent = r.FulfilmentStatus("AUSTIN", "shipped", [], ["T-77"], "in_transit")
    api.publish("order-status", api.make.order(
        "shop-1", "partially_shipped", fulfilments=[sent, r.FulfilmentStatus("RENO", "packed", ["C-1"], [], "")],
        returns=[r.ReturnStatus("RMA-1", "received", 1)], payment_wanted="capture",
    ))  # fmt: skip
    said = page.locator("#orders li", has_text="shop-1")
    said.wait_for()
    for part in ("partially shipped", "AUSTIN shipped T-77 in transit", "RENO packed", "return RMA-1 received, 1 unit",
                 "capture the payment"):  # fmt: skip
        assert part in said.inner_text()


def test_work_and_lots_fit_every_width(api, page, tmp_path):
    long = "JRK-" + "LONGNAME-" * 6
    api.publish("stock-levels", api.make.level(long, 0, at_location={
        "shortage": 4, "lots": [lot("L" * 20, "recalled", 1_000_000, 5)], "backordered": 123_456,
    }))  # fmt: skip
    api.publish("alerts", api.make.alert(long, "recalled", lot="L" * 20, units=1_000_000))
    api.wait(lambda: len(work(page)) == 2)
    page.locator("summary").click()
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for width in (390, 820, 1280):
            page.set_viewport_size({"width": width, "height": 844})
            page.screenshot(path=tmp_path / f"{scheme}-{width}.png", full_page=True)
            assert page.evaluate("document.documentElement.scrollWidth") <= width
