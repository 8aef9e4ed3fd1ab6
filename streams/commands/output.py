"""How commands speak: data on stdout (a table, or JSON with `--json`), everything else on stderr.

Does not belong here: what a command does.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

WIDTH = 200  # of tables that no terminal bounds: a pipe wants whole words
talk = Console(stderr=True, highlight=False)


def say(message: str) -> None:
    """A line for the person at the terminal."""
    talk.print(message, markup=False, soft_wrap=True)


def fail(message: str, code: int = 1) -> NoReturn:
    """End the command: what is wrong and what to do next, on stderr."""
    talk.print(f"smokehouse: {message}", markup=False, style="red", soft_wrap=True)
    sys.exit(code)


def put_json(data: Any) -> None:
    """One JSON document on stdout."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(data), indent=2).decode() + "\n")


def put_line(text: str) -> None:
    """A line of data for people on stdout; what others wrote in it cannot steer a terminal."""
    sys.stdout.write("".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in text) + "\n")


def put_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """A table on stdout; numbers stand right."""
    table = Table(title=title or None, title_justify="left")
    for place, column in enumerate(columns):
        numeric = bool(rows) and all(isinstance(row[place], int | float) for row in rows)
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text("" if cell is None else str(cell)) for cell in row))  # never markup: others wrote it
    data = Console(highlight=False)
    if not data.is_terminal:
        data = Console(highlight=False, width=WIDTH)
    data.print(table)
