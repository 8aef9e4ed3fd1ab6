"""Editing a confirmed order of which nothing was picked: all of its lines, or nothing at all.

Pure steps on the order's row. More units are asked for as an attempt of their own, and only once stock granted them all
are those that are less given back; meanwhile the order stays as it is. One edit at a time; the others wait, and so do
cancellations of units that are told behind one: what they take is of what the edit makes.
Does not belong here: how lines are given back (`order_cancels`).
"""

from __future__ import annotations

from msgspec.structs import replace

from tables import records as r
from tables.murmur2 import partition_of_sku
from tables.order_cancels import A_CANCEL, in_turn, taken_back
from tables.order_kits import more_kits
from tables.order_placing import bounded, kit_parts
from tables.order_progress import advance, owed_lines
from tables.order_states import UNDECIDED, add, deadline, noted
from tables.outcome import At, View
from tables.rows import Edit, Entry, EntryLine, KitLine, OrderLine, OrderRow, PartitionRow, WaitingEdit

ATTEMPTS_MAX = 100  # what a record's attempt may be
OTHER_UNITS = "an answer for other units than were asked"


def edited(row: OrderRow, record: r.OrderEdited, at: At, log: PartitionRow) -> OrderRow:
    """Take the edit down; `follow_up` begins it as soon as it may begin. A SKU named twice: the last total holds."""
    wanted = WaitingEdit(record.id, tuple({line.sku: line.quantity for line in record.lines}.items()))
    return replace(row, edits=(*row.edits, wanted))


def follow_up(view: View, row: OrderRow, at: At, log: PartitionRow) -> OrderRow:
    """After each record: begin the next edit, or give up those that can no longer be."""
    if row.state in UNDECIDED:
        return row
    if row.edit is not None and (why := _closed(row)):
        row = given_up(row, why, _asked_by(row, row.edit.attempt), at)
    while row.edits and row.edit is None:
        one, row = row.edits[0], replace(row, edits=row.edits[1:])
        row = in_turn(row, at) if one == A_CANCEL else _begin(view, row, one, at, log)
    return row


def answered(row: OrderRow, record: r.ReserveAnswered, at: At, log: PartitionRow) -> OrderRow | str:
    """Stock's answer to the units an edit adds. One refusal ends it; the last grant makes it hold."""
    edit = row.edit
    assert edit is not None
    awaited = tuple(p for p in row.awaited if p != record.partition)
    if record.refused:
        held = tuple(p for p in _asked_by(row, edit.attempt) if p != record.partition or record.parts)
        return given_up(replace(row, awaited=awaited), record.refused[0].reason, held, at)
    asked = {sku: n for sku, n in edit.more if partition_of_sku(sku, log.partitions) == record.partition}
    for part in record.parts:
        asked[part.sku] = asked.get(part.sku, 0) - part.quantity
    if any(asked.values()):
        return OTHER_UNITS
    lines = tuple(OrderLine(x.sku, x.quantity, x.location, 0, 0, 0, 0, "", edit.attempt) for x in record.parts)
    row = replace(row, awaited=awaited, lines=row.lines + lines)
    return row if awaited else _holds(replace(row, edit=None), edit, at)


def given_up(row: OrderRow, why: str, partitions: tuple[int, ...], at: At) -> OrderRow:
    """The edit that waits is over: what was granted for it is given back, the order stays as it was."""
    edit = row.edit
    assert edit is not None
    row = add(row, Entry(at.place, "give_back", at.ms, edit.attempt, partitions))
    lines = tuple(x for x in row.lines if x.attempt != edit.attempt)
    return _refused(replace(row, lines=lines, edit=None, deadline_ms=0), edit.id, why)


def no_answer(row: OrderRow, at: At) -> OrderRow:
    """Its deadline has come."""
    assert row.edit is not None
    return given_up(row, "no_answer", _asked_by(row, row.edit.attempt), at)


