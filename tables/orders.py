"""The order: its state machine as one table, and each record of the order log as a pure step on one row.

Reads and gives the order's row; everything it says is derived from the row's entries (`order_speech`), so that a record
delivered again says the same again. Facts are never refused: one that comes too late is noted (`late`), and changes
nothing else. Does not belong here: stock, other orders, what the entries turn into.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from msgspec.structs import replace

from tables import records as r
from tables.codec import digest
from tables.murmur2 import murmur2, partition_of_sku
from tables.order_speech import say, settled
from tables.outcome import At, Outcome, View
from tables.pruning import DELETED, forget_at, is_forgotten
from tables.rows import (
    Entry,
    EntryLine,
    OrderLine,
    OrderRow,
    PartitionRow,
    RefusedLine,
    SeenFact,
    WaitingCancel,
    order_key,
)

HOPS_BITS_MAX = 5  # a contended order waits at most 31 turns of its log, some ten milliseconds each
FACTS_MAX = 500  # facts one order may carry; more is a broken connector
LINES_TOLD_MAX = 4_000  # lines that shipments and cancellations of an order may name in all: its row is one record
PLACED_OTHERWISE = "id_conflict: this order was placed with other content before"
ID_CONFLICT = "id_conflict: this id was used with other content before"

# (state, event) -> state. What is not here does not happen: the fact is noted as late, and changes nothing.
# Anything that decides whether an order may move stands in this table and nowhere else.
TRANSITIONS: dict[tuple[str, str], str] = {
    ("unplaced", "place"): "pending",
    ("pending", "grant"): "confirmed",
    ("pending", "wait"): "on_hold",
    ("pending", "refuse"): "rejected",
    ("pending", "cancel"): "rejected",
    ("pending", "expire"): "expired",
    ("on_hold", "grant"): "confirmed",
    ("on_hold", "refuse"): "rejected",
    ("on_hold", "cancel"): "rejected",
    ("on_hold", "expire"): "expired",
    ("confirmed", "pick"): "picked",
    ("confirmed", "pack"): "packed",
    ("confirmed", "ship"): "shipped",
    ("confirmed", "cancel"): "cancelled",
    ("picked", "pack"): "packed",
    ("picked", "ship"): "shipped",
    ("picked", "cancel"): "cancelled",
    ("packed", "ship"): "shipped",
    ("packed", "cancel"): "cancelled",
    ("shipped", "deliver"): "delivered",
    ("shipped", "return"): "returned",
    ("delivered", "return"): "returned",
}
DECISIONS = {"grant": "confirmed", "refuse": "rejected", "cancel": "rejected", "expire": "expired"}
UNDECIDED = ("unplaced", "pending", "on_hold")
OWED = ("confirmed", "picked", "packed")


def step(view: View, record: Any, at: At, log: PartitionRow) -> Outcome:
    """Apply one record to its order; a record that was applied before says again what it said."""
    key = order_key(record.order_id)
    row: OrderRow | None = view.get(key)
    if row is not None and is_forgotten(row, at, log):
        row = None
    if type(record) is r.ReservationOverdue:
        return Outcome(sends=settled(row, record, at))
    if row is None or row.at < at.place:
        before = row or _unplaced(record, at)
        row = _HANDLE[type(record)](before, record, at, log)
        if isinstance(row, str):
            return Outcome(dead=row)
        if row is before:
            return Outcome()
        owed = row.state in ("pending", "on_hold", *OWED) or bool(row.awaited)
        row = replace(row, at=at.place, forget_ms=0 if owed else forget_at(log, log.limits.order_keep_seconds))
    elif why := _was_dead(row, record, at):
        return Outcome(dead=why)
    return Outcome(rows={key: row}, sends=say(row, at, log))


def _was_dead(row: OrderRow, record: Any, at: At) -> str:
    """Why a record that is delivered again was a dead letter the first time; "" if it was none.

    It stands nowhere, and need not: ids and contents that a row has seen are only ever added.
    """
    if isinstance(record, r.OrderPlaced):
        return PLACED_OTHERWISE if row.digest not in (b"", digest(record)) else ""
    if not isinstance(record, FACTS) or row.state == DELETED:
        return ""
    taken = next((fact for fact in row.seen if fact.id == record.id), None)
    if taken is None or taken.at > at.place:
        return "not_applied: this order did not take this fact when it came first"
    return "" if taken.digest == digest(record) else ID_CONFLICT


def _unplaced(record: Any, at: At) -> OrderRow:
    """What is known of an order before its `order_placed` arrives: any arrival order is accepted."""
    return OrderRow(
        at.place, record.order_id, "unplaced", "", "none", 0, (), False, "", b"", 0, 0, (), (), (), (), (), "", 0,
        (), (), (), (), 0,
    )  # fmt: skip


# -- placing and deciding ----------------------------------------------------------------------------------------------


def _placed(row: OrderRow, record: r.OrderPlaced, at: At, log: PartitionRow) -> OrderRow | str:
    content = digest(record)
    if row.digest:
        return row if row.digest == content else PLACED_OTHERWISE
    summed: dict[str, int] = {}
    for line in record.lines:  # the same SKU twice is summed before anything is asked
        summed[line.sku] = summed.get(line.sku, 0) + line.quantity
    payment = "captured" if record.payment == "paid" or row.payment == "captured" else row.payment
    row = replace(
        row, state=TRANSITIONS[row.state, "place"], channel=record.channel, digest=content,
        payment="pending" if payment == "none" else payment,
        payment_seconds=record.payment_seconds or log.limits.payment_seconds,
        checks=tuple(dict.fromkeys((*row.checks, *record.checks))), occurred_at=_utc(record.occurred_at),
        locations=tuple(record.locations), lines=tuple(OrderLine(sku, n, "", 0, 0) for sku, n in summed.items()),
    )  # fmt: skip
    if row.reason == "cancelled":  # its cancellation came first
        return _decide(row, "cancel", "cancelled", (), at)
    return _ask(row, 1, at, log)


def _ask(row: OrderRow, attempt: int, at: At, log: PartitionRow) -> OrderRow:
    partitions = tuple(sorted({partition_of_sku(line.sku, log.partitions) for line in row.lines}))
    entry = Entry(at.place, "ask", at.ms, attempt, partitions, state_ms=log.state_ms)
    deadline = row.deadline_ms or _deadline(log, log.limits.undecided_seconds)
    return replace(
        row, attempt=attempt, awaited=partitions, granted=(), refused=(), deadline_ms=deadline,
        entries=(*row.entries, entry),
    )  # fmt: skip


def _answered(row: OrderRow, record: r.ReserveAnswered, at: At, log: PartitionRow) -> OrderRow | str:
    if row.state == "unplaced":
        return "unknown_order: an answer to an order that was never placed here"
    if record.attempt != row.attempt or record.partition not in row.awaited:
        return row  # known already, or of another attempt
    if row.state != "pending":  # it was decided without this answer: what it granted is given back once more
        row = replace(row, awaited=tuple(p for p in row.awaited if p != record.partition))
        late = Entry(at.place, "give_back", at.ms, record.attempt, (record.partition,))
        return row if record.refused else _add(row, late)
    mine = [n for n, line in enumerate(row.lines) if partition_of_sku(line.sku, log.partitions) == record.partition]
    awaited = tuple(p for p in row.awaited if p != record.partition)
    if record.refused:
        refused = tuple(RefusedLine(x.sku, x.quantity, x.reason, x.available) for x in record.refused)
        row = replace(row, awaited=awaited, refused=row.refused + refused)
    else:
        if len(record.locations) != len(mine):
            return "an answer for another number of lines than was asked"
        lines = list(row.lines)
        for n, location in zip(mine, record.locations, strict=True):
            old = lines[n]
            lines[n] = OrderLine(old.sku, old.quantity, location, old.shipped, old.cancelled)
        row = replace(row, awaited=awaited, lines=tuple(lines), granted=(*row.granted, record.partition))
    return row if awaited else _settle(row, at, log)


def _settle(row: OrderRow, at: At, log: PartitionRow) -> OrderRow:
    """All answers are here: decide, wait, or give back and ask again."""
    if row.refused:
        hard = [x.reason for x in row.refused if x.reason != "contended"]
        if hard or row.attempt >= log.limits.attempts:
            return _decide(row, "refuse", hard[0] if hard else "contended", row.granted, at)
        if row.granted:
            row = _add(row, Entry(at.place, "give_back", at.ms, row.attempt, row.granted))
        row = replace(row, granted=(), lines=tuple(replace(x, location="") for x in row.lines))
        return _add(row, Entry(at.place, "later", at.ms, row.attempt + 1, hops=_hops(row)))
    return _grant_or_wait(row, at, log)


def _hops(row: OrderRow) -> int:
    """Turns to wait before the next attempt. Orders that want each other's units must not ask in step for ever, so
    each waits differently, and longer the more often it was refused; the same at every replay."""
    return murmur2(f"{row.order_id}:{row.attempt}".encode()) % (1 << min(row.attempt, HOPS_BITS_MAX))


def _ask_again(row: OrderRow, record: r.AskAgain, at: At, log: PartitionRow) -> OrderRow:
    if row.state != "pending" or record.attempt != row.attempt + 1:
        return row  # asked, or decided, meanwhile
    for n in reversed(range(len(row.entries))):  # a shipment told meanwhile stands behind it
        waits = row.entries[n]
        if (waits.kind, waits.attempt, waits.hops) == ("later", record.attempt, record.hops):
            break
    else:
        return row
    if waits.hops:
        turned = replace(waits, at=at.place, hops=waits.hops - 1)
        return replace(row, entries=(*row.entries[:n], turned, *row.entries[n + 1 :]))
    return _ask(row, record.attempt, at, log)


def _grant_or_wait(row: OrderRow, at: At, log: PartitionRow) -> OrderRow:
    """Everything is reserved: confirmed, unless a payment or a check is missing."""
    if row.payment == "failed" or row.check_failed:
        reason = "payment_failed" if row.payment == "failed" else "check_failed"
        return _decide(row, "refuse", reason, row.granted, at)
    if row.payment == "captured" and not row.checks:
        row = _decide(row, "grant", "", row.granted, at)
        waiting = row.waiting
        row = replace(row, waiting=()) if waiting else row
        for cancel in waiting:
            row = _give_back(row, cancel.reason, dict(cancel.lines), at)
        return row
    if row.state == "on_hold":
        return row
    seconds = row.payment_seconds if row.payment == "pending" else log.limits.check_seconds
    row = _add(_move(row, "wait"), Entry(at.place, "hold", at.ms, row.attempt, row.granted))
    return replace(row, deadline_ms=_deadline(log, seconds))


def _decide(row: OrderRow, event: str, reason: str, partitions: tuple[int, ...], at: At) -> OrderRow:
    """The one decision of an order. `partitions`: where the attempt's reservation is promoted or given back."""
    entry = Entry(at.place, "decide", at.ms, row.attempt, partitions, DECISIONS[event], reason)
    return replace(
        row, state=TRANSITIONS[row.state, event], entries=(*row.entries, entry), reason=reason, deadline_ms=0,
        decided_ms=at.ms, waiting=row.waiting if event == "grant" else (),
    )  # fmt: skip


