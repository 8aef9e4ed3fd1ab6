"""Stock and reservations under random traffic, checkpoints and crashes: the books always add up, and nothing that was
said is ever said otherwise.

A crash loses every row that was not written. What is written at a checkpoint may stop anywhere; the log is then
delivered again from the last committed offset. Rows and words must come out as they were.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tables import ledger
from tables import records as r
from tables.outcome import Outcome
from tables.rows import in_writing_order
from tables.table import Table

SKUS, PLACES, LOTS = ("A", "B"), ("W1", "W2"), ("2027", "2028", "UNDATED")
OPEN = ("claimed", "held", "allocated")

skus, places, lots = st.sampled_from(SKUS), st.sampled_from(PLACES), st.sampled_from(LOTS)
units = st.integers(1, 12)
orders = st.integers(1, 6).map("o{}".format)
attempts = st.integers(1, 2)
new_or_old = st.integers(0, 40)  # of a fact's id: some meet again


class Books(RuleBasedStateMachine):
    new_log: Any

    @initialize(safety_stock=st.integers(0, 3), reorder_point=st.integers(0, 8))
    def open(self, safety_stock: int, reorder_point: int) -> None:
        self.log = type(self).new_log()
        self.store = self.log.dict_store()
        self.log.table = Table(self.store)
        self.said: dict[int, Outcome] = {}
        self.committed = self.log.end + 1
        self.facts = 0
        for sku in SKUS:
            self.write(r.PolicySet(id=f"p{sku}", sku=sku, safety_stock=safety_stock, reorder_point=reorder_point))

    # ---- traffic

    def write(self, record: Any) -> Outcome:
        outcome = self.log.append(record)
        self.said[self.log.end] = outcome
        return outcome

    def fact(self, kind: type, chance: int, **fields: Any) -> Outcome:
        self.facts += 1
        return self.write(kind(id=f"f{min(chance, self.facts)}" if chance < 8 else f"f{self.facts}", **fields))

    @rule(sku=skus, location=places, quantity=units, lot=lots, chance=new_or_old)
    def received(self, sku: str, location: str, quantity: int, lot: str, chance: int) -> None:
        best_before = None if lot == "UNDATED" else f"{lot}-01-01"
        self.fact(
            r.Received, chance, sku=sku, location=location, quantity=quantity, lot=lot, best_before=best_before
        )  # fmt: skip

    @rule(sku=skus, location=places, quantity=st.integers(-12, 12), lot=st.none() | lots, chance=new_or_old)
    def adjusted(self, sku: str, location: str, quantity: int, lot: str | None, chance: int) -> None:
        self.fact(
            r.Adjusted, chance, sku=sku, location=location, quantity=quantity, lot=lot, reason="correction"
        )  # fmt: skip

    @rule(sku=skus, location=places, quantity=st.integers(0, 12), lot=lots, age=st.integers(0, 6), chance=new_or_old)
    def counted(self, sku: str, location: str, quantity: int, lot: str, age: int, chance: int) -> None:
        as_of = max(self.log.end - age, 0)
        self.fact(
            r.Counted, chance, sku=sku, location=location, quantity=quantity, lot=lot, as_of_offset=as_of
        )  # fmt: skip

    @rule(
        sku=skus, location=places, quantity=units, lot=st.none() | lots, order=st.none() | orders, attempt=attempts,
        chance=new_or_old,
    )  # fmt: skip
    def shipped(
        self, sku: str, location: str, quantity: int, lot: str | None, order: str | None, attempt: int, chance: int
    ) -> None:
        self.fact(
            r.Shipped, chance, sku=sku, location=location, quantity=quantity, lot=lot, order_id=order, attempt=attempt
        )  # fmt: skip

    @rule(sku=skus, location=st.none() | places, safety_stock=st.integers(0, 4), chance=new_or_old)
    def policy_set(self, sku: str, location: str | None, safety_stock: int, chance: int) -> None:
        self.fact(r.PolicySet, chance, sku=sku, location=location, safety_stock=safety_stock, reorder_point=3)

    @rule(
        order=orders, attempt=attempts, quantities=st.dictionaries(skus, units, min_size=1),
        locations=st.permutations(PLACES),
    )  # fmt: skip
    def reserve(self, order: str, attempt: int, quantities: dict[str, int], locations: list[str]) -> None:
        """A grant never promises more than there is."""
        free = {key: ledger.available(row) for key, row in self.log.rows("stock").items()}
        known = self.log.reservation(order, attempt) is not None
        lines = [r.Line(sku, quantity) for sku, quantity in quantities.items()]
        outcome = self.write(r.Reserve(
            id=f"{order}:{attempt}:0", order_id=order, attempt=attempt, order_partition=0, lines=lines,
            locations=locations,
        ))  # fmt: skip
        if outcome.dead or known:
            return
        answer = outcome.sends[0].record
        for line, location in zip(lines, answer.locations, strict=not answer.refused):
            assert line.quantity <= free[f"stock|{line.sku}|{location}"]

    @rule(kind=st.sampled_from((r.Hold, r.Allocate, r.Release)), order=orders, attempt=attempts)
    def command(self, kind: type, order: str, attempt: int) -> None:
        self.write(kind(id=f"{order}:{attempt}:0", order_id=order, attempt=attempt))

    @rule(order=orders, attempt=attempts, sku=skus, quantity=units, number=st.integers(1, 3))
    def release_some(self, order: str, attempt: int, sku: str, quantity: int, number: int) -> None:
        self.write(r.Release(
            id=f"{order}:{attempt}:0:{number}", order_id=order, attempt=attempt, lines=[r.CancelLine(sku, quantity)]
        ))  # fmt: skip

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
        """All rows are written; the commit after it may be lost."""
        self.store.rows.update(self.log.table.take_dirty())
        if committed:
            self.committed = self.log.end + 1

    @precondition(lambda self: self.log.end >= self.committed)
    @rule(written=st.integers(0, 1_000_000))
    def crash(self, written: int) -> None:
        """In the middle of a checkpoint: outcome rows go first, the rows that count them after."""
        live = self.log.rows()
        dirty = self.log.table.take_dirty()
        ordered = [key for key, _ in in_writing_order(dirty)]
        for key in ordered[: written % (len(ordered) + 1)]:
            self.store.rows[key] = dirty[key]
        self.log.table = Table(self.store)
        for offset in range(self.committed, self.log.end + 1):
            self.assert_said_again(offset)
        assert self.log.rows() == live

    def assert_said_again(self, offset: int) -> None:
        again, before = self.log.deliver(offset), self.said[offset]
        assert list(again.sends) == list(before.sends)
        assert again.dead == before.dead

    # ---- what always holds

    @invariant()
    def on_hand_is_the_sum_of_its_parts_and_of_its_lots(self) -> None:
        in_lots: Counter[str] = Counter()
        for row in self.log.rows("lot").values():
            assert row.on_hand >= 0
            in_lots[f"stock|{row.sku}|{row.location}"] += row.on_hand
        for key, row in self.log.rows("stock").items():
            q = ledger.quantities(row)
            assert row.on_hand == in_lots[key]
            assert row.on_hand == q.available + q.reserved + q.allocated + q.safety_stock + q.unavailable
            assert min(*q, row.claimed, row.held, row.allocated) >= 0

    @invariant()
    def counters_are_the_open_units_of_the_reservations(self) -> None:
        owed: Counter[tuple[str, str]] = Counter()
        for row in self.log.rows("res").values():
            for line in row.lines:
                assert 0 <= line.open <= line.quantity
                assert not line.open or row.state in OPEN
                owed[f"stock|{line.sku}|{line.location}", row.state] += line.open
        for key, row in self.log.rows("stock").items():
            assert {state: getattr(row, state) for state in OPEN} == {state: owed[key, state] for state in OPEN}


def test_the_books_add_up_whatever_comes_and_whoever_dies(new_stock_log: Any) -> None:
    machine = type("BooksOfThisTest", (Books,), {"new_log": staticmethod(new_stock_log)}).TestCase
    machine.settings = settings(
        derandomize=True, max_examples=250, stateful_step_count=40, deadline=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    machine().runTest()
