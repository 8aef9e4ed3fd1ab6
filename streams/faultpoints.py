"""A switch for tests: a worker that ends (or stands still) at a named place of its code, at the n-th passing.

Reads SMOKEHOUSE_FAULTS, for example `commit.before:3=kill,rows_acked.after:1=stop`. Guarantees: refused unless every
broker is on loopback; without the variable nothing here is imported and nothing is looked up. Each point stands around
one call; it is put there once, at the start, so that the code itself knows nothing of it.
Does not belong here: when and to whom it happens (`proof.nemesis`).
"""

from __future__ import annotations

import functools
import os
import re
import signal
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from streams.brokers.process import LOOPBACK_HOSTS
from streams.outbox import Outbox
from streams.owner import PartitionOwner
from streams.partition import Partition
from streams.settings import SettingError, Settings, split_address
from streams.transport import Partitions
from streams.transport.commits import Commits
from streams.transport.poller import Poller
from tables.store import RowStore

VARIABLE = "SMOKEHOUSE_FAULTS"
ACTIONS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}
WHEN = ("before", "after")

# point -> the call it stands around
POINTS: dict[str, tuple[type, str]] = {
    "apply": (Partition, "_apply"),  # one record through the step, its rows and sends
    "answer_send": (Outbox, "leave"),  # what a batch says
    "answer_acked": (Outbox, "_await_answers"),
    "row_send": (Outbox, "row"),  # one row to the changelog
    "rows_acked": (Outbox, "_await_rows"),
    "store_write": (RowStore, "write"),  # a checkpoint's rows to the local store
    "commit": (Partitions, "commit"),  # everything acknowledged, the offsets handed over
    "committed": (Commits, "answered"),  # the broker has answered
    "recovery": (PartitionOwner, "_recover"),  # the rows of one partition
    "recovery_fill": (RowStore, "fill"),  # some of them
    "assigned": (Poller, "_on_assign"),
    "revoked": (Poller, "_on_revoke"),
    "closed": (PartitionOwner, "_close_store"),  # checkpointed, its store not yet marked or just marked
}


class Fault(NamedTuple):
    """At the `passing`-th time a point is reached, `before` or `after` its call."""

    point: str
    when: str
    passing: int
    action: str


def parse(text: str) -> list[Fault]:
    """`point.before:n=kill, ...`; `SettingError` names what is wrong."""
    found = []
    for part in filter(None, (x.strip() for x in text.split(","))):
        match = re.fullmatch(r"(\w+)\.(before|after):([1-9]\d{0,8})=(\w+)", part)
        if match is None or match[1] not in POINTS or match[4] not in ACTIONS:
            raise SettingError(
                f"{VARIABLE}={part!r}: give POINT.before:N=kill (or .after, or =stop); points: {', '.join(POINTS)}"
            )
        found.append(Fault(match[1], match[2], int(match[3]), match[4]))
    return found


def arm(settings: Settings, env: Mapping[str, str]) -> None:
    """Put the faults that the variable names in their places, in this process. `SettingError`: not here, or not so."""
    faults = parse(env[VARIABLE])
    hosts = [split_address(part)[0] for part in settings.bootstrap.split(",")]
    if elsewhere := [host for host in hosts if host not in LOOPBACK_HOSTS]:
        raise SettingError(f"{VARIABLE} is for tests with a broker on this machine; {elsewhere[0]} is another")
    for fault in faults:
        owner, name = POINTS[fault.point]
        setattr(owner, name, _around(getattr(owner, name), fault))


def _around(call: Callable[..., Any], fault: Fault) -> Callable[..., Any]:
    left = fault.passing

    def passed() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.write(2, f"smokehouse: fault: {fault.action} {fault.when} {fault.point}\n".encode())
            os.kill(os.getpid(), ACTIONS[fault.action])

    @functools.wraps(call)
    def around(*args: Any, **kwargs: Any) -> Any:
        if fault.when == "before":
            passed()
        answer = call(*args, **kwargs)
        if fault.when == "after":
            passed()
        return answer

    return around
