"""What an order's entries say: commands and facts to stock, decisions for everybody. The same entry, the same words.

Pure; reads the order's row. Guarantees: the records of one entry are equal however often, and by whomever, they are
made, so they lean on nothing of the row that changes later. Does not belong here: whether an order may move (`orders`),
the order's document (`order_document`).
"""

from __future__ import annotations

from collections.abc import Iterable

from tables import records as r
from tables.codec import instant
from tables.murmur2 import partition_of_sku
from tables.order_document import status
from tables.order_states import OWED
from tables.outcome import ALERTS, ORDERS, RESERVATIONS, WAREHOUSE, At, Send, version_of
from tables.rows import Entry, OrderRow, PartitionRow

__all__ = ["say", "settled", "status"]


def say(row: OrderRow, at: At, log: PartitionRow) -> list[Send]:
    """Everything the record at this place made the order say."""
    sends: list[Send] = []
    for number, entry in enumerate(row.entries):  # entries are only ever added: the number names it for good
        if entry.at == at.place:
            sends += _SAY[entry.kind](row, entry, number, log)
    if row.alerts:
        sends += [_alert(row, kind, at, log) for place, kind in row.alerts if place == at.place]
    return sends


def _alert(row: OrderRow, kind: str, at: At, log: PartitionRow) -> Send:
    """Its id is the order's own: partitions of the two logs have the same numbers."""
    sku = row.lines[0].sku if row.lines else ""
    record = r.Alert(
        id=f"{row.order_id}:{kind}", time=instant(at.ms), sku=sku, location="", kind=kind, available=0, shortage=0,
        reorder_point=0, version=version_of(log.log_id, at.place), order_id=row.order_id,
        units=sum(line.quantity for line in row.lines),
    )  # fmt: skip
    return Send(ALERTS, None, sku, record)


def settled(row: OrderRow | None, record: r.ReservationOverdue, at: At, log: PartitionRow) -> list[Send]:
    """Once more, to a partition that still holds units of the attempt: what was decided about them. Nothing while the
    attempt is undecided."""
    owed = False
    if row is not None:
        undecided = row.state in ("pending", "on_hold") and row.attempt == record.attempt
        if undecided or (row.edit is not None and row.edit.attempt == record.attempt):
            return []
        owed = row.state in OWED and any(
            x.open and x.attempt == record.attempt and partition_of_sku(x.sku, log.partitions) == record.partition
            for x in row.lines
        )
    kind = r.Allocate if owed else r.Release
    command = kind(
        id=f"{record.order_id}:{record.attempt}:{record.partition}", time=instant(at.ms), order_id=record.order_id,
        attempt=record.attempt,
    )  # fmt: skip
    return [Send(WAREHOUSE, record.partition, None, command)]


# -- commands to stock -------------------------------------------------------------------------------------------------


def _ask(row: OrderRow, entry: Entry, number: int, log: PartitionRow) -> list[Send]:
    lines: dict[int, list[r.Line]] = {partition: [] for partition in entry.partitions}
    for sku, quantity in _asked(row, entry):
        lines[partition_of_sku(sku, log.partitions)].append(r.Line(sku, quantity))
    locations = list(row.locations)
    edit = entry.status == "edit"
    return [
        Send(WAREHOUSE, partition, None, r.Reserve(
            id=f"{row.order_id}:{entry.attempt}:{partition}", time=instant(entry.ms), order_id=row.order_id,
            attempt=entry.attempt, order_partition=log.partition, lines=mine, locations=locations,
            asked_ms=entry.state_ms, channel=row.channel, policy="all_or_nothing" if edit else row.policy,
            demand=edit or entry.attempt == 1, occurred_at=row.occurred_at,
        ))
        for partition, mine in lines.items()
    ]  # fmt: skip


