"""Which lots to take for which orders at one location: first expired, first out, the oldest promise first.

Pure. Guarantees: the order of lots and whether one may leave are decided by `tables.lots`, as everywhere; no unit is
planned twice; units that orders have in their hands already are left to them, and not planned again. Does not belong
here: topics, tables on a terminal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from api.owed import Owing
from tables import lots
from tables.records import LotLevel, StockLevels
from tables.rows import LotRow


class Take(NamedTuple):
    lot: str
    best_before: str
    quantity: int


class PickLine(NamedTuple):
    """Units of a SKU for an order. `missing`: no lot that may leave has them."""

    sku: str
    quantity: int
    take: list[Take]
    missing: int


class Pick(NamedTuple):
    order_id: str
    channel: str
    decided_at: str
    lines: list[PickLine]


@dataclass(slots=True)
class _Shelf:
    """What is left to be taken of a SKU's lots."""

    lots: list[LotRow]
    left: dict[str, int] = field(default_factory=dict)

    def take(self, units: int) -> tuple[list[Take], int]:
        taken = []
        for lot in self.lots:
            if gone := min(self.left[lot.lot], units):
                self.left[lot.lot] -= gone
                units -= gone
                taken.append(Take(lot.lot, lot.best_before, gone))
        return taken, units


def plan(location: str, levels: Mapping[str, StockLevels], orders: Iterable[Owing], only: str = "") -> list[Pick]:
    """`levels`: SKU -> its levels. `only`: an order to be picked now, before all others."""
    shelves = {sku: _shelf(found, location) for sku, found in levels.items()}
    waiting: list[tuple[Owing, dict[str, int]]] = []
    for order in sorted(orders, key=lambda x: (x.decided_at, x.order_id)):
        units: dict[str, int] = {}
        for line in [x for x in order.lines if x.location == location]:
            if line.sku in shelves:
                shelves[line.sku].take(line.picked)
            if line.allocated > line.picked:
                units[line.sku] = units.get(line.sku, 0) + line.allocated - line.picked
        if units and only in ("", order.order_id):
            waiting.append((order, units))
    return [
        Pick(order.order_id, order.channel, order.decided_at, [_line(shelves, sku, n) for sku, n in units.items()])
        for order, units in waiting
    ]


def _line(shelves: Mapping[str, _Shelf], sku: str, quantity: int) -> PickLine:
    taken, missing = shelves[sku].take(quantity) if sku in shelves else ([], quantity)
    return PickLine(sku, quantity, taken, missing)


def _shelf(levels: StockLevels, location: str) -> _Shelf:
    here = [lot for at in levels.locations if at.location == location for lot in at.lots]
    day = levels.time[:10]  # of state time, by which the stock agent lets lots expire
    rows = [_row(levels.sku, location, lot, place) for place, lot in enumerate(here)]
    good = [row for row in lots.fefo(rows) if lots.shippable_on(row, day)]
    return _Shelf(good, {row.lot: lots.sellable(row) for row in good})


def _row(sku: str, location: str, lot: LotLevel, place: int) -> LotRow:
    """`place` stands for the time of receipt, which is not published: lots of one best-before in published order."""
    expired = lot.status == "expired"
    return LotRow(
        0, sku, location, lot.lot, lot.best_before, place, lot.on_hand, lot.blocked,
        "approved" if expired else lot.status, expired, False, 0, (),
    )  # fmt: skip
