"""What a stock partition had for an attempt, and which rule chose or refused, in words.

Asks the rules themselves (`tables.deciding`, `tables.availability`, `tables.lots`) what they saw, on the rows as they
stood just before the command. Guarantees: reads rows, changes none; no rule is told a second time here. Does not belong
here: what the record led to (`trail`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from proof.history.account import LotThere, Offer, SkuThere
from streams.views import stock_levels
from tables import records as r
from tables.availability import floor_of, room_of, takeable
from tables.deciding import Look, look, places
from tables.deciding import Offer as Offered
from tables.lots import LAST, day_after, sellable, shippable_on, today
from tables.outcome import View
from tables.rows import (
    ChannelRow,
    LotRow,
    PartitionRow,
    ReservationRow,
    StockRow,
    channel_key,
    reservation_key,
    sku_key,
    stock_key,
)
from tables.sourcing import fewest


class Seen(NamedTuple):
    """What the rules looked at. `allowed`: (bit, location), best first."""

    command: r.Reserve
    rules: ChannelRow | None
    day: str
    floor: str
    allowed: list[tuple[int, str]]
    looks: list[Look]


def seen(view: View, command: r.Reserve, log: PartitionRow) -> Seen:
    """What the rules see of the rows as they stand."""
    rules: ChannelRow | None = view.get(channel_key(command.channel)) if command.channel else None
    floor, allowed = floor_of(rules, log), places(command, rules)
    looks = [look(view, command, line, allowed, rules, floor, log) for line in command.lines]
    return Seen(command, rules, today(log), floor, allowed, looks)


def there(view: View, found: Seen, log: PartitionRow) -> list[SkuThere]:
    """Per line: levels, what each location offers, its lots."""
    return [_there(view, found, one, log) for one in found.looks]


def _there(view: View, found: Seen, one: Look, log: PartitionRow) -> SkuThere:
    sku, wanted = one.line.sku, one.line.quantity
    if view.get(sku_key(sku)) is None:
        return SkuThere(sku, wanted, None, [], [])
    offers = [Offer(x.location, x.takes, _good(view, found, x), x.fits, x.fits >= wanted > 0) for x in one.offers]
    levels = stock_levels(view, sku, log)  # type: ignore[arg-type]
    rows: list[LotRow] = [
        view.get(key) for at in levels.locations for key in view.below(f"lot|{sku}|{at.location}|")
    ]  # fmt: skip
    ranks = {location: n for n, (_, location) in enumerate(found.allowed)}
    rows.sort(key=lambda x: (ranks.get(x.location, len(ranks)), x.location, x.best_before or LAST, x.received, x.lot))
    return SkuThere(sku, wanted, levels, offers, [_lot(found, x) for x in rows if x.on_hand])


def _good(view: View, found: Seen, offer: Offered) -> int:
    """Units that may be sold, in lots that live long enough."""
    lots: list[LotRow] = [view.get(key) for key in view.below(f"lot|{offer.row.sku}|{offer.location}|")]
    return sum(sellable(x) for x in lots if not found.floor or x.best_before >= found.floor)


def _lot(found: Seen, lot: LotRow) -> LotThere:
    """Whether it could leave on the day its channel's goods do."""
    minimum, promise = (found.rules.minimum_life_days, found.rules.promise_days) if found.rules else (0, 0)
    leaves = day_after(found.day, promise) if found.day and promise else found.day
    status = "expired" if lot.expired and lot.status == "approved" else lot.status
    if status != "approved":
        why = status.replace("_", " ")
    elif not lot.best_before and found.floor:
        why = f"no best-before known, needs {found.floor}"
    elif not shippable_on(lot, leaves, minimum):
        why = f"needs best before {found.floor or leaves} or later"
    elif lot.blocked >= lot.on_hand:
        why = "damaged or quarantined"
    else:
        why = ""
    return LotThere(
        lot.location, lot.lot, lot.best_before, status, lot.on_hand, min(lot.blocked, lot.on_hand), not why, why
    )


def could_move(view: View, command: r.Move) -> str:
    """What the locations asked for could take of the lines to move; "" if nothing is held of them."""
    row: ReservationRow | None = view.get(reservation_key(command.order_id, command.attempt))
    told = []
    for line in command.lines:
        away = [
            x for x in (row.lines if row is not None else ())
            if x.sku == line.sku and x.open and not x.back and x.location != line.location
        ]  # fmt: skip
        stock: StockRow | None = view.get(stock_key(line.sku, line.location))
        if row is None or not away:
            continue
        free = max(takeable(stock, row.channel), 0) if stock is not None else 0
        if stock is not None and free and away[0].floor:
            free = max(min(free, room_of(view, stock, away[0].floor)), 0)
        told.append(f"{line.location} could take {free} {line.sku}, {sum(x.open for x in away)} are to move")
    return "; ".join(told)


