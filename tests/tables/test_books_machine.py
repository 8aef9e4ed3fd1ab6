"""Stock and reservations under random traffic, checkpoints and crashes: the books always add up, and nothing that was
said is ever said otherwise.

A crash loses every row that was not written. What is written at a checkpoint may stop anywhere; the log is then
delivered again from the last committed offset. Rows and words must come out as they were.
"""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec.structs import replace

from tables import backorders, expiry, ledger, lots, recalls, shelf
from tables import log as log_rules
from tables import records as r
from tables.outcome import WAREHOUSE, Outcome, place_of
from tables.rows import PARTITION_KEY, in_writing_order
from tables.table import Table

SKUS, PLACES = ("A", "B"), ("W1", "W2")
# State time begins on 14 November 2023 and moves a day a tick: some are over then, some end on the way.
BEST_BEFORE = {"OLD": "2023-11-10", "SOON": "2023-11-17", "LATER": "2023-11-25", "2027": "2027-01-01", "UNDATED": None}
CHANNELS = ("", "shop", "picky")
OPEN = ("claimed", "held", "allocated")
DAY_MS = 86_400_000

skus, places, codes = st.sampled_from(SKUS), st.sampled_from(PLACES), st.sampled_from(tuple(BEST_BEFORE))
units = st.integers(1, 12)
orders = st.integers(1, 6).map("o{}".format)
attempts = st.integers(1, 2)
new_or_old = st.integers(0, 40)  # of a fact's id: some meet again
references = st.sampled_from(("P1", "P2"))


