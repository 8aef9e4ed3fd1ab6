"""`tail` follows a topic line by line, and stops when it is told to, when it has enough, or when nobody reads it."""

from __future__ import annotations

import json
import os
import signal

import pytest

from streams import logs
from streams.agents.stock import step
from streams.brokers.embedded import start_embedded
from streams.brokers.process import free_port
from streams.commands import tailing
from streams.commands.tailing import ASK_SECONDS, AWAY_SECONDS, Patience
from streams.reader import ReadStalled
from tables import records as r
from tables.codec import encode, pack
from tables.outcome import At, place_of
from tables.rows import PartitionRow, lot_key
from tables.rows import encode as encode_row
from tables.store import version_bytes
from tables.table import Table

EVERYTHING = ("--from-beginning", "--json")


def _lines(told) -> list[dict]:
    return [json.loads(line) for line in told.stdout.splitlines()]


def _alert(sku: str) -> r.Alert:
    return r.Alert(
        id=f"{sku}:low", sku=sku, location="W1", kind="low", available=1, shortage=0, reorder_point=5, version=(1, 2, 0)
    )


def _following(shop, *arguments):
    """The command, once it stands at the end of the topic: what comes from now on is shown."""
    process = shop.start("tail", *arguments)
    assert process.stderr.readline().startswith(b"following")
    return process


def test_a_line_of_json_has_the_place_the_key_the_value_and_the_headers(shop):
    shop.publish("alerts", "BJ-1", _alert("BJ-1"), headers=[("ce_id", b"BJ-1:low")])
    [line] = _lines(shop.run("tail", "alerts", *EVERYTHING, "--limit", "1"))
    assert line.pop("time").endswith("Z")
    assert line == {
        "topic": "alerts", "partition": shop.partition("BJ-1"), "offset": 0, "index": 0, "key": "BJ-1",
        "value": json.loads(encode(_alert("BJ-1"))), "headers": {"ce_id": "BJ-1:low"},
    }  # fmt: skip


def test_items_of_a_packed_record_are_shown_one_by_one_with_their_index(shop):
    holds = [r.Hold(id=f"o-{n}:1:0", order_id=f"o-{n}", attempt=1) for n in range(3)]
    shop.send("warehouse", pack([encode(hold) for hold in holds]), partition=2)
    lines = _lines(shop.run("tail", "warehouse", *EVERYTHING, "--limit", "7"))  # four opened the log
    packed = [line for line in lines if line["value"]["type"] == "hold"]
    assert [(x["partition"], x["offset"], x["index"], x["key"]) for x in packed] == [
        (2, 1, 0, None), (2, 1, 1, None), (2, 1, 2, None),
    ]  # fmt: skip
    assert [x["value"]["order_id"] for x in packed] == ["o-0", "o-1", "o-2"]


def test_it_starts_at_the_end_and_shows_each_record_as_it_comes(shop):
    shop.publish("alerts", "BJ-1", _alert("BJ-1"))
    process = _following(shop, "alerts", "--json", "--limit", "2")
    for sku in ("BJ-2", "BJ-3"):
        shop.publish("alerts", sku, _alert(sku))
        assert json.loads(process.stdout.readline())["key"] == sku  # there before the next one is sent
    assert process.wait(30) == 0


def test_a_key_finds_its_records_and_the_packed_items_that_speak_of_it(shop):
    asked = r.Reserve(
        id="o-1:1:0", order_id="o-1", attempt=1, order_partition=0, lines=[r.Line("BJ-1", 2)], locations=["W1"]
    )
    other = r.Hold(id="o-2:1:0", order_id="o-2", attempt=1)
    shop.send("warehouse", pack([encode(other), encode(asked)]), partition=shop.partition("BJ-1"))
    shop.publish("warehouse", "BJ-1", r.SkuDefined(id="define", sku="BJ-1"))
    by_sku = _lines(shop.run("tail", "warehouse", *EVERYTHING, "--key", "BJ-1", "--limit", "2"))
    by_order = _lines(shop.run("tail", "warehouse", *EVERYTHING, "--key", "o-1", "--limit", "1"))
    assert [(x["value"]["id"], x["index"]) for x in by_sku] == [("o-1:1:0", 1), ("define", 0)]
    assert [x["value"]["id"] for x in by_order] == ["o-1:1:0"]


def test_values_that_are_no_json_or_span_lines_are_one_line_each(shop):
    key = b"same"  # one partition: in the order sent
    for value in (b'{"a":\n 12345678901234567890123}', b"\xff\nno json", b"", None):
        shop.send("dead-letters", value, key=key)
    out = shop.run("tail", "dead-letters", *EVERYTHING, "--limit", "4").stdout
    assert [line["value"] for line in map(json.loads, out.splitlines())] == [
        {"a": 12345678901234567890123}, "\\xff\nno json", "", None,
    ]  # fmt: skip


