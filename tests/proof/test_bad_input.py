"""Bad records on the belt: pure steps, partitions and views in memory, audited. On a broker: tests/faults."""

from __future__ import annotations

import os
from collections import Counter
from itertools import islice
from random import Random
from typing import Any

import msgspec
import pytest

from proof import badinput
from proof.badinput import Bad
from proof.badvalues import SECRET, wrong_at
from tables import records as r
from tables.codec import ORDER_LOG, STOCK_LOG, Unreadable

NIGHTLY = os.environ.get("SMOKEHOUSE_NIGHTLY") == "1"
RUN = 20_000  # records on one belt
OUTSIDE_RUNS, AGENT_RUNS = (48, 1) if NIGHTLY else (3, 1)  # with the 25,000 of tests/faults: 100,000, or a million
PARTITIONS = 4
CODECS = {badinput.ORDERS: ORDER_LOG, badinput.WAREHOUSE: STOCK_LOG}
SOUND = [f"SOUND-{n}" for n in range(10)]
UNITS, ORDERS_EACH, LINE = 20, 20, 2  # of each SKU half of the orders can be had

Place = tuple[str, int, int]


def _order(n: int) -> r.OrderPlaced:
    return r.OrderPlaced(
        id=f"sound-{n}", order_id=f"sound-{n}", channel="shop", lines=[r.Line(SOUND[n % len(SOUND)], LINE)],
        locations=["W1"], payment="paid",
    )  # fmt: skip


