"""The topic catalogue: one typed list. Name, key, what it holds, who writes, and how the broker keeps it.

Reads and writes nothing. Guarantees: every topic of the system stands here once. Does not belong here: clients.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

DAY_MS = 86_400_000
ROW_BYTES_MAX = 4 << 20  # in a changelog: an order or a reservation of 2,000 lines, and all that became of it
Kind = Literal["log", "published", "planning", "changelog", "dead"]


@dataclass(frozen=True, slots=True)
class Topic:
    """`partitioned_by`: the part of the key whose murmur2 chooses the partition (the whole key, if empty).
    `partitions`: how many this topic has, whatever the log has; 0: as many as the log."""

    name: str
    key: str
    holds: str
    writer: str
    kind: Kind
    cleanup: Literal["delete", "compact", "compact,delete"]
    retention_ms: int = -1
    partitioned_by: str = ""
    partitions: int = 0

    def config(self, replication: int = 1) -> dict[str, str]:
        """The broker's settings for this topic. It stamps records itself, where it can: a worker whose clock is wrong
        would be refused, or its records deleted before their time. Of several copies, more than half have what is
        acknowledged (of two, one: else neither could be away), and none that lacks some of it ever leads."""
        config = {"cleanup.policy": self.cleanup, "message.timestamp.type": "LogAppendTime"}
        if replication > 1:
            in_sync = replication // 2 + 1 if replication > 2 else 1
            config |= {"min.insync.replicas": str(in_sync), "unclean.leader.election.enable": "false"}
        if "delete" in self.cleanup:
            config["retention.ms"] = str(self.retention_ms)
        if self.kind == "changelog":
            config["max.message.bytes"] = str(ROW_BYTES_MAX)
        return config


ORDERS = Topic(
    "orders", "order_id", "THE ORDER LOG, the order agent's only input", "connectors, stock agent, order agent",
    "log", "delete",
)  # fmt: skip
WAREHOUSE = Topic(
    "warehouse", "sku", "THE STOCK LOG, the stock agent's only input", "connectors, order agent",
    "log", "delete",
)  # fmt: skip
RESERVATIONS = Topic(
    "reservations", "order_id", "one decision per order, later cancellations", "order agent", "published", "delete"
)
ORDER_STATUS = Topic("order-status", "order_id", "the order as it stands", "order agent", "published", "compact")
STOCK_LEVELS = Topic("stock-levels", "sku", "quantities per location and lot", "stock agent", "published", "compact")
ALERTS = Topic(
    "alerts", "sku",
    "low, out, restored, shortage, covered, recount, expiring, discrepancy, recalled, paid_unallocated", "stock agent",
    "published", "delete",    retention_ms=30 * DAY_MS,
)  # fmt: skip
DEMAND = Topic(
    "demand", "sku|location|day", "daily demand, stock-out hours", "stock agent", "published", "compact",
    partitioned_by="sku",
)  # fmt: skip
FORECASTS = Topic(
    "forecasts", "sku|location|run", "quantile forecasts", "forecaster", "published", "compact,delete",
    retention_ms=400 * DAY_MS, partitioned_by="sku",
)  # fmt: skip
REORDERS = Topic(
    "reorders", "sku|location", "recommended purchases and transfers", "forecaster", "published", "compact",
    partitioned_by="sku",
)  # fmt: skip
FORECAST_ALERTS = Topic(
    "forecast-alerts", "sku|location|kind", "stock-outs, overstock and expiry to come", "forecaster",
    "published", "compact", partitioned_by="sku",
)  # fmt: skip
PLANNING = Topic(
    "planning", "supplier|NAME, supply|SKU, promotion|ID, decision|SKU|LOCATION|RUN, service|",
    "terms of suppliers and SKUs, promotions, decisions on reorders", "whoever plans", "planning", "compact",
    partitions=1,
)  # fmt: skip
ORDER_CHANGELOG = Topic(
    "order-changelog", "row key|writer", "rows of the order agent", "order agent", "changelog", "compact"
)
STOCK_CHANGELOG = Topic(
    "stock-changelog", "row key|writer", "rows of the stock agent", "stock agent", "changelog", "compact"
)
DEAD_LETTERS = Topic(
    "dead-letters", "original key", "what could not be read, with topic, partition, offset, reason", "everyone",
    "dead", "delete",
)  # fmt: skip

CATALOGUE: tuple[Topic, ...] = (
    ORDERS, WAREHOUSE, RESERVATIONS, ORDER_STATUS, STOCK_LEVELS, ALERTS, DEMAND, FORECASTS, REORDERS,
    FORECAST_ALERTS, PLANNING,
    ORDER_CHANGELOG, STOCK_CHANGELOG, DEAD_LETTERS,
)  # fmt: skip
LOGS = (ORDERS, WAREHOUSE)
CHANGELOG_OF = {ORDERS.name: ORDER_CHANGELOG, WAREHOUSE.name: STOCK_CHANGELOG}


def topic(name: str) -> Topic:
    """The catalogue's entry of this name; `KeyError` names those there are."""
    for entry in CATALOGUE:
        if entry.name == name:
            return entry
    raise KeyError(f"no topic {name!r}; there are: {', '.join(t.name for t in CATALOGUE)}")
