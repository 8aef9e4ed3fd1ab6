"""Each peer decides a few hundred orders rightly; one that oversells is caught; a server that is not there is named."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.measured import Measured, Size
from bench.peers.memory import MemoryPeer
from bench.peers.postgres import PostgresPeer
from bench.peers.redis_lua import RedisPeer
from bench.peers.registry import ALONE, CALLED, ON_LOG
from bench.round import measure
from bench.workload import Order, Reference
from streams.brokers.process import RunningBroker

ROOT = Path(__file__).resolve().parents[2]
SIZE = Size(warm_up=50, steady=50, rate=250.0, burst=250)


def quiet(_: str) -> None:
    pass


def expect_rightly_decided(found: Measured) -> None:
    assert found.check == "ok"
    assert 0 < found.confirmed < SIZE.all  # some orders find nothing left: the rule was put to the test
    assert found.cpu_s_per_1000 > 0
    assert found.all_cpu_s_per_1000 >= found.cpu_s_per_1000
    assert found.p50_ms is not None
    assert found.p99_ms is not None
    assert 0 < found.p50_ms <= found.p99_ms


@pytest.mark.timeout(280)
@pytest.mark.parametrize("name", [name for name in ON_LOG if name != "smokehouse"])
def test_a_peer_on_a_log_decides_every_order_rightly(name: str, embedded: RunningBroker) -> None:
    """The worker of Smokehouse has its own test, with both workloads."""
    peer = ON_LOG[name]()
    assert peer.missing() == ""
    expect_rightly_decided(measure(peer, "spread", embedded, SIZE, 1, quiet))


@pytest.mark.parametrize("name", list(ALONE))
def test_a_peer_without_a_log_decides_every_order_as_the_reference_does(name: str, tmp_path: Path) -> None:
    """In the sequence of its ledger, which must also say what its callers were told."""
    peer = ALONE[name]()
    if missing := peer.missing():
        pytest.skip(missing)
    expect_rightly_decided(peer.run("drop", SIZE, 1, tmp_path, quiet))


class Careless(Reference):
    def decide(self, order: Order) -> bool:
        for sku, units in order.lines:
            self.left[sku] -= units
        return True


def test_a_shop_that_confirms_everything_is_caught(tmp_path: Path) -> None:
    peer = MemoryPeer()
    peer.shop = Careless
    assert "units confirmed" in peer.run("spread", SIZE, 1, tmp_path, quiet).check


@pytest.mark.parametrize("kind", [RedisPeer, PostgresPeer])
def test_a_server_with_more_stock_than_was_received_is_caught(
    kind: type[RedisPeer] | type[PostgresPeer], tmp_path: Path
) -> None:
    class Generous(kind):  # type: ignore[misc,valid-type]
        def fill(self, address: str, received: dict[str, int]) -> None:
            super().fill(address, {sku: 2 * units for sku, units in received.items()})

    if missing := kind().missing():
        pytest.skip(missing)
    assert "received" in Generous().run("spread", SIZE, 1, tmp_path, quiet).check


def test_a_server_that_is_not_there_is_named_with_what_to_install(tmp_path: Path) -> None:
    """The others run: nobody has to install everything for one figure."""
    run = subprocess.run(
        [sys.executable, "-m", "bench", "--quick", "--only", "redis,memory", "--orders", "100"],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False, env=os.environ | {"PATH": str(tmp_path)},
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert "skipped: redis: no Redis: redis-server is not on this machine" in run.stdout
    assert "apt-get install redis-server" in run.stdout
    assert "memory" in run.stdout


def test_every_server_says_of_itself_that_it_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("bench.peers.postgres.DEBIAN", tmp_path)
    assert {name: peer().missing().partition(":")[0] for name, peer in CALLED.items()} == {
        "redis": "no Redis", "redis_pipelined": "no Redis",
        "postgres": "no PostgreSQL", "postgres_batch": "no PostgreSQL",
    }  # fmt: skip
