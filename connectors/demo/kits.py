"""Shows: a variety pack that is made of its parts when it is sold, a gift box built ahead, and boxes taken apart again.

Pure. Does not belong here: who orders them (`customers`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from connectors.demo.action import Action, everywhere, for_stock
from connectors.demo.catalogue import COUNTER, GIFT_BOX, VARIETY_PACK, Product, catalogue, definition
from connectors.demo.world import Demo, Errand, World
from streams.topics import ORDERS
from tables import records as r

_ITEMS = catalogue()
_STICKS = [item.sku for item in _ITEMS if item.packaging == "Stick" and item.size == "35 g"]
VARIETY_PARTS = [r.KitPart(sku, 1) for sku in _STICKS[:4]]
BOX_PARTS = ((_ITEMS[0].sku, 2), (_ITEMS[1].sku, 1))  # in one gift box
ASSEMBLE_FIRST_SECONDS = 4.0
ASSEMBLE_EVERY_SECONDS = 50.0
APART_AFTER_SECONDS = 15.0
BOXES = 6
BOX_LIFE_DAYS = 100


def opening(demo: Demo) -> Iterator[Action | Errand]:
    """What a variety pack is, and when the first gift boxes are built."""
    kit = r.KitSet(id=f"{demo.run}:kit:{VARIETY_PACK}", kit=VARIETY_PACK, parts=VARIETY_PARTS)
    yield everywhere(0, ORDERS, kit)
    yield for_stock(0, definition(GIFT_BOX))
    yield _assembly(demo, demo.soon(ASSEMBLE_FIRST_SECONDS), 1)


def units_of(lines: Sequence[r.Line], items: dict[str, Product]) -> Iterator[tuple[Product, int]]:
    """What an order takes from the shelves, kits taken apart."""
    for line in lines:
        if line.sku == VARIETY_PACK:
            for part in VARIETY_PARTS:
                yield items[part.sku], part.quantity * line.quantity
        elif line.sku in items:
            yield items[line.sku], line.quantity


def _assembly(demo: Demo, due: float, number: int) -> Errand:
    return Errand(due, f"assemble:{number}", lambda world: _assemble(world, number))


def _assemble(world: World, number: int) -> Iterator[Action | Errand]:
    """As many as the parts allow; later some of them are taken apart."""
    demo = world.demo
    free = [(world.place(sku, COUNTER), count) for sku, count in BOX_PARTS]
    boxes = min([BOXES, *(place.available // count if place else 0 for place, count in free)])
    if boxes > 0:
        lot = demo.lot(f"BOX-{number}")
        parts = [r.KitPartUsed(sku, count * boxes) for sku, count in BOX_PARTS]
        yield for_stock(world.now, r.KitAssembled(
            id=f"{demo.run}:assembled:{number}", sku=GIFT_BOX.sku, location=COUNTER, quantity=boxes, lot=lot,
            parts=parts, best_before=demo.calendar.real_day(world.now, BOX_LIFE_DAYS),
        ))  # fmt: skip
        due = world.now + demo.soon(APART_AFTER_SECONDS)
        yield Errand(due, f"apart:{number}", lambda world: _take_apart(world, number, lot))
    if not world.closing:
        yield _assembly(demo, world.now + demo.soon(ASSEMBLE_EVERY_SECONDS), number + 1)


def _take_apart(world: World, number: int, lot: str) -> Iterator[Action]:
    place = world.place(GIFT_BOX.sku, COUNTER)
    if place is not None and place.available > 1:
        parts = [r.KitPartUsed(sku, count) for sku, count in BOX_PARTS]
        yield for_stock(world.now, r.KitDisassembled(
            id=f"{world.demo.run}:apart:{number}", sku=GIFT_BOX.sku, location=COUNTER, quantity=1, parts=parts, lot=lot,
        ))  # fmt: skip
