"""What locations do for an order: pick, pack, ship, deliver; what is missing at the end; stock that came for it.

Facts are never refused: what the order does not know goes to stock all the same. Does not belong here: what comes back
(`order_returns`).
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from proof.audit.intake import LogState
from proof.audit.order import OWED, Change, Decision, Line, Order, Told, cancel, settle, spoke
from proof.audit.order_edits import end_edit, next_edit
from tables import records as r

_IS_SKU = re.compile(r"[A-Za-z0-9._:-]{1,64}").fullmatch
STAY = ("delivered", "return_to_sender")  # the last word on a parcel


def _cannot_be(units: int) -> bool:
    """Whether no record can say so many units (a kit's parts, added up)."""
    return units > r.QUANTITY_MAX


def _from_nowhere(order: Order, sku: str, location: str | None) -> bool:
    """Whether nothing tells where units of this SKU were."""
    return not (location or any(x.location for x in order.of(sku)) or order.locations)


def picked(order: Order, record: r.OrderPicked, place: int, ms: int, log: LogState) -> bool | str:
    named = order.apart(record.lines)
    if any(_from_nowhere(order, sku, record.location) for sku, _, _ in named):
        return "unknown_location"
    if any(_cannot_be(max(units, _short(order, sku, said))) for sku, units, said in named):
        return "too_many_units"
    if order.state not in OWED:
        for sku, units, said in named:
            short = _short(order, sku, said)
            order.said["pick", sku] += units + short
            order.boxed[sku, _somewhere(order, sku, record.location)] += units
            order.lacking[sku, _somewhere(order, sku, record.location)] += short
        return True
    touched: list[str] = []
    if not record.lines:
        boxed = Counter(order.boxed)
        for line in _held(order, record.location):
            known = order.fulfilments.get(line.location)
            if known is None or known.state == "confirmed":
                key = line.sku, line.location
                again = min(boxed[key], line.allocated)  # picked before, and in a box there
                boxed[key] -= again
                order.said["pick", line.sku] += line.allocated - again
                order.boxed[key] += line.allocated - again
                touched.append(line.location)
    for sku, units, said in named:
        wanted = units + _short(order, sku, said)
        order.said["pick", sku] += wanted
        _spread(order, sku, units, wanted - units, record.location)
        mine = [x for x in _held(order, record.location) if x.sku == sku]
        for line in mine:
            if wanted > 0:
                touched.append(line.location)
                wanted -= line.allocated
        if not mine:  # not the order's, or not there: somebody worked for it all the same
            touched.append(_somewhere(order, sku, record.location))
    touched = [x for x in touched if order.held_at(x)]
    for location in touched:
        fulfilment = order.fulfilment(location)
        if fulfilment.state == "confirmed":
            fulfilment.state = "picked"
    _began(order, bool(touched), place, ms, log)
    settle(order)
    return True


def _spread(order: Order, sku: str, units: int, short: int, location: str | None) -> None:
    """Where units of a pick that names them were: as far as they are held, then wherever the last of them were."""
    last = ""
    for line in order.lines:
        if line.sku == sku and line.location and location in (None, line.location):
            own = min(line.allocated, units)
            gone = min(line.allocated - own, short)
            units, short = units - own, short - gone
            order.boxed[sku, line.location] += own
            order.lacking[sku, line.location] += gone
            last = line.location if own or gone else last
    order.boxed[sku, last or _somewhere(order, sku, location)] += units
    order.lacking[sku, last or _somewhere(order, sku, location)] += short


def _somewhere(order: Order, sku: str, location: str | None) -> str:
    own = [x.location for x in order.lines if x.sku == sku and location in (None, x.location)]
    return location or (own or [""])[0] or (order.locations or [""])[0]


def _short(order: Order, sku: str, said: Any) -> int:
    kit = order.kits.get(said.sku)
    return said.short if kit is None else said.short * dict(kit[1]).get(sku, 0)


def _began(order: Order, worked: bool, place: int, ms: int, log: LogState) -> None:
    """Somebody began to work on the order: an edit that waits for stock comes too late."""
    if worked and order.edit is not None:
        end_edit(order)
        next_edit(order, place, ms, log)


def packed(order: Order, record: r.OrderPacked, place: int, ms: int, log: LogState) -> bool:
    if order.state not in OWED:
        return True
    locations = dict.fromkeys(x.location for x in _held(order, record.location))
    for location in locations:
        fulfilment = order.fulfilment(location)
        if fulfilment.state != "packed" or record.cartons:
            fulfilment.state = "packed"
            fulfilment.cartons += [x for x in record.cartons if x not in fulfilment.cartons]
    _began(order, bool(locations), place, ms, log)
    settle(order)
    return True


# -- shipped -----------------------------------------------------------------------------------------------------------


def shipped(order: Order, record: r.OrderShipped, place: int, ms: int, log: LogState) -> bool | str:
    named = [(sku, units, said.location or record.location) for sku, units, said in order.apart(record.lines)]
    if any(_from_nowhere(order, sku, location) for sku, _, location in named):
        return "unknown_location"
    if any(_cannot_be(units) for _, units, _ in named):
        return "too_many_units"
    owed = order.state in OWED
    left_from: list[str] = []
    if record.lines:
        for sku, units, location in named:
            order.said["shipment", sku] += units
            if owed:
                left_from += _leave(order, sku, units, location)
    else:
        # An order that was refused may name what no stock can hear of: such a SKU, or so many.
        all_of_it = [x for x in order.lines if 0 < x.allocated <= r.QUANTITY_MAX and _IS_SKU(x.sku)]
        if owed:  # nothing is held elsewhere; of an order that holds nothing all left from there
            all_of_it = [x for x in all_of_it if record.location in (None, x.location)]
        if not (record.location or order.locations or all(x.location for x in all_of_it)):
            return "unknown_location"
        left_behind = order.not_found() if owed and log.logic >= 6 else Counter()
        there = Counter({key: -units for key, units in left_behind.items()})
        for line in all_of_it:
            there[line.sku, line.location] += line.allocated
        for line in all_of_it:
            units = max(0, min(line.allocated, there[line.sku, line.location]))
            there[line.sku, line.location] -= units
            order.said["shipment", line.sku] += units
            if owed and units:
                left_from.append(line.location)
                order.unbox(line.sku, line.location, units)
                line.shipped += units
    if not owed:
        return True
    if not left_from and not named and not record.final:
        return True
    for location in left_from:
        if record.tracking:
            order.fulfilment(location).tracking.setdefault(record.tracking, "pre_transit")
        order.fulfilment(location).left = True
    if record.final:
        _give_up(order, record.location, place, ms)
    settle(order)
    # A last parcel with nothing of the order is no work on it, unless it leaves nothing that could be edited.
    _began(order, worked=bool(left_from) or order.state == "cancelled", place=place, ms=ms, log=log)
    return True


def _leave(order: Order, sku: str, units: int, location: str | None) -> list[str]:
    """Units leave the order's lines, those held before those that wait; returns where they were said to leave from."""
    lines = order.of(sku, first=location or "")
    left_from = []
    for waiting in (False, True):
        for line in lines:
            count = min(units, line.back if waiting else line.allocated)
            if count > 0:
                line.shipped += count
                units -= count
                left_from.append(location or line.location)
                order.unbox(sku, location or line.location, count)
                if waiting:
                    line.back -= count
                    order.ahead[sku] += count
    if left_from:
        order.unbox(sku, list(dict.fromkeys(left_from))[-1], units)  # more than it owed
    if not left_from and lines:
        left_from.append(location or lines[0].location or order.locations[0])
    return left_from


def _give_up(order: Order, location: str | None, place: int, ms: int) -> None:
    """Nothing more comes from there: it waits for stock, or is cancelled, as the order's policy says."""
    if order.policy == "backorder":
        for line in _held(order, location):
            order.speaking.append(Change(line.sku, line.location, line.attempt, line.allocated))
            line.back += line.allocated
            line.due = ""
            order.unbox(line.sku, line.location, order.boxed[line.sku, line.location])  # it did not go with it
        return spoke(order)
    given: list[Told] = []
    for line in [x for x in order.lines if x.open > 0 and location in (None, x.location)]:
        cancel(order, [line], line.open, given)
    spoke(order)
    if given:
        order.later.append(Decision("cancelled", "short", place, ms, order.attempt, tuple(given)))


# -- afterwards --------------------------------------------------------------------------------------------------------


def filled(order: Order, record: r.BackorderFilled, place: int, ms: int, log: LogState) -> bool | str:
    if order.state == "unplaced":
        return "unknown_order"
    key = record.sku, record.location, record.attempt
    mine = [x for x in order.lines if (x.sku, x.location, x.attempt) == key]
    if not mine or record.place <= max(x.heard for x in mine):
        return True  # a later fill was heard of before
    before = sum(x.back for x in mine)
    waiting = min(_follow(order, record, log), sum(x.open for x in mine))
    most = [min(x.back, x.open) for x in mine]
    for line, was in zip(mine, most, strict=True):
        line.back, line.heard = min(was, waiting), record.place
        waiting -= line.back
    for line in mine:
        more = min(waiting, line.open - line.back)
        line.back += more
        waiting -= more
    known = order.fulfilments.get(record.location)
    if sum(x.back for x in mine) < before and known is not None:
        known.state = "confirmed"  # there is something to pick again
    settle(order)
    return True


def _follow(order: Order, record: r.BackorderFilled, log: LogState) -> int:
    """What waits once stock has read all that it was told about this attempt; it gives back those that wait first."""
    waiting = record.waiting
    told = [[x for x in spoken if x.attempt == record.attempt
             and order.partitions([x.sku], log) == {record.partition}] for spoken in order.spoken]  # fmt: skip
    for changes in [x for x in told if x][record.heard :]:
        for change in changes:
            if change.sku == record.sku and change.location in ("", record.location):
                waiting = max(0, waiting + change.units)
    return waiting


def tracked(order: Order, record: r.TrackingUpdated, place: int, ms: int, log: LogState) -> bool:
    for fulfilment in order.fulfilments.values():
        known = fulfilment.tracking.get(record.tracking)
        if known is None or known in STAY or record.status == "pre_transit":
            continue
        fulfilment.tracking[record.tracking] = record.status
    settle(order)
    return True


def delivered(order: Order, record: r.OrderDelivered, place: int, ms: int, log: LogState) -> bool:
    if order.state not in (*OWED, "shipped"):
        return True  # too late: it was returned already
    for fulfilment in order.fulfilments.values():
        if fulfilment.state == "shipped":
            fulfilment.state = "delivered"
    settle(order)
    return True


def _held(order: Order, location: str | None) -> list[Line]:
    return [x for x in order.lines if x.location and x.allocated > 0 and location in (None, x.location)]
