"""The auditor's own books of physical stock: SKUs, shelves (a SKU at a location), their lots, and what is expected.

Pure; one way in (`Shelf.change`, `Shelf.alter`), so that a shelf always is the sum of its lots: units, and those that
nobody may have. Guarantees: no lot goes below nothing. Does not belong here: promises (`promises`), what a fact does
(`stock_facts` and its siblings).
"""

from __future__ import annotations

from calendar import monthrange
from collections import Counter, deque
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from heapq import heappush
from typing import Any, NamedTuple

MOVES_KEPT = 1_000  # a count as of a position older than these changes nothing: it asks for a recount
NO_LOT = "UNKNOWN"
LAST = "9999"  # a lot without a best-before goes out last


def day_of(state_ms: int) -> str:
    """The UTC day of a state time; "" before the first tick."""
    return datetime.fromtimestamp(state_ms / 1000, UTC).strftime("%Y-%m-%d") if state_ms else ""


def later(day: str, days: int) -> str:
    """The day so many days after `day`; the calendar's last if there is none."""
    try:
        return (date.fromisoformat(day) + timedelta(days)).isoformat()
    except (ValueError, OverflowError):
        return "9999-12-31"


class Policy(NamedTuple):
    """As `policy_set` tells it; the order of its row."""

    reorder_point: int = 0
    hysteresis: int = 0
    safety_stock: int = 0
    expiring_days: int = 0
    count_tolerance: int = 0
    backorder_limit: int = 0
    backorder_due: str = ""


class Batch:
    """What is known of a production batch, wherever it is."""

    __slots__ = ("best_before", "status")

    def __init__(self, best_before: str, status: str) -> None:
        self.best_before, self.status = best_before, status


class Lot:
    """Units of one batch on one shelf. `moved`: units by kind of movement; they sum to `on_hand`. `due`: the ordinal of
    the day it is to be looked at, by the policy as it was when that was noted; 0: never."""

    __slots__ = (
        "at", "best_before", "blocked", "code", "due", "expired", "first", "moved", "moves", "on_hand", "shelf",
        "status", "warned",
    )  # fmt: skip

    def __init__(self, shelf: Shelf, code: str, best_before: str, status: str, place: int) -> None:
        self.shelf, self.code, self.best_before, self.status, self.first = shelf, code, best_before, status, place
        self.at = place
        self.on_hand = self.blocked = self.due = 0
        self.expired = self.warned = False
        self.moved: Counter[str] = Counter()
        self.moves: deque[tuple[int, int]] = deque(maxlen=MOVES_KEPT)

    @property
    def key(self) -> str:
        return f"lot|{self.shelf.sku}|{self.shelf.location}|{self.code}"

    @property
    def unavailable(self) -> int:
        return self.on_hand if self.status != "approved" or self.expired else min(self.blocked, self.on_hand)

    @property
    def sellable(self) -> int:
        return self.on_hand - self.unavailable

    def ships_on(self, day: str) -> bool:
        """Whether its units may leave on this day, whoever buys them; day "": no calendar yet."""
        fresh = not day or not self.best_before or self.best_before >= day
        return self.status == "approved" and not self.expired and fresh

    def ahead(self) -> list[tuple[int, str]]:
        """(day, what the calendar makes of it then) by its shelf's policy, expiry first."""
        if not self.best_before or self.expired:
            return []
        last = _ordinal(self.best_before)
        days = self.shelf.policy.expiring_days
        warns = days > 0 and not self.warned and self.on_hand > 0
        return [(last + 1, "expired"), *([(last - days, "warned")] if warns else [])]

    @property
    def next_day(self) -> int:
        """The first day on which the calendar has something for it; 0: none."""
        return min((max(day, 1) for day, _ in self.ahead()), default=0)


@lru_cache(maxsize=4096)
def _ordinal(text: str) -> int:
    """The day; one that its month does not have counts as the month's last."""
    year, month, day = (int(x) for x in text.split("-"))
    return date(year, month, min(day, monthrange(year, month)[1])).toordinal() if year else 1


