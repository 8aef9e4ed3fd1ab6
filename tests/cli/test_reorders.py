"""`reorders`: what is recommended is listed, ordered once or dismissed, and kept against what was taken."""

from __future__ import annotations

import json
from datetime import date, timedelta

import pytest
from msgspec.structs import replace

from streams.commands.reorder_decisions import Decider, NotAccepted
from streams.reader import read_to_end
from tables import records as r
from tables.codec import digest
from tables.murmur2 import partition_of

V0 = (77, 0, 0)  # of before everything that a test decides
V1 = (77, 5, 0)
RUN = "2026-03-01.001"


def advise(shop, sku="BJ-1", quantity=60, location="W1", **more):
    said = {
        "run": RUN, "order_by": "2026-03-02", "reorder_point": 20, "order_up_to": 80, "position": 20, "lead_days": 7,
        "reason": "Buy.", "supplier": "ACME", "needed": quantity, "cost_cents": 100 * quantity,
        "expected": "2026-03-09",
    } | more  # fmt: skip
    record = r.Reorder(id=f"{sku}|{location}|{said['run']}", sku=sku, location=location, quantity=quantity, **said)
    shop.publish("reorders", f"{sku}|{location}", record, partition=partition_of(sku, 4))
    return record


def told(shop, topic, kind):
    return [
        (message.key().decode(), json.loads(message.value()))
        for batch in read_to_end(shop.settings, topic, contiguous=True)
        for message in batch
        if f'"{kind}"'.encode() in (message.value() or b"")
    ]


def orders(shop):
    return told(shop, "warehouse", "purchase_ordered") + told(shop, "warehouse", "transferred_out")


def decided(shop):
    return told(shop, "planning", "reorder_decision")


def listed(shop, *flags):
    return json.loads(shop.run("reorders", "list", "--json", *flags).stdout)


# ---- list


def test_what_waits_is_listed_most_urgent_first_and_the_rest_only_when_asked(shop):
    advise(shop, "LATER", order_by="2026-03-05")
    advise(shop, "NOW", position=2)
    advise(shop, "SOON", position=10)
    advise(shop, "NONE", quantity=0, order_by="")
    assert [x["sku"] for x in listed(shop)] == ["NOW", "SOON", "LATER"]
    assert [(x["sku"], x["state"]) for x in listed(shop, "--all")][-1] == ("NONE", "nothing")
    assert listed(shop, "--location", "W2") == []
    shown = shop.run("reorders", "list")
    assert "60.00" in shown.stdout
    assert "3 wait for a decision, 180.00 in all" in shown.stderr


def test_the_newest_recommendation_of_a_place_counts(shop):
    advise(shop, quantity=60)
    advise(shop, quantity=0, run="2026-03-01.002")
    assert listed(shop) == []


# ---- accept


def test_accepted_is_a_purchase_order_and_a_decision(shop):
    shop.stock("BJ-1", V1, shop.at("W1", {"L1": 20}, V1))
    advise(shop)
    said = shop.run("reorders", "accept", "BJ-1", "W1", "--run", RUN, "--by", "Ada", "--json")
    [(key, order)] = orders(shop)
    assert order.pop("time")
    assert order == {
        "type": "purchase_ordered", "id": f"reorder:BJ-1|W1|{RUN}", "sku": "BJ-1", "location": "W1", "quantity": 60,
        "reference": order["reference"], "expected": "2026-03-09", "supplier": "ACME",
    }  # fmt: skip
    assert order["reference"].startswith(f"PO-{RUN}-")
    [(decision_key, decision)] = decided(shop)
    assert (key, decision_key) == ("BJ-1", f"decision|BJ-1|W1|{RUN}")
    wanted = {
        "decision": "accepted", "quantity": 60, "recommended": 60, "supplier": "ACME", "cost_cents": 6000, "by": "Ada",
        "reference": order["reference"], "log_id": 77, "offset": 1,
    }  # fmt: skip
    assert {name: decision[name] for name in wanted} == wanted
    assert json.loads(said.stdout)[0] == decision
    assert listed(shop) == []
    assert listed(shop, "--all")[0]["state"] == "accepted"


