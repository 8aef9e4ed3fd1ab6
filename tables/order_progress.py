"""How far an order is: each location does its part, and the order is where the least advanced of them is.

Pure functions on the order's row. A location is written down once something happened there; until then it is confirmed.
Does not belong here: what happened (`order_fulfilment`), what was cancelled (`order_cancels`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from msgspec.structs import replace

from tables.order_states import OWED, TRANSITIONS, add, move
from tables.outcome import At
from tables.rows import Entry, EntryLine, Fulfilment, OrderLine, OrderRow

STEPS = ("confirmed", "picked", "packed")  # of a location that holds units for the order
SENT = ("shipped", "delivered")
_EVENTS = {"picked": "pick", "packed": "pack", "confirmed": "back", "shipped": "ship", "cancelled": "cancel"}


def owed_lines(row: OrderRow) -> Iterator[tuple[int, OrderLine]]:
    """(number, line) of the order's lines, without those that an undecided edit asked for."""
    if row.edit is None:
        return iter(enumerate(row.lines))
    attempt = row.edit.attempt
    return iter([(n, x) for n, x in enumerate(row.lines) if x.attempt != attempt])


def held(line: OrderLine) -> int:
    """Units that lie there for the order."""
    return line.open - line.back


def held_at(row: OrderRow) -> dict[str, int]:
    """Units per location that holds any, in the order of the lines."""
    units: dict[str, int] = {}
    for _, line in owed_lines(row):
        if held(line) > 0:
            units[line.location] = units.get(line.location, 0) + held(line)
    return units


def in_hands(row: OrderRow) -> Counter[tuple[str, str]]:
    """(SKU, location) -> units that were picked there and did not leave since. What leaves without a pick takes none
    from a later pick; a final parcel leaves nothing in hands of what waits from then on."""
    return Counter({place: sum(lots.values()) for place, lots in lots_in_hands(row).items()})


def lots_in_hands(row: OrderRow) -> dict[tuple[str, str], dict[str, int]]:
    """The units of `in_hands` by their lots ("": the pick named none), those that were picked last in front: who picks
    again, from another lot, has put back what was there."""
    hands: dict[tuple[str, str], dict[str, int]] = {}
    for entry in row.entries:
        for told in entry.lines:
            place = told.sku, told.location
            if entry.kind == "pick":
                lots = hands.get(place, {})
                hands[place] = {told.lot: lots.pop(told.lot, 0) + told.quantity} | lots
            elif entry.kind == "ship" and told.attempt:  # 0: no unit of the order
                take_lots(hands.get(place, {}), told.quantity, told.lot)
            elif entry.kind == "back":
                hands.pop(place, None)
    return hands


def not_found(row: OrderRow) -> Counter[tuple[str, str]]:
    """(SKU, location) -> units held there that a pick looked for in vain: they are off the books, and in no parcel.

    Those that a later pick found are in hands. Once all that was in hands left, nothing is known of the rest: who says
    then that everything left is believed."""
    hands: Counter[tuple[str, str]] = Counter()
    short: Counter[tuple[str, str]] = Counter()
    for entry in row.entries:
        for told in entry.lines:
            place = told.sku, told.location
            if entry.kind == "pick":
                hands[place] += told.quantity
                short[place] += told.short
            elif entry.kind == "ship" and told.attempt:  # 0: no unit of the order
                hands[place] = max(hands[place] - told.quantity, 0)
            elif entry.kind == "back":
                hands[place] = 0
            if not hands[place] and entry.kind in ("ship", "back"):
                short[place] = 0
    for _, line in owed_lines(row):
        hands[line.sku, line.location] -= held(line)
    return Counter({place: n for place, units in short.items() if (n := min(units, -hands[place])) > 0})


def take_lots(lots: dict[str, int], units: int, named: str | None) -> list[tuple[str, int]]:
    """(lot, units) that leave `lots`: the named lot first, then the others in their order, at last those without a
    name."""
    taken: list[tuple[str, int]] = []
    for lot in sorted(lots, key=lambda lot: (lot != named or not lot, not lot)):
        gone = min(lots[lot], units)
        if gone:
            lots[lot] -= gone
            units -= gone
            taken.append((lot, gone))
    return taken


