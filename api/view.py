"""The read view: what the published topics say, in memory, ready to be asked.

Reads: decoded records that the feed hands in. Writes: nothing but itself. Guarantees: per key the record with the
highest version stands, whatever the order of arrival; a record of a newer log (a version begins with its log's id)
begins stock, orders, alerts and demand anew, and one of an older log is nothing; a decision delivered again counts
once; memory is bounded by the limits below, and what a limit dropped is the oldest. One thread applies, any thread
asks: both hold the lock, and the lock is held for short times only (decoding happens outside). Does not belong here:
Kafka, HTTP.
"""

from __future__ import annotations

import heapq
import threading
from bisect import insort
from collections import Counter, OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from msgspec.structs import replace

from api.owed import OwedIndex, Owing
from tables import records as r

ORDERS_MAX = 200_000  # orders kept, by last change: about 150 MB
DECISION_IDS_MAX = 200_000  # how far back a decision that is delivered again is recognised
DECISIONS_MAX = 1_000
ALERTS_MAX = 1_000  # of those about levels, and of all others
LEVEL_KINDS = ("low", "out", "restored")
SKUS_MAX = 200_000
PLANS_MAX = 100_000  # forecasts, reorders, alerts of them and decisions about them, each
DEMAND_MAX = 100_000  # days of demand, by last change
RATE_SECONDS = 60
NEW_ORDERS_MAX = 60  # between two looks
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

    raw: bytes = b""  # the document as published


@dataclass(slots=True)
class OrderEntry:
    sequence: int  # of its last change here: pages go back by it
    head: OrderHead
    partition: int
    offset: int


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
        self.decisions: deque[Record] = deque(maxlen=DECISIONS_MAX)
        self.forecasts: OrderedDict[tuple[str, str], Record] = OrderedDict()
        self.reorders: OrderedDict[tuple[str, str], Record] = OrderedDict()
        self.forecast_alerts: OrderedDict[tuple[str, str, str], Record] = OrderedDict()  # those that stand raised
        self.reorder_decisions: OrderedDict[tuple[str, str, str], Record] = OrderedDict()  # by SKU, location, run
        self.plans = 0  # changes of reorders, of what was decided about them and of forecast alerts so far
        self.applied: dict[tuple[str, int], Record] = {}  # the last record of each partition
        self._sequence = 0
        self._decision_ids: OrderedDict[str, None] = OrderedDict()
        self._per_second: Counter[int] = Counter()
        self._new_decisions: deque[Record] = deque(maxlen=60)
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
        self.locations: Counter[str] = Counter()  # location -> SKUs that name it
        self.short: dict[str, None] = {}  # SKUs that are short somewhere
        self.orders: OrderedDict[str, OrderEntry] = OrderedDict()  # oldest change first
        self.owed = OwedIndex()
        self.order_states: Counter[str] = Counter()  # of the orders kept
        # Levels go up and down all day: what they say must not push out what somebody has to do.
        self.alerts: deque[tuple[int, Record]] = deque(maxlen=ALERTS_MAX)
        self.level_alerts: deque[tuple[int, Record]] = deque(maxlen=ALERTS_MAX)
        self.demand: OrderedDict[str, Record] = OrderedDict()
        self._alert_ids: OrderedDict[str, None] = OrderedDict()
        self._changed: OrderedDict[str, None] = OrderedDict()
        self._new_alerts: deque[Record] = deque(maxlen=60)
        self._new_orders: OrderedDict[str, None] = OrderedDict()

    def apply(self, records: list[Record]) -> None:
        with self.lock:
            for record in records:
                if self._is_of_this_log(record):
                    self._apply[record.topic](record)
                self.applied[record.topic, record.partition] = record._replace(value=None)

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

    def recent_alerts(self) -> Iterator[Record]:
        """Newest first; of those about levels, and of all others, the last `ALERTS_MAX`."""
        newest = heapq.merge(reversed(self.alerts), reversed(self.level_alerts), key=lambda x: -x[0])
        return (record for _, record in newest)

    def drain(self) -> Drained:
        """What changed since the last call; at most 500 SKUs a call, the rest stays for the next."""
        with self.lock:
            skus = []
            while self._changed and len(skus) < 500:
                sku, _ = self._changed.popitem(last=False)
                if sku in self.stock:
                    skus.append(self.stock[sku].value)
            orders = [self.orders[order_id].head.raw for order_id in self._new_orders if order_id in self.orders]
            drained = Drained(skus, list(self._new_decisions), list(self._new_alerts), orders)
            self._new_decisions.clear()
            self._new_alerts.clear()
            self._new_orders.clear()
            return drained

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
        head = replace(record.value, lines=[])  # the index has what is owed of them; the rest is in the document
        self._sequence += 1
        self.orders[record.key] = OrderEntry(self._sequence, head, record.partition, record.offset)
        self._new_orders[record.key] = None
        self._new_orders.move_to_end(record.key)
        _drop_oldest(self._new_orders, NEW_ORDERS_MAX)
        self.order_states[record.value.status] += 1
        if len(self.orders) > ORDERS_MAX:
            _, dropped = self.orders.popitem(last=False)
            self.order_states[dropped.head.status] -= 1

    def _decision(self, record: Record) -> None:
        if record.value is None or not _first(self._decision_ids, record.value.id, DECISION_IDS_MAX):
            return
        self.decided[record.value.status] += 1
        self.decisions.append(record)
        self._new_decisions.append(record)
        if record.value.status not in ("cancelled", "edited"):
            second = record.time_ms // 1000
            self._per_second[second] += 1
            if len(self._per_second) > RATE_SECONDS:
                del self._per_second[min(self._per_second)]

    def _alert(self, record: Record) -> None:
        if record.value is not None and _first(self._alert_ids, record.value.id, 20 * ALERTS_MAX):
            self._sequence += 1
            kept = self.level_alerts if record.value.kind in LEVEL_KINDS else self.alerts
            kept.append((self._sequence, record))
            self._new_alerts.append(record)

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
    # Forecasts have no version: their run names sort by time, and a tombstone of an old run is not of interest here.
    if record.value is None:
        return
    key = (record.value.sku, record.value.location)
    if key not in held or record.value.run >= held[key].value.run:
        held[key] = record
        _drop_oldest(held, PLANS_MAX)


def _drop_oldest(held: OrderedDict[Any, Any], limit: int) -> None:
    while len(held) > limit:
        held.popitem(last=False)
