"""Whoever asks workers finds those that live, however many were killed before them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from streams.addresses import WORKERS_MAX, WorkerAddress, file_of, leave, worker_addresses

NOBODY = (1 << 22) + 1  # no process has this number, or a higher one


@pytest.mark.parametrize("killed", [0, 1, WORKERS_MAX, 3 * WORKERS_MAX])
def test_a_living_worker_is_found_behind_any_number_of_dead_ones(tmp_path: Path, killed: int) -> None:
    ours = WorkerAddress(os.getpid(), "http://127.0.0.1:2")
    leave(tmp_path, ours)
    for n in range(killed):  # by name and by age before ours and after it
        leave(tmp_path, WorkerAddress(NOBODY + n, "http://127.0.0.1:1"))
        file_of(tmp_path, NOBODY + n).rename(tmp_path / f"worker-{'0z'[n % 2]}-{n}.json")
    assert worker_addresses(tmp_path) == [ours]


def test_a_file_that_is_no_address_is_nobody(tmp_path: Path) -> None:
    file_of(tmp_path, os.getpid()).write_text("{")
    assert worker_addresses(tmp_path) == []
    assert worker_addresses(tmp_path / "nowhere") == []


def test_no_more_workers_are_asked_than_a_machine_has(tmp_path: Path) -> None:
    for n in range(WORKERS_MAX + 5):
        (tmp_path / f"worker-{n}.json").write_text(f'{{"pid": {os.getpid()}, "url": "http://127.0.0.1:{n}"}}')
    assert len(worker_addresses(tmp_path)) == WORKERS_MAX
