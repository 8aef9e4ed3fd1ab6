"""What a `reserve` command gets: checks in one written order, then stock, then the places it comes from.

Reads rows of the SKUs, their stock, their lots, and the channel's rules; gives the reservation's row, and changes
nothing. All lines are checked before any is taken. Refusals name the first failed check per line, in this order:
too_old, unknown_sku, discontinued, malformed_quantity, channel_not_allowed, location_not_allowed, insufficient,
contended (enough, but claimed by undecided orders), shelf_life (enough, but of lots that end too early). A command
that would be spread over more parts than a record may hold is refused whole (too_many_parts).
Does not belong here: what happens to the reservation later (`reservations`).
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from tables import availability
from tables import records as r
from tables.codec import instant
from tables.outcome import At, View
from tables.rows import Change, ChannelRow, PartitionRow, ReservationRow, ReservedLine, StockRow, channel_key, sku_key
from tables.sourcing import best, fewest


class Offer(Struct, frozen=True, gc=False):
    """What one location has for a line."""

    bit: int
    location: str
    row: StockRow
    takes: int  # units the channel may take
    fits: int  # of them from lots that live long enough


class Look(Struct, gc=False):
    """A line of the command, and what there is for it. `reason`: a check that failed before stock was looked at."""

    line: r.Line
    reason: str
    offers: list[Offer]
    fits: int = 0
    takes: int = 0
    reach: int = 0  # `takes`, if undecided orders gave back what they claim
    cover: int = 0  # bits of the locations that cover it whole

    @property
    def refusal(self) -> str:
        """Why not all of it can be had; "" if it can."""
        wanted = self.line.quantity
        if self.reason or wanted <= self.fits:
            return self.reason
        return "insufficient" if self.reach < wanted else "contended" if self.takes < wanted else "shelf_life"


def decide(view: View, command: r.Reserve, at: At, log: PartitionRow) -> ReservationRow:
    """The recorded decision on a command that was not decided before."""
    rules: ChannelRow | None = view.get(channel_key(command.channel)) if command.channel else None
    floor = availability.floor_of(rules, log)
    allowed = places(command, rules)
    looks = [look(view, command, line, allowed, rules, floor, log) for line in command.lines]
    chosen = fewest([x.cover for x in looks if x.cover])
    partial = command.policy != "all_or_nothing"
    lines: list[ReservedLine] = []
    refused = False
    for one in looks:
        if one.cover:
            bit = best(one.cover, chosen)
            offer = next(x for x in one.offers if x.bit == bit)
            lines.append(_part(offer, one, one.line.quantity, floor, command.channel))
            continue
        why = one.refusal
        if one.reason or (why and not partial):
            lines.append(_refused(one, one.line.quantity, why))
            refused = True
            continue
        parts, rest = _split(one, chosen, floor, command.channel)
        lines += parts
        if rest:
            waits = _backordered(view, one, rest, floor) if command.policy == "backorder" else None
            lines.append(waits or _refused(one, rest, why))
            refused = refused or waits is None
    if refused and command.policy != "ship_available":  # nothing of it is taken, then
        lacking = {x.sku for x in lines if x.reason}
        lines = [
            _refused(one, one.line.quantity, one.refusal) if one.line.sku in lacking
            else ReservedLine(one.line.sku, one.line.quantity, "", "", one.fits, False, 0, False, "", 0, "")
            for one in looks
        ]  # fmt: skip
    if len(lines) > r.PARTS_MAX:
        lines = [_refused(one, one.line.quantity, "too_many_parts") for one in looks]
    return _row(command, at, allowed, looks, lines)


def is_too_old(command: r.Reserve, log: PartitionRow) -> bool:
    """Whether it was asked so long ago that its reservation may have been forgotten since."""
    asked_ms = command.asked_ms or log.first_ms  # 0: before the order's partition was told any time
    return bool(asked_ms) and log.state_ms - asked_ms >= log.limits.reservation_keep_seconds * 1000


def places(command: r.Reserve, rules: ChannelRow | None) -> list[tuple[int, str]]:
    """(bit, location) the command may be served from, best first; bits count over the command's own list. A location
    named twice is one: its units are there once."""
    bits: dict[str, int] = {}
    for bit, location in enumerate(command.locations or (rules.locations if rules else ())):
        if rules is None or not rules.locations or location in rules.locations:
            bits.setdefault(location, bit)
    return [(bit, location) for location, bit in bits.items()]


def look(
    view: View, command: r.Reserve, line: r.Line, allowed: list[tuple[int, str]], rules: ChannelRow | None,
    floor: str, log: PartitionRow,
) -> Look:  # fmt: skip
    """The checks of a line, and what each location has for it."""
    reason = _before_stock(view, command, line, allowed, rules, log)
    offers: list[Offer] = []
    if reason:
        return Look(line, reason, offers)
    all_fits = all_takes = reach = cover = 0
    quantity, prefix = line.quantity, f"stock|{line.sku}|"
    for bit, location in allowed:
        row: StockRow | None = view.get(prefix + location)
        if row is None:
            continue
        free = availability.takeable(row, command.channel)
        takes = fits = free if free > 0 else 0
        if floor and takes:
            fits = max(min(takes, availability.room_of(view, row, floor)), 0)
        offers.append(Offer(bit, location, row, takes, fits))
        all_takes += takes
        all_fits += fits
        reach += max(free + row.claimed, 0)
        if fits >= quantity:
            cover |= 1 << bit
    return Look(line, reason, offers, all_fits, all_takes, reach, cover)


def _before_stock(
    view: View, command: r.Reserve, line: r.Line, allowed: list[Any], rules: ChannelRow | None, log: PartitionRow
) -> str:
    if is_too_old(command, log):
        return "too_old"
    master = view.get(sku_key(line.sku))
    if master is None:
        return "unknown_sku"
    if master.discontinued:
        return "discontinued"
    if not 1 <= line.quantity <= r.QUANTITY_MAX:
        return "malformed_quantity"
    if (master.channels and command.channel not in master.channels) or (rules is not None and rules.closed):
        return "channel_not_allowed"
    return "" if allowed else "location_not_allowed"


def _split(one: Look, chosen: int, floor: str, channel: str) -> tuple[list[ReservedLine], int]:
    """Where the units of a line that no location covers whole come from, and how many no location has for it."""
    left = one.line.quantity
    parts: list[ReservedLine] = []
    for offer in sorted(one.offers, key=lambda x: (0, 0, x.bit) if chosen >> x.bit & 1 else (1, -x.fits, x.bit)):
        units = min(offer.fits, left)
        if units > 0:
            parts.append(_part(offer, one, units, floor, channel))
            left -= units
    return parts, left


def _part(offer: Offer, one: Look, units: int, floor: str, channel: str) -> ReservedLine:
    fenced = min(units, availability.ring_fence(offer.row, channel)) if offer.row.shares else 0
    return ReservedLine(
        one.line.sku, units, offer.location, "", offer.fits, units == offer.takes, units, False, floor, fenced, ""
    )


def _backordered(view: View, one: Look, rest: int, floor: str) -> ReservedLine | None:
    """The rest, promised without stock at the first location that allows so many; None if none does."""
    for offer in one.offers:
        row = offer.row
        if row.policy.backorder_limit - row.backordered >= rest:
            due = row.policy.backorder_due or _expected(view, row, row.backordered + rest)
            return ReservedLine(row.sku, rest, row.location, "", one.fits, True, rest, True, floor, 0, due)
    return None


def _expected(view: View, row: StockRow, units: int) -> str:
    """The day by which suppliers confirmed so many units for this location; "" if they did not."""
    coming = [view.get(key) for key in view.below(f"incoming|{row.sku}|{row.location}|")]
    confirmed = [x for x in coming if x.state == "open" and x.confirmed and x.expected]
    for one in sorted(confirmed, key=lambda x: (x.expected, x.reference)):
        units -= max(one.confirmed - one.received, 0)
        if units <= 0:
            return one.expected
    return ""


def _refused(one: Look, units: int, reason: str) -> ReservedLine:
    return ReservedLine(one.line.sku, units, "", reason, one.fits, reason == "insufficient", 0, False, "", 0, "")


def _row(
    command: r.Reserve, at: At, allowed: list[tuple[int, str]], looks: list[Look], lines: list[ReservedLine]
) -> ReservationRow:
    taken = tuple([x.open for x in lines])
    granted = any(taken)
    fenced = tuple([x.fenced for x in lines])
    fenced = fenced if any(fenced) else ()
    occurred = command.occurred_at or instant(at.ms)
    first = allowed[0][1] if allowed else (*command.locations, "")[0]
    could = tuple([x.cover for x in looks]) if granted and len(command.locations) > 1 else ()
    return ReservationRow(
        at.place, command.order_id, command.attempt, command.order_partition, command.channel,
        "claimed" if granted else "refused", at.place, at.ms, first, occurred[:10], int(occurred[11:13] or 0),
        command.demand, tuple(lines), tuple([(x.sku, x.quantity) for x in command.lines]), could,
        (Change(at.place, "", "claimed", taken, fenced, ()),) if granted else (), (), 0, False, command.asked_ms, 0,
    )  # fmt: skip
