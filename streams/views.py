"""What the agents publish about their rows: stock levels, demand, order status. Coalesced; each carries its version.

Reads rows; writes through the outbox. Guarantees: what changed since the last call is published with its newest state;
an offset is committed only after that (`owner`). Does not belong here: alerts and decisions (a step says those).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from streams.outbox import Outbox
from streams.topics import DEMAND, ORDER_STATUS, STOCK_LEVELS
from tables import records as r
from tables.availability import open_to_all, takeable
from tables.codec import instant
from tables.ledger import quantities
from tables.lots import LAST, ordinal, today
from tables.order_speech import status
from tables.outcome import version_of
from tables.pruning import DELETED
from tables.rows import (
    CountRow,
    DemandRow,
    IncomingRow,
    LotRow,
    PartitionRow,
    SkuRow,
    StockRow,
    count_key,
    demand_key,
    sku_key,
    stock_key,
)
from tables.table import Store, Table

HOUR_MS, DAY_MS = 3_600_000, 86_400_000


class OrderViews:
    """`order-status` of the orders that changed."""

    of_one_row = True  # what is published of an order stands in its row alone

    def __init__(self) -> None:
        self._orders: dict[str, Any] = {}

    def touch(self, rows: dict[str, Any]) -> None:
        for key, row in rows.items():
            if key[0] == "o":  # order; the other is the partition row
                self._orders[key] = row

    def touch_all(self, table: Table) -> None:
        """Orders may be many, and those a zombie can still speak of are delivered again: the daily sweep has them."""

    def sweep(self, table: Table, store: Store, rows: int) -> Iterator[None]:
        """Everything once more, `rows` at a time: no older copy stays the last word in a compacted topic."""
        for count, (key, _) in enumerate(store.scan("order|")):
            self._orders[key] = table.get(key)
            if count % rows == 0:
                yield

    def publish(self, table: Table, log: PartitionRow, outbox: Outbox) -> None:
        orders, self._orders = self._orders, {}
        for row in orders.values():
            if row.state == DELETED:
                outbox.retract(ORDER_STATUS.name, row.order_id)
            else:
                outbox.publish(ORDER_STATUS.name, row.order_id, status(row, log))


class StockViews:
    """`stock-levels` of the SKUs, and `demand` of the days, that changed."""

    of_one_row = False

    def __init__(self) -> None:
        self._skus: dict[str, None] = {}
        self._days: dict[str, None] = {}
        self._windows: dict[str, tuple[int, int]] = {}  # per stock row: the last stock-out window that was looked at

    def touch(self, rows: dict[str, Any]) -> None:
        for key, row in rows.items():
            if key[0] == "s":  # stock, sku: whatever else is shown of a SKU, its stock row has changed with it
                self._skus[row.sku] = None
                if key[1] == "t" and (row.out_since_ms or row.outs):
                    self._touch_days(key, row)
            elif key[0] == "d":
                self._days[key] = None

    def _touch_days(self, key: str, row: StockRow) -> None:
        """The days of a stock-out window that opened or closed."""
        window = (row.out_since_ms, row.out_since_ms) if row.out_since_ms else row.outs[-1]
        if self._windows.get(key) != window:
            self._windows[key] = window
            for ms in range(window[0] // DAY_MS * DAY_MS, window[1] + 1, DAY_MS):
                self._days[demand_key(row.sku, row.location, instant(ms)[:10])] = None

    def touch_all(self, table: Table) -> None:
        self._skus.update((row.sku, None) for _, row in table.rows("sku|"))
        self._days.update((key, None) for key, _ in table.rows("demand|"))

    def sweep(self, table: Table, store: Store, rows: int) -> Iterator[None]:
        self.touch_all(table)
        yield

    def publish(self, table: Table, log: PartitionRow, outbox: Outbox) -> None:
        skus, self._skus = self._skus, {}
        days, self._days = self._days, {}
        for sku in skus:
            outbox.publish(STOCK_LEVELS.name, sku, stock_levels(table, sku, log))
        for key in days:
            row: DemandRow | None = table.get(key)
            if row is not None:
                stock = table.get(stock_key(row.sku, row.location))
                outbox.publish(DEMAND.name, key[len("demand|") :], demand(row, stock, log), routed_by=row.sku)


def stock_levels(table: Table, sku: str, log: PartitionRow) -> r.StockLevels:
    """A SKU's levels at all of its locations."""
    master: SkuRow = table.get(sku_key(sku))
    rows: list[StockRow] = [table.get(key) for key in table.below(f"stock|{sku}|")]
    levels = [_level(table, row, log) for row in rows]
    newest = max([master.at, *(row.at for row in rows)])
    return r.StockLevels(
        id=f"{sku}:{newest}", time=instant(log.state_ms) if log.state_ms else "", sku=sku,
        available=sum(x.available for x in levels), on_hand=sum(x.on_hand for x in levels),
        flavor=master.flavor, packaging=master.packaging, size=master.size, gtin=master.gtin,
        discontinued=master.discontinued, locations=levels, version=version_of(log.log_id, newest),
    )  # fmt: skip


