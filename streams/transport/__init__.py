"""Batch transport: Faust agents that read whole batches through one librdkafka consumer.

Exports the seam. Guarantees are stated in `poller` (what is read), `partitions` (what is handed on and when a
partition opens and closes), `faust_driver` (what Faust still does), `watchdog` and `failstop` (how a process ends).
"""

from streams.transport.counters import Counters
from streams.transport.failstop import die
from streams.transport.faust_driver import BatchApp
from streams.transport.partitions import BEGINNING, Owner, PartitionHalted, Partitions

__all__ = ["BEGINNING", "BatchApp", "Counters", "Owner", "PartitionHalted", "Partitions", "die"]
