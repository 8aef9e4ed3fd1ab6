"""The records that belong to a log itself: opened, rules set, time told; each as a pure step on the partition row.

State time = max(state time, min(a tick's clock, the broker's stamp)), at most 60 s a tick: one wrong clock cannot make
everything expire. Guarantees: nothing here reads a clock. Does not belong here: what a deadline does.
"""

from __future__ import annotations

from msgspec.structs import replace

from tables import records as r
from tables.outcome import ORDERS, At, InvariantBroken, NewerLogic, Outcome, Send, View
from tables.rows import PARTITION_KEY, PartitionRow

# The newest rules this code knows. Since 2 a deadline counts from the broker's stamp (`order_states`), and a partial
# refund tells that the money was taken; since 3 a check may be passed before it is opened (`order_payments`); since 4
# what is told of an order's goods waits for its decision (`order_early`); since 5 units that are set apart leave last,
# scrapped ones first (`movements`, `shelf`), and what comes of a transfer is of the lots that were sent (`receiving`),
# whatever left comes back, to where it left from (`order_returns`).
LOGIC_VERSION = 6
TICK_MS_MAX = 60_000
DUE_MAX = 100  # orders one tick may wake; the rest follow by `tick_continued`


def opened(record: r.LogOpened, at: At, log: PartitionRow | None, partition: int) -> Outcome:
    """The first record of the partition: everything the rules of this log depend on."""
    if log is None:
        check_logic(record.logic_version)
        log = PartitionRow(
            at.place, record.log_id, partition, record.partitions, record.logic_version, record.limits, 0, 0
        )
    elif log.log_id != record.log_id:
        raise InvariantBroken(f"this partition belongs to log {log.log_id}; here begins log {record.log_id}")
    return Outcome(rows={PARTITION_KEY: log})


def logic_version_set(record: r.LogicVersionSet, at: At, log: PartitionRow) -> Outcome:
    """From here on the rules of this version hold; they never go back."""
    check_logic(record.version)
    if at.place <= log.at or record.version <= log.logic_version:
        return Outcome()
    return Outcome(rows={PARTITION_KEY: replace(log, at=at.place, logic_version=record.version)})


def check_logic(version: int) -> None:
    """`NewerLogic` if these rules are newer than this code."""
    if version > LOGIC_VERSION:
        raise NewerLogic(f"the log asks for rules {version}, this worker knows {LOGIC_VERSION}: start a newer worker")


def tick(record: r.Tick, at: At, log: PartitionRow) -> PartitionRow:
    """The partition row with its state time moved on; the row itself if this tick was applied before."""
    if at.place <= log.at:
        return log
    told = min(record.now_ms, at.ms)
    if not log.state_ms:
        return replace(log, at=at.place, state_ms=told, first_ms=told)
    return replace(log, at=at.place, state_ms=max(log.state_ms, min(told, log.state_ms + TICK_MS_MAX)))


def wake(view: View, at: At, log: PartitionRow) -> list[Send]:
    """Notes to the order log itself, one per order whose deadline has come, earliest first."""
    due = view.due(log.state_ms, log.first_ms, DUE_MAX + 1) if log.state_ms else []
    sends: list[Send] = [
        Send(ORDERS, log.partition, None, r.DeadlineReached(
            id=f"{order_id}:deadline:{deadline}", order_id=order_id, deadline_ms=deadline
        ))
        for deadline, order_id in due[:DUE_MAX]
    ]  # fmt: skip
    if len(due) > DUE_MAX:  # by the time it is read, the orders above are settled: they stand before it in this log
        sends.append(Send(ORDERS, log.partition, None, r.TickContinued(id=f"{log.log_id}:{log.partition}:{at.place}")))
    return sends


