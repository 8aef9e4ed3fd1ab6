"""Where the workers of this machine are: a file each in the run folder, `worker-PID.json`.

Guarantees: a reader sees a whole file or none; one that a killed process left behind names nobody. Does not belong
here: what workers answer.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

WORKERS_MAX = 64
FILES_MAX = 10_000  # looked at, the newest first: each kill -9 leaves one behind


class WorkerAddress(msgspec.Struct, frozen=True):
    """`url`: of its own small server, on loopback."""

    pid: int
    url: str
    role: str = ""


def file_of(run_dir: Path, pid: int) -> Path:
    return run_dir / f"worker-{pid}.json"


def leave(run_dir: Path, address: WorkerAddress) -> None:
    """Write the address down."""
    run_dir.mkdir(parents=True, exist_ok=True)
    path = file_of(run_dir, address.pid)
    half = path.with_suffix(".half")
    half.write_bytes(msgspec.json.encode(address))
    half.replace(path)


def worker_addresses(run_dir: Path) -> list[WorkerAddress]:
    """Of the workers whose processes are there, the newest first."""
    found: list[WorkerAddress] = []
    for path in sorted(run_dir.glob("worker-*.json"), key=_written, reverse=True)[:FILES_MAX]:
        try:
            address = msgspec.json.decode(path.read_bytes(), type=WorkerAddress)
            os.kill(address.pid, 0)
        except (OSError, msgspec.MsgspecError):
            continue
        found.append(address)
        if len(found) == WORKERS_MAX:
            break
    return found


def _written(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:  # gone meanwhile
        return 0
