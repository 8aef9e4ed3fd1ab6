"""The audit beside a real worker while traffic flows: it finds nothing, until somebody lies; then it names the lie.

Each kind of lie that can be told from outside is written to the live topics, one after another, and must be named with
its rule, its subject and its position within `NAMED_SECONDS`.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from confluent_kafka import Producer

from bench.children import end
from proof.audit.collect import Moment, Watch
from proof.audit.core import Cut
from streams import ends, logs
from streams.brokers.embedded import start_embedded
from streams.brokers.process import free_port
from streams.commands.following import Following, _Stopped
from streams.reader import ReadError, read_to_end
from streams.settings import Settings, from_environment, producer_config
from tables import records as r
from tables.codec import encode
from tables.murmur2 import partition_of, partition_of_sku
from tables.store import version_bytes

ROOT = Path(__file__).resolve().parents[2]
PARTITIONS = 2
NAMED_SECONDS = 10.0  # what docs/audit.md promises; it takes about two
READY_SECONDS = 60.0
ORDERS_SECOND = 15
MSGPACK = msgspec.msgpack
QUIET = ("Q0", "Q1", "Q2", "Q3", "Q4", "Q5", "Q6")  # SKUs that nobody orders


def settings_on(broker: Any, home: Path) -> Settings:
    return Settings(home=home, bootstrap=broker.address, api="127.0.0.1:1", demo=False, prefix="live-", embedded=True)


class Shop:
    """A worker, and orders that come all the time."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.env = os.environ | {
            "SMOKEHOUSE_HOME": str(settings.home), "SMOKEHOUSE_BOOTSTRAP": settings.bootstrap,
            "PYTHONPATH": str(ROOT), "SMOKEHOUSE_PREFIX": settings.prefix, "SMOKEHOUSE_API": settings.api,
        }  # fmt: skip
        self.placed = 0
        self._producer = Producer(producer_config(settings))
        self._over = threading.Event()
        self._traffic = threading.Thread(target=self._order_on)

    def open(self) -> None:
        logs.apply(self.settings, PARTITIONS)
        for sku in ("A", "B", *QUIET):
            fact = r.Received(id=f"in-{sku}", sku=sku, location="W1", lot="L1", quantity=100_000)
            self._producer.produce(self.settings.prefix + "warehouse", encode(fact), sku)
        assert self._producer.flush(20) == 0
        self._traffic.start()

    def close(self) -> None:
        self._over.set()
        self._traffic.join(20)

    def start(self, *command: str, log: str) -> subprocess.Popen[bytes]:
        with (self.settings.home / log).open("wb") as err:
            return subprocess.Popen([sys.executable, "-m", "streams.cli", *command], env=self.env, cwd=ROOT,
                                    stdout=subprocess.PIPE, stderr=err)  # fmt: skip

    def _order_on(self) -> None:
        while not self._over.wait(1 / ORDERS_SECOND):
            n = self.placed
            order = r.OrderPlaced(id=f"o{n}", order_id=f"o{n}", channel="shop", lines=[r.Line("A", 1), r.Line("B", 1)],
                                  locations=["W1"], payment="paid")  # fmt: skip
            self._producer.produce(self.settings.prefix + "orders", encode(order), order.order_id)
            self._producer.poll(0)
            self.placed += 1
        self._producer.flush(10)

    # ---- what stands in its topics, and lies about it

    def last(self, topic: str, good: Callable[[Any], bool]) -> Any:
        found = [m for batch in read_to_end(self.settings, topic, contiguous=False) for m in batch if m.value()]
        return [m for m in found if good(m)][-1]

    def decided(self) -> int:
        return sum(len(batch) for batch in read_to_end(self.settings, "reservations", contiguous=False))

    def write(
        self, topic: str, value: bytes, key: bytes | None, partition: int, headers: list[Any] | None = None
    ) -> int:
        """The offset at which it stands."""
        offsets: list[int] = []
        self._producer.produce(self.settings.prefix + topic, value, key, partition, headers=headers,
                               on_delivery=lambda error, m: offsets.append(m.offset()))  # fmt: skip
        until = time.monotonic() + 30
        while not offsets and time.monotonic() < until:
            self._producer.poll(0.01)
        return offsets[0]


