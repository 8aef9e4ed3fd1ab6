"""Ranges of the numbers that options take; the library that reads the arguments refuses what lies outside.

Does not belong here: what an option means.
"""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

DAY_SECONDS = 86_400.0
MANY = 10**9  # of orders, days, series, seconds: nothing here comes near it


def between(least: float, most: float = MANY) -> Parameter:
    """An option from `least` to `most`, both included. Its default must lie there too, or be None."""
    return Parameter(validator=Number(gte=least, lte=most))


Seed = Annotated[int, between(0)]
Seconds = Annotated[float, between(0, DAY_SECONDS)]
PlanDays = Annotated[int, between(0, 365)]  # as of records of `planning`
Period = Annotated[int, between(1, 365)]
Partitions = Annotated[int, between(1, 1024)]  # what a log's first record may say
