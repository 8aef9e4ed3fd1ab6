"""`smokehouse worker`: one worker in this process.

Of its own, because a worker that starts loads what it needs, and nothing that commands show to people. Does not belong
here: what a worker does (`wiring`).
"""

from __future__ import annotations

from typing import Literal

from streams import logs
from streams.commands.output import fail
from streams.commands.session import EXIT_ARGUMENTS, connected
from streams.settings import SettingError
from streams.topics import CATALOGUE

BROKER_SECONDS = 60.0  # it may start together with its broker


def worker(
    *, role: Literal["all", "order", "stock"] = "all", name: str = "worker", loglevel: str = "info"
) -> None:
    """Run one worker: the agents of both logs, or of one. Start as many as you like; they share the partitions.

    Parameters
    ----------
    role
        Which agents it runs.
    name
        Names its local stores; workers on one machine need different names.
    """
    from streams import wiring

    settings = connected(BROKER_SECONDS)
    there = logs.partition_counts(settings)
    missing = [t.name for t in CATALOGUE if t.name not in there]
    if missing:
        fail(f"topics are missing: {', '.join(missing)}. Make them: smokehouse topics apply")
    if wrong := logs.misfits(there):
        fail(wrong)
    try:
        wiring.run(settings, role, name, loglevel)
    except SettingError as error:
        fail(str(error), EXIT_ARGUMENTS)
