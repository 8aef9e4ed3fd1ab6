"""What the account of a lot consists of: what partitions know of it, and the sections made of that. Types alone.

Does not belong here: how they are made (`lot_account`), how they are shown.
"""

from __future__ import annotations

from msgspec import Struct

from tables.rows import BatchRow, IncomingRow, LotRow, RecallRow, TraceRow


class LotPartition(Struct, kw_only=True):
    """What one stock partition knows of a lot, as of the record before `offset`. `whole`: nothing is left out."""

    partition: int
    partitions: int
    log_id: int
    offset: int
    state_ms: int
    recall: RecallRow | None
    batches: list[BatchRow]
    lots: list[LotRow]  # without their last movements: those are in `traces`
    incoming: list[IncomingRow]  # transfers under way that carry the lot
    traces: list[TraceRow]
    whole: bool = False


class Batch(Struct, frozen=True, kw_only=True):
    """What is known of a production batch; `status` without a recall, which stands in the lot on hand."""

    sku: str
    lot: str
    best_before: str
    produced: str
    supplier: str
    documents: tuple[str, ...]
    status: str
    reason: str


class Movement(Struct, frozen=True, kw_only=True):
    """Units of a lot that came, went or changed. They are signed only where they can be both."""

    sku: str
    lot: str
    location: str
    units: int
    at: str  # when it was recorded
    occurred_at: str  # when it happened, as the sender told; "" if it did not
    reference: str
    through: str  # the "SKU lot" of a kit that this movement is of; "" if it is the lot's own


class Receipt(Movement, frozen=True, kw_only=True):
    supplier: str
    best_before: str
    documents: tuple[str, ...]


class Made(Movement, frozen=True, kw_only=True):
    """Units that went into a lot of a pre-built kit."""

    kit: str
    kit_lot: str


class Shipment(Movement, frozen=True, kw_only=True):
    """`known`: how the lot is known to be the one that left: scanned, reported, presumed."""

    order_id: str
    channel: str
    known: str


class Comeback(Movement, frozen=True, kw_only=True):
    """`disposition`: restock, quarantine (both are stock again), scrap, to_supplier."""

    order_id: str
    disposition: str


class Bound(Struct, frozen=True, kw_only=True):
    """Units picked for an order that no shipment took yet."""

    sku: str
    lot: str
    location: str
    order_id: str
    units: int
    known: str
    at: str


class OnHand(Struct, frozen=True, kw_only=True):
    """`frozen`: of `units`, those nobody can be promised because the lot is recalled."""

    sku: str
    lot: str
    location: str
    units: int
    blocked: int
    frozen: int
    status: str
    expired: bool
    best_before: str


class Transit(Struct, frozen=True, kw_only=True):
    sku: str
    lot: str
    source: str
    location: str  # where they are expected
    units: int
    reference: str
    expected: str


class Balance(Struct, frozen=True, kw_only=True):
    """Of one SKU and lot: what came in, what became of it. `says`: the difference in words."""

    sku: str
    lot: str
    received: int
    made: int  # assembled under this lot, or got back from kits that were taken apart
    returned: int
    adjusted: int  # signed: corrections and counts
    shipped: int
    in_kits: int  # went into kits; of a kit lot: kits taken apart
    scrapped: int  # of the returned ones, those to the supplier included
    in_transit: int
    lost_in_transit: int  # signed: left one location, never came to the other, and are not expected any more
    on_hand: int
    difference: int
    says: str


class Recall(Struct, frozen=True, kw_only=True):
    """A recall as the partitions have it; `partitions`: those that have applied it."""

    id: str
    lot: str
    skus: tuple[str, ...]
    reason: str
    mock: bool
    state: str
    opened_at: str
    closed_at: str
    partitions: tuple[int, ...]


class Totals(Struct, frozen=True, kw_only=True):
    """Units; `shipped_in_kits` are units of kits. `orders`, `by_channel` and `by_known` are of both."""

    received: int
    made: int
    shipped: int
    shipped_in_kits: int
    orders: int
    returned: int
    in_transit: int
    on_hand: int
    frozen: int
    bound: int
    by_channel: tuple[tuple[str, int], ...]
    by_known: tuple[tuple[str, int], ...]


class LotAccount(Struct, frozen=True, kw_only=True):
    """Everything about a lot. Of kit lots it is part of, the same rows stand among its own (`through` says so)."""

    lot: str
    recall: Recall | None
    as_of: tuple[tuple[int, int, str], ...]  # (partition, offset, time: nothing in here is later)
    missing: tuple[int, ...]  # partitions that did not answer: what they know is not in here
    batches: tuple[Batch, ...]
    totals: Totals
    received: tuple[Receipt, ...]
    made_into: tuple[Made, ...]
    shipped: tuple[Shipment, ...]
    in_transit: tuple[Transit, ...]
    on_hand: tuple[OnHand, ...]
    returned: tuple[Comeback, ...]
    bound: tuple[Bound, ...]
    changed: tuple[Movement, ...]  # adjusted, counted, moved between locations: `reference` says how
    balances: tuple[Balance, ...]
    notes: tuple[str, ...]

    @property
    def known(self) -> bool:
        """Whether any partition knows this lot."""
        return bool(self.batches or self.on_hand or self.balances)
