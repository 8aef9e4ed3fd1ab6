"""Three brokers, of which one goes and then another: what is acknowledged stands on two, and workers go on."""

from __future__ import annotations

import time
import uuid
from types import SimpleNamespace

import pytest
from confluent_kafka.admin import AdminClient

from streams.brokers import kafka
from streams.brokers.process import free_port
from streams.settings import client_config

NODES, COPIES, ORDERS_A_SECOND = 3, 3, 50


class Cluster:
    """Nodes of Apache Kafka on loopback; the first is the controller too. Started and ended by one thread."""

    def __init__(self, home, monkeypatch):
        one = uuid.uuid4()
        monkeypatch.setattr(kafka, "uuid", SimpleNamespace(uuid4=lambda: one))  # the id of the cluster, for every node
        self._home = home
        self._addresses = [f"127.0.0.1:{free_port()}" for _ in range(NODES)]
        self._controller = f"127.0.0.1:{free_port()}"
        self.bootstrap = ",".join(self._addresses)
        self.nodes = {}
        for number in range(NODES):
            self.start(number)

    def start(self, number):
        address = self._addresses[number]
        plain, both = f"PLAINTEXT://{address}", f"PLAINTEXT://{address},CONTROLLER://{self._controller}"
        told = {
            "node.id": str(number + 1), "controller.quorum.voters": f"1@{self._controller}",
            "process.roles": "broker" if number else "broker,controller", "listeners": plain if number else both,
            "offsets.topic.replication.factor": str(COPIES),
        }  # fmt: skip
        self.nodes[number] = kafka.start_kafka(address, self._home / f"node-{number}", overrides=told)

    def end(self):
        for node in self.nodes.values():
            node.kill()


@pytest.mark.kafka
@pytest.mark.timeout(240)
def test_orders_are_decided_and_none_is_lost_while_one_broker_of_three_dies_and_then_another(
    kafka_system, tmp_path, monkeypatch
):
    cluster = Cluster(tmp_path, monkeypatch)
    system = type(kafka_system)(kafka_system.settings.with_(bootstrap=cluster.bootstrap))
    placed = 0

    def orders_come(seconds):
        nonlocal placed
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            system.place(f"o{placed}", {f"SKU-{placed % 20}": 1, "BOX": 1})
            placed += 1
            time.sleep(1 / ORDERS_A_SECOND)

    def is_whole():
        topics = AdminClient(client_config(system.settings)).list_topics(timeout=10).topics.values()
        return all(len(p.isrs) == COPIES for t in topics for p in t.partitions.values())

    try:
        made = system.command("topics", "apply", "--replication", str(COPIES), "--partitions", "4")
        assert made.returncode == 0, made.stderr
        system.start("one")
        system.until_holding("one", seconds=60)
        for sku in ("BOX", *(f"SKU-{n}" for n in range(20))):
            system.receive(sku, 10_000)
        orders_come(3)
        for gone in (1, 2):
            cluster.nodes[gone].kill()
            orders_come(5)
            decided = len(system.decisions())
            assert decided > placed - 5 * ORDERS_A_SECOND, "also those that came while it was away"
            cluster.start(gone)
            orders_come(1)
            system.wait(is_whole, 60)
        system.flush()
        assert system.until_decided(placed) == {"confirmed": placed}
        assert system.workers["one"].poll() is None, "it never had to end"
        assert system.audit()["ok"]
    finally:
        system.stop()
        cluster.end()
