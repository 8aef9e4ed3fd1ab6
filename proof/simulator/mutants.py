"""Deliberate defects: each breaks one rule, and the simulator must notice. What it would not notice, it does not prove.

A defect of durability is a `Discipline` with one method changed; a defect of the rules is a step around the real step.
Guarantees: the product's code is left as it is. Does not belong here: how a defect is found (`tests/proof`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any, NamedTuple

from msgspec.structs import replace

from proof.audit.seen import Seen
from proof.simulator.run import Roles
from proof.simulator.sending import ROWS, Place, Sending
from proof.simulator.worker import Discipline, Mark
from tables import records as r
from tables.murmur2 import partition_of_sku
from tables.outcome import Outcome
from tables.rows import PARTITION_KEY, ChannelRow, OrderRow, ReservationRow, expiry_key, fact_key

Step = Callable[[Any, Any, Any, Any], Outcome]


# -- durability --------------------------------------------------------------------------------------------------------


class CommitsBeforeFlush(Discipline):
    """X7, P5: the offset is committed while answers and rows are still on their way."""

    def is_durable(self, sending: Sending, mark: dict[Place, int]) -> bool:
        return True


class CommitsBeforeRows(Discipline):
    """X7: the offset waits for the answers, not for the rows."""

    def is_durable(self, sending: Sending, mark: dict[Place, int]) -> bool:
        return sending.has_landed({place: sent for place, sent in mark.items() if place[0] != ROWS})


class StockRowsFirst(Discipline):
    """X3, X8: the rows that count a decision are written before the decision."""

    def order(self, dirty: dict[str, Any]) -> list[tuple[str, Any]]:
        return super().order(dirty)[::-1]


class PartitionRowFirst(Discipline):
    """P4: the partition row does not stand last."""

    partition_row_last = False


class LastWriteWins(Discipline):
    """Recovery takes the last record of a row, not its highest version."""

    def is_newer(self, theirs: bytes, ours: bytes) -> bool:
        return True


class WriterNotInKey(Discipline):
    """X5, X9: all writers share a row's key, so that compaction may keep a zombie's older copy alone."""

    def key(self, key: str, writer: str) -> bytes:
        return f"{key}|all".encode()


class DeletesTooEarly(Discipline):
    """X6: older writers' copies are deleted before the own copy landed."""

    deletes_too_early = True


class TrustsItsStore(Discipline):
    """Z14k: a kept store is used whatever other writers did meanwhile: recovery starts at its own offset."""

    def trusts(self, mark: Mark, newer: list[Seen]) -> bool:
        return True


class KeepsStoreAfterCrash(Discipline):
    """A5: a store that was not closed cleanly is used again."""

    def keeps_after_crash(self) -> bool:
        return True

    def trusts(self, mark: Mark, newer: list[Seen]) -> bool:
        return True


class NeverSweeps(Discipline):
    """R11: views are not published again, so that a zombie's older view stays the last word."""

    def publishes_again(self) -> bool:
        return False

    def sweeps(self) -> bool:
        return False


class MoveCountedFirst(Discipline):
    """X3 for moves: the stock rows that count a move are written before the reservation that records it."""

    def order(self, dirty: dict[str, Any]) -> list[tuple[str, Any]]:
        return sorted(super().order(dirty), key=lambda item: isinstance(item[1], ReservationRow) and item[1].moved > 0)


# -- rules -------------------------------------------------------------------------------------------------------------


class _Seeing:
    """A view in which some rows look different than they are."""

    def __init__(self, view: Any, shown: Callable[[str, Any], Any]) -> None:
        self._view, self._shown = view, shown
        self.below, self.due, self.lots_of, self.lots_due = view.below, view.due, view.lots_of, view.lots_due

    def get(self, key: str) -> Any:
        return self._shown(key, self._view.get(key))


def _hiding(view: Any, hidden: str) -> _Seeing:
    """A view in which one row is not there."""
    return _Seeing(view, lambda key, row: None if key == hidden else row)


def _dedupe_lost(step: Step) -> Step:
    """A0: a fact is applied as often as it comes."""

    def broken(view: Any, record: Any, at: Any, log: Any) -> Outcome:
        return step(_hiding(view, fact_key(record.id)), record, at, log)

    return broken


def _decides_again(step: Step) -> Step:
    """X2: a redelivered command is decided again, though its decision is on record."""

    def broken(view: Any, record: Any, at: Any, log: Any) -> Outcome:
        if type(record) is r.Reserve:
            row = view.get(key := f"res|{record.order_id}|{record.attempt}")
            if row is not None and row.asked == at.place:
                return step(_hiding(view, key), record, at, log)
        return step(view, record, at, log)

    return broken