def _deadline_reached(row: OrderRow, record: r.DeadlineReached, at: At, log: PartitionRow) -> OrderRow:
    """The note itself says that the time has come. State time is not asked again: read a second time, after a crash, it
    would be later, and a note of a deadline that no longer was could end an order that was told otherwise."""
    if row.state not in ("pending", "on_hold") or row.deadline_ms != record.deadline_ms:
        return row
    if row.state == "pending":
        return _decide(row, "expire", "no_answer", _asked(row), at)
    return _decide(row, "expire", "payment_deadline" if row.payment == "pending" else "check_deadline", row.granted, at)


# -- what happens to an order ------------------------------------------------------------------------------------------


def _cancel(row: OrderRow, record: r.CancelRequested, at: At, log: PartitionRow) -> OrderRow:
    if record.lines:
        lines: dict[str, int] = {}
        for line in record.lines:
            lines[line.sku] = lines.get(line.sku, 0) + line.quantity
        if row.state in UNDECIDED:  # given back once it is decided what there is to give back
            waiting = WaitingCancel(record.reason, tuple(lines.items()))
            return replace(row, waiting=(*row.waiting, waiting))
        return _give_back(row, record.reason, lines, at)
    if row.state == "unplaced":
        return replace(row, reason="cancelled")
    if row.state in UNDECIDED:
        return _decide(row, "cancel", "cancelled", _asked(row), at)
    return _give_back(row, record.reason, {line.sku: line.open for line in row.lines}, at)


