"""The forecaster as a process on a real broker: demand goes in, forecasts and reorders come out, nothing is lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest
from confluent_kafka import Message, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from bench.machine import seconds_to_end
from streams.brokers.process import free_port
from streams.reader import read_to_end
from streams.settings import Settings, client_config, producer_config
from streams.topics import DEAD_LETTERS, DEMAND, FORECAST_ALERTS, FORECASTS, PLANNING, REORDERS, STOCK_LEVELS
from tables.codec import encode
from tables.murmur2 import partition_of
from tables.records import (
    Demand,
    Forecast,
    ForecastAlert,
    LocationLevel,
    Reorder,
    ServiceSet,
    StockLevels,
    SupplierTerms,
    Supply,
)

PARTITIONS = 4
FIRST = date(2026, 3, 2)
SKUS = [f"JERKY-{n}" for n in range(12)]
pytestmark = pytest.mark.timeout(240)  # above all waits of a test
PATIENCE_SECONDS = 40.0  # a join, a first run and a busy machine
STOP_SECONDS = 3.0
COMMAND = ("-m", "streams.cli", "forecast", "--every", "0.3")


@pytest.fixture
def topics(settings: Settings) -> Settings:
    return _with_topics(settings)


@pytest.fixture
def kafka_topics(kafka_settings: Settings) -> Settings:
    return _with_topics(kafka_settings)


def _with_topics(settings: Settings) -> Settings:
    admin = AdminClient(client_config(settings))
    wanted = [
        NewTopic(settings.prefix + topic.name, topic.partitions or PARTITIONS, 1)
        for topic in (DEMAND, STOCK_LEVELS, FORECASTS, REORDERS, FORECAST_ALERTS, PLANNING, DEAD_LETTERS)
    ]
    for made in admin.create_topics(wanted).values():
        made.result(20)
    return settings


@contextmanager
def forecaster(settings: Settings, *flags: str) -> Iterator[subprocess.Popen[bytes]]:
    """The command in a process of its own; asked to stop at the end, and it must."""
    environment = os.environ | {
        "SMOKEHOUSE_HOME": str(settings.home),
        "SMOKEHOUSE_BOOTSTRAP": settings.bootstrap,
        "SMOKEHOUSE_PREFIX": settings.prefix,
        "SMOKEHOUSE_EMBEDDED": "1" if settings.embedded else "0",
    }
    log = settings.home / "forecaster.log"
    with log.open("ab") as stderr:
        process = subprocess.Popen(
            [sys.executable, *COMMAND, *flags],
            env=environment, stderr=stderr, cwd=Path(__file__).parents[2],
        )  # fmt: skip
    try:
        yield process
        if process.returncode == -signal.SIGKILL:  # the test's own doing
            return
        assert process.poll() is None, f"it ended by itself:\n{log.read_text()[-2000:]}"
        process.send_signal(signal.SIGTERM)
        assert seconds_to_end(process, 30) < STOP_SECONDS
        assert process.returncode == 0, log.read_text()[-2000:]
    finally:
        process.kill()
        process.wait()


def produce(settings: Settings, topic: str, key: str, value: bytes | None, partition: int) -> None:
    producer = Producer(producer_config(settings))
    producer.produce(settings.prefix + topic, key=key, value=value, partition=partition)
    assert producer.flush(20) == 0


def sell(settings: Settings, sku: str, first: int, last: int, *, ordered: int = 4, offset: int = 1) -> None:
    producer = Producer(producer_config(settings))
    put(producer, settings, sku, first, last, ordered=ordered, offset=offset)
    assert producer.flush(20) == 0


def put(
    producer: Producer, settings: Settings, sku: str, first: int, last: int, *, ordered: int = 4, offset: int = 1
) -> None:
    for ahead in range(first, last + 1):
        day = (FIRST + timedelta(days=ahead)).isoformat()
        record = Demand(
            id=f"{sku}|MAIN|{day}|{offset}", sku=sku, location="MAIN", day=day, ordered=ordered, orders=ordered,
            refused=0, stockout_hours=[], version=(1, offset, 0),
        )  # fmt: skip
        producer.produce(
            settings.prefix + DEMAND.name, key=f"{sku}|MAIN|{day}", value=encode(record),
            partition=partition_of(sku, PARTITIONS),
        )  # fmt: skip


def sell_all(settings: Settings, skus: list[str], first: int, last: int) -> None:
    producer = Producer(producer_config(settings) | {"linger.ms": 50})
    for sku in skus:
        put(producer, settings, sku, first, last)
    assert producer.flush(60) == 0


def stock(settings: Settings, sku: str, available: int, *, offset: int = 1) -> None:
    place = LocationLevel(
        location="MAIN", on_hand=available, available=available, reserved=0, allocated=0, safety_stock=0,
        unavailable=0, shortage=0, reorder_point=0, lots=[], version=(1, offset, 0),
    )  # fmt: skip
    record = StockLevels(
        id=f"{sku}|{offset}", sku=sku, available=available, on_hand=available, flavor="", packaging="", size="",
        gtin="", discontinued=False, locations=[place], version=(1, offset, 0),
    )  # fmt: skip
    produce(settings, STOCK_LEVELS.name, sku, encode(record), partition_of(sku, PARTITIONS))


def until_started(settings: Settings, times: int) -> None:
    """Until the command has begun its work so many times: before that a signal ends it as it would any process."""
    limit = time.monotonic() + PATIENCE_SECONDS
    while (settings.home / "forecaster.log").read_text().count("forecasting partitions") < times:
        assert time.monotonic() < limit
        time.sleep(0.1)


def messages(settings: Settings, topic: str) -> list[Message]:
    return [message for batch in read_to_end(settings, topic, contiguous=settings.embedded) for message in batch]


def until(settings: Settings, topic: str, count: int) -> list[Message]:
    """Wait for `count` keys; every record there is by then."""
    limit = time.monotonic() + PATIENCE_SECONDS
    while True:
        found = messages(settings, topic)
        if len({message.key() for message in found}) >= count:
            return found
        log = settings.home / "forecaster.log"
        assert time.monotonic() < limit, f"{topic}: {len(found)} of {count}\n{log.read_text()[-3000:]}"
        time.sleep(0.1)


def headers(message: Message) -> dict[str, str]:
    return {name: value.decode() for name, value in message.headers() or []}


def test_demand_becomes_forecasts_and_reorders_in_the_partition_of_the_sku(topics: Settings):
    for sku in SKUS:
        sell(topics, sku, 0, 20)
        stock(topics, sku, 10)
    with forecaster(topics):
        forecasts = until(topics, FORECASTS.name, len(SKUS))
        reorders = until(topics, REORDERS.name, len(SKUS))
    for message in forecasts:
        record = msgspec.json.decode(message.value(), type=Forecast)
        assert message.key() == f"{record.sku}|MAIN|2026-03-21.001".encode()
        assert message.partition() == partition_of(record.sku, PARTITIONS)
        assert (record.status, record.days[0], len(record.days)) == ("ok", "2026-03-22", 28)
        told = headers(message)
        assert (told["ce_specversion"], told["ce_type"]) == ("1.0", "smokehouse.forecast")
        assert (told["ce_source"], told["ce_id"], told["ce_time"]) == (
            "smokehouse/forecasting", record.id, record.time,
        )  # fmt: skip
    for message in reorders:
        record = msgspec.json.decode(message.value(), type=Reorder)
        assert message.key() == f"{record.sku}|MAIN".encode()
        assert message.partition() == partition_of(record.sku, PARTITIONS)
        assert record.position == 10
        assert record.quantity == record.order_up_to - 10 > 0
        assert record.reason.startswith(f"Buy {record.quantity} today")
        assert headers(message)["ce_type"] == "smokehouse.reorder"


def test_what_happened_while_it_was_away_is_in_the_next_run(topics: Settings):
    sell(topics, SKUS[0], 0, 20)
    stock(topics, SKUS[0], 10)
    with forecaster(topics, "--partitions", "0,1,2,3"):
        until(topics, REORDERS.name, 1)
    sell(topics, SKUS[0], 18, 18, ordered=40, offset=2)
    sell(topics, SKUS[1], 0, 20)
    with forecaster(topics, "--partitions", "0,1,2,3"):
        found = until(topics, FORECASTS.name, 3)
    runs = [msgspec.json.decode(message.value(), type=Forecast) for message in found]
    before, after = (one for one in runs if one.sku == SKUS[0])
    assert (before.run, after.run) == ("2026-03-21.001", "2026-03-21.002")
    assert sum(after.mean) > sum(before.mean), "the late event counts"


def test_the_numbers_of_runs_go_on_also_where_no_run_gave_advice(topics: Settings):
    """Without a stock level there is none, and the greatest run of a series must be its newest all the same."""
    for sku in SKUS[:2]:
        sell(topics, sku, 0, 20)
    with forecaster(topics, "--partitions", "0,1,2,3"):
        until(topics, FORECASTS.name, 2)
        sell(topics, SKUS[0], 18, 18, ordered=40, offset=2)
        until(topics, FORECASTS.name, 3)
    sell(topics, SKUS[0], 18, 18, ordered=4, offset=3)
    with forecaster(topics, "--partitions", "0,1,2,3"):
        found = [msgspec.json.decode(x.value(), type=Forecast) for x in until(topics, FORECASTS.name, 5)]
    assert [one.run for one in found if one.sku == SKUS[0]] == [f"2026-03-21.00{n}" for n in (1, 2, 3)]
    assert messages(topics, REORDERS.name) == []


def test_a_newer_day_and_a_moved_stock_are_answered_while_it_runs(topics: Settings):
    sell(topics, SKUS[0], 0, 20)
    with forecaster(topics, "--partitions", "0,1,2,3"):
        until(topics, FORECASTS.name, 1)
        sell(topics, SKUS[0], 21, 21)
        found = until(topics, FORECASTS.name, 2)
        assert json.loads(found[-1].value())["run"] == "2026-03-22.001"
        stock(topics, SKUS[0], 5000)
        found = until(topics, REORDERS.name, 1)
        assert json.loads(found[-1].value())["quantity"] == 0
        stock(topics, SKUS[0], 0, offset=2)
        limit = time.monotonic() + PATIENCE_SECONDS
        while json.loads(messages(topics, REORDERS.name)[-1].value())["quantity"] == 0:
            assert time.monotonic() < limit
            time.sleep(0.1)


def test_what_cannot_be_read_is_a_dead_letter_once_and_stops_nothing(topics: Settings):
    sku = SKUS[0]
    home, elsewhere = partition_of(sku, PARTITIONS), (partition_of(sku, PARTITIONS) + 1) % PARTITIONS
    sell(topics, sku, 0, 20)
    garbage = [b"{", b"\xff\x00", b'{"type":"demand","id":"x"}', b"[1]", b"x" * 300]
    for value in garbage:
        produce(topics, DEMAND.name, "garbage", value, home)
    produce(topics, STOCK_LEVELS.name, "garbage", b"nothing", home)
    produce(topics, DEMAND.name, "deleted", None, home)
    [good] = [m.value() for m in messages(topics, DEMAND.name) if m.key() == f"{sku}|MAIN|2026-03-02".encode()]
    produce(topics, DEMAND.name, f"{sku}|MAIN|2026-03-02", good, elsewhere)
    produce(topics, PLANNING.name, "supply|X", b'{"type":"supply"}', 0)
    letters = len(garbage) + 3
    for starts, flags in ((1, ("--partitions", "0,1,2,3")), (2, ()), (3, ())):
        if starts > 1:
            sell(topics, sku, 19 + starts, 19 + starts)  # behind the garbage: what is scored of it has passed that
        scored = f"{sku}|MAIN|2026-03-2{starts}.001".encode()
        with forecaster(topics, *flags):
            until_started(topics, starts)
            limit = time.monotonic() + PATIENCE_SECONDS
            while scored not in {message.key() for message in messages(topics, FORECASTS.name)}:
                assert time.monotonic() < limit, (topics.home / "forecaster.log").read_text()[-2000:]
                time.sleep(0.1)
            limit = time.monotonic() + PATIENCE_SECONDS
            while len(messages(topics, DEAD_LETTERS.name)) < letters:
                assert time.monotonic() < limit, (topics.home / "forecaster.log").read_text()[-2000:]
                time.sleep(0.1)
            time.sleep(1)
    found = messages(topics, DEAD_LETTERS.name)
    assert len(found) == letters, "a restart reads them again and says nothing new, with the group or without it"
    told = [headers(message) for message in found]
    assert {one["__connect.errors.topic"] for one in told} == {
        topics.prefix + DEMAND.name, topics.prefix + STOCK_LEVELS.name, topics.prefix + PLANNING.name,
    }  # fmt: skip
    assert all(one["__connect.errors.offset"].isdigit() for one in told)
    assert all(one["__connect.errors.exception.message"] for one in told)
    assert {message.value() for message in found} == {*garbage, b"nothing", good, b'{"type":"supply"}'}
    assert any(one["__connect.errors.partition"] == str(elsewhere) for one in told)


def scored_at(settings: Settings, day: str) -> set[str]:
    """SKUs with a forecast of a run of this closed day; of which one depends on who had their partition before."""
    keys = [(message.key() or b"").decode().split("|") for message in messages(settings, FORECASTS.name)]
    return {sku for sku, _, run in keys if run.startswith(f"{day}.")}


def test_two_forecasters_share_the_skus_and_one_takes_over_the_others_share(topics: Settings):
    """Whatever is scored in between is scored from a whole history: 21 days, 4 units each."""
    for sku in SKUS:
        sell(topics, sku, 0, 20)
    log = topics.home / "forecaster.log"
    with forecaster(topics) as first:
        until(topics, FORECASTS.name, len(SKUS))
        with forecaster(topics):
            limit = time.monotonic() + PATIENCE_SECONDS
            while log.read_text().count("forecasting partitions") < 3:  # all, then a share each
                assert time.monotonic() < limit, log.read_text()[-2000:]
                time.sleep(0.2)
            first.kill()
            first.wait()
            for sku in SKUS:
                sell(topics, sku, 21, 21)
            limit = time.monotonic() + PATIENCE_SECONDS
            while not scored_at(topics, "2026-03-22") >= set(SKUS):
                assert time.monotonic() < limit, log.read_text()[-3000:]
                time.sleep(0.2)
    keys = [message.key() for message in messages(topics, FORECASTS.name)]
    assert len(keys) == len(set(keys)), "the number of a run comes once, whoever has its partition"
    for message in messages(topics, FORECASTS.name):
        record = msgspec.json.decode(message.value(), type=Forecast)
        assert (record.status, round(sum(record.mean) / 28)) == ("ok", 4), record


def test_days_that_close_while_partitions_change_are_scored_for_every_sku_from_whole_histories(topics: Settings):
    skus = [f"STICK-{n}" for n in range(600)]
    sell_all(topics, skus, 0, 20)
    log = topics.home / "forecaster.log"
    with forecaster(topics):
        until(topics, FORECASTS.name, 1)
        with forecaster(topics):
            sell_all(topics, skus, 21, 21)
            wait_for(topics, lambda: log.read_text().count("forecasting partitions") >= 3)
            sell_all(topics, skus, 22, 22)
            wait_for(topics, lambda: scored_at(topics, "2026-03-23") >= set(skus))
        wait_for(topics, lambda: log.read_text().count("forecasting partitions 0, 1, 2, 3 of 4") >= 2)
    for message in messages(topics, FORECASTS.name):
        record = msgspec.json.decode(message.value(), type=Forecast)
        assert (record.status, round(sum(record.mean) / 28)) == ("ok", 4), record


def test_a_partition_that_ends_with_offsets_without_a_record_is_read_whole_all_the_same(kafka_topics: Settings):
    """A transaction's marker stands for what compaction leaves: gaps between records, and one where the topic ends."""
    topics = kafka_topics
    producer = Producer(producer_config(topics) | {"transactional.id": topics.prefix + "gaps"})
    producer.init_transactions(20)
    for sku in SKUS:
        producer.begin_transaction()
        put(producer, topics, sku, 0, 20)
        producer.commit_transaction(20)
    with forecaster(topics):
        until(topics, FORECASTS.name, len(SKUS))
    found = [msgspec.json.decode(message.value(), type=Forecast) for message in messages(topics, FORECASTS.name)]
    assert {record.status for record in found} == {"ok"}


