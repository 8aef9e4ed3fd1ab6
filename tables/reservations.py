"""Reserve, move, hold, allocate, backorder, release: what a stock partition owes to orders, each as a pure step.

Reads and gives rows; the reservation row (the recorded decision) stands first in what it gives, before the stock, queue
and demand rows that count it. A command delivered again takes its recorded decision, and applies it only to rows older
than it: it is never decided again. A SKU never decides alone that a reservation ends.
Does not belong here: what a reserve command gets (`deciding`), how a change is counted (`counting`), orders, facts.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec.structs import replace

from tables import records as r
from tables.alerts import alert_sends
from tables.availability import ring_fence, room_of, takeable
from tables.backorders import fill_notes
from tables.codec import instant
from tables.counting import count_change, count_demand
from tables.deciding import decide, is_too_old
from tables.outcome import ORDERS, At, Outcome, Send, View
from tables.pruning import forget_at, is_forgotten
from tables.rows import (
    Change,
    PartitionRow,
    RaisedAlert,
    ReservationRow,
    ReservedLine,
    StockRow,
    reservation_key,
    stock_key,
)

OPEN_STATES = ("claimed", "held", "allocated")


def reserve(view: View, command: r.Reserve, at: At, log: PartitionRow) -> Outcome:
    """Claim the lines of the command, as its policy says, or none of them."""
    key = reservation_key(command.order_id, command.attempt)
    row = _known(view, key, at, log)
    if row is not None and row.asked == 0 and row.at >= at.place:
        return Outcome(rows={key: row})  # what stands here now came after this command was forgotten
    if row is not None and row.asked not in (0, at.place):
        if row.wanted != _wanted(command):
            return Outcome(dead="id_conflict: this attempt asked for other lines before")
        return Outcome(sends=[_answer(row, log.partition)])
    if len({line.sku for line in command.lines}) < len(command.lines):
        return Outcome(dead="twice: a command names each SKU once")
    now = row is None or row.asked == 0
    if now and is_too_old(command, log):
        # Whether it was asked before nobody knows any more. No row: it would take the place of a forgotten one, which
        # still has to say what it counted, should a crash take the rows that counted it.
        return Outcome(sends=[_answer(decide(view, command, at, log), log.partition)])
    if row is None:
        row = decide(view, command, at, log)
        row = row if row.state == "claimed" else _closed(row, log)
    elif row.asked == 0:  # released before it was asked: nothing is taken, and the answer says so
        lines = tuple(
            ReservedLine(x.sku, x.quantity, "", "released", 0, False, 0, False, "", 0, "") for x in command.lines
        )
        row = replace(
            row, at=at.place, asked=at.place, asked_ms=at.ms, lines=lines, wanted=_wanted(command),
            order_ms=command.asked_ms,
        )  # fmt: skip
        row = _closed(row, log)
    outcome = _count(view, key, row, at, log, now)
    if row.demand:
        count_demand(view, outcome.rows, row, at)
    outcome.sends = [_answer(row, log.partition), *outcome.sends]
    return outcome


def move(view: View, command: r.Move, at: At, log: PartitionRow) -> Outcome:
    """Hold lines at other locations, all of them or none; once an attempt, while it is claimed."""
    key = reservation_key(command.order_id, command.attempt)
    row = _known(view, key, at, log)
    if row is None or not 0 < row.asked < at.place:
        return Outcome()
    now = row.at < at.place
    if now and row.moved == 0 and row.state == "claimed":
        row = _moved(view, row, command, at)
    if row.moved != at.place:  # it was moved, or could not be any more
        return Outcome(sends=[_move_answer(row, command, at, log)])
    outcome = _count(view, key, row, at, log, now)
    outcome.sends = [_move_answer(row, command, at, log), *outcome.sends]
    return outcome


def hold(view: View, command: r.Hold, at: At, log: PartitionRow) -> Outcome:
    """Claimed -> held: the order is decided as far as stock goes, and waits for payment or a check."""
    return _promote(view, command, at, log, "held", ("claimed",))


def allocate(view: View, command: r.Allocate, at: At, log: PartitionRow) -> Outcome:
    """Claimed or held -> allocated: owed to a confirmed order. Never a second check."""
    return _promote(view, command, at, log, "allocated", ("claimed", "held"))


def release(view: View, command: r.Release, at: At, log: PartitionRow) -> Outcome:
    """Give back everything the attempt still holds, or only the units named. Before `reserve`: a tombstone."""
    key = reservation_key(command.order_id, command.attempt)
    row: ReservationRow | None = view.get(key)
    if row is None:
        row = ReservationRow(
            at.place, command.order_id, command.attempt, 0, "", "released", 0, 0, "", "", 0, False, (), (), (), (), (),
            0, False, 0, 0,
        )  # fmt: skip
        return Outcome(rows={key: _closed(row, log)})
    if is_forgotten(row, at, log):
        return Outcome()  # nothing is held, and a reserve would be too old: no tombstone takes this row's place
    if command.lines:
        return _some(view, key, row, command, at, log, "released", OPEN_STATES)
    return _promote(view, command, at, log, "released", OPEN_STATES)


def backorder(view: View, command: r.Backorder, at: At, log: PartitionRow) -> Outcome:
    """Allocated units that were not there to ship wait for stock, at the end of the queue."""
    key = reservation_key(command.order_id, command.attempt)
    row = _known(view, key, at, log)
    if row is None:
        return Outcome()
    return _some(view, key, row, command, at, log, "back", ("allocated",))


def _known(view: View, key: str, at: At, log: PartitionRow) -> ReservationRow | None:
    """The reservation, unless it is forgotten."""
    row: ReservationRow | None = view.get(key)
    return None if row is None or is_forgotten(row, at, log) else row


def _closed(row: ReservationRow, log: PartitionRow) -> ReservationRow:
    """`row` with the time from which it is forgotten: nothing is owed by it any more."""
    return replace(row, forget_ms=forget_at(log, log.limits.reservation_keep_seconds, row.order_ms))


def _wanted(command: r.Reserve) -> tuple[tuple[str, int], ...]:
    return tuple((line.sku, line.quantity) for line in command.lines)


# -- changing a reservation --------------------------------------------------------------------------------------------


def _promote(view: View, command: Any, at: At, log: PartitionRow, after: str, allowed: tuple[str, ...]) -> Outcome:
    """Move everything the reservation holds to the counter `after`, once. Backordered parts only end."""
    key = reservation_key(command.order_id, command.attempt)
    row = _known(view, key, at, log)
    if row is None:
        return Outcome()
    now = row.at < at.place
    if now:
        if row.state not in allowed:
            return Outcome()  # known already, or refused: the first of allocate and release won
        ends = after == "released"
        amounts = tuple(line.open if ends or not line.back else 0 for line in row.lines)
        row = _changed(row, at, amounts, after, after)
        row = _closed(row, log) if ends else row
    return _count(view, key, row, at, log, now)


def _some(
    view: View, key: str, row: ReservationRow, command: r.Release | r.Backorder, at: At, log: PartitionRow,
    after: str, allowed: tuple[str, ...],
) -> Outcome:  # fmt: skip
    """Move the units named to `after`: given back (backordered ones first), or backordered anew."""
    now = row.at < at.place
    if now:
        if command.id in row.seen or row.state not in allowed:
            return Outcome()
        amounts = _named(row.lines, command.lines, stock_alone=after == "back")
        if after == "back":
            row, amounts = _with_backordered(row, amounts)
        ends = after == "released" and all(x.open == n for x, n in zip(row.lines, amounts, strict=True))
        row = _changed(row, at, amounts, after, "released" if ends else row.state)
        row = replace(row, seen=(*row.seen, command.id))
        row = _closed(row, log) if ends else row
    return _count(view, key, row, at, log, now)


def _named(
    lines: tuple[ReservedLine, ...], asked: Iterable[r.ReleaseLine], *, stock_alone: bool
) -> tuple[int, ...]:
    """Units per part: of each line asked, backordered parts first, then those with stock, in their order."""
    amounts = [0] * len(lines)
    order = [n for n, x in enumerate(lines) if x.back and not stock_alone]
    order += [n for n, x in enumerate(lines) if not x.back]
    for line in asked:
        left = line.quantity
        for n in order:
            part = lines[n]
            if part.sku == line.sku and line.location in ("", part.location):
                units = min(part.open - amounts[n], left)
                amounts[n] += units
                left -= units
    return tuple(amounts)


def _with_backordered(row: ReservationRow, amounts: tuple[int, ...]) -> tuple[ReservationRow, tuple[int, ...]]:
    """`row` with a new backordered part per SKU and location that loses stock, and the amounts with theirs."""
    made: dict[tuple[str, str], ReservedLine] = {}
    for part, units in zip(row.lines, amounts, strict=True):
        if units:
            known = made.get((part.sku, part.location))
            count = units + (known.quantity if known else 0)
            floor = max(part.floor, known.floor if known else "")  # no unit is less fresh than it was promised
            made[part.sku, part.location] = ReservedLine(
                part.sku, count, part.location, "", 0, False, 0, True, floor, 0, ""
            )
    lines = (*row.lines, *made.values())
    return replace(row, lines=lines), (*amounts, *(x.quantity for x in made.values()))


def _changed(row: ReservationRow, at: At, amounts: tuple[int, ...], after: str, state: str) -> ReservationRow:
    """`row` with one more change, its parts with what they hold after it."""
    fenced: tuple[int, ...] = ()
    if after == "released" and any(line.fenced for line in row.lines):
        fenced = tuple(-min(n, line.fenced) for line, n in zip(row.lines, amounts, strict=True))
    lines = row.lines
    if after in ("released", "back"):
        lines = tuple(
            replace(x, open=x.open + n if x.back and after == "back" else x.open - n) if n else x
            for x, n in zip(lines, amounts, strict=True)
        )
    if fenced:
        lines = tuple(replace(x, fenced=x.fenced + n) if n else x for x, n in zip(lines, fenced, strict=True))
    change = Change(at.place, row.state, after, amounts, fenced, ())
    return replace(row, at=at.place, state=state, lines=lines, changes=(*row.changes, change))


def _moved(view: View, row: ReservationRow, command: r.Move, at: At) -> ReservationRow:
    """`row` with its lines at the locations asked for, if all of them fit there; recorded either way."""
    amounts, fenced = [0] * len(row.lines), [0] * len(row.lines)
    lines = list(row.lines)
    for wanted in command.lines:
        mine = [n for n, x in enumerate(row.lines) if x.sku == wanted.sku and x.open and not x.back]
        away = [n for n in mine if row.lines[n].location != wanted.location]
        units = sum(row.lines[n].open for n in away)
        stock: StockRow | None = view.get(stock_key(wanted.sku, wanted.location))
        floor = row.lines[mine[0]].floor if mine else ""
        if not mine or stock is None or _fits(view, stock, row.channel, floor) < units:
            return replace(row, at=at.place, moved=at.place, moved_ok=False)
        for n in away:
            amounts[n], fenced[n] = -lines[n].open, -lines[n].fenced
            lines[n] = replace(lines[n], open=0, fenced=0)
        if units:
            own = min(units, ring_fence(stock, row.channel))
            lines.append(
                ReservedLine(wanted.sku, units, wanted.location, "", units, False, units, False, floor, own, "")
            )
            amounts.append(units)
            fenced.append(own)
    change = Change(at.place, "", "claimed", tuple(amounts), tuple(fenced) if any(fenced) else (), ())
    return replace(
        row, at=at.place, lines=tuple(lines), changes=(*row.changes, change), moved=at.place, moved_ok=True
    )  # fmt: skip


def _fits(view: View, stock: StockRow, channel: str, floor: str) -> int:
    units = max(takeable(stock, channel), 0)
    return min(units, room_of(view, stock, floor)) if floor and units else units


# -- counting and saying -----------------------------------------------------------------------------------------------


def _count(view: View, key: str, row: ReservationRow, at: At, log: PartitionRow, now: bool) -> Outcome:
    alerts: list[RaisedAlert] = []
    rows: dict[str, Any] = {key: row}
    change = change_at(row, at.place)
    if change is not None:
        count_change(view, rows, row, change, log, alerts)
        if alerts and now:  # a redelivered change says again what it said, whatever its rows say today
            changes = tuple(replace(x, alerts=tuple(alerts)) if x.at == at.place else x for x in row.changes)
            rows[key] = row = replace(row, changes=changes)
            change = change_at(row, at.place)
    said = alert_sends(change.alerts, at, log) if change is not None and change.alerts else []
    return Outcome(rows=rows, sends=[*said, *fill_notes(rows, at, log)])


def change_at(row: ReservationRow, place: int) -> Change | None:
    """The change that the record at `place` made."""
    for change in reversed(row.changes):
        if change.at == place:
            return change
    return None


def units_at(row: ReservationRow, place: int) -> list[int]:
    """Units per part that the reservation held after the record at `place`, as far as commands and fills changed it."""
    units = [0] * len(row.lines)
    for change in row.changes:
        if change.at > place:
            break
        for n, amount in enumerate(change.amounts):
            if row.lines[n].back:
                enters, leaves = change.before == "" or change.after == "back", change.before == "back"
            else:
                enters, leaves = change.before in ("", "back"), change.after == "back"
            units[n] += amount * (enters - (leaves or change.after == "released"))
    return units


def _parts(row: ReservationRow, place: int) -> list[r.Part]:
    return [
        r.Part(line.sku, units, line.location, line.back, line.due)
        for line, units in zip(row.lines, units_at(row, place), strict=True)
        if units
    ]


def _answer(row: ReservationRow, partition: int) -> Send:
    """The recorded answer, word for word the same however often it is asked for."""
    record = r.ReserveAnswered(
        id=f"{row.order_id}:{row.attempt}:{partition}", time=instant(row.asked_ms), order_id=row.order_id,
        attempt=row.attempt, partition=partition, parts=_parts(row, row.asked),
        refused=[r.Refusal(x.sku, x.quantity, x.reason, x.available) for x in row.lines if x.reason],
        could=list(row.could),
    )  # fmt: skip
    return Send(ORDERS, row.order_partition, None, record)


def _move_answer(row: ReservationRow, command: r.Move, at: At, log: PartitionRow) -> Send:
    record = r.MoveAnswered(
        id=f"{row.order_id}:{row.attempt}:{log.partition}:move", time="", order_id=row.order_id, attempt=row.attempt,
        partition=log.partition, moved=row.moved_ok, parts=_parts(row, row.moved) if row.moved else [],
    )  # fmt: skip
    return Send(ORDERS, command.order_partition, None, record)
