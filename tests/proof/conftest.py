"""The belt: both logs, their partitions and the agents' pure steps, in memory and turned by hand.

It does with plain lists what workers do with a broker: routes, forwards, packs, writes rows and publishes levels, loses
what was not acknowledged, recovers, and leaves zombies behind. What was said stands in `topics` as an audit reads it.
Steps, partitions, tables and views are the real ones.
"""

from __future__ import annotations

import contextlib
import itertools
import random
from collections.abc import Iterable
from typing import Any

import pytest

from proof.audit.core import Audit, audit
from proof.audit.seen import Cut, Seen
from proof.simulator.world import Message
from streams import views
from streams.agents import order, stock
from streams.partition import Partition, Role
from streams.topics import CHANGELOG_OF, ORDERS, WAREHOUSE
from tables import records as r
from tables import rows as row_types
from tables.codec import ORDER_LOG, STOCK_LOG, batches, encode, pack
from tables.log import LOGIC_VERSION
from tables.murmur2 import partition_of
from tables.outcome import INDEX_BITS, Send
from tables.store import version_bytes
from tables.table import Table

START_MS = 1_700_000_000_000
Headers = list[tuple[str, bytes]]


# Days around the belt's first one, 2023-11-14; the last is far off.
DAYS = ("2023-11-10", "2023-11-15", "2023-11-16", "2023-11-20", "2024-03-01")
TIMES = ("2023-11-13T23:30:00-02:00", "2023-11-12T08:00:00Z", "2023-02-30T00:00:00Z")  # the last: of no calendar


def any_fact(
    chance: random.Random, fact_id: str, skus: tuple[str, ...], places: tuple[str, ...], lots: tuple[str, ...]
) -> Any:
    """A stock fact of any kind; the last SKU is a kit of the first two where one is built or taken apart."""
    pick = lambda *values: chance.choice(values)  # noqa: E731
    sku, place, lot, units = pick(*skus), pick(*places), pick(*lots), chance.randint(1, 9)
    where: dict[str, Any] = {"sku": sku, "location": place}
    day, reference, perhaps = pick(None, *DAYS), pick("P1", "P2", "T1", "T2"), pick(None, lot)
    then = pick(None, *TIMES)
    used = [r.KitPartUsed(skus[0], units), r.KitPartUsed(skus[1], units, lot)]
    kinds: list[tuple[type, dict[str, Any]]] = [
        (r.Received, where | {"lot": lot, "quantity": units + 5, "best_before": day, "reference": reference,
                              "status": pick("approved", "approved", "inspection")}),
        *[(r.Received, where | {"lot": lot, "quantity": units + 9, "best_before": pick(day, "2024-03-01")})] * 4,
        (r.LotDefined, {"sku": sku, "lot": lot, "best_before": day}),
        (r.LotStatusSet, {"sku": sku, "lot": lot, "status": pick("approved", "approved", "on_hold")}),
        (r.ConditionChanged, where | {"lot": lot, "quantity": units,
                                      "condition": pick("damaged", "quarantined", "good", "good")}),
        (r.Adjusted, where | {"lot": perhaps, "quantity": units - 5, "reason": "correction"}),
        (r.Counted, where | {"lot": lot, "quantity": units, "as_of_offset": pick(None, units * 4),
                             "recount": pick(True, False)}),
        (r.Shipped, where | {"lot": perhaps, "quantity": units, "channel": "shop", "occurred_at": then}),
        (r.Returned, where | {"lot": perhaps, "quantity": units, "occurred_at": then,
                              "disposition": pick("restock", "scrap", "quarantine", "to_supplier")}),
        (r.TransferredOut, where | {"to": pick(*places), "quantity": units, "reference": reference, "lot": perhaps,
                                    "expected": pick(*DAYS)}),
        (r.TransferredIn, where | {"quantity": units - 1, "reference": reference, "lot": perhaps,
                                   "final": pick(True, False)}),
        (r.PurchaseOrdered, where | {"reference": reference, "quantity": units * 2, "expected": day}),
        (r.PurchaseConfirmed, where | {"reference": reference, "quantity": units * 2, "expected": DAYS[3]}),
        (r.PurchaseNotified, where | {"reference": reference, "quantity": units * 2}),
        (r.PurchaseClosed, where | {"reference": reference}),
        (r.KitAssembled, where | {"quantity": units, "lot": lot, "best_before": day, "parts": used}),
        (r.KitDisassembled, where | {"quantity": units, "lot": perhaps, "parts": used[:1]}),
        *[(r.PolicySet, {"sku": sku, "location": pick(None, place), "safety_stock": pick(0, 0, 2),
                         "expiring_days": pick(0, 3), "count_tolerance": pick(0, 2),
                         "backorder_limit": pick(0, 8, 50), "backorder_due": pick(None, DAYS[4])})] * 2,
        (r.ChannelStockSet, where | {"channel": pick("shop", "web"), "ring_fence": pick(0, 3, 6),
                                     "buffer": pick(0, 1, 2)}),
        (r.SkuDefined, {"sku": sku, "discontinued": chance.random() < 0.05,
                        "channels": pick([], [], ["shop", "web"])}),
    ]  # fmt: skip
    kind, fields = pick(*kinds)
    return kind(id=fact_id, **fields)


