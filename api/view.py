"""The read view: what the published topics say, in memory, ready to be asked.

Reads: decoded records that the feed hands in. Writes: nothing but itself. Guarantees: per key the record with the
highest version stands, whatever the order of arrival; a record of a newer log (a version begins with its log's id)
begins stock, orders, alerts and demand anew, and one of an older log is nothing; a decision delivered again counts
once; orders, decisions and alerts stand as they happened, also where partitions are read one after the other; memory
is bounded by the limits below, and what a limit dropped is the oldest. One thread applies, any thread asks: both hold
the lock, and the lock is held for short times only (decoding happens outside; while nobody is answered yet, orders are
sorted under it). Does not belong here: Kafka, HTTP.
"""

from __future__ import annotations

import heapq
import threading
from bisect import insort
from collections import Counter, OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, NamedTuple

from msgspec.structs import replace

from api.owed import OwedIndex, Owing, Version
from tables import records as r

ORDERS_MAX = 200_000  # orders kept, by last change: about 150 MB, up to twice that until the view is settled
DECISION_IDS_MAX = 200_000  # how far back a decision that is delivered again is recognised
DECISIONS_MAX = 1_000
ALERTS_MAX = 1_000  # of those about levels, and of all others
LEVEL_KINDS = ("low", "out", "restored")
WORK_STATUS = "paid_unallocated"  # of an order that somebody has to do something about
SKUS_MAX = 200_000
PLANS_MAX = 100_000  # forecasts, reorders, alerts of them and decisions about them, each
DEMAND_MAX = 100_000  # days of demand, by last change
RATE_SECONDS = 60
NEWS_MAX = 60  # decisions, alerts about levels and orders, each, between two looks
WORK_NEWS_MAX = 1_000  # other alerts, and orders that become or cease to be work: who missed one would show it for ever
NO_VERSION = (0, 0, 0)  # older than any
VERSIONED = ("stock-levels", "order-status", "alerts", "demand")


class Record(NamedTuple):
    """One published record, decoded, and where it stood."""

    topic: str
    partition: int
    offset: int
    time_ms: int
    key: str
    value: Any  # None: a tombstone


class OrderHead(Owing):
    """What the view needs of an order before anybody asks for the whole document."""

    time: str = ""  # of the last thing that was said of it; a payment alone does not move it
    raw: bytes = b""  # the document as published


@dataclass(slots=True)
class OrderEntry:
    sequence: int  # of its last change here: pages go back by it
    head: OrderHead
    partition: int
    offset: int


Dated = tuple[int, int, Record]  # by its time; of one millisecond, by its arrival


class Drained(NamedTuple):
    """What changed since the last look: for the live stream. Bounded, the newest win."""

    skus: list[r.StockLevels]
    decisions: list[Record]
    alerts: list[Record]
    orders: list[bytes]  # documents as published


