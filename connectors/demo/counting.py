"""Shows: lots counted while selling goes on: what the books show, give or take a packet; one count is far off and is
counted again.

Pure: a published stock level in, a count out, as of the version that was looked at; a `recount` alert is answered by a
second count. Does not belong here: what a count changes (the pipeline).
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from connectors.demo.action import Action, for_stock
from connectors.demo.supply import COUNT_TOLERANCE
from connectors.demo.world import Demo, Errand, World
from tables import records as r

COUNT_EVERY_SECONDS = 20.0
EXACT = 0.7  # of the counts; the others find a few units more or less
MISCOUNTED = (2, 12)  # the second count of every twelve is far off: somebody read the wrong shelf
MISCOUNTED_UNITS = COUNT_TOLERANCE + 4
RECOUNT_SECONDS = (3.0, 8.0)


def first(demo: Demo) -> Errand:
    return _count(demo, demo.soon(COUNT_EVERY_SECONDS), 1)


def count_of(
    dice: random.Random, name: str, level: r.StockLevels, occurred_at: str, off: int | None = None
) -> r.Counted | None:
    """A count of one lot of this SKU, or None: there is no lot to count. `off`: by how much it is wrong."""
    lots = [(place, lot) for place in level.locations for lot in place.lots if lot.on_hand > 0]
    if not lots:
        return None
    place, lot = dice.choice(lots)
    if off is None:
        off = 0 if dice.random() < EXACT else dice.choice((-2, -1, 1))
    return _counted(name, level.sku, place, lot, off, occurred_at)


def recount(world: World, alert: r.Alert) -> Iterator[Errand]:
    """Somebody counts again what an alert asks for."""
    if alert.kind == "recount":
        name = f"recount:{alert.sku}:{alert.location}:{alert.version[1]}.{alert.version[2]}"
        due = world.later(world.dice(name), RECOUNT_SECONDS)
        yield Errand(due, name, lambda world: _again(world, alert, name))


def _again(world: World, alert: r.Alert, name: str) -> Iterator[Action]:
    place = world.place(alert.sku, alert.location)
    if place is None:
        return
    for lot in place.lots:
        if lot.on_hand > 0 and alert.lot in ("", lot.lot):
            at = world.demo.calendar.stamp(world.now)
            yield for_stock(world.now, _counted(
                f"{world.demo.run}:{name}:{lot.lot}", alert.sku, place, lot, 0, at, recount=True
            ))  # fmt: skip


def _count(demo: Demo, due: float, number: int) -> Errand:
    return Errand(due, f"count:{number}", lambda world: _go(world, number))


def _go(world: World, number: int) -> Iterator[Action | Errand]:
    demo, dice = world.demo, world.dice("count", number)
    if world.levels:
        level = world.levels[dice.choice(sorted(world.levels))]
        off = MISCOUNTED_UNITS if number % MISCOUNTED[1] == MISCOUNTED[0] else None
        found = count_of(dice, f"{demo.run}:counted:{number}", level, demo.calendar.stamp(world.now), off)
        if found is not None:
            yield for_stock(world.now, found)
    if not world.closing:
        yield _count(demo, world.now + demo.soon(COUNT_EVERY_SECONDS), number + 1)


def _counted(
    name: str, sku: str, place: r.LocationLevel, lot: r.LotLevel, off: int, occurred_at: str, *, recount: bool = False
) -> r.Counted:
    return r.Counted(
        id=name, sku=sku, location=place.location, lot=lot.lot, quantity=max(0, lot.on_hand + off),
        as_of_offset=place.version[1], as_of_index=place.version[2], recount=recount, occurred_at=occurred_at,
    )  # fmt: skip
