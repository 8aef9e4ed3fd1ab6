"""Compares what was told about orders, and what stock holds for them, with the auditor's own fold of the order log.

Reads `reservations`, `order-status`, the order changelog and both books; adds findings. Guarantees: one decision per
order; all or nothing; nothing held for an order that has no claim to it. Does not belong here: quantities of SKUs.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from proof.audit.changelogs import ORDER, Changelog
from proof.audit.findings import Findings, Spot
from proof.audit.intake import Intake, LogState
from proof.audit.order_book import OWED, Decision, Order, OrderBook, is_due
from proof.audit.seen import INDEX_BITS, ORDERS, WAREHOUSE, Cut, Seen, spot_of
from proof.audit.shelves import Promise, Room
from tables import records as r
from tables.codec import instant
from tables.murmur2 import partition_of_sku

OVERDUE_MS = 180_000  # of state time past its deadline: then the agent missed it
HELD = {"pending": "claimed", "on_hold": "held", **dict.fromkeys(OWED, "allocated")}
_decided = msgspec.json.Decoder(r.OrderDecided).decode
_status = msgspec.json.Decoder(r.OrderStatus).decode


class Orders:
    """The orders as the log has them, beside what others were told."""

    def __init__(self, book: OrderBook, logs: dict[int, LogState], cut: Cut, findings: Findings) -> None:
        self.orders, self._logs, self._cut, self._findings = book.orders, logs, cut, findings

    def _settled(self, order: Order) -> bool:
        return self._cut.is_settled(ORDERS, order.partition, order.at)

    # ---- reservations

    def check_decisions(self, messages: Iterable[Seen]) -> None:
        """One decision per order, the right one; every cancellation, as often as it was told."""
        first: dict[str, bytes] = {}  # order -> its first decision
        told: set[tuple[str, int]] = set()  # (order, place) of cancellations
        for message in messages:
            spot = Spot(message.topic, message.partition, message.offset)
            try:
                said = _decided(message.value or b"")
            except (msgspec.MsgspecError, ValueError) as error:
                self._findings.add("decision", str(message.key), spot, "a decision", error)
                continue
            if not self._cut.is_read(ORDERS, said.partition, said.offset):
                continue  # decided after the logs were read
            order = self.orders.get(said.order_id)
            if order is None:
                self._findings.checked["unknown_order"] += 1
                self._findings.add("unknown_order", said.order_id, spot, "no decision: no such order", said.status)
            elif said.status == "cancelled":
                place = said.offset << INDEX_BITS | said.index
                told.add((said.order_id, place))
                self._cancellation(order, said, place, spot)
            elif said.order_id not in first:
                first[said.order_id] = message.value or b""
                self._decision(order, said, spot)
            elif first[said.order_id] != message.value:
                self._findings.add(
                    "one_decision", said.order_id, spot, first[said.order_id].decode(),
                    (message.value or b"").decode(), note="another decision of the same order",
                )  # fmt: skip
        for order_id, order in self.orders.items():
            self._all_told(order_id, order, first, told)

    def _decision(self, order: Order, said: r.OrderDecided, spot: Spot) -> None:
        self._findings.checked["decision"] += 1
        if order.decision is None:
            self._findings.add("decision", said.order_id, spot, f"none yet: {order.state}", _told(said))
        elif (wrong := _differs(order, order.decision, said)) is not None:
            self._findings.add("decision", said.order_id, spot, *wrong)

    def _cancellation(self, order: Order, said: r.OrderDecided, place: int, spot: Spot) -> None:
        self._findings.checked["cancellation"] += 1
        due = [x for x in order.cancels if x.place == place]
        wrongs = [_differs(order, x, said) for x in due]
        if not due:
            self._findings.add("cancellation", said.order_id, spot, "nothing to give back", _told(said))
        elif all(wrongs):
            self._findings.add("cancellation", said.order_id, spot, *(wrongs[0] or ()))

    def _all_told(self, order_id: str, order: Order, first: dict[str, bytes], told: set[tuple[str, int]]) -> None:
        decision, sure = order.decision, self._cut.is_sure
        self._findings.checked["one_decision"] += bool(order.placed)
        if decision is not None and order_id not in first and sure(ORDERS, order.partition, decision.place):
            spot = spot_of(ORDERS, order.partition, decision.place)
            self._findings.add("lost_decision", order_id, spot, f"{decision.status} {decision.reason}", "no decision")
        for cancel in order.cancels:
            if (order_id, cancel.place) not in told and sure(ORDERS, order.partition, cancel.place):
                spot = spot_of(ORDERS, order.partition, cancel.place)
                self._findings.add("cancellation", order_id, spot, f"told: {cancel.lines}", "not told")

    # ---- undecided

    def check_undecided(self, *, allowed: bool) -> list[str]:
        """Orders that nothing is under way for any more. An order on hold waits for others, until its deadline."""
        found = []
        for order_id, order in self.orders.items():
            if order.state not in ("pending", "on_hold") or not self._settled(order):
                continue
            self._findings.checked["undecided"] += 1
            spot = spot_of(ORDERS, order.partition, order.at)
            if order.state == "pending":
                found.append(order_id)
                if not allowed:
                    waits = f"attempt {order.attempt} waits for partitions {sorted(order.awaited)}"
                    self._findings.add("undecided", order_id, spot, "a decision", waits)
            if is_due(order, self._logs[order.partition], OVERDUE_MS):
                self._findings.add("undecided", order_id, spot, "expired by its deadline", order.state)
        return found

    # ---- against the stock fold

    def check_promises(self, rooms: dict[int, Room]) -> None:
        """All or nothing; no leaked reservation; a cancellation gave back what was held."""
        for partition, room in rooms.items():
            for (order_id, attempt), promise in room.promises.items():
                if any(part.open for part in promise.parts):
                    self._findings.checked["leak"] += 1
                    self._may_hold(partition, order_id, attempt, promise)
        for order_id, order in self.orders.items():
            if order.decision is not None and order.decision.status == "confirmed" and self._settled(order):
                self._findings.checked["all_or_nothing"] += 1
                self._whole(order_id, order, rooms)

    def _may_hold(self, partition: int, order_id: str, attempt: int, promise: Promise) -> None:
        order = self.orders.get(order_id)
        if order is None or order.state == "unplaced":
            if not self._cut.is_sure(WAREHOUSE, partition, promise.asked):
                return
            wanted, state = "nothing", "unknown"
        elif not self._settled(order):
            return
        else:
            wanted = HELD.get(order.state, "nothing") if attempt == order.attempt else "nothing"
            state = order.state
        if promise.state == wanted:
            return
        parts = [part for part in promise.parts if part.open]
        held = ", ".join(f"{part.open} {part.sku} at {part.location}" for part in parts)
        self._findings.add(
            "leak", order_id, spot_of(WAREHOUSE, partition, promise.at), f"{wanted}: the order is {state}",
            f"attempt {attempt} has {promise.state} {held}", location=parts[0].location,
        )  # fmt: skip

    def _whole(self, order_id: str, order: Order, rooms: dict[int, Room]) -> None:
        for line in order.lines:
            partition = partition_of_sku(line.sku, self._logs[order.partition].partitions)
            if partition in rooms and (order_id, order.attempt) in rooms[partition].forgotten:
                continue
            promise = rooms[partition].promises.get((order_id, order.attempt)) if partition in rooms else None
            part = next((x for x in promise.parts if x.sku == line.sku), None) if promise else None
            at = order.decision.place if order.decision else order.at
            spot = spot_of(WAREHOUSE, partition, promise.at) if promise else spot_of(ORDERS, order.partition, at)
            expected = f"{line.quantity} {line.sku} at {line.location}"
            if promise is None or part is None or promise.state not in ("allocated", "released"):
                found = "nothing" if promise is None or part is None else promise.state
                self._findings.add("all_or_nothing", order_id, spot, f"allocated {expected}", found,
                                   location=line.location)  # fmt: skip
                continue
            if (part.quantity, part.location) != (line.quantity, line.location):
                self._findings.add("all_or_nothing", order_id, spot, expected,
                                   f"{part.quantity} at {part.location}", location=line.location)  # fmt: skip
            self._findings.checked["cancellation"] += line.cancelled > 0
            # A shipment that stock heard of from others leaves less to give back and to ship than the order knows.
            if part.released + part.foreign < line.cancelled or part.released > line.cancelled:
                self._findings.add("cancellation", order_id, spot, f"{line.cancelled} {line.sku} given back",
                                   f"{part.released} given back", location=line.location)  # fmt: skip
            elif part.open + part.foreign < line.open or part.open > line.open:
                self._findings.add("all_or_nothing", order_id, spot, f"{line.open} {line.sku} still allocated",
                                   f"{part.open}", location=line.location)  # fmt: skip

    # ---- the order's own views

    def check_rows(self, changelog: Changelog) -> None:
        """The newest copy of every order's row is as new as the log, and in the same state."""
        for order_id, order in self.orders.items():
            if order.deleted or not self._cut.is_sure(ORDERS, order.partition, order.at):
                continue
            self._findings.checked["changelog"] += 1
            copy = changelog.newest.get((order.partition, f"order|{order_id}"))
            if copy is None or copy.place < order.at:
                spot = spot_of(ORDERS, order.partition, order.at)
                found = "no copy" if copy is None else f"version {copy.place >> INDEX_BITS}.{copy.place & 1023}"
                self._findings.add("changelog", order_id, spot, "a row of this version", found)
            elif self._cut.is_read(ORDERS, order.partition, copy.place >> INDEX_BITS):
                found = copy.fields(ORDER)
                if (copy.place, found.get("state")) != (order.at, order.state):
                    expected = f"{order.state} at {order.at >> INDEX_BITS}.{order.at & 1023}"
                    self._findings.add("changelog", order_id, copy.spot, expected, found)

    def check_status(self, messages: Iterable[Seen]) -> None:
        """The order documents, those that name the order's newest version."""
        for message in messages:
            if message.value is None:
                continue
            spot = Spot(message.topic, message.partition, message.offset)
            try:
                said = _status(message.value)
            except (msgspec.MsgspecError, ValueError) as error:
                self._findings.add("order_status", str(message.key), spot, "an order document", error)
                continue
            order = self.orders.get(said.order_id)
            if order is None or (said.version[1] << INDEX_BITS | said.version[2]) != order.at:
                continue
            self._findings.checked["order_status"] += 1
            state = order.state
            if state in OWED and any(line.shipped for line in order.lines):
                state = "partially_shipped"
            lines = [(x.sku, x.quantity, x.shipped, x.cancelled) for x in order.lines]
            found = [(x.sku, x.quantity, x.shipped, x.cancelled) for x in said.lines]
            if (said.status, found) != (state, lines):
                self._findings.add("order_status", said.order_id, spot, (state, lines), (said.status, found))


