"""`stock get` and `orders get` say what the topics say last, and say clearly when there is nothing."""

from __future__ import annotations

import json

from tables import records as r
from tables.codec import encode

V1, V2, V3 = (1, 5, 0), (1, 9, 2), (1, 12, 0)


def test_stock_is_shown_per_location_and_lot_with_its_version(shop):
    shop.stock("BJ-1", V2, shop.at("W1", {"L1": 7, "L2": 5}, V2, reserved=2, allocated=3), shop.at("W2", {}, V1))
    out = shop.run("stock", "get", "BJ-1").stdout
    shown = {name: _cells(out, name)[1:] for name in ("on_hand", "available", "reserved", "allocated", "unavailable")}
    assert shown == {
        "on_hand": ["12", "0"], "available": ["7", "0"], "reserved": ["2", "0"], "allocated": ["3", "0"],
        "unavailable": ["0", "0"],
    }  # fmt: skip
    assert _cells(out, "version: record") == ["version: record", "9.2", "5.0"]
    assert _cells(out, "L2") == ["W1", "L2", "2027-01-31", "approved", "5", "0"]


def test_stock_shows_lots_channels_what_comes_and_how_good_the_books_are(shop):
    shop.stock("BJ-1", V2, shop.at(
        "W1", {"L1": 7}, V2, backordered=3, open_to_all=2, lots=[r.LotLevel("L1", "2027-01-31", 7, "recalled", 2)],
        channels=[r.ChannelLevel("web", 5, 4, 1)], accuracy=r.Accuracy(9, 8, 940, 2),
        incoming=[r.IncomingLevel("PO-9", "purchase", 60, "2027-03-20", True)], promise=[r.Promise("2027-03-20", 64)],
    ))  # fmt: skip
    out = shop.run("stock", "get", "BJ-1").stdout
    assert _cells(out, "L1") == ["W1", "L1", "2027-01-31", "recalled", "7", "2"]
    assert _cells(out, "web") == ["W1", "web", "5", "4", "1"]
    assert _cells(out, "PO-9") == ["W1", "PO-9", "purchase", "60", "2027-03-20", "yes"]
    assert _cells(out, "2027-03-20", "64") == ["W1", "2027-03-20", "64"]
    assert _cells(out, "940") == ["W1", "9", "8", "940", "2"]
    assert [_cells(out, name)[1] for name in ("backordered", "open_to_all")] == ["3", "2"]


def test_a_sku_that_never_had_stock_is_shown_as_such(shop):
    shop.stock("BJ-NEW", V1)
    assert "no location" in shop.run("stock", "get", "BJ-NEW").stdout


def test_many_locations_stay_within_a_terminal(shop):
    big = (1_795_621_802_323, 123_456, 12)
    locations = [shop.at(f"warehouse-{n}", {"L1": n}, big) for n in range(7)]
    shop.stock("BJ-TERIYAKI-50G", big, *locations)
    out = shop.run("stock", "get", "BJ-TERIYAKI-50G").stdout
    assert max(map(len, out.splitlines())) <= 80
    assert all(location.location in out for location in locations)


def test_json_holds_every_field_of_each_sku_in_the_order_asked(shop):
    one = shop.stock("BJ-1", V1, shop.at("W1", {"L1": 7}, V1, safety_stock=2))
    two = shop.stock("BJ-2", V2)
    told = json.loads(shop.run("stock", "get", "BJ-2", "BJ-1", "BJ-2", "--json").stdout)
    assert told == [json.loads(encode(two)), json.loads(encode(one))]


def test_the_highest_version_wins_whatever_came_last(shop):
    newest = shop.stock("BJ-1", V2, shop.at("W1", {"L1": 7}, V2))
    shop.stock("BJ-1", V1, shop.at("W1", {"L1": 99}, V1))
    assert json.loads(shop.run("stock", "get", "BJ-1", "--json").stdout) == [json.loads(encode(newest))]


def test_one_location_is_shown_alone_and_summed_alone(shop):
    shop.stock("BJ-1", V2, shop.at("W1", {"L1": 7}, V2), shop.at("W2", {"L1": 4}, V1, allocated=1))
    [told] = json.loads(shop.run("stock", "get", "BJ-1", "--location", "W2", "--json").stdout)
    assert [x["location"] for x in told["locations"]] == ["W2"]
    assert (told["on_hand"], told["available"]) == (4, 3)


def test_a_location_that_does_not_have_it_is_named_with_those_that_do(shop):
    shop.stock("BJ-1", V2, shop.at("W1", {"L1": 7}, V2))
    told = shop.run("stock", "get", "BJ-1", "--location", "W9", code=1)
    assert told.stdout == ""
    assert "'BJ-1' is not at 'W9', but at: W1" in told.stderr


def test_an_unknown_sku_fails_and_the_known_one_beside_it_is_still_shown(shop):
    shop.stock("BJ-1", V1, shop.at("W1", {"L1": 7}, V1))
    told = shop.run("stock", "get", "NOPE", "BJ-1", "--json", code=1)
    assert [x["sku"] for x in json.loads(told.stdout)] == ["BJ-1"]
    assert "'NOPE': unknown SKU" in told.stderr