class Share:
    """A channel's own stock on a shelf."""

    __slots__ = ("buffer", "ring_fence")

    def __init__(self, ring_fence: int, buffer: int) -> None:
        self.ring_fence, self.buffer = ring_fence, buffer


class Shelf:
    """One SKU at one location. `at`: place of the last record that changed it. `floors`: promised units by the
    earliest best-before their lots may have. `queue`: backordered parts, oldest first. `calendar`: where is noted
    when a lot is to be looked at."""

    __slots__ = (
        "allocated", "at", "backordered", "calendar", "claimed", "count", "floors", "held", "incoming", "location",
        "lots", "on_hand", "policy", "queue", "shares", "sku", "unavailable",
    )  # fmt: skip

    def __init__(self, sku: str, location: str, policy: Policy, calendar: list[tuple[int, str]] | None = None) -> None:
        self.sku, self.location, self.policy, self.at = sku, location, policy, 0
        self.calendar = [] if calendar is None else calendar
        self.on_hand = self.unavailable = self.claimed = self.held = self.allocated = self.backordered = 0
        self.lots: dict[str, Lot] = {}
        self.floors: Counter[str] = Counter()
        self.shares: dict[str, Share] = {}
        self.incoming: dict[str, Incoming] = {}  # by reference
        self.queue: list[Any] = []  # promises.Wait
        self.count = (0, 0, 0, 0)  # counts, exact ones, units counted, units off

    @property
    def free(self) -> int:
        """Units that nobody has a claim to; negative if more is owed than is there."""
        return self.on_hand - self.unavailable - self.claimed - self.held - self.allocated - self.policy.safety_stock

    def free_to(self, channel: str) -> int:
        """Units this channel may take, by the same measure."""
        fenced = sum(share.ring_fence for name, share in self.shares.items() if name != channel)
        own = self.shares.get(channel)
        return self.free - self.backordered - fenced - (own.buffer if own else 0)

    def room(self, floor: str) -> int:
        """Units of lots fresh enough for `floor` that no promise of the same or a later floor needs."""
        room = None
        for day in {floor, *(x for x, units in self.floors.items() if units and x <= floor)}:
            fresh = sum(x.sellable for x in self.lots.values() if x.best_before and x.best_before >= day)
            left = fresh - sum(units for x, units in self.floors.items() if x >= day)
            room = left if room is None else min(room, left)
        return room or 0

    def lots_in_order(self, day: str, code: str | None = None, floor: str = "") -> list[Lot]:
        """Lots with units: the named one, then those that may leave, of them those fresh enough for `floor` first, then
        the others; each first expired first."""

        def turn(lot: Lot) -> tuple[Any, ...]:
            leaves = lot.ships_on(day)
            stale = leaves and bool(floor) and (not lot.best_before or lot.best_before < floor)
            return lot.code != code, not leaves, stale, lot.best_before or LAST, lot.first, lot.code

        return sorted((x for x in self.lots.values() if x.on_hand > 0), key=turn)

    @property
    def is_empty(self) -> bool:
        """Whether it never held, nor owed, anything."""
        owed = (self.claimed, self.held, self.allocated, self.backordered)
        return not self.lots and not self.shares and not self.incoming and not any(owed)

    # ---- the one way its lots change

    def change(self, lot: Lot, place: int, kind: str, units: int, blocked: int = 0) -> None:
        """Signed units, and how many of them are set apart. Units that leave are unblocked ones first."""
        before = lot.unavailable
        lot.on_hand += units
        lot.blocked += blocked
        if units < 0:
            lot.blocked = min(lot.blocked, lot.on_hand)
        lot.moved[kind] += units
        if units:
            lot.moves.append((place, units))
        self._count(lot, place, units, lot.unavailable - before)

    def alter(self, lot: Lot, place: int, **what: Any) -> None:
        """Its status, whether it is expired, its best-before."""
        before = lot.unavailable
        for name, value in what.items():
            setattr(lot, name, value)
        self._count(lot, place, 0, lot.unavailable - before)

    def _count(self, lot: Lot, place: int, units: int, unavailable: int) -> None:
        assert 0 <= lot.blocked <= lot.on_hand, f"{lot.key}: {lot.on_hand} units, {lot.blocked} of them blocked"
        self.on_hand += units
        self.unavailable += unavailable
        lot.at = self.at = place
        self.note_day(lot)

    def note_day(self, lot: Lot) -> bool:
        """Into the calendar, by the policy as it is now; whether another day stood there."""
        day = lot.next_day
        if day == lot.due:
            return False
        lot.due = day
        if day:
            heappush(self.calendar, (day, lot.key))
        return True

    def leave(
        self, units: int, code: str | None, kind: str, place: int, day: str, floor: str = "",
        ahead: Callable[[Lot], int] | None = None, *, blocked: bool = False,
    ) -> list[tuple[Lot, int]]:  # fmt: skip
        """Units go, from the lot named first; what no lot has is missing from the books. Returns what went. `ahead`: of
        the other lots, units that go before any that are left; `blocked`: of each lot the blocked ones go first."""
        order = self.lots_in_order(day, code, floor)
        went = dict.fromkeys(order, 0)
        if ahead is not None:
            for lot in order:
                went[lot] = min(units, lot.on_hand if lot.code == code else ahead(lot))
                units -= went[lot]
        for lot in order:
            more = min(units, lot.on_hand - went[lot])
            went[lot] += more
            units -= more
            if went[lot]:
                self.change(lot, place, kind, -went[lot], -min(lot.blocked, went[lot]) if blocked else 0)
        return [(lot, gone) for lot, gone in went.items() if gone]

    # ---- what others see

    def seen_as(self) -> dict[str, int]:
        """The quantities of the identity: what is there covers allocations first, then reservations, then safety."""
        left = self.on_hand - self.unavailable
        allocated = min(self.allocated, left)
        left -= allocated
        reserved = min(self.claimed + self.held, left)
        left -= reserved
        safety = min(self.policy.safety_stock, left)
        fenced = sum(share.ring_fence for share in self.shares.values())
        return {
            "on_hand": self.on_hand, "available": left - safety, "reserved": reserved, "allocated": allocated,
            "safety_stock": safety, "unavailable": self.unavailable,
            "shortage": self.allocated + self.claimed + self.held - allocated - reserved,
            "backordered": self.backordered, "open_to_all": max(0, left - safety - self.backordered - fenced),
        }  # fmt: skip