class Auditor:
    """`smokehouse audit --follow --json`, and the rounds it has told of."""

    def __init__(self, shop: Shop) -> None:
        self.process = shop.start("audit", "--follow", "--json", "--every", "0.3", log="audit.log")
        self._lines: queue.Queue[dict[str, Any]] = queue.Queue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        for line in self.process.stdout or ():
            self._lines.put(json.loads(line))

    def next(self, seconds: float) -> dict[str, Any]:
        return self._lines.get(timeout=seconds)

    def until(self, good: Callable[[dict[str, Any]], bool], seconds: float) -> dict[str, Any]:
        """The next round that is `good`."""
        end = time.monotonic() + seconds
        line: dict[str, Any] = {}
        new: list[Any] = []
        while time.monotonic() < end:
            try:
                line = self.next(max(0.1, end - time.monotonic()))
            except queue.Empty:
                break
            if good(line):
                return line
            new += line["new"]
        raise AssertionError(f"not within {seconds} s; new meanwhile: {new}; the last round: {line}")

    def end(self, number: int) -> tuple[int, dict[str, Any]]:
        """Exit code and report, after a signal."""
        self.process.send_signal(number)
        code = self.process.wait(20)
        self._reader.join(10)
        last: dict[str, Any] = {}
        while not self._lines.empty():
            last = self._lines.get()
        return code, last["report"]


@pytest.fixture
def shop(embedded_settings: Settings) -> Iterator[Shop]:
    shop = Shop(embedded_settings)
    shop.open()
    worker = shop.start("worker", log="worker.log")
    try:
        yield shop
    finally:
        shop.close()
        end(worker)


@pytest.fixture
def auditor(shop: Shop) -> Iterator[Auditor]:
    auditor = Auditor(shop)
    try:
        yield auditor
    finally:
        if auditor.process.poll() is None:
            auditor.process.kill()
            auditor.process.wait(5)


# -- lies: each writes one record and says (rule, subject, topic, partition, offset); no position: it is another's -----


def level_of(shop: Shop, sku: str) -> tuple[Any, dict[str, Any]]:
    seen = shop.last("stock-levels", lambda m: m.key() == sku.encode())
    return seen, json.loads(seen.value())


def a_level_with_one_unit_more(shop: Shop) -> tuple[Any, ...]:
    seen, said = level_of(shop, "Q0")
    for of in (said, said["locations"][0]):
        of["on_hand"] += 1
        of["available"] += 1
    offset = shop.write("stock-levels", json.dumps(said).encode(), b"Q0", seen.partition())
    return "level", "Q0", "stock-levels", seen.partition(), offset


def a_level_whose_parts_do_not_add_up(shop: Shop) -> tuple[Any, ...]:
    seen, said = level_of(shop, "Q1")
    said["locations"][0]["reserved"] += 1
    offset = shop.write("stock-levels", json.dumps(said).encode(), b"Q1", seen.partition())
    return "identity", "Q1", "stock-levels", seen.partition(), offset


def a_level_whose_lots_do_not_add_up(shop: Shop) -> tuple[Any, ...]:
    seen, said = level_of(shop, "Q2")
    said["locations"][0]["lots"][0]["on_hand"] += 1
    offset = shop.write("stock-levels", json.dumps(said).encode(), b"Q2", seen.partition())
    return "conservation", "Q2", "stock-levels", seen.partition(), offset


def a_level_of_a_version_to_come(shop: Shop) -> tuple[Any, ...]:
    seen, said = level_of(shop, "Q3")
    for of in (said, said["locations"][0]):
        of["version"][1] += 1_000_000
    offset = shop.write("stock-levels", json.dumps(said).encode(), b"Q3", seen.partition())
    return "level", "Q3", "stock-levels", seen.partition(), offset


def a_day_on_which_nobody_ordered(shop: Shop) -> tuple[Any, ...]:
    seen, level = level_of(shop, "Q6")
    said = r.Demand(
        id="lie", sku="Q6", location="W1", day="2026-01-01", ordered=1, orders=1, refused=0, stockout_hours=[],
        version=tuple(level["version"]),
    )  # fmt: skip
    offset = shop.write("demand", encode(said), b"Q6|W1|2026-01-01", seen.partition())
    return "demand", "Q6", "demand", seen.partition(), offset


