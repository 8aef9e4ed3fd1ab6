"""Compares what was told about orders with the auditor's own fold of the order log.

Reads `reservations`, `order-status`, the order changelog and the order book; adds findings. Guarantees: one decision
per order; every line's equation in every document ever published. Does not belong here: what stock holds for orders
(`check_promises`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import msgspec

from proof.audit.changelogs import ORDER, Changelog
from proof.audit.findings import Findings, Spot
from proof.audit.intake import Intake
from proof.audit.order import OWED, Decision, Order, Told
from proof.audit.order_book import OrderBook, is_due
from proof.audit.order_facts import wanted_payment
from proof.audit.published import readable
from proof.audit.seen import INDEX_BITS, ORDERS, Cut, Seen, spot_of
from tables import records as r
from tables.codec import instant
from tables.murmur2 import partition_of

OVERDUE_MS = 180_000  # of state time past its deadline: then the agent missed it
LATER = ("cancelled", "edited")
UNSERVED = ("rejected", "expired", "paid_unallocated")  # all that was wanted counts as cancelled
SERVED = (*OWED, "shipped", "delivered", "returned", "cancelled")
TRACKING = ("failure", "return_to_sender", "pre_transit", "in_transit", "out_for_delivery", "delivered")
_decided = msgspec.json.Decoder(r.OrderDecided).decode
_status = msgspec.json.Decoder(r.OrderStatus).decode


class Orders:
    """The orders as the log has them, beside what others were told. `named`: orders that were spoken of since somebody
    looked. `undecided`: orders that nothing is under way for. `open`: that wait for anything."""

    def __init__(self, book: OrderBook, intake: Intake, changelog: Changelog, cut: Cut, findings: Findings) -> None:
        self.orders, self._logs, self._partitions = book.orders, intake.logs, intake.partitions
        self._in_flight = intake.in_flight
        self._book, self._changelog, self._cut, self._findings = book, changelog, cut, findings
        self.named: set[str] = set()
        self.undecided: dict[str, None] = {}
        self.open: set[str] = set()
        self._first: dict[str, tuple[int, Spot]] = {}  # order -> hash and place of its first decision
        self._told: dict[str, set[int]] = {}  # order -> places of the cancellations and edits that were told
        self._shown: set[str] = set()  # orders with a document that was compared
        self._early: list[tuple[r.OrderDecided, bytes, Spot, int]] = []  # decisions whose record is not folded yet
        self._early_status: list[tuple[r.OrderStatus, Spot, int]] = []

    def check_sums(self) -> None:
        """Lines whose equation did not hold on the way."""
        for order_id, partition, place in self._book.broken:
            self._findings.add("line_equation", order_id, spot_of(ORDERS, partition, place),
                               "quantity = waiting + allocated + shipped + cancelled", "another sum")  # fmt: skip
        self._book.broken.clear()

    def is_settled(self, order_id: str) -> bool:
        """Whether nothing that concerns the order is in flight: what its records asked is folded, and no record of it
        waits to be."""
        order = self.orders.get(order_id)
        if order_id in self._in_flight:
            return False
        return order is None or self._cut.is_settled(ORDERS, order.partition, order.at)

    def check(self, order_id: str, *, settled: bool, allow_undecided: bool) -> None:
        """How an order stands, folded as far as is sure."""
        order = self.orders.get(order_id)
        if order is None:
            return
        self._findings.checked["line_equation"] += 1
        self._row(order_id, order)
        self._all_told(order_id, order)
        waits = order.state in ("pending", "on_hold") or order.edit is not None
        self.undecided.pop(order_id, None)
        if waits:
            self.open.add(order_id)
            if settled:
                self._undecided(order_id, order, allowed=allow_undecided)
        else:
            self.open.discard(order_id)

    # ---- reservations

    def check_decisions(self, messages: Iterable[Seen]) -> None:
        """One decision per order, the right one; every cancellation and edit, as often as it was told."""
        early, self._early = self._early, []
        for said, value, spot, number in early:
            self._decided(said, value, spot, number)
        for message in messages:
            spot = Spot(message.topic, message.partition, message.offset)
            value = message.value or b""
            try:
                said = _decided(value)
            except (msgspec.MsgspecError, ValueError) as error:
                self._findings.add("decision", str(message.key), spot, "a decision", error)
                continue
            self._decided(said, value, spot, self._cut.number)

    def _decided(self, said: r.OrderDecided, value: bytes, spot: Spot, number: int) -> None:
        place = said.offset << INDEX_BITS | said.index
        if not self._cut.is_sure(ORDERS, said.partition, place):
            if self._cut.is_beyond(ORDERS, said.partition, place, number):
                self._findings.checked["decision"] += 1
                self._findings.add("decision", said.order_id, spot, "a record that the log has", _told(said),
                                   note=f"{ORDERS}[{said.partition}] has no offset {said.offset}")  # fmt: skip
            else:
                self._early.append((said, value, spot, number))
            return
        self.named.add(said.order_id)
        order = self.orders.get(said.order_id)
        if order is None:
            self._findings.checked["unknown_order"] += 1
            self._findings.add("unknown_order", said.order_id, spot, "no decision: no such order", said.status)
        elif said.status in LATER:
            self._told.setdefault(said.order_id, set()).add(place)
            self._later(order, said, place, spot)
        elif said.order_id not in self._first:
            self._first[said.order_id] = (hash(value), spot)
            self._decision(order, said, spot)
        elif (first := self._first[said.order_id])[0] != hash(value):
            self._findings.add(
                "one_decision", said.order_id, spot, _was(order), value.decode(errors="replace"),
                note=f"another decision of the same order; the first stands at offset {first[1].offset}",
            )  # fmt: skip

    def _decision(self, order: Order, said: r.OrderDecided, spot: Spot) -> None:
        self._findings.checked["decision"] += 1
        if order.decision is None:
            self._findings.add("decision", said.order_id, spot, f"none yet: {order.state}", _told(said))
        elif (wrong := _differs(order, order.decision, said)) is not None:
            self._findings.add("decision", said.order_id, spot, *wrong)

    def _later(self, order: Order, said: r.OrderDecided, place: int, spot: Spot) -> None:
        rule = "edit" if said.status == "edited" else "cancellation"
        self._findings.checked[rule] += 1
        due = [x for x in order.later if x.place == place and x.status == said.status]
        wrongs = [_differs(order, x, said) for x in due]
        if not due:
            self._findings.add(rule, said.order_id, spot, "nothing of this kind here", _told(said))
        elif all(wrongs):
            self._findings.add(rule, said.order_id, spot, *(wrongs[0] or ()))

    def _all_told(self, order_id: str, order: Order) -> None:
        decision, told = order.decision, self._told.get(order_id, ())
        self._findings.checked["one_decision"] += bool(order.placed)
        if decision is not None and order_id not in self._first:
            spot = spot_of(ORDERS, order.partition, decision.place)
            self._findings.add("lost_decision", order_id, spot, f"{decision.status} {decision.reason}", "no decision")
        for later in order.later:
            if later.place not in told:
                spot = spot_of(ORDERS, order.partition, later.place)
                rule = "edit" if later.status == "edited" else "cancellation"
                self._findings.add(rule, order_id, spot, f"told: {later.lines}", "not told")

    # ---- undecided

    def _undecided(self, order_id: str, order: Order, *, allowed: bool) -> None:
        """Nothing is under way for it any more. An order on hold waits for others, until its deadline."""
        self._findings.checked["undecided"] += 1
        spot = spot_of(ORDERS, order.partition, order.at)
        if order.state != "on_hold":
            self.undecided[order_id] = None
            if not allowed:
                awaited = sorted(order.awaited | order.moving)
                told = f"attempt {order.attempt} waits for partitions {awaited}"
                self._findings.add("undecided", order_id, spot, "a decision", told)
        if is_due(order, self._logs[order.partition], OVERDUE_MS):
            self._findings.add("undecided", order_id, spot, "expired by its deadline", order.state)

    # ---- the order's own views

    def _row(self, order_id: str, order: Order) -> None:
        """The newest copy of the order's row is as new as the log, and in the same state."""
        if order.deleted:
            return
        self._findings.checked["changelog"] += 1
        copy = self._changelog.newest.get((order.partition, f"order|{order_id}"))
        if copy is None or copy.place < order.at:
            spot = spot_of(ORDERS, order.partition, order.at)
            found = "no copy" if copy is None else f"version {copy.place >> INDEX_BITS}.{copy.place & 1023}"
            self._findings.add("changelog", order_id, spot, "a row of this version", found)
        elif self._cut.is_sure(ORDERS, order.partition, copy.place) or self._cut.is_beyond(
            ORDERS, order.partition, copy.place, copy.number
        ):
            row = copy.fields(ORDER)
            if (copy.place, row.get("state")) != (order.at, order.state):
                expected = f"{order.state} at {order.at >> INDEX_BITS}.{order.at & 1023}"
                self._findings.add("changelog", order_id, copy.spot, expected, row)

    def is_row_in_flight(self, order_id: str) -> bool:
        """Whether the newest copy of its row is about a record that is not folded, so it must be looked at again."""
        order = self.orders.get(order_id)
        copy = self._changelog.newest.get((order.partition, f"order|{order_id}")) if order else None
        if order is None or copy is None or self._cut.is_sure(ORDERS, order.partition, copy.place):
            return False
        return not self._cut.is_beyond(ORDERS, order.partition, copy.place, copy.number)

    def check_status(self, messages: Iterable[Seen]) -> None:
        """The order documents: their lines' equation, and those that name the order's newest version whole."""
        early, self._early_status = self._early_status, []
        for said, spot, number in early:
            self._shows(said, spot, number)
        for said, spot in readable(messages, _status, self._findings, "order_status", "an order document"):
            self._equation(said, spot)
            self._shows(said, spot, self._cut.number)

    def _shows(self, said: r.OrderStatus, spot: Spot, number: int) -> None:
        order = self.orders.get(said.order_id)
        place = said.version[1] << INDEX_BITS | said.version[2]
        count = max(self._partitions.values(), default=1)
        partition = order.partition if order else partition_of(said.order_id, count)
        sure = self._cut.is_sure(ORDERS, partition, place) and (order is not None or bool(self._partitions))
        if not sure and not self._cut.is_beyond(ORDERS, partition, place, number):
            self._early_status.append((said, spot, number))
        elif order is None:
            self._findings.checked["unknown_order"] += 1
            self._findings.add("unknown_order", said.order_id, spot, "no document: no such order", said.status)
        elif order.deleted or place < order.at:
            return  # the order went on meanwhile
        elif place > order.at:
            self._count_shown(said.order_id)
            at = f"{order.at >> INDEX_BITS}.{order.at & 1023}"
            self._findings.add("order_status", said.order_id, spot, f"its last change, at {at}",
                               f"version {place >> INDEX_BITS}.{place & 1023}")  # fmt: skip
        else:
            self._count_shown(said.order_id)
            self._document(order, said, spot)

    def _count_shown(self, order_id: str) -> None:
        if order_id not in self._shown:
            self._shown.add(order_id)
            self._findings.checked["order_status"] += 1

    def _document(self, order: Order, said: r.OrderStatus, spot: Spot) -> None:
        wrong = differences(order, said)
        if wrong:
            self._findings.add("order_status", said.order_id, spot, {name: x for name, (x, _) in wrong.items()},
                               {name: x for name, (_, x) in wrong.items()})  # fmt: skip

    def _equation(self, said: r.OrderStatus, spot: Spot) -> None:
        for line in said.lines:
            self._findings.checked["line_equation"] += 1
            parts = (line.open, line.allocated, line.shipped, line.cancelled)
            if sum(parts) != line.quantity or (min(parts) < 0 and line.quantity > 0):
                self._findings.add("line_equation", said.order_id, spot, f"{sum(parts)} {line.sku}, the sum of {parts}",
                                   f"quantity {line.quantity}", location=line.location)  # fmt: skip
            if not 0 <= line.picked <= max(line.allocated, 0):
                self._findings.add("line_equation", said.order_id, spot, f"at most {line.allocated} {line.sku} picked",
                                   line.picked, location=line.location)  # fmt: skip
            if not 0 <= line.returned <= line.shipped:
                self._findings.add("returned_once", said.order_id, spot, f"at most {line.shipped} {line.sku} returned",
                                   line.returned, location=line.location)  # fmt: skip