def _send_all(belt: Any, records: list[Bad]) -> dict[Place, Bad]:
    """The bad records, good orders in between; where the bad ones stand."""
    for sku in SOUND:
        belt.place(r.Received(id=f"in-{sku}", sku=sku, location="W1", quantity=UNITS, lot="L1"))
    belt.tick()
    belt.turn()
    orders = iter(range(len(SOUND) * ORDERS_EACH))
    stand: dict[Place, Bad] = {}
    for n, bad in enumerate(records):
        stand[bad.topic, bad.partition, len(belt.topics[bad.topic, bad.partition])] = bad
        belt.append(bad.topic, bad.partition, bad.value, bad.key)
        if n % (RUN // 250) == 0:
            for order in islice(orders, 1):
                belt.place(_order(order))
        if n % 1_000 == 999:
            belt.tick(7)
            belt.turn(500)
    for _ in range(12):  # an order whose stock nobody answers for ends after ten minutes of state time
        belt.tick(60)
        belt.turn(500)
    return stand


def _letters(belt: Any) -> Counter[tuple[str, int, int, int]]:
    """How many letters there are per place; each says where it stood and why, and repeats nothing."""
    found: Counter[tuple[str, int, int, int]] = Counter()
    for letter in belt.source("dead-letters"):
        said = {name.removeprefix("__connect.errors."): value.decode() for name, value in letter.headers}
        assert said.keys() == {"topic", "partition", "offset", "index", "exception.message"}
        reason = said["exception.message"]
        assert reason
        assert SECRET not in reason
        found[said["topic"], int(said["partition"]), int(said["offset"]), int(said["index"])] += 1
    return found


def _check_letters(belt: Any, stand: dict[Place, Bad]) -> None:
    letters = _letters(belt)
    assert max(letters.values()) == 1
    for place, bad in stand.items():
        if not bad.readable:
            missing = [index for index in range(bad.items) if (*place, index) not in letters]
            assert not missing, f"{bad.name} at {place}: no letter for items {missing}"
    for topic, partition, offset, index in letters:
        value = belt.topics[topic, partition][offset].value
        if type(CODECS[topic].items(value)[index]) is Unreadable:
            assert (topic, partition, offset) in stand, (
                f"an agent wrote what no agent can read: {(value or b'')[:300]!r}"
            )


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", range(OUTSIDE_RUNS))
def test_bad_records_are_accounted_for_and_good_orders_do_not_notice(new_belt, seed):
    belt = new_belt(PARTITIONS)
    records = list(badinput.bad_records(seed, RUN, PARTITIONS))
    assert {bad.name for bad in records} == set(badinput.RECIPES)
    stand = _send_all(belt, records)
    _check_letters(belt, stand)
    decided = Counter(status for order, status in belt.decided().items() if order.startswith("sound-"))
    assert decided == {"confirmed": 100, "rejected": 100}
    report = belt.audit()
    assert (report["findings"], report["undecided"]) == ([], [])
    for topic, counts in report["logs"].items():
        assert counts.items == sum((
            counts.applied, counts.duplicates, counts.forwarded, counts.dead_letters, counts.ticks,
        )), topic  # fmt: skip
        assert counts.items >= sum(bad.items for bad in records if bad.topic == topic)
    assert len(_letters(belt)) == sum(counts.dead_letters for counts in report["logs"].values())


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", range(1_000, 1_000 + AGENT_RUNS))
def test_words_of_agents_that_no_agent_said_stop_nothing(new_belt, seed):
    """Whoever may write to a log can lie in an agent's name, and an audit tells; it cannot halt or end a worker."""
    belt = new_belt(PARTITIONS)
    stand = _send_all(belt, list(badinput.bad_records(seed, RUN, PARTITIONS, agents=True)))
    _check_letters(belt, stand)
    decided = Counter(status for order, status in belt.decided().items() if order.startswith("sound-"))
    assert decided == {"confirmed": 100, "rejected": 100}
    assert not [where for where in belt.topics if where[1] >= PARTITIONS], "no broker has these partitions"


@pytest.mark.parametrize("policy", ["all_or_nothing", "ship_available", "backorder"])
def test_a_location_named_twice_promises_nothing_twice(new_belt, policy):
    belt = new_belt(PARTITIONS)
    belt.place(r.Received(id="in", sku="SOUND-1", location="W1", quantity=5, lot="L1"))
    belt.place(r.OrderPlaced(id="o", order_id="o", channel="shop", lines=[r.Line("SOUND-1", 8)], payment="paid",
                             locations=["W1", "W1"], policy=policy))  # fmt: skip
    belt.turn()
    assert belt.decided() == {"o": "confirmed" if policy == "ship_available" else "rejected"}
    assert belt.audit()["findings"] == []


def too_many_units(belt, *, decided):
    """A parcel and a pick of kits whose parts, added up, are more than a record can say; told before the order is
    decided, or after it. Stock would find the word unreadable, and the fact were lost there."""
    belt.place(r.KitSet(id="kit", kit="BIG", parts=[r.KitPart("SOUND-1", 10_000)]))
    belt.turn()
    belt.place(r.OrderPlaced(id="o", order_id="o", channel="shop", lines=[r.Line("BIG", 1)], locations=["W1"]))
    if decided:
        belt.turn()
    told = {"order_id": "o", "location": "W1"}
    belt.place(r.OrderShipped(id="ship", lines=[r.ShippedLine("BIG", 1_000_000)], **told))
    belt.place(r.OrderPicked(id="pick", lines=[r.PickedLine("BIG", 0, short=1_000_000)], **told))
    belt.turn()
    assert belt.decided() == {"o": "rejected"}
    assert belt.audit()["findings"] == []
    return [dict(letter.headers)["__connect.errors.exception.message"] for letter in belt.source("dead-letters")]


def test_a_fact_of_more_units_than_a_record_can_say_is_a_dead_letter_of_the_order_log(new_belt):
    letters = too_many_units(new_belt(PARTITIONS), decided=True)
    assert [reason.split(b":")[0] for reason in letters] == [b"too_many_units", b"too_many_units"]


def test_one_that_waited_for_the_decision_is_noted_on_its_order_with_the_reason(new_belt):
    belt = new_belt(PARTITIONS)
    assert too_many_units(belt, decided=False) == []
    said = [msgspec.json.decode(x.value) for x in belt.source("order-status")][-1]
    assert [x.split(": ")[:2] for x in said["late"]] == [
        ["order_shipped ship", "too_many_units"], ["order_picked pick", "too_many_units"],
    ]  # fmt: skip


def test_an_order_refused_for_what_it_named_tells_stock_nothing_unreadable_when_it_ships(new_belt):
    belt = new_belt(PARTITIONS)
    lines = [r.Line("no|sku", 1), r.Line("SOUND-1", r.WANTED_MAX), r.Line("SOUND-2", 1)]
    belt.place(r.OrderPlaced(id="o", order_id="o", channel="shop", lines=lines, locations=["W1"], payment="paid"))
    belt.turn()
    belt.place(r.OrderShipped(id="ship", order_id="o"))
    belt.turn()
    assert belt.source("dead-letters") == []
    assert belt.audit()["findings"] == []


def test_a_lot_of_the_year_0_expires_like_any_other(new_belt):
    belt = new_belt(PARTITIONS)
    belt.place(r.Received(id="in", sku="SOUND-1", location="W1", quantity=5, lot="L1", best_before="0000-01-01"))
    belt.turn()
    belt.tick()
    belt.turn()
    (level,) = [msgspec.json.decode(x.value) for x in belt.source("stock-levels")][-1:]
    assert (level["on_hand"], level["available"]) == (5, 0)
    assert belt.audit()["findings"] == []


def test_the_same_seed_gives_the_same_records():
    assert list(badinput.bad_records(5, 300, 4)) == list(badinput.bad_records(5, 300, 4))
    assert list(badinput.bad_records(5, 300, 4)) != list(badinput.bad_records(6, 300, 4))


@pytest.mark.parametrize("topic", [badinput.ORDERS, badinput.WAREHOUSE])
def test_every_field_of_every_record_is_sent_wrong_and_is_unreadable(topic):
    """By introspection, so that a record or field yet to come is among them."""
    wanted = {(k, f.encode_name) for k in badinput.KINDS[topic] for f in msgspec.structs.fields(k)}
    rng = Random(9)
    for kind, field in sorted(wanted, key=str):
        for n in range(40):
            value = wrong_at(rng, kind, field, f"w-{n}")
            (item,) = CODECS[topic].items(value)
            assert type(item) is Unreadable, f"{kind.__name__}.{field}: {value[:300]!r} was read"
            assert SECRET not in str(item)