def _begin(view: View, row: OrderRow, wanted: WaitingEdit, at: At, log: PartitionRow) -> OrderRow:
    if why := _closed(row):
        return _refused(row, wanted.id, why)
    change = _change(view, row, wanted)
    if isinstance(change, str):
        return _refused(row, wanted.id, change)
    if not change.more:
        return _holds(row, change, at) if change.less or change.kits else row
    partitions = tuple(sorted({partition_of_sku(sku, log.partitions) for sku, _ in change.more}))
    entry = Entry(
        at.place, "ask", at.ms, change.attempt, partitions, status="edit", state_ms=log.state_ms,
        lines=tuple(EntryLine(sku, n, "") for sku, n in change.more),
    )  # fmt: skip
    return replace(
        row, attempt=change.attempt, awaited=partitions, edit=change,
        deadline_ms=deadline(log, log.limits.undecided_seconds, at), entries=(*row.entries, entry),
    )  # fmt: skip


def _change(view: View, row: OrderRow, wanted: WaitingEdit) -> Edit | str:
    """What the order lacks and has too much of, or why it cannot be edited so. A SKU's total is that of the units that
    are in no kit; a kit is what it was when the order first asked for it, a new one what it is now."""
    kits = {kit.kit: kit for kit in row.kits}
    single: dict[str, int] = {}  # units that are in no kit; negative: somebody took parts out of one
    for _, line in owed_lines(row):
        single[line.sku] = single.get(line.sku, 0) + line.open
    for kit in row.kits:
        for sku, units in kit.parts:
            single[sku] = single.get(sku, 0) - units * kit.whole
    missing: dict[str, int] = {}
    changed: list[KitLine] = []
    for name, total in wanted.lines:
        kit = kits.get(name)
        parts = kit.parts if kit else kit_parts(view, name)
        count = total - (kit.whole if kit else 0) if parts else total - single.get(name, 0)
        if parts and count:
            changed.append(KitLine(name, count, parts, 0))
        for sku, units in parts or ((name, 1),):
            if single.get(sku, 0) < 0:
                return "kit"
            missing[sku] = missing.get(sku, 0) + units * count
    more = tuple((sku, bounded(n)) for sku, n in missing.items() if n > 0)
    less = tuple((sku, -n) for sku, n in missing.items() if n < 0)
    if len(more) > r.LINES_MAX or len({*kits, *(x.kit for x in changed)}) > r.LINES_MAX:
        return "too_many_lines"
    if more and row.attempt >= ATTEMPTS_MAX:
        return "too_many_attempts"
    return Edit(wanted.id, row.attempt + 1 if more else 0, more, less, tuple(changed))


def _holds(row: OrderRow, edit: Edit, at: At) -> OrderRow:
    """The edit is decided: more is promoted first, then less is given back."""
    row = replace(row, deadline_ms=0)
    granted = _asked_by(row, edit.attempt) if edit.attempt else ()
    lines, given = taken_back(row, dict(edit.less))
    now = tuple(EntryLine(x.sku, x.open, x.location, back=x.back) for x in lines if x.open)
    entry = Entry(at.place, "edit", at.ms, edit.attempt or row.attempt, granted, "edited", "edited", lines=now)
    row = add(replace(row, lines=lines, kits=_edited_kits(row, edit)), entry)
    if given:
        row = add(row, Entry(at.place, "trim", at.ms, row.attempt, lines=given))
    return advance(row)


def _edited_kits(row: OrderRow, edit: Edit) -> tuple[KitLine, ...]:
    kits = {kit.kit: kit for kit in row.kits}
    for x in edit.kits:
        kits[x.kit] = more_kits(kits.get(x.kit), x.kit, x.quantity, x.parts)
    return tuple(kits.values())


def _closed(row: OrderRow) -> str:
    """Why an edit cannot be, or can no longer be; "" if it can."""
    if row.state != "confirmed":
        return row.state
    return "picked" if row.fulfilments else ""


def _refused(row: OrderRow, edit_id: str, why: str) -> OrderRow:
    return noted(row, f"edit {edit_id} refused: {why}")


def _asked_by(row: OrderRow, attempt: int) -> tuple[int, ...]:
    return next(x.partitions for x in reversed(row.entries) if x.kind == "ask" and x.attempt == attempt)
