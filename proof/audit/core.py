"""The audit: fold both logs again, compare everything that was said about them. Pure: records in, a report out.

Reads the records that `source(topic)` gives, each partition in order: at once (`audit`), or in rounds, each with a cut
of its own and what is new of every topic (`Audit.round`). Guarantees: does not stop at the first finding; says what it
checked and how often; a record is folded only when all that was said about it is there to be read, so however a log is
cut into rounds, the same is found. Does not belong here: brokers (`collect`), showing it (`report`).

Between rounds stay: the books (SKUs, lots, promises, orders; what the log says is forgotten leaves them, but for an
order's decision), the newest row of each, and what is in flight. Grows with the log: ids of records and facts, for they
may come again at any time, rows of facts, and a hash per answer and decision. What comes about a row after the row
changed again cannot be judged any more: it is counted (`too_late`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Protocol

from proof.audit.changelogs import Changelog
from proof.audit.check_demand import Demand
from proof.audit.check_orders import Orders
from proof.audit.check_promises import Promises
from proof.audit.check_stock import StockRows
from proof.audit.dead_letters import DeadLetters
from proof.audit.findings import Finding, Findings
from proof.audit.intake import Intake, LogState
from proof.audit.levels import Levels
from proof.audit.order import Order
from proof.audit.order_book import OrderBook
from proof.audit.room import Room
from proof.audit.seen import (
    DEAD_LETTERS,
    DEMAND,
    INDEX_BITS,
    ORDER_CHANGELOG,
    ORDER_STATUS,
    ORDERS,
    RESERVATIONS,
    STOCK_CHANGELOG,
    STOCK_LEVELS,
    WAREHOUSE,
    Cut,
    Headers,
    Seen,
    spot_of,
)
from proof.audit.shelves import Master
from proof.audit.stock_book import StockBook
from proof.audit.told import ANSWERS, Told

Source = Callable[[str], Iterable[Seen]]
_ALL = Cut()


class Look(Protocol):
    """Who looks on: for another count of the same records."""

    def record(self, record: Any, headers: Headers | None) -> None:
        """A record that stands in its own partition of a log, and what was written beside it."""

    def decision(self, order_id: str, status: str) -> None:
        """What an order's decision had to be, by the order log."""


