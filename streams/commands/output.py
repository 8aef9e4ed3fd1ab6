"""How commands speak: data on stdout (a table, or JSON with `--json`), everything else on stderr.

Does not belong here: what a command does.
"""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Sequence
from typing import Any, NoReturn

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

WIDTH = 200  # of tables that no terminal bounds: a pipe wants whole words


class _Console(Console):
    def on_broken_pipe(self) -> None:
        raise BrokenPipeError  # rich would end with 1, which says something else; `cli.main` knows what to do


talk = _Console(stderr=True, highlight=False, emoji=False)  # a SKU may be called A:fire:B


def _steady(text: str) -> str:
    """The text, except what would steer a terminal: others wrote it."""
    return "".join(c if c.isprintable() or c in "\n\t" or unicodedata.category(c) == "Zs" else "\ufffd" for c in text)


def say(message: str) -> None:
    """A line for the person at the terminal."""
    talk.print(_steady(message), markup=False, soft_wrap=True)


def some(number: int, what: str) -> str:
    """`1 order`, `2,000 orders`."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def fail(message: str, code: int = 1) -> NoReturn:
    """End the command: what is wrong and what to do next, on stderr."""
    talk.print(_steady(f"smokehouse: {message}"), markup=False, style="red", soft_wrap=True)
    sys.exit(code)


def put_json(data: Any) -> None:
    """One JSON document on stdout."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(data), indent=2).decode() + "\n")


def put_line(text: str) -> None:
    """A line of data for people on stdout; what others wrote in it cannot steer a terminal."""
    sys.stdout.write(_steady(text) + "\n")


def put_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """A table on stdout; numbers stand right. Nothing in it is markup or steers a terminal: others wrote it."""
    table = Table(title=_text(title, "table.title") if title else None, title_justify="left")
    for place, column in enumerate(columns):
        numeric = bool(rows) and all(isinstance(row[place], int | float) for row in rows)
        table.add_column(_text(column), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*("" if cell is None else _text(cell) for cell in row))
    data = _Console(highlight=False)
    if not data.is_terminal:
        data = _Console(highlight=False, width=WIDTH)
    data.print(table)


def _text(cell: Any, style: str = "") -> Text:
    return Text(_steady(str(cell)), style)