class Books(RuleBasedStateMachine):
    new_log: Any

    @initialize(safety_stock=st.integers(0, 3), reorder_point=st.integers(0, 8), expiring_days=st.integers(0, 5))
    def open(self, safety_stock: int, reorder_point: int, expiring_days: int) -> None:
        self.log = type(self).new_log()
        self.store = self.log.dict_store()
        self.log.table = Table(self.store)
        self.opened = self.log.state
        self.said: dict[int, Outcome] = {}
        self.committed = self.log.end + 1
        self.facts = 0
        self.notes: list[Any] = []
        for sku in SKUS:
            self.write(r.PolicySet(
                id=f"p{sku}", sku=sku, safety_stock=safety_stock, reorder_point=reorder_point, backorder_limit=15,
                expiring_days=expiring_days, count_tolerance=6,
            ))  # fmt: skip
        self.write(r.ChannelSet(id="c", channel="picky", minimum_life_days=3, promise_days=1, policy="backorder"))

    # ---- traffic

    def write(self, record: Any, ms: int = 0) -> Outcome:
        outcome = self.log.append(record, ms)
        self.said[self.log.end] = outcome
        self.notes += [x.record for x in outcome.sends if x.topic == WAREHOUSE]
        return outcome

    def fact(self, kind: type, chance: int, **fields: Any) -> Outcome:
        self.facts += 1
        return self.write(kind(id=f"f{min(chance, self.facts)}" if chance < 8 else f"f{self.facts}", **fields))

    @rule(sku=skus, location=places, quantity=units, lot=codes, chance=new_or_old, reference=st.just("") | references)
    def received(self, sku: str, location: str, quantity: int, lot: str, chance: int, reference: str) -> None:
        self.fact(
            r.Received, chance, sku=sku, location=location, quantity=quantity, lot=lot, best_before=BEST_BEFORE[lot],
            reference=reference,
        )  # fmt: skip

    @rule(sku=skus, location=places, quantity=st.integers(-12, 12), lot=st.none() | codes, chance=new_or_old)
    def adjusted(self, sku: str, location: str, quantity: int, lot: str | None, chance: int) -> None:
        self.fact(
            r.Adjusted, chance, sku=sku, location=location, quantity=quantity, lot=lot, reason="correction"
        )  # fmt: skip

    @rule(
        sku=skus, location=places, quantity=st.integers(0, 12), lot=codes, age=st.integers(0, 6), chance=new_or_old,
        recount=st.booleans(),
    )  # fmt: skip
    def counted(self, sku: str, location: str, quantity: int, lot: str, age: int, chance: int, recount: bool) -> None:
        as_of = max(self.log.end - age, 0)
        self.fact(
            r.Counted, chance, sku=sku, location=location, quantity=quantity, lot=lot, as_of_offset=as_of,
            recount=recount,
        )  # fmt: skip

    @rule(
        sku=skus, location=places, quantity=units, lot=st.none() | codes, order=st.none() | orders, attempt=attempts,
        chance=new_or_old,
    )  # fmt: skip
    def shipped(
        self, sku: str, location: str, quantity: int, lot: str | None, order: str | None, attempt: int, chance: int
    ) -> None:
        self.fact(
            r.Shipped, chance, sku=sku, location=location, quantity=quantity, lot=lot, order_id=order, attempt=attempt
        )  # fmt: skip

    @rule(
        sku=skus, location=places, quantity=st.integers(0, 6), short=st.integers(0, 4), lot=st.none() | codes,
        order=orders, attempt=attempts, chance=new_or_old,
    )  # fmt: skip
    def picked(
        self, sku: str, location: str, quantity: int, short: int, lot: str | None, order: str, attempt: int,
        chance: int,
    ) -> None:  # fmt: skip
        self.fact(
            r.Picked, chance, sku=sku, location=location, quantity=quantity, short=short, lot=lot, order_id=order,
            attempt=attempt,
        )  # fmt: skip

    @rule(
        sku=skus, location=places, quantity=units, lot=st.none() | codes, chance=new_or_old,
        disposition=st.sampled_from(("restock", "scrap", "quarantine", "to_supplier")),
    )  # fmt: skip
    def returned(self, sku: str, location: str, quantity: int, lot: str | None, disposition: str, chance: int) -> None:
        self.fact(
            r.Returned, chance, sku=sku, location=location, quantity=quantity, lot=lot, disposition=disposition
        )  # fmt: skip

    @rule(
        sku=skus, location=places, quantity=units, lot=codes, chance=new_or_old,
        condition=st.sampled_from(("damaged", "quarantined", "good")),
    )  # fmt: skip
    def condition_changed(self, sku: str, location: str, quantity: int, lot: str, condition: str, chance: int) -> None:
        self.fact(
            r.ConditionChanged, chance, sku=sku, location=location, quantity=quantity, lot=lot, condition=condition
        )  # fmt: skip

    @rule(
        sku=skus, out=places, quantity=units, lot=st.none() | codes, reference=references, chance=new_or_old,
        comes=st.booleans(), final=st.booleans(),
    )  # fmt: skip
    def transferred(
        self, sku: str, out: str, quantity: int, lot: str | None, reference: str, chance: int, comes: bool,
        final: bool,
    ) -> None:  # fmt: skip
        to = PLACES[1 - PLACES.index(out)]
        if comes:
            self.fact(
                r.TransferredIn, chance, sku=sku, location=to, quantity=quantity, lot=lot, reference=reference,
                final=final,
            )  # fmt: skip
        else:
            self.fact(
                r.TransferredOut, chance, sku=sku, location=out, to=to, quantity=quantity, lot=lot,
                reference=reference,
            )  # fmt: skip

    @rule(
        sku=skus, location=places, quantity=units, reference=references, chance=new_or_old,
        kind=st.sampled_from((r.PurchaseOrdered, r.PurchaseConfirmed, r.PurchaseNotified, r.PurchaseClosed)),
    )  # fmt: skip
    def purchase(self, sku: str, location: str, quantity: int, reference: str, kind: type, chance: int) -> None:
        more: dict[str, Any] = {} if kind is r.PurchaseClosed else {"quantity": quantity, "expected": "2023-12-01"}
        self.fact(kind, chance, sku=sku, location=location, reference=reference, **more)

    @rule(location=places, quantity=units, lot=codes, chance=new_or_old, made=st.booleans())
    def kit(self, location: str, quantity: int, lot: str, chance: int, made: bool) -> None:
        parts = [r.KitPartUsed("B", 2 * quantity), r.KitPartUsed("C", quantity)]
        kind = r.KitAssembled if made else r.KitDisassembled
        self.fact(kind, chance, sku="A", location=location, quantity=quantity, lot=lot, parts=parts)

    @rule(sku=skus, lot=codes, status=st.sampled_from(("approved", "inspection", "on_hold")), chance=new_or_old)
    def lot_status_set(self, sku: str, lot: str, status: str, chance: int) -> None:
        self.fact(r.LotStatusSet, chance, sku=sku, lot=lot, status=status)

    @rule(sku=skus, lot=codes, best_before=st.sampled_from(("2023-11-16", "2023-11-30")), chance=new_or_old)
    def lot_defined(self, sku: str, lot: str, best_before: str, chance: int) -> None:
        self.fact(r.LotDefined, chance, sku=sku, lot=lot, best_before=best_before)

    @rule(lot=codes, only=st.lists(skus, max_size=1), mock=st.booleans(), opens=st.booleans(), chance=new_or_old)
    def recall(self, lot: str, only: list[str], mock: bool, opens: bool, chance: int) -> None:
        if opens:
            self.fact(r.RecallOpened, chance, lot=lot, skus=only, mock=mock)
        else:
            self.fact(r.RecallClosed, chance, lot=lot)

    @rule(
        sku=skus, location=st.none() | places, safety_stock=st.integers(0, 4), expiring_days=st.integers(0, 5),
        chance=new_or_old,
    )  # fmt: skip
    def policy_set(self, sku: str, location: str | None, safety_stock: int, expiring_days: int, chance: int) -> None:
        self.fact(
            r.PolicySet, chance, sku=sku, location=location, safety_stock=safety_stock, reorder_point=3,
            backorder_limit=15, expiring_days=expiring_days,
        )  # fmt: skip

    @rule(sku=skus, location=places, ring_fence=st.integers(0, 5), buffer=st.integers(0, 3), chance=new_or_old)
    def channel_stock_set(self, sku: str, location: str, ring_fence: int, buffer: int, chance: int) -> None:
        self.fact(
            r.ChannelStockSet, chance, sku=sku, location=location, channel="shop", ring_fence=ring_fence,
            buffer=buffer,
        )  # fmt: skip

    @rule(
        order=orders, attempt=attempts, quantities=st.dictionaries(skus, units, min_size=1),
        locations=st.permutations(PLACES), channel=st.sampled_from(CHANNELS),
        policy=st.sampled_from(("all_or_nothing", "ship_available", "backorder")),
    )  # fmt: skip
    def reserve(
        self, order: str, attempt: int, quantities: dict[str, int], locations: list[str], channel: str, policy: str
    ) -> None:
        """A grant never promises more than there is."""
        free = {key: ledger.available(row) for key, row in self.log.rows("stock").items()}
        known = self.log.reservation(order, attempt) is not None
        lines = [r.Line(sku, quantity) for sku, quantity in quantities.items()]
        outcome = self.write(r.Reserve(
            id=f"{order}:{attempt}:0", order_id=order, attempt=attempt, order_partition=0, lines=lines,
            locations=locations, channel=channel, policy=policy,
        ))  # fmt: skip
        if outcome.dead or known:
            return
        for part in outcome.sends[0].record.parts:
            assert part.backordered or part.quantity <= free[f"stock|{part.sku}|{part.location}"]

    @rule(kind=st.sampled_from((r.Hold, r.Allocate, r.Release)), order=orders, attempt=attempts)
    def command(self, kind: type, order: str, attempt: int) -> None:
        self.write(kind(id=f"{order}:{attempt}:0", order_id=order, attempt=attempt))

    @rule(order=orders, attempt=attempts, moved=st.dictionaries(skus, places, min_size=1))
    def move(self, order: str, attempt: int, moved: dict[str, str]) -> None:
        """Asked once stock has answered, as the order agent does."""
        lines = [r.MoveLine(sku, location) for sku, location in moved.items()]
        if self.log.reservation(order, attempt) is None:
            return
        self.write(r.Move(
            id=f"{order}:{attempt}:0:move", order_id=order, attempt=attempt, order_partition=0, lines=lines
        ))  # fmt: skip

    @rule(
        kind=st.sampled_from((r.Release, r.Backorder)), order=orders, attempt=attempts, sku=skus, quantity=units,
        location=st.just("") | places, number=st.integers(1, 3),
    )  # fmt: skip
    def some(self, kind: type, order: str, attempt: int, sku: str, quantity: int, location: str, number: int) -> None:
        self.write(kind(
            id=f"{order}:{attempt}:0:{number}", order_id=order, attempt=attempt,
            lines=[r.ReleaseLine(sku, quantity, location)],
        ))  # fmt: skip

    @rule(days=st.sampled_from((0, 0, 1)))
    def tick(self, days: int) -> None:
        now_ms = self.log.state.state_ms + days * DAY_MS + 1_000
        self.write(r.Tick(id=f"t{self.log.end}", now_ms=now_ms), ms=now_ms)

    @precondition(lambda self: self.notes)
    @rule(chance=st.integers(0, 1_000_000), twice=st.booleans())
    def note(self, chance: int, twice: bool) -> None:
        """What the agent tells itself, and the partitions of parts, may come late, in any order, and twice."""
        place = chance % len(self.notes)
        self.write(self.notes[place] if twice else self.notes.pop(place))

    # ---- faults

    @rule(chance=st.integers(0, 1_000_000))
    def deliver_again(self, chance: int) -> None:
        """An old record at its old place, as after a rebalance that lost a commit."""
        if self.said:
            offset = sorted(self.said)[chance % len(self.said)]
            before = self.log.rows()
            self.assert_said_again(offset)
            assert self.log.rows() == before

    @rule(committed=st.booleans())
    def checkpoint(self, committed: bool) -> None:
        """All rows are written, the partition row last; the commit after it may be lost."""
        self.store.rows.update(self.log.table.take_dirty())
        self.store.rows[PARTITION_KEY] = replace(self.log.state, at=place_of(self.log.end + 1) - 1)
        if committed:
            self.committed = self.log.end + 1

    @precondition(lambda self: self.log.end >= self.committed)
    @rule(written=st.integers(0, 1_000_000))
    def crash(self, written: int) -> None:
        """In the middle of a checkpoint: outcome rows go first, the rows that count them after."""
        live, state_ms = self.rows(), self.log.state.state_ms
        dirty = self.log.table.take_dirty()
        dirty.pop(PARTITION_KEY, None)
        ordered = [key for key, _ in in_writing_order(dirty)]
        for key in ordered[: written % (len(ordered) + 1)]:
            self.store.rows[key] = dirty[key]
        self.log.table = Table(self.store)
        self.log.state = self.store.rows.get(PARTITION_KEY, self.opened)
        for offset in range(self.committed, self.log.end + 1):
            self.assert_said_again(offset)
        assert self.rows() == live
        assert self.log.state.state_ms == state_ms

    def rows(self) -> dict[str, Any]:
        return {key: row for key, row in self.log.rows().items() if key != PARTITION_KEY}

    def assert_said_again(self, offset: int) -> None:
        """Word for word, but for notes about backorders: those are said from the rows as they stand."""
        again, before = self.log.deliver(offset), self.said[offset]
        assert words(again) == words(before)
        assert again.dead == before.dead

    # ---- what always holds

    @invariant()
    def a_stock_row_is_the_sum_of_its_lots(self) -> None:
        on_hand: Counter[str] = Counter()
        unavailable: Counter[str] = Counter()
        for row in self.log.rows("lot").values():
            assert 0 <= row.blocked <= row.on_hand
            on_hand[f"stock|{row.sku}|{row.location}"] += row.on_hand
            unavailable[f"stock|{row.sku}|{row.location}"] += lots.unavailable(row)
        for key, row in self.log.rows("stock").items():
            q = ledger.quantities(row)
            assert (row.on_hand, row.unavailable) == (on_hand[key], unavailable[key])
            assert row.on_hand == q.available + q.reserved + q.allocated + q.safety_stock + q.unavailable
            assert min(*q, row.claimed, row.held, row.allocated) >= 0

    @invariant()
    def every_unit_a_lot_has_stands_in_its_traces(self) -> None:
        traced: Counter[tuple[str, str, str]] = Counter()
        for row in self.log.rows("trace").values():
            if row.kind not in ("picked", "scrapped", "to_supplier"):
                traced[row.sku, row.location, row.lot] += row.units
        for row in self.log.rows("lot").values():
            assert row.on_hand == traced[row.sku, row.location, row.lot]

    @invariant()
    def counters_are_the_open_units_of_the_reservations(self) -> None:
        owed: Counter[tuple[str, str]] = Counter()
        for row in self.log.rows("res").values():
            for line in row.lines:
                assert 0 <= line.open <= line.quantity
                assert not line.open or row.state in OPEN
                place = f"stock|{line.sku}|{line.location}"
                owed[place, "backordered" if line.back else row.state] += line.open
                if line.floor and not line.back:
                    owed[place, line.floor] += line.open
        queued: Counter[str] = Counter()
        for row in self.log.rows("queue").values():
            queued[f"stock|{row.sku}|{row.location}"] += row.units
        for key, row in self.log.rows("stock").items():
            for counter in (*OPEN, "backordered"):
                assert getattr(row, counter) == owed[key, counter]
            assert row.backordered == queued[key]
            assert {x.day: x.units for x in row.floors} == {
                day: n for (place, day), n in owed.items() if place == key and day[:1] == "2" and n
            }

    @invariant()
    def a_lot_knows_the_next_day_that_changes_it(self) -> None:
        today = date.fromisoformat(lots.today(self.log.state)).toordinal()
        told = any(isinstance(x, r.TickContinued) for x in self.notes)
        for row in self.log.rows("lot").values():
            days = self.log.stock(row.sku, row.location).policy.expiring_days
            warned = row.warned or row.on_hand == 0
            if not told:
                assert row.due == lots.due(row.best_before, days, expired=row.expired, warned=warned)
            if row.best_before and not told and row.due > today:
                assert row.expired == (row.best_before < lots.today(self.log.state))

    @invariant()
    def a_lot_is_recalled_while_its_recall_is_open(self) -> None:
        if any(isinstance(x, r.LotsContinued) for x in self.notes):
            return
        for row in self.log.rows("lot").values():
            recall = self.log.table.get(f"recall|{row.lot}")
            covers = recall is not None and recall.state == "open" and not recall.mock
            covers = covers and (not recall.skus or row.sku in recall.skus)
            assert (row.status == "recalled") == covers


def words(outcome: Outcome) -> list[Any]:
    return [x for x in outcome.sends if not isinstance(x.record, r.FillBackorders)]


def test_the_books_add_up_whatever_comes_and_whoever_dies(new_stock_log: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """With limits so small that whatever goes on in further records does so."""
    monkeypatch.setattr(log_rules, "TICK_MS_MAX", DAY_MS + 1_000)
    monkeypatch.setattr(backorders, "FILLS_MAX", 1)
    for module in (recalls, expiry):
        monkeypatch.setattr(module, "LOTS_MAX", 1)
    monkeypatch.setattr(shelf, "LOTS_MAX", 100)
    machine = type("BooksOfThisTest", (Books,), {"new_log": staticmethod(new_stock_log)}).TestCase
    machine.settings = settings(
        derandomize=True, max_examples=250, stateful_step_count=40, deadline=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    machine().runTest()
