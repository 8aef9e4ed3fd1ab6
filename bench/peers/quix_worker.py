"""The Quix Streams worker. Runs in a Python of its own (`quix`), so it imports nothing of ours.

`python quix_worker.py BOOTSTRAP GROUP ORDERS DECISIONS FOLDER`.
"""

from __future__ import annotations

import gc
import sys
from typing import Any

from quixstreams import Application
from quixstreams.models import TopicConfig

COMMIT_SECONDS = 1.0
ANSWER = "order:"  # before an order id: the answer it got


def decide(event: dict[str, Any], state: Any) -> list[dict[str, Any]]:
    """The decision on an order; nothing for a receipt. One state holds the levels of all SKUs and every answer."""
    if event["type"] == "received":
        state.set(event["sku"], state.get(event["sku"], 0) + event["quantity"])
        return []
    order_id = event["order_id"]
    units: dict[str, int] = {}
    for sku, count in event["lines"]:
        units[sku] = units.get(sku, 0) + count
    confirmed = state.get(ANSWER + order_id)
    if confirmed is None:
        left = {sku: state.get(sku, 0) for sku in units}
        confirmed = all(left[sku] >= count for sku, count in units.items())
        if confirmed:
            for sku, count in units.items():
                state.set(sku, left[sku] - count)
        state.set(ANSWER + order_id, confirmed)
    return [{"order_id": order_id, "confirmed": confirmed, "units": units if confirmed else {}}]


def main() -> None:
    bootstrap, group, orders, decisions, folder = sys.argv[1:]
    app = Application(
        bootstrap, consumer_group=group, auto_offset_reset="earliest", commit_interval=COMMIT_SECONDS,
        state_dir=folder, auto_create_topics=True, loglevel="WARNING", processing_guarantee="at-least-once",
        consumer_extra_config={
            "fetch.wait.max.ms": 10, "session.timeout.ms": 6_000, "heartbeat.interval.ms": 1_000,
            "group.instance.id": "quix-1", "queued.min.messages": 100_000,
            "partition.assignment.strategy": "cooperative-sticky",
        },
        producer_extra_config={
            "linger.ms": 5, "acks": "all", "enable.idempotence": True, "queue.buffering.max.messages": 1_000_000,
        },
    )  # fmt: skip
    one = TopicConfig(num_partitions=1, replication_factor=1)
    source = app.topic(orders, key_deserializer="bytes", value_deserializer="json", config=one)
    answers = app.topic(decisions, key_serializer="bytes", value_serializer="json", config=one)
    app.dataframe(source).apply(decide, stateful=True, expand=True).to_topic(answers)
    gc.freeze()
    app.run()


if __name__ == "__main__":
    main()
