"""One order as its own records tell it: lines, fulfilments, returns, payment, and what was decided about it.

Guarantees: each line: quantity = waiting + allocated + shipped + cancelled (`check_lines`). Does not belong here: which
record does what (`order_book` and its siblings).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

from proof.audit.intake import LogState
from tables import records as r
from tables.murmur2 import partition_of_sku

OPEN = ("unplaced", "pending", "on_hold")
OWED = ("confirmed", "picked", "packed")
STEPS = ("confirmed", "picked", "packed", "shipped", "delivered")
GOOD = ("authorized", "captured", "partially_refunded")  # enough to confirm


Kits = dict[str, tuple[int, tuple[tuple[str, int], ...]]]  # kit -> (how many, what is in one)


class Told(NamedTuple):
    """A line of a decision. `quantity`: units a line of it is about."""

    sku: str
    quantity: int
    location: str
    reason: str
    available: int | None
    backordered: int


class Decision(NamedTuple):
    """What must stand in `reservations`."""

    status: str
    reason: str
    place: int
    ms: int
    attempt: int
    lines: tuple[Told, ...]


class Change(NamedTuple):
    """Units of a line that stock is told to give back (negative), or to put into the queue of those who wait."""

    sku: str
    location: str
    attempt: int
    units: int


class Line:
    """Units of a SKU at one location ("": nowhere), held by `attempt`'s reservation. `back`: they wait for stock.
    `refused`: why there are none."""

    __slots__ = (
        "attempt", "back", "cancelled", "due", "heard", "location", "quantity", "refused", "returned", "shipped", "sku",
    )  # fmt: skip

    def __init__(self, sku: str, quantity: int, location: str = "", *, attempt: int = 0, back: int = 0,
                 due: str = "") -> None:  # fmt: skip
        self.sku, self.quantity, self.location, self.attempt = sku, quantity, location, attempt
        self.back, self.due = back, due
        self.shipped = self.cancelled = self.returned = 0
        self.heard = 0  # place of the last fill it heard of
        self.refused: r.Refusal | None = None

    @property
    def open(self) -> int:
        return self.quantity - self.shipped - self.cancelled

    @property
    def allocated(self) -> int:
        """Of a confirmed order: units it owns and still owes."""
        return self.open - self.back


class Fulfilment:
    """What one location does. `left`: something of the order left from there. `tracking`: number -> status."""

    __slots__ = ("cartons", "left", "location", "state", "tracking")

    def __init__(self, location: str) -> None:
        self.location, self.state, self.left = location, "confirmed", False
        self.cartons: list[str] = []
        self.tracking: dict[str, str] = {}


class Return:
    __slots__ = ("state", "units")

    def __init__(self, state: str) -> None:
        self.state = state
        self.units: Counter[str] = Counter()


class Edit:
    """An edit that waits for stock's answers. `kits`: so many more of them, or fewer. `parts`: granted of it so far."""

    __slots__ = ("attempt", "id", "kits", "less", "more", "parts")

    def __init__(self, edit_id: str, attempt: int, more: dict[str, int], less: dict[str, int], kits: Kits) -> None:
        self.id, self.attempt, self.more, self.less, self.kits = edit_id, attempt, more, less, kits
        self.parts: list[Line] = []