def _asked(row: OrderRow, entry: Entry) -> Iterable[tuple[str, int]]:
    """What the entry asked for: what it names, or else the order as it was placed, whatever parts it has by now."""
    if entry.lines or (row.awaited == entry.partitions and row.attempt == entry.attempt):  # nobody answered yet
        return [(x.sku, x.quantity) for x in entry.lines or row.lines]
    placed = row.attempt  # the attempt that was decided: lines of later ones are edits'
    for told in row.entries:
        if told.kind == "decide":
            placed = told.attempt
    summed: dict[str, int] = {}
    for line in row.lines:
        if line.attempt <= placed:
            summed[line.sku] = summed.get(line.sku, 0) + line.quantity
    return summed.items()


def _command(kind: type[r.Hold] | type[r.Allocate] | type[r.Release], row: OrderRow, entry: Entry) -> list[Send]:
    return [
        Send(WAREHOUSE, partition, None, kind(
            id=f"{row.order_id}:{entry.attempt}:{partition}", time=instant(entry.ms), order_id=row.order_id,
            attempt=entry.attempt,
        ))
        for partition in entry.partitions
    ]  # fmt: skip


def _of_lines(
    kind: type[r.Release] | type[r.Backorder], row: OrderRow, entry: Entry, number: int, log: PartitionRow
) -> list[Send]:
    """The entry's lines to the partitions and attempts that hold them."""
    mine: dict[tuple[int, int], list[r.ReleaseLine]] = {}
    for line in entry.lines:
        key = partition_of_sku(line.sku, log.partitions), line.attempt
        mine.setdefault(key, []).append(r.ReleaseLine(line.sku, line.quantity, line.location))
    return [
        Send(WAREHOUSE, partition, None, kind(
            id=f"{row.order_id}:{attempt}:{partition}:{number}", time=instant(entry.ms), order_id=row.order_id,
            attempt=attempt, lines=lines,
        ))
        for (partition, attempt), lines in mine.items()
    ]  # fmt: skip


def _give_back(row: OrderRow, entry: Entry, number: int, log: PartitionRow) -> list[Send]:
    return _command(r.Release, row, entry)


def _hold(row: OrderRow, entry: Entry, number: int, log: PartitionRow) -> list[Send]:
    return _command(r.Hold, row, entry)


def _trim(row: OrderRow, entry: Entry, number: int, log: PartitionRow) -> list[Send]:
    return _of_lines(r.Release, row, entry, number, log)


def _back(row: OrderRow, entry: Entry, number: int, log: PartitionRow) -> list[Send]:
    return _of_lines(r.Backorder, row, entry, number, log)


def _move(row: OrderRow, entry: Entry, number: int, log: PartitionRow) -> list[Send]:
    lines: dict[int, dict[str, str]] = {partition: {} for partition in entry.partitions}
    for line in entry.lines:
        lines[partition_of_sku(line.sku, log.partitions)][line.sku] = line.location
    return [
        Send(WAREHOUSE, partition, None, r.Move(
            id=f"{row.order_id}:{entry.attempt}:{partition}", time=instant(entry.ms), order_id=row.order_id,
            attempt=entry.attempt, order_partition=log.partition,
            lines=[r.MoveLine(sku, location) for sku, location in mine.items()],
        ))
        for partition, mine in lines.items()
    ]  # fmt: skip


def _later(row: OrderRow, entry: Entry, number: int, log: PartitionRow) -> list[Send]:
    record = r.AskAgain(
        id=f"{row.order_id}:{entry.attempt}:again:{entry.hops}", time=instant(entry.ms), order_id=row.order_id,
        attempt=entry.attempt, hops=entry.hops,
    )  # fmt: skip
    return [Send(ORDERS, log.partition, None, record)]


# -- facts to stock ----------------------------------------------------------------------------------------------------


def _facts(entry: Entry, log: PartitionRow, facts: list[r.Picked] | list[r.Shipped] | list[r.Returned]) -> list[Send]:
    return [Send(WAREHOUSE, partition_of_sku(x.sku, log.partitions), None, x) for x in facts]


def _pick(row: OrderRow, entry: Entry, number: int, log: PartitionRow) -> list[Send]:
    return _facts(entry, log, [
        r.Picked(
            id=f"{row.order_id}:pick:{number}:{n}", time=instant(entry.ms), sku=x.sku, location=x.location,
            quantity=x.quantity, order_id=row.order_id, attempt=x.attempt, short=x.short, lot=x.lot or None,
        )
        for n, x in enumerate(entry.lines)
    ])  # fmt: skip