# -- which rule --------------------------------------------------------------------------------------------------------


def reasons(found: Seen, answer: r.ReserveAnswered) -> list[str]:
    """Which rule chose or refused: a sentence each."""
    told = list(_left_out(found))
    if answer.parts:
        told += _chosen(found, answer)
    for one in found.looks:
        told += _of_line(found, one, answer)
    refused = {x.sku for x in answer.refused}
    if refused and not answer.parts and (len(found.looks) > len(refused)):
        told.append(f"policy {found.command.policy}: one line refused, so nothing of it is taken")
    elif refused and answer.parts:
        told.append("policy ship_available: what is there is taken, the rest is refused")
    return told


def _left_out(found: Seen) -> Iterable[str]:
    kept = {location for _, location in found.allowed}
    out = [x for x in found.command.locations if x not in kept]
    if out:
        yield f"channel {found.command.channel} is not served from {', '.join(out)}"


def _chosen(found: Seen, answer: r.ReserveAnswered) -> Iterable[str]:
    """Why these locations, as far as lines are covered whole."""
    covers = [x.cover for x in found.looks if x.cover]
    if not covers:
        return
    if len(found.allowed) == 1:
        yield f"{found.allowed[0][1]} is the only location it may be served from"
        return
    used = {x.location for x in answer.parts}
    chosen = fewest(covers)
    names = [location for bit, location in found.allowed if chosen >> bit & 1 and location in used]
    if chosen.bit_count() == 1:
        lines = "every line that one location covers"
        if len(covers) == len(found.looks):
            lines = "every line" if len(covers) > 1 else "it"
        yield f"{', '.join(names)} covers {lines} whole, the best ranked of those that do"
    elif names:
        yield f"no single location covers every line whole: {', '.join(names)} are the fewest that do, by rank"


def _of_line(found: Seen, one: Look, answer: r.ReserveAnswered) -> Iterable[str]:
    sku, wanted = one.line.sku, one.line.quantity
    parts = [x for x in answer.parts if x.sku == sku]
    stock = [x for x in parts if not x.backordered]
    if len(stock) > 1:
        split = ", ".join(f"{x.quantity} at {x.location}" for x in stock)
        yield f"{sku}: no location has all {wanted}, so it is split, the largest piece first: {split}"
    for part in parts:
        if part.backordered:
            yield _promised(one, part)
    for refused in answer.refused:
        if refused.sku == sku:
            yield f"{sku} {_refused(found, one, refused)}"


def _promised(one: Look, part: r.Part) -> str:
    row = next(x.row for x in one.offers if x.location == part.location)
    due = part.due and (
        f"due {part.due}, as its policy says" if row.policy.backorder_due else f"due {part.due}, by confirmed purchases"
    )
    return (
        f"{part.sku}: {part.quantity} of {one.line.quantity} promised without stock at {part.location}, the first "
        f"that allows it ({row.backordered} waited before, at most {row.policy.backorder_limit}); "
        f"{due or 'no day is known'}"
    )


def _refused(found: Seen, one: Look, refused: r.Refusal) -> str:
    """The check that failed, with what it looked at."""
    command, floor = found.command, found.floor
    reason = refused.reason
    if reason in ("insufficient", "contended", "shelf_life"):
        text = {
            "insufficient": f"is insufficient: {one.line.quantity} asked, the channel may take {one.takes}",
            "contended": f"is contended: {one.line.quantity} asked, {one.takes} free now, {one.reach} if undecided "
            "orders gave back what they claim",
            "shelf_life": f"does not last: the channel may take {one.takes}, but of lots best before {floor} or later "
            f"only {one.fits} are not promised to others",
        }[reason]
        if reason == "insufficient" and one.fits < one.takes:
            text += f", {one.fits} of them from lots best before {floor} or later that are not promised to others"
        if command.policy == "backorder" and one.offers:
            limits = ", ".join(
                f"{x.location} {max(x.row.policy.backorder_limit - x.row.backordered, 0)}" for x in one.offers
            )
            text += f"; no location may promise the rest without stock (it may still: {limits})"
        elif not one.offers:
            text += "; none of the locations asked ever had it"
        return text
    closed = found.rules is not None and found.rules.closed
    return {
        "unknown_sku": "is unknown: nobody defined or received it",
        "discontinued": "is discontinued",
        "malformed_quantity": f"cannot be counted: {one.line.quantity} units",
        "too_old": "was asked for too long ago to be answered",
        "channel_not_allowed": f"may not be sold by channel {command.channel}"
        + (", which takes no orders" if closed else ""),
        "location_not_allowed": f"has no location from which channel {command.channel} is served",
        "released": "was given back before it was asked for",
    }.get(reason, f"is refused: {reason}")
