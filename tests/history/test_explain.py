"""An explanation says what was asked, what there was just before, which rule chose or refused, and what followed."""

from __future__ import annotations

from typing import get_args

import pytest

from proof.history.explain import Logs, explain
from proof.history.sentences import _CAME, came
from proof.history.snapshots import Snapshots
from streams.commands.explaining import _show
from streams.commands.folding import ROLES
from tables import records as r
from tables.codec import encode
from tables.examples import BOTH_LOGS, ORDER_LOG, STOCK_LOG

WAREHOUSE, ORDERS = "warehouse", "orders"


@pytest.fixture
def told(belt):
    """The explanation of an order of the belt."""

    def of(order_id, snapshots=lambda log: None, roles=ROLES):
        return explain(order_id, Logs(7, belt.partitions, belt.log, snapshots), roles)

    return of


@pytest.fixture
def stocked(belt):
    """A and B live in one partition of the stock log, D in the other."""
    belt.put(r.SkuDefined(id="sku:A", sku="A", flavor="teriyaki"))
    belt.put(r.PolicySet(id="policy:A", sku="A", safety_stock=2))
    belt.receive("A", 6, "W1", "L1", best_before="2027-01-31")
    belt.receive("A", 4, "W2", "L2", best_before="2027-03-31")
    belt.receive("B", 9)
    belt.receive("D", 3)
    assert belt.home("A") == belt.home("B") != belt.home("D")
    belt.tick()
    return belt


def quantities(question, sku):
    there = next(x for x in question.there if x.sku == sku)
    return {x.location: (x.on_hand, x.available, x.allocated) for x in there.levels.locations}


def texts(told):
    return [(str(x.position), x.text) for x in told.happened]


def test_what_there_was_is_what_there_was_just_before_the_command(stocked, told):
    stocked.place("o-0", A=1)
    stocked.place("o-1", A=3, B=1)
    stocked.place("o-2", A=1)
    [asked] = told("o-1").questions
    assert quantities(asked, "A") == {"W1": (6, 3, 1), "W2": (4, 2, 0)}  # o-0 has its unit, o-2 not yet
    assert quantities(asked, "B") == {"W1": (9, 9, 0)}
    assert [(x.lot, x.best_before, x.on_hand) for x in asked.there[0].levels.locations[0].lots] == [
        ("L1", "2027-01-31", 6)
    ]
    assert [(x.quantity, x.sku, x.location) for x in asked.answer.granted] == [(3, "A", "W1"), (1, "B", "W1")]
    assert asked.answer.refused == []


def test_a_refusal_names_the_rule_and_the_units_there_were(stocked, told):
    stocked.place("o-1", A=7)
    found = told("o-1")
    [asked] = found.questions
    assert asked.answer.refused == [r.Refusal("A", 7, "insufficient", 6)]
    assert (found.status, found.decision.status, found.decision.reason) == ("rejected", "rejected", "insufficient")
    assert found.decision.position == asked.answer.position
    assert stocked.decisions["o-1"].offset == found.decision.position.offset


def test_a_sku_nobody_knows_is_said_to_be_unknown(stocked, told):
    stocked.place("o-1", NOPE=1)
    [asked] = told("o-1").questions
    assert asked.there[0].levels is None
    assert asked.answer.refused[0].reason == "unknown_sku"


def test_every_partition_that_was_asked_answers_for_its_own_lines(stocked, told):
    stocked.place("o-1", A=1, D=9)
    found = told("o-1")
    assert [(x.position.partition, [y.sku for y in x.there]) for x in found.questions] == [
        (stocked.home(sku), [sku]) for sku in sorted("AD", key=stocked.home)
    ]
    assert {x.there[0].sku: bool(x.answer.granted) for x in found.questions} == {"A": True, "D": False}
    assert any(x.text == "give back what attempt 1 holds" for x in found.happened)


def test_the_policy_and_the_master_in_force_are_named_with_their_positions(stocked, told):
    stocked.place("o-1", A=1)
    stocked.put(r.PolicySet(id="policy:A:2", sku="A", location="W1", safety_stock=4))
    stocked.place("o-2", A=1)
    first, second = ({x.what: x.position for x in told(order_id).questions[0].rules} for order_id in ("o-1", "o-2"))
    policy = next(e for e in stocked.topics[WAREHOUSE, stocked.home("A")] if b'"policy:A:2"' in e.value())
    assert second["policy of A at W1"] == f"{policy.offset()}.0"
    assert first["policy of A at W1"] != second["policy of A at W1"]
    assert first["policy of A at W2"] == second["policy of A at W2"]
    assert "sku A" in first