def a_row_of_a_later_version_with_less_than_nothing(shop: Shop) -> tuple[Any, ...]:
    """What recovery would take for the truth: another writer's, and newer."""
    seen = shop.last("stock-changelog", lambda m: m.key().startswith(b"stock|Q4|"))
    log_id, at = int.from_bytes(seen.value()[:8], "big"), int.from_bytes(seen.value()[8:16], "big")
    row = MSGPACK.decode(seen.value()[20:])
    row[0], row[3] = at + 1 << 10, -5
    value = version_bytes(log_id, at + 1 << 10) + MSGPACK.encode(row)
    offset = shop.write("stock-changelog", value, b"stock|Q4|W1|liar", seen.partition())
    return "changelog", "Q4", "stock-changelog", seen.partition(), offset


def a_lot_with_two_contents_of_one_version(shop: Shop) -> tuple[Any, ...]:
    seen = shop.last("stock-changelog", lambda m: m.key().startswith(b"lot|Q5|"))
    row = MSGPACK.decode(seen.value()[20:])
    row[6] += 1
    value = seen.value()[:20] + MSGPACK.encode(row)
    offset = shop.write("stock-changelog", value, b"lot|Q5|W1|L1|liar", seen.partition())
    return "two_contents", "Q5", "stock-changelog", seen.partition(), offset


def decided(shop: Shop, n: int) -> tuple[Any, dict[str, Any]]:
    seen = shop.last("reservations", lambda m: m.key() == f"o{n}".encode())
    return seen, json.loads(seen.value())


def a_second_decision(shop: Shop) -> tuple[Any, ...]:
    seen, said = decided(shop, 1)
    value = json.dumps(said | {"status": "rejected", "reason": "insufficient"}).encode()
    return "one_decision", "o1", "reservations", seen.partition(), shop.write(
        "reservations", value, b"o1", seen.partition())  # fmt: skip


def a_decision_about_nobody(shop: Shop) -> tuple[Any, ...]:
    _, said = decided(shop, 2)
    value = json.dumps(said | {"order_id": "nobody"}).encode()
    return "unknown_order", "nobody", "reservations", 0, shop.write("reservations", value, b"nobody", 0)


def a_decision_by_a_record_to_come(shop: Shop) -> tuple[Any, ...]:
    seen, said = decided(shop, 3)
    value = json.dumps(said | {"offset": said["offset"] + 1_000_000}).encode()
    return "decision", "o3", "reservations", seen.partition(), shop.write(
        "reservations", value, b"o3", seen.partition())  # fmt: skip


def a_cancellation_of_nothing(shop: Shop) -> tuple[Any, ...]:
    seen, said = decided(shop, 4)
    value = json.dumps(said | {"status": "cancelled"}).encode()
    return "cancellation", "o4", "reservations", seen.partition(), shop.write(
        "reservations", value, b"o4", seen.partition())  # fmt: skip


def an_order_document_in_another_state(shop: Shop) -> tuple[Any, ...]:
    seen = shop.last("order-status", lambda m: m.key() == b"o5")
    value = json.dumps(json.loads(seen.value()) | {"status": "shipped"}).encode()
    return "order_status", "o5", "order-status", seen.partition(), shop.write(
        "order-status", value, b"o5", seen.partition())  # fmt: skip


def an_order_document_whose_line_does_not_add_up(shop: Shop) -> tuple[Any, ...]:
    seen = shop.last("order-status", lambda m: m.key() == b"o6")
    said = json.loads(seen.value())
    said["lines"][0]["quantity"] += 1
    return "line_equation", "o6", "order-status", seen.partition(), shop.write(
        "order-status", json.dumps(said).encode(), b"o6", seen.partition())  # fmt: skip


def an_order_row_of_a_later_version(shop: Shop) -> tuple[Any, ...]:
    seen = shop.last("order-changelog", lambda m: m.key().startswith(b"order|o7|"))
    log_id, at = int.from_bytes(seen.value()[:8], "big"), int.from_bytes(seen.value()[8:16], "big")
    row = MSGPACK.decode(seen.value()[20:])
    row[0] = at + 1 << 10
    value = version_bytes(log_id, at + 1 << 10) + MSGPACK.encode(row)
    return "changelog", "o7", "order-changelog", seen.partition(), shop.write(
        "order-changelog", value, b"order|o7|liar", seen.partition())  # fmt: skip


