"""What a command of the bench does with its rows: a table on stdout, JSON in a file, a section of the page.

Guarantees: whatever is told says on which machine, and how busy it was. Does not belong here: measuring, the rows of
`python -m bench` itself (`report`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct
from rich.console import Console
from rich.table import Table

from bench import machine
from bench.options import Options
from bench.page import PAGE, lines_of_table, put, today

WIDTH = 160
CHECK_CHARACTERS = 70
BUSY_CORES = 0.2  # used by others: figures are rough then, and it is said


class Told(NamedTuple):
    """What a command measured. `cells` are those of a row, as `headings` name them; the first `words` hold no numbers,
    the last is the check."""

    command: str
    title: str
    headings: tuple[str, ...]
    words: int
    rows: Sequence[Struct]
    cells: Callable[[Any], list[str]]
    notes: Sequence[str] = ()
    pictures: Mapping[str, str] = {}  # file name -> SVG

    @property
    def numbers(self) -> range:
        return range(self.words, len(self.headings) - 1)


class Meanwhile:
    """How busy the machine is from now on."""

    def __init__(self) -> None:
        self._before, self._ours = machine.look(), _our_cpu()

    def __str__(self) -> str:
        """Once every child has ended: before, their CPU would count as that of others."""
        busy = machine.busy_between(self._before, machine.look(), _our_cpu() - self._ours)
        rough = "A busy machine, rough figures: " if busy.others_cores > BUSY_CORES else ""
        return (
            f"{rough}{machine.describe()}; its load average was {busy.load_1m:.1f} at the end, other processes used "
            f"{busy.others_cores:.1f} cores meanwhile."
        )


def tell(told: Told, meanwhile: Meanwhile, options: Options, page: Path = PAGE) -> bool:
    """Tell it; False if a check failed, or nothing was measured."""
    where = str(meanwhile)
    out = Console()
    if not out.is_terminal:
        out = Console(width=WIDTH)  # a pipe knows no width
    table = Table(title=told.title)
    for number, name in enumerate(told.headings):
        table.add_column(name, justify="right" if number in told.numbers else "left", no_wrap=number < told.words)
    for row in told.rows:
        table.add_row(*told.cells(row))
    out.print(table)
    for note in (*told.notes, where):
        out.print(note, markup=False, highlight=False, soft_wrap=True)
    if options.json is not None:
        found = {"rows": told.rows, "notes": told.notes, "machine": where}
        options.json.write_bytes(msgspec.json.format(msgspec.json.encode(found)) + b"\n")
    if options.write:
        put(told.command, _section(told, where, quick=options.quick), told.pictures, page)
    return bool(told.rows) and all(row.check == "ok" for row in told.rows)  # type: ignore[attr-defined]


def check_cell(check: str) -> str:
    """The last line of what was wrong, short."""
    return check.strip().splitlines()[-1][:CHECK_CHARACTERS]


def _section(told: Told, where: str, *, quick: bool) -> str:
    lines = [
        f"{told.title}. Measured {today()}{' with `--quick`' if quick else ''}. {where}",
        "",
        *lines_of_table(told.headings, told.numbers, map(told.cells, told.rows)),
        "",
        *(line for note in told.notes for line in (note, "")),
        *(f"![{told.title}]({name})" for name in told.pictures),
    ]
    return "\n".join(lines).rstrip("\n") + "\n"


def _our_cpu() -> float:
    """Of this process and of those it has waited for."""
    return sum(os.times()[:4])