class Order:
    """`at`: place of the last record that changed it. `deadline`: negative counts from the first tick, 0 is none.
    `untimely`: (fact, ms) told of its goods before their turn. `turns`: of the log, until a contended order asks again;
    None: it does not wait for that. `said`: units its own facts told stock: (what, SKU). `boxed`: units picked at
    (SKU, location) that are still there. `lacking`: units that picks did not find there, until all of these left."""

    __slots__ = (
        "ahead", "alone", "at", "attempt", "awaited", "boxed", "cancelled_early", "channel", "check_failed", "checks",
        "could", "deadline", "decision", "deleted", "edit", "edits", "exchange_of", "forget_ms", "fulfilments", "id",
        "kits", "lacking", "later", "lines", "lines_told", "locations", "moving", "partition", "passed", "payment",
        "payment_seconds", "placed", "policy", "refused", "returns", "said", "seen", "speaking", "spoken", "state",
        "trimmed", "turns", "untimely", "waiting", "wanted", "whole",
    )  # fmt: skip

    def __init__(self, partition: int, order_id: str) -> None:
        self.partition, self.id = partition, order_id
        self.at = self.attempt = self.deadline = self.payment_seconds = self.lines_told = 0
        self.state, self.channel, self.payment, self.placed = "unplaced", "", "none", b""
        self.policy = self.exchange_of = ""
        self.cancelled_early = self.check_failed = self.deleted = False
        self.forget_ms = 0  # state time from which it counts as never there
        self.checks: list[str] = []
        self.passed: list[str] = []  # checks that nobody had opened by then
        self.wanted: dict[str, int] = {}  # units per SKU, kits exploded
        self.alone: dict[str, int] = {}  # of them, units that are in no kit
        self.kits: Kits = {}  # as they were asked for
        self.whole: Counter[str] = Counter()  # kits it still has: granted whole, not cancelled, not edited away
        self.lines: list[Line] = []
        self.locations: list[str] = []
        self.awaited: frozenset[int] = frozenset()
        self.moving: frozenset[int] = frozenset()
        self.turns: int | None = None
        self.refused: dict[str, r.Refusal] = {}  # by SKU, in the order they came
        self.could: dict[str, int] = {}
        self.waiting: list[tuple[str, Any]] = []  # cancellations of units, until it is decided
        self.untimely: list[tuple[Any, int]] = []
        self.edits: list[tuple[str, Any]] = []  # that wait for the one before, or for the decision; "": a cancellation
        self.edit: Edit | None = None
        self.trimmed: Counter[str] = Counter()  # units stock was told to give back that no line counts as cancelled
        self.ahead: Counter[str] = Counter()  # units that left before their stock came: stock still waits for it
        self.fulfilments: dict[str, Fulfilment] = {}
        self.returns: dict[str, Return] = {}
        self.seen: dict[str, bytes] = {}
        self.said: Counter[tuple[str, str]] = Counter()
        self.boxed: Counter[tuple[str, str]] = Counter()
        self.lacking: Counter[tuple[str, str]] = Counter()
        self.speaking: list[Change] = []  # of the record at hand
        self.spoken: list[list[Change]] = []  # what stock was told of single lines, record by record
        self.decision: Decision | None = None
        self.later: list[Decision] = []  # cancellations, edits

    @property
    def was_confirmed(self) -> bool:
        return self.decision is not None and self.decision.status == "confirmed"

    def let_go(self) -> None:
        """Of what nobody asks about once the order is forgotten."""
        self.lines, self.spoken = [], []
        for held in (self.untimely, self.seen, self.said, self.boxed, self.lacking, self.fulfilments, self.returns):
            held.clear()

    def owed(self) -> dict[tuple[int, str], None]:
        """(attempt, SKU) of which a confirmed order still owes units."""
        if self.state not in OWED:
            return {}
        return {(x.attempt, x.sku): None for x in self.lines if x.open > 0 and x.attempt}

    def open_check(self, check: str) -> None:
        if check in self.passed:
            self.passed.remove(check)
        elif check not in self.checks:
            self.checks.append(check)

    def reset_lines(self) -> None:
        """One line per SKU, nowhere: nothing is granted (any more)."""
        self.lines = [Line(sku, units) for sku, units in self.wanted.items()]

    def partitions(self, skus: Iterable[str], log: LogState) -> frozenset[int]:
        return frozenset(partition_of_sku(sku, log.partitions) for sku in skus)

    def of(self, sku: str, *, first: str = "") -> list[Line]:
        """Its lines of a SKU, those at `first` before the others, if it names a location."""
        return sorted((x for x in self.lines if x.sku == sku), key=lambda x: first not in ("", x.location))

    def held_at(self, location: str) -> int:
        return sum(x.allocated for x in self.lines if x.location == location)

    def fulfilment(self, location: str) -> Fulfilment:
        """What the location does; from its first pick, pack or shipment on it is kept."""
        return self.fulfilments.setdefault(location, Fulfilment(location))

    def unbox(self, sku: str, location: str, units: int) -> None:
        """So many left from there; what nobody told as picked was never in a box."""
        self.boxed[sku, location] = max(0, self.boxed[sku, location] - units)
        if not self.boxed[sku, location]:
            self.lacking[sku, location] = 0

    def not_found(self) -> Counter[tuple[str, str]]:
        """Of the units it holds at (SKU, location): those that were looked for in vain."""
        held: Counter[tuple[str, str]] = Counter()
        for x in self.lines:
            held[x.sku, x.location] += x.allocated
        return Counter({key: min(self.lacking[key], max(0, units - self.boxed[key])) for key, units in held.items()})

    def ready(self) -> Counter[tuple[str, str]]:
        """Units of a confirmed order that nobody has to fetch any more, at (SKU, location)."""
        ready: Counter[tuple[str, str]] = Counter()
        if self.state in OWED:
            for x in self.lines:
                ready[x.sku, x.location] += x.allocated
            for sku, location in ready:
                known = self.fulfilments.get(location)
                if known is None or known.state != "packed":
                    ready[sku, location] = min(ready[sku, location], self.boxed[sku, location])
        return ready

    def places(self) -> list[Fulfilment]:
        """What others see: locations that hold units, and all that did something."""
        held = (x.location for x in self.lines if x.location and x.allocated > 0)
        return [self.fulfilments.get(x) or Fulfilment(x) for x in dict.fromkeys((*held, *self.fulfilments))]

    def apart(self, lines: Iterable[Any]) -> list[tuple[str, int, Any]]:
        """(SKU, units, line), kits of this order taken apart as it was placed."""
        units: list[tuple[str, int, Any]] = []
        for line in lines:
            kit = self.kits.get(line.sku)
            if kit is None:
                units.append((line.sku, line.quantity, line))
            else:
                units += [(sku, n * line.quantity, line) for sku, n in kit[1]]
        return units

    def units(self, lines: Iterable[Any]) -> dict[str, int]:
        """Units per SKU of these lines."""
        units: dict[str, int] = {}
        for sku, count, _ in self.apart(lines):
            units[sku] = units.get(sku, 0) + count
        return units

    def fewer_kits(self, lines: Iterable[Any]) -> None:
        for line in lines:
            self.whole[line.sku] = max(0, self.whole[line.sku] - line.quantity)

    def check_lines(self) -> bool:
        """The equation of every line."""
        return all(
            min(x.shipped, x.cancelled, x.back, x.returned) >= 0 and (x.open >= x.back or x.quantity < 1)
            and x.returned <= x.shipped
            for x in self.lines
        )  # fmt: skip


