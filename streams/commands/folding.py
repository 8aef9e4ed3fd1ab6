"""What the commands that look back share: the agents as folds need them, snapshots in the home folder, a bar.

Reads the settings and the logs; writes snapshots. Guarantees: what is wrong with a log or a moment ends the command
with a sentence. Does not belong here: what a command asks of a fold.
"""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from proof.history.explain import Logs
from proof.history.fold import Folded, Halted, fold
from proof.history.logs import BrokerLog, Log, Meter, partitions
from proof.history.moment import END, Moment, last_text, parse
from proof.history.snapshots import Snapshots
from streams import wiring
from streams.commands.output import fail, say, talk
from streams.commands.session import CANNOT_READ
from streams.reader import ReadError
from streams.settings import Settings
from streams.topics import ORDERS

EXIT_ARGUMENTS = 2
SNAPSHOTS = "snapshots"  # of the home folder
ROLES = {role.topic: role for role in wiring.ROLES.values()}  # the agents as workers run them, by the log they read


class NoSuchMoment(ReadError):
    """The log was read, and has no such position: asking again does not help."""


class Bar:
    """A progress bar on stderr whose end moves as more is found to read."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("", total=0)
        self._total = 0

    def expect(self, records: int) -> None:
        self._total += records
        self._progress.update(self._task, total=self._total)

    def advance(self, records: int) -> None:
        self._progress.advance(self._task, records)


@contextmanager
def looking_back(what: str = "folding the log") -> Iterator[Bar]:
    """A bar; logs that cannot be read or folded end the command."""
    gc.disable()  # rows hold no cycles, and the process ends with its answer
    logging.getLogger("streams.partition").setLevel(logging.CRITICAL)  # a halt is told by the command
    try:
        with Progress(
            TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=talk, transient=True,
            disable=not talk.is_terminal,
        ) as progress:  # fmt: skip
            yield Bar(progress)
    except (ReadError, Halted) as error:
        fail(str(error), CANNOT_READ)


def moment_of(text: str, option: str) -> Moment:
    """A moment as people write it; the command ends if it is none."""
    try:
        return parse(text)
    except ValueError as error:
        fail(f"{option} {error}", EXIT_ARGUMENTS)


def snapshots_of(settings: Settings, log: Log, log_id: int, tell: Callable[[str], None] = say) -> Snapshots:
    """Where folds of this partition leave their snapshots."""
    return Snapshots(settings.home / SNAPSHOTS, settings.prefix + log.topic, log.number, log_id, tell)


def logs_of(settings: Settings, tell: Callable[[str], None] = say) -> Logs:
    """Both logs on the broker. `ReadError`: there are none, or their beginning is lost."""
    log_id = BrokerLog(settings, ORDERS.name, 0).log_id()
    return Logs(
        log_id, partitions(settings), lambda topic, number: BrokerLog(settings, topic, number),
        lambda log: snapshots_of(settings, log, log_id, tell),
    )  # fmt: skip


def fold_to(settings: Settings, topic: str, number: int, until: Moment = END, meter: Meter | None = None) -> Folded:
    """The partition's rows as they stood. `ReadError`; `NoSuchMoment`, which is one: it has no such moment."""
    log = BrokerLog(settings, topic, number)
    log_id = log.log_id()
    if until.log_id and until.log_id != log_id:
        raise NoSuchMoment(f"{topic}[{number}] is of log {log_id}; {until.log_id} is another, and its history is gone")
    folded = fold(log, ROLES[topic], until, snapshots=snapshots_of(settings, log, log_id), meter=meter)
    if until.place is not None and folded.place < until.place:
        last = last_text(folded.place) if folded.place else "not there yet"
        raise NoSuchMoment(f"{topic}[{number}] ends before that position; its last record is {last}")
    return folded