def any_rule(
    chance: random.Random, rule_id: str, skus: tuple[str, ...], places: tuple[str, ...], lots: tuple[str, ...]
) -> Any:
    """A channel's rules, or a recall: what every partition hears."""
    lot, some = chance.choice(lots), chance.choice(([], [skus[0]], list(skus[1:])))
    channel = r.ChannelSet(
        id=rule_id, channel=chance.choice(("shop", "web")), minimum_life_days=chance.choice((0, 0, 2, 30)),
        promise_days=chance.choice((0, 1)), locations=chance.choice(([], [], list(places[1::-1]))),
        closed=chance.random() < 0.05, policy=chance.choice(("all_or_nothing", "ship_available", "backorder")),
    )  # fmt: skip
    return chance.choice((
        channel, r.RecallOpened(id=rule_id, lot=lot, skus=some, mock=chance.choice((True, False))),
        r.RecallClosed(id=rule_id, lot=lot),
    ))  # fmt: skip


class Outbox:
    """Puts what is sent where an audit reads it."""

    def __init__(self, belt: Belt) -> None:
        self._belt = belt
        self._packs: dict[tuple[str, int], list[bytes]] = {}

    def send(self, send: Send) -> None:
        if send.partition is None:
            self.publish(send.topic, str(send.key), send.record)
        else:
            self._packs.setdefault((send.topic, send.partition), []).append(encode(send.record))

    def leave(self, most: int | None = None) -> None:
        """`most`: records that get out before the process dies; packs may be lost, each whole."""
        packs, self._packs = self._packs, {}
        runs = [(*where, run) for where, items in packs.items() for run in batches(items)]
        for topic, partition, run in runs[:most]:
            self._belt.append(topic, partition, run[0] if len(run) == 1 else pack(run))

    def publish(self, topic: str, key: str, record: Any, routed_by: str | None = None) -> None:
        partition = partition_of(routed_by or key, self._belt.partitions)
        self._belt.append(topic, partition, encode(record), key.encode())

    def retract(self, topic: str, key: str) -> None:
        self._belt.append(topic, partition_of(key, self._belt.partitions), None, key.encode())

    def forward(self, topic: str, partition: int, key: str, value: bytes, ms: int) -> None:
        self._belt.append(topic, partition, value, key.encode(), [("smokehouse.hops", b"1")])

    def dead_letter(
        self, topic: str, partition: int, offset: int, index: int, key: bytes | None, value: bytes | None, reason: str
    ) -> None:
        names = {"topic": topic, "partition": partition, "offset": offset, "index": index, "exception.message": reason}
        headers = [(f"__connect.errors.{name}", str(said).encode()) for name, said in names.items()]
        self._belt.append("dead-letters", 0, value or b"", key, headers)


