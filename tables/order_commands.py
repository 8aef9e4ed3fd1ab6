"""What an order's entries say to stock: commands, and facts of its units. The same entry, the same words.

Pure; reads the order's row, and nothing of it that changes after the entry was made. Does not belong here: decisions
for everybody (`order_speech`), what stock makes of it.
"""

from __future__ import annotations

from collections.abc import Iterable

from tables import records as r
from tables.codec import instant
from tables.murmur2 import partition_of_sku
from tables.outcome import WAREHOUSE, Send
from tables.rows import Entry, OrderRow, PartitionRow


def ask(row: OrderRow, entry: Entry, number: int, log: PartitionRow) -> list[Send]:
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


def command(kind: type[r.Hold] | type[r.Allocate] | type[r.Release], row: OrderRow, entry: Entry) -> list[Send]:
    return [
        Send(WAREHOUSE, partition, None, kind(
            id=f"{row.order_id}:{entry.attempt}:{partition}", time=instant(entry.ms), order_id=row.order_id,
            attempt=entry.attempt,
        ))
        for partition in entry.partitions
    ]  # fmt: skip


def of_lines(
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


def give_back(row: OrderRow, entry: Entry, number: int, log: PartitionRow) -> list[Send]:
    return command(r.Release, row, entry)


def hold(row: OrderRow, entry: Entry, number: int, log: PartitionRow) -> list[Send]:
    return command(r.Hold, row, entry)


def trim(row: OrderRow, entry: Entry, number: int, log: PartitionRow) -> list[Send]:
    return of_lines(r.Release, row, entry, number, log)


def back(row: OrderRow, entry: Entry, number: int, log: PartitionRow) -> list[Send]:
    return of_lines(r.Backorder, row, entry, number, log)


def move(row: OrderRow, entry: Entry, number: int, log: PartitionRow) -> list[Send]:
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


# -- facts to stock ----------------------------------------------------------------------------------------------------


def _facts(log: PartitionRow, facts: list[r.Picked] | list[r.Shipped] | list[r.Returned]) -> list[Send]:
    return [Send(WAREHOUSE, partition_of_sku(x.sku, log.partitions), None, x) for x in facts]


def pick(row: OrderRow, entry: Entry, number: int, log: PartitionRow) -> list[Send]:
    return _facts(log, [
        r.Picked(
            id=f"{row.order_id}:pick:{number}:{n}", time=instant(entry.ms), sku=x.sku, location=x.location,
            quantity=x.quantity, order_id=row.order_id, attempt=x.attempt, short=x.short, lot=x.lot or None,
        )
        for n, x in enumerate(entry.lines)
    ])  # fmt: skip


def ship(row: OrderRow, entry: Entry, number: int, log: PartitionRow) -> list[Send]:
    return _facts(log, [
        r.Shipped(
            id=f"{row.order_id}:shipment:{number}:{n}", time=instant(entry.ms), sku=x.sku, location=x.location,
            quantity=x.quantity, lot=x.lot or None, known=x.note or "scanned", order_id=row.order_id,
            attempt=x.attempt, channel=entry.status,
        )
        for n, x in enumerate(entry.lines)
    ])  # fmt: skip


def returned(row: OrderRow, entry: Entry, number: int, log: PartitionRow) -> list[Send]:
    return _facts(log, [
        r.Returned(
            id=f"{row.order_id}:return:{number}:{n}", time=instant(entry.ms), sku=x.sku, location=x.location,
            quantity=x.quantity, disposition=x.note, lot=x.lot or None, order_id=row.order_id,
        )
        for n, x in enumerate(entry.lines)
    ])  # fmt: skip