def test_whatever_row_a_later_rule_looks_at_is_named_as_a_rule(stocked, told):
    """Which rows hold rules is not written down here: it is what the decision read."""
    stocked.place("o-1", A=1)
    rules = ROLES[WAREHOUSE].step

    def with_weather(view, record, at, log):
        """As if the weather had a row of its own: made with the SKU, looked at when a decision is made."""
        outcome = rules(view, record, at, log)
        if isinstance(record, r.SkuDefined):
            outcome.rows["weather|here"] = outcome.rows["sku|A"]
        elif isinstance(record, r.Reserve):
            view.get("weather|here")
        return outcome

    roles = ROLES | {WAREHOUSE: ROLES[WAREHOUSE]._replace(step=with_weather)}
    assert {"weather here", "sku A"} <= {x.what for x in told("o-1", roles=roles).questions[0].rules}
    assert "weather here" not in {x.what for x in told("o-1").questions[0].rules}


def test_a_life_is_told_in_order_with_what_each_record_changed(stocked, told):
    stocked.place("o-1", "pending", A=2)
    stocked.put(r.CheckOpened(id="check", order_id="o-1", check="fraud"))
    stocked.put(r.PaymentCaptured(id="pay", order_id="o-1"))
    stocked.put(r.CheckPassed(id="passed", order_id="o-1", check="fraud"))
    stocked.put(r.CancelRequested(id="c", order_id="o-1", lines=[r.CancelLine("A", 1)], reason="too many"))
    stocked.put(r.OrderShipped(id="ship", order_id="o-1", lines=[r.ShippedLine("A", 1, "W1", "L1")]))
    stocked.put(r.PaymentFailed(id="late", order_id="o-1"))
    found = told("o-1")
    assert [text for _, text in texts(found)] == [
        f"partition {stocked.home('A')} answers attempt 1: granted 2 A at W1", "hold what attempt 1 claimed",
        "check fraud opened", "payment captured", "check fraud passed", "allocate what attempt 1 holds",
        "cancel 1 A (too many)", "give back 1 A at W1 of attempt 1", "a parcel left: 1 A at W1, lot L1 (scanned)",
        "1 A left W1, lot L1 (scanned)",
        "payment failed",
    ]  # fmt: skip
    assert all(change.before != change.after for x in found.happened for change in x.changes)
    by_text = {x.text: x for x in found.happened}
    assert by_text["check fraud passed"].said == ["decided: confirmed, 2 A at W1"]
    assert by_text["cancel 1 A (too many)"].said == [
        "given back: 1 A at W1 (too many)", "gives back 1 A at W1 of attempt 1",
    ]  # fmt: skip
    left = {(x.row, x.field): (x.before, x.after) for x in by_text["1 A left W1, lot L1 (scanned)"].changes}
    assert left["lot|A|W1|L1", "on_hand"] == (6, 5)
    assert left["stock|A|W1", "allocated"] == (1, 0)
    allocated = {(x.row, x.field): (x.before, x.after) for x in by_text["allocate what attempt 1 holds"].changes}
    assert allocated["stock|A|W1", "held"] == (2, 0)
    assert allocated["res|o-1|1", "state"] == ("held", "allocated")
    [late] = by_text["payment failed"].changes
    assert (late.field, late.after) == ("late", "payment_failed while shipped")
    assert found.status == "shipped"


def test_a_record_that_became_a_dead_letter_is_told_as_one(stocked, told):
    stocked.place("o-1", A=2)
    stocked.put(r.PaymentFailed(id="note", order_id="o-1", reason="one"))
    stocked.put(r.PaymentFailed(id="note", order_id="o-1", reason="other"))
    [conflict] = [x for x in told("o-1").happened if x.dead]
    assert conflict.dead.startswith("id_conflict")
    assert conflict.changes == []


def test_an_order_asked_about_before_it_was_placed_has_only_what_came(belt, told):
    belt.put(r.CancelRequested(id="c", order_id="o-1"))
    found = told("o-1")
    assert (found.asked, found.questions, found.decision, found.status) == (None, [], None, "unplaced")
    assert [x.text for x in found.happened] == ["cancel the order"]