def tell(settings: Settings, key: str, record: Supply | SupplierTerms | ServiceSet) -> None:
    produce(settings, PLANNING.name, key, encode(record), 0)


def newest_reorder(settings: Settings, wanted: Callable[[Reorder], bool]) -> Reorder:
    limit = time.monotonic() + PATIENCE_SECONDS
    while True:
        found = [msgspec.json.decode(message.value(), type=Reorder) for message in messages(settings, REORDERS.name)]
        if found and wanted(found[-1]):
            return found[-1]
        assert time.monotonic() < limit, found[-1:]
        time.sleep(0.1)


def test_plans_that_are_told_while_it_runs_change_the_advice(topics: Settings):
    sell(topics, SKUS[0], 0, 20)
    stock(topics, SKUS[0], 0)
    with forecaster(topics, "--partitions", "0,1,2,3"):
        plain = newest_reorder(topics, lambda x: x.quantity > 0)
        assert (plain.supplier, plain.cost_cents) == ("", 0)
        tell(topics, f"supply|{SKUS[0]}", Supply(id="1", sku=SKUS[0], supplier="ACME", case_pack=50,
                                                unit_cost_cents=20))  # fmt: skip
        packed = newest_reorder(topics, lambda x: x.supplier == "ACME")
        assert packed.quantity == -(-plain.quantity // 50) * 50
        assert packed.cost_cents == 20 * packed.quantity
        tell(topics, "supplier|ACME", SupplierTerms(id="2", supplier="ACME", lead_days=7, budget_cents=1100))
        cut = newest_reorder(topics, lambda x: x.cost_cents <= 1100)
        assert (cut.quantity, cut.needed) == (50, packed.needed)
        assert "Budget: 11.00 left for ACME" in cut.reason
        tell(topics, "service|", ServiceSet(id="3", service=0.6))
        assert newest_reorder(topics, lambda x: "60% quantile" in x.reason).reorder_point < cut.reorder_point


def test_a_stock_out_to_come_is_told_once_and_again_when_it_is_averted(topics: Settings):
    sell(topics, SKUS[0], 0, 20)
    stock(topics, SKUS[0], 12)

    def alerts(count: int) -> list[ForecastAlert]:
        limit = time.monotonic() + PATIENCE_SECONDS
        while len(found := messages(topics, FORECAST_ALERTS.name)) < count:
            assert time.monotonic() < limit, (topics.home / "forecaster.log").read_text()[-2000:]
            time.sleep(0.1)
        assert {message.key() for message in found} == {f"{SKUS[0]}|MAIN|stockout_predicted".encode()}
        assert {message.partition() for message in found} == {partition_of(SKUS[0], PARTITIONS)}
        return [msgspec.json.decode(message.value(), type=ForecastAlert) for message in found]

    with forecaster(topics, "--partitions", "0,1,2,3"):
        [raised] = alerts(1)
        assert (raised.state, raised.day, raised.until, raised.stock) == ("raised", "2026-03-25", "2026-03-29", 12)
        assert raised.probability > 0.8
    with forecaster(topics, "--partitions", "0,1,2,3"):
        until_started(topics, 2)
        stock(topics, SKUS[0], 100, offset=2)
        [_, cleared] = alerts(2)
        assert cleared.state == "cleared"


def sell_shop(settings: Settings, shop: Any, days: int, *, first: int = 0) -> None:
    producer = Producer(producer_config(settings))
    for record in shop.sold(days, first=first):
        producer.produce(
            settings.prefix + DEMAND.name, key=f"{record.sku}|MAIN|{record.day}", value=encode(record),
            partition=partition_of(record.sku, PARTITIONS),
        )  # fmt: skip
    assert producer.flush(20) == 0


def models_of_run(settings: Settings, run: str) -> dict[str, str]:
    """SKU -> model."""
    found = (msgspec.json.decode(message.value(), type=Forecast) for message in messages(settings, FORECASTS.name))
    return {record.sku: record.model for record in found if record.run == run}


def wait_for(settings: Settings, what: Callable[[], bool], seconds: float = 2.5 * PATIENCE_SECONDS) -> None:
    limit = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < limit, (settings.home / "forecaster.log").read_text()[-3000:]
        time.sleep(0.2)


@pytest.mark.timeout(600)  # a training in between, which gives way to whatever else the machine does
def test_a_closed_day_trains_a_champion_that_forecasts_also_after_a_restart(topics: Settings, shop: Any):
    """131 days: the first run is the simple method's, the second the champion's; a restart needs no training first."""
    if find_spec("sklearn") is None:
        pytest.skip("no scikit-learn (extra forecast)")
    log = topics.home / "forecaster.log"
    everyone = set(shop.skus)
    sell_shop(topics, shop, 131)
    with forecaster(topics, "--partitions", "0,1,2,3"):
        wait_for(topics, lambda: set(models_of_run(topics, "2026-05-14.002")) == everyone, 400)
    assert set(models_of_run(topics, "2026-05-14.001").values()) == {"seasonal-mean-nb-1"}
    assert set(models_of_run(topics, "2026-05-14.002").values()) == {"boosted-nb-4"}
    assert "training: model 2026-05-14.001 of 45 series is champion" in log.read_text()
    sell_shop(topics, shop, 132, first=131)
    log.write_text("")
    with forecaster(topics, "--partitions", "0,1,2,3", "--train-seconds", "0"):
        wait_for(topics, lambda: set(models_of_run(topics, "2026-05-15.001")) == everyone)
    assert set(models_of_run(topics, "2026-05-15.001").values()) == {"boosted-nb-4"}
    assert "training" not in log.read_text()


@pytest.mark.parametrize("flags", [(), ("--partitions", "0,1,2,3")], ids=["of the group", "alone"])
def test_it_tells_whether_it_is_ready_and_when_it_scored(
    topics: Settings, monkeypatch: pytest.MonkeyPatch, flags: tuple[str, ...]
) -> None:
    address = f"127.0.0.1:{free_port()}"
    monkeypatch.setenv("SMOKEHOUSE_FORECAST", address)
    sell(topics, SKUS[0], 0, 20)

    def told(path: str) -> str:
        try:
            return httpx2.get(f"http://{address}{path}", timeout=5, trust_env=False).text
        except httpx2.TransportError:
            return ""

    with forecaster(topics, *flags):
        limit = time.monotonic() + PATIENCE_SECONDS
        while "smokehouse_forecaster_scored_seconds" not in told("/metrics"):
            assert time.monotonic() < limit
            time.sleep(0.2)
        assert json.loads(told("/readyz")) == {"ready": True, "partitions": [0, 1, 2, 3], "unread": 0}
        assert "smokehouse_forecaster_unread_records 0.0" in told("/metrics")