def test_a_transfer_leaves_the_place_that_has_more_than_it_needs(shop):
    advise(shop, quantity=8, kind="transfer", from_location="W2", supplier="", cost_cents=0, expected="2026-03-04")
    shop.run("reorders", "accept", "BJ-1", "W1")
    [(_, order)] = orders(shop)
    assert (order["type"], order["location"], order["to"], order["quantity"]) == ("transferred_out", "W2", "W1", 8)
    assert order["reference"].startswith(f"TR-{RUN}-")
    assert order["expected"] == "2026-03-04"
    assert (decided(shop)[0][1]["kind"], decided(shop)[0][1]["from_location"]) == ("transfer", "W2")


def move(shop, location="W1", quantity=8):
    advise(shop, location=location, quantity=quantity, kind="transfer", from_location="W2", supplier="", cost_cents=0)


def test_no_transfer_takes_more_than_its_source_has_left_when_it_is_accepted(shop):
    shop.stock("BJ-1", V0, shop.at("W1", {}, V0), shop.at("W2", {"L1": 9}, V0, allocated=4))
    move(shop)
    refused = shop.run("reorders", "accept", "BJ-1", "W1", code=2).stderr
    assert "8 cannot be brought from W2, where 5 are available now. Bring at most 5 with --quantity, or wait" in refused
    assert orders(shop) == decided(shop) == []
    shop.run("reorders", "accept", "BJ-1", "W1", "--quantity", "5")
    move(shop, "W3", 1)
    refused = shop.run("reorders", "accept", "BJ-1", "W3", code=2).stderr
    assert "where 0 are available now. Wait for the next run" in refused
    assert [order["quantity"] for _, order in orders(shop)] == [5]


def test_a_rule_takes_no_more_from_a_place_than_all_together_may_and_leaves_the_rest(shop):
    shop.stock("BJ-1", V0, shop.at("W1", {}, V0), shop.at("W2", {"L1": 9}, V0))
    for place in ("W1", "W3"):
        move(shop, place)
    told = shop.run("reorders", "accept", "--all", "--max-cost", "0").stderr
    assert "BJ-1 at W3: 8 cannot be brought from W2, where 1 are available now" in told
    assert "1 accepted for 0.00, 1 left" in told
    assert [decision["location"] for _, decision in decided(shop)] == ["W1"]


def test_what_was_discontinued_since_it_was_recommended_is_not_ordered(shop):
    level = shop.stock("BJ-1", V1, shop.at("W1", {"L1": 9}, V1))
    advise(shop)
    shop.publish("stock-levels", "BJ-1", replace(level, discontinued=True, version=(77, 6, 0)))
    assert "BJ-1 at W1: the SKU is discontinued since" in shop.run("reorders", "accept", "BJ-1", "W1", code=2).stderr
    assert orders(shop) == decided(shop) == []
    advise(shop, quantity=0, run="2026-03-01.002")
    shop.run("reorders", "accept", "BJ-1", "W1", "--quantity", "12")
    assert orders(shop)[0][1]["quantity"] == 12


def test_a_transfer_that_left_before_its_decision_was_lost_is_accepted_again(shop):
    shop.stock("BJ-1", V1, shop.at("W1", {}, V1), shop.at("W2", {"L1": 9}, V1))
    move(shop)
    shop.run("reorders", "accept", "BJ-1", "W1")
    reference = decided(shop)[0][1]["reference"]
    shop.send("planning", None, key=f"decision|BJ-1|W1|{RUN}".encode())
    coming = [r.IncomingLevel(reference, "transfer", 8, "", False)]
    shop.stock("BJ-1", (77, 6, 0), shop.at("W1", {}, V1, incoming=coming), shop.at("W2", {"L1": 1}, V1))
    shop.run("reorders", "accept", "BJ-1", "W1")
    assert listed(shop, "--all")[0]["state"] == "accepted"


def test_other_units_may_be_taken_and_both_figures_are_kept(shop):
    advise(shop)
    shop.run("reorders", "accept", "BJ-1", "W1", "--quantity", "48", "--reason", "the shelf is narrow")
    assert orders(shop)[0][1]["quantity"] == 48
    [(_, decision)] = decided(shop)
    assert (decision["quantity"], decision["recommended"], decision["cost_cents"]) == (48, 60, 4800)
    found = json.loads(shop.run("reorders", "history", "--json").stdout)
    assert found["summary"] == {
        "decisions": 1, "as_recommended": 0, "changed": 1, "dismissed": 0, "taken_of_recommended": 0.8,
    }  # fmt: skip
    assert found["decisions"][0]["reason"] == "the shelf is narrow"
    assert "1 changed" in shop.run("reorders", "history").stderr


