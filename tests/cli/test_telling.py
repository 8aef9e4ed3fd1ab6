"""`tell` writes what the codec reads, where its key belongs, and nothing at all if something is wrong with it."""

from __future__ import annotations

import json
import shlex

import msgspec
import pytest

from streams.commands import vocabulary as v
from streams.commands.telling import example_line
from streams.reader import read_to_end
from streams.topics import LOGS
from tables import records as r
from tables.codec import encode
from tables.examples import example

PARTITIONS = 4
RECEIVED = ("received", "sku=BJ-1", "location=W1", "quantity=5", "lot=L1")


def written(shop):
    """What stands on both logs behind `log_opened`: (topic, partition, key, record)."""
    return [
        (topic.name, message.partition(), message.key(), json.loads(message.value()))
        for topic in LOGS
        for batch in read_to_end(shop.settings, topic.name, contiguous=True)
        for message in batch
        if b'"log_opened"' not in message.value()
    ]


def tell_lines(shop, text, *arguments, code=0):
    file = shop.settings.home / "told.jsonl"
    file.write_text(text, encoding="utf-8")
    return shop.run("tell", *arguments, "--json", str(file), code=code)


# ---- pure: which records, which fields


def test_every_record_of_a_log_can_be_told_or_is_the_systems_own():
    for kinds in v.LOG_RECORDS.values():
        for kind in kinds:
            assert (kind in v.TOLD.values()) != (kind in v.ITS_OWN), kind
    assert v.TOLD.keys().isdisjoint(v.NOT_TOLD)
    assert {instead for instead in v.NOT_TOLD.values() if instead} <= v.TOLD.keys()


@pytest.mark.parametrize("name", v.TOLD)
def test_every_type_has_a_meaning_and_an_example_that_is_no_cause_for_complaint(name):
    kind = v.TOLD[name]
    assert v.meaning(kind)
    said = msgspec.to_builtins(example(kind))
    fields = {field: value for field, value in said.items() if field not in v.OURS}
    assert list(v.complaints(kind, fields)) == []
    words = shlex.split(example_line(kind))[3:]
    assert v.typed(kind, dict(word.split("=", 1) for word in words)) == fields


@pytest.mark.parametrize(("kind", "given", "sentence"), [
    (r.Received, {"quantity": 0}, "quantity: 0 is not allowed; give a whole number, 1 to 1,000,000,000"),
    (r.Received, {"quantity": "many"}, "quantity: 'many' is not allowed; give a whole number, 1 to 1,000,000,000"),
    (r.Received, {"quantity": True}, "quantity: true is not allowed; give a whole number, 1 to 1,000,000,000"),
    (r.Received, {"best_before": "soon"}, "best_before: 'soon' is not allowed; give a day, YYYY-MM-DD"),
    (r.Received, {"sku": "a b"}, "sku: 'a b' is not allowed; give 1 to 64 letters, digits or . _ : -"),
    (r.Received, {"status": "recalled"},
     "status: 'recalled' is not allowed; give one of: approved, inspection, on_hold"),
    (r.Received, {"lott": "L"}, "lott: there is no such field; there are: sku, location, quantity, lot, best_before, "
     "produced, supplier, status, reference, occurred_at"),
    (r.KitSet, {"kit": "K", "parts": [{"sku": "A", "quantity": 1}, {"sku": "B"}]},
     "parts[1].quantity is missing: a whole number, 1 to 10,000"),
    (r.KitSet, {"kit": "K", "parts": [{"sku": "A", "quantity": 1, "x": 2}]},
     "parts[0].x: there is no such field; there are: sku, quantity"),
    (r.KitSet, {"kit": "K", "parts": "A"}, "parts: 'A' is not allowed; give a list of: {sku: 1 to 64 letters, digits "
     "or . _ : -; quantity: a whole number, 1 to 10,000} (at most 50)"),
    (r.OrderEdited, {"order_id": "o", "lines": []}, "lines: [] is not allowed; give a list of: {sku: text, 1 to 128 "
     "characters; quantity: a whole number, 0 to 1,000,000,000} (1 to 100 of them)"),
])  # fmt: skip
def test_a_complaint_names_the_field_and_what_is_allowed(kind, given, sentence):
    whole = {name: value for name, value in msgspec.to_builtins(example(kind)).items() if name not in v.OURS}
    assert list(v.complaints(kind, whole | given)) == [sentence]


def test_everything_that_is_wrong_is_told_at_once_and_nothing_long_is_quoted():
    wrong = list(v.complaints(r.Received, {"sku": "x" * 500, "location": "W1", "quantity": -1}))
    assert [text.partition(" ")[0] for text in wrong] == ["sku:", "quantity:", "lot"]
    assert len(wrong[0]) < 200


# ---- one record


def test_a_fact_stands_in_its_skus_partition_and_its_id_is_told(shop):
    told = shop.run("tell", *RECEIVED, "best_before=2027-01-31")
    [(topic, partition, key, value)] = written(shop)
    assert (topic, partition, key) == ("warehouse", shop.partition("BJ-1"), b"BJ-1")
    assert told.stdout == f"{value['id']}\n"
    assert value.pop("time").endswith("Z")
    assert value == {"type": "received", "id": told.stdout.strip(), "sku": "BJ-1", "location": "W1", "quantity": 5,
                     "lot": "L1", "best_before": "2027-01-31"}  # fmt: skip


