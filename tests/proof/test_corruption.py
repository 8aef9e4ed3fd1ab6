"""Each kind of corruption is found, under its own name, with the subject and the first bad position."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from proof.audit.core import Audit, audit
from proof.audit.findings import RULES
from proof.audit.seen import Cut
from tables import records as r
from tables.codec import encode

MSGPACK = msgspec.msgpack


@pytest.fixture
def lived(belt: Any) -> Any:
    """A belt on which orders were confirmed, refused, cancelled and shipped, and a record was unreadable."""
    for n in range(4):
        belt.place(r.Received(id=f"r{n}", sku=f"S{n}", location="W1", lot="L1", quantity=10, best_before="2027-01-01"))
    belt.turn()
    for n in range(16):
        lines = [r.Line(f"S{n % 4}", 2), r.Line(f"S{(n + 1) % 4}", 1)]
        belt.place(r.OrderPlaced(id=f"o{n}", order_id=f"o{n}", channel="shop", lines=lines, locations=["W1"],
                                 payment="paid"))  # fmt: skip
    belt.append("orders", 0, b"{")
    belt.turn()
    for n in range(0, 16, 5):
        belt.place(r.CancelRequested(id=f"c{n}", order_id=f"o{n}"))
    belt.turn()
    assert belt.audit()["findings"] == []
    return belt


def last(belt: Any, topic: str, good: Callable[[Any], bool]) -> Any:
    return [seen for seen in belt.source(topic) if seen.value and good(seen)][-1]


def told(seen: Any) -> dict[str, Any]:
    return msgspec.json.decode(seen.value)


def found(belt: Any, rule: str) -> Any:
    """The audit fails, and names this rule."""
    report = belt.audit()
    assert report["ok"] is False
    by_rule = {finding.rule: finding for finding in reversed(report["findings"])}
    assert rule in by_rule, report["findings"]
    return by_rule[rule]


def confirmed(belt: Any) -> Any:
    return last(belt, "reservations", lambda seen: told(seen)["status"] == "confirmed")


@pytest.mark.parametrize("field", [3, 5, 7], ids=["on_hand", "claimed", "allocated"])
def test_one_unit_added_to_a_stock_row(lived: Any, field: int) -> None:
    seen = last(lived, "stock-changelog", lambda x: x.key.startswith(b"stock|S1|"))
    row = MSGPACK.decode(seen.value[20:])
    row[field] += 1
    lived.replace(seen, seen.value[:20] + MSGPACK.encode(row))

    finding = found(lived, "changelog")

    assert (finding.subject, finding.location) == ("S1", "W1")
    assert (finding.topic, finding.partition, finding.offset) == seen[:3]


def test_one_unit_added_to_an_older_copy_of_a_row(lived: Any) -> None:
    seen = next(x for x in lived.source("stock-changelog") if x.key.startswith(b"stock|S2|"))
    row = MSGPACK.decode(seen.value[20:])
    row[3] += 1
    lived.replace(seen, seen.value[:20] + MSGPACK.encode(row))

    assert found(lived, "changelog").offset == seen.offset


def test_one_unit_added_to_a_lot(lived: Any) -> None:
    seen = last(lived, "stock-changelog", lambda x: x.key.startswith(b"lot|S1|"))
    row = MSGPACK.decode(seen.value[20:])
    row[6] += 1
    lived.replace(seen, seen.value[:20] + MSGPACK.encode(row))

    finding = found(lived, "conservation")

    assert (finding.subject, finding.location, finding.lot) == ("S1", "W1", "L1")


@pytest.mark.parametrize(
    ("fields", "rule"),
    [(("available",), "identity"), (("on_hand", "available"), "level"), (("reserved", "on_hand"), "level")],
)
def test_one_unit_added_to_a_level(lived: Any, fields: tuple[str, ...], rule: str) -> None:
    seen = last(lived, "stock-levels", lambda x: x.key == b"S1")
    level = told(seen)
    for field in fields:
        level["locations"][0][field] += 1
        if field in level:
            level[field] += 1
    lived.replace(seen, msgspec.json.encode(level))

    finding = found(lived, rule)

    assert finding.subject == "S1"
    assert (finding.topic, finding.partition, finding.offset) == seen[:3]


def test_a_level_of_a_version_that_the_log_does_not_have(lived: Any) -> None:
    level = told(last(lived, "stock-levels", lambda x: x.key == b"S1"))
    level["version"][1] += 1000
    level["locations"][0]["version"][1] += 1000
    lived.append("stock-levels", 0, msgspec.json.encode(level), b"S1")

    assert found(lived, "level").subject == "S1"


def test_the_last_level_is_lost(lived: Any) -> None:
    for place, log in lived.topics.items():
        if place[0] == "stock-levels":
            log[:] = [seen for seen in log if seen.key != b"S1"]

    assert found(lived, "level").subject == "S1"


@pytest.mark.parametrize("field", ["ordered", "orders", "refused", "cancelled", "shipped", "returned"])
def test_one_more_in_a_count_of_a_days_demand(lived: Any, field: str) -> None:
    seen = last(lived, "demand", lambda x: x.key.startswith(b"S1|"))
    lived.replace(seen, msgspec.json.encode(told(seen) | {field: told(seen).get(field, 0) + 1}))

    finding = found(lived, "demand")

    assert (finding.subject, finding.location) == ("S1", "W1")
    assert (finding.topic, finding.partition, finding.offset) == seen[:3]


def test_an_hour_in_which_an_order_met_no_stock_is_not_told(lived: Any) -> None:
    seen = last(lived, "demand", lambda x: told(x)["stockout_hours"])
    lived.replace(seen, msgspec.json.encode(told(seen) | {"stockout_hours": []}))

    assert found(lived, "demand").subject == told(seen)["sku"]


def test_a_days_demand_that_nobody_asked_for(lived: Any) -> None:
    seen = last(lived, "demand", lambda x: x.key.startswith(b"S1|"))
    lived.append("demand", seen.partition, msgspec.json.encode(told(seen) | {"day": "2020-02-20"}), b"S1|W1|2020-02-20")

    finding = found(lived, "demand")

    assert finding.offset == len(lived.topics["demand", seen.partition]) - 1
    assert "2020-02-20" in finding.note


def test_a_days_demand_of_a_version_that_the_log_does_not_have(lived: Any) -> None:
    seen = last(lived, "demand", lambda x: x.key.startswith(b"S1|"))
    at = told(seen)["version"]
    lived.append("demand", seen.partition, msgspec.json.encode(told(seen) | {"version": [at[0], at[1] + 1000, 0]}))

    assert "a version in the log" in found(lived, "demand").expected


@pytest.mark.parametrize("kept", [0, 1], ids=["all of it", "its end"])
def test_what_was_last_said_of_a_days_demand_is_lost(lived: Any, kept: int) -> None:
    for place, log in lived.topics.items():
        if place[0] == "demand":
            said = [seen for seen in log if seen.key.startswith(b"S1|")]
            log[:] = [seen for seen in log if seen not in said[kept:]]

    finding = found(lived, "demand")

    assert (finding.subject, finding.location) == ("S1", "W1")


def test_a_second_opposite_decision(lived: Any) -> None:
    seen = confirmed(lived)
    decision = told(seen) | {"status": "rejected", "reason": "insufficient"}
    lived.append("reservations", seen.partition, msgspec.json.encode(decision), seen.key)

    finding = found(lived, "one_decision")

    assert finding.subject == decision["order_id"]
    assert finding.offset == len(lived.topics["reservations", seen.partition]) - 1


def test_a_wrong_decision(lived: Any) -> None:
    seen = confirmed(lived)
    decision = told(seen) | {"status": "rejected", "reason": "insufficient"}
    lived.replace(seen, msgspec.json.encode(decision))

    assert found(lived, "decision").subject == decision["order_id"]


def test_a_lost_decision(lived: Any) -> None:
    seen = confirmed(lived)
    lived.topics["reservations", seen.partition].remove(seen)

    finding = found(lived, "lost_decision")

    decision = told(seen)
    assert finding.subject == decision["order_id"]
    assert (finding.topic, finding.partition) == ("orders", decision["partition"])
    assert (finding.offset, finding.index) == (decision["offset"], decision["index"])


def test_a_decision_for_an_unknown_order(lived: Any) -> None:
    seen = confirmed(lived)
    lived.append("reservations", 0, msgspec.json.encode(told(seen) | {"order_id": "nobody"}), b"nobody")

    assert found(lived, "unknown_order").subject == "nobody"


def test_a_document_of_an_unknown_order(lived: Any) -> None:
    seen = last(lived, "order-status", lambda x: x.key == b"o3")
    lived.append("order-status", 0, msgspec.json.encode(told(seen) | {"order_id": "nobody"}), b"nobody")

    assert found(lived, "unknown_order").subject == "nobody"


def test_a_cancellation_that_gives_back_too_much(lived: Any) -> None:
    seen = last(lived, "reservations", lambda x: told(x)["status"] == "cancelled")
    decision = told(seen)
    decision["lines"][0]["quantity"] += 1
    lived.replace(seen, msgspec.json.encode(decision))

    assert found(lived, "cancellation").subject == decision["order_id"]


def items_of(seen: Any) -> list[dict[str, Any]]:
    value = told(seen)
    return value["items"] if value["type"] == "packed" else [value]


def with_items(seen: Any, items: list[dict[str, Any]]) -> bytes:
    return msgspec.json.encode({"type": "packed", "items": items} if told(seen)["type"] == "packed" else items[0])


def change_item(belt: Any, topic: str, good: Callable[[dict[str, Any]], bool], change: Callable[[dict], Any]) -> Any:
    """Change the last item of a log that is `good`; returns it as it was, with its position."""
    for seen in reversed([x for x in belt.source(topic) if x.value and x.value != b"{"]):
        items = items_of(seen)
        for index in reversed(range(len(items))):
            if good(items[index]):
                before = dict(items[index])
                items[index] = change(items[index])
                belt.replace(seen, with_items(seen, items))
                return before, (*seen[:3], index)
    raise AssertionError("no such item")


def granted_after_all(answer: dict[str, Any], location: str = "W1") -> dict[str, Any]:
    """The answer, as if what it refused had been granted."""
    parts = [{"sku": x["sku"], "quantity": x["quantity"], "location": location} for x in answer["refused"]]
    return {k: v for k, v in answer.items() if k != "refused"} | {"parts": parts}


def test_a_grant_beyond_stock(lived: Any) -> None:
    _, place = change_item(
        lived, "orders", lambda x: x["type"] == "reserve_answered" and bool(x.get("refused")), granted_after_all
    )

    finding = found(lived, "promise")

    assert (finding.topic, finding.partition, finding.offset, finding.index) == place
    assert "beyond stock" in finding.note


def test_an_answer_changed(lived: Any) -> None:
    before, place = change_item(
        lived, "orders", lambda x: x["type"] == "reserve_answered" and bool(x.get("refused")),
        lambda x: x | {"refused": [x["refused"][0] | {"reason": "discontinued"}]},
    )  # fmt: skip

    finding = found(lived, "answer")

    assert finding.subject == before["order_id"]
    assert (finding.topic, finding.partition, finding.offset, finding.index) == place


def test_two_answers_to_one_attempt(lived: Any) -> None:
    seen = last(lived, "orders", lambda x: b"reserve_answered" in x.value)
    answer = next(x for x in items_of(seen) if x["type"] == "reserve_answered")
    other = {k: v for k, v in answer.items() if k != "refused"}
    other["parts"] = [{"sku": "S0", "quantity": 1, "location": "W9"}]
    lived.append("orders", seen.partition, msgspec.json.encode(other))
    lived.turn()

    assert found(lived, "one_answer").subject == answer["order_id"]


def test_a_leaked_reservation(lived: Any) -> None:
    """A release that never reached the stock log."""
    release, _ = change_item(
        lived, "warehouse", lambda x: x["type"] == "release", lambda x: {"type": "tick", "id": "t", "now_ms": 0}
    )

    report = lived.audit()
    rules = {x.rule for x in report["findings"] if x.subject == release["order_id"]}

    assert rules & {"leak", "cancellation", "all_or_nothing"}
    assert "changelog" in {x.rule for x in report["findings"]}


def test_a_reservation_of_an_order_that_nobody_placed(lived: Any) -> None:
    lived.place(r.Received(id="more", sku="S3", location="W1", lot="L2", quantity=5))
    lived.turn()
    reserve = r.Reserve(id="ghost:1:0", order_id="ghost", attempt=1, order_partition=0, lines=[r.Line("S3", 1)],
                        locations=["W1"])  # fmt: skip
    partition = next(p for (topic, p), log in lived.topics.items() if topic == "warehouse"
                     for seen in log if b'"S3"' in seen.value and b'"received"' in seen.value)  # fmt: skip
    lived.put("warehouse", partition, reserve)
    lived.turn()

    assert found(lived, "leak").subject == "ghost"


def test_a_confirmed_order_that_was_never_allocated(lived: Any) -> None:
    allocate, _ = change_item(
        lived, "warehouse",
        lambda x: x["type"] == "allocate" and int(x["order_id"][1:]) % 5 != 0,
        lambda x: {"type": "tick", "id": "t", "now_ms": 0},
    )  # fmt: skip

    assert found(lived, "all_or_nothing").subject == allocate["order_id"]


def test_a_lost_dead_letter(lived: Any) -> None:
    bad = last(lived, "orders", lambda x: x.value == b"{")
    lived.topics["dead-letters", 0].clear()

    finding = found(lived, "dead_letter")

    assert (finding.topic, finding.partition, finding.offset) == bad[:3]


def test_a_good_record_among_the_dead_letters(lived: Any) -> None:
    lived.outbox.dead_letter("orders", 1, 1, 0, b"o1", b"{}", "made up")

    assert "good record" in found(lived, "dead_letter").expected


def test_two_contents_of_one_version(lived: Any) -> None:
    seen = last(lived, "stock-changelog", lambda x: x.key.startswith(b"res|"))
    row = MSGPACK.decode(seen.value[20:])
    row[4] = "web"
    key = seen.key.rpartition(b"|")[0] + b"|w2"
    lived.append("stock-changelog", seen.partition, seen.value[:20] + MSGPACK.encode(row), key)

    assert found(lived, "two_contents").offset == len(lived.topics["stock-changelog", seen.partition]) - 1


def test_a_lost_row(lived: Any) -> None:
    seen = last(lived, "order-changelog", lambda x: x.key.startswith(b"order|o3|"))
    log = lived.topics["order-changelog", seen.partition]
    log[:] = [x for x in log if not x.key.startswith(b"order|o3|")]

    assert found(lived, "changelog").subject == "o3"


def test_an_undecided_order(lived: Any) -> None:
    """Its answer never came: told as undecided, and no finding only if that is allowed."""
    lived.place(r.OrderPlaced(id="o99", order_id="o99", channel="shop", lines=[r.Line("S0", 1)], locations=["W1"],
                              payment="paid"))  # fmt: skip
    for partition in range(lived.partitions):
        lived.step("orders", partition, 100)
        lived.checkpoint("orders", partition)
    for place, log in lived.topics.items():
        if place[0] == "warehouse":
            log[:] = [seen for seen in log if b"o99" not in seen.value]

    assert found(lived, "undecided").subject == "o99"
    assert lived.audit(allow_undecided=True)["ok"] is True
    assert lived.audit(allow_undecided=True)["orders"]["undecided"] == 1


def test_a_lost_forwarded_record(lived: Any) -> None:
    stray = r.OrderPlaced(id="o50", order_id="o50", channel="shop", lines=[r.Line("S0", 1)], locations=["W1"])
    for partition in range(lived.partitions):
        lived.put("orders", partition, stray)
    lived.turn()
    assert lived.audit()["findings"] == []
    for place, log in lived.topics.items():
        if place[0] == "orders":
            log[:] = [seen if not seen.headers else seen._replace(value=encode(r.Tick(id="t", now_ms=0)), headers=None)
                      for seen in log]  # fmt: skip

    assert found(lived, "forwarded").subject == "o50"


def test_a_pick_that_the_order_does_not_know_of(lived: Any) -> None:
    lived.place(r.Picked(id="o1:pick:99:0", sku="S1", location="W1", quantity=1, order_id="o1",
                         attempt=1))  # fmt: skip
    lived.turn()

    assert found(lived, "picked_once").subject == "o1"


def test_a_log_that_was_opened_twice(lived: Any) -> None:
    lived.put("orders", 1, r.LogOpened(id="again", log_id=8, partitions=3, logic_version=1, limits=r.Limits()))

    finding = found(lived, "log")

    assert (finding.topic, finding.partition, finding.offset) == ("orders", 1, len(lived.topics["orders", 1]) - 1)


def test_rules_that_this_auditor_does_not_know(lived: Any) -> None:
    lived.put("warehouse", 2, r.LogicVersionSet(id="newer", version=99))

    assert "does not know" in found(lived, "log").note


def test_a_partition_that_nobody_handles(lived: Any) -> None:
    """Known by whoever reads the workers' offsets: it stands still although there is something to do."""
    lived.place(r.OrderPlaced(id="o99", order_id="o99", channel="shop", lines=[r.Line("S0", 1)], locations=["W1"]))
    place = next(x for x, log in lived.topics.items() if x[0] == "orders" and b"o99" in log[-1].value)
    stands, end = lived.committed[place], len(lived.topics[place])

    report = audit(lived.source, Cut(lived.committed, lived.committed, still={place: stands}, end={place: end}))

    (finding,) = report["findings"]
    assert (finding.rule, finding.topic, finding.partition, finding.offset) == ("items", *place, stands)
    assert str(end) in finding.expected


