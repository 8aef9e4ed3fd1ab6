"""An explanation says what was asked, what there was just before, which rule chose or refused, and what followed."""

from __future__ import annotations

import pytest

from proof.history.explain import Logs, explain
from proof.history.snapshots import Snapshots
from streams.commands.explaining import _show
from streams.commands.folding import ROLES
from tables import records as r
from tables.codec import encode

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
    assert by_text["cancel 1 A (too many)"].said == ["given back: 1 A at W1 (too many)", "gives back 1 A at W1"]
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