def _give_back(row: OrderRow, reason: str, units: dict[str, int], at: At) -> OrderRow:
    """Cancel units of a confirmed order that are not shipped; with the last of them the order is cancelled."""
    if row.state not in OWED:
        return _late(row, "cancel")
    given = [(n, x, min(x.open, units.get(x.sku, 0))) for n, x in enumerate(row.lines)]
    given = [(n, x, count) for n, x, count in given if count > 0]
    if not given:
        return _late(row, "cancel")
    lines = list(row.lines)
    for n, line, count in given:
        lines[n] = replace(line, cancelled=line.cancelled + count)
    entry = Entry(
        at.place, "cancel", at.ms, row.attempt, status="cancelled", reason=reason or "cancelled",
        lines=tuple(EntryLine(x.sku, count, x.location, "") for _, x, count in given),
    )  # fmt: skip
    row = _add(replace(row, lines=tuple(lines)), entry)
    if any(line.open for line in lines):
        return row
    return _move(row, "ship" if any(line.shipped for line in lines) else "cancel")


def _payment_captured(row: OrderRow, record: r.PaymentCaptured, at: At, log: PartitionRow) -> OrderRow:
    if row.payment == "captured" or row.state not in UNDECIDED:
        return row if row.payment == "captured" else _late(replace(row, payment="captured"), "payment_captured")
    row = replace(row, payment="captured")
    if row.state != "on_hold":
        return row
    row = _grant_or_wait(row, at, log)
    if row.state != "on_hold":
        return row
    return replace(row, deadline_ms=_deadline(log, log.limits.check_seconds))  # it waits for its checks alone now


