"""The calling process: asks a server over some connections, one call in flight on each, all from one thread.

`python -m bench.callers PEER ADDRESS WORKLOAD COUNT SEED`. Everything is encoded first; then one JSON line in, one out.
One thread over all connections costs less CPU than a thread for each. A call holds up to `per_call` orders: at a steady
rate those that wait, in a burst all it may. Does not belong here: what a call looks like on the wire.
"""

from __future__ import annotations

import gc
import json
import selectors
import sys
import time
from collections.abc import Sequence
from typing import Any

import msgspec

from bench.peers.called import CONNECTIONS, Line
from bench.peers.registry import CALLED
from bench.workload import WorkloadName, make

STUCK_SECONDS = 60.0


def main() -> None:
    peer_name, address, name, count, seed = sys.argv[1:]
    peer = CALLED[peer_name]()
    lines = peer.lines(address, CONNECTIONS)
    workload = make(msgspec.convert(name, WorkloadName), int(count), int(seed))
    calls = [peer.call(order) for order in workload.orders]
    gc.disable()  # nothing here refers to itself
    said: list[bool] = []
    print("{}", flush=True)  # ready
    for line in sys.stdin:
        told = json.loads(line)
        if told["do"] == "answers":
            print(json.dumps(said), flush=True)
            continue
        batch = calls[told["first"] : told["first"] + told["count"]]
        answers, times, seen = ask(lines, batch, peer.per_call, told["rate"])
        said.extend(answers)
        print(json.dumps({"times_ns": times, "seen_ns": seen}), flush=True)


def ask(
    lines: Sequence[Line], calls: Sequence[Any], per_call: int, rate: float
) -> tuple[list[bool], list[int], list[int]]:
    """Ask all of `calls`, `rate` a second or (0) at once: the answers, when each was due, when each was there (ns)."""
    count, given, done = len(calls), 0, 0
    answers, times, seen = [False] * count, [0] * count, [0] * count
    free = list(lines)
    asked: dict[Line, tuple[int, int]] = {}
    start, due = time.time_ns(), 0
    with selectors.DefaultSelector() as selector:
        for line in lines:
            selector.register(line, selectors.EVENT_READ)
        while done < count:
            now = time.time_ns()
            was = due
            due = min(count, int((now - start) * rate / 1e9) + 1) if rate else count
            times[was:due] = [now] * (due - was)
            while free and given < due:
                line = free.pop()
                until = min(given + per_call, due)
                line.send(calls[given:until])
                asked[line] = (given, until)
                given = until
            wait = STUCK_SECONDS if due == count else max(0.0, (start + due * 1e9 / rate - time.time_ns()) / 1e9)
            ready = selector.select(wait)
            if not ready and due == count:
                raise TimeoutError(f"no answer in {STUCK_SECONDS:.0f} s")
            for key, _ in ready:
                line = key.fileobj  # type: ignore[assignment]
                found = line.receive()
                if found is None:
                    continue
                first, until = asked.pop(line)
                answers[first:until] = found
                seen[first:until] = [time.time_ns()] * (until - first)
                done += until - first
                free.append(line)
    return answers, times, seen


if __name__ == "__main__":
    main()
