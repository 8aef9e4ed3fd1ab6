"""The world of one seed: a broker, an owner per partition, zombies, and one happening after another.

Reads its swarm; turns the belt by hand. Guarantees: step n depends on the seed, n and the state alone, so that a run
can be replayed with some of its steps left out (`shrink`). Does not belong here: what a fault does to records on their
way (`sending`), whether all adds up in the end (`convergence`).
"""

from __future__ import annotations

from bisect import bisect
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from random import Random
from typing import Any

from proof.audit.seen import Seen
from proof.simulator import books
from proof.simulator.broker import Broker
from proof.simulator.ear import Ear
from proof.simulator.sending import ANSWERS, ROWS, Sending
from proof.simulator.swarm import FAULTS, Swarm, swarm
from proof.simulator.traffic import Traffic
from proof.simulator.worker import CHANGELOG, Discipline, Mark, Owner, Violation, recover
from streams.partition import Role
from tables import records as r
from tables.codec import encode, pack
from tables.murmur2 import partition_of
from tables.outcome import INDEX_BITS
from tables.rows import PARTITION_KEY

START_MS = 1_700_000_000_000
LOG_ID = 7
LIMITS = r.Limits(undecided_seconds=120, payment_seconds=90, check_seconds=200, attempts=4)
FORGETTING = r.Limits(
    undecided_seconds=120, payment_seconds=90, check_seconds=200, attempts=4, reservation_keep_seconds=3_600,
)  # fmt: skip
AGE_TICKS = 70  # of 60 s: longer than anything is kept
Where = tuple[str, int]


class Message:
    """A record as an agent's loop gets it."""

    __slots__ = ("_seen",)

    def __init__(self, seen: Seen) -> None:
        self._seen = seen

    def value(self) -> bytes | None:
        return self._seen.value

    def key(self) -> bytes | None:
        return self._seen.key

    def offset(self) -> int:
        return self._seen.offset

    def headers(self) -> list[tuple[str, bytes]] | None:
        return self._seen.headers

    def timestamp(self) -> tuple[int, int]:
        return 1, self._seen.ms


