"""Shows: units that come back: allowed, received, inspected, and then restocked, thrown away, set apart or sent back to
the supplier; some are exchanged.

Pure. Does not belong here: the money for them (`bank`).
"""

from __future__ import annotations

from collections.abc import Iterator

from connectors.demo.action import Action, for_order
from connectors.demo.world import World, number_of
from tables import records as r

EVERY = 9  # customers; the one who sends something back
DISPOSITIONS: tuple[r.Disposition, ...] = ("restock", "scrap", "quarantine", "to_supplier")
WHOLE_EVERY = 3  # returns, of which one is of everything
EXCHANGED_EVERY = 4
STEP_SECONDS = (4.0, 15.0)


def begin(world: World, status: r.OrderStatus) -> Iterator[Action]:
    """What a customer sends back of an order that was delivered, if it is one of those."""
    number = number_of(status.order_id)
    if status.status != "delivered" or not number or number % EVERY:
        return
    turn, name = number // EVERY, status.order_id
    shipped: dict[str, int] = {}
    for line in status.lines:
        if line.shipped:
            shipped[line.sku] = shipped.get(line.sku, 0) + line.shipped
    first = next(iter(shipped), "")
    back = shipped if turn % WHOLE_EVERY == 0 else {first: 1}
    if not first:
        return
    dice = world.dice("return", name)
    about = {"order_id": name, "return_id": f"RMA-{name}"}
    lines = [r.CancelLine(sku, units) for sku, units in back.items()]
    now = world.later(dice, STEP_SECONDS)
    yield for_order(now, r.ReturnAuthorized(id=f"{name}:return", lines=lines, reason="not to my taste", **about))
    now += world.demo.soon(dice.uniform(*STEP_SECONDS))
    yield for_order(now, r.ReturnReceived(id=f"{name}:return:received", lines=lines, **about))
    now += world.demo.soon(dice.uniform(*STEP_SECONDS))
    fate = DISPOSITIONS[turn % len(DISPOSITIONS)]
    inspected = [r.InspectedLine(sku, units, fate) for sku, units in back.items()]
    yield for_order(now, r.ReturnInspected(id=f"{name}:return:inspected", lines=inspected, **about))
    if turn % EXCHANGED_EVERY == 1:
        yield for_order(now, r.OrderPlaced(
            id=f"{name}-x", order_id=f"{name}-x", channel=status.channel, lines=[r.Line(first, 1)], payment="paid",
            exchange_of=name, occurred_at=world.demo.calendar.stamp(now),
        ))  # fmt: skip