def an_answer_that_differs_from_the_first(shop: Shop) -> tuple[Any, ...]:
    home, sku_home = partition_of("o8", PARTITIONS), partition_of_sku("A", PARTITIONS)
    answer = r.ReserveAnswered(id=f"o8:1:{sku_home}", order_id="o8", attempt=1, partition=sku_home,
                               parts=[r.Part("A", 1, "W9")])  # fmt: skip
    return "one_answer", "o8", "orders", home, shop.write("orders", encode(answer), b"o8", home)


def an_answer_that_nobody_asked_for(shop: Shop) -> tuple[Any, ...]:
    home = partition_of("o9", PARTITIONS)
    answer = r.ReserveAnswered(id="o9:9:0", order_id="o9", attempt=9, partition=0, parts=[r.Part("A", 1, "W1")])
    return "answer", "o9", "orders", home, shop.write("orders", encode(answer), b"o9", home)


def a_reservation_that_no_order_asked_for(shop: Shop) -> tuple[Any, ...]:
    home = partition_of_sku("Q0", PARTITIONS)
    reserve = r.Reserve(id="ghost:1:0", order_id="ghost", attempt=1, order_partition=partition_of("ghost", PARTITIONS),
                        lines=[r.Line("Q0", 1)], locations=["W1"])  # fmt: skip
    return "leak", "ghost", "warehouse", home, shop.write("warehouse", encode(reserve), b"Q0", home)


def units_given_back_that_an_order_owes(shop: Shop) -> tuple[Any, ...]:
    home = partition_of_sku("A", PARTITIONS)
    release = r.Release(id="o10:release", order_id="o10", attempt=1)
    return "cancellation", "o10", "warehouse", home, shop.write("warehouse", encode(release), b"A", home)


def a_parcel_that_the_order_does_not_know_of(shop: Shop) -> tuple[Any, ...]:
    home = partition_of_sku("A", PARTITIONS)
    fact = r.Shipped(id="o11:shipment:99:0", sku="A", location="W1", quantity=1, order_id="o11", attempt=1)
    shop.write("warehouse", encode(fact), b"A", home)
    return "shipped_once", "o11", "orders", partition_of("o11", PARTITIONS), None


def a_return_that_the_order_does_not_know_of(shop: Shop) -> tuple[Any, ...]:
    home = partition_of_sku("A", PARTITIONS)
    fact = r.Returned(id="o12:return:99:0", sku="A", location="W1", quantity=1, order_id="o12")
    shop.write("warehouse", encode(fact), b"A", home)
    return "returned_once", "o12", "orders", partition_of("o12", PARTITIONS), None


def a_dead_letter_about_a_good_record(shop: Shop) -> tuple[Any, ...]:
    names = {"topic": "orders", "partition": 0, "offset": 1, "index": 0, "exception.message": "made up"}
    headers = [(f"__connect.errors.{name}", str(said).encode()) for name, said in names.items()]
    return "dead_letter", "orders[0]", "dead-letters", 0, shop.write("dead-letters", b"{}", b"x", 0, headers)


LIES = (
    a_level_with_one_unit_more, a_level_whose_parts_do_not_add_up, a_level_whose_lots_do_not_add_up,
    a_level_of_a_version_to_come, a_day_on_which_nobody_ordered, a_row_of_a_later_version_with_less_than_nothing,
    a_lot_with_two_contents_of_one_version, a_second_decision, a_decision_about_nobody,
    a_decision_by_a_record_to_come, a_cancellation_of_nothing, an_order_document_in_another_state,
    an_order_document_whose_line_does_not_add_up, an_order_row_of_a_later_version,
    an_answer_that_differs_from_the_first, an_answer_that_nobody_asked_for, a_reservation_that_no_order_asked_for,
    units_given_back_that_an_order_owes, a_parcel_that_the_order_does_not_know_of,
    a_return_that_the_order_does_not_know_of, a_dead_letter_about_a_good_record,
)  # fmt: skip


