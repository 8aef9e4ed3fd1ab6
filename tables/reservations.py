"""Reserve, hold, allocate, release: what a stock partition owes to orders, each as a pure step.

Reads and gives rows; the reservation row (the recorded decision) stands first in what it gives, before the stock and
demand rows that count it. A command delivered again takes its recorded decision, and applies it only to rows older than
it: it is never decided again. A SKU never decides alone that a reservation ends.
Refusals are answers with a reason per line, checked in the order of `_refusal`. Does not belong here: orders, facts.
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from tables import ledger
from tables import records as r
from tables.codec import instant
from tables.outcome import ALERTS, ORDERS, At, InvariantBroken, Outcome, Send, View, version_of
from tables.pruning import forget_at, is_forgotten
from tables.rows import (
    Change,
    DemandRow,
    PartitionRow,
    RaisedAlert,
    ReservationRow,
    ReservedLine,
    StockRow,
    demand_key,
    reservation_key,
    sku_key,
    stock_key,
)

OPEN_STATES = ("claimed", "held", "allocated")


def reserve(view: View, command: r.Reserve, at: At, log: PartitionRow) -> Outcome:
    """Claim every line of the command, each at the first location that covers it whole, or none."""
    key = reservation_key(command.order_id, command.attempt)
    row = _known(view, key, at, log)
    if row is not None and row.asked == 0 and row.at >= at.place:
        return Outcome(rows={key: row})  # what stands here now came after this command was forgotten
    if row is not None and row.asked not in (0, at.place):
        if not _same_lines(row, command):
            return Outcome(dead="id_conflict: this attempt asked for other lines before")
        return Outcome(sends=[_answer(row, log.partition)])
    alerts: list[RaisedAlert] = []
    changed: dict[str, Any] = {key: row}
    now = row is None or row.asked == 0
    if row is None:
        row = _decide(view, command, at, log)
    elif row.asked == 0:  # released before it was asked: nothing is taken, and the answer says so
        lines = tuple(ReservedLine(x.sku, x.quantity, "", "released", 0, False, 0) for x in command.lines)
        row = replace(row, at=at.place, asked=at.place, asked_ms=at.ms, lines=lines, order_ms=command.asked_ms)
        row = _closed(row, log)
    _count_change(view, changed, row, _change_at(row, at.place), alerts)
    if row.attempt == 1:
        _count_demand(view, changed, row, at)
    if alerts and now:
        row = _note_alerts(row, at, alerts)
    changed[key] = row
    return Outcome(rows=changed, sends=[_answer(row, log.partition), *_alerts(row, at, log)])


def hold(view: View, command: r.Hold, at: At, log: PartitionRow) -> Outcome:
    """Claimed -> held: the order is decided as far as stock goes, and waits for payment or a check."""
    return _promote(view, command, at, log, "held", ("claimed",))


def allocate(view: View, command: r.Allocate, at: At, log: PartitionRow) -> Outcome:
    """Claimed or held -> allocated: owed to a confirmed order. Never a second check."""
    return _promote(view, command, at, log, "allocated", ("claimed", "held"))


def release(view: View, command: r.Release, at: At, log: PartitionRow) -> Outcome:
    """Give back everything the attempt still holds, or only the units named. Before `reserve`: a tombstone."""
    key = reservation_key(command.order_id, command.attempt)
    row = _known(view, key, at, log)
    if row is None:
        row = ReservationRow(
            at.place, command.order_id, command.attempt, 0, "released", 0, 0, "", "", 0, (), (), (), 0, 0
        )
        return Outcome(rows={key: _closed(row, log)})
    if command.lines:
        return _release_some(view, key, row, command, at, log)
    return _promote(view, command, at, log, "released", OPEN_STATES)


def _known(view: View, key: str, at: At, log: PartitionRow) -> ReservationRow | None:
    """The reservation, unless it is forgotten."""
    row: ReservationRow | None = view.get(key)
    return None if row is None or is_forgotten(row, at, log) else row


def _closed(row: ReservationRow, log: PartitionRow) -> ReservationRow:
    """`row` with the time from which it is forgotten: nothing is owed by it any more."""
    return replace(row, forget_ms=forget_at(log, log.limits.reservation_keep_seconds, row.order_ms))


# -- deciding ----------------------------------------------------------------------------------------------------------


def _decide(view: View, command: r.Reserve, at: At, log: PartitionRow) -> ReservationRow:
    taken: dict[str, int] = {}
    lines = [_decide_line(view, command, line, log, taken) for line in command.lines]
    granted = not any(line.reason for line in lines)
    if not granted:  # all lines are checked before any is taken
        lines = [replace(x, location="", open=0) if not x.reason else x for x in lines]
    occurred = command.occurred_at or instant(at.ms)
    change = Change(at.place, "", "claimed", tuple(x.open for x in lines), ())
    row = ReservationRow(
        at.place, command.order_id, command.attempt, command.order_partition, "claimed" if granted else "refused",
        at.place, at.ms, command.locations[0], occurred[:10], int(occurred[11:13] or 0), tuple(lines),
        (change,) if granted else (), (), command.asked_ms, 0,
    )  # fmt: skip
    return row if granted else _closed(row, log)


def _decide_line(
    view: View, command: r.Reserve, line: r.Line, log: PartitionRow, taken: dict[str, int]
) -> ReservedLine:
    sku, quantity = line.sku, line.quantity
    most = total = 0
    reachable = 0  # the most one location could cover if undecided orders gave back what they claim
    for location in command.locations:
        key = stock_key(sku, location)
        row: StockRow | None = view.get(key)
        if row is None:
            continue
        there = ledger.available(row) - taken.get(key, 0)
        if 0 < quantity <= there:
            refusal = _refusal(view, command, line, log, quantity, quantity)
            if refusal:
                return ReservedLine(sku, quantity, "", refusal, there, False, 0)
            taken[key] = taken.get(key, 0) + quantity
            return ReservedLine(sku, quantity, location, "", there, there == quantity, quantity)
        total += max(there, 0)
        most = max(most, there)
        free = row.on_hand - row.unavailable - row.held - row.allocated - row.safety_stock - taken.get(key, 0)
        reachable = max(reachable, free)
    reason = _refusal(view, command, line, log, most, reachable)
    return ReservedLine(sku, quantity, "", reason, total, reason == "insufficient", 0)


def _refusal(view: View, command: r.Reserve, line: r.Line, log: PartitionRow, most: int, reachable: int) -> str:
    """The first failed check, in this order; "" if none failed."""
    master = view.get(sku_key(line.sku))
    if master is None:
        return "unknown_sku"
    if master.discontinued:
        return "discontinued"
    if not 1 <= line.quantity <= r.QUANTITY_MAX:
        return "malformed_quantity"
    asked_ms = command.asked_ms or log.first_ms  # 0: before the order's partition was told any time
    if asked_ms and log.state_ms - asked_ms >= log.limits.reservation_keep_seconds * 1000:
        return "too_old"
    if reachable < line.quantity:
        return "insufficient"
    if most < line.quantity:
        return "contended"
    return ""


# -- applying ----------------------------------------------------------------------------------------------------------


def _promote(view: View, command: Any, at: At, log: PartitionRow, after: str, allowed: tuple[str, ...]) -> Outcome:
    """Move everything the reservation holds to the counter `after`, once."""
    key = reservation_key(command.order_id, command.attempt)
    row = _known(view, key, at, log)
    if row is None:
        return Outcome()
    now = row.at < at.place
    if now:
        if row.state not in allowed:
            return Outcome()  # known already, or refused: the first of allocate and release won
        change = Change(at.place, row.state, after, tuple(line.open for line in row.lines), ())
        lines = row.lines if after != "released" else tuple(replace(line, open=0) for line in row.lines)
        row = replace(row, at=at.place, state=after, lines=lines, changes=(*row.changes, change))
        row = row if after != "released" else _closed(row, log)
    return _apply_changes(view, key, row, at, log, now)


def _release_some(
    view: View, key: str, row: ReservationRow, command: r.Release, at: At, log: PartitionRow
) -> Outcome:
    now = row.at < at.place
    if now:
        if command.id in row.seen or row.state not in OPEN_STATES:
            return Outcome()
        asked: dict[str, int] = {}
        for line in command.lines:
            asked[line.sku] = asked.get(line.sku, 0) + line.quantity
        amounts = tuple(min(line.open, asked.get(line.sku, 0)) for line in row.lines)
        lines = tuple(replace(x, open=x.open - n) if n else x for x, n in zip(row.lines, amounts, strict=True))
        change = Change(at.place, row.state, "released", amounts, ())
        row = replace(
            row, at=at.place, lines=lines, changes=(*row.changes, change), seen=(*row.seen, command.id),
            state=row.state if any(line.open for line in lines) else "released",
        )  # fmt: skip
        row = row if row.state != "released" else _closed(row, log)
    return _apply_changes(view, key, row, at, log, now)


def _apply_changes(view: View, key: str, row: ReservationRow, at: At, log: PartitionRow, now: bool) -> Outcome:
    alerts: list[RaisedAlert] = []
    changed: dict[str, Any] = {key: row}
    _count_change(view, changed, row, _change_at(row, at.place), alerts)
    if alerts and now:  # a redelivered change says again what it said, whatever its rows say today
        row = _note_alerts(row, at, alerts)
        changed[key] = row
    return Outcome(rows=changed, sends=_alerts(row, at, log))


def _change_at(row: ReservationRow, place: int) -> Change | None:
    for change in reversed(row.changes):
        if change.at == place:
            return change
    return None


def _count_change(
    view: View, changed: dict[str, Any], row: ReservationRow, change: Change | None, alerts: list[RaisedAlert]
) -> None:
    """Count a recorded change in the stock rows that are older than it; put the others again, as they are."""
    if change is None:
        return
    older: set[str] = set()
    before, after = change.before, change.after
    for line, amount in zip(row.lines, change.amounts, strict=True):
        if not amount:
            continue
        key = stock_key(line.sku, line.location)
        stock: StockRow | None = changed.get(key) or view.get(key)
        if stock is None:
            raise InvariantBroken(f"{row.order_id}: reserved from a stock row that is not there: {key}")
        if key not in older and stock.at >= change.at:
            changed[key] = stock
            continue
        older.add(key)
        changed[key] = ledger.move(
            stock, change.at, alerts=alerts,
            claimed=amount * ((after == "claimed") - (before == "claimed")),
            held=amount * ((after == "held") - (before == "held")),
            allocated=amount * ((after == "allocated") - (before == "allocated")),
        )  # fmt: skip


def _count_demand(view: View, changed: dict[str, Any], row: ReservationRow, at: At) -> None:
    """Count a first attempt as demand, granted or not, in the day rows that are older than it."""
    older: set[str] = set()
    for line in row.lines:
        if not 1 <= line.quantity <= r.QUANTITY_MAX or line.reason in ("unknown_sku", "released"):
            continue
        location = line.location or row.first_location
        key = demand_key(line.sku, location, row.day)
        demand: DemandRow | None = changed.get(key) or view.get(key)
        if demand is None:
            demand = DemandRow(0, line.sku, location, row.day, 0, 0, 0, 0)
        elif key not in older and demand.at >= at.place:
            changed[key] = demand
            continue
        older.add(key)
        changed[key] = DemandRow(
            at.place, line.sku, location, row.day, demand.ordered + line.quantity, demand.orders + 1,
            demand.refused + (line.quantity if line.reason == "insufficient" else 0),
            demand.hours | (1 << row.hour if line.out else 0),
        )  # fmt: skip


# -- saying ------------------------------------------------------------------------------------------------------------


def _answer(row: ReservationRow, partition: int) -> Send:
    """The recorded answer, word for word the same however often it is asked for."""
    refused = [r.Refusal(x.sku, x.quantity, x.reason, x.available) for x in row.lines if x.reason]
    record = r.ReserveAnswered(
        id=f"{row.order_id}:{row.attempt}:{partition}", time=instant(row.asked_ms), order_id=row.order_id,
        attempt=row.attempt, partition=partition, refused=refused,
        locations=[] if refused else [x.location for x in row.lines],
    )  # fmt: skip
    return Send(ORDERS, row.order_partition, None, record)


def _note_alerts(row: ReservationRow, at: At, alerts: list[RaisedAlert]) -> ReservationRow:
    changes = tuple(replace(x, alerts=tuple(alerts)) if x.at == at.place else x for x in row.changes)
    return replace(row, changes=changes)


def _alerts(row: ReservationRow, at: At, log: PartitionRow) -> list[Send]:
    change = _change_at(row, at.place)
    return alert_sends(change.alerts, at, log) if change is not None and change.alerts else []


def alert_sends(alerts: tuple[RaisedAlert, ...], at: At, log: PartitionRow) -> list[Send]:
    """Recorded alerts as records of the `alerts` topic."""
    sends = []
    for n, alert in enumerate(alerts):
        record = r.Alert(
            id=f"{log.log_id}:{log.partition}:{at.place}:{n}", time=instant(at.ms), sku=alert.sku,
            location=alert.location, kind=alert.kind, available=alert.available, shortage=alert.shortage,
            reorder_point=alert.reorder_point, version=version_of(log.log_id, at.place),
        )  # fmt: skip
        sends.append(Send(ALERTS, None, alert.sku, record))
    return sends


def _same_lines(row: ReservationRow, command: r.Reserve) -> bool:
    return len(row.lines) == len(command.lines) and all(
        ours.sku == theirs.sku and ours.quantity == theirs.quantity
        for ours, theirs in zip(row.lines, command.lines, strict=True)
    )