# -- documents ---------------------------------------------------------------------------------------------------------


def differences(order: Order, said: r.OrderStatus) -> dict[str, tuple[Any, Any]]:
    """What a document of this very version tells otherwise than the book: name -> (by the book, told)."""
    expected, found = _document(order), _published(said, order)
    if order.edit is not None:  # its lines wait for stock: nobody owns them yet
        expected["lines"], expected["totals"] = found["lines"], found["totals"]
    return {name: (value, found[name]) for name, value in expected.items() if found[name] != value}


def _document(order: Order) -> dict[str, Any]:
    """What the order's document says, by the book."""
    lines: Counter[Any] = Counter()
    totals: Counter[Any] = Counter()
    for x in order.lines:
        totals[x.sku, "quantity"] += x.quantity
        if order.state in UNSERVED:
            totals[x.sku, "cancelled"] += x.quantity
        elif order.was_confirmed:
            totals[x.sku, "cancelled"] += x.cancelled
            counts = (("open", x.back), ("allocated", x.allocated), ("shipped", x.shipped), ("returned", x.returned))
            for name, units in counts:
                lines[x.sku, x.location, name] += units
    for (sku, location), units in order.ready().items():
        lines[sku, location, "picked"] = units
    return {
        "status": published_state(order), "payment": order.payment, "payment_wanted": wanted_payment(order),
        "policy": order.policy, "exchange_of": order.exchange_of, "lines": _some(lines), "totals": _some(totals),
        "kits": {kit: units for kit, (units, _) in order.kits.items()},
        "fulfilments": {
            x.location: (x.state, sorted(x.cartons), sorted(x.tracking), _worst(x.tracking.values()))
            for x in order.places() if order.state in SERVED
        },
        "returns": {name: (x.state, sum(x.units.values())) for name, x in order.returns.items()},
    }  # fmt: skip