class Incoming:
    """Units expected at a location: a line of a purchase order, or a transfer under way."""

    __slots__ = ("confirmed", "expected", "kind", "lots", "notified", "ordered", "received", "state")

    def __init__(self, kind: str) -> None:
        self.kind, self.expected, self.state = kind, "", "open"
        self.ordered = self.confirmed = self.notified = self.received = 0
        self.lots: dict[str, int] = {}  # units under way, in the order they left

    @property
    def to_come(self) -> int:
        expected = self.confirmed or self.ordered or self.notified
        return max(0, expected - self.received) if self.state == "open" else 0

    def close_if_whole(self) -> None:
        """As soon as all that was expected has come."""
        expected = max(self.ordered, self.confirmed) or self.notified
        if self.received >= expected > 0:
            self.state = "closed"


class Master:
    """What is known of a SKU: whether and by whom it is sold, and the policy for locations to come."""

    __slots__ = ("at", "batches", "channels", "discontinued", "policy", "shelves")

    def __init__(self) -> None:
        self.at = 0
        self.discontinued = False
        self.channels: list[str] = []
        self.policy = Policy()
        self.shelves: dict[str, Shelf] = {}
        self.batches: dict[str, Batch] = {}


class Recall:
    """The last recall of a lot. `skus`: empty: all."""

    __slots__ = ("mock", "open", "skus")

    def __init__(self, skus: Iterable[str], mock: bool) -> None:
        self.skus, self.mock, self.open = list(skus), mock, True

    def freezes(self, sku: str) -> bool:
        return self.open and not self.mock and (not self.skus or sku in self.skus)
