"""The lots of a location as `stock-levels` shows them; long lists are kept, encoded, until one of their lots changes.

Reads lot rows. Guarantees: what is given is what the rows say now, if `forget` was told of every lot row that was put.
Memory: `KEPT_BYTES` and one list more. Does not belong here: the rest of a level (`views`).
"""

from __future__ import annotations

from msgspec import Raw

from tables import records as r
from tables.codec import encode
from tables.rows import LotRow
from tables.table import Table

KEPT_FROM = 16  # lots: to look at fewer costs about as much as to keep them
KEPT_BYTES = 32 << 20


def prefix_of(sku: str, location: str) -> str:
    return f"lot|{sku}|{location}|"


def shown(table: Table, prefix: str) -> list[r.LotLevel]:
    """The lots that have units, in the order of their codes."""
    lots: list[LotRow] = [table.get(key) for key in table.below(prefix)]
    return [r.LotLevel(x.lot, x.best_before, x.on_hand, _status(x), x.blocked) for x in lots if x.on_hand]


class LotLists:
    """What `shown` gives, without looking at a thousand rows because a unit of one lot was promised."""

    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}
        self._bytes = 0

    def forget(self, key: str) -> None:
        """The row of this lot was put."""
        self._bytes -= len(self._kept.pop(key[: key.rindex("|") + 1], b""))

    def of(self, table: Table, prefix: str) -> list[r.LotLevel] | Raw:
        """A `Raw` goes into a record as it is."""
        kept = self._kept.get(prefix)
        if kept is None:
            found = shown(table, prefix)
            if len(table.below(prefix)) < KEPT_FROM:
                return found
            if self._bytes > KEPT_BYTES:
                self._kept, self._bytes = {}, 0
            kept = self._kept[prefix] = encode(found)
            self._bytes += len(kept)
        return Raw(kept)


def _status(lot: LotRow) -> str:
    return "expired" if lot.expired and lot.status == "approved" else lot.status
