"""What a run came to: orders, units, parcels, hours without stock; and the difference between two runs.

Pure. Units: whole units; hours of the logs' own clock. Does not belong here: how a run is made (`world`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from msgspec import Struct

from tables import records as r
from tables.ledger import available

EXAMPLES_MAX = 20
HOUR_MS = 3_600_000


class Decided(NamedTuple):
    """One order's decision. `places`: (SKU, units, location, of them backordered) of a confirmed one; `short`: units
    that it goes without."""

    status: str
    reason: str
    units: int
    short: int
    places: tuple[tuple[str, int, str, int], ...]

    @property
    def parcels(self) -> int:
        return len({location for _, _, location, _ in self.places})

    @property
    def backordered(self) -> int:
        return sum(back for *_, back in self.places)


class Result(Struct, frozen=True):
    """`units`: that confirmed orders were promised; `backordered`: of them without stock; `short`: that they go without
    (`ship_available`). `shipments`: distinct locations, summed over confirmed orders. `stockout_hours`: hours in which
    a SKU had nothing available at a location that had it once, summed over both."""

    orders: int
    confirmed: int
    rejected: int
    expired: int
    undecided: int
    units: int
    backordered: int
    short: int
    shipments: int
    stockout_hours: float
    reasons: dict[str, int]


class Changed(Struct, frozen=True):
    """An order that was decided otherwise. Texts: status, reason, locations."""

    order_id: str
    before: str
    after: str


class Tally:
    """Hears of the decisions and the stock rows of one run."""

    def __init__(self) -> None:
        self.decided: dict[str, Decided] = {}
        self._had: set[str] = set()  # stock rows that held units once: a row may be made by a policy alone
        self._empty_since: dict[str, int] = {}
        self._empty_ms = 0

    def decide(self, said: r.OrderDecided) -> None:
        if said.status in ("cancelled", "edited") or said.order_id in self.decided:
            return
        granted = [x for x in said.lines if x.location] if said.status == "confirmed" else []
        short = sum(max(x.quantity, 0) for x in said.lines if not x.location) if granted else 0
        places = tuple((x.sku, x.quantity, x.location, x.backordered) for x in granted)
        units = sum(x.quantity for x in granted)
        self.decided[said.order_id] = Decided(said.status, said.reason, units, short, places)

    def stock(self, rows: Mapping[str, Any], ms: int, *, known: bool = False) -> None:
        """Rows of the stock log, as of this clock. `known`: they are there from the start, so they held units once."""
        for key, row in rows.items():
            if not key.startswith("stock|"):
                continue
            if known or row.on_hand:
                self._had.add(key)
            elif key not in self._had:
                continue
            since = self._empty_since.get(key)
            if available(row):
                if since is not None:
                    self._empty_ms += ms - since
                    del self._empty_since[key]
            elif since is None:
                self._empty_since[key] = ms

    def result(self, orders: Iterable[str], end_ms: int) -> Result:
        """Of these orders; stock that is still out counts until `end_ms`."""
        wanted = list(orders)
        found = [self.decided[order_id] for order_id in wanted if order_id in self.decided]
        by_status = Counter(one.status for one in found)
        empty_ms = self._empty_ms + sum(max(end_ms - since, 0) for since in self._empty_since.values())
        return Result(
            len(wanted), by_status["confirmed"], by_status["rejected"], by_status["expired"], len(wanted) - len(found),
            sum(one.units for one in found), sum(one.backordered for one in found), sum(one.short for one in found),
            sum(one.parcels for one in found), round(empty_ms / HOUR_MS, 2),
            dict(sorted(Counter(one.reason for one in found if one.reason).items())),
        )  # fmt: skip


def differences(orders: Iterable[str], before: Tally, after: Tally) -> list[Changed]:
    """Orders that one run decided otherwise than the other: another status, or other locations. One that either left
    undecided is none: it was cut off by the end of the window."""
    found = []
    for order_id in orders:
        one, other = before.decided.get(order_id), after.decided.get(order_id)
        if one is not None and other is not None and (one.status, one.places) != (other.status, other.places):
            found.append(Changed(order_id, text(one), text(other)))
    return found


def text(decided: Decided) -> str:
    if decided.status != "confirmed":
        return f"{decided.status} ({decided.reason})" if decided.reason else decided.status
    units: dict[str, int] = {}
    for _, some, location, _ in decided.places:
        units[location] = units.get(location, 0) + some
    alone = len(units) == 1
    told = "confirmed from " + ", ".join(x if alone else f"{x} ({count})" for x, count in units.items())
    told += f", {decided.backordered} backordered" if decided.backordered else ""
    return f"{told}, {decided.short} short" if decided.short else told
