"""What a worker tells whoever monitors it, as Prometheus reads it.

Reads: what `/status` tells. Writes: nothing. Guarantees: a few series for each partition and
none for an SKU, an order or a person, however many there are; what is not known is left out, not 0. Does not belong
here: who serves it (`health`), what the API tells of itself (`api.metrics`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
STATES = ("ready", "recovering", "halted")
WHERE = ["topic", "partition"]
_COUNTED = {
    "records_read": "Records read from the logs since the start",
    "records_dropped": "Records read and not handled: of a partition that is not ours any more, or read again",
    "batches": "Batches handled; records read / batches is their size",
    "rebalances": "Assignments of partitions that this worker took part in",
    "foreign_rows": "Rows of another writer found in changelogs of ours, and put right",
    "dead_letters": "Records that could not be used, sent to dead-letters with place and reason",
}


def of_worker(partitions: Iterable[Mapping[str, Any]], counters: Mapping[str, int]) -> Iterator[Metric]:
    """`partitions`, `counters`: as `/status` tells them."""
    state = GaugeMetricFamily(
        "smokehouse_partition_state", "1 for the state it is in, 0 for the others", labels=[*WHERE, "state"]
    )
    offset = GaugeMetricFamily("smokehouse_partition_offset", "Of the record handled next", labels=WHERE)
    committed = GaugeMetricFamily("smokehouse_partition_committed_offset", "As last committed", labels=WHERE)
    lag = GaugeMetricFamily(
        "smokehouse_partition_lag_records", "Records in the log not handled yet; not while halted", labels=WHERE
    )
    clock = GaugeMetricFamily(
        "smokehouse_partition_state_time_seconds", "The log's own time, by which deadlines end", labels=WHERE
    )
    for one in partitions:
        where = [one["topic"], str(one["partition"])]
        for name in STATES:
            state.add_metric([*where, name], one["state"] == name)
        if one["offset"] is not None:
            offset.add_metric(where, one["offset"])
        if "waiting" in one:
            lag.add_metric(where, one["waiting"])
        if one["committed"] is not None:
            committed.add_metric(where, one["committed"])
        if one.get("state_time_ms"):
            clock.add_metric(where, one["state_time_ms"] / 1000)
    yield from (state, offset, committed, lag, clock)
    yield GaugeMetricFamily(
        "smokehouse_unacknowledged_records", "Sent, and not acknowledged by the broker yet", counters["unacknowledged"]
    )
    for name, meaning in _COUNTED.items():
        yield CounterMetricFamily(f"smokehouse_{name}", meaning, counters[name])


def exposition(families: Iterable[Metric]) -> bytes:
    """The text of these and of the process itself: CPU seconds, resident bytes, open files, start."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    registry.register(_Given(list(families)))
    return generate_latest(registry)


class _Given(Collector):
    """Families that are there already."""

    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families