def _level(table: Table, row: StockRow, log: PartitionRow) -> r.LocationLevel:
    q = quantities(row)
    place = f"{row.sku}|{row.location}"
    lots: list[LotRow] = [table.get(key) for key in table.below(f"lot|{place}|")]
    incoming: list[IncomingRow] = [table.get(key) for key in table.below(f"incoming|{place}|")]
    count: CountRow | None = table.get(count_key(row.sku, row.location))
    expected = sorted((x for x in incoming if x.state == "open"), key=lambda x: (x.expected or LAST, x.reference))
    return r.LocationLevel(
        row.location, q.on_hand, q.available, q.reserved, q.allocated, q.safety_stock, q.unavailable, q.shortage,
        row.policy.reorder_point,
        [r.LotLevel(x.lot, x.best_before, x.on_hand, _status(x), x.blocked) for x in lots if x.on_hand],
        version_of(log.log_id, row.at), backordered=row.backordered, open_to_all=open_to_all(row),
        channels=[
            r.ChannelLevel(x.channel, max(takeable(row, x.channel), 0), x.ring_fence, x.buffer) for x in row.shares
        ],
        incoming=[
            r.IncomingLevel(x.reference, x.kind, _to_come(x), x.expected, x.confirmed > 0) for x in expected
        ],
        promise=_promise(q.available - row.backordered, expected, today(log)),
        accuracy=r.Accuracy(count.counts, count.exact, count.units, count.off) if count else None,
    )  # fmt: skip


def _status(lot: LotRow) -> str:
    return "expired" if lot.expired and lot.status != "recalled" else lot.status


def _to_come(row: IncomingRow) -> int:
    return max((max(row.confirmed, row.ordered) or row.notified) - row.received, 0)


def _promise(now: int, expected: list[IncomingRow], day: str) -> list[r.Promise]:
    """Units that can be promised today, and from each day on which confirmed ones come. What is overdue is promised to
    nobody: it comes, or is confirmed anew."""
    if not day:
        return []
    promises = [r.Promise(day, max(now, 0))]
    for row in expected:
        units = max(row.confirmed - row.received, 0)
        if not units or row.expected <= day:
            continue
        now += units
        if promises[-1].day == row.expected:
            promises.pop()
        promises.append(r.Promise(row.expected, max(now, 0)))
    return promises


def demand(row: DemandRow, stock: StockRow | None, log: PartitionRow) -> r.Demand:
    """One day's demand of a SKU at a location. Its version is that of what it says last: of the demand, or of the
    stock that ran out or came."""
    at = max(row.at, stock.at) if stock else row.at
    hours = row.hours | (_out_hours(stock, row.day, log.state_ms) if stock else 0)
    return r.Demand(
        id=f"{row.sku}|{row.location}|{row.day}:{at}", time=instant(log.state_ms) if log.state_ms else "",
        sku=row.sku, location=row.location, day=row.day, ordered=row.ordered, orders=row.orders, refused=row.refused,
        stockout_hours=[hour for hour in range(24) if hours >> hour & 1], version=version_of(log.log_id, at),
    )  # fmt: skip


def _out_hours(stock: StockRow, day: str, state_ms: int) -> int:
    """The UTC hours of the day, as bits, in which there was nothing to sell at some time, as far as time has gone."""
    windows = [*stock.outs, *([(stock.out_since_ms, state_ms)] if stock.out_since_ms else [])]
    first_hour = (ordinal(day) - ordinal("1970-01-01")) * 24
    hours = 0
    for since, until in windows:
        first, last = since // HOUR_MS - first_hour, until // HOUR_MS - first_hour
        for hour in range(max(first, 0), min(last, 23) + 1):
            hours |= 1 << hour
    return hours
