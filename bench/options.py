"""The options that every command of the bench takes.

Does not belong here: what one command alone takes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from streams.commands.options import DAY_SECONDS, between

RATE_MIN, RATE_MAX = 0.1, 1e6  # orders a second


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Options:
    quick: Annotated[bool, Parameter(negative="", help="Little and short, to look at.")] = False
    json: Annotated[Path | None, Parameter(help="Also write the rows to this file.")] = None
    write: Annotated[bool, Parameter(negative="", help="Also write them into docs/performance.md.")] = False


DEFAULT = Options()
Rate = Annotated[float, between(RATE_MIN, RATE_MAX)]  # orders a second
Held = Annotated[float, between(1, DAY_SECONDS)]  # seconds for which something is measured