# -- what comes after its record was folded ----------------------------------------------------------------------------


class Reading:
    """Everything of a belt's topics that was not read before."""

    def __init__(self, belt: Any) -> None:
        self._belt = belt
        self._read: set[Any] = set()

    def source(self, topic: str) -> Iterator[Any]:
        for seen in self._belt.source(topic):
            if seen[:3] not in self._read:
                self._read.add(seen[:3])
                yield seen


@pytest.fixture
def looking_on(lived: Any) -> Callable[[], list[Any]]:
    """Looks on at a belt that was clean so far; each call is a round, and gives what it found."""
    new: list[Any] = []
    going_on, reading = Audit(on_found=new.append), Reading(lived)

    def look() -> list[Any]:
        new.clear()
        ends = {place: len(log) for place, log in lived.topics.items() if place[0] in ("orders", "warehouse")}
        going_on.round(reading.source, Cut(lived.committed, dict(lived.committed), ends))
        return list(new)

    assert look() == []
    return look


def test_a_stock_row_that_a_liar_writes_later_under_a_newer_version(lived: Any, looking_on: Any) -> None:
    lived.tick(1)  # a record that changes no row
    lived.turn()
    assert looking_on() == []
    seen = last(lived, "stock-changelog", lambda x: x.key.startswith(b"stock|S1|"))
    row = MSGPACK.decode(seen.value[20:])
    later = (lived.committed["warehouse", seen.partition] - 1) << 10
    row[0], row[3] = later, -3
    version = seen.value[:8] + (later >> 10).to_bytes(8, "big") + bytes(4)
    lived.append("stock-changelog", seen.partition, version + MSGPACK.encode(row), b"stock|S1|W1|liar")

    (finding,) = looking_on()

    assert (finding.rule, finding.subject, finding.location) == ("changelog", "S1", "W1")
    assert finding.offset == len(lived.topics["stock-changelog", seen.partition]) - 1


