"""Whoever asks workers finds those that live, however many were killed before them; who needs a port has it alone."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from streams.addresses import WORKERS_MAX, WorkerAddress, addresses_here, file_of, leave, worker_addresses
from streams.brokers.process import free_port
from streams.settings import from_environment

NOBODY = (1 << 22) + 1  # no process has this number, or a higher one


@pytest.mark.parametrize("killed", [0, 1, WORKERS_MAX, 3 * WORKERS_MAX])
def test_a_living_worker_is_found_behind_any_number_of_dead_ones(tmp_path: Path, killed: int) -> None:
    ours = WorkerAddress(os.getpid(), "http://127.0.0.1:2")
    leave(tmp_path, ours)
    for n in range(killed):  # by name and by age before ours and after it
        leave(tmp_path, WorkerAddress(NOBODY + n, "http://127.0.0.1:1"))
        file_of(tmp_path, NOBODY + n).rename(tmp_path / f"worker-{'0z'[n % 2]}-{n}.json")
    assert addresses_here(tmp_path) == [ours]


def test_a_file_that_is_no_address_is_nobody(tmp_path: Path) -> None:
    file_of(tmp_path, os.getpid()).write_text("{")
    assert addresses_here(tmp_path) == []
    assert addresses_here(tmp_path / "nowhere") == []


def test_no_more_workers_are_asked_than_a_machine_has(tmp_path: Path) -> None:
    for n in range(WORKERS_MAX + 5):
        (tmp_path / f"worker-{n}.json").write_text(f'{{"pid": {os.getpid()}, "url": "http://127.0.0.1:{n}"}}')
    assert len(addresses_here(tmp_path)) == WORKERS_MAX


def named(*places: str, home: Path = Path("nowhere")) -> list[str]:
    """Where workers are asked, of what SMOKEHOUSE_WORKERS names."""
    told = from_environment({"SMOKEHOUSE_WORKERS": ",".join(places), "SMOKEHOUSE_HOME": str(home)})
    return [address.place for address in worker_addresses(told)]


def test_workers_elsewhere_are_asked_where_the_settings_say(tmp_path: Path) -> None:
    leave(tmp_path / "run", WorkerAddress(os.getpid(), "http://127.0.0.1:2"))
    assert named(home=tmp_path) == ["127.0.0.1:2"]
    assert named("127.0.0.1:8001", "127.0.0.2:8001", "127.0.0.1:8001", home=tmp_path) == [
        "127.0.0.1:8001", "127.0.0.2:8001",
    ]  # fmt: skip


def test_who_has_another_prefix_in_the_same_home_finds_its_own_workers_alone(tmp_path: Path) -> None:
    one, other, none = (
        from_environment({"SMOKEHOUSE_HOME": str(tmp_path), "SMOKEHOUSE_PREFIX": prefix}) for prefix in ("a-", "b-", "")
    )
    ours = WorkerAddress(os.getpid(), "http://127.0.0.1:2")
    leave(one.run_dir, ours)
    assert [worker_addresses(settings) for settings in (one, other, none)] == [[ours], [], []]


def test_a_name_is_every_worker_that_has_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a service of containers is; one of two families, or each worker would count twice."""

    def known(host: str, port: int, **_: object) -> list[tuple]:
        assert host == "worker"
        four = [(socket.AF_INET, 1, 6, "", (f"10.0.0.{n}", port)) for n in (4, 3, 4)]
        return [(socket.AF_INET6, 1, 6, "", (f"fd00::{n}", port, 0, 0)) for n in (3, 4)] + four

    monkeypatch.setattr(socket, "getaddrinfo", known)
    assert named("worker:8001") == ["10.0.0.3:8001", "10.0.0.4:8001"]
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, port, **_: known(host, port)[:2])
    assert named("worker:8001") == ["[fd00::3]:8001", "[fd00::4]:8001"]


def test_a_name_that_nobody_knows_is_a_worker_that_is_not_there() -> None:
    assert named("no-such-host.invalid:8001") == ["no-such-host.invalid:8001"]


def test_processes_of_tests_side_by_side_draw_their_ports_from_shares_of_their_own() -> None:
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    assert {free_port() % processes for _ in range(50)} == {number}