def _published(said: r.OrderStatus, order: Order) -> dict[str, Any]:
    lines: Counter[Any] = Counter()
    totals: Counter[Any] = Counter()
    for x in said.lines:
        totals[x.sku, "quantity"] += x.quantity
        if order.was_confirmed or order.state in UNSERVED:
            totals[x.sku, "cancelled"] += x.cancelled
        if order.was_confirmed:
            for name in ("open", "allocated", "picked", "shipped", "returned"):
                lines[x.sku, x.location, name] += getattr(x, name)
    return {
        "status": said.status, "payment": said.payment, "payment_wanted": said.payment_wanted, "policy": said.policy,
        "exchange_of": said.exchange_of, "lines": _some(lines), "totals": _some(totals), "kits": said.kits,
        "fulfilments": {
            x.location: (x.state, sorted(x.cartons), sorted(x.tracking), x.tracking_status) for x in said.fulfilments
        },
        "returns": {x.return_id: (x.state, x.units) for x in said.returns},
    }  # fmt: skip


def _worst(statuses: Iterable[str]) -> str:
    """What is told of a location's parcels: the one somebody has to look at first."""
    return min(statuses, key=TRACKING.index, default="")


def _some(counts: Counter[Any]) -> dict[Any, int]:
    return {key: units for key, units in counts.items() if units}


