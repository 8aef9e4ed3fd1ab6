"""What the agents publish about their rows: stock levels, demand, order status. Coalesced; each carries its version.

Reads rows; writes through the outbox. Guarantees: what changed since the last call is published with its newest state;
an offset is committed only after that (`owner`). Does not belong here: alerts and decisions (a step says those).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

from streams.lot_lists import LotLists, prefix_of, shown
from streams.outbox import Outbox
from streams.topics import DEMAND, ORDER_STATUS, STOCK_LEVELS
from tables import records as r
from tables.availability import open_to_all, takeable
from tables.codec import instant
from tables.ledger import quantities
from tables.lots import ordinal
from tables.order_document import status
from tables.outcome import version_of
from tables.pruning import DELETED
from tables.rows import (
    CountRow,
    DemandRow,
    IncomingRow,
    PartitionRow,
    SkuRow,
    StockRow,
    count_key,
    demand_key,
    sku_key,
    stock_key,
)
from tables.table import Table

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
WINDOW_DAYS_MAX = 60  # of a long stock-out, so many last days are told
EPOCH = 719_163  # the ordinal of 1970-01-01


class Written(Protocol):
    """The rows that a checkpoint has written."""

    def slice(self, prefix: str, after: str, most: int) -> list[tuple[str, Any]]:
        """At most `most` (key, row) of the keys that start with `prefix` and come after `after`, in key order."""


def ms_of(day: str) -> int:
    """Its first millisecond since 1970; 0 for days that no calendar has."""
    return max(ordinal(day) - EPOCH, 0) * DAY_MS


class OrderViews:
    """`order-status` of the orders that changed."""

    of_one_row = True  # what is published of an order stands in its row alone

    def __init__(self) -> None:
        self._orders: dict[str, Any] = {}

    def touch(self, rows: dict[str, Any]) -> None:
        for key, row in rows.items():
            if key[0] == "o":  # order; the other is the partition row
                self._orders[key] = row

    def taken_over(self, table: Table, store: Written, rows: int) -> None:
        """Orders may be many, and those a zombie can still speak of are delivered again: the daily sweep has them."""

    def sweep(self, table: Table, store: Written, rows: int) -> Iterator[None]:
        """Everything once more, `rows` at a time: no older copy stays the last word in a compacted topic."""
        for found in _portions(store, "order|", rows):
            self._orders.update((key, table.get(key)) for key, _ in found)
            yield

    def publish(self, table: Table, log: PartitionRow, outbox: Outbox, *, whole: bool = True) -> None:
        """`whole`: orders that are not decided yet too. Most are within milliseconds, and then nobody missed them; the
        others are told at the checkpoint."""
        orders, self._orders = self._orders, {}
        for key, row in orders.items():
            if row.state == "pending" and not whole:
                self._orders[key] = row
            elif row.state == DELETED:
                outbox.retract(ORDER_STATUS.name, row.order_id)
            else:
                outbox.publish(ORDER_STATUS.name, row.order_id, status(row, log))


class StockViews:
    """`stock-levels` of the SKUs, and `demand` of the days, that changed."""

    of_one_row = False

    def __init__(self) -> None:
        self._skus: dict[str, None] = {}
        self._days: dict[str, None] = {}  # keys of demand rows
        self._lots = LotLists()

    def touch(self, rows: dict[str, Any]) -> None:
        for key, row in rows.items():
            kind = key[0]  # of stock, sku, demand, lot; whatever else a level shows changes its stock row too
            if kind == "d":
                self._days[key] = None
            elif kind == "l":
                self._lots.forget(key)
            elif kind == "s":
                self._skus[row.sku] = None
                if key[1] == "t" and row.outs_at == row.at and row.outs:  # a stock-out is over
                    self._days.update(dict.fromkeys(_days_of(row, row.outs[-1:])))

    def taken_over(self, table: Table, store: Written, rows: int) -> Iterator[None]:
        """What was taken over is published again, beside the orders that come."""
        return self.sweep(table, store, rows)

    def sweep(self, table: Table, store: Written, rows: int) -> Iterator[None]:
        """Every SKU and day that is written, `rows` at a time; what is not written yet is published anyhow."""
        for found in _portions(store, "sku|", rows):
            self._skus.update((row.sku, None) for _, row in found)
            yield
        for found in _portions(store, "demand|", rows):
            self._days.update((key, None) for key, _ in found)
            yield
        for found in _portions(store, "stock|", rows):
            for _, row in found:
                self._days.update(dict.fromkeys(_days_of(row, row.outs)))
            yield

    def publish(self, table: Table, log: PartitionRow, outbox: Outbox, *, whole: bool = True) -> None:
        """`whole`: the demand of the days too. Nobody waits for it, so a checkpoint is soon enough."""
        skus, self._skus = self._skus, {}
        for sku in skus:
            outbox.publish(STOCK_LEVELS.name, sku, stock_levels(table, sku, log, self._lots))
        if not whole:
            return
        keys, self._days = self._days, {}
        for key in keys:
            record = demand(table, key, log)
            outbox.publish(DEMAND.name, key[len("demand|") :], record, routed_by=record.sku)


def _portions(store: Written, prefix: str, rows: int) -> Iterator[list[tuple[str, Any]]]:
    """No iterator of the store stays open between two portions: it could not be closed."""
    after = ""
    while found := store.slice(prefix, after, rows):
        yield found
        after = found[-1][0]


def _days_of(row: StockRow, windows: tuple[tuple[int, int], ...]) -> list[str]:
    """Keys of the demand rows of the days that these windows touch, the newest of each."""
    days = [day for begin, end in windows for day in range(begin // DAY_MS, end // DAY_MS + 1)[-WINDOW_DAYS_MAX:]]
    return [demand_key(row.sku, row.location, instant(day * DAY_MS)[:10]) for day in days]


def stock_levels(table: Table, sku: str, log: PartitionRow, lots: LotLists | None = None) -> r.StockLevels:
    """A SKU's levels at all of its locations. With `lots` long lists of lots are encoded ones."""
    master: SkuRow = table.get(sku_key(sku))
    rows: list[StockRow] = [table.get(key) for key in table.below(f"stock|{sku}|")]
    levels = [_level(table, row, log, lots) for row in rows]
    newest = max([master.at, *(row.at for row in rows)])
    return r.StockLevels(
        id=f"{sku}:{newest}", time=instant(log.state_ms) if log.state_ms else "", sku=sku,
        available=sum(x.available for x in levels), on_hand=sum(x.on_hand for x in levels),
        flavor=master.flavor, packaging=master.packaging, size=master.size, gtin=master.gtin,
        discontinued=master.discontinued, locations=levels, version=version_of(log.log_id, newest),
        case_units=master.case_units,
    )  # fmt: skip


