"""Failures seen in the best-known systems, one test each: none of them can happen here.

Both agents' steps on one partition each; what they say to each other is carried by hand. The names are those of the
table in docs/domain.md.
"""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from msgspec.structs import replace

from streams.agents import order, stock
from tables import ledger
from tables import records as r
from tables.order_document import status
from tables.outcome import ALERTS, ORDERS, RESERVATIONS, WAREHOUSE, InvariantBroken, Outcome
from tables.rows import Policy

DAY_MS = 86_400_000


class Shop:
    """One order partition and one stock partition. `said`: decisions; `alerts`: what people heard."""

    def __init__(self, kind: Any) -> None:
        self.logs = {ORDERS: kind(order.step), WAREHOUSE: kind(stock.step)}
        self.said: list[r.OrderDecided] = []
        self.alerts: list[r.Alert] = []
        self.waiting: list[tuple[str, Any]] = []
        self.numbers = itertools.count(1)

    def tell(self, record: Any) -> None:
        """A record from outside, and everything that follows from it."""
        self.give(ORDERS if isinstance(record, r.OrderRecord) else WAREHOUSE, record)
        self.settle()

    def give(self, log: str, record: Any) -> None:
        self._hear(self.logs[log].append(record))

    def settle(self) -> None:
        while self.waiting:
            log, record = self.waiting.pop(0)
            self._hear(self.logs[log].append(record))

    def _hear(self, outcome: Outcome) -> None:
        assert not outcome.dead, outcome.dead
        for send in outcome.sends:
            if send.topic in self.logs:
                self.waiting.append((send.topic, send.record))
            elif send.topic == RESERVATIONS:
                self.said.append(send.record)
            elif send.topic == ALERTS:
                self.alerts.append(send.record)

    def pass_time(self, ms: int) -> None:
        for log in self.logs.values():
            end = log.state.state_ms + ms
            while log.state.state_ms < end:
                now = min(log.state.state_ms + 60_000, end)
                log.append(r.Tick(id=f"t{now}", now_ms=now), ms=now)
        for send in self.logs[ORDERS].deliver(self.logs[ORDERS].end).sends:
            self.waiting.append((send.topic, send.record))
        self.settle()

    def place(self, order_id: str, *lines: tuple[str, int], **more: Any) -> r.OrderPlaced:
        record = r.OrderPlaced(
            id=order_id, order_id=order_id, channel="web", lines=[r.Line(*line) for line in lines],
            **{"locations": ["W1", "W2"], "payment": "paid", **more},
        )  # fmt: skip
        self.tell(record)
        return record

    def receive(self, quantity: int, sku: str = "A", location: str = "W1", lot: str = "L1", **more: Any) -> None:
        self.tell(r.Received(
            id=f"in{next(self.numbers)}", sku=sku, location=location, quantity=quantity, lot=lot, **more
        ))  # fmt: skip

    def about(self, kind: type, order_id: str = "o1", **more: Any) -> Any:
        record = kind(id=more.pop("id", f"{kind.__name__}{next(self.numbers)}"), order_id=order_id, **more)
        self.tell(record)
        return record

    def stock(self, sku: str = "A", location: str = "W1") -> ledger.Quantities:
        return ledger.quantities(self.logs[WAREHOUSE].stock(sku, location))

    def order(self, order_id: str = "o1") -> r.OrderStatus:
        return status(self.logs[ORDERS].order(order_id), self.logs[ORDERS].state)

    def kinds(self) -> list[str]:
        return [alert.kind for alert in self.alerts]


@pytest.fixture
def shop(stock_log: Any) -> Shop:
    return Shop(type(stock_log))


