"""`smokehouse audit`: reads the topics from outside, folds both logs again, and says whether everything adds up.

Reads all topics; writes nothing but its report on stdout. Exits with 0 only if nothing was found. Does not belong here:
what is checked (`proof.audit`), how one order at a time decides (`connectors.sequential`).
"""

from __future__ import annotations

import gc
import sys
from typing import Annotated, Any

from cyclopts import Parameter
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from connectors.sequential import file_order, replay
from proof.audit.collect import Watch
from proof.audit.core import audit as fold_again
from streams.commands.audit_showing import show
from streams.commands.following import EVERY_SECONDS_MIN, Following
from streams.commands.options import DAY_SECONDS, Seconds, between
from streams.commands.output import fail, put_json, talk
from streams.commands.session import EXIT_ARGUMENTS, connected, reading
from tables import records as r

_flag = Parameter(negative="")


def audit(
    *,
    follow: Annotated[bool, _flag] = False,
    every: Annotated[float, between(EVERY_SECONDS_MIN, DAY_SECONDS)] = 2.0,
    seconds: Annotated[float | None, Parameter(name="--for"), between(0)] = None,
    allow_undecided: Annotated[bool, _flag] = False,
    sequential: Annotated[bool, _flag] = False,
    settle: Seconds = 5.0,
    json: Annotated[bool, _flag] = False,
) -> None:
    """Check everything that was said against both logs, folded again; exits with 1 if something does not add up.

    Parameters
    ----------
    follow
        Go on while traffic flows, in rounds: each reads what is new, tells findings at once, and how far behind it is.
        Ctrl-C ends it with the report.
    every
        Seconds between two rounds.
    seconds
        Of a run that follows: its end; none: until it is stopped.
    allow_undecided
        Orders that nothing is under way for any more are told, but are no finding.
    sequential
        Also decide the imported orders one at a time, in file order, and compare how many are confirmed.
    settle
        Seconds to wait for workers to handle what was there at the start.
    json
        The report as JSON on stdout; with --follow a line for each round, and one for the report.
    """
    from streams.wiring import GROUP  # Faust takes a moment to load

    if follow:
        if sequential:
            fail("--sequential looks at a whole log: it cannot --follow", EXIT_ARGUMENTS)
        following = Following(connected(), GROUP, allow_undecided=allow_undecided, every=every, json=json)
        report = following.run(seconds)
        if not json:
            show(report)
        sys.exit(0 if report["ok"] else 1)
    gc.disable()  # millions of small objects without cycles, in a process that ends with its report
    settings = connected()
    beside = _OneAtATime() if sequential else None
    with reading():
        watch = Watch(settings, GROUP)
        watch.wait_for_workers(settle)
        where = watch.cut()
        with Progress(
            TextColumn("reading topics"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
            console=talk, transient=True, disable=not talk.is_terminal,
        ) as bar:  # fmt: skip
            task = bar.add_task("", total=watch.size())
            read = watch.source(where, lambda n: bar.advance(task, n))
            report = fold_again(read, where, allow_undecided=allow_undecided, look=beside)
    if beside is not None:
        report["sequential"] = beside.compared()
    if json:
        put_json(report)
    else:
        show(report)
    sys.exit(0 if report["ok"] else 1)


class _OneAtATime:
    """Keeps the records that came from files, and what became of their orders."""

    def __init__(self) -> None:
        self._events: list[tuple[Any, Any]] = []
        self._orders: set[str] = set()
        self._confirmed = 0

    def record(self, record: Any, headers: list[tuple[str, bytes]] | None) -> None:
        place = file_order(record, headers)
        if place is not None:
            self._events.append((place, record))
            if isinstance(record, r.OrderPlaced):
                self._orders.add(record.order_id)

    def decision(self, order_id: str, status: str) -> None:
        self._confirmed += status == "confirmed" and order_id in self._orders

    def compared(self) -> dict[str, Any]:
        """Both counts, and how many of the orders that one at a time confirms were confirmed."""
        self._events.sort(key=lambda event: event[0])
        alone = replay(record for _, record in self._events)
        ratio = self._confirmed / alone.confirmed if alone.confirmed else None
        return {
            "placed": alone.placed, "confirmed_one_at_a_time": alone.confirmed, "confirmed": self._confirmed,
            "ratio": None if ratio is None else round(ratio, 5),
        }  # fmt: skip
