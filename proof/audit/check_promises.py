"""Orders beside stock: nothing is held for an order that has no claim to it, and all that it owes is held.

Reads both books where nothing is in flight; adds findings. Guarantees: what an order may hold, what was shipped and
what came back is counted once on both sides. Does not belong here: what was published.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from proof.audit.findings import Findings
from proof.audit.order import OWED, Order
from proof.audit.promise import Promise
from proof.audit.room import Room
from proof.audit.seen import ORDERS, WAREHOUSE, spot_of

HELD = {"pending": "claimed", "on_hold": "held", **dict.fromkeys(OWED, "allocated")}
SENT = {"shipment": "shipped_once", "pick": "picked_once", "return": "returned_once"}


class Promises:
    """All promises of all partitions beside the orders they were made to."""

    def __init__(self, orders: dict[str, Order], rooms: dict[int, Room], findings: Findings) -> None:
        self._orders, self._rooms, self._findings = orders, rooms, findings

    def of(self, order_id: str) -> list[tuple[int, int, Promise]]:
        """(partition, attempt, promise) of an order."""
        return [
            (partition, attempt, room.promises[order_id, attempt])
            for partition, room in self._rooms.items() if order_id in room.attempts
            for attempt in sorted(room.attempts[order_id]) if (order_id, attempt) in room.promises
        ]  # fmt: skip

    def check(self, order_id: str) -> None:
        """An order that nothing is in flight for, or an id that no order has."""
        order, promises = self._orders.get(order_id), self.of(order_id)
        for partition, attempt, promise in promises:
            if promise.is_open:
                self._findings.checked["leak"] += 1
                self._may_hold(partition, order_id, attempt, promise)
        if order is None or order.deleted:
            return
        if order.was_confirmed:
            self._findings.checked["all_or_nothing"] += 1
            forgotten = any(order_id in room.forgotten for room in self._rooms.values())
            if not forgotten and order.edit is None:
                self._whole(order, promises)
        self._sent(order_id, order)

    def let_go(self, order_id: str) -> None:
        """Of promises that were forgotten."""
        for partition, attempt, promise in self.of(order_id):
            if promise.deleted:
                del self._rooms[partition].promises[order_id, attempt]

    def _may_hold(self, partition: int, order_id: str, attempt: int, promise: Promise) -> None:
        order = self._orders.get(order_id)
        if order is None or order.state == "unplaced":
            wanted, state = "nothing", "unknown"
        else:
            wanted, state = self._wanted(order, attempt), order.state
        if promise.state == wanted:
            return
        parts = [part for part in promise.parts if part.open]
        held = ", ".join(f"{part.open} {part.sku} at {part.location}" for part in parts)
        self._findings.add(
            "leak", order_id, spot_of(WAREHOUSE, partition, promise.at), f"{wanted}: the order is {state}",
            f"attempt {attempt} has {promise.state} {held}", location=parts[0].location,
        )  # fmt: skip

    def _wanted(self, order: Order, attempt: int) -> str:
        if order.edit is not None and attempt == order.edit.attempt:
            return "claimed"
        if not order.was_confirmed:
            return HELD.get(order.state, "nothing") if attempt == order.attempt else "nothing"
        return "allocated" if any(x.attempt == attempt and x.open > 0 for x in order.lines) else "nothing"

    def _whole(self, order: Order, promises: list[tuple[int, int, Promise]]) -> None:
        """Every unit the order owes is allocated, or waits, where the order says; and no other."""
        owed, told, foreign, given = Counter[Any](), Counter[Any](), Counter[Any](), Counter[Any]()
        for line in order.lines:
            if line.location:
                owed[line.sku, line.location] += line.open
                told[line.sku] += line.cancelled
        told.update(order.trimmed)
        spot = spot_of(ORDERS, order.partition, order.decision.place if order.decision else order.at)
        held = Counter[Any]()
        for partition, attempt, promise in promises:
            if not any(x.attempt == attempt for x in order.lines):
                continue
            spot = spot_of(WAREHOUSE, partition, promise.at)
            for part in promise.parts:
                held[part.sku, part.location] += part.open if promise.state == "allocated" else 0
                foreign[part.sku] += part.foreign
                given[part.sku] += part.released
        self._findings.checked["cancellation"] += any(told.values())
        for sku in sorted({sku for sku, _ in (*owed, *held)}):
            ours = {x: n for (s, x), n in owed.items() if s == sku and n}
            theirs = {x: n for (s, x), n in held.items() if s == sku and n}
            # What stock heard of others leaves less to give back and to ship than the order knows; what left before its
            # stock came is held, or given back, until nothing of the SKU is open.
            less, more = foreign[sku], order.ahead[sku]
            if not told[sku] - less <= given[sku] <= told[sku] + more:
                self._findings.add("cancellation", order.id, spot, f"{told[sku]} {sku} given back",
                                   f"{given[sku]} given back")  # fmt: skip
            elif not less and not more and ours != theirs:
                self._findings.add("all_or_nothing", order.id, spot, f"{sku} still owed at {ours}", theirs,
                                   location=next(iter(ours), next(iter(theirs), "")))  # fmt: skip
            elif not sum(ours.values()) - less <= sum(theirs.values()) <= sum(ours.values()) + more:
                self._findings.add("all_or_nothing", order.id, spot, f"{sum(ours.values())} {sku} still owed",
                                   sum(theirs.values()))  # fmt: skip

    def _sent(self, order_id: str, order: Order) -> None:
        """What the order's own facts told stock, stock heard once: parcels, picks, returns."""
        heard: Counter[Any] = Counter()
        for room in self._rooms.values():
            heard.update(room.heard.get(order_id, {}))
        for (what, sku), units in order.said.items():
            rule = SENT[what]
            self._findings.checked[rule] += 1
            if heard[what, sku] != units:
                self._findings.add(rule, order_id, spot_of(ORDERS, order.partition, order.at),
                                   f"{units} {sku}", f"stock heard of {heard[what, sku]}")  # fmt: skip
        for (what, sku), units in heard.items():
            if units and (what, sku) not in order.said:
                self._findings.add(SENT[what], order_id, spot_of(ORDERS, order.partition, order.at), f"no {sku}", units)