def _level(table: Table, row: StockRow, log: PartitionRow, lists: LotLists | None) -> r.LocationLevel:
    q = quantities(row)
    sku, location = row.sku, row.location
    prefix = prefix_of(sku, location)
    coming = [table.get(key) for key in table.below(f"incoming|{sku}|{location}|")]
    count: CountRow | None = table.get(count_key(sku, location))
    return r.LocationLevel(
        location, q.on_hand, q.available, q.reserved, q.allocated, q.safety_stock, q.unavailable, q.shortage,
        row.policy.reorder_point,
        shown(table, prefix) if lists is None else lists.of(table, prefix),  # type: ignore[arg-type]
        version_of(log.log_id, row.at), backordered=row.backordered, open_to_all=open_to_all(row),
        channels=[
            r.ChannelLevel(x.channel, max(takeable(row, x.channel), 0), x.ring_fence, x.buffer) for x in row.shares
        ],
        incoming=[
            r.IncomingLevel(x.reference, x.kind, _to_come(x), x.expected, x.confirmed > 0)
            for x in coming if _to_come(x)
        ],
        promise=_promise(q.available - row.backordered, coming),
        accuracy=r.Accuracy(count.counts, count.exact, count.units, count.off) if count else None,
        out_since=instant(row.out_since_ms) if row.out_since_ms else "",
    )  # fmt: skip


def _to_come(row: IncomingRow) -> int:
    """Units still expected; what is closed, or came, is none."""
    ordered = row.confirmed or row.ordered or row.notified
    return max(ordered - row.received, 0) if row.state == "open" else 0


def _promise(now: int, coming: list[IncomingRow]) -> list[r.Promise]:
    """What can be promised now, and with each day on which confirmed units come."""
    promises = [r.Promise("", max(now, 0))]
    for row in sorted((x for x in coming if x.confirmed and x.expected and _to_come(x)), key=lambda x: x.expected):
        now += _to_come(row)
        if promises[-1].day == row.expected:
            promises.pop()
        promises.append(r.Promise(row.expected, max(now, 0)))
    return promises


def demand(table: Table, key: str, log: PartitionRow) -> r.Demand:
    """One day's demand of a SKU at a location; a day may have none, and be known for its stock-out alone."""
    _, sku, location, day = key.split("|")
    row: DemandRow = table.get(key) or DemandRow(0, sku, location, day)
    stock: StockRow | None = table.get(stock_key(sku, location))
    hours = {hour for hour in range(24) if row.hours >> hour & 1}
    closed_at = 0
    if stock is not None and (windows := _hours_out(stock, day)):
        hours |= windows
        closed_at = stock.outs_at
    at = max(row.at, closed_at)
    return r.Demand(
        id=f"{sku}|{location}|{day}:{at}", time=instant(log.state_ms) if log.state_ms else "", sku=sku,
        location=location, day=day, ordered=row.ordered, orders=row.orders, refused=row.refused,
        stockout_hours=sorted(hours), version=version_of(log.log_id, at), cancelled=row.cancelled, shipped=row.shipped,
        returned=row.returned,
    )  # fmt: skip


def _hours_out(stock: StockRow, day: str) -> set[int]:
    """The UTC hours of the day that stock-outs which are over touched."""
    first = ms_of(day)
    return {
        hour
        for begin, end in stock.outs
        for hour in range(max(begin - first, 0) // HOUR_MS, min(end - first, DAY_MS - 1) // HOUR_MS + 1)
    } if first else set()  # fmt: skip