def test_check_and_take_are_two_steps_two_buyers_one_unit(shop: Shop) -> None:
    shop.receive(1)
    for order_id in ("o1", "o2"):  # both are placed before either hears of its stock
        shop.give(ORDERS, r.OrderPlaced(
            id=order_id, order_id=order_id, channel="web", lines=[r.Line("A", 1)], locations=["W1"], payment="paid"
        ))  # fmt: skip
    shop.settle()
    assert sorted(x.status for x in shop.said) == ["confirmed", "rejected"]
    assert shop.stock() == ledger.Quantities(1, 0, 0, 1, 0, 0, 0)


def test_the_lock_is_there_the_recheck_is_wrong(shop: Shop) -> None:
    """Whoever asks for it: no row moves to what cannot be."""
    row = ledger.move(ledger.new_stock("A", "W1", 0, Policy()), 1, 0, None, on_hand=1, claimed=1)
    before = replace(row)
    for change in ({"claimed": -2}, {"on_hand": -2}, {"unavailable": 2}, {"held": -1}, {"backordered": -1}):
        with pytest.raises(InvariantBroken):
            ledger.move(row, 2, 0, None, **change)
    assert row == before


def test_hold_and_commit_are_separate_the_hold_expires_while_paying(shop: Shop) -> None:
    """The payment comes before its deadline: what was held is what is allocated, there is no second check."""
    shop.receive(1)
    shop.place("o1", ("A", 1), payment="pending", payment_seconds=60)
    assert shop.stock().reserved == 1
    shop.place("o2", ("A", 1))
    shop.about(r.PaymentCaptured)
    shop.pass_time(120_000)
    assert [(x.order_id, x.status) for x in shop.said] == [("o2", "rejected"), ("o1", "confirmed")]
    assert (shop.stock().reserved, shop.stock().allocated) == (0, 1)


def test_counters_drift_repair_jobs_are_normal(shop: Shop) -> None:
    """Totals are derived from what made them: everything told twice, they are what they were."""
    shop.receive(9, best_before="2024-06-01")
    shop.place("o1", ("A", 2))
    shop.about(r.OrderShipped, lines=[r.ShippedLine("A", 1)])
    rows = {name: log.rows() for name, log in shop.logs.items()}
    for log in shop.logs.values():
        for offset in range(1, log.end + 1):
            log.deliver(offset)
    assert {name: log.rows() for name, log in shop.logs.items()} == rows
    assert shop.stock() == ledger.Quantities(8, 7, 0, 1, 0, 0, 0)
    assert sum(shop.logs[WAREHOUSE].lots().values()) == 8


def test_double_restock_stock_resurrected_by_late_events(shop: Shop) -> None:
    shop.receive(5, best_before="2024-06-01")
    shop.place("o1", ("A", 2))
    shop.about(r.OrderShipped, lines=[r.ShippedLine("A", 2, lot="L1")])
    back = [r.InspectedLine("A", 2, "restock", "W1", "L1")]
    shop.about(r.ReturnInspected, return_id="R1", lines=back)
    assert shop.stock().on_hand == 5
    shop.about(r.ReturnInspected, return_id="R2", lines=back)  # the same units a second time
    shop.about(r.CancelRequested)  # and the order cancelled when all is over
    assert shop.stock() == ledger.Quantities(5, 5, 0, 0, 0, 0, 0)
    assert any("beyond what was shipped" in x for x in shop.order().late)


def test_money_taken_no_stock_no_order(shop: Shop) -> None:
    """Capture is wanted once stock is allocated; money that comes too late is told, and wanted back."""
    shop.receive(1)
    shop.place("o1", ("A", 1), payment="authorized")
    assert (shop.order().status, shop.order().payment_wanted) == ("confirmed", "capture")
    shop.place("o2", ("A", 1), payment="authorized")
    assert (shop.order("o2").status, shop.order("o2").payment_wanted) == ("rejected", "void")
    shop.receive(1)
    shop.place("o3", ("A", 1), payment="pending", payment_seconds=60)
    shop.pass_time(120_000)
    assert (shop.order("o3").status, shop.stock().available) == ("expired", 1)
    shop.about(r.PaymentCaptured, "o3")
    assert (shop.order("o3").status, shop.order("o3").payment_wanted) == ("paid_unallocated", "refund")
    assert "paid_unallocated" in shop.kinds()


