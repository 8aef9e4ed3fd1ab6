"""From how many places an order is served: what stock granted at several is asked to move to fewer, if fewer would do.

Pure functions on the order's row. Which locations are the fewest is `sourcing`'s; a line that no location covers whole
stays where it is, and what could not move does too. Does not belong here: when an order is decided (`order_answers`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from tables import records as r
from tables.murmur2 import partition_of_sku
from tables.order_states import add
from tables.outcome import At
from tables.rows import Entry, EntryLine, OrderLine, OrderRow, PartitionRow
from tables.sourcing import best, fewest

NO_COMMON_PLACE = "no single location covers every line"


def fewer_shipments(row: OrderRow, at: At, log: PartitionRow) -> OrderRow:
    """Parts at several locations: ask stock to hold them at fewer, if fewer would do; else the reason why not."""
    ranks = {location: n for n, location in reversed(list(enumerate(row.locations)))}
    bits = {cover.sku: cover.bits for cover in row.could}
    now: set[str] = set()
    given = 0
    for line in row.lines:
        now.add(line.location)
        if line.sku not in bits:
            if line.location not in ranks:
                return _as_it_is(row)
            given |= 1 << ranks[line.location]
    chosen = fewest(list(bits.values()), given)
    if chosen.bit_count() >= len(now):
        return _as_it_is(row)
    targets = {sku: row.locations[best(cover, chosen)] for sku, cover in bits.items()}
    wanted = tuple(
        EntryLine(x.sku, x.quantity, targets[x.sku]) for x in row.lines if targets.get(x.sku, x.location) != x.location
    )
    partitions = tuple(sorted({partition_of_sku(x.sku, log.partitions) for x in wanted}))
    row = add(row, Entry(at.place, "move", at.ms, row.attempt, partitions, lines=wanted))
    return replace(row, moving=partitions, could=())


def _as_it_is(row: OrderRow) -> OrderRow:
    return replace(row, sourcing=shipments(row.lines, NO_COMMON_PLACE), could=())


def as_told(lines: tuple[OrderLine, ...], parts: Sequence[r.Part]) -> tuple[OrderLine, ...] | None:
    """Lines with the parts told of their SKUs, each SKU where it was; None if those are other units."""
    told: dict[str, list[r.Part]] = {}
    for part in parts:
        told.setdefault(part.sku, []).append(part)
    units = dict.fromkeys(told, 0)
    after: list[OrderLine] = []
    for line in lines:
        if line.sku not in told:
            after.append(line)
            continue
        if not units[line.sku]:
            after += [_line(x, line.attempt) for x in told[line.sku]]
        units[line.sku] += line.quantity
    same = all(units[sku] == sum(x.quantity for x in mine) for sku, mine in told.items())
    return tuple(after) if same else None


def after_moves(row: OrderRow) -> str:
    """Why these locations, once every move is answered."""
    wanted = next(entry for entry in reversed(row.entries) if entry.kind == "move")
    for move_line in wanted.lines:
        if any(x.sku == move_line.sku and x.location != move_line.location for x in row.lines):
            return shipments(row.lines, f"{move_line.location} could not take {move_line.sku} any more")
    return shipments(row.lines, NO_COMMON_PLACE)


def shipments(lines: Iterable[OrderLine], why: str) -> str:
    """Why these locations, in words."""
    locations = list(dict.fromkeys(x.location for x in lines if x.location))
    if len(locations) == 1:
        return f"one location: {locations[0]}"
    return f"{len(locations)} shipments: {', '.join(locations)}: {why}"


def _line(part: r.Part, attempt: int) -> OrderLine:
    back = part.quantity if part.backordered else 0
    return OrderLine(part.sku, part.quantity, part.location, 0, 0, 0, back, part.due, attempt)
