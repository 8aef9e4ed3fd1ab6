"""Fixtures for all tests: real brokers, settings on them, and guards against tests that leave traces.

`embedded` and `kafka` run once per pytest process and are shared: every test has its own topic prefix. Nothing here
imitates our own code.
"""

from __future__ import annotations

import contextlib
import os
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streams.brokers import process
from streams.brokers.embedded import start_embedded
from streams.brokers.kafka import missing_for_kafka, start_kafka
from streams.brokers.process import RunningBroker, free_port
from streams.settings import Settings


def pytest_configure() -> None:
    """Of processes side by side none draws a port that another one draws: each has its own share of them."""
    worker, workers = os.environ.get("PYTEST_XDIST_WORKER"), os.environ.get("PYTEST_XDIST_WORKER_COUNT")
    if worker and workers:
        process.FREE_PORTS = process.FREE_PORTS[int(worker.removeprefix("gw")) :: int(workers)]


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    """The embedded broker, shared by the tests of one run: do not stop it."""
    with start_embedded(f"127.0.0.1:{free_port()}", tmp_path_factory.mktemp("embedded")) as broker:
        yield broker


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    """A real Apache Kafka, shared by the tests of one run: do not stop it. Skipped only without Java or Maven."""
    if missing := missing_for_kafka():
        pytest.skip(f"no Apache Kafka: {missing}")
    with start_kafka(f"127.0.0.1:{free_port()}", tmp_path_factory.mktemp("kafka")) as broker:
        yield broker


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.kafka)])
def broker(request: pytest.FixtureRequest) -> RunningBroker:
    """Each broker in turn: a test that asks for it runs on both."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def settings(broker: RunningBroker, tmp_path: Path) -> Settings:
    """Settings of a test on `broker`: its own home folder, API port and topic prefix."""
    return settings_on(broker, tmp_path)


@pytest.fixture
def embedded_settings(embedded: RunningBroker, tmp_path: Path) -> Settings:
    """As `settings`, for a test that needs one broker only."""
    return settings_on(embedded, tmp_path)


@pytest.fixture
def kafka_settings(kafka: RunningBroker, tmp_path: Path) -> Settings:
    """As `settings`, for a test of what only a durable broker does."""
    return settings_on(kafka, tmp_path)


@pytest.fixture
def load() -> Callable[[Callable[[int], None]], contextlib.AbstractContextManager[None]]:
    """`with load(write):` has 40 records written every 20 ms while the block runs."""

    @contextlib.contextmanager
    def writing(write: Callable[[int], None]) -> Iterator[None]:
        ended = threading.Event()

        def run() -> None:
            while not ended.wait(0.02):
                write(40)

        writer = threading.Thread(target=run)
        writer.start()
        try:
            yield
        finally:
            ended.set()
            writer.join()

    return writing


def settings_on(broker: RunningBroker, home: Path) -> Settings:
    return Settings(
        home=home,
        bootstrap=broker.address,
        api=f"127.0.0.1:{free_port()}",
        demo=False,
        prefix=f"t{uuid.uuid4().hex[:8]}-",
        embedded=broker.kind == "embedded",
    )


@pytest.fixture(autouse=True)
def environment_is_left_as_found() -> Iterator[None]:
    """Fail a test that changes an environment variable for the next one (use `monkeypatch`)."""
    before = _environment()
    yield
    after = _environment()
    changed = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    for name in changed:
        if name in before:
            os.environ[name] = before[name]
        else:
            del os.environ[name]
    assert not changed, f"the test left environment variables changed: {', '.join(changed)}"


@pytest.fixture(autouse=True)
def working_folder_is_left_as_found() -> Iterator[None]:
    """Fail a test that leaves the process in another folder (use `monkeypatch.chdir`)."""
    before = Path.cwd()
    yield
    after = Path.cwd()
    os.chdir(before)
    assert after == before, f"the test left the working folder at {after}"


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