def test_a_level_that_a_liar_publishes_later(lived: Any, looking_on: Any) -> None:
    seen = last(lived, "stock-levels", lambda x: x.key == b"S1")
    level = told(seen)
    for of in (level, level["locations"][0]):
        of["on_hand"] += 1
        of["available"] += 1
    lived.append("stock-levels", seen.partition, msgspec.json.encode(level), b"S1")

    found_now = looking_on()

    assert {"level", "conservation"} <= {x.rule for x in found_now}
    assert {x.subject for x in found_now} == {"S1"}
    assert {x.offset for x in found_now} == {len(lived.topics["stock-levels", seen.partition]) - 1}


@pytest.mark.parametrize("topic", ["stock-levels", "demand", "reservations", "order-status", "stock-changelog"])
def test_something_about_a_record_to_come_is_named_once_the_log_was_looked_at_again(
    lived: Any, looking_on: Any, topic: str
) -> None:
    """At first it may be about a record that was written a moment ago."""
    seen = last(lived, topic, lambda x: topic != "stock-changelog" or x.key.startswith(b"stock|S2|"))
    if topic == "stock-changelog":
        row = MSGPACK.decode(seen.value[20:])
        row[0] = 9_999 << 10
        value = seen.value[:8] + (9_999).to_bytes(8, "big") + bytes(4) + MSGPACK.encode(row)
    else:
        said = told(seen)
        if topic == "reservations":
            said["offset"] = 9_999
        for of in (said, *said.get("locations", ())):
            if "version" in of:
                of["version"][1] = 9_999
        value = msgspec.json.encode(said)
    lived.append(topic, seen.partition, value, seen.key)

    assert looking_on() == []
    (finding,) = looking_on()

    assert (finding.topic, finding.partition) == (topic, seen.partition)
    assert finding.offset == len(lived.topics[topic, seen.partition]) - 1
    assert looking_on() == []


