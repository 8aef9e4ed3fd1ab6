"""Where the workers are: those of this machine by a file each in the run folder, `worker-PID.json`; workers elsewhere
by the addresses that SMOKEHOUSE_WORKERS names.

Guarantees: a reader sees a whole file or none; one that a killed process left behind names nobody; a name that stands
for several workers (a service of containers) is all of them, and one that nobody knows is a worker that is not there.
Does not belong here: what workers answer.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path

import msgspec

from streams.settings import Settings, joined, split_address

WORKERS_MAX = 64
FILES_MAX = 10_000  # looked at, the newest first: each kill -9 leaves one behind


class WorkerAddress(msgspec.Struct, frozen=True):
    """`url`: of its own small server. `pid`: 0 if the address alone is known."""

    pid: int
    url: str
    role: str = ""

    @property
    def place(self) -> str:
        """`host:port`."""
        return self.url.removeprefix("http://").rstrip("/")

    @property
    def name(self) -> str:
        """What a person calls it."""
        return f"PID {self.pid}" if self.pid else self.place


def file_of(run_dir: Path, pid: int) -> Path:
    return run_dir / f"worker-{pid}.json"


def leave(run_dir: Path, address: WorkerAddress) -> None:
    """Write the address down."""
    run_dir.mkdir(parents=True, exist_ok=True)
    path = file_of(run_dir, address.pid)
    half = path.with_suffix(".half")
    half.write_bytes(msgspec.json.encode(address))
    half.replace(path)


def worker_addresses(settings: Settings) -> list[WorkerAddress]:
    """Of the workers that the settings name, or else of those that run here, the newest first."""
    if not settings.workers:
        return addresses_here(settings.run_dir)
    found = [address for place in settings.workers.split(",") for address in _addresses_at(place)]
    return list(dict.fromkeys(found))[:WORKERS_MAX]


def addresses_here(run_dir: Path) -> list[WorkerAddress]:
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


def _addresses_at(place: str) -> list[WorkerAddress]:
    """One for each address that the name stands for, of one family: a worker with two would be asked twice."""
    host, port = split_address(place)
    try:
        known = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:  # nobody of this name, or nobody who knows: whoever asks it learns that it does not answer
        return [WorkerAddress(0, f"http://{place}")]
    family = min(known)[0]  # IPv4 before IPv6
    hosts = sorted({where[0] for of, _, _, _, where in known if of == family})
    return [WorkerAddress(0, f"http://{joined(host, port)}") for host in hosts]


def _written(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:  # gone meanwhile
        return 0
