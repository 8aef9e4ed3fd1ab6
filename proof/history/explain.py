"""Why an order was decided as it was: found in both logs, folded again around the order.

Reads the partition of the order and the stock partitions it spoke to, each twice: once for where the order stands in it
(bytes alone), once folded, from the last snapshot before the order to its last record. Guarantees: nothing about the
order is left out that stands in those partitions as of now. Does not belong here: words, pages.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from typing import NamedTuple

from msgspec.structs import replace

from proof.history.account import Decision, Explanation, Position, Question, ReadTo
from proof.history.fold import fold
from proof.history.logs import Log, Meter, Unmetered
from proof.history.moment import before
from proof.history.snapshots import Snapshots
from proof.history.trail import Trail
from streams.partition import Role
from streams.topics import ORDERS, WAREHOUSE
from tables import records as r
from tables.codec import encode, instant
from tables.murmur2 import partition_of
from tables.outcome import place_of

FILLS = b'"fill_backorders"'  # the type of the record that gives stock to those who wait, as it stands in a log
LATER = ("cancelled", "edited")  # decisions that follow the one


class Logs(NamedTuple):
    """Both logs. `snapshots`: of folds of a partition; None: none are kept."""

    log_id: int
    partitions: int
    open: Callable[[str, int], Log]
    snapshots: Callable[[Log], Snapshots | None]


def explain(order_id: str, logs: Logs, roles: Mapping[str, Role], meter: Meter | None = None) -> Explanation | None:
    """The order's explanation; None: no record names it."""
    meter = meter or Unmetered()
    read: list[ReadTo] = []
    order = _trail(order_id, logs.open(ORDERS.name, partition_of(order_id, logs.partitions)), logs, roles, meter, read)
    if not order.events:
        return None
    spoken_to = [logs.open(WAREHOUSE.name, n) for n in sorted(order.partitions)]
    fills = (FILLS,) if order.waits_for_stock else ()
    stock = [_trail(order_id, log, logs, roles, meter, read, fills) for log in spoken_to]
    return explanation(order_id, logs.log_id, order, stock, read)


def explanation(order_id: str, log_id: int, order: Trail, stock: list[Trail], read: list[ReadTo]) -> Explanation:
    """The trails of an order in its reading order: asked, what there was, the answer, what happened."""
    asked = order.request
    answers = {
        (x.attempt, x.partition): e.position for _, x, e in reversed(order.events) if isinstance(x, r.ReserveAnswered)
    }
    decided = next(
        (Decision(at, x.status, x.reason, x.attempt) for at, x in order.sends
         if isinstance(x, r.OrderDecided) and x.status not in LATER),
        None,
    )  # fmt: skip
    questions = [_answered(question, answers) for trail in stock for _, question in trail.questions]
    told = {(x.position.topic, x.position.partition, x.position.offset, x.position.index) for x in questions}
    told |= {_place(asked.position)} if asked else set()
    # Stamps of two logs may be equal: a command follows the record of the order log that sent it.
    happened = sorted(
        ((stamp, rank, n, event) for rank, trail in enumerate([order, *stock])
         for n, (stamp, _, event) in enumerate(trail.events)),
        key=lambda x: x[:3],
    )  # fmt: skip
    return Explanation(
        order_id, log_id, order.status, asked,
        sorted(questions, key=lambda x: (x.attempt, x.position.partition)), decided,
        [event for *_, event in happened if _place(event.position) not in told], order.stands, read,
    )  # fmt: skip


def _answered(question: Question, answers: dict[tuple[int, int], Position]) -> Question:
    if question.answer is None:
        return question
    position = answers.get((question.attempt, question.position.partition))
    return replace(question, answer=replace(question.answer, position=position))


def _place(position: Position) -> tuple[str, int, int, int]:
    return position.topic, position.partition, position.offset, position.index


def _trail(
    order_id: str, log: Log, logs: Logs, roles: Mapping[str, Role], meter: Meter, read: list[ReadTo],
    also: tuple[bytes, ...] = (),
) -> Trail:  # fmt: skip
    trail = Trail(log.topic, log.number, order_id)
    found = _find(order_id, log, meter, also)
    read.append(ReadTo(log.topic, log.number, found.end - 1 if found.end else None, found.time))
    if found.first >= 0:
        role = roles[log.topic]
        fold(
            log, role._replace(step=trail.watch(role.step)), before(place_of(found.last + 1)),
            snapshots=logs.snapshots(log), start=before(place_of(found.first)), meter=meter,
        )  # fmt: skip
    return trail


class _Found(NamedTuple):
    first: int  # offset of the first record that may name the order; -1: there is none
    last: int
    end: int
    time: str | None


def _find(order_id: str, log: Log, meter: Meter, also: tuple[bytes, ...]) -> _Found:
    """Where the order's records lie. A value with an escape in it may name it too: it only widens the range; and so do
    the types named by `also`, once the order was."""
    name = encode(order_id)
    first = last = -1
    end, stamp = 0, 0
    meter.expect(log.end())
    with closing(log.read(0)) as batches:  # type: ignore[type-var]
        for batch in batches:
            for message in batch:
                value = message.value() or b""
                if name in value or b"\\" in value or (first >= 0 and any(kind in value for kind in also)):
                    last = message.offset()
                    first = last if first < 0 else first
            if batch:
                end, stamp = batch[-1].offset() + 1, batch[-1].timestamp()[1]
            meter.advance(len(batch))
    return _Found(first, last, end, instant(stamp) if end else None)
