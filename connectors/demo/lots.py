"""Shows: lots with supplier, production and best-before dates; lots in inspection and on hold, units set apart; one lot
that expires while one watches, one inside its alert window.

Pure. Best-before dates are real days: food does not expire by the demo's calendar. Does not belong here: how much comes
in and when (`supply`), recalls (`recalls`).
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from msgspec.structs import replace

from connectors.demo.action import Action, for_stock
from connectors.demo.catalogue import COUNTER, WAREHOUSES, catalogue
from connectors.demo.world import Demo, Errand, World
from tables import records as r

SUPPLIERS = ("Hill Country Smokehouse", "Sierra Dried Meats", "Hudson Curing Co.")
SHELF_LIFE_DAYS = (150, 300)
MADE_DAYS_AGO = (3, 12)
EXPIRING_DAYS = 21  # days before its best-before at which a lot is told of
INSPECTED, HELD = 0.1, 0.02  # of the deliveries
INSPECTION_SECONDS = (8.0, 40.0)
SHORT_DATED_DAYS = 9
EXPIRES_SECONDS = 40.0
SHORT_UNITS = 4
APART_EVERY_SECONDS = 35.0
GOOD_AGAIN_SECONDS = 15.0


def delivered(
    dice: random.Random, demo: Demo, due: float, number: int, *, sku: str, location: str, units: int, reference: str,
    status: r.LotStatus = "approved",
) -> r.Received:  # fmt: skip
    """A production batch arrives. `number`: of the lot, part of its code."""
    best_before = demo.calendar.real_day(due, dice.randint(*SHELF_LIFE_DAYS))
    return r.Received(
        id=f"{demo.run}:received:{number}", sku=sku, location=location, quantity=units,
        lot=f"L{best_before[2:].replace('-', '')}-{number}", best_before=best_before,
        produced=demo.calendar.real_day(due, -dice.randint(*MADE_DAYS_AGO)), supplier=dice.choice(SUPPLIERS),
        status=status, reference=reference, occurred_at=demo.calendar.stamp(due),
    )  # fmt: skip


def looked_at(dice: random.Random, demo: Demo, due: float, fact: r.Received) -> Iterator[Action]:
    """The delivery as quality control lets it in: most at once, some after an inspection, a few not for now."""
    fate = dice.random()
    if fate < HELD:
        yield for_stock(due, fact)
        yield for_stock(due, _status(fact, "on_hold", "seal test failed"))
    elif fate < HELD + INSPECTED:
        yield for_stock(due, replace(fact, status="inspection"))
        yield from approved(dice, demo, due, fact)
    else:
        yield for_stock(due, fact)


def approved(dice: random.Random, demo: Demo, due: float, fact: r.Received) -> Iterator[Action]:
    """Some time later the laboratory is content."""
    when = due + demo.soon(dice.uniform(*INSPECTION_SECONDS))
    yield for_stock(when, r.LotDefined(
        id=f"{fact.id}:documents", sku=fact.sku, lot=fact.lot, documents=[f"certificate-{fact.lot}.pdf"]
    ))  # fmt: skip
    yield for_stock(when, _status(fact, "approved", "water activity and salt within limits"))


def opening(demo: Demo) -> Iterator[Action | Errand]:
    """One lot of each fate, from the first second on."""
    items = catalogue()
    tested = _first(demo, 1, items[3].sku, "inspection")
    yield for_stock(0, tested)
    yield from approved(demo.dice("tested"), demo, 0, tested)
    yield for_stock(0, _first(demo, 2, items[4].sku, "on_hold"))
    # Where it hardly sells: it has to be there when somebody looks at the calendar.
    short = _first(demo, 3, items[-1].sku, "approved")
    soon = demo.calendar.real_day(0, SHORT_DATED_DAYS)
    yield for_stock(0, replace(short, lot=demo.lot("SHORT-DATED"), best_before=soon, location=WAREHOUSES[-1].code))
    # The label said another year: once the papers are right, the lot is past its date.
    wrong = replace(_first(demo, 4, items[6].sku, "approved"), lot=demo.lot("MISLABELLED"))
    yield for_stock(0, wrong)
    yesterday = demo.calendar.real_day(0, -1)
    yield for_stock(demo.soon(EXPIRES_SECONDS), r.LotDefined(
        id=f"{wrong.id}:best-before", sku=wrong.sku, lot=wrong.lot, best_before=yesterday
    ))  # fmt: skip
    yield _set_apart(demo, demo.soon(APART_EVERY_SECONDS), 1)


def _first(demo: Demo, number: int, sku: str, status: r.LotStatus) -> r.Received:
    fact = delivered(
        demo.dice("first", number), demo, 0, number, sku=sku, location=COUNTER, units=SHORT_UNITS, reference="opening",
        status=status,
    )  # fmt: skip
    return replace(fact, id=f"{demo.run}:first:{number}", lot=demo.lot(f"FIRST-{number}"))


def _status(fact: r.Received, status: r.LotStatus, reason: str) -> r.LotStatusSet:
    return r.LotStatusSet(id=f"{fact.id}:{status}", sku=fact.sku, lot=fact.lot, status=status, reason=reason)


def _set_apart(demo: Demo, due: float, number: int) -> Errand:
    return Errand(due, f"dented:{number}", lambda world: _damaged(world, number))


def _damaged(world: World, number: int) -> Iterator[Action | Errand]:
    """A dented carton is set apart; most of it turns out to be good."""
    dice = world.dice("dented", number)
    there = [
        (level.sku, place.location, lot) for level in world.levels.values() for place in level.locations
        for lot in place.lots if lot.status == "approved" and lot.on_hand - lot.blocked >= SHORT_UNITS
    ]  # fmt: skip
    if there:
        sku, location, lot = dice.choice(there)
        name = f"{world.demo.run}:dented:{number}"
        yield for_stock(world.now, r.ConditionChanged(
            id=name, sku=sku, location=location, lot=lot.lot, quantity=3, note="dented carton",
            condition=dice.choice(("damaged", "quarantined")),
        ))  # fmt: skip
        yield for_stock(world.now + world.demo.soon(GOOD_AGAIN_SECONDS), r.ConditionChanged(
            id=f"{name}:good", sku=sku, location=location, lot=lot.lot, quantity=2, condition="good",
        ))  # fmt: skip
    if not world.closing:
        yield _set_apart(world.demo, world.now + world.demo.soon(APART_EVERY_SECONDS), number + 1)
