"""A window of both logs, taken apart: how it began, what came from outside, and what was really decided.

Reads each partition twice: folded with the real steps (from snapshots), which tells what was decided and which records
the agents themselves sent; then once more for the records that are none of those. Guarantees: nothing about types or
ids is assumed: a record is the agents' own if the fold of the window says it, else it came from outside (one that was
under way when the window began counts as that, and comes at its own time). Memory: records from outside, as bytes, and
a number for each of the agents' own. Does not belong here: deciding again.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any, NamedTuple

from proof.history.explain import Logs
from proof.history.fold import Halted, Untold, cut, fold
from proof.history.logs import CODECS, Log, Meter
from proof.history.moment import END, Moment
from proof.history.tally import Tally
from proof.history.world import Beginning
from streams.partition import Partition, Role
from tables import records as r
from tables.codec import Unreadable
from tables.outcome import INDEX_BITS, ORDERS, WAREHOUSE, Send
from tables.rows import order_key

RANK = {WAREHOUSE: 0, ORDERS: 1}  # of two records with one stamp stock comes first: it was received to be sold
Place = tuple[str, int]


class Came(NamedTuple):
    """A message with records from outside, sorted by when it came. `indexes`: which of its items they are."""

    stamp: int  # never going back within a partition
    rank: int
    number: int
    offset: int
    ms: int
    value: bytes
    indexes: tuple[int, ...]

    @property
    def topic(self) -> str:
        return WAREHOUSE if self.rank == RANK[WAREHOUSE] else ORDERS

    def records(self) -> Iterator[Any]:
        items = CODECS[self.topic].items(self.value)
        return (items[index] for index in self.indexes)


class Window(NamedTuple):
    """`placed`: orders placed in it, in order. `stamps`: per stock partition the stamp of each message from its
    beginning on."""

    beginnings: dict[Place, Beginning]
    came: list[Came]
    placed: list[str]
    real: Tally
    stamps: dict[int, array[int]]
    start_ms: int
    end_ms: int


def window(logs: Logs, roles: Mapping[str, Role], start_ms: int | None, end_ms: int | None, meter: Meter) -> Window:
    """Records stamped from `start_ms` on and before `end_ms`; None: the beginning, the end as of now."""
    places = [(topic, number) for topic in (WAREHOUSE, ORDERS) for number in range(logs.partitions)]
    until = END if end_ms is None else Moment(ms=end_ms - 1)
    sent = _Sent()
    beginnings: dict[Place, Beginning] = {}
    ends: dict[Place, int] = {}
    for place in places:
        log = logs.open(*place)
        beginnings[place], ends[place] = _really(log, logs, roles[log.topic], start_ms, until, sent, meter)
    came: list[Came] = []
    stamps: dict[int, array[int]] = {}
    for place in places:
        log, start = logs.open(*place), beginnings[place].next_offset
        found, its_stamps = _from_outside(log, start, ends[place], sent.own, meter)
        came += found
        if place[0] == WAREHOUSE:
            stamps[place[1]] = its_stamps
    came.sort(key=lambda one: one[:4])
    first = came[0].ms if came else 0
    last = max((one.ms for one in came), default=0)
    return Window(
        beginnings, came, _placed(came, beginnings), sent.real, stamps,
        start_ms if start_ms is not None else first, end_ms if end_ms is not None else last,
    )  # fmt: skip


class _Sent:
    """An outbox that remembers what the agents sent in the window."""

    def __init__(self) -> None:
        self.own: set[int] = set()
        self.real = Tally()

    def send(self, send: Send) -> None:
        if send.topic in (ORDERS, WAREHOUSE):
            self.own.add(_name(send.topic, send.record))
        elif isinstance(send.record, r.OrderDecided):
            self.real.decide(send.record)

    def forward(self, *_: Any) -> None:
        pass

    def dead_letter(self, *_: Any) -> None:
        pass


def _name(topic: str, record: Any) -> int:
    """Eight bytes for a record's log, type and id. Its content may name what the rules looked like then: no part."""
    return hash((topic, type(record), record.id))


def _really(
    log: Log, logs: Logs, role: Role, start_ms: int | None, until: Moment, sent: _Sent, meter: Meter
) -> tuple[Beginning, int]:
    """(the partition as the window finds it, the offset at which the window ends), the window folded on the way."""
    begin = Moment(place=0) if start_ms is None else Moment(ms=start_ms - 1)
    folded = fold(log, role, begin, snapshots=logs.snapshots(log) if start_ms is not None else None, meter=meter)
    start = folded.place >> INDEX_BITS
    beginning = Beginning(dict(folded.table.rows()), start)
    partition = Partition(role._replace(views=Untold), log.number, folded.table, sent, start)  # type: ignore[arg-type]
    meter.expect(max(log.end() - start, 0))
    with closing(log.read(start)) as batches:  # type: ignore[type-var]
        for batch in batches:
            whole, _, ended = cut(batch, until)
            partition.handle(whole)
            if partition.halt is not None:
                halt = partition.halt
                raise Halted(f"{log.topic}[{log.number}] halts at offset {halt.offset}.{halt.index}: {halt.reason}")
            folded.table.take_dirty()
            meter.advance(len(batch))
            if ended:
                break
    return beginning, partition.next_offset


def _from_outside(log: Log, start: int, end: int, own: set[int], meter: Meter) -> tuple[list[Came], array[int]]:
    came: list[Came] = []
    stamps = array("q")
    decode = CODECS[log.topic].items
    stamp = 0
    meter.expect(max(end - start, 0))
    if start >= end:
        return came, stamps
    with closing(log.read(start)) as batches:  # type: ignore[type-var]
        for batch in batches:
            for message in batch:
                offset, ms, value = message.offset(), message.timestamp()[1], message.value()
                if offset >= end:
                    break
                # A log is opened before anything is in another, whatever the clocks said.
                stamp = max(stamp, ms) if offset else 0
                stamps.append(stamp)
                indexes = tuple(
                    n for n, record in enumerate(decode(value))
                    if not isinstance(record, Unreadable) and _name(log.topic, record) not in own
                )  # fmt: skip
                if indexes:
                    came.append(Came(stamp, RANK[log.topic], log.number, offset, ms, value, indexes))
            meter.advance(len(batch))
            if batch and batch[-1].offset() + 1 >= end:
                break
    return came, stamps


def _placed(came: list[Came], beginnings: Mapping[Place, Beginning]) -> list[str]:
    """Orders placed in the window: not those placed before it and told again."""
    found: dict[str, None] = {}
    for one in came:
        if one.rank == RANK[ORDERS] and b'"order_placed"' in one.value:
            for record in one.records():
                if isinstance(record, r.OrderPlaced):
                    row = beginnings[ORDERS, one.number].rows.get(order_key(record.order_id))
                    if row is None or row.state == "unplaced":
                        found[record.order_id] = None
    return list(found)
