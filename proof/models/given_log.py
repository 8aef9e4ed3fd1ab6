"""A world whose log is given from the start: nothing is written to it, and outside nothing happens by itself.

Does not belong here: what a record does, and what is heard of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


class GivenLog:
    """A record is its name, if the world says nothing else; its offset is its place."""

    def __init__(self, log: tuple[Any, ...]) -> None:
        self._log = log

    def end(self, world: Any) -> int:
        return len(self._log)

    def rests(self, world: Any) -> bool:
        return True

    def say(self, world: Any, offset: int) -> str:
        return self._log[offset]

    def recover(self, rows: Any) -> Any:
        return rows

    def others(self, world: Any) -> Iterator[tuple[str, Any]]:
        return iter(())

    def wrong(self, world: Any, committed: int) -> str:
        return ""
