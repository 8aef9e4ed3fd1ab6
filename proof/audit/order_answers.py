"""The answers of stock to an order, until it is decided: parts granted, parts moved together, asked again, or refused.

Each function changes an order by one record; it returns whether the order changed, or why the record is dead. Does not
belong here: facts about the order (`order_facts` and its siblings).
"""

from __future__ import annotations

from collections import Counter

from proof.audit.intake import LogState
from proof.audit.order import GOOD, Line, Order, decide, give_back
from proof.audit.order_edits import edit_answered, end_edit, next_edit
from proof.audit.sourcing import fewest, first_of
from tables import records as r
from tables.murmur2 import murmur2, partition_of_sku

TURN_BITS = 5  # a contended order waits fewer than 2 ** min(attempt, TURN_BITS) turns: which, its id says


def ask(order: Order, log: LogState) -> None:
    order.attempt += 1
    order.awaited = order.partitions(order.wanted, log)
    order.reset_lines()
    order.turns, order.refused, order.could = None, {}, {}
    order.trimmed.clear()
    order.whole = Counter({kit: units for kit, (units, _) in order.kits.items()})


def answered(order: Order, record: r.ReserveAnswered, place: int, ms: int, log: LogState) -> bool | str:
    if order.state == "unplaced":
        return "unknown_order"
    if record.attempt != order.attempt or record.partition not in order.awaited:
        return False
    if order.edit is not None:
        return edit_answered(order, record, place, ms, log)
    mine = [sku for sku in order.wanted if partition_of_sku(sku, log.partitions) == record.partition]
    if order.state == "pending" and not _fits(order, mine, record):
        return "an answer for other units than were asked"
    order.awaited -= {record.partition}
    if order.state != "pending":
        return True
    for refusal in record.refused:
        order.refused[refusal.sku] = refusal
    if record.parts:
        _put_parts(order, mine, record)
    order.could.update(zip(mine, record.could, strict=False))
    if not order.awaited:
        _settle_answers(order, place, ms, log)
    return True


def _fits(order: Order, skus: list[str], record: r.ReserveAnswered) -> bool:
    """Whether parts and refused rests are what was asked; of a command that was refused whole, not every line is."""
    told: dict[str, int] = {}
    for x in (*record.parts, *record.refused):
        told[x.sku] = told.get(x.sku, 0) + x.quantity
    if record.refused and not record.parts:
        return all(sku in skus for sku in told)
    return told == {sku: order.wanted[sku] for sku in skus}


def _put_parts(order: Order, skus: list[str], record: r.ReserveAnswered) -> None:
    """A SKU's parts take the place of its line; what was refused of it stays, at no location."""
    lines: list[Line] = []
    for line in order.lines:
        if line.sku not in skus:
            lines.append(line)
            continue
        for part in record.parts:
            if part.sku == line.sku:
                back = part.quantity if part.backordered else 0
                lines.append(Line(part.sku, part.quantity, part.location, attempt=record.attempt, back=back,
                                  due=part.due))  # fmt: skip
        rest = next((x for x in record.refused if x.sku == line.sku), None)
        if rest is not None:
            lines.append(Line(rest.sku, rest.quantity))
    order.lines = lines


def _settle_answers(order: Order, place: int, ms: int, log: LogState) -> None:
    """All answers are there: decide, move together first, or give back and ask again."""
    some = any(x.location for x in order.lines)
    if order.refused and order.policy == "ship_available" and some:
        _go_on_with_what_there_is(order)
        if any(x.location for x in order.lines):
            order.refused = {x.sku: x.refused for x in order.lines if x.refused} | order.refused
            return grant(order, place, ms, log)
    if order.refused:
        hard = any(x.reason != "contended" for x in order.refused.values())
        if hard or order.attempt >= log.limits.attempts:
            return decide(order, "rejected", _reason(order), place, ms)
        order.turns = murmur2(f"{order.id}:{order.attempt}".encode()) % (1 << min(order.attempt, TURN_BITS))
        return None
    order.moving = _moves(order, log)
    if not order.moving:
        grant(order, place, ms, log)
    return None


def _reason(order: Order) -> str:
    return next((x.reason for x in order.refused.values() if x.reason != "contended"), "contended")