def check_dead_letters(intakes: Iterable[Intake], messages: Iterable[Seen], cut: Cut, findings: Findings) -> int:
    """Every dead letter there had to be, and no other; returns those that came from elsewhere (files)."""
    due = {(x.topic, *key): reason for x in intakes for key, reason in x.dead.items()}
    told: set[tuple[str, int, int]] = set()
    elsewhere = 0
    for message in messages:
        said = dict(message.headers or ())
        topic = said.get("__connect.errors.topic", b"").decode(errors="replace")
        if topic not in (ORDERS, WAREHOUSE):
            elsewhere += 1
            continue
        numbers = [said.get(f"__connect.errors.{name}", b"0") for name in ("partition", "offset", "index")]
        partition, offset, index = (int(x) if x.isdigit() else -1 for x in numbers)
        where = (topic, partition, offset << INDEX_BITS | index)
        told.add(where)
        if where not in due and cut.is_read(topic, partition, offset):
            findings.add("dead_letter", f"{topic}[{partition}]", Spot(message.topic, message.partition, message.offset),
                         f"none: offset {offset}.{index} is a good record",
                         said.get("__connect.errors.exception.message", b"").decode(errors="replace"))  # fmt: skip
    for where, reason in due.items():
        findings.checked["dead_letter"] += 1
        if where not in told and cut.is_sure(*where):
            findings.add("dead_letter", f"{where[0]}[{where[1]}]", spot_of(*where), f"a dead letter: {reason}", "none")
    return elsewhere


def _differs(order: Order, expected: Decision, said: r.OrderDecided) -> tuple[str, str] | None:
    """(expected, found), if they differ."""
    lines = tuple((x.sku, x.quantity, x.location, x.reason, x.available) for x in said.lines)
    place = said.offset << INDEX_BITS | said.index
    ours = (expected.status, expected.reason, expected.attempt, expected.lines, order.partition, expected.place,
            instant(expected.ms), order.channel)  # fmt: skip
    found = (said.status, said.reason, said.attempt, lines, said.partition, place, said.decided_at, said.channel)
    if ours == found:
        return None
    names = ("status", "reason", "attempt", "lines", "partition", "place", "decided_at", "channel")
    wrong = [n for n in range(len(names)) if ours[n] != found[n]]
    told = ({names[n]: side[n] for n in wrong} for side in (ours, found))
    return str(next(told)), str(next(told))


def _told(said: r.OrderDecided) -> str:
    return f"{said.status} {said.reason} {[(x.sku, x.quantity) for x in said.lines]}"