def test_where_nothing_is_recommended_a_quantity_may_still_be_ordered(shop):
    advise(shop, quantity=0)
    shop.run("reorders", "accept", "BJ-1", "W1", "--quantity", "12")
    assert (orders(shop)[0][1]["quantity"], decided(shop)[0][1].get("recommended", 0)) == (12, 0)


def test_what_nobody_recommended_costs_what_the_sku_costs_and_spends_the_suppliers_budget(shop):
    shop.run("tell", "supply", "sku=BJ-1", "supplier=ACME", "unit_cost_cents=250")
    advise(shop, quantity=0, cost_cents=0)
    advise(shop, quantity=0, cost_cents=0, location="W2", kind="transfer", from_location="W1", supplier="")
    shop.run("reorders", "accept", "BJ-1", "W1", "--quantity", "12")
    shop.run("reorders", "accept", "BJ-1", "W2", "--quantity", "3")
    assert [decision.get("cost_cents", 0) for _, decision in decided(shop)] == [3000, 0]


def test_accepted_twice_is_ordered_once(shop):
    advise(shop)
    shop.run("reorders", "accept", "BJ-1", "W1", "--by", "Ada")
    again = shop.run("reorders", "accept", "BJ-1", "W1", code=2)
    assert f"run {RUN} is accepted already, by Ada (60 units)" in again.stderr
    assert len(orders(shop)) == len(decided(shop)) == 1


def test_of_two_who_accept_at_once_the_first_on_the_log_decides(shop):
    wanted = advise(shop)
    late = Decider(shop.settings, "Bob", "")
    shop.run("reorders", "accept", "BJ-1", "W1", "--by", "Ada")
    with pytest.raises(NotAccepted, match=r"somebody else accepted this a moment ago \(60 units\)"):
        late.accept(wanted, 5)
    late.close()
    assert [(x["by"], x["quantity"]) for _, x in decided(shop)] == [("Ada", 60)]


def test_an_order_whose_decision_was_lost_is_the_same_record_when_it_is_accepted_again(shop):
    advise(shop)
    shop.run("reorders", "accept", "BJ-1", "W1")
    shop.send("planning", None, key=f"decision|BJ-1|W1|{RUN}".encode())
    shop.run("reorders", "accept", "BJ-1", "W1")
    first, second = (r.PurchaseOrdered(**{k: v for k, v in order.items() if k != "type"}) for _, order in orders(shop))
    assert first.id == second.id
    assert digest(first) == digest(second), "the ledger takes it for the record it has seen"


def test_a_new_run_may_be_decided_anew_under_a_reference_of_its_own(shop):
    advise(shop)
    shop.run("reorders", "accept", "BJ-1", "W1")
    advise(shop, quantity=5, run="2026-03-02.001")
    shop.run("reorders", "accept", "BJ-1", "W1")
    assert len({order["reference"] for _, order in orders(shop)}) == len(decided(shop)) == 2


@pytest.mark.parametrize(("words", "sentence"), [
    (("accept", "BJ-9", "W1"), "'BJ-9': unknown SKU (no recommendation is published). Did you mean BJ-1?"),
    (("accept", "BJ-1", "W9"), "nothing is known of it at 'W9', but at: W1"),
    (("accept", "DONE", "W1"), "DONE at W1: nothing is recommended. Buy."),
    (("accept", "BJ-1", "W1", "--quantity", "0"), "for --quantity. Must be >= 1"),
    (("accept", "BJ-1", "W1", "--reason", "x" * 501), "reason: "),
    (("accept", "BJ-1"), "give SKU and LOCATION"),
    (("accept", "--all"), "--all needs --max-cost"),
    (("accept", "--all", "--max-cost", "-1"), "for --max-cost. Must be >= 0"),
    (("accept", "BJ-1", "W1", "--max-cost", "5"), "--max-cost goes with --all"),
    (("accept", "BJ-1", "W1", "--all", "--max-cost", "5"), "no SKU, no --quantity"),
    (("accept", "--all", "--max-cost", "5", "--run", RUN), "no --run"),
    (("accept", "BJ-1", "W1", "--run", "2026-02-28.001"), f"run is {RUN}, not 2026-02-28.001, and recommends 60"),
    (("dismiss", "BJ-1", "W1", "--reason", "x", "--run", "2026-02-28.001"), "not 2026-02-28.001"),
    (("dismiss", "BJ-1", "W1", "--reason", " "), "reason: give one"),
    (("dismiss", "DONE", "W1", "--reason", "x"), "nothing is recommended"),
])  # fmt: skip
def test_what_cannot_be_decided_is_said_and_nothing_is_written(shop, words, sentence):
    advise(shop)
    advise(shop, "DONE", quantity=0)
    assert sentence in shop.run("reorders", *words, code=2).stderr
    assert orders(shop) == decided(shop) == []


