"""Records of both logs: opened, rules of a channel and of the logic, time, forgetting; and several records as one."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Raw, Struct

from tables.records.types import ITEMS_MAX, Days, Location, Millis, Policy, Record, Seconds, Short


class Limits(Struct, frozen=True, omit_defaults=True):
    """Limits that rules use: they travel in the log, so that every replay uses the ones of its day."""

    undecided_seconds: Seconds = 600  # then an order is decided `expired`, reason `no_answer`
    payment_seconds: Seconds = 1800  # default deadline of a held order
    check_seconds: Seconds = 2 * 86400  # deadline of an order that only waits for a check
    attempts: Annotated[int, Meta(ge=1, le=100)] = 20  # how often a contended order asks
    reservation_keep_seconds: Seconds = 7 * 86400  # a closed reservation is kept this long
    order_keep_seconds: Seconds = 400 * 86400  # a closed order is kept this long after its last change


class LogOpened(Record, tag="log_opened"):
    """The first record of every partition of both logs. `log_id` only ever grows."""

    log_id: Annotated[int, Meta(ge=1, le=(1 << 63) - 1)]
    partitions: Annotated[int, Meta(ge=1, le=1024)]
    logic_version: Annotated[int, Meta(ge=1, le=1 << 31)]
    limits: Limits = Limits()


class ChannelSet(Record, tag="channel_set"):
    """The rules of a sales channel, for every partition of both logs; the last one told holds.

    `locations`: where its orders may be served from, best first; empty: wherever the order says. `minimum_life_days`:
    days a lot must still have on the day its goods leave; they leave `promise_days` after they are promised.
    """

    channel: Short
    locations: Annotated[list[Location], Meta(max_length=20)] = []
    minimum_life_days: Days = 0
    promise_days: Annotated[int, Meta(ge=0, le=60)] = 0
    policy: Policy = "all_or_nothing"  # of orders that name none
    closed: bool = False  # takes no orders for now


class LogicVersionSet(Record, tag="logic_version_set"):
    """From here on the rules of this version hold."""

    version: Annotated[int, Meta(ge=1, le=1 << 31)]


class Tick(Record, tag="tick"):
    """The time, as a ticker saw it (ms since 1970). State time follows it by at most 60 s a tick."""

    now_ms: Millis


class TickContinued(Record, tag="tick_continued"):
    """A tick found more than one record may carry: look again, at the same state time."""


class Pruned(Struct, frozen=True, gc=False):
    order_id: Short
    attempt: Annotated[int, Meta(ge=0, le=100)] = 0  # 0: the order itself


class Prune(Record, tag="prune"):
    """The owner's note to its own log: these rows are closed and old. Each is looked at again, by state time."""

    items: Annotated[list[Pruned], Meta(min_length=1, max_length=100)]


class Packed(Struct, frozen=True, gc=False, tag_field="type", tag="packed"):
    """Several records of one partition in one: null key, explicit partition, items not nested."""

    items: Annotated[list[Raw], Meta(min_length=1, max_length=ITEMS_MAX)]
