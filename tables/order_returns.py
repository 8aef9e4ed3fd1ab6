"""What comes back: allowed, received, inspected. Each shipped unit is inspected at most once.

Pure steps on the order's row. Accepted units go to stock with what becomes of them, and with the lots that the order
got where nobody names others; units beyond what was shipped are noted, and stock does not hear of them. Does not belong
here: refunds, the order that replaces this one.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from tables import records as r
from tables.order_progress import take_lots
from tables.order_states import TRANSITIONS, add, in_parts, late, move, noted
from tables.outcome import At
from tables.rows import Entry, EntryLine, OrderRow, PartitionRow, Return

_STAGES = ("authorized", "received", "inspected")


def authorized(row: OrderRow, record: r.ReturnAuthorized, at: At, log: PartitionRow) -> OrderRow:
    return _noted(row, record.return_id, "authorized", _in_parts(row, record))


def received(row: OrderRow, record: r.ReturnReceived, at: At, log: PartitionRow) -> OrderRow:
    return _noted(row, record.return_id, "received", _in_parts(row, record))


def _in_parts(row: OrderRow, record: r.ReturnAuthorized | r.ReturnReceived) -> list[tuple[str, int]]:
    """Units of what was named, kits of the order taken apart."""
    return [part for x in record.lines for part in in_parts(row, x.sku, x.quantity)]


def inspected(row: OrderRow, record: r.ReturnInspected, at: At, log: PartitionRow) -> OrderRow:
    """Units that were shipped and not inspected before, first lines first; with the last of them all is returned."""
    lines = list(row.lines)
    numbers: dict[str, list[int]] = {}
    for n, line in enumerate(lines):
        if line.shipped > line.returned:
            numbers.setdefault(line.sku, []).append(n)
    told: list[EntryLine] = []
    got: dict[str, dict[str, int]] = {}  # SKU -> its lots, as they came back so far

    def came(sku: str, units: int, wanted: r.InspectedLine, promised: str) -> None:
        found = take_lots(got.setdefault(sku, _lots_got(row, sku, log)), units, wanted.lot)
        for lot, of in [(wanted.lot, units)] if wanted.lot else found:
            where = wanted.location or _left_from(row, sku, lot, promised, log)
            told.append(EntryLine(sku, of, where, lot, wanted.disposition))

    for wanted in record.lines:
        for sku, quantity in in_parts(row, wanted.sku, wanted.quantity):
            left = quantity
            for n in numbers.get(sku, ()):
                line = lines[n]
                units = min(line.shipped - line.returned, left)
                if units > 0:
                    left -= units
                    lines[n] = replace(line, returned=line.returned + units)
                    came(sku, units, wanted, line.location)
            units = min(_not_ordered(row, told, sku, log), left)
            if units > 0:
                left -= units
                came(sku, units, wanted, "")
            if left:
                row = noted(row, f"return of {left} {sku} beyond what was shipped")
    if not told:
        return row
    row = add(replace(row, lines=tuple(lines)), Entry(at.place, "return", at.ms, row.attempt, lines=tuple(told)))
    row = _noted(row, record.return_id, "inspected", [(x.sku, x.quantity) for x in told])
    whole = all(x.returned == x.shipped and not x.open for x in lines)
    return move(row, "return") if whole and (row.state, "return") in TRANSITIONS else row


def _not_ordered(row: OrderRow, told: Iterable[EntryLine], sku: str, log: PartitionRow) -> int:
    """Units of a SKU that left with the order's parcels and are not back, once all of its lines are: too many, of
    another SKU, or of an order that was refused. By rules 1 to 4 they could not come back."""
    if log.logic_version < 5:
        return 0
    sent = sum(x.quantity for entry in row.entries if entry.kind == "ship" for x in entry.lines if x.sku == sku)
    back = sum(x.quantity for entry in row.entries if entry.kind == "return" for x in entry.lines if x.sku == sku)
    return sent - back - sum(x.quantity for x in told if x.sku == sku)


def _lots_got(row: OrderRow, sku: str, log: PartitionRow) -> dict[str, int]:
    """Lot -> units of a SKU that the order got and did not give back, last shipped first. "": nobody named it."""
    got: dict[str, int] = {}
    for entry in row.entries:
        for told in entry.lines:
            if told.sku == sku and entry.kind == "ship" and (told.attempt or log.logic_version >= 5):
                got = {told.lot: got.pop(told.lot, 0) + told.quantity} | got
            elif told.sku == sku and entry.kind == "return":
                take_lots(got, told.quantity, told.lot)
    return got


def _left_from(row: OrderRow, sku: str, lot: str, promised: str, log: PartitionRow) -> str:
    """Where units go back to if nobody says so: where they left from; by rules 1 to 4 where they were promised."""
    left = [
        (told.lot, told.location) for entry in row.entries if entry.kind == "ship"
        for told in entry.lines if told.sku == sku
    ]  # fmt: skip
    places = [place for of, place in left if of == lot] or [place for _, place in left]
    return promised if log.logic_version < 5 or not places or promised in places else places[-1]


def returned(row: OrderRow, record: r.OrderReturned, at: At, log: PartitionRow) -> OrderRow:
    """The carrier brought the whole order back."""
    return move(row, "return") if (row.state, "return") in TRANSITIONS else late(row, "return")


def _noted(row: OrderRow, return_id: str, state: str, units: Iterable[tuple[str, int]]) -> OrderRow:
    """The return at this stage: units of the same stage add up, an earlier stage told late changes nothing."""
    known = next((x for x in row.returns if x.return_id == return_id), None)
    if known is not None and _STAGES.index(known.state) > _STAGES.index(state):
        return row
    summed = dict(known.lines) if known is not None and known.state == state else {}
    for sku, quantity in units:
        summed[sku] = summed.get(sku, 0) + quantity
    after = Return(return_id, state, tuple(summed.items()))
    if known is None:
        return replace(row, returns=(*row.returns, after))
    return replace(row, returns=tuple(after if x.return_id == return_id else x for x in row.returns))