def test_a_rule_accepts_the_most_urgent_first_as_long_as_all_together_stay_within_its_cents(shop):
    advise(shop, "NOW", quantity=30, position=0)
    advise(shop, "DEAR", quantity=90, position=5)
    advise(shop, "SOON", quantity=20, position=9)
    advise(shop, "UNPRICED", quantity=5, cost_cents=0)
    advise(shop, "MOVE", quantity=4, kind="transfer", from_location="W2", supplier="", cost_cents=0)
    told = shop.run("reorders", "accept", "--all", "--max-cost", "5000", "--by", "rule")
    assert [decision["sku"] for _, decision in decided(shop)] == ["NOW", "SOON", "MOVE"]
    assert {order["sku"] for _, order in orders(shop)} == {"NOW", "SOON", "MOVE"}
    assert {decision["by"] for _, decision in decided(shop)} == {"rule"}
    assert "3 accepted for 50.00, 2 left" in told.stderr
    assert [x["sku"] for x in listed(shop)] == ["DEAR", "UNPRICED"]
    assert "0 accepted" in shop.run("reorders", "accept", "--all", "--max-cost", "5000").stderr


# ---- dismiss, history


def test_dismissed_orders_nothing_and_keeps_the_reason(shop):
    advise(shop)
    shop.run("reorders", "dismiss", "BJ-1", "W1", "--reason", "delisted soon", "--by", "Ada")
    assert orders(shop) == []
    [(_, decision)] = decided(shop)
    assert (decision["decision"], decision["recommended"], decision["reason"]) == ("dismissed", 60, "delisted soon")
    assert listed(shop) == []
    assert "dismissed already, by Ada" in shop.run("reorders", "accept", "BJ-1", "W1", code=2).stderr
    assert "delisted soon" in shop.run("reorders", "history").stdout
    assert json.loads(shop.run("reorders", "history", "--sku", "BJ-2", "--json").stdout)["decisions"] == []


# ---- dial


def sold(shop, days, sku="BJ-1"):
    for ahead in range(days):
        day = (date(2026, 1, 1) + timedelta(days=ahead)).isoformat()
        units = 2 + (ahead * 7) % 5
        record = r.Demand(id=f"{sku}|{day}", sku=sku, location="W1", day=day, ordered=units, orders=1, refused=0,
                          stockout_hours=[], version=V1)  # fmt: skip
        shop.publish("demand", f"{sku}|W1|{day}", record, partition=partition_of(sku, 4))


def test_the_dial_is_played_and_told_to_forecasters_when_asked(shop):
    sold(shop, 100)
    found = json.loads(shop.run("reorders", "dial", "--fill", "0.9", "--json", "--set").stdout)
    assert found["series"] == 1
    assert found["weeks"] == 12
    chosen = next(x for x in found["levels"] if x["service"] == found["service"])
    assert chosen["fill"] >= 0.9
    [(key, record)] = told(shop, "planning", "service_set")
    assert (key, record["service"], record["replayed_fill"]) == ("service|", found["service"], chosen["fill"])


def test_a_longer_way_from_the_supplier_is_played(shop):
    sold(shop, 100)
    near = json.loads(shop.run("reorders", "dial", "--fill", "0.9", "--json").stdout)
    shop.publish("planning", "supply|BJ-1", r.Supply(id="s", sku="BJ-1", supplier="FAR"), partition=0)
    shop.publish("planning", "supplier|FAR", r.SupplierTerms(id="t", supplier="FAR", lead_days=30), partition=0)
    far = json.loads(shop.run("reorders", "dial", "--fill", "0.9", "--json").stdout)
    for before, after in zip(near["levels"], far["levels"], strict=True):
        assert after["stock_days"] > before["stock_days"]


def test_a_past_that_is_too_short_sets_no_dial(shop):
    sold(shop, 30)
    assert "29 days of demand are known" in shop.run("reorders", "dial", "--set", code=2).stderr
    assert told(shop, "planning", "service_set") == []