def _go_on_with_what_there_is(order: Order) -> None:
    """What was refused is left out; of kits only whole ones stay, lines of their own first."""
    left: dict[str, int] = {}
    for line in order.lines:
        if line.location:
            left[line.sku] = left.get(line.sku, 0) + line.quantity
    for sku in left:
        left[sku] -= max(0, min(left[sku], order.alone.get(sku, 0)))
    for name, (wanted, parts) in order.kits.items():
        kits = min([wanted, *(left.get(sku, 0) // units for sku, units in parts)])
        order.whole[name] = max(kits, 0)
        for sku, units in parts:
            if kits > 0:
                left[sku] -= kits * units
    for sku in order.wanted:
        _leave_out(order, sku, left.get(sku, 0))
    order.lines = [x for x in order.lines if x.quantity > 0 or x.refused is not None]


def _leave_out(order: Order, sku: str, surplus: int) -> None:
    """One line of a SKU: what stock refused, and what no whole kit needs, the last parts first."""
    rest = next((x for x in order.lines if x.sku == sku and not x.location), None)
    if rest is None:
        if not surplus:
            return
        rest = Line(sku, 0)
        order.lines.append(rest)
    order.trimmed[sku] += surplus
    why = order.refused.get(sku) or r.Refusal(sku, 0, "kit", surplus)
    rest.refused = r.Refusal(sku, why.quantity + surplus, why.reason, why.available)
    rest.quantity = rest.refused.quantity
    for line in reversed([x for x in order.lines if x.sku == sku and x.location]):
        count = min(surplus, line.quantity)
        line.quantity -= count
        surplus -= count


def ask_again(order: Order, record: r.AskAgain, place: int, ms: int, log: LogState) -> bool:
    if order.state != "pending" or order.turns != record.hops or record.attempt != order.attempt + 1:
        return False
    if order.turns:
        order.turns -= 1
    else:
        ask(order, log)
    return True


# -- one location, or the fewest ---------------------------------------------------------------------------------------


def _moves(order: Order, log: LogState) -> frozenset[int]:
    """Partitions that must move lines, so that the order leaves from fewer places; none if it could not."""
    now = {x.location for x in order.lines}
    if len(now) < 2:
        return frozenset()
    target = _targets(order, now)
    return frozenset(
        partition_of_sku(x.sku, log.partitions) for x in order.lines
        if not x.back and x.sku in target and x.location != target[x.sku]
    )  # fmt: skip


def _targets(order: Order, now: set[str]) -> dict[str, str]:
    """SKU -> the location it should be at."""
    ranks = order.locations
    covers = {x.sku: order.could.get(x.sku, 0) for x in order.lines}
    stay = {x.location for x in order.lines if not covers[x.sku]}
    taken = sum(1 << n for n, x in enumerate(ranks) if x in stay)
    chosen = fewest(list(covers.values()), taken)
    target = {sku: ranks[first_of(bits, chosen)] for sku, bits in covers.items() if bits}
    return target if len(chosen) < len(now) else {}


def move_answered(order: Order, record: r.MoveAnswered, place: int, ms: int, log: LogState) -> bool | str:
    if order.state == "unplaced":
        return "unknown_order"
    if record.attempt != order.attempt or record.partition not in order.moving or order.state != "pending":
        return False
    order.moving -= {record.partition}
    if record.parts:
        _put_moved(order, record, log)
    if not order.moving:
        grant(order, place, ms, log)
    return True


def _put_moved(order: Order, record: r.MoveAnswered, log: LogState) -> None:
    moved = [x for x in order.lines if partition_of_sku(x.sku, log.partitions) == record.partition]
    skus = list(dict.fromkeys(x.sku for x in moved))
    lines: list[Line] = []
    done: set[str] = set()
    for line in order.lines:
        if line.sku not in skus:
            lines.append(line)
        elif line.sku not in done:
            done.add(line.sku)
            for part in record.parts:
                if part.sku == line.sku:
                    back = part.quantity if part.backordered else 0
                    lines.append(Line(part.sku, part.quantity, part.location, attempt=record.attempt, back=back,
                                      due=part.due))  # fmt: skip
    order.lines = lines


# -- decided -----------------------------------------------------------------------------------------------------------


def grant(order: Order, place: int, ms: int, log: LogState) -> None:
    """Everything there will be is reserved: confirmed, unless a payment or a check is missing; both were there if a
    parcel left."""
    if order.payment in ("failed", "voided", "refunded"):
        decide(order, "rejected", f"payment_{order.payment}", place, ms)
    elif order.check_failed:
        decide(order, "rejected", "check_failed", place, ms)
    elif (order.payment in GOOD and not order.checks) or any(type(x) is r.OrderShipped for x, _ in order.untimely):
        confirm(order, place, ms, log)
    elif order.state == "pending":
        order.state = "on_hold"
        seconds = log.limits.check_seconds if order.payment in GOOD else order.payment_seconds
        order.deadline = log.deadline(seconds, ms)


def confirm(order: Order, place: int, ms: int, log: LogState) -> None:
    decide(order, "confirmed", "", place, ms)
    waiting, order.waiting = order.waiting, []
    for reason, lines in waiting:
        give_back(order, reason, order.units(lines), place, ms)
        order.fewer_kits(lines)
    next_edit(order, place, ms, log)


def deadline(order: Order, record: r.DeadlineReached, place: int, ms: int, log: LogState) -> bool:
    if order.deadline != record.deadline_ms or order.deadline == 0:
        return False
    if order.state == "unplaced":
        order.deadline = 0
    elif order.state == "pending":
        decide(order, "expired", "no_answer", place, ms)
    elif order.state == "on_hold":
        reason = "check_deadline" if order.payment in GOOD else "payment_deadline"
        decide(order, "expired", reason, place, ms)
    elif order.edit is not None:
        end_edit(order)
        next_edit(order, place, ms, log)
    else:
        return False
    return True
