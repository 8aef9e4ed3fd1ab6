"""A window of both logs decided anew: once as it was, once under another policy, and the difference.

Reads a `window`; runs two `world`s. Guarantees: both runs get the same records from outside at the same times; the only
difference is the policy. The run as it was is held against what was really decided, order by order. What customers
would have done under the other policy is not known and not simulated: an order that was never placed is not there. Does
not belong here: reading files, tables for people.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from proof.history.explain import Logs
from proof.history.following import IN_FULFILMENT, followed, from_stock, mark
from proof.history.logs import Meter, Unmetered
from proof.history.policy import AS_IT_WAS, Policy
from proof.history.tally import EXAMPLES_MAX, Changed, Result, Tally, differences
from proof.history.window import Window, window
from proof.history.world import World
from streams.partition import Role
from tables import records as r
from tables.codec import instant
from tables.murmur2 import partition_of, partition_of_sku
from tables.outcome import ORDERS, WAREHOUSE
from tables.rows import OrderRow, order_key, reservation_key, sku_key

NOTES = (
    "Demand's reaction is not simulated: the same orders are placed, whatever would have been on offer.",
    "Orders are decided one after the other: where many contended for the last units at once, timing may decide "
    "otherwise than it did.",
    "An order that only the policy confirms has no parcel to send: it keeps its units to the end of the window.",
)
METERED_RECORDS = 1_000


class Replay(Struct, frozen=True):
    """`differing`: orders that the run as it was decides otherwise than was really decided; `undecided_really`: orders
    of the window that had no decision when it ended. `changed`: decided otherwise under the policy, the first few."""

    start: str
    end: str
    records: int
    as_it_was: Result
    under_policy: Result
    difference: dict[str, float]
    differing: int
    undecided_really: int
    changed_orders: int
    changed: list[Changed]
    notes: list[str]


def replay(
    logs: Logs, roles: Mapping[str, Role], policy: Policy, start_ms: int | None = None, end_ms: int | None = None,
    meter: Meter | None = None,
) -> Replay:  # fmt: skip
    """Orders placed from `start_ms` on and before `end_ms` (None: all of the logs), under both."""
    meter = meter or Unmetered()
    found = window(logs, roles, start_ms, end_ms, meter)
    meter.expect(2 * len(found.came))
    marks = array("q")
    was = run(found, roles, AS_IT_WAS, meter, marks, reference=False)
    new = run(found, roles, policy, meter, marks, reference=True)
    changed = differences(found.placed, was, new)
    one, other = was.result(found.placed, found.end_ms), new.result(found.placed, found.end_ms)
    names = ("confirmed", "rejected", "expired", "undecided", "units", "backordered", "short", "shipments",
             "stockout_hours")  # fmt: skip
    return Replay(
        instant(found.start_ms), instant(found.end_ms), sum(len(came.indexes) for came in found.came), one, other,
        {name: round(getattr(other, name) - getattr(one, name), 2) for name in names},
        len(differences(found.placed, found.real, was)),
        sum(order_id not in found.real.decided for order_id in found.placed), len(changed), changed[:EXAMPLES_MAX],
        list(NOTES),
    )  # fmt: skip


def run(
    found: Window, roles: Mapping[str, Role], policy: Policy, meter: Meter, marks: array[int], *, reference: bool
) -> Tally:
    """The window under one policy. `marks`: where each order stood when a record of it came, noted by the run as it
    was, or (`reference`) held against this one."""
    tally = Tally()
    world = World(roles, found.beginnings, tally.decide, tally.stock)
    for (topic, _), beginning in found.beginnings.items():
        if topic == WAREHOUSE:
            tally.stock(beginning.rows, found.start_ms, known=True)
    partitions = len(found.beginnings) // 2
    rules = _Rules(policy, world, partitions)
    noted = iter(marks if reference else ())
    for number, came in enumerate(found.came, 1):
        if came.offset:  # the first record of a partition opens it
            rules.begin(found.start_ms)
        for record in came.records():
            order: OrderRow | None = None
            known = None
            if order_id := getattr(record, "order_id", None):
                order = world.get(ORDERS, partition_of(order_id, partitions), order_key(order_id))
                if reference:
                    known = next(noted)
                else:
                    marks.append(mark(order))
            if policy.replaces(record):
                continue
            for told in _as_decided(policy.placed(record), order, known, found.real, tally, world, came.number):
                world.put(came.topic, came.number, _said_here(world, told, came.number, found), came.ms)
                if came.topic == WAREHOUSE:
                    rules.after(told, came.ms)
        if number % METERED_RECORDS == 0:
            meter.advance(METERED_RECORDS)
    world.close()
    return tally


def _as_decided(
    record: Any, order: OrderRow | None, known: int | None, real: Tally, run: Tally, world: World, number: int
) -> list[Any]:
    """The record as it would have come to this run: nothing follows a refusal, and parcels leave from where the run
    holds the units. `known`: where the order stood in the run as it was; None: this is that run."""
    order_id = getattr(record, "order_id", None)
    was, now = real.decided.get(order_id), run.decided.get(order_id)
    if order_id is None or was is None or was.status != "confirmed":
        return [record]
    if now is not None and now.status != "confirmed":
        return []
    if not isinstance(record, IN_FULFILMENT) or known == mark(order) or (known is None and now in (None, was)):
        return [record]
    if isinstance(record, r.Picked | r.Shipped | r.Returned):
        attempts = range(1, order.attempt + 1) if order is not None else ()
        held = [world.get(WAREHOUSE, number, reservation_key(order_id, attempt)) for attempt in attempts]
        return list(from_stock(record, [row for row in held if row is not None]))
    return list(followed(record, was, order))


def _said_here(world: World, record: Any, number: int, found: Window) -> Any:
    """A count names a position of the real log. In this world others stand there, and stamps tell what came before."""
    if getattr(record, "as_of_offset", None) is None:
        return record
    beyond = record.as_of_offset - found.beginnings[WAREHOUSE, number].next_offset
    stamps = found.stamps[number]
    if beyond < 0 or not stamps:
        return record
    return world.as_of(record, number, stamps[min(beyond, len(stamps) - 1)])


class _Rules:
    """Puts a policy's records into a world: at its beginning, and for every SKU when it first appears."""

    def __init__(self, policy: Policy, world: World, partitions: int) -> None:
        self._policy, self._world, self._partitions = policy, world, partitions
        self._begun = False
        self._known: set[str] = set()
        self._told = 0

    def begin(self, ms: int) -> None:
        if self._begun:
            return
        self._begun = True
        for topics, record in self._policy.once():
            self._put(topics, record, ms)
        for number in range(self._partitions):
            for row in self._world.rows(WAREHOUSE, number, "sku|"):
                self._every(row.sku, ms)

    def after(self, record: Any, ms: int) -> None:
        """A record of the logs came: what the policy says of a part of its subject holds on, and of a new SKU too."""
        for topics, told in self._policy.narrower(record):
            self._put(topics, told, ms)
        sku = getattr(record, "sku", None)
        if sku is None or sku in self._known:
            return
        if self._world.get(WAREHOUSE, partition_of_sku(sku, self._partitions), sku_key(sku)) is not None:
            self._every(sku, ms)

    def _every(self, sku: str, ms: int) -> None:
        if sku not in self._known:
            self._known.add(sku)
            for topics, record in self._policy.of_sku(sku):
                self._put(topics, record, ms)

    def _put(self, topics: tuple[str, ...], record: Any, ms: int) -> None:
        self._told += 1
        record = replace(record, id=f"{record.id}:{self._told}")  # the same rule again is another record
        for topic in topics:
            for number in _homes(record, self._partitions):
                self._world.put(topic, number, record, ms)


def _homes(record: Any, partitions: int) -> list[int]:
    """The partitions of a log that a rule belongs to: its SKU's, or all."""
    sku = getattr(record, "sku", None)
    if sku is not None and type(record) not in r.EVERYWHERE:
        return [partition_of_sku(sku, partitions)]
    return list(range(partitions))