def _clock_used(step: Step) -> Step:
    """N1: a step reads a clock."""
    clock = count(1_800_000_000_000)

    def broken(view: Any, record: Any, at: Any, log: Any) -> Outcome:
        return step(view, record, replace(at, ms=next(clock)), log)

    return broken


def _deadline_by_clock(step: Step) -> Step:
    """N1: whether a deadline has come is read from a clock, not from the log."""
    clock = count(1_600_000_000_000, 3_000_000_000)

    def broken(view: Any, record: Any, at: Any, log: Any) -> Outcome:
        if type(record) is r.DeadlineReached and log.state_ms:
            log = replace(log, state_ms=next(clock) % 200_000_000_000 + 1_600_000_000_000)
        return step(view, record, at, log)

    return broken


def _release_ignored(step: Step) -> Step:
    """What a rejected order held stays held."""

    def broken(view: Any, record: Any, at: Any, log: Any) -> Outcome:
        return Outcome() if type(record) is r.Release else step(view, record, at, log)

    return broken


def _tombstone_missing(step: Step) -> Step:
    """O7: a release before its reserve leaves nothing."""

    def broken(view: Any, record: Any, at: Any, log: Any) -> Outcome:
        if type(record) is r.Release and view.get(f"res|{record.order_id}|{record.attempt}") is None:
            return Outcome()
        return step(view, record, at, log)

    return broken


def _answers_not_repeated(step: Step) -> Step:
    """P3: a redelivered record puts its rows again, and says nothing."""

    def broken(view: Any, record: Any, at: Any, log: Any) -> Outcome:
        outcome = step(view, record, at, log)
        seen = [view.get(key) for key in outcome.rows if key != PARTITION_KEY]
        again = any(row is not None and row.at >= at.place for row in seen)
        return Outcome(rows=outcome.rows) if again and type(record) is not r.Tick else outcome

    return broken


def _duplicate_answers_counted(step: Step) -> Step:
    """An order counts answers instead of knowing which partition gave them."""

    def broken(view: Any, record: Any, at: Any, log: Any) -> Outcome:
        if type(record) is r.ReserveAnswered:
            row = view.get(f"order|{record.order_id}")
            again = row is not None and row.at < at.place and record.attempt == row.attempt
            if again and row.awaited and record.partition not in row.awaited and record.parts:
                other, place = row.awaited[0], record.parts[0].location
                mine = [x for x in row.lines if partition_of_sku(x.sku, log.partitions) == other]
                record = replace(record, partition=other, parts=[r.Part(x.sku, x.quantity, place) for x in mine])
        return step(view, record, at, log)

    return broken


def _rows_not_put_again(step: Step) -> Step:
    """P3: a redelivered record does not put its rows under the new writer's key."""

    def broken(view: Any, record: Any, at: Any, log: Any) -> Outcome:
        outcome = step(view, record, at, log)
        changed = {key: row for key, row in outcome.rows.items() if view.get(key) != row}
        return Outcome(rows=changed, sends=outcome.sends, dead=outcome.dead)

    return broken


def _late_grant_kept(step: Step) -> Step:
    """R6: an ok that comes after the decision is not given back."""

    def broken(view: Any, record: Any, at: Any, log: Any) -> Outcome:
        if type(record) is r.ReserveAnswered:
            row = view.get(f"order|{record.order_id}")
            if row is not None and row.state != "pending" and row.at < at.place:
                return Outcome()
        return step(view, record, at, log)

    return broken


def _expiry_decided_again(step: Step) -> Step:
    """X2 for time: a tick delivered again looks anew for lots that are due, though what it found is on record."""

    def broken(view: Any, record: Any, at: Any, log: Any) -> Outcome:
        if type(record) in (r.Tick, r.TickContinued):
            return step(_hiding(view, expiry_key(at.place)), record, at, log)
        return step(view, record, at, log)

    return broken


def _fill_decided_again(step: Step) -> Step:
    """X2 for backorders: a note delivered again serves who waits now, though whom it served is on record."""

    def broken(view: Any, record: Any, at: Any, log: Any) -> Outcome:
        if type(record) is r.FillBackorders:
            row = view.get(key := fact_key(record.id))
            if row is not None and row.at == at.place:
                return step(_hiding(view, key), record, at, log)
        return step(view, record, at, log)

    return broken


def _queue_reversed(step: Step) -> Step:
    """The newest backorder is filled first."""

    def broken(view: Any, record: Any, at: Any, log: Any) -> Outcome:
        seeing = _Seeing(view, lambda key, row: row)
        below = view.below
        seeing.below = lambda prefix: below(prefix)[::-1] if prefix.startswith("queue|") else below(prefix)
        return step(seeing, record, at, log)

    return broken


