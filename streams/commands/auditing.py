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
from proof.audit import collect
from proof.audit.core import audit as fold_again
from streams.commands.output import fail, put_json, put_table, say, talk
from streams.commands.session import connected
from streams.reader import ReadError
from tables import records as r

CANNOT_READ = 3
_flag = Parameter(negative="")


def audit(
    *,
    allow_undecided: Annotated[bool, _flag] = False,
    sequential: Annotated[bool, _flag] = False,
    settle: float = 5.0,
    json: Annotated[bool, _flag] = False,
) -> None:
    """Check everything that was said against both logs, folded again; exits with 1 if something does not add up.

    Parameters
    ----------
    allow_undecided
        Orders that nothing is under way for any more are told, but are no finding.
    sequential
        Also decide the imported orders one at a time, in file order, and compare how many are confirmed.
    settle
        Seconds to wait for workers to handle what was there at the start.
    json
        The report as JSON on stdout.
    """
    from streams.wiring import GROUP  # Faust takes a moment to load

    gc.disable()  # millions of small objects without cycles, in a process that ends with its report
    settings = connected()
    beside = _OneAtATime() if sequential else None
    try:
        where = collect.cut(settings, GROUP, settle)
        with Progress(
            TextColumn("reading topics"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
            console=talk, transient=True, disable=not talk.is_terminal,
        ) as bar:  # fmt: skip
            task = bar.add_task("", total=collect.size(settings))
            read = collect.source(settings, where, lambda n: bar.advance(task, n))
            report = fold_again(read, where, allow_undecided=allow_undecided, look=beside)
    except ReadError as error:
        fail(str(error), CANNOT_READ)
    if beside is not None:
        report["sequential"] = beside.compared()
    if json:
        put_json(report)
    else:
        _show(report)
    sys.exit(0 if report["ok"] else 1)


class _OneAtATime:
    """Keeps the records that came from files, and what became of their orders."""

    def __init__(self) -> None:
        self._events: list[tuple[Any, Any]] = []
        self._orders: set[str] = set()
        self._confirmed = 0

    def record(self, record: Any) -> None:
        place = file_order(record)
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


def _show(report: dict[str, Any]) -> None:
    names = ("items", "applied", "duplicates", "forwarded", "dead_letters", "ticks")
    put_table("Items", ["log", *names], [(log, *(getattr(n, x) for x in names)) for log, n in report["logs"].items()])
    put_table("Orders", ["what", "count"], [(k, n) for k, n in report["orders"].items() if k != "states"])
    found: dict[str, int] = {}
    for finding in report["findings"]:
        found[finding.rule] = found.get(finding.rule, 0) + 1
    rules = sorted({*report["checked"], *found})
    put_table("Checked", ["rule", "checks", "findings"],
              [(rule, report["checked"].get(rule, 0), found.get(rule, 0)) for rule in rules])  # fmt: skip
    if "sequential" in report:
        put_table("Against one order at a time", ["what", "value"], list(report["sequential"].items()))
    for finding in report["findings"]:
        where = " ".join(x for x in (finding.subject, finding.location, finding.lot) if x)
        spot = f"{finding.topic}[{finding.partition}] offset {finding.offset}.{finding.index}"
        print(f"{finding.rule}: {where}, first at {spot}: expected {finding.expected}; found {finding.found}"
              + (f" ({finding.note})" if finding.note else "")
              + (f" [{finding.times} times]" if finding.times > 1 else ""))  # fmt: skip
    if report["more_findings"]:
        print(f"and {report['more_findings']} more")
    say("everything adds up" if report["ok"] else "something does not add up: see the findings")