def test_a_moment_that_is_empty_is_not_now(shop):
    """As a script gives it whose variable is not set."""
    shop.stock("BJ-1", V1, shop.at("W1", {"L1": 7}, V1))
    told = shop.run("stock", "get", "BJ-1", "--at", "", code=2)
    assert "--at '': give a position" in told.stderr
    assert told.stdout == ""


def test_a_deleted_sku_is_unknown(shop):
    shop.stock("BJ-1", V1)
    shop.publish("stock-levels", "BJ-1", None)
    assert "unknown SKU" in shop.run("stock", "get", "BJ-1", code=1).stderr


def test_an_unreadable_record_is_named_and_the_others_count(shop):
    shop.stock("BJ-1", V1)
    shop.send("stock-levels", b'{"type":"stock_levels"', key=b"BJ-1")
    told = shop.run("stock", "get", "BJ-1", "--json")
    assert [x["sku"] for x in json.loads(told.stdout)] == ["BJ-1"]
    assert f"stock-levels[{shop.partition('BJ-1')}] offset 1 is unreadable" in told.stderr


def test_an_order_is_shown_as_it_stands_with_its_decision(shop):
    lines = shop.line("BJ-1", 2, shipped=2), shop.line("BJ-2", 1, shipped=1)
    sent = r.FulfilmentStatus("W1", "shipped", [], ["T-7"], "in_transit")
    shop.order("o-1", "shipped", V3, *lines, fulfilments=[sent], returns=[r.ReturnStatus("RMA-1", "received", 1)],
               kits={"TRIO": 2}, payment="authorized", payment_wanted="capture", late=["edit e1: kit"])  # fmt: skip
    shop.order("o-1", "confirmed", V2, shop.line("BJ-1", 2), shop.line("BJ-2", 1))  # late, and older
    shop.decide("o-1", "confirmed", ("BJ-1", 2), ("BJ-2", 1))
    out = shop.run("orders", "get", "o-1").stdout
    assert _cells(out, "status", "shipped") == ["status", "shipped"]
    assert _cells(out, "BJ-2", "W1") == ["BJ-2", "W1", "1", "0", "0", "1", "0", "0", ""]
    assert _cells(out, "shipped", "T-7") == ["W1", "shipped", "", "T-7", "in_transit"]
    assert _cells(out, "RMA-1") == ["RMA-1", "received", "1"]
    assert _cells(out, "payment wanted") == ["payment wanted", "capture"]
    assert _cells(out, "kits") == ["kits", "2 TRIO"]
    assert _cells(out, "noted") == ["noted", "edit e1: kit"]
    assert f"orders[{shop.partition('o-1')}] offset 17.3" in out


def test_an_order_whose_id_looks_like_markup_is_shown(shop):
    shop.order("A[/b]", "confirmed", V2, shop.line("BJ-1", 2))
    assert "Order A[/b]" in shop.run("orders", "get", "A[/b]").stdout


def test_an_orders_json_has_the_document_the_decision_and_what_was_given_back_once(shop):
    order = shop.order("o-1", "cancelled", V3, shop.line("BJ-1", 2))
    decision = shop.decide("o-1", "confirmed", ("BJ-1", 2))
    shop.decide("o-1", "confirmed", ("BJ-1", 2))  # delivered again
    back = shop.decide("o-1", "cancelled", ("BJ-1", 2), name="cancelled:4", reason="changed my mind")
    edit = shop.decide("o-1", "edited", ("BJ-1", 1), name="edited:5")
    told = json.loads(shop.run("orders", "get", "o-1", "--json").stdout)
    assert told == {
        "order": json.loads(encode(order)),
        "decision": json.loads(encode(decision)),
        "cancellations": [json.loads(encode(back))],
        "edits": [json.loads(encode(edit))],
    }


def test_an_undecided_order_has_no_decision_yet(shop):
    shop.order("o-1", "pending", V1, shop.line("BJ-1", 2))
    told = json.loads(shop.run("orders", "get", "o-1", "--json").stdout)
    assert told["order"]["status"] == "pending"
    assert told["decision"] is None
    assert "pending" in shop.run("orders", "get", "o-1").stdout


def test_an_unknown_order_fails_even_if_another_shares_its_partition(shop):
    near = next(f"o-{n}" for n in range(100) if shop.partition(f"o-{n}") == shop.partition("NOPE"))
    shop.order(near, "confirmed", V1, shop.line("BJ-1", 2))
    told = shop.run("orders", "get", "NOPE", "--json", code=1)
    assert told.stdout == ""
    assert "'NOPE': unknown order" in told.stderr


def _cells(table: str, *holding: str) -> list[str]:
    """The cells of the first row of a printed table that has all of these cells."""
    for line in table.splitlines():
        cells = [cell.strip() for cell in line.strip("│").split("│")]
        if all(text in cells for text in holding):
            return cells
    raise AssertionError(f"no row with {holding} in\n{table}")