class Audit:
    """An audit that goes on. `on_found`: called with each finding as it is found."""

    def __init__(
        self, *, allow_undecided: bool = False, look: Look | None = None,
        on_found: Callable[[Finding], None] | None = None,
    ) -> None:  # fmt: skip
        self.findings = findings = Findings(on_found)
        self._cut, self._allowed, self._look = Cut(number=0), allow_undecided, look
        self._told = Told(self._cut, findings)
        self._letters = DeadLetters()
        self._order_book = OrderBook(self._letters)
        self._stock_book = StockBook(self._told, self._cut, findings)
        self.orders_in = Intake(ORDERS, self._order_book, self._cut, findings, self._told.hear, self._order_record)
        self.stock_in = Intake(
            WAREHOUSE, self._stock_book, self._cut, findings, look=look.record if look is not None else None
        )
        self._changelog, self._order_rows = Changelog(findings), Changelog(findings)
        self._levels = Levels(1, self._cut, findings)
        self._demand = Demand(self._cut, findings)
        self._rows = StockRows(self._changelog, self._cut, findings)
        self._orders = Orders(self._order_book, self.orders_in, self._order_rows, self._cut, findings)
        self._promises = Promises(self._order_book.orders, self._stock_book.rooms, findings)
        self._due: set[str] = set()  # orders to look at, as soon as nothing of them is in flight
        self._looked: dict[int, int] = {}  # partition of the stock log -> place up to which SKUs were looked at
        self._stock_book.compare = self._compare

    def _order_record(self, record: Any, headers: Headers | None) -> None:
        if self._look is not None and type(record) not in ANSWERS:
            self._look.record(record, headers)

    def _compare(self, room: Room, log: LogState, place: int) -> None:
        self._rows.compare(room, log, place)
        self._levels.compare(room, log, place)

    @property
    def intakes(self) -> tuple[Intake, Intake]:
        """Of the order log and the stock log."""
        return self.orders_in, self.stock_in

    @property
    def orders(self) -> dict[str, Order]:
        return self._order_book.orders

    def round(self, source: Source, cut: Cut = _ALL) -> None:
        """Take in what is new of every topic, fold what is sure by this cut, and judge it. A round that `source` ends
        with an error may be followed by another one."""
        self._cut.move_to(cut)
        number, folded, rooms = self._cut.number, self.stock_in.ends, self._stock_book.rooms
        self._letters.read(source(DEAD_LETTERS), number)
        self.orders_in.read(source(ORDERS))
        if cut.end and not self.orders_in.partitions:
            return  # the log was cut before it was opened: where a SKU belongs is known in the next round
        self._levels.partitions = max(self.orders_in.partitions.values(), default=1)
        self._changelog.read(source(STOCK_CHANGELOG), folded, number)
        self._levels.read(source(STOCK_LEVELS), folded)
        self._demand.read(source(DEMAND))
        self._rows.check_late(rooms, self.stock_in.logs)
        self._levels.check_late(rooms)
        self.stock_in.read(source(WAREHOUSE))
        self._told.check_rest()
        self._stock_book.check_kits()
        self._rows.check_rest(folded)
        self._rows.check_facts(rooms)
        self._levels.check_rest(folded)
        self._look_at_skus()
        self._demand.look(rooms, self.stock_in.ends, self._levels.partitions)
        self._order_rows.read(source(ORDER_CHANGELOG), {}, number)
        self._orders.check_sums()
        self._orders.check_status(source(ORDER_STATUS))
        self._orders.check_decisions(source(RESERVATIONS))
        self._look_at_orders()
        self._letters.check(self.intakes, self._cut, self.findings)
        for intake in self.intakes:
            intake.check_forwarded()
            self.findings.look(intake.topic, partial(_check_items, intake, self._cut, self.findings))

    def _look_at_skus(self) -> None:
        """The newest rows and levels of SKUs that changed, or were spoken of."""
        for partition, room in self._stock_book.rooms.items():
            since = self._looked.get(partition, 0)
            named = {sku for p, sku in self._levels.named if p == partition}
            for sku, master in room.skus.items():
                if sku in named or max(master.at, *(x.at for x in master.shelves.values()), 0) >= since:
                    named.discard(sku)
                    self.findings.look((partition, sku), partial(self._look_at_sku, partition, sku, master))
            for sku in named:
                self.findings.look((partition, sku), partial(self._levels.check_sku, partition, sku, None))
            self._looked[partition] = self.stock_in.ends[partition] << INDEX_BITS
        rooms = self._stock_book.rooms
        for partition, sku in self._levels.named:
            if partition not in rooms:
                self.findings.look((partition, sku), partial(self._levels.check_sku, partition, sku, None))
        self._levels.named.clear()

    def _look_at_sku(self, partition: int, sku: str, master: Master) -> None:
        self._rows.check_sku(partition, sku, master)
        self._levels.check_sku(partition, sku, master)

    def _look_at_orders(self) -> None:
        """Orders that changed, were spoken of, or wait; those with anything in flight again in the next round."""
        due, orders = self._due, self._orders
        sets = [self._order_book.touched, self._order_rows.named, orders.named]
        for room in self._stock_book.rooms.values():
            sets.append(room.touched)
        for touched in sets:
            due |= touched
            touched.clear()
        self._due = set()
        for order_id in sorted(due | orders.open):
            settled = orders.is_settled(order_id)
            self.findings.look(("order", order_id), partial(self._look_at_order, order_id, settled))
            if not settled or orders.is_row_in_flight(order_id):
                self._due.add(order_id)

    def _look_at_order(self, order_id: str, settled: bool) -> None:
        self._orders.check(order_id, settled=settled, allow_undecided=self._allowed)
        for partition, attempt, promise in self._promises.of(order_id):
            self._rows.check_promise(partition, order_id, attempt, promise)
        if settled:
            self._promises.check(order_id)
            self._promises.let_go(order_id)

    def report(self) -> dict[str, Any]:
        """Counts of what was checked, of items and orders as they stand, and the findings so far."""
        findings, orders = self.findings, self._orders
        states = Counter(order.state for order in orders.orders.values() if order.placed)
        decisions = Counter(order.decision.status for order in orders.orders.values() if order.decision)
        kept: list[Finding] = findings.kept
        return {
            "ok": not findings.any,
            "checked": {rule: count for rule, count in sorted(findings.checked.items()) if count},
            "too_late": self._rows.too_late + self._levels.too_late,
            "logs": {x.topic: x.counts for x in self.intakes},
            "dead_letters_of_files": self._letters.elsewhere,
            "orders": {
                "placed": sum(states.values()), **{x: decisions[x] for x in ("confirmed", "rejected", "expired")},
                "undecided": len(orders.undecided), "on_hold": states["on_hold"],
                "in_flight": states["pending"] - len(orders.undecided), "states": dict(sorted(states.items())),
            },
            "undecided": sorted(orders.undecided)[:100],
            "findings": kept,
            "more_findings": findings.more,
        }  # fmt: skip


def audit(
    source: Source, cut: Cut = _ALL, *, allow_undecided: bool = False, look: Look | None = None
) -> dict[str, Any]:
    """The report of one round over whole topics."""
    whole = Audit(allow_undecided=allow_undecided, look=look)
    whole.round(source, cut)
    if look is not None:
        for order_id, order in whole.orders.items():
            if order.decision is not None:
                look.decision(order_id, order.decision.status)
    return whole.report()


def _check_items(intake: Intake, cut: Cut, findings: Findings) -> None:
    """Items in = applied + duplicates + forwarded + dead letters + ticks; and every partition moves."""
    counts = intake.counts
    findings.checked["items"] += counts.items
    told = counts.applied + counts.duplicates + counts.forwarded + counts.dead_letters + counts.ticks
    if told != counts.items:
        findings.add("items", intake.topic, spot_of(intake.topic, 0, 0), counts.items, told)
    for (topic, partition), stands in cut.still.items():
        if topic == intake.topic:
            findings.add("items", f"{topic}[{partition}]", spot_of(topic, partition, stands << INDEX_BITS),
                         f"handled to the end ({cut.end.get((topic, partition), stands)})", f"stands at {stands}",
                         note="no worker, or a halted partition: `smokehouse status`")  # fmt: skip