class World:
    """`faults`: how often each kind did something. `events`: records given to a step. `trace`: what happened."""

    def __init__(
        self, seed: int, roles: Mapping[str, Role], discipline: Discipline, *, partitions: int = 0,
        stocked: bool = True, skip: Collection[int] = (), trace: list[str] | None = None,
    ) -> None:  # fmt: skip
        self.seed, self.discipline, self.skip, self.trace = seed, discipline, skip, trace
        self.swarm: Swarm = swarm(seed)
        self.chance = Random(seed)
        self.faults: Counter[str] = Counter()
        self.events = self.step_number = 0
        self.ear = Ear(self.swarm.forgets)
        self.broker = Broker(partitions or self.swarm.partitions)
        self.broker.ms = START_MS
        self.now_ms = START_MS
        self.traffic = Traffic(self.chance, self.swarm.scarce)
        self.roles = {topic: role._replace(step=self._counted(role.step)) for topic, role in roles.items()}
        self.places: list[Where] = [(topic, n) for topic in roles for n in range(self.broker.partitions)]
        self.owners: dict[Where, Owner] = {}
        self.zombies: list[Owner] = []
        self.stores: dict[tuple[int, Where], Mark] = {}
        self._writers = 0
        self._versions: dict[tuple[str, str], int] = {}  # row key, writer -> place last written
        self._bytes: dict[Where, dict[tuple[str, int], Any]] = {where: {} for where in self.places}
        opened = encode(r.LogOpened(
            id="open", log_id=LOG_ID, partitions=self.broker.partitions, logic_version=1,
            limits=FORGETTING if self.swarm.forgets else LIMITS,
        ))  # fmt: skip
        for topic, number in self.places:
            self.broker.append(topic, number, None, opened)
        for record in self.traffic.stock() if stocked else ():
            self.put(record)
        for where in self.places:
            self.open(where, 0, 0)

    # ---- happenings

    def run(self) -> None:
        """Every step of the swarm; `Violation` at the first rule that does not hold."""
        kinds, weights = self.swarm.kinds, self.swarm.weights
        for step in range(self.swarm.steps):
            if step in self.skip:
                continue
            self.step_number = step
            self.chance.seed(self.seed << 16 | step)
            kind = kinds[bisect(weights, self.chance.random() * weights[-1])]
            happened = _HAPPENINGS[kind](self)
            if happened and kind in FAULTS:
                self.faults[kind] += 1
            self.now_ms += self.chance.choice((0, 5, 200, 1000))
            self.broker.ms += self.now_ms - self.broker.ms if self.chance.random() < 0.02 else 5

    def note(self, what: str) -> None:
        if self.trace is not None:
            self.trace.append(f"{self.step_number:4} {what}")

    # ---- what connectors do

    def put(self, record: Any) -> None:
        """A record from outside, by its key."""
        by_order = "order_id" in record.__struct_fields__ and not isinstance(record, r.Shipped)
        topic, key = ("orders", record.order_id) if by_order else ("warehouse", record.sku)
        where = (topic, partition_of(key, self.broker.partitions))
        self.note(f"-> {where} {record}")
        self.broker.append(*where, key.encode(), encode(record))

    def _order(self) -> bool:
        if self.chance.random() < 0.8:
            self.put(self.traffic.order())
            return True
        packed: dict[int, list[bytes]] = {}  # as an importer does
        for _ in range(self.chance.randint(2, 5)):
            order = self.traffic.order()
            self.note(f"-> packed {order}")
            packed.setdefault(partition_of(order.order_id, self.broker.partitions), []).append(encode(order))
        for partition, items in packed.items():
            self.broker.append("orders", partition, None, pack(items))
        return True

    def _about_order(self) -> bool:
        self.put(self.traffic.about_order())
        return True

    def _fact(self) -> bool:
        self.put(self.traffic.fact(self.broker.end("warehouse", 0)))
        return True

    def _duplicate(self) -> bool:
        where = self._somewhere()
        log = self.broker.topics[where]
        seen = log[max(len(log) - 1 - int(self.chance.expovariate(0.1)), 0)]
        self.note(f"again {where} offset {seen.offset}")
        self.broker.append(*where, seen.key, seen.value, seen.headers)
        return True

    def _replay(self) -> bool:
        """Yesterday's records once more."""
        where = self._somewhere()
        log = self.broker.topics[where]
        start = self.chance.randrange(len(log))
        self.note(f"replay {where} from {start}")
        for seen in log[start : start + self.chance.randint(2, 40)]:
            self.broker.append(*where, seen.key, seen.value)
        return True

    def _misroute(self) -> bool:
        if self.broker.partitions == 1:
            return False
        topic, number = self._somewhere()
        seen = self.chance.choice(self.broker.topics[topic, number])
        if seen.key is None:
            return False
        wrong = (number + 1) % self.broker.partitions
        self.note(f"misrouted to {topic} {wrong}: {seen.value!r}")
        self.broker.append(topic, wrong, seen.key, seen.value, seen.headers)
        return True

    def _garbage(self) -> bool:
        values = (b"", b"{", b'{"type":"nothing"}', None, b'{"type":"packed","items":[{"type":"tick"},3]}',
                  encode(r.LogicVersionSet(id="v1", version=1)))  # fmt: skip
        where = self._somewhere()
        value = self.chance.choice(values)
        self.note(f"garbage {where} {value!r}")
        self.broker.append(*where, None, value)
        return True

    # ---- time

    def _tick(self) -> bool:
        jump = self.chance.choice((0, 0, 1_000, 30_000))
        self.now_ms += jump
        self.broker.ms = max(self.broker.ms, self.now_ms)
        for where in self.places if self.chance.random() < 0.5 else [self._somewhere()]:
            self.tick(where, self.now_ms)
        return True

    def tick(self, where: Where, now_ms: int) -> None:
        self.note(f"tick {where} {now_ms - START_MS}")
        self.broker.append(*where, None, encode(r.Tick(id=f"t{now_ms}", now_ms=now_ms)))

    def _age(self) -> bool:
        """So much time passes that what is closed may be forgotten: after a quiet hour, as between two checkpoints the
        time that anything is kept for cannot pass."""
        moved = True
        while moved:
            moved = False
            for owner in self.owners.values():
                moved |= self.handle(owner, 1_000)
                self.save(owner)
        for _ in range(AGE_TICKS):
            self.now_ms += 60_000
            self.broker.ms = max(self.broker.ms, self.now_ms)
            for where in self.places:
                self.tick(where, self.now_ms)
        return True

    def _clock_jump(self) -> bool:
        """One ticker's clock is wrong, by an hour or a year."""
        self.tick(self._somewhere(), self.now_ms + self.chance.choice((-3_600_000, 3_600_000, 400 * 86_400_000)))
        return True

    def _broker_clock(self) -> bool:
        self.broker.ms += self.chance.choice((-3_600_000, -60_000, 60_000, 3_600_000))
        return True

    # ---- what owners do

    def _work(self) -> bool:
        return self.handle(self.owners[self._somewhere()], self.chance.randint(1, self.swarm.batch_max))

    def handle(self, owner: Owner, most: int) -> bool:
        at = owner.partition.next_offset
        fresh = self.broker.topics[owner.where][at : at + most]
        if not fresh:
            return False
        self.note(f"{owner.writer} {owner.where} handles {at}..{at + len(fresh) - 1}")
        owner.handle([Message(seen) for seen in fresh])
        return True

    def _land(self) -> bool:
        return self._lands(self.owners[self._somewhere()], 0.7)

    def _lands(self, owner: Owner, all_of_it: float) -> bool:
        lane = None
        if self.swarm.slow_rows and self.chance.random() < 0.8:
            lane = ANSWERS
        elif self.swarm.slow_answers and self.chance.random() < 0.8:
            lane = ROWS
        landed = owner.sending.land(None if self.chance.random() < all_of_it else self.chance, lane)
        if landed:
            self.note(f"{owner.writer} {owner.where} lands {landed}")
        return bool(landed)

    def _begin(self) -> bool:
        return self.begin(self.owners[self._somewhere()])

    def begin(self, owner: Owner) -> bool:
        written = owner.begin_checkpoint()
        if written:
            self.note(f"{owner.writer} {owner.where} writes {[(k, v.at / 1024) for k, v in written]}")
            self._check_written(owner, written)
        return bool(written)

    def _end(self) -> bool:
        return self.end(self.owners[self._somewhere()])

    def end(self, owner: Owner) -> bool:
        ended = owner.end_checkpoint()
        if ended:
            self.note(f"{owner.writer} {owner.where} commits {owner.committed}")
        return ended

    def _look(self) -> bool:
        return self.look(self.owners[self._somewhere()])

    def look(self, owner: Owner) -> bool:
        """The owner looks for rows that are past their time, and tells its own log."""
        found = owner.look()
        if found:
            self.note(f"{owner.writer} {owner.where} would forget {found}")
        return bool(found)

    def _publish(self) -> bool:
        self.owners[self._somewhere()].publish()
        return True

    # ---- faults

    def open(self, where: Where, machine: int, committed: int) -> Owner:
        """A new owner recovers what is durable, from its machine's store if that can be trusted."""
        topic, number = where
        self._writers += 1
        writer = f"w{self._writers}"
        changelog = self.broker.topics.get((CHANGELOG[topic], number), [])
        mark = self.stores.pop((machine, where), None)
        newer = [seen for seen in changelog if mark is not None and seen.offset >= mark.changelog_end]
        is_kept = mark is not None and self.discipline.trusts(mark, newer)
        kept = dict(mark.kept) if mark is not None and is_kept else recover(self.discipline, changelog)
        state = kept.get(PARTITION_KEY)
        needed = 0 if state is None else (state.row.at >> INDEX_BITS) + 1
        if committed > needed:
            raise Violation("rows_missing", f"{where}: offset {committed} is committed, the rows end at {needed}")
        sending = Sending(self.broker, self.ear.hear)
        owner = Owner(self.discipline, self.roles[topic], number, writer, machine, sending, kept, committed)
        self.owners[where] = owner
        self.note(f"{writer} {where} opens at {committed}, rows to {needed}{' (store kept)' if is_kept else ''}")
        return owner

    def _next(self, where: Where) -> None:
        old = self.owners[where]
        machine = old.machine if self.chance.random() < self.swarm.same_machine else 1 - old.machine
        if "compact" in self.swarm.kinds and self.chance.random() < 0.3:
            self.broker.compact(CHANGELOG[where[0]], where[1], self.chance)
        owner = self.open(where, machine, old.committed)
        if self.chance.random() < 0.3:  # what it took over is published before it has read anything
            owner.publish()
            owner.sending.land()

    def crash(self, owner: Owner, lost: bool = True) -> None:
        """The process ends here; a suffix of what it had sent is lost."""
        if self.chance.random() < 0.7:
            owner.sending.land(self.chance)
        self.note(f"{owner.writer} {owner.where} dies, {owner.sending.lose()} lost")
        if self.discipline.keeps_after_crash():
            end = self.broker.end(CHANGELOG[owner.where[0]], owner.where[1])
            self.stores[owner.machine, owner.where] = Mark(owner.writer, end, owner.store.kept)

    def _crash(self) -> bool:
        where = self._somewhere()
        if self.chance.random() < 0.5:  # in the middle of its checkpoint
            self.begin(self.owners[where])
        self.crash(self.owners[where])
        self._next(where)
        return True

    def _all_crash(self) -> bool:
        for where in self.places:
            self.crash(self.owners[where])
        for where in self.places:
            self._next(where)
        return True

    def _zombie(self) -> bool:
        """The owner stands still, another takes over, and the old one does not know."""
        if len(self.zombies) >= self.swarm.zombies_max:
            return False
        where = self._somewhere()
        if self.chance.random() < 0.3:
            self.begin(self.owners[where])
            self._lands(self.owners[where], 0.0)
        self.zombies.append(self.owners[where])
        self.note(f"{self.owners[where].writer} {where} is a zombie now")
        self._next(where)
        return True

    def _zombie_works(self) -> bool:
        return bool(self.zombies) and self.handle(self.chance.choice(self.zombies), self.chance.randint(1, 8))

    def _zombie_lands(self) -> bool:
        if not self.zombies:
            return False
        zombie = self.chance.choice(self.zombies)
        landed = self._lands(zombie, 0.5)
        if self.chance.random() < 0.15:
            self.zombies.remove(zombie)
            self.crash(zombie)
        return landed

    def _zombie_writes(self) -> bool:
        if not self.zombies:
            return False
        zombie = self.chance.choice(self.zombies)
        before = zombie.committed
        happened = zombie.end_checkpoint() or self.begin(zombie)  # it deletes older copies; its commit is refused
        zombie.committed = before
        return happened

    def _hand_over(self) -> bool:
        """The owner checkpoints, closes cleanly, and another opens."""
        where = self._somewhere()
        owner = self.owners[where]
        self.close(owner)
        self._next(where)
        return True

    def save(self, owner: Owner) -> None:
        """Everything it handled is durable and committed."""
        while owner.checkpoint is not None or owner.partition.next_offset > owner.committed or owner.table.dirty:
            owner.sending.land()
            if not self.end(owner):
                self.begin(owner)

    def close(self, owner: Owner) -> None:
        self.save(owner)
        where = owner.where
        self.note(f"{owner.writer} {where} closes")
        if self.chance.random() < self.swarm.keeps_store:
            mark = Mark(owner.writer, self.broker.end(CHANGELOG[where[0]], where[1]), owner.store.kept)
            self.stores[owner.machine, where] = mark
        owner.sending.land(None if self.chance.random() < 0.5 else self.chance)  # its last deletions, late or never

    def _compact(self) -> bool:
        topic, number = self._somewhere()
        self.note(f"compacts {CHANGELOG[topic]} {number}")
        self.broker.compact(CHANGELOG[topic], number, self.chance)
        return True

    def _view_compact(self) -> bool:
        for topic in ("stock-levels", "order-status", "demand"):
            self.broker.compact(topic, self.chance.randrange(self.broker.partitions), self.chance)
        return True

    # ---- cheap checks, as it goes

    def _check_written(self, owner: Owner, written: list[tuple[str, Any]]) -> None:
        """I8: versions never go back. I9: one version of a row has one content, by all writers. I1, I2: the books."""
        known, versions = self._bytes[owner.where], self._versions
        for key, row in written:
            place = versions.get((f"{owner.where}{key}", owner.writer), -1)
            if row.at < place:
                raise Violation("I8", f"{owner.where} {key}: {owner.writer} wrote {row.at} after {place}")
            versions[f"{owner.where}{key}", owner.writer] = row.at
            if known.setdefault((key, row.at), row) != row:
                raise Violation("I9", f"{owner.where} {key}: two contents of one version\n{known[key, row.at]}\n{row}")
        if owner.where[0] == "warehouse" and owner.caught_up:
            for key, row in written:
                if key.startswith("stock|"):
                    books.check_stock(owner.table, row)

    def _somewhere(self) -> Where:
        return self.places[int(self.chance.random() * len(self.places))]

    def _counted(self, step: Any) -> Any:
        def counted(view: Any, record: Any, at: Any, state: Any) -> Any:
            self.events += 1
            return step(view, record, at, state)

        return counted


_HAPPENINGS: dict[str, Callable[[World], bool]] = {
    "order": World._order, "about_order": World._about_order, "fact": World._fact, "work": World._work,
    "land": World._land, "begin": World._begin, "end": World._end, "tick": World._tick, "publish": World._publish,
    "look": World._look, "age": World._age,
    "crash": World._crash, "zombie": World._zombie, "zombie_works": World._zombie_works,
    "zombie_lands": World._zombie_lands, "zombie_writes": World._zombie_writes, "hand_over": World._hand_over,
    "all_crash": World._all_crash, "duplicate": World._duplicate, "replay": World._replay,
    "misroute": World._misroute, "garbage": World._garbage, "clock_jump": World._clock_jump,
    "broker_clock": World._broker_clock, "compact": World._compact, "view_compact": World._view_compact,
}  # fmt: skip
