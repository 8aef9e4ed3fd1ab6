"""A window of both logs decided anew: once as it was, once under another policy, and the difference.

Reads a `window`; runs two `world`s. Guarantees: both runs get the same records from outside at the same times; the only
difference is the policy. The run as it was is held against what was really decided, order by order. What customers
would have done under the other policy is not known and not simulated: an order that was never placed is not there. Does
not belong here: reading files, tables for people.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from proof.history.explain import Logs
from proof.history.logs import Meter, Unmetered
from proof.history.policy import AS_IT_WAS, Policy
from proof.history.tally import EXAMPLES_MAX, Changed, Result, Tally, differences
from proof.history.window import Window, window
from proof.history.world import World
from streams.partition import Role
from tables import records as r
from tables.codec import instant
from tables.murmur2 import partition_of_sku
from tables.outcome import WAREHOUSE
from tables.rows import sku_key

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
    was = run(found, roles, AS_IT_WAS, meter)
    new = run(found, roles, policy, meter)
    changed = differences(found.placed, was, new)
    one, other = was.result(found.placed, found.end_ms), new.result(found.placed, found.end_ms)
    names = ("confirmed", "rejected", "expired", "undecided", "units", "shipments", "stockout_hours")
    return Replay(
        instant(found.start_ms), instant(found.end_ms), sum(len(came.indexes) for came in found.came), one, other,
        {name: round(getattr(other, name) - getattr(one, name), 2) for name in names},
        len(differences(found.placed, found.real, was)),
        sum(order_id not in found.real.decided for order_id in found.placed), len(changed), changed[:EXAMPLES_MAX],
        list(NOTES),
    )  # fmt: skip


def run(found: Window, roles: Mapping[str, Role], policy: Policy, meter: Meter) -> Tally:
    """The window under one policy."""
    tally = Tally()
    world = World(roles, found.beginnings, tally.decide, tally.stock)
    for (topic, _), beginning in found.beginnings.items():
        if topic == WAREHOUSE:
            tally.stock(beginning.rows, found.start_ms, known=True)
    rules = _Rules(policy, world, len(found.beginnings) // 2)
    for number, came in enumerate(found.came, 1):
        if came.offset:  # the first record of a partition opens it
            rules.begin(found.start_ms)
        for record in came.records():
            told = None if policy.replaces(record) else as_decided(record, found.real, tally)
            if told is None:
                continue
            world.put(came.topic, came.number, _said_here(world, told, came.number, found), came.ms)
            if came.topic == WAREHOUSE:
                rules.after(told, came.ms)
        if number % METERED_RECORDS == 0:
            meter.advance(METERED_RECORDS)
    world.close()
    return tally


def as_decided(record: Any, real: Tally, run: Tally) -> Any:
    """What became of an order really, as it would have been by this run's decision: nothing follows a refusal, and
    parcels leave from where this run holds the units. None: it would not have happened. A fact is never refused by the
    rules, so one that belongs to another decision must not come to them."""
    order_id = getattr(record, "order_id", None)
    was, now = real.decided.get(order_id), run.decided.get(order_id)
    if order_id is None or was is None or now is None or was.status != "confirmed" or was == now:
        return record
    if now.status != "confirmed":
        return None
    where = {sku: location for sku, _, location in now.places}
    if isinstance(record, r.OrderShipped):
        return replace(record, lines=[replace(line, location=None, lot=None) for line in record.lines])
    if isinstance(record, r.Shipped) and record.sku in where:
        return replace(record, location=where[record.sku], lot=None)
    return record


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
        for topic in topics:
            for number in _homes(record, self._partitions):
                self._world.put(topic, number, record, ms)


def _homes(record: Any, partitions: int) -> list[int]:
    """The partitions of a log that a rule belongs to: its SKU's, or all."""
    sku = getattr(record, "sku", None)
    if sku is not None and type(record) not in r.EVERYWHERE:
        return [partition_of_sku(sku, partitions)]
    return list(range(partitions))
