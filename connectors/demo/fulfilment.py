"""Shows: what each warehouse does for a confirmed order: it picks by FEFO, packs cartons, ships parcels that are
tracked, and now and then finds less than it should or sends a second parcel.

Pure: what the order holds at a place and which lots lie there is looked up when each step is due. Does not belong here:
whether the order was confirmed, what comes back (`returns`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from connectors.demo.action import Action, for_order
from connectors.demo.catalogue import HOUSE_RANGE, POS, check_digit
from connectors.demo.channels import LIFE_DAYS
from connectors.demo.world import Errand, World, number_of
from tables import records as r

# Real seconds from one step to the next: short, so that one sees an order travel.
PICK_SECONDS, PACK_SECONDS, SHIP_SECONDS = (3.0, 15.0), (2.0, 8.0), (3.0, 20.0)
Carried = Literal["in_transit", "out_for_delivery", "failure", "delivered"]
CARRIER_SECONDS: tuple[tuple[Carried, tuple[float, float]], ...] = (
    ("in_transit", (4.0, 12.0)), ("out_for_delivery", (8.0, 24.0)), ("delivered", (8.0, 24.0)),
)  # fmt: skip
SHORT_EVERY, SHORT = 17, 6  # customers, and of which of them a unit is not found
PARCELS_EVERY, PARCELS = 10, 8  # whose parcel is too small for everything
PICKED_BY_LOT = 0.6  # of the picks; the others tell units alone
SCANNED, REPORTED = 0.75, 0.1  # of the parcels; of the others nobody says what lot is in them
ATTEMPTS = 0.02  # of the parcels are not delivered at the first attempt

Taken = tuple[str, str, int]  # SKU, lot ("": nobody knows), units


@dataclass(frozen=True, slots=True)
class Job:
    """One parcel of an order from a location, `after` so many units that left before: no parcel begins twice."""

    order_id: str
    location: str
    after: int

    @property
    def name(self) -> str:
        return f"{self.order_id}:{self.location}:{self.after}"


def begin(world: World, status: r.OrderStatus) -> Iterator[Errand]:
    """A job per location that holds units for the order."""
    for location in dict.fromkeys(line.location for line in status.lines if line.allocated > 0):
        gone = sum(line.shipped for line in status.lines if line.location == location)
        job = Job(status.order_id, location, gone)
        due = world.later(world.dice("pick", job.name), PICK_SECONDS)
        yield Errand(due, job.name, partial(_pick, job=job), status.order_id)


def pick_list(lots: Iterable[r.LotLevel], units: int, good_until: str = "") -> list[tuple[str, int]]:
    """(lot, units): first expired, first out, of the lots that may leave and live until `good_until`, the day their
    buyer asks for; less than asked for if they hold less."""
    found: list[tuple[str, int]] = []
    for lot in sorted(lots, key=lambda x: (x.best_before or "9999", x.lot)):
        may_leave = lot.status == "approved" and lot.best_before >= good_until
        count = min(units, lot.on_hand - lot.blocked) if may_leave else 0
        if count > 0:
            found.append((lot.lot, count))
            units -= count
    return found


def sscc(serial: int) -> str:
    """The number of a carton: 18 digits, the last of them a check digit."""
    body = f"3{HOUSE_RANGE}{serial % 10**11:011d}"
    return body + check_digit(body)


def _held(world: World, job: Job) -> dict[str, int]:
    """Units the order holds at the place, by SKU."""
    status = world.order(job.order_id)
    held: dict[str, int] = {}
    for line in status.lines if status else ():
        if line.location == job.location and line.allocated > 0:
            held[line.sku] = held.get(line.sku, 0) + line.allocated
    return held


def _pick(world: World, job: Job) -> Iterator[Action | Errand]:
    held, status = _held(world, job), world.order(job.order_id)
    if not held or status is None:
        return
    good_until = world.demo.calendar.real_day(world.now, LIFE_DAYS.get(status.channel, 0))
    short = number_of(job.order_id) % SHORT_EVERY == SHORT and job.after == 0 and sum(held.values()) > 1
    absent = {next(iter(held)): 1} if short else {}
    by_lot = world.dice("scanner", job.name).random() < PICKED_BY_LOT
    lines: list[r.PickedLine] = []
    taken: list[Taken] = []
    for sku, units in held.items():
        missing = absent.get(sku, 0)
        place = world.place(sku, job.location)
        lots = pick_list(place.lots if place else (), units - missing, good_until)
        rest = units - missing - sum(count for _, count in lots)  # lies there, whatever the books say of its lot
        lines += [r.PickedLine(sku, count, lot if by_lot else None) for lot, count in lots]
        taken += [(sku, lot, count) for lot, count in lots]
        if rest:
            taken.append((sku, "", rest))
        if rest or missing:
            lines.append(r.PickedLine(sku, rest, None, missing))
    yield for_order(world.now, r.OrderPicked(
        id=f"{job.name}:picked", order_id=job.order_id, location=job.location, lines=lines
    ))  # fmt: skip
    dice = world.dice("pack", job.name)
    due = world.later(dice, PACK_SECONDS)
    yield Errand(due, f"{job.name}:pack", lambda world: _pack(world, job, taken, short), job.order_id)


def _pack(world: World, job: Job, taken: Sequence[Taken], final: bool) -> Iterator[Action | Errand]:
    if not _held(world, job):
        return
    dice = world.dice("ship", job.name)
    yield for_order(world.now, r.OrderPacked(
        id=f"{job.name}:packed", order_id=job.order_id, location=job.location, cartons=[sscc(dice.getrandbits(36))]
    ))  # fmt: skip
    due = world.later(dice, SHIP_SECONDS)
    yield Errand(due, f"{job.name}:ship", lambda world: _ship(world, job, taken, final), job.order_id)


def _ship(world: World, job: Job, taken: Sequence[Taken], final: bool) -> Iterator[Action | Errand]:
    """The parcel leaves with what was picked, as far as the order still wants it."""
    held = _held(world, job)
    parcel: list[Taken] = []
    for sku, lot, count in taken:
        units = min(count, held.get(sku, 0))
        if units:
            held[sku] -= units
            parcel.append((sku, lot, units))
    if not parcel:
        return
    rest: list[Taken] = []
    crowded = number_of(job.order_id) % PARCELS_EVERY == PARCELS and job.after == 0 and not final
    if crowded and len(parcel) > 1:
        parcel, rest = parcel[:1], parcel[1:]
    dice = world.dice("carrier", job.name)
    fate = dice.random()
    known: Literal["scanned", "reported"] = "scanned" if fate < SCANNED else "reported"
    named = fate < SCANNED + REPORTED
    tracking = None if _collected(world, job) else f"1Z{dice.getrandbits(40):013d}"
    yield for_order(world.now, r.OrderShipped(
        id=f"{job.name}:shipped", order_id=job.order_id, location=job.location, tracking=tracking, final=final,
        lines=[r.ShippedLine(s, n, job.location, (lot or None) if named else None, known) for s, lot, n in parcel],
    ))  # fmt: skip
    yield from _carrier(world, job, tracking)
    if rest:
        after = Job(job.order_id, job.location, job.after + sum(count for _, _, count in parcel))
        due = world.later(dice, SHIP_SECONDS)
        yield Errand(due, after.name, lambda world: _ship(world, after, rest, final), job.order_id)


def _collected(world: World, job: Job) -> bool:
    status = world.order(job.order_id)
    return status is not None and status.channel == POS


def _carrier(world: World, job: Job, tracking: str | None) -> Iterator[Action]:
    """The parcel's way to its customer; at the counter it is handed over."""
    dice, now = world.dice("travel", job.name), world.now
    if tracking is None:
        now += world.demo.soon(dice.uniform(*SHIP_SECONDS))
        yield for_order(now, r.OrderDelivered(id=f"{job.name}:delivered", order_id=job.order_id))
        return
    again = dice.random() < ATTEMPTS
    for status, seconds in CARRIER_SECONDS:
        now += world.demo.soon(dice.uniform(*seconds))
        if again and status == "delivered":
            yield _said(now, job, tracking, "failure")
        yield _said(now, job, tracking, status)


def _said(now: float, job: Job, tracking: str, status: Carried) -> Action:
    name = f"{job.name}:{status}"
    return for_order(now, r.TrackingUpdated(id=name, order_id=job.order_id, tracking=tracking, status=status))