def _ship(row: OrderRow, entry: Entry, number: int, log: PartitionRow) -> list[Send]:
    return _facts(entry, log, [
        r.Shipped(
            id=f"{row.order_id}:shipment:{number}:{n}", time=instant(entry.ms), sku=x.sku, location=x.location,
            quantity=x.quantity, lot=x.lot or None, known=x.note or "scanned", order_id=row.order_id,
            attempt=x.attempt, channel=entry.status,
        )
        for n, x in enumerate(entry.lines)
    ])  # fmt: skip


def _return(row: OrderRow, entry: Entry, number: int, log: PartitionRow) -> list[Send]:
    return _facts(entry, log, [
        r.Returned(
            id=f"{row.order_id}:return:{number}:{n}", time=instant(entry.ms), sku=x.sku, location=x.location,
            quantity=x.quantity, disposition=x.note, lot=x.lot or None, order_id=row.order_id,
        )
        for n, x in enumerate(entry.lines)
    ])  # fmt: skip


# -- decisions ---------------------------------------------------------------------------------------------------------


def _decide(row: OrderRow, entry: Entry, number: int, log: PartitionRow) -> list[Send]:
    confirmed = entry.status == "confirmed"
    if confirmed and not entry.lines:
        lines = [r.DecidedLine(x.sku, x.quantity, x.location) for x in row.lines if x.attempt <= entry.attempt]
    else:
        why = {x.sku: x for x in row.refused}
        told = [(x.sku, x.quantity, x.location, x.back) for x in entry.lines if confirmed]
        told = told or [(x.sku, x.quantity, "", 0) for x in row.lines]
        lines = [
            r.DecidedLine(sku, quantity, reason=why[sku].reason, available=why[sku].available)
            if sku in why and not location else r.DecidedLine(sku, quantity, location, backordered=back)
            for sku, quantity, location, back in told
        ]  # fmt: skip
    decision = _decision(row, entry, f"{row.order_id}:decision", lines, log)
    return [decision, *_command(r.Allocate if confirmed else r.Release, row, entry)]


def _cancel(row: OrderRow, entry: Entry, number: int, log: PartitionRow) -> list[Send]:
    """Units given back: told to everybody, and released where they are held."""
    lines = [r.DecidedLine(x.sku, x.quantity, x.location) for x in entry.lines]
    decision = _decision(row, entry, f"{row.order_id}:cancelled:{number}", lines, log)
    return [decision, *_of_lines(r.Release, row, entry, number, log)]


def _edit(row: OrderRow, entry: Entry, number: int, log: PartitionRow) -> list[Send]:
    """The order as it is now: told to everybody, and what was added is promoted."""
    lines = [r.DecidedLine(x.sku, x.quantity, x.location, backordered=x.back) for x in entry.lines]
    decision = _decision(row, entry, f"{row.order_id}:edited:{number}", lines, log)
    return [decision, *_command(r.Allocate, row, entry)]


def _decision(row: OrderRow, entry: Entry, decision_id: str, lines: list[r.DecidedLine], log: PartitionRow) -> Send:
    _, offset, index = version_of(log.log_id, entry.at)
    record = r.OrderDecided(
        id=decision_id, time=instant(entry.ms), order_id=row.order_id, channel=row.channel, status=entry.status,
        reason=entry.reason, lines=lines, occurred_at=row.occurred_at, decided_at=instant(entry.ms),
        attempt=entry.attempt, partition=log.partition, offset=offset, index=index,
    )  # fmt: skip
    return Send(RESERVATIONS, None, row.order_id, record)


_SAY = {
    "ask": _ask, "give_back": _give_back, "later": _later, "hold": _hold, "decide": _decide, "cancel": _cancel,
    "ship": _ship, "move": _move, "pick": _pick, "trim": _trim, "edit": _edit, "back": _back, "return": _return,
}  # fmt: skip