def test_an_order_has_nested_lines_and_a_list_with_commas(shop):
    shop.run("tell", "order_placed", "order_id=o/1", "channel=shop", 'lines=[{"sku": "BJ-1", "quantity": 2}]',
             "locations=W1, W2", "payment=paid", "--id", "placed-1")  # fmt: skip
    [(topic, partition, key, value)] = written(shop)
    assert (topic, partition, key) == ("orders", shop.partition("o/1"), b"o/1")
    assert (value["id"], value["locations"]) == ("placed-1", ["W1", "W2"])
    assert value["lines"] == [{"sku": "BJ-1", "quantity": 2}]


@pytest.mark.parametrize(("words", "topics"), [
    (("channel_set", "channel=web", "minimum_life_days=30"), ["orders", "warehouse"]),
    (("kit_set", "kit=TRIO", 'parts=[{"sku": "BJ-1", "quantity": 3}]'), ["orders"]),
    (("recall_opened", "lot=L1", "mock=true"), ["warehouse"]),
])  # fmt: skip
def test_what_is_for_everybody_stands_once_in_every_partition_with_one_id(shop, words, topics):
    shop.run("tell", *words)
    found = written(shop)
    assert [(topic, partition) for topic, partition, _, _ in sorted(found, key=lambda x: x[:2])] == [
        (topic, partition) for topic in topics for partition in range(PARTITIONS)
    ]
    assert {key for _, _, key, _ in found} == {None}
    assert len({encode(value) for *_, value in found}) == 1


@pytest.mark.parametrize(("words", "sentence"), [
    (("received", "sku=BJ-1", "location=W1", "quantity=-5", "lot=L1"), "quantity: -5 is not allowed"),
    (("received", "sku=BJ-1"), "location is missing"),
    (("received", "sku"), "'sku': give FIELD=VALUE"),
    ((*RECEIVED, "lot=L2"), "lot is given twice"),
    ((*RECEIVED, "id=x"), "there is --id"),
    ((*RECEIVED, "--id", "x" * 257), "id: give text, 1 to 256 characters"),
    (("recieved",), "Did you mean received?"),
    (("reserve_answered", "order_id=o"), "what the system says to itself"),
    (("picked", "sku=BJ-1"), "tell it order_picked"),
    ((*RECEIVED, "--json", "no-such-file"), "No such file"),
])  # fmt: skip
def test_what_is_wrong_is_said_and_nothing_is_written(shop, words, sentence):
    told = shop.run("tell", *words, code=2)
    assert sentence in told.stderr
    assert told.stdout == ""
    assert written(shop) == []


def test_a_dry_run_shows_the_record_and_where_it_would_go_without_a_broker(commands):
    shown = json.loads(commands.run("tell", *RECEIVED, "--id", "in-1", "--dry-run").stdout)
    assert (shown["topic"], shown["key"], shown["every_partition"]) == ("warehouse", "BJ-1", False)
    assert shown["record"]["id"] == "in-1"


def test_nothing_is_written_ahead_of_a_log_that_is_not_open(commands):
    assert "topics apply" in commands.run("tell", *RECEIVED, code=3).stderr


def test_alone_it_lists_the_types_and_with_one_its_fields_and_an_example(commands):
    listed = commands.run("tell").stdout
    assert all(f"│ {name} " in listed for name in v.TOLD)
    assert not any(f"│ {name} " in listed for name in v.NOT_TOLD)
    described = commands.run("tell", "received").stdout
    assert "a whole number, 1 to 1,000,000,000" in described
    assert described.strip().splitlines()[-1] == example_line(r.Received)


# ---- a file of them


def test_lines_of_several_types_go_to_their_logs_in_order(shop):
    lines = [
        {"type": "received", "id": "in-1", "sku": "BJ-1", "location": "W1", "quantity": 5, "lot": "L1"},
        {"type": "adjusted", "id": "adj-1", "sku": "BJ-1", "location": "W1", "quantity": -1, "reason": "damaged"},
        {"type": "payment_captured", "order_id": "o-1"},
    ]
    told = tell_lines(shop, "\n\n".join(map(json.dumps, lines)) + "\n")
    found = written(shop)
    assert [value["type"] for topic, *_, value in found if topic == "warehouse"] == ["received", "adjusted"]
    assert [value["type"] for topic, *_, value in found if topic == "orders"] == ["payment_captured"]
    assert told.stdout.split()[:2] == ["in-1", "adj-1"]
    assert told.stdout.split()[2] == next(value["id"] for topic, *_, value in found if topic == "orders")
    assert "3 records written" in told.stderr