@pytest.mark.timeout(300)
def test_every_kind_of_lie_is_named_within_seconds_while_orders_flow(shop: Shop, auditor: Auditor) -> None:
    behind = auditor.until(lambda x: shop.placed > 40 and x["items"] > 400, READY_SECONDS)
    for _ in range(3):
        round_ = auditor.next(READY_SECONDS)
        assert round_["findings"] == 0, round_["new"]
    round_ = auditor.until(lambda x: x["items"] > behind["items"], READY_SECONDS)  # commits come each second
    assert round_["findings"] == 0, round_["new"]
    assert round_["rss_mb"] > 0
    assert set(round_["lag"]) == {"orders", "warehouse"}

    lied_about: set[str] = set()
    for lie in LIES:
        told_at = time.monotonic()
        rule, subject, topic, partition, offset = lie(shop)
        lied_about.add(subject)

        def names_it(line: dict[str, Any]) -> bool:
            return any(
                (x["rule"], x["subject"], x["topic"], x["partition"]) == (rule, subject, topic, partition)  # noqa: B023
                and offset in (None, x["offset"])  # noqa: B023
                for x in line["new"]
            )

        auditor.until(names_it, NAMED_SECONDS)
        print(f"{time.monotonic() - told_at:5.2f} s  {rule:14} {lie.__name__}")
    code, report = auditor.end(signal.SIGTERM)

    assert code == 1
    assert report["ok"] is False
    assert {x["subject"] for x in report["findings"]} == lied_about


def test_it_ends_by_itself_with_nothing_found_and_nothing_left_behind(shop: Shop) -> None:
    until = time.monotonic() + READY_SECONDS
    while shop.decided() < 40:  # the worker's start is no part of it, nor how soon so many orders come
        assert time.monotonic() < until, (shop.settings.home / "worker.log").read_text()[-3000:]
        time.sleep(0.1)
    process = shop.start("audit", "--follow", "--json", "--every", "0.5", "--for", "12", log="audit.log")
    out, _ = process.communicate(timeout=60)

    lines = [json.loads(line) for line in out.splitlines()]

    assert process.returncode == 0, lines[-1]
    assert lines[-1]["report"]["findings"] == []
    assert lines[-1]["report"]["rounds"] == len(lines) - 1 > 3
    assert lines[-2]["items"] > 100
    assert all(lag["not_audited_seconds"] < 10 for lag in lines[-2]["lag"].values())


def test_wherever_a_round_loses_its_broker_librdkafka_says_nothing(monkeypatch, capfd) -> None:
    """It says fifty times a second that nobody listens; the audit tells it once."""
    monkeypatch.setattr(ends, "ASK_SECONDS", 0.5)
    watch = Watch(from_environment({"SMOKEHOUSE_BOOTSTRAP": f"127.0.0.1:{free_port()}"}), "smokehouse")
    read = watch.source(Cut({}, {}, {}, {}))
    for lost in (watch.look, watch.size, lambda: next(read("reservations"))):
        with pytest.raises(ReadError):
            lost()
    watch.close()
    assert capfd.readouterr().err == ""


def test_time_without_a_broker_is_no_standstill(monkeypatch) -> None:
    settings, place, still = from_environment({"SMOKEHOUSE_BOOTSTRAP": f"127.0.0.1:{free_port()}"}), ("orders", 0), []
    follows = Following(settings, "smokehouse", allow_undecided=False, every=0.01, json=False)
    moments = iter((0.0, 31.0, None, 62.0, 93.0))  # None: it does not answer

    def one_round(watch: Watch, began: float) -> None:
        if (at := next(moments)) is None:
            raise ReadError("the broker does not answer")
        monkeypatch.setattr(watch, "look", lambda: Moment({place: 3}, {place: 5}, at))
        still.append(watch.cut().still)
        if len(still) == 4:
            raise _Stopped

    monkeypatch.setattr(follows, "_round", one_round)
    follows.run(None)
    assert still == [{}, {place: 3}, {}, {place: 3}]


def test_a_broker_that_is_away_is_waited_for_and_told(tmp_path: Path) -> None:
    with start_embedded(f"127.0.0.1:{free_port()}", tmp_path / "broker") as broker:
        shop = Shop(settings_on(broker, tmp_path))
        logs.apply(shop.settings, PARTITIONS)
        auditor = Auditor(shop)
        auditor.next(READY_SECONDS)
    try:
        until = time.monotonic() + 60
        while "trying again" not in (tmp_path / "audit.log").read_text():
            assert time.monotonic() < until
            assert auditor.process.poll() is None
            time.sleep(0.2)

        code, report = auditor.end(signal.SIGINT)
    finally:
        auditor.process.kill()

    assert (code, report["findings"]) == (0, [])
