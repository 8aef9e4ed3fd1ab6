"""What a policy starts from: how purchases work, the stock that is there, and what a forecast must answer.

Units: days (ordinals where a name ends in `_day`) and whole units. Does not belong here: any decision.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class Outlook(Protocol):
    """What is expected to be asked for from `first_day` (today) on."""

    @property
    def status(self) -> str: ...  # ok, or insufficient_data

    @property
    def first_day(self) -> int: ...

    @property
    def level(self) -> float: ...  # units a day lately

    def mean(self, days: int) -> list[float]: ...

    def total_mean(self, days: int) -> float: ...

    def total_quantile(self, days: int, probability: float) -> int: ...


@dataclass(frozen=True, slots=True)
class Terms:
    """How purchases work where nobody has told more about the supplier. `service`: the dial of every level."""

    lead_days: int = 7
    review_days: int = 1
    cover_days: int = 14
    service: float = 0.95

    def __post_init__(self) -> None:
        if self.lead_days < 0 or self.review_days < 1 or self.cover_days < 0:
            raise ValueError("lead and cover days must not be negative, review days must be at least 1")
        if not 0.5 <= self.service < 1:
            raise ValueError(f"service level {self.service}: give a share from 0.5 to below 1")


@dataclass(frozen=True, slots=True)
class Stock:
    """What there is of a SKU at a location, as its newest stock level tells. `incoming`: ordered or under way.

    `arrivals`: those of `incoming` whose day is known, (day, units). `committed`: of the units in `lots`, those that
    are owed or claimed already. `lots`: (last day it may be sold, units), the earliest first.
    """

    available: int = 0
    shortage: int = 0
    incoming: int = 0
    backordered: int = 0
    discontinued: bool = False
    arrivals: tuple[tuple[int, int], ...] = ()
    committed: int = 0
    lots: tuple[tuple[int, int], ...] = ()

    @property
    def owed(self) -> int:
        return self.shortage + self.backordered

    @property
    def position(self) -> int:
        return self.available + self.incoming - self.owed
