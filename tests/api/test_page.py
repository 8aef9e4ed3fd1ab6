"""The page in a real browser, on a real worker: what moves in the pipeline moves on the board."""

from __future__ import annotations

import re
import signal
import time
from urllib.parse import quote

import pytest

from tables import records as r

SECONDS = 30_000  # playwright counts in milliseconds


@pytest.fixture
def opened(street, browser):
    """Opens the page, loaded and live. Afterwards: no page logged an error, or asked another host."""
    contexts, errors, elsewhere = [], [], []

    def open_page(**more):
        context = browser.new_context(**({"viewport": {"width": 1280, "height": 900}} | more))
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(SECONDS)
        page.on("console", lambda said: errors.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("request", lambda asked: elsewhere.append(asked.url) if not asked.url.startswith(street.url) else None)
        page.goto(street.url + "/")
        page.wait_for_selector("#state[data-state=live]")
        page.wait_for_selector("#levels tr")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert errors == []
    assert elsewhere == []


@pytest.fixture
def visitor(api, browser):
    """The page of the test's own API, opened; it may log errors, as when that API goes away."""
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(SECONDS)
    page.goto(api.url)
    yield page
    context.close()


def row(page, sku):
    return page.locator("#levels tr", has=page.get_by_text(sku, exact=True))


def available(page, sku):
    return row(page, sku).locator(".available-cell")


def shows(page, sku, units):
    """Waits until the page shows so many units of a SKU as available."""
    available(page, sku).get_by_text(str(units), exact=True).wait_for()


def skus_shown(page):
    return page.locator("#levels .sku > b").all_inner_texts()


def units_shown(page):
    return [int(text) for text in page.locator("#levels .available-cell").all_inner_texts()]


def test_what_happens_appears_without_a_reload(street, opened):
    page = opened()
    page.evaluate("window.sameDocument = true")
    shows(page, "JRK-CHIL-50", 216)
    street.place("moves", {"JRK-CHIL-50": 6})
    shows(page, "JRK-CHIL-50", 210)
    street.place("too-much", {"JRK-CHIL-50": 5_000})
    rejected = page.locator("#decisions li", has_text="too-much")
    rejected.wait_for()
    assert "rejected" in rejected.inner_text()
    assert "not enough stock" in rejected.inner_text()
    counted = int(page.locator("#rejected").inner_text())
    assert counted == street.answer("/status")["counters"]["rejected"] >= 1
    assert page.evaluate("window.sameDocument")


def test_a_low_sku_is_alerted_and_comes_first(street, opened):
    page = opened()
    assert skus_shown(page)[0] != "JRK-TERI-200"
    street.place("runs-low", {"JRK-TERI-200": 130}, locations=["BERLIN"])
    alert = page.locator("#alerts li", has_text="JRK-TERI-200")
    alert.wait_for()
    assert "low" in alert.inner_text()
    assert "BERLIN: 3 available, reorder point 20" in alert.inner_text()
    row(page, "JRK-TERI-200").locator(".tag", has_text="low").wait_for()
    assert skus_shown(page)[0] == "JRK-TERI-200"
    assert page.locator("#low").inner_text() == "1"


def test_pause_stops_the_page_and_going_on_catches_up(street, opened):
    paused, live = opened(), opened()
    shows(paused, "JRK-HONE-50", 366)
    paused.get_by_role("button", name="Pause").click()
    decided = paused.locator("#decisions").inner_text()
    street.place("meanwhile", {"JRK-HONE-50": 6})
    shows(live, "JRK-HONE-50", 360)
    live.locator("#decisions li", has_text="meanwhile").wait_for()
    paused.locator("#find").fill("honey")  # looking is not going on
    assert available(paused, "JRK-HONE-50").inner_text() == "366"
    assert paused.locator("#decisions").inner_text() == decided
    assert paused.locator("#state-text").inner_text() == "Paused"
    paused.get_by_role("button", name="Resume").click()
    shows(paused, "JRK-HONE-50", 360)
    paused.locator("#decisions li", has_text="meanwhile").wait_for()


def test_find_filters_and_sort_orders(street, opened):
    page = opened()
    page.locator("#find").fill("papr")
    street.wait(lambda: skus_shown(page) == ["JRK-SMOK-200", "JRK-SMOK-50"])
    page.locator("#find").fill("nothing is called so")
    street.wait(lambda: skus_shown(page) == [])
    page.locator("#no-stock", has_text="has this in it").wait_for()
    assert page.locator("thead").is_hidden(), "heads of nothing"
    page.locator("#find").fill("")
    page.locator("#sort").select_option("name")
    street.wait(lambda: len(skus_shown(page)) == 12 and skus_shown(page) == sorted(skus_shown(page)))
    page.locator("#sort").select_option("least")
    street.wait(lambda: units_shown(page) == sorted(units_shown(page)))
    page.locator("#sort").select_option("moved")
    street.place("moves-last", {"JRK-SMOK-50": 1})
    street.wait(lambda: skus_shown(page)[0] == "JRK-SMOK-50")


def test_an_id_that_looks_like_markup_is_only_text(street, opened):
    page = opened()
    street.place("<img src=x onerror=alert(1)>", {"JRK-BLAC-50": 1}, channel="<b>shop</b>")
    page.locator("#decisions").get_by_text("<img src=x onerror=alert(1)>", exact=True).wait_for()
    assert page.locator("#decisions img, #decisions small b").count() == 0


def test_it_fits_and_can_be_read(opened, tmp_path):
    page = opened()
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for width in (390, 820, 1280):
            page.set_viewport_size({"width": width, "height": 844})
            page.screenshot(path=tmp_path / f"{scheme}-{width}.png")
            assert page.evaluate("document.documentElement.scrollWidth") <= width
        ink, paper = (page.evaluate(f"getComputedStyle(document.body).{name}") for name in ("color", "backgroundColor"))
        assert (_brightness(paper) < 60) == (scheme == "dark")
        assert abs(_brightness(ink) - _brightness(paper)) > 180


def test_the_longest_names_fit_a_phone(api, browser):
    place, lots = "W" * 64, [r.LotLevel("L" * 20, "2027-01-31", 5, "recalled", 3)]
    api.publish("stock-levels", api.make.level(
        "S" * 64, 5, location=place, flavor="F" * 64, packaging="P" * 64, at_location={"lots": lots, "shortage": 5}
    ))  # fmt: skip
    api.publish("order-status", api.make.order("O" * 128, "partially_shipped", channel="C" * 128))
    context = browser.new_context(viewport={"width": 390, "height": 844})
    page = context.new_page()
    page.set_default_timeout(SECONDS)
    page.goto(api.url)
    page.locator("#levels summary").click()
    page.locator("#orders li").wait_for()
    page.locator("#work li").first.wait_for()
    width = page.evaluate("document.documentElement.scrollWidth")
    context.close()
    assert width == 390


def test_days_are_those_of_the_reader_as_the_hours_are(api, browser):
    """Half past eleven at night in UTC is the next morning in Tokyo. What is not of today says of which day it is."""
    evening = "2026-01-22T23:30:00.000Z"
    api.publish("stock-levels", api.make.level("OUT", 0, at_location={"out_since": evening}))
    api.publish("reservations", api.make.decision("old", decided_at=evening))
    context = browser.new_context(timezone_id="Asia/Tokyo")
    page = context.new_page()
    page.set_default_timeout(SECONDS)
    page.goto(api.url)
    shows(page, "OUT", 0)
    since = page.locator("#levels .place .coming").inner_text()
    decided = page.locator("#decisions time")
    decided.wait_for()
    day, whole = decided.inner_text(), decided.get_attribute("title")
    context.close()
    assert since == "out since 2026-01-23, 08:30:00"
    assert (day, whole) == ("2026-01-23", "2026-01-23, 08:30:00")


def _brightness(color):
    """Of an `rgb(...)`: 0 to 255."""
    return sum(int(part) for part in re.findall(r"\d+", color)[:3]) / 3


def test_it_says_when_the_api_is_gone_and_comes_back_by_itself(api, visitor):
    api.publish("stock-levels", api.make.level("JRK-ORIG-50", 5))
    shows(visitor, "JRK-ORIG-50", 5)
    api.stop()
    visitor.wait_for_selector("#state[data-state=down]")
    assert available(visitor, "JRK-ORIG-50").inner_text() == "5"
    api.publish("stock-levels", api.make.level("JRK-ORIG-50", 4, at=2))
    api.start()
    shows(visitor, "JRK-ORIG-50", 4)
    visitor.wait_for_selector(api.listens)


def test_how_far_it_was_behind_is_said_with_the_time_at_which_it_was_told(api, visitor):
    api.publish("stock-levels", api.make.level("JRK-ORIG-50", 5))
    shows(visitor, "JRK-ORIG-50", 5)
    visitor.locator("#freshness", has_text="0 records behind at").wait_for()
    api.stop()
    visitor.wait_for_selector("#state[data-state=down]")
    said = visitor.locator("#freshness").inner_text()
    time.sleep(1.1)
    visitor.locator("#find").fill("orig")
    visitor.locator("#find").fill("nothing is called so")
    row(visitor, "JRK-ORIG-50").wait_for(state="detached")
    assert visitor.locator("#freshness").inner_text() == said


def test_the_curve_of_orders_is_two_minutes_wide_however_often_ticks_come(api, visitor):
    visitor.locator("#spark .line[d]").wait_for(state="attached")
    began = time.monotonic()
    for at in range(1, 31):
        api.publish("stock-levels", api.make.level("JRK-ORIG-50", 100 - at, at))
        time.sleep(0.1)
    shows(visitor, "JRK-ORIG-50", 70)
    points = visitor.locator("#spark .line").get_attribute("d").removeprefix("M").split("L")
    assert len(points) >= 6, "ticks came more often than once a second"
    wide = 240 - float(points[0].split(",")[0])
    assert wide <= 2 * (time.monotonic() - began + 5), "2 of 240 a second, from the page's first tick on"


@pytest.mark.timeout(180)
def test_it_says_when_the_api_stands_still_though_nothing_has_ended(api, visitor):
    api.publish("stock-levels", api.make.level("JRK-ORIG-50", 5))
    visitor.wait_for_selector(api.listens)
    api.process.send_signal(signal.SIGSTOP)
    try:
        visitor.wait_for_selector("#state[data-state=down]")
    finally:
        api.process.send_signal(signal.SIGCONT)
    visitor.wait_for_selector(api.listens)


def test_find_and_the_api_ask_for_neither_case_nor_accents(api, visitor):
    flavors = {"JAL": "Jalapeño", "BEER": "Weißbier", "CHILI": "\u0130sot Ac\u0131l\u0131", "TERI": "照り焼き"}
    api.publish("stock-levels", *(api.make.level(sku, at=at, flavor=flavors[sku]) for at, sku in enumerate(flavors, 1)))
    api.wait(lambda: len(skus_shown(visitor)) == len(flavors))
    for asked, sku in (("jalapeno", "JAL"), ("JALAPEN\u0303O", "JAL"), ("WEISSB", "BEER"), ("isot acili", "CHILI"),
                       ("照り", "TERI")):  # fmt: skip
        visitor.locator("#find").fill(asked)
        api.wait(lambda sku=sku: skus_shown(visitor) == [sku])
        assert [level["sku"] for level in api.answer(f"/v1/skus?q={quote(asked)}")["items"]] == [sku]


@pytest.mark.timeout(180)
def test_a_clock_that_is_set_back_an_hour_hides_neither_the_curve_nor_the_silence(api, visitor):
    visitor.wait_for_selector(api.listens)
    visitor.locator("#spark .line[d]").wait_for(state="attached")
    visitor.evaluate("const now = Date.now; Date.now = () => now() - 3600000")

    def points():
        return [float(point.split(",")[0]) for point in curve.get_attribute("d").removeprefix("M").split("L")]

    curve = visitor.locator("#spark .line")
    api.wait(lambda: max(points()) == 240)
    visitor.wait_for_selector(api.listens)
    api.process.send_signal(signal.SIGSTOP)
    try:
        visitor.wait_for_selector("#state[data-state=down]")
    finally:
        api.process.send_signal(signal.SIGCONT)


def test_it_forgets_what_only_an_older_log_held(api, visitor):
    api.publish("stock-levels", api.make.level("OLD", 5), api.make.level("BOTH", 5))
    shows(visitor, "OLD", 5)
    api.publish("stock-levels", api.make.level("BOTH", 2, version=(2_000, 1, 0)))
    shows(visitor, "BOTH", 2)
    row(visitor, "OLD").wait_for(state="detached")
    assert skus_shown(visitor) == ["BOTH"]
