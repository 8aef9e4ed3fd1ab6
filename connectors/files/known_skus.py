"""Which SKUs of a file stand in `stock-levels`: their master is somebody's, and a file of orders has no say in it.

Reads: `stock-levels`, the partitions of the SKUs that are asked for, to their ends as of now. Writes nothing.
Guarantees: a key that was deleted last does not stand there; `ReadStalled` if the broker gives nothing for 20 s. Not
seen: a definition that no worker has applied yet. Does not belong here: what stands in a level, only that there is one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from streams import reader
from streams.settings import Settings
from streams.topics import STOCK_LEVELS
from tables.murmur2 import partition_of


def known_skus(
    settings: Settings, skus: Collection[str], on_read: Callable[[int], None] = lambda records: None
) -> set[str]:
    """Of `skus` those that have levels. `on_read` is told of records as they are read."""
    name = STOCK_LEVELS.name
    count = len(reader.partitions_of(settings, name))
    wanted = {sku.encode(): sku for sku in skus}
    places = sorted({partition_of(sku, count) for sku in skus})
    known: set[str] = set()
    for batch in reader.read_to_end(settings, name, places, contiguous=reader.is_contiguous(settings, name)):
        for message in batch:
            sku = wanted.get(message.key() or b"")
            if sku is not None:
                (known.discard if message.value() is None else known.add)(sku)
        on_read(len(batch))
    return known
