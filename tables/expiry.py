"""What time alone does to lots: they expire, and people are told in good time.

Reads the lots whose day has come, by state time. Guarantees: decided once per tick, in a row of its own that stands
before what it counts; a tick that finds nothing leaves none, and is known by the partition row. More than `LOTS_MAX`
lots go on in further records, at the same state time. Does not belong here: what an expired lot is good for (`lots`).
"""

from __future__ import annotations

from typing import Any

from tables import log as log_rules
from tables import records as r
from tables.alerts import alert_sends
from tables.facts import count_all
from tables.lots import ordinal
from tables.movements import LOTS_MAX, Movements
from tables.outcome import WAREHOUSE, At, Outcome, Send, View
from tables.rows import PARTITION_KEY, FactRow, LotRow, PartitionRow, expiry_key


def tick(view: View, record: r.Tick, at: At, log: PartitionRow) -> Outcome:
    """State time moves on, and what is due by its new day is decided in the same step."""
    now = log_rules.tick(record, at, log)
    outcome = _expire(view, at, now, fresh=now is not log)
    outcome.rows[PARTITION_KEY] = now
    return outcome


def tick_continued(view: View, record: r.TickContinued, at: At, log: PartitionRow) -> Outcome:
    """The next lots. It always leaves its row: delivered again at a later state time it must not find more."""
    return _expire(view, at, log, fresh=True, always=True)


def _expire(view: View, at: At, log: PartitionRow, *, fresh: bool, always: bool = False) -> Outcome:
    key = expiry_key(at.place)
    row: FactRow | None = view.get(key)
    if row is None and fresh and log.state_ms:
        row = _decided(view, at, log)
        if row is None and always:
            row = FactRow(at.place, b"", (), (), 0, False)
    if row is None:
        return Outcome(rows={})
    rows: dict[str, Any] = {key: row}
    rows[key] = row = count_all(view, rows, row, at, log, now=view.get(key) is None)
    sends = alert_sends(row.alerts, at, log)
    if row.more:
        note = r.TickContinued(id=f"{log.log_id}:{log.partition}:{at.place}")
        sends.append(Send(WAREHOUSE, log.partition, None, note))
    return Outcome(rows=rows, sends=sends)


def _decided(view: View, at: At, log: PartitionRow) -> FactRow | None:
    m = Movements(view, at, log)
    day = ordinal(m.day)
    # A lot that a later record has changed was not due when this one came first, else its row would be here by now.
    due = [key for key in view.lots_due(day, LOTS_MAX + 1) if view.get(key).at < at.place]
    if not due:
        return None
    for key in due[:LOTS_MAX]:
        lot: LotRow = view.get(key)
        days = m.policy(lot.sku, lot.location).expiring_days
        if m.is_over(lot.best_before) and not lot.expired:
            m.move(lot, expired=True)
        elif days and not lot.warned and lot.on_hand and ordinal(lot.best_before) - day <= days:
            m.move(lot, warned=True)
            note = f"best before {lot.best_before}"
            m.alert(lot.sku, lot.location, "expiring", lot=lot.lot, units=lot.on_hand, note=note)
        else:
            m.move(lot)  # its policy or its units changed meanwhile: only its next day is another
    decision = m.decision()
    return FactRow(at.place, b"", decision.effects, decision.alerts, 0, len(due) > LOTS_MAX)
