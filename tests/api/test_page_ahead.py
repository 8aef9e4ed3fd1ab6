"""What is ahead: alerts of forecasts and what to order stand on the page, the most urgent first, and leave in time."""

from __future__ import annotations


def ahead(page):
    """(tag, SKU, day) of every entry, as shown at one moment."""
    items = page.evaluate("""[...document.querySelectorAll("#ahead li")].map((item) =>
        [".tag", "b", "time"].map((part) => item.querySelector(part).textContent))""")
    return [tuple(item) for item in items]


def test_what_runs_out_comes_first_then_what_to_order_then_the_rest(api, page):
    make = api.make
    assert "Nothing ahead" in page.locator("#no-ahead").inner_text()
    api.publish(
        "forecast-alerts", make.forecast_alert("LATE", day="2026-12-04"), make.forecast_alert("SOON"),
        make.forecast_alert("PILES", "overstock", day="2026-11-25", note="900 there, 40 expected to sell"),
    )  # fmt: skip
    api.publish(
        "reorders", make.reorder("BUY", supplier="ACME", expected="2026-12-01"), make.reorder("ENOUGH", quantity=0),
        make.reorder("SOON", kind="transfer", from_location="RENO"),
    )  # fmt: skip

    def whole():  # four stand there before the transfer of SOON has come, or its alert: partitions come in any order
        tags = [tag for tag, *_ in ahead(page)]
        return (len(tags), tags.count("runs out")) == (4, 2) and "Move" in page.locator("#ahead").inner_text()

    api.wait(whole)
    assert ahead(page) == [
        ("runs out", "SOON", "2026-11-26"), ("runs out", "LATE", "2026-12-04"), ("order", "BUY", "2026-11-24"),
        ("too much", "PILES", "2026-11-25"),
    ]  # fmt: skip
    said = page.locator("#ahead").inner_text()
    assert "W1: 12 there. Move 11 from RENO by 2026-11-24." in said
    assert "W1: Order 11 from ACME by 2026-11-24, there 2026-12-01." in said
    assert page.locator("#ahead-hint").inner_text() == "4 to look at"
    entry = page.locator("#ahead li", has=page.get_by_text("BUY", exact=True))
    entry.locator("summary").focus()
    entry.locator("summary").press("Enter")
    reason = entry.locator("details p")
    reason.wait_for()
    assert reason.inner_text() == "Buy 11 today."
    api.publish("reorders", make.reorder("MORE"))
    page.locator("#ahead li", has_text="MORE").wait_for()
    assert reason.inner_text() == "Buy 11 today.", "what was opened stays open"
    assert page.evaluate("document.activeElement.closest('li')?.querySelector('b').textContent") == "BUY"
    api.publish("reorders", make.reorder("BUY", quantity=0))
    api.wait(lambda: not entry.count())
    assert page.evaluate("document.activeElement.id") == "ahead-panel"


def test_an_alert_that_is_cleared_leaves_without_a_reload(api, page):
    api.publish("forecast-alerts", api.make.forecast_alert("A"), api.make.forecast_alert("B"))
    api.wait(lambda: len(ahead(page)) == 2)
    page.evaluate("window.sameDocument = true")
    api.publish("forecast-alerts", api.make.forecast_alert("A", state="cleared"))
    api.wait(lambda: [sku for _, sku, _ in ahead(page)] == ["B"])
    assert page.evaluate("window.sameDocument")


def test_what_is_decided_is_nobodys_to_do_any_more_and_an_alert_beside_it_says_so(api, page):
    make = api.make
    api.publish("forecast-alerts", make.forecast_alert("SOON"), make.forecast_alert("LATE", day="2026-12-04"))
    api.publish("reorders", make.reorder("BUY"), make.reorder("SOON"), make.reorder("LEFT"))
    api.wait(lambda: api.applied("reorders") == 3 and api.applied("forecast-alerts") == 2)
    api.wait(lambda: len(ahead(page)) == 4)
    page.evaluate("window.sameDocument = true")
    api.publish(
        "planning", make.decided("accepted", 24, "SOON", by="mia"), make.decided("accepted", 11, "BUY"),
        make.decided("dismissed", 0, "LEFT", reason="discontinued"),
        make.decided("accepted", 5, "LATE", run="2026-11-22.001"),  # of an older recommendation
    )  # fmt: skip
    api.wait(lambda: api.applied("planning") == 4)
    api.wait(lambda: len(ahead(page)) == 2)
    assert ahead(page) == [("runs out", "LATE", "2026-12-04"), ("runs out", "SOON", "2026-11-26")]
    assert "W1: 12 there. 24 ordered by mia." in page.locator("#ahead").inner_text()
    api.publish("planning", make.decided("dismissed", 0, "SOON", reason="no room", by="mia"))
    api.wait(lambda: ahead(page)[0] == ("runs out", "SOON", "2026-11-26"))  # nothing is on its way: urgent again
    assert "W1: 12 there. Dismissed: no room." in page.locator("#ahead").inner_text()
    api.publish("reorders", make.reorder("BUY", "2026-11-24.001"))  # the next round wants more
    api.wait(lambda: len(ahead(page)) == 3)
    assert page.evaluate("window.sameDocument")


def test_many_entries_are_shown_in_part_until_all_are_asked_for_and_fit_every_width(api, page, tmp_path):
    long = "JRK-" + "LONGNAME-" * 6
    api.publish("reorders", *(api.make.reorder(f"{long}{n}", order_by=f"2026-11-{20 - n}") for n in range(9)))
    more = page.get_by_role("button", name="Show all of it")
    more.wait_for()
    api.wait(lambda: page.locator("#ahead-hint").inner_text() == "9 to look at")  # the button comes with the seventh
    assert [day for _, _, day in ahead(page)] == [f"2026-11-{day}" for day in range(12, 18)]
    more.press("Enter")
    api.wait(lambda: len(ahead(page)) == 9)
    assert page.evaluate("document.activeElement.id") == "ahead-panel", "the button is gone, and the focus was with it"
    for width in (390, 820, 1280):
        page.set_viewport_size({"width": width, "height": 844})
        page.screenshot(path=tmp_path / f"{width}.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
