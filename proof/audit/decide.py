"""What the answer to a reserve command had to be: which lines fit, where, from whose stock; and why the others do not.

Pure: reads a room, changes nothing. Does not belong here: comparing with the answer that was given (`stock_book`).
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from proof.audit.intake import LogState
from proof.audit.promise import Part
from proof.audit.room import Room
from proof.audit.shelves import Shelf, later
from proof.audit.sourcing import fewest, first_of
from tables import records as r

PARTS_MAX = 4_000  # of a command: its answer is one record


class Verdict(Struct):
    """`parts`: lines in the command's order. `could`: per line, bits over the command's locations; empty if nothing
    was granted, or there is only one."""

    parts: list[Part]
    refused: list[r.Refusal]
    could: list[int]


class _Ask(Struct):
    """A command as the rules of its channel read it. `ranks`: of each allowed location in the command."""

    channel: str
    policy: str
    closed: bool
    floor: str
    allowed: list[str]
    ranks: list[int]
    too_old: bool


class _Line(Struct):
    sku: str
    quantity: int
    fits: list[int]  # per allowed location
    bits: int  # over the allowed locations: which cover it whole
    reason: str  # why not all of it is there; "" if it is
    hard: bool  # nothing of it may be taken


def floor_of(room: Room, channel: str) -> str:
    """The earliest best-before that lots promised to this channel today may have; "": any."""
    rules = room.channels.get(channel)
    days = rules.promise_days + rules.minimum_life_days if rules else 0
    return later(room.today, days) if room.today and days else ""


def fits(shelf: Shelf | None, channel: str, floor: str) -> int:
    """Units that can be promised here, to this channel, that fresh."""
    if shelf is None:
        return 0
    free = shelf.free_to(channel)
    return max(0, min(free, shelf.room(floor)) if floor and free > 0 else free)


def allowed_places(room: Room, command: r.Reserve) -> list[str]:
    """Where the command may be served from, best first, each place once, however often it is named."""
    rules = room.channels.get(command.channel)
    own = list(rules.locations) if rules else []
    return [x for x in dict.fromkeys(command.locations or own) if not own or x in own]


def is_too_old(log: LogState, command: r.Reserve) -> bool:
    """Whether its attempt was asked longer ago than promises are kept."""
    asked_ms = command.asked_ms or log.first_ms
    return asked_ms > 0 and log.state_ms - asked_ms >= log.limits.reservation_keep_seconds * 1000


def decide(room: Room, log: LogState, command: r.Reserve) -> Verdict:
    """The answer by these books."""
    rules = room.channels.get(command.channel)
    asked = command.locations or (rules.locations if rules else [])
    allowed = allowed_places(room, command)
    ask = _Ask(
        command.channel, command.policy, bool(rules and rules.closed), floor_of(room, command.channel), allowed,
        [asked.index(x) for x in allowed], is_too_old(log, command),
    )  # fmt: skip
    lines = [_look(room, ask, line) for line in command.lines]
    parts, refused = _share_out(room, ask, lines)
    if refused and command.policy != "ship_available":
        parts = []
    if len(parts) + len(refused) > PARTS_MAX:
        parts = []
        refused = [
            r.Refusal(x.sku, x.quantity, "too_many_parts", 0 if x.reason and x.hard else sum(x.fits)) for x in lines
        ]
    could: list[int] = []
    if parts and len(command.locations) > 1:  # else there is nothing to choose from
        could = [sum(1 << ask.ranks[n] for n in range(len(allowed)) if x.bits >> n & 1) for x in lines]
    return Verdict(parts, refused, could)


def _look(room: Room, ask: _Ask, line: r.Line) -> _Line:
    """The line at each location, and the first check that fails."""
    master = room.skus.get(line.sku)
    shelves = [master.shelves.get(x) if master else None for x in ask.allowed]
    fit = [fits(x, ask.channel, ask.floor) for x in shelves]
    there = sum(fit)
    bits = sum(1 << n for n, units in enumerate(fit) if 0 < line.quantity <= units)
    reason, hard = "", True
    if ask.too_old:
        reason = "too_old"
    elif master is None:
        reason = "unknown_sku"
    elif master.discontinued:
        reason = "discontinued"
    elif not 1 <= line.quantity <= r.QUANTITY_MAX:
        reason = "malformed_quantity"
    elif ask.closed or (master.channels and ask.channel not in master.channels):
        reason = "channel_not_allowed"
    elif not ask.allowed:
        reason = "location_not_allowed"
    elif there < line.quantity:
        reason, hard = _short_of(shelves, ask.channel, line.quantity), False
    return _Line(line.sku, line.quantity, fit, 0 if reason and hard else bits, reason, hard)


def _short_of(shelves: Sequence[Shelf | None], channel: str, quantity: int) -> str:
    known = [x for x in shelves if x is not None]
    if sum(max(0, x.free_to(channel) + x.claimed) for x in known) < quantity:
        return "insufficient"
    return "contended" if sum(max(0, x.free_to(channel)) for x in known) < quantity else "shelf_life"


def _share_out(room: Room, ask: _Ask, lines: list[_Line]) -> tuple[list[Part], list[r.Refusal]]:
    chosen = fewest([x.bits for x in lines if not x.reason])
    parts: list[Part] = []
    refused: list[r.Refusal] = []
    for line in lines:
        there = 0 if line.reason and line.hard else sum(line.fits)  # else nobody looked
        taken = _taken(ask, line, chosen)
        rest = line.quantity - sum(units for _, units in taken)
        waits = ask.policy == "backorder" and bool(line.reason) and not line.hard
        back = _backorder(room, ask, line, rest) if waits else None
        if line.reason and back is None:
            partly = ask.policy == "ship_available" and not line.hard
            refused.append(r.Refusal(line.sku, rest if partly else line.quantity, line.reason, there))
            if not partly:
                continue
        parts += [Part(line.sku, units, ask.allowed[n], floor=ask.floor) for n, units in taken]
        if back is not None:
            parts.append(back)
    return parts, refused


def _taken(ask: _Ask, line: _Line, chosen: tuple[int, ...]) -> list[tuple[int, int]]:
    """(allowed location, units): whole at one that was chosen, else split."""
    if line.reason and line.hard:
        return []
    if line.bits:
        return [(first_of(line.bits, chosen), line.quantity)]
    taken, left = [], line.quantity
    others = sorted((n for n in range(len(line.fits)) if n not in chosen), key=lambda n: (-line.fits[n], n))
    for n in (*chosen, *others):
        units = min(line.fits[n], left)
        if units > 0:
            taken.append((n, units))
            left -= units
    return taken


def _backorder(room: Room, ask: _Ask, line: _Line, rest: int) -> Part | None:
    """The rest of a line, promised without stock where the limit allows it."""
    for location in ask.allowed:
        shelf = room.shelf(line.sku, location)
        if shelf is not None and shelf.policy.backorder_limit - shelf.backordered >= rest:
            due = shelf.policy.backorder_due or _comes(shelf, shelf.backordered + rest)
            return Part(line.sku, rest, location, back=True, floor=ask.floor, due=due)
    return None


def _comes(shelf: Shelf, units: int) -> str:
    """The day on which so many confirmed units will have come."""
    there = 0
    expected = [
        (x.expected, reference, x.confirmed - x.received) for reference, x in shelf.incoming.items()
        if x.state == "open" and x.confirmed > x.received and x.expected
    ]  # fmt: skip
    for day, _, coming in sorted(expected):
        there += coming
        if there >= units:
            return day
    return ""
