"""What an order's entries say: commands to stock, decisions for everybody. The same entry, the same words.

Pure; reads the order's row. Guarantees: the records of one entry are equal however often, and by whomever, they are
made. Does not belong here: whether an order may move (`orders`).
"""

from __future__ import annotations

from tables import records as r
from tables.codec import instant
from tables.murmur2 import partition_of_sku
from tables.outcome import ORDERS, RESERVATIONS, WAREHOUSE, At, Send, version_of
from tables.rows import Entry, OrderRow, PartitionRow

GRANTED = ("confirmed", "picked", "packed", "shipped", "delivered", "returned")


def say(row: OrderRow, at: At, log: PartitionRow) -> list[Send]:
    """Everything the record at this place made the order say."""
    sends: list[Send] = []
    for number, entry in enumerate(row.entries):  # entries are only ever added: the number names it for good
        if entry.at == at.place:
            sends += _SAY[entry.kind](row, entry, number, log)
    return sends


def status(row: OrderRow, log: PartitionRow) -> r.OrderStatus:
    """The order document as it stands."""
    state = row.state
    if state in ("confirmed", "picked", "packed") and any(line.shipped for line in row.lines):
        state = "partially_shipped"
    return r.OrderStatus(
        id=f"{row.order_id}:{row.at}", time=instant(row.entries[-1].ms) if row.entries else "", order_id=row.order_id,
        channel=row.channel, status=state, reason=row.reason, payment=row.payment, checks=list(row.checks),
        lines=[r.StatusLine(x.sku, x.quantity, x.location, x.shipped, x.cancelled) for x in row.lines],
        attempt=row.attempt, occurred_at=row.occurred_at, late=list(row.late),
        decided_at=instant(row.decided_ms) if row.decided_ms else "", version=version_of(log.log_id, row.at),
    )  # fmt: skip


def settled(row: OrderRow | None, record: r.ReservationOverdue, at: At) -> list[Send]:
    """Once more, to a partition that still holds units of the attempt: what was decided about them. Nothing while the
    attempt is undecided."""
    state = row.state if row is not None and row.attempt == record.attempt else ""
    if state in ("pending", "on_hold"):
        return []
    kind = r.Allocate if state in GRANTED else r.Release
    command = kind(
        id=f"{record.order_id}:{record.attempt}:{record.partition}", time=instant(at.ms), order_id=record.order_id,
        attempt=record.attempt,
    )  # fmt: skip
    return [Send(WAREHOUSE, record.partition, None, command)]


def _ask(row: OrderRow, entry: Entry, number: int, log: PartitionRow) -> list[Send]:
    lines: dict[int, list[r.Line]] = {partition: [] for partition in entry.partitions}
    for line in row.lines:
        lines[partition_of_sku(line.sku, log.partitions)].append(r.Line(line.sku, line.quantity))
    locations = list(row.locations)
    return [
        Send(WAREHOUSE, partition, None, r.Reserve(
            id=f"{row.order_id}:{entry.attempt}:{partition}", time=instant(entry.ms), order_id=row.order_id,
            attempt=entry.attempt, order_partition=log.partition, lines=mine, locations=locations,
            asked_ms=entry.state_ms, channel=row.channel, occurred_at=row.occurred_at,
        ))
        for partition, mine in lines.items()
    ]  # fmt: skip


def _command(
    kind: type[r.Hold] | type[r.Allocate] | type[r.Release], row: OrderRow, entry: Entry
) -> list[Send]:
    return [
        Send(WAREHOUSE, partition, None, kind(
            id=f"{row.order_id}:{entry.attempt}:{partition}", time=instant(entry.ms), order_id=row.order_id,
            attempt=entry.attempt,
        ))
        for partition in entry.partitions
    ]  # fmt: skip


def _give_back(row: OrderRow, entry: Entry, number: int, log: PartitionRow) -> list[Send]:
    return _command(r.Release, row, entry)


def _later(row: OrderRow, entry: Entry, number: int, log: PartitionRow) -> list[Send]:
    record = r.AskAgain(
        id=f"{row.order_id}:{entry.attempt}:again:{entry.hops}", time=instant(entry.ms), order_id=row.order_id,
        attempt=entry.attempt, hops=entry.hops,
    )  # fmt: skip
    return [Send(ORDERS, log.partition, None, record)]


def _hold(row: OrderRow, entry: Entry, number: int, log: PartitionRow) -> list[Send]:
    return _command(r.Hold, row, entry)


def _decide(row: OrderRow, entry: Entry, number: int, log: PartitionRow) -> list[Send]:
    if entry.status == "confirmed":
        lines = [r.DecidedLine(x.sku, x.quantity, x.location) for x in row.lines]
    else:
        why = {x.sku: x for x in row.refused}
        lines = [
            r.DecidedLine(x.sku, x.quantity, reason=why[x.sku].reason, available=why[x.sku].available)
            if x.sku in why else r.DecidedLine(x.sku, x.quantity)
            for x in row.lines
        ]  # fmt: skip
    decision = _decision(row, entry, f"{row.order_id}:decision", lines, log)
    return [decision, *_command(r.Allocate if entry.status == "confirmed" else r.Release, row, entry)]


def _cancel(row: OrderRow, entry: Entry, number: int, log: PartitionRow) -> list[Send]:
    """Units given back: told to everybody, and released where they are held."""
    lines = [r.DecidedLine(x.sku, x.quantity, x.location) for x in entry.lines]
    sends = [_decision(row, entry, f"{row.order_id}:cancelled:{number}", lines, log)]
    by_partition: dict[int, list[r.CancelLine]] = {}
    for line in entry.lines:
        mine = by_partition.setdefault(partition_of_sku(line.sku, log.partitions), [])
        mine.append(r.CancelLine(line.sku, line.quantity))
    for partition, mine in by_partition.items():
        record = r.Release(
            id=f"{row.order_id}:{entry.attempt}:{partition}:{number}", time=instant(entry.ms),
            order_id=row.order_id, attempt=entry.attempt, lines=mine,
        )  # fmt: skip
        sends.append(Send(WAREHOUSE, partition, None, record))
    return sends


def _ship(row: OrderRow, entry: Entry, number: int, log: PartitionRow) -> list[Send]:
    sends = []
    for n, line in enumerate(entry.lines):
        record = r.Shipped(
            id=f"{row.order_id}:shipment:{number}:{n}", time=instant(entry.ms), sku=line.sku, location=line.location,
            quantity=line.quantity, lot=line.lot or None, order_id=row.order_id, attempt=entry.attempt,
        )  # fmt: skip
        sends.append(Send(WAREHOUSE, partition_of_sku(line.sku, log.partitions), None, record))
    return sends


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
    "ship": _ship,
}  # fmt: skip