def test_no_order_means_no_explanation(stocked, told):
    stocked.place("o-10", A=1)
    assert told("o-1") is None


def test_a_name_that_others_escape_differently_is_found(stocked, told):
    placed = encode(r.OrderPlaced(id="x", order_id="ä-1", channel="shop", lines=[r.Line("A", 1)], locations=["W1"]))
    stocked.append(ORDERS, stocked.home("ä-1"), placed.replace("ä".encode(), b"\\u00e4"))
    stocked.settle()
    assert told("ä-1").status == "on_hold"


def test_snapshots_change_nothing_of_an_explanation(stocked, told, tmp_path):
    for n in range(30):
        stocked.place(f"o-{n}", **{"ABD"[n % 3]: 1})
    stocked.put(r.OrderShipped(id="ship", order_id="o-6"))
    alone = told("o-6")

    def snapshots(log):
        return Snapshots(tmp_path, log.topic, log.number, 7, pytest.fail, every=5)

    for number in range(2):
        for topic in (ORDERS, WAREHOUSE):
            stocked.fold(topic, number, snapshots=snapshots(stocked.log(topic, number)))
    assert told("o-6", snapshots) == alone
    assert alone.questions[0].rules


def test_text_says_what_the_explanation_says(stocked, told, capsys):
    stocked.place("o-1", A=7)
    _show(told("o-1"))
    out = capsys.readouterr().out
    assert "Order o-1: rejected" in out
    assert "Answer: refused: A insufficient: 7 asked, 6 there; in the order log: orders[" in out
    assert "policy of A at W1" in out
    assert "decided: rejected (insufficient)" in out


def test_what_is_noted_is_not_said_to_have_come_too_late_nor_to_have_changed_nothing(stocked, told, capsys):
    """An edit that stock refuses came in time; a parcel of a rejected order takes its units off the books."""
    stocked.place("o-1", A=2)
    stocked.put(r.OrderEdited(id="more", order_id="o-1", lines=[r.EditLine("A", 99)]))
    stocked.place("o-2", A=99)
    left = r.ShippedLine("A", 1, location="W1")
    stocked.put(r.OrderShipped(id="gone", order_id="o-2", lines=[left]))
    for order_id, noted in (("o-1", "edit more refused: insufficient"), ("o-2", "ship while rejected")):
        _show(told(order_id))
        out = capsys.readouterr().out
        assert f"noted: {noted}" in out
        assert "too late" not in out
        assert "changed nothing" not in out


@pytest.mark.timeout(240)  # several commands, on a busy machine
def test_beside_a_worker_the_command_explains_what_the_worker_decided(shop):
    shop.publish(r.Received(id="in-1", sku="BJ-1", location="W1", lot="L1", quantity=3))
    shop.worker()
    decided = shop.sell("o-1", **{"BJ-1": 2})
    shop.sell("o-2", **{"BJ-1": 2})
    told = shop.json("explain", "o-1")
    assert (told["decision"]["status"], told["decision"]["position"]["offset"]) == ("confirmed", decided.offset)
    refused = shop.json("explain", "o-2")["questions"][0]
    assert refused["answer"]["refused"] == [{"sku": "BJ-1", "quantity": 2, "reason": "insufficient", "available": 1}]
    assert refused["there"][0]["levels"]["locations"][0]["available"] == 1
    assert "no record of the order log names" in shop.run("explain", "o-3", code=1).stderr


# -- the whole domain --------------------------------------------------------------------------------------------------


@pytest.fixture
def brand(belt):
    """A channel with rules, lots of many kinds, shares, a kit: state time is 2023-11-14."""
    belt.tick()
    belt.put(
        r.ChannelSet(id="shop", channel="shop", locations=["W1", "W2"], minimum_life_days=30, promise_days=1),
        r.SkuDefined(id="sku:A", sku="A"),
        r.PolicySet(id="policy:A", sku="A", safety_stock=1, backorder_limit=5, reorder_point=9),
        r.KitSet(id="kit", kit="BOX", parts=[r.KitPart("A", 2), r.KitPart("B", 1)]),
    )  # fmt: skip
    belt.receive("A", 6, "W1", "L1", best_before="2024-06-30")
    belt.receive("A", 4, "W1", "L2", best_before="2023-12-01")
    belt.receive("A", 5, "W2", "L3", best_before="2024-07-31")
    belt.receive("B", 9, best_before="2024-06-30")
    belt.put(
        r.LotStatusSet(id="hold", sku="A", lot="L3", status="on_hold"),
        r.ChannelStockSet(id="own", sku="A", location="W1", channel="pos", ring_fence=2),
    )  # fmt: skip
    return belt


