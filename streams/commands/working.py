"""`smokehouse worker`: one worker in this process.

Of its own, because a worker that starts loads what it needs, and nothing that commands show to people. Does not belong
here: what a worker does (`wiring`).
"""

from __future__ import annotations

import logging
import re
import tempfile
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from streams import logs
from streams.commands.output import fail
from streams.commands.session import EXIT_ARGUMENTS, connected
from streams.settings import SettingError
from streams.topics import CATALOGUE

BROKER_SECONDS = 60.0  # it may start together with its broker


def _names_a_folder(_: Any, name: str) -> None:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
        raise ValueError("Give 1 to 64 letters, digits, dots, dashes or underscores, the first a letter or digit.")


def _is_a_level(_: Any, name: str) -> None:
    if name.upper() not in logging.getLevelNamesMapping():
        raise ValueError("Give debug, info, warning, error or critical.")


def worker(
    *, role: Literal["all", "order", "stock"] = "all",
    name: Annotated[str, Parameter(validator=_names_a_folder)] = "worker",
    loglevel: Annotated[str, Parameter(validator=_is_a_level)] = "info",
) -> None:  # fmt: skip
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
    try:
        settings.run_dir.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=settings.run_dir).close()  # a folder that is there may be read-only
    except OSError as error:
        fail(f"SMOKEHOUSE_HOME={settings.home}: {error.strerror}")
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
