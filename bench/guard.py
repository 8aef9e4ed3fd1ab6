"""The guard of speed: CPU per order of a worker as a multiple of the floor's, measured in one run.

`python -m bench.guard` measures; `--write` puts the ratio into `bench/guard.json`, with date and machine. Guarantees:
CPU time, not wall: a busy machine slows both sides alike; rounds are interleaved and their medians compared. Does not
belong here: which ratio is too much (`tests/bench/test_guard.py`).
"""

from __future__ import annotations

import datetime
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Annotated

import msgspec
from cyclopts import App, Parameter
from msgspec import Struct

from bench import machine
from bench.children import BenchError
from bench.measured import Size
from bench.peers.floor import FloorPeer
from bench.peers.smokehouse import SmokehousePeer
from bench.round import measure
from streams.brokers.embedded import start_embedded
from streams.brokers.process import free_port
from streams.commands.options import between

FILE = Path(__file__).with_name("guard.json")
ROUNDS = 3
WORKER = Size(warm_up=1_500, steady=0, rate=0.0, burst=3_000)
FLOOR = Size(warm_up=1_500, steady=0, rate=0.0, burst=12_000)  # so little CPU per order that it takes more of them
SEED = 1

app = App(name="bench.guard", help="CPU per order beside the floor.", version_flags=[])


class Ratio(Struct, frozen=True, kw_only=True):
    """CPU-s per 1,000 orders of `spread` on the embedded broker, medians of the rounds, and their ratio."""

    ratio: float
    worker_cpu_s_per_1000: float
    floor_cpu_s_per_1000: float


class Guard(Ratio, frozen=True, kw_only=True):
    """What is checked in: the median of several runs, which all stand in `runs`."""

    date: str
    machine: str
    runs: list[float]


def measure_ratio() -> Ratio:
    """Interleaved rounds of both. `BenchError` if one does not get through or its check is not ok."""
    worker: list[float] = []
    floor: list[float] = []
    with tempfile.TemporaryDirectory(prefix="smokehouse-bench-guard-") as home:
        for _ in range(ROUNDS):
            for peer, size, into in ((FloorPeer(), FLOOR, floor), (SmokehousePeer(), WORKER, worker)):
                with start_embedded(f"127.0.0.1:{free_port()}", Path(home)) as broker:
                    found = measure(peer, "spread", broker, size, SEED, lambda _: None)
                if found.check != "ok":
                    raise BenchError(f"{peer.name}: {found.check}")
                into.append(found.cpu_s_per_1000)
    return Ratio(
        ratio=median(worker) / median(floor), worker_cpu_s_per_1000=median(worker), floor_cpu_s_per_1000=median(floor)
    )


def checked_in() -> Guard:
    return msgspec.json.decode(FILE.read_bytes(), type=Guard)


@app.default
def main(*, runs: Annotated[int, between(1)] = 3, write: Annotated[bool, Parameter(negative="")] = False) -> None:
    """Measure the ratio.

    Parameters
    ----------
    runs
        How often; their median counts, their spread is shown.
    write
        Check it in: into bench/guard.json.
    """
    found: list[Ratio] = []
    for _ in range(runs):
        found.append(measure_ratio())
        print(f"{found[-1].ratio:.1f} (worker {found[-1].worker_cpu_s_per_1000:.3f}, "
              f"floor {found[-1].floor_cpu_s_per_1000:.4f} CPU-s per 1,000)", flush=True)  # fmt: skip
    middle = sorted(found, key=lambda x: x.ratio)[len(found) // 2]
    if write:
        guard = Guard(
            ratio=round(middle.ratio, 2), worker_cpu_s_per_1000=round(middle.worker_cpu_s_per_1000, 4),
            floor_cpu_s_per_1000=round(middle.floor_cpu_s_per_1000, 5), date=f"{datetime.date.today():%Y-%m-%d}",
            machine=machine.describe(), runs=[round(x.ratio, 2) for x in found],
        )  # fmt: skip
        FILE.write_bytes(msgspec.json.format(msgspec.json.encode(guard)) + b"\n")


if __name__ == "__main__":
    try:
        app()
    except BenchError as error:
        print(error, file=sys.stderr)
        sys.exit(1)