def lots_of(question):
    return {x.lot: (x.shippable, x.why) for x in question.there[0].lots}


def placed(order_id, lines, **more):
    told = {"channel": "shop", "payment": "paid"} | more
    return r.OrderPlaced(id=order_id, order_id=order_id, lines=[r.Line(*line) for line in lines], **told)


def every(found):
    """All that an explanation says happened, a line each."""
    return "\n".join(
        line for x in found.happened
        for line in (x.text, *x.said, *(f"{y.lot} {y.units} {y.kind} {y.known}" for y in x.lots),
                     *(f"{y.row} {y.field} {y.before} -> {y.after}" for y in x.changes))
    )  # fmt: skip


@pytest.mark.parametrize("kind", [*get_args(r.OrderRecord), *get_args(r.StockRecord)], ids=lambda x: x.__name__)
def test_every_record_of_both_logs_has_its_sentence(kind):
    assert kind in _CAME


@pytest.mark.parametrize(
    "record", [x for x in (*BOTH_LOGS, *ORDER_LOG, *STOCK_LOG) if type(x) in _CAME], ids=lambda x: type(x).__name__
)
def test_a_sentence_is_words_and_no_value_without_any(record):
    text = came(record)
    assert text
    assert "None" not in text
    assert "struct" not in text.lower()


def test_lots_say_whether_they_may_leave_for_this_channel_and_why_not(brand, told):
    brand.put(placed("o-1", [("A", 2)]))
    [asked] = told("o-1").questions
    assert (asked.day, asked.floor) == ("2023-11-14", "2023-12-15")
    assert lots_of(asked) == {
        "L1": (True, ""), "L2": (False, "needs best before 2023-12-15 or later"), "L3": (False, "on hold"),
    }  # fmt: skip
    # W1: ten units, one of safety stock, two ring-fenced for another channel, six of them live long enough.
    assert [(x.location, x.takes, x.good, x.fits, x.covers) for x in asked.there[0].offers] == [
        ("W1", 7, 6, 6, True), ("W2", 0, 0, 0, False),
    ]  # fmt: skip
    rules = {x.what: x.text for x in asked.rules}
    assert rules["policy of A at W1"] == "safety stock 1, backorders up to 5"
    assert rules["pos's share of A at W1"] == "2 units ring-fenced for it"
    assert "30 days of shelf life" in rules["channel shop"]
    assert asked.answer.why == ["W1 covers it whole, the best ranked of those that do"]


def test_units_that_are_there_and_end_too_early_are_told_as_such(brand, told):
    brand.put(placed("o-1", [("A", 7)]))
    [asked] = told("o-1").questions
    assert asked.answer.refused == [r.Refusal("A", 7, "shelf_life", 6)]
    assert asked.answer.why == [
        "A does not last: the channel may take 7, but of lots best before 2023-12-15 or later only 6 are not promised "
        "to others"
    ]


def test_a_channel_that_may_not_sell_a_sku_or_be_served_from_a_location_is_told(brand, told):
    brand.put(r.SkuDefined(id="sku:A:2", sku="A", channels=["pos"]))
    brand.put(placed("o-1", [("A", 1)]), placed("o-2", [("B", 1)], locations=["W9"]))
    assert told("o-1").questions[0].answer.why == ["A may not be sold by channel shop"]
    assert told("o-2").questions[0].answer.why == [
        "channel shop is not served from W9", "B has no location from which channel shop is served",
    ]  # fmt: skip