class Written:
    """The rows that a worker has recovered, as a store gives them."""

    def __init__(self, rows: dict[str, Any]) -> None:
        self._rows = rows

    def slice(self, prefix: str, after: str, most: int) -> list[tuple[str, Any]]:
        found = (x for x in sorted(self._rows.items()) if x[0].startswith(prefix) and x[0] > after)
        return list(itertools.islice(found, most))


class Belt:
    """`topics[name, partition]`: the records so far. `turn` handles what no agent has read yet."""

    any_fact = staticmethod(any_fact)
    any_rule = staticmethod(any_rule)

    def __init__(self, partitions: int = 3, limits: r.Limits | None = None) -> None:
        self.partitions = partitions
        self.ms = START_MS
        self.topics: dict[tuple[str, int], list[Seen]] = {}
        self.journal: list[tuple[str, int, int]] = []  # what was written, in order
        self.commits: list[tuple[int, tuple[str, int], int]] = []  # (records written before, log, offset)
        self.outbox = Outbox(self)
        roles = [
            Role(ORDERS.name, ORDER_LOG, order.step, views.OrderViews),
            Role(WAREHOUSE.name, STOCK_LOG, stock.step, views.StockViews),
        ]
        self._roles = {role.topic: role for role in roles}
        self.agents = {
            (role.topic, n): Partition(role, n, Table(), self.outbox, 0)  # type: ignore[arg-type]
            for role in roles
            for n in range(partitions)
        }
        self.committed = dict.fromkeys(self.agents, 0)
        self.zombies: dict[tuple[str, int], tuple[Partition, str]] = {}
        self._writers = dict.fromkeys(self.agents, 0)
        self._newest: dict[Partition, int] = {}  # highest place of the rows that an agent recovered
        opened = r.LogOpened(
            id="open", log_id=7, partitions=partitions, logic_version=LOGIC_VERSION, limits=limits or r.Limits()
        )  # fmt: skip
        for topic, partition in self.agents:
            self.put(topic, partition, opened)

    # ---- what connectors do

    def append(
        self, topic: str, partition: int, value: bytes | None, key: bytes | None = None, headers: Headers | None = None
    ) -> None:
        log = self.topics.setdefault((topic, partition), [])
        offset = len(log)
        log.append(Seen(topic, partition, offset, self.ms, key, value, headers))
        self.journal.append((topic, partition, offset))

    def put(self, topic: str, partition: int, record: Any) -> None:
        self.append(topic, partition, encode(record))

    def place(self, record: Any) -> None:
        """A record from outside, by its key; a rule to every partition that must know it."""
        if isinstance(record, r.EVERYWHERE):
            for topic, partition in self.agents:
                if isinstance(record, r.ChannelSet) or (topic == "orders") == isinstance(record, r.KitSet):
                    self.put(topic, partition, record)
        elif isinstance(record, r.OrderRecord):
            self.put("orders", partition_of(record.order_id, self.partitions), record)
        else:
            self.put("warehouse", partition_of(record.sku, self.partitions), record)

    def tick(self, seconds: int = 0) -> None:
        """Time passes, and is told to every partition."""
        self.ms += seconds * 1000
        for topic, partition in self.agents:
            self.put(topic, partition, r.Tick(id=f"tick-{self.ms}", now_ms=self.ms))

    # ---- what workers do

    def step(self, topic: str, partition: int, records: int, most: int | None = None) -> bool:
        """One agent handles up to `records` records, as one batch; False if there was none."""
        return self._step(self.agents[topic, partition], records, most)

    def _step(self, agent: Partition, records: int, most: int | None = None) -> bool:
        log = self.topics[agent.role.topic, agent.number]
        fresh = log[agent.next_offset : agent.next_offset + records]
        agent.handle([Message(seen) for seen in fresh])  # type: ignore[misc]
        assert agent.halt is None, agent.halt
        self.outbox.leave(most)
        return bool(fresh)

    def checkpoint(self, topic: str, partition: int, rows: int | None = None) -> None:
        """Rows to the changelog, outcome rows first, the partition row last; then what is published about them.
        `rows`: so many get out before the process dies."""
        agent = self.agents[topic, partition]
        self._write(agent, f"w{self._writers[topic, partition]}", rows)
        if rows is None:
            self.committed[topic, partition] = agent.next_offset
            self.commits.append((len(self.journal), (topic, partition), agent.next_offset))

    def _write(self, agent: Partition, writer: str, most: int | None = None) -> None:
        state = agent.position_row()
        if state is None:
            return
        topic, partition = agent.role.topic, agent.number
        dirty = {k: v for k, v in agent.table.take_dirty().items() if k != row_types.PARTITION_KEY}
        for key, row in [*row_types.in_writing_order(dirty), (row_types.PARTITION_KEY, state)][:most]:
            value = version_bytes(state.log_id, row.at) + row_types.encode(row)
            self.append(CHANGELOG_OF[topic].name, partition, value, f"{key}|{writer}".encode())
        # Of what was recovered some rows may be ahead of others, until the log is read as far as the newest of them.
        whole = agent.views.of_one_row or agent.next_offset << INDEX_BITS > self._newest.get(agent, -1)
        if most is None and whole:
            agent.views.publish(agent.table, state, self.outbox)

    def take_over(self, topic: str, partition: int) -> None:
        """Another worker recovers the partition's rows and goes on from the committed offset; the old one may live."""
        where = (topic, partition)
        self.zombies[where] = (self.agents[where], f"w{self._writers[where]}")
        self._writers[where] += 1
        best: dict[str, bytes] = {}
        for seen in self.topics.get((CHANGELOG_OF[topic].name, partition), ()):
            key, value = (seen.key or b"").rpartition(b"|")[0].decode(), seen.value or b""
            if value[:20] >= best.get(key, b"")[:20]:
                assert value[:20] != best.get(key, b"")[:20] or value == best[key], f"two contents of {key}"
                best[key] = value
        table = Table()
        rows = {key: row_types.decode(key, value[20:]) for key, value in best.items()}
        table.put(rows)
        table.take_dirty()
        agent = Partition(self._roles[topic], partition, table, self.outbox, self.committed[where])  # type: ignore[arg-type]
        self._newest[agent] = max((row.at for row in rows.values()), default=-1)
        list(agent.views.taken_over(table, Written(rows), 1000) or ())
        self.agents[where] = agent

    def zombie(self, topic: str, partition: int, records: int, *, write: bool) -> None:
        """The worker that was taken over from speaks once more."""
        if (topic, partition) in self.zombies:
            agent, writer = self.zombies[topic, partition]
            self._step(agent, records)
            if write:
                self._write(agent, writer)

    def turn(self, records: int = 1000) -> None:
        """Until nothing is left to handle, a checkpoint after every batch."""
        moved = True
        while moved:
            moved = False
            for topic, partition in self.agents:
                if self.step(topic, partition, records):
                    moved = True
                    self.checkpoint(topic, partition)

    # ---- what an auditor does

    def source(self, topic: str) -> Iterable[Seen]:
        return [seen for (name, _), log in sorted(self.topics.items()) if name == topic for seen in log]

    def audit(self, **options: Any) -> dict[str, Any]:
        return audit(self.source, **options)

    def audit_in_rounds(self, chance: random.Random, **options: Any) -> dict[str, Any]:
        """As somebody saw it who looked on while it happened, at moments of his choice; some rounds break off."""
        going_on, looking_on = Audit(**options), LookingOn(self, chance)
        for moment in sorted(chance.randint(0, len(self.journal)) for _ in range(chance.randint(1, 8))):
            cut = looking_on.cut(moment)
            with contextlib.suppress(BrokenOff):
                going_on.round(looking_on.source, cut)
        looking_on.see_all()
        going_on.round(looking_on.source)
        return going_on.report()

    def replace(self, seen: Seen, value: bytes) -> None:
        """Corrupt one record where it stands."""
        self.topics[seen.topic, seen.partition][seen.offset] = seen._replace(value=value)

    def decided(self) -> dict[str, str]:
        """Order -> status, as told."""
        import msgspec

        said = [msgspec.json.decode(seen.value or b"") for seen in self.source("reservations")]
        return {x["order_id"]: x["status"] for x in said if x["status"] not in ("cancelled", "edited")}