def test_text_is_a_line_per_record_that_a_terminal_does_not_obey(shop):
    shop.send("dead-letters", '{"a": "red\\u001b\x9b31m"}'.encode(), key=b"k\x1b[2J")
    [line] = shop.run("tail", "dead-letters", "--from-beginning", "--limit", "1").stdout.splitlines()
    assert line.startswith("dead-letters[")
    assert line.isprintable()


def test_a_row_of_a_changelog_is_shown_with_its_version(shop):
    place = place_of(7, 3)
    fact = r.Received(id="in", sku="BJ-1", location="W1", quantity=12, lot="L1", best_before="2027-01-31")
    opened = PartitionRow(place_of(0), 9, 0, 4, 1, r.Limits(), 0, 0)
    row = step(Table(), fact, At(place, 1_234_567), opened).rows[lot_key("BJ-1", "W1", "L1")]
    shop.send("stock-changelog", version_bytes(9, place) + encode_row(row), key=b"lot|BJ-1|W1|L1|writer")
    [line] = _lines(shop.run("tail", "stock-changelog", *EVERYTHING, "--limit", "1"))
    assert line["version"] == [9, 7, 3]
    assert (line["value"]["sku"], line["value"]["on_hand"]) == ("BJ-1", 12)


def test_an_unknown_topic_is_refused_with_the_nearest_name_and_all_others(commands):
    told = commands.run("tail", "stock-level", code=2)
    assert told.stdout == ""
    assert "Did you mean stock-levels?" in told.stderr
    assert "dead-letters" in told.stderr


def test_a_limit_below_one_is_refused(commands):
    assert "for --limit. Must be >= 1" in commands.run("tail", "alerts", "--limit", "0", code=2).stderr


def test_a_closed_pipe_ends_it_quietly_even_if_nothing_comes(shop):
    process = _following(shop, "alerts")
    process.stdout.close()
    assert process.wait(30) != 0
    assert process.stderr.read() == b""


def test_a_pipe_closed_in_the_middle_ends_it_quietly(shop):
    for n in range(3):
        shop.publish("alerts", f"BJ-{n}", _alert(f"BJ-{n}"))
    process = _following(shop, "alerts", "--from-beginning")
    process.stdout.readline()
    process.stdout.close()
    shop.publish("alerts", "BJ-9", _alert("BJ-9"))
    assert process.wait(30) != 0
    assert process.stderr.read() == b""


def test_ctrl_c_ends_it_cleanly(shop):
    process = _following(shop, "alerts")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (0, b"", b"")


# -- a broker that is away ---------------------------------------------------------------------------------------------


class Line:
    """To a broker that answers or does not, and a clock; what the person was told."""

    def __init__(self, monkeypatch) -> None:
        self.now, self.up, self.asked, self.told = 0.0, True, 0, []
        monkeypatch.setattr(tailing.time, "monotonic", lambda: self.now)
        monkeypatch.setattr(tailing, "say", self.told.append)

    def is_answered(self) -> bool:
        self.asked += 1
        return self.up

    def wait(self, patience, seconds, *, heard=False):
        until = self.now + seconds
        while self.now < until:
            self.now += 0.2
            patience.look(heard=heard)


def test_a_broker_with_records_is_not_asked_and_a_silent_one_is_now_and_then(monkeypatch):
    line = Line(monkeypatch)
    patience = Patience(line, forgets=False)
    line.wait(patience, 60, heard=True)
    assert line.asked == 0
    line.wait(patience, 60)
    assert 60 / ASK_SECONDS - 2 <= line.asked <= 60 / ASK_SECONDS
    assert line.told == []


def test_a_broker_that_is_away_is_told_once_waited_for_and_told_when_it_is_back(monkeypatch):
    line = Line(monkeypatch)
    patience = Patience(line, forgets=False)
    line.up = False
    line.wait(patience, AWAY_SECONDS - 2 * ASK_SECONDS)
    assert line.told == [f"the broker does not answer; waiting for it, {AWAY_SECONDS:.0f} s at most"]
    line.up = True
    line.wait(patience, 2 * ASK_SECONDS)
    assert line.told[1:] == ["the broker answers again"]
    line.up = False
    with pytest.raises(ReadStalled, match="has not answered for 60 s"):
        line.wait(patience, AWAY_SECONDS + 2 * ASK_SECONDS)


def test_a_broker_that_forgets_its_log_ends_it_when_it_is_back(shop, tmp_path):
    """Its new log may have other records at the offsets that come next."""
    with start_embedded(f"127.0.0.1:{free_port()}", tmp_path) as broker:
        here = shop.with_settings(bootstrap=broker.address)
        logs.apply(here.settings, 4)
        process = _following(here, "alerts")
        os.kill(broker.pid, signal.SIGSTOP)
        try:
            assert process.stderr.readline() == b"the broker does not answer; waiting for it, 60 s at most\n"
        finally:
            os.kill(broker.pid, signal.SIGCONT)
        assert process.stderr.read() == b"smokehouse: the broker was away; its log may be another one now\n"
        assert process.wait(30) == 3
