"""Shows: stock moved between warehouses, in transit until it arrives; now and then a packet is missing, or one too
many.

Pure: what is moved follows from published levels. Does not belong here: purchases (`purchasing`).
"""

from __future__ import annotations

from collections.abc import Iterator

from connectors.demo.action import Action, for_stock
from connectors.demo.catalogue import WAREHOUSES
from connectors.demo.world import Demo, Errand, World
from tables import records as r

FIRST_SECONDS, EVERY_SECONDS = 12.0, 25.0
UNDER_WAY_SECONDS = (10.0, 25.0)
UNITS_LEAST, UNITS_MOST = 4, 12
OFF_BY = (0, -1, 0, 1)  # units, transfer by transfer
IN_PARTS_EVERY = 5  # transfers; the others come at once


def first(demo: Demo) -> Errand:
    return _transfer(demo, demo.soon(FIRST_SECONDS), 1)


def _transfer(demo: Demo, due: float, number: int) -> Errand:
    return Errand(due, f"transfer:{number}", lambda world: _send(world, number))


def _send(world: World, number: int) -> Iterator[Action | Errand]:
    """From where there is most to where there is least."""
    demo, dice = world.demo, world.dice("transfer", number)
    rich = [
        (level.sku, place) for level in world.levels.values() for place in level.locations
        if place.open_to_all >= 2 * UNITS_LEAST and place.location in {x.code for x in WAREHOUSES}
    ]  # fmt: skip
    if rich:
        sku, source = dice.choice(rich)
        to = min((x.code for x in WAREHOUSES if x.code != source.location), key=lambda code: _free(world, sku, code))
        units = min(source.open_to_all // 2, UNITS_MOST)
        about = {"sku": sku, "reference": f"TR-{demo.run}-{number}"}
        yield for_stock(world.now, r.TransferredOut(
            id=f"{about['reference']}:out", location=source.location, to=to, quantity=units,
            expected=demo.calendar.real_day(world.now, 1), occurred_at=demo.calendar.stamp(world.now), **about
        ))  # fmt: skip
        arrived = world.later(dice, UNDER_WAY_SECONDS)
        came = units + OFF_BY[number % len(OFF_BY)]
        parts = [units // 2, came - units // 2] if number % IN_PARTS_EVERY == 0 else [came]
        for part, count in enumerate(parts, 1):
            due = arrived + part - 1
            yield for_stock(due, r.TransferredIn(
                id=f"{about['reference']}:in:{part}", location=to, quantity=count, final=part == len(parts),
                occurred_at=demo.calendar.stamp(due), **about
            ))  # fmt: skip
    if not world.closing:
        yield _transfer(demo, world.now + demo.soon(EVERY_SECONDS), number + 1)


def _free(world: World, sku: str, location: str) -> int:
    place = world.place(sku, location)
    return place.available if place else 0