def _payment_failed(row: OrderRow, record: r.PaymentFailed, at: At, log: PartitionRow) -> OrderRow:
    if row.payment == "captured" or row.state not in UNDECIDED:
        return _late(row, "payment_failed")
    row = replace(row, payment="failed")
    return _grant_or_wait(row, at, log) if row.state == "on_hold" else row


def _check_opened(row: OrderRow, record: r.CheckOpened, at: At, log: PartitionRow) -> OrderRow:
    if row.state not in UNDECIDED:
        return _late(row, f"check_opened {record.check}")
    return row if record.check in row.checks else replace(row, checks=(*row.checks, record.check))


def _check_passed(row: OrderRow, record: r.CheckPassed, at: At, log: PartitionRow) -> OrderRow:
    if record.check not in row.checks:
        return _late(row, f"check_passed {record.check}")
    row = replace(row, checks=tuple(x for x in row.checks if x != record.check))
    return _grant_or_wait(row, at, log) if row.state == "on_hold" else row


def _check_failed(row: OrderRow, record: r.CheckFailed, at: At, log: PartitionRow) -> OrderRow:
    if row.state not in UNDECIDED:
        return _late(row, f"check_failed {record.check}")
    row = replace(row, check_failed=True)
    return _grant_or_wait(row, at, log) if row.state == "on_hold" else row


def _shipped(row: OrderRow, record: r.OrderShipped, at: At, log: PartitionRow) -> OrderRow | str:
    lines = list(row.lines)
    sent: list[EntryLine] = []
    for line in record.lines or [r.ShippedLine(x.sku, x.open) for x in row.lines if x.open]:
        n = next((n for n, x in enumerate(lines) if x.sku == line.sku), None)
        location = line.location or (lines[n].location if n is not None else "") or (*row.locations, "")[0]
        if not location:
            return f"unknown_location: where did {line.sku} of this order leave from? name the location"
        sent.append(EntryLine(line.sku, line.quantity, location, line.lot or ""))
        if n is not None and row.state in OWED:
            own = min(line.quantity, lines[n].open)
            lines[n] = replace(lines[n], shipped=lines[n].shipped + own)
    if not sent:
        return _late(row, "ship")
    owed = row.state in OWED  # otherwise the truck is gone all the same: stock hears of it, no reservation does
    entry = Entry(at.place, "ship", at.ms, row.attempt if owed else 0, lines=tuple(sent))
    row = _add(replace(row, lines=tuple(lines)), entry)
    if not owed:
        return _late(row, "ship")
    return row if any(line.open for line in lines) else _move(row, "ship")