def test_the_type_and_fields_named_before_the_file_are_those_of_every_line_without(shop):
    lines = '{"sku": "BJ-1", "lot": "L1"}\n{"sku": "BJ-2", "lot": "L1", "quantity": 9}\n'
    tell_lines(shop, lines, "received", "location=W1", "quantity=4")
    assert sorted((value["sku"], value["quantity"], value["location"]) for *_, value in written(shop)) == [
        ("BJ-1", 4, "W1"), ("BJ-2", 9, "W1"),
    ]  # fmt: skip


@pytest.mark.parametrize(("line", "sentence"), [
    ('{"sku": "BJ-1", "lot": "L1"}', "line 2: quantity is missing"),
    ("{", "line 2: no JSON"),
    ("[]", "line 2: no JSON object"),
    ('{"type": "counted", "sku": "BJ-1"}', "line 2: type: this is counted, and only received was announced"),
    ('{"type": "tick", "now_ms": 1}', "line 2: tick is what the system says to itself"),
])  # fmt: skip
def test_one_wrong_line_is_named_and_none_is_written(shop, line, sentence):
    right = '{"sku": "BJ-1", "lot": "L1", "quantity": 1}'
    told = tell_lines(shop, f"{right}\n{line}\n{right}\n", "received", "location=W1", code=2)
    assert sentence in told.stderr
    assert told.stdout == ""
    assert written(shop) == []


def test_a_byte_order_mark_is_no_part_of_the_first_line(shop):
    line = json.dumps({"sku": "BJ-1", "location": "W1", "quantity": 1, "lot": "L1", "id": "in-1"})
    assert tell_lines(shop, f"\ufeff{line}\r\n", "received").stdout == "in-1\n"
    assert "not one record" in tell_lines(shop, "\ufeff", "received", code=2).stderr
    assert "line 2: no JSON" in tell_lines(shop, f"{line}\n\ufeff{line}\n", "received", code=2).stderr


def test_stdin_is_read_to_its_end(shop):
    file = shop.settings.home / "lines"
    file.write_text("".join(json.dumps({"sku": f"BJ-{n}", "lot": "L1"}) + "\n" for n in range(300)))
    with file.open("rb") as lines:
        process = shop.start("tell", "received", "location=W1", "quantity=1", "--json", "-", stdin=lines)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err.decode()
    assert len(set(out.split())) == 300
    assert {value["sku"] for *_, value in written(shop)} == {f"BJ-{n}" for n in range(300)}
    assert all(partition == shop.partition(value["sku"]) for _, partition, _, value in written(shop))


def test_an_empty_file_and_an_id_for_many_are_refused(shop):
    assert "not one record" in tell_lines(shop, "\n", "received", code=2).stderr
    assert "each line has its own" in tell_lines(shop, "{}", "received", "--id", "x", code=2).stderr


# ---- plans


def plans(shop):
    return [
        (message.partition(), message.key(), json.loads(message.value()))
        for batch in read_to_end(shop.settings, "planning", contiguous=True)
        for message in batch
    ]


def test_a_plan_stands_under_its_key_in_the_one_partition_and_on_no_log(shop):
    shop.run("tell", "supplier_terms", "supplier=Hill Country", "lead_days=7", "order_weekdays=mon,thu", "--id", "s-1")
    shop.run("tell", "promotion_planned", "promotion=P1", "sku=BJ-1", "first_day=2026-03-02", "last_day=2026-03-03",
             "depth=0.25")  # fmt: skip
    (first, key, terms), (second, other, _) = plans(shop)
    assert (first, key, second, other) == (0, b"supplier|Hill Country", 0, b"promotion|P1")
    assert terms.pop("time")
    assert terms == {"type": "supplier_terms", "id": "s-1", "supplier": "Hill Country", "lead_days": 7,
                     "order_weekdays": ["mon", "thu"]}  # fmt: skip
    assert written(shop) == []


@pytest.mark.parametrize(("words", "sentence"), [
    (("supplier_terms", "supplier=A", "lead_days=400"), "lead_days: 400 is not allowed; give a whole number, 0 to 365"),
    (("supplier_terms", "supplier=A", "lead_days=1", "order_weekdays=monday"), "give one of: fri, mon, sat"),
    (("supply", "sku=BJ-1", "case_pack=0"), "case_pack: 0 is not allowed"),
    (("promotion_planned", "promotion=P", "sku=S", "first_day=2026-03-02", "last_day=2026-03-03", "depth=2"),
     "depth: 2 is not allowed; give a number, 0 to 1"),
    (("promotion_planned", "promotion=P", "sku=S", "first_day=2026-03-02", "last_day=2026-03-01", "depth=0.5"),
     "last_day: before first_day"),
])  # fmt: skip
def test_a_plan_that_is_wrong_is_refused_and_nothing_is_written(shop, words, sentence):
    assert sentence in shop.run("tell", *words, code=2).stderr
    assert plans(shop) == []


def test_lines_of_a_file_may_be_plans(shop):
    lines = ['{"type": "supply", "sku": "BJ-1", "supplier": "A", "case_pack": 12}', '{"type": "supply", "sku": "BJ-2"}']
    tell_lines(shop, "\n".join(lines))
    assert [key for _, key, _ in plans(shop)] == [b"supply|BJ-1", b"supply|BJ-2"]
