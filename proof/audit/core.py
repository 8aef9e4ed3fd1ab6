"""The audit: fold both logs again, compare everything that was said about them. Pure: records in, a report out.

Reads the records that `source(topic)` gives, each partition in order; each topic is read once and let go. Guarantees:
does not stop at the first finding; says what it checked and how often. Does not belong here: brokers (`collect`),
showing it (`report`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from proof.audit.changelogs import Changelog
from proof.audit.check_orders import Orders
from proof.audit.check_promises import Promises
from proof.audit.check_stock import StockRows
from proof.audit.dead_letters import DeadLetters
from proof.audit.findings import Finding, Findings
from proof.audit.intake import Intake, LogState
from proof.audit.levels import Levels
from proof.audit.order_book import OrderBook
from proof.audit.room import Room
from proof.audit.seen import (
    DEAD_LETTERS,
    ORDER_CHANGELOG,
    ORDER_STATUS,
    ORDERS,
    RESERVATIONS,
    STOCK_CHANGELOG,
    STOCK_LEVELS,
    WAREHOUSE,
    Cut,
    Seen,
    spot_of,
)
from proof.audit.stock_book import StockBook
from proof.audit.told import ANSWERS, Told

Source = Callable[[str], Iterable[Seen]]
_ALL = Cut()


class Look(Protocol):
    """Who looks on: for another count of the same records."""

    def record(self, record: Any) -> None:
        """A record that stands in its own partition of a log."""

    def decision(self, order_id: str, status: str) -> None:
        """What an order's decision had to be, by the order log."""


def audit(
    source: Source, cut: Cut = _ALL, *, allow_undecided: bool = False, look: Look | None = None
) -> dict[str, Any]:
    """The report: counts of what was checked, of items and orders, and the findings."""
    findings = Findings()
    told = Told(cut, findings)

    def order_record(log: LogState, record: Any, place: int) -> None:
        told.hear(log, record, place)
        if look is not None and type(record) not in ANSWERS:
            look.record(record)

    def stock_record(log: LogState, record: Any, place: int) -> None:
        if look is not None:
            look.record(record)

    letters = DeadLetters()
    letters.read(source(DEAD_LETTERS))
    order_book = OrderBook(letters)
    orders_in = Intake(ORDERS, order_book, cut, findings, order_record)
    orders_in.read(source(ORDERS))
    partitions = max((log.partitions for log in orders_in.logs.values()), default=1) or 1

    changelog = Changelog(findings)
    changelog.read(source(STOCK_CHANGELOG), follow=True)
    levels = Levels(partitions, findings)
    levels.read(source(STOCK_LEVELS))

    stock_book = StockBook(told, cut, findings)
    rows = StockRows(changelog, cut, findings)

    def compare(room: Room, log: LogState, place: int) -> None:
        rows.compare(room, log, place)
        levels.compare(room, log, place)

    stock_book.compare = compare
    stock_in = Intake(WAREHOUSE, stock_book, cut, findings, stock_record)
    stock_in.read(source(WAREHOUSE))
    told.check_rest()
    stock_book.check_kits()
    rows.check_rest()
    rows.check_newest(stock_book.rooms)
    levels.check_rest(stock_in.ends, cut)
    levels.check_newest(stock_book.rooms, cut)

    orders = Orders(order_book, orders_in.logs, cut, findings)
    order_rows = Changelog(findings)
    order_rows.read(source(ORDER_CHANGELOG), follow=False)
    orders.check_rows(order_rows)
    orders.check_status(source(ORDER_STATUS))
    orders.check_decisions(source(RESERVATIONS))
    undecided = orders.check_undecided(allowed=allow_undecided)
    Promises(order_book.orders, stock_book.rooms, cut, findings).check()

    if look is not None:
        for order_id, order in orders.orders.items():
            if order.decision is not None:
                look.decision(order_id, order.decision.status)

    both = (orders_in, stock_in)
    letters.check(both, cut, findings)
    for intake in both:
        _check_items(intake, cut, findings)
    return _report(findings, both, orders, undecided, letters.elsewhere)


def _check_items(intake: Intake, cut: Cut, findings: Findings) -> None:
    """Items in = applied + duplicates + forwarded + dead letters + ticks; and every partition moves."""
    counts = intake.counts
    intake.check_forwarded()
    findings.checked["items"] += counts.items
    told = counts.applied + counts.duplicates + counts.forwarded + counts.dead_letters + counts.ticks
    if told != counts.items:
        findings.add("items", intake.topic, spot_of(intake.topic, 0, 0), counts.items, told)
    for (topic, partition), stands in cut.still.items():
        if topic == intake.topic:
            end = cut.settled.get((topic, partition), stands)
            findings.add("items", f"{topic}[{partition}]", spot_of(topic, partition, stands << 10),
                         f"handled to the end ({max(end, intake.ends.get(partition, 0))})", f"stands at {stands}",
                         note="no worker, or a halted partition: `smokehouse status`")  # fmt: skip


def _report(
    findings: Findings, intakes: tuple[Intake, ...], orders: Orders, undecided: list[str], elsewhere: int
) -> dict[str, Any]:
    states = Counter(order.state for order in orders.orders.values() if order.placed)
    decisions = Counter(order.decision.status for order in orders.orders.values() if order.decision)
    kept: list[Finding] = findings.kept
    return {
        "ok": not findings.any,
        "checked": dict(sorted(findings.checked.items())),
        "logs": {x.topic: x.counts for x in intakes},
        "dead_letters_of_files": elsewhere,
        "orders": {
            "placed": sum(states.values()), **{x: decisions[x] for x in ("confirmed", "rejected", "expired")},
            "undecided": len(undecided), "on_hold": states["on_hold"],
            "in_flight": states["pending"] - len(undecided), "states": dict(sorted(states.items())),
        },
        "undecided": undecided[:100],
        "findings": kept,
        "more_findings": findings.more,
    }  # fmt: skip
