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
from tables.codec import instant
from tables.ledger import quantities
from tables.order_speech import status
from tables.outcome import version_of
from tables.pruning import DELETED
from tables.rows import DemandRow, PartitionRow, SkuRow, StockRow, sku_key
from tables.table import Store, Table


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
        self._days: dict[str, DemandRow] = {}

    def touch(self, rows: dict[str, Any]) -> None:
        for key, row in rows.items():
            kind = key[0]  # of stock, sku, demand; the others are lot, res, fact, partition
            if kind == "s":
                self._skus[row.sku] = None
            elif kind == "d":
                self._days[key] = row

    def touch_all(self, table: Table) -> None:
        self._skus.update((row.sku, None) for _, row in table.rows("sku|"))
        self._days.update(table.rows("demand|"))

    def sweep(self, table: Table, store: Store, rows: int) -> Iterator[None]:
        self.touch_all(table)
        yield

    def publish(self, table: Table, log: PartitionRow, outbox: Outbox) -> None:
        skus, self._skus = self._skus, {}
        days, self._days = self._days, {}
        for sku in skus:
            outbox.publish(STOCK_LEVELS.name, sku, stock_levels(table, sku, log))
        for key, row in days.items():
            outbox.publish(DEMAND.name, key[len("demand|") :], demand(row, log), routed_by=row.sku)


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
    lots = [table.get(key) for key in table.below(f"lot|{row.sku}|{row.location}|")]
    return r.LocationLevel(
        row.location, q.on_hand, q.available, q.reserved, q.allocated, q.safety_stock, q.unavailable, q.shortage,
        row.reorder_point, [r.LotLevel(x.lot, x.best_before, x.on_hand) for x in lots if x.on_hand],
        version_of(log.log_id, row.at),
    )  # fmt: skip


def demand(row: DemandRow, log: PartitionRow) -> r.Demand:
    """One day's demand of a SKU at a location."""
    return r.Demand(
        id=f"{row.sku}|{row.location}|{row.day}:{row.at}", time=instant(log.state_ms) if log.state_ms else "",
        sku=row.sku, location=row.location, day=row.day, ordered=row.ordered, orders=row.orders, refused=row.refused,
        stockout_hours=[hour for hour in range(24) if row.hours >> hour & 1], version=version_of(log.log_id, row.at),
    )  # fmt: skip
