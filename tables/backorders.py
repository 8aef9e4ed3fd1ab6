"""Backorders: who waits for stock is served before anybody new, the oldest first.

Pure. Does not belong here: who may be promised units without stock (`deciding`).
"""

from __future__ import annotations

from typing import Any

from tables import records as r
from tables.availability import for_backorders
from tables.outcome import WAREHOUSE, At, Send
from tables.rows import PartitionRow


def fill_notes(rows: dict[str, Any], at: At, log: PartitionRow) -> list[Send]:
    """The stock agent's notes to itself, one per stock row where units are free and somebody waits for them. Said from
    the rows as they stand: one too many changes nothing."""
    return [
        Send(WAREHOUSE, log.partition, None, r.FillBackorders(
            id=f"fill:{row.sku}:{row.location}:{at.place}", sku=row.sku, location=row.location
        ))
        for key, row in rows.items()
        if key[0] == "s" and key[1] == "t" and row.backordered and for_backorders(row)
    ]  # fmt: skip