def _floors_ignored(step: Step) -> Step:
    """A channel is promised lots that do not live long enough for it."""

    def shown(key: str, row: Any) -> Any:
        return replace(row, minimum_life_days=0, promise_days=0) if isinstance(row, ChannelRow) else row

    def broken(view: Any, record: Any, at: Any, log: Any) -> Outcome:
        return step(_Seeing(view, shown) if type(record) is r.Reserve else view, record, at, log)

    return broken


def _kit_parts_told_once(step: Step) -> Step:
    """P3 for kits: the parts of a kit hear nothing when its record comes again."""

    def broken(view: Any, record: Any, at: Any, log: Any) -> Outcome:
        known = isinstance(record, r.KitAssembled | r.KitDisassembled) and view.get(fact_key(record.id)) is not None
        outcome = step(view, record, at, log)
        if known:
            outcome.sends = [x for x in outcome.sends if type(x.record) is not r.KitPartMoved]
        return outcome

    return broken


def _returns_counted_twice(step: Step) -> Step:
    """What was inspected before may be inspected again."""

    def broken(view: Any, record: Any, at: Any, log: Any) -> Outcome:
        def shown(key: str, row: Any) -> Any:
            if not isinstance(row, OrderRow) or row.at >= at.place:
                return row
            return replace(row, lines=tuple(replace(x, returned=0) for x in row.lines))

        return step(_Seeing(view, shown) if type(record) is r.ReturnInspected else view, record, at, log)

    return broken


class Mutant(NamedTuple):
    """`seeds`: so many find it for certain; 0: a directed scenario does."""

    name: str
    seeds: int
    discipline: type[Discipline] = Discipline
    orders: Callable[[Step], Step] | None = None
    warehouse: Callable[[Step], Step] | None = None

    def roles(self, roles: Roles) -> Roles:
        """The roles with this defect in their steps."""
        broken = {"orders": self.orders, "warehouse": self.warehouse}
        return {
            topic: role._replace(step=wrap(role.step)) if (wrap := broken[topic]) else role
            for topic, role in roles.items()
        }  # fmt: skip


MUTANTS: tuple[Mutant, ...] = (
    Mutant("commit before flush", 200, CommitsBeforeFlush),
    Mutant("commit before rows", 200, CommitsBeforeRows),
    Mutant("stock rows before reservation rows", 200, StockRowsFirst),
    Mutant("partition row first", 200, PartitionRowFirst),
    Mutant("last write wins", 200, LastWriteWins),
    Mutant("writer missing from the key", 200, WriterNotInKey),
    Mutant("old keys deleted too early", 200, DeletesTooEarly),
    Mutant("recovery starts at the kept store", 200, TrustsItsStore),
    Mutant("store kept after a crash", 200, KeepsStoreAfterCrash),
    Mutant("views never published again", 200, NeverSweeps),
    Mutant("dedupe lost", 200, warehouse=_dedupe_lost),
    Mutant("decided again on redelivery", 200, warehouse=_decides_again),
    Mutant("clock used in a stock step", 200, warehouse=_clock_used),
    Mutant("clock used in an order step", 200, orders=_deadline_by_clock),
    Mutant("release ignored", 200, warehouse=_release_ignored),
    Mutant("tombstone missing", 0, warehouse=_tombstone_missing),
    Mutant("stock answers not repeated", 200, warehouse=_answers_not_repeated),
    Mutant("order decisions not repeated", 200, orders=_answers_not_repeated),
    Mutant("duplicate answers counted", 200, orders=_duplicate_answers_counted),
    Mutant("late grant kept", 200, orders=_late_grant_kept),
    Mutant("rows not put again, store kept after a crash", 200, KeepsStoreAfterCrash, _rows_not_put_again,
           _rows_not_put_again),
    Mutant("move counted before it is recorded", 0, MoveCountedFirst),
    Mutant("expiry decided again on redelivery", 200, warehouse=_expiry_decided_again),
    Mutant("fill decided again on redelivery", 200, warehouse=_fill_decided_again),
    Mutant("queue order reversed", 0, warehouse=_queue_reversed),
    Mutant("floors ignored", 0, warehouse=_floors_ignored),
    Mutant("kit parts told only once", 0, warehouse=_kit_parts_told_once),
    Mutant("returns counted twice", 0, orders=_returns_counted_twice),
)  # fmt: skip


def by_name() -> Iterator[tuple[str, Mutant]]:
    """Every defect by its name."""
    return ((mutant.name, mutant) for mutant in MUTANTS)