def test_deadlocks_over_many_skus(shop: Shop) -> None:
    """Two orders want the same two SKUs in opposite order, one of each is there: one gets both, nothing is held."""
    shop.receive(1, "A")
    shop.receive(1, "B")
    for order_id, lines in (("o1", ("A", "B")), ("o2", ("B", "A"))):
        shop.give(ORDERS, r.OrderPlaced(
            id=order_id, order_id=order_id, channel="web", lines=[r.Line(x, 1) for x in lines], locations=["W1"],
            payment="paid",
        ))  # fmt: skip
    shop.settle()
    assert sorted(x.status for x in shop.said) == ["confirmed", "rejected"]
    assert [(shop.stock(x).reserved, shop.stock(x).allocated) for x in "AB"] == [(0, 1), (0, 1)]


def test_the_same_component_twice_in_one_order(shop: Shop) -> None:
    """A kit of two A and two A by themselves: four are asked for, three are there."""
    shop.tell(r.KitSet(id="k", kit="DUO", parts=[r.KitPart("A", 2)]))
    shop.receive(3)
    shop.place("o1", ("DUO", 1), ("A", 2))
    assert (shop.said[-1].status, shop.said[-1].lines[0].quantity) == ("rejected", 4)
    assert shop.stock() == ledger.Quantities(3, 3, 0, 0, 0, 0, 0)
    shop.receive(1)
    shop.place("o2", ("DUO", 1), ("A", 2))
    assert (shop.said[-1].status, shop.stock().allocated) == ("confirmed", 4)


def test_enough_in_total_not_in_one_place_and_partial_shipments(shop: Shop) -> None:
    shop.receive(3, location="W1")
    shop.receive(2, location="W2")
    shop.place("o1", ("A", 5))
    assert shop.said[-1].status == "confirmed"
    shop.about(r.OrderShipped, location="W1")
    shop.about(r.CancelRequested, lines=[r.CancelLine("A", 1)])
    for line in shop.order().lines:
        assert line.quantity == line.open + line.allocated + line.shipped + line.cancelled
    assert (shop.order().status, shop.stock("A", "W2")) == ("partially_shipped", ledger.Quantities(2, 1, 0, 1, 0, 0, 0))
    shop.about(r.OrderShipped)
    assert (shop.order().status, shop.stock("A", "W2").on_hand) == ("shipped", 1)


def test_expiry_rules_disagree_expired_goods_shipped(shop: Shop) -> None:
    """The day after its best-before a lot is promised to nobody, and picked for nobody."""
    shop.receive(5, lot="OLD", best_before="2023-11-14")  # the shop's first day
    shop.receive(2, lot="NEW", best_before="2024-06-01")
    shop.pass_time(DAY_MS)
    assert (shop.stock().available, shop.stock().unavailable) == (2, 5)
    shop.place("o1", ("A", 3))
    assert (shop.said[-1].status, shop.said[-1].lines[0].reason) == ("rejected", "insufficient")
    shop.place("o2", ("A", 2))
    shop.about(r.OrderShipped, "o2")
    assert shop.logs[WAREHOUSE].lots() == {"NEW": 0, "OLD": 5}


def test_recall_meets_reserved_stock(shop: Shop) -> None:
    """What was reserved is covered by other lots as far as they go; the rest is a shortage, and nobody else gets it."""
    shop.receive(5, lot="BAD")
    shop.receive(3, lot="GOOD")
    shop.place("o1", ("A", 4))
    shop.tell(r.RecallOpened(id="recall", lot="BAD", reason="metal"))
    assert shop.stock() == ledger.Quantities(8, 0, 0, 3, 0, 5, 1)
    assert {"recalled", "shortage"} <= set(shop.kinds())
    shop.place("o2", ("A", 1))
    assert shop.said[-1].status == "rejected"
    shop.receive(4, lot="BAD")  # more of it comes in: frozen too
    assert shop.stock().unavailable == 9
    shop.receive(1, lot="GOOD")
    assert (shop.stock().allocated, shop.stock().shortage) == (4, 0)