class BrokenOff(Exception):
    """The broker went away in the middle of a topic."""


class LookingOn:
    """Reads a belt's topics as they were at one moment after the other, each record once."""

    def __init__(self, belt: Belt, chance: random.Random) -> None:
        self._belt, self._chance = belt, chance
        self._times = {where: n for n, where in enumerate(belt.journal)}
        self._until: dict[str, int] = {}  # topic -> moment up to which it is read
        self._given: set[tuple[str, int, int]] = set()
        self._records_left: int | None = None  # until this round breaks off
        self._before: list[tuple[dict[tuple[str, int], int], dict[tuple[str, int], int]]] = []  # (handled, ends)

    def cut(self, moment: int) -> Cut:
        """What was handled at a moment, where the logs ended a little later; other topics are read later still."""
        handled = dict.fromkeys(self._belt.committed, 0)
        handled |= {log: offset for when, log, offset in self._belt.commits if when <= moment}
        # The ends are asked for after everything that was read in the round before.
        later = max(moment + self._chance.choice((0, 3, 50)), *self._until.values(), 0)
        ends = dict.fromkeys(handled, 0)
        for topic, partition, offset in self._belt.journal[:later]:
            if (topic, partition) in ends:
                ends[topic, partition] = offset + 1
        for topic in ("dead-letters", "orders", "order-changelog", "stock-changelog", "stock-levels", "demand",
                      "warehouse", "order-status", "reservations"):  # fmt: skip
            of_a_log = topic in (ORDERS.name, WAREHOUSE.name)
            further = later if of_a_log else self._chance.choice((later, later + 20, len(self._times)))
            self._until[topic] = max(further, self._until.get(topic, 0))
        self._records_left = self._chance.choice((5, 50, 500, None, None, None))
        settled = dict.fromkeys(handled, 0)
        self._before.append((handled, ends))
        for before, ended in self._before:
            if all(ended[x] <= handled[x] for x in ended if x[0] == WAREHOUSE.name):
                settled = before
        return Cut(settled, handled, ends)

    def see_all(self) -> None:
        self._until.clear()
        self._records_left = None

    def source(self, topic: str) -> Iterable[Seen]:
        until = self._until.get(topic, len(self._times))
        for seen in self._belt.source(topic):
            if seen[:3] not in self._given and self._times[seen[:3]] < until:
                if self._records_left is not None:
                    if self._records_left == 0:
                        raise BrokenOff
                    self._records_left -= 1
                self._given.add(seen[:3])
                yield seen


