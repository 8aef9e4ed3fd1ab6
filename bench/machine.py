"""What processes and the machine have used, read from /proc.

Guarantees: CPU seconds are user + system of a process and everything it started. Linux only. Does not belong here:
what a peer is.
"""

from __future__ import annotations

import os
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

_TICKS = os.sysconf("SC_CLK_TCK")
_LOOK_SECONDS = 0.01
_PAGE = os.sysconf("SC_PAGE_SIZE")
_CPU_CLOCK = 2  # with the inverted process id above it: that process's CPU clock, as clock_getcpuclockid(3) makes it


class Machine(NamedTuple):
    """Seconds of all cores since the machine started."""

    at: float
    busy: float
    steal: float


class Busy(NamedTuple):
    """How busy the machine was meanwhile: `load_1m` at the end, the others in cores."""

    load_1m: float
    busy_cores: float
    steal_cores: float
    others_cores: float  # used by processes that are not the bench's


def cpu_seconds(pid: int) -> float:
    """Of the process and its children, those that have ended included; 0.0 if it is gone.

    To the nanosecond while it runs, threads that have ended included; in ticks for children that have ended.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        own = time.clock_gettime(~pid << 3 | _CPU_CLOCK)
    except OSError:
        return 0.0
    fields = stat[stat.rindex(")") + 2 :].split()
    ended = sum(int(x) for x in fields[13:15]) / _TICKS
    return own + ended + sum(cpu_seconds(int(child)) for child in children)


def seconds_to_end(process: subprocess.Popen[bytes], most: float) -> float:
    """Until a child has ended by itself, less the time for which it had no processor because others had them.

    That is what the one of its threads waited that waited longest for a turn. `TimeoutExpired` after `most` seconds.
    """
    began, before = time.monotonic(), _turns_waited_for(process.pid)
    last = dict(before)
    while process.poll() is None:
        if time.monotonic() - began > most:
            raise subprocess.TimeoutExpired(process.args, most)
        last |= _turns_waited_for(process.pid)
        time.sleep(_LOOK_SECONDS)
    took = time.monotonic() - began
    return took - max((seconds - before.get(thread, 0.0) for thread, seconds in last.items()), default=0.0)


def _turns_waited_for(pid: int) -> dict[str, float]:
    """Thread -> seconds since its start that it was ready to run and did not."""
    waited = {}
    with suppress(OSError):  # it has ended, or this kernel does not count
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with suppress(OSError):
                waited[thread.name] = int((thread / "schedstat").read_text().split()[1]) / 1e9
    return waited


def resident_bytes(pid: int) -> int:
    """Memory of the process that is in RAM; 0 if it is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
    except OSError:
        return 0


def look() -> Machine:
    fields = [int(x) / _TICKS for x in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    user, nice, system, _idle, _iowait, irq, softirq, steal = fields[:8]
    return Machine(time.monotonic(), user + nice + system + irq + softirq, steal)


def busy_between(before: Machine, after: Machine, ours: float) -> Busy:
    """`ours`: CPU seconds that the bench used meanwhile, with all that it measures."""
    seconds = max(after.at - before.at, 0.001)
    busy = (after.busy - before.busy) / seconds
    steal = (after.steal - before.steal) / seconds
    return Busy(os.getloadavg()[0], busy, steal, max(0.0, busy - ours / seconds))


def describe() -> str:
    """The machine in one line."""
    model = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    memory = next(int(x.split()[1]) for x in Path("/proc/meminfo").read_text().splitlines() if x.startswith("MemTotal"))
    return f"{os.cpu_count()} cores ({model}), {memory / 2**20:.1f} GiB"
