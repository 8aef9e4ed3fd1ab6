"""`smokehouse stock get --at`: a SKU as it stood then, from the stock log folded again, with who held its units.

Reads the stock log; writes snapshots of the fold. Guarantees: the same document as `stock get` shows for that position.
Does not belong here: how a log is folded (`proof.history`).
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from proof.history.fold import Folded
from proof.history.logs import partitions
from proof.history.moment import Moment, last_text
from streams.commands.folding import EXIT_ARGUMENTS, fold_to, looking_back, moment_of
from streams.commands.output import fail
from streams.settings import Settings
from streams.topics import WAREHOUSE
from streams.views import stock_levels
from tables.codec import instant
from tables.murmur2 import partition_of_sku
from tables.records import StockLevels
from tables.reservations import OPEN_STATES
from tables.rows import sku_key


class AsOf(msgspec.Struct, frozen=True):
    """`position`: the last that counts, OFFSET (a record whole) or OFFSET.INDEX. `time`: the latest stamp up to it."""

    topic: str
    partition: int
    log_id: int
    position: str
    time: str


class Held(msgspec.Struct, frozen=True):
    """A part of an order's reservation: units that it holds of the SKU at a location, or (`backordered`) waits for.

    `state`: claimed, held or allocated. `floor`: the earliest best-before they may have; "": any that is not expired.
    `fenced`: of the units, taken from the channel's own stock. `due`: the day backordered ones are promised for.
    """

    order_id: str
    attempt: int
    channel: str
    state: str
    units: int
    location: str
    backordered: bool
    due: str
    floor: str
    fenced: int


class PastStock(msgspec.Struct, frozen=True):
    """A SKU at a moment. `levels` None: the SKU was unknown then."""

    sku: str
    levels: StockLevels | None
    reservations: list[Held]
    as_of: AsOf


def past_stock(settings: Settings, skus: Sequence[str], at: str) -> list[PastStock]:
    """The SKUs in the order asked; each partition is folded once."""
    moment = moment_of(at, "--at")
    with looking_back() as bar:
        count = partitions(settings)
        homes = {sku: partition_of_sku(sku, count) for sku in skus}
        _one_partition(moment, homes)
        folded = {home: fold_to(settings, WAREHOUSE.name, home, moment, bar) for home in sorted(set(homes.values()))}
    return [stock_then(sku, home, folded[home]) for sku, home in homes.items()]


def _one_partition(moment: Moment, homes: dict[str, int]) -> None:
    if moment.is_position and len(set(homes.values())) > 1:
        where = ", ".join(f"{sku} in {home}" for sku, home in homes.items())
        why = f"a position belongs to one partition, and these SKUs live in several ({where}); give a time"
        fail(f"--at: {why}", EXIT_ARGUMENTS)


def stock_then(sku: str, partition: int, folded: Folded) -> PastStock:
    """What the folded rows say of the SKU."""
    table, log = folded.table, folded.log
    known = log is not None and table.get(sku_key(sku)) is not None
    as_of = AsOf(
        WAREHOUSE.name, partition, log.log_id if log else 0, last_text(folded.place) if folded.place else "",
        instant(folded.newest_ms) if folded.newest_ms else "",
    )  # fmt: skip
    if log is None or not known:
        return PastStock(sku, None, [], as_of)
    held = [
        Held(
            row.order_id, row.attempt, row.channel, row.state, line.open, line.location, line.back, line.due,
            line.floor, line.fenced,
        )
        for _, row in table.rows("res|") if row.state in OPEN_STATES
        for line in row.lines if line.sku == sku and line.open
    ]  # fmt: skip
    return PastStock(sku, stock_levels(table, sku, log), held, as_of)
