"""A broker in another place: each answer is on its way for a while, and a worker commits all the same."""

from __future__ import annotations

import time

import pytest

from proof.nemesis.broker import Broker
from proof.nemesis.proxy import Weather

LINE_SECONDS = 0.01  # each way
ORDERS, ORDERS_A_SECOND = 2_400, 300


@pytest.mark.kafka
@pytest.mark.timeout(180)
def test_a_worker_commits_while_orders_come_though_something_is_always_on_its_way(kafka_system, tmp_path):
    broker = Broker("kafka", tmp_path, ["far"])
    system = type(kafka_system)(kafka_system.settings.with_(bootstrap=broker.address))
    try:
        system.apply()
        system.start("far", SMOKEHOUSE_BOOTSTRAP=broker.address_for("far"))
        system.until_holding("far", seconds=60)
        for n in range(20):
            system.receive(f"SKU-{n}", 10_000)
        broker.proxies["far"].weather = Weather(latency_seconds=LINE_SECONDS)
        began = time.monotonic()
        for n in range(ORDERS):
            system.place(f"o{n}", {f"SKU-{n % 20}": 1, f"SKU-{n * 7 % 20}": 1})
            time.sleep(max(began + n / ORDERS_A_SECOND - time.monotonic(), 0))
        committed = sum(p["committed"] for p in system.told_by("far")["partitions"] if p["topic"] == "orders")
        assert committed > ORDERS / 2, "while they came"
        broker.proxies["far"].heal()
        assert system.until_decided(ORDERS) == {"confirmed": ORDERS}
        system.audit()
    finally:
        system.stop()
        broker.stop()