def test_an_answer_given_again_with_other_words_after_the_first_was_folded(lived: Any, looking_on: Any) -> None:
    seen = last(lived, "orders", lambda x: b"reserve_answered" in x.value)
    answer = next(x for x in items_of(seen) if x["type"] == "reserve_answered")
    lived.append("orders", seen.partition, msgspec.json.encode(answer))
    lived.turn()
    assert looking_on() == []
    other = {k: v for k, v in answer.items() if k != "refused"}
    lived.append("orders", seen.partition, msgspec.json.encode(
        other | {"parts": [{"sku": "S0", "quantity": 1, "location": "W9"}]}))  # fmt: skip
    lived.turn()

    (finding,) = looking_on()

    assert (finding.rule, finding.subject) == ("one_answer", answer["order_id"])


def test_a_copy_that_comes_after_its_row_changed_again_is_no_finding(lived: Any, looking_on: Any) -> None:
    """A worker that was taken over from may write so; nobody reads it any more."""
    seen = next(x for x in lived.source("stock-changelog") if x.key.startswith(b"stock|S1|"))
    lived.append("stock-changelog", seen.partition, seen.value, b"stock|S1|W1|w9")

    assert looking_on() == []


def test_every_rule_is_proven_by_a_lie_that_breaks_it() -> None:
    """The names that `found` is called with, in the tests of this folder."""
    proven: set[str] = set()
    for path in Path(__file__).parent.glob("test_*.py"):
        for test in ast.walk(ast.parse(path.read_text())):
            if isinstance(test, ast.FunctionDef) and test.name.startswith("test_") and _looks_for_a_finding(test):
                words = {x.value for x in ast.walk(test) if isinstance(x, ast.Constant) and isinstance(x.value, str)}
                proven |= words & RULES.keys()

    assert RULES.keys() - proven == set()


def test_every_rule_is_documented() -> None:
    page = (Path(__file__).parents[2] / "docs" / "audit.md").read_text()

    assert [line for rule, text in RULES.items() if (line := f"| `{rule}` | {text} |") not in page] == []


def _looks_for_a_finding(test: ast.FunctionDef) -> bool:
    names = {x.id for x in ast.walk(test) if isinstance(x, ast.Name)}
    return bool(names & {"found", "finding"})


def test_findings_are_bounded(lived: Any) -> None:
    for topic in ("reservations", "stock-levels", "order-changelog", "stock-changelog", "order-status"):
        for place, log in lived.topics.items():
            if place[0] == topic:
                log.clear()
    for n in range(200):
        lived.append("reservations", 0, b"{", f"x{n}".encode())

    report = lived.audit()

    assert len(report["findings"]) == 100
    assert report["more_findings"] > 100
