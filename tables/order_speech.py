"""What an order's entries say: decisions and alerts for everybody, notes to itself, words to stock (`order_commands`).

Pure; reads the order's row. Guarantees: the same entry, the same words: the records of one entry are equal however
often, and by whomever, they are made. Does not belong here: whether an order may move (`orders`), the order's document
(`order_document`).
"""

from __future__ import annotations

from tables import order_commands as commands
from tables import records as r
from tables.codec import instant
from tables.murmur2 import partition_of_sku
from tables.order_states import OWED
from tables.outcome import ALERTS, ORDERS, RESERVATIONS, WAREHOUSE, At, Send, version_of
from tables.rows import Entry, OrderRow, PartitionRow


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
    attempt is undecided; nor where the order has gone on since, as one reads that after a crash: what it said when it
    came first was of another state, and whoever still holds units asks anew."""
    owed = False
    if row is not None:
        if row.at > at.place:
            return []
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


def _nothing(row: OrderRow, entry: Entry, number: int, log: PartitionRow) -> list[Send]:
    """What waits is said by what becomes of it."""
    return []


def _later(row: OrderRow, entry: Entry, number: int, log: PartitionRow) -> list[Send]:
    record = r.AskAgain(
        id=f"{row.order_id}:{entry.attempt}:again:{entry.hops}", time=instant(entry.ms), order_id=row.order_id,
        attempt=entry.attempt, hops=entry.hops,
    )  # fmt: skip
    return [Send(ORDERS, log.partition, None, record)]


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
    return [decision, *commands.command(r.Allocate if confirmed else r.Release, row, entry)]


def _cancel(row: OrderRow, entry: Entry, number: int, log: PartitionRow) -> list[Send]:
    """Units given back: told to everybody, and released where they are held."""
    lines = [r.DecidedLine(x.sku, x.quantity, x.location) for x in entry.lines]
    decision = _decision(row, entry, f"{row.order_id}:cancelled:{number}", lines, log)
    return [decision, *commands.of_lines(r.Release, row, entry, number, log)]


def _edit(row: OrderRow, entry: Entry, number: int, log: PartitionRow) -> list[Send]:
    """The order as it is now: told to everybody, and what was added is promoted."""
    lines = [r.DecidedLine(x.sku, x.quantity, x.location, backordered=x.back) for x in entry.lines]
    decision = _decision(row, entry, f"{row.order_id}:edited:{number}", lines, log)
    return [decision, *commands.command(r.Allocate, row, entry)]


def _decision(row: OrderRow, entry: Entry, decision_id: str, lines: list[r.DecidedLine], log: PartitionRow) -> Send:
    _, offset, index = version_of(log.log_id, entry.at)
    record = r.OrderDecided(
        id=decision_id, time=instant(entry.ms), order_id=row.order_id, channel=row.channel, status=entry.status,
        reason=entry.reason, lines=lines, occurred_at=row.occurred_at, decided_at=instant(entry.ms),
        attempt=entry.attempt, partition=log.partition, offset=offset, index=index,
    )  # fmt: skip
    return Send(RESERVATIONS, None, row.order_id, record)


_SAY = {
    "ask": commands.ask, "give_back": commands.give_back, "later": _later, "hold": commands.hold, "decide": _decide,
    "cancel": _cancel, "ship": commands.ship, "move": commands.move, "pick": commands.pick, "trim": commands.trim,
    "edit": _edit, "back": commands.back, "return": commands.returned, "early": _nothing,
}  # fmt: skip