def test_backordered_units_tell_their_day_their_limit_and_how_they_were_filled(brand, told):
    brand.put(r.PurchaseConfirmed(id="buy", sku="A", location="W1", reference="PO-1", quantity=9,
                                  expected="2023-12-24"))  # fmt: skip
    brand.put(placed("o-1", [("A", 8)], policy="backorder"))
    [asked] = told("o-1").questions
    assert [(x.quantity, x.location, x.backordered, x.due) for x in asked.answer.granted] == [
        (6, "W1", False, ""), (2, "W1", True, "2023-12-24"),
    ]  # fmt: skip
    assert asked.answer.why[-1] == (
        "A: 2 of 8 promised without stock at W1, the first that allows it (0 waited before, at most 5); due "
        "2023-12-24, by confirmed purchases"
    )
    brand.receive("A", 9, "W1", "L9", best_before="2024-09-30", reference="PO-1")
    found = told("o-1")
    assert "stock came: 2 A at W1 that waited are reserved now" in every(found)
    # The record that filled it names no order, and is part of its story all the same.
    [filled] = [x for x in found.happened if x.type == "fill_backorders"]
    assert {(x.field, x.before, x.after) for x in filled.changes if x.row == "res|o-1|1"} == {
        ("A at W1, backordered", 2, 0), ("A at W1, held", 6, 8),
    }  # fmt: skip
    assert found.stands.lines[0].allocated + found.stands.lines[1].allocated == 8


def test_a_kit_is_told_as_what_it_was_exploded_into(brand, told):
    brand.put(placed("o-1", [("BOX", 2), ("B", 1)]))
    found = told("o-1")
    assert [(x.kit, x.quantity, [(y.sku, y.quantity) for y in x.parts]) for x in found.asked.kits] == [
        ("BOX", 2, [("A", 2), ("B", 1)])
    ]
    assert {y.sku: y.quantity for x in found.questions for y in x.there} == {"A": 4, "B": 3}
    assert {"kit BOX", "channel shop"} <= {x.what for x in found.asked.rules}


def test_kits_that_are_trimmed_to_whole_ones_tell_what_was_given_back(brand, told):
    brand.put(
        placed("o-1", [("BOX", 4)], policy="ship_available")
    )  # eight A are wanted, six are there that live long enough
    story = every(told("o-1"))
    assert (
        "decided: confirmed, 6 A at W1, 3 B at W1; 2 A not there (insufficient); 1 B given back, for kits are" in story
    )
    assert "A insufficient: 2 more asked than the 6 there were" in story
    assert "gives back 1 B at W1 of attempt 1" in story
    assert "give back 1 B at W1 of attempt 1" in story


def test_a_contended_order_tells_who_was_in_the_way_and_that_it_asks_again(belt, told):
    """Two orders want the last units while neither is decided."""
    belt.receive("A", 3)
    for order_id in ("o-1", "o-2"):
        order = placed(order_id, [("A", 2)], locations=["W1"])
        belt.append(ORDERS, belt.home(order_id), encode(order))
    belt.settle()
    stories = [told(order_id) for order_id in ("o-1", "o-2")]
    loser = next(x for x in stories if len(x.questions) > 1)
    assert loser.questions[0].answer.why[-1] == (
        "A is contended: 2 asked, 1 free now, 3 if undecided orders gave back what they claim"
    )
    assert "will ask again, attempt 2" in every(loser)


def test_an_order_that_moves_to_one_location_tells_who_asked_and_what_could_be(belt, told):
    """A lies at both, D at the second alone; they live in two partitions, and each chooses by its own."""
    for sku, location in (("A", "W1"), ("A", "W2"), ("D", "W2")):
        belt.receive(sku, 5, location, f"{sku}-{location}")
    belt.place("o-1", A=2, D=1)
    found = told("o-1")
    assert found.stands.sourcing == "one location: W2"
    story = every(found)
    assert "asks to serve it from fewer places: hold A at W2 instead" in story
    assert "hold A at W2 instead: W2 could take 5 A, 2 are to move" in story
    assert f"partition {belt.home('A')} moved them, it holds: 2 A at W2" in story
    assert "sourcing  -> one location: W2" in story


def test_an_order_split_over_locations_tells_that_no_single_one_covers_it(belt, told):
    belt.receive("A", 3)
    belt.receive("A", 2, "W2", "L2")
    belt.place("o-1", A=4)
    [asked] = told("o-1").questions
    assert asked.answer.why == ["A: no location has all 4, so it is split, the largest piece first: 3 at W1, 1 at W2"]
    assert "no single location covers every line" in told("o-1").stands.sourcing