def _happened(event: str) -> Callable[[OrderRow, Any, At, PartitionRow], OrderRow]:
    def handle(row: OrderRow, record: Any, at: At, log: PartitionRow) -> OrderRow:
        return _move(row, event) if (row.state, event) in TRANSITIONS else _late(row, event)

    return handle


def _once(
    handle: Callable[[OrderRow, Any, At, PartitionRow], OrderRow | str],
) -> Callable[[OrderRow, Any, At, PartitionRow], OrderRow | str]:
    """A fact from outside counts once: the same id elsewhere changes nothing, with other content it is a conflict."""

    def once(row: OrderRow, record: Any, at: At, log: PartitionRow) -> OrderRow | str:
        content = digest(record)
        for fact in row.seen:
            if fact.id == record.id:
                return row if fact.digest == content else ID_CONFLICT
        if len(row.seen) >= FACTS_MAX:
            return f"too_many_facts: an order carries at most {FACTS_MAX}"
        if _lines_told(row, record) > LINES_TOLD_MAX:
            return f"too_many_lines: shipments and cancellations of an order name at most {LINES_TOLD_MAX}"
        after = handle(row, record, at, log)
        if isinstance(after, str):
            return after
        return replace(after, seen=(*after.seen, SeenFact(record.id, content, at.place)))

    return once


def _lines_told(row: OrderRow, record: Any) -> int:
    """Lines that shipments and cancellations named so far, and would with this record (without lines: all it has)."""
    lines = getattr(record, "lines", None)
    if lines is None:
        return 0
    told = sum(len(entry.lines) for entry in row.entries) + sum(len(cancel.lines) for cancel in row.waiting)
    return told + (len(lines) or len(row.lines))


_HANDLE: dict[type, Callable[[OrderRow, Any, At, PartitionRow], OrderRow | str]] = {
    r.OrderPlaced: _placed,
    r.ReserveAnswered: _answered,
    r.DeadlineReached: _deadline_reached,
    r.AskAgain: _ask_again,
    r.CancelRequested: _once(_cancel),
    r.PaymentCaptured: _once(_payment_captured),
    r.PaymentFailed: _once(_payment_failed),
    r.CheckOpened: _once(_check_opened),
    r.CheckPassed: _once(_check_passed),
    r.CheckFailed: _once(_check_failed),
    r.OrderPicked: _once(_happened("pick")),
    r.OrderPacked: _once(_happened("pack")),
    r.OrderShipped: _once(_shipped),
    r.OrderDelivered: _once(_happened("deliver")),
    r.OrderReturned: _once(_happened("return")),
}
ORDER_RECORDS = (*_HANDLE, r.ReservationOverdue)
FACTS = tuple(kind for kind, handle in _HANDLE.items() if handle.__name__ == "once")


# -- small moves -------------------------------------------------------------------------------------------------------


def _move(row: OrderRow, event: str) -> OrderRow:
    return replace(row, state=TRANSITIONS[row.state, event])


def _add(row: OrderRow, entry: Entry) -> OrderRow:
    return replace(row, entries=(*row.entries, entry))


def _late(row: OrderRow, event: str) -> OrderRow:
    return replace(row, late=(*row.late, f"{event} while {row.state}"))


def _asked(row: OrderRow) -> tuple[int, ...]:
    """Every partition the present attempt was sent to, answered or not: late grants are covered too."""
    for entry in reversed(row.entries):
        if entry.kind == "ask":
            return entry.partitions
    return ()


def _deadline(log: PartitionRow, seconds: int) -> int:
    return log.state_ms + seconds * 1000 if log.state_ms else -seconds * 1000


def _utc(occurred_at: str | None) -> str:
    """Their time in UTC, so that days and hours of demand mean the same everywhere; "" if they gave none."""
    if not occurred_at:
        return ""
    try:
        if occurred_at.endswith("Z"):
            datetime.fromisoformat(occurred_at)
            return occurred_at
        return datetime.fromisoformat(occurred_at).astimezone(UTC).isoformat().replace("+00:00", "Z")
    except (ValueError, OverflowError):
        return ""  # a day that no calendar has: the order counts, its date does not
