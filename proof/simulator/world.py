"""The world of one seed: a broker, an owner per partition, zombies, and what each of them can be told to do.

Reads its swarm; takes the belt on by hand. Guarantees: all chance is the seed's. Does not belong here: what happens
when (`happenings`), what a fault does to records on their way (`sending`), whether all adds up in the end
(`convergence`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from random import Random
from typing import Any

from proof.audit.seen import Seen
from proof.simulator import books
from proof.simulator.broker import Broker
from proof.simulator.ear import Ear
from proof.simulator.sending import ANSWERS, ROWS, Sending
from proof.simulator.swarm import Swarm, swarm
from proof.simulator.traffic import Traffic
from proof.simulator.worker import CHANGELOG, Discipline, Mark, Owner, Violation, recover
from streams.partition import Role
from tables import records as r
from tables.codec import encode
from tables.log import LOGIC_VERSION
from tables.murmur2 import partition_of
from tables.outcome import INDEX_BITS
from tables.rows import PARTITION_KEY

START_MS = 1_700_006_370_000  # half a minute before midnight: lots expire while a run goes on
LOG_ID = 7
LIMITS = r.Limits(undecided_seconds=120, payment_seconds=90, check_seconds=200, attempts=4)
FORGETTING = r.Limits(
    undecided_seconds=120, payment_seconds=90, check_seconds=200, attempts=4, reservation_keep_seconds=3_600,
)  # fmt: skip
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
    """`faults`: how often each kind did something. `events`: records given to a step. `trace`: what happened.
    `mixture`: instead of the seed's own."""

    def __init__(
        self, seed: int, roles: Mapping[str, Role], discipline: Discipline, *, partitions: int = 0,
        stocked: bool = True, skip: Collection[int] = (), trace: list[str] | None = None,
        mixture: Swarm | None = None,
    ) -> None:  # fmt: skip
        self.seed, self.discipline, self.skip, self.trace = seed, discipline, skip, trace
        self.swarm: Swarm = mixture or swarm(seed)
        self.chance = Random(seed)
        self.faults: Counter[str] = Counter()
        self.events = self.step_number = 0
        self.ear = Ear(self.swarm.forgets)
        self.broker = Broker(partitions or self.swarm.partitions)
        self.broker.ms = START_MS
        self.now_ms = START_MS
        self.traffic = Traffic(self.chance, self.swarm.scarce, self.ear.confirmed)
        self.roles = {topic: role._replace(step=self._counted(role.step)) for topic, role in roles.items()}
        self.places: list[Where] = [(topic, n) for topic in roles for n in range(self.broker.partitions)]
        self.owners: dict[Where, Owner] = {}
        self.zombies: list[Owner] = []
        self.stores: dict[tuple[int, Where], Mark] = {}
        self._writers = 0
        self._versions: dict[tuple[str, str], int] = {}  # row key, writer -> place last written
        self._bytes: dict[Where, dict[tuple[str, int], Any]] = {where: {} for where in self.places}
        opened = encode(r.LogOpened(
            id="open", log_id=LOG_ID, partitions=self.broker.partitions, logic_version=LOGIC_VERSION,
            limits=FORGETTING if self.swarm.forgets else LIMITS,
        ))  # fmt: skip
        for topic, number in self.places:
            self.broker.append(topic, number, None, opened)
        for record in self.traffic.stock(wide=self.swarm.wide) if stocked else ():
            self.put(record)
        for where in self.places:
            self.open(where, 0, 0)

    # ---- the belt

    def note(self, what: str, *told: Any) -> None:
        """A line of the trace, if somebody reads it: it is put into words only then."""
        if self.trace is not None:
            self.trace.append(f"{self.step_number:4} {what.format(*told)}")

    def put(self, record: Any) -> None:
        """A record from outside: by its key, or to every partition of the logs that know it."""
        if isinstance(record, r.EVERYWHERE):
            logs = [("orders", r.OrderRecord), ("warehouse", r.StockRecord)]
            for topic, number in self.places:
                if isinstance(record, dict(logs)[topic]):
                    self.broker.append(topic, number, None, encode(record))
            self.note("-> everywhere {}", record)
            return
        by_order = isinstance(record, r.OrderRecord)
        topic, key = ("orders", record.order_id) if by_order else ("warehouse", record.sku)
        where = (topic, partition_of(key, self.broker.partitions))
        self.note("-> {} {}", where, record)
        self.broker.append(*where, key.encode(), encode(record))

    def tick(self, where: Where, now_ms: int) -> None:
        """A ticker tells this log the time, as it sees it."""
        self.note("tick {} {}", where, now_ms - START_MS)
        self.broker.append(*where, None, encode(r.Tick(id=f"t{now_ms}", now_ms=now_ms)))

    # ---- what owners do

    def handle(self, owner: Owner, most: int) -> bool:
        """The owner handles up to `most` records as one batch; False if there is none."""
        at = owner.partition.next_offset
        fresh = self.broker.topics[owner.where][at : at + most]
        if not fresh:
            return False
        self.note("{} {} handles {}..{}", owner.writer, owner.where, at, at + len(fresh) - 1)
        owner.handle([Message(seen) for seen in fresh])
        return True

    def lands(self, owner: Owner, all_of_it: float) -> bool:
        """The broker takes some of what the owner has sent; everything with the chance of `all_of_it`."""
        lane = None
        if self.swarm.slow_rows and self.chance.random() < 0.8:
            lane = ANSWERS
        elif self.swarm.slow_answers and self.chance.random() < 0.8:
            lane = ROWS
        landed = owner.sending.land(None if self.chance.random() < all_of_it else self.chance, lane)
        if landed:
            self.note("{} {} lands {}", owner.writer, owner.where, landed)
        return bool(landed)

    def begin(self, owner: Owner) -> bool:
        """The owner begins a checkpoint: its rows are on their way."""
        written = owner.begin_checkpoint()
        if written:
            if self.trace is not None:
                self.note("{} {} writes {}", owner.writer, owner.where, [(key, row.at / 1024) for key, row in written])
            self._check_written(owner, written)
        return bool(written)

    def end(self, owner: Owner) -> bool:
        """The owner commits, if its checkpoint has landed."""
        ended = owner.end_checkpoint()
        if ended:
            self.note("{} {} commits {}", owner.writer, owner.where, owner.committed)
        return ended

    def look(self, owner: Owner) -> bool:
        """The owner looks for rows that are past their time, and tells its own log."""
        found = owner.look()
        if found:
            self.note("{} {} would forget {}", owner.writer, owner.where, found)
        return bool(found)

    # ---- beginnings and ends

    def open(self, where: Where, machine: int, committed: int) -> Owner:
        """A new owner recovers what is durable, from its machine's store if that can be trusted."""
        topic, number = where
        self._writers += 1
        writer = f"w{self._writers}"
        changelog = self.broker.topics.get((CHANGELOG[topic], number), [])
        mark = self.stores.pop((machine, where), None)
        newer = [seen for seen in changelog if mark is not None and seen.offset >= mark.changelog_end]
        is_kept = mark is not None and self.discipline.trusts(mark, newer)
        if mark is not None and is_kept:
            kept, index = dict(mark.kept), mark.index
        else:
            kept, index = recover(self.discipline, changelog), None
        state = kept.get(PARTITION_KEY)
        needed = 0 if state is None else (state.row.at >> INDEX_BITS) + 1
        if committed > needed:
            raise Violation("rows_missing", f"{where}: offset {committed} is committed, the rows end at {needed}")
        sending = Sending(self.broker, self.ear.hear)
        owner = Owner(self.discipline, self.roles[topic], number, writer, machine, sending, kept, index, committed)
        self.owners[where] = owner
        self.note("{} {} opens at {}, rows to {}{}", writer, where, committed, needed, " of its store" * is_kept)
        return owner

    def follow(self, where: Where) -> None:
        """Another owner opens the partition where the last one committed, on the same machine or the other."""
        old = self.owners[where]
        machine = old.machine if self.chance.random() < self.swarm.same_machine else 1 - old.machine
        if "compact" in self.swarm.kinds and self.chance.random() < 0.3:
            self.broker.compact(CHANGELOG[where[0]], where[1], self.chance)
        owner = self.open(where, machine, old.committed)
        if self.chance.random() < 0.3:  # what it took over is published before it has read anything
            owner.go_on()
            owner.publish()
            owner.sending.land()

    def crash(self, owner: Owner) -> None:
        """The process ends here; a suffix of what it had sent is lost."""
        if self.chance.random() < 0.7:
            owner.sending.land(self.chance)
        lost = owner.sending.lose()
        self.note("{} {} dies, {} lost", owner.writer, owner.where, lost)
        if self.discipline.keeps_after_crash():
            end = self.broker.end(CHANGELOG[owner.where[0]], owner.where[1])
            self.stores[owner.machine, owner.where] = Mark(owner.writer, end, owner.store.kept, None)

    def save(self, owner: Owner) -> None:
        """Everything it handled is durable and committed."""
        while owner.checkpoint is not None or owner.partition.next_offset > owner.committed or owner.table.dirty:
            owner.sending.land()
            if not self.end(owner):
                self.begin(owner)

    def close(self, owner: Owner) -> None:
        """A clean end: everything is committed, and the store may be kept."""
        self.save(owner)
        where = owner.where
        self.note("{} {} closes", owner.writer, where)
        if self.chance.random() < self.swarm.keeps_store:
            end = self.broker.end(CHANGELOG[where[0]], where[1])
            self.stores[owner.machine, where] = Mark(owner.writer, end, owner.store.kept, owner.table.index)
        owner.sending.land(None if self.chance.random() < 0.5 else self.chance)  # its last deletions, late or never

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

    def somewhere(self) -> Where:
        """A partition by chance."""
        return self.places[int(self.chance.random() * len(self.places))]

    def _counted(self, step: Any) -> Any:
        def counted(view: Any, record: Any, at: Any, state: Any) -> Any:
            self.events += 1
            return step(view, record, at, state)

        return counted
