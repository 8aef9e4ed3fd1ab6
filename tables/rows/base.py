"""What every row has, and the row of the partition itself."""

from __future__ import annotations

from msgspec import Struct

from tables.records import Limits

PARTITION_KEY = "partition"


class Row(Struct, frozen=True, gc=False, array_like=True):
    at: int


class PartitionRow(Row):
    """`partition`: how far the log was applied, and the state that belongs to the log itself."""

    log_id: int
    partition: int
    partitions: int
    logic_version: int
    limits: Limits
    state_ms: int  # state time; 0 until the first tick
    first_ms: int  # state time of the first tick: deadlines of orders that came before it count from there