class InRounds(Belt):
    """A belt whose audit says the same, however what it reads is cut into rounds."""

    def audit(self, **options: Any) -> dict[str, Any]:
        whole = super().audit(**options)
        for seed in range(4):
            told = self.audit_in_rounds(random.Random(seed), **options)
            same(told, whole)
        return whole


def same(told: dict[str, Any], whole: dict[str, Any]) -> None:
    """Two audits of the same, in rounds and at once, found the same and counted the same. Who looks on may find how
    things stood before they went on: more of the same subject, and at an earlier position."""

    def found(report: dict[str, Any]) -> dict[Any, Any]:
        return {(x.rule, x.subject, x.location, x.lot): (x.topic, x.partition, x.offset) for x in report["findings"]}

    ours, theirs = found(told), found(whole)
    assert told["ok"] == whole["ok"]
    if whole["more_findings"]:
        return  # which of them are kept is nobody's promise
    assert theirs.keys() <= ours.keys()
    assert {key[1] for key in ours} == {key[1] for key in theirs}
    for key, (topic, partition, offset) in theirs.items():
        assert ours[key][:2] == (topic, partition), key
        assert ours[key][2] <= offset, key
    for what in ("checked", "logs", "orders", "undecided", "too_late"):
        assert told[what] == whole[what], what


@pytest.fixture(params=[Belt, InRounds], ids=["at once", "in rounds"])
def belt(request: pytest.FixtureRequest) -> Belt:
    """Three partitions, logs open, nothing else; what is audited at once is also audited in rounds."""
    return request.param()


@pytest.fixture(scope="session")
def new_belt() -> type[Belt]:
    """For tests that need many."""
    return Belt