class View:
    """The tables of the view; hold `lock` to read more than one of them."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.log_id = 0  # of the log that stock, orders, alerts and demand speak of; 0: none seen yet
        self._begin()
        self.decided: Counter[str] = Counter()  # decisions by status, since the view began
        self.decisions: list[Dated] = []
        self.forecasts: OrderedDict[tuple[str, str], Record] = OrderedDict()
        self.reorders: OrderedDict[tuple[str, str], Record] = OrderedDict()
        self.forecast_alerts: OrderedDict[tuple[str, str, str], Record] = OrderedDict()  # those that stand raised
        self.reorder_decisions: OrderedDict[tuple[str, str, str], Record] = OrderedDict()  # by SKU, location, run
        self.plans = 0  # changes of reorders, of what was decided about them and of forecast alerts so far
        self.applied: dict[tuple[str, int], Record] = {}  # the last record of each partition
        self._sequence = 0
        self._settled = False
        self._decision_ids: OrderedDict[str, None] = OrderedDict()
        self._per_second: Counter[int] = Counter()
        self._new_decisions: deque[Record] = deque(maxlen=NEWS_MAX)
        self._apply = {
            "stock-levels": self._stock,
            "order-status": self._order,
            "reservations": self._decision,
            "alerts": self._alert,
            "forecasts": self._forecast,
            "reorders": self._reorder,
            "forecast-alerts": self._forecast_alert,
            "demand": self._demand,
            "planning": self._planning,
        }

    def _begin(self) -> None:
        self.stock: dict[str, Record] = {}
        self.skus: list[str] = []  # sorted
        self.left_out = False  # whether there was ever a SKU for which there was no room
        self.locations: Counter[str] = Counter()  # location -> SKUs that name it
        self.short: dict[str, None] = {}  # SKUs that are short somewhere
        self.orders: OrderedDict[str, OrderEntry] = OrderedDict()  # oldest change first
        self.owed = OwedIndex()
        self.order_states: Counter[str] = Counter()  # of the orders kept
        self._dropped: dict[int, Version] = {}  # by partition, the newest order that is not kept any more
        # Levels go up and down all day: what they say must not push out what somebody has to do.
        self.alerts: list[Dated] = []
        self.level_alerts: list[Dated] = []
        self.demand: OrderedDict[str, Record] = OrderedDict()
        self._alert_ids: OrderedDict[str, None] = OrderedDict()
        self._changed: OrderedDict[str, None] = OrderedDict()
        self._new_alerts: deque[Record] = deque(maxlen=WORK_NEWS_MAX)
        self._new_level_alerts: deque[Record] = deque(maxlen=NEWS_MAX)
        self._new_orders: OrderedDict[str, None] = OrderedDict()
        self._new_work: OrderedDict[str, None] = OrderedDict()  # of the new orders

    def apply(self, records: list[Record]) -> None:
        with self.lock:
            for record in records:
                if self._is_of_this_log(record):
                    self._apply[record.topic](record)
                self.applied[record.topic, record.partition] = record._replace(value=None)

    def settle(self) -> None:
        """All that was there is read: from here on things arrive as they happen, and are news."""
        with self.lock:
            self._sort_orders()
            self._news()  # what was read up to now is the past
            self._settled = True

    def _is_of_this_log(self, record: Record) -> bool:
        if record.value is None or record.topic not in VERSIONED:
            return True
        log_id = record.value.version[0]
        if log_id > self.log_id:
            self.log_id = log_id
            self._begin()
        return log_id == self.log_id

    def per_second(self, now_seconds: int, window: int = 5) -> float:
        """Orders decided per second, over the last whole seconds by the broker's clock."""
        return sum(self._per_second.get(now_seconds - back, 0) for back in range(1, window + 1)) / window

    def recent_orders(self, before: int | None) -> Iterator[OrderEntry]:
        """Newest change first; `before`: a sequence number seen earlier."""
        for entry in reversed(self.orders.values()):
            if before is None or entry.sequence < before:
                yield entry

    def recent_decisions(self) -> Iterator[Record]:
        """Newest first."""
        return (record for _, _, record in reversed(self.decisions))

    def recent_alerts(self) -> Iterator[Record]:
        """Newest first; of those about levels, and of all others, the last `ALERTS_MAX`."""
        newest = heapq.merge(reversed(self.alerts), reversed(self.level_alerts), reverse=True)
        return (record for _, _, record in newest)

    def drain(self) -> Drained:
        """What changed since the last call; at most 500 SKUs a call, the rest stays for the next.

        Until the view is settled SKUs alone: decisions, alerts and orders of the past are no news.
        """
        with self.lock:
            skus = []
            while self._changed and len(skus) < 500:
                sku, _ = self._changed.popitem(last=False)
                if sku in self.stock:
                    skus.append(self.stock[sku].value)
            news = self._news()
            return Drained(skus, *news) if self._settled else Drained(skus, [], [], [])

    def _news(self) -> tuple[list[Record], list[Record], list[bytes]]:
        """Decisions, alerts and orders that came since the last call."""
        changed = [self.orders[one] for one in self._new_work | self._new_orders if one in self.orders]
        orders = [entry.head.raw for entry in sorted(changed, key=lambda entry: entry.sequence)]
        news = list(self._new_decisions), [*self._new_alerts, *self._new_level_alerts], orders
        for told in (self._new_decisions, self._new_alerts, self._new_level_alerts, self._new_orders, self._new_work):
            told.clear()
        return news

    def _stock(self, record: Record) -> None:
        held = self.stock.get(record.key)
        if record.value is None:
            if held is not None:
                self.locations.subtract(level.location for level in held.value.locations)
                del self.stock[record.key]
                self.skus.remove(record.key)
                self.short.pop(record.key, None)
            return
        if held is not None:
            if record.value.version <= held.value.version:  # the daily sweep says the same again: nothing moved
                return
            self.locations.subtract(level.location for level in held.value.locations)
        elif len(self.stock) >= SKUS_MAX:
            self.left_out = True
            return
        else:
            insort(self.skus, record.key)
        self.locations.update(level.location for level in record.value.locations)
        self.stock[record.key] = record
        self._changed[record.key] = None
        self.short.pop(record.key, None)
        if any(level.shortage > 0 for level in record.value.locations):
            self.short[record.key] = None

    def _order(self, record: Record) -> None:
        held = self.orders.get(record.key)
        if held is not None:
            if record.value is not None and record.value.version <= held.head.version:
                return
            del self.orders[record.key]
            self.order_states[held.head.status] -= 1
        if record.value is None:
            self.owed.drop(record.key)
            return
        self.owed.take(record.value)
        if held is None and self._settled and record.value.version <= self._dropped.get(record.partition, NO_VERSION):
            return  # the daily sweep says it again: it did not change
        head = replace(record.value, lines=[])  # the index has what is owed of them; the rest is in the document
        self._sequence += 1
        self.orders[record.key] = OrderEntry(self._sequence, head, record.partition, record.offset)
        _note(self._new_orders, record.key, NEWS_MAX)
        if WORK_STATUS in (record.value.status, held.head.status if held is not None else ""):
            _note(self._new_work, record.key, WORK_NEWS_MAX)
        self.order_states[record.value.status] += 1
        if not self._settled:
            if len(self.orders) >= 2 * ORDERS_MAX:  # which are the oldest is only known when they are sorted
                self._sort_orders()
        elif len(self.orders) > ORDERS_MAX:
            self._let_go(self.orders.popitem(last=False)[1])

    def _sort_orders(self) -> None:
        """As they changed, and not more than are kept.

        In a partition versions tell which order changed later; between partitions times do. A payment makes a version
        and leaves the time: such an order is not older than those that its partition told before.
        """
        latest: dict[int, str] = {}
        dated: list[tuple[str, str, OrderEntry]] = []
        for key, entry in sorted(self.orders.items(), key=lambda x: x[1].head.version):
            time = latest[entry.partition] = max(latest.get(entry.partition, ""), entry.head.time)
            dated.append((time, key, entry))
        dated.sort(key=itemgetter(0))
        surplus = max(len(dated) - ORDERS_MAX, 0)
        for _, _, entry in dated[:surplus]:
            self._let_go(entry)
        self.orders = OrderedDict((key, entry) for _, key, entry in dated[surplus:])
        for entry in self.orders.values():
            self._sequence += 1
            entry.sequence = self._sequence

    def _let_go(self, dropped: OrderEntry) -> None:
        self.order_states[dropped.head.status] -= 1
        known = self._dropped.get(dropped.partition, NO_VERSION)
        self._dropped[dropped.partition] = max(known, dropped.head.version)

    def _decision(self, record: Record) -> None:
        if record.value is None or not _first(self._decision_ids, record.value.id, DECISION_IDS_MAX):
            return
        self.decided[record.value.status] += 1
        self._keep(self.decisions, record, DECISIONS_MAX)
        self._new_decisions.append(record)
        if record.value.status not in ("cancelled", "edited"):
            second = record.time_ms // 1000
            self._per_second[second] += 1
            if len(self._per_second) > RATE_SECONDS:
                del self._per_second[min(self._per_second)]

    def _alert(self, record: Record) -> None:
        if record.value is not None and _first(self._alert_ids, record.value.id, 20 * ALERTS_MAX):
            of_level = record.value.kind in LEVEL_KINDS
            self._keep(self.level_alerts if of_level else self.alerts, record, ALERTS_MAX)
            (self._new_level_alerts if of_level else self._new_alerts).append(record)

    def _keep(self, kept: list[Dated], record: Record, limit: int) -> None:
        self._sequence += 1
        insort(kept, (record.time_ms, self._sequence, record))  # nearly always at the end
        if len(kept) > limit:
            del kept[0]

    def _forecast(self, record: Record) -> None:
        _keep_newest_run(self.forecasts, record)

    def _reorder(self, record: Record) -> None:
        _keep_newest_run(self.reorders, record)
        self.plans += 1

    def _planning(self, record: Record) -> None:
        said = record.value
        if isinstance(said, r.ReorderDecision):
            self.plans += 1
            self.reorder_decisions[said.sku, said.location, said.run] = record
            _drop_oldest(self.reorder_decisions, PLANS_MAX)

    def _forecast_alert(self, record: Record) -> None:
        said = record.value
        if said is None:
            return
        self.plans += 1
        key = said.sku, said.location, said.kind
        self.forecast_alerts.pop(key, None)
        if said.state == "raised":
            self.forecast_alerts[key] = record
            _drop_oldest(self.forecast_alerts, PLANS_MAX)

    def _demand(self, record: Record) -> None:
        held = self.demand.pop(record.key, None)
        if record.value is None:
            return
        stale = held is not None and record.value.version < held.value.version
        self.demand[record.key] = held if stale and held is not None else record
        _drop_oldest(self.demand, DEMAND_MAX)


def _first(seen: OrderedDict[str, None], identity: str, limit: int) -> bool:
    if identity in seen:
        return False
    seen[identity] = None
    _drop_oldest(seen, limit)
    return True


def _keep_newest_run(held: OrderedDict[tuple[str, str], Record], record: Record) -> None:
    # Forecasts have no version: their runs tell their age, and a tombstone of an old run is not of interest here.
    if record.value is None:
        return
    key = (record.value.sku, record.value.location)
    if key not in held or _run_order(record.value.run) >= _run_order(held[key].value.run):
        held[key] = record
        _drop_oldest(held, PLANS_MAX)


def _run_order(run: str) -> tuple[str, int, str]:
    """By day, then by number: the thousandth of a day is one digit longer."""
    day, _, number = run.rpartition(".")
    return day, len(number), number


def _note(news: OrderedDict[str, None], key: str, limit: int) -> None:
    """As the newest."""
    news[key] = None
    news.move_to_end(key)
    _drop_oldest(news, limit)


def _drop_oldest(held: OrderedDict[Any, Any], limit: int) -> None:
    while len(held) > limit:
        held.popitem(last=False)
