"""The faults stop: does everything settle, and to the right end?

Guarantees (I5, I9, I10, I12, I13): within a bound of rounds every log is read to its end; the rows an owner has, those
its changelog gives and those of a fresh fold of the whole log are the same; all the fold says was said, and nothing
else; views end as the fold has them; every item is applied, known already, forwarded or a dead letter. Does not belong
here: what happens before (`world`).
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from proof.audit.core import audit
from proof.simulator import books
from proof.simulator.ear import NOT_COMPARED, Name, view_key
from proof.simulator.sending import HOPS
from proof.simulator.worker import CHANGELOG, Violation, newest
from proof.simulator.world import Message, Where, World
from streams.partition import Partition
from tables import records as r
from tables import rows as row_types
from tables.outcome import Send
from tables.rows import PARTITION_KEY
from tables.store import VERSION_BYTES
from tables.table import Table

ROUNDS_MAX = 400  # of every owner: far more than any order needs
TICKS = 8  # of 60 s each: past every deadline of the limits, one after the other
TICKS_MOST = 1_500  # a broker's clock that was ahead puts them off, by a day at most


def settle(world: World) -> None:
    """Zombies fall silent (what they sent lands late), clocks are right again, time passes, all is handled."""
    world.step_number = world.swarm.steps
    for zombie in world.zombies:
        zombie.sending.land()
    world.zombies = []
    _drain(world)
    states = [owner.partition.state.state_ms for owner in world.owners.values() if owner.partition.state]
    world.now_ms = max(world.now_ms, world.broker.ms, *states)
    for tick in range(TICKS_MOST):
        if tick >= TICKS and not any(owner.table.next_deadline for owner in world.owners.values()):
            break
        world.now_ms += 60_000
        world.broker.ms = world.now_ms
        for where in world.places:
            world.tick(where, world.now_ms)
        _drain(world)
    for owner in world.owners.values():
        owner.sweep()
        owner.sending.land()


def _drain(world: World) -> None:
    for _ in range(ROUNDS_MAX):
        moved = False
        for owner in world.owners.values():
            moved |= world.handle(owner, 1_000)
            owner.sending.land()
            moved |= world.end(owner)
            if owner.partition.next_offset > owner.committed or owner.table.dirty:
                moved |= world.begin(owner)
            owner.sending.land()
        if not moved:
            return
    raise Violation("I12", f"still moving after {ROUNDS_MAX} rounds")


def check(world: World, audited: bool) -> bool:
    """Everything that must hold at rest; the first that does not is a `Violation`. Whether it was audited too."""
    folds = {where: Fold(world, where) for where in world.places}
    orders: dict[str, Any] = {}
    for where, fold in folds.items():
        check_live(world, where, fold)
        _check_recovered(world, where, fold)
        if where[0] == "orders":
            orders |= {key: row for key, row in fold.rows.items() if key.startswith("order|")}
    for row in orders.values():
        if row.state in ("pending", "on_hold"):
            raise Violation("I12", f"undecided for ever: {row}")
    stock: dict[str, Any] = {}
    for (topic, number), fold in folds.items():
        if topic == "warehouse":
            books.check_partition(fold.rows, orders)
            stock |= {f"{key}@{number}": row for key, row in fold.rows.items() if key.startswith(("res|", "fact|"))}
    books.check_promises(orders, stock)
    _check_said(world, folds)
    _check_views(world, folds)
    _check_items(world, folds)
    if audited:
        report = audit(world.broker.read)
        if not report["ok"]:
            raise Violation("audit", str(report["findings"][:3]))
    return audited


class Fold:
    """A fresh partition that reads the whole log once. It is the codec of itself, which counts what comes in, and the
    outbox: what it would send, it keeps. `end`: it reads no further than this offset."""

    def __init__(self, world: World, where: Where, end: int | None = None) -> None:
        self.said: dict[Name, Any] = {}
        self.dead: set[tuple[str, int, int, int]] = set()
        self.forwards: set[tuple[str, int, bytes]] = set()
        self.forwarded = self.came_in = self.stepped = self.opened = 0
        self.views: dict[tuple[str, str], Any] = {}
        log = world.broker.topics[where][:end]
        role = world.roles[where[0]]
        self._step, self._decode = role.step, role.codec.items
        role = role._replace(step=self._counted, codec=self)  # type: ignore[arg-type]
        self.table = Table()
        partition = Partition(role, where[1], self.table, self, 0)  # type: ignore[arg-type]
        partition.handle([Message(seen) for seen in log])  # type: ignore[misc]
        if partition.halt is not None:
            raise Violation("halt", f"fold of {where}: {partition.halt}")
        state = partition.position_row()
        if state is not None:
            partition.views.publish(self.table, state, self)  # type: ignore[arg-type]
        self.rows = dict(self.table.rows())
        self.rows[PARTITION_KEY] = state
        self.encoded = {key: row_types.encode(row) for key, row in self.rows.items() if row is not None}

    def items(self, value: bytes | None) -> list[Any]:
        """The records of one value; they are counted as they come in."""
        records = self._decode(value)
        self.came_in += len(records)
        self.opened += sum(type(x) is r.LogOpened for x in records)
        return records

    def _counted(self, view: Any, record: Any, at: Any, state: Any) -> Any:
        outcome = self._step(view, record, at, state)
        self.stepped += not outcome.dead
        return outcome

    def send(self, send: Send) -> None:
        self.said.setdefault((send.topic, type(send.record), send.record.id), send.record)

    def retract(self, topic: str, key: str) -> None:
        self.views[topic, key] = None

    def publish(self, topic: str, key: str, record: Any, routed_by: str | None = None) -> None:
        self.views[topic, view_key(record)] = record

    def forward(self, topic: str, partition: int, key: str, value: bytes, ms: int) -> None:
        self.forwarded += 1
        self.forwards.add((topic, partition, value))

    def dead_letter(self, topic: str, partition: int, offset: int, index: int, *_: Any) -> None:
        self.dead.add((topic, partition, offset, index))


def check_live(world: World, where: Where, fold: Fold) -> None:
    """I9: what the owner has in memory is what the fold has, byte for byte."""
    owner = world.owners[where]
    live = dict(owner.table.rows())
    live[PARTITION_KEY] = owner.partition.position_row()
    _same_rows(where, "live", fold, {key: row_types.encode(row) for key, row in live.items() if row is not None})


def _check_recovered(world: World, where: Where, fold: Fold) -> None:
    """I9: and so is what its changelog gives."""
    changelog = newest(world.discipline, world.broker.topics.get((CHANGELOG[where[0]], where[1]), []))
    recovered = {key.decode(): value[VERSION_BYTES:] for key, (value, *_) in changelog.items()}
    _same_rows(where, "recovered", fold, recovered)


def _same_rows(where: Where, name: str, fold: Fold, found: dict[str, bytes]) -> None:
    expected = fold.encoded
    for key in sorted(expected.keys() | found.keys()) if found != expected else ():
        if found.get(key) != expected.get(key):
            theirs = found.get(key) and row_types.decode(key, found[key])
            raise Violation("I9", f"{where} {key}: fold\n{fold.rows.get(key)}\n{name}\n{theirs}")


def _check_said(world: World, folds: dict[Where, Fold]) -> None:
    """I6, I7: what was said is what one reader of the logs says, all of it and no more."""
    expected = {name: record for fold in folds.values() for name, record in fold.said.items()}
    said = world.ear.said
    for name, record in expected.items():
        if name[1] in NOT_COMPARED:
            continue
        known = said.get(name)
        if known is None:
            raise Violation("I12", f"never said: {record}")
        if world.ear.differ(known, record):
            raise Violation("I7", f"said\n{known}\nought to be\n{record}")
    for name in said.keys() - expected.keys():
        raise Violation("I7", f"nobody should have said: {said[name]}")


def _check_views(world: World, folds: dict[Where, Fold]) -> None:
    """I10: who read all along and kept the highest version, and who reads only what compaction left, see the same."""
    for (topic, key), expected in ((item, doc) for fold in folds.values() for item, doc in fold.views.items()):
        best = None
        for doc in world.ear.views.get((topic, key), ()):
            if best is None or doc is None or doc.version > best.version:
                best = doc
        last = world.ear.views.get((topic, key), [None])[-1]
        for reader, found in (("highest", best), ("last", last)):
            if _as_shown(found) != _as_shown(expected):
                raise Violation(f"I10_{reader}", f"{topic} {key}: sees\n{found}\nought to see\n{expected}")


def _as_shown(document: Any) -> Any:
    return document and replace(document, time="")


def _check_items(world: World, folds: dict[Where, Fold]) -> None:
    """I13: items in = applied + known already + forwarded + dead letters; the last two stand where they belong."""
    landed_dead: set[tuple[str, int, int, int]] = set()
    for seen in world.broker.read("dead-letters"):
        said = {name.rpartition("errors.")[2]: value.decode() for name, value in seen.headers or ()}
        landed_dead.add((said["topic"], int(said["partition"]), int(said["offset"]), int(said["index"])))
    dead = {place for fold in folds.values() for place in fold.dead}
    if dead != landed_dead:
        raise Violation("I13", f"dead letters missing {sorted(dead - landed_dead)[:5]}, "
                               f"too many {sorted(landed_dead - dead)[:5]}")  # fmt: skip
    forwarded = {
        (seen.topic, seen.partition, seen.value)
        for where in world.places for seen in world.broker.topics[where] if seen.headers and seen.headers[0][0] == HOPS
    }  # fmt: skip
    for where, fold in folds.items():
        told = fold.opened + fold.stepped + fold.forwarded + len(fold.dead)
        if told != fold.came_in:
            raise Violation("I13", f"{where}: {fold.came_in} items came in, {told} are accounted for")
        if not fold.forwards <= forwarded:
            raise Violation("I13", f"{where}: never forwarded: {sorted(fold.forwards - forwarded)[:3]}")