def test_an_edit_tells_what_it_asked_and_what_the_order_is_now(brand, told):
    brand.put(placed("o-1", [("A", 2), ("B", 2)]))
    brand.put(r.OrderEdited(id="e-1", order_id="o-1", lines=[r.EditLine("A", 4), r.EditLine("B", 0)]))
    brand.put(r.OrderEdited(id="e-2", order_id="o-1", lines=[r.EditLine("A", 99)]))
    found = told("o-1")
    story = every(found)
    assert "edit e-1: A to 4, no B" in story
    assert "the order is now 4 A at W1" in story
    assert "edit e-2 refused: insufficient" in found.stands.late[-1]
    assert found.decision.status == "confirmed"
    assert [x.attempt for x in found.questions] == [1, 2, 3]


def test_what_was_picked_packed_sent_short_and_returned_is_told_with_lots(brand, told):
    brand.put(placed("o-1", [("A", 3)], payment="authorized"))
    brand.put(
        r.PaymentCaptured(id="pay", order_id="o-1"),
        r.OrderPicked(id="pick", order_id="o-1", location="W1", lines=[r.PickedLine("A", 2, "L1", 1)]),
        r.OrderPacked(id="pack", order_id="o-1", location="W1", cartons=["C-1"]),
        r.OrderShipped(id="ship", order_id="o-1", location="W1", lines=[r.ShippedLine("A", 2, "W1", "L1")],
                       tracking="T-1", final=True),
        r.TrackingUpdated(id="track", order_id="o-1", tracking="T-1", status="delivered"),
        r.ReturnAuthorized(id="rma", order_id="o-1", return_id="R-1", lines=[r.CancelLine("A", 1)]),
        r.ReturnInspected(id="look", order_id="o-1", return_id="R-1", lines=[r.InspectedLine("A", 1, "restock")]),
    )  # fmt: skip
    story = every(told("o-1"))
    for words in (
        "order|o-1 payment wanted  -> capture", "picked at W1: 2 A, lot L1, 1 not found", "L1 2 picked reported",
        "1 not found, off the books", "packed at W1, cartons C-1", "the last one from W1", "tracking T-1",
        "L1 -2 shipped scanned", "given back: 1 A at W1", "order|o-1 payment wanted  -> refund",
        "the carrier says of T-1: delivered", "status shipped -> delivered", "return R-1 allowed: 1 A",
        "return R-1 looked at: 1 A: restock", "A at W1: returned 0 -> 1", "1 A came back to W1",
    ):  # fmt: skip
        assert words in story


def test_a_parcel_told_before_its_order_is_said_to_wait_and_to_leave_with_the_decision(brand, told):
    brand.put(r.OrderShipped(id="ship", order_id="o-1", location="W1", lines=[r.ShippedLine("A", 2, "W1", "L1")]))
    waits = every(told("o-1"))
    assert "order|o-1 waits for its turn  -> order_shipped" in waits
    assert "L1 -2 shipped scanned" not in waits
    brand.put(placed("o-1", [("A", 2)], payment="pending"))
    found = told("o-1")
    story = every(found)
    assert "order|o-1 waits for its turn order_shipped -> " in story
    assert story.index("confirmed") < story.index("L1 -2 shipped scanned")
    assert (found.decision.status, found.stands.status, found.stands.late) == ("confirmed", "shipped", [])


def test_money_that_comes_after_an_order_expired_is_told_as_an_alarm(brand, told):
    brand.put(placed("o-1", [("A", 1)], payment="pending", payment_seconds=60))
    for _ in range(3):
        brand.tick(60)
    brand.put(r.PaymentCaptured(id="pay", order_id="o-1"))
    found = told("o-1")
    assert (found.status, found.stands.payment_wanted) == ("paid_unallocated", "refund")
    assert "alert: money came for an order that holds nothing any more (1 units)" in every(found)


def test_an_order_that_takes_what_there_is_tells_what_it_goes_without(brand, told, capsys):
    brand.put(placed("o-1", [("A", 7), ("B", 1)], policy="ship_available"))
    found = told("o-1")
    assert found.questions[0].answer.why[-1] == "policy ship_available: what is there is taken, the rest is refused"
    assert "1 A not there (shelf_life)" in every(found)
    _show(found)
    out = capsys.readouterr().out
    assert "Because A does not last" in out
    assert "For channel shop, best location first" in out