def at_location(row: OrderRow, location: str) -> Fulfilment:
    """What this location has done so far."""
    known = next((x for x in row.fulfilments if x.location == location), None)
    return known or Fulfilment(location, "confirmed", (), ())


def with_fulfilment(row: OrderRow, done: Fulfilment) -> OrderRow:
    """`row` with this in place of what was known of its location."""
    if any(x.location == done.location for x in row.fulfilments):
        after = tuple(done if x.location == done.location else x for x in row.fulfilments)
    else:
        after = (*row.fulfilments, done)
    return replace(row, fulfilments=after)


def has_parcel(row: OrderRow, tracking: str) -> bool:
    """Whether a parcel of this number left."""
    return any([number == tracking for x in row.fulfilments for number, _ in x.tracking])


def left_from(row: OrderRow) -> set[str]:
    """Locations from which units of the order were shipped; a part may have been shipped from another than its own."""
    return {line.location for entry in row.entries if entry.kind == "ship" for line in entry.lines if line.attempt}


def advance(row: OrderRow) -> OrderRow:
    """`row` in the state that its lines and locations give it."""
    if row.state not in (*OWED, "shipped"):
        return row
    open_at: dict[str, int] = {}  # location -> the least advanced step of what is open there
    shipped = False
    steps = {x.location: x.state for x in row.fulfilments}
    for _, line in owed_lines(row):
        shipped = shipped or line.shipped > 0
        if line.open:
            state = steps.get(line.location, "confirmed")
            step = 0 if line.back or state in SENT else STEPS.index(state)
            open_at[line.location] = min(step, open_at.get(line.location, step))
    if row.fulfilments:
        holding, left = held_at(row), left_from(row)
        row = replace(row, fulfilments=tuple(
            _sent(x) if x.location in left and x.location not in holding else x for x in row.fulfilments
        ))  # fmt: skip
    if open_at:
        return _towards(row, STEPS[min(open_at.values())])
    if not shipped:
        return _towards(row, "cancelled")
    row = _towards(row, "shipped")
    if all(line.returned == line.shipped for _, line in owed_lines(row)):  # it came back before the rest was given up
        return move(row, "return")
    sent = [x for x in row.fulfilments if x.state in SENT]
    return move(row, "deliver") if sent and all(x.state == "delivered" for x in sent) else row


def closed_out(before: OrderRow, row: OrderRow, at: At) -> OrderRow:
    """`row`, and a release of whatever stock still holds of a SKU of which this record closed an attempt's last unit.

    Of orders with backorders only: units may leave before their stock came, or while the word that it came is on its
    way, and then the two sides do not count the same parts. Stock holds too much meanwhile, never too little.
    """
    still = _open(row)
    closed = [key for key in _open(before) if key not in still]
    if not closed:
        return row
    units = dict.fromkeys(closed, 0)
    for line in row.lines:
        if (line.attempt, line.sku) in units:
            units[line.attempt, line.sku] += line.quantity
    lines = tuple(EntryLine(sku, n, "", attempt=attempt) for (attempt, sku), n in units.items())
    return add(row, Entry(at.place, "trim", at.ms, row.attempt, lines=lines))


def _open(row: OrderRow) -> dict[tuple[int, str], None]:
    """(attempt, SKU) with units that are owed, in the order of the lines."""
    if row.state not in OWED:
        return {}
    return {(x.attempt, x.sku): None for _, x in owed_lines(row) if x.open and x.attempt}


def _sent(done: Fulfilment) -> Fulfilment:
    """Nothing is left there: it is delivered once the carrier delivered every parcel."""
    delivered = done.tracking and all(status == "delivered" for _, status in done.tracking)
    return replace(done, state="delivered" if delivered or done.state == "delivered" else "shipped")


def _towards(row: OrderRow, state: str) -> OrderRow:
    if row.state == state or (row.state, _EVENTS[state]) not in TRANSITIONS:
        return row
    return move(row, _EVENTS[state])