def published_state(order: Order) -> str:
    """The order's state; `partially_...` where its locations, or its lines, differ."""
    if order.state not in OWED:
        return order.state
    if any(x.shipped for x in order.lines):
        return "partially_shipped"
    furthest = max((OWED.index(x.state) for x in order.places() if x.state in OWED), default=0)
    return f"partially_{OWED[furthest]}" if furthest > OWED.index(order.state) else order.state


# -- decisions ---------------------------------------------------------------------------------------------------------


def _differs(order: Order, expected: Decision, said: r.OrderDecided) -> tuple[str, str] | None:
    """(expected, found), if they differ; lines are compared as sums per SKU, location and reason."""
    place = said.offset << INDEX_BITS | said.index
    theirs = [Told(x.sku, x.quantity, x.location, x.reason, x.available, x.backordered) for x in said.lines]
    ours = (expected.status, expected.reason, expected.attempt, _sums(expected.lines), order.partition, expected.place,
            instant(expected.ms), order.channel)  # fmt: skip
    found = (said.status, said.reason, said.attempt, _sums(theirs), said.partition, place, said.decided_at,
             said.channel)  # fmt: skip
    if ours == found:
        return None
    names = ("status", "reason", "attempt", "lines", "partition", "place", "decided_at", "channel")
    wrong = [n for n in range(len(names)) if ours[n] != found[n]]
    told = ({names[n]: side[n] for n in wrong} for side in (ours, found))
    return str(next(told)), str(next(told))


def _sums(lines: Iterable[Told]) -> dict[Any, tuple[int, int]]:
    sums: dict[Any, tuple[int, int]] = {}
    for x in lines:
        key = (x.sku, x.location, x.reason, x.available)
        units, backordered = sums.get(key, (0, 0))
        sums[key] = (units + x.quantity, backordered + x.backordered)
    return sums


def _was(order: Order) -> str:
    return f"once: {order.decision.status} {order.decision.reason}".rstrip() if order.decision else "none yet"


def _told(said: r.OrderDecided) -> str:
    return f"{said.status} {said.reason} {[(x.sku, x.quantity) for x in said.lines]}"
