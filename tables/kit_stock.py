"""Pre-built kits: made of their parts, and taken apart again. Decides for the SKU of its partition, and says the parts.

Guarantees: each part's partition hears of it under an id that follows from the record's, so that hearing it twice
changes nothing. Does not belong here: kits that are exploded when they are sold (`orders`).
"""

from __future__ import annotations

from tables import records as r
from tables.lots import UNKNOWN_LOT
from tables.movements import Decision, Movements, stem
from tables.murmur2 import partition_of_sku
from tables.outcome import WAREHOUSE, At, Send, View
from tables.receiving import new_batch, receive
from tables.rows import PartitionRow


def kit_assembled(view: View, fact: r.KitAssembled, at: At, log: PartitionRow) -> Decision:
    m = Movements(view, at, log)
    batch = new_batch(fact.sku, fact.lot, fact.best_before or "")
    receive(m, fact.sku, fact.location, fact.lot, fact.quantity, "assembled", batch=batch)
    return m.decision()


def kit_disassembled(view: View, fact: r.KitDisassembled, at: At, log: PartitionRow) -> Decision:
    m = Movements(view, at, log)
    m.leave(fact.sku, fact.location, fact.quantity, fact.lot, "disassembled")
    return m.decision()


def kit_part_moved(view: View, fact: r.KitPartMoved, at: At, log: PartitionRow) -> Decision:
    m = Movements(view, at, log)
    kit = f"{fact.kit} {fact.kit_lot or ''}".rstrip()
    if fact.quantity < 0:
        m.leave(fact.sku, fact.location, -fact.quantity, fact.lot, "made_into", reference=kit)
    elif fact.quantity:
        m.move(m.lot(fact.sku, fact.location, fact.lot or UNKNOWN_LOT), fact.quantity, "made_from", reference=kit)
    return m.decision()


def parts(fact: r.KitAssembled | r.KitDisassembled, log: PartitionRow) -> list[Send]:
    """What each part loses or gains."""
    sign = -1 if isinstance(fact, r.KitAssembled) else 1
    return [
        Send(WAREHOUSE, partition_of_sku(part.sku, log.partitions), None, r.KitPartMoved(
            id=f"{stem(fact)}:part:{n}", sku=part.sku, location=fact.location, quantity=sign * part.quantity,
            kit=fact.sku, lot=part.lot, kit_lot=fact.lot,
        ))
        for n, part in enumerate(fact.parts)
    ]  # fmt: skip