def decide(order: Order, status: str, reason: str, place: int, ms: int) -> None:
    """The one decision. A confirmed order owes what it was granted; any other is one line per SKU again."""
    if status == "confirmed":
        lines = [Told(x.sku, x.quantity, x.location, "", None, x.back) for x in order.lines if x.location]
        lines += [Told(x.sku, x.refused.quantity, "", x.refused.reason, x.refused.available, 0)
                  for x in order.lines if x.refused is not None]  # fmt: skip
        for x in order.lines:
            if x.refused is not None:
                x.quantity = x.cancelled = max(0, x.quantity)
    else:
        why = order.refused
        lines = [
            Told(sku, units, "", why[sku].reason, why[sku].available, 0) if sku in why
            else Told(sku, units, "", "", None, 0)
            for sku, units in order.wanted.items()
        ]  # fmt: skip
        at = {x.sku: x.location for x in reversed(order.lines)}
        order.lines = [Line(sku, units, at.get(sku, "")) for sku, units in order.wanted.items()]
    order.state, order.deadline, order.moving = status, 0, frozenset()
    order.waiting = order.waiting if status == "confirmed" else []
    order.decision = Decision(status, reason, place, ms, order.attempt, tuple(lines))


def give_back(order: Order, reason: str, units: dict[str, int], place: int, ms: int) -> None:
    """Cancel units that are not shipped, those that wait for stock first; with the last of them the order ends."""
    if order.state not in OWED:
        return
    given: list[Told] = []
    for sku, asked in units.items():
        cancel(order, order.of(sku), asked, given)
    spoke(order)
    if given:
        order.later.append(Decision("cancelled", reason or "cancelled", place, ms, order.attempt, tuple(given)))
        settle(order)


def cancel(order: Order, lines: list[Line], units: int, given: list[Told]) -> None:
    """Up to so many units of these lines: first those that wait, then those that are held."""
    for line in lines:
        count = min(line.back, units)
        if count:
            line.back -= count
            _cancel(order, line, count, given)
            units -= count
    for line in lines:
        count = min(line.allocated, units)
        if count > 0:
            _cancel(order, line, count, given)
            units -= count


def spoke(order: Order) -> None:
    """Stock is told what this record changed of single lines, as one."""
    if order.speaking:
        order.spoken.append(order.speaking)
        order.speaking = []


def _cancel(order: Order, line: Line, count: int, given: list[Told]) -> None:
    line.cancelled += count
    order.speaking.append(Change(line.sku, line.location, line.attempt, -count))
    given.append(Told(line.sku, count, line.location, "", None, 0))


def settle(order: Order) -> None:
    """The state of an order that was confirmed follows from its lines and from how far their locations are."""
    if order.state not in (*OWED, "shipped", "delivered"):
        return
    for done in order.fulfilments.values():
        if done.left and done.state in OWED and not order.held_at(done.location):
            done.state = "shipped"
        if done.state == "shipped" and done.tracking and all(x == "delivered" for x in done.tracking.values()):
            done.state = "delivered"
    if any(x.open > 0 for x in order.lines):
        waits = any(x.back for x in order.lines)
        held = {x.location for x in order.lines if x.allocated > 0}
        steps = [STEPS.index(order.fulfilments[x].state) if x in order.fulfilments else 0 for x in held]
        order.state = STEPS[min([0] * waits + steps)]
    elif any(x.shipped for x in order.lines):
        shipped = [x.state for x in order.fulfilments.values() if x.state in ("shipped", "delivered")]
        order.state = "delivered" if shipped and "shipped" not in shipped else "shipped"
        if all(x.returned == x.shipped for x in order.lines):
            order.state = "returned"
    else:
        order.state = "cancelled"