def test_who_got_this_batch(shop: Shop) -> None:
    """Every movement of the lot is a row of its own: by whom, how many, and how it is known."""
    shop.receive(5, lot="L7")
    shop.place("o1", ("A", 2))
    shop.about(r.OrderShipped, lines=[r.ShippedLine("A", 2, lot="L7")])
    shop.place("o2", ("A", 1))
    shop.about(r.OrderShipped, "o2")
    found = [row for _, row in shop.logs[WAREHOUSE].table.found("trace|L7|")]
    assert [(x.kind, x.units, x.order_id, x.channel, x.known) for x in found] == [
        ("received", 5, "", "", ""), ("shipped", -2, "o1", "web", "scanned"), ("shipped", -1, "o2", "web", "presumed"),
    ]  # fmt: skip


def test_channels_overwritten_with_on_hand_or_late(shop: Shop) -> None:
    """What is published is what may be sold, with the version it stands at; a later version is a later truth."""
    from streams.views import stock_levels

    shop.receive(5)
    log = shop.logs[WAREHOUSE]
    first = stock_levels(log.table, "A", log.state)
    shop.place("o1", ("A", 2))
    second = stock_levels(log.table, "A", log.state)
    assert [(x.available, x.on_hand) for x in (first, second)] == [(5, 5), (3, 5)]
    assert first.version < second.version


@pytest.mark.parametrize("turn", range(6))
def test_duplicate_and_unordered_webhooks(shop: Shop, turn: int) -> None:
    """Placed, paid and an edit's cancellation arrive in any order, each twice: the end is the same."""
    shop.receive(5)
    records = [
        r.OrderPlaced(id="o1", order_id="o1", channel="web", lines=[r.Line("A", 3)], locations=["W1"]),
        r.PaymentCaptured(id="pay", order_id="o1"),
        r.CancelRequested(id="less", order_id="o1", lines=[r.CancelLine("A", 1)]),
    ]
    for record in list(itertools.permutations(records))[turn]:
        shop.tell(record)
        shop.tell(record)
    assert (shop.order().status, shop.order().payment) == ("confirmed", "captured")
    assert shop.stock() == ledger.Quantities(5, 3, 0, 2, 0, 0, 0)


def test_back_dating_forces_recalculation(shop: Shop) -> None:
    """A receipt of last week counts from now on; what was decided meanwhile stays decided."""
    shop.receive(1)
    shop.place("o1", ("A", 2))
    shop.receive(5, occurred_at="2023-11-01T08:00:00Z")
    assert [x.status for x in shop.said] == ["rejected"]
    assert shop.stock().available == 6


def test_counting_while_selling_locks_the_warehouse(shop: Shop) -> None:
    """39 are counted as of a position; three leave meanwhile."""
    shop.receive(40)
    as_of = shop.logs[WAREHOUSE].end
    shop.tell(r.Shipped(id="pos", sku="A", location="W1", quantity=3))
    shop.tell(r.Counted(id="c", sku="A", location="W1", lot="L1", quantity=39, as_of_offset=as_of))
    assert shop.stock().on_hand == 36


def test_facts_refused_an_offline_till_a_truck_already_gone(shop: Shop) -> None:
    """More is sold over the counter than is left: it is recorded, and what is owed becomes a shortage."""
    shop.receive(5)
    shop.place("o1", ("A", 4))
    shop.tell(r.Shipped(id="till", sku="A", location="W1", quantity=7))
    assert shop.stock() == ledger.Quantities(0, 0, 0, 0, 0, 0, 4)
    assert "shortage" in shop.kinds()
    shop.receive(4)
    assert (shop.stock().allocated, shop.stock().shortage, "covered" in shop.kinds()) == (4, 0, True)
