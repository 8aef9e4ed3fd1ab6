"""How units come in, wherever from: they belong to a batch, and are what it is, or recalled, or expired.

Does not belong here: which fact brings them (`stock_facts`, `transit`).
"""

from __future__ import annotations

from proof.audit.room import Room
from proof.audit.shelves import Batch, Lot, Shelf


def know_batch(room: Room, sku: str, code: str, best_before: str | None, status: str) -> None:
    """The first mention makes a batch; later ones fill what was empty."""
    batches = room.skus[sku].batches
    batch = batches.get(code)
    if batch is None:
        batches[code] = Batch(best_before or "", status)
    elif not batch.best_before:
        batch.best_before = best_before or ""


def receive(room: Room, shelf: Shelf, code: str, units: int, kind: str, place: int) -> Lot:
    """Units of a batch come in: they are what it is, or recalled, or expired."""
    lot = room.lot_of(shelf, code, place)
    batch = room.batch(shelf.sku, code)
    if batch is not None and batch.best_before and not lot.best_before:
        shelf.alter(lot, place, **room.dated(batch.best_before))
    shelf.alter(lot, place, status=room.status(shelf.sku, code))
    shelf.change(lot, place, kind, units)
    return lot
